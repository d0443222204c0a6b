//! `type: chart`.

use std::time::Duration;

use super::{
    model::{
        AxisConfig, ChartConfig, ChartStyle, PollConfig, Publishers, SeriesConfig, SourceConfig, Theme,
        UpstreamConfig,
    },
    node::{Entry, Kind, Node, join, printable_key},
    reader::{Context, Reader, entries},
    schema::{self, POLL_KEYS, SERIES_KEYS, Y_KEYS},
    source::{DAY, MS_100, headers, size, token},
    suggest,
    units::{self, Wrong},
    url,
};

/// Most lines of one graph: more have no colours that can be told apart.
const MAX_SERIES: usize = 16;

/// Longest name of a series, and longest unit, in characters.
const MAX_NAME: usize = 64;
const MAX_UNIT: usize = 12;

/// Longest title and label, in characters: one line.
const MAX_LABEL: usize = 100;

/// Shortest and longest time that a graph shows.
const WINDOWS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(7 * 24 * 3600);

/// How long a poll may take: it is a short text.
const POLL_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn read(
    context: &Context<'_>,
    reader: &Reader<'_>,
    max_pixels: Option<u64>,
) -> Option<SourceConfig> {
    let title = reader.get(&schema::CHART_TITLE, |text| words(text, MAX_LABEL));
    let size = reader.get(&schema::CHART_SIZE, |text| size(text, max_pixels));
    let window = reader.get(&schema::WINDOW, |text| units::duration(text, WINDOWS));
    let series = series(context, reader);
    let y = axis(context, reader);
    let style = reader.get(&schema::STYLE, |text| match text {
        "line" => Ok(ChartStyle::Line),
        "area" => Ok(ChartStyle::Area),
        "bar" => Ok(ChartStyle::Bar),
        _ => Err(Wrong::want_not("must be line, area or bar", text)),
    });
    let theme = reader.get(&schema::THEME, |text| match text {
        "dark" => Ok(Theme::Dark),
        "light" => Ok(Theme::Light),
        _ => Err(Wrong::want_not("must be dark or light", text)),
    });
    let polled = reader.map(&schema::POLL);
    let publishers = match reader.get(&schema::CHART_TOKEN, token) {
        Some(Some(token)) => Publishers::Holders(token),
        Some(None) => Publishers::Anybody,
        None => Publishers::Nobody,
    };
    if polled.is_none() && reader.own(&schema::CHART_TOKEN).is_none() {
        let need = "is missing: a secret that publishers must show, `token: none` to let anybody send points, or `poll`";
        reader.wrong(&schema::CHART_TOKEN, need);
    }
    let poll = match polled {
        Some(entry) => Some(poll(context, reader, entry, series.as_deref())?),
        None => None,
    };
    Some(SourceConfig::Chart(Box::new(ChartConfig {
        title,
        size: size?,
        window: window?,
        series: series?,
        y: y?,
        style: style?,
        theme: theme?,
        publishers,
        poll,
    })))
}

fn words(text: &str, max: usize) -> Result<String, Wrong> {
    let fits = !text.trim().is_empty() && text.chars().count() <= max && !text.contains(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Wrong::want(format!("must be one line of 1 to {max} characters")))
    }
}

fn name(text: &str) -> Result<String, Wrong> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let fits = (1..=MAX_NAME).contains(&text.len()) && text.chars().all(known);
    match text {
        "time" => Err(Wrong::want("must not be `time`, which is a point's own time")),
        _ if fits => Ok(text.to_owned()),
        _ => Err(Wrong::want_not(format!("must be 1 to {MAX_NAME} letters, digits, _, -, . or :"), text)),
    }
}

fn series(context: &Context<'_>, reader: &Reader<'_>) -> Option<Vec<SeriesConfig>> {
    const WANT: &str =
        "must be a list such as [cpu, memory] or [{name: cpu, label: CPU, color: \"#5aa9ff\"}]";
    let found = reader.find(&schema::SERIES)?;
    let Kind::Seq(items) = &found.entry.value.kind else {
        reader.wrong(&schema::SERIES, WANT);
        return None;
    };
    if items.is_empty() || items.len() > MAX_SERIES {
        reader.wrong(&schema::SERIES, format!("{WANT}, with 1 to {MAX_SERIES} series"));
    }
    let mut all: Vec<SeriesConfig> = Vec::new();
    let mut whole = true;
    for (number, item) in items.iter().enumerate() {
        let path = format!("{}[{number}]", found.path);
        match one_series(context, reader, &path, item) {
            Some(one) if all.iter().any(|other| other.name == one.name) => {
                context.mistakes.add(item.at, path, format!("is the second series called {}", one.name));
            }
            Some(one) => all.push(one),
            None => whole = false,
        }
    }
    whole.then_some(all)
}

fn one_series(context: &Context<'_>, reader: &Reader<'_>, path: &str, item: &Node) -> Option<SeriesConfig> {
    if matches!(item.kind, Kind::Scalar { .. }) {
        reader.show(&schema::SERIES, item, &item.span);
        let name = reader.scalar(&schema::SERIES, path, item, name)?;
        return Some(SeriesConfig { label: name.clone(), name, color: None });
    }
    let item = Reader::new(context, &SERIES_KEYS, path.to_owned(), item.at, item)?;
    let name = item.get(&schema::SERIES_NAME, name);
    let label = item.get(&schema::LABEL, |text| words(text, MAX_LABEL));
    let color = item.get(&schema::SERIES_COLOR, units::color);
    let name = name?;
    Some(SeriesConfig { label: label.unwrap_or_else(|| name.clone()), name, color })
}

fn axis(context: &Context<'_>, reader: &Reader<'_>) -> Option<AxisConfig> {
    let Some(entry) = reader.map(&schema::Y) else { return Some(AxisConfig::default()) };
    let path = join(&reader.path, schema::Y.name);
    let axis = Reader::new(context, &Y_KEYS, path, entry.key_at, &entry.value)?;
    let min = axis.get(&schema::Y_MIN, units::signed);
    let max = axis.get(&schema::Y_MAX, units::signed);
    let unit = axis.get(&schema::UNIT, |text| words(text, MAX_UNIT));
    if let (Some(min), Some(max)) = (min, max)
        && min >= max
    {
        axis.wrong(&schema::Y_MAX, format!("must be more than min ({min})"));
    }
    Some(AxisConfig { min, max, unit: unit.unwrap_or_default() })
}

fn poll(
    context: &Context<'_>,
    reader: &Reader<'_>,
    entry: &Entry,
    series: Option<&[SeriesConfig]>,
) -> Option<PollConfig> {
    let path = join(&reader.path, schema::POLL.name);
    let reader = Reader::new(context, &POLL_KEYS, path, entry.key_at, &entry.value)?;
    let url = reader.get(&schema::POLL_URL, url::camera);
    let every = reader.get(&schema::EVERY, |text| units::duration(text, MS_100..=DAY));
    let headers = headers(context, &reader);
    let insecure = reader.get(&schema::INSECURE, units::boolean);
    let pointers = pointers(context, &reader, series);
    let (url, login) = url?;
    let upstream = UpstreamConfig {
        url,
        login,
        headers: headers?,
        insecure: insecure?,
        connect_timeout: POLL_TIMEOUT,
        head_timeout: POLL_TIMEOUT,
        first_frame_timeout: POLL_TIMEOUT,
        frame_timeout: POLL_TIMEOUT,
    };
    Some(PollConfig { upstream, every: every?, pointers: pointers? })
}

/// A pointer for each series: as given, else to a key of its name.
fn pointers(
    context: &Context<'_>,
    reader: &Reader<'_>,
    series: Option<&[SeriesConfig]>,
) -> Option<Vec<String>> {
    let series = series?;
    let mut pointers: Vec<String> = series.iter().map(|series| format!("/{}", series.name)).collect();
    let Some(entry) = reader.map(&schema::POINTERS) else { return Some(pointers) };
    let path = join(&reader.path, schema::POINTERS.name);
    let given = entries(context, &path, &entry.value, || "such as {cpu: /system/cpu/load}".to_owned())?;
    for Entry { key, key_at, value, region } in given {
        let path = join(&path, &printable_key(key));
        let Some(position) = series.iter().position(|series| series.name == *key) else {
            let names = || series.iter().map(|series| series.name.as_str());
            let meant = suggest::nearest(key, names()).map(|name| format!(", did you mean {name}?"));
            let all = names().collect::<Vec<_>>().join(", ");
            let message = format!("is no series of this chart{}: they are {all}", meant.unwrap_or_default());
            context.mistakes.add(*key_at, path, message);
            continue;
        };
        reader.show(&schema::POINTERS, value, region);
        let pointer = |text: &str| {
            let fine = text.starts_with('/');
            fine.then(|| text.to_owned())
                .ok_or_else(|| Wrong::want_not("must be a JSON pointer such as /system/cpu/load", text))
        };
        if let Some(pointer) = reader.scalar(&schema::POINTERS, &path, value, pointer) {
            pointers[position] = pointer;
        }
    }
    Some(pointers)
}

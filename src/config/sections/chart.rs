//! `type: chart`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::http_source::{CameraUrl, HeaderName, HeaderValue, HttpAuth, Token, UpstreamConfig, split_login};
use crate::config::{
    reader::{Reader, nearest},
    values::{
        Color, DAY, HOUR, Line, Pairs, SECOND, Scalar, Secret, Short, Signed, Size, Text, Time, Wrong,
        json_schema, list_of, scalar, secs, short, size,
    },
};

/// Most lines of one graph: more have no colours that can be told apart.
const MAX_SERIES: usize = 16;

/// Longest name of a series, in characters.
const MAX_NAME: usize = 64;

/// Longest duration of each phase of a poll, whose answer is a short text.
const POLL_TIMEOUT: Duration = secs::<10>();

/// `type: chart`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChartConfig {
    /// Title above the graph.
    #[serde(default, with = "Text::<Option<Line<100>>>")]
    #[schemars(extend("x-default" = "the stream's title"))]
    pub title: Option<String>,
    /// Picture size in pixels.
    #[serde(default = "size::<960, 540>", with = "Text::<Size>")]
    pub size: Size,
    /// Time that the graph shows, up to now.
    #[serde(default = "secs::<300>", with = "Text::<Time<{ 5 * SECOND }, { 168 * HOUR }>>")]
    pub window: Duration,
    /// Lines of the graph; up to 16.
    #[serde(deserialize_with = "series")]
    #[schemars(extend(
        "x-unit" = "list of names or maps",
        "x-need" = "what is drawn, such as [cpu, memory] or [{name: cpu, label: CPU}]"
    ))]
    pub series: Vec<SeriesConfig>,
    /// The vertical axis.
    #[serde(default)]
    #[schemars(extend("x-default" = "from the points"))]
    pub y: AxisConfig,
    /// Lines, lines with a filled area, or bars (each the mean of an interval).
    #[serde(default)]
    pub style: ChartStyle,
    /// Light on dark, or dark on light.
    #[serde(default)]
    pub theme: Theme,
    /// Token that a publisher of points must send. `none` lets anybody send them.
    #[serde(default, rename = "token", deserialize_with = "publishers")]
    #[schemars(with = "Text::<Token>", extend("x-default" = "needed without `poll`"))]
    pub publishers: Publishers,
    /// JSON URL from which points are polled.
    #[serde(default)]
    #[schemars(with = "PollConfig")]
    pub poll: Option<PollConfig>,
}

impl ChartConfig {
    /// Notes what is wrong with several keys together.
    pub(crate) fn check(&self, reader: &Reader<'_>) {
        if self.poll.is_none() && reader.child("token").is_none() && reader.child("poll").is_none() {
            let need = "is missing: a secret that publishers must show, `token: none` to let anybody send \
                        points, or `poll`";
            reader.wrong_key("token", need);
        }
        if let (Some(min), Some(max), Some(y)) = (self.y.min, self.y.max, reader.child("y"))
            && min >= max
        {
            y.wrong_key("max", format!("must be more than min ({min})"));
        }
        let Some(list) = reader.child("series").filter(Reader::is_right) else { return };
        for (number, (series, item)) in self.series.iter().zip(list.items()).enumerate() {
            if self.series[..number].iter().any(|other| other.name == series.name) {
                item.wrong_value(&item.path, format!("is the second series called {}", series.name));
            }
        }
        let pointers = reader.child("poll").and_then(|poll| poll.child("pointers"));
        let names: Vec<_> = self.series.iter().map(|series| series.name.as_str()).collect();
        let keys = pointers.map(|pointers| pointers.keys()).unwrap_or_default();
        for (key, entry) in keys.into_iter().filter(|(key, _)| !names.contains(key)) {
            let meant = nearest(key, &names).map(|name| format!(", did you mean {name}?"));
            let (meant, all) = (meant.unwrap_or_default(), names.join(", "));
            entry.wrong(format!("is no series of this chart{meant}: they are {all}"));
        }
    }
}

fn series<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SeriesConfig>, D::Error> {
    const WANT: &str =
        "1 to 16 series, such as [cpu, memory] or [{name: cpu, label: CPU, color: \"#5aa9ff\"}]";
    let series: Vec<SeriesConfig> = list_of(deserializer, MAX_SERIES, WANT)?;
    let want = || serde::de::Error::custom(format!("must be a list of {WANT}"));
    if series.is_empty() { Err(want()) } else { Ok(series) }
}

/// One line of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesConfig {
    /// The name in points: letters, digits, `_`, `-`, `.` and `:`; never `time`.
    pub name: String,
    /// The name that is shown.
    pub label: String,
    /// One of the theme's if not set.
    pub color: Option<Color>,
}

/// The keys of a series.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesMap {
    /// Name of the series in points. Not `time`.
    #[serde(with = "Text::<SeriesName>")]
    #[schemars(extend("x-need" = "the name that points have, such as cpu"))]
    name: String,
    /// Name in the legend.
    #[serde(default, with = "Text::<Option<Line<100>>>")]
    #[schemars(extend("x-default" = "the name"))]
    label: Option<String>,
    /// Colour of the line.
    #[serde(default, with = "Text::<Option<Color>>")]
    #[schemars(extend("x-default" = "the theme's next"))]
    color: Option<Color>,
}

impl From<SeriesMap> for SeriesConfig {
    fn from(SeriesMap { name, label, color }: SeriesMap) -> Self {
        Self { label: label.unwrap_or_else(|| name.clone()), name, color }
    }
}

impl Short for SeriesConfig {
    type Map = SeriesMap;
    const UNIT: &'static str = "name or map";

    fn from_word(word: &str) -> Result<Self, Wrong> {
        SeriesName::read(word).map(|name| SeriesMap { name, label: None, color: None }.into())
    }
}

impl<'de> Deserialize<'de> for SeriesConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        short(deserializer)
    }
}

json_schema!(impl for SeriesConfig, |generator| {
    schemars::json_schema!({"anyOf": [{"type": "string"}, generator.subschema_for::<SeriesMap>()]})
});

scalar!(struct SeriesName => String, "letters, digits, `_ - . :`", "", |text| {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    match text {
        "time" => Err(Wrong::hidden("must not be `time`, which is a point's own time")),
        _ if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(is_known) => Ok(text.to_owned()),
        _ => Err(Wrong::shown(format!("must be 1 to {MAX_NAME} letters, digits, _, -, . or :"))),
    }
});

/// The upright axis of a graph.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AxisConfig {
    /// Lower end of the axis.
    #[serde(with = "Text::<Option<Signed>>")]
    #[schemars(extend("x-default" = "from the points"))]
    pub min: Option<f64>,
    /// Upper end of the axis, above `min`.
    #[serde(with = "Text::<Option<Signed>>")]
    #[schemars(extend("x-default" = "from the points"))]
    pub max: Option<f64>,
    /// Unit that is written after values, such as `%` or `°C`.
    #[serde(with = "Text::<Line<12>>")]
    #[schemars(extend("x-default" = "nothing"))]
    pub unit: String,
}

/// The marks of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChartStyle {
    /// A line from point to point.
    #[default]
    Line,
    /// A line with the area beneath it.
    Area,
    /// Columns, each the mean of a slot of time.
    Bar,
}

/// Colours of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

/// The publishers who may send points over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Publishers {
    /// They are only polled.
    #[default]
    Nobody,
    /// Written `token: none`.
    Anybody,
    /// Publishers with this token.
    Holders(Secret),
}

fn publishers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Publishers, D::Error> {
    let token = Text::<Token>::deserialize(deserializer)?;
    Ok(token.map_or(Publishers::Anybody, Publishers::Holders))
}

/// `poll:` of a graph.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PollConfig {
    /// URL of the JSON document. It may contain user and password.
    #[serde(with = "Text::<CameraUrl>")]
    #[schemars(extend("x-need" = "the URL of a JSON document, such as http://192.168.1.40/status.json"))]
    url: Url,
    /// Interval between requests.
    #[serde(default = "secs::<5>", with = "Text::<Time<100, DAY>>")]
    pub every: Duration,
    /// JSON pointers to the value of each series in the answer, such as `/system/cpu/load`.
    #[serde(default, deserialize_with = "Pairs::<AnySeries, Pointer>::deserialize")]
    #[schemars(with = "Pairs::<AnySeries, Pointer>", extend("x-default" = "`/NAME` for each series"))]
    pointers: Vec<(String, String)>,
    /// Headers sent with each request.
    #[serde(default, deserialize_with = "Pairs::<HeaderName, HeaderValue>::deserialize")]
    #[schemars(with = "Pairs::<HeaderName, HeaderValue>")]
    headers: Vec<(String, Secret)>,
    /// Accept any certificate. Logged when used.
    #[serde(default)]
    insecure: bool,
}

impl PollConfig {
    /// The address, and how it is asked.
    pub fn upstream(&self) -> UpstreamConfig {
        let mut url = self.url.clone();
        UpstreamConfig {
            login: split_login(&mut url),
            auth: HttpAuth::default(),
            url,
            headers: self.headers.clone(),
            insecure: self.insecure,
            connect_timeout: POLL_TIMEOUT,
            head_timeout: POLL_TIMEOUT,
            first_frame_timeout: POLL_TIMEOUT,
            frame_timeout: POLL_TIMEOUT,
        }
    }

    /// The JSON pointer (RFC 6901) to the value of each series: as given, else to a key of its name.
    pub fn pointers(&self, series: &[SeriesConfig]) -> Vec<String> {
        let given = |name: &str| self.pointers.iter().find(|(given, _)| given == name);
        let pointer = |name: &str| given(name).map_or_else(|| format!("/{name}"), |(_, to)| to.clone());
        series.iter().map(|series| pointer(&series.name)).collect()
    }
}

scalar!(struct AnySeries => String, "series", "", |text| Ok(text.to_owned()));

scalar!(struct Pointer => String, "JSON pointer", "", |text| match text.starts_with('/') {
    true => Ok(text.to_owned()),
    false => Err(Wrong::shown("must be a JSON pointer such as /system/cpu/load")),
});

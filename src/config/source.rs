//! `source:`, by its `type`.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use super::{
    chart,
    model::{ImagesPath, SecondPublisher, Secret, Size, SourceConfig, TextConfig, UpstreamConfig},
    mosaic,
    node::{Entry, Kind, join, printable_key},
    program,
    reader::{Context, Reader, entries},
    schema::{self, SOURCES, Section},
    suggest,
    units::{self, Wrong},
    url,
};
use crate::media::stream_name::StreamName;

const MS_10: Duration = Duration::from_millis(10);
pub(super) const MS_100: Duration = Duration::from_millis(100);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A camera that needs longer to answer is away.
pub(super) const ANSWER_TIMES: RangeInclusive<Duration> = MS_100..=Duration::from_secs(600);

/// Longest text drawn, in characters: more does not fit a picture.
const MAX_TEXT: usize = 10_000;

/// Reads the source of a stream. None if something is wrong with it, which was noted.
pub(super) fn read(
    context: &Context<'_>,
    path: &str,
    entry: &Entry,
    max_pixels: Option<u64>,
) -> Option<SourceConfig> {
    let want = || "such as {type: mjpeg, url: \"http://…\"}".to_owned();
    let map = entries(context, path, &entry.value, want)?;
    let section = section(context, path, entry, map)?;
    let reader = Reader::new(context, section.1, path.to_owned(), entry.key_at, &entry.value)?;
    match section.0 {
        "mjpeg" => upstream(context, &reader).map(SourceConfig::Mjpeg),
        "snapshot" => {
            let interval = reader.get(&schema::INTERVAL, |text| units::duration(text, MS_10..=DAY));
            Some(SourceConfig::Snapshot { upstream: upstream(context, &reader)?, interval: interval? })
        }
        "exec" => program::exec(context, &reader),
        "rtsp" => program::rtsp(&reader, max_pixels),
        "v4l2" => program::v4l2(&reader, max_pixels),
        "push" => {
            let second = reader.get(&schema::SECOND_PUBLISHER, second_publisher);
            Some(SourceConfig::Push { token: reader.get(&schema::TOKEN, token)?, second: second? })
        }
        "chart" => chart::read(context, &reader, max_pixels),
        "text" => text(&reader, max_pixels),
        "pattern" => {
            let size = reader.get(&schema::PATTERN_SIZE, |text| size(text, max_pixels));
            let fps = reader.get(&schema::PATTERN_FPS, units::fps);
            Some(SourceConfig::Pattern { size: size?, fps: fps? })
        }
        "rendition" => {
            let frame_timeout =
                reader.get(&schema::ORIGIN_TIMEOUT, |text| units::duration(text, MS_100..=DAY));
            Some(SourceConfig::Rendition { of: reader.get(&schema::OF, stream_name)?, frame_timeout })
        }
        "mosaic" => mosaic::read(&reader, max_pixels).map(SourceConfig::Mosaic),
        _ => {
            let path = reader.get(&schema::PATH, images);
            let fps = reader.get(&schema::IMAGES_FPS, units::fps);
            Some(SourceConfig::Images { path: path?, fps: fps? })
        }
    }
}

/// The keys that belong to the `type` of a source.
fn section(
    context: &Context<'_>,
    path: &str,
    source: &Entry,
    map: &[Entry],
) -> Option<(&'static str, &'static Section)> {
    static ONLY_TYPE: Section = Section { path: "streams.NAME.source", keys: &[&schema::TYPE] };
    let only_type: Vec<Entry> = map.iter().filter(|entry| entry.key == "type").cloned().collect();
    let Some(entry) = only_type.first() else {
        let names = SOURCES.each_ref().map(|(name, _)| *name);
        let misspelt = map.iter().find(|entry| suggest::nearest(&entry.key, ["type"].into_iter()).is_some());
        let (at, path, message) = match misspelt {
            Some(entry) => (
                entry.key_at,
                join(path, &printable_key(&entry.key)),
                "unknown key, did you mean `type`?".to_owned(),
            ),
            None => (source.key_at, join(path, "type"), format!("is missing: one of {}", names.join(", "))),
        };
        context.mistakes.add(at, path, message);
        return None;
    };
    let find = |text: &str| {
        let known = SOURCES.iter().find(|(name, _)| *name == text).map(|(name, section)| (*name, section));
        known.ok_or_else(|| {
            let names = SOURCES.each_ref().map(|(name, _)| *name);
            let meant =
                suggest::nearest(text, names.into_iter()).map(|name| format!(" (did you mean {name}?)"));
            Wrong::want_not(format!("must be one of {}{}", names.join(", "), meant.unwrap_or_default()), text)
        })
    };
    let reader = Reader::empty(context, &ONLY_TYPE, source.key_at);
    reader.show(&schema::TYPE, &entry.value, &entry.region);
    reader.scalar(&schema::TYPE, &join(path, "type"), &entry.value, find)
}

fn upstream(context: &Context<'_>, reader: &Reader<'_>) -> Option<UpstreamConfig> {
    let url = reader.get(&schema::URL, url::camera);
    let headers = headers(context, reader);
    let insecure = reader.get(&schema::INSECURE, units::boolean);
    let answer = |text: &str| units::duration(text, ANSWER_TIMES);
    let connect_timeout = reader.get(&schema::CONNECT_TIMEOUT, answer);
    let head_timeout = reader.get(&schema::HEAD_TIMEOUT, answer);
    let first_frame_timeout = reader.get(&schema::FIRST_FRAME_TIMEOUT, answer);
    let frame_timeout = reader.get(&schema::FRAME_TIMEOUT, |text| units::duration(text, MS_100..=DAY));
    let (url, login) = url?;
    Some(UpstreamConfig {
        url,
        login,
        headers: headers?,
        insecure: insecure?,
        connect_timeout: connect_timeout?,
        head_timeout: head_timeout?,
        first_frame_timeout: first_frame_timeout?,
        frame_timeout: frame_timeout?,
    })
}

pub(super) fn headers(context: &Context<'_>, reader: &Reader<'_>) -> Option<Vec<(String, Secret)>> {
    let Some(entry) = reader.map(&schema::HEADERS) else { return Some(Vec::new()) };
    let path = join(&reader.path, schema::HEADERS.name);
    let entries = entries(context, &path, &entry.value, || "such as {X-Api-Key: \"${KEY}\"}".to_owned())?;
    let mut headers = Vec::new();
    for Entry { key, key_at, value, region } in entries {
        let path = join(&path, &printable_key(key));
        if key.is_empty()
            || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        {
            context.mistakes.add(*key_at, &path, "is not a header's name: letters, digits and -");
        }
        let text = |text: &str| {
            let fine = text.chars().all(|c| c == '\t' || !c.is_control());
            if fine {
                Ok(Secret::new(text))
            } else {
                Err(Wrong::want("must be one line, without control characters"))
            }
        };
        reader.show(&schema::HEADERS, value, region);
        headers.push(reader.scalar(&schema::HEADERS, &path, value, text).map(|text| (key.clone(), text)));
    }
    headers.into_iter().collect()
}

pub(super) fn stream_name(text: &str) -> Result<StreamName, Wrong> {
    text.parse().map_err(|_| Wrong::want_not("must be the name of a stream", text))
}

pub(super) fn token(text: &str) -> Result<Option<Secret>, Wrong> {
    match text {
        "none" => Ok(None),
        "" => Err(Wrong::want("must not be empty: give a secret, or `token: none` to let anybody push")),
        token if token.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err(Wrong::want("must be one word: spaces cannot stand in an Authorization header"))
        }
        token => Ok(Some(Secret::new(token))),
    }
}

fn second_publisher(text: &str) -> Result<SecondPublisher, Wrong> {
    match text {
        "replaces" => Ok(SecondPublisher::Replaces),
        "refused" => Ok(SecondPublisher::Refused),
        _ => Err(Wrong::want_not("must be replaces or refused", text)),
    }
}

fn text(reader: &Reader<'_>, max_pixels: Option<u64>) -> Option<SourceConfig> {
    let words = reader.get(&schema::TEXT, |text| {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX_TEXT;
        if fits {
            Ok(text.to_owned())
        } else {
            Err(Wrong::want(format!("must have 1 to {MAX_TEXT} characters")))
        }
    });
    let size = reader.get(&schema::TEXT_SIZE, |text| size(text, max_pixels));
    let font_size = reader.get(&schema::FONT_SIZE, |text| units::pixels(text, 4.0..=512.0));
    let color = reader.get(&schema::COLOR, units::color);
    let background = reader.get(&schema::BACKGROUND, units::color);
    let fps = reader.get(&schema::TEXT_FPS, units::fps);
    Some(SourceConfig::Text(TextConfig {
        text: words?,
        size: size?,
        font_size: font_size?,
        color: color?,
        background: background?,
        fps: fps?,
    }))
}

pub(super) fn size(text: &str, max_pixels: Option<u64>) -> Result<Size, Wrong> {
    let size = units::size(text)?;
    let pixels = u64::from(size.width.get()) * u64::from(size.height.get());
    match max_pixels {
        Some(most) if pixels > most => {
            Err(Wrong::want_not(format!("must have at most limits.max_frame_pixels ({most}) pixels"), text))
        }
        _ => Ok(size),
    }
}

fn images(text: &str) -> Result<ImagesPath, Wrong> {
    if let Some(name) = text.strip_prefix("builtin:") {
        let known = (name == "demo").then_some(ImagesPath::BuiltIn);
        return known.ok_or_else(|| Wrong::want_not("the only built-in pictures are builtin:demo", text));
    }
    let path = Path::new(text);
    if path.is_dir() {
        let folder = glob::Pattern::escape(text.trim_end_matches('/'));
        return Ok(ImagesPath::Glob(format!("{folder}/*")));
    }
    if path.exists() {
        return Ok(ImagesPath::Glob(glob::Pattern::escape(text)));
    }
    if !text.contains(['*', '?', '[']) {
        return Err(Wrong::want_not(
            "must be a file or folder that exists, or a pattern such as img/*.jpg",
            text,
        ));
    }
    match glob::Pattern::new(text) {
        Ok(_) => Ok(ImagesPath::Glob(text.to_owned())),
        Err(error) => {
            Err(Wrong::want_not(format!("is not a pattern ({}): such as img/*.jpg", error.msg), text))
        }
    }
}

/// Whether an entry holds nothing but `none`.
pub(super) fn is_none(entry: &Entry) -> bool {
    matches!(&entry.value.kind, Kind::Scalar { text, .. } if text == "none")
}

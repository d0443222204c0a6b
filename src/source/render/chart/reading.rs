//! Points as text and as JSON, of people and programs: what is wrong is said with its place.

use jiff::Timestamp;
use serde_json::{Deserializer, Map, Value};

use super::points::{NewPoint, Point};

/// A point may be so far ahead, in seconds: clocks differ.
const CLOCK_SKEW: f64 = 60.0;

/// Later times are no seconds since the epoch but milliseconds.
const SECONDS_END: f64 = 1e11;

/// Characters of what is wrong that a message repeats.
const MAX_QUOTED: usize = 40;

/// What is wrong with points that were sent; nothing of them was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{what}")]
pub struct PointsError {
    place: String,
    what: String,
}

impl PointsError {
    fn new(what: impl Into<String>) -> Self {
        Self { place: String::new(), what: what.into() }
    }

    fn at(self, place: String) -> Self {
        Self { place: format!("{place}: "), ..self }
    }
}

/// Reads a body: JSON when `json` says so or it looks like it, else lines of `name value [unix time]`.
///
/// `names` are the series, `now` is the time of points without one, in seconds since the epoch.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(body: &[u8], json: bool, names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let looks_like_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    let new =
        if json || looks_like_json { read_json(body, names, now)? } else { read_lines(body, names, now)? };
    if new.is_empty() {
        let example = names.first().map_or("name", String::as_str);
        return Err(PointsError::new(format!(
            "there are no points: send {{\"{example}\": 1.5}}, or a line such as: {example} 1.5"
        )));
    }
    Ok(new)
}

fn read_lines(body: &[u8], names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let text =
        std::str::from_utf8(body).map_err(|_| PointsError::new("the body is neither JSON nor text"))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            read_line(line, names, now).map_err(|error| error.at(format!("line {}", number + 1)))
        })
        .collect()
}

fn read_line(line: &str, names: &[String], now: f64) -> Result<NewPoint, PointsError> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(value), time, None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(PointsError::new(format!("{} is not `name value [unix time]`", quoted(line))));
    };
    let series = series(name, names)?;
    let value = number(value)?;
    let time = match time {
        Some(time) => checked_time(number(time)?, now)?,
        None => now,
    };
    Ok(NewPoint { series, point: Point { time, value } })
}

fn read_json(body: &[u8], names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let mut new = Vec::new();
    for value in Deserializer::from_slice(body).into_iter::<Value>() {
        let value = value.map_err(|error| PointsError::new(format!("the body is no JSON: {error}")))?;
        match value {
            Value::Object(object) => read_object(&object, names, now, &mut new)?,
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    let Value::Object(object) = item else {
                        let wrong =
                            PointsError::new(format!("must be an object, not {}", quoted(&item.to_string())));
                        return Err(wrong.at(format!("item {}", number + 1)));
                    };
                    read_object(object, names, now, &mut new)
                        .map_err(|error| error.at(format!("item {}", number + 1)))?;
                }
            }
            other => {
                let shown = quoted(&other.to_string());
                return Err(PointsError::new(format!(
                    "the body must be an object or a list of them, not {shown}"
                )));
            }
        }
    }
    Ok(new)
}

fn read_object(
    object: &Map<String, Value>,
    names: &[String],
    now: f64,
    new: &mut Vec<NewPoint>,
) -> Result<(), PointsError> {
    let time = match object.get("time") {
        None | Some(Value::Null) => now,
        Some(Value::Number(time)) => checked_time(time.as_f64().unwrap_or(f64::NAN), now)?,
        Some(Value::String(text)) => {
            let time = text.parse::<Timestamp>().map_err(|_| {
                let shown = quoted(text);
                PointsError::new(format!(
                    "time {shown} is neither unix seconds nor like 2026-11-22T17:26:02Z"
                ))
            })?;
            checked_time(time.as_duration().as_secs_f64(), now)?
        }
        Some(other) => return Err(PointsError::new(format!("time must be a number or a text, not {other}"))),
    };
    for (name, value) in object.iter().filter(|(name, _)| *name != "time") {
        let series = series(name, names)?;
        let value = match value {
            // Nothing was measured.
            Value::Null => continue,
            Value::Number(value) => value.as_f64().filter(|value| value.is_finite()),
            _ => None,
        };
        let Some(value) = value else {
            let shown = quoted(&object[name].to_string());
            return Err(PointsError::new(format!("{name} must be a number, not {shown}")));
        };
        new.push(NewPoint { series, point: Point { time, value } });
    }
    Ok(())
}

fn series(name: &str, names: &[String]) -> Result<usize, PointsError> {
    names.iter().position(|known| known == name).ok_or_else(|| {
        let known = names.join(", ");
        PointsError::new(format!("there is no series {}; this chart has {known}", quoted(name)))
    })
}

fn number(text: &str) -> Result<f64, PointsError> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| PointsError::new(format!("{} is no number that can be drawn", quoted(text))))
}

fn checked_time(time: f64, now: f64) -> Result<f64, PointsError> {
    match time {
        _ if !time.is_finite() => Err(PointsError::new("the time is no number")),
        _ if time > SECONDS_END => {
            Err(PointsError::new(format!("time {time} is too large: seconds are expected, not milliseconds")))
        }
        _ if time > now + CLOCK_SKEW => Err(PointsError::new(format!(
            "time {time} is {:.0} s ahead of framecast's clock ({now:.0}): is the sender's clock right?",
            time - now
        ))),
        _ => Ok(time),
    }
}

/// In quotes, escaped and shortened.
fn quoted(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_800_000_000.0;

    fn names() -> Vec<String> {
        vec!["cpu".into(), "mem".into()]
    }

    fn good(body: &str) -> Vec<(usize, f64, f64)> {
        let new =
            read(body.as_bytes(), false, &names(), NOW).unwrap_or_else(|error| panic!("{body}: {error}"));
        new.iter().map(|new| (new.series, new.point.time - NOW, new.point.value)).collect()
    }

    #[test]
    fn points_come_as_lines_and_as_json_with_and_without_times() {
        for (body, expected) in [
            ("cpu 0.7", vec![(0, 0.0, 0.7)]),
            (
                "cpu 1\nmem -2.5e3 1799999990\n\n# note\n  cpu\t3  1799999999.5\r\n",
                vec![(0, 0.0, 1.0), (1, -10.0, -2500.0), (0, -0.5, 3.0)],
            ),
            ("{\"cpu\": 0.7}", vec![(0, 0.0, 0.7)]),
            ("  {\"mem\": 1, \"cpu\": null, \"time\": 1799999999}", vec![(1, -1.0, 1.0)]),
            (
                "[{\"cpu\": 1, \"time\": \"2027-01-15T08:00:00Z\"}, {\"cpu\": 2}]",
                vec![(0, 0.0, 1.0), (0, 0.0, 2.0)],
            ),
            ("{\"cpu\": 1, \"time\": \"2027-01-15T09:00:00.5+01:00\"}", vec![(0, 0.5, 1.0)]),
            ("{\"cpu\": 1}\n{\"mem\": 2}", vec![(0, 0.0, 1.0), (1, 0.0, 2.0)]),
        ] {
            assert_eq!(good(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (body, expected) in [
            ("", "there are no points: send {\"cpu\": 1.5}"),
            ("{}", "there are no points"),
            ("cpu 1\ncpuu 2", "line 2: there is no series \"cpuu\"; this chart has cpu, mem"),
            ("\n\ncpu NaN", "line 3: \"NaN\" is no number that can be drawn"),
            ("cpu inf", "line 1: \"inf\" is no number"),
            ("cpu", "line 1: \"cpu\" is not `name value [unix time]`"),
            ("cpu 1 2 3", "line 1: \"cpu 1 2 3\" is not"),
            (
                "cpu 1 1800000000000",
                "line 1: time 1800000000000 is too large: seconds are expected, not milliseconds",
            ),
            ("cpu 1 1800000100", "line 1: time 1800000100 is 100 s ahead of framecast's clock (1800000000)"),
            ("{\"cpu\": NaN}", "the body is no JSON: "),
            ("{\"cpu\": 1e999}", "the body is no JSON: number out of range"),
            ("{\"cpu\": \"1\"}", "cpu must be a number, not"),
            ("[{\"cpu\": 1}, {\"gpu\": 1}]", "item 2: there is no series \"gpu\"; this chart has cpu, mem"),
            ("[1]", "item 1: must be an object, not \"1\""),
            ("{\"cpu\": 1, \"time\": \"noon\"}", "time \"noon\" is neither unix seconds nor like"),
            ("{\"cpu\": 1, \"time\": []}", "time must be a number or a text, not []"),
            ("\u{fffd}", "line 1: "),
        ] {
            let error = read(body.as_bytes(), false, &names(), NOW).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
        assert!(
            read(b"\xff\xd8", false, &names(), NOW)
                .unwrap_err()
                .to_string()
                .contains("neither JSON nor text")
        );
        assert!(
            read(b"cpu 1", true, &names(), NOW).unwrap_err().to_string().starts_with("the body is no JSON")
        );
    }
}

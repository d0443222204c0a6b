//! Parses points from text and JSON. Errors name the line or item.

use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserializer as _,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use super::points::{NewPoint, Point};

/// Maximum time that a point may be ahead, in seconds: clocks differ.
const CLOCK_SKEW: f64 = 60.0;

/// Largest time in seconds since the epoch; later ones are milliseconds.
const SECONDS_END: f64 = 1e11;

/// Maximum number of characters of the input that an error quotes.
const MAX_QUOTED: usize = 40;

/// An error in points that were sent; none of the points was accepted.
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

/// Parses a body: JSON when `json` says so or it looks like it, else lines of `name value [unix time]`.
///
/// `names` are the series; `now` is the time of points without one, in seconds since the epoch.
///
/// # Errors
/// The first mistake.
pub fn read(body: &[u8], json: bool, names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let looks_like_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    let new =
        if json || looks_like_json { parse_json(body, names, now)? } else { parse_lines(body, names, now)? };
    if new.is_empty() {
        let example = names.first().map_or("name", String::as_str);
        return Err(PointsError::new(format!(
            "there are no points: send {{\"{example}\": 1.5}}, or a line such as: {example} 1.5"
        )));
    }
    Ok(new)
}

fn parse_lines(body: &[u8], names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let text =
        std::str::from_utf8(body).map_err(|_| PointsError::new("the body is neither JSON nor text"))?;
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            parse_line(line, names, now).map_err(|error| error.at(format!("line {}", number + 1)))
        })
        .collect()
}

fn parse_line(line: &str, names: &[String], now: f64) -> Result<NewPoint, PointsError> {
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

/// Parses JSON incrementally, without building a tree: 1 MB of `[0,0,…` would become a tree of 32 MB.
fn parse_json(body: &[u8], names: &[String], now: f64) -> Result<Vec<NewPoint>, PointsError> {
    let mut new = Vec::new();
    for value in Deserializer::from_slice(body).into_iter::<&RawValue>() {
        let value = value.map_err(|error| invalid_json(&error))?.get();
        match value.as_bytes().first() {
            Some(b'{') => parse_object(value, names, now, &mut new)?,
            Some(b'[') => {
                let mut number = 0;
                each_item(value, |item| {
                    number += 1;
                    let read = if item.starts_with('{') {
                        parse_object(item, names, now, &mut new)
                    } else {
                        Err(PointsError::new(format!("must be an object, not {}", quoted(item))))
                    };
                    read.map_err(|error| error.at(format!("item {number}")))
                })?;
            }
            _ => {
                return Err(PointsError::new(format!(
                    "the body must be an object or a list of them, not {}",
                    quoted(value)
                )));
            }
        }
    }
    Ok(new)
}

fn invalid_json(error: &serde_json::Error) -> PointsError {
    PointsError::new(format!("the body is no JSON: {error}"))
}

fn parse_object(
    object: &str,
    names: &[String],
    now: f64,
    new: &mut Vec<NewPoint>,
) -> Result<(), PointsError> {
    let mut time = now;
    let mut values = vec![None; names.len()];
    each_entry(object, |name, value| {
        if name == "time" {
            time = parse_time(value, now)?;
            return Ok(());
        }
        let series = series(name, names)?;
        let number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        values[series] = match value {
            // Nothing was measured.
            "null" => None,
            number_of if number => {
                Some(serde_json::from_str::<f64>(number_of).map_err(|error| invalid_json(&error))?)
            }
            _ => return Err(PointsError::new(format!("{name} must be a number, not {}", quoted(value)))),
        };
        Ok(())
    })?;
    let measured = values.into_iter().enumerate().filter_map(|(series, value)| Some((series, value?)));
    new.extend(measured.map(|(series, value)| NewPoint { series, point: Point { time, value } }));
    Ok(())
}

fn parse_time(value: &str, now: f64) -> Result<f64, PointsError> {
    match value.as_bytes().first() {
        Some(b'n') => Ok(now),
        Some(b'-' | b'0'..=b'9') => {
            checked_time(serde_json::from_str(value).map_err(|error| invalid_json(&error))?, now)
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(value).map_err(|error| invalid_json(&error))?;
            let time = text.parse::<Timestamp>().map_err(|_| {
                let shown = quoted(&text);
                PointsError::new(format!(
                    "time {shown} is neither unix seconds nor like 2026-11-22T17:26:02Z"
                ))
            })?;
            checked_time(time.as_duration().as_secs_f64(), now)
        }
        _ => {
            let shown: String = value.chars().take(MAX_QUOTED).collect();
            Err(PointsError::new(format!("time must be a number or a text, not {shown}")))
        }
    }
}

/// Calls `read` with each item of a list, as raw JSON.
fn each_item(list: &str, read: impl FnMut(&str) -> Result<(), PointsError>) -> Result<(), PointsError> {
    struct Items<'a, F>(&'a mut F, &'a mut Option<PointsError>);

    impl<'de, F: FnMut(&str) -> Result<(), PointsError>> Visitor<'de> for Items<'_, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
            while let Some(item) = items.next_element::<&RawValue>()? {
                if let Err(error) = (self.0)(item.get()) {
                    *self.1 = Some(error);
                    return Err(A::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }

    let (mut read, mut wrong) = (read, None);
    let done = Deserializer::from_str(list).deserialize_seq(Items(&mut read, &mut wrong));
    done.map_err(|error| wrong.unwrap_or_else(|| invalid_json(&error)))
}

/// Calls `read` with each name and value of an object, the value as raw JSON.
fn each_entry(
    object: &str,
    read: impl FnMut(&str, &str) -> Result<(), PointsError>,
) -> Result<(), PointsError> {
    struct Entries<'a, F>(&'a mut F, &'a mut Option<PointsError>);

    impl<'de, F: FnMut(&str, &str) -> Result<(), PointsError>> Visitor<'de> for Entries<'_, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
            while let Some((name, value)) = entries.next_entry::<String, &RawValue>()? {
                if let Err(error) = (self.0)(&name, value.get()) {
                    *self.1 = Some(error);
                    return Err(A::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }

    let (mut read, mut wrong) = (read, None);
    let done = Deserializer::from_str(object).deserialize_map(Entries(&mut read, &mut wrong));
    done.map_err(|error| wrong.unwrap_or_else(|| invalid_json(&error)))
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

/// Returns `text` in quotes, escaped and shortened.
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
            ("{\"cpu\": 1, \"cp\\u0075\": 2, \"time\": null}", vec![(0, 0.0, 2.0)]),
            ("[]{\"cpu\": -1}", vec![(0, 0.0, -1.0)]),
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
            ("[{\"cpu\": [1, 2]}]", "item 1: cpu must be a number, not \"[1, 2]\""),
            ("{\"cpu\": 1", "the body is no JSON: EOF"),
            ("[{\"cpu\": 1},]", "the body is no JSON: "),
            ("{\"cpu\": tru}", "the body is no JSON: "),
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

//! Polls points from a JSON address.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::{
    error::PollError,
    points::{NewPoint, Point, Points, unix_now},
};
use crate::{
    config::{Limits, PollConfig, SeriesConfig},
    source::{
        error::{Deadline, SourceError},
        http_client::{BodyDeadline, HttpClient},
    },
};

/// Maximum length of a response: a status document, not a dump.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Number of consecutive failures after which the source fails: a device that restarts leaves only a gap.
const MAX_FAILURES: u32 = 5;

/// Polls an address for points.
#[derive(Debug)]
pub(super) struct Poller {
    client: HttpClient,
    every: Duration,
    within: Duration,
    pointers: Vec<String>,
    points: Arc<Points>,
}

impl Poller {
    pub(super) fn new(
        config: &PollConfig,
        series: &[SeriesConfig],
        limits: &Limits,
        points: Arc<Points>,
    ) -> Self {
        let upstream = config.upstream();
        Self {
            client: HttpClient::new(&upstream, limits.max_header_bytes),
            every: config.every,
            within: upstream.first_frame_timeout,
            pointers: config.pointers(series),
            points,
        }
    }

    /// Polls once, at the start of a run, over a new connection: a cancelled run may have left one.
    pub(super) async fn first(&mut self) -> Result<(), SourceError> {
        self.client.disconnect();
        self.ask().await
    }

    /// Polls until [`MAX_FAILURES`] polls in a row have failed.
    pub(super) async fn poll_forever(&mut self) -> Result<(), SourceError> {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        // The first poll was a moment ago.
        ticks.tick().await;
        let mut failures = 0;
        loop {
            ticks.tick().await;
            match self.ask().await {
                Ok(()) if failures > 0 => {
                    info!("polling points succeeds again");
                    failures = 0;
                }
                Ok(()) => {}
                Err(error) => {
                    self.client.disconnect();
                    failures += 1;
                    if failures >= MAX_FAILURES {
                        return Err(error);
                    }
                    if failures == 1 {
                        warn!("polling points failed: {error}");
                    }
                }
            }
        }
    }

    async fn ask(&mut self) -> Result<(), SourceError> {
        let response = self.client.get(&[("accept", "application/json")]).await?;
        let host = response.host().to_owned();
        if !(200..300).contains(&response.status()) {
            return Err(response.status_error());
        }
        let deadline = BodyDeadline::new(Deadline::NextFrame, self.within);
        let body = response.whole(MAX_ANSWER_BYTES, deadline).await?;
        let now = unix_now();
        let new = numbers(&body, &self.pointers, now, &host)?;
        self.points.add(&new, now);
        Ok(())
    }
}

/// Returns the numbers at the pointers; pointers to anything else are left out.
fn numbers(body: &[u8], pointers: &[String], now: f64, host: &str) -> Result<Vec<NewPoint>, PollError> {
    let json: Value = serde_json::from_slice(body)
        .map_err(|error| PollError::NotJson { host: host.to_owned(), reason: error.to_string() })?;
    let number = |pointer: &String| match json.pointer(pointer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        _ => None,
    };
    let found = pointers.iter().enumerate().filter_map(|(series, pointer)| {
        let value = number(pointer).filter(|value| value.is_finite())?;
        Some(NewPoint { series, point: Point { time: now, value } })
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(PollError::NoNumbers { host: host.to_owned(), pointers: pointers.join(", ") });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str, pointers: &[&str]) -> Result<Vec<(usize, f64)>, String> {
        let pointers: Vec<_> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        let new = numbers(body.as_bytes(), &pointers, 1.0, "cam:80").map_err(|error| error.to_string())?;
        Ok(new.iter().map(|new| (new.series, new.point.value)).collect())
    }

    #[test]
    fn pointers_lead_to_numbers_and_to_what_reads_as_one() {
        let body = r#"{"a": {"b": [1.5, "2.5"]}, "on": true, "none": null, "nan": "NaN"}"#;
        assert_eq!(found(body, &["/a/b/0", "/a/b/1", "/on"]), Ok(vec![(0, 1.5), (1, 2.5), (2, 1.0)]));
        assert_eq!(found(body, &["/none", "/nan", "/gone", "/a/b/0"]), Ok(vec![(3, 1.5)]));
        let none = found(body, &["/none", "/a"]).unwrap_err();
        assert!(none.starts_with("cam:80 answered JSON without a number at /none, /a"), "{none}");
        assert!(found("<html>", &["/a"]).unwrap_err().starts_with("cam:80 answered no JSON"));
    }
}

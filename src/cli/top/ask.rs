//! Asks the server, again and again, and says when it is gone and when it is back.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use url::Url;

use super::{
    board::Heard,
    report::{Events, History, Report},
};
use crate::{
    cli::{parse_url, shown},
    config::{Secret, UpstreamConfig},
    source::{
        Deadline, SourceError,
        http::{BodyDeadline, HttpClient},
        probe,
    },
};

/// Far more than the report of any number of streams.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// As long as a camera's head may be.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// An answer must have come within this, its head included.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A server that is gone is asked again after so long, then after twice as long, and so on.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// But not less often than this.
const MOST_DELAY: Duration = Duration::from_secs(8);

/// A running framecast.
pub(super) struct Server {
    /// Its address, with a slash at its end, without a login.
    shown: String,
    base: Url,
    token: Option<String>,
    insecure: bool,
    streams: HttpClient,
    last_event: u64,
}

impl Server {
    pub(super) fn new(url: &str, token: Option<&str>, insecure: bool) -> anyhow::Result<Self> {
        let mut base = parse_url(url)?;
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let token = token.map(str::to_owned);
        let streams = client(&base, "api/streams", token.as_deref(), insecure)?;
        Ok(Self { shown: shown(&base), base, token, insecure, streams, last_event: 0 })
    }

    /// For people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// What the streams are doing.
    pub(super) async fn report(&mut self) -> anyhow::Result<Report> {
        let answer = ask(&mut self.streams).await;
        if answer.is_err() {
            // What is left of an answer must not be taken for the next one.
            self.streams.disconnect();
        }
        answer
    }

    /// What has happened since the last time.
    async fn events(&mut self) -> anyhow::Result<Events> {
        let route = format!("api/events?after={}", self.last_event);
        let mut client = client(&self.base, &route, self.token.as_deref(), self.insecure)?;
        let events: Events = ask(&mut client).await?;
        self.last_event = events.last;
        Ok(events)
    }

    async fn history(&self) -> anyhow::Result<History> {
        ask(&mut client(&self.base, "api/history", self.token.as_deref(), self.insecure)?).await
    }
}

fn client(base: &Url, route: &str, token: Option<&str>, insecure: bool) -> anyhow::Result<HttpClient> {
    let url = base.join(route)?;
    let mut upstream: UpstreamConfig = probe::upstream(url.as_str(), insecure).map_err(|why| anyhow!(why))?;
    if let Some(token) = token {
        // Not to be shown to whoever a redirect leads to: so among the configured ones.
        upstream.headers.push(("Authorization".to_owned(), Secret::new(format!("Bearer {token}"))));
    }
    Ok(HttpClient::new(&upstream, MAX_HEADER_BYTES))
}

async fn ask<T: DeserializeOwned>(client: &mut HttpClient) -> anyhow::Result<T> {
    let answer = client.get(&[("Accept", "application/json")]).await.map_err(|error| match error {
        SourceError::Unauthorized { host } => {
            anyhow!("{host} wants to know who asks: give --token, or FRAMECAST_TOKEN")
        }
        // What is said of cameras would be odd here.
        SourceError::Connect { host, reason } if reason.starts_with("connection refused") => {
            anyhow!(
                "cannot connect to {host}: connection refused: is framecast running, and is this its port?"
            )
        }
        error => error.into(),
    })?;
    let host = answer.host().to_owned();
    match answer.status() {
        200 => {}
        403 => bail!("{host}: what you show may watch no stream"),
        429 => bail!("{host}: too many requests from this address"),
        _ => bail!("{host} answered {}: is that framecast's address?", answer.status_text()),
    }
    let is_json = answer.content_type().is_some_and(|kind| kind.starts_with("application/json"));
    ensure!(is_json, "{host} answered no JSON: is that framecast's address?");
    let body = answer.whole(MAX_ANSWER_BYTES, BodyDeadline::new(Deadline::NextFrame, ANSWER_WITHIN)).await;
    let body = body.map_err(|_| anyhow!("{host} broke off its answer"))?;
    serde_json::from_slice(&body)
        .map_err(|error| anyhow!("{host} answered what is no report of framecast: {error}"))
}

/// Until nobody hears it any more.
pub(super) async fn keep_asking(mut server: Server, every: Duration, tell: mpsc::Sender<Heard>) {
    let mut failures = 0;
    let mut is_new = true;
    loop {
        let begun = Instant::now();
        let (heard, wait) = match server.report().await {
            Ok(report) => {
                failures = 0;
                (Heard::Report(Box::new(report)), every.saturating_sub(begun.elapsed()))
            }
            Err(error) => {
                let delay = MOST_DELAY.min(FIRST_DELAY.saturating_mul(1 << failures.min(8)));
                failures += 1;
                // Another run of the server's counts its events anew.
                (is_new, server.last_event) = (true, 0);
                (Heard::Lost { why: format!("{error:#}"), until: Instant::now() + delay }, delay)
            }
        };
        let is_there = matches!(heard, Heard::Report(_));
        if tell.send(heard).await.is_err() {
            return;
        }
        if is_there {
            // These two only add to what is shown; an error of theirs is the next report's, too.
            if std::mem::take(&mut is_new)
                && let Ok(history) = server.history().await
                && tell.send(Heard::History(history)).await.is_err()
            {
                return;
            }
            if let Ok(events) = server.events().await
                && tell.send(Heard::Events(events.events)).await.is_err()
            {
                return;
            }
        }
        tokio::time::sleep(wait).await;
    }
}

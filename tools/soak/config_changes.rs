//! Changes the configuration: in the file, sometimes with mistakes, and over HTTP. Unchanged streams must not
//! be affected.

use std::{collections::BTreeSet, net::SocketAddr, ops::Range, sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    api::{Answer, ask},
    file::{File, Settings},
    liveness::{HOLDS_WITHIN, StreamPresence},
    log::Log,
    picture::PictureSet,
    process::signal,
    report::{Report, count},
    scenario::{ADDED, Stream, StreamContent, TURNING},
};

/// From one change to the next: every 15 s or so.
const PAUSE_MS: Range<u64> = 8_000..22_000;

/// A file with a mistake stays for so long.
const WRONG_FOR_MS: Range<u64> = 500..5_000;

/// Interval at which it is checked whether a change has taken effect.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The method by which framecast is told of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReloadTrigger {
    /// It sees it.
    Seen,
    /// SIGHUP.
    HangUp,
    /// `POST /api/reload`.
    Asked,
}

/// Who changes it.
#[derive(Debug)]
pub(crate) struct ConfigChanger {
    pub(crate) file: File,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    pub(crate) streams: Vec<Arc<Stream>>,
    pub(crate) album: Arc<PictureSet>,
    pub(crate) log: Arc<Log>,
    pub(crate) report: Arc<Report>,
    pub(crate) rng: Rng,
}

impl ConfigChanger {
    /// Changes one thing after the other until told to end; then all is as it was at first.
    pub(crate) async fn run(mut self, mut ending: watch::Receiver<bool>) {
        loop {
            let pause = Duration::from_millis(self.rng.u64(PAUSE_MS));
            tokio::select! {
                _ = ending.wait_for(|ending| *ending) => break,
                () = sleep(pause) => {}
            }
            let done = match self.rng.u8(..10) {
                0..6 => self.change_file().await,
                6..8 => self.spoil_file().await,
                _ => self.edit().await,
            };
            self.report_error("a change", done);
        }
        let done = self.restore().await;
        self.report_error("the last change", done);
    }

    fn report_error(&self, what: &str, done: anyhow::Result<()>) {
        if let Err(error) = done {
            self.report.violation(format!("{what}: {error:#}"));
        }
    }

    fn existence(&self, name: &str) -> &StreamPresence {
        let stream = self.streams.iter().find(|stream| stream.name == name);
        match &stream.expect("all that turns is known").shows {
            StreamContent::Turning(existence) => existence,
            _ => unreachable!("only what turns is here"),
        }
    }

    /// Tells the viewers what is about to become of a stream.
    fn announce(&self, name: &str, stays: bool) {
        count(&self.report.changes);
        let (existence, now_us) = (self.existence(name), self.album.now_us());
        match (existence.is_there(), stays) {
            (false, _) => existence.add(now_us),
            (true, true) => existence.change(now_us),
            (true, false) => existence.remove(now_us),
        }
    }

    /// Adds a stream, gives it other settings, or takes it away.
    async fn change_file(&mut self) -> anyhow::Result<()> {
        let name = TURNING[self.rng.usize(..TURNING.len())];
        let stays = !self.file.has(name) || self.rng.u8(..3) > 0;
        self.announce(name, stays);
        let settings = stays.then(|| Settings::any(&mut self.rng));
        self.file.set(name, settings);
        self.file.write(&mut self.rng)?;
        let way = self.way();
        let answer = self.tell(way).await?;
        self.wait_until_applied("ok").await?;
        if let Some(answer) = answer {
            anyhow::ensure!(answer.status == 200, "a good file was answered {answer:?}");
            self.only(name, &answer.json());
        }
        Ok(())
    }

    /// A file with a mistake changes nothing.
    async fn spoil_file(&mut self) -> anyhow::Result<()> {
        count(&self.report.changes);
        self.log.expect_a_mistake();
        self.file.write_spoiled(&mut self.rng)?;
        let way = self.way();
        let answer = self.tell(way).await?;
        self.wait_until_applied("wrong").await?;
        if let Some(answer) = answer {
            anyhow::ensure!(answer.status == 422, "a wrong file was answered {answer:?}");
        }
        sleep(Duration::from_millis(self.rng.u64(WRONG_FOR_MS))).await;
        count(&self.report.changes);
        self.file.write(&mut self.rng)?;
        let way = self.way();
        self.tell(way).await?;
        self.wait_until_applied("ok").await
    }

    /// Makes a change over HTTP, with streams that are not in the file.
    async fn edit(&mut self) -> anyhow::Result<()> {
        let name = ADDED[self.rng.usize(..ADDED.len())];
        let was_there = self.existence(name).is_there();
        let stays = !was_there || self.rng.bool();
        self.announce(name, stays);
        let route = format!("/api/streams/{name}");
        let (answer, wanted) = if stays {
            let settings = Settings::any(&mut self.rng);
            let answer = ask(self.address, "PUT", &route, &settings.json()).await?;
            self.file.added(name, Some(settings));
            (answer, if was_there { 200 } else { 201 })
        } else {
            let answer = ask(self.address, "DELETE", &route, "").await?;
            self.file.added(name, None);
            (answer, 204)
        };
        anyhow::ensure!(answer.status == wanted, "{name}: {wanted} was expected, not {answer:?}");
        self.only(name, &answer.json());
        self.wait_until_applied("ok").await
    }

    /// As it was before the first change.
    async fn restore(&mut self) -> anyhow::Result<()> {
        for name in ADDED {
            if self.existence(name).is_there() {
                self.announce(name, false);
                let answer = ask(self.address, "DELETE", &format!("/api/streams/{name}"), "").await?;
                anyhow::ensure!(answer.status == 204, "{name} cannot be removed: {answer:?}");
                self.file.added(name, None);
            }
        }
        for name in TURNING {
            if self.file.has(name) {
                self.announce(name, false);
                self.file.set(name, None);
            }
        }
        self.file.write(&mut self.rng)?;
        self.tell(ReloadTrigger::Asked).await?;
        self.wait_until_applied("ok").await
    }

    fn way(&mut self) -> ReloadTrigger {
        [ReloadTrigger::Seen, ReloadTrigger::HangUp, ReloadTrigger::Asked][self.rng.usize(..3)]
    }

    async fn tell(&self, way: ReloadTrigger) -> anyhow::Result<Option<Answer>> {
        match way {
            ReloadTrigger::Seen => {}
            ReloadTrigger::HangUp => signal(self.pid, "HUP").await?,
            ReloadTrigger::Asked => return Ok(Some(ask(self.address, "POST", "/api/reload", "").await?)),
        }
        Ok(None)
    }

    /// No other stream was touched.
    fn only(&self, name: &str, applied: &Value) {
        for what in ["added", "changed", "removed"] {
            for touched in applied[what].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if touched != name && touched != "all" {
                    self.report.violation(format!("{name} was changed, and {touched} was {what} too"));
                }
            }
        }
    }

    /// Waits until the API shows the streams that there should be, with their settings, and this state of the
    /// file.
    async fn wait_until_applied(&self, state: &str) -> anyhow::Result<()> {
        let wanted = self.file.titles();
        let start = Instant::now();
        loop {
            let stream_list = ask(self.address, "GET", "/api/streams", "").await?.json();
            let found = titles(&stream_list);
            let has = stream_list["config"]["state"].as_str().unwrap_or("?").to_owned();
            if found == wanted && has == state {
                return Ok(());
            }
            if start.elapsed() > HOLDS_WITHIN {
                anyhow::bail!("{wanted:?} ({state}) was expected, not {found:?} ({has})");
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// Names and titles of the streams that come and go.
fn titles(stream_list: &Value) -> BTreeSet<(String, String)> {
    let streams = stream_list["streams"].as_array().into_iter().flatten();
    let text = |stream: &Value, key: &str| stream[key].as_str().unwrap_or("?").to_owned();
    let all = streams.map(|stream| (text(stream, "name"), text(stream, "title")));
    all.filter(|(name, _)| TURNING.iter().chain(&ADDED).any(|turning| turning == name)).collect()
}

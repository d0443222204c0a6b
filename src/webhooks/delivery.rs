//! Tells one hook what waits for it, one after the other: what came first is told first, or not at all.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use awc::{
    Client, Connector,
    error::SendRequestError,
    http::{StatusCode, header},
};
use futures_util::FutureExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use super::{event::Notice, queue::Queue, retry::pause, signature};
use crate::{config::WebhookConfig, source::http_client::client_config};

/// As receivers log it.
const USER_AGENT: &str = concat!("framecast/", env!("CARGO_PKG_VERSION"));

/// Why a receiver was not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// Nothing was understood within the hook's `timeout`.
    #[error("it did not answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// It cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It may take it the next time.
    #[error("it answered {status}")]
    Busy { status: StatusCode, again_in: Option<Duration> },
    /// It will not take it.
    #[error("it answered {0}")]
    Refused(StatusCode),
    /// Where that leads nobody has checked.
    #[error("it answered {0}, a redirect, which is not followed: give the URL it leads to")]
    Redirected(StatusCode),
}

impl Failure {
    fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Redirected(_))
    }

    fn again_in(&self) -> Option<Duration> {
        match self {
            Self::Busy { again_in, .. } => *again_in,
            _ => None,
        }
    }
}

/// Has `tell` tell what waits, one after the other, until that is false or framecast ends. A panic gives up
/// the notice in hand, and no other.
async fn tell_each(
    queue: &Queue,
    mut stopping: watch::Receiver<bool>,
    mut tell: impl AsyncFnMut(Notice, u64) -> bool,
) {
    loop {
        let (notice, missed) = tokio::select! {
            biased;
            oldest = queue.oldest() => oldest,
            // An error means that nobody is left who could say so.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match AssertUnwindSafe(tell(notice, missed)).catch_unwind().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => queue.done(missed, false),
        }
    }
}

/// Tells one hook.
pub(super) struct Sender {
    config: WebhookConfig,
    queue: Arc<Queue>,
    client: Client,
    stopping: watch::Receiver<bool>,
    failing: bool,
}

impl Sender {
    /// For this hook, what waits in `queue`.
    pub(super) fn new(config: WebhookConfig, queue: Arc<Queue>, stopping: watch::Receiver<bool>) -> Self {
        let client = client(&config);
        Self { config, queue, client, stopping, failing: false }
    }

    /// Goes on until framecast ends; then what waits has one try.
    pub(super) async fn run(mut self) {
        let (queue, stopping) = (self.queue.clone(), self.stopping.clone());
        tell_each(&queue, stopping, async |notice, missed| self.tell(&notice, missed).await).await;
    }

    /// Tells it, or gives it up; false if there is no time left for that.
    async fn tell(&mut self, notice: &Notice, missed: u64) -> bool {
        let (first, mut tries) = (Instant::now(), 0);
        let body = notice.body(missed);
        loop {
            tries += 1;
            let failure = match self.post(notice, &body).await {
                Ok(()) => {
                    self.succeeded();
                    self.queue.done(missed, true);
                    return true;
                }
                Err(failure) => failure,
            };
            let pause = pause(tries, first.elapsed(), failure.again_in(), fastrand::f64());
            let Some(pause) = pause.filter(|_| failure.may_pass()) else {
                self.gave_up(notice, &failure);
                self.queue.done(missed, false);
                return true;
            };
            self.failed(&failure);
            let mut stopping = self.stopping.clone();
            tokio::select! {
                () = sleep(pause) => self.queue.count_retry(),
                _ = stopping.wait_for(|stopping| *stopping) => return false,
            }
        }
    }

    async fn post(&self, notice: &Notice, body: &str) -> Result<(), Failure> {
        let config = &self.config;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = self
            .client
            .post(config.url.reveal())
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::USER_AGENT, USER_AGENT))
            .insert_header(("X-Framecast-Event", notice.event.as_str()))
            .insert_header(("X-Framecast-Delivery", notice.id.as_str()));
        if let Some(login) = &config.login {
            request = request.basic_auth(&login.user, login.password.reveal());
        }
        if let Some(secret) = &config.secret {
            request = request.insert_header((signature::HEADER, signature::sign(secret, now, body)));
        }
        for (name, value) in &config.headers {
            request = request.insert_header((name.as_str(), value.reveal()));
        }
        let sent = timeout(config.timeout, request.send_body(body.to_owned())).await;
        let answer = match sent {
            Err(_) | Ok(Err(SendRequestError::Timeout)) => return Err(Failure::Late(config.timeout)),
            Ok(Err(error)) => return Err(Failure::Unreachable(error.to_string())),
            Ok(Ok(answer)) => answer,
        };
        let again_in = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        judge(answer.status(), again_in.and_then(|seconds| seconds.trim().parse().ok()))
    }

    /// Says once that it works again.
    fn succeeded(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!(webhook = %self.config.name, "the webhook takes events again");
        }
    }

    /// Says once that it does not work.
    fn failed(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(webhook = %self.config.name, "the webhook is tried again: {failure}");
        }
    }

    fn gave_up(&mut self, notice: &Notice, failure: &Failure) {
        self.failing = true;
        let (event, stream) = (notice.event.as_str(), &notice.stream);
        warn!(webhook = %self.config.name, event, %stream, "the webhook was not told: {failure}");
    }
}

/// Classifies an answer: delivered, or how it failed.
fn judge(status: StatusCode, again_in: Option<u64>) -> Result<(), Failure> {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        Ok(())
    } else if status.is_redirection() {
        Err(Failure::Redirected(status))
    } else if status.is_server_error() || passing.contains(&status) {
        Err(Failure::Busy { status, again_in: again_in.map(Duration::from_secs) })
    } else {
        Err(Failure::Refused(status))
    }
}

/// A client that keeps one connection, and follows no redirect: what is sent is for one receiver.
fn client(config: &WebhookConfig) -> Client {
    if config.insecure {
        warn!(webhook = %config.name, "any certificate of this webhook is accepted (insecure: true)");
    }
    let connector = Connector::new().timeout(config.timeout).limit(1);
    let connector = match config.url.reveal().starts_with("https").then(|| client_config(config.insecure)) {
        Some(Ok(tls)) => connector.rustls_0_23(tls),
        Some(Err(reason)) => {
            warn!(webhook = %config.name, "the webhook cannot be told: {reason}");
            connector
        }
        None => connector,
    };
    Client::builder().connector(connector).disable_redirects().disable_timeout().no_default_headers().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookEvent;

    #[tokio::test]
    async fn a_panic_gives_up_the_notice_in_hand_and_the_next_is_told() {
        let queue = Queue::default();
        for id in ["1", "2", "3"] {
            queue.push(Notice {
                id: id.to_owned(),
                event: HookEvent::Lost,
                stream: "door".parse().unwrap(),
                title: String::new(),
                time: SystemTime::now(),
                message: String::new(),
            });
        }
        let (_stop, stopping) = watch::channel(false);
        let mut told = Vec::new();
        let telling = async |notice: Notice, missed: u64| {
            assert_ne!(notice.id, "2", "injected by the test");
            told.push((notice.id.clone(), missed));
            queue.done(missed, true);
            notice.id != "3"
        };
        tell_each(&queue, stopping, telling).await;
        assert_eq!(told, [("1".to_owned(), 0), ("3".to_owned(), 1)], "the next one says that one is missing");
        let deliveries = queue.deliveries();
        assert_eq!((deliveries.delivered, deliveries.failed, deliveries.waiting), (2, 1, 0));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, again) in [
            (200, None),
            (204, None),
            (301, Some(false)),
            (307, Some(false)),
            (400, Some(false)),
            (401, Some(false)),
            (410, Some(false)),
            (408, Some(true)),
            (429, Some(true)),
            (500, Some(true)),
            (503, Some(true)),
        ] {
            let judged = judge(StatusCode::from_u16(status).unwrap(), Some(7));
            assert_eq!(judged.as_ref().err().map(Failure::may_pass), again, "{status}");
            let asked = judged.err().and_then(|failure| failure.again_in());
            assert_eq!(asked, (again == Some(true)).then_some(Duration::from_secs(7)));
        }
    }
}

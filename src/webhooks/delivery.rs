//! Delivers the waiting events of one webhook, in order.

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

use super::{event::WebhookEvent, queue::DeliveryQueue, retry::delay, signature};
use crate::{config::WebhookConfig, source::http_client::client_config};

/// The `User-Agent` header.
const USER_AGENT: &str = concat!("framecast/", env!("CARGO_PKG_VERSION"));

/// An error of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Failure {
    /// The receiver did not respond within the hook's `timeout`.
    #[error("it did not answer within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// The receiver cannot be reached.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The receiver may accept it the next time.
    #[error("it answered {status}")]
    Busy { status: StatusCode, again_in: Option<Duration> },
    /// The receiver will not accept it.
    #[error("it answered {0}")]
    Refused(StatusCode),
    /// A redirect leads to a server that was not checked.
    #[error("it answered {0}, a redirect, which is not followed: give the URL it leads to")]
    Redirected(StatusCode),
}

impl Failure {
    fn is_temporary(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Redirected(_))
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { again_in, .. } => *again_in,
            _ => None,
        }
    }
}

/// Calls `deliver` for each waiting event, one after the other, until it returns false or framecast ends. A
/// panic gives up the current event, and no other.
async fn deliver_all(
    queue: &DeliveryQueue,
    mut stopping: watch::Receiver<bool>,
    mut deliver: impl AsyncFnMut(WebhookEvent, u64) -> bool,
) {
    loop {
        let (event, missed) = tokio::select! {
            biased;
            oldest = queue.next() => oldest,
            // An error means that the sender of the signal is gone.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match AssertUnwindSafe(deliver(event, missed)).catch_unwind().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => queue.finish(missed, false),
        }
    }
}

/// Delivers the events of one webhook.
pub(super) struct Sender {
    config: WebhookConfig,
    queue: Arc<DeliveryQueue>,
    client: Client,
    stopping: watch::Receiver<bool>,
    failing: bool,
}

impl Sender {
    /// Creates the sender of the events in `queue`.
    pub(super) fn new(
        config: WebhookConfig,
        queue: Arc<DeliveryQueue>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let client = client(&config);
        Self { config, queue, client, stopping, failing: false }
    }

    /// Delivers until framecast ends; then each waiting event has one try.
    pub(super) async fn run(mut self) {
        let (queue, stopping) = (self.queue.clone(), self.stopping.clone());
        deliver_all(&queue, stopping, async |event, missed| self.deliver(&event, missed).await).await;
    }

    /// Delivers an event or gives it up; false if there is no time left for that.
    async fn deliver(&mut self, event: &WebhookEvent, missed: u64) -> bool {
        let (first, mut tries) = (Instant::now(), 0);
        let body = event.body(missed);
        loop {
            tries += 1;
            let failure = match self.post(event, &body).await {
                Ok(()) => {
                    self.log_success();
                    self.queue.finish(missed, true);
                    return true;
                }
                Err(failure) => failure,
            };
            let pause = delay(tries, first.elapsed(), failure.retry_after(), fastrand::f64());
            let Some(pause) = pause.filter(|_| failure.is_temporary()) else {
                self.log_given_up(event, &failure);
                self.queue.finish(missed, false);
                return true;
            };
            self.log_failure(&failure);
            let mut stopping = self.stopping.clone();
            tokio::select! {
                () = sleep(pause) => self.queue.count_retry(),
                _ = stopping.wait_for(|stopping| *stopping) => return false,
            }
        }
    }

    async fn post(&self, event: &WebhookEvent, body: &str) -> Result<(), Failure> {
        let config = &self.config;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut request = self
            .client
            .post(config.url.reveal())
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::USER_AGENT, USER_AGENT))
            .insert_header(("X-Framecast-Event", event.kind.as_str()))
            .insert_header(("X-Framecast-Delivery", event.id.as_str()));
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
        classify(answer.status(), again_in.and_then(|seconds| seconds.trim().parse().ok()))
    }

    /// Logs once that it works again.
    fn log_success(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!(webhook = %self.config.name, "the webhook accepts events again");
        }
    }

    /// Logs once that it does not work.
    fn log_failure(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(webhook = %self.config.name, "retrying the webhook: {failure}");
        }
    }

    fn log_given_up(&mut self, event: &WebhookEvent, failure: &Failure) {
        self.failing = true;
        let (kind, stream) = (event.kind.as_str(), &event.stream);
        warn!(webhook = %self.config.name, event = kind, %stream, "the event was not delivered: {failure}");
    }
}

/// Classifies a response: delivered, or the kind of failure.
fn classify(status: StatusCode, again_in: Option<u64>) -> Result<(), Failure> {
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

/// Creates a client that keeps one connection, and follows no redirect: what is sent is for one receiver.
fn client(config: &WebhookConfig) -> Client {
    if config.insecure {
        warn!(webhook = %config.name, "any certificate of this webhook is accepted (insecure: true)");
    }
    let connector = Connector::new().timeout(config.timeout).limit(1);
    let connector = match config.url.reveal().starts_with("https").then(|| client_config(config.insecure)) {
        Some(Ok(tls)) => connector.rustls_0_23(tls),
        Some(Err(reason)) => {
            warn!(webhook = %config.name, "cannot deliver to the webhook: {reason}");
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
        let queue = DeliveryQueue::default();
        for id in ["1", "2", "3"] {
            queue.push(WebhookEvent {
                id: id.to_owned(),
                kind: HookEvent::Lost,
                stream: "door".parse().unwrap(),
                title: String::new(),
                time: SystemTime::now(),
                message: String::new(),
            });
        }
        let (_stop, stopping) = watch::channel(false);
        let mut told = Vec::new();
        let delivering = async |event: WebhookEvent, missed: u64| {
            assert_ne!(event.id, "2", "injected by the test");
            told.push((event.id.clone(), missed));
            queue.finish(missed, true);
            event.id != "3"
        };
        deliver_all(&queue, stopping, delivering).await;
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
            let judged = classify(StatusCode::from_u16(status).unwrap(), Some(7));
            assert_eq!(judged.as_ref().err().map(Failure::is_temporary), again, "{status}");
            let asked = judged.err().and_then(|failure| failure.retry_after());
            assert_eq!(asked, (again == Some(true)).then_some(Duration::from_secs(7)));
        }
    }
}

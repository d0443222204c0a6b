//! A client of HTTP/2 that may send anything and counts the frames that it receives (RFC 9113).

use std::{collections::BTreeMap, io};

use testkit::{
    attacks::frames::{DATA, PING, RST_STREAM, frame, preface},
    raw_client::TIMEOUT,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

/// The flag of a frame with padding, whose length comes first.
pub(crate) const PADDED: u8 = 8;

/// The reason of a reset: it is not wanted any more.
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A field that the table is not to keep; the name in lower case.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// Resets a stream.
pub(crate) fn cancel(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL)
}

/// The frames received from the relay: the number of each kind, and the bytes of pictures.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) frames: BTreeMap<u8, usize>,
    pub(crate) data_bytes: usize,
    pub(crate) largest_data: usize,
    /// The connection is over.
    pub(crate) ended: bool,
}

impl Seen {
    pub(crate) fn count(&self, kind: u8) -> usize {
        self.frames.get(&kind).copied().unwrap_or_default()
    }
}

/// A connection that may say anything.
pub(crate) struct Raw {
    to: WriteHalf<TlsStream<TcpStream>>,
    from: Option<ReadHalf<TlsStream<TcpStream>>>,
    seen: watch::Sender<Seen>,
    reading: Option<JoinHandle<()>>,
}

impl Raw {
    /// Begins HTTP/2 with room for `window` bytes on each stream, and reads nothing.
    pub(crate) async fn begin(io: TlsStream<TcpStream>, window: u32) -> Self {
        let (from, to) = tokio::io::split(io);
        let mut raw = Self { to, from: Some(from), seen: watch::Sender::default(), reading: None };
        raw.say(&preface(window)).await.unwrap();
        raw
    }

    /// Takes all that comes from now on.
    pub(crate) fn reading(mut self) -> Self {
        let from = self.from.take().expect("once");
        let seen = self.seen.clone();
        self.reading = Some(tokio::spawn(async move {
            // An error is an end, too.
            let _ = read(from, &seen).await;
            seen.send_modify(|seen| seen.ended = true);
        }));
        self
    }

    /// An error is the relay's end of it.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(TIMEOUT, async {
            self.to.write_all(bytes).await?;
            self.to.flush().await
        })
        .await
        .expect("the relay takes it or lets go")
    }

    /// Returns the frames received so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until the relay has answered all that was said, by asking for a last answer; false when it let
    /// go before.
    pub(crate) async fn is_answered(&mut self) -> bool {
        const LAST: [u8; 8] = *b"the last";
        let before = self.seen().count(PING);
        if self.say(&frame(PING, 0, 0, &LAST)).await.is_err() {
            return false;
        }
        !self.seen_when(|seen| seen.ended || seen.count(PING) > before).await.ended
    }

    /// Returns the frames received, once they are as wanted.
    pub(crate) async fn seen_when(&self, wanted: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.subscribe();
        let waiting = timeout(TIMEOUT, seen.wait_for(wanted)).await;
        let found = waiting.unwrap_or_else(|_| panic!("waited in vain; at last: {:?}", self.seen()));
        found.expect("the sender is here").clone()
    }

    /// Waits until the relay lets go.
    pub(crate) async fn ended(&mut self) {
        let reading = self.reading.take().expect("it reads");
        timeout(TIMEOUT, reading).await.expect("the relay lets go").unwrap();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

async fn read(mut from: ReadHalf<TlsStream<TcpStream>>, seen: &watch::Sender<Seen>) -> io::Result<()> {
    let mut payload = Vec::new();
    loop {
        let mut head = [0; 9];
        from.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        payload.resize(length, 0);
        from.read_exact(&mut payload).await?;
        seen.send_modify(|seen| {
            *seen.frames.entry(head[3]).or_default() += 1;
            if head[3] == DATA {
                seen.data_bytes += length;
                seen.largest_data = seen.largest_data.max(length);
            }
        });
    }
}

//! Limits HTTP/2 frames that advance neither a request nor an answer.
//!
//! h2 bounds what it stores: empty DATA frames, resets of streams that were not accepted, CONTINUATION
//! frames, settings and pings that wait for their answers. It does not bound what it only processes: pings,
//! settings, window updates, priorities, resets of accepted streams, padding, frames of unknown types. Each
//! of those costs time, may pin the block that it was read into, and achieves nothing. [`Metered`] sits
//! between the socket and h2, reads the heads of frames as they pass (RFC 9113, section 4.1), and charges
//! such frames to an allowance that time and transferred data refill.
//!
//! Not here: the consequence. `serve` ends the connection with `ENHANCE_YOUR_CALM`.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::Instant,
};

const PREFACE_LEN: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
const HEAD_LEN: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

/// Charge per frame besides its bytes: about the cost of processing a frame of a few bytes.
const FRAME_COST: usize = 64;

/// Allowance at the start, and its maximum: some 3,000 window updates. A page that opens and cancels all its
/// 256 streams needs a tenth.
const ALLOWANCE: usize = 256 * 1024;

/// Refill by time: 800 window updates a second, far more than a client needs that transfers nothing.
const REFILL_PER_SECOND: usize = 64 * 1024;

/// Bytes of DATA, in either direction, that refill one byte. Go's client, which sends the most window
/// updates, updates two windows (154 bytes here) for 4 KiB.
const DATA_PER_REFILL: usize = 16;

/// State shared by `serve` and the I/O layer.
#[derive(Debug, Default)]
pub(super) struct FloodMeter {
    flooded: Cell<bool>,
    changed: Notify,
    frames: RefCell<FrameMeter>,
}

impl FloodMeter {
    /// Resolves when the client has used up its allowance.
    pub(super) async fn flooded(&self) {
        while !self.flooded.get() {
            self.changed.notified().await;
        }
    }

    /// Returns whether the client has used up its allowance.
    pub(super) fn is_flooded(&self) -> bool {
        self.flooded.get()
    }
}

/// A connection whose frames are counted. Once the client has used up its allowance nothing more is read.
#[derive(Debug)]
pub(super) struct Metered<T> {
    io: T,
    meter: Rc<FloodMeter>,
}

impl<T> Metered<T> {
    pub(super) fn new(io: T) -> (Self, Rc<FloodMeter>) {
        let meter = Rc::<FloodMeter>::default();
        (Self { io, meter: meter.clone() }, meter)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.is_flooded() {
            // The task that waits for `flooded` ends the connection.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        if !self.meter.frames.borrow_mut().read(read, Instant::now) {
            self.meter.flooded.set(true);
            self.meter.changed.notify_one();
            // Nothing of it is answered any more.
            buf.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Metered<T> {
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.meter.frames.borrow_mut().refill_for_data(*bytes);
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.wrote(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Parses the heads of frames in a stream of bytes, split anywhere, and keeps the remaining allowance.
#[derive(Debug)]
struct FrameMeter {
    position: Position,
    left: usize,
    /// DATA bytes that have not yet refilled a byte of the allowance.
    data: usize,
    refilled: Instant,
}

/// Position of the next byte in the stream.
#[derive(Debug, Clone, Copy)]
enum Position {
    Preface {
        left: usize,
    },
    Head {
        bytes: [u8; HEAD_LEN],
        have: usize,
    },
    /// The length of a DATA frame's padding, which follows its head.
    Padding {
        payload: usize,
        flags: u8,
    },
    Payload {
        left: usize,
    },
}

impl Default for FrameMeter {
    fn default() -> Self {
        Self {
            position: Position::Preface { left: PREFACE_LEN },
            left: ALLOWANCE,
            data: 0,
            refilled: Instant::now(),
        }
    }
}

impl FrameMeter {
    /// Reads the next bytes from the client. Returns whether the allowance lasts; `now` is called only if it
    /// does not.
    fn read(&mut self, mut bytes: &[u8], now: impl Fn() -> Instant) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.position {
                Position::Preface { left } => {
                    let skipped = bytes.len().min(*left);
                    *left -= skipped;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.position = Position::before_head();
                    }
                }
                Position::Head { bytes: head, have } => {
                    head[*have] = first;
                    *have += 1;
                    bytes = rest;
                    if *have == HEAD_LEN {
                        let head = *head;
                        if !self.begin_frame(head, &now) {
                            return false;
                        }
                    }
                }
                Position::Padding { payload, flags } => {
                    let (payload, flags) = (*payload, *flags);
                    bytes = rest;
                    // h2 detects padding that is longer than the payload.
                    let content = (payload - 1).saturating_sub(usize::from(first));
                    if !self.data_frame(content, payload - content, flags, &now) {
                        return false;
                    }
                    self.position = Position::after_head(payload - 1);
                }
                Position::Payload { left } => {
                    let skipped = bytes.len().min(*left);
                    *left -= skipped;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.position = Position::before_head();
                    }
                }
            }
        }
        true
    }

    fn begin_frame(&mut self, head: [u8; HEAD_LEN], now: &impl Fn() -> Instant) -> bool {
        let [high, middle, low, kind, flags, ..] = head;
        let payload = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.position = Position::after_head(payload);
        match kind {
            DATA if flags & PADDED != 0 && payload > 0 => {
                self.position = Position::Padding { payload, flags };
                true
            }
            DATA => self.data_frame(payload, 0, flags, now),
            // A request, or the end of one: the code that answers it bounds its cost.
            HEADERS => true,
            CONTINUATION => self.charge(HEAD_LEN + FRAME_COST, now),
            _ => self.charge(HEAD_LEN + payload + FRAME_COST, now),
        }
    }

    fn data_frame(&mut self, content: usize, padding: usize, flags: u8, now: &impl Fn() -> Instant) -> bool {
        self.refill_for_data(content);
        let is_empty = content == 0 && flags & END_STREAM == 0;
        let cost = HEAD_LEN + padding + if is_empty { FRAME_COST } else { 0 };
        self.charge(cost, now)
    }

    fn charge(&mut self, cost: usize, now: &impl Fn() -> Instant) -> bool {
        if cost > self.left {
            let now = now();
            let since = now.saturating_duration_since(std::mem::replace(&mut self.refilled, now));
            let back = since.as_secs_f64() * REFILL_PER_SECOND as f64;
            self.left = self.left.saturating_add(back as usize).min(ALLOWANCE);
        }
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or_default();
        left.is_some()
    }

    fn refill_for_data(&mut self, bytes: usize) {
        self.data += bytes;
        self.left = (self.left + self.data / DATA_PER_REFILL).min(ALLOWANCE);
        self.data %= DATA_PER_REFILL;
    }
}

impl Position {
    fn before_head() -> Self {
        Self::Head { bytes: [0; HEAD_LEN], have: 0 }
    }

    fn after_head(payload: usize) -> Self {
        if payload == 0 { Self::before_head() } else { Self::Payload { left: payload } }
    }
}

/// The most that [`FrameMeter`] accepts from a client that transfers nothing, for assertions about floods.
#[cfg(any(test, fuzzing))]
pub(super) const MOST_AT_ONCE: usize = ALLOWANCE;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn begun() -> FrameMeter {
        let mut meter = FrameMeter::default();
        assert!(meter.read(PREFACE, Instant::now));
        meter
    }

    /// Returns how many copies of a frame are accepted in one go.
    fn passes(frame: &[u8], most: usize) -> usize {
        let (mut meter, start) = (begun(), Instant::now());
        (0..most).take_while(|_| meter.read(frame, || start)).count()
    }

    #[test]
    fn what_brings_nothing_is_cut_off_whatever_its_type_and_length() {
        for kind in (2..=8).chain([10, 42, 255]) {
            for payload in [0, 1, 8, 16_384] {
                let frame = frame(kind, 0, &vec![7; payload]);
                let most = passes(&frame, 10_000);
                assert_eq!(most, ALLOWANCE / (HEAD_LEN + payload + FRAME_COST), "{kind} of {payload}");
            }
        }
        assert_eq!(
            passes(&frame(CONTINUATION, 0, &[0x82; 200]), 10_000),
            ALLOWANCE / (HEAD_LEN + FRAME_COST)
        );
        for (flags, payload) in [(0, &[][..]), (PADDED, &[0][..]), (PADDED, &[200; 201][..])] {
            assert!(passes(&frame(DATA, flags, payload), 10_000) < 10_000, "{payload:?}");
        }
    }

    #[test]
    fn requests_bodies_and_what_belongs_to_them_pass_without_end() {
        for useful in [
            frame(HEADERS, 5, &[0x82; 20]),
            frame(DATA, 0, &[7; 1000]),
            frame(DATA, PADDED, &[&[10][..], &[7; 1010]].concat()),
        ] {
            assert_eq!(passes(&useful, 100_000), 100_000);
        }
        // A request, its end and its answer of a few bytes.
        let mut meter = begun();
        for _ in 0..100_000 {
            assert!(meter.read(&frame(HEADERS, 4, &[0x82; 20]), Instant::now));
            assert!(meter.read(&frame(DATA, END_STREAM, &[]), Instant::now));
            meter.refill_for_data(200);
        }
    }

    #[test]
    fn a_client_that_takes_much_may_update_its_windows_as_often_as_gos_does() {
        let update = frame(WINDOW_UPDATE, 0, &[0, 0, 16, 0]);
        let start = Instant::now();
        let mut meter = begun();
        for _ in 0..100_000 {
            meter.refill_for_data(4096);
            assert!(meter.read(&update, || start) && meter.read(&update, || start));
        }
    }

    #[test]
    fn time_brings_back_what_a_quiet_client_uses() {
        let ping = frame(PING, 0, &[7; 8]);
        let mut now = Instant::now();
        let mut meter = begun();
        // 100 a second, for a day.
        for _ in 0..8_640_000 / 100 {
            now += Duration::from_secs(1);
            for _ in 0..100 {
                assert!(meter.read(&ping, || now));
            }
        }
        let settings = frame(SETTINGS, 0, &[]);
        let cut_off = (0..10_000).take_while(|_| meter.read(&settings, || now)).count();
        assert!(cut_off < 10_000);
    }

    #[test]
    fn it_reads_the_same_however_the_bytes_are_cut() {
        let frames = [
            PREFACE.to_vec(),
            frame(SETTINGS, 0, &[0, 4, 0, 0, 0, 0]),
            frame(HEADERS, 4, &[0x82; 20]),
            frame(DATA, PADDED, &[3, 1, 2, 0, 0, 0]),
            frame(DATA, PADDED, &[255, 1]),
            frame(DATA, 0, &[]),
            frame(DATA, PADDED, &[]),
            frame(RST_STREAM, 0, &[0, 0, 0, 8]),
            frame(DATA, END_STREAM, &[9; 300]),
        ]
        .concat();
        let start = Instant::now();
        let mut whole = FrameMeter::default();
        assert!(whole.read(&frames, || start));
        assert!(whole.left < ALLOWANCE);
        for cut in 0..=frames.len() {
            let mut meter = FrameMeter::default();
            for piece in [&frames[..cut], &frames[cut..]] {
                assert!(meter.read(piece, || start));
            }
            assert_eq!((meter.left, meter.data), (whole.left, whole.data), "cut at {cut}");
            assert!(matches!(meter.position, Position::Head { have: 0, .. }));
        }
    }
}

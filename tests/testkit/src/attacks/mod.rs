//! The attacks: endless loops of what somebody without a credential can do to a relay, which end at a
//! deadline.
//!
//! Each row of [`ATTACKS`] is a number of attackers that do the same or take turns. All of them connect to
//! 127.0.0.0/8 only, and hold at most [`MOST_CONNECTIONS`] connections. `benches/attack` measures the release
//! binary under them; `tests/hostile` runs each for some seconds.

mod floods;
pub mod frames;
mod pictures;
mod wire;

use std::{future::Future, io, net::Ipv4Addr, pin::Pin, sync::Arc, time::Duration};

use fastrand::Rng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

pub use floods::KINDS;
use frames::{DATA, frame, get, nth, post};
pub use wire::{Target, handshakes};
use wire::{discard, exchange};

/// Streams that the attacks need besides the camera: some that anybody may push to, one made from them, and
/// pictures that are large to draw.
pub const STREAMS: &str = "
  inbox: {source: {type: push, token: none}}
  outbox: {source: {type: push, token: none}}
  small: {on_demand: false, source: {type: rendition, of: inbox}, transform: [{scale: {width: 320}}]}
  load: {source: {type: chart, series: [cpu], token: none}}
  text1: {source: {type: text, text: 'a', size: 7000x7000, font_size: 500}}
  text2: {source: {type: text, text: 'b', size: 7000x7000, font_size: 500}}
  text3: {source: {type: text, text: 'c', size: 7000x7000, font_size: 500}}
";

/// One user, whose password nobody knows: no password has this hash.
pub const AUTH: &str = "auth: {anonymous: all, users: {alice: {role: admin, password_hash: \
     '$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}}}";

/// Connections of the row that only holds connections; below the usual limit of descriptors on both ends.
const MOST_CONNECTIONS: u32 = 4000;

/// Attackers of the mix.
const MIXED: u32 = 500;

/// Time for which one attacker of the mix does the same, in milliseconds.
const TURN: std::ops::Range<u64> = 500..4000;

/// Pause between two tries of one attacker, so that a relay that refuses immediately does not cause a busy
/// loop.
const PAUSE: Duration = Duration::from_millis(5);

/// Pause after a refused upload.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Interval at which an attacker that reads nothing checks its connection.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes of an unfinished picture, just below the default `limits.max_frame_bytes`.
const UPLOAD_BYTES: usize = 7_900_000;

/// Bytes of unfinished points, just below the limit of one request.
const POINTS_BYTES: usize = 1_000_000;

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// An attack: its name, and what it does.
pub struct Attack {
    pub name: &'static str,
    pub what: &'static str,
}

const fn attack(name: &'static str, what: &'static str) -> Attack {
    Attack { name, what }
}

/// All attacks except the floods, which are called `flood-` and a name of [`KINDS`].
pub const ATTACKS: &[Attack] = &[
    attack("empty-data", "DATA frames without data on one HTTP/2 stream of POST /login"),
    attack("answers-http2", "250 x GET /api/openapi.json on each of 16 HTTP/2 connections, windows shut"),
    attack("answers-http1", "the same on each of 200 HTTP/1.1 connections, pipelined and not read"),
    attack(
        "requests-ahead",
        "2500 short requests on each of 50 HTTP/1.1 connections, behind an answer that is not read",
    ),
    attack("png", "one PNG of 7000 x 7000 pixels, RGBA, 16 bit, pushed by four at once"),
    attack("progressive", "a progressive JPEG of 7000 x 7000 pixels pushed by two, five renditions watched"),
    attack("cmyk", "the same with four components (CMYK)"),
    attack("passwords-one", "wrong passwords, 20 at a time, from one address"),
    attack("passwords-many", "wrong passwords, 20 at a time, each from an address of its own"),
    attack("uploads", "60 pictures of 7.9 MB that never end"),
    attack("points", "300 x 1 MB of chart points that never end"),
    attack("texts", "three text streams of 7000 x 7000 pixels, watched"),
    attack(
        "viewers",
        "64 HTTP/2 connections with 250 viewers each, windows shut, and 200 HTTP/1.1 viewers that never read",
    ),
    attack("renditions", "200 connections that ask for renditions and snapshots of ever other sizes"),
    attack("sockets", "100 WebSockets that ask for pictures and read nothing"),
    attack("idle", "3000 connections that say nothing, 500 behind the TLS handshake, 500 with half a head"),
    attack("mix", "500 attackers of all kinds, each of which changes every few seconds"),
];

/// Files that are made once.
pub struct AttackFiles {
    png: Vec<u8>,
    progressive: Vec<u8>,
    cmyk: Vec<u8>,
}

impl AttackFiles {
    /// Makes the files that the attack needs, which takes a moment of CPU.
    pub fn made_for(name: &str) -> io::Result<Arc<Self>> {
        let is_needed = |by: &str| name == by || name == "mix";
        Ok(Arc::new(Self {
            png: if is_needed("png") { pictures::png()? } else { Vec::new() },
            progressive: pictures::progressive_jpeg(3),
            cmyk: if is_needed("cmyk") { pictures::progressive_jpeg(4) } else { Vec::new() },
        }))
    }
}

/// Runs an attack for `length`, then closes all of its connections.
///
/// # Errors
/// There is no attack of this name.
pub async fn run(
    name: &str,
    target: &Target,
    arsenal: Arc<AttackFiles>,
    length: Duration,
    seed: u64,
) -> io::Result<()> {
    let deadline = Instant::now() + length;
    if let Some(kind) = name.strip_prefix("flood-") {
        let kind = KINDS.iter().find(|(known, _)| *known == kind).ok_or_else(|| unknown(name))?;
        floods::run(kind.1, target, length).await;
        return Ok(());
    }
    let rows: &[(u32, AttackAction)] = match name {
        "empty-data" => &[(1, AttackAction::EmptyData)],
        "answers-http2" => &[(16, AttackAction::AnswersHttp2)],
        "answers-http1" => &[(200, AttackAction::AnswersHttp1)],
        "requests-ahead" => &[(50, AttackAction::RequestsAhead)],
        "png" => &[(4, AttackAction::PushPng)],
        "progressive" => &[(2, AttackAction::PushProgressive), (5, AttackAction::WatchInbox)],
        "cmyk" => &[(2, AttackAction::PushCmyk), (5, AttackAction::WatchInbox)],
        "passwords-one" => &[(20, AttackAction::PasswordFromOne)],
        "passwords-many" => &[(20, AttackAction::PasswordFromMany)],
        "uploads" => &[(60, AttackAction::Upload)],
        "points" => &[(300, AttackAction::Points)],
        "texts" => &[(3, AttackAction::WatchText)],
        "viewers" => &[(64, AttackAction::ViewersHttp2), (200, AttackAction::ViewerHttp1)],
        "renditions" => &[(200, AttackAction::Rendition)],
        "sockets" => &[(100, AttackAction::Socket)],
        "idle" => &[
            (MOST_CONNECTIONS - 1000, AttackAction::Idle),
            (500, AttackAction::IdleTls),
            (500, AttackAction::HalfAHead),
        ],
        "mix" => &[(MIXED, AttackAction::Mixed)],
        _ => return Err(unknown(name)),
    };
    let mut rng = Rng::with_seed(seed);
    let mut attackers = JoinSet::new();
    for (count, unit) in rows {
        for number in 0..*count {
            let attacker =
                Attacker { number, target: target.clone(), arsenal: arsenal.clone(), rng: rng.fork() };
            attackers.spawn(timeout_at(deadline, attacker.run_forever(*unit)));
        }
    }
    while attackers.join_next().await.is_some() {}
    Ok(())
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no attack called {name}"))
}

/// The action of one attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AttackAction {
    EmptyData,
    AnswersHttp2,
    AnswersHttp1,
    RequestsAhead,
    PushPng,
    PushProgressive,
    PushCmyk,
    WatchInbox,
    PasswordFromOne,
    PasswordFromMany,
    Upload,
    Points,
    WatchText,
    ViewersHttp2,
    ViewerHttp1,
    Rendition,
    Socket,
    Idle,
    IdleTls,
    HalfAHead,
    Flood,
    Mixed,
}

/// The actions of the mix. Those of little effort are listed more than once.
const MIX: [AttackAction; 25] = [
    AttackAction::EmptyData,
    AttackAction::AnswersHttp2,
    AttackAction::AnswersHttp1,
    AttackAction::RequestsAhead,
    AttackAction::PushPng,
    AttackAction::PushProgressive,
    AttackAction::PushCmyk,
    AttackAction::WatchInbox,
    AttackAction::PasswordFromOne,
    AttackAction::PasswordFromMany,
    AttackAction::Upload,
    AttackAction::Upload,
    AttackAction::Points,
    AttackAction::Points,
    AttackAction::WatchText,
    AttackAction::ViewersHttp2,
    AttackAction::ViewerHttp1,
    AttackAction::Rendition,
    AttackAction::Rendition,
    AttackAction::Socket,
    AttackAction::Idle,
    AttackAction::IdleTls,
    AttackAction::HalfAHead,
    AttackAction::Flood,
    AttackAction::Flood,
];

struct Attacker {
    number: u32,
    target: Target,
    arsenal: Arc<AttackFiles>,
    rng: Rng,
}

impl Attacker {
    /// Repeats one action forever.
    async fn run_forever(mut self, unit: AttackAction) {
        loop {
            // The relay has refused, or has ended.
            let _refused = match unit {
                AttackAction::Mixed => {
                    let unit = MIX[self.rng.usize(..MIX.len())];
                    let turn = Duration::from_millis(self.rng.u64(TURN));
                    timeout(turn, self.once(unit)).await.unwrap_or(Ok(()))
                }
                unit => self.once(unit).await,
            };
            sleep(PAUSE).await;
        }
    }

    /// Boxed, since `Mixed` calls it recursively.
    fn once(&mut self, unit: AttackAction) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + '_>> {
        Box::pin(async move {
            match unit {
                AttackAction::EmptyData => self.empty_data().await,
                AttackAction::AnswersHttp2 => self.answers_http2().await,
                AttackAction::AnswersHttp1 => {
                    self.ask_without_reading(&request("/api/openapi.json").repeat(250)).await
                }
                AttackAction::RequestsAhead => {
                    let short = b"GET /api/openapi.json HTTP/1.1\r\nHost:a\r\n\r\n";
                    self.ask_without_reading(&short.repeat(2500)).await
                }
                AttackAction::PushPng => self.push("image/png", |arsenal| &arsenal.png).await,
                AttackAction::PushProgressive => {
                    self.push("image/jpeg", |arsenal| &arsenal.progressive).await
                }
                AttackAction::PushCmyk => self.push("image/jpeg", |arsenal| &arsenal.cmyk).await,
                AttackAction::WatchInbox => {
                    let width = 160 * (1 + self.number % 5);
                    self.watch(&format!("/streams/inbox?width={width}")).await
                }
                AttackAction::PasswordFromOne => self.password(LOCALHOST).await,
                AttackAction::PasswordFromMany => {
                    let from = self.random_address();
                    self.password(from).await
                }
                AttackAction::Upload => self.upload().await,
                AttackAction::Points => self.points().await,
                AttackAction::WatchText => self.watch(&format!("/streams/text{}", 1 + self.number % 3)).await,
                AttackAction::ViewersHttp2 => self.viewers_http2().await,
                AttackAction::ViewerHttp1 => self.ask_and_hold(&request("/streams/camera")).await,
                AttackAction::Rendition => self.rendition().await,
                AttackAction::Socket => self.socket().await,
                AttackAction::Idle => {
                    let from = self.random_address();
                    let socket = self.target.tcp(from).await?;
                    discard(socket).await;
                    Ok(())
                }
                AttackAction::IdleTls => self.ask_and_hold(b"").await,
                AttackAction::HalfAHead => {
                    self.ask_and_hold(b"GET /streams/camera HTTP/1.1\r\nHost: loc").await
                }
                AttackAction::Flood => {
                    let kind = KINDS[self.rng.usize(..KINDS.len())].1;
                    let (with_payload, is_read) = (self.rng.bool(), self.rng.bool());
                    floods::flood(&self.target, kind, with_payload, is_read).await
                }
                AttackAction::Mixed => Ok(()),
            }
        })
    }

    /// Returns an address of the loopback network that few others have.
    fn random_address(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.rng.u8(1..), self.rng.u8(..), self.rng.u8(1..255))
    }

    async fn empty_data(&mut self) -> io::Result<()> {
        let mut connection = self.target.http2(LOCALHOST, 65_535, true).await?;
        connection.send(&post(1, "/login")).await?;
        let frames = frame(DATA, 0, 1, b"").repeat(1000);
        loop {
            connection.send(&frames).await?;
        }
    }

    async fn answers_http2(&mut self) -> io::Result<()> {
        let mut connection = self.target.http2(LOCALHOST, 0, true).await?;
        for n in 0..250 {
            connection.send(&get(nth(n), "/api/openapi.json")).await?;
        }
        connection.hold().await;
        Ok(())
    }

    /// Sends requests, reads no answer, and stays until the relay ends the connection.
    async fn ask_without_reading(&mut self, requests: &[u8]) -> io::Result<()> {
        let mut io = self.target.http1_unread(LOCALHOST).await?;
        io.write_all(requests).await?;
        loop {
            io.flush().await?;
            sleep(POLL_INTERVAL).await;
            // An empty line before a request is ignored; an error means that the connection has ended.
            io.write_all(b"\r\n").await?;
        }
    }

    async fn push(&mut self, kind: &str, picture: impl Fn(&AttackFiles) -> &Vec<u8>) -> io::Result<()> {
        let mut io = self.target.http1(LOCALHOST).await?;
        let stream = if self.number % 4 == 3 { "outbox" } else { "inbox" };
        let picture = picture(&self.arsenal);
        let head = upload_head(&format!("/streams/{stream}/frame"), kind, picture.len());
        let status = exchange(&mut io, &[head.as_slice(), picture].concat()).await?;
        if status >= 300 {
            sleep(REFUSED_PAUSE).await;
        }
        Ok(())
    }

    /// Watches a stream and reads it.
    async fn watch(&mut self, target: &str) -> io::Result<()> {
        let mut io = self.target.http1(LOCALHOST).await?;
        io.write_all(&request(target)).await?;
        io.flush().await?;
        discard(io).await;
        Ok(())
    }

    async fn password(&mut self, from: Ipv4Addr) -> io::Result<()> {
        let mut io = self.target.http1(from).await?;
        let form = format!("name=alice&password={}&next=", self.rng.u64(..));
        let head = upload_head("/login", "application/x-www-form-urlencoded", form.len());
        exchange(&mut io, &[head.as_slice(), form.as_bytes()].concat()).await?;
        Ok(())
    }

    async fn upload(&mut self) -> io::Result<()> {
        let from = self.random_address();
        let head = upload_head("/streams/inbox/frame", "image/jpeg", UPLOAD_BYTES + 1000);
        // A whole head, and an unfinished scan.
        let jpeg = &self.arsenal.progressive[..2000];
        endless(&self.target, from, &head, jpeg, UPLOAD_BYTES, b"\0").await
    }

    async fn points(&mut self) -> io::Result<()> {
        let from = self.random_address();
        let head = upload_head("/streams/load/points", "text/plain", POINTS_BYTES + 1000);
        endless(&self.target, from, &head, b"", POINTS_BYTES, b"cpu 0.5\n").await
    }

    async fn viewers_http2(&mut self) -> io::Result<()> {
        let mut connection = self.target.http2(LOCALHOST, 0, true).await?;
        for n in 0..250 {
            connection.send(&get(nth(n), "/streams/camera")).await?;
        }
        connection.hold().await;
        Ok(())
    }

    /// Sends bytes, reads nothing, and stays.
    async fn ask_and_hold(&mut self, bytes: &[u8]) -> io::Result<()> {
        let from = self.random_address();
        let mut io = self.target.http1_unread(from).await?;
        io.write_all(bytes).await?;
        io.flush().await?;
        std::future::pending().await
    }

    async fn rendition(&mut self) -> io::Result<()> {
        let width = self.rng.u16(16..4096);
        let target = match self.rng.u8(..3) {
            0 => format!("/streams/camera?width={width}"),
            1 => format!("/streams/camera/snapshot?width={width}"),
            _ => format!("/api/frame.jpeg?src=camera&w={width}"),
        };
        let mut io = self.target.http1(LOCALHOST).await?;
        if exchange(&mut io, &request(&target)).await? >= 300 {
            sleep(REFUSED_PAUSE).await;
        }
        Ok(())
    }

    async fn socket(&mut self) -> io::Result<()> {
        let mut io = self.target.http1(LOCALHOST).await?;
        let upgrade = b"GET /api/ws?src=camera HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        exchange(&mut io, upgrade).await?;
        // A text message whose mask changes nothing.
        let said = br#"{"type":"mjpeg"}"#;
        let head = [0x81, 0x80 | u8::try_from(said.len()).expect("it is short"), 0, 0, 0, 0];
        io.write_all(&[&head[..], said].concat()).await?;
        io.flush().await?;
        std::future::pending().await
    }
}

/// Sends this many bytes of a body and keeps the request open until the relay answers.
async fn endless(
    target: &Target,
    from: Ipv4Addr,
    head: &[u8],
    start: &[u8],
    bytes: usize,
    filling: &[u8],
) -> io::Result<()> {
    const PIECE: usize = 16 * 1024;
    let io = target.http1(from).await?;
    let (mut reading, mut writing) = tokio::io::split(io);
    let sending = async {
        writing.write_all(&[head, start].concat()).await?;
        let piece = filling.repeat(PIECE / filling.len());
        for _ in 0..(bytes - start.len()) / piece.len() {
            writing.write_all(&piece).await?;
        }
        writing.flush().await?;
        std::future::pending().await
    };
    let mut answer = [0; 1024];
    tokio::select! {
        sent = sending => return sent,
        read = reading.read(&mut answer) => { read?; }
    }
    sleep(REFUSED_PAUSE).await;
    Ok(())
}

fn request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn upload_head(target: &str, kind: &str, length: usize) -> Vec<u8> {
    let fields = format!("Host: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    format!("POST {target} HTTP/1.1\r\n{fields}\r\n\r\n").into_bytes()
}

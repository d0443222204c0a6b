//! The way between the RTSP client library and the camera: a loopback connection on one side, the camera's on
//! the other (docs/adr/0029).
//!
//! `retina` opens its TCP connection itself, reads heads and bodies of any length, has no TLS, and one chance
//! at a digest. So it speaks to this relay, which connects as for HTTP cameras (deadlines, TLS, one address
//! after the other), answers challenges, bounds heads, bodies and the bytes of one picture, and turns
//! refusals into words. For a camera that sends UDP only it receives the datagrams and passes them on as
//! interleaved packets. Credentials do not leave it.

pub(super) mod message;
mod udp;

use std::{
    cell::Cell,
    io,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    time::Duration,
};

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use url::{Position, Url};

use super::error::RtspError;
use crate::{
    config::{HttpAuth, Limits, Login, RtspTransport},
    source::{
        error::SourceError,
        http_client::{Authorizer, CameraConnection, Origin, Verdict, connect},
    },
};
use message::{Message, take_packets};
use udp::UdpPair;

/// Name of framecast in requests.
const USER_AGENT: &str = concat!("framecast/", env!("CARGO_PKG_VERSION"));

/// Space for one read from the camera.
const READ_BYTES: usize = 64 * 1024;

/// Time for a process on this machine to show that it is the client library: it sends its request at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum length of the library's requests.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Bytes that a picture's packets have besides its own, in parts of it: heads of 12 to 40 bytes in packets of
/// 1400.
const PACKET_OVERHEAD_DIVISOR: usize = 16;

/// Statuses of `SETUP` that have nothing to do with the transport.
const NOT_ABOUT_TRANSPORT: [u16; 6] = [401, 403, 404, 453, 454, 503];

/// What a tunnel has seen, for the session that runs through it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Packets passed on.
    pub(super) packets: Cell<u64>,
    /// Bytes passed on since the session's last picture: the library holds at most these.
    pub(super) unclaimed: Cell<usize>,
    /// The pictures come over UDP.
    pub(super) is_udp: Cell<bool>,
}

/// The camera to reach.
pub(super) struct Target<'a> {
    pub(super) url: &'a Url,
    pub(super) login: Option<Login>,
    pub(super) transport: RtspTransport,
    pub(super) connect_timeout: Duration,
}

/// An open connection to a camera, and the loopback address at which the library reaches it.
pub(super) struct Tunnel {
    camera: CameraConnection,
    host: String,
    listener: TcpListener,
    token: String,
    local: String,
    remote: String,
    path: String,
    relay: Relay,
}

/// The state of the exchange.
struct Relay {
    host: String,
    auth: Authorizer,
    transport: RtspTransport,
    max_header_bytes: usize,
    max_unclaimed: usize,
    cseq: u32,
    pending: Option<Pending>,
    session: Option<(String, String)>,
    udp: Option<(UdpPair, u8)>,
    addresses: (IpAddr, IpAddr),
    progress: Rc<Progress>,
}

/// A request that has not been answered.
struct Pending {
    request: Message,
    /// Its number, as the library wrote it.
    cseq: String,
    /// First channel that the library asked for.
    channel: u8,
}

impl Tunnel {
    /// Connects to the camera.
    pub(super) async fn open(
        target: Target<'_>,
        limits: &Limits,
        progress: Rc<Progress>,
    ) -> Result<Self, SourceError> {
        let Target { url, login, transport, connect_timeout } = target;
        let https = url.scheme() == "rtsps";
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let origin = Origin { https, host, port: url.port().unwrap_or(if https { 322 } else { 554 }) };
        // As ffmpeg does: no camera has a certificate that could be checked.
        let camera = connect(&origin, true, connect_timeout).await?;
        let host = origin.authority();
        let broken = |error: io::Error| SourceError::Broken { host: host.clone(), reason: error.to_string() };
        let (ours, theirs) = camera.addresses().map_err(broken)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(broken)?;
        let local = format!("rtsp://{}", listener.local_addr().map_err(broken)?);
        progress.is_udp.set(transport == RtspTransport::Udp);
        let relay = Relay {
            host: host.clone(),
            auth: Authorizer::new(login, HttpAuth::Auto),
            transport,
            max_header_bytes: limits.max_header_bytes,
            max_unclaimed: limits.max_frame_bytes + limits.max_frame_bytes / PACKET_OVERHEAD_DIVISOR,
            cseq: 0,
            pending: None,
            session: None,
            udp: None,
            addresses: (ours.ip(), theirs.ip()),
            progress,
        };
        Ok(Self {
            camera,
            host,
            listener,
            token: format!("{:032x}", fastrand::u128(..)),
            local,
            remote: url[..Position::AfterPort].to_owned(),
            path: url[Position::BeforePath..Position::AfterQuery].to_owned(),
            relay,
        })
    }

    /// Returns the address for the library.
    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("{}{}", self.local, self.path)).expect("host, port and a path of another URL")
    }

    /// Returns host and port of the camera.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the `User-Agent` by which the library is recognised: other processes reach the port too.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Relays until the camera closes the connection.
    pub(super) async fn run(mut self) -> Result<(), SourceError> {
        let host = self.host.clone();
        let broken = |error: io::Error| SourceError::Broken { host: host.clone(), reason: error.to_string() };
        let (mut library, mut requests) = self.accept().await.map_err(broken)?;
        let Self { mut camera, listener, local, remote, mut relay, .. } = self;
        drop(listener);
        let mut closing = Closing { camera: &mut camera, relay: &mut relay };
        let Closing { camera, relay } = &mut closing;
        let (mut inbound, mut out, mut sent) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        loop {
            relay.take_requests(&mut requests, (&local, &remote), &mut sent).await?;
            if !sent.is_empty() {
                camera.write(&sent.split()).await.map_err(broken)?;
            }
            inbound.reserve(READ_BYTES);
            let Relay { udp, .. } = &mut **relay;
            tokio::select! {
                read = library.read_buf(&mut requests) => {
                    if read.map_err(broken)? == 0 {
                        return Ok(());
                    }
                }
                read = camera.read_buf(&mut inbound) => {
                    if read.map_err(broken)? == 0 {
                        return Ok(());
                    }
                    relay.take_inbound(&mut inbound, &mut out, &mut sent).await?;
                }
                received = receive(udp, &mut out) => {
                    received.map_err(broken)?;
                    relay.count(&out)?;
                }
            }
            if !out.is_empty() {
                library.write_all(&out.split()).await.map_err(broken)?;
            }
        }
    }

    /// Accepts the library's connection, and returns it with its first bytes.
    async fn accept(&mut self) -> io::Result<(TcpStream, BytesMut)> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            stream.set_nodelay(true)?;
            let hello = async {
                let mut first = BytesMut::with_capacity(4096);
                while !first.ends_with(b"\r\n\r\n") && first.len() < MAX_REQUEST_BYTES {
                    if stream.read_buf(&mut first).await? == 0 {
                        break;
                    }
                }
                io::Result::Ok(first)
            };
            if let Ok(Ok(first)) = timeout(HELLO_TIMEOUT, hello).await
                && memchr::memmem::find(&first, self.token.as_bytes()).is_some()
            {
                return Ok((stream, first));
            }
        }
    }
}

/// Ends the session when it is dropped: cameras keep the place of a viewer who has just gone, and one that
/// sends UDP goes on sending.
struct Closing<'a> {
    camera: &'a mut CameraConnection,
    relay: &'a mut Relay,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let Some((session, uri)) = self.relay.session.take() else { return };
        let mut teardown = BytesMut::new();
        let first = format!("TEARDOWN {uri} RTSP/1.0");
        let headers = vec![("Session".to_owned(), session)];
        self.relay.write(&Message { first, headers, body: Default::default() }, &mut teardown);
        // One attempt: the connection is closed in any case.
        let _ = self.camera.write(&teardown).now_or_never();
    }
}

async fn receive(udp: &mut Option<(UdpPair, u8)>, out: &mut BytesMut) -> io::Result<()> {
    match udp {
        Some((pair, channel)) => pair.receive(*channel, out).await,
        None => std::future::pending().await,
    }
}

impl Relay {
    fn error(&self, error: message::MessageError) -> SourceError {
        RtspError::Message { host: self.host.clone(), source: error }.into()
    }

    /// Numbers and authorizes a request, and appends it to `sent`.
    fn write(&mut self, request: &Message, sent: &mut BytesMut) {
        self.cseq += 1;
        let mut request = request.clone();
        let (method, uri) = request.target();
        let authorization = self.auth.header(method, uri);
        request.set("CSeq", self.cseq.to_string());
        request.set("User-Agent", USER_AGENT);
        if let Some(value) = authorization {
            request.set("Authorization", value);
        }
        request.write(sent);
    }

    /// Passes on the library's requests, which it sends one at a time.
    async fn take_requests(
        &mut self,
        requests: &mut BytesMut,
        (local, remote): (&str, &str),
        sent: &mut BytesMut,
    ) -> Result<(), SourceError> {
        while let Some(mut request) =
            Message::take(requests, MAX_REQUEST_BYTES).map_err(|error| self.error(error))?
        {
            if let Some(at) = request.first.find(local) {
                request.first.replace_range(at..at + local.len(), remote);
            }
            let cseq = request.header("CSeq").unwrap_or_default().to_owned();
            let interleaved =
                request.header("Transport").and_then(|transport| parameter(transport, "interleaved"));
            let channel =
                interleaved.and_then(|channels| channels.split('-').next()?.parse().ok()).unwrap_or(0);
            self.auth.begin_request(false);
            self.pending = Some(Pending { request, cseq, channel });
            if self.transport == RtspTransport::Udp {
                self.ask_for_udp().await?;
            }
            self.send_pending(sent);
        }
        Ok(())
    }

    fn send_pending(&mut self, sent: &mut BytesMut) {
        if let Some(pending) = self.pending.take() {
            self.write(&pending.request, sent);
            self.pending = Some(pending);
        }
    }

    /// Makes a pending `SETUP` ask for UDP.
    async fn ask_for_udp(&mut self) -> Result<(), SourceError> {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.request.target().0 == "SETUP")
        else {
            return Ok(());
        };
        let pair = UdpPair::bind(self.addresses.0).await.map_err(|error| SourceError::Broken {
            host: self.host.clone(),
            reason: format!("no UDP port for its pictures: {error}"),
        })?;
        let (port, next) = (pair.port(), pair.port() + 1);
        pending.request.set("Transport", format!("RTP/AVP;unicast;client_port={port}-{next}"));
        self.udp = Some((pair, pending.channel));
        self.progress.is_udp.set(true);
        Ok(())
    }

    /// Takes whole packets and messages of the camera; what is for the library is appended to `out`.
    async fn take_inbound(
        &mut self,
        inbound: &mut BytesMut,
        out: &mut BytesMut,
        sent: &mut BytesMut,
    ) -> Result<(), SourceError> {
        loop {
            let before = out.len();
            take_packets(inbound, out);
            self.count(&out[before..])?;
            if inbound.first().is_none_or(|first| *first == b'$') {
                return Ok(());
            }
            let taken = Message::take(inbound, self.max_header_bytes).map_err(|error| self.error(error))?;
            match taken {
                Some(message) if message.status().is_some() => self.on_response(message, out, sent).await?,
                Some(request) => answer(&request, sent),
                None => return Ok(()),
            }
        }
    }

    /// Counts packets, and the bytes that the library cannot have turned into a picture yet.
    fn count(&self, packets: &[u8]) -> Result<(), SourceError> {
        if packets.is_empty() {
            return Ok(());
        }
        let Progress { packets: seen, unclaimed, .. } = &*self.progress;
        seen.set(seen.get() + 1);
        unclaimed.set(unclaimed.get() + packets.len());
        if unclaimed.get() <= self.max_unclaimed {
            return Ok(());
        }
        let limit = self.max_unclaimed / (PACKET_OVERHEAD_DIVISOR + 1) * PACKET_OVERHEAD_DIVISOR;
        Err(SourceError::TooLarge { host: self.host.clone(), limit })
    }

    async fn on_response(
        &mut self,
        mut response: Message,
        out: &mut BytesMut,
        sent: &mut BytesMut,
    ) -> Result<(), SourceError> {
        let status = response.status().unwrap_or_default();
        // Interim responses, and those that nobody waits for.
        if status < 200 || self.pending.is_none() {
            return Ok(());
        }
        let host = self.host.clone();
        if status == 401 {
            let challenges: Vec<_> = response.values("WWW-Authenticate").collect();
            return match self.auth.on_challenge(&challenges) {
                Verdict::TryAgain => {
                    self.send_pending(sent);
                    Ok(())
                }
                Verdict::Refused => Err(SourceError::Unauthorized { host }),
                Verdict::Unanswerable(offered) => Err(SourceError::UnknownScheme { host, offered }),
            };
        }
        let Some(pending) = &self.pending else { return Ok(()) };
        let (method, uri) = pending.request.target();
        let (method, uri) = (method.to_owned(), uri.to_owned());
        if status >= 300 && matches!(method.as_str(), "DESCRIBE" | "SETUP" | "PLAY") {
            let about_transport = method == "SETUP" && !NOT_ABOUT_TRANSPORT.contains(&status);
            return match self.transport {
                RtspTransport::Auto if about_transport && self.udp.is_none() => {
                    self.ask_for_udp().await?;
                    self.send_pending(sent);
                    Ok(())
                }
                RtspTransport::Tcp | RtspTransport::Udp if status == 461 => {
                    let is_udp = self.transport == RtspTransport::Udp;
                    Err(RtspError::Transport { host, is_udp }.into())
                }
                _ => Err(SourceError::Status { host, status: status_text(status), login_unused: false }),
            };
        }
        let Some(pending) = self.pending.take() else { return Ok(()) };
        if method == "SETUP" {
            self.on_setup(&mut response, pending.channel, uri).await?;
        }
        if response.header("Content-Type").is_some_and(|kind| kind.starts_with("application/sdp")) {
            response.set("Content-Type", "application/sdp");
        }
        response.set("CSeq", pending.cseq);
        response.write(out);
        Ok(())
    }

    /// Notes the session, and connects the UDP sockets.
    async fn on_setup(
        &mut self,
        response: &mut Message,
        channel: u8,
        uri: String,
    ) -> Result<(), SourceError> {
        if let Some(session) = response.header("Session") {
            let id = session.split(';').next().unwrap_or_default().trim().to_owned();
            self.session = Some((id, uri));
        }
        let Some((pair, _)) = &self.udp else { return Ok(()) };
        let transport = response.header("Transport").unwrap_or_default();
        let ports = parameter(transport, "server_port").and_then(|ports| {
            let (packets, reports) = ports.split_once('-').unwrap_or((ports, ""));
            let packets: u16 = packets.trim().parse().ok().filter(|port| *port > 0)?;
            Some((packets, reports.trim().parse().unwrap_or(packets.saturating_add(1))))
        });
        let host = self.host.clone();
        let Some(ports) = ports else { return Err(RtspError::NoServerPort { host }.into()) };
        // Not to the `source` that it may name: that could be any host.
        let connected = pair.connect(self.addresses.1, ports).await;
        connected.map_err(|error| SourceError::Broken { host, reason: error.to_string() })?;
        let ssrc = parameter(transport, "ssrc").map_or_else(String::new, |ssrc| format!(";ssrc={ssrc}"));
        let next = channel.saturating_add(1);
        response.set("Transport", format!("RTP/AVP/TCP;unicast;interleaved={channel}-{next}{ssrc}"));
        Ok(())
    }
}

/// Returns a parameter of a `Transport` header.
fn parameter<'a>(transport: &'a str, name: &str) -> Option<&'a str> {
    let parts = transport.split([';', ',']).filter_map(|part| part.trim().split_once('='));
    parts.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Answers a request of the camera, some of which ask whether the viewer is still there.
fn answer(request: &Message, sent: &mut BytesMut) {
    let headers = request.header("CSeq").map(|cseq| ("CSeq".to_owned(), cseq.to_owned()));
    let headers = headers.into_iter().collect();
    Message { first: "RTSP/1.0 200 OK".to_owned(), headers, body: Default::default() }.write(sent);
}

/// Returns a status with its meaning in RFC 2326, rather than in the camera's words.
fn status_text(status: u16) -> String {
    let reason = match status {
        301 | 302 | 303 | 305 => "Moved",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        406 => "Not Acceptable",
        453 => "Not Enough Bandwidth",
        454 => "Session Not Found",
        455 => "Method Not Valid in This State",
        461 => "Unsupported Transport",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => return status.to_string(),
    };
    format!("{status} {reason}")
}

//! The baseline server: what fan-out costs when there is nothing but the kernel.
//!
//! One thread, one epoll, no HTTP beyond a fixed head. It pulls the cameras that framecast pulls, writes the
//! parts that framecast writes, with the same socket options, and gives each viewer the newest picture it can
//! take.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    rc::Rc,
    sync::Arc,
    time::SystemTime,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use framecast::media::multipart::writer::{FIRST_DELIMITER, Framing, PreparedPart, STREAM_CONTENT_TYPE};
use memchr::memmem;
use rustix::{
    event::epoll::{self, CreateFlags, Event, EventData, EventFlags},
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile},
    io::Errno,
};
use rustls::ServerConfig;
use socket2::{Domain, SockRef, Socket, Type};

use crate::tls::{CertFiles, TlsConnection};

/// framecast's: see its `web` module.
const NOT_SENT_LOW_WATER: u32 = 16 * 1024;

/// framecast's.
const BACKLOG: i32 = 1024;

/// The method by which pictures are written to the viewers' sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `writev` from memory.
    Write,
    /// One sealed memfd a picture, and `sendfile`.
    Sendfile,
    /// From memory through rustls, and then `writev`.
    Tls,
}

struct Part {
    number: u64,
    pieces: [Bytes; 3],
    file: Option<OwnedFd>,
    len: usize,
}

impl Part {
    fn new(jpeg: Vec<u8>, number: u64, mode: Mode) -> anyhow::Result<Self> {
        let prepared = PreparedPart::new(jpeg.into(), SystemTime::now());
        let pieces = prepared.pieces(Framing::Chunked);
        let len = prepared.len(Framing::Chunked);
        let file = match mode {
            Mode::Write | Mode::Tls => None,
            Mode::Sendfile => Some(sealed(&pieces)?),
        };
        Ok(Self { number, pieces, file, len })
    }

    /// Writes from `offset` on.
    fn write(&self, socket: &TcpStream, tls: Option<&mut TlsConnection>, offset: usize) -> io::Result<usize> {
        if let Some(file) = &self.file {
            let mut at = offset as u64;
            return Ok(sendfile(socket, file, Some(&mut at), self.len - offset)?);
        }
        let mut before = offset;
        let slices = self.pieces.each_ref().map(|piece| {
            let skip = before.min(piece.len());
            before -= skip;
            IoSlice::new(&piece[skip..])
        });
        match tls {
            Some(tls) => tls.write(socket, &slices),
            None => (&*socket).write_vectored(&slices),
        }
    }
}

fn sealed(pieces: &[Bytes; 3]) -> anyhow::Result<OwnedFd> {
    let mut file =
        std::fs::File::from(memfd_create("part", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?);
    let slices = pieces.each_ref().map(|piece| IoSlice::new(piece));
    let written = file.write_vectored(&slices)?;
    if written != pieces.iter().map(Bytes::len).sum::<usize>() {
        bail!("a memfd took only {written} bytes");
    }
    let file = OwnedFd::from(file);
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

struct Viewer {
    socket: TcpStream,
    tls: Option<TlsConnection>,
    /// Which camera, once it has asked for one.
    camera: Option<usize>,
    sending: Option<(Rc<Part>, usize)>,
    sent: u64,
}

impl Viewer {
    /// Writes as much as the socket takes, newest picture first.
    fn pump(&mut self, newest: Option<&Rc<Part>>) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            match tls.push(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                pushed => pushed?,
            }
        }
        loop {
            if self.sending.is_none() {
                let Some(newest) = newest.filter(|newest| newest.number > self.sent) else { return Ok(()) };
                self.sent = newest.number;
                self.sending = Some((newest.clone(), 0));
            }
            let Some((part, offset)) = &mut self.sending else { return Ok(()) };
            match part.write(&self.socket, self.tls.as_mut(), *offset) {
                Ok(written) => *offset += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if *offset == part.len {
                self.sending = None;
            } else if part.file.is_none() && self.tls.is_none() {
                // A short write means a full buffer; epoll tells when it is not.
                return Ok(());
            }
        }
    }
}

struct Camera {
    path: String,
    socket: Option<TcpStream>,
    head: Vec<u8>,
    jpeg: Vec<u8>,
    filled: usize,
    number: u64,
    newest: Option<Rc<Part>>,
    viewers: Vec<usize>,
}

struct BaselineServer {
    mode: Mode,
    low_water: bool,
    tls: Option<Arc<ServerConfig>>,
    upstream: SocketAddr,
    epoll: OwnedFd,
    listener: TcpListener,
    by_path: HashMap<String, usize>,
    cameras: Vec<Camera>,
    viewers: Vec<Option<Viewer>>,
    free: Vec<usize>,
}

const LISTENER: u64 = 0;
const CAMERAS: u64 = 1;
const VIEWERS: u64 = 1 << 32;

/// `baseline write|sendfile UPSTREAM [no-low-water]` or `baseline tls UPSTREAM CERT KEY`: serves until
/// killed.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [mode, upstream, rest @ ..] = arguments else { bail!("baseline MODE UPSTREAM") };
    let (mode, tls) = match (&**mode, rest) {
        ("tls", [cert, key]) => {
            let files = CertFiles { cert: cert.into(), key: key.into() };
            (Mode::Tls, Some(files.server()?))
        }
        ("sendfile", _) => (Mode::Sendfile, None),
        _ => (Mode::Write, None),
    };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    writeln!(io::stdout(), "listening on http://127.0.0.1:{}/", listener.local_addr()?.port())?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut server = BaselineServer {
        mode,
        low_water: tls.is_some() || rest.is_empty(),
        tls,
        upstream: upstream.parse()?,
        epoll,
        listener,
        by_path: HashMap::new(),
        cameras: Vec::new(),
        viewers: Vec::new(),
        free: Vec::new(),
    };
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(&server.epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => server.accept()?,
                token if token < VIEWERS => server.read_camera(usize::try_from(token - CAMERAS)?)?,
                token => server.serve(usize::try_from(token - VIEWERS)?, event.flags)?,
            }
        }
    }
}

impl BaselineServer {
    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            if self.low_water {
                SockRef::from(&socket).set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
            }
            let n = self.free.pop().unwrap_or(self.viewers.len());
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &socket, EventData::new_u64(VIEWERS + n as u64), flags)?;
            let tls = self.tls.clone().map(TlsConnection::new).transpose()?;
            let viewer = Some(Viewer { socket, tls, camera: None, sending: None, sent: 0 });
            if n == self.viewers.len() { self.viewers.push(viewer) } else { self.viewers[n] = viewer }
        }
    }

    fn serve(&mut self, n: usize, flags: EventFlags) -> anyhow::Result<()> {
        let Some(viewer) = &mut self.viewers[n] else { return Ok(()) };
        if flags.contains(EventFlags::IN) && viewer.camera.is_none() {
            let mut request = [0; 1024];
            let read = match &mut viewer.tls {
                Some(tls) => tls.read(&viewer.socket, &mut request),
                None => viewer.socket.read(&mut request),
            };
            let len = match read {
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => 0,
            };
            // The benchmark's viewers send their request at once.
            let path = std::str::from_utf8(&request[..len])?.split(' ').nth(1).map(str::to_owned);
            return match path {
                Some(path) => self.join(n, &path),
                None => self.leave(n),
            };
        }
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            return self.leave(n);
        }
        let Some(camera) = viewer.camera else { return Ok(()) };
        if viewer.pump(self.cameras[camera].newest.as_ref()).is_err() {
            return self.leave(n);
        }
        Ok(())
    }

    fn join(&mut self, n: usize, path: &str) -> anyhow::Result<()> {
        let camera = match self.by_path.get(path) {
            Some(&camera) => camera,
            None => {
                self.by_path.insert(path.to_owned(), self.cameras.len());
                self.cameras.push(Camera {
                    path: path.trim_start_matches("/streams").to_owned(),
                    socket: None,
                    head: Vec::new(),
                    jpeg: Vec::new(),
                    filled: 0,
                    number: 0,
                    newest: None,
                    viewers: Vec::new(),
                });
                self.cameras.len() - 1
            }
        };
        let viewer = self.viewers[n].as_mut().context("it has just asked")?;
        viewer.camera = Some(camera);
        let delimiter = String::from_utf8_lossy(FIRST_DELIMITER);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {STREAM_CONTENT_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{delimiter}\r\n",
            delimiter.len()
        );
        match &mut viewer.tls {
            Some(tls) => _ = tls.write(&viewer.socket, &[IoSlice::new(head.as_bytes())])?,
            None => viewer.socket.write_all(head.as_bytes())?,
        }
        self.cameras[camera].viewers.push(n);
        if self.cameras[camera].socket.is_none() {
            self.connect(camera)?;
        }
        Ok(())
    }

    fn connect(&mut self, n: usize) -> anyhow::Result<()> {
        let camera = &mut self.cameras[n];
        let mut socket = TcpStream::connect(self.upstream)?;
        socket.write_all(format!("GET {} HTTP/1.0\r\n\r\n", camera.path).as_bytes())?;
        socket.set_nonblocking(true)?;
        epoll::add(&self.epoll, &socket, EventData::new_u64(CAMERAS + n as u64), EventFlags::IN)?;
        camera.socket = Some(socket);
        Ok(())
    }

    fn leave(&mut self, n: usize) -> anyhow::Result<()> {
        let Some(viewer) = self.viewers[n].take() else { return Ok(()) };
        self.free.push(n);
        let Some(camera) = viewer.camera else { return Ok(()) };
        let camera = &mut self.cameras[camera];
        camera.viewers.retain(|&other| other != n);
        if camera.viewers.is_empty() {
            (camera.socket, camera.newest) = (None, None);
            (camera.filled, camera.jpeg, camera.head) = (0, Vec::new(), Vec::new());
        }
        Ok(())
    }

    fn read_camera(&mut self, n: usize) -> anyhow::Result<()> {
        let camera = &mut self.cameras[n];
        loop {
            let Some(socket) = &mut camera.socket else { return Ok(()) };
            let whole = !camera.jpeg.is_empty();
            let mut head = [0; 256];
            let into = if whole { &mut camera.jpeg[camera.filled..] } else { &mut head[..] };
            let asked = into.len();
            let got = match socket.read(into) {
                Ok(0) => bail!("the camera {} closed", camera.path),
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if whole {
                camera.filled += got;
            } else {
                camera.head.extend_from_slice(&head[..got]);
                camera.take_head()?;
            }
            if !camera.jpeg.is_empty() && camera.filled == camera.jpeg.len() {
                return self.show(n);
            }
            if got < asked {
                return Ok(());
            }
        }
    }

    /// Gives the picture that has just become whole to all viewers that are not busy with another.
    fn show(&mut self, n: usize) -> anyhow::Result<()> {
        let camera = &mut self.cameras[n];
        camera.number += 1;
        camera.filled = 0;
        let part = Rc::new(Part::new(std::mem::take(&mut camera.jpeg), camera.number, self.mode)?);
        camera.newest = Some(part.clone());
        let mut gone = Vec::new();
        for &n in &camera.viewers {
            let Some(viewer) = &mut self.viewers[n] else { continue };
            if viewer.sending.is_none() && viewer.pump(Some(&part)).is_err() {
                gone.push(n);
            }
        }
        gone.into_iter().try_for_each(|n| self.leave(n))
    }
}

impl Camera {
    fn take_head(&mut self) -> anyhow::Result<()> {
        const LENGTH: &[u8] = b"Content-Length: ";
        let Some(at) = memmem::find(&self.head, LENGTH) else { return Ok(()) };
        let text = &self.head[at + LENGTH.len()..];
        let Some(end) = memmem::find(text, b"\r\n\r\n") else { return Ok(()) };
        let len: usize = std::str::from_utf8(&text[..end])?.parse()?;
        let first = &text[end + 4..];
        self.jpeg = vec![0; len];
        self.jpeg[..first.len()].copy_from_slice(first);
        self.filled = first.len();
        self.head.clear();
        Ok(())
    }
}

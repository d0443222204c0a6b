//! A scripted RTSP camera.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A description of JPEG video.
pub(super) const JPEG: &str = "m=video 0 RTP/AVP 26\r\na=control:track1\r\n";
/// A description of H.264 video, whose parameter sets come in band.
pub(super) const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n";
/// A description of H.265 video.
pub(super) const H265: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=control:track1\r\n";

/// A camera that serves each connection by a script, in a thread.
pub(super) struct ScriptedCamera {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

/// One connection of it.
pub(super) struct Connection {
    reader: BufReader<TcpStream>,
    requests: Arc<Mutex<Vec<String>>>,
    sequence: u16,
}

impl ScriptedCamera {
    pub(super) fn start(script: impl Fn(&mut Connection) -> Option<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, connections) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicUsize>::default());
        let (seen, opened, script) = (requests.clone(), connections.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                opened.fetch_add(1, SeqCst);
                let (requests, script) = (seen.clone(), script.clone());
                thread::spawn(move || {
                    script(&mut Connection { reader: BufReader::new(stream), requests, sequence: 0 })
                });
            }
        });
        Self { address, requests, connections }
    }

    pub(super) fn url(&self) -> String {
        format!("rtsp://u:hunter2@{}/stream1", self.address)
    }

    /// Returns the requests of all connections, each with its headers.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Connection {
    /// Reads a request, and returns it with its headers; none when the other side has closed.
    pub(super) fn request(&mut self) -> Option<String> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        self.requests.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Answers a request; none when the other side has closed.
    pub(super) fn answer(&mut self, request: &str, status: &str, more: &str) -> Option<()> {
        let cseq = request.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("0");
        self.send(format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{more}").as_bytes())
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.reader.get_mut().write_all(bytes).ok()
    }

    /// Reads a request and answers it with success.
    pub(super) fn accept(&mut self, more: &str) -> Option<()> {
        let request = self.request()?;
        self.answer(&request, "200 OK", more)
    }

    /// Answers `DESCRIBE` with this video.
    pub(super) fn describe(&mut self, video: &str) -> Option<()> {
        let sdp = format!("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\n{video}");
        self.accept(&format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()))
    }

    /// Opens a session up to the answer to `PLAY`.
    pub(super) fn play(&mut self, video: &str) -> Option<()> {
        self.describe(video)?;
        self.accept("Session: 7;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")?;
        self.accept("Session: 7\r\n\r\n")
    }

    /// Sends an RTP packet.
    pub(super) fn packet(&mut self, kind: u8, (mark, timestamp): (bool, u32), payload: &[u8]) -> Option<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u16::try_from(12 + payload.len()).unwrap();
        let mut bytes = vec![b'$', 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0x80, kind | if mark { 0x80 } else { 0 }]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend([0, 0, 0, 9]);
        bytes.extend(payload);
        self.send(&bytes)
    }

    /// Sends a JPEG of 64x48 pixels in one packet (RFC 2435).
    pub(super) fn jpeg(&mut self, number: u32) -> Option<()> {
        let head = [0, 0, 0, 0, 1, 80, 64 / 8, 48 / 8];
        self.packet(26, (true, number * 9000), &[&head[..], &[0x55; 200]].concat())
    }

    /// Waits until the other side has closed, and answers what it asks.
    pub(super) fn wait(&mut self) -> Option<()> {
        loop {
            self.accept("\r\n")?;
        }
    }
}

//! A proxy in front of framecast that passes each picture of a stream once: what a browser shows then is what it
//! draws without the repeats.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

const FIRST_DELIMITER: &[u8] = b"--boundarydonotcross\r\n";
const NEXT_DELIMITER: &[u8] = b"\r\n--boundarydonotcross\r\n";
const CLOSING: &[u8] = b"--boundarydonotcross--\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A running proxy. Its streams must not be chunked.
pub struct RepeatFilter {
    address: SocketAddr,
    requests: Arc<Mutex<String>>,
}

impl RepeatFilter {
    /// Starts a proxy on a free port of 127.0.0.1.
    pub fn before(framecast: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(String::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(framecast) else { return };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let seen = seen.clone();
                let record = move |bytes: &[u8]| {
                    let text = String::from_utf8_lossy(bytes);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                    bytes.to_vec()
                };
                thread::spawn(move || copy(from, to, record));
                let mut filter = Filter::default();
                thread::spawn(move || copy(server, client, move |bytes| filter.pass(bytes)));
            }
        });
        Self { address, requests }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns what clients have sent so far.
    pub fn requests(&self) -> String {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut change: impl FnMut(&[u8]) -> Vec<u8>) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&change(&buffer[..read])).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let (_, _) = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

#[derive(Default)]
struct Filter {
    held: Vec<u8>,
    /// A multipart answer has begun; then its first delimiter has passed.
    is_stream: bool,
    has_begun: bool,
    /// The headers of the next part have passed.
    head_sent: bool,
    last: Vec<u8>,
}

impl Filter {
    /// Returns the bytes to pass on after `bytes` have come.
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.is_stream |= find(bytes, b"multipart/x-mixed-replace").is_some();
        if !self.is_stream {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        let mut passed = Vec::new();
        if !self.has_begun {
            let Some(at) = find(&self.held, FIRST_DELIMITER) else { return passed };
            passed.extend(self.held.drain(..at + FIRST_DELIMITER.len()));
            self.has_begun = true;
        }
        while let Some(end) = find(&self.held, NEXT_DELIMITER) {
            let part: Vec<u8> = self.held.drain(..end + NEXT_DELIMITER.len()).collect();
            let head = find(&part, HEAD_END).expect("each part has headers") + HEAD_END.len();
            if part[head..] != self.last {
                passed.extend_from_slice(if self.head_sent { &part[head..] } else { &part });
                (self.head_sent, self.last) = (false, part[head..].to_vec());
            }
        }
        if self.held.starts_with(CLOSING) {
            passed.append(&mut self.held);
        } else if !self.head_sent && self.held.ends_with(HEAD_END) {
            passed.extend_from_slice(&self.held);
            self.head_sent = true;
        }
        passed
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

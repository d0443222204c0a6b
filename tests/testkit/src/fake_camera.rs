//! A scripted camera on a raw TCP socket: says exactly the bytes a test wants, as badly cut or late as it
//! wants.
//!
//! Each connection runs the script made for it (they are numbered from 0). What was asked and how many
//! connections stood open at once is recorded.
//!
//! Meant for the current-thread runtime: there a new connection is counted only after the closing of earlier
//! ones was seen.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{JoinHandle, yield_now},
};
use tokio_rustls::TlsAcceptor;

/// Requests a connection holds before its script takes them: more than any client may send ahead.
const MAX_WAITING_REQUESTS: usize = 16;

/// The next step of a connection.
pub enum Step {
    /// Waits for a whole request.
    Request,
    /// Sends at once.
    Send(Vec<u8>),
    /// Sends piece by piece; the client has read each one before the next goes out.
    Pieces(Vec<Vec<u8>>),
    /// From here on answers each request by the function, until the client closes or an answer says to close.
    Answer(Box<dyn Fn(&Request) -> Reply + Send + Sync>),
    /// Says nothing more and waits for the client to close.
    Stall,
    /// Ends the connection with RST.
    Reset,
    /// Ends the connection without TLS's goodbye.
    Abandon,
}

/// An answer's bytes, and whether the connection stays.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub close: bool,
}

/// The request of a client.
#[derive(Debug, Clone)]
pub struct Request {
    /// On which connection.
    pub connection: usize,
    /// The head, line ends included.
    pub head: String,
}

impl Request {
    /// `/video?x=1`.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The camera; gone when dropped.
pub struct FakeCamera {
    address: SocketAddr,
    record: Arc<Record>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl FakeCamera {
    /// A camera whose connection `n` runs `script(n)`, then closes.
    pub async fn start(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    /// Starts a camera at another address.
    pub async fn start_at(
        address: &str,
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address, script, None).await
    }

    /// Starts a camera with TLS.
    pub async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        Self::listen("127.0.0.1:0", script, Some(acceptor)).await
    }

    /// A camera that answers every request by `answer`.
    pub async fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start(move |_| {
            let answer = Arc::clone(&answer);
            vec![Step::Answer(Box::new(move |request| answer(request)))]
        })
        .await
    }

    async fn listen(
        address: &str,
        script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let record = Arc::new(Record::default());
        let listening = tokio::spawn(accept(listener, script, acceptor, Arc::clone(&record)));
        Self { address, record, listening }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.record.requests.lock().unwrap().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.record.connections.load(SeqCst)
    }

    /// Connections that stood open at the same time, at most.
    pub fn most_open(&self) -> usize {
        self.record.most_open.load(SeqCst)
    }

    /// Waits until every connection is closed.
    pub async fn all_closed(&self) {
        while self.record.open.load(SeqCst) > 0 {
            yield_now().await;
        }
    }
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn accept(
    listener: TcpListener,
    script: impl Fn(usize) -> Vec<Step>,
    acceptor: Option<TlsAcceptor>,
    record: Arc<Record>,
) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else { return };
        // What the client closed before it connected is noticed first.
        for _ in 0..4 {
            yield_now().await;
        }
        let number = record.connections.fetch_add(1, SeqCst);
        let open = record.open.fetch_add(1, SeqCst) + 1;
        record.most_open.fetch_max(open, SeqCst);
        let steps = script(number);
        tokio::spawn(serve(number, tcp, acceptor.clone(), steps, Arc::clone(&record)));
    }
}

/// Counts a connection as open until dropped.
struct Open(Arc<Record>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

async fn serve(
    number: usize,
    tcp: TcpStream,
    acceptor: Option<TlsAcceptor>,
    steps: Vec<Step>,
    record: Arc<Record>,
) {
    let open = Open(Arc::clone(&record));
    tcp.set_nodelay(true).unwrap();
    if steps.iter().any(|step| matches!(step, Step::Reset)) {
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }
    match acceptor {
        None => converse(number, tcp, steps, open).await,
        Some(acceptor) => {
            if let Ok(tls) = acceptor.accept(tcp).await {
                converse(number, tls, steps, open).await;
            }
        }
    }
}

async fn converse<Io>(number: usize, io: Io, steps: Vec<Step>, open: Open)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let says_goodbye = !steps.iter().any(|step| matches!(step, Step::Reset | Step::Abandon));
    let (reader, mut writer) = tokio::io::split(io);
    let (sender, mut requests) = mpsc::channel(MAX_WAITING_REQUESTS);
    // Reads all the time, so that the client's closing is seen at once, whatever the script does.
    let mut reading = tokio::spawn(read_requests(number, reader, sender, Arc::clone(&open.0)));
    tokio::select! {
        _ = run(&mut writer, steps, &mut requests) => {
            reading.abort();
            // Aborting takes effect only when the task is polled; its half of the socket must be gone before
            // `open` is.
            let _ = (&mut reading).await;
            if says_goodbye {
                let _ = writer.shutdown().await;
            }
        }
        _ = &mut reading => {}
    }
    drop(writer);
    drop(open);
}

async fn read_requests(
    number: usize,
    mut reader: impl AsyncRead + Unpin,
    sender: mpsc::Sender<Request>,
    record: Arc<Record>,
) {
    let mut raw = Vec::new();
    while let Ok(1..) = reader.read_buf(&mut raw).await {
        while let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = raw.drain(..end + 4).collect();
            let request = Request { connection: number, head: String::from_utf8(head).unwrap() };
            record.requests.lock().unwrap().push(request.clone());
            let _ = sender.send(request).await;
        }
    }
}

async fn run(
    writer: &mut (impl AsyncWrite + Unpin),
    steps: Vec<Step>,
    requests: &mut mpsc::Receiver<Request>,
) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Request => drop(requests.recv().await),
            Step::Send(bytes) => say(writer, &bytes).await?,
            Step::Pieces(pieces) => {
                for piece in pieces {
                    say(writer, &piece).await?;
                    // The runtime looks for I/O between any two polls of a task that yields: the client reads
                    // now.
                    for _ in 0..3 {
                        yield_now().await;
                    }
                }
            }
            Step::Answer(answer) => {
                while let Some(request) = requests.recv().await {
                    let reply = answer(&request);
                    say(writer, &reply.bytes).await?;
                    if reply.close {
                        break;
                    }
                }
            }
            Step::Stall => std::future::pending().await,
            Step::Reset | Step::Abandon => return Ok(()),
        }
    }
    Ok(())
}

async fn say(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

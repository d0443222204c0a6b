//! The camera of a Bambu Lab printer: `type: bambu`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use framecast::{
    bus::DropReason,
    config::{BambuConfig, Limits, PrinterAddress, Secret},
    source::camera::bambu::BambuSource,
};
use testkit::stream_client::{StreamViewer, wait_for_state};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    TestRelay,
    source_runner::{Outcome, jpeg, jpeg_of_size, limits, three, watch_source},
    tls::self_signed,
};

const CODE: &str = "12345678";

/// Number of viewers that a printer serves at a time.
const PLACES: usize = 2;

/// What the printer does after the right hello: pieces that are read one by one, then the end.
#[derive(Clone)]
struct Script {
    pieces: Vec<Vec<u8>>,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Close,
    Abandon,
    Reset,
    Stall,
}

/// A printer; gone when dropped.
struct Printer {
    port: u16,
    open: Arc<AtomicUsize>,
    most_open: Arc<AtomicUsize>,
    hellos: Arc<Mutex<Vec<[u8; 80]>>>,
    listening: JoinHandle<()>,
}

impl Printer {
    async fn start(pieces: Vec<Vec<u8>>, end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, most_open, hellos) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<Mutex<Vec<_>>>)>::default();
        let (acceptor, script) = (self_signed(), Script { pieces, end });
        let shared = (Arc::clone(&open), Arc::clone(&most_open), Arc::clone(&hellos));
        let listening = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // What a client closed before it connected again is noticed first.
                for _ in 0..4 {
                    yield_now().await;
                }
                let now = shared.0.fetch_add(1, SeqCst) + 1;
                shared.1.fetch_max(now, SeqCst);
                let (acceptor, script, shared) = (acceptor.clone(), script.clone(), shared.clone());
                tokio::spawn(async move {
                    serve(acceptor, tcp, script, now <= PLACES, &shared.2).await;
                    shared.0.fetch_sub(1, SeqCst);
                });
            }
        });
        Self { port, open, most_open, hellos, listening }
    }

    fn config(&self) -> BambuConfig {
        let long = Duration::from_secs(60);
        BambuConfig {
            host: PrinterAddress { host: "127.0.0.1".into(), port: self.port },
            access_code: Secret::new(CODE),
            connect_timeout: long,
            first_frame_timeout: long,
            frame_timeout: long,
        }
    }

    async fn all_closed(&self) {
        while self.open.load(SeqCst) > 0 {
            yield_now().await;
        }
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    script: Script,
    has_place: bool,
    hellos: &Mutex<Vec<[u8; 80]>>,
) {
    tcp.set_nodelay(true).unwrap();
    if script.end == End::Reset {
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }
    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
    let mut hello = [0; 80];
    if tls.read_exact(&mut hello).await.is_err() {
        return;
    }
    hellos.lock().unwrap().push(hello);
    if !hello[48..].starts_with(CODE.as_bytes()) || hello[48 + CODE.len()..] != [0; 24] {
        let _ = tls.shutdown().await;
        return;
    }
    if has_place {
        for piece in &script.pieces {
            if tls.write_all(piece).await.is_err() || tls.flush().await.is_err() {
                return;
            }
            // The runtime looks for I/O between any two polls of a task that yields: the client reads now.
            for _ in 0..3 {
                yield_now().await;
            }
        }
        match script.end {
            End::Close => return drop(tls.shutdown().await),
            End::Abandon | End::Reset => return,
            End::Stall => {}
        }
    }
    until_closed(tls).await;
}

async fn until_closed(mut tls: TlsStream<TcpStream>) {
    let mut byte = [0];
    while let Ok(1..) = tls.read(&mut byte).await {}
}

/// A head that declares `length` bytes.
fn head(length: u32) -> Vec<u8> {
    [&length.to_le_bytes()[..], &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]].concat()
}

fn framed(picture: &[u8]) -> Vec<u8> {
    [head(u32::try_from(picture.len()).unwrap()), picture.to_vec()].concat()
}

fn all(pictures: &[Vec<u8>]) -> Vec<u8> {
    pictures.iter().flat_map(|picture| framed(picture)).collect()
}

async fn run(config: BambuConfig) -> Outcome {
    watch_source(&mut BambuSource::new(config, &limits())).await
}

async fn watch(pieces: Vec<Vec<u8>>, end: End) -> Outcome {
    let printer = Printer::start(pieces, end).await;
    let outcome = run(printer.config()).await;
    printer.all_closed().await;
    assert_eq!(printer.most_open.load(SeqCst), 1);
    outcome
}

fn without_host(error: &str) -> &str {
    error.strip_prefix("127.0.0.1:").and_then(|rest| rest.split_once(' ')).expect("it names the printer").1
}

#[actix_web::test]
async fn pictures_come_as_they_are_whatever_the_pieces() {
    let bytes = all(&three());
    for end in [End::Close, End::Abandon] {
        watch(vec![bytes.clone()], end).await.assert_frames(&three(), "at once");
    }
    watch(bytes.iter().map(|&byte| vec![byte]).collect(), End::Close)
        .await
        .assert_frames(&three(), "by bytes");
    // Each place of the first two heads, and of the bytes around them.
    let second = framed(&three()[0]).len();
    for cut in (1..20).chain(second - 2..second + 20) {
        let pieces = vec![bytes[..cut].to_vec(), bytes[cut..].to_vec()];
        watch(pieces, End::Close).await.assert_frames(&three(), &format!("cut at {cut}"));
    }
}

#[actix_web::test]
async fn pictures_larger_than_tls_records_come_through() {
    let pictures: Vec<_> = (1..=3).map(|n| jpeg_of_size(n, 640, 480)).collect();
    assert!(pictures[0].len() > 3 * 16_384, "{} bytes", pictures[0].len());
    watch(vec![all(&pictures)], End::Close).await.assert_frames(&pictures, "several records a picture");
}

#[actix_web::test]
async fn the_hello_is_sent_once_with_user_and_code() {
    let printer = Printer::start(vec![all(&three())], End::Close).await;
    assert!(run(printer.config()).await.result.is_ok());
    let hellos = printer.hellos.lock().unwrap().clone();
    let mut expected = [0; 80];
    expected[0] = 0x40;
    expected[5] = 0x30;
    expected[16..20].copy_from_slice(b"bblp");
    expected[48..56].copy_from_slice(CODE.as_bytes());
    assert_eq!(hellos, [expected]);
}

#[actix_web::test]
async fn a_wrong_code_is_told_from_a_missing_place() {
    let printer = Printer::start(vec![all(&three())], End::Stall).await;
    let mut wrong = printer.config();
    wrong.access_code = Secret::new("87654321");
    let error = run(wrong).await.error();
    let expected = "closed the connection before the first picture: is the access code the one that it shows \
                    in its network settings?";
    assert_eq!(without_host(&error), expected);
    // Two other viewers.
    let mut others = Vec::new();
    for _ in 0..PLACES {
        let config = printer.config();
        let mut source = BambuSource::new(config, &limits());
        others.push(actix_web::rt::spawn(async move { watch_source(&mut source).await }));
    }
    while printer.open.load(SeqCst) < PLACES {
        yield_now().await;
    }
    let mut late = printer.config();
    late.first_frame_timeout = Duration::from_millis(200);
    let error = run(late).await.error();
    let expected = "sent nothing within 0.2 s: it serves one or two viewers at a time; close its other \
                    viewers (Bambu Studio, Bambu Handy, Home Assistant)";
    assert_eq!(without_host(&error), expected);
    others.iter().for_each(JoinHandle::abort);
    printer.all_closed().await;
    assert_eq!(printer.most_open.load(SeqCst), PLACES + 1);
}

#[actix_web::test]
async fn a_printer_that_is_off_is_named_with_what_to_switch_on() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let printer = Printer::start(Vec::new(), End::Close).await;
    let mut refused = printer.config();
    refused.host.port = port;
    let error = run(refused).await.error();
    let settings = "is it on, is this its address, and is \"LAN Only Liveview\" on in its network settings?";
    assert_eq!(without_host(&error), format!("cannot be reached (connection refused): {settings}"));
    // A listener that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = printer.config();
    config.host.port = silent.local_addr().unwrap().port();
    config.connect_timeout = Duration::from_millis(200);
    let error = run(config.clone()).await.error();
    assert_eq!(without_host(&error), format!("cannot be reached (no answer within 0.2 s): {settings}"));
    // Something that is no printer.
    config.connect_timeout = Duration::from_secs(60);
    actix_web::rt::spawn(async move {
        while let Ok((mut tcp, _)) = silent.accept().await {
            let _ = tcp.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = run(config).await.error();
    let expected = "does not answer as a printer of the P1 or A1 series (it does not speak TLS): is this its \
                    address?";
    assert_eq!(without_host(&error), expected);
}

#[actix_web::test]
async fn a_connection_that_breaks_before_a_picture_says_what_it_means() {
    let rejected = "closed the connection before the first picture";
    for (pieces, end, expected) in [
        (vec![], End::Close, rejected),
        (vec![], End::Abandon, rejected),
        (vec![], End::Reset, rejected),
        (vec![head(100)[..7].to_vec()], End::Close, rejected),
        (vec![head(100)], End::Close, "closed the connection before the first frame"),
        (
            vec![head(100), jpeg(1)[..50].to_vec()],
            End::Abandon,
            "closed the connection before the first frame",
        ),
    ] {
        let outcome = watch(pieces.clone(), end).await;
        assert!(without_host(&outcome.error()).starts_with(expected), "{pieces:?}: {}", outcome.error());
        assert_eq!(outcome.dropped(DropReason::Invalid), u64::from(pieces.concat().len() >= 16));
    }
}

#[actix_web::test]
async fn a_picture_or_head_that_is_cut_ends_the_run_and_is_counted() {
    for left in [framed(&jpeg(3))[..7].to_vec(), head(500), framed(&jpeg(3))[..60].to_vec()] {
        let two = three()[..2].to_vec();
        let outcome = watch(vec![all(&two), left.clone()], End::Close).await;
        outcome.assert_frames(&two, &format!("{} bytes left", left.len()));
        assert_eq!(outcome.dropped(DropReason::Invalid), 1);
    }
    let outcome = watch(vec![all(&three())], End::Reset).await;
    // The reset may overtake pictures, but never shows anything else.
    assert!(three().starts_with(&outcome.frames));
}

#[actix_web::test]
async fn a_stall_is_late_and_says_after_what() {
    for (pieces, expected) in [
        (vec![head(100)], "sent no whole frame after its answer began within 0.2 s"),
        (vec![all(&three())], "sent no further whole frame within 0.2 s"),
        (vec![all(&three()), head(100)], "sent no further whole frame within 0.2 s"),
    ] {
        let printer = Printer::start(pieces, End::Stall).await;
        let mut config = printer.config();
        config.first_frame_timeout = Duration::from_millis(200);
        config.frame_timeout = Duration::from_millis(200);
        assert_eq!(without_host(&run(config).await.error()), expected);
        printer.all_closed().await;
    }
}

#[actix_web::test]
async fn a_wrong_length_ends_the_run_and_is_named() {
    let max = limits().max_frame_bytes;
    for length in [0, u32::try_from(max).unwrap() + 1, u32::MAX] {
        let outcome = watch(vec![all(&three()), head(length)], End::Stall).await;
        outcome.assert_shown(&three(), "before it");
        let expected =
            format!("declared a picture of {length} bytes, which must be 1 to {max} (max_frame_bytes)");
        assert_eq!(without_host(&outcome.error()), expected);
    }
}

#[actix_web::test]
async fn what_is_no_jpeg_is_counted_and_skipped_while_the_heads_stay_in_step() {
    let bytes = [framed(&jpeg(1)), framed(b"no picture"), framed(&jpeg(2)), framed(&[0xff; 90])].concat();
    let outcome = watch(vec![bytes, framed(&jpeg(3))], End::Close).await;
    outcome.assert_frames(&three(), "between others");
    assert_eq!(outcome.dropped(DropReason::Invalid), 2);
    // A head whose length is too short by three: what follows is the rest of the picture.
    let mut short = framed(&jpeg(2));
    short[0] -= 3;
    let outcome = watch(vec![framed(&jpeg(1)), short, all(&three())], End::Stall).await;
    outcome.assert_shown(&three()[..1], "before it");
    assert_eq!(
        without_host(&outcome.error()),
        "sent a picture that is no JPEG, and no head of another after it"
    );
    // For ever.
    let outcome = watch(vec![framed(b"no picture").repeat(10)], End::Stall).await;
    assert!(
        without_host(&outcome.error()).starts_with("sends broken pictures only: "),
        "{}",
        outcome.error()
    );
    assert_eq!(outcome.dropped(DropReason::Invalid), 10);
}

#[actix_web::test]
async fn pictures_of_too_many_pixels_end_the_run() {
    use framecast::bus::{Bus, Ingest};
    use framecast::source::Source;
    let printer = Printer::start(vec![framed(&jpeg(1)).repeat(10)], End::Stall).await;
    let bus = Arc::new(Bus::default());
    let ingest = Ingest::new(Arc::clone(&bus), None).with_max_pixels(100);
    let error = BambuSource::new(printer.config(), &Limits::default()).run(&ingest).await.unwrap_err();
    assert!(error.to_string().contains("sends pictures of 16x16 pixels"), "{error}");
}

#[actix_web::test]
async fn all_viewers_share_one_connection_which_ends_after_the_linger() {
    let printer = Printer::start(vec![framed(&jpeg(1))], End::Stall).await;
    let port = printer.port;
    let source = format!("{{type: bambu, host: \"127.0.0.1:{port}\", access_code: {CODE}}}");
    let relay = TestRelay::start(&format!("streams: {{printer: {{linger: 100ms, source: {source}}}}}"));
    for run in 1..=2 {
        let mut viewers = Vec::new();
        for _ in 0..4 {
            let mut viewer = StreamViewer::join(relay.address(), "/streams/printer").await;
            assert_eq!(viewer.part().await.jpeg, jpeg(1));
            viewers.push(viewer);
        }
        assert_eq!(printer.open.load(SeqCst), 1);
        drop(viewers);
        wait_for_state(&relay, "printer", "idle").await;
        printer.all_closed().await;
        assert_eq!(printer.hellos.lock().unwrap().len(), run);
    }
    assert_eq!(printer.most_open.load(SeqCst), 1);
}

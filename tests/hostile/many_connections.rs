//! Thousands of clients that connect at the same time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::{
    fixture::{Fixture, until},
    raw_client::Client,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

const CROWD: usize = 5000;

/// Upper bound of the memory for the connections in this build of the program, above all for their buffers in
/// actix.
const MEMORY_KIB: u64 = CROWD as u64 * 32;

/// Without `sendfile`, since a stream that had eight viewers keeps the pipes of that.
const TOP: &str = "server: {sendfile: false}\nlimits: {max_viewers: 500}";
const MOST_VIEWERS: usize = 500;

const CROWDED: &str = "  crowded: {source: {type: pattern, size: 64x48, fps: 10}}\n";

/// This process needs as many sockets as the relay. Debian's and most containers' hard limit is far above.
fn allow_many_sockets() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let wanted = CROWD as u64 + 1000;
    assert!(maximum.is_none_or(|most| most > wanted), "this test needs `ulimit -Hn` above {wanted}");
}

#[tokio::test]
async fn five_thousand_connections_at_once_and_gone() {
    allow_many_sockets();
    let mut fixture = Fixture::serving(TOP, CROWDED).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut coming = JoinSet::new();
            for n in 0..CROWD {
                let address = fixture.address();
                coming.spawn(async move {
                    let mut io = TcpStream::connect(address).await.unwrap();
                    // Some say nothing, some half a word, and some want to watch.
                    let said =
                        ["", "GET /streams/neigh", "GET /streams/crowded HTTP/1.1\r\nHost: test\r\n\r\n"];
                    io.write_all(said[n % said.len()].as_bytes()).await.unwrap();
                    io
                });
            }
            let crowd = coming.join_all().await;
            assert_eq!(crowd.len(), CROWD);
            // The good viewer is one of those that are let in.
            fixture.report_when("crowded", |report| report["viewers"] == MOST_VIEWERS - 1).await;
            assert_eq!(Client::get(fixture.address(), "/healthz").await.head.status, 200);
            drop(crowd);
            fixture.report_when("crowded", |report| report["viewers"] == 0).await;
        })
        .await;
    let refused = fixture.all().await["refused"]["viewers"].as_u64().unwrap();
    assert!(refused > 1000, "{refused} were refused");
    fixture.end();
}

#[tokio::test]
async fn connections_that_come_and_go_by_the_thousand_leave_nothing() {
    let mut fixture = Fixture::serving("", "").await;
    fixture
        .assert_survives(16 * 1024, async |fixture| {
            for _ in 0..CROWD / 100 {
                let mut coming = JoinSet::new();
                for _ in 0..100 {
                    coming.spawn(TcpStream::connect(fixture.address()));
                }
                coming.join_all().await;
            }
            until("all of them to be gone", async || {
                let report = fixture.report("control").await;
                if report["viewers"] == 1 { Ok(()) } else { Err(report.to_string()) }
            })
            .await;
        })
        .await;
    fixture.end();
}

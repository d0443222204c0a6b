//! Publishers: one posts single frames over a connection it keeps, one sends a feed without end.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    api::answer,
    picture::PictureSet,
    report::{Report, count},
};

/// Token of both publishers.
pub(crate) const TOKEN: &str = "soaked-through";

/// Frames per second of each.
const FPS: f64 = 10.0;

/// A publisher of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    pub(crate) stream: u16,
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) album: Arc<PictureSet>,
    pub(crate) report: Arc<Report>,
}

impl Publisher {
    /// Posts frame after frame until told to end; each must be answered 204.
    pub(crate) async fn post_frames(self, ending: watch::Receiver<bool>) {
        let name = self.name;
        if let Err(error) = self.try_post_frames(ending).await {
            self.report.violation(format!("{name}: {error}"));
        }
    }

    /// Sends one endless chunked feed until told to end; the answer must count every frame.
    pub(crate) async fn feed(self, ending: watch::Receiver<bool>) {
        let name = self.name;
        if let Err(error) = self.try_feed(ending).await {
            self.report.violation(format!("{name}: {error}"));
        }
    }

    async fn try_post_frames(&self, ending: watch::Receiver<bool>) -> io::Result<()> {
        let mut socket = self.connect().await?;
        let mut ticks = ticks();
        let mut sequence = 0;
        while !*ending.borrow() {
            ticks.tick().await;
            sequence += 1;
            let frame = self.album.frame(self.stream, 0, sequence);
            let length = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n", frame.len());
            socket.write_all(self.head("frame", &length).as_bytes()).await?;
            socket.write_all(&frame).await?;
            let answer = answer(&mut socket).await?;
            if !answer.starts_with("HTTP/1.1 204 ") {
                return Err(io::Error::other(format!("frame {sequence} was answered {answer}")));
            }
            count(&self.report.pushed);
        }
        Ok(())
    }

    async fn try_feed(&self, ending: watch::Receiver<bool>) -> io::Result<()> {
        let mut socket = self.connect().await?;
        let how = "Content-Type: multipart/x-mixed-replace;boundary=ffmpeg\r\nTransfer-Encoding: chunked\r\n";
        socket.write_all(self.head("feed", how).as_bytes()).await?;
        let mut ticks = ticks();
        let mut sequence = 0;
        while !*ending.borrow() {
            ticks.tick().await;
            sequence += 1;
            let frame = self.album.frame(self.stream, 0, sequence);
            let before =
                format!("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: {}\r\n\r\n", frame.len());
            // Two chunks a frame, cut in its middle.
            let part = [before.as_bytes(), &frame, b"\r\n"].concat();
            for half in [&part[..part.len() / 2], &part[part.len() / 2..]] {
                socket.write_all(format!("{:x}\r\n", half.len()).as_bytes()).await?;
                socket.write_all(half).await?;
                socket.write_all(b"\r\n").await?;
            }
            count(&self.report.pushed);
        }
        socket.write_all(b"0\r\n\r\n").await?;
        let answer = answer(&mut socket).await?;
        let wanted = format!("{{\"frames\":{sequence}}}");
        if !answer.starts_with("HTTP/1.1 200 ") || !answer.ends_with(&wanted) {
            return Err(io::Error::other(format!(
                "{wanted} was expected at the end of the feed, not {answer}"
            )));
        }
        Ok(())
    }

    async fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        Ok(BufReader::new(socket))
    }

    fn head(&self, route: &str, headers: &str) -> String {
        format!(
            "POST /streams/{}/{route} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer \
             {TOKEN}\r\n{headers}\r\n",
            self.name,
        )
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / FPS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits until this publisher's first frames are shown.
pub(crate) async fn first_frame_is_shown(report: &Report) {
    const BOTH: u64 = 20;
    while report.pushed.load(Relaxed) < BOTH {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

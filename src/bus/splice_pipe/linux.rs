//! Pages of a pipe, handed to sockets with `tee` and `splice`.
//!
//! `write` copies a frame into the kernel once for each viewer. Here it is copied into a pipe, once; for each
//! viewer `tee` makes another pipe refer to the same pages, and `splice` moves these references into the
//! viewer's socket. `sendfile` from a file in memory does the same with more work: for each viewer it looks
//! up each page in the file's index.
//!
//! Pages that may still be on their way are never written again: a pipe takes fresh ones for what is written
//! into it.

use std::{
    fs::File,
    io::{self, IoSlice},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    io::writev,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee},
};

use crate::{bus::current::PublishedFrame, media::multipart::writer::Framing};

/// Largest part that is held; larger ones are written. Linux gives every process pipes of this size
/// (`fs.pipe-max-size`).
const MOST_BYTES: usize = 1024 * 1024;

/// File that takes the bytes that no socket took.
const NOWHERE: &str = "/dev/null";

/// The pages of one part at a time.
#[derive(Debug)]
pub struct Pages {
    /// The frame to put into the pipe at the first request for it.
    offered: Option<Arc<PublishedFrame>>,
    /// The frame that was asked for last, and the framing it is held in; none if it could not be held.
    asked: Option<(u64, Option<Framing>)>,
    held: Pipe,
    handed: Pipe,
    nowhere: File,
    /// Set when a pipe may contain bytes that it should not.
    spoilt: bool,
}

impl Pages {
    /// Creates empty pipes.
    ///
    /// # Errors
    /// The system's: no pipes, or no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let nowhere = File::options().write(true).open(NOWHERE)?;
        let (held, handed) = (Pipe::new()?, Pipe::new()?);
        Ok(Self { offered: None, asked: None, held, handed, nowhere, spoilt: false })
    }

    /// Offers a frame, which is put into the pipe when it is first asked for.
    pub fn offer(&mut self, published: &Arc<PublishedFrame>) {
        self.offered = Some(published.clone());
    }

    /// Returns whether the part of frame number `seq` is held in this framing; the first request decides in
    /// which. Others, and parts that are too large, have to be written.
    pub fn hold(&mut self, seq: u64, framing: Framing) -> bool {
        let Some(offered) = self.offered.as_ref().filter(|offered| offered.seq == seq) else { return false };
        if self.asked.is_none_or(|(asked, _)| asked != seq) {
            let pieces = offered.part.pieces(framing);
            let fits = offered.part.len(framing) <= MOST_BYTES;
            let held = fits && self.fill(&pieces.each_ref().map(|piece| IoSlice::new(piece))).is_ok();
            self.asked = Some((seq, held.then_some(framing)));
            self.spoilt |= fits && !held;
        }
        self.asked == Some((seq, Some(framing)))
    }

    fn fill(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        self.held.empty(&self.nowhere)?;
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        self.held.make_room(bytes)?;
        self.handed.make_room(bytes)?;
        self.held.bytes = writev(&self.held.into, pieces)?;
        if self.held.bytes == bytes { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Sends as much of the held part to a socket as that takes now, and returns how many bytes.
    ///
    /// # Errors
    /// The socket's; `WouldBlock` when it takes none now.
    pub fn send_to<S: AsFd>(&mut self, socket: &S) -> io::Result<usize> {
        // What the viewer before did not take.
        self.handed.empty(&self.nowhere)?;
        self.handed.bytes = tee(&self.held.out, &self.handed.into, self.held.bytes, SpliceFlags::NONBLOCK)?;
        let mut sent = 0;
        while self.handed.bytes > 0 {
            match self.handed.move_to(socket) {
                Ok(moved) => sent += moved,
                // The next try says so again.
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Releases the part.
    ///
    /// # Errors
    /// The system's; the pipes are of no use any more then.
    pub fn let_go(&mut self) -> io::Result<()> {
        (self.offered, self.asked) = (None, None);
        if self.spoilt {
            return Err(io::ErrorKind::Other.into());
        }
        self.handed.empty(&self.nowhere)?;
        self.held.empty(&self.nowhere)
    }
}

#[derive(Debug)]
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    /// Number of bytes in the pipe.
    bytes: usize,
    /// Number of bytes that its size was set for.
    room: usize,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { out, into, bytes: 0, room: 0 })
    }

    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.room {
            self.room = fcntl_setpipe_size(&self.into, bytes)?;
        }
        Ok(())
    }

    fn empty(&mut self, nowhere: &File) -> io::Result<()> {
        while self.bytes > 0 {
            self.move_to(nowhere)?;
        }
        Ok(())
    }

    fn move_to<T: AsFd>(&mut self, to: &T) -> io::Result<usize> {
        let moved = splice(&self.out, None, to, None, self.bytes, SpliceFlags::NONBLOCK)?;
        self.bytes -= moved;
        if moved == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(moved) }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, TcpStream},
        time::SystemTime,
    };

    use super::*;
    use crate::media::{frame::Frame, multipart::writer::PreparedPart};

    /// Returns a frame whose picture ends in this many bytes of its own.
    fn published(seq: u64, bytes: usize) -> Arc<PublishedFrame> {
        let frame = crate::bus::tests::tiny_frame();
        let jpeg = [&frame.jpeg()[..], &vec![seq as u8; bytes]].concat();
        let part = PreparedPart::new(jpeg.into(), SystemTime::now());
        Arc::new(PublishedFrame::new(seq, Frame::from_jpeg(frame.jpeg().clone()).unwrap(), part))
    }

    fn written(published: &PublishedFrame, framing: Framing) -> Vec<u8> {
        published.part.pieces(framing).into_iter().flatten().collect()
    }

    fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        (near, listener.accept().unwrap().0)
    }

    fn read(socket: &mut TcpStream, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        socket.read_exact(&mut read).unwrap();
        read
    }

    #[test]
    fn what_is_sent_is_what_is_written_otherwise() {
        for framing in [Framing::Raw, Framing::Chunked] {
            let frame = published(1, 100_000);
            let expected = written(&frame, framing);
            let mut pages = Pages::new().unwrap();
            pages.offer(&frame);
            assert!(pages.hold(1, framing));
            for _ in 0..3 {
                let (near, mut far) = sockets();
                let sent = pages.send_to(&near).unwrap();
                assert!(sent > 0);
                assert!(read(&mut far, sent) == expected[..sent], "{framing:?}");
            }
        }
    }

    #[test]
    fn the_first_who_asks_decides_on_the_framing_and_only_what_is_offered_is_held() {
        let mut pages = Pages::new().unwrap();
        assert!(!pages.hold(1, Framing::Raw), "nothing was offered");
        pages.offer(&published(1, 10));
        assert!(!pages.hold(2, Framing::Raw));
        assert!(
            pages.hold(1, Framing::Raw) && !pages.hold(1, Framing::Chunked) && pages.hold(1, Framing::Raw)
        );
        pages.let_go().unwrap();
        assert!(!pages.hold(1, Framing::Raw), "it was let go");
    }

    /// A viewer that takes nothing gets the next frame while the first is still unread.
    #[test]
    fn a_viewer_that_does_not_keep_up_changes_nothing_for_others_and_no_page_is_used_again() {
        let (first, second) = (published(1, 200_000), published(2, 150_000));
        let mut pages = Pages::new().unwrap();
        let (stalled, _unread) = sockets();
        let (near, mut far) = sockets();
        pages.offer(&first);
        assert!(pages.hold(1, Framing::Chunked));
        while pages.send_to(&stalled).is_ok() {}
        let sent = pages.send_to(&near).unwrap();
        pages.offer(&second);
        assert!(pages.hold(2, Framing::Chunked));
        let sent_of_second = pages.send_to(&near).unwrap_or(0);
        assert!(read(&mut far, sent) == written(&first, Framing::Chunked)[..sent]);
        assert!(read(&mut far, sent_of_second) == written(&second, Framing::Chunked)[..sent_of_second]);
        let sent = pages.send_to(&near).unwrap();
        assert!(read(&mut far, sent) == written(&second, Framing::Chunked)[..sent]);
    }

    #[test]
    fn a_part_that_is_too_large_is_not_held_and_the_next_one_is() {
        let mut pages = Pages::new().unwrap();
        pages.offer(&published(1, MOST_BYTES));
        assert!(!pages.hold(1, Framing::Raw) && !pages.hold(1, Framing::Raw));
        pages.offer(&published(2, 5000));
        assert!(pages.hold(2, Framing::Raw));
    }
}

//! Sends the pages of a pipe to sockets with `tee` and `splice`.
//!
//! `write` copies a frame into the kernel once for each viewer. Here it is copied into a pipe, once; for each
//! viewer `tee` makes another pipe refer to the same pages, and `splice` moves these references into the
//! viewer's socket. `sendfile` from a file in memory does the same with more work: for each viewer it looks
//! up each page in the file's index.
//!
//! Pages that may not have been sent yet are never overwritten: a pipe allocates new ones for what is written
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
const MAX_PART_BYTES: usize = 1024 * 1024;

/// File to which the bytes that no socket accepted are discarded.
const DEV_NULL: &str = "/dev/null";

/// Holds the part of one frame at a time in a pipe.
#[derive(Debug)]
pub struct SplicePipe {
    /// The frame to put into the pipe at the first request for it.
    offered: Option<Arc<PublishedFrame>>,
    /// The frame that was requested last, and the framing it is held in; none if it could not be held.
    requested: Option<(u64, Option<Framing>)>,
    filled: Pipe,
    sending: Pipe,
    dev_null: File,
    /// Set when a pipe may contain bytes that it should not.
    is_broken: bool,
}

impl SplicePipe {
    /// Creates empty pipes.
    ///
    /// # Errors
    /// The system's: no pipes, or no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let dev_null = File::options().write(true).open(DEV_NULL)?;
        let (filled, sending) = (Pipe::new()?, Pipe::new()?);
        Ok(Self { offered: None, requested: None, filled, sending, dev_null, is_broken: false })
    }

    /// Offers a frame, which is put into the pipe at the first request for it.
    pub fn offer(&mut self, published: &Arc<PublishedFrame>) {
        self.offered = Some(published.clone());
    }

    /// Returns whether the part of frame number `seq` is held in this framing; the first request decides in
    /// which. Others, and parts that are too large, have to be written.
    pub fn holds(&mut self, seq: u64, framing: Framing) -> bool {
        let Some(offered) = self.offered.as_ref().filter(|offered| offered.seq == seq) else { return false };
        if self.requested.is_none_or(|(requested, _)| requested != seq) {
            let pieces = offered.part.pieces(framing);
            let fits = offered.part.len(framing) <= MAX_PART_BYTES;
            let held = fits && self.fill(&pieces.each_ref().map(|piece| IoSlice::new(piece))).is_ok();
            self.requested = Some((seq, held.then_some(framing)));
            self.is_broken |= fits && !held;
        }
        self.requested == Some((seq, Some(framing)))
    }

    fn fill(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        self.filled.drain(&self.dev_null)?;
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        self.filled.reserve(bytes)?;
        self.sending.reserve(bytes)?;
        self.filled.bytes = writev(&self.filled.write_end, pieces)?;
        if self.filled.bytes == bytes { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Sends as much of the held part to a socket as that takes now, and returns how many bytes.
    ///
    /// # Errors
    /// The socket's; `WouldBlock` when it takes none now.
    pub fn send_to<S: AsFd>(&mut self, socket: &S) -> io::Result<usize> {
        // What the previous viewer's socket did not accept.
        self.sending.drain(&self.dev_null)?;
        self.sending.bytes =
            tee(&self.filled.read_end, &self.sending.write_end, self.filled.bytes, SpliceFlags::NONBLOCK)?;
        let mut sent = 0;
        while self.sending.bytes > 0 {
            match self.sending.move_to(socket) {
                Ok(moved) => sent += moved,
                // The next call returns the error again.
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
    pub fn clear(&mut self) -> io::Result<()> {
        (self.offered, self.requested) = (None, None);
        if self.is_broken {
            return Err(io::ErrorKind::Other.into());
        }
        self.sending.drain(&self.dev_null)?;
        self.filled.drain(&self.dev_null)
    }
}

#[derive(Debug)]
struct Pipe {
    read_end: OwnedFd,
    write_end: OwnedFd,
    /// Number of bytes in the pipe.
    bytes: usize,
    /// Number of bytes that its size was set for.
    capacity: usize,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (read_end, write_end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { read_end, write_end, bytes: 0, capacity: 0 })
    }

    fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.capacity {
            self.capacity = fcntl_setpipe_size(&self.write_end, bytes)?;
        }
        Ok(())
    }

    fn drain(&mut self, dev_null: &File) -> io::Result<()> {
        while self.bytes > 0 {
            self.move_to(dev_null)?;
        }
        Ok(())
    }

    fn move_to<T: AsFd>(&mut self, to: &T) -> io::Result<usize> {
        let moved = splice(&self.read_end, None, to, None, self.bytes, SpliceFlags::NONBLOCK)?;
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
        let frame = crate::bus::channel::tests::tiny_frame();
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
        for framing in [Framing::Raw, Framing::Chunked, Framing::RawHeadAhead, Framing::ChunkedHeadAhead] {
            let frame = published(1, 100_000);
            let expected = written(&frame, framing);
            let mut pipe = SplicePipe::new().unwrap();
            pipe.offer(&frame);
            assert!(pipe.holds(1, framing));
            for _ in 0..3 {
                let (near, mut far) = sockets();
                let sent = pipe.send_to(&near).unwrap();
                assert!(sent > 0);
                assert!(read(&mut far, sent) == expected[..sent], "{framing:?}");
            }
        }
    }

    #[test]
    fn the_first_who_asks_decides_on_the_framing_and_only_what_is_offered_is_held() {
        let mut pipe = SplicePipe::new().unwrap();
        assert!(!pipe.holds(1, Framing::Raw), "nothing was offered");
        pipe.offer(&published(1, 10));
        assert!(!pipe.holds(2, Framing::Raw));
        assert!(
            pipe.holds(1, Framing::Raw) && !pipe.holds(1, Framing::Chunked) && pipe.holds(1, Framing::Raw)
        );
        pipe.clear().unwrap();
        assert!(!pipe.holds(1, Framing::Raw), "it was let go");
    }

    /// A viewer that takes nothing gets the next frame while the first is still unread.
    #[test]
    fn a_viewer_that_does_not_keep_up_changes_nothing_for_others_and_no_page_is_used_again() {
        let (first, second) = (published(1, 200_000), published(2, 150_000));
        let mut pipe = SplicePipe::new().unwrap();
        let (stalled, _unread) = sockets();
        let (near, mut far) = sockets();
        pipe.offer(&first);
        assert!(pipe.holds(1, Framing::Chunked));
        while pipe.send_to(&stalled).is_ok() {}
        let sent = pipe.send_to(&near).unwrap();
        pipe.offer(&second);
        assert!(pipe.holds(2, Framing::Chunked));
        let sent_of_second = pipe.send_to(&near).unwrap_or(0);
        assert!(read(&mut far, sent) == written(&first, Framing::Chunked)[..sent]);
        assert!(read(&mut far, sent_of_second) == written(&second, Framing::Chunked)[..sent_of_second]);
        let sent = pipe.send_to(&near).unwrap();
        assert!(read(&mut far, sent) == written(&second, Framing::Chunked)[..sent]);
    }

    #[test]
    fn a_part_that_is_too_large_is_not_held_and_the_next_one_is() {
        let mut pipe = SplicePipe::new().unwrap();
        pipe.offer(&published(1, MAX_PART_BYTES));
        assert!(!pipe.holds(1, Framing::Raw) && !pipe.holds(1, Framing::Raw));
        pipe.offer(&published(2, 5000));
        assert!(pipe.holds(2, Framing::Raw));
    }
}

//! Sealed files by `memfd_create`, sent with `sendfile`.
//!
//! `write` copies a frame into the kernel once for each viewer; `sendfile` hands out references to the file's pages. The
//! file is sealed before anybody sends from it: pages that may still be on their way are never written again.

use std::{
    io,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::multipart::writer::{Framing, PreparedPart};

/// One part, headers and delimiter included.
#[derive(Debug)]
pub struct SealedPart {
    file: OwnedFd,
    raw: Range<u64>,
    chunked: Range<u64>,
}

impl SealedPart {
    /// Copies `part` into a file, once, and seals it.
    ///
    /// # Errors
    /// The system's: no memory files, or no file descriptor left.
    pub fn new(part: &PreparedPart) -> io::Result<Self> {
        let file = memfd_create("framecast-part", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut file = std::fs::File::from(file);
        part.write_to(&mut file)?;
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        let chunked = 0..part.len(Framing::Chunked) as u64;
        Ok(Self { file: file.into(), raw: part.raw_within_chunk(), chunked })
    }

    /// Sends bytes of it to a socket, as many as that takes now; answers how many.
    ///
    /// # Errors
    /// The socket's; `WouldBlock` when it takes none now.
    pub fn send_to<S: AsFd>(&self, socket: &S, range: Range<u64>) -> io::Result<usize> {
        let mut offset = range.start;
        let len = (range.end - range.start) as usize;
        Ok(rustix::fs::sendfile(socket, &self.file, Some(&mut offset), len)?)
    }

    /// Which of its bytes a viewer of this framing gets.
    pub fn range(&self, framing: Framing) -> Range<u64> {
        match framing {
            Framing::Raw => self.raw.clone(),
            Framing::Chunked => self.chunked.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::FileExt, time::SystemTime};

    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_sealed_part_holds_the_bytes_that_are_written_otherwise() {
        let part = PreparedPart::new(Bytes::from(vec![7; 1000]), SystemTime::now());
        let sealed = SealedPart::new(&part).unwrap();
        let file = std::fs::File::from(sealed.file.try_clone().unwrap());
        for framing in [Framing::Raw, Framing::Chunked] {
            let range = sealed.range(framing);
            let mut read = vec![0; (range.end - range.start) as usize];
            file.read_exact_at(&mut read, range.start).unwrap();
            let written: Vec<u8> = part.pieces(framing).into_iter().flatten().collect();
            assert_eq!(read, written, "{framing:?}");
        }
    }

    #[test]
    fn nobody_can_write_to_it_again() {
        let part = PreparedPart::new(Bytes::from_static(b"jpeg"), SystemTime::now());
        let sealed = SealedPart::new(&part).unwrap();
        let mut file = std::fs::File::from(sealed.file.try_clone().unwrap());
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
    }
}

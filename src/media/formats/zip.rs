//! Writes JPEGs to an archive (PKWARE's APPNOTE), stored as they are: they would not become smaller.
//!
//! A picture's checksum is computed when the picture is written, so that a clip begins at once. Offsets fit
//! 32 bits, since no clip reaches 4 GiB; for more than 65,534 pictures the end of the archive states their
//! number in a Zip64 record.

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Zoned;

use super::clip::{Clip, ClipFrame, local_time, picture_name};

const LOCAL_HEAD: usize = 30;
const CENTRAL_HEAD: usize = 46;
const END: usize = 22;
const ZIP64_END: usize = 56 + 20;

/// Number of entries that does not fit the archive's end (all ones mean that it is elsewhere).
const ZIP64_ENTRIES: usize = 0xffff;

/// Number of entries of the directory that are rendered at once: some 75 KiB.
const DIRECTORY_BATCH: usize = 1024;

/// Version of ZIP that a reader must support: 1.0 for stored files, 4.5 for the end record of Zip64.
const VERSION: u16 = 10;
const VERSION_ZIP64: u16 = 45;

/// A file made on Unix, whose attributes are a mode.
const MADE_ON_UNIX: u16 = 3 << 8 | VERSION;

/// A plain file that all may read, in the upper half of the attributes.
const PLAIN_FILE: u32 = 0o100_644 << 16;

struct Entry {
    name: Box<str>,
    /// Date and time as in DOS, the time in the low half.
    modified: u32,
    len: u32,
    crc: u32,
    offset: u32,
}

/// Returns the archive of these pictures.
pub(super) fn clip<P: ClipFrame + Send + 'static>(pictures: Vec<P>) -> Clip {
    let mut offset = 0;
    let mut entries = Vec::with_capacity(pictures.len());
    for picture in &pictures {
        let frame = picture.frame();
        let len = u32::try_from(frame.jpeg().len()).expect("frames are 1 GiB at most");
        let name = picture_name(frame, picture.seq()).into_boxed_str();
        let head = (LOCAL_HEAD + name.len()) as u32;
        entries.push(Entry {
            name,
            modified: dos_time(&local_time(frame.captured_at())),
            len,
            crc: 0,
            offset,
        });
        offset += head + len;
    }
    let directory: usize = entries.iter().map(|entry| CENTRAL_HEAD + entry.name.len()).sum();
    let end = END + if entries.len() >= ZIP64_ENTRIES { ZIP64_END } else { 0 };
    let len = u64::from(offset) + (directory + end) as u64;
    Clip {
        len,
        chunks: Box::new(ZipWriter {
            entries,
            directory,
            next: 0,
            state: ZipState::Head(pictures.into_iter()),
        }),
    }
}

/// Writes picture after picture, then the directory.
struct ZipWriter<P> {
    entries: Vec<Entry>,
    /// Length of the directory in bytes.
    directory: usize,
    next: usize,
    state: ZipState<P>,
}

enum ZipState<P> {
    /// The next piece is a picture's head.
    Head(std::vec::IntoIter<P>),
    /// The next piece is the picture itself.
    Body(Bytes, std::vec::IntoIter<P>),
    Directory,
    Ended,
}

impl<P: ClipFrame> Iterator for ZipWriter<P> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, ZipState::Ended) {
            ZipState::Head(mut pictures) => match pictures.next() {
                Some(picture) => {
                    let jpeg = picture.frame().jpeg().clone();
                    let entry = &mut self.entries[self.next];
                    entry.crc = crc32fast::hash(&jpeg);
                    let head = local_head(entry);
                    self.next += 1;
                    self.state = ZipState::Body(jpeg, pictures);
                    Some(head)
                }
                None => {
                    (self.state, self.next) = (ZipState::Directory, 0);
                    self.next()
                }
            },
            ZipState::Body(jpeg, pictures) => {
                self.state = ZipState::Head(pictures);
                Some(jpeg)
            }
            ZipState::Directory => Some(self.directory()),
            ZipState::Ended => None,
        }
    }
}

impl<P> ZipWriter<P> {
    /// Returns the next entries, and after the last the archive's end.
    fn directory(&mut self) -> Bytes {
        let until = self.entries.len().min(self.next + DIRECTORY_BATCH);
        let mut out = BytesMut::new();
        for entry in &self.entries[self.next..until] {
            central_head(entry, &mut out);
        }
        self.next = until;
        if until == self.entries.len() {
            self.end(&mut out);
        } else {
            self.state = ZipState::Directory;
        }
        out.freeze()
    }

    fn end(&self, out: &mut BytesMut) {
        let last = self.entries.last();
        let offset = last.map_or(0, |last| last.offset + (LOCAL_HEAD + last.name.len()) as u32 + last.len);
        if self.entries.len() >= ZIP64_ENTRIES {
            self.zip64_end(offset, out);
        }
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        out.put_slice(b"PK\x05\x06");
        // This disk, the directory's disk, and the number of entries on this one and on all.
        [0, 0, count, count].into_iter().for_each(|value| out.put_u16_le(value));
        out.put_u32_le(self.directory as u32);
        out.put_u32_le(offset);
        out.put_u16_le(0);
    }

    fn zip64_end(&self, offset: u32, out: &mut BytesMut) {
        let count = self.entries.len() as u64;
        let here = u64::from(offset) + self.directory as u64;
        out.put_slice(b"PK\x06\x06");
        // The record's length after this field.
        out.put_u64_le(44);
        [MADE_ON_UNIX | VERSION_ZIP64, VERSION_ZIP64].into_iter().for_each(|value| out.put_u16_le(value));
        [0, 0].into_iter().for_each(|disk| out.put_u32_le(disk));
        [count, count, self.directory as u64, u64::from(offset)]
            .into_iter()
            .for_each(|value| out.put_u64_le(value));
        out.put_slice(b"PK\x06\x07");
        out.put_u32_le(0);
        out.put_u64_le(here);
        out.put_u32_le(1);
    }
}

fn local_head(entry: &Entry) -> Bytes {
    let mut out = BytesMut::with_capacity(LOCAL_HEAD + entry.name.len());
    out.put_slice(b"PK\x03\x04");
    common(entry, &mut out);
    out.put_u16_le(0);
    out.put_slice(entry.name.as_bytes());
    out.freeze()
}

fn central_head(entry: &Entry, out: &mut BytesMut) {
    out.put_slice(b"PK\x01\x02");
    out.put_u16_le(MADE_ON_UNIX);
    common(entry, out);
    // Extra field, comment, disk, internal attributes.
    [0, 0, 0, 0].into_iter().for_each(|value| out.put_u16_le(value));
    out.put_u32_le(PLAIN_FILE);
    out.put_u32_le(entry.offset);
    out.put_slice(entry.name.as_bytes());
}

/// Writes the fields from the version to the length of the name, which both heads have.
fn common(entry: &Entry, out: &mut BytesMut) {
    // Version, flags, stored.
    [VERSION, 0, 0].into_iter().for_each(|value| out.put_u16_le(value));
    [entry.modified, entry.crc, entry.len, entry.len].into_iter().for_each(|value| out.put_u32_le(value));
    out.put_u16_le(entry.name.len() as u16);
}

/// Returns date and time as in DOS: from 1980 on, to two seconds.
fn dos_time(time: &Zoned) -> u32 {
    let part = |value: i8, shift: u32| u32::from(value.unsigned_abs()) << shift;
    let year = u32::from(time.year().clamp(1980, 2107).unsigned_abs()) - 1980;
    let date = year << 9 | part(time.month(), 5) | part(time.day(), 0);
    let clock = part(time.hour(), 11) | part(time.minute(), 5) | part(time.second() / 2, 0);
    date << 16 | clock
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::formats::tests::{Numbered, frame};

    #[test]
    fn times_are_those_of_dos() {
        let time: Zoned = "2026-11-22T21:45:31[UTC]".parse().unwrap();
        assert_eq!(dos_time(&time), (46 << 9 | 11 << 5 | 22) << 16 | (21 << 11 | 45 << 5 | 15));
    }

    #[test]
    fn more_pictures_than_16_bits_count_have_an_end_of_zip64() {
        let one = frame(8, 8);
        let pictures: Vec<_> = (0..70_000).map(|n| Numbered(n, one.clone())).collect();
        let clip = clip(pictures);
        let file: Vec<u8> = clip.chunks.flatten().collect();
        assert_eq!(file.len() as u64, clip.len);
        let end = file.len() - END - ZIP64_END;
        assert_eq!(&file[end..end + 4], b"PK\x06\x06");
        assert_eq!(file[end + 24..end + 32], 70_000_u64.to_le_bytes());
        let at = u64::from_le_bytes(file[end + 48..end + 56].try_into().unwrap()) as usize;
        assert_eq!(&file[at..at + 4], b"PK\x01\x02", "the directory begins where it says");
    }
}

//! Writes AVI with motion JPEG: headers, the pictures as chunks, and an index.
//!
//! AVI has one frame rate for a whole file. It is the mean of the pictures' intervals, except for gaps: while
//! the source was away, empty chunks are written, each of which repeats the previous picture. So the file
//! lasts as long as the recorded time. Without OpenDML such files end at 1 GiB, which no clip reaches.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::clip::{Clip, ClipFrame};

/// Length of RIFF and the lists of headers up to the first picture's chunk.
const HEADER_LEN: u32 = 224;

/// Length of a chunk's head: `fourcc` and length.
const CHUNK_HEAD: u32 = 8;

/// Length of an entry of the index: `fourcc`, flags, offset, length.
const INDEX_ENTRY: u32 = 16;

/// Number of entries of the index that are rendered at once: 16 KiB.
const INDEX_BATCH: usize = 1024;

/// Offset of the first picture: offsets are counted from the `movi` after the list's length.
const FIRST_OFFSET: u32 = 4;

/// Ratio of a gap to the usual interval.
const GAP: u32 = 3;

/// Shortest interval: no stream has more frames a second, and pictures pushed in one burst must not make a
/// gap of a million empty chunks.
const MIN_INTERVAL: Duration = Duration::from_micros(4167);

/// Time for which a single picture is shown.
const ONE_PICTURE: Duration = Duration::from_secs(1);

const VIDEO_CHUNK: &[u8] = b"00dc";

/// Returns the file of these pictures.
pub(super) fn clip<P: ClipFrame + Send + 'static>(pictures: Vec<P>) -> Clip {
    let arrivals: Vec<Duration> = match pictures.first() {
        Some(first) => {
            let start = first.frame().arrived_at();
            pictures.iter().map(|p| p.frame().arrived_at().saturating_duration_since(start)).collect()
        }
        None => Vec::new(),
    };
    let interval = interval(&arrivals);
    let lengths = chunks(&pictures, &empty_chunks(&arrivals, interval));
    let header = Header::new(&pictures, interval, &lengths);
    let movi = pictures.into_iter().zip(empty_chunks(&arrivals, interval)).flat_map(|(picture, empty)| {
        let jpeg = picture.frame().jpeg().clone();
        let mut head = BytesMut::with_capacity((empty + 1) * CHUNK_HEAD as usize);
        for len in std::iter::repeat_n(0, empty).chain([len_u32(&jpeg)]) {
            head.put_slice(VIDEO_CHUNK);
            head.put_u32_le(len);
        }
        let padding = if jpeg.len() % 2 == 1 { Bytes::from_static(&[0]) } else { Bytes::new() };
        [head.freeze(), jpeg, padding].into_iter().filter(|piece| !piece.is_empty())
    });
    let (len, start) = (u64::from(header.riff_len) + 8, header.render());
    Clip { len, chunks: Box::new(std::iter::once(start).chain(movi).chain(index(lengths))) }
}

/// Returns the time for which each picture is shown: the mean of the intervals that are no gaps.
fn interval(arrivals: &[Duration]) -> Duration {
    let mut intervals: Vec<Duration> =
        arrivals.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    if intervals.is_empty() {
        return ONE_PICTURE;
    }
    intervals.sort_unstable();
    let usual = intervals[intervals.len() / 2].max(MIN_INTERVAL);
    let regular = &intervals[..intervals.partition_point(|interval| *interval < usual * GAP)];
    let count = u32::try_from(regular.len()).unwrap_or(u32::MAX).max(1);
    (regular.iter().sum::<Duration>() / count).max(MIN_INTERVAL)
}

/// Returns the number of empty chunks before each picture. They are written only in gaps: the jitter of a
/// network is no reason to show a picture twice and to omit the next.
fn empty_chunks(arrivals: &[Duration], interval: Duration) -> Vec<usize> {
    let mut before = Duration::ZERO;
    arrivals
        .iter()
        .map(|&arrival| {
            let silence = arrival.saturating_sub(std::mem::replace(&mut before, arrival));
            if silence < interval * GAP {
                return 0;
            }
            let intervals = (silence.as_secs_f64() / interval.as_secs_f64()).round();
            // The span that is kept is an hour at most, and the interval four milliseconds at least.
            (intervals as usize).saturating_sub(1)
        })
        .collect()
}

/// Returns the lengths of all chunks, the empty ones too.
fn chunks<P: ClipFrame>(pictures: &[P], empty: &[usize]) -> Vec<u32> {
    let one = |(picture, &empty): (&P, &usize)| {
        std::iter::repeat_n(0, empty).chain([len_u32(picture.frame().jpeg())])
    };
    pictures.iter().zip(empty).flat_map(one).collect()
}

fn len_u32(jpeg: &Bytes) -> u32 {
    u32::try_from(jpeg.len()).expect("frames are 1 GiB at most")
}

/// Returns the index, in batches.
fn index(lengths: Vec<u32>) -> impl Iterator<Item = Bytes> + Send {
    let mut head = BytesMut::with_capacity(CHUNK_HEAD as usize);
    head.put_slice(b"idx1");
    head.put_u32_le(lengths.len() as u32 * INDEX_ENTRY);
    let (mut next, mut offset) = (0, FIRST_OFFSET);
    let batches = std::iter::from_fn(move || {
        let batch = &lengths[next..lengths.len().min(next + INDEX_BATCH)];
        next += batch.len();
        let mut entries = BytesMut::with_capacity(batch.len() * INDEX_ENTRY as usize);
        for &len in batch {
            // Every motion JPEG is a key frame.
            const KEY_FRAME: u32 = 0x10;
            entries.put_slice(VIDEO_CHUNK);
            entries.put_u32_le(if len > 0 { KEY_FRAME } else { 0 });
            entries.put_u32_le(offset);
            entries.put_u32_le(len);
            offset += padded(len);
        }
        (!batch.is_empty()).then(|| entries.freeze())
    });
    std::iter::once(head.freeze()).chain(batches)
}

/// Returns the length of a chunk with its head and padding.
fn padded(len: u32) -> u32 {
    CHUNK_HEAD + len + len % 2
}

/// The sizes and rates in the headers before the first chunk.
#[derive(Debug)]
struct Header {
    riff_len: u32,
    movi_len: u32,
    interval: u32,
    chunks: u32,
    largest: u32,
    bytes_per_second: u32,
    width: u16,
    height: u16,
}

impl Header {
    fn new<P: ClipFrame>(pictures: &[P], interval: Duration, lengths: &[u32]) -> Self {
        let movi_len = 4 + lengths.iter().map(|&len| padded(len)).sum::<u32>();
        let chunks = lengths.len() as u32;
        // Its own head and the list's are in the header's length; `movi` too.
        let riff_len = HEADER_LEN - 8 + (movi_len - 4) + CHUNK_HEAD + chunks * INDEX_ENTRY;
        let largest = lengths.iter().copied().max().unwrap_or_default();
        let micros = u32::try_from(interval.as_micros()).unwrap_or(u32::MAX);
        let rate = f64::from(largest) / interval.as_secs_f64();
        let size = pictures.first().map(|first| (first.frame().width(), first.frame().height()));
        let (width, height) = size.unwrap_or((1, 1));
        Self {
            riff_len,
            movi_len,
            interval: micros,
            chunks,
            largest,
            bytes_per_second: rate as u32,
            width,
            height,
        }
    }

    fn render(&self) -> Bytes {
        const HDRL_LEN: u32 = HEADER_LEN - 12 - 8 - 12;
        const AVIH_LEN: u32 = 56;
        const STRH_LEN: u32 = 56;
        const STRF_LEN: u32 = 40;
        const STRL_LEN: u32 = 4 + (8 + STRH_LEN) + (8 + STRF_LEN);
        const HAS_INDEX: u32 = 0x10;
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let mut out = BytesMut::with_capacity(HEADER_LEN as usize);
        let list = |out: &mut BytesMut, fourcc: &[u8], len: u32| {
            out.put_slice(fourcc);
            out.put_u32_le(len);
        };
        list(&mut out, b"RIFF", self.riff_len);
        out.put_slice(b"AVI ");
        list(&mut out, b"LIST", HDRL_LEN);
        out.put_slice(b"hdrl");
        list(&mut out, b"avih", AVIH_LEN);
        let main = [self.interval, self.bytes_per_second, 0, HAS_INDEX, self.chunks, 0, 1, self.largest];
        main.into_iter().chain([width, height, 0, 0, 0, 0]).for_each(|value| out.put_u32_le(value));
        list(&mut out, b"LIST", STRL_LEN);
        out.put_slice(b"strl");
        list(&mut out, b"strh", STRH_LEN);
        out.put_slice(b"vidsMJPG");
        // Flags, priority and language, initial frames, scale, rate, start, length, buffer, quality, sample
        // size.
        const MICROS: u32 = 1_000_000;
        const ANY_QUALITY: u32 = u32::MAX;
        let stream = [0, 0, 0, self.interval, MICROS, 0, self.chunks, self.largest, ANY_QUALITY, 0];
        stream.into_iter().for_each(|value| out.put_u32_le(value));
        [0, 0, self.width, self.height].into_iter().for_each(|side| out.put_u16_le(side));
        list(&mut out, b"strf", STRF_LEN);
        [STRF_LEN, width, height].into_iter().for_each(|value| out.put_u32_le(value));
        // Planes and bits.
        [1, 24].into_iter().for_each(|value| out.put_u16_le(value));
        out.put_slice(b"MJPG");
        [width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]
            .into_iter()
            .for_each(|value| out.put_u32_le(value));
        list(&mut out, b"LIST", self.movi_len);
        out.put_slice(b"movi");
        debug_assert_eq!(out.len(), HEADER_LEN as usize, "its length is what the offsets count on");
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::formats::tests::{Numbered, frame};

    fn at(millis: &[u64]) -> Vec<Duration> {
        millis.iter().map(|&millis| Duration::from_millis(millis)).collect()
    }

    #[test]
    fn the_interval_is_the_mean_whatever_the_jitter() {
        let jittered = at(&[0, 60, 200, 290, 400, 530, 600]);
        assert_eq!(interval(&jittered), Duration::from_millis(100));
        assert_eq!(empty_chunks(&jittered, interval(&jittered)), [0; 7]);
        assert_eq!(interval(&at(&[0])), ONE_PICTURE);
    }

    #[test]
    fn a_gap_changes_no_rate_and_lasts_as_long_as_it_did() {
        let gap = at(&[0, 100, 200, 2200, 2300, 2400]);
        assert_eq!(interval(&gap), Duration::from_millis(100));
        assert_eq!(empty_chunks(&gap, interval(&gap)), [0, 0, 0, 19, 0, 0]);
    }

    #[test]
    fn pictures_of_one_moment_do_not_make_a_million_chunks_of_the_silence_behind_them() {
        let burst = at(&[0, 0, 0, 0, 3_600_000]);
        let empty = empty_chunks(&burst, interval(&burst));
        assert!(empty[4] < 1_000_000, "{empty:?}");
    }

    #[test]
    fn lists_and_index_say_where_each_picture_is() {
        let pictures: Vec<_> = (1..=4).map(|n| Numbered(n, frame(8 * n as u16, 16))).collect();
        let jpegs: Vec<_> = pictures.iter().map(|picture| picture.1.jpeg().clone()).collect();
        let file: Vec<u8> = clip(pictures).chunks.flatten().collect();
        let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((&file[..4], number(4)), (&b"RIFF"[..], file.len() - 8));
        assert_eq!((&file[12..16], &file[20..24]), (&b"LIST"[..], &b"hdrl"[..]));
        let movi = 20 + number(16);
        assert_eq!((&file[movi..movi + 4], &file[movi + 8..movi + 12]), (&b"LIST"[..], &b"movi"[..]));
        let index = movi + 8 + number(movi + 4);
        assert_eq!((&file[index..index + 4], number(index + 4)), (&b"idx1"[..], 4 * 16));
        for (n, jpeg) in jpegs.iter().enumerate() {
            let entry = index + 8 + n * 16;
            let (offset, len) = (movi + 8 + number(entry + 8), number(entry + 12));
            assert_eq!(&file[offset..offset + 4], b"00dc");
            assert_eq!(number(offset + 4), len);
            assert_eq!(file[offset + 8..offset + 8 + len], jpeg[..]);
            assert_eq!(offset % 2, 0, "chunks begin at even offsets");
        }
        assert_eq!(index + 8 + 4 * 16, file.len());
    }
}

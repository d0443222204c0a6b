//! Pictures that can prove whose they are: decodable JPEGs of noise, each with a timestamp in a comment
//! segment with stream, epoch, sequence number, time and a checksum over all its bytes.

use std::time::Instant;

use fastrand::Rng;
use framecast::media::jpeg::inspect;
use jpeg_encoder::{ColorType, Encoder};

/// Noise pictures made at the start; a frame is one of them and a timestamp.
const PICTURES: usize = 11;

/// Sizes of the smallest and the largest picture, about.
const SMALLEST_BYTES: usize = 4_000;
const LARGEST_BYTES: usize = 30_000;

const SOI: &[u8] = b"\xff\xd8";
const COMMENT: &[u8] = b"\xff\xfe";
const MAGIC: &[u8] = b"SOAKSTMP";

/// Magic, stream, epoch, sequence, time, checksum.
const TIMESTAMP_BYTES: usize = MAGIC.len() + 2 + 4 + 8 + 8 + 8;

/// The data that a frame carries about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp {
    /// Number of the stream it belongs to.
    pub(crate) stream: u16,
    /// Number of times that its camera has died before.
    pub(crate) epoch: u32,
    /// Counts up within a stream.
    pub(crate) sequence: u64,
    /// When it was sent, in microseconds of the soak's clock.
    pub(crate) sent_us: u64,
}

impl Timestamp {
    /// Orders the frames of one stream.
    pub(crate) fn order(self) -> (u32, u64) {
        (self.epoch, self.sequence)
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.sent_us.to_be_bytes());
        bytes
    }
}

/// The pictures that frames are made of, and the clock they are timestamped by.
#[derive(Debug)]
pub(crate) struct PictureSet {
    /// JPEGs without their SOI.
    pictures: Vec<Vec<u8>>,
    started: Instant,
}

impl PictureSet {
    /// Draws the pictures.
    pub(crate) fn draw() -> Self {
        let step = (LARGEST_BYTES - SMALLEST_BYTES) / (PICTURES - 1);
        let mut rng = Rng::with_seed(0);
        let pictures = (0..PICTURES).map(|n| noise(SMALLEST_BYTES + n * step, &mut rng)).collect();
        Self { pictures, started: Instant::now() }
    }

    /// The soak's clock.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).expect("a soak is shorter than 500,000 years")
    }

    /// The next frame of a stream, of any size.
    pub(crate) fn frame(&self, stream: u16, epoch: u32, sequence: u64) -> Vec<u8> {
        // Small and large ones by turns: 7 and 11 have no common divisor.
        let turn = (sequence * 7 + u64::from(stream)) % self.pictures.len() as u64;
        let picture = &self.pictures[usize::try_from(turn).expect("less than there are pictures")];
        let timestamp = Timestamp { stream, epoch, sequence, sent_us: self.now_us() }.bytes();
        let check = checksum(&timestamp, picture);
        let length = u16::try_from(2 + TIMESTAMP_BYTES).expect("a timestamp is short");
        [SOI, COMMENT, &length.to_be_bytes(), &timestamp, &check.to_be_bytes(), picture].concat()
    }
}

/// A grey picture of noise of at least so many bytes.
fn noise(bytes: usize, rng: &mut Rng) -> Vec<u8> {
    let mut side = 48_u16;
    loop {
        let pixels: Vec<u8> = (0..u32::from(side) * u32::from(side)).map(|_| rng.u8(..)).collect();
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 75)
            .encode(&pixels, side, side, ColorType::Luma)
            .expect("as many bytes as pixels, written to memory");
        if jpeg.len() >= bytes {
            return jpeg.split_off(SOI.len());
        }
        side += 16;
    }
}

/// The properties of a whole JPEG at a viewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// None: framecast drew it, or encoded it anew.
    pub(crate) timestamp: Option<Timestamp>,
}

/// Examines a part at a viewer: whether it is whole, and whose it is.
///
/// # Errors
/// What is torn about it.
pub(crate) fn examine(jpeg: &[u8]) -> Result<Seen, String> {
    let info = inspect(jpeg).map_err(|error| format!("torn frame: {error}"))?;
    if info.len != jpeg.len() {
        return Err(format!("torn frame: its JPEG ends at {} of {} bytes", info.len, jpeg.len()));
    }
    Ok(Seen { width: info.width, height: info.height, timestamp: timestamp(jpeg)? })
}

fn timestamp(jpeg: &[u8]) -> Result<Option<Timestamp>, String> {
    let Some(timestamp) = jpeg[SOI.len() + COMMENT.len() + 2..].get(..TIMESTAMP_BYTES) else {
        return Ok(None);
    };
    if !timestamp.starts_with(MAGIC) {
        return Ok(None);
    }
    let (said, check) = timestamp.split_at(TIMESTAMP_BYTES - 8);
    let picture = &jpeg[SOI.len() + COMMENT.len() + 2 + TIMESTAMP_BYTES..];
    if checksum(said, picture).to_be_bytes() != check {
        return Err("torn frame: the checksum does not fit".to_owned());
    }
    let number =
        |from: usize, len: usize| said[from..from + len].iter().fold(0, |n, &b| n << 8 | u64::from(b));
    Ok(Some(Timestamp {
        stream: u16::from_be_bytes([said[8], said[9]]),
        epoch: u32::from_be_bytes([said[10], said[11], said[12], said[13]]),
        sequence: number(14, 8),
        sent_us: number(22, 8),
    }))
}

/// A frame's identity when it has no timestamp.
pub(crate) fn fingerprint(jpeg: &[u8]) -> u64 {
    checksum(&[], jpeg)
}

/// Eight bytes at a time: every frame of every viewer is summed up.
fn checksum(timestamp: &[u8], picture: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for bytes in [timestamp, picture] {
        for eight in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..eight.len()].copy_from_slice(eight);
            sum = (sum.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }
    sum
}

//! The second bytes of markers (ITU-T T.81, table B.1).

pub(super) const TEM: u8 = 0x01;
pub(super) const SOF0: u8 = 0xc0;
pub(super) const SOF2: u8 = 0xc2;
pub(super) const SOF3: u8 = 0xc3;
pub(super) const DHT: u8 = 0xc4;
pub(super) const SOF15: u8 = 0xcf;
pub(super) const RST0: u8 = 0xd0;
pub(super) const RST7: u8 = 0xd7;
pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;

//! A walk gives the same verdict however the bytes arrive, and adding tables keeps a JPEG whole.

#![no_main]

use bytes::Bytes;
use framecast::frame::{Progress, Walk, inspect, with_huffman_tables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let mut walk = Walk::default();
    let mut verdict = Ok(Progress::NeedMore);
    let ends = (0..bytes.len()).step_by(usize::from(step) + 1).chain([bytes.len()]);
    for end in ends {
        if verdict == Ok(Progress::NeedMore) {
            verdict = walk.advance(&bytes[..end]);
        }
    }
    assert_eq!(verdict, Walk::default().advance(bytes));
    if let Ok(info) = inspect(bytes) {
        assert!(bytes[..info.len].ends_with(&[0xff, 0xd9]));
        let whole = with_huffman_tables(&Bytes::copy_from_slice(&bytes[..info.len]));
        let with_tables = inspect(&whole).expect("added tables leave a JPEG whole");
        assert!(with_tables.has_huffman_tables && with_tables.len == whole.len());
    }
});

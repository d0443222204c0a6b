//! Finds the end of picture data.
//!
//! An entropy-coded scan has an FF every hundred bytes or so, and nearly every one is data (FF 00) or a
//! restart marker. Searching from one FF to the next costs a mispredicted branch for each, because a
//! processor cannot predict their positions. So whole blocks of bytes are tested without branches for any FF
//! that might end the data; the compiler generates vector instructions for the test. The first test is as
//! short as possible and rules out nearly all blocks. The few that remain (restart markers, fill bytes, and
//! the end) are examined byte by byte.

use super::marker;

/// Number of bytes examined at once: long enough that the outer loop costs little, short enough that
/// searching a block that contains a marker costs little, too.
const BLOCK: usize = 64;

/// Returns the offset of the first marker that ends a scan, at its last FF: fill bytes (FF FF) belong to the
/// data. An FF without its second byte is none yet.
pub(crate) fn end_of_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    // Each byte is examined together with the next one.
    if let Some(last) = bytes.len().checked_sub(BLOCK + 1) {
        loop {
            let (firsts, seconds) = (&bytes[at..at + BLOCK], &bytes[at + 1..at + 1 + BLOCK]);
            if has_marker(firsts, seconds) && has_end(firsts, seconds) {
                break;
            }
            if at == last {
                return None;
            }
            // The last block overlaps the one before, so that nothing is left that is shorter than a block.
            at = (at + BLOCK).min(last);
        }
    }
    let rest = &bytes[at..];
    let found = rest.iter().zip(rest.get(1..)?).position(|(&first, &second)| is_end(first, second))?;
    Some(at + found)
}

/// Returns whether there is an FF followed by anything but 0. Three instructions for 16 bytes: what is left
/// of FF is 1, of all others 0, and the smaller one of that and the byte behind it is 0 but for a marker.
fn has_marker(firsts: &[u8], seconds: &[u8]) -> bool {
    let pairs = firsts.iter().zip(seconds);
    pairs.fold(0, |found, (&first, &second)| found | first.saturating_sub(0xfe).min(second)) != 0
}

fn has_end(firsts: &[u8], seconds: &[u8]) -> bool {
    firsts.iter().zip(seconds).fold(false, |found, (&first, &second)| found | is_end(first, second))
}

/// Returns whether two bytes end a scan. `&` in place of `&&` avoids branches.
fn is_end(first: u8, second: u8) -> bool {
    let restart = second & !7 == marker::RST0;
    (first == 0xff) & (second != 0) & (second != 0xff) & !restart
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Finds the end as in T.81, byte by byte.
    fn one_by_one(bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at + 1 < bytes.len() {
            match (bytes[at], bytes[at + 1]) {
                (0xff, 0 | marker::RST0..=marker::RST7) => at += 2,
                (0xff, 0xff) => at += 1,
                (0xff, _) => return Some(at),
                _ => at += 1,
            }
        }
        None
    }

    #[test]
    fn every_marker_is_found_at_every_place_and_no_other() {
        for code in 0..=0xff {
            for len in [2, BLOCK, BLOCK + 1, BLOCK + 2, 3 * BLOCK + 7] {
                for at in 0..len - 1 {
                    let mut bytes = vec![0x55; len];
                    bytes[at..at + 2].copy_from_slice(&[0xff, code]);
                    let end = match code {
                        0 | marker::RST0..=marker::RST7 => None,
                        // A fill byte: the marker's own FF is the second one, if its code has come.
                        0xff => (at + 2 < len).then_some(at + 1),
                        _ => Some(at),
                    };
                    assert_eq!(end_of_scan(&bytes), end, "FF {code:02X} at {at} of {len}");
                }
            }
        }
        for bytes in [&b""[..], b"\xff", b"\xd9", b"\xff\xff", b"\0\xff"] {
            assert_eq!(end_of_scan(bytes), None);
        }
    }

    fn picture_data() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            20 => any::<u8>().prop_map(|byte| byte & 0x7f),
            4 => Just(0xff),
            6 => Just(0),
            4 => 0xd0_u8..=0xd7,
            1 => 0xd8_u8..=0xda,
        ];
        prop::collection::vec(byte, 0..5 * BLOCK)
    }

    proptest! {
        #[test]
        fn asking_blocks_gives_what_going_byte_by_byte_gives(bytes in picture_data()) {
            prop_assert_eq!(end_of_scan(&bytes), one_by_one(&bytes));
        }

        #[test]
        fn data_without_an_end_have_none_however_long(mut bytes in picture_data()) {
            while let Some(at) = one_by_one(&bytes) {
                bytes[at] = 0;
            }
            prop_assert_eq!(end_of_scan(&bytes), None);
            bytes.extend_from_slice(&[0, 0xff, 0xd9]);
            prop_assert_eq!(end_of_scan(&bytes), Some(bytes.len() - 2));
        }
    }
}

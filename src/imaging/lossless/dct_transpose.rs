//! The new position and sign of a block's coefficients when the block is mirrored or transposed.
//!
//! Mirrored left to right, every second wave across changes its sign; likewise down. Transposed, waves across
//! become waves down. So no value is ever rounded.

/// The row and column of each position in zigzag order.
const ZIGZAG: [(u8, u8); 64] = zigzag();

/// The new position of each position in zigzag order when rows become columns.
pub(super) const TRANSPOSED: [u8; 64] = transposed();

const fn zigzag() -> [(u8, u8); 64] {
    let mut places = [(0, 0); 64];
    let (mut k, mut diagonal) = (0, 0_u8);
    while diagonal < 15 {
        let mut step = 0;
        while step <= diagonal {
            // Odd diagonals go down, even ones up.
            let row = if diagonal % 2 == 1 { step } else { diagonal - step };
            if row < 8 && diagonal - row < 8 {
                places[k] = (row, diagonal - row);
                k += 1;
            }
            step += 1;
        }
        diagonal += 1;
    }
    places
}

const fn transposed() -> [u8; 64] {
    let mut transposed = [0; 64];
    let mut k = 0;
    while k < 64 {
        let mut other = 0;
        while ZIGZAG[other].0 != ZIGZAG[k].1 || ZIGZAG[other].1 != ZIGZAG[k].0 {
            other += 1;
        }
        transposed[k] = other as u8;
        k += 1;
    }
    transposed
}

/// Returns a bit for each position in zigzag order whose coefficient changes its sign.
pub(super) fn negated(mirror_x: bool, mirror_y: bool) -> u64 {
    let is_negated = |&(row, column): &(u8, u8)| (mirror_x && column % 2 == 1) ^ (mirror_y && row % 2 == 1);
    (0..).zip(&ZIGZAG).filter(|(_, place)| is_negated(place)).map(|(k, _): (u32, _)| 1 << k).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zigzag_is_that_of_the_standard() {
        let natural = ZIGZAG.map(|(row, column)| row * 8 + column);
        assert_eq!(natural[..12], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25]);
        assert_eq!(natural[57..], [60, 61, 54, 47, 55, 62, 63]);
        let mut all = natural;
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..64));
    }

    #[test]
    fn transposing_twice_is_nothing() {
        for k in 0..64 {
            assert_eq!(TRANSPOSED[usize::from(TRANSPOSED[k])], k as u8);
        }
    }

    #[test]
    fn mirroring_negates_every_second_wave() {
        assert_eq!(negated(false, false), 0);
        assert_eq!(negated(true, false) & 0b11_1111, 0b01_0010);
        assert_eq!(negated(false, true) & 0b11_1111, 0b01_0100);
        assert_eq!(negated(true, true), negated(true, false) ^ negated(false, true));
    }
}

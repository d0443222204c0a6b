//! Converts the colours of video to those of JPEG: full range, BT.601 (JFIF 1.02).

use crate::imaging::ycbcr::Planes;

/// Copies a row of brightness, or of a colour difference, to full range.
pub(super) fn copy_row(from: &[u8], to: &mut [u8], is_colour: bool, is_full_range: bool) {
    if is_full_range {
        to.copy_from_slice(from);
    } else if is_colour {
        from.iter().zip(to).for_each(|(&from, to)| *to = full_range_colour(from));
    } else {
        from.iter().zip(to).for_each(|(&from, to)| *to = full_range_brightness(from));
    }
}

/// Stretches 16 to 235 to 0 to 255: times 255/219, which is 1 and 42/256.
fn full_range_brightness(value: u8) -> u8 {
    let above = u16::from(value.clamp(16, 235) - 16);
    (above + ((above * 42 + 128) >> 8)) as u8
}

/// Stretches 16 to 240 around 128: times 255/224, which is 1 and 71/512.
fn full_range_colour(value: u8) -> u8 {
    let difference = i16::from(value) - 128;
    (128 + difference + ((difference * 71 + 256) >> 9)).clamp(0, 255) as u8
}

/// Converts a full-range 4:2:0 picture from BT.709 to BT.601.
///
/// The RGB of both are the same: `Y' = Y + 0.1016 Cb + 0.1961 Cr`, `Cb' = 0.9899 Cb - 0.1107 Cr`,
/// `Cr' = 0.9834 Cr - 0.0725 Cb`; in 256ths below.
pub(super) fn to_bt601(picture: &mut Planes) {
    let (width, height) = (picture.width(), picture.height());
    let (across, down) = picture.size_of(1);
    let (brightness, colours) = picture.data_mut().split_at_mut(width * height);
    let (blues, reds) = colours.split_at_mut(across * down);
    let rows = blues.chunks_exact_mut(across).zip(reds.chunks_exact_mut(across));
    for (two_rows, (blues, reds)) in brightness.chunks_mut(2 * width).zip(rows) {
        for row in two_rows.chunks_mut(width) {
            for (pair, (&blue, &red)) in row.chunks_mut(2).zip(blues.iter().zip(&*reds)) {
                let (blue, red) = (i16::from(blue) - 128, i16::from(red) - 128);
                let more = (26 * blue + 50 * red + 128) >> 8;
                pair.iter_mut().for_each(|value| *value = (i16::from(*value) + more).clamp(0, 255) as u8);
            }
        }
        for (blue, red) in blues.iter_mut().zip(reds) {
            let (from_blue, from_red) = (i32::from(*blue) - 128, i32::from(*red) - 128);
            let byte = |scaled: i32| (((scaled + 128) >> 8) + 128).clamp(0, 255) as u8;
            *blue = byte(253 * from_blue - 28 * from_red);
            *red = byte(252 * from_red - 19 * from_blue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::ycbcr::Sampling;

    #[test]
    fn the_range_is_stretched_with_at_most_one_step_of_error() {
        for value in 0..=255_u8 {
            let exact = ((f32::from(value) - 16.0) * 255.0 / 219.0).clamp(0.0, 255.0);
            assert!((f32::from(full_range_brightness(value)) - exact).abs() <= 1.0, "{value}");
            let exact = ((f32::from(value) - 128.0) * 255.0 / 224.0 + 128.0).clamp(0.0, 255.0);
            assert!((f32::from(full_range_colour(value)) - exact).abs() <= 1.0, "{value}");
        }
        assert_eq!([16, 235, 0, 255].map(full_range_brightness), [0, 255, 0, 255]);
        assert_eq!([16, 128, 240].map(full_range_colour), [0, 128, 255]);
    }

    #[test]
    fn bt_709_becomes_bt_601_of_the_same_red_green_and_blue() {
        for [r, g, b] in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [20, 200, 90], [0, 0, 0]] {
            let (r, g, b) = (f32::from(r as u8), f32::from(g as u8), f32::from(b as u8));
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
            for (width, height) in [(4, 2), (5, 3)] {
                let mut picture = Planes::default();
                picture.reshape(width, height, Sampling::S420).unwrap();
                picture.plane_mut(0).fill(byte(y));
                picture.plane_mut(1).fill(byte((b - y) / 1.8556 + 128.0));
                picture.plane_mut(2).fill(byte((r - y) / 1.5748 + 128.0));
                to_bt601(&mut picture);
                let found = picture.rgb(width - 1, height - 1).map(f32::from);
                for (found, expected) in found.into_iter().zip([r, g, b]) {
                    assert!((found - expected).abs() <= 4.0, "{found} for {expected} of {r} {g} {b}");
                }
            }
        }
    }
}

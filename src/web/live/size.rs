//! The sizes that pages share. Pure.
//!
//! Windows are of any size, so tiles are too. Each gets the smallest of a few sizes that fills it: pages
//! that show a stream in about the same size share one rendition of it, and with it one encoding.

/// Widths, at about a third from one to the next.
const WIDTHS: [u16; 10] = [160, 240, 320, 480, 640, 800, 960, 1280, 1600, 1920];

/// Heights that go with them, at 16:9.
const HEIGHTS: [u16; 10] = [90, 136, 180, 270, 360, 450, 540, 720, 900, 1080];

/// A picture that has so many times the pixels that are asked for, in both directions, is not worth an
/// encoding.
const MIN_RATIO: f32 = 1.25;

/// The box to fit a picture into; none when that would not be smaller than the picture is.
pub(super) fn shared_size(
    asked: (Option<u16>, Option<u16>),
    picture: Option<(u16, u16)>,
) -> Option<(u16, u16)> {
    let (width, height) = match asked {
        (None, None) => return None,
        (width, height) => (step(width, &WIDTHS)?, step(height, &HEIGHTS)?),
    };
    let near = |side: u16, wanted: u16| f32::from(side) <= f32::from(wanted) * MIN_RATIO;
    let fits = picture.is_some_and(|(w, h)| near(w, width) && near(h, height));
    (!fits).then_some((width, height))
}

/// Returns the smallest step that is not below `asked`, or the largest step without it; `None` above all
/// steps.
fn step(asked: Option<u16>, steps: &[u16]) -> Option<u16> {
    match asked {
        None => steps.last().copied(),
        Some(asked) => steps.iter().copied().find(|step| *step >= asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_the_same_places_share_a_size() {
        let full_hd = Some((1920, 1080));
        assert_eq!(shared_size((Some(300), Some(169)), full_hd), Some((320, 180)));
        assert_eq!(shared_size((Some(320), Some(180)), full_hd), Some((320, 180)));
        assert_eq!(shared_size((Some(330), Some(186)), full_hd), Some((480, 270)));
        assert_eq!(shared_size((Some(300), None), full_hd), Some((320, 1080)));
    }

    #[test]
    fn a_picture_that_is_small_enough_goes_as_it_is() {
        assert_eq!(shared_size((Some(320), Some(180)), Some((320, 180))), None);
        assert_eq!(shared_size((Some(320), Some(180)), Some((352, 220))), None);
        assert_eq!(shared_size((Some(320), Some(180)), Some((320, 568))), Some((320, 180)), "a tall one");
        assert_eq!(shared_size((None, None), Some((1920, 1080))), None, "nothing is said");
        assert_eq!(shared_size((Some(4000), Some(2000)), Some((3840, 2160))), None, "larger than all steps");
    }

    #[test]
    fn what_is_not_known_yet_is_made_to_fit() {
        assert_eq!(shared_size((Some(320), Some(180)), None), Some((320, 180)));
    }
}

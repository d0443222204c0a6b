//! Each step, on JPEGs as cameras make them.

use framecast::{imaging::codec::PixelFormat, media::frame::Frame};

use super::scene::{
    BLUE, COLOURED, EXIF_6, GRAY, GREEN, PLAIN, RED, WHITE, YELLOW, assert_colour, at, pipeline, seen,
    transformed,
};

#[test]
fn every_kind_of_jpeg_is_made_smaller_with_its_colours_where_they_were() {
    for (kind, jpeg) in COLOURED {
        for width in [300, 200, 160, 100, 80, 64] {
            let small = seen(jpeg, &format!("{{scale: {{width: {width}}}}}"));
            let height = width * 3 / 4;
            assert_eq!((usize::from(small.width()), usize::from(small.height())), (width, height), "{kind}");
            let quarters = [(1, 1, RED), (1, 3, BLUE), (3, 3, YELLOW)];
            for (x, y, colour) in quarters {
                assert_colour(&small, (width * x / 4, height * y / 4), colour, kind);
            }
            assert_colour(&small, (width * 3 / 4, height / 4), WHITE, kind);
            if width >= 100 {
                assert_colour(&small, (width * 9 / 16, height * 7 / 16), GREEN, kind);
            }
        }
    }
}

#[test]
fn gray_stays_gray() {
    let small = seen(GRAY, "{scale: {width: 160}}");
    assert_eq!((small.format(), small.width()), (PixelFormat::Gray, 160));
    assert_colour(&small, (120, 30), WHITE, "the disc");
}

#[test]
fn turns_and_mirrors_move_the_corners() {
    // Where the parts are: above left, above right, below left, below right.
    let cases = [
        ("{rotate: 90}", [BLUE, RED, YELLOW, GREEN]),
        ("{rotate: 180}", [YELLOW, BLUE, GREEN, RED]),
        ("{rotate: 270}", [GREEN, YELLOW, RED, BLUE]),
        ("{flip: horizontal}", [GREEN, RED, YELLOW, BLUE]),
        ("{flip: vertical}", [BLUE, YELLOW, RED, GREEN]),
        ("{rotate: 90}, {flip: horizontal}", [RED, BLUE, GREEN, YELLOW]),
    ];
    for (kind, jpeg) in COLOURED {
        for (steps, colours) in cases {
            let turned = seen(jpeg, steps);
            let (width, height) = (usize::from(turned.width()), usize::from(turned.height()));
            let sideways = steps.contains("90") || steps.contains("270");
            assert_eq!((width, height), if sideways { (240, 320) } else { (320, 240) }, "{kind} {steps}");
            let corners = [(10, 10), (width - 10, 10), (10, height - 10), (width - 10, height - 10)];
            for (corner, colour) in corners.into_iter().zip(colours) {
                assert_colour(&turned, corner, colour, &format!("{kind} {steps}"));
            }
        }
    }
}

#[test]
fn a_camera_held_sideways_is_upright_and_says_so_no_more() {
    let frame = transformed(EXIF_6, "encode: {quality: 90}").unwrap();
    assert_eq!((frame.width(), frame.height()), (320, 240));
    assert!(!frame.jpeg().windows(4).any(|bytes| bytes == b"Exif"), "it would be turned once more");
}

#[test]
fn a_part_is_cut_to_the_pixel() {
    let part = seen(PLAIN, "{crop: {x: 210, y: 30, width: 61, height: 61}}");
    assert_eq!((part.width(), part.height()), (61, 61));
    assert_colour(&part, (30, 30), WHITE, "the disc fills it");
    assert_colour(&part, (4, 4), GREEN, "but for the corners");
    assert_colour(&part, (56, 56), GREEN, "but for the corners");
    let beyond = seen(PLAIN, "{crop: {x: 300, y: 230, width: 100, height: 100}}");
    assert_eq!((beyond.width(), beyond.height()), (20, 10));
    let error = transformed(PLAIN, "transform: [{crop: {x: 320, y: 0, width: 1, height: 1}}]").unwrap_err();
    assert!(error.to_string().contains("320x240"), "{error}");
}

#[test]
fn the_order_given_is_the_order_done() {
    let cut_first = seen(PLAIN, "{crop: {width: 160, height: 120}}, {rotate: 90}, {scale: {width: 60}}");
    assert_eq!((cut_first.width(), cut_first.height()), (60, 80));
    assert_colour(&cut_first, (30, 40), RED, "the part above left");
    let turned_first = seen(PLAIN, "{rotate: 90}, {crop: {width: 120, height: 160}}, {scale: {width: 60}}");
    assert_colour(&turned_first, (30, 40), BLUE, "what was below left");
}

#[test]
fn fits_keep_the_whole_the_size_or_both() {
    let contain = seen(PLAIN, "{scale: {width: 100, height: 100}}");
    assert_eq!((contain.width(), contain.height()), (100, 75));
    let cover = seen(PLAIN, "{scale: {width: 100, height: 100, fit: cover}}");
    assert_eq!((cover.width(), cover.height()), (100, 100));
    assert_colour(&cover, (5, 5), RED, "evenly cut");
    assert_colour(&cover, (94, 94), YELLOW, "evenly cut");
    let stretch = seen(PLAIN, "{scale: {width: 400, height: 100, fit: stretch}}");
    assert_eq!((stretch.width(), stretch.height()), (400, 100));
    assert_colour(&stretch, (300, 25), WHITE, "the disc");
}

#[test]
fn colours_are_taken_and_what_is_drawn_later_has_its_own() {
    let gray = seen(PLAIN, "{grayscale: true}");
    assert_eq!(gray.format(), PixelFormat::Gray);
    // 0.299 red + 0.587 green + 0.114 blue.
    assert_colour(&gray, (40, 40), [88; 3], "red");
    let red_on_gray = seen(PLAIN, "{grayscale: true}, {mask: [{width: 64, height: 64, fill: '#f00'}]}");
    assert_colour(&red_on_gray, (32, 32), [255, 0, 0], "the mask");
    assert_colour(&red_on_gray, (100, 40), [88; 3], "the rest");
}

#[test]
fn masks_hide_their_part_and_nothing_else() {
    for (kind, jpeg) in COLOURED {
        let masked = seen(
            jpeg,
            "{mask: [{x: 17, y: 21, width: 50, height: 30, fill: '#0000ff'}, {x: 210, y: 30, width: 60, \
             height: 60}]}",
        );
        assert_colour(&masked, (42, 36), [0, 0, 255], kind);
        for outside in [(10, 36), (75, 36), (42, 14), (42, 58)] {
            assert_colour(&masked, outside, RED, kind);
        }
        // The disc is a soft spot: between its white and the green around it, everywhere.
        let [_, top, _] = at(&masked, 240, 60);
        assert!(top > 180, "{kind}: its middle is bright: {top}");
        let step =
            (210..269).map(|x| at(&masked, x, 60)[1].abs_diff(at(&masked, x + 1, 60)[1])).max().unwrap();
        assert!(step < 20, "{kind}: no edge is left, the sharpest has {step}");
        assert_colour(&masked, (200, 100), GREEN, kind);
    }
    // Beyond the picture there is nothing to hide.
    seen(
        PLAIN,
        "{mask: [{x: 1000, y: 1000, width: 5, height: 5}, {x: 310, y: 230, width: 500, height: 500}]}",
    );
}

#[test]
fn a_text_stands_where_it_should_in_its_colours() {
    let text = |position: &str| {
        let step = format!(
            "{{text: {{text: '███', position: {position}, size: 24, color: '#ff0000', background: \
             '#ffffff'}}}}"
        );
        seen(PLAIN, &step)
    };
    let plain = seen(PLAIN, "{rotate: 180}, {rotate: 180}");
    for (position, (x, y)) in
        [("top-left", (10, 12)), ("bottom-right", (309, 220)), ("top", (129, 20)), ("center", (129, 120))]
    {
        let drawn = text(position);
        let [r, g, b] = at(&drawn, x, y);
        assert!(r > 200 && g > 150 && b > 150, "{position}: the background is there: {:?}", [r, g, b]);
        let near = |x: usize, y: usize| {
            x.abs_diff(if position.contains("left") {
                40
            } else if position.contains("right") {
                280
            } else {
                160
            }) < 50
                && y.abs_diff(if position.contains("top") {
                    20
                } else if position.contains("bottom") {
                    220
                } else {
                    120
                }) < 27
        };
        let (mut ink, mut elsewhere) = (0, 0);
        for (x, y) in (0..320 * 240).map(|n| (n % 320, n / 320)) {
            let ([r, g, b], before) = (at(&drawn, x, y), at(&plain, x, y));
            ink += usize::from(near(x, y) && r > 200 && g < 90 && b < 90 && before != [r, g, b]);
            elsewhere += usize::from(!near(x, y) && before[0].abs_diff(r).max(before[1].abs_diff(g)) > 60);
        }
        assert!(ink > 40, "{position}: {ink} pixels of red letters");
        assert_eq!(elsewhere, 0, "{position}: nothing is drawn elsewhere");
    }
}

#[test]
fn a_text_says_the_title_and_the_time_of_the_picture() {
    let frame = Frame::from_jpeg(bytes::Bytes::from_static(PLAIN)).unwrap();
    let draw = |text: &str| {
        pipeline(&format!("transform: [{{text: {{text: '{text}'}}}}]")).transform(&frame).unwrap().frame
    };
    assert_eq!(draw("{title}").jpeg(), draw("Front door").jpeg());
    let year = jiff_year();
    assert_eq!(draw("%Y").jpeg(), draw(&year).jpeg());
    assert_ne!(draw("%Y").jpeg(), draw("%m").jpeg());
    assert_eq!(draw("x").captured_at(), frame.captured_at(), "it is still the picture of that time");
}

fn jiff_year() -> String {
    jiff::Zoned::now().strftime("%Y").to_string()
}

#[test]
fn a_logo_lets_through_what_it_does_not_cover() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logo.png");
    // Left half blue, right half transparent.
    let logo =
        image::RgbaImage::from_fn(40, 40, |x, _| image::Rgba([0, 0, 255, if x < 20 { 255 } else { 0 }]));
    logo.save(&path).unwrap();
    let with = |opacity: &str| {
        seen(
            PLAIN,
            &format!("{{image: {{path: '{}', position: top-right, opacity: {opacity}}}}}", path.display()),
        )
    };
    let full = with("1");
    assert_colour(&full, (320 - 8 - 40 + 10, 28), [0, 0, 255], "its left half");
    assert_colour(&full, (320 - 8 - 8, 28), GREEN, "its right half");
    assert_colour(&full, (320 - 8 - 40 + 10, 58), GREEN, "below it");
    assert_colour(&with("0.5"), (320 - 8 - 40 + 10, 28), [20, 80, 148], "half of each");
    std::fs::write(&path, "no PNG").unwrap();
    let error =
        transformed(PLAIN, &format!("transform: [{{image: {{path: '{}'}}}}]", path.display())).unwrap_err();
    assert!(error.to_string().contains("must be a PNG"), "{error}");
}

#[test]
fn a_quality_alone_encodes_anew() {
    let sizes = [5, 50, 95].map(|quality| {
        transformed(PLAIN, &format!("encode: {{quality: {quality}, subsampling: 444}}")).unwrap().jpeg().len()
    });
    assert!(sizes[0] * 2 < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
}

#[test]
fn a_picture_above_the_limit_is_refused() {
    let error = transformed(PLAIN, "transform: [{scale: {width: 8000}}]").unwrap_err();
    assert!(error.to_string().contains("limits.max_frame_pixels"), "{error}");
}

use std::num::NonZeroU32;

use super::*;
use crate::config::{Caption, Flip, Ink, Place, Rotation, Size, Spot};

const MEANS: PlanLimits = PlanLimits { max_denominator: 8, max_pixels: 50_000_000 };

fn input() -> PictureProperties {
    PictureProperties { width: 1920, height: 1080, gray: false, upright: Orientation::NONE, sharp: false }
}

fn n(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn crop(x: u32, y: u32, width: u32, height: u32) -> Step {
    Step::Crop(Region { x, y, width: n(width), height: n(height) })
}

fn width(to: u32) -> Step {
    Step::Scale(Scale::Width(n(to)))
}

fn both(width: u32, height: u32, fit: Fit) -> Step {
    Step::Scale(Scale::Both { size: Size { width: n(width), height: n(height) }, fit })
}

fn text(hue: bool) -> Step {
    let color = Color { r: 255, g: if hue { 0 } else { 255 }, b: 255 };
    Step::Text(Caption {
        text: "x".into(),
        position: Spot { across: Place::Start, down: Place::Start },
        size: 16.0,
        color: Ink { color, alpha: 255 },
        background: None,
    })
}

fn planned(steps: Vec<Step>) -> TransformPlan {
    plan(input(), &Transform { steps, ..Transform::default() }, MEANS).unwrap()
}

fn part(x: f64, y: f64, width: f64, height: f64) -> SourceRect {
    SourceRect { x, y, width, height }
}

#[test]
fn all_moves_in_a_row_are_one() {
    let plan = planned(vec![
        crop(320, 0, 1280, 720),
        width(640),
        Step::Rotate(Rotation::By90),
        crop(0, 0, 180, 640),
    ]);
    assert_eq!(plan.ops.len(), 1);
    // A quarter turn clockwise puts the lower half of the part at the left.
    let Op::Move { take, size, orientation } = plan.ops[0].clone() else { panic!("{plan:?}") };
    assert_eq!((take, size), (part(320.0, 360.0, 1280.0, 360.0), (640, 180)));
    assert_eq!(orientation, Rotation::By90.into());
    assert_eq!(plan.size, (180, 640));
    assert_eq!(plan.denominator, 2);
}

#[test]
fn a_picture_is_decoded_as_small_as_it_may_be() {
    for (to, denominator) in
        [(1920, 1), (1280, 1), (961, 1), (960, 2), (640, 2), (480, 4), (240, 8), (100, 8), (3000, 1)]
    {
        assert_eq!(planned(vec![width(to)]).denominator, denominator, "to {to}");
    }
    let transform = Transform { steps: vec![width(240)], ..Transform::default() };
    let limits = PlanLimits { max_denominator: 1, ..MEANS };
    assert_eq!(plan(input(), &transform, limits).unwrap().denominator, 1, "a codec that cannot");
    assert_eq!(planned(vec![text(false), width(240)]).denominator, 1, "letters are drawn at full size first");
    assert_eq!(
        planned(vec![crop(0, 0, 480, 270), width(240)]).denominator,
        2,
        "the part counts, not the whole"
    );
}

#[test]
fn fits_say_what_gives_way() {
    assert_eq!(planned(vec![both(800, 800, Fit::Contain)]).size, (800, 450));
    assert_eq!(planned(vec![both(800, 800, Fit::Stretch)]).size, (800, 800));
    let cover = planned(vec![both(800, 800, Fit::Cover)]);
    assert_eq!(cover.size, (800, 800));
    let Op::Move { take, .. } = cover.ops[0] else { panic!("{cover:?}") };
    assert_eq!(take, part(420.0, 0.0, 1080.0, 1080.0), "the middle");
}

#[test]
fn only_brightness_is_decoded_for_grey_wherever_it_stands() {
    for steps in [
        vec![Step::Grayscale],
        vec![width(640), text(true), Step::Grayscale],
        vec![Step::Grayscale, text(false), width(640)],
    ] {
        let plan = planned(steps);
        assert!(plan.gray && !plan.ops.contains(&Op::AddColour), "{plan:?}");
    }
    let red_on_grey = planned(vec![Step::Grayscale, text(true)]);
    assert!(red_on_grey.gray);
    assert_eq!(red_on_grey.ops, [Op::AddColour, Op::Draw(1)]);
}

#[test]
fn what_moves_whole_blocks_only_can_be_done_without_loss() {
    let plan = planned(vec![crop(16, 32, 64, 48), Step::Flip(Flip::Horizontal), Step::Grayscale]);
    let part = LosslessOp::Crop { x: 16, y: 32, width: 64, height: 48 };
    let ops = vec![part, LosslessOp::FlipHorizontal, LosslessOp::Grayscale];
    assert_eq!(plan.lossless, Some(LosslessSteps { ops, misaligned: false }));
    let ops = |steps| planned(steps).lossless.map(|found| found.ops);
    assert_eq!(ops(vec![Step::Grayscale]), Some(vec![LosslessOp::Grayscale]));
    let nothing =
        [vec![crop(0, 0, 4000, 4000)], vec![Step::Rotate(Rotation::By180), Step::Rotate(Rotation::By180)]];
    assert_eq!(nothing.map(ops), [Some(vec![]), Some(vec![])]);
    assert_eq!(planned(vec![Step::Rotate(Rotation::By180), width(640)]).lossless, None);
    assert_eq!(planned(vec![Step::Rotate(Rotation::By180), text(false)]).lossless, None);
    let transform =
        Transform { steps: vec![Step::Grayscale], encode: Some(Encode::default()), strip_metadata: false };
    assert_eq!(super::plan(input(), &transform, MEANS).unwrap().lossless, None, "a quality was asked for");
}

#[test]
fn a_cameras_own_turn_comes_first() {
    let sideways = PictureProperties { upright: Orientation::from_exif(6), ..input() };
    let transform = Transform { steps: vec![crop(0, 0, 1080, 100)], ..Transform::default() };
    let plan = plan(sideways, &transform, MEANS).unwrap();
    let Op::Move { take, .. } = plan.ops[0] else { panic!("{plan:?}") };
    assert_eq!(take, part(0.0, 0.0, 100.0, 1080.0), "its top is the left of the JPEG");
    assert_eq!(plan.size, (1080, 100));
    let part = LosslessOp::Crop { x: 0, y: 0, width: 100, height: 1080 };
    assert_eq!(
        plan.lossless,
        Some(LosslessSteps { ops: vec![part, LosslessOp::Rotate90], misaligned: true })
    );
}

#[test]
fn what_does_not_fit_is_said() {
    let fails =
        |steps| plan(input(), &Transform { steps, ..Transform::default() }, MEANS).unwrap_err().to_string();
    assert_eq!(
        fails(vec![crop(1920, 0, 10, 10)]),
        "crop begins at 1920,0, outside of a picture of 1920x1080 pixels"
    );
    assert!(fails(vec![width(65535)]).contains("limits.max_frame_pixels"));
    assert_eq!(
        planned(vec![crop(1900, 1000, 500, 500)]).size,
        (20, 80),
        "what is beyond its sides is left out"
    );
}

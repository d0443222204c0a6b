//! Lossless turns against `jpegtran`, the reference of what they mean.

use std::{fs, path::Path};

use framecast::imaging::lossless::{LosslessError, LosslessOp, LosslessOptions, apply};
use testkit::program::{run, test_file, try_run};

const TRIM: LosslessOptions = LosslessOptions { max_pixels: 200_000, trim: true };

/// Whatever both can do, under jpegtran's names for it.
fn operations() -> Vec<(&'static str, Vec<LosslessOp>)> {
    use LosslessOp::*;
    let crop = |x, y, width, height| Crop { x, y, width, height };
    vec![
        ("", vec![]),
        ("-rotate 90", vec![Rotate90]),
        ("-rotate 180", vec![Rotate180]),
        ("-rotate 270", vec![Rotate270]),
        ("-flip horizontal", vec![FlipHorizontal]),
        ("-flip vertical", vec![FlipVertical]),
        ("-transpose", vec![Transpose]),
        ("-transverse", vec![Transverse]),
        ("-grayscale", vec![Grayscale]),
        ("-grayscale -rotate 90", vec![Grayscale, Rotate90]),
        ("-crop 32x24+32+16", vec![crop(32, 16, 32, 24)]),
        ("-crop 21x9+32+32", vec![crop(32, 32, 21, 9)]),
        ("-rotate 90 -crop 16x19+16+32", vec![Rotate90, crop(16, 32, 16, 19)]),
        ("-transpose -crop 21x32+0+32", vec![Transpose, crop(0, 32, 21, 32)]),
        ("-flip horizontal -grayscale", vec![FlipHorizontal, Grayscale]),
    ]
}

/// From the first scan on: its header and the Huffman code of every coefficient.
fn scan(jpeg: &[u8]) -> &[u8] {
    let start = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]);
    &jpeg[start.expect("a JPEG has a scan")..]
}

#[test]
fn each_result_is_that_of_jpegtran() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [ours, theirs] = ["ours.jpg", "theirs.jpg"].map(|name| folder.path().join(name));
    let (mut compared, mut same_code) = (0, 0);
    for source in fixtures() {
        let jpeg = fs::read(&source).expect("a fixture is readable");
        for (arguments, ops) in operations() {
            let result = apply(&jpeg, &ops, TRIM);
            if matches!(result, Err(LosslessError::NotLossless { .. })) {
                continue;
            }
            let what = format!("{source} {arguments}");
            fs::write(&ours, result.unwrap_or_else(|error| panic!("{what}: {error}")))
                .expect("it can be written");
            let mut command = vec!["-copy", "none", "-trim"];
            command.extend(arguments.split_whitespace());
            command.extend(["-outfile", text(&theirs), &source]);
            run("jpegtran", &command);
            // The same code is the same coefficients. Where tables differ, so does the code, but not the
            // picture.
            let [our_jpeg, their_jpeg] =
                [&ours, &theirs].map(|path| fs::read(path).expect("both were written"));
            assert_eq!(pixels(&ours), pixels(&theirs), "{what}");
            same_code += usize::from(scan(&our_jpeg) == scan(&their_jpeg));
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared} results could be compared");
    assert!(
        same_code * 10 > compared * 8,
        "only {same_code} of {compared} have the code that jpegtran writes"
    );
}

#[test]
fn what_is_possible_without_trimming_is_what_jpegtran_calls_perfect() {
    use LosslessOp::*;
    for source in fixtures() {
        let jpeg = fs::read(&source).expect("a fixture is readable");
        if source.contains("progressive") {
            continue;
        }
        for (arguments, op) in [
            (["-rotate", "90"], Rotate90),
            (["-rotate", "180"], Rotate180),
            (["-rotate", "270"], Rotate270),
            (["-flip", "horizontal"], FlipHorizontal),
            (["-flip", "vertical"], FlipVertical),
        ] {
            let perfect =
                try_run("jpegtran", &["-perfect", arguments[0], arguments[1], &source]).status.success();
            let ours = apply(&jpeg, &[op], LosslessOptions { trim: false, ..TRIM });
            assert_eq!(ours.is_ok(), perfect, "{source} {op:?}");
        }
    }
}

fn fixtures() -> Vec<String> {
    let folders = ["fixtures/jpeg", "fixtures/photographs"].map(test_file);
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the fixtures' folders are readable"));
    let paths = files.map(|file| file.expect("a fixture is readable").path());
    let mut paths: Vec<String> = paths.map(|path| text(&path).to_owned()).collect();
    paths.retain(|path| {
        (path.contains("lossless-") || path.contains("photographs")) && path.ends_with(".jpg")
    });
    paths.sort();
    paths
}

fn pixels(jpeg: &Path) -> Vec<u8> {
    run("djpeg", &["-pnm", text(jpeg)]).stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

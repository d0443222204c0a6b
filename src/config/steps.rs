//! `transform:`, `encode:` and `strip_metadata:`.

use std::{num::NonZeroU32, path::PathBuf, rc::Rc};

use super::{
    model::Size,
    node::{Entry, Kind, Node, join},
    reader::{Context, Reader},
    rework::{
        Caption, Encode, Fill, Fit, Flip, Logo, Mask, Place, Region, Rework, Rotation, Scale, Spot, Step,
        Subsampling,
    },
    schema::{
        self, CAPTION_KEYS, CROP_KEYS, ENCODE_KEYS, LOGO_KEYS, MASK_KEYS, SCALE_KEYS, STEP_KEYS, Section,
    },
    source::is_none,
    units::{self, Wrong},
};

/// Most steps of a stream, and most masks of a step: more are a mistake, and each costs time for every picture.
const MAX_STEPS: usize = 32;

/// Longest text, in characters.
const MAX_TEXT: usize = 1000;

/// Farthest pixel: no JPEG has more on a side.
const MAX_PIXEL: u64 = 65_535;

/// Reads them from a stream or `defaults`. None if something is wrong, which was noted.
pub(super) fn read<'a>(context: &'a Context<'a>, reader: &Reader<'a>) -> Option<Rework> {
    let steps = match reader.find(&schema::TRANSFORM) {
        Some(found) if !is_none(found.entry) => {
            reader.show(&schema::TRANSFORM, &found.entry.value, &found.entry.region);
            items(context, &found.path, &found.entry.value, "steps, such as [{scale: {width: 640}}]").map(
                |items| {
                    items
                        .iter()
                        .enumerate()
                        .map(|(n, item)| step(context, &at(&found.path, n), item))
                        .collect()
                },
            )
        }
        _ => Some(Some(Vec::new())),
    };
    let encode = match reader.find(&schema::ENCODE) {
        Some(found) => Some(encode(context, &found.path, found.entry)),
        None => None,
    };
    let strip_metadata = reader.get(&schema::STRIP_METADATA, units::boolean);
    let encode = match encode {
        Some(encode) => Some(encode?),
        None => None,
    };
    Some(Rework { steps: steps??, encode, strip_metadata: strip_metadata? })
}

fn at(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}

/// The items of a list that is not too long.
fn items<'a>(context: &Context<'_>, path: &str, node: &'a Node, want: &str) -> Option<&'a [Rc<Node>]> {
    match &node.kind {
        Kind::Seq(items) if items.len() <= MAX_STEPS => Some(items),
        Kind::Seq(_) => {
            context.mistakes.add(node.at, path, format!("has too many: at most {MAX_STEPS}"));
            None
        }
        _ => {
            let not = node.kind_name();
            context.mistakes.add(node.at, path, format!("must be a list of {want}, not {not}"));
            None
        }
    }
}

fn step<'a>(context: &'a Context<'a>, path: &str, node: &'a Rc<Node>) -> Option<Step> {
    let reader = Reader::new(context, &STEP_KEYS, path.to_owned(), node.at, node)?;
    let Kind::Map(entries) = &node.kind else { return None };
    let [entry] = entries.as_slice() else {
        let message =
            "must have one key: a step is one of crop, scale, rotate, flip, grayscale, mask, text, image";
        context.mistakes.add(node.at, path, message);
        return None;
    };
    let path = join(path, &entry.key);
    let map = |section| Reader::new(context, section, path.clone(), entry.key_at, &entry.value);
    match entry.key.as_str() {
        "crop" => region(&map(&CROP_KEYS)?).map(Step::Crop),
        "scale" => scale(context, &path, entry),
        "rotate" => reader
            .get(&schema::ROTATE, |text| {
                word(text, &[("90", Rotation::By90), ("180", Rotation::By180), ("270", Rotation::By270)])
            })
            .map(Step::Rotate),
        "flip" => reader
            .get(&schema::FLIP, |text| {
                word(text, &[("horizontal", Flip::Horizontal), ("vertical", Flip::Vertical)])
            })
            .map(Step::Flip),
        "grayscale" => reader.get(&schema::GRAYSCALE, |text| match units::boolean(text)? {
            true => Ok(Step::Grayscale),
            false => Err(Wrong::want("must be true: leave the step out to keep the colours")),
        }),
        "mask" => masks(context, &path, entry),
        "text" => caption(&map(&CAPTION_KEYS)?),
        "image" => logo(&map(&LOGO_KEYS)?),
        // Noted as an unknown key.
        _ => None,
    }
}

/// One of a few words.
fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Wrong::want_not(format!("must be one of {}", words.join(", ")), text)
    })
}

fn region(reader: &Reader<'_>) -> Option<Region> {
    let place = |key| {
        let pixel = reader.get(key, |text| units::count(text, 0..=MAX_PIXEL))?;
        u32::try_from(pixel).ok()
    };
    let side = |key| reader.get(key, |text| side(text, MAX_PIXEL));
    let (x, y) = (place(&schema::PART_X), place(&schema::PART_Y));
    let (width, height) = (side(&schema::PART_WIDTH), side(&schema::PART_HEIGHT));
    Some(Region { x: x?, y: y?, width: width?, height: height? })
}

fn side(text: &str, most: u64) -> Result<NonZeroU32, Wrong> {
    let pixels = units::count(text, 1..=most)?;
    Ok(u32::try_from(pixels).ok().and_then(NonZeroU32::new).expect("checked to be from 1 to 65535"))
}

fn scale<'a>(context: &'a Context<'a>, path: &str, entry: &'a Entry) -> Option<Step> {
    let reader = Reader::new(context, &SCALE_KEYS, path.to_owned(), entry.key_at, &entry.value)?;
    let given = |key| reader.own(key).is_some();
    let (wide, high) = (given(&schema::SCALE_WIDTH), given(&schema::SCALE_HEIGHT));
    let side = |key| reader.get(key, |text| side(text, units::MAX_SIDE.into()));
    let (width, height) = (side(&schema::SCALE_WIDTH), side(&schema::SCALE_HEIGHT));
    let fit = reader.get(&schema::FIT, |text| {
        word(text, &[("contain", Fit::Contain), ("cover", Fit::Cover), ("stretch", Fit::Stretch)])
    });
    let scale = match (wide, high) {
        (true, true) => Scale::Both { size: Size { width: width?, height: height? }, fit: fit? },
        (true, false) => Scale::Width(width?),
        (false, true) => Scale::Height(height?),
        (false, false) => {
            context.mistakes.add(entry.key_at, path, "must have width, height, or both");
            return None;
        }
    };
    Some(Step::Scale(scale))
}

fn masks<'a>(context: &'a Context<'a>, path: &str, entry: &'a Entry) -> Option<Step> {
    let want = "parts to hide, such as [{x: 10, y: 10, width: 80, height: 40}]";
    let items = items(context, path, &entry.value, want)?;
    let read = |(n, item): (usize, &'a Rc<Node>)| {
        let reader = Reader::new(context, &MASK_KEYS, at(path, n), item.at, item)?;
        let region = region(&reader);
        let fill = reader.get(&schema::FILL, |text| match text {
            "blur" => Ok(Fill::Blur),
            color => units::color(color)
                .map(Fill::Color)
                .map_err(|wrong| Wrong { want: wrong.want.replace("must be", "must be blur or"), ..wrong }),
        });
        Some(Mask { region: region?, fill: fill? })
    };
    let masks: Vec<_> = items.iter().enumerate().map(read).collect();
    masks.into_iter().collect::<Option<Vec<_>>>().map(Step::Mask)
}

fn caption(reader: &Reader<'_>) -> Option<Step> {
    let text = reader.get(&schema::CAPTION_TEXT, |text| {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX_TEXT;
        fits.then(|| text.to_owned())
            .ok_or_else(|| Wrong::want(format!("must have 1 to {MAX_TEXT} characters")))
    });
    let position = reader.get(&schema::CAPTION_POSITION, position);
    let size = reader.get(&schema::CAPTION_SIZE, |text| units::pixels(text, 4.0..=512.0));
    let color = reader.get(&schema::CAPTION_COLOR, units::ink);
    let background = reader.get(&schema::CAPTION_BACKGROUND, |text| match text {
        "none" => Ok(None),
        color => units::ink(color).map(Some),
    });
    Some(Step::Text(Caption {
        text: text?,
        position: position?,
        size: size?,
        color: color?,
        background: background?,
    }))
}

fn logo(reader: &Reader<'_>) -> Option<Step> {
    let path = reader.get(&schema::LOGO_PATH, |text| {
        let path = PathBuf::from(text);
        if path.is_file() { Ok(path) } else { Err(Wrong::want_not("must be a PNG file that exists", text)) }
    });
    let position = reader.get(&schema::LOGO_POSITION, position);
    let opacity = reader.get(&schema::OPACITY, units::share);
    Some(Step::Image(Logo { path: path?, position: position?, opacity: opacity? }))
}

fn position(text: &str) -> Result<Spot, Wrong> {
    use Place::{End, Middle, Start};
    let words = [
        ("top-left", (Start, Start)),
        ("top", (Middle, Start)),
        ("top-right", (End, Start)),
        ("left", (Start, Middle)),
        ("center", (Middle, Middle)),
        ("right", (End, Middle)),
        ("bottom-left", (Start, End)),
        ("bottom", (Middle, End)),
        ("bottom-right", (End, End)),
    ];
    word(text, &words).map(|(across, down)| Spot { across, down })
}

fn encode<'a>(context: &'a Context<'a>, path: &str, entry: &'a Entry) -> Option<Encode> {
    let section: &'static Section = &ENCODE_KEYS;
    let reader = Reader::new(context, section, path.to_owned(), entry.key_at, &entry.value)?;
    let quality = reader.get(&schema::QUALITY, |text| units::count(text, 1..=100));
    let subsampling = reader.get(&schema::SUBSAMPLING, |text| {
        word(text, &[("420", Subsampling::S420), ("422", Subsampling::S422), ("444", Subsampling::S444)])
    });
    let quality = u8::try_from(quality?).ok()?;
    Some(Encode { quality, subsampling: subsampling? })
}

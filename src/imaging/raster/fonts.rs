//! Draws texts in the fonts that are built into the program, by cosmic-text.
//!
//! DejaVu Sans comes first; WenQuanYi Micro Hei adds Chinese, Japanese and Korean. Characters that neither
//! has (mostly emoji) are drawn as boxes, and [`missing_glyphs`] lists them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cosmic_text::{Attrs, Buffer, Family, FontSystem, Hinting, Metrics, Shaping, SwashCache, Wrap, fontdb};

use super::canvas::{Area, Canvas};
use crate::config::Color;

static DEJAVU: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");
static WENQUANYI: &[u8] = include_bytes!("../../../assets/fonts/WenQuanYiMicroHei.ttf");

/// The font that is tried first; cosmic-text then tries the other one.
const FIRST_FAMILY: &str = "DejaVu Sans";

/// Maximum number of drawn glyphs in the cache: a few screens of different Chinese characters; at 32 px about
/// 1 kB each. When there are more, all are removed.
const MAX_CACHED_GLYPHS: usize = 4096;

/// Maximum number of bytes of drawn glyphs in the cache: glyphs of 512 pixels take 260 kB each.
const MAX_CACHED_GLYPH_BYTES: usize = 4 * 1024 * 1024;

/// Characters that may be hidden in ligatures and line breaks before a long text's cut.
const LIGATURE_ALLOWANCE: usize = 8;

/// Maximum number of characters of a wrapped text that are laid out: no card shows more, whatever a camera
/// answered.
const MAX_WRAPPED_CHARS: usize = 2000;

/// Distance from one line to the next, in font sizes.
const LINE_HEIGHT: f32 = 1.25;

/// The style of drawn letters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Height of a line's letters, in pixels.
    pub(crate) size: f32,
    pub(crate) color: Color,
    /// Maximum number of lines, which are broken at the area's side and end in "…"; `None` draws each line as
    /// it is, cut by the area.
    pub(crate) max_lines: Option<usize>,
}

impl Style {
    pub(crate) fn new(size: f32, color: Color) -> Self {
        Self { size, color, max_lines: None }
    }

    pub(crate) fn wrapped(self, max_lines: usize) -> Self {
        Self { max_lines: Some(max_lines.max(1)), ..self }
    }
}

/// Shapes and draws texts; one for the process. A line takes some 20 µs, so workers rarely wait for each
/// other.
struct Typesetter {
    fonts: FontSystem,
    glyphs: SwashCache,
    /// Number of cached glyphs when their bytes were last counted.
    counted_glyphs: usize,
}

/// Calls `work` with the typesetter of the process, locked.
///
/// A panic while it was locked leaves caches at worst incomplete, so a poisoned lock is used nevertheless.
fn with_typesetter<T>(work: impl FnOnce(&mut Typesetter) -> T) -> T {
    static SHARED: OnceLock<Mutex<Typesetter>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let mut db = fontdb::Database::new();
        for font in [DEJAVU, WENQUANYI] {
            db.load_font_source(fontdb::Source::Binary(Arc::new(font)));
        }
        let fonts = FontSystem::new_with_locale_and_db("en-US".into(), db);
        Mutex::new(Typesetter { fonts, glyphs: SwashCache::new(), counted_glyphs: 0 })
    });
    work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Returns the characters of `text` that no built-in font has, each once, in order; they are drawn as boxes.
pub fn missing_glyphs(text: &str) -> Vec<char> {
    with_typesetter(|typesetter| {
        let ids: Vec<_> = typesetter.fonts.db().faces().map(|face| face.id).collect();
        let fonts: Vec<_> =
            ids.into_iter().filter_map(|id| typesetter.fonts.get_font(id, fontdb::Weight::NORMAL)).collect();
        let covered = |c: char| fonts.iter().any(|font| font.as_swash().charmap().map(c) != 0);
        let mut missing = Vec::new();
        for c in text.chars().filter(|&c| is_visible(c)) {
            if !missing.contains(&c) && !covered(c) {
                missing.push(c);
            }
        }
        missing
    })
}

/// Returns whether a character is visible: spaces, controls, joiners and variation selectors are not.
fn is_visible(c: char) -> bool {
    let invisible = matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}' | '\u{00AD}');
    !(invisible || c.is_control() || c.is_whitespace())
}

/// Draws `text` with its first line's top left corner in that of `area`; nothing is drawn outside `area`.
pub(crate) fn draw(canvas: &mut Canvas, text: &str, style: Style, area: Area) {
    coverage(text, style, (area.width, area.height), |x, y, alpha| {
        canvas.blend(area.x + x, area.y + y, style.color, alpha);
    });
}

/// Calls `put` for each pixel of an area of this size that letters cover, with its coverage, 1 to 255.
pub(crate) fn coverage(
    text: &str,
    style: Style,
    (width, height): (i32, i32),
    mut put: impl FnMut(i32, i32, u8),
) {
    with_typesetter(|typesetter| {
        let mut buffer = lay_out(typesetter, text, style, width);
        let Style { color, .. } = style;
        let ink = cosmic_text::Color::rgb(color.r, color.g, color.b);
        buffer.draw(&mut typesetter.fonts, &mut typesetter.glyphs, ink, |left, top, across, down, ink| {
            for y in top.max(0)..(top + down as i32).min(height) {
                for x in left.max(0)..(left + across as i32).min(width) {
                    put(x, y, ink.a());
                }
            }
        });
        typesetter.limit_glyph_cache();
    });
}

impl Typesetter {
    fn limit_glyph_cache(&mut self) {
        let cached = &mut self.glyphs.image_cache;
        if cached.len() == self.counted_glyphs {
            return;
        }
        let bytes: usize = cached.values().flatten().map(|image| image.data.len()).sum();
        if cached.len() > MAX_CACHED_GLYPHS || bytes > MAX_CACHED_GLYPH_BYTES {
            cached.clear();
            cached.shrink_to_fit();
        }
        self.counted_glyphs = cached.len();
    }
}

/// Returns width and height of `text` as [`draw`] draws it, in pixels.
pub(crate) fn measure(text: &str, style: Style, width: i32) -> (i32, i32) {
    with_typesetter(|typesetter| {
        let buffer = lay_out(typesetter, text, style, width);
        let (mut widest, mut bottom) = (0.0_f32, 0.0_f32);
        for run in buffer.layout_runs() {
            widest = widest.max(run.line_w);
            bottom = bottom.max(run.line_top + run.line_height);
        }
        (widest.ceil() as i32, bottom.ceil() as i32)
    })
}

/// Shapes `text` into lines, no more than the style allows.
fn lay_out(typesetter: &mut Typesetter, text: &str, style: Style, width: i32) -> Buffer {
    let metrics = Metrics::relative(style.size.max(1.0), LINE_HEIGHT);
    let mut buffer = Buffer::new_empty(metrics);
    // Whole pixels: letters on fractions of a pixel would shimmer as a clock's digits change.
    buffer.set_hinting(Hinting::Enabled);
    let Some(max_lines) = style.max_lines else {
        buffer.set_wrap(Wrap::None);
        shape(typesetter, &mut buffer, text);
        return buffer;
    };
    buffer.set_wrap(Wrap::WordOrGlyph);
    buffer.set_size(Some(width.max(1) as f32), None);
    let text = text.char_indices().nth(MAX_WRAPPED_CHARS).map_or(text, |(end, _)| &text[..end]);
    shape(typesetter, &mut buffer, text);
    // cosmic-text's own ellipsis starts the last line with the space of the break before it.
    let mut kept = fitting_prefix(&buffer, text, max_lines);
    while buffer.layout_runs().count() > max_lines && !kept.is_empty() {
        shape(typesetter, &mut buffer, &format!("{}…", kept.trim_end()));
        kept = &kept[..kept.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    buffer
}

fn shape(typesetter: &mut Typesetter, buffer: &mut Buffer, text: &str) {
    let attrs = Attrs::new().family(Family::Name(FIRST_FAMILY));
    buffer.set_text(text, &attrs, Shaping::Advanced, None);
    buffer.shape_until_scroll(&mut typesetter.fonts, false);
}

/// Returns the start of `text` that is on the first lines.
fn fitting_prefix<'a>(buffer: &Buffer, text: &'a str, max_lines: usize) -> &'a str {
    let letters = |run: cosmic_text::LayoutRun<'_>| run.glyphs.len();
    let count: usize = buffer.layout_runs().take(max_lines).map(letters).sum();
    // At least as many characters as glyphs: a ligature is one glyph, and a cut too short would lose words.
    // What is too long is taken off one by one.
    let end =
        text.char_indices().nth(count + max_lines + LIGATURE_ALLOWANCE).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{config::Size, imaging::raster::canvas::rgb};

    fn drawn(text: &str, style: Style) -> Vec<u8> {
        let size = Size { width: NonZeroU32::new(200).unwrap(), height: NonZeroU32::new(60).unwrap() };
        let mut canvas = Canvas::new(size, rgb(0xffffff)).unwrap();
        let area = canvas.area();
        draw(&mut canvas, text, style, area);
        canvas.pixels().data().to_vec()
    }

    fn plain() -> Style {
        Style::new(24.0, rgb(0))
    }

    #[test]
    fn chinese_japanese_korean_and_latin_need_no_font_of_the_system() {
        let text = "Grüße, Ελλάδα, Привет 这是一段测试文本。 こんにちは カタカナ 안녕하세요 漢字 ① ± → ｆｕｌｌ 「」、";
        assert_eq!(missing_glyphs(text), Vec::<char>::new());
        let all_hangul: String = ('\u{AC00}'..='\u{D7A3}').collect();
        let all_ideographs: String = ('\u{4E00}'..='\u{9FA5}').collect();
        assert_eq!(missing_glyphs(&all_hangul), Vec::<char>::new());
        assert_eq!(missing_glyphs(&all_ideographs), Vec::<char>::new());
    }

    #[test]
    fn what_no_font_has_is_named_once_and_drawn_as_a_box() {
        assert_eq!(missing_glyphs("a🧀b🚀🧀\u{FE0F}\u{200D}\n"), ['🧀', '🚀']);
        let boxed = drawn("🧀", plain());
        assert!(boxed.iter().any(|&byte| byte < 128), "a box, not nothing");
        assert_eq!(boxed, drawn("🚀", plain()), "all boxes look alike");
    }

    #[test]
    fn each_script_has_letters_of_its_own_not_boxes() {
        let samples = ["这", "是", "あ", "ア", "한", "글", "A", "Ж"];
        let pictures: Vec<_> = samples.iter().map(|text| drawn(text, plain())).collect();
        let boxed = drawn("🧀", plain());
        for (n, picture) in pictures.iter().enumerate() {
            assert_ne!(*picture, boxed, "{} is a box", samples[n]);
            assert!(pictures[..n].iter().all(|other| other != picture), "{} looks like another", samples[n]);
        }
    }

    #[test]
    fn long_text_is_broken_at_the_side_and_ends_in_dots() {
        let text = "the camera does not answer on its address ".repeat(20);
        let (width, height) = measure(&text, plain().wrapped(3), 200);
        assert!(width <= 200 && height == 90, "{width}x{height}");
        let (width, height) = measure(&text, plain(), 200);
        assert!(width > 1000 && height == 30, "{width}x{height}");
        let (width, _) = measure(&"中".repeat(50), plain().wrapped(2), 200);
        assert!(width <= 200, "ideographs break without spaces: {width}");
    }

    #[test]
    fn letters_stay_inside_their_area() {
        let size = Size { width: NonZeroU32::new(100).unwrap(), height: NonZeroU32::new(40).unwrap() };
        let mut canvas = Canvas::new(size, rgb(0xffffff)).unwrap();
        draw(&mut canvas, "WWWWWWWW\nWWW", plain(), Area { x: 10, y: 5, width: 30, height: 20 });
        for (n, pixel) in canvas.pixels().data().chunks(3).enumerate() {
            let (x, y) = (n % 100, n / 100);
            let inside = (10..40).contains(&x) && (5..25).contains(&y);
            assert!(inside || pixel == [255; 3], "ink at {x},{y}");
        }
    }
}

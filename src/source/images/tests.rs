use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use super::*;
use crate::{
    bus::{Bus, BusReader},
    imaging::{
        Pixels, Quality,
        codec::{PixelFormat, codec},
    },
};

/// A test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

const LIMITS: PictureLimits = PictureLimits { max_frame_bytes: 100_000, max_frame_pixels: 1_000_000 };

/// A JPEG that is identified by its width.
fn jpeg(width: u16) -> Bytes {
    let pixels = Pixels::new(width, 8, PixelFormat::Gray, vec![128; usize::from(width) * 8]).unwrap();
    codec().encode(&pixels, Quality::PICTURE).unwrap()
}

fn png(width: u32) -> Vec<u8> {
    let mut bytes = io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(width, 8).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

struct Show {
    folder: tempfile::TempDir,
    bus: Arc<Bus>,
    reader: BusReader,
    source: ImagesSource,
}

impl Show {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let bus = Arc::new(Bus::default());
        let mut reader = bus.subscribe();
        reader.mark_unchanged();
        let pool = crate::source::generated::tests::queue_of_tests();
        let path = ImagesPath::Glob(format!("{}/*", folder.path().display()));
        Self { folder, bus, reader, source: ImagesSource::new(path, 50.0, LIMITS, pool) }
    }

    /// Widths of the frames shown until `until` says so; it may change the folder.
    async fn watch(&mut self, mut until: impl FnMut(&Path, &[u16]) -> bool) -> Vec<u16> {
        let ingest = Ingest::new(self.bus.clone(), None);
        let mut seen = Vec::new();
        let (reader, folder) = (&mut self.reader, self.folder.path());
        let watch = async {
            while !until(folder, &seen) {
                reader.changed().await.unwrap();
                let newest = reader.borrow_and_update().frame.clone();
                seen.extend(newest.map(|shown| shown.frame.width()));
            }
        };
        tokio::select! {
            ended = self.source.run(&ingest) => panic!("ended: {ended:?}, having shown {seen:?}"),
            () = watch => {}
            () = tokio::time::sleep(PATIENCE) => panic!("only {seen:?} were shown"),
        }
        seen
    }

    async fn end(&mut self) -> String {
        let ingest = Ingest::new(self.bus.clone(), None);
        let ended = tokio::time::timeout(PATIENCE, self.source.run(&ingest)).await;
        ended.expect("it ends by itself").unwrap_err().to_string()
    }

    fn dropped(&self) -> HashMap<&'static str, u64> {
        self.bus.stats().dropped().filter(|d| d.1 > 0).map(|(reason, n)| (reason.as_str(), n)).collect()
    }
}

#[tokio::test]
async fn files_are_shown_in_natural_order_over_and_over() {
    let (one, two, ten) = (jpeg(1), jpeg(2), jpeg(10));
    let mut show = Show::new(&[("10.jpg", &ten), ("2.jpg", &two), ("1.jpg", &one)]);
    let seen = show.watch(|_, seen| seen.len() >= 7).await;
    assert_eq!(seen, [1, 2, 10, 1, 2, 10, 1]);
    assert_eq!(*show.bus.newest().unwrap().frame.jpeg(), one, "the very bytes of the file");
    assert!(show.dropped().is_empty());
}

#[tokio::test]
async fn new_files_show_in_the_next_round_and_gone_ones_do_not() {
    let mut show = Show::new(&[("1.jpg", &jpeg(1)), ("2.jpg", &jpeg(2))]);
    let mut changed = false;
    let seen = show
        .watch(|folder, seen| {
            if seen.len() == 2 && !changed {
                fs::write(folder.join("3.jpg"), jpeg(3)).unwrap();
                fs::remove_file(folder.join("1.jpg")).unwrap();
                changed = true;
            }
            seen.ends_with(&[2, 3, 2, 3])
        })
        .await;
    assert!(seen.starts_with(&[1, 2]));
}

#[tokio::test]
async fn what_is_no_picture_is_skipped_and_counted() {
    let large = vec![0xFF; 100_001];
    let files: [(&str, &[u8]); 4] =
        [("1.jpg", &jpeg(1)), ("2.txt", b"a note"), ("3.jpg", &large), ("4.jpg", &jpeg(4))];
    let mut show = Show::new(&files);
    let seen = show.watch(|_, seen| seen.len() >= 4).await;
    assert_eq!(seen, [1, 4, 1, 4]);
    let dropped = show.dropped();
    assert!(dropped["unreadable"] >= 2 && dropped["too_large"] >= 2, "{dropped:?}");
    assert_eq!(show.source.logged_files.len(), 2, "each file is said once");
}

#[tokio::test]
async fn a_half_written_file_shows_once_it_is_whole() {
    let whole = jpeg(3);
    let mut show = Show::new(&[("1.jpg", &jpeg(1)), ("3.jpg", &whole[..whole.len() / 2])]);
    let seen = show
        .watch(|folder, seen| {
            if seen.len() == 3 {
                fs::write(folder.join("3.jpg"), &whole).unwrap();
            }
            seen.ends_with(&[3, 1, 3])
        })
        .await;
    assert!(seen.starts_with(&[1, 1, 1]), "{seen:?}");
    assert!(show.source.logged_files.is_empty(), "forgiven");
}

#[tokio::test]
async fn other_formats_are_converted_once_and_again_when_they_change() {
    let mut show = Show::new(&[("1.png", &png(5)), ("2.jpg", &jpeg(2))]);
    let mut seen = show.watch(|_, seen| seen.len() >= 4).await;
    assert_eq!(seen, [5, 2, 5, 2]);
    let path = show.folder.path().join("1.png");
    let kept = show.source.cache.get(&path).expect("kept").1.jpeg().as_ptr();
    show.watch(|_, seen| seen.len() >= 2).await;
    assert_eq!(show.source.cache.get(&path).unwrap().1.jpeg().as_ptr(), kept, "not converted anew");
    fs::write(&path, png(7)).unwrap();
    let later = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(5);
    File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    seen = show.watch(|_, seen| seen.contains(&7)).await;
    assert!(seen.contains(&7));
    fs::remove_file(&path).unwrap();
    show.watch(|_, seen| seen.ends_with(&[2, 2, 2])).await;
    assert!(show.source.cache.get(&path).is_none(), "forgotten with its file");
}

#[tokio::test]
async fn an_empty_folder_is_an_error_that_says_where_it_looked() {
    let mut show = Show::new(&[]);
    let error = show.end().await;
    let pattern = format!("{}/*", show.folder.path().display());
    assert_eq!(
        error,
        format!("no picture files match {pattern}; put JPEG, PNG, WebP, GIF or BMP files there")
    );
    let mut show = Show::new(&[("a.txt", b"hello")]);
    let error = show.end().await;
    assert!(error.contains("none of the 1 files") && error.contains("not a picture but text"), "{error}");
}

#[tokio::test]
async fn the_built_in_pictures_are_whole_and_go_round() {
    let sizes: Vec<_> =
        DEMO.iter().map(|jpeg| to_frame(Bytes::from_static(jpeg), LIMITS).unwrap().info().len).collect();
    assert!(sizes.iter().zip(DEMO).all(|(&len, file)| len == file.len()));
    for file in DEMO {
        codec().decode(file, LIMITS.max_frame_pixels).unwrap();
    }
    let mut show = Show::new(&[]);
    show.source.path = ImagesPath::BuiltIn;
    assert_eq!(show.watch(|_, seen| seen.len() >= 5).await, [480; 5]);
}

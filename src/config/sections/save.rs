//! `save:` of a stream.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{
    reader::LOCAL,
    values::{Bytes, Count, DAY, GIB, KIB, Text, Time, Wrong, given, scalar},
};

/// `save:`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "SaveMap")]
#[schemars(with = "SaveMap")]
pub struct SaveConfig {
    /// The file or folder.
    pub target: SaveTarget,
    /// The time from one frame to the next; every frame without it.
    pub every: Option<Duration>,
}

/// The place where frames are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveTarget {
    /// One file that is always the newest frame, replaced atomically.
    Latest(PathBuf),
    /// The newest frames as files in a folder. One bound at least is there.
    Ring {
        /// The folder, made if absent.
        dir: PathBuf,
        /// Number of files.
        keep: Option<NonZeroU32>,
        /// Bytes of all files together.
        max_bytes: Option<u64>,
    },
    /// One after the other in one file.
    Append {
        /// The file, made if absent.
        file: PathBuf,
        /// Its bytes at most.
        max_bytes: u64,
        /// The treatment of the full file.
        when_full: WhenFull,
    },
}

impl SaveTarget {
    /// The file or folder as configured.
    pub fn place(&self) -> &Path {
        match self {
            Self::Latest(path) | Self::Ring { dir: path, .. } | Self::Append { file: path, .. } => path,
        }
    }
}

/// The keys of [`SaveConfig`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveMap {
    /// One file that is always the newest frame, replaced atomically. Its folder must exist.
    #[serde(default, with = "Text::<Option<NewFile>>")]
    latest: Option<PathBuf>,
    /// The newest frames as files in this folder, which is created if absent: limited by `keep`, `max_bytes`,
    /// or both.
    #[serde(default, with = "Text::<Option<NewFolder>>")]
    dir: Option<PathBuf>,
    /// Number of files that are kept in `dir`.
    #[serde(default, with = "Text::<Option<Count<NonZeroU32, 1, 1_000_000>>>")]
    #[schemars(extend("x-default" = "`dir` needs it or `max_bytes`"))]
    keep: Option<NonZeroU32>,
    /// One file with JPEGs one after the other, up to `max_bytes`. Its folder must exist.
    #[serde(default, with = "Text::<Option<NewFile>>")]
    append: Option<PathBuf>,
    /// Largest size of the file of `append`, or of the files of `dir` together.
    #[serde(default, with = "Text::<Option<Bytes<u64, KIB, { 16_384 * GIB }>>>")]
    #[schemars(extend("x-default" = "needed with `append`"))]
    max_bytes: Option<u64>,
    /// `append`: a full `a.mjpg` is renamed to `a.1.mjpg`, replacing the previous one, and a new file is
    /// started (together up to twice `max_bytes`); or it is kept, and nothing more is saved.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "WhenFull", extend("default" = "rotate"))]
    when_full: Option<WhenFull>,
    /// Time from one saved frame to the next: a time lapse.
    #[serde(default, with = "Text::<Option<Time<100, DAY>>>")]
    #[schemars(extend("x-default" = "every frame"))]
    every: Option<Duration>,
}

impl TryFrom<SaveMap> for SaveConfig {
    type Error = &'static str;

    fn try_from(map: SaveMap) -> Result<Self, Self::Error> {
        let SaveMap { latest, dir, keep, append, max_bytes, when_full, every } = map;
        let target = match (latest, dir, append, keep, max_bytes, when_full) {
            (Some(file), None, None, None, None, None) => SaveTarget::Latest(file),
            (None, Some(dir), None, keep, max_bytes, None) if keep.is_some() || max_bytes.is_some() => {
                SaveTarget::Ring { dir, keep, max_bytes }
            }
            (None, None, Some(file), None, Some(max_bytes), when_full) => {
                SaveTarget::Append { file, max_bytes, when_full: when_full.unwrap_or(WhenFull::Rotate) }
            }
            _ => {
                return Err("must be {latest: FILE}, {dir: FOLDER, keep: NUMBER} (or max_bytes: SIZE) or \
                            {append: FILE, max_bytes: SIZE}");
            }
        };
        Ok(Self { target, every })
    }
}

/// Reads `none` or a map, which as a whole is only for the configuration file.
pub(crate) fn save<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SaveConfig>, D::Error> {
    /// Refused over HTTP by its name, which is that of [`LOCAL`].
    #[derive(Deserialize)]
    #[serde(rename = "$local")]
    struct Local(SaveConfig);

    Ok(Option::<Local>::deserialize(deserializer)?.map(|save| save.0))
}

/// The fate of a file that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// It is renamed, in place of the one before, and begun anew.
    Rotate,
    /// It stays as it is.
    Stop,
}

scalar!(struct NewFile => PathBuf, "path of a file", LOCAL, |text| match Path::new(text).is_dir() {
    true => Err(Wrong::shown("must be a file, not a folder")),
    false => writable(text),
});

scalar!(struct NewFolder => PathBuf, "path of a folder", LOCAL, writable);

/// A path whose parent folder exists.
fn writable(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Wrong::hidden("must be a path below an existing folder")),
    };
    if parent.is_dir() { Ok(path) } else { Err(Wrong::shown("must be in a folder that exists")) }
}

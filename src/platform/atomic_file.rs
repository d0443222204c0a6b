//! Writes files so that they are complete or absent.
//!
//! A file appears under its name complete or not at all. It is written next to its destination under an
//! unpredictable name, created with `O_EXCL`, and renamed: a link, pipe or file that an attacker placed there
//! is never opened. A link under the name itself is replaced, not followed.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// Suffix of a file that is being written: `.NAME.XXXXXX.framecast-tmp`.
const TEMP_SUFFIX: &str = ".framecast-tmp";

/// Permissions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// Those that the process's umask leaves.
    Default,
    /// Only the owner may read and write.
    Private,
}

#[cfg(unix)]
impl Permissions {
    /// Returns the mode for `open`, which applies the umask to it.
    fn mode(self) -> u32 {
        match self {
            Self::Default => 0o666,
            Self::Private => 0o600,
        }
    }
}

/// Writes a file, replacing an existing one. Its folder must exist.
///
/// # Errors
/// The system's. The existing file is then unchanged, and no temporary file is left.
pub fn write_atomic(path: &Path, contents: &[u8], access: Permissions) -> io::Result<()> {
    write_temp(path, contents, access)?.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Like [`write_atomic`], and syncs to disk before it returns: after a power cut the old or the new file is
/// there.
///
/// # Errors
/// Those of [`write_atomic`].
pub fn write_durable(path: &Path, contents: &[u8], access: Permissions) -> io::Result<()> {
    let file = write_temp(path, contents, access)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(parent_folder(path))
}

/// Opens a file for appending, and creates it if it is absent.
///
/// # Errors
/// The system's, or the file is a symbolic link, a pipe or a socket.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Without `NONBLOCK`, opening a pipe without a reader would block the thread.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.cast_signed());
    }
    let is_link = || fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink());
    let link = || {
        let text = "it is a symbolic link, which is not followed: give the path of the file itself";
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let file = options.open(path).map_err(|error| if is_link() { link() } else { error })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = file.metadata()?.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a socket, not a file"));
        }
    }
    Ok(file)
}

/// Sets the permissions to connect to a socket, on its file. A link that has replaced it since it was bound
/// is not followed.
///
/// # Errors
/// The system's, or there is no socket.
#[cfg(unix)]
pub fn set_socket_mode(path: &Path, mode: u32) -> io::Result<()> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
    let permissions = || fs::Permissions::from_mode(mode);
    if cfg!(target_os = "linux") {
        // The file is opened and changed through its descriptor: `chmod` alone follows links.
        let flags = (OFlags::NOFOLLOW | path_only()).bits();
        let found = File::options().read(true).custom_flags(flags.cast_signed()).open(path)?;
        if !found.metadata()?.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "another file has replaced it"));
        }
        let by_descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
        match fs::set_permissions(by_descriptor, permissions()) {
            // Without /proc there is no other way.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    fs::set_permissions(path, permissions())
}

#[cfg(all(unix, target_os = "linux"))]
fn path_only() -> rustix::fs::OFlags {
    rustix::fs::OFlags::PATH
}

#[cfg(all(unix, not(target_os = "linux")))]
fn path_only() -> rustix::fs::OFlags {
    rustix::fs::OFlags::empty()
}

/// Removes temporary files that an interrupted run left, of files whose name `is_ours`.
///
/// # Errors
/// The system's.
pub fn remove_temp_files(folder: &Path, is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A folder of such a name was not made by this module.
        let left_over = entry.file_name().to_str().and_then(final_name).is_some_and(&is_ours);
        if left_over && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns the final name of a file from that of its temporary file.
fn final_name(name: &str) -> Option<&str> {
    let (name, _random) = name.strip_prefix('.')?.strip_suffix(TEMP_SUFFIX)?.rsplit_once('.')?;
    Some(name)
}

fn write_temp(path: &Path, contents: &[u8], access: Permissions) -> io::Result<NamedTempFile> {
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    // The system's error: tempfile's own names the path, which viewers must not read.
    let mut cause = None;
    let create = |path: &Path| {
        let created = create_new(path, access);
        created.inspect_err(|error| cause = error.raw_os_error())
    };
    let made =
        tempfile::Builder::new().prefix(&prefix).suffix(TEMP_SUFFIX).make_in(parent_folder(path), create);
    let mut file = made.map_err(|error| cause.map_or(error, io::Error::from_raw_os_error))?;
    file.as_file_mut().write_all(contents)?;
    Ok(file)
}

fn create_new(path: &Path, access: Permissions) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.mode());
    options.open(path)
}

fn parent_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs a folder: without this the new name may be lost in a power cut.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder is the test's");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("it is readable").file_name();
        entries.map(name).map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        for target in ["theirs", "dangling"] {
            symlink(at(target), at("ours")).unwrap();
            write_atomic(&at("ours"), b"new", Permissions::Default).unwrap();
            assert!(!fs::symlink_metadata(at("ours")).unwrap().is_symlink());
            assert_eq!(fs::read(at("ours")).unwrap(), b"new");
            fs::remove_file(at("ours")).unwrap();
        }
        assert_eq!(fs::read(at("theirs")).unwrap(), b"theirs");
        // A folder cannot be replaced, and no temporary file is left.
        fs::create_dir(at("ours")).unwrap();
        let refused = write_atomic(&at("ours"), b"new", Permissions::Default).unwrap_err().to_string();
        assert!(!refused.contains("framecast"), "the path is not told: {refused}");
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["ours", "theirs"]);
    }

    #[test]
    fn what_is_private_is_the_owners_only() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |access| {
            let path = folder.path().join("x");
            write_durable(&path, b"x", access).unwrap();
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(Permissions::Private), 0o600);
        // As the umask of the test's process has it; any umask lets the owner write.
        fs::write(folder.path().join("y"), "").unwrap();
        let usual = fs::metadata(folder.path().join("y")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(Permissions::Default), usual);
    }

    #[test]
    fn nothing_but_a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        for target in ["theirs", "dangling", "."] {
            symlink(at(target), at("link")).unwrap();
            let refused = open_to_append(&at("link")).unwrap_err();
            assert!(refused.to_string().contains("symbolic link"), "{refused}");
            fs::remove_file(at("link")).unwrap();
        }
        assert_eq!((fs::read(at("theirs")).unwrap(), at("dangling").exists()), (b"theirs".to_vec(), false));
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        open_to_append(&at("pipe")).unwrap_err();
        // With a reader it can be opened, and is refused as well.
        let reading = File::options().read(true).write(true).open(at("pipe")).unwrap();
        assert!(open_to_append(&at("pipe")).unwrap_err().to_string().contains("pipe"));
        drop(reading);
        open_to_append(&at("new")).unwrap().write_all(b"1").unwrap();
        open_to_append(&at("new")).unwrap().write_all(b"2").unwrap();
        assert_eq!(fs::read(at("new")).unwrap(), b"12");
    }

    #[test]
    fn a_sockets_mode_is_set_and_that_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        let _listening = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        set_socket_mode(&at("socket"), 0o600).unwrap();
        assert_eq!(mode("socket"), 0o600);
        fs::write(at("theirs"), "").unwrap();
        let before = mode("theirs");
        symlink(at("theirs"), at("to-theirs")).unwrap();
        symlink(at("socket"), at("to-socket")).unwrap();
        for planted in ["theirs", "to-theirs", "to-socket"] {
            set_socket_mode(&at(planted), 0o666).unwrap_err();
        }
        assert_eq!((mode("theirs"), mode("socket")), (before, 0o600));
    }

    #[test]
    fn what_was_left_behind_is_removed_whatever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        fs::write(at(".a.jpg.Xy12ab.framecast-tmp"), "half").unwrap();
        symlink(at("theirs"), at(".a.jpg.17.framecast-tmp")).unwrap();
        fs::create_dir(at(".a.jpg.18.framecast-tmp")).unwrap();
        fs::write(at(".b.jpg.17.framecast-tmp"), "half").unwrap();
        remove_temp_files(folder.path(), |name| name == "a.jpg").unwrap();
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".a.jpg.18.framecast-tmp", ".b.jpg.17.framecast-tmp", "theirs"]);
        assert_eq!(final_name("a.jpg.17.framecast-tmp"), None);
    }
}

//! A memory limit for one child process, with its own control group.

use std::{fs, io, path::PathBuf, process};

/// A control group with a memory limit, removed on drop; its processes must have ended by then.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    files: Files,
}

/// File names that differ between the two versions of control groups.
#[derive(Debug, Clone, Copy)]
struct Files {
    limit: &'static str,
    with_swap: &'static str,
    usage: &'static str,
    peak: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    with_swap: "memory.memsw.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    peak: "memory.max_usage_in_bytes",
};

const V2: Files =
    Files { limit: "memory.max", with_swap: "memory.swap.max", usage: "memory.current", peak: "memory.peak" };

impl Cgroup {
    /// Makes a group whose processes may use this many bytes of memory, and no swap.
    ///
    /// # Errors
    /// Control groups are not available, or must not be made here.
    pub fn with_limit(name: &str, bytes: u64) -> io::Result<Self> {
        let name = format!("framecast-{name}-{}", process::id());
        let own = fs::read_to_string("/proc/self/cgroup")?;
        // `4:memory:/path` is version 1, `0::/path` version 2.
        let path = |start: &dyn Fn(&str, &str) -> bool| {
            own.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
                start(number, controllers).then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let v1 = path(&|_, controllers| controllers.split(',').any(|one| one == "memory"))
            .map(|own| (PathBuf::from("/sys/fs/cgroup/memory").join(own), V1, bytes));
        let v2 =
            path(&|number, _| number == "0").map(|own| (PathBuf::from("/sys/fs/cgroup").join(own), V2, 0));
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "there is no memory controller");
        for (parent, files, swap) in v1.into_iter().chain(v2) {
            // Version 2 limits no group below one that has processes, such as our own: a sibling is tried as
            // well.
            let sibling = parent.parent().map(PathBuf::from).unwrap_or_default();
            for parent in [parent, sibling] {
                match Self::make(parent.join(&name), files, bytes, swap) {
                    Ok(group) => return Ok(group),
                    Err(error) => refused = error,
                }
            }
        }
        Err(refused)
    }

    fn make(folder: PathBuf, files: Files, bytes: u64, swap: u64) -> io::Result<Self> {
        if !folder.starts_with("/sys/fs/cgroup") {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::create_dir(&folder)?;
        let group = Self { folder, files };
        fs::write(group.folder.join(files.limit), bytes.to_string())?;
        // Absent if the kernel does not account for swap.
        let _absent = fs::write(group.folder.join(files.with_swap), swap.to_string());
        Ok(group)
    }

    /// Returns the file that moves a process to the group when its number is written to it.
    pub fn processes(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Returns the memory of the group in bytes: that of its processes, and their page cache.
    pub fn usage(&self) -> io::Result<u64> {
        self.number(self.files.usage)
    }

    /// Returns the highest usage so far.
    pub fn peak(&self) -> io::Result<u64> {
        self.number(self.files.peak)
    }

    fn number(&self, file: &str) -> io::Result<u64> {
        fs::read_to_string(self.folder.join(file))?.trim().parse().map_err(io::Error::other)
    }
}

impl Drop for Cgroup {
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for the kernel, which tells nobody when it is done"
    )]
    fn drop(&mut self) {
        // A killed process leaves its group a moment after it was waited for.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

//! The resources that this process uses, as the system reports them.

use std::time::Duration;

/// The figures; none where the system does not report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessStats {
    /// CPU time of all threads, including that in system calls.
    pub cpu: Option<Duration>,
    /// Memory that is in use.
    pub resident_bytes: Option<u64>,
    /// Memory that was requested.
    pub virtual_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open files and sockets.
    pub open_files: Option<u64>,
    /// Limit of open files.
    pub max_open_files: Option<u64>,
}

impl ProcessStats {
    /// Returns the current figures. Reads files of the kernel: with thousands of open sockets that takes
    /// milliseconds.
    #[cfg(unix)]
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        // Without the one that the folder is read through.
        let open = std::fs::read_dir("/proc/self/fd").ok();
        let open = open.map(|folder| u64::try_from(folder.count()).unwrap_or(u64::MAX).saturating_sub(1));
        Self {
            cpu: cpu(),
            resident_bytes: status_field(&status, "VmRSS").map(|kib| kib * 1024),
            virtual_bytes: status_field(&status, "VmSize").map(|kib| kib * 1024),
            threads: status_field(&status, "Threads"),
            open_files: open,
            max_open_files: max_open_files(),
        }
    }

    /// Returns no figures, since this system is not known.
    #[cfg(not(unix))]
    pub fn now() -> Self {
        Self::default()
    }
}

/// Returns how many files and sockets may be open; `None` if the system sets no limit, or does not report it.
#[cfg(unix)]
pub fn max_open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Returns `None`: the limit of this system is unknown.
#[cfg(not(unix))]
pub fn max_open_files() -> Option<u64> {
    None
}

#[cfg(unix)]
fn cpu() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Returns the value of a line such as `VmRSS: 12345 kB`.
fn status_field(status: &str, wanted: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_by_its_whole_name() {
        let status = "Name:\tframecast\nVmRSSx:\t1 kB\nVmRSS:\t   12345 kB\nThreads:\t9\n";
        assert_eq!(status_field(status, "VmRSS"), Some(12_345));
        assert_eq!(status_field(status, "Threads"), Some(9));
        assert_eq!((status_field(status, "Vm"), status_field(status, "VmSize")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_figures_are_those_of_this_process() {
        let before = ProcessStats::now();
        let files: Vec<_> = (0..10).map(|_| std::fs::File::open("/proc/self/status").unwrap()).collect();
        let after = ProcessStats::now();
        // Other tests open files at the same time.
        assert!(after.open_files.unwrap() >= 10, "{after:?}");
        assert!(after.cpu.unwrap() >= before.cpu.unwrap());
        assert!(after.resident_bytes.unwrap() > 1024 * 1024 && after.virtual_bytes >= after.resident_bytes);
        assert!(after.threads.unwrap() >= 1 && after.max_open_files.unwrap() >= 10, "{after:?}");
        drop(files);
    }
}

//! The system's figures of a process: memory and open files (`/proc`, proc(5)).

use std::fs;

/// A process that is looked at from outside.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    fn file(self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0)
    }

    /// Returns the number of open files and sockets.
    pub fn descriptors(self) -> usize {
        fs::read_dir(self.file("fd")).expect("it runs").count()
    }

    /// From now on [`Process::peak_kib`] is about what is used from now on.
    pub fn forget_peak(self) {
        fs::write(self.file("clear_refs"), "5").expect("the process is ours");
    }

    /// The most memory it has used.
    pub fn peak_kib(self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory it uses.
    pub fn memory_kib(self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(self, key: &str) -> u64 {
        let status = fs::read_to_string(self.file("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux says it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

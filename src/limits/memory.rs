//! The memory that the process may use.

use std::{fs, path::Path};

/// Values above this mean "no limit" in cgroup v1, which writes the largest multiple of the page size.
const NO_LIMIT: u64 = 1 << 60;

/// Returns the memory limit of the process's control group in bytes; `None` without a limit, or outside
/// Linux.
///
/// In a container the group is the root of the visible hierarchy; elsewhere (systemd's `MemoryMax=`) its path
/// is in `/proc/self/cgroup`, and the groups above it limit it as well.
pub fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    lowest_limit(&groups, |path| fs::read_to_string(Path::new("/sys/fs/cgroup").join(path)).ok())
}

/// Returns the lowest limit of the groups in `groups` (the text of `/proc/self/cgroup`) and of all groups
/// above them; `read` returns the files below `/sys/fs/cgroup`.
fn lowest_limit(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("", "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                ("memory/", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut group = group.trim_matches('/');
        loop {
            let folder = if group.is_empty() { mount.to_owned() } else { format!("{mount}{group}/") };
            limits.extend(read(&format!("{folder}{file}")).and_then(|text| text.trim().parse::<u64>().ok()));
            let Some((above, _)) = group.rsplit_once('/') else {
                if group.is_empty() {
                    break;
                }
                group = "";
                continue;
            };
            group = above;
        }
    }
    limits.into_iter().min().filter(|limit| *limit < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_all_groups_holds() {
        /// The control groups, their files, and the expected limit.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<u64>);
        let cases: [Case<'_>; 10] = [
            ("0::/\n", &[("memory.max", "268435456\n")], Some(256 << 20)),
            ("0::/\n", &[("memory.max", "max\n")], None),
            ("0::/a/b\n", &[("a/b/memory.max", "max"), ("a/memory.max", "4096")], Some(4096)),
            ("0::/a/b\n", &[("a/b/memory.max", "1024"), ("a/memory.max", "4096")], Some(1024)),
            ("4:memory:/x\n0::/\n", &[("memory/x/memory.limit_in_bytes", "8192")], Some(8192)),
            ("4:cpu,memory:/x/y\n", &[("memory/memory.limit_in_bytes", "9223372036854771712")], None),
            ("4:memory:/\n", &[("memory/memory.limit_in_bytes", "12288")], Some(12288)),
            ("nonsense\n3:cpu:/\n", &[("memory.max", "1")], None),
            ("0::/a\n", &[("a/memory.max", "8192"), ("memory.max", "4096")], Some(4096)),
            ("3:cpu:/\n", &[("memory/memory.limit_in_bytes", "4096")], None),
        ];
        for (groups, files, limit) in cases {
            let read =
                |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
            assert_eq!(lowest_limit(groups, read), limit, "{groups:?} {files:?}");
        }
    }
}

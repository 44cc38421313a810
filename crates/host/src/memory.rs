//! How much memory there is.

use std::path::Path;

/// What a machine is taken for that does not say.
const UNKNOWN_BYTES: u64 = 1 << 30;
/// Where the limits of a container stand, by the version of control groups.
const CONTAINER_LIMITS: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// The memory of this machine in bytes, or of the container that the process is in, if that has less.
pub fn memory_bytes() -> u64 {
    let text = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    smallest(&text("/proc/meminfo"), CONTAINER_LIMITS.map(text))
}

fn smallest(meminfo: &str, limits: [String; 2]) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let machine = kib.map_or(UNKNOWN_BYTES, |kib| kib.saturating_mul(1024));
    // No limit is the word `max`, or a number that no machine has.
    let container = limits.iter().filter_map(|text| text.trim().parse::<u64>().ok()).min();
    container.map_or(machine, |limit| limit.min(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       2048 kB\nMemFree:          10 kB\n";

    fn limits(new: &str, old: &str) -> [String; 2] {
        [new.to_owned(), old.to_owned()]
    }

    #[test]
    fn a_container_may_have_less_than_the_machine_but_not_more() {
        assert_eq!(smallest(MEMINFO, limits("max\n", "")), 2048 * 1024);
        assert_eq!(smallest(MEMINFO, limits("1048576\n", "")), 1_048_576);
        assert_eq!(smallest(MEMINFO, limits("", "9223372036854771712\n")), 2048 * 1024);
        assert_eq!(smallest("", limits("", "")), UNKNOWN_BYTES);
        assert!(memory_bytes() > 1 << 20);
    }
}

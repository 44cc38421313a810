//! What this process takes of the machine.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What this process takes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessUsage {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub open_files: u64,
    /// How many may be open.
    pub open_files_max: u64,
}

/// What this process takes now; none where the system does not say.
pub fn process_usage() -> Option<ProcessUsage> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(ProcessUsage {
        resident_bytes: resident_bytes(&status)?,
        open_files: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        open_files_max: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
    })
}

/// Lets this process open as many files and connections as the system allows it, and says how many that are.
pub fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Whoever is refused keeps what he has.
    let raised =
        current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    limit.unwrap_or(u64::MAX)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        assert_eq!(raise_open_files(), getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX));
    }

    #[test]
    fn a_process_knows_what_it_takes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2 << 20));
        let usage = process_usage().expect("Linux says it");
        assert!(usage.resident_bytes > 0 && usage.open_files > 2);
    }
}

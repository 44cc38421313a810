//! What the program needs of the machine it runs on (disk, clock, randomness), as traits with a real and a simulated implementation.
//!
//! Nothing above this crate opens a file, reads a clock or draws a random number by itself, so that a simulation can take the
//! place of all three.

mod aligned;
mod clock;
mod disk;
mod memory;
mod process;
mod random;
mod real_disk;
mod residency;
pub mod sim;

use std::sync::Arc;

pub use aligned::{AlignedBuffer, BLOCK_BYTES};
pub use clock::{Clock, SystemClock};
pub use disk::{DirEntry, Disk, File, FileLock, OpenMode, Space};
pub use memory::memory_bytes;
pub use process::{ProcessUsage, process_usage, raise_open_files};
pub use random::{OsRandom, Random};
pub use real_disk::RealDisk;

/// A machine: its disk, its clock and its randomness.
#[derive(Clone)]
pub struct Host {
    /// Where files are.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub random: Arc<dyn Random>,
}

impl Host {
    /// The machine that the process runs on.
    pub fn real() -> Host {
        Host { disk: Arc::new(RealDisk), clock: Arc::new(SystemClock::default()), random: Arc::new(OsRandom) }
    }
}

//! A machine in memory: a disk that loses power, a clock that is set, randomness that repeats itself.

mod clock;
mod disk;
mod file;
mod random;

pub use clock::ManualClock;
pub use disk::{Hold, SECTOR_BYTES, SimDisk};
pub use random::SeededRandom;

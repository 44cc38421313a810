//! What is counted on hot paths: every note costs an atomic addition or two, and takes no lock. Time is an argument.

mod histogram;
mod window;

pub use histogram::{Histogram, HistogramReading, Scale};
pub use window::{WINDOW_SECONDS, Window};

//! The cleaner's settings.

use std::time::Duration;

/// How logs are cleaned, all together. Each field is Kafka's setting of its name after `log.cleaner.`.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerSettings {
    /// `threads`.
    pub threads: usize,
    /// `dedupe.buffer.size`: memory for keys, of all threads together, in bytes. A thread takes its part while it cleans only.
    pub dedupe_buffer_bytes: usize,
    /// `io.buffer.load.factor`: which part of that may be in use.
    pub load_factor: f64,
    /// `io.buffer.size`: read at once, of all threads together, in bytes.
    pub io_buffer_bytes: usize,
    /// `io.max.bytes.per.second`: read and written, by all threads together.
    pub bytes_per_second: f64,
    /// `backoff.ms`: how long to wait when there is nothing to clean.
    pub backoff: Duration,
    /// Whether segments are read and written past the page cache.
    pub direct: bool,
}

impl Default for CleanerSettings {
    /// Kafka's defaults, past the page cache.
    fn default() -> CleanerSettings {
        CleanerSettings {
            threads: 1,
            dedupe_buffer_bytes: 128 * 1024 * 1024,
            load_factor: 0.9,
            io_buffer_bytes: 512 * 1024,
            bytes_per_second: f64::MAX,
            backoff: Duration::from_secs(15),
            direct: true,
        }
    }
}

impl CleanerSettings {
    /// A thread's part of the memory for keys, in bytes.
    pub(super) fn map_bytes(&self) -> usize {
        self.dedupe_buffer_bytes / self.threads.max(1)
    }

    /// A thread's part of what is read at once, in bytes.
    pub(super) fn read_bytes(&self) -> usize {
        self.io_buffer_bytes / self.threads.max(1)
    }
}

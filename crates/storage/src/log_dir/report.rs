//! What was done when a log directory was opened.

use std::fmt;
use std::time::Duration;

use crate::log::LogRecovery;

/// What was done when a log directory was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The broker before had stopped in order, so that nothing had to be verified.
    pub clean: bool,
    /// The epoch of that broker, if it is known.
    pub broker_epoch: Option<i64>,
    /// Number of logs.
    pub logs: usize,
    /// Bytes of batches above the recovery points that were verified.
    pub verified_bytes: u64,
    /// Bytes that were cut off the ends of segments: zeroes, and what was not whole.
    pub truncated_bytes: u64,
    /// There was a journal, which only a broker of ours leaves that did not stop in order.
    pub had_journal: bool,
    /// Bytes of the journal that were read back.
    pub journal_bytes: u64,
    /// Batches that were only in the journal.
    pub replayed_batches: u64,
    /// Their bytes.
    pub replayed_bytes: u64,
    /// Directories of logs that were only in the journal and were made again.
    pub recreated_logs: usize,
    /// Logs whose deletion was brought to its end.
    pub deleted_logs: usize,
    /// How long it took.
    pub took: Duration,
}

impl RecoveryReport {
    /// A broker had run here and did not stop in order. Of a directory that was only formatted nothing was found to verify.
    #[must_use]
    pub fn follows_a_crash(&self) -> bool {
        let has_traces = self.had_journal || self.verified_bytes + self.truncated_bytes > 0;
        !self.clean && self.logs > 0 && has_traces
    }

    pub(super) fn add(&mut self, log: &LogRecovery) {
        self.logs += 1;
        self.verified_bytes += log.verified_bytes;
        self.truncated_bytes += log.truncated_bytes;
        self.replayed_batches += log.replayed_batches;
        self.replayed_bytes += log.replayed_bytes;
    }
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_millis();
        if self.clean {
            return write!(f, "opened {} logs after a clean stop in {took} ms", self.logs);
        }
        write!(
            f,
            "recovered {} logs in {took} ms: {} bytes verified, {} cut off, {} batches ({} bytes) replayed from the journal",
            self.logs, self.verified_bytes, self.truncated_bytes, self.replayed_batches, self.replayed_bytes
        )
    }
}

//! Retention, for all logs of a directory at once.

use std::sync::Arc;

use super::LogDir;
use crate::StorageError;
use crate::journal::Lsn;
use crate::log::{Log, RetentionPlan};

/// A log, and what has expired of it.
type Planned = (Arc<Log>, RetentionPlan);

impl LogDir {
    /// Deletes what has expired by the topics' settings: `retention.ms`, `retention.bytes`, and segments below the logs' starts. A log
    /// that fails is left for the next time. Waits for the disk.
    pub fn apply_retention(&self) -> Result<(), StorageError> {
        let now_ms = self.context.host.clock.now_ms();
        let mut planned = plan(self.logs(), now_ms);
        if planned.iter().any(|(_, plan)| plan.needs_flush) {
            self.checkpoint()?;
            // What was appended since may belong to what had expired.
            planned = plan(planned.into_iter().map(|(log, _)| log).collect(), now_ms);
        }
        self.move_starts(&planned)?;
        for (log, plan) in &planned {
            match log.drop_segments_below_start() {
                Ok(0) => {}
                Ok(_) => say(log, plan),
                Err(error) => {
                    tracing::error!(log = %log.id(), %error, "segments that have expired cannot be deleted");
                    log.note_error(&error);
                }
            }
        }
        Ok(())
    }

    /// Moves the logs' starts with one wait for the disk.
    fn move_starts(&self, planned: &[Planned]) -> Result<(), StorageError> {
        let mut last = Lsn(0);
        for (log, plan) in planned {
            match log.begin_retention(plan) {
                Ok(lsn) => last = last.max(lsn.unwrap_or(last)),
                Err(error) => {
                    tracing::error!(log = %log.id(), %error, "retention failed");
                    log.note_error(&error);
                }
            }
        }
        self.context.journal.wait_durable(last)
    }
}

fn plan(logs: Vec<Arc<Log>>, now_ms: i64) -> Vec<Planned> {
    let of = |log: Arc<Log>| match log.plan_retention(now_ms) {
        Ok(plan) => Some((log, plan?)),
        Err(error) => {
            tracing::error!(log = %log.id(), %error, "it cannot be said what has expired");
            log.note_error(&error);
            None
        }
    };
    logs.into_iter().filter(|log| !log.is_deleted()).filter_map(of).collect()
}

fn say(log: &Log, plan: &RetentionPlan) {
    let expired = &plan.expired;
    tracing::info!(
        log = %log.id(),
        log_start = log.log_start_offset(),
        below_start = expired.below_start,
        by_size = expired.by_size,
        by_age = expired.by_age,
        "segments were deleted"
    );
}

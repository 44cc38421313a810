//! Who waits for what to be on disk.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Lsn;
use crate::StorageError;

type Callback = Box<dyn FnOnce(Result<(), StorageError>) + Send>;

/// Callbacks by the place that they wait for.
pub(super) struct Waiters {
    durable: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    callbacks: BTreeMap<u64, Vec<Callback>>,
    /// Set while nothing behind `durable` will be written.
    failure: Option<StorageError>,
    /// Places that never got on disk, of failures that are over. Whoever asks late is told so.
    lost: Vec<(RangeInclusive<u64>, StorageError)>,
}

impl Waiting {
    fn outcome(&self, lsn: Lsn, durable: Lsn) -> Option<Result<(), StorageError>> {
        if let Some((_, error)) = self.lost.iter().find(|(range, _)| range.contains(&lsn.0)) {
            return Some(Err(error.clone()));
        }
        if lsn <= durable { Some(Ok(())) } else { self.failure.clone().map(Err) }
    }
}

impl Waiters {
    pub(super) fn starting_at(durable: Lsn) -> Waiters {
        Waiters { durable: AtomicU64::new(durable.0), waiting: Mutex::default() }
    }

    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn outcome(&self, lsn: Lsn) -> Option<Result<(), StorageError>> {
        self.waiting.lock().outcome(lsn, self.durable())
    }

    pub(super) fn add(&self, lsn: Lsn, callback: Callback) {
        let mut waiting = self.waiting.lock();
        match waiting.outcome(lsn, self.durable()) {
            Some(result) => {
                drop(waiting);
                callback(result);
            }
            None => waiting.callbacks.entry(lsn.0).or_default().push(callback),
        }
    }

    /// All up to this place is on disk.
    pub(super) fn advance(&self, durable: Lsn) {
        let mut waiting = self.waiting.lock();
        self.durable.store(durable.0, Ordering::Release);
        let later = waiting.callbacks.split_off(&(durable.0 + 1));
        let due = std::mem::replace(&mut waiting.callbacks, later);
        drop(waiting);
        due.into_values().flatten().for_each(|callback| callback(Ok(())));
    }

    /// Nothing of what is waited for will be on disk.
    pub(super) fn fail(&self, error: &StorageError) {
        let mut waiting = self.waiting.lock();
        waiting.failure = Some(error.clone());
        let due = std::mem::take(&mut waiting.callbacks);
        drop(waiting);
        due.into_values().flatten().for_each(|callback| callback(Err(error.clone())));
    }

    /// Things are written again, from the place after this one on. What lies before it and was not on disk is lost.
    pub(super) fn resume_after(&self, submitted: Lsn) {
        let mut waiting = self.waiting.lock();
        let lost = self.durable().0 + 1..=submitted.0;
        if let Some(error) = waiting.failure.take()
            && !lost.is_empty()
        {
            waiting.lost.push((lost, error));
        }
        self.durable.store(submitted.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn ask(waiters: &Waiters, lsn: u64) -> Arc<Mutex<Option<bool>>> {
        let answer = Arc::new(Mutex::new(None));
        let given = answer.clone();
        waiters.add(Lsn(lsn), Box::new(move |result| *given.lock() = Some(result.is_ok())));
        answer
    }

    #[test]
    fn callers_are_told_once_their_place_is_reached() {
        let waiters = Waiters::starting_at(Lsn(3));
        assert_eq!(*ask(&waiters, 3).lock(), Some(true));
        let (fourth, fifth) = (ask(&waiters, 4), ask(&waiters, 5));
        waiters.advance(Lsn(4));
        assert_eq!((*fourth.lock(), *fifth.lock()), (Some(true), None));
    }

    #[test]
    fn what_was_lost_stays_lost_when_things_are_written_again() {
        let waiters = Waiters::starting_at(Lsn(3));
        let early = ask(&waiters, 4);
        waiters.fail(&StorageError::Closed);
        waiters.resume_after(Lsn(5));
        waiters.advance(Lsn(6));
        assert_eq!(*early.lock(), Some(false));
        assert_eq!([3, 4, 5, 6].map(|lsn| *ask(&waiters, lsn).lock()), [true, false, false, true].map(Some));
    }
}

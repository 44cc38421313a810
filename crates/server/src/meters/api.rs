//! What is counted of an API.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use meter::{Histogram, Scale};
use protocol::{ApiKey, ErrorCode};

use crate::net::Finish;

/// Keys that have a meter; those of Kafka 4.4 are below.
const KEYS: usize = 128;
/// Versions that are told apart.
const VERSIONS: usize = 32;
/// Error codes that are told apart, from -1 on.
const ERRORS: usize = 160;

/// A meter for each key, made when it is first used.
pub(super) struct ApiMeters(Box<[OnceLock<Box<ApiMeter>>]>);

impl Default for ApiMeters {
    fn default() -> ApiMeters {
        ApiMeters((0..KEYS).map(|_| OnceLock::new()).collect())
    }
}

impl ApiMeters {
    pub(super) fn of(&self, key: ApiKey) -> &ApiMeter {
        let place = usize::try_from(key.0).unwrap_or(0).min(KEYS - 1);
        self.0[place].get_or_init(Box::default)
    }

    pub(super) fn used(&self) -> impl Iterator<Item = (ApiKey, &ApiMeter)> {
        self.0.iter().zip(0..).filter_map(|(meter, key)| Some((ApiKey(key), &**meter.get()?)))
    }
}

/// The requests of one API that are over, the phases of each, and the errors in their answers.
pub(crate) struct ApiMeter {
    by_version: [AtomicU64; VERSIONS],
    by_error: [AtomicU64; ERRORS],
    /// Phases and sizes, by Kafka's names.
    pub(crate) request_queue: Histogram,
    pub(crate) local: Histogram,
    pub(crate) remote: Histogram,
    pub(crate) throttle: Histogram,
    pub(crate) response_queue: Histogram,
    pub(crate) response_send: Histogram,
    pub(crate) total: Histogram,
    pub(crate) request_bytes: Histogram,
    pub(crate) response_bytes: Histogram,
}

/// How often an error code was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCount {
    pub(crate) error: ErrorCode,
    pub(crate) count: u64,
}

impl Default for ApiMeter {
    fn default() -> ApiMeter {
        let duration = || Histogram::new(Scale::DURATION);
        ApiMeter {
            by_version: [const { AtomicU64::new(0) }; VERSIONS],
            by_error: [const { AtomicU64::new(0) }; ERRORS],
            request_queue: duration(),
            local: duration(),
            remote: duration(),
            throttle: duration(),
            response_queue: duration(),
            response_send: duration(),
            total: duration(),
            request_bytes: Histogram::new(Scale::SIZE),
            response_bytes: Histogram::new(Scale::SIZE),
        }
    }
}

impl ApiMeter {
    /// Counts a request that is over. `request_bytes` are without those of the length, as Kafka counts them.
    pub(crate) fn note(&self, version: i16, request_bytes: usize, finish: &Finish) {
        let version = usize::try_from(version).unwrap_or(0).min(VERSIONS - 1);
        self.by_version[version].fetch_add(1, Ordering::Relaxed);
        let timing = &finish.timing;
        self.request_queue.note_duration(timing.request_queue());
        self.local.note_duration(timing.local());
        self.remote.note_duration(timing.remote());
        self.throttle.note_duration(finish.notes.throttled);
        self.response_queue.note_duration(timing.response_queue());
        self.response_send.note_duration(timing.response_send());
        self.total.note_duration(timing.total());
        self.request_bytes.note(request_bytes as u64);
        self.response_bytes.note(finish.response_bytes as u64);
        if finish.notes.successes > 0 {
            self.error(0).fetch_add(u64::from(finish.notes.successes), Ordering::Relaxed);
        }
        for code in &finish.notes.errors {
            self.error(*code).fetch_add(1, Ordering::Relaxed);
        }
    }

    fn error(&self, code: i16) -> &AtomicU64 {
        let place = usize::try_from(i32::from(code) + 1).ok().filter(|place| *place < ERRORS);
        &self.by_error[place.unwrap_or(0)]
    }

    /// Requests of each version that came.
    pub(crate) fn versions(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.by_version.iter().map(|count| count.load(Ordering::Relaxed));
        counts.enumerate().filter(|(_, count)| *count > 0)
    }

    /// Error codes that were answered, 0 for none included.
    pub(crate) fn errors(&self) -> impl Iterator<Item = ErrorCount> {
        let counts = self.by_error.iter().map(|count| count.load(Ordering::Relaxed)).zip(-1_i16..);
        counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, code)| ErrorCount { error: ErrorCode::from(code), count })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::net::{Notes, Timing};

    #[test]
    fn a_request_is_counted_by_its_version_and_its_errors() {
        let meters = ApiMeters::default();
        let now = Instant::now();
        let timing = Timing { arrived: now, begun: now, returned: now, done: now, turn: now, sent: now };
        let notes = Notes { errors: vec![3, -1, 3, i16::MAX], successes: 2, ..Notes::default() };
        meters.of(ApiKey::PRODUCE).note(9, 100, &Finish { timing, notes, response_bytes: 50 });
        let (key, meter) = meters.used().next().expect("one API was used");
        assert_eq!((key, meters.used().count()), (ApiKey::PRODUCE, 1));
        assert_eq!(meter.versions().collect::<Vec<_>>(), [(9, 1)]);
        let errors: Vec<(i16, u64)> = meter.errors().map(|found| (found.error.code(), found.count)).collect();
        assert_eq!(errors, [(-1, 2), (0, 2), (3, 2)]);
        assert_eq!(meter.request_bytes.read().sum, 100);
    }
}

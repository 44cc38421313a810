//! What handlers and connections count while they work: atomics of each API, partition and reader, nothing else.

mod api;
mod hindrances;
mod pace;
mod partition;
mod readers;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use protocol::ApiKey;

pub(crate) use api::ApiMeter;
pub(crate) use hindrances::Hindrances;
pub(crate) use pace::Pace;
pub(crate) use partition::{PartitionCounts, PartitionMeter};
pub(crate) use readers::{PartitionReading, Reader, Readers, SliceReads, SourcesReading};

use crate::net::Budget;
use api::ApiMeters;

/// What a broker counts beside its partitions.
pub(crate) struct Meters {
    apis: ApiMeters,
    pub(crate) readers: Readers,
    /// Open connections, by the listener's place.
    connections: Vec<AtomicI64>,
    /// Connections that were not served, or not at once.
    pub(crate) hindrances: Hindrances,
    /// `queued.max.requests`, and how many of clients' are at work.
    pub(crate) at_work: Arc<Budget>,
    /// Fetches that wait for records.
    pub(crate) waiting_fetches: AtomicI64,
    /// Which slow requests are told of one by one.
    pub(crate) slow: Pace,
    /// Requests that were slow.
    pub(crate) slow_requests: AtomicU64,
}

impl Meters {
    /// Nothing yet, for so many listeners and requests at work.
    pub(crate) fn new(listeners: usize, requests_max: usize) -> Meters {
        Meters {
            apis: ApiMeters::default(),
            readers: Readers::default(),
            connections: (0..listeners).map(|_| AtomicI64::new(0)).collect(),
            hindrances: Hindrances::default(),
            at_work: Budget::new(requests_max),
            waiting_fetches: AtomicI64::new(0),
            slow: Pace::default(),
            slow_requests: AtomicU64::new(0),
        }
    }

    /// The meter of an API that is served.
    pub(crate) fn api(&self, key: ApiKey) -> &ApiMeter {
        self.apis.of(key)
    }

    /// The meters of the APIs that were used, in the order of their keys.
    pub(crate) fn used_apis(&self) -> impl Iterator<Item = (ApiKey, &ApiMeter)> {
        self.apis.used()
    }

    /// A connection has come (1) or gone (-1).
    pub(crate) fn connections_changed(&self, listener: usize, by: i64) {
        if let Some(open) = self.connections.get(listener) {
            open.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Open connections, by the listener's place.
    pub(crate) fn connections(&self) -> impl Iterator<Item = i64> {
        self.connections.iter().map(|open| open.load(Ordering::Relaxed))
    }
}

/// Counts one more for as long as it is there.
pub(crate) struct Counted<'a>(&'a AtomicI64);

impl<'a> Counted<'a> {
    /// One more.
    pub(crate) fn new(gauge: &'a AtomicI64) -> Counted<'a> {
        gauge.fetch_add(1, Ordering::Relaxed);
        Counted(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Which requests are slow, and where they were. Pure.

use std::time::Duration;

use protocol::ApiKey;

use crate::net::Finish;

/// Where a request spent its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind other requests of its connection.
    RequestQueue,
    /// In its own turn.
    Local,
    /// Waiting for the disk.
    Disk,
    /// Behind other answers of its connection.
    ResponseQueue,
    /// Being sent: files are read then, and the client may read slowly.
    Send,
}

impl Place {
    /// For a line of the log.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Place::RequestQueue => "behind other requests of its connection",
            Place::Local => "at work",
            Place::Disk => "waiting for the disk",
            Place::ResponseQueue => "behind other answers of its connection",
            Place::Send => "being sent",
        }
    }
}

/// How long a request took, other than for what its client asked to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slowness {
    pub(crate) took: Duration,
    /// Of that, waiting for the disk.
    pub(crate) disk: Duration,
    /// Waiting as asked: for records, or for other members of a group.
    pub(crate) awaited: Duration,
    /// Where most of it was.
    pub(crate) mostly: Place,
}

/// Looks at a request that is over.
pub(crate) fn slowness(key: ApiKey, finish: &Finish) -> Slowness {
    let timing = &finish.timing;
    let remote = timing.remote();
    let awaited = if waits_for_members(key) { remote } else { finish.notes.awaited.min(remote) };
    let disk = remote.saturating_sub(awaited);
    let places = [
        (timing.request_queue(), Place::RequestQueue),
        (timing.local(), Place::Local),
        (disk, Place::Disk),
        (timing.response_queue(), Place::ResponseQueue),
        (timing.response_send(), Place::Send),
    ];
    let mostly = places.into_iter().max_by_key(|(spent, _)| *spent).map_or(Place::Local, |(_, place)| place);
    Slowness { took: timing.total().saturating_sub(awaited), disk, awaited, mostly }
}

fn waits_for_members(key: ApiKey) -> bool {
    matches!(key, ApiKey::JOIN_GROUP | ApiKey::SYNC_GROUP)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::net::{Notes, Timing};

    /// Phases in milliseconds: queue, local, remote, response queue, send.
    fn finish(phases: [u64; 5], awaited: u64) -> Finish {
        let arrived = Instant::now();
        let after = |count: usize| arrived + Duration::from_millis(phases[..count].iter().sum());
        let timing = Timing {
            arrived,
            begun: after(1),
            returned: after(2),
            done: after(3),
            turn: after(4),
            sent: after(5),
        };
        let notes = Notes { awaited: Duration::from_millis(awaited), ..Notes::default() };
        Finish { timing, notes, response_bytes: 1 }
    }

    fn look(key: ApiKey, phases: [u64; 5], awaited: u64) -> (u64, Place) {
        let found = slowness(key, &finish(phases, awaited));
        (u64::try_from(found.took.as_millis()).expect("it is short"), found.mostly)
    }

    #[test]
    fn what_a_client_asked_to_wait_for_is_not_slow() {
        assert_eq!(look(ApiKey::FETCH, [1, 2, 500, 0, 4], 490), (17, Place::Disk));
        assert_eq!(look(ApiKey::JOIN_GROUP, [1, 2, 3000, 0, 0], 0), (3, Place::Local));
        assert_eq!(look(ApiKey::PRODUCE, [1, 2, 3000, 0, 0], 0), (3003, Place::Disk));
    }

    #[test]
    fn the_longest_phase_is_named() {
        for (place, expected) in
            [Place::RequestQueue, Place::Local, Place::Disk, Place::ResponseQueue, Place::Send]
                .into_iter()
                .enumerate()
        {
            let mut phases = [1; 5];
            phases[place] = 9;
            assert_eq!(look(ApiKey::METADATA, phases, 0), (13, expected));
        }
    }
}

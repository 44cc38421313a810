//! Fetch sessions (KIP-227): the broker remembers what a client fetches, so that requests and responses say only what changed.
//! Pure: the time and the ids are given.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::FetchPartition;
use protocol::{ErrorCode, Uuid};

/// The first version that names topics by id.
pub(crate) const TOPIC_IDS_SINCE: i16 = 13;
/// Asks for a new session.
const INITIAL_EPOCH: i32 = 0;
/// Asks for none, and ends the one that is named.
const FINAL_EPOCH: i32 = -1;
/// `min.incremental.fetch.session.eviction.ms`: a session that was used within this time is not given up for another.
const UNUSED_MIN_MS: i64 = 120_000;

/// A topic as the request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TopicKey {
    Name(Arc<str>),
    Id(Uuid),
}

/// A topic and the number of a partition.
pub(crate) type PartitionKey = (TopicKey, i32);

/// What is asked of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) fetch_offset: i64,
    pub(crate) bytes_max: usize,
    pub(crate) current_leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
}

/// What a client was told of a partition last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) has_records: bool,
    pub(crate) error: ErrorCode,
}

#[derive(Debug)]
struct Remembered {
    wanted: Wanted,
    high_watermark: i64,
    log_start_offset: i64,
}

impl Remembered {
    fn new(wanted: Wanted) -> Remembered {
        Remembered { wanted, high_watermark: -1, log_start_offset: -1 }
    }

    /// Notes what the client is told, and says whether that is news.
    fn note(&mut self, told: &Told) -> bool {
        let failed = told.error != ErrorCode::None;
        let news = failed
            || told.has_records
            || told.high_watermark != self.high_watermark
            || told.log_start_offset != self.log_start_offset;
        self.log_start_offset = told.log_start_offset;
        // After an error everything is news.
        self.high_watermark = if failed { -1 } else { told.high_watermark };
        news
    }
}

/// What a client fetches.
#[derive(Debug)]
pub(crate) struct Session {
    id: i32,
    /// What the next request must say.
    next_epoch: i32,
    uses_topic_ids: bool,
    last_used_ms: i64,
    partitions: IndexMap<PartitionKey, Remembered>,
}

/// A request as its session completes it.
pub(crate) struct Plan {
    /// None for a client without a session.
    pub(crate) session: Option<Arc<Mutex<Session>>>,
    /// Its number, or 0.
    pub(crate) session_id: i32,
    /// Whether the response leaves out what the client knows already.
    pub(crate) is_incremental: bool,
    /// In the order in which they are to be read.
    pub(crate) partitions: Vec<(PartitionKey, Wanted)>,
}

/// All sessions of a broker.
pub(crate) struct FetchSessions {
    sessions_max: usize,
    sessions: Mutex<HashMap<i32, Arc<Mutex<Session>>>>,
}

impl FetchSessions {
    /// No sessions yet, and no more than so many ever (`max.incremental.fetch.session.cache.slots`).
    pub(crate) fn new(sessions_max: usize) -> FetchSessions {
        FetchSessions { sessions_max, sessions: Mutex::default() }
    }

    /// Finds or makes the session of a request. `draw` is a random number, for a new one.
    pub(crate) fn begin(
        &self,
        request: &FetchRequest,
        version: i16,
        uptime_ms: i64,
        draw: u64,
    ) -> Result<Plan, ErrorCode> {
        if request.session_epoch == FINAL_EPOCH || request.session_epoch == INITIAL_EPOCH {
            self.sessions.lock().remove(&request.session_id);
            let partitions: Vec<_> = asked(request, version).collect();
            let make = request.session_epoch == INITIAL_EPOCH;
            let session = if make { self.make(&partitions, version, uptime_ms, draw) } else { None };
            let session_id = session.as_ref().map_or(0, |session| session.lock().id);
            return Ok(Plan { session, session_id, is_incremental: false, partitions });
        }
        self.go_on(request, version, uptime_ms)
    }

    fn go_on(&self, request: &FetchRequest, version: i16, uptime_ms: i64) -> Result<Plan, ErrorCode> {
        let known = self.sessions.lock().get(&request.session_id).cloned();
        let shared = known.ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut session = shared.lock();
        if session.next_epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != (version >= TOPIC_IDS_SINCE) {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.update(request, version);
        session.next_epoch = epoch_after(session.next_epoch);
        session.last_used_ms = uptime_ms;
        let partitions: Vec<_> =
            session.partitions.iter().map(|(key, known)| (key.clone(), known.wanted)).collect();
        drop(session);
        if partitions.is_empty() {
            self.sessions.lock().remove(&request.session_id);
            return Ok(Plan { session: None, session_id: 0, is_incremental: false, partitions });
        }
        let session_id = request.session_id;
        Ok(Plan { session: Some(shared), session_id, is_incremental: true, partitions })
    }

    fn make(
        &self,
        partitions: &[(PartitionKey, Wanted)],
        version: i16,
        uptime_ms: i64,
        draw: u64,
    ) -> Option<Arc<Mutex<Session>>> {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= self.sessions_max && !evict(&mut sessions, uptime_ms) {
            return None;
        }
        let mut id = (draw as i32 & i32::MAX).max(1);
        while sessions.contains_key(&id) {
            id = epoch_after(id);
        }
        let remembered = partitions.iter().map(|(key, wanted)| (key.clone(), Remembered::new(*wanted)));
        let session = Arc::new(Mutex::new(Session {
            id,
            next_epoch: 1,
            uses_topic_ids: version >= TOPIC_IDS_SINCE,
            last_used_ms: uptime_ms,
            partitions: remembered.collect(),
        }));
        sessions.insert(id, Arc::clone(&session));
        Some(session)
    }
}

/// Gives up the session that was not used for longest, if that is long enough.
fn evict(sessions: &mut HashMap<i32, Arc<Mutex<Session>>>, uptime_ms: i64) -> bool {
    let oldest = sessions.iter().map(|(id, session)| (session.lock().last_used_ms, *id)).min();
    match oldest {
        Some((last_used_ms, id)) if uptime_ms.saturating_sub(last_used_ms) > UNUSED_MIN_MS => {
            sessions.remove(&id).is_some()
        }
        _ => false,
    }
}

/// The next number above zero.
fn epoch_after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

impl Session {
    /// Takes in what a request changes.
    fn update(&mut self, request: &FetchRequest, version: i16) {
        for (key, wanted) in asked(request, version) {
            match self.partitions.get_mut(&key) {
                Some(known) => known.wanted = wanted,
                None => drop(self.partitions.insert(key, Remembered::new(wanted))),
            }
        }
        let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
            let key = topic_key(version, &topic.topic, topic.topic_id);
            topic.partitions.iter().map(move |number| (key.clone(), *number))
        });
        let forgotten: std::collections::HashSet<PartitionKey> = forgotten.collect();
        if !forgotten.is_empty() {
            self.partitions.retain(|key, _| !forgotten.contains(key));
        }
    }

    /// Notes what the client is told of each partition of the plan, and says of which it must be told.
    ///
    /// Partitions with records go to the end, so that others come first the next time.
    pub(crate) fn note(&mut self, told: &[(PartitionKey, Told)]) -> Vec<bool> {
        let mut with_records = Vec::new();
        let news = told.iter().map(|(key, told)| {
            let Some(known) = self.partitions.get_mut(key) else { return true };
            if told.has_records {
                with_records.push(key);
            }
            known.note(told)
        });
        let news = news.collect();
        if with_records.len() < self.partitions.len() {
            self.move_to_end(&with_records);
        }
        news
    }

    fn move_to_end(&mut self, keys: &[&PartitionKey]) {
        for key in keys {
            if let Some((key, known)) = self.partitions.shift_remove_entry(*key) {
                self.partitions.insert(key, known);
            }
        }
    }
}

/// What a request names itself, each partition once: the last that is said of it counts.
fn asked(request: &FetchRequest, version: i16) -> impl Iterator<Item = (PartitionKey, Wanted)> {
    let partitions = request.topics.iter().flat_map(move |topic| {
        let key = topic_key(version, &topic.topic, topic.topic_id);
        topic.partitions.iter().map(move |partition| ((key.clone(), partition.partition), wanted(partition)))
    });
    partitions.collect::<IndexMap<_, _>>().into_iter()
}

fn topic_key(version: i16, name: &str, id: Uuid) -> TopicKey {
    if version >= TOPIC_IDS_SINCE { TopicKey::Id(id) } else { TopicKey::Name(name.into()) }
}

fn wanted(partition: &FetchPartition) -> Wanted {
    Wanted {
        fetch_offset: partition.fetch_offset,
        bytes_max: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    }
}

#[cfg(test)]
mod tests;

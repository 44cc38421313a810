//! The log and the vote, as openraft wants them: batches of Kafka's log, and `quorum-state`.
#![expect(clippy::result_large_err, reason = "the errors are openraft's")]

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, EntryPayload, LogId, LogState, OptionalSend, RaftLogReader, StorageIOError, Vote};
use protocol::records::{BatchHeader, Batches};
use storage::files::{FileError, quorum_state};
use storage::{AppendError, AppendInfo, Appended, Origin, StorageError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::index_map::Place;
use crate::load::read_batches;
use crate::raft::{Batch, Entry, RaftStorageError, TypeConfig, epoch_of, log_id};
use crate::shared::Shared;

/// After how long it is looked again whether a full disk has room.
const RETRY: Duration = Duration::from_millis(100);

/// Why an entry is not on disk.
enum NotAppended {
    /// The disk did not take it: if it was only full, it may later.
    Disk(StorageError),
    Raft(RaftStorageError),
}

impl From<StorageError> for NotAppended {
    fn from(error: StorageError) -> NotAppended {
        NotAppended::Disk(error)
    }
}

impl From<RaftStorageError> for NotAppended {
    fn from(error: RaftStorageError) -> NotAppended {
        NotAppended::Raft(error)
    }
}

/// The log and the vote.
pub(crate) struct LogStore {
    shared: Arc<Shared>,
    /// The newest epoch in which this node voted.
    epoch: i32,
    /// The vote, while it is on its way to the disk.
    storing_vote: Option<JoinHandle<Result<(), FileError>>>,
    /// Closed when nothing writes for this any more.
    alive: mpsc::Sender<()>,
}

impl LogStore {
    /// With the newest epoch that the log or the vote name.
    pub(crate) fn new(shared: Arc<Shared>, epoch: i32, alive: mpsc::Sender<()>) -> LogStore {
        LogStore { shared, epoch, storing_vote: None, alive }
    }

    fn id_of(&self, (index, epoch): (u64, i32)) -> LogId<i32> {
        log_id(self.shared.voter.node_id, index, epoch)
    }

    /// Appends entries, which are on disk when this returns.
    async fn append_durably(&self, entries: &[Entry]) -> Result<(), NotAppended> {
        let mut last = None;
        for entry in entries {
            last = Some(self.append_entry(entry)?);
        }
        let Some(appended) = last else { return Ok(()) };
        let (sender, durable) = oneshot::channel();
        // Whoever does not wait any more need not know.
        let tell = move |result| sender.send(result).unwrap_or_default();
        self.shared.log_dir.journal().when_durable(appended.position, Box::new(tell));
        Ok(durable.await.unwrap_or(Err(StorageError::Closed))?)
    }

    /// Waits as long as the disk is full and until the log has gone back to what is on it. False if that is in vain.
    async fn wait_for_room(&self) -> bool {
        let Shared { log_dir, log, is_closing, .. } = &*self.shared;
        while log_dir.refusal().is_some() || log.durable_end_offset() < log.log_end_offset() {
            if log_dir.failure().is_some() || is_closing.load(Ordering::Acquire) {
                return false;
            }
            // Nobody tells when there is room again.
            tokio::time::sleep(RETRY).await;
        }
        true
    }

    /// Appends one entry: a batch of records, or the one that starts an epoch.
    fn append_entry(&self, entry: &Entry) -> Result<Appended, NotAppended> {
        let id = entry.log_id;
        let failed = |error: &dyn std::error::Error| {
            NotAppended::from(RaftStorageError::from(StorageIOError::write_log_entry(
                id,
                AnyError::error(error),
            )))
        };
        let epoch = epoch_of(id.leader_id.term);
        let now_ms = self.shared.host.clock.now_ms();
        let (bytes, expected) = match &entry.payload {
            EntryPayload::Blank => {
                (self.shared.voter.leader_change(epoch, now_ms).map_err(|error| failed(&error))?, None)
            }
            EntryPayload::Normal(Batch(bytes)) => {
                let header = BatchHeader::parse(bytes).map_err(|error| failed(&error))?;
                (bytes.clone(), Some(header.base_offset))
            }
            EntryPayload::Membership(_) => {
                return Err(failed(&io::Error::other("the voters cannot be changed")));
            }
        };
        self.check_place(&id, expected)?;
        let info = AppendInfo { leader_epoch: epoch, now_ms, origin: Origin::Raft };
        let appended = self.shared.log.append(bytes, info).map_err(|error| match error {
            AppendError::Storage(error) => NotAppended::Disk(error),
            other => failed(&other),
        })?;
        self.shared.index.lock().push(appended.base_offset, appended.last_offset + 1, epoch);
        Ok(appended)
    }

    /// Whether the entry comes next: what was decided counts on the offset that it gets.
    fn check_place(&self, id: &LogId<i32>, expected: Option<i64>) -> Result<(), RaftStorageError> {
        let next_index = self.shared.index.lock().last().map_or(0, |(index, _)| index + 1);
        let end_offset = self.shared.log.log_end_offset();
        if id.index == next_index && expected.is_none_or(|expected| expected == end_offset) {
            return Ok(());
        }
        let error = format!("entry {} for offset {expected:?} comes at {next_index}, {end_offset}", id.index);
        Err(StorageIOError::write_log_entry(*id, AnyError::error(error)).into())
    }

    /// Fails if it is known that the vote could not be written.
    async fn check_vote(&mut self) -> Result<(), RaftStorageError> {
        let known = self.storing_vote.as_ref().is_some_and(JoinHandle::is_finished);
        if known { self.finish_vote().await } else { Ok(()) }
    }

    async fn finish_vote(&mut self) -> Result<(), RaftStorageError> {
        let Some(storing) = self.storing_vote.take() else { return Ok(()) };
        let failed = |error| RaftStorageError::from(StorageIOError::write_vote(error));
        match storing.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_disk_full() => {
                tracing::warn!(%error, "there is no room for the vote; the first batch of the epoch says it too");
                Ok(())
            }
            Ok(Err(error)) => Err(failed(AnyError::error(error))),
            Err(error) => Err(failed(AnyError::error(error))),
        }
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, RaftStorageError> {
        let index = self.shared.index.lock();
        Ok(LogState {
            last_purged_log_id: index.purged().map(|last| self.id_of(last)),
            last_log_id: index.last().map(|last| self.id_of(last)),
        })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader { shared: self.shared.clone() }
    }

    /// The only voter wins with its own vote, so that one file is written an election. Nobody waits for it: the first batch of the
    /// epoch says the epoch too, and is on disk before anybody sees anything of it. A crash that loses the file loses nothing.
    async fn save_vote(&mut self, vote: &Vote<i32>) -> Result<(), RaftStorageError> {
        let epoch = epoch_of(vote.leader_id().term);
        if epoch <= self.epoch {
            return Ok(());
        }
        self.finish_vote().await?;
        self.epoch = epoch;
        let state = self.shared.voter.elected(epoch);
        let path = self.shared.log.dir().join(quorum_state::NAME);
        let (disk, alive) = (self.shared.host.disk.clone(), self.alive.clone());
        self.storing_vote = Some(tokio::task::spawn_blocking(move || {
            let _alive = alive;
            quorum_state::store(&*disk, &path, &state)
        }));
        Ok(())
    }

    /// A vote that was won is given back as one that was not: every start is an election, and the epoch rises.
    async fn read_vote(&mut self) -> Result<Option<Vote<i32>>, RaftStorageError> {
        let term = u64::from(self.epoch.unsigned_abs());
        Ok((term > 0).then(|| Vote::new(term, self.shared.voter.node_id)))
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<TypeConfig>,
    ) -> Result<(), RaftStorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.check_vote().await?;
        let entries: Vec<Entry> = entries.into_iter().collect();
        let end_offset = self.shared.index.lock().end_offset();
        loop {
            let error = match self.append_durably(&entries).await {
                Ok(()) => break,
                Err(NotAppended::Raft(error)) => return Err(error),
                Err(NotAppended::Disk(error)) => error,
            };
            self.shared.index.lock().take_back(end_offset);
            // openraft takes a refusal for the end of its storage.
            if !self.wait_for_room().await {
                return Err(StorageIOError::write_logs(AnyError::error(error)).into());
            }
        }
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<i32>) -> Result<(), RaftStorageError> {
        // Only another leader would ask for it.
        let error = AnyError::error("the log of a lone voter is never cut");
        Err(StorageIOError::write_log_entry(log_id, error).into())
    }

    async fn purge(&mut self, log_id: LogId<i32>) -> Result<(), RaftStorageError> {
        self.shared.index.lock().purge(log_id.index);
        Ok(())
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, RaftStorageError> {
        read_entries(&self.shared, range)
    }
}

/// Reads entries.
pub(crate) struct LogReader {
    shared: Arc<Shared>,
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, RaftStorageError> {
        read_entries(&self.shared, range)
    }
}

/// Reads entries out of the log; what was appended lately is in its memory, and not copied.
fn read_entries(shared: &Shared, range: impl RangeBounds<u64>) -> Result<Vec<Entry>, RaftStorageError> {
    let places = places(shared, range);
    let failed = |error: &dyn std::error::Error| {
        RaftStorageError::from(StorageIOError::read_logs(AnyError::error(error)))
    };
    let mut entries = Vec::with_capacity(places.len());
    while let Some(place) = places.get(entries.len()) {
        let bytes = read_batches(&shared.log, place.base_offset).map_err(|error| failed(&error))?;
        let before = entries.len();
        take_entries(shared, &bytes.unwrap_or_default(), &places, &mut entries);
        if entries.len() == before {
            return Err(failed(&io::Error::other(format!(
                "there is no batch at offset {}",
                place.base_offset
            ))));
        }
    }
    Ok(entries)
}

fn places(shared: &Shared, range: impl RangeBounds<u64>) -> Vec<Place> {
    let index = shared.index.lock();
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => index.purged().map_or(0, |(purged, _)| purged + 1),
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start..end).map_while(|at| index.get(at)).collect()
}

fn take_entries(shared: &Shared, bytes: &Bytes, places: &[Place], entries: &mut Vec<Entry>) {
    for (header, batch) in Batches::new(bytes).flatten() {
        let Some(place) = places.get(entries.len()) else { return };
        if header.base_offset == place.base_offset {
            let payload = if header.is_control() {
                EntryPayload::Blank
            } else {
                EntryPayload::Normal(Batch(bytes.slice_ref(batch)))
            };
            let log_id = log_id(shared.voter.node_id, place.index, place.epoch);
            entries.push(Entry { log_id, payload });
        }
    }
}

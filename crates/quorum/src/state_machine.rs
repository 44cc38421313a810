//! The committed metadata, as openraft's state machine.
#![expect(clippy::result_large_err, reason = "the errors are openraft's")]

use std::io::{Cursor, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use metadata::Loader;
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, BasicNode, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageIOError, StoredMembership,
};
use parking_lot::Mutex;
use protocol::records::{BatchHeader, records};
use tokio::sync::{Notify, mpsc};

use crate::load::{self, INFLATED_BYTES_MAX};
use crate::raft::{Batch, Entry, RaftStorageError, TypeConfig, epoch_of, log_id};
use crate::shared::Shared;
use crate::snapshots::{self, SnapshotRules};
use crate::{CommittedImage, MetadataListener};

/// What others see of the state machine.
pub(crate) struct Publisher {
    listener: Arc<dyn MetadataListener>,
    /// Whether the listener is told of what comes.
    started: AtomicBool,
    /// Signalled when a snapshot is due.
    pub(crate) snapshot_due: Notify,
}

impl Publisher {
    pub(crate) fn new(listener: Arc<dyn MetadataListener>) -> Publisher {
        Publisher { listener, started: AtomicBool::new(false), snapshot_due: Notify::new() }
    }

    /// Tells the listener what is there, and from now on what comes.
    pub(crate) fn start(&self, image: &Arc<CommittedImage>) {
        self.listener.loaded(image);
        self.started.store(true, Ordering::Release);
    }
}

/// The committed metadata.
pub(crate) struct StateMachine {
    shared: Arc<Shared>,
    publisher: Arc<Publisher>,
    loader: Loader,
    last_applied: Option<LogId<i32>>,
    last_timestamp_ms: i64,
    rules: SnapshotRules,
    /// The newest snapshot.
    snapshot: Arc<Mutex<SnapshotMeta<i32, BasicNode>>>,
    /// Closed when this is dropped: then nothing of openraft is left.
    _alive: mpsc::Sender<()>,
}

impl StateMachine {
    /// With all that was loaded applied: what is in the log of a lone voter is committed.
    pub(crate) fn new(
        shared: Arc<Shared>,
        publisher: Arc<Publisher>,
        loader: Loader,
        last_timestamp_ms: i64,
        rules: SnapshotRules,
        alive: mpsc::Sender<()>,
    ) -> StateMachine {
        let node_id = shared.voter.node_id;
        let index = shared.index.lock();
        let (last, purged) = (index.last(), index.purged());
        drop(index);
        let id = |(index, epoch)| log_id(node_id, index, epoch);
        let snapshot = SnapshotMeta {
            last_log_id: purged.map(id),
            last_membership: shared.membership(),
            snapshot_id: purged.map(|purged| id(purged).to_string()).unwrap_or_default(),
        };
        StateMachine {
            shared,
            publisher,
            loader,
            last_applied: last.map(id),
            last_timestamp_ms,
            rules,
            snapshot: Arc::new(Mutex::new(snapshot)),
            _alive: alive,
        }
    }

    fn apply_entry(&mut self, entry: Entry) -> Result<(), RaftStorageError> {
        let id = entry.log_id;
        if let EntryPayload::Normal(Batch(bytes)) = entry.payload {
            let failed =
                |reason: String| RaftStorageError::from(StorageIOError::apply(id, AnyError::error(reason)));
            self.apply_batch(&bytes).map_err(failed)?;
        }
        self.last_applied = Some(id);
        Ok(())
    }

    fn apply_batch(&mut self, batch: &Bytes) -> Result<(), String> {
        let header = BatchHeader::parse(batch).map_err(|error| error.to_string())?;
        for record in records(batch, INFLATED_BYTES_MAX).map_err(|error| error.to_string())? {
            let value = record.map_err(|error| error.to_string())?.value.ok_or("a record has no value")?;
            load::apply(&mut self.loader, &value)?;
        }
        self.last_timestamp_ms = header.max_timestamp;
        self.rules.applied(batch.len() as u64);
        Ok(())
    }

    /// Shows what is applied, and tells whoever wants to know.
    fn publish(&mut self) {
        let Some(id) = self.last_applied else { return };
        let Some(place) = self.shared.index.lock().get(id.index) else { return };
        let image = Arc::new(CommittedImage {
            image: self.loader.image().clone(),
            offset: place.end_offset,
            epoch: epoch_of(id.leader_id.term),
        });
        self.shared.image.store(image.clone());
        let delta = self.loader.take_delta();
        if self.publisher.started.load(Ordering::Acquire) {
            self.publisher.listener.committed(&image, delta);
        }
        // What is within a transaction is not in the image.
        if !self.loader.in_transaction() && self.rules.is_due(self.shared.host.clock.now_ms()) {
            self.publisher.snapshot_due.notify_one();
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<i32>>, StoredMembership<i32, BasicNode>), RaftStorageError> {
        Ok((self.last_applied, self.shared.membership()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, RaftStorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut replies = Vec::new();
        for entry in entries {
            self.apply_entry(entry)?;
            replies.push(());
        }
        self.publish();
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.rules.taken(self.shared.host.clock.now_ms());
        SnapshotBuilder {
            shared: self.shared.clone(),
            image: (!self.loader.in_transaction()).then(|| self.shared.image.load_full()),
            last_log_id: self.last_applied,
            last_timestamp_ms: self.last_timestamp_ms,
            current: self.snapshot.clone(),
            _alive: self._alive.clone(),
        }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, RaftStorageError> {
        Err(nobody_sends())
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<i32, BasicNode>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), RaftStorageError> {
        Err(nobody_sends())
    }

    /// Without its content, for there is nobody to send it to.
    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, RaftStorageError> {
        let meta = self.snapshot.lock().clone();
        Ok(meta.last_log_id.is_some().then(|| Snapshot { meta, snapshot: Box::default() }))
    }
}

fn nobody_sends() -> RaftStorageError {
    StorageIOError::write_snapshot(None, &Error::other("a lone voter is sent no snapshots")).into()
}

/// Writes the image of one moment.
pub(crate) struct SnapshotBuilder {
    shared: Arc<Shared>,
    /// None within a transaction: what is in the image is not all that was applied.
    image: Option<Arc<CommittedImage>>,
    last_log_id: Option<LogId<i32>>,
    last_timestamp_ms: i64,
    current: Arc<Mutex<SnapshotMeta<i32, BasicNode>>>,
    _alive: mpsc::Sender<()>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    /// A snapshot that cannot be written is no reason to stop: the log has it all. The one before stays, and the next is tried when
    /// it is due.
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, RaftStorageError> {
        let mut current = self.current.lock().clone();
        let unchanged = |meta| Ok(Snapshot { meta, snapshot: Box::default() });
        let Some(image) = self.image.clone() else { return unchanged(current) };
        let (shared, timestamp_ms) = (self.shared.clone(), self.last_timestamp_ms);
        let written = tokio::task::spawn_blocking(move || {
            snapshots::write(&shared, &image, timestamp_ms)
                .inspect(|()| snapshots::expire(&shared))
                .inspect_err(|error| tracing::error!(%error, "a snapshot of the metadata cannot be written"))
        });
        if let Ok(Ok(())) = written.await {
            current.last_log_id = self.last_log_id;
            current.snapshot_id = self.last_log_id.map(|id| id.to_string()).unwrap_or_default();
            *self.current.lock() = current.clone();
        }
        Ok(Snapshot { meta: current, snapshot: Box::default() })
    }
}

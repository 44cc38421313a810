//! The quorum from its start to its stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use host::Host;
use metadata::{Image, Loader, MetadataVersion, bootstrap_features};
use openraft::{Config, SnapshotPolicy};
use parking_lot::Mutex;
use protocol::messages::{AbortTransactionRecord, MetadataRecord};
use protocol::{Uuid, metadata_record};
use storage::{Log, LogDir, TopicIdPartition};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::changes::Gathering;
use crate::load::{self, Loaded};
use crate::log_store::LogStore;
use crate::raft::{Alone, Batch, Raft};
use crate::shared::Shared;
use crate::snapshots::SnapshotRules;
use crate::state_machine::{Publisher, StateMachine};
use crate::voters::LoneVoter;
use crate::{CommittedImage, MetadataListener, QuorumError, QuorumSettings};

/// The topic of the metadata log.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// A change that is committed, and applied on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<R> {
    /// What its decision answered.
    pub reply: R,
    /// The offset after its last record: images from this offset on have it.
    pub offset: i64,
}

/// The metadata quorum, of which this node is the only voter.
pub struct Quorum {
    shared: Arc<Shared>,
    raft: Raft,
    changes: Arc<Changes>,
    epoch: i32,
    driver: Mutex<Option<JoinHandle<()>>>,
    /// Ends when nothing of openraft is left.
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

/// What is decided, and the signal that there is some.
struct Changes {
    gathering: Mutex<Gathering>,
    arrived: Notify,
}

impl Quorum {
    /// Opens the metadata log in a log directory, and returns when this node leads, in a new epoch, and all that the log holds is
    /// applied.
    ///
    /// If the cluster is new, the first change is what `bootstrap` makes of the records that formatting left. Must be called within a
    /// tokio runtime.
    pub async fn start(
        host: Host,
        log_dir: Arc<LogDir>,
        settings: QuorumSettings,
        bootstrap: impl FnOnce(Vec<MetadataRecord>) -> Vec<MetadataRecord> + Send,
        listener: Arc<dyn MetadataListener>,
    ) -> Result<Arc<Quorum>, QuorumError> {
        let id = TopicIdPartition::new(METADATA_TOPIC, Uuid::METADATA_TOPIC_ID, 0);
        let log = log_dir.create_log(&id, settings.log_config.clone())?;
        let (loaded, log) = blocking({
            let host = host.clone();
            move || Ok((load::load(&host, &log)?, log))
        })
        .await?;
        let publisher = Arc::new(Publisher::new(listener));
        let formatted = loaded.formatted.clone();
        let quorum = Quorum::elect(host, log_dir, log, settings, loaded, publisher.clone()).await?;
        if let Err(error) = quorum.first_changes(formatted, bootstrap).await {
            quorum.stop().await;
            return Err(error);
        }
        publisher.start(&quorum.image());
        Ok(quorum)
    }

    /// Starts openraft, and returns when this node leads.
    async fn elect(
        host: Host,
        log_dir: Arc<LogDir>,
        log: Arc<Log>,
        settings: QuorumSettings,
        loaded: Loaded,
        publisher: Arc<Publisher>,
    ) -> Result<Arc<Quorum>, QuorumError> {
        let voter = LoneVoter::check(&settings, loaded.voters)?;
        let rules = SnapshotRules::new(&settings, loaded.bytes_since_snapshot, host.clock.now_ms());
        let image = CommittedImage {
            image: loaded.loader.image().clone(),
            offset: loaded.index.end_offset(),
            epoch: loaded.index.last().map_or(0, |(_, epoch)| epoch),
        };
        let shared = Arc::new(Shared {
            host,
            log_dir,
            log,
            settings,
            voter,
            index: Mutex::new(loaded.index),
            image: ArcSwap::from_pointee(image),
            is_closing: AtomicBool::new(false),
        });
        let (alive, ended) = mpsc::channel(1);
        let machine = StateMachine::new(
            shared.clone(),
            publisher.clone(),
            loaded.loader.clone(),
            loaded.last_timestamp_ms,
            rules,
            alive.clone(),
        );
        let store = LogStore::new(shared.clone(), loaded.epoch, alive);
        let raft = Raft::new(shared.voter.node_id, Arc::new(config()), Alone, store, machine).await;
        let raft = raft.map_err(failed)?;
        let epoch = loaded.epoch + 1;
        lead(&raft, epoch).await?;
        let gathering = Gathering::new(loaded.loader, shared.image.load().offset);
        let changes = Arc::new(Changes { gathering: Mutex::new(gathering), arrived: Notify::new() });
        let driver =
            Driver { raft: raft.clone(), changes: changes.clone(), shared: shared.clone(), publisher };
        let driver = Mutex::new(Some(tokio::spawn(driver.run())));
        let ended = tokio::sync::Mutex::new(ended);
        Ok(Arc::new(Quorum { shared, raft, changes, epoch, driver, ended }))
    }

    /// Ends what a leader before left open, and makes the first records of a new cluster.
    async fn first_changes(
        &self,
        formatted: Vec<Bytes>,
        bootstrap: impl FnOnce(Vec<MetadataRecord>) -> Vec<MetadataRecord> + Send,
    ) -> Result<(), QuorumError> {
        if self.changes.gathering.lock().in_transaction() {
            let reason = Some("the leader that began it is gone".to_owned());
            self.change(|_, _| (vec![AbortTransactionRecord { reason }.into()], ())).await?;
        }
        if self.image().image != Image::default() {
            return Ok(());
        }
        let formatted = self.formatted_records(formatted)?;
        self.change(|_, _| (bootstrap(formatted), ())).await.map(|_| ())
    }

    /// The records that formatting left; Kafka's defaults if it left none.
    fn formatted_records(&self, formatted: Vec<Bytes>) -> Result<Vec<MetadataRecord>, QuorumError> {
        let Shared { host, log_dir, .. } = &*self.shared;
        let values = if formatted.is_empty() { load::load_bootstrap(host, log_dir)? } else { formatted };
        if values.is_empty() {
            return Ok(bootstrap_features(MetadataVersion::LATEST));
        }
        let decode = |value: &Bytes| metadata_record::decode(value);
        let damaged = |error: protocol::DecodeError| QuorumError::Damaged {
            dir: log_dir.path().to_owned(),
            offset: 0,
            reason: error.to_string(),
        };
        values.iter().map(decode).collect::<Result<_, _>>().map_err(damaged)
    }

    /// The committed metadata.
    pub fn image(&self) -> Arc<CommittedImage> {
        self.shared.image.load_full()
    }

    /// Makes a change: `decide` sees the metadata with all changes before it, also those that are not committed yet, and the offset
    /// that its first record gets; it says the records and a reply. Returns when they are committed and applied here.
    ///
    /// Changes are decided one after the other, in the order in which this is called, and then wait together. The records of one are
    /// in one batch, perhaps with those of others. If they do not fit one (8 MiB, 10,000 records) they become a transaction, whose
    /// first record comes one offset later than `decide` was told.
    ///
    /// While the disk is full changes are refused, and those that were decided before wait for room.
    ///
    /// If it fails, nothing was changed, unless the error is [`Failed`](QuorumError::Failed): then the next start shows whether it
    /// was. Who drops the future does not take the change back.
    pub async fn change<R>(
        &self,
        decide: impl FnOnce(&Image, i64) -> (Vec<MetadataRecord>, R) + Send,
    ) -> Result<Changed<R>, QuorumError> {
        let now_ms = self.shared.host.clock.now_ms();
        let no_room = self.shared.log_dir.refusal().filter(|_| self.shared.log_dir.failure().is_none());
        let decided = self.changes.gathering.lock().decide(now_ms, no_room, decide)?;
        if let Some(outcome) = decided.outcome {
            self.changes.arrived.notify_one();
            outcome.await.unwrap_or(Err(QuorumError::Stopped))?;
        }
        Ok(Changed { reply: decided.reply, offset: decided.end_offset })
    }

    /// The epoch in which this node leads.
    pub fn leader_epoch(&self) -> i32 {
        self.epoch
    }

    /// The id of the directory that this node votes with.
    pub fn directory_id(&self) -> Uuid {
        self.shared.settings.directory_id
    }

    /// The level of `kraft.version`: 1 where the log says who votes, 0 where the settings do.
    pub fn kraft_version(&self) -> i16 {
        self.shared.voter.known.kraft_version
    }

    /// The offset after the last record that is committed.
    pub fn high_watermark(&self) -> i64 {
        self.shared.log.high_watermark()
    }

    /// The offset after the last record.
    pub fn log_end_offset(&self) -> i64 {
        self.shared.log.log_end_offset()
    }

    /// The log itself, for those who fetch it.
    pub fn log(&self) -> &Arc<Log> {
        &self.shared.log
    }

    /// Takes no more changes, waits for those that were decided, and ends. Nothing of it runs any more when this returns; the log
    /// directory is left open.
    pub async fn stop(&self) {
        self.close();
        let driver = self.driver.lock().take();
        if let Some(driver) = driver {
            let _ = driver.await;
        }
        let _ = self.raft.shutdown().await;
        while self.ended.lock().await.recv().await.is_some() {}
    }

    fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Release);
        self.changes.gathering.lock().close();
        self.changes.arrived.notify_one();
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        // The driver ends, and openraft with the last handle to it.
        self.close();
    }
}

impl std::fmt::Debug for Quorum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quorum(node {}, epoch {}, {:?})", self.shared.voter.node_id, self.epoch, self.shared.log)
    }
}

/// Appends what gathers, a batch after the other.
struct Driver {
    raft: Raft,
    changes: Arc<Changes>,
    shared: Arc<Shared>,
    publisher: Arc<Publisher>,
}

impl Driver {
    async fn run(self) {
        loop {
            let (batch, closed) = {
                let mut gathering = self.changes.gathering.lock();
                (gathering.take(), gathering.is_closed())
            };
            match batch {
                Some(batch) => self.append(batch).await,
                None if closed => return,
                None => self.wait().await,
            }
        }
    }

    async fn append(&self, batch: Bytes) {
        let written = self.raft.client_write(Batch(batch)).await;
        let mut gathering = self.changes.gathering.lock();
        match written {
            Ok(_) => gathering.committed(),
            Err(error) => {
                let error = failed(error);
                tracing::error!(%error, "no changes of the metadata are possible any more");
                let committed = Loader::new(self.shared.image.load().image.clone());
                gathering.failed(error, committed, self.shared.log.log_end_offset());
            }
        }
    }

    async fn wait(&self) {
        tokio::select! {
            () = self.changes.arrived.notified() => {}
            () = self.publisher.snapshot_due.notified() => {
                // It fails only where appends do too.
                let _ = self.raft.trigger().snapshot().await;
            }
        }
    }
}

/// A lone voter elects itself when it is told to, and has nobody to send heartbeats to: nothing depends on time.
fn config() -> Config {
    Config {
        cluster_name: METADATA_TOPIC.to_owned(),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        ..Config::default()
    }
}

/// Has this node elected and waits until the first entry of its epoch is applied.
async fn lead(raft: &Raft, epoch: i32) -> Result<(), QuorumError> {
    let term = u64::from(epoch.unsigned_abs());
    raft.trigger().elect().await.map_err(failed)?;
    let mut metrics = raft.metrics();
    let leads = metrics
        .wait_for(|metrics| {
            metrics.running_state.is_err()
                || metrics.last_applied.is_some_and(|applied| applied.leader_id.term >= term)
        })
        .await;
    match leads {
        Ok(metrics) => metrics.running_state.as_ref().copied().map_err(failed),
        Err(_) => Err(QuorumError::Stopped),
    }
}

fn failed(error: impl std::fmt::Display) -> QuorumError {
    QuorumError::Failed(error.to_string().into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, QuorumError> + Send + 'static,
) -> Result<T, QuorumError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(failed(error)))
}

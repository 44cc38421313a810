//! The group coordinators of this broker: what carries out what the [`coordinator`] decides.
//!
//! One [`Coordinator`](coordinator::Coordinator) for each partition of `__consumer_offsets` that this broker leads, behind a
//! lock that is held for microseconds, and one small task for each that sleeps until a deadline, a flush or a load. A partition
//! without records has neither before somebody asks.
//!
//! | what | how |
//! |---|---|
//! | a request | decided in the caller's turn; the answer comes when all records that it rests on are on disk |
//! | records | appended in the order in which they were decided, as one append a decision: all or none of it is in the log |
//! | flushed | the journal's thread leaves a note in the partition's mailbox and wakes its task |
//! | lost | the same; everything decided since is undone and the partition loads again, after a pause that grows while it fails |
//! | loading | by the task while the log is in memory, by a thread that may block if it is not |
//!
//! Members are told of a failed append as Kafka tells them (see `coordinator`): `KAFKA_STORAGE_ERROR` as `NOT_COORDINATOR`, what
//! is too large as `INVALID_COMMIT_OFFSET_SIZE` or `UNKNOWN_SERVER_ERROR`, and they try again. The journal never calls itself
//! busy to a coordinator ([`Origin::Coordinator`](storage::Origin)): groups live on while producers have to wait.

mod led;
mod load;
mod mailbox;
mod partition;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::{GroupCoordinatorState, Reply, Request, Settings, group_partition};
use engine::ReplicatedState;
use host::Host;
use parking_lot::RwLock;
use protocol::ErrorCode;
use storage::{Log, LogDir};
use tokio::sync::{Semaphore, oneshot};

use led::{Led, Place, Shared};

/// Partitions that are read from disk at the same time.
const LOADS_MAX: usize = 4;

/// The coordinators of all partitions of `__consumer_offsets` that this broker leads.
pub struct Groups {
    shared: Shared,
    /// Refuses what no partition is asked.
    without_groups: GroupCoordinatorState,
    leading: RwLock<Leading>,
}

/// What this broker knows of `__consumer_offsets`.
struct Leading {
    /// Partitions of the topic; 0 until it is there.
    partition_count: i32,
    partitions: BTreeMap<i32, Led>,
    has_stopped: bool,
}

impl Groups {
    /// Coordinators of no partition yet. `partition_count` is that of `__consumer_offsets`, 0 if there is none.
    pub fn new(host: Host, settings: Settings, partition_count: i32) -> Groups {
        Groups {
            without_groups: GroupCoordinatorState::new(settings.clone()),
            shared: Shared {
                clock: host.clock,
                settings: Arc::new(settings),
                loads: Arc::new(Semaphore::new(LOADS_MAX)),
            },
            leading: RwLock::new(Leading {
                partition_count,
                partitions: BTreeMap::new(),
                has_stopped: false,
            }),
        }
    }

    /// Says how many partitions `__consumer_offsets` has, 0 if it is not there.
    pub fn set_partition_count(&self, partition_count: i32) {
        self.leading.write().partition_count = partition_count;
    }

    /// Which partition a group belongs to; none while `__consumer_offsets` is not there.
    pub fn partition_of(&self, group_id: &str) -> Option<i32> {
        let count = self.leading.read().partition_count;
        (count > 0).then(|| group_partition(group_id, count))
    }

    /// Begins to coordinate the groups of a partition: its log is loaded in the background, and requests are refused with
    /// `COORDINATOR_LOAD_IN_PROGRESS` until that is done. For a partition that is led already only the epoch changes, unless
    /// it has another log now. To be called within a tokio runtime.
    pub fn lead(&self, partition: i32, leader_epoch: i32, log: Arc<Log>, log_dir: Arc<LogDir>) {
        let mut leading = self.leading.write();
        if leading.has_stopped {
            return;
        }
        if let Some(led) = leading.partitions.get_mut(&partition) {
            if led.has_log(&log) {
                return led.continue_in(leader_epoch);
            }
            led.resign(ErrorCode::NotCoordinator);
        }
        let led = Led::new(Place { log, log_dir, leader_epoch }, &self.shared);
        leading.partitions.insert(partition, led);
    }

    /// Ends to coordinate a partition's groups. Whoever waits there is answered with the error: `NOT_COORDINATOR` if another
    /// broker leads it now.
    pub fn resign(&self, partition: i32, error: ErrorCode) {
        let led = self.leading.write().partitions.remove(&partition);
        if let Some(led) = led {
            led.resign(error);
        }
    }

    /// The broker stops: whoever waits is answered with `COORDINATOR_NOT_AVAILABLE`, and so is whoever asks from now on.
    pub fn stop(&self) {
        let led = {
            let mut leading = self.leading.write();
            leading.has_stopped = true;
            std::mem::take(&mut leading.partitions)
        };
        led.values().for_each(|partition| partition.resign(ErrorCode::CoordinatorNotAvailable));
    }

    /// Topics were deleted: groups forget what they have committed for them, those that are being loaded too. It is not waited for.
    pub fn topics_deleted(&self, topics: &[String]) {
        for led in self.leading.read().partitions.values() {
            led.forget_topics(topics);
        }
    }

    /// The partitions whose groups are coordinated here, in order.
    pub fn partitions_led(&self) -> Vec<i32> {
        self.leading.read().partitions.keys().copied().collect()
    }

    /// Asks the coordinator of the request's group. The request takes effect now, before the future is polled; its answer may
    /// take as long as a rebalance. It says `NOT_COORDINATOR` if another broker coordinates the group, and
    /// `COORDINATOR_NOT_AVAILABLE` if nobody does. Fails only if the coordinator went away without a word.
    pub fn ask(&self, request: Request) -> impl Future<Output = Result<Reply, ErrorCode>> + Send + use<> {
        let partition = request.group_id().and_then(|group_id| self.partition_of(group_id));
        let asked = match partition {
            Some(partition) => self.start(partition, request),
            None => self.refuse(request, ErrorCode::CoordinatorNotAvailable),
        };
        answer(asked)
    }

    /// Asks the coordinator of a partition, as [`ask`](Groups::ask) does.
    pub fn ask_partition(
        &self,
        partition: i32,
        request: Request,
    ) -> impl Future<Output = Result<Reply, ErrorCode>> + Send + use<> {
        answer(self.start(partition, request))
    }

    fn start(&self, partition: i32, request: Request) -> oneshot::Receiver<Reply> {
        let leading = self.leading.read();
        match leading.partitions.get(&partition) {
            Some(led) if led.must_wake_for(&request) => {}
            Some(led) => return led.ask(request),
            None => return self.refuse(request, leading.absence()),
        }
        drop(leading);
        let mut leading = self.leading.write();
        let absence = leading.absence();
        match leading.partitions.get_mut(&partition) {
            Some(led) => led.wake(&self.shared).ask(request),
            None => self.refuse(request, absence),
        }
    }

    fn refuse(&self, request: Request, error: ErrorCode) -> oneshot::Receiver<Reply> {
        answered(self.without_groups.refuse(request, error))
    }
}

impl Leading {
    /// Why a partition is not coordinated here.
    fn absence(&self) -> ErrorCode {
        if self.has_stopped { ErrorCode::CoordinatorNotAvailable } else { ErrorCode::NotCoordinator }
    }
}

async fn answer(asked: oneshot::Receiver<Reply>) -> Result<Reply, ErrorCode> {
    asked.await.map_err(|_| ErrorCode::NotCoordinator)
}

/// The error code for a coordinator that went away without an answer, or gave one to something else.
pub(crate) fn unanswered(reply: &Result<Reply, ErrorCode>) -> i16 {
    reply.as_ref().err().unwrap_or(&ErrorCode::UnknownServerError).code()
}

/// An answer that is there already.
fn answered(reply: Reply) -> oneshot::Receiver<Reply> {
    let (sender, receiver) = oneshot::channel();
    // The receiver is there.
    let _ = sender.send(reply);
    receiver
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.stop();
    }
}

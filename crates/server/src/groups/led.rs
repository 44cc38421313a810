//! A partition that this broker leads, which costs next to nothing while there is nothing in it.

use std::sync::Arc;

use coordinator::{Reply, Request, Settings};
use host::Clock;
use protocol::ErrorCode;
use protocol::messages::ListGroupsResponse;
use storage::{Log, LogDir};
use tokio::sync::{Semaphore, oneshot};

use super::partition::Partition;
use super::{answered, load, task};

/// Where a partition's records are, and for whom they are appended.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) log: Arc<Log>,
    pub(super) log_dir: Arc<LogDir>,
    pub(super) leader_epoch: i32,
}

impl Place {
    fn is_empty(&self) -> bool {
        self.log.log_start_offset() >= self.log.log_end_offset()
    }
}

/// What all partitions share.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Arc<Settings>,
    /// Partitions that may be read from disk at the same time.
    pub(super) loads: Arc<Semaphore>,
}

/// A partition that this broker leads.
pub(super) enum Led {
    /// Nothing was ever written to it: it has no coordinator, no task and no timer before somebody asks.
    Empty(Place),
    /// With its coordinator.
    Awake(Arc<Partition>),
}

impl Led {
    /// A partition that is led from now on.
    pub(super) fn new(place: Place, shared: &Shared) -> Led {
        if place.is_empty() { Led::Empty(place) } else { Led::Awake(wake(place, shared)) }
    }

    /// Whether it has this log.
    pub(super) fn has_log(&self, log: &Arc<Log>) -> bool {
        match self {
            Led::Empty(place) => Arc::ptr_eq(&place.log, log),
            Led::Awake(partition) => Arc::ptr_eq(partition.log(), log),
        }
    }

    /// The same leader goes on in a later epoch.
    pub(super) fn continue_in(&mut self, leader_epoch: i32) {
        match self {
            Led::Empty(place) => place.leader_epoch = place.leader_epoch.max(leader_epoch),
            Led::Awake(partition) => partition.continue_in(leader_epoch),
        }
    }

    /// Answers all who wait with the error, and ends.
    pub(super) fn resign(&self, error: ErrorCode) {
        if let Led::Awake(partition) = self {
            partition.resign(error);
        }
    }

    /// Topics were deleted. Where nothing was ever written, there is nothing to forget.
    pub(super) fn forget_topics(&self, topics: &[String]) {
        if let Led::Awake(partition) = self {
            partition.forget_topics(topics);
        }
    }

    /// Whether the request needs a coordinator that is not there yet.
    pub(super) fn must_wake_for(&self, request: &Request) -> bool {
        // Lists go to all partitions, and should not wake those that have no groups.
        matches!(self, Led::Empty(_)) && !matches!(request, Request::ListGroups(_))
    }

    /// The coordinator, which is made if there is none.
    pub(super) fn wake(&mut self, shared: &Shared) -> Arc<Partition> {
        let partition = match self {
            Led::Awake(partition) => return partition.clone(),
            Led::Empty(place) => wake(place.clone(), shared),
        };
        *self = Led::Awake(partition.clone());
        partition
    }

    /// Lets the coordinator decide a request for which it is [awake](Led::wake).
    pub(super) fn ask(&self, request: Request) -> oneshot::Receiver<Reply> {
        match self {
            Led::Awake(partition) => partition.ask(request),
            Led::Empty(_) => answered(Reply::ListGroups(ListGroupsResponse::default())),
        }
    }
}

/// A coordinator and its task. It is loaded when this returns if there is nothing to load.
fn wake(place: Place, shared: &Shared) -> Arc<Partition> {
    let is_empty = place.is_empty();
    let partition = Partition::new(place, shared.clock.clone(), shared.settings.clone());
    if is_empty && partition.begin_load() {
        load::run(&partition);
    }
    let mailbox = partition.mailbox().clone();
    tokio::spawn(task::run(Arc::downgrade(&partition), mailbox, shared.loads.clone()));
    partition
}

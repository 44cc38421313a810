//! Replicas that move from one log directory to another while they are written to (KIP-113, KIP-858).
//!
//! A thread copies what is durable, about a MiB at a time. When the copy has nearly caught up the original is held still for a
//! moment, the rest is copied, and the controller is told where the replica is from now on. That is the moment of the move: whoever
//! [follows the metadata](crate::publisher) then has the copy take the original's place, at once or after a crash.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use controller::Assignment;
use parking_lot::{Condvar, Mutex};
use protocol::{ErrorCode, Uuid};
use quorum::QuorumError;
use storage::{AppendError, Log, StorageError, Throttle, TopicPartition};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::Broker;
use crate::broker::ChangeError;
use crate::directories::Opened;
use crate::partitions::Partition;

/// What is left to copy when the original is held still, in bytes, give or take what comes meanwhile.
const REST_BYTES: usize = 128 * 1024;
/// After how long a full disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A replica that is to move.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    partition: TopicPartition,
    topic_id: Uuid,
    /// Id of the log directory; none if it is to stay where it is.
    to: Option<Uuid>,
}

/// Replicas that are to move.
#[derive(Default)]
pub(crate) struct Moves {
    state: Mutex<State>,
    changed: Condvar,
    pace: Mutex<Pace>,
}

/// How fast all of them are copied together.
#[derive(Default)]
struct Pace {
    bytes_per_second_max: Option<i64>,
    throttle: Throttle,
}

impl Pace {
    /// How long to wait after so many bytes were copied. What was owed at another rate is forgiven.
    fn note(&mut self, now: Duration, copied: usize, bytes_per_second_max: Option<i64>) -> Duration {
        if self.bytes_per_second_max != bytes_per_second_max {
            *self = Pace { bytes_per_second_max, throttle: Throttle::default() };
        }
        let Some(bytes_per_second) = bytes_per_second_max else { return Duration::ZERO };
        self.throttle.note(now, copied, bytes_per_second as f64)
    }
}

#[derive(Default)]
struct State {
    /// The next to be copied first.
    waiting: VecDeque<Move>,
    /// Partitions that a thread is at.
    busy: Vec<TopicPartition>,
    is_stopping: bool,
}

impl State {
    /// The first of a partition that no thread is at. Where nothing may be copied now, one that is given up: that costs nothing.
    fn take(&mut self, may_copy: bool) -> Option<Move> {
        let State { waiting, busy, .. } = self;
        let is_next = |next: &Move| !busy.contains(&next.partition) && (may_copy || next.to.is_none());
        let next = waiting.remove(waiting.iter().position(is_next)?)?;
        busy.push(next.partition.clone());
        Some(next)
    }
}

impl Moves {
    fn set(&self, wanted: Move) {
        let mut state = self.state.lock();
        state.waiting.retain(|known| known.partition != wanted.partition);
        state.waiting.push_back(wanted);
        drop(state);
        self.changed.notify_all();
    }

    /// The next one, waited for; none at the end. `owed` says for how long nothing may be copied, which may change meanwhile.
    fn next(&self, owed: impl Fn() -> Duration) -> Option<Move> {
        let mut state = self.state.lock();
        while !state.is_stopping {
            let wait = owed();
            if let Some(next) = state.take(wait.is_zero()) {
                return Some(next);
            }
            if wait.is_zero() || state.waiting.is_empty() {
                self.changed.wait(&mut state);
            } else {
                self.changed.wait_for(&mut state, wait.min(RETRY));
            }
        }
        None
    }

    /// Lets the others take turns with this one, unless another move of that partition was asked for meanwhile.
    fn go_on(&self, current: Move) {
        let mut state = self.state.lock();
        state.busy.retain(|busy| *busy != current.partition);
        if state.waiting.iter().all(|known| known.partition != current.partition) {
            state.waiting.push_back(current);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn finish(&self, current: &Move) {
        self.state.lock().busy.retain(|busy| *busy != current.partition);
        self.changed.notify_all();
    }

    /// Waits, unless all is to end.
    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.is_stopping && !self.changed.wait_until(&mut state, end).timed_out() {}
    }

    /// Ends the threads; what is not done goes on at the next start.
    pub(crate) fn stop(&self) {
        self.state.lock().is_stopping = true;
        self.changed.notify_all();
    }
}

/// Has a replica move to another log directory, or stay where it is; the copy is there when this returns. Waits for the disk.
pub(crate) fn begin(broker: &Broker, partition: &Partition, to: &Opened) -> Result<(), ErrorCode> {
    let id = partition.log.id();
    let name = id.topic_partition();
    let stays = Arc::ptr_eq(&partition.log_dir, &to.dir);
    if !stays && to.dir.future_log(&name).is_none() {
        start_copy(&partition.log, to).map_err(|error| {
            tracing::warn!(partition = %name, %error, "a move to another log directory cannot begin");
            error.code()
        })?;
    }
    let is_moving = stays && broker.directories.online().any(|other| other.dir.future_log(&name).is_some());
    if !stays || is_moving {
        broker.moves.set(Move { partition: name, topic_id: id.topic_id, to: (!stays).then_some(to.id) });
    }
    Ok(())
}

fn start_copy(original: &Log, to: &Opened) -> Result<Arc<Log>, StorageError> {
    to.dir.create_future_log(original.id(), (*original.config()).clone(), original.log_start_offset())
}

/// Why a replica does not move.
#[derive(Debug, Error)]
enum MoveError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the controller refuses it: {0}")]
    Refused(String),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl MoveError {
    /// Whether it is to be tried again.
    fn passes(&self) -> bool {
        match self {
            MoveError::Storage(error) | MoveError::Append(AppendError::Storage(error)) => {
                error.is_disk_full() || matches!(error, StorageError::Failing(_) | StorageError::Closed)
            }
            MoveError::Change(_) => true,
            MoveError::Append(_) | MoveError::Refused(_) => false,
        }
    }

    /// Whether nobody knows if the controller has taken it down.
    fn is_undecided(&self) -> bool {
        matches!(self, MoveError::Change(ChangeError::Stopping | ChangeError::Quorum(QuorumError::Failed(_))))
    }
}

/// A thread that moves.
#[derive(Clone)]
pub(crate) struct Mover {
    broker: Arc<Broker>,
    runtime: Handle,
}

impl Mover {
    /// Starts as many as `num.replica.alter.log.dirs.threads` says. To be called within a tokio runtime.
    pub(crate) fn start(broker: &Arc<Broker>) -> std::io::Result<Vec<JoinHandle<()>>> {
        let mover = Mover { broker: Arc::clone(broker), runtime: Handle::current() };
        mover.take_up();
        let threads = broker.config().logs.moving_threads.unwrap_or(broker.directories.all().len());
        let spawn = |number: usize| {
            let (mover, named) = (mover.clone(), format!("yeoul-mover-{number}"));
            std::thread::Builder::new().name(named).spawn(move || mover.run())
        };
        (0..threads.max(1)).map(spawn).collect()
    }

    /// Moves what is to be moved until it is told to stop.
    fn run(self) {
        let moves = &self.broker.moves;
        while let Some(current) = moves.next(|| self.owed(0)) {
            match self.advance(&current) {
                Ok(None) => moves.finish(&current),
                Ok(Some(copied)) => {
                    self.owed(copied);
                    moves.go_on(current);
                }
                Err(error) if error.passes() => {
                    tracing::debug!(partition = %current.partition, %error, "a move has to wait");
                    moves.go_on(current);
                    moves.pause(RETRY);
                }
                Err(error) => {
                    tracing::error!(partition = %current.partition, %error, "a move to another log directory is given up");
                    self.give_up(&current.partition, None);
                    moves.finish(&current);
                }
            }
        }
    }

    /// Goes on with moves that the last broker here did not finish.
    fn take_up(&self) {
        for opened in self.broker.directories.online() {
            for copy in opened.dir.future_logs() {
                let (partition, topic_id) = (copy.id().topic_partition(), copy.id().topic_id);
                self.broker.moves.set(Move { partition, topic_id, to: Some(opened.id) });
            }
        }
    }

    /// For how long nothing may be copied once so many bytes more were (`replica.alter.log.dirs.io.max.bytes.per.second`).
    fn owed(&self, copied: usize) -> Duration {
        let rate = self.broker.config().logs.moving_bytes_per_second_max;
        self.broker.moves.pace.lock().note(self.broker.host.clock.monotonic(), copied, rate)
    }

    /// Does the next step, and says how many bytes were copied; none if it was the last.
    fn advance(&self, current: &Move) -> Result<Option<usize>, MoveError> {
        let Move { partition: name, topic_id, to } = current;
        self.give_up(name, *to);
        let published = self.broker.published();
        let is_known = published
            .image
            .topics
            .by_id(*topic_id)
            .is_some_and(|topic| topic.partition(name.partition).is_some());
        let to = to.and_then(|id| self.broker.directories.online().find(|opened| opened.id == id));
        let (true, Some(to)) = (is_known, to) else {
            self.give_up(name, None);
            return Ok(None);
        };
        // Its original may be in a directory that is offline.
        let Some(partition) = self.broker.partitions.get(*topic_id, name.partition) else { return Ok(None) };
        if Arc::ptr_eq(&partition.log_dir, &to.dir) {
            return Ok(None);
        }
        let copy = self.copy_of(&partition, to)?;
        match copy_some(&partition.log, &copy, to)? {
            copied @ REST_BYTES.. => Ok(Some(copied)),
            _ => self.switch(&partition, &copy, to).map(|()| None),
        }
    }

    /// The copy, which is begun anew if the original does not go on from there.
    fn copy_of(&self, partition: &Partition, to: &Opened) -> Result<Arc<Log>, StorageError> {
        let (original, name) = (&partition.log, partition.log.id().topic_partition());
        let known = to.dir.future_log(&name);
        let fits = |copy: &Arc<Log>| {
            (original.log_start_offset()..=original.log_end_offset()).contains(&copy.log_end_offset())
        };
        match known.filter(fits) {
            Some(copy) => Ok(copy),
            None => {
                to.dir.delete_future_log(&name)?;
                start_copy(original, to)
            }
        }
    }

    /// Holds the original still, copies the rest, and has the controller take down where the replica is now.
    fn switch(&self, partition: &Partition, copy: &Arc<Log>, to: &Opened) -> Result<(), MoveError> {
        let original = &partition.log;
        let frozen = original.freeze();
        let complete = || {
            partition.log_dir.journal().wait_durable(frozen)?;
            while copy_some(original, copy, to)? > 0 {}
            copy.advance_log_start(original.log_start_offset())?;
            to.dir.checkpoint()?;
            self.assign(original, to)
        };
        let switched = complete();
        if switched.as_ref().is_err_and(|error| !error.is_undecided()) {
            original.thaw();
        }
        switched
    }

    fn assign(&self, original: &Log, to: &Opened) -> Result<(), MoveError> {
        let (id, epoch) = (self.broker.node_id, self.broker.epoch());
        let assignment = Assignment {
            topic_id: original.id().topic_id,
            partition: original.id().partition,
            directory: to.id,
        };
        let decided =
            self.runtime.block_on(self.broker.change(|context, _| {
                controller::assign_directories(context.image, id, epoch, &[assignment])
            }))?;
        decided.map_err(|refusal| MoveError::Refused(refusal.message))
    }

    /// Does away with copies of a partition in all directories but one.
    fn give_up(&self, partition: &TopicPartition, but: Option<Uuid>) {
        for opened in self.broker.directories.online().filter(|opened| Some(opened.id) != but) {
            if let Err(error) = opened.dir.delete_future_log(partition) {
                tracing::warn!(%partition, %error, "a copy that is not wanted any more cannot be deleted");
            }
        }
    }
}

/// Copies some of what is durable and says how many bytes that were, 0 if there is no more. They are on disk when this returns.
fn copy_some(original: &Log, copy: &Arc<Log>, to: &Opened) -> Result<usize, MoveError> {
    let Some(records) = original.read_durable(copy.log_end_offset())? else { return Ok(0) };
    let position = copy.append_copy(&records)?;
    to.dir.journal().wait_durable(position)?;
    Ok(records.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moving(partition: i32, to: u8) -> Move {
        let partition = TopicPartition { topic: "t".into(), partition };
        Move { partition, topic_id: Uuid([7; 16]), to: Some(Uuid([to; 16])) }
    }

    #[test]
    fn a_partition_is_moved_by_one_thread_at_a_time_and_to_where_was_asked_last() {
        let moves = Moves::default();
        for (partition, to) in [(0, 1), (1, 1), (0, 2)] {
            moves.set(moving(partition, to));
        }
        let next = || moves.next(|| Duration::ZERO);
        assert_eq!((next(), next()), (Some(moving(1, 1)), Some(moving(0, 2))));
        moves.set(moving(0, 3));
        assert_eq!(moves.state.lock().take(true), None);
        moves.go_on(moving(1, 1));
        moves.go_on(moving(0, 2));
        assert_eq!((next(), next()), (Some(moving(0, 3)), Some(moving(1, 1))));
        moves.finish(&moving(0, 3));
        moves.finish(&moving(1, 1));
        assert_eq!(moves.state.lock().take(true), None);
    }

    #[test]
    fn what_is_given_up_does_not_wait_until_more_may_be_copied() {
        let moves = Moves::default();
        moves.set(moving(0, 1));
        moves.set(moving(1, 1));
        assert_eq!(moves.state.lock().take(false), None);
        let stays = Move { to: None, ..moving(1, 1) };
        moves.set(stays.clone());
        assert_eq!(moves.next(|| Duration::MAX), Some(stays.clone()));
        moves.finish(&stays);
        assert_eq!(moves.next(|| Duration::ZERO), Some(moving(0, 1)));
    }

    #[test]
    fn a_rate_that_changes_counts_from_then_on() {
        let (mut pace, second) = (Pace::default(), Duration::from_secs(1));
        let now = 100 * second;
        assert_eq!(pace.note(now, 1_000, None), Duration::ZERO);
        assert_eq!(pace.note(now, 1_000, Some(1)), 999 * second);
        assert_eq!(pace.note(now + second, 0, Some(1)), 998 * second);
        assert_eq!(pace.note(now + second, 0, Some(1_000)), Duration::ZERO);
    }
}

//! One partition of `__consumer_offsets`: its coordinator, who waits for it, and what it asks to be done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use coordinator::{Coordinator, GroupCoordinatorState, Loader, Record, Reply, Request, Settings, to_batches};
use engine::{Effect, Now, ReplicatedState, Token};
use host::Clock;
use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::records::BatchError;
use storage::{AppendInfo, Appended, Log, LogDir, Origin, Watch};
use tokio::sync::oneshot;

use super::answered;
use super::led::Place;
use super::mailbox::{Mailbox, Settled};

/// How long a partition waits before it loads again after a first failure, in milliseconds.
const PAUSE_MS_MIN: i64 = 100;
/// The longest that this may grow to, in milliseconds.
const PAUSE_MS_MAX: i64 = 5_000;
/// After how many milliseconds to look again whether a log has gone back to what is on disk. Nobody tells when it has.
const LOOK_AGAIN_MS: i64 = 50;

/// The coordinator of a partition that is led here.
pub(super) struct Partition {
    log: Arc<Log>,
    log_dir: Arc<LogDir>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    mailbox: Arc<Mailbox>,
    inner: Mutex<Inner>,
    /// Rings the mailbox's bell when the high watermark moves.
    _watch: Watch,
}

struct Inner {
    coordinator: Coordinator,
    /// Who is to be answered.
    waiting: HashMap<Token, oneshot::Sender<Reply>>,
    last_token: u64,
    leader_epoch: i32,
    /// The coordinator's deadline, as an uptime.
    timer_at_ms: Option<i64>,
    /// When the log is to be loaded, as an uptime.
    load_at_ms: Option<i64>,
    /// Until when the task sleeps; the beginning of time while it is awake.
    asleep_until_ms: i64,
    /// An append failed: those which were decided after it are not carried out.
    is_undone: bool,
    /// Failures since something was written last.
    failures: u32,
    has_ended: bool,
    /// Topics that were deleted, and of which the groups may have offsets still.
    deleted_topics: Vec<String>,
    /// The request to forget all of them.
    forgetting: Option<Token>,
}

/// What the partition's task is to do.
pub(super) enum Step {
    /// Load the log.
    Load,
    /// Sleep until the mailbox rings, or for so long.
    Sleep(Option<Duration>),
    /// End.
    End,
}

impl Partition {
    /// A partition whose log is to be loaded by its task.
    pub(super) fn new(place: Place, clock: Arc<dyn Clock>, settings: Arc<Settings>) -> Arc<Partition> {
        let Place { log, log_dir, leader_epoch } = place;
        let mailbox = Arc::new(Mailbox::default());
        let bell = mailbox.clone();
        let watch = log.watch(Arc::new(move || bell.wake()));
        let coordinator = Coordinator::new(GroupCoordinatorState::new((*settings).clone()));
        let inner = Mutex::new(Inner::new(coordinator, leader_epoch));
        Arc::new(Partition { log, log_dir, clock, settings, mailbox, inner, _watch: watch })
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The same leader goes on in a later epoch.
    pub(super) fn continue_in(&self, leader_epoch: i32) {
        let mut inner = self.inner.lock();
        inner.leader_epoch = inner.leader_epoch.max(leader_epoch);
    }

    /// Lets the coordinator decide a request.
    pub(super) fn ask(&self, request: Request) -> oneshot::Receiver<Reply> {
        let mut inner = self.inner.lock();
        if inner.has_ended {
            return answered(inner.coordinator.state().refuse(request, ErrorCode::NotCoordinator));
        }
        self.turn_with(&mut inner, |inner, now| {
            let (sender, receiver) = oneshot::channel();
            inner.last_token += 1;
            let token = Token(inner.last_token);
            inner.waiting.insert(token, sender);
            inner.coordinator.request(now, token, request);
            receiver
        })
    }

    /// Topics were deleted: the groups forget their offsets, now or when the log is loaded.
    pub(super) fn forget_topics(&self, topics: &[String]) {
        self.turn(|inner, now| {
            inner.deleted_topics.extend_from_slice(topics);
            inner.forget_deleted_topics(now);
        });
    }

    /// Answers all who wait, and ends.
    pub(super) fn resign(&self, error: ErrorCode) {
        self.turn(|inner, _| {
            inner.coordinator.resign(error);
            inner.has_ended = true;
        });
        self.mailbox.wake();
    }

    /// Does what has fallen due, and says what its task is to do then.
    pub(super) fn next_step(&self) -> Step {
        let is_led = self.turn(|inner, now| {
            inner.asleep_until_ms = i64::MIN;
            if inner.timer_at_ms.is_some_and(|at_ms| at_ms <= now.uptime_ms) {
                inner.timer_at_ms = None;
                inner.coordinator.timer(now);
            }
        });
        if is_led.is_none() {
            return Step::End;
        }
        if self.begin_load() {
            return Step::Load;
        }
        self.inner.lock().fall_asleep(self.now().uptime_ms)
    }

    /// Whether the log is to be loaded now. If so, the coordinator expects to be fed all of it.
    pub(super) fn begin_load(&self) -> bool {
        let mut inner = self.inner.lock();
        let is_due = inner.load_at_ms.is_some_and(|at_ms| at_ms <= self.now().uptime_ms);
        let begins = is_due && self.is_settled();
        if begins {
            inner.load_at_ms = None;
            inner.coordinator.reset(GroupCoordinatorState::new((*self.settings).clone()));
        }
        begins
    }

    /// Whether all that is in the log is on disk. Until then some of it may be about to be taken back.
    fn is_settled(&self) -> bool {
        let end = self.log.log_end_offset();
        self.log.durable_end_offset() >= end
    }

    /// Feeds a batch of the log. None if that is in vain: the partition is not led any more, or has to load again.
    pub(super) fn feed(&self, loader: &mut Loader, batch: &Bytes) -> Option<Result<(), BatchError>> {
        self.turn(|inner, _| {
            let is_loading = inner.load_at_ms.is_none();
            is_loading.then(|| loader.feed(&mut inner.coordinator, batch))
        })?
    }

    /// The log was fed up to this offset, exclusive.
    pub(super) fn finish_load(&self, log_end_offset: i64) {
        self.turn(|inner, now| {
            if inner.load_at_ms.is_none() {
                inner.coordinator.loaded(now, log_end_offset);
                inner.forget_deleted_topics(now);
            }
        });
    }

    /// The log could not be read: it is tried again after a while.
    pub(super) fn fail_load(&self) {
        self.turn(|inner, now| inner.load_later(now));
    }

    /// One input to the coordinator. None if the partition is not led any more.
    fn turn<T>(&self, input: impl FnOnce(&mut Inner, Now) -> T) -> Option<T> {
        let mut inner = self.inner.lock();
        (!inner.has_ended).then(|| self.turn_with(&mut inner, input))
    }

    /// Before the input comes what the journal has told, after it what is to be done.
    fn turn_with<T>(&self, inner: &mut Inner, input: impl FnOnce(&mut Inner, Now) -> T) -> T {
        let now = self.now();
        self.mailbox.take().into_iter().for_each(|note| inner.note(note));
        inner.coordinator.high_watermark(self.log.high_watermark());
        inner.follow_batch_bytes_max(self.log.config().batch_bytes_max as usize);
        let output = input(inner, now);
        self.carry_out(inner, now);
        output
    }

    fn carry_out(&self, inner: &mut Inner, now: Now) {
        while let Some(effect) = inner.coordinator.next_effect() {
            match effect {
                Effect::Append { records, correlation } if !inner.is_undone => {
                    self.append(inner, now, &records, correlation);
                }
                Effect::Append { .. } => {}
                Effect::Reply { token, reply } => inner.answer(token, reply),
                Effect::SetTimer { at_ms } => inner.timer_at_ms = Some(at_ms),
                Effect::CancelTimer => inner.timer_at_ms = None,
                Effect::Reload => {
                    inner.is_undone = false;
                    inner.load_later(now);
                }
            }
        }
        if [inner.timer_at_ms, inner.load_at_ms]
            .into_iter()
            .flatten()
            .min()
            .is_some_and(|at_ms| at_ms < inner.asleep_until_ms)
        {
            self.mailbox.wake();
        }
    }

    /// Appends a decision's records. They count as appended once they are on disk, so that what a failing disk takes back is
    /// never taken for what was appended in its place later.
    fn append(&self, inner: &mut Inner, now: Now, records: &[Record], correlation: u64) {
        match self.try_append(records, now, inner) {
            Ok(appended) => self.await_flush(&appended, correlation),
            Err(error) => {
                inner.is_undone = true;
                inner.coordinator.append_failed(correlation, error);
            }
        }
    }

    fn try_append(&self, records: &[Record], now: Now, inner: &Inner) -> Result<Appended, ErrorCode> {
        let (partition, leader_epoch) = (self.log.id(), inner.leader_epoch);
        let settings = inner.coordinator.state().settings();
        let batches = to_batches(records, now.wall_ms, settings).map_err(|error| {
            tracing::error!(%partition, %error, "records of groups cannot be encoded");
            ErrorCode::UnknownServerError
        })?;
        let info = AppendInfo { leader_epoch, now_ms: now.wall_ms, origin: Origin::Coordinator };
        self.log.append(joined(batches), info).map_err(|error| {
            tracing::warn!(%partition, %error, "records of groups cannot be appended");
            error.code()
        })
    }

    fn await_flush(&self, appended: &Appended, correlation: u64) {
        let (mailbox, last_offset) = (self.mailbox.clone(), appended.last_offset);
        let leave_note = move |result: Result<(), storage::StorageError>| {
            mailbox.leave(match result {
                Ok(()) => Settled::Durable { correlation, last_offset },
                Err(error) => Settled::Lost { correlation, error: error.code() },
            });
        };
        self.log_dir.journal().when_durable(appended.position, Box::new(leave_note));
    }

    fn now(&self) -> Now {
        Now { wall_ms: self.clock.now_ms(), uptime_ms: self.clock.uptime_ms() }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.mailbox.wake();
    }
}

impl Inner {
    fn new(coordinator: Coordinator, leader_epoch: i32) -> Inner {
        Inner {
            coordinator,
            waiting: HashMap::new(),
            last_token: 0,
            leader_epoch,
            timer_at_ms: None,
            load_at_ms: Some(i64::MIN),
            asleep_until_ms: i64::MIN,
            is_undone: false,
            failures: 0,
            has_ended: false,
            deleted_topics: Vec::new(),
            forgetting: None,
        }
    }

    /// The topic's bound may change while its groups are served.
    fn follow_batch_bytes_max(&mut self, batch_bytes_max: usize) {
        if self.coordinator.state().settings().batch_bytes_max != batch_bytes_max {
            self.coordinator.configure(|state| state.set_batch_bytes_max(batch_bytes_max));
        }
    }

    /// Has the groups forget the topics that were deleted, once the log is loaded.
    fn forget_deleted_topics(&mut self, now: Now) {
        if self.deleted_topics.is_empty() || self.coordinator.live().is_none() {
            return;
        }
        self.last_token += 1;
        let token = Token(self.last_token);
        self.forgetting = Some(token);
        self.coordinator.request(now, token, Request::TopicsDeleted { topics: self.deleted_topics.clone() });
    }

    /// If it did not last, it is asked again when the log has been loaded again.
    fn note_forgotten(&mut self, token: Token, error: ErrorCode) {
        if self.forgetting == Some(token) {
            self.forgetting = None;
            if error == ErrorCode::None {
                self.deleted_topics = Vec::new();
            }
        }
    }

    fn note(&mut self, note: Settled) {
        match note {
            Settled::Durable { correlation, last_offset } => {
                self.failures = 0;
                self.coordinator.appended(correlation, last_offset);
            }
            Settled::Lost { correlation, error } => self.coordinator.append_failed(correlation, error),
        }
    }

    /// Whoever has lost interest is not told.
    fn answer(&mut self, token: Token, reply: Reply) {
        if let Reply::TopicsDeleted(error) = reply {
            return self.note_forgotten(token, error);
        }
        if let Some(sender) = self.waiting.remove(&token) {
            let _ = sender.send(reply);
        }
    }

    /// A disk that fails is not to be read again for every request.
    fn load_later(&mut self, now: Now) {
        let pause_ms = PAUSE_MS_MIN.checked_shl(self.failures.min(16)).unwrap_or(PAUSE_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.load_at_ms = Some(now.uptime_ms + pause_ms.min(PAUSE_MS_MAX));
    }

    fn fall_asleep(&mut self, now_ms: i64) -> Step {
        let load_at_ms = self.load_at_ms.map(|at_ms| at_ms.max(now_ms + LOOK_AGAIN_MS));
        let until_ms = [self.timer_at_ms, load_at_ms].into_iter().flatten().min();
        self.asleep_until_ms = until_ms.unwrap_or(i64::MAX);
        Step::Sleep(until_ms.map(|until_ms| millis(until_ms.saturating_sub(now_ms))))
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The batches one behind the other; a single one is not copied.
fn joined(mut batches: Vec<Bytes>) -> Bytes {
    if batches.len() == 1 {
        return batches.swap_remove(0);
    }
    let mut all = BytesMut::with_capacity(batches.iter().map(Bytes::len).sum());
    batches.iter().for_each(|batch| all.extend_from_slice(batch));
    all.freeze()
}

//! The task that speaks with the coordinator: it asks what the member would have asked, and shows that it lives while its caller is
//! busy. Requests that may take as long as a rebalance hold up nobody here, and have a connection of their own, since brokers
//! answer one after the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ErrorCode;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::attended::Attended;
use super::exchange::{Answer, Ask, exchange};
use super::member::{Meanwhile, Member, View};
use crate::backoff::dice;
use crate::cluster::{Cluster, CoordinatorType};
use crate::connection::Connection;
use crate::consumer::GroupOptions;
use crate::consumer::subscription::counts;
use crate::error::ClientError;

/// What the caller's side and the task have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: GroupOptions,
    state: Mutex<State>,
    /// Told to the caller's side when something has come of a question.
    news: Notify,
    /// Told to the task when the caller's side has changed something.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    attended: Attended,
    coordinator: Option<Connection>,
    /// Whether an answer is waited for.
    is_asking: bool,
    /// When the task looks again by itself; never if none.
    looks: Option<Instant>,
    topics: Vec<String>,
    regex: Option<String>,
}

impl State {
    /// The member, and what it decides by.
    fn with_view<'a>(&'a mut self, options: &'a GroupOptions) -> (&'a mut Attended, View<'a>) {
        let State { attended, topics, regex, .. } = self;
        (attended, View { options, topics, regex: regex.as_deref() })
    }
}

impl Shared {
    pub(super) fn new(options: GroupOptions, member: Box<dyn Member>) -> Shared {
        let state = State {
            attended: Attended::new(member),
            coordinator: None,
            is_asking: false,
            looks: None,
            topics: Vec::new(),
            regex: None,
        };
        Shared { options, state: Mutex::new(state), news: Notify::new(), changed: Notify::new() }
    }

    /// Nobody waits for anything while they hold this.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the caller's side does with the member, which may change what is due.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut dyn Member) -> T) -> T {
        let changed = change(&mut *self.state().attended.member);
        self.changed.notify_one();
        changed
    }

    /// What it only looks up.
    pub(super) fn look<T>(&self, look: impl FnOnce(&dyn Member) -> T) -> T {
        look(&*self.state().attended.member)
    }

    /// What it has the member decide. What comes of that is another change.
    pub(super) fn decide<T>(&self, decide: impl FnOnce(&mut dyn Member, &View<'_>) -> T) -> T {
        let mut state = self.state();
        let (attended, view) = state.with_view(&self.options);
        decide(&mut *attended.member, &view)
    }

    /// The topics that are wanted by now.
    pub(super) fn want(&self, topics: Vec<String>, regex: Option<String>) {
        let mut state = self.state();
        (state.topics, state.regex) = (topics, regex);
    }

    /// What went wrong since this was asked last.
    pub(super) fn failure(&self) -> Option<ClientError> {
        let failure = self.state().attended.failure()?;
        self.changed.notify_one();
        Some(failure)
    }

    /// Returns when something has come of a question.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// The coordinator that was asked last, if it can be asked.
    pub(super) fn coordinator(&self) -> Option<Connection> {
        self.state().coordinator.clone().filter(Connection::is_open)
    }

    pub(super) fn set_coordinator(&self, coordinator: Option<Connection>) {
        self.state().coordinator = coordinator;
    }

    /// The caller is there until what this gives is dropped.
    pub(super) fn attend(self: &Arc<Self>) -> Attendance {
        self.state().attended.comes();
        Attendance(self.clone())
    }

    fn meanwhile(&self) -> Meanwhile {
        let mut state = self.state();
        let (attended, view) = state.with_view(&self.options);
        let next = attended.meanwhile(&view, Instant::now());
        state.looks = if let Meanwhile::Rest(until) = next { until } else { None };
        next
    }

    /// The caller is busy from now on. The task hears of it only where it would miss how long that may last: polls are many.
    fn go(&self, now: Instant) {
        let mut state = self.state();
        state.attended.goes(now);
        let out = now.checked_add(self.options.poll_interval_max);
        if out.is_some_and(|out| state.looks.is_none_or(|looks| out < looks)) {
            self.changed.notify_one();
        }
    }

    fn asks(&self) {
        self.state().is_asking = true;
    }

    /// Tells the member what came of a question. After an error the coordinator may be another.
    fn hear(&self, answer: Result<Answer, ClientError>, again: Instant) {
        let mut state = self.state();
        state.is_asking = false;
        let is_gone = |error: &ClientError| {
            error.is_retriable() && error.code() != Some(ErrorCode::CoordinatorLoadInProgress)
        };
        if answer.as_ref().is_err_and(is_gone) {
            state.coordinator = None;
        }
        state.attended.hear(answer, &self.options, Instant::now(), again);
        self.news.notify_one();
    }

    fn fail(&self, error: ClientError) {
        self.state().attended.fail(error);
        self.news.notify_one();
    }

    /// Nobody waits for the answer to what was asked any more.
    fn abandon(&self) {
        if self.state().is_asking {
            // What the broker keeps for a rebalance would keep what comes after it waiting.
            let lost = ClientError::refused(ErrorCode::CoordinatorNotAvailable);
            self.hear(Err(lost), Instant::now());
        }
    }
}

/// The caller's presence.
#[derive(Debug)]
pub(in crate::consumer) struct Attendance(Arc<Shared>);

impl Drop for Attendance {
    fn drop(&mut self) {
        self.0.go(Instant::now());
    }
}

/// The task, while there is one. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    task: JoinSet<()>,
    asks: mpsc::UnboundedSender<Ask>,
}

impl Pulse {
    /// None yet.
    pub(super) fn new() -> Pulse {
        Pulse { task: JoinSet::new(), asks: mpsc::unbounded_channel().0 }
    }

    /// Has a task run from now on, which comes to the cluster as this one does.
    pub(super) fn start(&mut self, shared: &Arc<Shared>, cluster: &Cluster) {
        while self.task.try_join_next().is_some() {}
        if self.task.is_empty() {
            shared.abandon();
            let (asks, asked) = mpsc::unbounded_channel();
            self.asks = asks;
            let beating = Beating { shared: shared.clone(), asked, cluster: cluster.beside() };
            self.task.spawn(beating.run());
        }
    }

    /// Asks the coordinator what the member wants to know, after what was asked before.
    pub(super) fn ask(&self, shared: &Shared, ask: Ask) {
        shared.asks();
        // A task that is gone is missed when it is started.
        let _ = self.asks.send(ask);
    }

    /// Returns once no task is left. What was asked then is not waited for.
    pub(super) async fn stop(&mut self, shared: &Shared) {
        self.task.shutdown().await;
        shared.abandon();
    }
}

/// What the task has.
struct Beating {
    shared: Arc<Shared>,
    asked: mpsc::UnboundedReceiver<Ask>,
    cluster: Cluster,
}

impl Beating {
    async fn run(mut self) {
        loop {
            match self.shared.meanwhile() {
                Meanwhile::Ask(ask) => self.ask(ask).await,
                Meanwhile::Count(wanted) => self.count(&wanted).await,
                Meanwhile::Leave(farewell) => self.leave(farewell).await,
                Meanwhile::Rest(until) => {
                    if let Some(ask) = self.rest(until).await {
                        self.ask(ask).await;
                    }
                }
            }
        }
    }

    /// Waits until something is due or has changed, or the member wants to know something.
    async fn rest(&mut self, until: Option<Instant>) -> Option<Ask> {
        let due = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(ask) = self.asked.recv() => Some(ask),
            () = self.shared.changed.notified() => None,
            () = due => None,
        }
    }

    async fn ask(&mut self, ask: Ask) {
        self.shared.asks();
        let answer = self.answer(ask).await;
        self.shared.hear(answer, self.again());
    }

    async fn answer(&mut self, ask: Ask) -> Result<Answer, ClientError> {
        let coordinator = self.coordinator().await?;
        exchange(&coordinator, ask, self.shared.options.poll_interval_max).await
    }

    /// When what failed may be tried again.
    fn again(&self) -> Instant {
        Instant::now() + self.cluster.options().retry_backoff.pause(1, dice())
    }

    async fn coordinator(&mut self) -> Result<Connection, ClientError> {
        if let Some(connection) = self.shared.coordinator() {
            return Ok(connection);
        }
        let connection = connect(&mut self.cluster, &self.shared.options.group_id).await?;
        self.shared.set_coordinator(Some(connection.clone()));
        Ok(connection)
    }

    async fn count(&mut self, wanted: &[String]) {
        match self.counted(wanted).await {
            Ok(()) => self.shared.news.notify_one(),
            Err(error) if error.is_retriable() => sleep_until(self.again()).await,
            Err(error) => self.shared.fail(error),
        }
    }

    async fn counted(&mut self, wanted: &[String]) -> Result<(), ClientError> {
        // One try at a time: heartbeats are due in between. A topic that is not there (yet) has no partitions to give.
        let metadata = self.cluster.metadata_until(Some(wanted), true, Instant::now()).await?;
        let counts = counts(&metadata.topics, |_| true)?;
        self.shared.change(|member| member.counted(&counts))
    }

    async fn leave(&mut self, farewell: Option<Ask>) {
        tracing::warn!(
            "this member is out of the group {}: between two polls were more than max.poll.interval.ms ({} ms)",
            self.shared.options.group_id,
            self.shared.options.poll_interval_max.as_millis()
        );
        let Some(farewell) = farewell else { return };
        if let Err(error) = self.answer(farewell).await {
            tracing::debug!(%error, "the coordinator did not hear that a member is out");
        }
    }
}

/// A connection of its own to the coordinator of a group.
pub(super) async fn connect(cluster: &mut Cluster, group_id: &str) -> Result<Connection, ClientError> {
    let found = cluster.find_coordinator_once(CoordinatorType::Group, group_id).await?;
    cluster.connect_apart(found.node_id).await
}

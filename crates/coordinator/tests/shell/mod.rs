//! A shell around one coordinator: a log in memory, a clock that is set by hand, and answers that are looked at.
#![allow(dead_code, reason = "each test uses a part")]

pub mod asking;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use coordinator::{Coordinator, GroupCoordinatorState, Loader, Record, Reply, Request, Settings};
use engine::{Effect, Now, Token};
use protocol::ErrorCode;
use protocol::compression::Compression;
use protocol::records::BatchBuilder;

/// Where wall time starts, to tell it from uptime.
const EPOCH_MS: i64 = 1_800_000_000_000;

pub struct Shell {
    settings: Settings,
    pub coordinator: Coordinator,
    /// Keys and values as they are on disk.
    pub log: Vec<(Bytes, Option<Bytes>)>,
    /// Correlations and records that wait to be written.
    queue: VecDeque<(u64, Vec<Record>)>,
    /// While set, nothing that is written is committed.
    pub is_stalled: bool,
    uptime_ms: i64,
    timer_at_ms: Option<i64>,
    last_token: u64,
    replies: BTreeMap<Token, Reply>,
    pub reloads: usize,
    /// The last "random" number.
    pub drawn: u128,
}

impl Shell {
    pub fn new(settings: Settings) -> Shell {
        let mut shell = Shell {
            coordinator: Coordinator::new(GroupCoordinatorState::new(settings.clone())),
            settings,
            log: Vec::new(),
            queue: VecDeque::new(),
            is_stalled: false,
            uptime_ms: 0,
            timer_at_ms: None,
            last_token: 0,
            replies: BTreeMap::new(),
            reloads: 0,
            drawn: 0,
        };
        shell.load();
        shell
    }

    pub fn now(&self) -> Now {
        Now { wall_ms: EPOCH_MS + self.uptime_ms, uptime_ms: self.uptime_ms }
    }

    /// Sends a request; its answer is looked at later.
    pub fn send(&mut self, request: Request) -> Token {
        self.last_token += 1;
        let token = Token(self.last_token);
        self.coordinator.request(self.now(), token, request);
        self.carry_out();
        self.pass(0);
        token
    }

    /// The answer, if it has come.
    pub fn answer(&mut self, token: Token) -> Option<Reply> {
        self.replies.remove(&token)
    }

    /// Whether the answer has come.
    pub fn is_answered(&self, token: Token) -> bool {
        self.replies.contains_key(&token)
    }

    /// Lets time pass, with everything that falls due on the way.
    pub fn pass(&mut self, ms: i64) {
        let until_ms = self.uptime_ms + ms;
        while let Some(at_ms) = self.timer_at_ms.filter(|at_ms| *at_ms <= until_ms) {
            self.uptime_ms = self.uptime_ms.max(at_ms);
            self.timer_at_ms = None;
            self.coordinator.timer(self.now());
            self.carry_out();
        }
        self.uptime_ms = until_ms;
    }

    /// How many requests were sent, and how many answers have come that nobody has looked at.
    pub fn sent_and_answered(&self) -> (usize, usize) {
        (self.last_token as usize, self.replies.len())
    }

    /// Whether something waits to be written.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The broker stops in good order.
    pub fn resign(&mut self) {
        self.coordinator.resign(ErrorCode::NotCoordinator);
        self.carry_out();
    }

    /// What a new coordinator makes of the log.
    pub fn replayed(&self) -> GroupCoordinatorState {
        let mut state = GroupCoordinatorState::new(self.settings.clone());
        for (key, value) in &self.log {
            let record = Record::decode(key, value.as_ref()).unwrap();
            engine::ReplicatedState::apply(&mut state, &record.expect("a record of ours"));
        }
        state
    }

    /// The process dies, and another one loads the log.
    pub fn restart(&mut self) {
        self.replies.clear();
        self.queue.clear();
        self.coordinator = Coordinator::new(GroupCoordinatorState::new(self.settings.clone()));
        self.load();
    }

    /// Writes what waits, and commits it.
    pub fn flush(&mut self) {
        while let Some((correlation, records)) = self.queue.pop_front() {
            self.log.extend(records.iter().map(|record| record.encode().unwrap()));
            self.coordinator.appended(correlation, self.log.len() as i64 - 1);
        }
        self.coordinator.high_watermark(self.log.len() as i64);
        self.carry_out();
    }

    /// The oldest batch that waits cannot be written.
    pub fn fail(&mut self, error: ErrorCode) {
        let (correlation, _) = self.queue.pop_front().expect("something waits");
        self.coordinator.append_failed(correlation, error);
        self.carry_out();
    }

    fn load(&mut self) {
        let mut loader = Loader::new();
        for (key, value) in &self.log {
            let batch = BatchBuilder::new(0, Compression::None);
            let batch = batch.append(EPOCH_MS, Some(key), value.as_deref(), &[]).build();
            loader.feed(&mut self.coordinator, &batch).unwrap();
        }
        assert_eq!(loader.broken_records(), 0);
        self.coordinator.high_watermark(self.log.len() as i64);
        self.coordinator.loaded(self.now(), self.log.len() as i64);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.coordinator.next_effect() {
            match effect {
                Effect::Append { records, correlation } => self.queue.push_back((correlation, records)),
                Effect::Reply { token, reply } => {
                    assert!(self.replies.insert(token, reply).is_none(), "answered twice");
                }
                Effect::SetTimer { at_ms } => self.timer_at_ms = Some(at_ms),
                Effect::CancelTimer => self.timer_at_ms = None,
                Effect::Reload => {
                    self.reloads += 1;
                    self.queue.clear();
                    self.coordinator.reset(GroupCoordinatorState::new(self.settings.clone()));
                    self.load();
                }
            }
        }
        if !self.is_stalled && !self.queue.is_empty() {
            self.flush();
        }
    }
}

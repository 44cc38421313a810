//! Any order of inputs: no reply before its records are committed, none lost, none twice, and the state follows from the log.

use std::collections::{BTreeMap, VecDeque};

use engine::{Decision, Effect, Now, ReplicatedState, Runtime, Token};
use proptest::prelude::*;
use protocol::ErrorCode;

/// A list of numbers. One may also wait for the next addition, or for a deadline.
#[derive(Default, Clone, PartialEq, Debug)]
struct Ledger(Vec<u32>);

#[derive(Clone, Debug)]
enum Ask {
    Add(Vec<u32>),
    Read,
    Wait { until_ms: i64 },
}

/// What was seen when it was decided: the whole list.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Seen(Vec<u32>),
    Failed(ErrorCode),
}

impl ReplicatedState for Ledger {
    type Record = u32;
    type Request = Ask;
    type Reply = Answer;
    type Timer = Token;
    type Live = Vec<Token>;

    fn apply(&mut self, record: &u32) {
        self.0.push(*record);
    }

    fn lead(&self, _: Now, _: &mut Decision<Self>) -> Vec<Token> {
        Vec::new()
    }

    fn decide(
        &self,
        live: &mut Vec<Token>,
        _: Now,
        token: Token,
        request: Ask,
        decision: &mut Decision<Self>,
    ) {
        match request {
            Ask::Add(numbers) => {
                let seen: Vec<u32> = self.0.iter().chain(&numbers).copied().collect();
                numbers.into_iter().for_each(|number| decision.append(number));
                for waiting in live.drain(..) {
                    decision.cancel_timer(waiting);
                    decision.reply(waiting, Answer::Seen(seen.clone()));
                }
                decision.reply(token, Answer::Seen(seen));
            }
            Ask::Read => decision.reply(token, Answer::Seen(self.0.clone())),
            Ask::Wait { until_ms } => {
                live.push(token);
                decision.set_timer(token, until_ms);
            }
        }
    }

    fn expire(&self, live: &mut Vec<Token>, _: Now, timer: Token, decision: &mut Decision<Self>) {
        live.retain(|token| *token != timer);
        decision.reply(timer, Answer::Seen(self.0.clone()));
    }

    fn refuse(&self, _: Ask, error: ErrorCode) -> Answer {
        Answer::Failed(error)
    }

    fn fail(_: Answer, error: ErrorCode) -> Answer {
        Answer::Failed(error)
    }

    fn abandon(live: Vec<Token>, error: ErrorCode) -> Vec<(Token, Answer)> {
        live.into_iter().map(|token| (token, Answer::Failed(error))).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Ask),
    AppendOldest,
    FailOldest,
    LoseAppended,
    Commit(usize),
    Tick(i64),
    Load,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ask = prop_oneof![
        3 => prop::collection::vec(any::<u32>(), 1..4).prop_map(Ask::Add),
        2 => Just(Ask::Read),
        1 => (0..200_i64).prop_map(|until_ms| Ask::Wait { until_ms }),
    ];
    let step = prop_oneof![
        6 => ask.prop_map(Step::Ask),
        5 => Just(Step::AppendOldest),
        1 => Just(Step::FailOldest),
        1 => Just(Step::LoseAppended),
        4 => (0..4_usize).prop_map(Step::Commit),
        2 => (1..40_i64).prop_map(Step::Tick),
        3 => Just(Step::Load),
    ];
    prop::collection::vec(step, 0..120)
}

/// A shell with a log in memory, which notes what it hands out.
struct Shell {
    runtime: Runtime<Ledger>,
    log: Vec<u32>,
    committed: usize,
    uptime_ms: i64,
    to_append: VecDeque<(u64, Vec<u32>)>,
    /// Correlation and first offset of batches that are in the log and not committed.
    uncommitted: VecDeque<(u64, usize)>,
    timer_at_ms: Option<i64>,
    loading: bool,
    asked: u64,
    answers: BTreeMap<Token, Answer>,
    seen_lengths: Vec<usize>,
}

impl Shell {
    fn new() -> Shell {
        Shell {
            runtime: Runtime::new(Ledger::default()),
            log: Vec::new(),
            committed: 0,
            uptime_ms: 0,
            to_append: VecDeque::new(),
            uncommitted: VecDeque::new(),
            timer_at_ms: None,
            loading: true,
            asked: 0,
            answers: BTreeMap::new(),
            seen_lengths: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now { wall_ms: 0, uptime_ms: self.uptime_ms }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Ask(ask) => {
                self.asked += 1;
                self.runtime.request(self.now(), Token(self.asked), ask);
            }
            Step::AppendOldest => self.append_oldest(),
            Step::FailOldest => {
                if let Some((correlation, _)) = self.to_append.front() {
                    self.runtime.append_failed(*correlation, ErrorCode::KafkaStorageError);
                }
            }
            Step::LoseAppended => self.lose_appended(),
            Step::Commit(batches) => self.commit(batches),
            Step::Tick(ms) => self.tick(ms),
            Step::Load => self.load(),
        }
        self.carry_out();
    }

    fn append_oldest(&mut self) {
        if let Some((correlation, records)) = self.to_append.pop_front() {
            self.uncommitted.push_back((correlation, self.log.len()));
            self.log.extend(records);
            self.runtime.appended(correlation, self.log.len() as i64 - 1);
        }
    }

    fn lose_appended(&mut self) {
        if let Some((correlation, base)) = self.uncommitted.pop_back() {
            self.log.truncate(base);
            self.runtime.append_failed(correlation, ErrorCode::KafkaStorageError);
        }
    }

    fn commit(&mut self, batches: usize) {
        for _ in 0..batches {
            self.uncommitted.pop_front();
        }
        self.committed = self.uncommitted.front().map_or(self.log.len(), |(_, base)| *base);
        self.runtime.high_watermark(self.committed as i64);
    }

    fn tick(&mut self, ms: i64) {
        self.uptime_ms += ms;
        if self.timer_at_ms.is_some_and(|at_ms| at_ms <= self.uptime_ms) {
            self.timer_at_ms = None;
            self.runtime.timer(self.now());
        }
    }

    fn load(&mut self) {
        if !self.loading {
            return;
        }
        self.runtime.reset(Ledger::default());
        self.log.iter().for_each(|record| self.runtime.replay(record));
        assert_eq!(self.runtime.state().0, self.log);
        self.runtime.loaded(self.now(), self.log.len() as i64);
        self.loading = false;
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.runtime.next_effect() {
            match effect {
                Effect::Append { records, correlation } => self.to_append.push_back((correlation, records)),
                Effect::Reply { token, reply } => self.answered(token, reply),
                Effect::SetTimer { at_ms } => self.timer_at_ms = Some(at_ms),
                Effect::CancelTimer => self.timer_at_ms = None,
                Effect::Reload => {
                    self.to_append.clear();
                    self.loading = true;
                }
            }
        }
    }

    fn answered(&mut self, token: Token, answer: Answer) {
        if let Answer::Seen(list) = &answer {
            assert!(list.len() <= self.committed, "told before it was committed");
            assert_eq!(list[..], self.log[..list.len()], "told what is not in the log");
            self.seen_lengths.push(list.len());
        }
        assert!(self.answers.insert(token, answer).is_none(), "answered twice");
    }
}

proptest! {
    #[test]
    fn whatever_the_order_of_inputs_only_committed_state_is_told_once_and_in_order(steps in steps()) {
        let mut shell = Shell::new();
        for step in steps {
            shell.step(step);
        }
        prop_assert!(shell.seen_lengths.is_sorted(), "replies left out of order: {:?}", shell.seen_lengths);

        shell.runtime.resign(ErrorCode::NotCoordinator);
        shell.carry_out();
        prop_assert_eq!(shell.answers.len() as u64, shell.asked, "every request is answered once");
        prop_assert_eq!(shell.timer_at_ms, None);
    }

    #[test]
    fn the_leaders_state_is_what_the_log_says_when_all_is_appended(steps in steps()) {
        let mut shell = Shell::new();
        for step in steps {
            shell.step(step);
        }
        shell.step(Step::Load);
        while !shell.to_append.is_empty() {
            shell.step(Step::AppendOldest);
        }
        prop_assert_eq!(&shell.runtime.state().0, &shell.log);
    }
}

fn led() -> Shell {
    let mut shell = Shell::new();
    shell.step(Step::Load);
    shell
}

#[test]
fn a_read_leaves_at_once_when_nothing_is_under_way() {
    let mut shell = led();
    shell.step(Step::Ask(Ask::Read));
    assert_eq!(shell.answers[&Token(1)], Answer::Seen(vec![]));
}

#[test]
fn a_read_on_top_of_an_uncommitted_batch_waits_for_it() {
    let mut shell = led();
    shell.step(Step::Ask(Ask::Add(vec![7])));
    shell.step(Step::Ask(Ask::Read));
    shell.step(Step::AppendOldest);
    assert!(shell.answers.is_empty());
    shell.step(Step::Commit(1));
    assert_eq!(shell.answers[&Token(2)], Answer::Seen(vec![7]));
}

#[test]
fn a_failed_append_fails_what_was_decided_after_it_and_spares_what_is_in_the_log() {
    let mut shell = led();
    shell.step(Step::Ask(Ask::Add(vec![1])));
    shell.step(Step::AppendOldest);
    shell.step(Step::Ask(Ask::Add(vec![2])));
    shell.step(Step::Ask(Ask::Wait { until_ms: 9 }));
    shell.step(Step::FailOldest);
    assert_eq!(shell.answers[&Token(2)], Answer::Failed(ErrorCode::KafkaStorageError));
    assert_eq!(shell.answers[&Token(3)], Answer::Failed(ErrorCode::KafkaStorageError));
    shell.step(Step::Commit(1));
    assert_eq!(shell.answers[&Token(1)], Answer::Seen(vec![1]));

    shell.step(Step::Ask(Ask::Read));
    assert_eq!(shell.answers[&Token(4)], Answer::Failed(ErrorCode::CoordinatorLoadInProgress));
    shell.step(Step::Load);
    shell.step(Step::Ask(Ask::Read));
    assert_eq!(shell.answers[&Token(5)], Answer::Seen(vec![1]));
}

#[test]
fn a_log_that_was_loaded_beyond_its_high_watermark_holds_replies_back() {
    let mut shell = Shell::new();
    shell.log = vec![4];
    shell.step(Step::Load);
    shell.step(Step::Ask(Ask::Read));
    assert!(shell.answers.is_empty());
    shell.step(Step::Commit(0));
    assert_eq!(shell.answers[&Token(1)], Answer::Seen(vec![4]));
}

#[test]
fn a_request_that_waits_is_answered_by_its_deadline() {
    let mut shell = led();
    shell.step(Step::Ask(Ask::Wait { until_ms: 50 }));
    shell.step(Step::Tick(49));
    assert!(shell.answers.is_empty());
    shell.step(Step::Tick(1));
    assert_eq!(shell.answers[&Token(1)], Answer::Seen(vec![]));
}

//! Whatever clients do, in whatever order, and however the log behaves: every request is answered once, the groups' books
//! agree, and the state is what the log says.
#![allow(clippy::unwrap_used, reason = "a test may stop here")]

mod shell;

use bytes::Bytes;
use coordinator::{Caller, Reply, Request, Settings};
use proptest::prelude::*;
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest};
use shell::Shell;
use shell::asking::{GROUP, join_request};

/// Clients of a group; the last ones are static.
const CLIENTS: usize = 4;
const STATIC_FROM: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Join { client: usize, version: i16, protocols: Vec<u8>, forgets_id: bool },
    Sync { client: usize, stale: bool },
    Heartbeat(usize),
    Leave { client: usize, twice: bool },
    Commit { client: usize, partition: i32 },
    Fetch,
    Delete,
    DeleteTopic,
    Pass(i64),
    Stall,
    Flush,
    Fail,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..CLIENTS;
    let protocols =
        prop_oneof![9 => Just(vec![1]), 1 => Just(vec![1, 2]), 1 => Just(vec![2, 1]), 1 => Just(vec![3])];
    let join = (client(), 0..10_i16, protocols, prop::bool::weighted(0.1));
    let step = prop_oneof![
        12 => join.prop_map(|(client, version, protocols, forgets_id)| Step::Join { client, version, protocols, forgets_id }),
        8 => (client(), prop::bool::weighted(0.1)).prop_map(|(client, stale)| Step::Sync { client, stale }),
        3 => client().prop_map(Step::Heartbeat),
        2 => (client(), any::<bool>()).prop_map(|(client, twice)| Step::Leave { client, twice }),
        3 => (client(), 0..3).prop_map(|(client, partition)| Step::Commit { client, partition }),
        1 => Just(Step::Fetch),
        1 => Just(Step::Delete),
        1 => Just(Step::DeleteTopic),
        3 => prop_oneof![4 => 0..3_000_i64, 1 => 0..70_000_i64].prop_map(Step::Pass),
        1 => Just(Step::Stall),
        2 => Just(Step::Flush),
        1 => Just(Step::Fail),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..150)
}

/// What the clients know: their ids, and the generation each was told last.
struct World {
    shell: Shell,
    ids: [String; CLIENTS],
    generations: [i32; CLIENTS],
    /// Requests whose clients have not looked yet.
    waiting: Vec<(usize, engine::Token)>,
    looked_at: usize,
    lost_in_crashes: usize,
}

impl World {
    fn new() -> World {
        World {
            shell: Shell::new(Settings {
                group_size_max: 3,
                initial_rebalance_delay_ms: 0,
                ..Settings::default()
            }),
            ids: Default::default(),
            generations: [-1; CLIENTS],
            waiting: Vec::new(),
            looked_at: 0,
            lost_in_crashes: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join { client, version, protocols, forgets_id } => {
                self.join(client, version, &protocols, forgets_id);
            }
            Step::Sync { client, stale } => self.sync(client, stale),
            Step::Heartbeat(client) => {
                let id = self.ids[client].clone();
                let _ = self.shell.send_heartbeat(&id, self.generations[client]);
            }
            Step::Leave { client, twice } => self.leave(client, twice),
            Step::Commit { client, partition } => {
                let id = self.ids[client].clone();
                let _ = self.shell.send_commit(&id, self.generations[client], partition, 1);
            }
            Step::Fetch => drop(self.shell.send_fetch(0)),
            Step::Delete => drop(self.shell.send(Request::DeleteGroup { group_id: GROUP.to_owned() })),
            Step::DeleteTopic => {
                let _ = self.shell.send(Request::TopicsDeleted { topics: vec!["t".to_owned()] });
            }
            Step::Pass(ms) => self.shell.pass(ms),
            Step::Stall => self.shell.is_stalled = true,
            Step::Flush => {
                self.shell.is_stalled = false;
                self.shell.flush();
            }
            Step::Fail if self.shell.has_queued() => self.shell.fail(ErrorCode::KafkaStorageError),
            Step::Fail => {}
            Step::Restart => self.restart(),
        }
        self.look();
    }

    fn join(&mut self, client: usize, version: i16, protocols: &[u8], forgets_id: bool) {
        let instance = (client >= STATIC_FROM && version >= 5).then(|| format!("i{client}"));
        let id = if forgets_id { "" } else { self.ids[client].as_str() };
        let offered = protocols.iter().map(|protocol| JoinGroupRequestProtocol {
            name: format!("p{protocol}"),
            metadata: Bytes::copy_from_slice(&[*protocol]),
        });
        let request =
            JoinGroupRequest { protocols: offered.collect(), ..join_request(id, instance.as_deref()) };
        self.shell.drawn += 1;
        let caller = Caller { random: self.shell.drawn, ..Caller::default() };
        let token = self.shell.send(Request::JoinGroup { version, caller, request });
        self.waiting.push((client, token));
    }

    fn sync(&mut self, client: usize, stale: bool) {
        let request = SyncGroupRequest {
            group_id: GROUP.to_owned(),
            member_id: self.ids[client].clone(),
            generation_id: self.generations[client] - i32::from(stale),
            ..SyncGroupRequest::default()
        };
        let _ = self.shell.send(Request::SyncGroup { version: 4, request });
    }

    fn leave(&mut self, client: usize, twice: bool) {
        let leaver = MemberIdentity { member_id: self.ids[client].clone(), ..MemberIdentity::default() };
        let members = if twice { vec![leaver.clone(), leaver] } else { vec![leaver] };
        let request = LeaveGroupRequest { group_id: GROUP.to_owned(), members, ..Default::default() };
        let _ = self.shell.send(Request::LeaveGroup { version: 5, request });
    }

    fn restart(&mut self) {
        let (sent, answered) = self.shell.sent_and_answered();
        let open = sent - answered - self.looked_at - self.lost_in_crashes;
        self.lost_in_crashes += open + answered;
        self.waiting.clear();
        self.shell.restart();
    }

    fn look(&mut self) {
        for (client, token) in std::mem::take(&mut self.waiting) {
            match self.shell.answer(token) {
                None => self.waiting.push((client, token)),
                Some(Reply::JoinGroup(joined)) => {
                    self.looked_at += 1;
                    self.ids[client] = joined.member_id;
                    self.generations[client] = joined.generation_id;
                }
                Some(other) => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn every_request_is_answered_once_and_the_books_agree(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step.clone());
            let live = world.shell.coordinator.live().unwrap();
            prop_assert!(live.is_consistent(), "after {:?}: {:?}", step, live);
        }
        world.shell.is_stalled = false;
        world.shell.flush();
        prop_assert_eq!(world.shell.coordinator.state(), &world.shell.replayed());

        world.shell.resign();
        let (sent, answered) = world.shell.sent_and_answered();
        prop_assert_eq!(sent, answered + world.looked_at + world.lost_in_crashes);
    }
}

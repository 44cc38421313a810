//! A machine's clock that is set while the broker serves: what was to last so long lasts so long.

#[path = "broker_support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use host::sim::SimDisk;
use host::{Clock, Host, SystemClock};
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{
    FetchRequest, FindCoordinatorRequest, GetTelemetrySubscriptionsRequest, HeartbeatRequest,
    JoinGroupRequest, SyncGroupRequest,
};
use server::net::TcpSockets;
use support::{Client, batch, fetch, host, produce, start_as};

const HOUR_MS: i64 = 3_600_000;

/// The machine's clock, but for the time of day, which is set.
#[derive(Default)]
struct JumpingClock {
    real: SystemClock,
    ahead_ms: AtomicI64,
}

impl Clock for JumpingClock {
    fn now_ms(&self) -> i64 {
        self.real.now_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }
}

/// A member of a group of its own.
struct Member {
    client: Client,
    member_id: String,
    generation_id: i32,
}

impl Member {
    async fn join(mut client: Client) -> Member {
        let find = FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..Default::default() };
        while client.ask(&find, 4).await.coordinators[0].error_code != 0 {}
        let protocol = JoinGroupRequestProtocol { name: "range".to_owned(), metadata: b"m"[..].into() };
        let request = JoinGroupRequest {
            group_id: "g".to_owned(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".to_owned(),
            protocols: vec![protocol],
            ..Default::default()
        };
        let mut joined = client.ask(&request, 3).await;
        while joined.error_code == ErrorCode::CoordinatorLoadInProgress.code() {
            joined = client.ask(&request, 3).await;
        }
        assert_eq!(joined.error_code, 0);
        let mut member = Member { client, member_id: joined.member_id, generation_id: joined.generation_id };
        let sync = SyncGroupRequest {
            group_id: "g".to_owned(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            ..Default::default()
        };
        assert_eq!(member.client.ask(&sync, 3).await.error_code, 0);
        member
    }

    async fn heartbeat(&mut self) -> i16 {
        let request = HeartbeatRequest {
            group_id: "g".to_owned(),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            ..Default::default()
        };
        self.client.ask(&request, 3).await.error_code
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_waits_sessions_and_connections_do_not_see_the_clock_jump() {
    let clock = Arc::new(JumpingClock::default());
    let host = Host { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..host(&SimDisk::new(), 1) };
    let settings = [("group.initial.rebalance.delay.ms", "0"), ("offsets.topic.num.partitions", "1")];
    let server = start_as(host, &TcpSockets, Path::new("/data"), 0, &settings).await.unwrap();
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    let mut member = Member::join(Client::connect(&server).await).await;
    let mut session = FetchRequest { session_epoch: 0, ..fetch("t", 0, 0, 0) };
    let made = client.ask(&session, 12).await;
    (session.session_id, session.session_epoch, session.topics) = (made.session_id, 0, Vec::new());
    assert_ne!(session.session_id, 0);
    // A day forwards, an hour back, and to long before the start.
    for (round, ahead_ms) in (0..).zip([24 * HOUR_MS, 23 * HOUR_MS, -100 * HOUR_MS]) {
        let mut waiting = Client::connect(&server).await;
        waiting.send(&fetch("t", 0, round, 500), 12).await;
        clock.ahead_ms.store(ahead_ms, Ordering::SeqCst);
        let waited = waiting.receive::<FetchRequest>(12).await.unwrap();
        assert_eq!(waited.responses[0].partitions[0].error_code, 0);
        assert_eq!(member.heartbeat().await, 0, "{ahead_ms}");
        let produced = client.ask(&produce("t", 0, batch("v", None)), 9).await;
        assert_eq!(produced.responses[0].partition_responses[0].base_offset, round);
        session.session_epoch += 1;
        let read = client.ask(&session, 12).await;
        assert_eq!((read.error_code, read.responses[0].partitions[0].high_watermark), (0, round + 1));
        // Whoever asks for the first time is not told that it was too soon.
        let telemetry = GetTelemetrySubscriptionsRequest::default();
        assert_eq!(client.ask(&telemetry, 0).await.error_code, 0);
    }
    server.stop().await.unwrap();
}

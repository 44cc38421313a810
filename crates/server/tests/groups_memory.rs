//! What coordinators cost that have nothing to do. Its own program, for it counts what the whole process allocates.

#[path = "groups_support/mod.rs"]
mod support;

use std::sync::Arc;

use coordinator::{Reply, Request};
use host::Host;
use host::sim::SimDisk;
use peak_alloc::PeakAlloc;
use protocol::compression::Compression;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use protocol::records::BatchBuilder;
use server::groups::Groups;
use storage::{AppendInfo, Origin};
use support::asking::Client;
use support::{Broker, LEADER_EPOCH, at_once};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[tokio::test]
async fn fifty_idle_partitions_take_less_than_100_kilobytes_together() {
    let broker = Broker::start(&SimDisk::new(), 51);
    begin_to_write(&broker, 50);
    broker.groups.stop();
    settle().await;

    let before = MEMORY.current_usage();
    let groups = Arc::new(Groups::new(Host::real(), support::settings(), 50));
    for (partition, log) in (0..50).zip(&broker.logs) {
        groups.lead(partition, LEADER_EPOCH, log.clone(), broker.dir.clone());
    }
    settle().await;
    for partition in 0..50 {
        let request = Request::ListGroups(ListGroupsRequest::default());
        let reply = groups.ask_partition(partition, request).await;
        assert_eq!(reply, Ok(Reply::ListGroups(ListGroupsResponse::default())));
    }
    let idle = MEMORY.current_usage() - before;
    assert!(idle < 100 * 1024, "{idle} bytes without a request");

    assert_eq!(Client::of(&groups, "g").fetch().await, -1);
    settle().await;
    let awake = MEMORY.current_usage() - before;
    assert!(idle < awake && awake < 100 * 1024, "{awake} bytes with one that was asked for");
}

/// Has the journal's thread begin, which takes a buffer then.
fn begin_to_write(broker: &Broker, partition: usize) {
    let mut batch = BatchBuilder::new(0, Compression::None);
    batch.push(0, None, None, &[]);
    let info = AppendInfo { leader_epoch: LEADER_EPOCH, now_ms: 0, origin: Origin::Coordinator };
    let appended = broker.logs[partition].append(batch.build(), info).expect("the log takes it");
    broker.dir.journal().wait_durable(appended.position).expect("the disk works");
}

/// Lets all tasks do what they have to.
async fn settle() {
    for _ in 0..100 {
        at_once(async {}).await;
    }
}

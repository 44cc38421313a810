//! The power goes at every single change of the disk; what was acknowledged has to be there afterwards.

mod support;

use std::path::Path;

use host::Host;
use host::sim::{SeededRandom, SimDisk};
use quorum::{QuorumSettings, VoterSet, format};
use support::{DIR, Node, batches, formatting, has_topic, host, standalone, start_with};

/// Snapshots after every few changes, and none kept but the newest.
fn busy(settings: QuorumSettings) -> QuorumSettings {
    QuorumSettings { snapshot_bytes: 300, retention_bytes: 1, voters: vec![support::voter()], ..settings }
}

/// What a node did before the power went.
#[derive(Default)]
struct Life {
    /// The epoch that it led in, if it came so far.
    epoch: Option<i32>,
    /// Topics whose creation was acknowledged.
    acknowledged: Vec<String>,
    /// Came to its end in order.
    ended: bool,
}

/// Starts, makes changes one by one and several at once, stops and starts again.
async fn live(host: &Host) -> Life {
    let mut life = Life::default();
    for round in 0..2 {
        let Ok(node) = start_with(host.clone(), Path::new(DIR), busy).await else { return life };
        life.epoch = Some(node.quorum.leader_epoch());
        for n in 0..6 {
            let names: Vec<_> = (0..=n % 3).map(|at| format!("topic-{round}-{n}-{at}")).collect();
            let changes = names.iter().map(|name| node.create_topic(name));
            let made = futures::future::join_all(changes).await;
            life.acknowledged
                .extend(names.into_iter().zip(made).filter_map(|(name, made)| made.ok().map(|_| name)));
        }
        node.quorum.stop().await;
        let log_dir = node.log_dir.clone();
        life.ended = tokio::task::spawn_blocking(move || log_dir.close()).await.expect("no panic").is_ok();
        if !life.ended {
            return life;
        }
    }
    life
}

fn check(node: &Node, life: &Life) {
    let image = node.quorum.image();
    for name in &life.acknowledged {
        assert!(has_topic(&image.image, name), "{name} was acknowledged");
    }
    assert!(life.epoch.is_none_or(|epoch| node.quorum.leader_epoch() > epoch), "no epoch comes twice");
    assert_eq!(image.image.features.level("metadata.version"), 30);
    let log = batches(node.quorum.log());
    assert!(log.windows(2).all(|pair| pair[0].0.next_offset() == pair[1].0.base_offset));
    assert!(log.windows(2).all(|pair| pair[0].0.partition_leader_epoch <= pair[1].0.partition_leader_epoch));
    assert_eq!(image.offset, node.quorum.log_end_offset());
}

async fn crash_everywhere(voters: fn() -> VoterSet, step: usize) {
    for changes in (0..).step_by(step) {
        let disk = SimDisk::new();
        format(&host(&disk, changes), &formatting(Path::new(DIR), voters()), false).expect("power");
        disk.cut_power_after(changes, changes as usize * 37 % 600);
        let life = live(&host(&disk, changes)).await;
        // A node in a simulated process does nothing any more once the power is back.
        disk.lose_power(&SeededRandom::new(changes));
        for seed in 1..3 {
            let node = start_with(host(&disk, changes + seed), Path::new(DIR), busy).await;
            let node = node.unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
            // Its start may have taken a snapshot, which lets go of the log's oldest part.
            node.quorum.stop().await;
            check(&node, &life);
            drop(node);
            disk.lose_power(&SeededRandom::new(changes + seed));
        }
        if life.ended && life.acknowledged.len() == 24 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_change_survives_wherever_the_power_goes() {
    crash_everywhere(|| VoterSet::Elsewhere, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voters_in_the_log_survive_too() {
    crash_everywhere(standalone, 5).await;
}

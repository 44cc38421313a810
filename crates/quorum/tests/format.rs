//! Formatting, against what Apache Kafka's tool leaves, and with the power going at every change of the disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use host::Host;
use host::sim::{ManualClock, SeededRandom, SimDisk};
use metadata::MetadataVersion;
use protocol::records::Batches;
use quorum::{
    DirectoryKind, Endpoint, FormatError, Formatting, InitialVoter, VerifyError, VoterSet, format,
    load_directories,
};
use storage::files::snapshot::{self, Snapshot};
use storage::files::{load_whole, meta_properties, store_whole};

const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qk";

fn host(disk: &SimDisk, seed: u64) -> Host {
    Host {
        disk: Arc::new(disk.process()),
        clock: Arc::new(ManualClock::new(1_700_000_000_000)),
        random: Arc::new(SeededRandom::new(seed)),
    }
}

fn formatting(voters: VoterSet) -> Formatting {
    Formatting {
        cluster_id: CLUSTER.to_owned(),
        node_id: 1,
        log_dirs: vec!["/data/a".into(), "/data/b".into()],
        metadata_log_dir: "/data/a".into(),
        metadata_version: MetadataVersion::LATEST,
        features: Vec::new(),
        records: Vec::new(),
        voters,
    }
}

fn standalone() -> VoterSet {
    VoterSet::Standalone(vec![Endpoint { name: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 41_092 }])
}

fn snapshot_at(host: &Host, path: &str) -> Snapshot {
    snapshot::load(&*host.disk, Path::new(path)).expect("a readable file").expect("a file")
}

fn of_kafka(content: &'static [u8]) -> Snapshot {
    snapshot::decode(&Bytes::from_static(content)).expect("what Kafka wrote")
}

#[test]
fn a_formatted_directory_says_what_kafkas_says() {
    let host = host(&SimDisk::new(), 1);
    let formatted = format(&host, &formatting(standalone()), false).expect("room");
    let kinds: Vec<_> = formatted.formatted.iter().map(|dir| (dir.path.clone(), dir.kind)).collect();
    let expected = [("/data/a", DirectoryKind::DynamicMetadataVoter), ("/data/b", DirectoryKind::Data)];
    assert_eq!(kinds, expected.map(|(path, kind)| (PathBuf::from(path), kind)));
    let bootstrap = of_kafka(include_bytes!("../../storage/tests/fixtures/formatted/bootstrap.checkpoint"));
    for path in ["/data/a/bootstrap.checkpoint", "/data/b/bootstrap.checkpoint"] {
        assert_eq!(snapshot_at(&host, path).values, bootstrap.values);
    }
    let first = "/data/a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let mut ours = snapshot_at(&host, first);
    let kafkas = of_kafka(include_bytes!(
        "../../storage/tests/fixtures/formatted/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
    ));
    let voter = &mut ours.voters.as_mut().expect("voters").voters[0];
    assert_eq!(voter.voter_directory_id, formatted.formatted[0].directory_id);
    let theirs = kafkas.voters.as_ref().expect("voters").voters[0].clone();
    voter.voter_directory_id = theirs.voter_directory_id;
    voter.endpoints.clone_from(&theirs.endpoints);
    assert_eq!((ours.kraft_version, ours.voters), (kafkas.kraft_version, kafkas.voters));
    assert!(!host.disk.exists(Path::new("/data/b/__cluster_metadata-0")));
}

#[test]
fn initial_voters_are_written_down_the_same_wherever_they_are_given() {
    let voter = |id: i32| InitialVoter {
        id,
        directory_id: protocol::Uuid::from_random([id as u8; 16]),
        endpoint: Endpoint { name: "CONTROLLER".into(), host: format!("host-{id}"), port: 9093 },
    };
    let voters = [voter(1), voter(2)];
    for (node_id, kind) in [
        (1, DirectoryKind::DynamicMetadataVoter),
        (2, DirectoryKind::DynamicMetadataVoter),
        (3, DirectoryKind::DynamicMetadata),
    ] {
        let host = host(&SimDisk::new(), 1);
        let wanted = Formatting { node_id, ..formatting(VoterSet::Initial(voters.to_vec())) };
        let directory = format(&host, &wanted, false).expect("room").formatted.remove(0);
        let own = voters.iter().find(|voter| voter.id == node_id).map(|voter| voter.directory_id);
        assert_eq!((directory.kind, own.is_some()), (kind, own == Some(directory.directory_id)));
        let first = "/data/a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
        let told = snapshot_at(&host, first).voters.expect("voters").voters;
        let told = told.iter().map(|it| (it.voter_id, it.voter_directory_id, it.endpoints[0].host.clone()));
        let expected = voters.iter().map(|it| (it.id, it.directory_id, it.endpoint.host.clone()));
        assert!(told.eq(expected), "node {node_id}");
    }
}

#[test]
fn batches_of_what_is_formatted_are_whole() {
    let host = host(&SimDisk::new(), 1);
    format(&host, &formatting(VoterSet::Elsewhere), false).expect("room");
    let bytes =
        load_whole(&*host.disk, Path::new("/data/a/bootstrap.checkpoint")).expect("a disk").expect("a file");
    let batches = Batches::new(&bytes).map(|batch| protocol::records::verify(batch.expect("a batch").1));
    assert_eq!(batches.filter(|batch| batch.is_ok()).count(), 3);
    assert!(!host.disk.exists(Path::new("/data/a/__cluster_metadata-0")));
}

#[test]
fn a_formatted_directory_is_not_formatted_again() {
    let host = host(&SimDisk::new(), 1);
    let mut wanted = formatting(VoterSet::Elsewhere);
    wanted.log_dirs.truncate(1);
    format(&host, &wanted, false).expect("room");
    let before =
        load_directories(&host, &wanted.log_dirs, Path::new("/data/a"), 1).expect("formatted").directories;
    wanted = formatting(VoterSet::Elsewhere);
    let refused = format(&host, &wanted, false).expect_err("a directory is formatted");
    assert_eq!(
        refused.to_string(),
        "Log directory /data/a is already formatted. Use --ignore-formatted to ignore this directory and format the \
         others."
    );
    let formatted = format(&host, &wanted, true).expect("room");
    assert_eq!((formatted.already, formatted.formatted.len()), (vec![PathBuf::from("/data/a")], 1));
    let after =
        load_directories(&host, &wanted.log_dirs, Path::new("/data/a"), 1).expect("formatted").directories;
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert_ne!(after[0].directory_id, after[1].directory_id);
}

#[test]
fn directories_of_another_cluster_or_node_are_refused() {
    let host = host(&SimDisk::new(), 1);
    format(&host, &formatting(VoterSet::Elsewhere), false).expect("room");
    let other_cluster = Formatting { cluster_id: "other".into(), ..formatting(VoterSet::Elsewhere) };
    let message = |formatting| format(&host, &formatting, true).expect_err("not ours").to_string();
    assert_eq!(
        message(other_cluster),
        format!("Invalid cluster.id in: /data/a/meta.properties. Expected other, but read {CLUSTER}")
    );
    let other_node = Formatting { node_id: 2, ..formatting(VoterSet::Elsewhere) };
    assert!(
        message(other_node)
            .starts_with("Stored node id 1 doesn't match previous node id 2 in /data/a/meta.pro")
    );
    let dirs = formatting(VoterSet::Elsewhere).log_dirs;
    let loaded = load_directories(&host, &dirs, Path::new("/data/a"), 2);
    assert!(matches!(loaded, Err(VerifyError::NodeId { expected: 2, found: 1, .. })));
}

#[test]
fn an_unreadable_directory_is_left_alone_unless_it_is_the_only_one() {
    let host = host(&SimDisk::new(), 1);
    host.disk.create_dir_all(Path::new("/data/a")).expect("room");
    store_whole(&*host.disk, Path::new("/data/a/meta.properties"), b"garbage").expect("room");
    let mut wanted = formatting(VoterSet::Elsewhere);
    let formatted = format(&host, &wanted, false).expect("one is left");
    assert_eq!(formatted.unreadable, [PathBuf::from("/data/a")]);
    wanted.log_dirs.truncate(1);
    assert!(matches!(format(&host, &wanted, false), Err(FormatError::NoneAvailable)));
}

#[test]
fn a_start_refuses_directories_that_do_not_belong_together() {
    let host = host(&SimDisk::new(), 1);
    let dirs = formatting(VoterSet::Elsewhere).log_dirs;
    let load = || load_directories(&host, &dirs, Path::new("/data/a"), 1);
    assert_eq!(
        load().expect_err("nothing is there").to_string(),
        "No `meta.properties` found in /data/a (have you run `kafka-storage.sh` to format the directory?)"
    );
    format(&host, &formatting(standalone()), false).expect("room");
    assert_eq!(load().expect("formatted").directories[0].cluster_id, CLUSTER);
    let elsewhere = load_directories(&host, &dirs, Path::new("/data/b"), 1);
    assert!(matches!(elsewhere, Err(VerifyError::MetadataElsewhere { .. })));
    let (from, to) = (Path::new("/data/a/meta.properties"), Path::new("/data/b/meta.properties"));
    let copied = load_whole(&*host.disk, from).expect("a disk").expect("a file");
    store_whole(&*host.disk, to, &copied).expect("room");
    assert!(matches!(load(), Err(VerifyError::DuplicateDirectoryId { .. })));
}

#[test]
fn a_directory_of_an_old_version_gets_an_id_that_stays() {
    let host = host(&SimDisk::new(), 1);
    let mut wanted = formatting(VoterSet::Elsewhere);
    wanted.log_dirs.truncate(1);
    format(&host, &wanted, false).expect("room");
    let path = Path::new("/data/a/meta.properties");
    let mut properties = meta_properties::load(&*host.disk, path).expect("a disk").expect("a file");
    properties.directory_id = None;
    meta_properties::store(&*host.disk, path, &properties, 0).expect("room");
    let load =
        || load_directories(&host, &wanted.log_dirs, Path::new("/data/a"), 1).expect("formatted").directories;
    let given = load();
    assert!(!given[0].directory_id.is_zero());
    assert_eq!(load(), given);
}

#[test]
fn a_directory_is_formatted_or_not_wherever_the_power_goes() {
    for changes in 0.. {
        let mut done = false;
        for seed in 0..4 {
            let disk = SimDisk::new();
            disk.cut_power_after(changes, seed as usize * 100);
            done = format(&host(&disk, seed), &formatting(standalone()), false).is_ok();
            disk.lose_power(&SeededRandom::new(seed));
            let host = host(&disk, seed + 10);
            let again = format(&host, &formatting(standalone()), true).expect("power");
            assert!(!done || again.formatted.is_empty(), "what was reported is there");
            check_whole(&host);
        }
        if done {
            return;
        }
    }
}

fn check_whole(host: &Host) {
    let dirs = formatting(standalone()).log_dirs;
    let loaded = load_directories(host, &dirs, Path::new("/data/a"), 1).expect("all are formatted");
    for dir in ["/data/a", "/data/b"] {
        assert_eq!(snapshot_at(host, &format!("{dir}/bootstrap.checkpoint")).values.len(), 6);
    }
    let voters = "/data/a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let voters = snapshot_at(host, voters).voters.expect("voters");
    assert_eq!(voters.voters[0].voter_directory_id, loaded.directories[0].directory_id);
}

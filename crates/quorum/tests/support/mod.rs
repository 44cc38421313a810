//! A quorum on a simulated machine, and changes to make.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use config::Voter;
use host::Host;
use host::sim::{ManualClock, SeededRandom, SimDisk};
use metadata::{Delta, Image, MetadataVersion};
use protocol::messages::{
    BeginTransactionRecord, ConfigRecord, EndTransactionRecord, MetadataRecord, TopicRecord,
};
use protocol::records::{BatchHeader, Batches, records, verify};
use protocol::{Uuid, metadata_record};
use quorum::{
    Changed, CommittedImage, Endpoint, Formatting, MetadataListener, Quorum, QuorumError, QuorumSettings,
    VoterSet, format, load_directories,
};
use storage::{Log, LogDir, LogDirOptions, ReadLimit, ReadRequest, SliceData};

pub const DIR: &str = "/data";
pub const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qk";

/// A machine whose disk is this one.
pub fn host(disk: &SimDisk, seed: u64) -> Host {
    Host {
        disk: Arc::new(disk.process()),
        clock: Arc::new(ManualClock::new(1_700_000_000_000)),
        random: Arc::new(SeededRandom::new(seed)),
    }
}

pub fn voter() -> Voter {
    Voter { id: 1, host: "127.0.0.1".to_owned(), port: 41_093 }
}

pub fn standalone() -> VoterSet {
    VoterSet::Standalone(vec![Endpoint { name: "CONTROLLER".into(), host: "127.0.0.1".into(), port: 41_093 }])
}

pub fn formatting(dir: &Path, voters: VoterSet) -> Formatting {
    Formatting {
        cluster_id: CLUSTER.to_owned(),
        node_id: 1,
        log_dirs: vec![dir.to_owned()],
        metadata_log_dir: dir.to_owned(),
        metadata_version: MetadataVersion::LATEST,
        features: Vec::new(),
        records: Vec::new(),
        voters,
    }
}

/// What a listener was told.
#[derive(Default)]
pub struct Told {
    pub loaded: Mutex<Vec<Arc<CommittedImage>>>,
    pub committed: Mutex<Vec<(Arc<CommittedImage>, Delta)>>,
}

impl MetadataListener for Told {
    fn loaded(&self, image: &Arc<CommittedImage>) {
        self.loaded.lock().expect("no panic").push(image.clone());
    }

    fn committed(&self, image: &Arc<CommittedImage>, delta: Delta) {
        self.committed.lock().expect("no panic").push((image.clone(), delta));
    }
}

/// A node with its log directory.
pub struct Node {
    pub quorum: Arc<Quorum>,
    pub log_dir: Arc<LogDir>,
    pub told: Arc<Told>,
}

pub fn small_options() -> LogDirOptions {
    LogDirOptions { journal_bytes_min: 64 * 1024, ..LogDirOptions::default() }
}

/// Opens the directory, which must be formatted, and starts the quorum with these voters.
pub async fn start_with(
    host: Host,
    dir: &Path,
    change: impl FnOnce(QuorumSettings) -> QuorumSettings,
) -> Result<Node, QuorumError> {
    let loaded = load_directories(&host, &[PathBuf::from(dir)], dir, 1).expect("a formatted directory");
    let settings = change(QuorumSettings::new(1, loaded.directories[0].directory_id, vec![voter()]));
    let (log_dir, _) = LogDir::open(host.clone(), dir, small_options())?;
    let told = Arc::new(Told::default());
    let started = Quorum::start(host, log_dir.clone(), settings, bootstrap, told.clone()).await;
    Ok(Node { quorum: started?, log_dir, told })
}

pub async fn start(host: Host) -> Result<Node, QuorumError> {
    start_with(host, Path::new(DIR), |settings| settings).await
}

/// Formats a directory if it is not, and starts.
pub async fn fresh(host: &Host) -> Node {
    format(host, &formatting(Path::new(DIR), VoterSet::Elsewhere), true).expect("room");
    start(host.clone()).await.expect("a formatted directory")
}

impl Node {
    /// Ends in order, and leaves plain Kafka's directory.
    pub async fn stop(self) {
        self.quorum.stop().await;
        let log_dir = self.log_dir;
        tokio::task::spawn_blocking(move || log_dir.close()).await.expect("no panic").expect("a disk");
    }

    pub async fn create_topic(&self, name: &str) -> Result<Changed<Uuid>, QuorumError> {
        self.quorum.change(|_, _| topic(name)).await
    }
}

/// What the controller makes of what formatting left.
pub fn bootstrap(formatted: Vec<MetadataRecord>) -> Vec<MetadataRecord> {
    let setting = ConfigRecord {
        resource_type: 4,
        resource_name: String::new(),
        name: "min.insync.replicas".to_owned(),
        value: Some("1".to_owned()),
    };
    let begin = BeginTransactionRecord { name: Some("Bootstrap records".to_owned()) };
    std::iter::once(begin.into())
        .chain(formatted)
        .chain([setting.into(), EndTransactionRecord {}.into()])
        .collect()
}

pub fn topic_id(name: &str) -> Uuid {
    let mut bytes = [9; 16];
    for (at, byte) in name.bytes().enumerate() {
        bytes[at % 15 + 1] ^= byte.rotate_left((at / 15) as u32 + 1);
    }
    Uuid(bytes)
}

pub fn topic(name: &str) -> (Vec<MetadataRecord>, Uuid) {
    let topic_id = topic_id(name);
    (vec![TopicRecord { name: name.to_owned(), topic_id }.into()], topic_id)
}

pub fn has_topic(image: &Image, name: &str) -> bool {
    image.topics.by_name(name).is_some_and(|topic| topic.id == topic_id(name))
}

/// All batches of the log from its start on, verified.
pub fn batches(log: &Log) -> Vec<(BatchHeader, Bytes)> {
    let mut offset = log.log_start_offset();
    let mut all = Vec::new();
    loop {
        let request =
            ReadRequest { offset, max_bytes: 1 << 20, min_one_batch: true, up_to: ReadLimit::LogEnd };
        let bytes: Bytes = match log.read(request).expect("it is there").data {
            SliceData::Empty => return all,
            SliceData::Memory(slices) => slices.concat().into(),
            SliceData::File { file, position, len, .. } => {
                let mut bytes = vec![0; len];
                assert_eq!(file.read_at(&mut bytes, position).expect("it is there"), len);
                bytes.into()
            }
        };
        for batch in Batches::new(&bytes) {
            let (header, batch) = batch.expect("a whole batch");
            verify(batch).expect("a valid batch");
            offset = header.next_offset();
            all.push((header, bytes.slice_ref(batch)));
        }
    }
}

/// The records of a batch that is none of control records.
pub fn metadata_records(batch: &Bytes) -> Vec<MetadataRecord> {
    records(batch, 1 << 20)
        .expect("a batch")
        .map(|record| {
            metadata_record::decode(&record.expect("a record").value.expect("a value")).expect("known")
        })
        .collect()
}

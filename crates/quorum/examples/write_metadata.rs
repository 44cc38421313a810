//! Writes a metadata log for Apache Kafka to read: formats a directory unless it is formatted, starts a quorum on it, makes topics,
//! and stops. `write_metadata DIR CONTROLLER_PORT static|standalone [CHANGES_AT_ONCE]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use config::Voter;
use futures::StreamExt;
use host::Host;
use metadata::{Delta, MetadataVersion};
use protocol::Uuid;
use protocol::messages::{MetadataRecord, PartitionRecord, TopicRecord};
use quorum::{
    CommittedImage, Endpoint, Formatting, MetadataListener, Quorum, QuorumSettings, VoterSet, format,
    load_directories,
};
use storage::{LogDir, LogDirOptions};

struct Silent;

impl MetadataListener for Silent {
    fn loaded(&self, image: &Arc<CommittedImage>) {
        println!(
            "loaded up to {} in epoch {}, {} topics",
            image.offset,
            image.epoch,
            image.image.topics.len()
        );
    }

    fn committed(&self, _image: &Arc<CommittedImage>, _delta: Delta) {}
}

fn formatting(dir: &Path, port: u16, standalone: bool) -> Formatting {
    let endpoint = Endpoint { name: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port };
    Formatting {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qk".to_owned(),
        node_id: 1,
        log_dirs: vec![dir.to_owned()],
        metadata_log_dir: dir.to_owned(),
        metadata_version: MetadataVersion::LATEST,
        features: Vec::new(),
        records: Vec::new(),
        voters: if standalone { VoterSet::Standalone(vec![endpoint]) } else { VoterSet::Elsewhere },
    }
}

/// A topic with one partition on this node.
fn topic(host: &Host) -> Vec<MetadataRecord> {
    let mut bits = [0; 16];
    host.random.fill(&mut bits);
    let topic_id = Uuid::from_random(bits);
    let partition = PartitionRecord {
        topic_id,
        partition_id: 0,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        directories: vec![Uuid::ZERO],
        ..PartitionRecord::default()
    };
    vec![
        TopicRecord { name: format!("made-{:032x}", u128::from_be_bytes(bits)), topic_id }.into(),
        partition.into(),
    ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "write_metadata DIR CONTROLLER_PORT static|standalone";
    let dir = PathBuf::from(args.next().ok_or(usage)?);
    let port: u16 = args.next().ok_or(usage)?.parse()?;
    let standalone = args.next().as_deref() == Some("standalone");
    let at_once = args.next().map_or(Ok(2_000), |count| count.parse())?;
    let host = Host::real();
    format(&host, &formatting(&dir, port, standalone), true)?;
    let loaded = load_directories(&host, std::slice::from_ref(&dir), &dir, 1)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let voters = vec![Voter { id: 1, host: "127.0.0.1".to_owned(), port }];
    let voters = if standalone { Vec::new() } else { voters };
    let mut settings = QuorumSettings::new(1, loaded.directories[0].directory_id, voters);
    settings.snapshot_bytes = 50_000;
    runtime.block_on(write(host, &dir, settings, at_once))
}

async fn write(
    host: Host,
    dir: &Path,
    settings: QuorumSettings,
    at_once: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let opening = Instant::now();
    let (log_dir, report) = LogDir::open(host.clone(), dir, LogDirOptions::default())?;
    println!("{report}; {:?}", opening.elapsed());
    let starting = Instant::now();
    let listener = Arc::new(Silent);
    let quorum = Quorum::start(host.clone(), log_dir.clone(), settings, |records| records, listener).await?;
    println!("leads in epoch {} after {:?}", quorum.leader_epoch(), starting.elapsed());
    let serial = Instant::now();
    for _ in 0..200 {
        quorum.change(|_, _| (topic(&host), ())).await?;
    }
    println!("200 changes one after the other: {:?}", serial.elapsed());
    let (pipelined, host) = (Instant::now(), &host);
    let changes = (0..at_once).map(|_| quorum.change(|_, _| (topic(host), ())));
    for change in changes.collect::<futures::stream::FuturesUnordered<_>>().collect::<Vec<_>>().await {
        change?;
    }
    println!("{at_once} changes at once: {:?}", pipelined.elapsed());
    println!("log end {}, snapshots in {}", quorum.log_end_offset(), quorum.log().dir().display());
    let stopping = Instant::now();
    quorum.stop().await;
    drop(quorum);
    tokio::task::spawn_blocking(move || log_dir.close()).await??;
    println!("stopped after {:?}", stopping.elapsed());
    Ok(())
}

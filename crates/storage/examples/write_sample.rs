//! Writes a small log directory with every kind of file, for Apache Kafka's tools to look at.
//!
//! `cargo run -p yeoul-storage --example write_sample -- DIR [TOPIC_ID]`, then for instance
//! `kafka-dump-log.sh --deep-iteration --verify-index-only --files DIR/sample-0/00000000000000000000.index`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use host::{Disk, RealDisk};
use protocol::compression::Compression;
use protocol::messages::FeatureLevelRecord;
use protocol::records::{BatchBuilder, BatchHeader, end_txn_marker, read_end_txn, set_base_offset_and_epoch};
use protocol::{Uuid, metadata_record};
use storage::files::leader_epochs::LeaderEpochs;
use storage::files::meta_properties::MetaProperties;
use storage::files::quorum_state::{QuorumState, StateVersion};
use storage::files::snapshot::SnapshotWriter;
use storage::files::{
    clean_shutdown, leader_epochs, meta_properties, names, offset_checkpoint, partition_metadata,
    producer_snapshot, quorum_state, snapshot,
};
use storage::producers::Producers;
use storage::segment::{Incoming, RollRules, Segment, SegmentHome, must_roll};

type Failure = Box<dyn Error>;

const T0: i64 = 1_790_000_000_000;
const INDEX_INTERVAL_BYTES: u32 = 4096;
const RULES: RollRules =
    RollRules { segment_bytes: 64 << 10, segment_ms: i64::MAX, jitter_ms: 0, index_bytes: 10 << 20 };

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("usage: write_sample DIR [TOPIC_ID]")?);
    let topic_id = match arguments.next() {
        Some(id) => id.to_string_lossy().parse()?,
        None => Uuid(*b"sample of Yeoul!"),
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let end_offset = write_partition(&disk, &dir.join("sample-0"), topic_id)?;
    write_root(&*disk, &dir, end_offset)?;
    write_metadata(&*disk, &dir.join(names::METADATA_DIR))?;
    println!("sample-0 ends at offset {end_offset}");
    Ok(())
}

/// A log that is being written.
struct Writing {
    home: Arc<SegmentHome>,
    segment: Segment,
    producers: Producers,
    epochs: LeaderEpochs,
}

impl Writing {
    fn append(&mut self, batch: Bytes, leader_epoch: i32) -> Result<(), Failure> {
        let mut batch = batch.to_vec();
        let base_offset = self.segment.next_offset();
        set_base_offset_and_epoch(&mut batch, base_offset, leader_epoch);
        let header = BatchHeader::parse(&batch)?;
        let incoming = Incoming {
            size_in_bytes: batch.len() as u64,
            max_timestamp: header.max_timestamp,
            last_offset: header.last_offset(),
        };
        if must_roll(&self.segment.facts(), &RULES, &incoming, T0).is_some() {
            self.roll()?;
        }
        self.epochs.assign(leader_epoch, base_offset);
        let aborted = self.producers.record(&header, read_end_txn(&batch)?);
        let position = self.segment.append(&header, INDEX_INTERVAL_BYTES);
        if let Some(aborted) = aborted {
            self.segment.append_aborted(aborted);
        }
        self.segment.log_file()?.write_all_at(&batch, position)?;
        Ok(())
    }

    fn roll(&mut self) -> Result<(), Failure> {
        let base_offset = self.segment.next_offset();
        self.close()?;
        self.segment = Segment::create(self.home.clone(), base_offset, T0)?;
        Ok(())
    }

    fn close(&self) -> Result<(), Failure> {
        self.segment.seal()?;
        self.segment.log_file()?.sync_data()?;
        let name = names::of_offset(self.segment.next_offset(), names::PRODUCER_SNAPSHOT);
        let entries = self.producers.to_snapshot();
        producer_snapshot::store(&*self.home.disk, &self.home.dir.join(name), entries)?;
        Ok(())
    }
}

fn write_partition(disk: &Arc<dyn Disk>, dir: &Path, topic_id: Uuid) -> Result<i64, Failure> {
    disk.create_dir_all(dir)?;
    let home = Arc::new(SegmentHome { disk: disk.clone(), dir: dir.to_owned() });
    let segment = Segment::create(home.clone(), 0, T0)?;
    let mut writing =
        Writing { home, segment, producers: Producers::default(), epochs: LeaderEpochs::default() };
    for n in 0..200 {
        let compression = Compression::ALL[n as usize % 5];
        writing.append(data(n, compression), n / 90)?;
        if n % 20 == 7 {
            writing.append(transactional(n), n / 90)?;
            writing.append(end_txn_marker(T0, 2, 0, n % 40 == 7, 0), n / 90)?;
        }
    }
    writing.close()?;
    partition_metadata::store(&**disk, &dir.join(partition_metadata::NAME), topic_id)?;
    leader_epochs::store(&**disk, &dir.join(leader_epochs::NAME), &writing.epochs)?;
    Ok(writing.segment.next_offset())
}

/// Three records of an idempotent producer.
fn data(n: i32, compression: Compression) -> Bytes {
    let mut builder = BatchBuilder::new(0, compression).producer(1, 0, n * 3);
    for record in 0..3 {
        let text = format!("record {record} of batch {n} ").repeat(20);
        builder.push(T0 + i64::from(n) * 100 + record, Some(b"key"), Some(text.as_bytes()), &[]);
    }
    builder.build()
}

/// The only record of a transaction.
fn transactional(n: i32) -> Bytes {
    BatchBuilder::new(0, Compression::None)
        .producer(2, 0, n / 20)
        .transactional()
        .append(T0 + i64::from(n) * 100, None, Some(b"transactional"), &[])
        .build()
}

fn write_root(disk: &dyn Disk, dir: &Path, end_offset: i64) -> Result<(), Failure> {
    let entries = [("sample", 0, end_offset)];
    for name in [offset_checkpoint::RECOVERY_POINT, offset_checkpoint::HIGH_WATERMARK] {
        offset_checkpoint::store(disk, &dir.join(name), entries.into_iter())?;
    }
    for name in [offset_checkpoint::LOG_START, offset_checkpoint::CLEANER] {
        offset_checkpoint::store(disk, &dir.join(name), [].into_iter())?;
    }
    let properties = MetaProperties {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qk".to_owned(),
        node_id: 1,
        directory_id: Some(Uuid(*b"the sample's dir")),
    };
    meta_properties::store(disk, &dir.join(meta_properties::NAME), &properties, T0)?;
    clean_shutdown::store(disk, &dir.join(clean_shutdown::NAME), 7)?;
    snapshot::store(disk, &dir.join(snapshot::BOOTSTRAP), &features(0)?)?;
    Ok(())
}

fn write_metadata(disk: &dyn Disk, dir: &Path) -> Result<(), Failure> {
    disk.create_dir_all(dir)?;
    let state = QuorumState {
        leader_id: 1,
        leader_epoch: 3,
        voted_id: -1,
        voted_directory_id: Uuid::ZERO,
        version: StateVersion::InLog,
    };
    quorum_state::store(disk, &dir.join(quorum_state::NAME), &state)?;
    partition_metadata::store(disk, &dir.join(partition_metadata::NAME), Uuid::METADATA_TOPIC_ID)?;
    snapshot::store(disk, &dir.join(names::of_snapshot(12, 3)), &features(3)?)?;
    Ok(())
}

fn features(epoch: i32) -> Result<Bytes, Failure> {
    let mut writer = SnapshotWriter::new(epoch, T0, T0, None)?;
    for (name, feature_level) in [("metadata.version", 30), ("group.version", 1)] {
        let record = FeatureLevelRecord { name: name.to_owned(), feature_level };
        writer.push(&metadata_record::encode(&record.into(), 0)?);
    }
    Ok(writer.finish())
}

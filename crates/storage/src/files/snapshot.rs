//! `bootstrap.checkpoint` and `OFFSET-EPOCH.checkpoint`: snapshots of the metadata log (KIP-630).
//!
//! A control batch with the snapshot header and, from `kraft.version` 1 on, the version and the voters; batches of records;
//! a control batch with the footer. Offsets count from 0 within the file; every batch carries the epoch of the snapshot.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use host::Disk;
use protocol::EncodeError;
use protocol::compression::Compression;
use protocol::messages::{KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord};
use protocol::records::{BatchBuilder, Batches, ControlRecord, Record, control_batch, records, verify};

use super::{FileError, Malformed, whole};

/// The name of the file that `kafka-storage format` leaves in the root of the log directory.
pub const BOOTSTRAP: &str = "bootstrap.checkpoint";
/// What a batch of a snapshot may take when decompressed, in bytes. Kafka's own have at most 8 MiB.
const INFLATED_BYTES_MAX: usize = 256 << 20;
/// Bytes at which a batch of records is closed.
const BATCH_BYTES: usize = 1 << 20;

/// Makes a snapshot.
#[derive(Debug)]
pub struct SnapshotWriter {
    out: BytesMut,
    batch: BatchBuilder,
    epoch: i32,
    now_ms: i64,
}

impl SnapshotWriter {
    /// A snapshot of what was written up to an epoch. `last_contained_log_timestamp` is the timestamp of the last record that it
    /// covers, `now_ms` that of its batches, both in milliseconds. `voters` are left out with `kraft.version` 0. Fails if a voter
    /// has a name of more than 32767 bytes.
    pub fn new(
        epoch: i32,
        last_contained_log_timestamp: i64,
        now_ms: i64,
        voters: Option<VotersRecord>,
    ) -> Result<SnapshotWriter, EncodeError> {
        let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp };
        let mut control = vec![ControlRecord::SnapshotHeader(header)];
        if let Some(voters) = voters {
            let version = KRaftVersionRecord { version: 0, k_raft_version: 1 };
            control.extend([ControlRecord::KRaftVersion(version), ControlRecord::KRaftVoters(voters)]);
        }
        let out = BytesMut::from(control_batch(0, epoch, now_ms, &control)?);
        Ok(SnapshotWriter { out, batch: data_batch(control.len() as i64, epoch), epoch, now_ms })
    }

    /// Adds a record of the metadata log by its value.
    pub fn push(&mut self, value: &[u8]) {
        self.batch.push(self.now_ms, None, Some(value), &[]);
        if self.batch.size_in_bytes() >= BATCH_BYTES {
            self.close_batch();
        }
    }

    /// The content of the file.
    pub fn finish(mut self) -> Bytes {
        let next_offset = self.close_batch();
        let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord { version: 0 });
        let batch = control_batch(next_offset, self.epoch, self.now_ms, &[footer]);
        self.out.extend_from_slice(&batch.expect("a footer holds nothing but a number"));
        self.out.freeze()
    }

    /// Closes the batch of records and gives the offset after it.
    fn close_batch(&mut self) -> i64 {
        let next_offset = self.batch.next_offset();
        let batch = std::mem::replace(&mut self.batch, data_batch(next_offset, self.epoch));
        if !batch.is_empty() {
            self.out.extend_from_slice(&batch.build());
        }
        next_offset
    }
}

fn data_batch(base_offset: i64, epoch: i32) -> BatchBuilder {
    BatchBuilder::new(base_offset, Compression::None).leader_epoch(epoch)
}

/// What a snapshot says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Timestamp of the last record that it covers, in milliseconds.
    pub last_contained_log_timestamp: i64,
    /// `kraft.version`.
    pub kraft_version: i16,
    /// The voters, from `kraft.version` 1 on.
    pub voters: Option<VotersRecord>,
    /// The values of its records, in order.
    pub values: Vec<Bytes>,
}

/// What the content of the file says.
pub fn decode(content: &Bytes) -> Result<Snapshot, Malformed> {
    let mut reading = Reading { snapshot: Snapshot::default(), stage: Stage::Header };
    for batch in Batches::new(content) {
        let (header, bytes) = batch.map_err(malformed)?;
        verify(bytes).map_err(malformed)?;
        for record in records(&content.slice_ref(bytes), INFLATED_BYTES_MAX).map_err(malformed)? {
            reading.record(header.is_control(), record.map_err(malformed)?)?;
        }
    }
    match reading.stage {
        Stage::End => Ok(reading.snapshot),
        _ => Err(Malformed::because("the snapshot does not end in a footer")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Content,
    End,
}

struct Reading {
    snapshot: Snapshot,
    stage: Stage,
}

impl Reading {
    fn record(&mut self, control: bool, record: Record) -> Result<(), Malformed> {
        let value = record.value.ok_or(Malformed::because("a record of the snapshot has no value"))?;
        if control {
            let key = record.key.unwrap_or_default();
            return self.control(ControlRecord::decode(&key, &value).map_err(malformed)?);
        }
        if self.stage != Stage::Content {
            return Err(Malformed::because("a record of the snapshot stands outside of header and footer"));
        }
        self.snapshot.values.push(value);
        Ok(())
    }

    fn control(&mut self, record: ControlRecord) -> Result<(), Malformed> {
        match (self.stage, record) {
            (Stage::Header, ControlRecord::SnapshotHeader(header)) => {
                self.snapshot.last_contained_log_timestamp = header.last_contained_log_timestamp;
                self.stage = Stage::Content;
            }
            (Stage::Content, ControlRecord::SnapshotFooter(_)) => self.stage = Stage::End,
            (Stage::Content, ControlRecord::KRaftVersion(version)) => {
                self.snapshot.kraft_version = version.k_raft_version;
            }
            (Stage::Content, ControlRecord::KRaftVoters(voters)) => self.snapshot.voters = Some(voters),
            (Stage::Content, ControlRecord::Unknown) => {}
            _ => return Err(Malformed::because("a control record of the snapshot is out of place")),
        }
        Ok(())
    }
}

fn malformed(error: impl std::fmt::Display) -> Malformed {
    Malformed(error.to_string().into())
}

/// Reads a snapshot, if it is there.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Snapshot>, FileError> {
    let Some(bytes) = whole::load_whole(disk, path)? else { return Ok(None) };
    decode(&bytes.into()).map(Some).map_err(|source| FileError::Malformed { path: path.to_owned(), source })
}

/// Replaces a snapshot; it is on disk when this returns. Until then it is called `NAME.part`, which Kafka removes at its start.
pub fn store(disk: &dyn Disk, path: &Path, content: &Bytes) -> Result<(), FileError> {
    whole::store_by_way_of(disk, path, ".part", content)
}

#[cfg(test)]
mod tests {
    use protocol::metadata_record;

    use super::*;

    const BOOTSTRAP: &[u8] = include_bytes!("../../tests/fixtures/formatted/bootstrap.checkpoint");
    const VOTERS: &[u8] = include_bytes!(
        "../../tests/fixtures/formatted/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
    );
    const RUNNING: &[u8] = include_bytes!(
        "../../tests/fixtures/formatted/__cluster_metadata-0/00000000000000000026-0000000001.checkpoint"
    );

    fn rewritten(content: &'static [u8], epoch: i32) -> Bytes {
        let snapshot = decode(&Bytes::from_static(content)).unwrap();
        let now_ms = Batches::new(content).next().unwrap().unwrap().0.max_timestamp;
        let timestamp = snapshot.last_contained_log_timestamp;
        let mut writer = SnapshotWriter::new(epoch, timestamp, now_ms, snapshot.voters).unwrap();
        snapshot.values.iter().for_each(|value| writer.push(value));
        writer.finish()
    }

    #[test]
    fn snapshots_of_kafka_are_read() {
        let bootstrap = decode(&Bytes::from_static(BOOTSTRAP)).unwrap();
        assert_eq!((bootstrap.values.len(), bootstrap.kraft_version), (6, 0));
        let running = decode(&Bytes::from_static(RUNNING)).unwrap();
        assert_eq!((running.values.len(), running.kraft_version), (9, 1));
        assert_eq!(running.voters.unwrap().voters[0].voter_id, 1);
        for value in bootstrap.values.iter().chain(&running.values) {
            metadata_record::decode(value).unwrap();
        }
    }

    #[test]
    fn the_snapshot_of_a_running_kafka_is_written_byte_for_byte() {
        assert_eq!(rewritten(RUNNING, 1), RUNNING);
    }

    #[test]
    fn what_kafka_formats_is_written_alike_but_for_times() {
        // Kafka asks the clock again for each of its batches there.
        for content in [BOOTSTRAP, VOTERS] {
            let ours = rewritten(content, 0);
            assert_eq!(ours.len(), content.len());
            assert_eq!(decode(&ours), decode(&Bytes::from_static(content)));
            let headers = |content| {
                let headers = Batches::new(content).map(|batch| batch.unwrap().0);
                headers
                    .map(|h| (h.base_offset, h.batch_length, h.attributes, h.records_count))
                    .collect::<Vec<_>>()
            };
            assert_eq!(headers(&ours), headers(content));
        }
    }

    #[test]
    fn a_snapshot_cut_at_any_byte_is_refused() {
        let content = Bytes::from_static(RUNNING);
        for len in 0..content.len() {
            assert!(decode(&content.slice(..len)).is_err(), "{len} bytes");
        }
        assert!(decode(&[RUNNING, RUNNING].concat().into()).is_err(), "twice");
    }

    #[test]
    fn many_records_make_several_batches() {
        let mut writer = SnapshotWriter::new(3, 1, 2, None).unwrap();
        let value = vec![7; 100_000];
        (0..50).for_each(|_| writer.push(&value));
        let content = writer.finish();
        let batches: Vec<_> = Batches::new(&content).map(|batch| batch.unwrap().0).collect();
        assert!(batches.len() > 4);
        assert!(batches.windows(2).all(|pair| pair[0].next_offset() == pair[1].base_offset));
        assert_eq!(decode(&content).unwrap().values.len(), 50);
    }
}

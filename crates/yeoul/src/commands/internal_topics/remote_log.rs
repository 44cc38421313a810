//! Records of `__remote_log_metadata`: which segments are in remote storage, as Kafka's tools write them.

use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use protocol::messages::remote_log_segment_metadata_record::{
    RemoteLogSegmentIdEntry, TopicIdPartitionEntry,
};
use protocol::messages::{
    RemoteLogRecord, RemoteLogSegmentMetadataRecord, RemoteLogSegmentMetadataSnapshotRecord,
    RemoteLogSegmentMetadataUpdateRecord, RemotePartitionDeleteMetadataRecord,
};
use protocol::{Reader, Uuid};

/// What became of a segment, by its number.
const SEGMENT_STATES: [&str; 4] =
    ["COPY_SEGMENT_STARTED", "COPY_SEGMENT_FINISHED", "DELETE_SEGMENT_STARTED", "DELETE_SEGMENT_FINISHED"];
/// What became of a partition that is deleted, by its number.
const DELETION_STATES: [&str; 3] =
    ["DELETE_PARTITION_MARKED", "DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED"];

/// What a record says.
///
/// # Errors
/// What is wrong with the bytes, as a clause.
pub fn remote_log_record(value: &Bytes) -> Result<String, String> {
    match read(value)? {
        RemoteLogRecord::RemoteLogSegmentMetadata(record) => segment(&record),
        RemoteLogRecord::RemoteLogSegmentMetadataUpdate(record) => update(&record),
        RemoteLogRecord::RemotePartitionDeleteMetadata(record) => deletion(&record),
        RemoteLogRecord::RemoteLogSegmentMetadataSnapshot(record) => snapshot(&record),
    }
}

/// The record in its frame, which is that of the metadata log.
fn read(value: &Bytes) -> Result<RemoteLogRecord, String> {
    let mut reader = Reader::new(value.clone());
    let mut number = || {
        let number = reader.uvarint().map_err(|error| error.to_string())?;
        i16::try_from(number).map_err(|error| error.to_string())
    };
    let (frame_version, kind, version) = (number()?, number()?, number()?);
    if frame_version != 1 {
        return Err(format!("the frame of the record has the unknown version {frame_version}"));
    }
    let record = RemoteLogRecord::decode(kind, &mut reader, version).map_err(|error| error.to_string())?;
    match reader.remaining() {
        0 => Ok(record),
        rest => Err(format!("{rest} bytes stand behind the {}", record.name())),
    }
}

fn segment(it: &RemoteLogSegmentMetadataRecord) -> Result<String, String> {
    Ok(format!(
        "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, maxTimestampMs={}, \
         eventTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, \
         txnIdxEmpty={}}}",
        segment_id(&it.remote_log_segment_id),
        it.start_offset,
        it.end_offset,
        it.broker_id,
        it.max_timestamp_ms,
        it.event_timestamp_ms,
        epochs(it.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset)))?,
        it.segment_size_in_bytes,
        custom(it.custom_metadata.as_ref()),
        state(&SEGMENT_STATES, it.remote_log_segment_state)?,
        it.txn_index_empty,
    ))
}

fn snapshot(it: &RemoteLogSegmentMetadataSnapshotRecord) -> Result<String, String> {
    Ok(format!(
        "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, \
         segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={}}}",
        it.segment_id,
        it.start_offset,
        it.end_offset,
        it.max_timestamp_ms,
        epochs(it.segment_leader_epochs.iter().map(|entry| (entry.leader_epoch, entry.offset)))?,
        it.segment_size_in_bytes,
        custom(it.custom_metadata.as_ref()),
        state(&SEGMENT_STATES, it.remote_log_segment_state)?,
        it.txn_index_empty,
    ))
}

fn update(it: &RemoteLogSegmentMetadataUpdateRecord) -> Result<String, String> {
    let id = &it.remote_log_segment_id;
    let of = &id.topic_id_partition;
    Ok(format!(
        "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, \
         brokerId={}}}",
        identified(partition(of.id, &of.name, of.partition), id.id),
        custom(it.custom_metadata.as_ref()),
        state(&SEGMENT_STATES, it.remote_log_segment_state)?,
        it.event_timestamp_ms,
        it.broker_id,
    ))
}

fn deletion(it: &RemotePartitionDeleteMetadataRecord) -> Result<String, String> {
    let of = &it.topic_id_partition;
    Ok(format!(
        "RemotePartitionDeleteMetadata{{topicPartition={}, state={}, eventTimestampMs={}, brokerId={}}}",
        partition(of.id, &of.name, of.partition),
        state(&DELETION_STATES, it.remote_partition_delete_state)?,
        it.event_timestamp_ms,
        it.broker_id,
    ))
}

fn segment_id(it: &RemoteLogSegmentIdEntry) -> String {
    let TopicIdPartitionEntry { id, name, partition: number, .. } = &it.topic_id_partition;
    identified(partition(*id, name, *number), it.id)
}

fn identified(partition: impl Display, id: Uuid) -> String {
    format!("RemoteLogSegmentId{{topicIdPartition={partition}, id={id}}}")
}

fn partition(id: Uuid, name: &str, partition: i32) -> String {
    format!("{id}:{name}-{partition}")
}

/// Where each leader's records begin, the oldest leader first.
fn epochs(entries: impl Iterator<Item = (i32, i64)>) -> Result<String, String> {
    let entries: BTreeMap<i32, i64> = entries.collect();
    if entries.is_empty() {
        return Err("the segment has no epochs of leaders".to_owned());
    }
    let pairs: Vec<_> = entries.iter().map(|(epoch, offset)| format!("{epoch}={offset}")).collect();
    Ok(format!("{{{}}}", pairs.join(", ")))
}

fn custom(metadata: Option<&Bytes>) -> String {
    match metadata {
        Some(bytes) => format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
        None => "Optional.empty".to_owned(),
    }
}

fn state<'a>(names: &[&'a str], number: i8) -> Result<&'a str, String> {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.copied().ok_or_else(|| format!("no state has the number {number}"))
}

#[cfg(test)]
mod tests {
    use protocol::Writer;
    use protocol::messages::remote_log_segment_metadata_record::SegmentLeaderEpochEntry;

    use super::*;

    fn told(record: impl Into<RemoteLogRecord>) -> Result<String, String> {
        let record = record.into();
        let mut writer = Writer::new();
        [1, record.key() as u32, 0].into_iter().for_each(|number| writer.uvarint(number));
        record.encode(&mut writer, 0).unwrap();
        remote_log_record(&writer.into_bytes())
    }

    #[test]
    fn a_segment_is_told_with_its_epochs_in_order() {
        let epochs = [(2, 40), (0, 7)];
        let epochs = epochs.map(|(leader_epoch, offset)| SegmentLeaderEpochEntry { leader_epoch, offset });
        let record = RemoteLogSegmentMetadataRecord {
            segment_leader_epochs: epochs.to_vec(),
            custom_metadata: Some(Bytes::from_static(b"abc")),
            remote_log_segment_state: 1,
            end_offset: 50,
            ..RemoteLogSegmentMetadataRecord::default()
        };
        let told = told(record).unwrap();
        let id = "AAAAAAAAAAAAAAAAAAAAAA";
        let begin = format!(
            "RemoteLogSegmentMetadata{{remoteLogSegmentId=RemoteLogSegmentId{{topicIdPartition={id}:-0, id={id}}}, \
             startOffset=0, endOffset=50, brokerId=0, "
        );
        assert!(told.starts_with(&begin), "{told}");
        let end = "segmentLeaderEpochs={0=7, 2=40}, segmentSizeInBytes=0, \
                   customMetadata=Optional[CustomMetadata{3 bytes}], state=COPY_SEGMENT_FINISHED, txnIdxEmpty=false}";
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn a_state_that_is_none_is_refused() {
        let record = RemotePartitionDeleteMetadataRecord {
            remote_partition_delete_state: 3,
            ..RemotePartitionDeleteMetadataRecord::default()
        };
        assert_eq!(told(record), Err("no state has the number 3".to_owned()));
        assert!(told(RemoteLogSegmentMetadataRecord::default()).is_err());
        assert!(remote_log_record(&Bytes::from_static(b"\x01\x09\0")).is_err());
        assert!(remote_log_record(&Bytes::from_static(b"\x02\0\0")).is_err());
    }
}

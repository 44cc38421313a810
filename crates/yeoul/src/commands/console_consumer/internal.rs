//! Records of the cluster's own topics, as Kafka's formatters of these topics write them: JSON, one after the other, with nothing
//! between them; those of remote storage a line each.

use client::ConsumerRecord;

use crate::commands::internal_topics::{
    Coordinator, CoordinatorRecord, Members, Unreadable, remote_log_record,
};

/// Which records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internal {
    /// Offsets that groups have committed.
    Offsets,
    /// Groups of the classic protocol.
    Groups,
    /// Groups whose members share partitions.
    ShareGroups,
    /// What such groups have acknowledged.
    ShareState,
    /// Transactions.
    Transactions,
    /// Segments in remote storage.
    RemoteLog,
}

impl Internal {
    /// The formatter of this class, with its package.
    pub fn of_class(class: &str) -> Option<Internal> {
        Some(match class {
            "org.apache.kafka.tools.consumer.OffsetsMessageFormatter" => Internal::Offsets,
            "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter" => Internal::Groups,
            "org.apache.kafka.tools.consumer.ShareGroupMessageFormatter" => Internal::ShareGroups,
            "org.apache.kafka.tools.consumer.group.share.ShareGroupStateMessageFormatter" => {
                Internal::ShareState
            }
            "org.apache.kafka.tools.consumer.TransactionLogMessageFormatter" => Internal::Transactions,
            "org.apache.kafka.server.log.remote.metadata.storage.serialization.\
             RemoteLogMetadataSerde$RemoteLogMetadataFormatter" => Internal::RemoteLog,
            _ => return None,
        })
    }

    /// Writes a record after what is there already; nothing if it is not of those that are written.
    ///
    /// # Errors
    /// What Kafka's formatters say of a record that they cannot read.
    pub fn write(self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let written = match self {
            Internal::Offsets | Internal::Groups | Internal::ShareGroups => {
                self.json(Coordinator::Group, record)
            }
            Internal::ShareState => self.json(Coordinator::Share, record),
            Internal::Transactions => self.json(Coordinator::Transaction, record),
            Internal::RemoteLog => remote_log_line(record).map(Some),
        };
        out.extend_from_slice(written?.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Whether records with keys of this type are written.
    fn has(self, kind: i16) -> bool {
        match self {
            Internal::Offsets => matches!(kind, 0 | 1),
            Internal::Groups => kind == 2,
            Internal::ShareGroups => matches!(kind, 10..=15),
            Internal::ShareState | Internal::Transactions | Internal::RemoteLog => true,
        }
    }

    fn json(self, of: Coordinator, record: &ConsumerRecord) -> Result<Option<String>, String> {
        let Some(key) = &record.key else { return Ok(None) };
        match of.record(key, record.value.as_ref(), Members::AsBytes) {
            Ok(read) => Ok(self.has(read.kind).then(|| json(&read))),
            Err(Unreadable::UnknownType(_)) => Ok(None),
            Err(Unreadable::Malformed(why)) => {
                Err(format!("Could not read record at offset {} due to: {why}", record.offset))
            }
        }
    }
}

fn json(CoordinatorRecord { kind, key, value }: &CoordinatorRecord) -> String {
    let value = match value {
        Some((version, value)) => format!(r#"{{"version":{version},"data":{value}}}"#),
        None => "null".to_owned(),
    };
    format!(r#"{{"key":{{"type":{kind},"data":{key}}},"value":{value}}}"#)
}

fn remote_log_line(record: &ConsumerRecord) -> Result<String, String> {
    let value = record.value.as_ref().ok_or("the record has no value")?;
    let value = remote_log_record(value)?;
    Ok(format!("partition: {}, offset: {}, value: {value}\n", record.partition, record.offset))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use protocol::records::TimestampType;

    use super::*;

    const OFFSET_KEY: &[u8] = b"\0\x01\0\x01g\0\x01t\0\0\0\x02";

    fn written(
        internal: Internal,
        key: &'static [u8],
        value: Option<&'static [u8]>,
    ) -> Result<String, String> {
        let record = ConsumerRecord {
            topic: "__internal".into(),
            partition: 3,
            offset: 7,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from_static(key)),
            value: value.map(Bytes::from_static),
            headers: Vec::new(),
        };
        let mut out = Vec::new();
        internal.write(&record, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_record_is_a_piece_of_json_without_an_end_of_line() {
        let key = r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":2}},"value":"#;
        assert_eq!(written(Internal::Offsets, OFFSET_KEY, None), Ok(format!("{key}null}}")));
        let value = b"\0\x02\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\x07";
        let data = r#"{"offset":5,"metadata":"","commitTimestamp":7}"#;
        let told = format!(r#"{key}{{"version":2,"data":{data}}}}}"#);
        assert_eq!(written(Internal::Offsets, OFFSET_KEY, Some(value)), Ok(told));
    }

    #[test]
    fn other_records_are_passed_over_and_what_is_none_is_refused() {
        for internal in [Internal::Groups, Internal::ShareGroups] {
            assert_eq!(written(internal, OFFSET_KEY, None), Ok(String::new()));
        }
        assert_eq!(written(Internal::Transactions, b"\0\x63", None), Ok(String::new()));
        let told = written(Internal::Groups, OFFSET_KEY, Some(b"0")).unwrap_err();
        assert_eq!(
            told,
            "Could not read record at offset 7 due to: Could not read version from value's buffer."
        );
        assert!(written(Internal::Offsets, b"0", None).is_err());
    }

    #[test]
    fn a_segment_in_remote_storage_is_a_line() {
        let deleted =
            b"\x01\x02\0\x02t\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\x05\0\0\0\0\0\0\0\x09\x02\0";
        let told = "partition: 3, offset: 7, value: RemotePartitionDeleteMetadata{topicPartition=\
                    AAAAAAAAAAAAAAAAAAAAAA:t-1, state=DELETE_PARTITION_FINISHED, eventTimestampMs=9, brokerId=5}\n";
        assert_eq!(written(Internal::RemoteLog, b"", Some(deleted)), Ok(told.to_owned()));
        assert!(written(Internal::RemoteLog, b"", None).is_err());
    }
}

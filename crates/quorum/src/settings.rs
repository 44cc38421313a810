//! The settings of the quorum.

use config::{BrokerConfig, Voter};
use protocol::Uuid;
use storage::{LogConfig, RetentionRules};

/// The settings of the quorum.
#[derive(Clone, Debug)]
pub struct QuorumSettings {
    /// `node.id`.
    pub node_id: i32,
    /// Id of the metadata log's directory.
    pub directory_id: Uuid,
    /// `controller.quorum.voters`; empty if the voters are in the log.
    pub voters: Vec<Voter>,
    /// The log's settings: `metadata.log.segment.bytes` and so on.
    pub log_config: LogConfig,
    /// `metadata.log.max.record.bytes.between.snapshots`: after so many bytes of records comes a snapshot.
    pub snapshot_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`: after so long comes a snapshot if something changed; 0 for never.
    pub snapshot_interval_ms: i64,
    /// `metadata.max.retention.bytes`: the most that log and snapshots may take; negative for no limit.
    pub retention_bytes: i64,
    /// `metadata.max.retention.ms`: how long snapshots are kept; negative for ever.
    pub retention_ms: i64,
}

impl QuorumSettings {
    /// Kafka's defaults for a node.
    pub fn new(node_id: i32, directory_id: Uuid, voters: Vec<Voter>) -> QuorumSettings {
        QuorumSettings {
            node_id,
            directory_id,
            voters,
            // Snapshots decide about that.
            log_config: LogConfig { retention: RetentionRules::KEEP, ..LogConfig::default() },
            snapshot_bytes: 20 * 1024 * 1024,
            snapshot_interval_ms: 60 * 60 * 1000,
            retention_bytes: 100 * 1024 * 1024,
            retention_ms: 7 * 24 * 60 * 60 * 1000,
        }
    }

    /// The settings in a node's file.
    pub fn of(config: &BrokerConfig, directory_id: Uuid) -> QuorumSettings {
        let values = config.values();
        let defaults = QuorumSettings::new(config.node.id, directory_id, config.node.voters.clone());
        QuorumSettings {
            log_config: LogConfig {
                segment_bytes: u32::try_from(values.long("metadata.log.segment.bytes"))
                    .unwrap_or(defaults.log_config.segment_bytes),
                segment_ms: values.long("metadata.log.segment.ms"),
                ..defaults.log_config
            },
            snapshot_bytes: values.long("metadata.log.max.record.bytes.between.snapshots").unsigned_abs(),
            snapshot_interval_ms: values.long("metadata.log.max.snapshot.interval.ms"),
            retention_bytes: values.long("metadata.max.retention.bytes"),
            retention_ms: values.long("metadata.max.retention.ms"),
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use config::Properties;

    use super::*;

    fn of_file(lines: &str) -> QuorumSettings {
        let text = format!(
            "process.roles=broker,controller\nnode.id=3\ncontroller.quorum.voters=3@localhost:9093\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\nlog.dirs=/data\n{lines}"
        );
        let (config, _) = BrokerConfig::new(&Properties::parse(&text).unwrap()).unwrap();
        QuorumSettings::of(&config, Uuid([7; 16]))
    }

    #[test]
    fn a_file_that_says_nothing_has_kafkas_defaults() {
        let settings = of_file("");
        let defaults = QuorumSettings::new(3, Uuid([7; 16]), settings.voters.clone());
        assert_eq!(settings.voters[0].port, 9093);
        assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn every_setting_of_a_file_counts() {
        let settings = of_file(
            "metadata.log.segment.bytes=9000000\nmetadata.log.segment.ms=7\nmetadata.max.retention.bytes=-1\n\
             metadata.log.max.record.bytes.between.snapshots=5\nmetadata.log.max.snapshot.interval.ms=0\n\
             metadata.max.retention.ms=9\n",
        );
        let log = (settings.log_config.segment_bytes, settings.log_config.segment_ms);
        let snapshots = (settings.snapshot_bytes, settings.snapshot_interval_ms);
        assert_eq!((log, snapshots), ((9_000_000, 7), (5, 0)));
        assert_eq!((settings.retention_bytes, settings.retention_ms), (-1, 9));
    }
}

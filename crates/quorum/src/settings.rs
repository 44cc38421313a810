//! The settings of the quorum.

use config::Voter;
use protocol::Uuid;
use storage::LogConfig;

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
            log_config: LogConfig::default(),
            snapshot_bytes: 20 * 1024 * 1024,
            snapshot_interval_ms: 60 * 60 * 1000,
            retention_bytes: 100 * 1024 * 1024,
            retention_ms: 7 * 24 * 60 * 60 * 1000,
        }
    }
}

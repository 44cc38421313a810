//! `quorum-state`: what a voter of the metadata quorum must not forget (KIP-595, KIP-853). JSON.

use std::path::Path;

use host::Disk;
use protocol::Uuid;
use serde_json::Value;

use super::{FileError, Malformed, whole};

/// The name of the file.
pub const NAME: &str = "quorum-state";

/// The state of a voter or observer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// Node id of the leader, or -1.
    pub leader_id: i32,
    /// The newest epoch that was seen.
    pub leader_epoch: i32,
    /// Node id of the candidate that has this node's vote in that epoch, or -1.
    pub voted_id: i32,
    /// Directory id of that candidate; zero if not known.
    pub voted_directory_id: Uuid,
    /// Version 0, for `kraft.version` 0, has no directory ids but the voters.
    pub version: StateVersion,
}

/// What differs by the version of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateVersion {
    /// Version 0 with the node ids of the voters.
    Voters(Vec<i32>),
    /// Version 1: the voters are in the log.
    InLog,
}

/// The text of the file.
pub fn encode(state: &QuorumState) -> String {
    let QuorumState { leader_id, leader_epoch, voted_id, voted_directory_id, version } = state;
    match version {
        StateVersion::Voters(ids) => {
            let voters: Vec<_> = ids.iter().map(|id| format!("{{\"voterId\":{id}}}")).collect();
            format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader_id},\"leaderEpoch\":{leader_epoch},\"votedId\":{voted_id},\
                 \"appliedOffset\":0,\"currentVoters\":[{}],\"data_version\":0}}",
                voters.join(",")
            )
        }
        StateVersion::InLog => format!(
            "{{\"leaderId\":{leader_id},\"leaderEpoch\":{leader_epoch},\"votedId\":{voted_id},\
             \"votedDirectoryId\":\"{voted_directory_id}\",\"data_version\":1}}"
        ),
    }
}

/// The state in the text of the file.
pub fn decode(text: &str) -> Result<QuorumState, Malformed> {
    let value: Value = serde_json::from_str(text).map_err(|error| Malformed(error.to_string().into()))?;
    let version = match integer(&value, "data_version")? {
        0 => StateVersion::Voters(voters(&value)?),
        1 => StateVersion::InLog,
        other => return Err(Malformed(format!("version {other} of quorum-state is not known").into())),
    };
    let voted_directory_id = match value.get("votedDirectoryId").and_then(Value::as_str) {
        Some(id) => id.parse().map_err(|_| Malformed::because("votedDirectoryId is not an id"))?,
        None => Uuid::ZERO,
    };
    Ok(QuorumState {
        leader_id: integer(&value, "leaderId")?,
        leader_epoch: integer(&value, "leaderEpoch")?,
        voted_id: integer(&value, "votedId")?,
        voted_directory_id,
        version,
    })
}

fn integer(value: &Value, field: &'static str) -> Result<i32, Malformed> {
    let number = value.get(field).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| Malformed(format!("no number in {field}").into()))
}

fn voters(value: &Value) -> Result<Vec<i32>, Malformed> {
    match value.get("currentVoters") {
        Some(Value::Array(voters)) => voters.iter().map(|voter| integer(voter, "voterId")).collect(),
        _ => Ok(Vec::new()),
    }
}

/// Reads the file, if it is there.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<QuorumState>, FileError> {
    whole::load_text(disk, path, decode)
}

/// Replaces the file; it is on disk when this returns, so that a vote may be given.
pub fn store(disk: &dyn Disk, path: &Path, state: &QuorumState) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(state).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_kafka_are_read_and_written_byte_for_byte() {
        for text in [
            include_str!("../../tests/fixtures/stopped/__cluster_metadata-0/quorum-state"),
            include_str!("../../tests/fixtures/formatted/__cluster_metadata-0/quorum-state"),
        ] {
            assert_eq!(encode(&decode(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let text = include_str!("../../tests/fixtures/stopped/__cluster_metadata-0/quorum-state");
        for len in 0..text.len() {
            assert!(decode(&text[..len]).is_err(), "{len} bytes");
        }
        assert!(decode("{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"data_version\":2}").is_err());
        assert!(
            decode("{\"leaderId\":1,\"leaderEpoch\":99999999999,\"votedId\":-1,\"data_version\":1}").is_err()
        );
    }
}

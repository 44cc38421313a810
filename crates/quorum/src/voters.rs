//! Who votes.

use bytes::Bytes;
use protocol::messages::{KRaftVersionRecord, LeaderChangeMessage, VotersRecord, leader_change_message};
use protocol::records::{ControlRecord, control_batch};
use protocol::{EncodeError, Uuid};
use storage::files::quorum_state::{QuorumState, StateVersion};

use crate::{QuorumError, QuorumSettings};

/// What the log and its snapshot say of the voters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct VotersInLog {
    /// `kraft.version`.
    pub(crate) kraft_version: i16,
    /// The newest record of them.
    pub(crate) record: Option<VotersRecord>,
    /// Whether the log has it, and not only what formatting left.
    pub(crate) in_log: bool,
}

impl VotersInLog {
    /// Notes a control record of the log.
    pub(crate) fn note(&mut self, record: ControlRecord) {
        match record {
            ControlRecord::KRaftVersion(version) => self.kraft_version = version.k_raft_version,
            ControlRecord::KRaftVoters(voters) => {
                self.record = Some(voters);
                self.in_log = true;
            }
            _ => {}
        }
    }
}

/// This node as the only voter.
#[derive(Clone, Debug)]
pub(crate) struct LoneVoter {
    pub(crate) node_id: i32,
    pub(crate) known: VotersInLog,
}

impl LoneVoter {
    /// Checks that the quorum is this node and nobody else: by the log, or by the settings if the log does not say.
    pub(crate) fn check(settings: &QuorumSettings, known: VotersInLog) -> Result<LoneVoter, QuorumError> {
        let ids = match (&known.record, known.kraft_version) {
            (Some(record), 1..) => {
                check_directory(settings, record)?;
                record.voters.iter().map(|voter| voter.voter_id).collect()
            }
            _ => settings.voters.iter().map(|voter| voter.id).collect::<Vec<_>>(),
        };
        match ids[..] {
            [id] if id == settings.node_id => Ok(LoneVoter { node_id: id, known }),
            [] => Err(QuorumError::Voters(
                "nobody votes: set controller.quorum.voters, or format the directory with --standalone"
                    .to_owned(),
            )),
            _ => Err(QuorumError::Voters(format!(
                "the voters of the metadata quorum are {ids:?}: this version supports one, which must be node {}",
                settings.node_id
            ))),
        }
    }

    /// Whether the voters are in the log.
    fn is_dynamic(&self) -> bool {
        self.known.kraft_version >= 1
    }

    /// The batch with which a leader starts its epoch (KIP-595). The first one repeats what formatting said of the voters, so that
    /// the log says it too (KIP-853).
    pub(crate) fn leader_change(&self, epoch: i32, now_ms: i64) -> Result<Bytes, EncodeError> {
        let voter = || leader_change_message::Voter { voter_id: self.node_id, ..Default::default() };
        let mut records = vec![ControlRecord::LeaderChange(LeaderChangeMessage {
            version: 0,
            leader_id: self.node_id,
            voters: vec![voter()],
            granting_voters: vec![voter()],
        })];
        if let Some(voters) = self.known.record.as_ref().filter(|_| self.is_dynamic() && !self.known.in_log) {
            let version = KRaftVersionRecord { version: 0, k_raft_version: self.known.kraft_version };
            records.push(ControlRecord::KRaftVersion(version));
            records.push(ControlRecord::KRaftVoters(voters.clone()));
        }
        control_batch(0, epoch, now_ms, &records)
    }

    /// What to write down when this node votes for itself. As nobody else votes it leads with that.
    pub(crate) fn elected(&self, epoch: i32) -> QuorumState {
        let version =
            if self.is_dynamic() { StateVersion::InLog } else { StateVersion::Voters(vec![self.node_id]) };
        QuorumState {
            leader_id: self.node_id,
            leader_epoch: epoch,
            voted_id: -1,
            voted_directory_id: Uuid::ZERO,
            version,
        }
    }

    /// The record of the voters that snapshots repeat.
    pub(crate) fn for_snapshot(&self) -> Option<VotersRecord> {
        self.known.record.clone().filter(|_| self.is_dynamic())
    }
}

fn check_directory(settings: &QuorumSettings, record: &VotersRecord) -> Result<(), QuorumError> {
    let other = record.voters.iter().find(|voter| {
        voter.voter_id == settings.node_id && voter.voter_directory_id != settings.directory_id
    });
    match other {
        Some(voter) => Err(QuorumError::Voters(format!(
            "node {} votes with directory {}, but its metadata log directory is {}: restore the one that was replaced",
            settings.node_id, voter.voter_directory_id, settings.directory_id
        ))),
        None => Ok(()),
    }
}

//! A group as a record of the log, and back.

use std::sync::Arc;

use protocol::messages::GroupMetadataValue;
use protocol::messages::group_metadata_value::MemberMetadata;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

use super::{Group, Member, Phase, Session};
use crate::turn::Turn;

impl Group {
    /// What a new coordinator has to know. Waiting requests and sessions are not part of it.
    pub(super) fn to_metadata(&self, now_ms: i64) -> GroupMetadataValue {
        GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().map(str::to_owned),
            current_state_timestamp: if self.phase_since_ms < 0 { now_ms } else { self.phase_since_ms },
            members: self.members.values().map(|member| self.to_member_metadata(member)).collect(),
        }
    }

    fn to_member_metadata(&self, member: &Member) -> MemberMetadata {
        MemberMetadata {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout_ms,
            session_timeout: member.session_timeout_ms,
            subscription: member.metadata(self.protocol.as_deref()),
            assignment: member.assignment.clone(),
        }
    }

    /// The group that a record tells of. Of each member only the protocol that was agreed on is known.
    pub fn from_metadata(id: Arc<str>, saved: &GroupMetadataValue) -> Group {
        let mut group = Group::new(id, saved.current_state_timestamp);
        for member in &saved.members {
            group.insert(from_member_metadata(member, saved.protocol.as_deref()), &saved.protocol_type);
        }
        group.phase = if group.members.is_empty() { Phase::Empty } else { Phase::Stable };
        group.protocol_type = Some(saved.protocol_type.clone()).filter(|name| !name.is_empty());
        group.protocol = saved.protocol.clone();
        group.generation = saved.generation;
        group.leader = saved.leader.as_deref().map(Arc::from);
        group
    }

    /// Takes over a group from the log: everybody's session begins now, and a group that has grown too large sheds members.
    pub fn take_over(&mut self, turn: &mut Turn) {
        self.extend_sessions(|_| true, turn);
        if self.members.len() > turn.settings.group_size_max {
            self.prepare_rebalance(turn);
        }
    }
}

fn from_member_metadata(saved: &MemberMetadata, protocol: Option<&str>) -> Member {
    // Version 0 of the record knows one timeout for both.
    let rebalance_timeout_ms =
        if saved.rebalance_timeout == -1 { saved.session_timeout } else { saved.rebalance_timeout };
    Member {
        id: saved.member_id.as_str().into(),
        instance_id: saved.group_instance_id.clone(),
        client_id: saved.client_id.clone(),
        client_host: saved.client_host.clone(),
        rebalance_timeout_ms,
        session_timeout_ms: saved.session_timeout,
        protocols: vec![JoinGroupRequestProtocol {
            name: protocol.unwrap_or_default().to_owned(),
            metadata: saved.subscription.clone(),
        }],
        assignment: saved.assignment.clone(),
        is_new: false,
        owes_sync: false,
        awaiting_join: None,
        awaiting_sync: None,
        session: Session::default(),
    }
}

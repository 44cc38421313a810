//! What administrators see of a group.

use bytes::Bytes;
use protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use protocol::messages::list_groups_response::ListedGroup;

use super::{Group, Member, Phase};

impl Group {
    /// The members, whose metadata for the protocol is shown in a stable group only.
    pub fn describe(&self) -> DescribedGroup {
        let is_stable = self.phase == Phase::Stable;
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.phase.name().to_owned(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: self.protocol.clone().filter(|_| is_stable).unwrap_or_default(),
            members: self.members.values().map(|member| self.describe_member(member, is_stable)).collect(),
            ..DescribedGroup::default()
        }
    }

    fn describe_member(&self, member: &Member, is_stable: bool) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: member.id.to_string(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            member_metadata: if is_stable { member.metadata(self.protocol.as_deref()) } else { Bytes::new() },
            member_assignment: member.assignment.clone(),
        }
    }

    pub fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: self.phase.name().to_owned(),
            group_type: "classic".to_owned(),
        }
    }
}

//! Offsets that nobody needs any more, and groups without any.

use super::tombstone;
use crate::group::{Group, Phase};
use crate::turn::Turn;
use crate::{CommittedOffset, GroupCoordinatorState, LiveGroups, SavedGroup, Timer};

impl Group {
    /// Since when an offset is of no use, in milliseconds since 1970 (KIP-211): since the group is empty; for a group that
    /// only commits, and for topics which a stable consumer group no longer reads, since the commit. None while it is used.
    fn unused_since(&self, topic: &str, offset: &CommittedOffset) -> Option<i64> {
        let committed = Some(offset.commit_timestamp_ms);
        match self.phase {
            _ if self.protocol_type.is_none() => committed,
            Phase::Empty if self.phase_since_ms >= 0 => Some(self.phase_since_ms),
            Phase::Empty => committed,
            Phase::Stable if self.is_consumer_group() && !self.is_subscribed_to(topic) => committed,
            _ => None,
        }
    }

    fn has_expired(&self, topic: &str, offset: &CommittedOffset, turn: &Turn) -> bool {
        let Some(since_ms) = self.unused_since(topic, offset) else { return false };
        match offset.expire_timestamp_ms {
            Some(expire_ms) => turn.now.wall_ms >= expire_ms,
            None => turn.now.wall_ms.saturating_sub(since_ms) >= turn.settings.offsets_retention_ms,
        }
    }
}

impl GroupCoordinatorState {
    /// Forgets old offsets, and empty groups that have none left; looks again after the interval.
    pub(crate) fn expire_offsets(&self, live: &mut LiveGroups, turn: &mut Turn) {
        let mut without_offsets = Vec::new();
        for (group_id, saved) in &self.groups {
            let Some(group) = live.groups.get(group_id.as_str()) else { continue };
            let is_bare = expire_group(group, saved, turn);
            if is_bare && group.phase == Phase::Empty && group.pending_members.is_empty() {
                without_offsets.push(group_id);
            }
        }
        for group_id in without_offsets {
            live.bury(group_id, turn);
        }
        turn.set_timer(Timer::Retention, turn.settings.offsets_retention_check_interval_ms);
    }
}

/// Whether no offset is left.
fn expire_group(group: &Group, saved: &SavedGroup, turn: &mut Turn) -> bool {
    let mut is_bare = true;
    for (topic, partition, offset) in saved.offsets.iter() {
        if group.has_expired(topic, offset, turn) {
            turn.append(tombstone(&group.id, topic, partition));
        } else {
            is_bare = false;
        }
    }
    is_bare
}

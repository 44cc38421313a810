//! What the rules of a group have at hand while they decide.

use engine::{Decision, Now, Token};
use protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use crate::{GroupCoordinatorState, Record, Reply, Settings, Timer};

/// One decision under way.
pub(crate) struct Turn<'a> {
    pub settings: &'a Settings,
    pub now: Now,
    pub decision: &'a mut Decision<GroupCoordinatorState>,
}

impl Turn<'_> {
    pub fn append(&mut self, record: Record) {
        self.decision.append(record);
    }

    pub fn reply(&mut self, token: Token, reply: Reply) {
        self.decision.reply(token, reply);
    }

    pub fn reply_join(&mut self, token: Token, response: JoinGroupResponse) {
        self.reply(token, Reply::JoinGroup(response));
    }

    pub fn reply_sync(&mut self, token: Token, response: SyncGroupResponse) {
        self.reply(token, Reply::SyncGroup(response));
    }

    /// Sets a timer so many milliseconds from now.
    pub fn set_timer(&mut self, timer: Timer, after_ms: i64) {
        self.decision.set_timer(timer, self.now.uptime_ms.saturating_add(after_ms));
    }

    pub fn cancel_timer(&mut self, timer: Timer) {
        self.decision.cancel_timer(timer);
    }
}

//! One member of a classic group.

use std::sync::Arc;

use bytes::Bytes;
use engine::Token;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;

/// A JoinGroup that waits for the rebalance to complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AwaitingJoin {
    pub token: Token,
    pub version: i16,
}

/// When a member is to be heard of. The timer is left where it is while the deadline moves on, so that a heartbeat costs
/// nothing but a store; when the timer fires early it is set again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Session {
    pub deadline_ms: i64,
    pub timer_ms: Option<i64>,
}

/// A member, who asked to join with an id that the coordinator gave.
#[derive(Debug)]
pub(crate) struct Member {
    pub id: Arc<str>,
    /// Set for static members (KIP-345).
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// What the member supports, best first, with its metadata for each.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    pub assignment: Bytes,
    /// Has never had an answer to its JoinGroup.
    pub is_new: bool,
    /// Has not sent the SyncGroup of this generation.
    pub owes_sync: bool,
    pub awaiting_join: Option<AwaitingJoin>,
    pub awaiting_sync: Option<Token>,
    pub session: Session,
}

impl Member {
    pub fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Whether a JoinGroup with these protocols would change nothing.
    pub fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols == protocols
    }

    /// Its metadata for a protocol; empty if it does not support it.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = self.protocols.iter().find(|known| Some(known.name.as_str()) == protocol);
        found.map_or_else(Bytes::new, |known| known.metadata.clone())
    }

    /// Whether the member may stay although it was not heard of: it waits for us. A new member, which does not know its id
    /// yet and cannot send heartbeats, may not wait for ever: its client may be gone.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

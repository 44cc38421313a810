//! What the parts of the quorum share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use host::Host;
use openraft::{BasicNode, Membership, StoredMembership};
use parking_lot::Mutex;
use storage::{Log, LogDir};

use crate::index_map::IndexMap;
use crate::voters::LoneVoter;
use crate::{CommittedImage, QuorumSettings};

/// What the parts of the quorum share.
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) log_dir: Arc<LogDir>,
    pub(crate) log: Arc<Log>,
    pub(crate) settings: QuorumSettings,
    pub(crate) voter: LoneVoter,
    pub(crate) index: Mutex<IndexMap>,
    pub(crate) image: ArcSwap<CommittedImage>,
    /// Nothing is waited for any more.
    pub(crate) is_closing: AtomicBool,
}

impl Shared {
    /// The voters for openraft. They are not an entry of its log: the settings or Kafka's control records say who votes.
    pub(crate) fn membership(&self) -> StoredMembership<i32, BasicNode> {
        let id = self.voter.node_id;
        let endpoint = self.settings.voters.iter().find(|voter| voter.id == id);
        let address = endpoint.map(|voter| format!("{}:{}", voter.host, voter.port)).unwrap_or_default();
        let nodes = std::collections::BTreeMap::from([(id, BasicNode::new(address))]);
        StoredMembership::new(None, Membership::new(vec![[id].into()], nodes))
    }
}

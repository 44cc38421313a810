//! The committed metadata, and who is told of it.

use std::sync::Arc;

use metadata::{Delta, Image};

/// The metadata at a place of the log up to which all is committed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommittedImage {
    /// The metadata.
    pub image: Image,
    /// The offset after the last record that is in it.
    pub offset: i64,
    /// The epoch of the leader that appended that record; 0 before any.
    pub epoch: i32,
}

/// Is told of every image, in order.
///
/// The calls come from the task that applies what is committed, which waits meanwhile: changes are answered after it. What takes
/// long must be done elsewhere.
pub trait MetadataListener: Send + Sync {
    /// What is there when the quorum starts. Called once, before anything else, when this node leads and all of its log is applied;
    /// for a new cluster the first records are too.
    fn loaded(&self, image: &Arc<CommittedImage>);

    /// Records were committed. The delta says what they changed, which may be nothing: then only the offset moved.
    fn committed(&self, image: &Arc<CommittedImage>, delta: Delta);
}

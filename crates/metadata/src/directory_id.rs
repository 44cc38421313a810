//! Ids of log directories that stand for something else (KIP-858).

use protocol::Uuid;

/// Ids of log directories that stand for something else.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryId;

impl DirectoryId {
    /// Nothing is known of the directory: the partition is older than directories' ids.
    pub const MIGRATING: Uuid = Uuid::ZERO;
    /// The broker has yet to say where it puts the replica.
    pub const UNASSIGNED: Uuid = Uuid(1_u128.to_be_bytes());
    /// The replica was in a directory that is gone.
    pub const LOST: Uuid = Uuid(2_u128.to_be_bytes());

    /// Whether it names no directory: the first hundred ids are reserved.
    pub fn is_reserved(id: Uuid) -> bool {
        u128::from_be_bytes(id.0) < 100
    }
}

//! What openraft is made of here.

use std::io::{Cursor, Error};

use bytes::Bytes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{BasicNode, CommittedLeaderId, LogId, RaftNetwork, RaftNetworkFactory};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

openraft::declare_raft_types!(
    /// The types.
    pub(crate) TypeConfig:
        D = Batch,
        R = (),
        NodeId = i32,
        Node = BasicNode,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Raft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type RaftStorageError = openraft::StorageError<i32>;

/// A batch of metadata records, as it is in the log: its base offset is the one that it will have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch(pub(crate) Bytes);

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Batch, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| Batch(bytes.into()))
    }
}

/// The id of an entry, all of which the lone voter wrote.
pub(crate) fn log_id(node_id: i32, index: u64, epoch: i32) -> LogId<i32> {
    LogId::new(CommittedLeaderId::new(u64::from(epoch.unsigned_abs()), node_id), index)
}

/// The epoch of a term. Terms count up from epochs, by one an election.
pub(crate) fn epoch_of(term: u64) -> i32 {
    i32::try_from(term).unwrap_or(i32::MAX)
}

/// The way to other voters, of whom there are none.
pub(crate) struct Alone;

fn nobody<E: std::error::Error>() -> RPCError<i32, BasicNode, E> {
    RPCError::Unreachable(Unreachable::new(&Error::other("a lone voter has nobody to talk to")))
}

impl RaftNetworkFactory<TypeConfig> for Alone {
    type Network = Alone;

    async fn new_client(&mut self, _target: i32, _node: &BasicNode) -> Alone {
        Alone
    }
}

impl RaftNetwork<TypeConfig> for Alone {
    async fn append_entries(
        &mut self,
        _request: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<i32>, RPCError<i32, BasicNode, RaftError<i32>>> {
        Err(nobody())
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<i32>, RPCError<i32, BasicNode, RaftError<i32, InstallSnapshotError>>>
    {
        Err(nobody())
    }

    async fn vote(
        &mut self,
        _request: VoteRequest<i32>,
        _option: RPCOption,
    ) -> Result<VoteResponse<i32>, RPCError<i32, BasicNode, RaftError<i32>>> {
        Err(nobody())
    }
}

//! The APIs: one table of rows, one file for each row, and what a handler is given.
//!
//! A row is the only place where an API is switched on: requests are dispatched from the table, and ApiVersions is printed
//! from it. A handler implements [`Handle`] for its request; [`Call`] encodes the answer in the request's version.

mod acls;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod fetch;
mod find_coordinator;
mod finished;
mod get_telemetry_subscriptions;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod operations;
mod produce;
mod push_telemetry;
mod sync_group;
mod update_features;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::{
    AlterConfigsRequest, AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, ApiVersionsRequest,
    CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteAclsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeAclsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeQuorumRequest, DescribeTopicPartitionsRequest, ElectLeadersRequest, FetchRequest,
    FindCoordinatorRequest, GetTelemetrySubscriptionsRequest, HeartbeatRequest,
    IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListConfigResourcesRequest, ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
    MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, PushTelemetryRequest, SyncGroupRequest,
    UpdateFeaturesRequest,
};
use protocol::{
    ApiKey, Listener, Message, Reader, Request, Uuid, VersionRange, Writer, decode_request_header,
    encode_response_header,
};

use finished::{Asked, Ticket};

use crate::Broker;
use crate::client_metrics::Client;
use crate::net::{
    CloseReason, Done, FileSlice, Finish, Hindrance, Notes, Peer, Response, Service, Software, Started,
};

/// An API that is served.
pub(crate) struct Row {
    key: ApiKey,
    /// Whether controllers' listeners serve it too.
    on_controllers: bool,
    /// Whether clients are told of it.
    advertised: bool,
    start: fn(&Arc<Broker>, Call, Reader) -> Started,
}

/// Every API that is served, in the order of the keys.
const ROWS: &[Row] = &[
    row::<ProduceRequest>(),
    row::<FetchRequest>(),
    row::<ListOffsetsRequest>(),
    row::<MetadataRequest>(),
    row::<OffsetCommitRequest>(),
    row::<OffsetFetchRequest>(),
    row::<FindCoordinatorRequest>(),
    row::<JoinGroupRequest>(),
    row::<HeartbeatRequest>(),
    row::<LeaveGroupRequest>(),
    row::<SyncGroupRequest>(),
    row::<DescribeGroupsRequest>(),
    row::<ListGroupsRequest>(),
    row::<ApiVersionsRequest>().on_controllers(),
    row::<CreateTopicsRequest>().on_controllers(),
    row::<DeleteTopicsRequest>().on_controllers(),
    row::<DeleteRecordsRequest>(),
    row::<InitProducerIdRequest>(),
    row::<OffsetForLeaderEpochRequest>(),
    row::<DescribeAclsRequest>().on_controllers(),
    row::<CreateAclsRequest>().on_controllers(),
    row::<DeleteAclsRequest>().on_controllers(),
    row::<DescribeConfigsRequest>().on_controllers(),
    row::<AlterConfigsRequest>().on_controllers(),
    row::<AlterReplicaLogDirsRequest>(),
    row::<DescribeLogDirsRequest>(),
    row::<CreatePartitionsRequest>().on_controllers(),
    row::<DeleteGroupsRequest>(),
    row::<ElectLeadersRequest>().on_controllers(),
    row::<IncrementalAlterConfigsRequest>().on_controllers(),
    row::<AlterPartitionReassignmentsRequest>().on_controllers(),
    row::<ListPartitionReassignmentsRequest>().on_controllers(),
    row::<OffsetDeleteRequest>(),
    row::<DescribeQuorumRequest>().on_controllers(),
    row::<UpdateFeaturesRequest>().on_controllers(),
    row::<DescribeClusterRequest>().on_controllers(),
    row::<DescribeProducersRequest>(),
    row::<GetTelemetrySubscriptionsRequest>().unadvertised(),
    row::<PushTelemetryRequest>().unadvertised(),
    row::<ListConfigResourcesRequest>(),
    row::<DescribeTopicPartitionsRequest>(),
];

const fn row<R: Handle>() -> Row {
    Row { key: R::API_KEY, on_controllers: false, advertised: true, start: start::<R> }
}

fn start<R: Handle>(broker: &Arc<Broker>, call: Call, mut reader: Reader) -> Started {
    match R::decode(&mut reader, call.version) {
        Ok(request) => {
            // Records are changed in place if the request alone holds on to the frame.
            drop(reader);
            request.start(broker, call)
        }
        Err(error) => Started::Done(Done::Close(error.into())),
    }
}

impl Row {
    const fn on_controllers(self) -> Row {
        Row { on_controllers: true, ..self }
    }

    /// Served to who asks, and kept from who does not: without a receiver of metrics nobody is to push any (KIP-714).
    const fn unadvertised(self) -> Row {
        Row { advertised: false, ..self }
    }

    /// The versions that are served and advertised: those of the table, but for one that is still subject to change.
    fn versions(&self) -> VersionRange {
        let VersionRange { min, max } = self.key.versions().unwrap_or(VersionRange { min: 0, max: -1 });
        VersionRange { min, max: max - i16::from(self.key.is_latest_version_unstable()) }
    }
}

/// The rows that a kind of listener serves.
fn rows_on(listener: Listener) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| listener == Listener::Broker || row.on_controllers)
}

/// Answers requests of one kind.
pub(crate) trait Handle: Request {
    /// Starts the request. Must not block; what may take long goes into a future.
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started;
}

/// A request's header, and whose it is.
pub(crate) struct Call {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    /// Empty if the client did not say.
    pub(crate) client_id: Arc<str>,
    pub(crate) peer: Arc<Peer>,
    /// The kind of listener that it came in by.
    pub(crate) listener: Listener,
    correlation_id: i32,
}

impl Call {
    /// Who asks, as subscriptions to metrics choose clients.
    pub(crate) fn client(&self, instance_id: Uuid) -> Client<'_> {
        let software = self.peer.software.get();
        let named = |name: fn(&Software) -> &str| software.map_or("unknown", name);
        Client {
            instance_id,
            client_id: &self.client_id,
            software_name: named(|software| &software.name),
            software_version: named(|software| &software.version),
            address: self.peer.address,
            connection_id: self.peer.connection_id,
        }
    }

    /// The request is done.
    pub(crate) fn done<R: Message>(&self, response: &R) -> Started {
        Started::Done(self.answer(response))
    }

    /// The requests behind this one wait until the future has the response.
    pub(crate) fn working<R, F>(self, response: F) -> Started
    where
        R: Message + Send + Sync,
        F: Future<Output = R> + Send + 'static,
    {
        Started::Working(Box::pin(async move { self.answer(&response.await) }))
    }

    /// The request has taken effect: those behind it go on while the future waits for the response.
    pub(crate) fn settling<R, F>(self, response: F) -> Started
    where
        R: Message + Send + Sync,
        F: Future<Output = R> + Send + 'static,
    {
        Started::Settling(Box::pin(async move { self.answer(&response.await) }))
    }

    /// The response as a frame.
    pub(crate) fn answer<R: Message>(&self, response: &R) -> Done {
        self.answer_with_files(response, &[])
    }

    /// The response as a frame, with what its [`Records::External`](protocol::Records::External) stand for.
    pub(crate) fn answer_with_files<R: Message>(&self, response: &R, files: &[FileSlice]) -> Done {
        self.answer_in(response, self.version, files)
    }

    fn answer_in<R: Message>(&self, response: &R, version: i16, files: &[FileSlice]) -> Done {
        let mut writer = Writer::new();
        let parts = encode_response_header(self.correlation_id, &mut writer, self.key, version)
            .and_then(|()| response.encode(&mut writer, version))
            .and_then(|()| writer.finish_frame());
        match parts {
            Ok(parts) => {
                Done::Answer(Response::new(parts, files)).noting(|notes| note_errors(response, notes))
            }
            Err(error) => Done::Close(error.into()),
        }
    }
}

fn note_errors<R: Message>(response: &R, notes: &mut Notes) {
    response.visit_errors(&mut |code| match code {
        0 => notes.successes += 1,
        error => notes.errors.push(error),
    });
}

/// What the network calls.
pub(crate) struct Requests {
    broker: Arc<Broker>,
}

impl Requests {
    pub(crate) fn new(broker: Arc<Broker>) -> Requests {
        Requests { broker }
    }

    fn dispatch(&self, peer: &Arc<Peer>, frame: Bytes, ticket: &mut Ticket) -> Result<Started, CloseReason> {
        let request_bytes = frame.len();
        let mut reader = Reader::new(frame);
        let header = decode_request_header(&mut reader)?;
        let call = Call {
            key: ApiKey(header.request_api_key),
            version: header.request_api_version,
            client_id: header.client_id.unwrap_or_default().into(),
            peer: Arc::clone(peer),
            listener: self.broker.listener_kind(peer.listener),
            correlation_id: header.correlation_id,
        };
        tracing::trace!(api = %call.key, version = call.version, client = &*call.client_id, "request");
        let served = rows_on(call.listener).find(|row| row.key == call.key);
        let Some(row) = served else {
            return Err(CloseReason(format!("{} is not served here", call.key)));
        };
        let (key, version, client_id) = (call.key, call.version, Arc::clone(&call.client_id));
        *ticket = Some(Asked { key, version, client_id, request_bytes });
        if row.versions().contains(call.version) {
            return Ok((row.start)(&self.broker, call, reader));
        }
        match call.key {
            ApiKey::API_VERSIONS => Ok(Started::Done(api_versions::unsupported(&call))),
            key => Err(CloseReason(format!("{key} has no version {}", call.version))),
        }
    }
}

impl Service for Requests {
    type Ticket = Ticket;

    fn start(&self, peer: &Arc<Peer>, frame: Bytes) -> (Ticket, Started) {
        let mut ticket = None;
        let started = self.dispatch(peer, frame, &mut ticket);
        (ticket, started.unwrap_or_else(|reason| Started::Done(Done::Close(reason))))
    }

    fn finished(&self, peer: &Peer, ticket: Ticket, finish: &Finish) {
        let Some(asked) = ticket else { return };
        finished::note(&self.broker, peer, &asked, finish);
    }

    fn hindered(&self, listener: usize, address: Option<SocketAddr>, hindrance: &Hindrance) {
        let now = self.broker.host.clock.monotonic();
        let name = self.broker.listener_name(listener);
        self.broker.meters.hindrances.note(name, address, hindrance, now);
    }

    fn opened(&self, peer: &Peer) {
        self.broker.meters.connections_changed(peer.listener, 1);
    }

    fn closed(&self, peer: &Peer) {
        self.broker.meters.connections_changed(peer.listener, -1);
        self.broker.client_metrics.forget_connection(peer.connection_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_keys_and_none_twice() {
        assert!(ROWS.is_sorted_by(|a, b| a.key < b.key));
    }

    #[test]
    fn a_row_serves_versions_that_kafka_has_on_listeners_where_kafka_serves_them() {
        for row in ROWS {
            assert!(row.versions().min <= row.versions().max, "{}", row.key);
            assert!(row.key.is_served_on(Listener::Broker), "{}", row.key);
            assert!(!row.on_controllers || row.key.is_served_on(Listener::Controller), "{}", row.key);
        }
    }
}

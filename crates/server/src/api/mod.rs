//! The APIs: one table of rows, one file for each row, and what a handler is given.
//!
//! A row is the only place where an API is switched on: requests are dispatched from the table, and ApiVersions is printed
//! from it. A handler implements [`Handle`] for its request; [`Call`] encodes the answer in the request's version.

mod api_versions;
mod create_topics;
mod delete_groups;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod operations;
mod produce;
mod sync_group;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexSet;
use protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest,
    ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
    OffsetFetchRequest, ProduceRequest, SyncGroupRequest,
};
use protocol::{
    ApiKey, Listener, Message, Reader, Request, VersionRange, Writer, decode_request_header,
    encode_response_header,
};

use crate::Broker;
use crate::net::{CloseReason, Done, FileSlice, Peer, Response, Service, Started};

/// An API that is served.
pub(crate) struct Row {
    key: ApiKey,
    /// Whether controllers' listeners serve it too.
    on_controllers: bool,
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
    row::<InitProducerIdRequest>(),
    row::<DescribeConfigsRequest>().on_controllers(),
    row::<DeleteGroupsRequest>(),
    row::<OffsetDeleteRequest>(),
    row::<DescribeClusterRequest>().on_controllers(),
];

const fn row<R: Handle>() -> Row {
    Row { key: R::API_KEY, on_controllers: false, start: start::<R> }
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
    pub(crate) client_id: String,
    pub(crate) peer: Arc<Peer>,
    /// The kind of listener that it came in by.
    pub(crate) listener: Listener,
    correlation_id: i32,
}

impl Call {
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
            Ok(parts) => Done::Answer(Response::new(parts, files)),
            Err(error) => Done::Close(error.into()),
        }
    }
}

/// The names without those that came before.
fn distinct(names: Vec<String>) -> Vec<String> {
    names.into_iter().collect::<IndexSet<String>>().into_iter().collect()
}

/// What the network calls.
pub(crate) struct Requests {
    broker: Arc<Broker>,
}

impl Requests {
    pub(crate) fn new(broker: Arc<Broker>) -> Requests {
        Requests { broker }
    }

    fn dispatch(&self, peer: &Arc<Peer>, frame: Bytes) -> Result<Started, CloseReason> {
        let mut reader = Reader::new(frame);
        let header = decode_request_header(&mut reader)?;
        let call = Call {
            key: ApiKey(header.request_api_key),
            version: header.request_api_version,
            client_id: header.client_id.unwrap_or_default(),
            peer: Arc::clone(peer),
            listener: self.broker.listener_kind(peer.listener),
            correlation_id: header.correlation_id,
        };
        tracing::trace!(api = %call.key, version = call.version, client = call.client_id, "request");
        let served = rows_on(call.listener).find(|row| row.key == call.key);
        let Some(row) = served else {
            return Err(CloseReason(format!("{} is not served here", call.key)));
        };
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
    fn start(&self, peer: &Arc<Peer>, frame: Bytes) -> Started {
        self.dispatch(peer, frame).unwrap_or_else(|reason| Started::Done(Done::Close(reason)))
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

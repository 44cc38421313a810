//! FindCoordinator (KIP-98, KIP-699, KIP-932): which broker coordinates a group.

use std::sync::Arc;

use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};

use super::metadata::create;
use super::{Call, Handle};
use crate::Broker;
use crate::internal_topics::CONSUMER_OFFSETS;
use crate::net::Started;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
const NO_TRANSACTIONS: &str = "this broker serves no transactions";
/// From this version on, a request names several keys.
const KEYS_SINCE: i16 = 4;

impl Handle for FindCoordinatorRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let is_missing = broker.published().image.topics.by_name(CONSUMER_OFFSETS).is_none();
        if self.key_type != GROUP || !is_missing {
            return call.done(&answer(broker, &call, self));
        }
        let broker = Arc::clone(broker);
        Started::Working(Box::pin(async move {
            create(&broker, vec![CONSUMER_OFFSETS.to_owned()]).await;
            call.answer(&answer(&broker, &call, self))
        }))
    }
}

fn answer(broker: &Broker, call: &Call, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let find = |key| find(broker, call, request.key_type, key);
    if call.version >= KEYS_SINCE {
        let coordinators = request.coordinator_keys.into_iter().map(find).collect();
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let found = find(request.key);
    FindCoordinatorResponse {
        error_code: found.error_code,
        error_message: Some(alone(request.key_type, found.error_code.into()).to_owned()),
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    }
}

fn find(broker: &Broker, call: &Call, key_type: i8, key: String) -> Coordinator {
    let found = match key_type {
        GROUP => coordinator_of(broker, &broker.published().image, call, &key),
        // There is no coordinator of transactions, and none will come: clients that are told to wait for one ask without a pause
        // until their time is up, and take this as final.
        TRANSACTION => Err(ErrorCode::UnsupportedVersion),
        // Share groups are off, and more types there are not.
        _ => Err(ErrorCode::InvalidRequest),
    };
    match found {
        Ok(found) => Coordinator { key, ..found },
        Err(error) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: error.code(),
            error_message: Some(explanation(key_type, error).to_owned()),
            ..Default::default()
        },
    }
}

/// What is said in versions that name one key: Kafka says there even of a success that it is none of the errors.
fn alone(key_type: i8, error: ErrorCode) -> &'static str {
    if key_type == TRANSACTION { NO_TRANSACTIONS } else { error.message() }
}

/// What is said beside the error. As Kafka has it, only a type that there is not is explained; clients show it.
fn explanation(key_type: i8, error: ErrorCode) -> &'static str {
    match key_type {
        GROUP | SHARE => "",
        TRANSACTION => NO_TRANSACTIONS,
        _ => error.message(),
    }
}

/// The leader of the group's partition, where this client can reach it.
fn coordinator_of(
    broker: &Broker,
    image: &Image,
    call: &Call,
    group_id: &str,
) -> Result<Coordinator, ErrorCode> {
    let find = || {
        let topic = image.topics.by_name(CONSUMER_OFFSETS)?;
        let leader = topic.partition(broker.groups.partition_of(group_id)?)?.leader;
        let registered = image.cluster.broker(leader).filter(|_| image.cluster.is_active(leader))?;
        let endpoint = broker.endpoint_of(registered, call.peer.listener)?;
        Some(Coordinator {
            node_id: leader,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            error_message: Some(String::new()),
            ..Default::default()
        })
    };
    find().ok_or(ErrorCode::CoordinatorNotAvailable)
}

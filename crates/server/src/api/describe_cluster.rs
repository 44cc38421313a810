//! DescribeCluster (KIP-700, KIP-919, KIP-1073).

use std::sync::Arc;

use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse, RegisterBrokerRecord};
use protocol::{ErrorCode, Listener};

use super::{Call, Handle, operations};
use crate::Broker;
use crate::net::Started;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Handle for DescribeClusterRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let expected = if call.listener == Listener::Broker { BROKERS } else { CONTROLLERS };
        // Version 0 asks for brokers without saying so.
        if call.version > 0 && self.endpoint_type != expected {
            return call.done(&mismatch(&self, expected));
        }
        let brokers = match call.listener {
            Listener::Broker => brokers(broker, &call, self.include_fenced_brokers),
            Listener::Controller => controllers(broker, &call),
        };
        call.done(&DescribeClusterResponse {
            endpoint_type: if call.version > 0 { expected } else { BROKERS },
            cluster_id: broker.cluster_id.clone(),
            controller_id: broker.node_id,
            brokers,
            cluster_authorized_operations: operations::if_asked(
                self.include_cluster_authorized_operations,
                operations::ON_CLUSTER,
            ),
            ..Default::default()
        })
    }
}

/// What Apache Kafka 4.3.1 says to a client that asks the wrong kind of node, or for a kind that is not there.
fn mismatch(request: &DescribeClusterRequest, expected: i8) -> DescribeClusterResponse {
    let (error, message) = if matches!(request.endpoint_type, BROKERS | CONTROLLERS) {
        let (asked, kind) =
            if expected == BROKERS { ("CONTROLLER", "BROKER") } else { ("BROKER", "CONTROLLER") };
        let message = format!(
            "The request was sent to an endpoint of type {kind}, but we wanted an endpoint of type {asked}"
        );
        (ErrorCode::MismatchedEndpointType, message)
    } else {
        (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {}", request.endpoint_type))
    };
    DescribeClusterResponse { error_code: error.code(), error_message: Some(message), ..Default::default() }
}

fn brokers(broker: &Broker, call: &Call, with_fenced: bool) -> Vec<DescribeClusterBroker> {
    let committed = broker.published();
    let described = |registered: &Arc<RegisterBrokerRecord>| {
        let endpoint = broker.endpoint_of(registered, call.peer.listener)?;
        Some(DescribeClusterBroker {
            broker_id: registered.broker_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: registered.rack.clone(),
            is_fenced: call.version >= 2 && registered.fenced,
        })
    };
    let wanted = committed.image.cluster.brokers().filter(|known| with_fenced || !known.fenced);
    wanted.filter_map(described).collect()
}

fn controllers(broker: &Broker, call: &Call) -> Vec<DescribeClusterBroker> {
    let committed = broker.published();
    let name = broker.listener_name(call.peer.listener);
    let controllers = committed.image.cluster.controllers();
    let described = controllers.filter_map(|known| {
        let endpoint = known.end_points.iter().find(|endpoint| endpoint.name == name)?;
        Some(DescribeClusterBroker {
            broker_id: known.controller_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            ..Default::default()
        })
    });
    described.collect()
}

//! What a broker and a controller say of themselves when they come to the cluster. Pure.

use config::{BrokerConfig, Listener};
use protocol::Uuid;
use protocol::messages::BrokerRegistrationRequest;
use protocol::messages::broker_registration_request::{Feature, Listener as Endpoint};
use protocol::messages::register_controller_record::ControllerEndpoint;

/// A broker's registration. `advertised` are the listeners that clients are told, with the ports that were bound.
pub(crate) fn of_broker(
    config: &BrokerConfig,
    cluster_id: &str,
    incarnation_id: Uuid,
    advertised: &[Listener],
    log_dirs: Vec<Uuid>,
) -> BrokerRegistrationRequest {
    let endpoint = |listener: &Listener| Endpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.protocol.id(),
    };
    let feature = |(name, min_supported_version, max_supported_version): (&str, i16, i16)| Feature {
        name: name.to_owned(),
        min_supported_version,
        max_supported_version,
    };
    BrokerRegistrationRequest {
        broker_id: config.node.id,
        cluster_id: cluster_id.to_owned(),
        incarnation_id,
        listeners: advertised.iter().map(endpoint).collect(),
        features: metadata::supported_features().map(feature).collect(),
        rack: config.node.rack.clone(),
        log_dirs,
        ..Default::default()
    }
}

/// A controller's endpoints.
pub(crate) fn of_controller(bound: &[Listener]) -> Vec<ControllerEndpoint> {
    let endpoint = |listener: &Listener| ControllerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.protocol.id(),
    };
    bound.iter().map(endpoint).collect()
}

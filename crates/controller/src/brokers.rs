//! Brokers and controllers come, are fenced and unfenced (KIP-500, KIP-631, KIP-919).

use metadata::{DirectoryId, Image};
use protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use protocol::messages::register_controller_record::{ControllerEndpoint, ControllerFeature};
use protocol::messages::{
    BrokerRegistrationChangeRecord, BrokerRegistrationRequest, MetadataRecord, RegisterBrokerRecord,
    RegisterControllerRecord,
};
use protocol::{ErrorCode, Uuid};

use crate::elections::elections_after_unfence;
use crate::{Decision, Refusal};

/// How a registration went: the broker's epoch, or why not.
pub type Registration = Result<i64, Refusal>;

/// Registers a broker, fenced: it is to unfence once it has caught up.
///
/// `next_offset` is the offset that the first of the records will get, and the broker's epoch if it is a new incarnation.
pub fn register_broker(
    image: &Image,
    cluster_id: &str,
    request: &BrokerRegistrationRequest,
    next_offset: i64,
) -> Decision<Registration> {
    match check_registration(image, cluster_id, request) {
        Err(refusal) => Decision::unchanged(Err(refusal)),
        Ok(()) => {
            let known = image.cluster.broker(request.broker_id);
            let same = known.filter(|known| known.incarnation_id == request.incarnation_id);
            let broker_epoch = same.map_or(next_offset, |known| known.broker_epoch);
            let fenced = same.is_none_or(|known| known.fenced);
            let record = registration(image, request, broker_epoch, fenced);
            Decision { records: vec![record.into()], reply: Ok(broker_epoch) }
        }
    }
}

fn check_registration(
    image: &Image,
    cluster_id: &str,
    request: &BrokerRegistrationRequest,
) -> Result<(), Refusal> {
    if request.cluster_id != cluster_id {
        let message = format!("Expected cluster ID {cluster_id}, but got cluster ID {}", request.cluster_id);
        return Err(Refusal::new(ErrorCode::InconsistentClusterId, message));
    }
    let other =
        |known: &RegisterBrokerRecord| !known.fenced && known.incarnation_id != request.incarnation_id;
    if image.cluster.broker(request.broker_id).is_some_and(|known| other(known)) {
        let message = "Another broker is registered with that broker id. If the broker was recently restarted this \
                       should self-resolve once the heartbeat manager expires the broker's session.";
        return Err(Refusal::new(ErrorCode::DuplicateBrokerRegistration, message));
    }
    check_directories(request)?;
    image.features.iter().try_for_each(|(name, level)| check_feature(request, name, level))
}

fn check_directories(request: &BrokerRegistrationRequest) -> Result<(), Refusal> {
    let reserved = |id: &Uuid| DirectoryId::is_reserved(*id);
    let refused = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let mut sorted = request.log_dirs.clone();
    sorted.sort_unstable();
    if sorted.iter().any(reserved) {
        return refused("Reserved directory ID in request");
    }
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return refused("Duplicate directory ID in request");
    }
    Ok(())
}

fn check_feature(request: &BrokerRegistrationRequest, name: &str, level: i16) -> Result<(), Refusal> {
    let range = request.features.iter().find(|feature| feature.name == name);
    let (min, max) = range.map_or((0, 0), |f| (f.min_supported_version, f.max_supported_version));
    if (min..=max).contains(&level) {
        return Ok(());
    }
    let message = format!(
        "Unable to register because the broker does not support finalized version {level} of {name}. The broker wants a \
         version between {min} and {max}, inclusive."
    );
    Err(Refusal::new(ErrorCode::UnsupportedVersion, message))
}

fn registration(
    image: &Image,
    request: &BrokerRegistrationRequest,
    broker_epoch: i64,
    fenced: bool,
) -> RegisterBrokerRecord {
    let version = image.features.metadata_version();
    let endpoint = |listener: &protocol::messages::broker_registration_request::Listener| BrokerEndpoint {
        name: listener.name.clone(),
        host: listener.host.clone(),
        port: listener.port,
        security_protocol: listener.security_protocol,
    };
    let feature = |feature: &protocol::messages::broker_registration_request::Feature| BrokerFeature {
        name: feature.name.clone(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
    };
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        broker_epoch,
        end_points: request.listeners.iter().map(endpoint).collect(),
        features: request.features.iter().map(feature).collect(),
        rack: request.rack.clone(),
        fenced,
        log_dirs: if version.has_directories() { request.log_dirs.clone() } else { Vec::new() },
        cordoned_log_dirs: version.has_cordoned_directories().then(Vec::new),
        ..Default::default()
    }
}

/// Lets a broker serve that has caught up, and has it lead the partitions that wait for it.
pub fn unfence_broker(image: &Image, broker_id: i32, broker_epoch: i64) -> Decision<Result<(), Refusal>> {
    change_fencing(image, broker_id, broker_epoch, false)
}

/// Takes a broker out of service. Its leaderships are not moved: that takes a second broker.
pub fn fence_broker(image: &Image, broker_id: i32, broker_epoch: i64) -> Decision<Result<(), Refusal>> {
    change_fencing(image, broker_id, broker_epoch, true)
}

fn change_fencing(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
    fenced: bool,
) -> Decision<Result<(), Refusal>> {
    if let Err(refusal) = check_epoch(image, broker_id, broker_epoch) {
        return Decision::unchanged(Err(refusal));
    }
    let mut records: Vec<MetadataRecord> = Vec::new();
    if image.cluster.broker(broker_id).is_some_and(|broker| broker.fenced != fenced) {
        let fenced = if fenced { 1 } else { -1 };
        records.push(
            BrokerRegistrationChangeRecord { broker_id, broker_epoch, fenced, ..Default::default() }.into(),
        );
    }
    if !fenced {
        records.extend(elections_after_unfence(image, broker_id));
    }
    Decision { records, reply: Ok(()) }
}

/// Whether the broker is registered in this epoch.
pub(crate) fn check_epoch(image: &Image, broker_id: i32, broker_epoch: i64) -> Result<(), Refusal> {
    let Some(broker) = image.cluster.broker(broker_id) else {
        let message = format!("No broker registration found for broker id {broker_id}");
        return Err(Refusal::new(ErrorCode::StaleBrokerEpoch, message));
    };
    if broker.broker_epoch != broker_epoch {
        let known = broker.broker_epoch;
        let message = format!("Expected broker epoch {known}, but got broker epoch {broker_epoch}");
        return Err(Refusal::new(ErrorCode::StaleBrokerEpoch, message));
    }
    Ok(())
}

/// Registers a controller; nothing to append if it is registered so already.
pub fn register_controller(
    image: &Image,
    controller_id: i32,
    incarnation_id: Uuid,
    end_points: Vec<ControllerEndpoint>,
) -> Decision<()> {
    let feature = |(name, min, max): (&str, i16, i16)| ControllerFeature {
        name: name.to_owned(),
        min_supported_version: min,
        max_supported_version: max,
    };
    let features = metadata::supported_features().map(feature).collect();
    let record = RegisterControllerRecord {
        controller_id,
        incarnation_id,
        end_points,
        features,
        ..Default::default()
    };
    let known = image.cluster.controller(controller_id);
    match known.is_some_and(|known| **known == record) {
        true => Decision::unchanged(()),
        false => Decision { records: vec![record.into()], reply: () },
    }
}

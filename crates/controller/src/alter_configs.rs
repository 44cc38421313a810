//! IncrementalAlterConfigs (KIP-339) and AlterConfigs (KIP-133), decided as Apache Kafka 4.3.1 does.
//!
//! A broker looks at a request before it hands it on to the controller, and refuses some of it in words of its own: what
//! comes by a controller's listener has not gone through that.

mod broker;
mod change;
mod loggers;
mod validate;

use std::collections::BTreeMap;

use metadata::{ConfigResource, ResourceType};
use protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ClearElrRecord, ConfigRecord, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, MetadataRecord, alter_configs_response,
    incremental_alter_configs_response,
};
use protocol::{ErrorCode, Listener};

use crate::{Context, Decision, RECORDS_MAX, Refusal};
use change::{Asked, MIN_INSYNC_REPLICAS};

/// What became of each resource, in the order of the request.
type Outcomes = Vec<Result<(), Refusal>>;

/// Decides which settings are set, deleted, appended to and subtracted from. Each resource is answered on its own: of one that is
/// refused nothing changes.
pub fn incremental_alter_configs(
    context: &Context<'_>,
    request: &IncrementalAlterConfigsRequest,
    listener: Listener,
) -> Decision<IncrementalAlterConfigsResponse> {
    use incremental_alter_configs_response::AlterConfigsResourceResponse;
    let asked: Vec<Asked<'_>> = request.resources.iter().map(Asked::incremental).collect();
    let (records, outcomes) = decide(context, &asked, listener);
    let answer = |(asked, outcome): (&Asked<'_>, Result<(), Refusal>)| {
        let (error, error_message) = told(outcome);
        AlterConfigsResourceResponse {
            error_code: error.code(),
            error_message,
            resource_type: asked.resource.resource_type.0,
            resource_name: asked.resource.name.clone(),
        }
    };
    let responses = asked.iter().zip(outcomes).map(answer).collect();
    let records = if request.validate_only { Vec::new() } else { records };
    Decision { records, reply: IncrementalAlterConfigsResponse { responses, ..Default::default() } }
}

/// The same for the older API, which replaces all settings of a resource by those of the request.
pub fn alter_configs(
    context: &Context<'_>,
    request: &AlterConfigsRequest,
    listener: Listener,
) -> Decision<AlterConfigsResponse> {
    use alter_configs_response::AlterConfigsResourceResponse;
    let asked: Vec<Asked<'_>> = request.resources.iter().map(Asked::replacing).collect();
    let (records, outcomes) = decide(context, &asked, listener);
    let answer = |(asked, outcome): (&Asked<'_>, Result<(), Refusal>)| {
        let (error, error_message) = told(outcome);
        AlterConfigsResourceResponse {
            error_code: error.code(),
            error_message,
            resource_type: asked.resource.resource_type.0,
            resource_name: asked.resource.name.clone(),
        }
    };
    let responses = asked.iter().zip(outcomes).map(answer).collect();
    let records = if request.validate_only { Vec::new() } else { records };
    Decision { records, reply: AlterConfigsResponse { responses, ..Default::default() } }
}

fn told(outcome: Result<(), Refusal>) -> (ErrorCode, Option<String>) {
    match outcome {
        Ok(()) => (ErrorCode::None, None),
        Err(refusal) => (refusal.error, Some(refusal.message)),
    }
}

fn decide(context: &Context<'_>, asked: &[Asked<'_>], listener: Listener) -> (Vec<MetadataRecord>, Outcomes) {
    let mut records = Vec::new();
    let mut times_named: BTreeMap<&ConfigResource, usize> = BTreeMap::new();
    for one in asked {
        *times_named.entry(&one.resource).or_default() += 1;
    }
    let outcomes = asked.iter().map(|one| {
        if times_named[&one.resource] > 1 {
            return Err(named_twice(listener));
        }
        records.extend(of_resource(context, one, listener)?);
        Ok(())
    });
    let outcomes: Outcomes = outcomes.collect();
    if context.image.features.elr_enabled() {
        records.extend(cleared_elrs(&records));
    }
    if records.len() > RECORDS_MAX {
        return (Vec::new(), asked.iter().map(|_| Err(too_many_records())).collect());
    }
    (records, outcomes)
}

fn named_twice(listener: Listener) -> Refusal {
    let message = match listener {
        Listener::Broker => "Each resource must appear at most once.",
        Listener::Controller => "Duplicate resource.",
    };
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn too_many_records() -> Refusal {
    Refusal::new(ErrorCode::PolicyViolation, "Unable to perform excessively large batch operation.")
}

/// The records of one resource.
fn of_resource(
    context: &Context<'_>,
    asked: &Asked<'_>,
    listener: Listener,
) -> Result<Vec<MetadataRecord>, Refusal> {
    match listener {
        Listener::Broker => broker::check(context, asked)?,
        Listener::Controller => check_type(asked)?,
    }
    if asked.resource.resource_type == ResourceType::BROKER_LOGGER {
        return Ok(Vec::new());
    }
    let records = change::records(&context.image.configs, asked)?;
    validate::check(context, &asked.resource, &records)?;
    Ok(records.into_iter().map(Into::into).collect())
}

/// What a controller says to a resource whose type it does not know.
fn check_type(asked: &Asked<'_>) -> Result<(), Refusal> {
    let ResourceType(number) = asked.resource.resource_type;
    if asked.resource.resource_type.is_configurable() {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::UnsupportedVersion, format!("Unknown resource type {number}.")))
}

/// Who needs how many replicas changes: which of them were eligible before says nothing any more (KIP-966).
fn cleared_elrs(records: &[MetadataRecord]) -> Vec<MetadataRecord> {
    let of_min_insync_replicas = |record: &MetadataRecord| match record {
        MetadataRecord::Config(record) if record.name == MIN_INSYNC_REPLICAS => Some(cleared_elr(record)),
        _ => None,
    };
    records.iter().filter_map(of_min_insync_replicas).collect()
}

fn cleared_elr(record: &ConfigRecord) -> MetadataRecord {
    let of_topic = ResourceType(record.resource_type) == ResourceType::TOPIC;
    let topic_name = if of_topic { record.resource_name.clone() } else { String::new() };
    ClearElrRecord { topic_name }.into()
}

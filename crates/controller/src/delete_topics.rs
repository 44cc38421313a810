//! DeleteTopics (KIP-4; by id: KIP-516).

use std::collections::BTreeMap;

use metadata::Topic;
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::messages::{DeleteTopicsRequest, RemoveTopicRecord};
use protocol::{ErrorCode, Uuid};

use crate::{Context, Decision, Refusal};

/// A topic as a request names it: by name up to version 5, from then on by name or id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Nothing,
    Name(String),
    Id(Uuid),
    Both(String, Uuid),
}

/// Decides which topics go. Each is answered on its own, in the order of the request; one that is asked for twice is answered
/// once and stays.
pub fn delete_topics(
    context: &mut Context<'_>,
    request: &DeleteTopicsRequest,
    version: i16,
) -> Decision<DeleteTopicsResponse> {
    let named = named(request);
    if !context.config.topics.may_be_deleted {
        return Decision::unchanged(disabled(&named, version));
    }
    let mut counts: BTreeMap<&Named, usize> = BTreeMap::new();
    for topic in &named {
        *counts.entry(topic).or_default() += 1;
    }
    let (mut records, mut responses) = (Vec::new(), Vec::new());
    for topic in &named {
        let Some(count) = counts.remove(topic) else { continue };
        match find(context, topic, count) {
            Ok(found) if named_otherwise(&named, found) => {
                // Once for both.
                if matches!(topic, Named::Id(_)) {
                    responses.push(named_twice(found));
                }
            }
            Ok(found) => {
                records.push(RemoveTopicRecord { topic_id: found.id }.into());
                responses.push(deleted(found));
            }
            Err(refusal) => responses.push(refused(topic, &refusal)),
        }
    }
    Decision { records, reply: DeleteTopicsResponse { responses, ..Default::default() } }
}

fn named(request: &DeleteTopicsRequest) -> Vec<Named> {
    let by_name = request.topic_names.iter().cloned().map(Named::Name);
    let states = request.topics.iter().map(|topic| match (&topic.name, topic.topic_id) {
        (None, id) if id.is_zero() => Named::Nothing,
        (Some(name), id) if id.is_zero() => Named::Name(name.clone()),
        (None, id) => Named::Id(id),
        (Some(name), id) => Named::Both(name.clone(), id),
    });
    by_name.chain(states).collect()
}

fn find<'a>(context: &Context<'a>, named: &Named, count: usize) -> Result<&'a Topic, Refusal> {
    let invalid = |message: &str| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let topics = &context.image.topics;
    let (found, error) = match named {
        Named::Nothing => return invalid("Neither topic name nor id were specified."),
        Named::Both(..) => return invalid("You may not specify both topic name and topic id."),
        Named::Name(_) if count > 1 => return invalid("Duplicate topic name."),
        Named::Id(_) if count > 1 => return invalid("Duplicate topic id."),
        Named::Name(name) => (topics.by_name(name), ErrorCode::UnknownTopicOrPartition),
        Named::Id(id) => (topics.by_id(*id), ErrorCode::UnknownTopicId),
    };
    let message = match error {
        ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
        _ => "This server does not host this topic-partition.",
    };
    found.map(|topic| &**topic).ok_or_else(|| Refusal::new(error, message))
}

/// Whether a topic is asked for by name and by id.
fn named_otherwise(all: &[Named], found: &Topic) -> bool {
    all.contains(&Named::Id(found.id)) && all.contains(&Named::Name(found.name.to_string()))
}

fn named_twice(topic: &Topic) -> DeletableTopicResult {
    let message = "The provided topic name maps to an ID that was already supplied.";
    DeletableTopicResult {
        error_code: ErrorCode::InvalidRequest.code(),
        error_message: Some(message.to_owned()),
        ..deleted(topic)
    }
}

/// With `delete.topic.enable=false`; old versions have no code of their own for it.
fn disabled(named: &[Named], version: i16) -> DeleteTopicsResponse {
    let error = if version < 3 { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
    let response = |topic: &Named| DeletableTopicResult {
        error_message: None,
        ..refused(topic, &Refusal::new(error, ""))
    };
    DeleteTopicsResponse { responses: named.iter().map(response).collect(), ..Default::default() }
}

fn deleted(topic: &Topic) -> DeletableTopicResult {
    DeletableTopicResult {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        error_message: None,
        ..Default::default()
    }
}

fn refused(named: &Named, refusal: &Refusal) -> DeletableTopicResult {
    let (name, topic_id) = match named.clone() {
        Named::Nothing => (None, Uuid::ZERO),
        Named::Name(name) => (Some(name), Uuid::ZERO),
        Named::Id(id) => (None, id),
        Named::Both(name, id) => (Some(name), id),
    };
    let error_message = Some(refusal.message.clone());
    DeletableTopicResult { name, topic_id, error_code: refusal.error.code(), error_message }
}

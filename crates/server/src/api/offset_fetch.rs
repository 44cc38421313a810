//! OffsetFetch (KIP-447, KIP-709, KIP-848): each group's coordinator is asked for what was committed.

use std::sync::Arc;

use coordinator::{Reply, Request, offset_fetch_groups, offset_fetch_response};
use futures::future::join_all;
use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::{Call, Handle};
use crate::Broker;
use crate::groups::unanswered;
use crate::net::Started;

/// From this version on, topics are named by their ids.
const TOPIC_IDS_SINCE: i16 = 10;

impl Handle for OffsetFetchRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let version = call.version;
        let groups = offset_fetch_groups(version, self).into_iter();
        let fetched: Vec<_> = groups.map(|group| fetch(broker, version, group)).collect();
        call.settling(async move {
            let groups: Vec<OffsetFetchResponseGroup> = join_all(fetched).await;
            let response: OffsetFetchResponse = offset_fetch_response(version, groups);
            response
        })
    }
}

/// Asks now; the future has the answer.
fn fetch(
    broker: &Arc<Broker>,
    version: i16,
    mut group: OffsetFetchRequestGroup,
) -> impl Future<Output = OffsetFetchResponseGroup> + use<> {
    let with_ids = version >= TOPIC_IDS_SINCE;
    let published = broker.published();
    let unknown = match with_ids {
        true => name_topics(&published.image, &mut group),
        false => identify_topics(&published.image, &mut group),
    };
    let (group_id, broker) = (group.group_id.clone(), Arc::clone(broker));
    let asked = broker.groups.ask(Request::OffsetFetch(group));
    async move {
        let mut fetched = match asked.await {
            Ok(Reply::OffsetFetch(fetched)) => fetched,
            other => {
                return OffsetFetchResponseGroup {
                    group_id,
                    error_code: unanswered(&other),
                    ..Default::default()
                };
            }
        };
        if with_ids {
            fill_in_ids(&broker.published().image, &mut fetched.topics);
        }
        fetched.topics.extend(unknown);
        fetched
    }
}

/// Fills in the names that belong to the ids. Takes out the topics that are not there, and says so.
fn name_topics(image: &Image, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    let mut unknown = Vec::new();
    let topics = group.topics.iter_mut();
    topics.for_each(|topics| {
        topics.retain_mut(|topic| match image.topics.by_id(topic.topic_id) {
            Some(known) => {
                topic.name = known.name.to_string();
                true
            }
            None => {
                unknown.push(unknown_topic(topic));
                false
            }
        });
    });
    unknown
}

/// Fills in the ids that the names have now: what was committed for an earlier topic of the same name, and outlived it in a crash, is
/// nothing to go on from.
fn identify_topics(image: &Image, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    for topic in group.topics.iter_mut().flatten() {
        topic.topic_id = image.topics.by_name(&topic.name).map(|known| known.id).unwrap_or_default();
    }
    Vec::new()
}

fn unknown_topic(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|partition| OffsetFetchResponsePartitions {
        partition_index: *partition,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: ErrorCode::UnknownTopicId.code(),
    });
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}

/// Offsets that were committed without the topic's id are told with the id that it has now. What has none cannot be told.
fn fill_in_ids(image: &Image, topics: &mut Vec<OffsetFetchResponseTopics>) {
    topics.retain_mut(|topic| {
        if topic.topic_id.is_zero() {
            topic.topic_id = image.topics.by_name(&topic.name).map(|known| known.id).unwrap_or_default();
        }
        !topic.topic_id.is_zero()
    });
}

#[cfg(test)]
mod tests {
    use metadata::Loader;
    use protocol::Uuid;
    use protocol::messages::TopicRecord;

    use super::*;

    #[test]
    fn a_name_stands_for_the_topic_that_has_it_now() {
        let mut loader = Loader::default();
        let topic = TopicRecord { name: "t".to_owned(), topic_id: Uuid([7; 16]) };
        loader.apply(&topic.into()).expect("it is the first");
        let named = |name: &str| OffsetFetchRequestTopics { name: name.to_owned(), ..Default::default() };
        let topics = Some(vec![named("t"), named("gone")]);
        let mut group = OffsetFetchRequestGroup { topics, ..Default::default() };
        assert!(identify_topics(loader.image(), &mut group).is_empty());
        let ids: Vec<Uuid> = group.topics.iter().flatten().map(|topic| topic.topic_id).collect();
        assert_eq!(ids, [Uuid([7; 16]), Uuid::ZERO]);
    }
}

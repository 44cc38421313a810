//! Metadata (KIP-4, KIP-516, KIP-951), and the topics that come to be because somebody asks for them.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use metadata::{Image, Partition, Topic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::messages::{CreateTopicsRequest, MetadataRequest, MetadataResponse, RegisterBrokerRecord};
use protocol::{ErrorCode, Uuid};

use super::{Call, Handle, operations};
use crate::Broker;
use crate::internal_topics::{self, is_internal};
use crate::net::Started;

/// The first version whose names may be null, and whose ids count.
const TOPIC_IDS_SINCE: i16 = 12;

impl Handle for MetadataRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let missing = missing_topics(broker, &self, call.version);
        if missing.is_empty() {
            return call.done(&answer(broker, &call, &self));
        }
        let broker = Arc::clone(broker);
        Started::Working(Box::pin(async move {
            create(&broker, missing).await;
            call.answer(&answer(&broker, &call, &self))
        }))
    }
}

/// What is asked for.
enum Asked<'a> {
    All,
    Names(Vec<&'a str>),
    Ids(Vec<Uuid>),
}

/// Fails if an old version asks as only a newer one may, or if a topic has neither name nor id.
fn asked(request: &MetadataRequest, version: i16) -> Result<Asked<'_>, ErrorCode> {
    let topics = match &request.topics {
        None => return Ok(Asked::All),
        Some(topics) if topics.is_empty() && version == 0 => return Ok(Asked::All),
        Some(topics) => topics,
    };
    let newer = |topic: &MetadataRequestTopic| topic.name.is_none() || !topic.topic_id.is_zero();
    if version < TOPIC_IDS_SINCE && topics.iter().any(newer) {
        return Err(ErrorCode::InvalidRequest);
    }
    if topics.iter().any(|topic| !topic.topic_id.is_zero()) {
        let ids = topics.iter().map(|topic| topic.topic_id).filter(|id| !id.is_zero());
        return Ok(Asked::Ids(once(ids)));
    }
    let names: Option<Vec<&str>> = topics.iter().map(|topic| topic.name.as_deref()).collect();
    Ok(Asked::Names(once(names.ok_or(ErrorCode::UnknownServerError)?)))
}

/// What is asked for twice is answered once.
fn once<T: Copy + Eq + Hash>(asked: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    asked.into_iter().filter(|one| seen.insert(*one)).collect()
}

/// Topics that are to be created, since somebody asks for them.
fn missing_topics(broker: &Broker, request: &MetadataRequest, version: i16) -> Vec<String> {
    let wanted = request.allow_auto_topic_creation && broker.config().topics.auto_create;
    let (true, Ok(Asked::Names(names))) = (wanted, asked(request, version)) else { return Vec::new() };
    let committed = broker.published();
    let missing = |name: &&str| {
        committed.image.topics.by_name(name).is_none() && controller::validate_topic_name(name).is_ok()
    };
    names.into_iter().filter(missing).map(str::to_owned).collect()
}

/// Creates topics. What cannot be created is not there afterwards, which the answer says.
pub(super) async fn create(broker: &Broker, names: Vec<String>) {
    let config = broker.config();
    let topics = names.into_iter().map(|name| internal_topics::creatable(&config, name)).collect();
    let request = CreateTopicsRequest { topics, ..Default::default() };
    match broker.change(|context, _| controller::create_topics(context, &request)).await {
        Ok(response) => {
            for topic in response.topics.iter().filter(|topic| topic.error_code != 0) {
                let reason = topic.error_message.as_deref().unwrap_or_default();
                tracing::info!(topic = %topic.name, reason, "a topic that was asked for was not created");
            }
        }
        Err(error) => tracing::warn!(%error, "topics that were asked for were not created"),
    }
}

fn answer(broker: &Broker, call: &Call, request: &MetadataRequest) -> MetadataResponse {
    let committed = broker.published();
    let view = View { image: &committed.image, request };
    let topics = match view.topics(call.version) {
        Ok(topics) => topics,
        Err(error) => return refused(request, error),
    };
    MetadataResponse {
        brokers: brokers(broker, call, view.image),
        cluster_id: Some(broker.cluster_id.clone()),
        controller_id: broker.node_id,
        topics,
        cluster_authorized_operations: operations::if_asked(
            request.include_cluster_authorized_operations,
            operations::ON_CLUSTER,
        ),
        ..Default::default()
    }
}

/// The request as a whole fails, and says nothing of the cluster.
fn refused(request: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten();
    let refused = |topic: &MetadataRequestTopic| MetadataResponseTopic {
        error_code: error.code(),
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    };
    MetadataResponse {
        topics: topics.map(refused).collect(),
        cluster_id: None,
        error_code: error.code(),
        ..Default::default()
    }
}

fn brokers(broker: &Broker, call: &Call, image: &Image) -> Vec<MetadataResponseBroker> {
    let described = |registered: &Arc<RegisterBrokerRecord>| {
        let endpoint = broker.endpoint_of(registered, call.peer.listener)?;
        Some(MetadataResponseBroker {
            node_id: registered.broker_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: registered.rack.clone(),
        })
    };
    image.cluster.brokers().filter(|known| !known.fenced).filter_map(described).collect()
}

/// One image, seen for one request.
struct View<'a> {
    image: &'a Image,
    request: &'a MetadataRequest,
}

impl View<'_> {
    fn topics(&self, version: i16) -> Result<Vec<MetadataResponseTopic>, ErrorCode> {
        Ok(match asked(self.request, version)? {
            Asked::All => self.image.topics.iter().map(|topic| self.topic(topic)).collect(),
            Asked::Names(names) => names.into_iter().map(|name| self.by_name(name)).collect(),
            Asked::Ids(ids) => ids.into_iter().map(|id| self.by_id(id)).collect(),
        })
    }

    fn by_name(&self, name: &str) -> MetadataResponseTopic {
        match self.image.topics.by_name(name) {
            Some(topic) => self.topic(topic),
            None => MetadataResponseTopic {
                error_code: unknown_name(name).code(),
                name: Some(name.to_owned()),
                is_internal: is_internal(name),
                ..Default::default()
            },
        }
    }

    fn by_id(&self, topic_id: Uuid) -> MetadataResponseTopic {
        match self.image.topics.by_id(topic_id) {
            Some(topic) => self.topic(topic),
            None => MetadataResponseTopic {
                error_code: ErrorCode::UnknownTopicId.code(),
                name: None,
                topic_id,
                ..Default::default()
            },
        }
    }

    fn topic(&self, topic: &Topic) -> MetadataResponseTopic {
        let partition = |(number, partition): (i32, &Arc<Partition>)| self.partition(number, partition);
        MetadataResponseTopic {
            name: Some(topic.name.to_string()),
            topic_id: topic.id,
            is_internal: is_internal(&topic.name),
            partitions: topic.partitions().map(partition).collect(),
            topic_authorized_operations: operations::if_asked(
                self.request.include_topic_authorized_operations,
                operations::ON_TOPIC,
            ),
            ..Default::default()
        }
    }

    fn partition(&self, partition_index: i32, partition: &Partition) -> MetadataResponsePartition {
        let is_led = self.image.cluster.is_active(partition.leader);
        let error = if is_led { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
        let is_offline = |id: &&i32| !self.image.cluster.is_replica_online(partition, **id);
        let offline = partition.replicas.iter().filter(is_offline);
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index,
            leader_id: if is_led { partition.leader } else { -1 },
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.isr.clone(),
            offline_replicas: offline.copied().collect(),
        }
    }
}

fn unknown_name(name: &str) -> ErrorCode {
    match controller::validate_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(refusal) => refusal.error,
    }
}

//! Transactions, as their coordinators and the logs of partitions know them (KIP-664, KIP-1152).

use std::collections::BTreeMap;

use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::describe_producers_response::{DescribeProducersResponse, ProducerState};
use protocol::messages::describe_transactions_response::{TopicData, TransactionState as DescribedState};
use protocol::messages::list_transactions_response::TransactionState;
use protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, InitProducerIdRequest, ListTransactionsRequest,
    WriteTxnMarkersRequest,
};
use protocol::{ErrorCode, Request};

use super::{ByPlace, by_topic};
use crate::cluster::{Cluster, Coordinator, CoordinatorType, millis};
use crate::connection::Connection;
use crate::consumer::Place;
use crate::error::{ClientError, check};

/// A transactional id, the producer that has it and its state, as its coordinator lists them.
pub type ListedTransaction = TransactionState;

/// A producer as the log of a partition knows it.
pub type DescribedProducer = ProducerState;

/// Which transactions are listed.
#[derive(Clone, Debug, Default)]
pub struct TransactionFilter {
    /// Only those of these producers, or of all.
    pub producer_ids: Vec<i64>,
    /// Only those that have lasted for more milliseconds (KIP-994).
    pub longer_than_ms: Option<i64>,
    /// Only those whose transactional id matches this regular expression, which the broker reads (KIP-1152).
    pub id_pattern: Option<String>,
}

/// A transaction as its coordinator knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTransaction {
    /// Who looks after it.
    pub coordinator: Coordinator,
    /// Kafka's name of its state, as `Ongoing`.
    pub state: String,
    /// The producer, and its epoch.
    pub producer_id: i64,
    /// How often the transactional id has changed hands.
    pub producer_epoch: i16,
    /// How long a transaction may last, in milliseconds.
    pub timeout_ms: i32,
    /// When it began, in milliseconds since 1970; none where no transaction was begun yet.
    pub start_ms: Option<i64>,
    /// The partitions that are part of it.
    pub partitions: Vec<Place>,
}

/// A transaction of which a partition knows, and its coordinator does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortSpec {
    /// The partition.
    pub place: Place,
    /// The producer.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The newest epoch of the coordinator that the partition may know.
    pub coordinator_epoch: i32,
}

impl Cluster {
    /// The transactions of each broker, which looks after them, by its id.
    pub async fn list_transactions(
        &mut self,
        filter: &TransactionFilter,
    ) -> Result<BTreeMap<i32, Vec<ListedTransaction>>, ClientError> {
        let request = ListTransactionsRequest {
            producer_id_filters: filter.producer_ids.clone(),
            duration_filter: filter.longer_than_ms.unwrap_or(-1),
            transactional_id_pattern: filter.id_pattern.clone(),
            ..ListTransactionsRequest::default()
        };
        let mut transactions = BTreeMap::new();
        for broker in self.metadata(Some(&[]), false).await?.brokers {
            let response = self.ask_broker(broker.node_id, &request, |response| response.error_code).await?;
            judge_listing(broker.node_id, response.error_code)?;
            transactions.insert(broker.node_id, response.transaction_states);
        }
        Ok(transactions)
    }

    /// Asks a broker, and again while the code of its answer says that another may come.
    async fn ask_broker<R: Request>(
        &mut self,
        broker: i32,
        request: &R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let deadline = self.patience();
        loop {
            let response = self.node(broker).await?.call(request).await?;
            if !ErrorCode::from(code(&response)).is_retriable() || !self.pause(deadline).await {
                return Ok(response);
            }
        }
    }

    /// The transaction of a transactional id.
    ///
    /// # Errors
    /// [`ErrorCode::TransactionalIdNotFound`] where no producer has that.
    pub async fn describe_transaction(&mut self, id: &str) -> Result<DescribedTransaction, ClientError> {
        let request = DescribeTransactionsRequest { transactional_ids: vec![id.to_owned()] };
        let deadline = self.patience();
        let (coordinator, response) = self
            .ask_coordinator((CoordinatorType::Transaction, id), &request, i16::MAX, deadline, |response| {
                response.transaction_states.first().map_or(0, |state| state.error_code)
            })
            .await?;
        let state = response.transaction_states.into_iter().next().ok_or_else(no_answer)?;
        check(state.error_code, None)?;
        Ok(described(state, coordinator))
    }

    /// The producers that each of these partitions knows: as its leader does, or this broker.
    pub async fn describe_producers(
        &mut self,
        places: &[Place],
        broker: Option<i32>,
    ) -> Result<BTreeMap<Place, Vec<DescribedProducer>>, ClientError> {
        let deadline = self.patience();
        let mut producers = BTreeMap::new();
        let mut open = places.to_vec();
        while !open.is_empty() {
            let answers = self.describe_producers_once(&open, broker).await?;
            open.clear();
            let mut again = None;
            for (place, answer) in answers {
                match answer {
                    Ok(found) => drop(producers.insert(place, found)),
                    // A broker that was named is asked once: that it does not lead is no reason to wait.
                    Err(error) if error.is_retriable() && broker.is_none() => {
                        self.forget(&place.0);
                        open.push(place);
                        again = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            match again {
                Some(error) if !self.pause(deadline).await => return Err(error),
                _ => {}
            }
        }
        Ok(producers)
    }

    async fn describe_producers_once(
        &mut self,
        places: &[Place],
        broker: Option<i32>,
    ) -> Result<ByPlace<Vec<DescribedProducer>>, ClientError> {
        let mut by_broker: BTreeMap<i32, Vec<Place>> = BTreeMap::new();
        for place in places {
            let broker = match broker {
                Some(broker) => broker,
                None => self.leader(place).await?,
            };
            by_broker.entry(broker).or_default().push(place.clone());
        }
        let mut answers = ByPlace::new();
        for (broker, places) in by_broker {
            let topic = |(name, partition_indexes)| TopicRequest { name, partition_indexes };
            let topics = by_topic(&places).into_iter().map(topic).collect();
            let connection = self.known_node(broker).await?;
            answers.extend(producers(connection.call(&DescribeProducersRequest { topics }).await?));
        }
        Ok(answers)
    }

    /// A connection to a broker, whose address is asked for where it is not known yet.
    async fn known_node(&mut self, broker: i32) -> Result<Connection, ClientError> {
        match self.node(broker).await {
            Err(error) if error.code() == Some(ErrorCode::BrokerNotAvailable) => {
                self.metadata(Some(&[]), false).await?;
                self.node(broker).await
            }
            connection => connection,
        }
    }

    /// The broker that leads a partition.
    async fn leader(&mut self, (topic, partition): &Place) -> Result<i32, ClientError> {
        let partitions = self.partitions_until(topic, false, self.patience()).await?;
        let found = partitions.iter().find(|it| it.partition == *partition);
        found.map(|it| it.leader).ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))
    }

    /// Has the leader of a partition take a transaction there as aborted, which nobody else ends.
    pub async fn abort_transaction(&mut self, spec: &AbortSpec) -> Result<(), ClientError> {
        let (topic, partition) = &spec.place;
        let topics =
            vec![WritableTxnMarkerTopic { name: topic.clone(), partition_indexes: vec![*partition] }];
        let marker = WritableTxnMarker {
            producer_id: spec.producer_id,
            producer_epoch: spec.producer_epoch,
            transaction_result: false,
            topics,
            coordinator_epoch: spec.coordinator_epoch,
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let deadline = self.patience();
        loop {
            match self.write_markers_once(&spec.place, &request).await {
                Err(error) if error.is_retriable() && self.pause(deadline).await => self.forget(topic),
                done => return done,
            }
        }
    }

    async fn write_markers_once(
        &mut self,
        place: &Place,
        request: &WriteTxnMarkersRequest,
    ) -> Result<(), ClientError> {
        let leader = self.leader(place).await?;
        let response = self.node(leader).await?.call(request).await?;
        let topics = response.markers.iter().flat_map(|marker| &marker.topics);
        let codes: Vec<i16> =
            topics.flat_map(|topic| topic.partitions.iter().map(|it| it.error_code)).collect();
        match codes[..] {
            [code] => check(code, None),
            _ => Err(no_answer()),
        }
    }

    /// Ends the transaction of a transactional id, if one is open, and fences the producer that has it. Where none has it the
    /// coordinator knows of it from now on.
    pub async fn fence_producer(&mut self, id: &str) -> Result<(), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: Some(id.to_owned()),
            // Nobody will begin a transaction that could last so long.
            transaction_timeout_ms: millis(self.options().request_timeout),
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let deadline = self.patience();
        let (_, response) = self
            .ask_coordinator((CoordinatorType::Transaction, id), &request, i16::MAX, deadline, |response| {
                response.error_code
            })
            .await?;
        check(response.error_code, None)
    }
}

/// The error of a listing, in the words of Kafka's client, which names the broker and not the error.
fn judge_listing(broker: i32, code: i16) -> Result<(), ClientError> {
    match ErrorCode::from(code) {
        ErrorCode::CoordinatorNotAvailable => check(
            code,
            Some(&format!(
                "ListTransactions request sent to broker {broker} failed because the coordinator is shutting down"
            )),
        ),
        _ => check(
            code,
            Some(&format!(
                "ListTransactions request sent to broker {broker} failed with an unexpected exception"
            )),
        ),
    }
}

fn no_answer() -> ClientError {
    ClientError::refused(ErrorCode::UnknownServerError)
}

fn described(state: DescribedState, coordinator: Coordinator) -> DescribedTransaction {
    let places = |topic: TopicData| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
    };
    DescribedTransaction {
        coordinator,
        state: state.transaction_state,
        producer_id: state.producer_id,
        producer_epoch: state.producer_epoch,
        timeout_ms: state.transaction_timeout_ms,
        start_ms: Some(state.transaction_start_time_ms).filter(|time| *time >= 0),
        partitions: state.topics.into_iter().flat_map(places).collect(),
    }
}

fn producers(response: DescribeProducersResponse) -> ByPlace<Vec<DescribedProducer>> {
    let mut answers = ByPlace::new();
    for topic in response.topics {
        for it in topic.partitions {
            let answer = check(it.error_code, it.error_message.as_deref()).map(|()| it.active_producers);
            answers.insert((topic.name.clone(), it.partition_index), answer);
        }
    }
    answers
}

//! The task of a producer: sends what is due, and repeats what can be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Records};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::batch::{Batch, Identity};
use super::queue::Queue;
use super::transactional::Enlisted;
use super::{Command, Place, ProducerOptions, Shared};
use crate::backoff::dice;
use crate::cluster::{Cluster, Partition, millis};
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// Topics go by their names up to this version of Produce.
const PRODUCE_VERSION_MAX: i16 = 12;

type Sent = (Vec<(Place, Batch)>, Result<ProduceResponse, ClientError>);

pub(super) struct Deliverer {
    cluster: Cluster,
    options: ProducerOptions,
    shared: Arc<Shared>,
    /// Who the producer is to partitions that have not been written to yet.
    identity: Option<Identity>,
    /// What the records are part of.
    enlisted: Option<Enlisted>,
    queues: BTreeMap<Place, Queue>,
    on_the_way: JoinSet<Sent>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Drop for Deliverer {
    /// Lets nobody wait for a task that is gone.
    fn drop(&mut self) {
        self.shared.gathered().close();
        self.shared.room.notify_waiters();
    }
}

impl Deliverer {
    pub(super) fn new(
        cluster: Cluster,
        options: ProducerOptions,
        shared: Arc<Shared>,
        enlisted: Option<Enlisted>,
    ) -> Deliverer {
        Deliverer {
            cluster,
            options,
            shared,
            identity: None,
            enlisted,
            queues: BTreeMap::new(),
            on_the_way: JoinSet::new(),
            flushes: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let shared = self.shared.clone();
        let mut open = true;
        while open || !self.is_idle() {
            let wake = self.wakes_at();
            tokio::select! {
                command = commands.recv(), if open => match command {
                    Some(command) => self.carry_out(command).await,
                    None => open = false,
                },
                () = shared.work.notified() => {}
                Some(sent) = self.on_the_way.join_next() => if let Ok(sent) = sent { self.settle(sent) },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.take_due(!open || !self.flushes.is_empty());
            self.send_ready().await;
            if self.is_idle() {
                for done in self.flushes.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    async fn carry_out(&mut self, command: Command) {
        match command {
            Command::Find(topic, deadline, mut found) => tokio::select! {
                partitions = self.partitions(&topic, deadline) => drop(found.send(partitions.map(drop))),
                // Who has given up is not kept waiting for a cluster that is away.
                () = found.closed() => {}
            },
            Command::Flush(done) => self.flushes.push(done),
        }
    }

    /// The partitions of a topic; callers are told how many there are.
    async fn partitions(
        &mut self,
        topic: &Arc<str>,
        deadline: Instant,
    ) -> Result<Vec<Partition>, ClientError> {
        let partitions = self.cluster.partitions_until(topic, true, deadline).await?;
        let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        self.shared.gathered().set_partitions(topic, count);
        Ok(partitions)
    }

    fn is_idle(&self) -> bool {
        self.on_the_way.is_empty()
            && self.queues.values().all(Queue::is_empty)
            && self.shared.gathered().is_empty()
    }

    fn wakes_at(&self) -> Option<Instant> {
        let lingers = self.shared.gathered().watch(|place| is_free(&self.queues, place));
        self.queues.values().filter_map(Queue::wakes_at).chain(lingers).min()
    }

    /// Takes the batches that are full or have lingered, or all. A partition that has one to send lets the next one grow.
    fn take_due(&mut self, all: bool) {
        let is_free = |place: &Place| is_free(&self.queues, place);
        let due = self.shared.gathered().take_due(Instant::now(), all, is_free);
        for (place, batch) in due {
            self.queues.entry(place).or_default().sealed.push_back(batch);
        }
    }

    /// Sends the first batch of each partition that has one and nothing on its way, a request a leader.
    async fn send_ready(&mut self) {
        let now = Instant::now();
        let ready = self.queues.iter().filter(|(_, queue)| queue.is_ready(now));
        let places: Vec<Place> = ready.map(|(place, _)| place.clone()).collect();
        let mut by_leader: BTreeMap<i32, Vec<(Place, Batch)>> = BTreeMap::new();
        let enlisted = self.enlist(&places).await;
        for place in places {
            let prepared = match &enlisted {
                Ok(()) => self.prepare(&place).await,
                Err(error) => Err(twin(error)),
            };
            match prepared {
                Ok(leader) => by_leader.entry(leader).or_default().extend(self.take(place)),
                Err(error) => self.repeat_or_fail(place, error),
            }
        }
        for (leader, batches) in by_leader {
            let connection = self.cluster.node(leader).await;
            self.spawn(connection, batches);
        }
    }

    /// Makes partitions part of the transaction, if there is one.
    async fn enlist(&mut self, places: &[Place]) -> Result<(), ClientError> {
        match &self.enlisted {
            Some(enlisted) if !places.is_empty() => enlisted.admit(&mut self.cluster, places).await,
            _ => Ok(()),
        }
    }

    /// Finds the leader, and an identity where the sequence needs one. Tries once: the batch itself is tried again.
    async fn prepare(&mut self, (topic, partition): &Place) -> Result<i32, ClientError> {
        let partitions = self.partitions(topic, Instant::now()).await?;
        if self.options.idempotent {
            self.identify(&(topic.clone(), *partition)).await?;
        }
        let leader = partitions.iter().find(|known| known.partition == *partition).map(|known| known.leader);
        leader.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))
    }

    /// Gives the partition's queue the identity of now, and asks the cluster for one if there is none.
    async fn identify(&mut self, place: &Place) -> Result<(), ClientError> {
        if let Some(enlisted) = &self.enlisted {
            self.queues.entry(place.clone()).or_default().go_on_as(enlisted.identity());
            return Ok(());
        }
        if self.queues.get(place).is_none_or(|queue| queue.identity.is_some()) {
            return Ok(());
        }
        let identity = match self.identity {
            Some(identity) => identity,
            None => self.new_identity().await?,
        };
        self.identity = Some(identity);
        self.queues.entry(place.clone()).or_default().identity = Some(identity);
        Ok(())
    }

    async fn new_identity(&mut self) -> Result<Identity, ClientError> {
        let request = InitProducerIdRequest {
            // An empty name would be one all the same.
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let response = self.cluster.ask_until(&request, Instant::now()).await?;
        check(response.error_code, None)?;
        let (id, epoch) = (response.producer_id, response.producer_epoch);
        Ok(Identity { id, epoch, is_transactional: false })
    }

    fn take(&mut self, place: Place) -> Option<(Place, Batch)> {
        let queue = self.queues.get_mut(&place)?;
        let batch = queue.sealed.pop_front()?;
        queue.in_flight = true;
        Some((place, batch))
    }

    fn spawn(&mut self, connection: Result<Connection, ClientError>, mut batches: Vec<(Place, Batch)>) {
        let request = self.request(&mut batches);
        let acks = self.options.acks;
        let version_max = self.enlisted.as_ref().map_or(PRODUCE_VERSION_MAX, Enlisted::produce_version_max);
        self.on_the_way.spawn(async move {
            let answer = match connection {
                Ok(connection) => send(connection, request, acks, version_max).await,
                Err(error) => Err(error),
            };
            (batches, answer)
        });
    }

    fn request(&mut self, batches: &mut [(Place, Batch)]) -> ProduceRequest {
        let mut topics: Vec<TopicProduceData> = Vec::new();
        for ((topic, partition), batch) in batches {
            let queue = self.queues.entry((topic.clone(), *partition)).or_default();
            let sequence = if batch.sent > 0 { 0 } else { queue.take_sequence(batch.count()) };
            let records = batch.encode(queue.identity, sequence);
            let data = PartitionProduceData { index: *partition, records: Records::Bytes(records) };
            match topics.last_mut().filter(|last| last.name == **topic) {
                Some(last) => last.partition_data.push(data),
                None => topics.push(TopicProduceData {
                    name: topic.to_string(),
                    partition_data: vec![data],
                    ..TopicProduceData::default()
                }),
            }
        }
        let timeout_ms = millis(self.cluster.options().request_timeout);
        let transactional_id = self.enlisted.as_ref().map(Enlisted::id);
        ProduceRequest { transactional_id, acks: self.options.acks, timeout_ms, topic_data: topics }
    }

    fn settle(&mut self, (batches, answer): Sent) {
        match answer {
            Ok(response) => self.settle_each(batches, &response),
            Err(error) => {
                for (place, batch) in batches {
                    self.settle_one(place, batch, Err(twin(&error)));
                }
            }
        }
    }

    fn settle_each(&mut self, batches: Vec<(Place, Batch)>, response: &ProduceResponse) {
        for (place, batch) in batches {
            let result = match answer_for(response, &place) {
                Some(answer) => outcome(answer),
                None if self.options.acks == 0 => Ok(-1),
                None => Err(ClientError::refused(ErrorCode::UnknownServerError)),
            };
            self.settle_one(place, batch, result);
        }
    }

    fn settle_one(&mut self, place: Place, batch: Batch, result: Result<i64, ClientError>) {
        let Some(queue) = self.queues.get_mut(&place) else { return };
        match result {
            Ok(base_offset) => {
                queue.in_flight = false;
                self.shared.release(batch.bytes);
                batch.succeed(place.1, base_offset);
            }
            Err(error) => {
                queue.sealed.push_front(batch);
                self.repeat_or_fail(place, error);
            }
        }
    }

    /// What is to be done with the first batch of a partition that could not be sent.
    fn repeat_or_fail(&mut self, place: Place, error: ClientError) {
        self.cluster.forget(&place.0);
        let Some(queue) = self.queues.get_mut(&place) else { return };
        let Some(batch) = queue.sealed.pop_front() else { return };
        let now = Instant::now();
        let in_time =
            batch.opened + self.options.delivery_timeout > now && batch.sent <= self.options.retries;
        if error.is_retriable() && in_time {
            let pause = self.cluster.options().retry_backoff.pause(batch.sent, dice());
            queue.put_back(batch, now + pause);
        } else {
            queue.give_up();
            self.identity = None;
            self.enlisted.iter().for_each(|enlisted| enlisted.lose(&error));
            self.shared.release(batch.bytes);
            batch.fail(error);
        }
    }
}

/// Whether a partition has nothing to send, and nothing on its way.
fn is_free(queues: &BTreeMap<Place, Queue>, place: &Place) -> bool {
    queues.get(place).is_none_or(Queue::is_empty)
}

async fn send(
    connection: Connection,
    request: ProduceRequest,
    acks: i16,
    version_max: i16,
) -> Result<ProduceResponse, ClientError> {
    if acks == 0 {
        connection.tell(&request, version_max).await?;
        return Ok(ProduceResponse::default());
    }
    connection.call_up_to(&request, version_max).await
}

fn answer_for<'a>(response: &'a ProduceResponse, place: &Place) -> Option<&'a PartitionProduceResponse> {
    let topic = response.responses.iter().find(|topic| *topic.name == *place.0)?;
    topic.partition_responses.iter().find(|partition| partition.index == place.1)
}

/// The base offset. A duplicate that the broker has no offset for any more is there all the same.
fn outcome(answer: &PartitionProduceResponse) -> Result<i64, ClientError> {
    match ErrorCode::from(answer.error_code) {
        ErrorCode::None => Ok(answer.base_offset),
        ErrorCode::DuplicateSequenceNumber => Ok(-1),
        code => Err(ClientError::Refused { code, message: answer.error_message.clone() }),
    }
}

/// The error that each batch of a failed request gets.
fn twin(error: &ClientError) -> ClientError {
    match error {
        ClientError::Refused { code, message } => {
            ClientError::Refused { code: *code, message: message.clone() }
        }
        error if error.is_retriable() => {
            ClientError::Refused { code: ErrorCode::NetworkException, message: Some(error.to_string()) }
        }
        error => {
            ClientError::Refused { code: ErrorCode::UnknownServerError, message: Some(error.to_string()) }
        }
    }
}

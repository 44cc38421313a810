//! The task of a producer: gathers records, sends what is due, and repeats what can be repeated.

use std::collections::{BTreeMap, HashMap};

use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use protocol::{ErrorCode, Records};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::batch::{Batch, Identity, size};
use super::queue::Queue;
use super::{Command, Fate, ProducerOptions, ProducerRecord};
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::{ClientError, check};
use crate::partitioner::{Sticky, partition_for_key};

/// Topics go by their names up to this version of Produce.
const PRODUCE_VERSION_MAX: i16 = 12;

type Place = (String, i32);
type Sent = (Vec<(Place, Batch)>, Result<ProduceResponse, ClientError>);

pub(super) struct Deliverer {
    cluster: Cluster,
    options: ProducerOptions,
    /// Who the producer is to partitions that have not been written to yet.
    identity: Option<Identity>,
    sticky: HashMap<String, Sticky>,
    queues: BTreeMap<Place, Queue>,
    buffered: usize,
    on_the_way: JoinSet<Sent>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Deliverer {
    pub(super) fn new(cluster: Cluster, options: ProducerOptions) -> Deliverer {
        Deliverer {
            cluster,
            options,
            identity: None,
            sticky: HashMap::new(),
            queues: BTreeMap::new(),
            buffered: 0,
            on_the_way: JoinSet::new(),
            flushes: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut open = true;
        while open || !self.is_idle() {
            let wake = self.wakes_at();
            tokio::select! {
                command = commands.recv(), if open && self.buffered < self.options.buffer_bytes => match command {
                    Some(command) => self.take_commands(command, &mut commands).await,
                    None => open = false,
                },
                Some(sent) = self.on_the_way.join_next() => if let Ok(sent) = sent { self.settle(sent) },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                else => break,
            }
            self.seal(!open || !self.flushes.is_empty());
            self.send_ready().await;
            if self.is_idle() {
                for done in self.flushes.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    /// Carries out what callers asked for, all of it at once where many calls wait.
    async fn take_commands(&mut self, first: Command, commands: &mut mpsc::Receiver<Command>) {
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Send(record, fate, since) => self.append(record, fate, since).await,
                Command::Flush(done) => {
                    self.flushes.push(done);
                    return;
                }
            }
            let has_room = self.buffered < self.options.buffer_bytes;
            next = if has_room { commands.try_recv().ok() } else { None };
        }
    }

    fn is_idle(&self) -> bool {
        self.on_the_way.is_empty() && self.queues.values().all(Queue::is_empty)
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.queues.values().filter_map(|queue| queue.wakes_at(self.options.linger)).min()
    }

    async fn append(&mut self, record: ProducerRecord, fate: oneshot::Sender<Fate>, since: Instant) {
        if let Some(error) = too_large(&record, self.options.request_bytes_max) {
            drop(fate.send(Err(error.into())));
            return;
        }
        match self.place(&record, since).await {
            Ok(place) => self.push(place, record, fate),
            Err(error) => drop(fate.send(Err(error.into()))),
        }
    }

    async fn place(&mut self, record: &ProducerRecord, since: Instant) -> Result<Place, ClientError> {
        let deadline = since + self.cluster.options().retry_for;
        let count = self.cluster.partitions_until(&record.topic, true, deadline).await?.len();
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) if (0..count).contains(&partition) => partition,
            (Some(_), _) => return Err(ClientError::refused(ErrorCode::UnknownTopicOrPartition)),
            (None, Some(key)) => partition_for_key(key, count),
            (None, None) => self.sticky(&record.topic).partition(count),
        };
        Ok((record.topic.clone(), partition))
    }

    fn sticky(&mut self, topic: &str) -> &mut Sticky {
        self.sticky.entry(topic.to_owned()).or_insert_with(Sticky::starting_anywhere)
    }

    fn push(&mut self, place: Place, record: ProducerRecord, fate: oneshot::Sender<Fate>) {
        let size = size(&record);
        let batch_bytes = self.options.batch_bytes;
        if record.partition.is_none() && record.key.is_none() {
            self.sticky(&place.0).count(size, batch_bytes);
        }
        let queue = self.queues.entry(place).or_default();
        if queue.open.as_ref().is_some_and(|batch| batch.bytes + size > batch_bytes) {
            queue.seal();
        }
        queue.open.get_or_insert_with(|| Batch::open(Instant::now())).push(record, fate);
        self.buffered += size;
    }

    /// Closes the batches that have lingered, or all.
    fn seal(&mut self, all: bool) {
        let now = Instant::now();
        let linger = self.options.linger;
        for queue in self.queues.values_mut() {
            if queue.open.as_ref().is_some_and(|batch| all || batch.opened + linger <= now) {
                queue.seal();
            }
        }
    }

    /// Sends the first batch of each partition that has one and nothing on its way, a request a leader.
    async fn send_ready(&mut self) {
        let now = Instant::now();
        let ready = self.queues.iter().filter(|(_, queue)| queue.is_ready(now));
        let places: Vec<Place> = ready.map(|(place, _)| place.clone()).collect();
        let mut by_leader: BTreeMap<i32, Vec<(Place, Batch)>> = BTreeMap::new();
        for place in places {
            match self.prepare(&place).await {
                Ok(leader) => by_leader.entry(leader).or_default().extend(self.take(place)),
                Err(error) => self.repeat_or_fail(place, error),
            }
        }
        for (leader, batches) in by_leader {
            let connection = self.cluster.node(leader).await;
            self.spawn(connection, batches);
        }
    }

    /// Finds the leader, and an identity where the sequence needs one. Tries once: the batch itself is tried again.
    async fn prepare(&mut self, (topic, partition): &Place) -> Result<i32, ClientError> {
        let partitions = self.cluster.partitions_until(topic, true, Instant::now()).await?;
        if self.options.idempotent {
            self.identify(&(topic.clone(), *partition)).await?;
        }
        let leader = partitions.iter().find(|known| known.partition == *partition).map(|known| known.leader);
        leader.ok_or_else(|| ClientError::refused(ErrorCode::UnknownTopicOrPartition))
    }

    /// Gives the partition's queue the identity of now, and asks the cluster for one if there is none.
    async fn identify(&mut self, place: &Place) -> Result<(), ClientError> {
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
        Ok((response.producer_id, response.producer_epoch))
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
        self.on_the_way.spawn(async move {
            let answer = match connection {
                Ok(connection) => send(connection, request, acks).await,
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
            let records = batch.encode(self.options.compression, queue.identity, sequence);
            let data = PartitionProduceData { index: *partition, records: Records::Bytes(records) };
            match topics.last_mut().filter(|last| last.name == *topic) {
                Some(last) => last.partition_data.push(data),
                None => topics.push(TopicProduceData {
                    name: topic.clone(),
                    partition_data: vec![data],
                    ..TopicProduceData::default()
                }),
            }
        }
        let timeout_ms =
            i32::try_from(self.cluster.options().request_timeout.as_millis()).unwrap_or(i32::MAX);
        ProduceRequest { transactional_id: None, acks: self.options.acks, timeout_ms, topic_data: topics }
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
                self.buffered -= batch.bytes;
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
            queue.put_back(batch, now + self.cluster.options().retry_backoff);
        } else {
            queue.give_up();
            self.identity = None;
            self.buffered -= batch.bytes;
            batch.fail(error);
        }
    }
}

/// Why a record cannot even be tried: no request has room for it.
fn too_large(record: &ProducerRecord, bytes_max: usize) -> Option<ClientError> {
    let bytes = size(record);
    (bytes > bytes_max).then(|| ClientError::Refused {
        code: ErrorCode::MessageTooLarge,
        message: Some(format!("the record takes {bytes} bytes, a request has room for {bytes_max}")),
    })
}

async fn send(
    connection: Connection,
    request: ProduceRequest,
    acks: i16,
) -> Result<ProduceResponse, ClientError> {
    if acks == 0 {
        connection.tell(&request, PRODUCE_VERSION_MAX).await?;
        return Ok(ProduceResponse::default());
    }
    connection.call_up_to(&request, PRODUCE_VERSION_MAX).await
}

fn answer_for<'a>(response: &'a ProduceResponse, place: &Place) -> Option<&'a PartitionProduceResponse> {
    let topic = response.responses.iter().find(|topic| topic.name == place.0)?;
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

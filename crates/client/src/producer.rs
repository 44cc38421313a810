//! Producing: callers put their records into batches, and a task of its own sends the batches; one of a partition is on its way at a time.

mod accumulator;
mod batch;
mod delivery;
mod queue;
mod receipt;
mod transaction;
mod transactional;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::compression::Compression;
use protocol::records::Header;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::partitioner::Partitioner;
use accumulator::{Accumulator, Appended};
use delivery::Deliverer;
pub use receipt::{Delivery, Fate, Receipt};
pub use transaction::{TransactionError, TransactionRefusal};
use transactional::Enlisted;
pub use transactional::{GroupMember, TransactionOptions, TransactionalProducer};

/// How records are sent.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// When the broker answers: 0 never, 1 when the leader has the records, -1 when all in-sync replicas have.
    pub acks: i16,
    /// Whether the broker drops what arrives twice. Takes acks of -1.
    pub idempotent: bool,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// How large a batch grows before it is sent.
    pub batch_bytes: usize,
    /// How batches are compressed.
    pub compression: Compression,
    /// Where records go that name no partition.
    pub partitioner: Partitioner,
    /// How long a record may take from the call to the answer. Only to find the topic may take longer: that goes by
    /// [`ClientOptions::retry_for`](crate::ClientOptions::retry_for).
    pub delivery_timeout: Duration,
    /// How often a batch is sent again.
    pub retries: u32,
    /// How large a record, with its headers, may be.
    pub request_bytes_max: usize,
    /// How many bytes may wait before the caller does, at most for [`ClientOptions::retry_for`](crate::ClientOptions::retry_for). No
    /// record may be larger.
    pub buffer_bytes: usize,
}

impl Default for ProducerOptions {
    fn default() -> ProducerOptions {
        ProducerOptions {
            acks: -1,
            idempotent: true,
            linger: Duration::from_millis(5),
            batch_bytes: 16_384,
            compression: Compression::None,
            partitioner: Partitioner::Murmur2,
            delivery_timeout: Duration::from_secs(120),
            retries: u32::MAX,
            request_bytes_max: 1 << 20,
            buffer_bytes: 32 << 20,
        }
    }
}

/// A record to be sent.
#[derive(Clone, Debug, Default)]
pub struct ProducerRecord {
    /// The topic, which comes into being if the broker lets it.
    pub topic: Arc<str>,
    /// The partition; by the key, or one after the other, if none.
    pub partition: Option<i32>,
    /// What decides the partition.
    pub key: Option<Bytes>,
    /// The content.
    pub value: Option<Bytes>,
    /// Any further content.
    pub headers: Vec<Header>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

/// A partition by topic and number.
type Place = (Arc<str>, i32);

enum Command {
    /// How many partitions a topic has: to be found out until then.
    Find(Arc<str>, Instant, oneshot::Sender<Result<(), ClientError>>),
    Flush(oneshot::Sender<()>),
}

/// What callers and the task have in common.
#[derive(Debug)]
struct Shared {
    gathered: Mutex<Accumulator>,
    /// Told when the task has something to do: a batch is full, or begins to linger.
    work: Notify,
    /// Told when there is room again.
    room: Notify,
}

impl Shared {
    fn gathered(&self) -> MutexGuard<'_, Accumulator> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for callers that wait: the fate of so many bytes is known.
    fn release(&self, bytes: usize) {
        self.gathered().release(bytes);
        self.room.notify_waiters();
    }
}

/// Sends records to a cluster.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    /// How long a call may wait for its topic to be found, or for room in the buffer.
    block_within: Duration,
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

/// Calls that may wait for the task.
const QUEUE_COMMANDS: usize = 256;

impl Producer {
    /// Starts a producer with connections of its own.
    pub fn new(cluster: Cluster, options: ProducerOptions) -> Producer {
        Producer::start(cluster, options, None)
    }

    fn start(cluster: Cluster, options: ProducerOptions, enlisted: Option<Enlisted>) -> Producer {
        let (commands, queue) = mpsc::channel(QUEUE_COMMANDS);
        let shared = Arc::new(Shared {
            gathered: Mutex::new(Accumulator::new(options.clone())),
            work: Notify::new(),
            room: Notify::new(),
        });
        let block_within = cluster.options().retry_for;
        let task = tokio::spawn(Deliverer::new(cluster, options, shared.clone(), enlisted).run(queue));
        Producer { shared, block_within, commands, task }
    }

    /// Hands a record over; waits while the buffer is full or the topic is looked for. What became of it is told by the receipt.
    pub async fn send(&self, record: ProducerRecord) -> Receipt {
        // A caller that sends without end lets others run too.
        consume_budget().await;
        let mut deadline = None;
        loop {
            match self.append(&record) {
                Appended::Taken(receipt) => return receipt,
                Appended::NoRoom => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.block_within);
                    if timeout_at(deadline, self.wait_for_room()).await.is_err() {
                        return Receipt::of_failure(no_room(self.block_within));
                    }
                }
                Appended::UnknownTopic => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.block_within);
                    if let Err(error) = self.find(&record.topic, deadline).await {
                        return Receipt::of_failure(error);
                    }
                }
            }
        }
    }

    fn append(&self, record: &ProducerRecord) -> Appended {
        let mut gathered = self.shared.gathered();
        let appended = gathered.append(record, Instant::now);
        let has_work = gathered.take_has_work();
        drop(gathered);
        if has_work {
            self.shared.work.notify_one();
        }
        appended
    }

    async fn wait_for_room(&self) {
        let mut room = std::pin::pin!(self.shared.room.notified());
        // From here on no room that is made is missed.
        room.as_mut().enable();
        if !self.shared.gathered().has_room() {
            room.await;
        }
    }

    /// Lets the task find out how many partitions a topic has.
    async fn find(&self, topic: &Arc<str>, deadline: Instant) -> Result<(), ClientError> {
        let (found, answer) = oneshot::channel();
        // A task that is gone drops the sender.
        let _ = self.commands.send(Command::Find(topic.clone(), deadline, found)).await;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Sends what waits without lingering, and returns when every record's fate is known.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.commands.send(Command::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }

    /// Flushes and ends.
    pub async fn close(self) {
        drop(self.commands);
        let _ = self.task.await;
    }
}

/// Why a record is not sent that found no room in time.
fn no_room(within: Duration) -> ClientError {
    let message = format!("the buffer of the producer had no room for {} ms", within.as_millis());
    ClientError::Refused { code: ErrorCode::RequestTimedOut, message: Some(message) }
}

/// Why a record is not sent by a producer whose task is gone.
fn ended() -> ClientError {
    ClientError::Refused {
        code: ErrorCode::UnknownServerError,
        message: Some("the producer has ended".to_owned()),
    }
}

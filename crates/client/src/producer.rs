//! Producing: records are gathered into batches by a task of its own, one batch a partition is on its way at a time.

mod batch;
mod delivery;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::records::Header;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::ClientError;
use delivery::Deliverer;

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
    /// How long a record may take from the call to the answer. Only to find the topic may take longer: that goes by
    /// [`ClientOptions::retry_for`](crate::ClientOptions::retry_for).
    pub delivery_timeout: Duration,
    /// How often a batch is sent again.
    pub retries: u32,
    /// How large a record, with its headers, may be.
    pub request_bytes_max: usize,
    /// How many bytes may wait before the caller does.
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
    pub topic: String,
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

/// Where a record has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: i32,
    /// The offset there; -1 where the broker does not say.
    pub offset: i64,
}

/// The fate of a record: where it is, or why nowhere. Many records of a batch share one error.
pub type Fate = Result<Delivery, Arc<ClientError>>;

/// The promise of a record's fate.
pub type Receipt = oneshot::Receiver<Fate>;

enum Command {
    /// A record, whom to tell, and since when its caller has been waiting.
    Send(ProducerRecord, oneshot::Sender<Fate>, Instant),
    Flush(oneshot::Sender<()>),
}

/// Sends records to a cluster.
#[derive(Debug)]
pub struct Producer {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

/// Calls that may wait for the task.
const QUEUE_COMMANDS: usize = 256;

impl Producer {
    /// Starts a producer with connections of its own.
    pub fn new(cluster: Cluster, options: ProducerOptions) -> Producer {
        let (commands, queue) = mpsc::channel(QUEUE_COMMANDS);
        let task = tokio::spawn(Deliverer::new(cluster, options).run(queue));
        Producer { commands, task }
    }

    /// Hands a record over; waits while the buffer is full. What became of it is told by the receipt.
    pub async fn send(&self, record: ProducerRecord) -> Receipt {
        let (fate, receipt) = oneshot::channel();
        // A task that is gone drops the sender, which the receipt tells.
        let _ = self.commands.send(Command::Send(record, fate, Instant::now())).await;
        receipt
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

//! A batch: records in the wire format, and whom to tell what became of them.

use std::sync::Arc;

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::records::BatchBuilder;
use tokio::time::Instant;

use super::receipt::{Delivery, Outcome, Receipt};
use super::{ProducerRecord, ended};
use crate::error::ClientError;

/// What brokers know an idempotent producer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
    /// Whether all of its records are part of transactions.
    pub(super) is_transactional: bool,
}

impl Identity {
    fn sign(self, builder: BatchBuilder, sequence: i32) -> BatchBuilder {
        let builder = builder.producer(self.id, self.epoch, sequence);
        if self.is_transactional { builder.transactional() } else { builder }
    }
}

/// Room that is made for a batch at once, at most.
const ROOM_BYTES_MAX: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Batch {
    /// Takes records until the batch is sent first.
    builder: Option<BatchBuilder>,
    /// The bytes that were sent first; a retry sends the same, so that the broker knows them again.
    wire: Bytes,
    count: i32,
    /// Size in bytes, before compression.
    pub(super) bytes: usize,
    pub(super) opened: Instant,
    /// How often it was handed to a connection.
    pub(super) sent: u32,
    outcome: Outcome,
}

impl Batch {
    /// A batch that is to get about so many bytes.
    pub(super) fn open(now: Instant, compression: Compression, bytes: usize) -> Batch {
        let builder = BatchBuilder::new(0, compression).with_room(bytes.min(ROOM_BYTES_MAX));
        Batch {
            bytes: builder.size_in_bytes(),
            builder: Some(builder),
            wire: Bytes::new(),
            count: 0,
            opened: now,
            sent: 0,
            outcome: Outcome::default(),
        }
    }

    /// Adds a record; none to a batch that was sent.
    pub(super) fn push(&mut self, record: &ProducerRecord) -> Receipt {
        if let Some(builder) = &mut self.builder {
            builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
            self.bytes = builder.size_in_bytes();
        }
        self.count += 1;
        Receipt::new(self.outcome.clone(), self.count - 1)
    }

    /// How many records there are.
    pub(super) fn count(&self) -> i32 {
        self.count
    }

    /// The batch in the wire format for a connection, with the sequence of its first record.
    pub(super) fn encode(&mut self, identity: Option<Identity>, sequence: i32) -> Bytes {
        self.sent = self.sent.saturating_add(1);
        if let Some(builder) = self.builder.take() {
            let builder = match identity {
                Some(identity) => identity.sign(builder, sequence),
                None => builder,
            };
            self.wire = builder.build();
        }
        self.wire.clone()
    }

    /// Tells every record its offset; -1 stands for an unknown one.
    pub(super) fn succeed(self, partition: i32, base_offset: i64) {
        let delivery = Delivery { partition, offset: base_offset.max(-1), at: Instant::now() };
        let _ = self.outcome.set(Ok(delivery));
    }

    pub(super) fn fail(self, error: ClientError) {
        let _ = self.outcome.set(Err(Arc::new(error)));
    }
}

impl Drop for Batch {
    /// A batch that nobody decided on ends with its producer.
    fn drop(&mut self) {
        if !self.outcome.initialized() {
            let _ = self.outcome.set(Err(Arc::new(ended())));
        }
    }
}

/// The most that a record takes of a batch, in bytes.
pub(super) fn size(record: &ProducerRecord) -> usize {
    BatchBuilder::record_bytes_max(record.key.as_deref(), record.value.as_deref(), &record.headers)
}

//! A batch on its way: its records, and whom to tell.

use std::sync::Arc;

use bytes::Bytes;
use protocol::compression::Compression;
use protocol::records::BatchBuilder;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Delivery, Fate, ProducerRecord};
use crate::error::ClientError;

/// The producer id and epoch that brokers know an idempotent producer by.
pub(super) type Identity = (i64, i16);

pub(super) struct Batch {
    records: Vec<(ProducerRecord, oneshot::Sender<Fate>)>,
    pub(super) bytes: usize,
    pub(super) opened: Instant,
    /// How often it was handed to a connection.
    pub(super) sent: u32,
    /// The bytes that were sent first; a retry sends the same, so that the broker knows them again.
    wire: Option<Bytes>,
}

impl Batch {
    pub(super) fn open(now: Instant) -> Batch {
        Batch { records: Vec::new(), bytes: 0, opened: now, sent: 0, wire: None }
    }

    pub(super) fn push(&mut self, record: ProducerRecord, fate: oneshot::Sender<Fate>) {
        self.bytes += size(&record);
        self.records.push((record, fate));
    }

    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.records.len()).unwrap_or(i32::MAX)
    }

    /// The batch in the wire format for a connection, with the sequence of its first record.
    pub(super) fn encode(
        &mut self,
        compression: Compression,
        identity: Option<Identity>,
        sequence: i32,
    ) -> Bytes {
        self.sent = self.sent.saturating_add(1);
        if let Some(wire) = &self.wire {
            return wire.clone();
        }
        let mut builder = BatchBuilder::new(0, compression);
        if let Some((id, epoch)) = identity {
            builder = builder.producer(id, epoch, sequence);
        }
        for (record, _) in &self.records {
            builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
        }
        let wire = builder.build();
        self.wire = Some(wire.clone());
        wire
    }

    /// Tells every record its offset; -1 stands for an unknown one.
    pub(super) fn succeed(self, partition: i32, base_offset: i64) {
        for (at, (_, fate)) in (0..).zip(self.records) {
            let offset = if base_offset < 0 { -1 } else { base_offset + at };
            let _ = fate.send(Ok(Delivery { partition, offset }));
        }
    }

    pub(super) fn fail(self, error: ClientError) {
        let error = Arc::new(error);
        for (_, fate) in self.records {
            let _ = fate.send(Err(error.clone()));
        }
    }
}

pub(super) fn size(record: &ProducerRecord) -> usize {
    BatchBuilder::record_bytes_max(record.key.as_deref(), record.value.as_deref(), &record.headers)
}

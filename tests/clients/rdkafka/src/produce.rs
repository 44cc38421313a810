//! The idempotent producer.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::lines::{Lines, Record};
use crate::{Outcome, PATIENCE, Settings};

/// Keeps the first record's error.
#[derive(Clone, Default)]
struct FirstError(Arc<Mutex<Option<KafkaError>>>);

impl ClientContext for FirstError {}

impl ProducerContext for FirstError {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = delivered {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}

pub fn produce(settings: &Settings, lines: &mut Lines, topic: &str, codec: &str, count: usize) -> Outcome {
    let records = (0..count).map(|_| lines.record()).collect::<Outcome<Vec<_>>>()?;
    let error = FirstError::default();
    let producer: BaseProducer<FirstError> = settings
        .with(&[
            ("enable.idempotence", "true"),
            ("compression.type", codec),
            ("linger.ms", "20"),
            ("message.max.bytes", "10000000"),
        ])
        .create_with_context(error.clone())?;
    for record in &records {
        producer.send(to_send(topic, record)).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    let first = error.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    first.map_or(Ok(()), |error| Err(error.into()))
}

fn to_send<'a>(topic: &'a str, record: &'a Record) -> BaseRecord<'a, [u8], [u8]> {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: value.as_deref() })
    });
    let mut to_send =
        BaseRecord::to(topic).partition(record.partition).timestamp(record.timestamp_ms).headers(headers);
    to_send.key = record.key.as_deref();
    to_send.payload = record.value.as_deref();
    to_send
}

//! Producers that have not written for long are forgotten (`producer.id.expiration.ms`), so that memory does not grow with all that
//! ever wrote.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::Broker;

/// Looks for them now and then, until the broker stops.
pub(crate) fn start(broker: &Arc<Broker>) {
    tokio::spawn(run(Arc::downgrade(broker)));
}

async fn run(broker: Weak<Broker>) {
    while let Some((pause, mut stopping)) = broker.upgrade().map(|broker| {
        let pause_ms = broker.config().logs.producer_id_expiration_check_interval_ms;
        (Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1)), broker.stopping.clone())
    }) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        if let Some(broker) = broker.upgrade() {
            expire(&broker);
        }
    }
}

/// Each log is locked for as long as its producers take to look through.
fn expire(broker: &Broker) {
    let (now_ms, expiration_ms) =
        (broker.host.clock.now_ms(), i64::from(broker.config().logs.producer_id_expiration_ms));
    let partitions = broker.partitions.all();
    let expired: usize =
        partitions.iter().map(|partition| partition.log.expire_producers(now_ms, expiration_ms)).sum();
    if expired > 0 {
        tracing::debug!(expired, "producers that have not written for long are forgotten");
    }
}

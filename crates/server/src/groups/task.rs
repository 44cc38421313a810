//! The task of a partition: deadlines, flushes, loads.

use std::sync::{Arc, Weak};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::load;
use super::mailbox::Mailbox;
use super::partition::{Partition, Step};

/// Works until the partition is not led any more. Asleep it holds the mailbox only.
pub(super) async fn run(partition: Weak<Partition>, mailbox: Arc<Mailbox>, loads: Arc<Semaphore>) {
    while let Some(led) = partition.upgrade() {
        match led.next_step() {
            Step::End => return,
            Step::Load => load_now(led, &loads).await,
            Step::Sleep(duration) => {
                drop(led);
                match duration {
                    Some(duration) => drop(timeout(duration, mailbox.woken()).await),
                    None => mailbox.woken().await,
                }
            }
        }
    }
}

async fn load_now(partition: Arc<Partition>, loads: &Semaphore) {
    let log = partition.log();
    if !log.is_cold(log.log_start_offset()) {
        return load::run(&partition);
    }
    // The semaphore is never closed; a load without it would do no harm.
    let _permit = loads.acquire().await;
    let loading = partition.clone();
    if let Err(error) = spawn_blocking(move || load::run(&loading)).await {
        tracing::error!(partition = %partition.log().id(), %error, "loading groups came to an end");
        partition.fail_load();
    }
}

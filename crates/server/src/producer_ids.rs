//! Ids for producers, taken from blocks that the controller gives (KIP-730).

use protocol::ErrorCode;
use protocol::messages::AllocateProducerIdsRequest;
use tokio::sync::Mutex;

use crate::Broker;

/// What is left of the last block.
#[derive(Default)]
pub(crate) struct ProducerIds {
    block: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// An id that no producer had before.
    pub(crate) async fn next(&self, broker: &Broker) -> Result<i64, ErrorCode> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = allocate(broker).await?;
        }
        block.next().ok_or(ErrorCode::UnknownServerError)
    }
}

async fn allocate(broker: &Broker) -> Result<std::ops::Range<i64>, ErrorCode> {
    let request = AllocateProducerIdsRequest { broker_id: broker.node_id, broker_epoch: broker.epoch() };
    let decide =
        |context: &mut controller::Context<'_>, _| controller::allocate_producer_ids(context.image, &request);
    let block = broker.change(decide).await.map_err(|error| error.code())?;
    match ErrorCode::from(block.error_code) {
        ErrorCode::None => {
            Ok(block.producer_id_start..block.producer_id_start + i64::from(block.producer_id_len))
        }
        // The producer asks again.
        _ => Err(ErrorCode::CoordinatorLoadInProgress),
    }
}

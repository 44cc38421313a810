//! Blocks of producer ids (KIP-730).

use metadata::Image;
use protocol::ErrorCode;
use protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerIdsRecord};

use crate::Decision;
use crate::brokers::check_epoch;

/// Ids in a block.
pub const PRODUCER_ID_BLOCK_SIZE: i32 = 1000;

/// Gives a broker the next block of ids: STALE_BROKER_EPOCH if it is not registered in that epoch.
pub fn allocate_producer_ids(
    image: &Image,
    request: &AllocateProducerIdsRequest,
) -> Decision<AllocateProducerIdsResponse> {
    let refused = |error: ErrorCode| {
        let error_code = error.code();
        Decision::unchanged(AllocateProducerIdsResponse { error_code, ..Default::default() })
    };
    if let Err(refusal) = check_epoch(image, request.broker_id, request.broker_epoch) {
        return refused(refusal.error);
    }
    let producer_id_start = image.producer_ids.next_producer_id;
    let Some(next_producer_id) = producer_id_start.checked_add(i64::from(PRODUCER_ID_BLOCK_SIZE)) else {
        return refused(ErrorCode::UnknownServerError);
    };
    let record = ProducerIdsRecord {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        next_producer_id,
    };
    let producer_id_len = PRODUCER_ID_BLOCK_SIZE;
    let reply = AllocateProducerIdsResponse { producer_id_start, producer_id_len, ..Default::default() };
    Decision { records: vec![record.into()], reply }
}

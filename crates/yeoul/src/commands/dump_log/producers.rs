//! Producers in a snapshot of a log, as lines.

use std::io::Write;
use std::path::Path;

use storage::ProducerEntry;
use storage::files::producer_snapshot;

use super::read;
use crate::failure::Failure;

/// Tells of every producer. Returns why there are none to tell of: a file that is damaged is no failure, as with Kafka's tool.
pub fn dump(file: &Path, out: &mut impl Write) -> Result<Vec<String>, Failure> {
    match producer_snapshot::decode(&read(file)?) {
        Ok(entries) => {
            entries.iter().try_for_each(|entry| writeln!(out, "{}", producer(entry)))?;
            Ok(Vec::new())
        }
        Err(why) => Ok(vec![format!("Snapshot {} is corrupt: {why}", file.display())]),
    }
}

fn producer(entry: &ProducerEntry) -> String {
    let first = match entry.current_txn_first_offset {
        offset if offset >= 0 => format!("OptionalLong[{offset}]"),
        _ => "OptionalLong.empty".to_owned(),
    };
    let ProducerEntry {
        producer_id, epoch, coordinator_epoch, timestamp, last_sequence, last_offset, ..
    } = entry;
    let delta = entry.offset_delta;
    let mut line = format!(
        "producerId: {producer_id} producerEpoch: {epoch} coordinatorEpoch: {coordinator_epoch} \
         currentTxnFirstOffset: {first} lastTimestamp: {timestamp}"
    );
    // A producer that has only markers left has no batch.
    if *last_offset >= 0 && *last_sequence >= 0 {
        let first_sequence = last_sequence.wrapping_sub(delta);
        line.push_str(&format!(
            " firstSequence: {first_sequence} lastSequence: {last_sequence} lastOffset: {last_offset} \
             offsetDelta: {delta} timestamp: {timestamp}"
        ));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_is_told_with_its_last_batch_if_it_has_one() {
        let entry = ProducerEntry {
            producer_id: 4,
            epoch: 0,
            last_sequence: 299,
            last_offset: 336,
            offset_delta: 11,
            timestamp: 7,
            coordinator_epoch: -1,
            current_txn_first_offset: -1,
        };
        let line = producer(&entry);
        let begin = "producerId: 4 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: OptionalLong.empty lastTimestamp: 7";
        let end = " firstSequence: 288 lastSequence: 299 lastOffset: 336 offsetDelta: 11 timestamp: 7";
        assert_eq!(line, format!("{begin}{end}"));
        let marked =
            ProducerEntry { last_sequence: -1, last_offset: -1, current_txn_first_offset: 9, ..entry };
        assert!(producer(&marked).ends_with("currentTxnFirstOffset: OptionalLong[9] lastTimestamp: 7"));
    }
}

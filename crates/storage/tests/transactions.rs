//! Transactions on a simulated disk, held against what the batches themselves say: which were aborted, and how far what is
//! committed goes. The power goes, a flush fails, the broker stops in order or is killed; the answers stay the same.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use host::sim::{SeededRandom, SimDisk};
use host::{Disk, OpenMode, Random};
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, BatchHeader, end_txn_marker, read_end_txn};
use storage::files::names;
use storage::{AbortedTransaction, AppendInfo, Log, LogConfig, LogDir, Origin};
use support::*;

const PRODUCERS: u64 = 4;

/// What the batches of a log say of its transactions.
#[derive(Debug, Default, PartialEq)]
struct Transactions {
    /// Producer, first offset, and that of the marker.
    aborted: Vec<(i64, i64, i64)>,
    /// Where the first begins that is open.
    first_open: Option<i64>,
}

fn by_scanning(batches: &[(i64, Bytes)]) -> Transactions {
    let (mut open, mut aborted) = (BTreeMap::new(), Vec::new());
    for (_, bytes) in batches {
        let header = BatchHeader::parse(bytes).expect("what was read has a header");
        match read_end_txn(bytes).expect("a marker can be read") {
            Some(marker) => {
                let first = open.remove(&header.producer_id);
                let entry = first.map(|first| (header.producer_id, first, header.last_offset()));
                aborted.extend(entry.filter(|_| !marker.committed));
            }
            None if header.is_transactional() => {
                open.entry(header.producer_id).or_insert(header.base_offset);
            }
            None => {}
        }
    }
    Transactions { aborted, first_open: open.into_values().min() }
}

fn check(log: &Log, context: &str) {
    let batches = read_all(log, 0);
    let expected = by_scanning(&batches);
    let end = log.log_end_offset();
    let triple = |entry: AbortedTransaction| (entry.producer_id, entry.first_offset, entry.last_offset);
    let asked = |from, to| -> Vec<_> {
        log.aborted_transactions(from, to).expect(context).into_iter().map(triple).collect()
    };
    assert_eq!(asked(0, i64::MAX), expected.aborted, "{context}");
    for from in (0..end).step_by(7) {
        let to = from + 9;
        let overlapping = expected.aborted.iter().filter(|(_, first, last)| *last >= from && *first < to);
        let overlapping: Vec<_> = overlapping.copied().collect();
        assert_eq!(asked(from, to), overlapping, "{context}: from {from} to {to}");
    }
    let stable = expected.first_open.unwrap_or(end).min(log.high_watermark());
    assert_eq!(log.last_stable_offset(), stable, "{context}");
}

/// A writer of transactions, whose sequences and epochs are always right.
struct Writers {
    sequences: [i32; PRODUCERS as usize],
    open: [bool; PRODUCERS as usize],
}

impl Writers {
    /// Goes on where the log is.
    fn of(log: &Log) -> Writers {
        let mut writers = Writers { sequences: [0; 4], open: [false; 4] };
        for producer in log.producers() {
            let place = usize::try_from(producer.producer_id).expect("an id is not negative");
            writers.sequences[place] = producer.last_sequence + 1;
            writers.open[place] = producer.current_txn_first_offset >= 0;
        }
        writers
    }

    /// The next batch: records of a transaction, or the end of one; now and then records without.
    fn next(&mut self, random: &SeededRandom) -> (Bytes, Origin) {
        let producer = random.below(PRODUCERS);
        let place = producer as usize;
        let id = i64::try_from(producer).expect("it is small");
        if self.open[place] && random.below(3) == 0 {
            self.open[place] = false;
            return (end_txn_marker(NOW_MS, id, 0, random.below(2) == 0, 1), Origin::Coordinator);
        }
        if random.below(6) == 0 {
            return (batch(random.next_u64(), 1, 200), Origin::Client);
        }
        self.open[place] = true;
        let records = 1 + i32::try_from(random.below(3)).expect("it is small");
        let mut builder = BatchBuilder::new(0, Compression::None);
        builder = builder.producer(id, 0, self.sequences[place]).transactional();
        (0..records).for_each(|_| builder.push(NOW_MS, None, Some(&[b'.'; 150]), &[]));
        self.sequences[place] += records;
        (builder.build(), Origin::Client)
    }
}

fn open_log(dir: &LogDir) -> Arc<Log> {
    dir.create_log(&id("t", 0), small_segments()).expect("there is room")
}

/// Appends until the disk fails, or so many times.
fn append_many(dir: &LogDir, random: &SeededRandom, appends: usize) {
    let Ok(log) = dir.create_log(&id("t", 0), small_segments()) else { return };
    let mut writers = Writers::of(&log);
    for number in 0..appends {
        let (bytes, origin) = writers.next(random);
        let Ok(appended) = log.append(bytes, AppendInfo { origin, ..info() }) else { return };
        if number % 5 == 0 && dir.journal().wait_durable(appended.position).is_err() {
            return;
        }
    }
}

/// Several lives, each ended by a power cut after so many changes of the disk, or in order.
fn live_and_crash(seed: u64, cut: u64) {
    let (disk, random) = (SimDisk::new(), SeededRandom::new(seed));
    for life in 0..4 {
        let context = format!("seed {seed}, cut {cut}, life {life}");
        disk.cut_power_after(cut + random.below(60), random.below(9_000) as usize);
        if let Ok((dir, _)) = open(&disk, random.next_u64()) {
            append_many(&dir, &random, 120);
        }
        disk.lose_power(&random);
        let (dir, _) = open(&disk, random.next_u64()).expect(&context);
        check(&open_log(&dir), &context);
        disk.kill();
        drop(dir);
        let (dir, _) = open(&disk, random.next_u64()).expect(&context);
        check(&open_log(&dir), &context);
        if random.below(2) == 0 {
            dir.close().expect(&context);
        }
        disk.kill();
    }
}

#[test]
fn aborted_transactions_are_known_after_a_power_cut_at_any_change_of_the_disk() {
    for cut in 0..160 {
        live_and_crash(cut + 1, cut);
    }
}

#[test]
fn aborted_transactions_are_known_at_every_stage_from_memory_to_the_index() {
    let (disk, random) = (SimDisk::new(), SeededRandom::new(7));
    let (dir, _) = open(&disk, 1).expect("the disk works");
    let log = open_log(&dir);
    let mut writers = Writers::of(&log);
    for number in 0..400 {
        let (bytes, origin) = writers.next(&random);
        let appended = log.append(bytes, AppendInfo { origin, ..info() }).expect("the disk works");
        dir.journal().wait_durable(appended.position).expect("the disk works");
        if number % 50 == 0 {
            dir.checkpoint().expect("the disk works");
        }
        if number % 20 == 0 {
            check(&log, &format!("after {number}"));
        }
    }
    dir.close().expect("the disk works");
    let (dir, report) = open(&disk, 2).expect("the disk works");
    assert!(report.clean);
    check(&open_log(&dir), "after a clean end");
}

#[test]
fn aborted_transactions_are_known_though_the_offset_index_is_of_no_use_after_a_crash() {
    let (disk, random) = (SimDisk::new(), SeededRandom::new(11));
    let (dir, _) = open(&disk, 1).expect("the disk works");
    let log = dir.create_log(&id("t", 0), LogConfig::default()).expect("there is room");
    let mut writers = Writers::of(&log);
    for _ in 0..100 {
        let (bytes, origin) = writers.next(&random);
        let appended = log.append(bytes, AppendInfo { origin, ..info() }).expect("the disk works");
        dir.journal().wait_durable(appended.position).expect("the disk works");
    }
    dir.checkpoint().expect("the disk works");
    let path = log.dir().join(names::of_offset(0, names::OFFSET_INDEX));
    disk.kill();
    // An entry for the offset 1 at a place where no batch begins.
    let index = disk.process().open(&path, OpenMode::ReadWrite).expect("a file");
    index.set_len(0).and_then(|()| index.write_all_at(&[0, 0, 0, 1, 0, 0, 0, 3], 0)).expect("the disk works");
    let (dir, _) = open(&disk, 2).expect("the disk works");
    let log = dir.log(&id("t", 0).topic_partition()).expect("it is there");
    assert!(!log.aborted_transactions(0, i64::MAX).expect("the disk works").is_empty());
    check(&log, "with an index that lies");
}

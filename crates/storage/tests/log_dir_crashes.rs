//! The power goes, or the disk fails, while several logs are appended to: whatever was acknowledged is there afterwards.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::Random;
use host::sim::{SeededRandom, SimDisk};
use parking_lot::Mutex;
use protocol::ErrorCode;
use storage::{Log, LogDir};
use support::*;

const LOGS: i32 = 3;

/// What one log is known to hold.
#[derive(Default)]
struct Known {
    /// Batches that were acknowledged, by base offset.
    acknowledged: BTreeMap<i64, Bytes>,
    /// Every batch that was given these offsets, in whichever life.
    appended: BTreeMap<i64, Vec<Bytes>>,
}

type Model = Arc<Mutex<Vec<Known>>>;

fn logs(dir: &LogDir) -> Vec<Arc<Log>> {
    let create = |partition| dir.create_log(&id("t", partition), small_segments());
    (0..LOGS).map_while(|partition| create(partition).ok()).collect()
}

/// Appends until the power goes, or so many times.
fn append_many(dir: &LogDir, model: &Model, random: &SeededRandom, appends: usize) {
    let logs = logs(dir);
    for number in 0..appends {
        let partition = random.below(logs.len() as u64) as usize;
        let Some(log) = logs.get(partition) else { return };
        let bytes = batch(random.next_u64(), 1 + random.below(3) as usize, random.below(900) as usize);
        let Ok(appended) = log.append(bytes.clone(), info()) else { return };
        let base_offset = appended.base_offset;
        model.lock()[partition].appended.entry(base_offset).or_default().push(bytes.clone());
        let acknowledged = model.clone();
        let acknowledge = move |result: Result<(), _>| {
            if result.is_ok() {
                acknowledged.lock()[partition].acknowledged.insert(base_offset, bytes);
            }
        };
        dir.journal().when_durable(appended.position, Box::new(acknowledge));
        if number % 7 == 0 && dir.journal().wait_durable(appended.position).is_err() {
            return;
        }
    }
}

/// Checks what is there against what is known, and takes it for what is known from now on.
fn check(dir: &LogDir, model: &Model, context: &str) {
    for (partition, known) in model.lock().iter_mut().enumerate() {
        let log = dir.log(&id("t", partition as i32).topic_partition());
        let found = log.map(|log| read_all(&log, 0)).unwrap_or_default();
        let mut next = 0;
        for (base_offset, bytes) in &found {
            assert_eq!(*base_offset, next, "{context}: no hole in log {partition}");
            let possible = known.appended.get(base_offset).into_iter().flatten();
            let whole = possible.into_iter().any(|appended| content(appended) == content(bytes));
            assert!(whole, "{context}: log {partition} has at {base_offset} what was never appended");
            next = protocol::records::BatchHeader::parse(bytes)
                .expect("what was read has a header")
                .next_offset();
        }
        for (base_offset, bytes) in &known.acknowledged {
            let there = found.iter().any(|(at, found)| at == base_offset && content(found) == content(bytes));
            assert!(there, "{context}: log {partition} lost {base_offset}, which was acknowledged");
        }
        known.acknowledged = found.into_iter().collect();
    }
}

fn model() -> Model {
    Arc::new(Mutex::new((0..LOGS).map(|_| Known::default()).collect()))
}

/// Several lives of a broker, each ended by a power cut after so many changes of the disk.
fn live_and_crash(seed: u64, first_cut: u64) {
    let disk = SimDisk::new();
    let random = SeededRandom::new(seed);
    let model = model();
    let mut cut = first_cut;
    for life in 0..4 {
        let context = format!("seed {seed}, first cut {first_cut}, life {life}");
        disk.cut_power_after(cut, random.below(9_000) as usize);
        if let Ok((dir, _)) = open(&disk, random.next_u64()) {
            check(&dir, &model, &context);
            append_many(&dir, &model, &random, 150);
        }
        disk.lose_power(&random);
        let (dir, _) = open(&disk, random.next_u64()).expect(&context);
        check(&dir, &model, &context);
        disk.kill();
        drop(dir);
        // Opening it again changes nothing.
        let (dir, _) = open(&disk, random.next_u64()).expect(&context);
        check(&dir, &model, &context);
        if random.below(3) == 0 {
            dir.close().expect(&context);
        }
        disk.kill();
        cut = random.below(250);
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_change_of_the_disk() {
    for cut in 0..220 {
        live_and_crash(cut + 1, cut);
    }
}

#[test]
fn the_last_frame_torn_at_any_byte_is_left_out_and_the_one_before_is_there() {
    for torn_bytes in (0..280).chain([511, 512, 513, 4_000, 4_095]) {
        let disk = SimDisk::new();
        let (dir, _) = open(&disk, 1).unwrap();
        let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
        let first = log.append(batch(1, 1, 30), info()).unwrap();
        dir.journal().wait_durable(first.position).unwrap();
        disk.cut_power_after(0, torn_bytes);
        let torn = log.append(batch(2, 1, 30), info()).unwrap();
        assert!(dir.journal().wait_durable(torn.position).is_err());
        disk.lose_power(&SeededRandom::new(torn_bytes as u64));
        drop((dir, log));
        let (dir, _) = open(&disk, 2).unwrap();
        let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
        let found = read_all(&log, 0);
        assert_eq!(content(&found[0].1), content(&batch(1, 1, 30)), "torn at {torn_bytes}");
        // The frame ends within its first block: behind its payload there is nothing to tear.
        assert!(found.len() == 1 || (torn_bytes > 150 && content(&found[1].1) == content(&batch(2, 1, 30))));
        let next = log.append(batch(3, 1, 30), info()).unwrap();
        assert_eq!(next.base_offset, found.len() as i64);
        dir.journal().wait_durable(next.position).unwrap();
    }
}

/// Appends until it works.
fn append_at_last(dir: &LogDir, log: &Arc<Log>) -> i64 {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(20) {
        if let Ok(appended) = log.append(batch(9, 1, 100), info())
            && dir.journal().wait_durable(appended.position).is_ok()
        {
            return appended.base_offset;
        }
        std::thread::yield_now();
    }
    panic!("appends are refused still");
}

#[test]
fn a_journal_that_cannot_be_written_fails_what_waits_and_takes_appends_again_later() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let first = log.append(batch(1, 1, 100), info()).unwrap();
    dir.journal().wait_durable(first.position).unwrap();
    disk.fail_writes("yeoul.journal", io::ErrorKind::StorageFull);
    let lost = log.append(batch(2, 1, 100), info()).unwrap();
    let error = dir.journal().wait_durable(lost.position).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KafkaStorageError);
    disk.heal();
    assert_eq!(append_at_last(&dir, &log), 1);
    assert!(dir.journal().wait_durable(lost.position).is_err(), "what was lost stays lost");
    disk.lose_power(&SeededRandom::new(1));
    drop((dir, log));
    let (dir, _) = open(&disk, 2).unwrap();
    let found = read_all(&dir.log(&id("t", 0).topic_partition()).unwrap(), 0);
    assert_eq!(found.len(), 2);
    assert_eq!(content(&found[1].1), content(&batch(9, 1, 100)));
}

#[test]
fn a_checkpoint_that_began_before_the_journal_failed_does_not_resume_it() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let [first, second] =
        ["first", "second"].map(|topic| dir.create_log(&id(topic, 0), small_segments()).unwrap());
    let append = |log: &Arc<Log>, number| {
        let appended = log.append(batch(number, 1, 100), info()).unwrap();
        dir.journal().wait_durable(appended.position)
    };
    append(&first, 1).unwrap();
    let [held_first, held_second] = ["first-0", "second-0"].map(|part| disk.hold_writes(part));
    let checkpoint = std::thread::spawn({
        let dir = Arc::clone(&dir);
        move || dir.checkpoint()
    });
    wait_until("the first log is written", || held_first.is_reached());
    // Durable, and not in what the checkpoint has set out to write.
    append(&second, 2).unwrap();
    disk.fail_writes("yeoul.journal", io::ErrorKind::StorageFull);
    append(&first, 3).unwrap_err();
    disk.heal();
    drop(held_first);
    // Either the second log is brought to its segment now, or it was given up.
    wait_until("the second log is written, or given up", || {
        held_second.is_reached() || first.append(batch(4, 1, 100), info()).is_ok()
    });
    disk.lose_power(&SeededRandom::new(1));
    drop((checkpoint.join(), dir, first, second));
    let (dir, _) = open(&disk, 2).unwrap();
    let found = dir.log(&id("second", 0).topic_partition()).map(|log| read_all(&log, 0)).unwrap_or_default();
    assert_eq!(found.len(), 1, "what was acknowledged is there");
    assert_eq!(content(&found[0].1), content(&batch(2, 1, 100)));
}

#[test]
fn segments_that_cannot_be_written_fill_the_ring_and_then_appends_fail_and_nothing_is_lost() {
    let disk = SimDisk::new();
    let options = storage::LogDirOptions { journal_bytes_max: 0, ..small_options() };
    let open = |seed| LogDir::open(host(&disk, seed), std::path::Path::new(DIR), options.clone()).unwrap().0;
    let dir = open(1);
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    disk.fail_writes(".log", io::ErrorKind::StorageFull);
    let (sender, acknowledged) = mpsc::channel();
    let mut number = 0;
    let failed = loop {
        if dir.journal().is_busy() {
            std::thread::yield_now();
            continue;
        }
        let appended = match log.append(batch(number, 1, 5_000), info()) {
            Ok(appended) => appended,
            Err(error) => break error.code(),
        };
        let sender = sender.clone();
        let base_offset = appended.base_offset;
        let tell = move |result: Result<(), _>| drop(result.map(|()| sender.send(base_offset)));
        dir.journal().when_durable(appended.position, Box::new(tell));
        number += 1;
    };
    assert_eq!(failed, ErrorCode::KafkaStorageError);
    disk.heal();
    let next = append_at_last(&dir, &log);
    let acknowledged: Vec<i64> = acknowledged.try_iter().collect();
    assert_eq!(next, acknowledged.len() as i64, "only what failed was taken back");
    dir.checkpoint().unwrap();
    disk.lose_power(&SeededRandom::new(5));
    drop((dir, log));
    let dir = open(2);
    let found = read_all(&dir.log(&id("t", 0).topic_partition()).unwrap(), 0);
    assert_eq!(found.len() as i64, next + 1);
    for offset in acknowledged {
        assert_eq!(content(&found[offset as usize].1), content(&batch(offset as u64, 1, 5_000)));
    }
}

#[test]
fn a_disk_that_refuses_direct_writes_does_too() {
    let disk = SimDisk::new();
    disk.refuse_direct();
    let random = SeededRandom::new(1);
    let model = model();
    let (dir, _) = open(&disk, 1).unwrap();
    append_many(&dir, &model, &random, 300);
    disk.lose_power(&random);
    drop(dir);
    let (dir, _) = open(&disk, 2).unwrap();
    check(&dir, &model, "without direct writes");
}

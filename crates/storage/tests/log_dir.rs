//! A log directory from its opening to its closing, on a simulated disk and on the machine's.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use host::sim::{SeededRandom, SimDisk};
use host::{Disk, Host};
use protocol::ErrorCode;
use protocol::Uuid;
use protocol::compression::Compression;
use protocol::records::BatchBuilder;
use storage::{
    AppendError, Log, LogConfig, LogDir, LogDirOptions, OffsetSpec, ReadError, ReadLimit, ReadRequest,
    SliceData, TopicIdPartition,
};
use support::*;

#[test]
fn what_is_appended_is_read_from_memory_and_again_after_a_clean_stop() {
    let disk = SimDisk::new();
    let (dir, report) = open(&disk, 1).unwrap();
    assert_eq!(report.logs, 0);
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    for number in 0..100 {
        let appended = log.append(batch(number, 2, 200), info()).unwrap();
        assert_eq!((appended.base_offset, appended.last_offset), (2 * number as i64, 2 * number as i64 + 1));
        dir.journal().wait_durable(appended.position).unwrap();
    }
    assert_eq!((log.log_end_offset(), log.high_watermark(), log.latest_epoch()), (200, 200, Some(3)));
    let before = read_all(&log, 0);
    assert_eq!(before.len(), 100);
    let size = log.size_bytes();
    dir.close().unwrap();
    assert!(!disk.exists(&Path::new(DIR).join("yeoul.journal")));
    drop((dir, log));

    let (dir, report) = open(&disk, 2).unwrap();
    assert!(report.clean && report.verified_bytes == 0 && report.replayed_batches == 0, "{report:?}");
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    assert_eq!((log.log_end_offset(), log.high_watermark(), log.size_bytes()), (200, 200, size));
    assert_eq!(read_all(&log, 0), before);
    assert_eq!(read_all(&log, 133)[0].0, 132);
    assert!(log.is_cold(0));
    assert_eq!(log.append(batch(100, 1, 10), info()).unwrap().base_offset, 200);
}

#[test]
fn a_directory_that_was_only_formatted_is_not_taken_for_one_of_a_broker_that_crashed() {
    let disk = SimDisk::new();
    // As a tool leaves it: a log without a segment, and no word of how a broker ended.
    disk.create_dir_all(&Path::new(DIR).join("t-0")).unwrap();
    let (dir, report) = open(&disk, 1).unwrap();
    assert_eq!((report.logs, report.clean, report.follows_a_crash()), (1, false, false));
    disk.kill();
    drop(dir);
    let (dir, report) = open(&disk, 2).unwrap();
    assert!(report.follows_a_crash(), "{report:?}");
    dir.close().unwrap();
    drop(dir);
    assert!(!open(&disk, 3).unwrap().1.follows_a_crash());
}

#[test]
fn no_batch_counts_twice_while_it_goes_to_a_segment() {
    let (dir, _) = open(&SimDisk::new(), 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let batch_bytes = batch(0, 1, 200).len() as u64;
    let begun = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..3000 {
                begun.fetch_add(1, Ordering::SeqCst);
                let position = log.append(batch(number, 1, 200), info()).unwrap().position;
                dir.journal().wait_durable(position).unwrap();
            }
        });
        while log.log_end_offset() < 3000 {
            let least = log.log_end_offset() as u64;
            let size = log.size_bytes();
            let most = begun.load(Ordering::SeqCst) as u64;
            assert!(
                (least..=most).contains(&(size / batch_bytes)),
                "{size} bytes of {least} to {most} batches"
            );
        }
    });
}

#[test]
fn after_a_kill_the_journal_brings_back_what_was_acknowledged() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let logs: Vec<_> = (0..3).map(|p| dir.create_log(&id("t", p), small_segments()).unwrap()).collect();
    let mut last = storage::Lsn(0);
    for number in 0..300 {
        last = logs[number % 3].append(batch(number as u64, 1, 300), info()).unwrap().position;
    }
    dir.journal().wait_durable(last).unwrap();
    let before: Vec<_> = logs.iter().map(|log| read_all(log, 0)).collect();
    disk.kill();
    drop((dir, logs));
    for round in 0..2 {
        let (dir, report) = open(&disk, 2 + round).unwrap();
        assert!(!report.clean && report.logs == 3, "{report:?}");
        for (partition, before) in before.iter().enumerate() {
            let log = dir.log(&id("t", partition as i32).topic_partition()).unwrap();
            assert_eq!(read_all(&log, 0), *before);
            assert_eq!(log.latest_epoch(), Some(3));
        }
        disk.kill();
    }
}

#[test]
fn watchers_are_called_when_the_high_watermark_moves_and_not_after_they_left() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let other = dir.create_log(&id("t", 1), small_segments()).unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let watch = log.watch(Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    }));
    // The write of the second comes after the watchers of the first were called.
    let settle = |log: &Arc<storage::Log>| {
        for _ in 0..2 {
            let position = log.append(batch(0, 1, 10), info()).unwrap().position;
            dir.journal().wait_durable(position).unwrap();
        }
    };
    settle(&other);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    settle(&log);
    settle(&other);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    drop(watch);
    settle(&log);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn a_batch_that_the_topic_does_not_take_is_refused_with_kafkas_error() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let config = LogConfig { batch_bytes_max: 500, compacted: true, ..small_segments() };
    let log = dir.create_log(&id("t", 0), config).unwrap();
    let code = |bytes| log.append(bytes, info()).unwrap_err().code();
    assert_eq!(code(batch(0, 1, 600)), ErrorCode::MessageTooLarge);
    assert_eq!(code(batch(0, 1, 10)), ErrorCode::InvalidRecord);
    let mut torn = batch(0, 1, 10).to_vec();
    torn[70] ^= 1;
    assert_eq!(code(torn.into()), ErrorCode::CorruptMessage);
    assert_eq!(code(bytes::Bytes::new()), ErrorCode::InvalidRecord);
    assert_eq!(log.log_end_offset(), 0);
    let read =
        log.read(ReadRequest { offset: 1, max_bytes: 1, min_one_batch: true, up_to: ReadLimit::LogEnd });
    assert!(matches!(read, Err(ReadError::OffsetOutOfRange { .. })));
}

#[test]
fn a_producer_that_repeats_itself_is_answered_again_even_after_a_kill() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let produce = |sequence| {
        BatchBuilder::new(0, Compression::None)
            .producer(9, 0, sequence)
            .append(NOW_MS, None, Some(b"x"), &[])
            .build()
    };
    for sequence in 0..10 {
        log.append(produce(sequence), info()).unwrap();
    }
    let again = log.append(produce(7), info()).unwrap();
    assert!(again.duplicate && again.base_offset == 7);
    dir.journal().wait_durable(again.position).unwrap();
    dir.checkpoint().unwrap();
    disk.kill();
    drop((dir, log));
    let (dir, _) = open(&disk, 2).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    assert!(log.append(produce(9), info()).unwrap().duplicate);
    assert_eq!(log.append(produce(11), info()).unwrap_err().code(), ErrorCode::OutOfOrderSequenceNumber);
    assert_eq!(log.append(produce(10), info()).unwrap().base_offset, 10);
    dir.close().unwrap();
    drop((dir, log));
    let (dir, _) = open(&disk, 3).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    assert!(log.append(produce(10), info()).unwrap().duplicate);
}

#[test]
fn a_log_that_was_deleted_or_cut_does_not_come_back() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let doomed = dir.create_log(&id("doomed", 0), small_segments()).unwrap();
    let cut = dir.create_log(&id("cut", 0), small_segments()).unwrap();
    for number in 0..60 {
        doomed.append(batch(number, 1, 200), info()).unwrap();
        cut.append(batch(number, 1, 200), info()).unwrap();
    }
    dir.checkpoint().unwrap();
    for number in 60..80 {
        cut.append(batch(number, 1, 200), info()).unwrap();
    }
    assert!(dir.delete_log(&id("doomed", 0).topic_partition()).unwrap());
    cut.truncate(33).unwrap();
    let position = cut.append(batch(1_000, 1, 200), info()).unwrap();
    assert_eq!(position.base_offset, 33);
    dir.journal().wait_durable(position.position).unwrap();
    let before = read_all(&cut, 0);
    assert!(matches!(doomed.append(batch(0, 1, 1), info()), Err(AppendError::Storage(_))));
    disk.kill();
    drop((dir, doomed, cut));
    for seed in 2..4 {
        let (dir, _) = open(&disk, seed).unwrap();
        assert!(dir.log(&id("doomed", 0).topic_partition()).is_none());
        assert_eq!(read_all(&dir.log(&id("cut", 0).topic_partition()).unwrap(), 0), before);
        disk.kill();
    }
}

#[test]
fn a_log_that_was_cut_while_only_the_journal_had_it_is_whole_after_a_crash() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    for number in 0..20 {
        log.append(batch(number, 1, 100), info()).unwrap();
    }
    log.truncate(10).unwrap();
    let last = log.append(batch(1_000, 1, 100), info()).unwrap();
    assert_eq!(last.base_offset, 10);
    dir.journal().wait_durable(last.position).unwrap();
    let before = read_all(&log, 0);
    assert_eq!((before.len(), log.recovery_point()), (11, 0));
    disk.kill();
    drop((dir, log));
    let (dir, _) = open(&disk, 2).unwrap();
    assert_eq!(read_all(&dir.log(&id("t", 0).topic_partition()).unwrap(), 0), before);
}

/// Appends batches of one record, and waits until they are on disk.
fn append_and_wait(dir: &LogDir, log: &Arc<Log>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let appended = log.append(batch(number, 1, 200), info()).expect("the disk works");
        dir.journal().wait_durable(appended.position).expect("the disk works");
    }
}

#[test]
fn a_log_that_is_made_again_starts_at_its_own_start_after_a_crash() {
    for crash_in_between in [false, true] {
        let disk = SimDisk::new();
        let (mut dir, _) = open(&disk, 1).unwrap();
        let former = dir.create_log(&id("t", 0), small_segments()).unwrap();
        append_and_wait(&dir, &former, 0..20);
        let deleted = former.delete_records(5).unwrap().expect("it starts before that");
        dir.journal().wait_durable(deleted).unwrap();
        dir.checkpoint().unwrap();
        assert!(dir.delete_log(&id("t", 0).topic_partition()).unwrap());
        if crash_in_between {
            disk.kill();
            drop((dir, former));
            (dir, _) = open(&disk, 2).unwrap();
        }
        let again = TopicIdPartition::new("t", Uuid([77; 16]), 0);
        let log = dir.create_log(&again, small_segments()).unwrap();
        append_and_wait(&dir, &log, 100..110);
        let before = read_all(&log, 0);
        assert_eq!(before.len(), 10);
        disk.kill();
        drop((dir, log));
        let (dir, _) = open(&disk, 3).unwrap();
        let log = dir.log(&again.topic_partition()).unwrap();
        assert_eq!(log.log_start_offset(), 0);
        assert_eq!(read_all(&log, 0), before);
    }
}

#[test]
fn the_ring_is_used_again_and_again_and_grows_no_further_than_it_may() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let mut numbers = 0..;
    let mut appended = 0;
    while appended < 10 * 1024 * 1024 {
        let bytes = batch(numbers.next().unwrap(), 1, 4_000);
        appended += bytes.len();
        match log.append(bytes, info()) {
            Ok(appended) => dir.journal().wait_durable(appended.position).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    let len = disk.open(&Path::new(DIR).join("yeoul.journal"), host::OpenMode::Read).unwrap().len().unwrap();
    assert!(len <= 4 * 1024 * 1024 + 8192, "{len}");
    assert_eq!(read_all(&log, 0).len() as i64, log.log_end_offset());
}

#[test]
fn a_batch_that_is_larger_than_a_frame_is_journalled_in_parts() {
    let disk = SimDisk::new();
    let options = LogDirOptions { journal_bytes_min: 8 << 20, ..LogDirOptions::default() };
    let config = LogConfig { batch_bytes_max: 4 << 20, segment_bytes: 8 << 20, ..LogConfig::default() };
    let large = batch(1, 1, 3 << 20);
    {
        let (dir, _) = LogDir::open(host(&disk, 1), Path::new(DIR), options.clone()).unwrap();
        let log = dir.create_log(&id("t", 0), config.clone()).unwrap();
        let appended = log.append(large.clone(), info()).unwrap();
        dir.journal().wait_durable(appended.position).unwrap();
        disk.lose_power(&SeededRandom::new(3));
    }
    let (dir, report) = LogDir::open(host(&disk, 2), Path::new(DIR), options).unwrap();
    assert_eq!(report.replayed_batches, 1, "{report:?}");
    let log = dir.create_log(&id("t", 0), config).unwrap();
    assert_eq!(content(&read_all(&log, 0)[0].1), content(&large));
}

#[test]
fn offsets_are_found_by_time_wherever_the_records_are() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let timed = |timestamp: i64| {
        BatchBuilder::new(0, Compression::None).append(NOW_MS + timestamp, None, Some(&[1; 300]), &[]).build()
    };
    for timestamp in 0..100 {
        log.append(timed(timestamp * 10), info()).unwrap();
    }
    dir.checkpoint().unwrap();
    for timestamp in 100..110 {
        log.append(timed(timestamp * 10), info()).unwrap();
    }
    let find = |spec| log.offset_for_timestamp(spec).unwrap().map(|found| found.offset);
    assert_eq!(find(OffsetSpec::Timestamp(NOW_MS + 555)), Some(56));
    assert_eq!(find(OffsetSpec::Timestamp(NOW_MS + 1_050)), Some(105));
    assert_eq!(find(OffsetSpec::Timestamp(NOW_MS + 2_000)), None);
    assert_eq!(find(OffsetSpec::MaxTimestamp), Some(109));
    assert_eq!((find(OffsetSpec::Earliest), find(OffsetSpec::LatestTiered)), (Some(0), None));
}

#[test]
fn the_second_broker_on_a_directory_is_told_that_it_is_locked() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    assert!(matches!(open(&disk, 2), Err(storage::StorageError::Locked(_))));
    drop(dir);
    assert!(open(&disk, 3).is_ok());
}

#[test]
fn the_machines_disk_does_all_that_too() {
    let temporary = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let open = || LogDir::open(Host::real(), temporary.path(), LogDirOptions::default()).unwrap();
    let config = LogConfig { segment_bytes: 3 << 20, ..LogConfig::default() };
    let before = {
        let (dir, _) = open();
        let log = dir.create_log(&id("t", 0), config.clone()).unwrap();
        let mut last = storage::Lsn(0);
        for number in 0..200 {
            last = log.append(batch(number, 1, 50_000), info()).unwrap().position;
        }
        dir.journal().wait_durable(last).unwrap();
        read_all(&log, 0)
    };
    let (dir, report) = open();
    assert!(!report.clean);
    let log = dir.create_log(&id("t", 0), config.clone()).unwrap();
    assert_eq!(read_all(&log, 0), before);
    dir.close().unwrap();
    drop((dir, log));
    let (dir, report) = open();
    assert!(report.clean);
    let log = dir.create_log(&id("t", 0), config).unwrap();
    assert_eq!(read_all(&log, 0), before);
    let request =
        ReadRequest { offset: 0, max_bytes: 1 << 20, min_one_batch: true, up_to: ReadLimit::HighWatermark };
    assert!(matches!(log.read(request).unwrap().data, SliceData::File { .. }));
}

#[test]
fn a_metadata_log_that_kafka_formatted_gets_the_id_that_its_topic_has() {
    let disk = SimDisk::new();
    let partition = Path::new(DIR).join("__cluster_metadata-0");
    disk.create_dir_all(&partition).unwrap();
    let (dir, _) = open(&disk, 1).unwrap();
    let id = storage::TopicIdPartition::new("__cluster_metadata", protocol::Uuid::METADATA_TOPIC_ID, 0);
    let log = dir.create_log(&id, small_segments()).unwrap();
    assert_eq!(log.id(), &id);
    log.append(batch(1, 1, 10), info()).unwrap();
    dir.close().unwrap();
    let text = storage::files::load_whole(&disk, &partition.join("partition.metadata")).unwrap();
    assert_eq!(text.as_deref(), Some(&b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"[..]));
}

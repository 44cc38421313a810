//! A log is copied to another log directory while it is written to, and takes the original's place there.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;

use host::sim::{SeededRandom, SimDisk};
use protocol::ErrorCode;
use protocol::compression::Compression;
use protocol::records::BatchBuilder;
use storage::{Log, LogDir, Lsn};
use support::*;

const OTHER: &str = "/other";

fn open_at(disk: &SimDisk, path: &str, seed: u64) -> Arc<LogDir> {
    LogDir::open(host(disk, seed), Path::new(path), small_options()).expect("it can be opened").0
}

fn append(dir: &LogDir, log: &Arc<Log>, number: u64) {
    let appended = log.append(batch(number, 2, 700), info()).expect("it is taken");
    dir.journal().wait_durable(appended.position).expect("the disk works");
}

/// Copies all that is durable.
fn copy(from: &Log, to: &Arc<Log>) -> Lsn {
    let mut last = Lsn(0);
    while let Some(records) = from.read_durable(to.log_end_offset()).expect("it can be read") {
        last = to.append_copy(&records).expect("it is taken");
    }
    last
}

#[test]
fn a_copy_takes_the_place_of_its_original_with_all_its_batches_epochs_and_producers() {
    let disk = SimDisk::new();
    let (from_dir, to_dir) = (open_at(&disk, DIR, 1), open_at(&disk, OTHER, 2));
    let (id, partition) = (id("t", 0), id("t", 0).topic_partition());
    let original = from_dir.create_log(&id, small_segments()).unwrap();
    let produced =
        BatchBuilder::new(0, Compression::None).producer(9, 0, 0).append(NOW_MS, None, Some(b"x"), &[]);
    original.append(produced.clone().build(), info()).unwrap();
    (0..20).for_each(|number| append(&from_dir, &original, number));
    let future = to_dir.create_future_log(&id, small_segments(), original.log_start_offset()).unwrap();
    copy(&original, &future);
    (20..25).for_each(|number| append(&from_dir, &original, number));
    let frozen = original.freeze();
    assert_eq!(original.append(batch(0, 1, 1), info()).unwrap_err().code(), ErrorCode::KafkaStorageError);
    from_dir.journal().wait_durable(frozen).unwrap();
    to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
    let before = read_all(&original, 0);
    assert_eq!((before.len(), read_all(&future, 0)), (26, before.clone()));

    assert!(to_dir.log(&partition).is_none());
    let promoted = to_dir.promote_future_log(&partition).unwrap().unwrap();
    assert!(to_dir.future_log(&partition).is_none());
    assert_eq!(read_all(&promoted, 0), before);
    assert_eq!(promoted.latest_epoch(), Some(3));
    assert!(promoted.append(produced.build(), info()).unwrap().duplicate);
    append(&to_dir, &promoted, 25);
    from_dir.delete_log(&partition).unwrap();
    let before = read_all(&promoted, 0);
    disk.lose_power(&SeededRandom::new(1));
    drop((from_dir, to_dir, original, future, promoted));
    assert!(open_at(&disk, DIR, 3).log(&partition).is_none());
    assert_eq!(read_all(&open_at(&disk, OTHER, 4).log(&partition).unwrap(), 0), before);
}

#[test]
fn a_copy_goes_on_after_a_loss_of_power_where_it_was() {
    let disk = SimDisk::new();
    let partition = id("t", 0).topic_partition();
    let end = {
        let (from_dir, to_dir) = (open_at(&disk, DIR, 1), open_at(&disk, OTHER, 2));
        let original = from_dir.create_log(&id("t", 0), small_segments()).unwrap();
        (0..20).for_each(|number| append(&from_dir, &original, number));
        let future = to_dir.create_future_log(&id("t", 0), small_segments(), 0).unwrap();
        to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
        (20..30).for_each(|number| append(&from_dir, &original, number));
        disk.lose_power(&SeededRandom::new(1));
        future.log_end_offset()
    };
    let (from_dir, to_dir) = (open_at(&disk, DIR, 3), open_at(&disk, OTHER, 4));
    let (original, future) = (from_dir.log(&partition).unwrap(), to_dir.future_log(&partition).unwrap());
    assert_eq!(future.log_end_offset(), end);
    to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
    assert_eq!(read_all(&future, 0), read_all(&original, 0));
    from_dir.close().unwrap();
    to_dir.close().unwrap();
    drop((from_dir, to_dir, original, future));
    let to_dir = open_at(&disk, OTHER, 5);
    assert_eq!(read_all(&to_dir.future_log(&partition).unwrap(), 0).len(), 30);
}

#[test]
fn a_copy_that_is_given_up_does_not_come_back_and_the_original_takes_appends_again() {
    let disk = SimDisk::new();
    let partition = id("t", 0).topic_partition();
    {
        let (from_dir, to_dir) = (open_at(&disk, DIR, 1), open_at(&disk, OTHER, 2));
        let original = from_dir.create_log(&id("t", 0), small_segments()).unwrap();
        append(&from_dir, &original, 0);
        let future = to_dir.create_future_log(&id("t", 0), small_segments(), 0).unwrap();
        to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
        original.freeze();
        assert!(to_dir.delete_future_log(&partition).unwrap());
        assert!(!to_dir.delete_future_log(&partition).unwrap());
        original.thaw();
        append(&from_dir, &original, 1);
        disk.lose_power(&SeededRandom::new(1));
    }
    let to_dir = open_at(&disk, OTHER, 3);
    assert!(to_dir.future_log(&partition).is_none() && to_dir.log(&partition).is_none());
    assert!(matches!(to_dir.promote_future_log(&partition), Ok(None)));
    assert_eq!(read_all(&open_at(&disk, DIR, 4).log(&partition).unwrap(), 0).len(), 2);
}

#[test]
fn a_copy_that_has_nothing_yet_goes_on_after_a_loss_of_power_whatever_became_of_others_before_it() {
    let (disk, id) = (SimDisk::new(), id("t", 0));
    {
        let (from_dir, to_dir) = (open_at(&disk, DIR, 1), open_at(&disk, OTHER, 2));
        let original = from_dir.create_log(&id, small_segments()).unwrap();
        append(&from_dir, &original, 0);
        let given_up = to_dir.create_future_log(&id, small_segments(), 0).unwrap();
        to_dir.journal().wait_durable(copy(&original, &given_up)).unwrap();
        to_dir.delete_future_log(&id.topic_partition()).unwrap();
        to_dir.create_future_log(&id, small_segments(), 0).unwrap();
        disk.lose_power(&SeededRandom::new(1));
    }
    let (from_dir, to_dir) = (open_at(&disk, DIR, 3), open_at(&disk, OTHER, 4));
    let original = from_dir.log(&id.topic_partition()).unwrap();
    let future = to_dir.future_log(&id.topic_partition()).unwrap();
    assert_eq!(future.log_end_offset(), 0);
    to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
    assert_eq!(read_all(&future, 0), read_all(&original, 0));
}

#[test]
fn a_copy_starts_where_its_original_does() {
    let disk = SimDisk::new();
    let (from_dir, to_dir) = (open_at(&disk, DIR, 1), open_at(&disk, OTHER, 2));
    let original = from_dir.create_log(&id("t", 0), small_segments()).unwrap();
    (0..20).for_each(|number| append(&from_dir, &original, number));
    original.advance_log_start(13).unwrap();
    let future = to_dir.create_future_log(&id("t", 0), small_segments(), 13).unwrap();
    to_dir.journal().wait_durable(copy(&original, &future)).unwrap();
    let promoted = to_dir.promote_future_log(&id("t", 0).topic_partition()).unwrap().unwrap();
    assert_eq!((promoted.log_start_offset(), promoted.log_end_offset()), (13, 40));
    assert_eq!(read_all(&promoted, 13), read_all(&original, 13));
}

#[test]
fn a_damaged_batch_is_not_copied() {
    let disk = SimDisk::new();
    let dir = open_at(&disk, DIR, 1);
    let future = dir.create_future_log(&id("t", 0), small_segments(), 0).unwrap();
    let mut damaged = batch(1, 1, 10).to_vec();
    damaged[70] ^= 1;
    assert_eq!(future.append_copy(&damaged.into()).unwrap_err().code(), ErrorCode::CorruptMessage);
    assert_eq!(future.log_end_offset(), 0);
    assert!(dir.log(&id("t", 0).topic_partition()).is_none());
}

//! A disk that fails takes its log directory offline, and loses nothing that was acknowledged; one that is full does neither.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::io;
use std::sync::{Arc, mpsc};

use host::sim::{SeededRandom, SimDisk};
use host::{Disk, OpenMode};
use protocol::ErrorCode;
use storage::{LogDir, OffsetSpec, ReadLimit, ReadRequest, StorageError};
use support::*;

/// Lets writes to some files fail, appends, and checks how the directory ends.
fn fail_and_reopen(path_part: &str) {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).expect("it is in use");
    let log = dir.create_log(&id("t", 0), small_segments()).expect("it is in use");
    let first = log.append(batch(1, 1, 100), info()).expect("it is in use");
    dir.journal().wait_durable(first.position).expect("it is in use");
    let (sender, told) = mpsc::channel();
    dir.when_offline(Box::new(move |error| sender.send(error).expect("the test listens")));
    disk.fail_writes(path_part, io::ErrorKind::Other);
    let second = log.append(batch(2, 1, 100), info()).expect("it is in use");
    let second_is_kept = dir.journal().wait_durable(second.position).is_ok();
    // What fails is either the journal by now, or the segment here.
    dir.checkpoint().expect_err("the disk fails");
    let error = told.recv().expect("it is in use");
    assert!(matches!(error, StorageError::Offline { .. }), "{error}");
    disk.heal();
    check_is_unused(&dir, &log);
    disk.lose_power(&SeededRandom::new(1));
    drop((dir, log));
    let (dir, _) = open(&disk, 2).expect("it is in use");
    assert!(dir.failure().is_none());
    let found = read_all(&dir.log(&id("t", 0).topic_partition()).expect("it is in use"), 0);
    assert!(found.len() == 2 || (found.len() == 1 && !second_is_kept), "{path_part}: {}", found.len());
    assert_eq!(content(&found[0].1), content(&batch(1, 1, 100)));
}

/// A directory that is offline stays so, although its disk works again.
fn check_is_unused(dir: &LogDir, log: &Arc<storage::Log>) {
    let refused = log.append(batch(3, 1, 100), info()).expect_err("the disk fails");
    assert_eq!(refused.code(), ErrorCode::KafkaStorageError);
    assert!(matches!(dir.create_log(&id("u", 0), small_segments()), Err(StorageError::Offline { .. })));
    assert!(matches!(dir.delete_log(&id("t", 0).topic_partition()), Err(StorageError::Offline { .. })));
    assert!(matches!(dir.checkpoint(), Err(StorageError::Offline { .. })));
    assert!(matches!(dir.close(), Err(StorageError::Offline { .. })));
    assert!(dir.failure().is_some());
    let (sender, told) = mpsc::channel();
    dir.when_offline(Box::new(move |error| sender.send(error).expect("the test listens")));
    assert!(told.try_recv().is_ok(), "who asks late is told at once");
}

#[test]
fn a_directory_whose_journal_cannot_be_written_goes_offline_and_loses_nothing() {
    fail_and_reopen("yeoul.journal");
}

#[test]
fn a_directory_whose_segments_cannot_be_written_goes_offline_and_loses_nothing() {
    fail_and_reopen("t-0/");
}

#[test]
fn a_directory_whose_checkpoints_cannot_be_written_goes_offline_and_loses_nothing() {
    fail_and_reopen("recovery-point-offset-checkpoint");
}

/// A log with a batch that is only in a segment, of a directory that was just opened.
fn reopened(disk: &SimDisk) -> (Arc<LogDir>, Arc<storage::Log>) {
    let (dir, _) = open(disk, 1).expect("it is in use");
    let log = dir.create_log(&id("t", 0), small_segments()).expect("it is in use");
    log.append(batch(1, 1, 100), info()).expect("it is in use");
    dir.close().expect("it is in use");
    let (dir, _) = open(disk, 2).expect("it is in use");
    let log = dir.log(&id("t", 0).topic_partition()).expect("it was created");
    (dir, log)
}

/// Looks for something in a log that cannot be read, and says what is answered.
type Look = fn(&storage::Log, ReadRequest) -> ErrorCode;

#[test]
fn a_directory_that_cannot_be_read_goes_offline_whatever_was_looked_for() {
    let request = ReadRequest { offset: 0, max_bytes: 100, min_one_batch: true, up_to: ReadLimit::LogEnd };
    let looks: [(&str, Look); 4] = [
        (".log", |log, request| log.read(request).err().expect("the disk fails").code()),
        (".log", |log, _| log.offset_for_timestamp(OffsetSpec::Timestamp(0)).expect_err("it fails").code()),
        (".txnindex", |log, _| log.aborted_transactions(0, 1).expect_err("the disk fails").code()),
        (".log", |log, _| log.read_durable(0).expect_err("the disk fails").code()),
    ];
    for (file, look) in looks {
        let disk = SimDisk::new();
        let (dir, log) = reopened(&disk);
        disk.open(&log.dir().join("00000000000000000000.txnindex"), OpenMode::ReadWrite)
            .and_then(|index| index.write_all_at(&[0; 34], 0))
            .expect("it works still");
        disk.fail_reads(file, io::ErrorKind::Other);
        assert_eq!(look(&log, request), ErrorCode::KafkaStorageError);
        assert!(matches!(dir.failure(), Some(StorageError::Offline { .. })));
        let refused = log.append(batch(2, 1, 100), info()).expect_err("it is offline");
        assert_eq!(refused.code(), ErrorCode::KafkaStorageError);
    }
}

#[test]
fn a_directory_goes_offline_when_a_slice_of_it_cannot_be_sent_unless_the_file_is_only_gone() {
    let disk = SimDisk::new();
    let (dir, log) = reopened(&disk);
    for passing in [io::ErrorKind::UnexpectedEof, io::ErrorKind::NotFound, io::ErrorKind::StorageFull] {
        log.note_unreadable(&passing.into());
    }
    log.note_unreadable(&io::Error::from_raw_os_error(24));
    assert!(dir.failure().is_none());
    log.note_unreadable(&io::Error::from_raw_os_error(5));
    assert!(dir.failure().is_some());
}

#[test]
fn what_waits_for_room_in_the_ring_fails_when_the_directory_goes_offline() {
    let disk = SimDisk::new();
    let options = storage::LogDirOptions { journal_bytes_max: 0, ..small_options() };
    let (dir, _) = LogDir::open(host(&disk, 1), std::path::Path::new(DIR), options).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    let hold = disk.hold_writes(".log");
    let mut last = storage::Lsn(0);
    for number in 0..2_000 {
        last = log.append(batch(number, 1, 5_000), info()).unwrap().position;
    }
    disk.fail_writes(".log", io::ErrorKind::Other);
    drop(hold);
    assert!(matches!(dir.journal().wait_durable(last), Err(StorageError::Offline { .. })));
}

#[test]
fn a_full_disk_leaves_the_directory_in_use() {
    let disk = SimDisk::new();
    let (dir, _) = open(&disk, 1).unwrap();
    let log = dir.create_log(&id("t", 0), small_segments()).unwrap();
    disk.fail_writes("t-0/", io::ErrorKind::StorageFull);
    let appended = log.append(batch(1, 1, 100), info()).unwrap();
    dir.journal().wait_durable(appended.position).unwrap();
    assert!(dir.checkpoint().unwrap_err().is_disk_full());
    assert!(dir.failure().is_none());
    disk.heal();
    dir.checkpoint().unwrap();
    let appended = log.append(batch(2, 1, 100), info()).unwrap();
    dir.journal().wait_durable(appended.position).unwrap();
    dir.close().unwrap();
}

//! Compaction on a simulated disk: what stays, what goes, and that nobody is in the way of anybody.

#[path = "compaction_support/mod.rs"]
mod compaction_support;
#[path = "log_dir_support/mod.rs"]
mod support;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use compaction_support::*;
use host::sim::{SeededRandom, SimDisk};
use host::{Disk, OpenMode, Random};
use proptest::prelude::*;
use protocol::compression::Compression;
use storage::{CleanerSettings, ReadLimit, ReadRequest, SliceData};
use support::*;

fn rows(numbers: impl IntoIterator<Item = u64>, keys: u64) -> Vec<(String, Value)> {
    let row = |number: u64| (format!("k{}", number % keys), Some(format!("{number}{}", "x".repeat(60))));
    numbers.into_iter().map(row).collect()
}

/// Appends batches of three over so many keys, and has all of it in the segments.
fn fill(life: &Life, keys: &mut Keys, batches: u64, distinct: u64) {
    for number in 0..batches {
        let compression = Compression::ALL[number as usize % 5];
        life.append(keys, compression, &rows(number * 3..number * 3 + 3, distinct));
    }
    life.dir.checkpoint().expect("room");
}

#[test]
fn a_cleaned_log_has_the_last_value_of_each_key_and_little_else_before_and_after_a_restart() {
    for direct in [false, true] {
        let disk = SimDisk::new();
        let mut keys = Keys::default();
        let life = Life::begin(&disk, 1, NOW_MS, settings(direct));
        fill(&life, &mut keys, 200, 10);
        let before = life.log.size_bytes();
        let cleaned = life.clean_all();
        assert_eq!(
            (cleaned.len(), cleaned[0].first_dirty_offset, cleaned[0].keys),
            (1, 0, 10),
            "{cleaned:?}"
        );
        assert!(cleaned[0].end_offset > 550 && cleaned[0].bytes_after < cleaned[0].bytes_before / 10);
        assert!(life.log.size_bytes() < before / 4);
        assert_eq!(life.log.log_end_offset(), 600);
        let read = read_records(&life.log);
        assert!(read.len() < 60, "what is in memory still is not read as it was written: {}", read.len());
        keys.check(&life.log, "before a restart");
        life.dir.close().expect("room");
        drop(life);
        let life = Life::begin(&disk, 2, NOW_MS, settings(direct));
        assert_eq!(read_records(&life.log), read);
        keys.check(&life.log, "after a restart");
        assert!(life.clean_all().is_empty(), "the checkpoint says that all is clean");
        assert!(file_names(&disk).iter().all(|name| !name.ends_with(".deleted") && !name.ends_with(".swap")));
    }
}

#[test]
fn small_segments_become_one_and_their_producer_snapshots_go_with_them() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 200, 10);
    let count = |suffix: &str| file_names(&disk).iter().filter(|name| name.ends_with(suffix)).count();
    let before = (count(".log"), count(".snapshot"));
    life.clean_all();
    fill(&life, &mut keys, 50, 10);
    life.clean_all();
    life.cleaner.stop();
    assert!(before.0 > 12 && before.1 >= before.0 - 1, "{before:?}");
    assert!(count(".log") <= 7 && count(".snapshot") <= 9, "{:?}", file_names(&disk));
}

#[test]
fn tombstones_stay_for_their_time_and_go_then() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let day_ms = 24 * 60 * 60 * 1000;
    let has_tombstone = |life: &Life| read_records(&life.log).iter().any(|(_, key, _)| key == "gone");
    let mut now_ms = NOW_MS;
    for (round, expected) in [(0, true), (1, true), (2, false)] {
        let life = Life::begin(&disk, round, now_ms, settings(false));
        if round == 0 {
            life.append(&mut keys, Compression::None, &[("gone".to_owned(), Some("x".to_owned()))]);
            life.append(&mut keys, Compression::None, &[("gone".to_owned(), None)]);
        }
        fill(&life, &mut keys, 30, 10);
        assert_eq!(life.clean_all().len(), 1);
        life.dir.close().expect("room");
        drop(life);
        let life = Life::begin(&disk, round + 10, now_ms, settings(false));
        assert_eq!(has_tombstone(&life), expected, "round {round}");
        keys.check(&life.log, "tombstones");
        life.dir.close().expect("room");
        now_ms += day_ms / 2 + 1;
    }
}

#[test]
fn a_disk_that_fails_under_the_cleaner_takes_its_directory_offline_and_one_that_is_full_does_not() {
    let all = "/t-0/";
    for (fails, kind, offline) in [
        (SimDisk::fail_reads as fn(&SimDisk, &str, io::ErrorKind), io::ErrorKind::Other, true),
        (SimDisk::fail_writes, io::ErrorKind::Other, true),
        (SimDisk::fail_writes, io::ErrorKind::StorageFull, false),
    ] {
        let disk = SimDisk::new();
        let mut keys = Keys::default();
        let life = Life::begin(&disk, 1, NOW_MS, settings(false));
        fill(&life, &mut keys, 100, 10);
        fails(&disk, all, kind);
        assert_eq!(life.cleaner.clean_filthiest(), None);
        assert_eq!(life.dir.failure().is_some(), offline, "{kind}");
        disk.heal();
        assert_eq!(life.clean_all().is_empty(), offline, "{kind}");
        keys.check(&life.log, "after a failure");
    }
}

#[test]
fn a_map_that_is_too_small_cleans_a_part_at_a_time() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let tiny = CleanerSettings { dedupe_buffer_bytes: 0, load_factor: 0.2, ..settings(false) };
    let life = Life::begin(&disk, 1, NOW_MS, tiny);
    fill(&life, &mut keys, 300, 400);
    let cleaned = life.clean_all();
    assert!(cleaned.len() > 2 && cleaned[0].keys == 204, "{cleaned:?}");
    assert!(cleaned.windows(2).all(|pair| pair[0].end_offset == pair[1].first_dirty_offset));
    life.dir.close().expect("room");
    drop(life);
    keys.check(&Life::begin(&disk, 2, NOW_MS, settings(false)).log, "in parts");
}

#[test]
fn a_reader_keeps_the_file_that_it_has() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    life.dir.close().expect("room");
    drop(life);
    let life = Life::begin(&disk, 2, NOW_MS, settings(false));
    fill(&life, &mut keys, 1, 10);
    let request =
        ReadRequest { offset: 0, max_bytes: 1 << 20, min_one_batch: true, up_to: ReadLimit::LogEnd };
    let SliceData::File { file, position, len, .. } = life.log.read(request).expect("it is there").data
    else {
        panic!("nothing is in memory")
    };
    assert_eq!(life.clean_all().len(), 1);
    life.cleaner.stop();
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, position).expect("the file is open");
    let first = protocol::records::Batches::new(&bytes).next().expect("a batch").expect("a batch");
    assert_eq!((first.0.base_offset, first.0.records_count), (0, 3));
    keys.check(&life.log, "after the cleaning");
}

#[test]
fn segments_that_were_recovered_and_replaced_are_not_flushed_any_more() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    disk.kill();
    drop(life);
    // Without what was known of producers, the start reads all segments again.
    for name in file_names(&disk).iter().filter(|name| name.ends_with(".snapshot")) {
        disk.remove_file(&Path::new(DIR).join("t-0").join(name)).expect("it is there");
    }
    let life = Life::begin(&disk, 2, NOW_MS, settings(false));
    assert_eq!(life.clean_all().len(), 1);
    wait_until("the files are removed", || file_names(&disk).iter().all(|name| !name.ends_with(".deleted")));
    fill(&life, &mut keys, 1, 10);
    keys.check(&life.log, "after a checkpoint");
}

#[test]
fn a_log_that_is_deleted_or_not_compacted_any_more_is_left_alone() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    life.log.update_config(storage::LogConfig { compacted: false, ..compacted() });
    assert_eq!(life.cleaner.clean_filthiest(), None);
    life.log.update_config(compacted());
    assert!(life.dir.delete_log(&id("t", 0).topic_partition()).expect("room"));
    assert_eq!(life.cleaner.clean_filthiest(), None);
    let again = life.dir.create_log(&id("t", 0), compacted()).expect("room");
    assert_eq!(read_records(&again), []);
}

#[test]
fn a_full_disk_puts_cleaning_off_and_takes_nothing_away() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    disk.fail_writes(".cleaned", io::ErrorKind::StorageFull);
    assert_eq!(life.cleaner.clean_filthiest(), None);
    assert!(file_names(&disk).iter().all(|name| !name.ends_with(".cleaned")), "{:?}", file_names(&disk));
    keys.check(&life.log, "on a full disk");
    disk.heal();
    assert_eq!(life.clean_all().len(), 1);
    keys.check(&life.log, "with room again");
}

#[test]
fn a_log_that_is_corrupt_is_not_cleaned_and_not_made_valid() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    let path = Path::new(DIR).join("t-0/00000000000000000000.log");
    let file = disk.open(&path, OpenMode::ReadWrite).expect("it is there");
    let len = file.len().expect("power");
    file.write_all_at(b"!", len / 2).expect("room");
    assert_eq!((life.cleaner.clean_filthiest(), life.cleaner.clean_filthiest()), (None, None));
    assert_eq!(file.len().expect("power"), len);
    assert!(disk.exists(&path));
}

#[test]
fn readers_and_writers_go_on_while_threads_clean() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let busy = CleanerSettings { threads: 2, backoff: Duration::from_millis(1), ..settings(false) };
    let life = Life::begin(&disk, 1, NOW_MS, busy);
    life.cleaner.start().expect("threads");
    let (log, done) = (life.log.clone(), Arc::new(AtomicBool::new(false)));
    let ended = done.clone();
    let reader = std::thread::spawn(move || {
        let mut passes = 0;
        while !ended.load(Ordering::SeqCst) {
            let rows = read_records(&log);
            assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "offsets ascend");
            passes += 1;
        }
        passes
    });
    for _ in 0..15 {
        fill(&life, &mut keys, 40, 10);
    }
    wait_until("20,000 bytes are left", || life.log.size_bytes() <= 20_000);
    done.store(true, Ordering::SeqCst);
    assert!(reader.join().expect("no read failed") > 0);
    life.cleaner.stop();
    keys.check(&life.log, "after all");
}

#[test]
fn a_file_that_is_gone_before_its_successor_has_its_place_is_waited_for() {
    let disk = SimDisk::new();
    let mut keys = Keys::default();
    let life = Life::begin(&disk, 1, NOW_MS, settings(false));
    fill(&life, &mut keys, 100, 10);
    // Then nothing of it is in memory or open.
    life.dir.close().expect("room");
    drop(life);
    let life = Life::begin(&disk, 2, NOW_MS, settings(false));
    let hold = disk.hold_writes(".swap");
    std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| life.cleaner.clean_filthiest());
        wait_until("the old files have gone", || hold.is_reached());
        // As a removal does that was due for an earlier file of the same name.
        for name in file_names(&disk).iter().filter(|name| name.ends_with(".deleted")) {
            disk.remove_file(&Path::new(DIR).join("t-0").join(name)).expect("power");
        }
        let (done, read) = mpsc::channel();
        let log = &life.log;
        scope.spawn(move || done.send(read_records(log).len()));
        let early = read.recv_timeout(Duration::from_millis(100));
        assert_eq!(early, Err(mpsc::RecvTimeoutError::Timeout), "there is nothing to read yet");
        drop(hold);
        assert!(cleaning.join().expect("no panic").is_some());
        assert!(read.recv().expect("no read failed") > 0);
    });
    keys.check(&life.log, "after the exchange");
}

/// What happens to a log.
#[derive(Clone, Debug)]
enum Step {
    Append { keys: Vec<u8>, tombstones: bool, codec: u8 },
    Checkpoint,
    Clean,
    Close,
    Kill,
    LosePower,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let append = (prop::collection::vec(0_u8..12, 1..6), prop::bool::weighted(0.2), 0_u8..5)
        .prop_map(|(keys, tombstones, codec)| Step::Append { keys, tombstones, codec });
    let step = prop_oneof![
        30 => append,
        3 => Just(Step::Checkpoint),
        3 => Just(Step::Clean),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::LosePower),
    ];
    prop::collection::vec(step, 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_happens_every_key_has_its_last_value(steps in steps(), seed in any::<u64>(), direct in any::<bool>()) {
        let disk = SimDisk::new();
        let random = SeededRandom::new(seed);
        let mut keys = Keys::default();
        let mut now_ms = NOW_MS;
        let mut life = Life::begin(&disk, random.next_u64(), now_ms, settings(direct));
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append { keys: chosen, tombstones, codec } => {
                    let value = |key: u8| (!(tombstones && key.is_multiple_of(2))).then(|| format!("{number}-{key}{}", "x".repeat(90)));
                    let rows: Vec<_> = chosen.into_iter().map(|key| (format!("k{key}"), value(key))).collect();
                    life.append(&mut keys, Compression::ALL[usize::from(codec)], &rows);
                    continue;
                }
                Step::Checkpoint => life.dir.checkpoint().expect("room"),
                Step::Clean => drop(life.clean_all()),
                Step::Close | Step::Kill | Step::LosePower => {
                    match step {
                        Step::Close => life.dir.close().expect("room"),
                        Step::Kill => disk.kill(),
                        _ => disk.lose_power(&random),
                    }
                    drop(life);
                    now_ms += 9 * 60 * 60 * 1000;
                    life = Life::begin(&disk, random.next_u64(), now_ms, settings(direct));
                }
            }
            keys.check(&life.log, &format!("step {number}"));
        }
    }
}

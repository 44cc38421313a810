//! What has expired goes, what was deleted stays so, and nothing else goes with it, whatever happens to the power and the clock.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use host::Disk;
use host::sim::{ManualClock, SeededRandom, SimDisk};
use protocol::compression::Compression;
use protocol::records::BatchBuilder;
use protocol::{ErrorCode, Uuid};
use storage::{
    AppendInfo, Log, LogConfig, LogDir, OffsetSpec, ReadError, ReadLimit, ReadRequest, RetentionRules,
    SliceData,
};
use support::*;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A log directory on a disk, with a clock of its own.
struct Machine {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    seed: u64,
}

impl Machine {
    fn new() -> Machine {
        let disk = SimDisk::new();
        disk.set_now_ms(NOW_MS);
        Machine { disk, clock: Arc::new(ManualClock::new(NOW_MS)), seed: 1 }
    }

    fn start(&mut self, config: LogConfig) -> (Arc<LogDir>, Arc<Log>) {
        self.try_start(config).expect("the directory opens")
    }

    fn try_start(&mut self, config: LogConfig) -> Option<(Arc<LogDir>, Arc<Log>)> {
        self.seed += 1;
        let host = host_at(&self.disk, self.seed, &self.clock);
        let (dir, _) = LogDir::open(host, Path::new(DIR), small_options()).ok()?;
        let log = dir.create_log(&id("t", 0), config).ok()?;
        Some((dir, log))
    }

    /// The names of the partition's files that end so.
    fn files(&self, suffix: &str) -> Vec<String> {
        let entries = self.disk.list(&Path::new(DIR).join("t-0")).expect("the partition has a directory");
        let names = entries.into_iter().map(|entry| entry.name);
        let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
        names.sort();
        names
    }
}

fn small_options() -> storage::LogDirOptions {
    let kept = LogConfig { retention: RetentionRules::KEEP, ..small_segments() };
    storage::LogDirOptions { default_config: kept, ..support::small_options() }
}

fn keeping(retention: RetentionRules) -> LogConfig {
    LogConfig { retention, file_delete_delay_ms: 0, ..small_segments() }
}

fn by_age(ms: i64) -> LogConfig {
    keeping(RetentionRules { delete: true, ms: Some(ms), bytes: None })
}

/// A batch of one record of 1,000 bytes with a timestamp.
fn timed(timestamp: i64) -> Bytes {
    BatchBuilder::new(0, Compression::None).append(timestamp, None, Some(&[7; 1_000]), &[]).build()
}

/// Appends a batch, whose time is taken whatever it is, and waits for the disk.
fn append(dir: &LogDir, log: &Arc<Log>, batch: Bytes) -> i64 {
    let appended = log.append(batch, AppendInfo { now_ms: i64::MAX / 2, ..info() }).expect("it is appended");
    dir.journal().wait_durable(appended.position).expect("the disk works");
    appended.base_offset
}

/// Appends so many records, an hour apart, the last of them now.
fn append_hours(dir: &LogDir, log: &Arc<Log>, hours: i64) {
    for hour in 0..hours {
        append(dir, log, timed(NOW_MS - (hours - 1 - hour) * HOUR_MS));
    }
    dir.checkpoint().expect("the disk works");
}

fn read_at(log: &Log, offset: i64) -> Result<storage::LogSlice, ReadError> {
    log.read(ReadRequest { offset, max_bytes: 1, min_one_batch: true, up_to: ReadLimit::HighWatermark })
}

fn delete(dir: &LogDir, log: &Arc<Log>, offset: i64) -> Result<(), ()> {
    let lsn = log.delete_records(offset).map_err(drop)?;
    lsn.map_or(Ok(()), |lsn| dir.journal().wait_durable(lsn).map_err(drop))
}

fn bounds(log: &Log) -> (i64, i64) {
    (log.log_start_offset(), log.log_end_offset())
}

#[test]
fn segments_go_as_they_grow_old_and_at_last_the_active_one_does_and_the_offsets_go_on() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(by_age(24 * HOUR_MS));
    append_hours(&dir, &log, 40);
    dir.apply_retention().expect("the disk works");
    // Seven records fill a segment; the third one's last record is 21 hours old at most.
    assert_eq!(bounds(&log), (14, 40));
    assert_eq!(machine.files(".log")[0], "00000000000000000014.log");
    assert_eq!(read_at(&log, 13).map(drop).map_err(|error| error.code()), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(read_all(&log, 14).len(), 26);
    machine.clock.advance(Duration::from_secs(3600 * 25));
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (40, 40));
    assert_eq!(machine.files(".log"), ["00000000000000000040.log"]);
    assert_eq!(append(&dir, &log, timed(NOW_MS)), 40);
    dir.close().expect("the disk works");
    drop((dir, log));
    let (dir, log) = machine.start(by_age(24 * HOUR_MS));
    assert_eq!(bounds(&log), (40, 41));
    assert_eq!(append(&dir, &log, timed(NOW_MS)), 41);
    drop(dir);
}

#[test]
fn what_is_too_much_goes_and_a_compacted_log_keeps_all() {
    let mut machine = Machine::new();
    let by_size = RetentionRules { delete: true, ms: None, bytes: Some(20_000) };
    let (dir, log) = machine.start(keeping(RetentionRules { delete: false, ..by_size }));
    append_hours(&dir, &log, 40);
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (0, 40));
    log.update_config(keeping(by_size));
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (21, 40));
    assert!(log.size_bytes() >= 20_000 && log.size_bytes() < 28_000, "{}", log.size_bytes());
}

#[test]
fn records_without_a_time_are_as_old_as_their_file() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(by_age(24 * HOUR_MS));
    for _ in 0..20 {
        append(&dir, &log, timed(-1));
    }
    dir.checkpoint().expect("the disk works");
    machine.clock.advance(Duration::from_secs(3600 * 24));
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (0, 20));
    machine.clock.advance(Duration::from_secs(1));
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (20, 20));
}

#[test]
fn a_clock_that_is_set_back_deletes_nothing_and_one_set_ahead_what_kafka_would() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(by_age(24 * HOUR_MS));
    append_hours(&dir, &log, 20);
    for now_ms in [0, i64::MIN, NOW_MS - HOUR_MS, NOW_MS + 4 * HOUR_MS] {
        machine.clock.set(now_ms);
        dir.apply_retention().expect("the disk works");
        assert_eq!(bounds(&log), (0, 20), "at {now_ms}");
    }
    // A record of the future keeps its segment, and those behind it.
    append(&dir, &log, timed(NOW_MS + 1_000 * HOUR_MS));
    for _ in 0..10 {
        append(&dir, &log, timed(NOW_MS));
    }
    machine.clock.set(NOW_MS + 500 * HOUR_MS);
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (20, 31));
    machine.clock.set(i64::MAX);
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (31, 31));
    machine.clock.set(NOW_MS);
    assert_eq!(append(&dir, &log, timed(NOW_MS)), 31);
}

#[test]
fn a_reader_reads_on_in_a_segment_that_was_deleted() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(by_age(HOUR_MS));
    append_hours(&dir, &log, 20);
    dir.close().expect("the disk works");
    drop((dir, log));
    let (dir, log) = machine.start(by_age(HOUR_MS));
    let slice = read_at(&log, 3).expect("it is there");
    machine.clock.advance(Duration::from_secs(3600 * 25));
    dir.apply_retention().expect("the disk works");
    wait_until("the files are removed", || machine.files(".deleted").is_empty());
    let SliceData::File { file, position, len, .. } = slice.data else { panic!("it was on disk") };
    let mut bytes = vec![0; len];
    assert_eq!(file.read_at(&mut bytes, position).expect("the reader has it"), len);
    assert_eq!(protocol::records::verify(&bytes).expect("it is whole").base_offset, 3);
    assert_eq!(read_at(&log, 3).map(drop).map_err(|error| error.code()), Err(ErrorCode::OffsetOutOfRange));
    assert_eq!(log.offset_for_timestamp(OffsetSpec::Timestamp(0)).expect("the disk works"), None);
}

#[test]
fn files_have_kafkas_suffix_until_their_time_has_come_or_the_next_start() {
    let mut machine = Machine::new();
    let config = LogConfig { file_delete_delay_ms: HOUR_MS, ..by_age(HOUR_MS) };
    let (dir, log) = machine.start(config.clone());
    append_hours(&dir, &log, 20);
    dir.apply_retention().expect("the disk works");
    let marked = machine.files(".deleted");
    assert!(marked.contains(&"00000000000000000000.log.deleted".to_owned()), "{marked:?}");
    assert!(marked.contains(&"00000000000000000007.snapshot.deleted".to_owned()), "{marked:?}");
    assert_eq!(machine.files("00.log"), Vec::<String>::new());
    machine.disk.kill();
    drop((dir, log));
    let (_dir, log) = machine.start(config);
    assert_eq!((machine.files(".deleted"), bounds(&log)), (vec![], (14, 20)));
}

#[test]
fn a_deleted_topic_keeps_its_directory_under_another_name_for_a_while() {
    let mut machine = Machine::new();
    let directories = |machine: &Machine| {
        let entries = machine.disk.list(Path::new(DIR)).expect("it is there");
        entries.into_iter().filter(|entry| entry.name.ends_with("-delete")).count()
    };
    let (dir, log) = machine.start(LogConfig { file_delete_delay_ms: HOUR_MS, ..small_segments() });
    append_hours(&dir, &log, 3);
    assert!(dir.delete_log(&id("t", 0).topic_partition()).expect("the disk works"));
    assert_eq!(directories(&machine), 1);
    drop((dir, log));
    machine.disk.kill();
    let (_dir, _) = open(&machine.disk, 9).expect("the directory opens");
    wait_until("what was left over is removed", || directories(&machine) == 0);
}

#[test]
fn a_producer_goes_on_after_all_that_it_wrote_has_expired_even_without_power() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(by_age(HOUR_MS));
    let produce = |sequence| {
        let builder = BatchBuilder::new(0, Compression::None).producer(9, 0, sequence);
        builder.append(NOW_MS, None, Some(&[1; 1_000]), &[]).build()
    };
    for sequence in 0..10 {
        append(&dir, &log, produce(sequence));
    }
    dir.checkpoint().expect("the disk works");
    machine.clock.advance(Duration::from_secs(3600 * 2));
    dir.apply_retention().expect("the disk works");
    assert_eq!(bounds(&log), (10, 10));
    for sequence in 10..13 {
        machine.disk.lose_power(&SeededRandom::new(sequence as u64));
        let (dir, log) = machine.start(by_age(HOUR_MS));
        let again = log.append(produce(sequence - 1), info()).expect("it is known");
        assert!(again.duplicate, "{sequence}");
        let next = log.append(produce(sequence), info()).expect("it is the next one");
        assert_eq!(next.base_offset, i64::from(sequence));
        dir.journal().wait_durable(next.position).expect("the disk works");
    }
}

#[test]
fn a_client_deletes_up_to_the_high_watermark_and_not_on_a_compacted_topic() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(small_segments());
    append_hours(&dir, &log, 10);
    let code = |offset| log.delete_records(offset).map_err(|error| error.code());
    assert_eq!([-2, 11].map(code), [Err(ErrorCode::OffsetOutOfRange); 2]);
    assert_eq!(code(0), Ok(None));
    delete(&dir, &log, 4).expect("the disk works");
    assert_eq!((bounds(&log), code(3)), ((4, 10), Ok(None)));
    delete(&dir, &log, -1).expect("the disk works");
    assert_eq!(bounds(&log), (10, 10));
    let kept = LogConfig { compacted: true, retention: RetentionRules::KEEP, ..small_segments() };
    log.update_config(kept);
    assert_eq!(code(-1), Err(ErrorCode::PolicyViolation));
}

#[test]
fn an_open_transaction_does_not_hold_the_last_stable_offset_below_the_logs_start() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(small_segments());
    let open = BatchBuilder::new(0, Compression::None).producer(9, 0, 0).transactional();
    append(&dir, &log, open.append(NOW_MS, None, Some(b"x"), &[]).build());
    append(&dir, &log, timed(NOW_MS));
    dir.checkpoint().expect("the disk works");
    assert_eq!(log.last_stable_offset(), 0);
    delete(&dir, &log, 1).expect("the disk works");
    assert_eq!(log.last_stable_offset(), 1);
}

#[test]
fn epochs_begin_where_the_log_does_after_a_restart_too() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(small_segments());
    for epoch in 1..4 {
        for _ in 0..3 {
            let info = AppendInfo { leader_epoch: epoch, ..info() };
            let appended = log.append(timed(NOW_MS), info).expect("it is appended");
            dir.journal().wait_durable(appended.position).expect("the disk works");
        }
    }
    dir.checkpoint().expect("the disk works");
    delete(&dir, &log, 4).expect("the disk works");
    assert_eq!(log.end_offset_for_epoch(1), Some((1, 4)));
    assert_eq!(log.end_offset_for_epoch(2), Some((2, 6)));
    dir.close().expect("the disk works");
    let path = Path::new(DIR).join("t-0/leader-epoch-checkpoint");
    let text = storage::files::load_whole(&machine.disk, &path).expect("the disk works");
    assert_eq!(text.as_deref(), Some(&b"0\n2\n2 4\n3 6\n"[..]));
}

#[test]
fn a_batch_that_was_taken_under_a_larger_limit_survives_a_crash_under_a_smaller_one() {
    let mut machine = Machine::new();
    let (dir, log) = machine.start(small_segments());
    append(&dir, &log, batch(1, 1, 1_000));
    dir.checkpoint().expect("the disk works");
    append(&dir, &log, batch(2, 1, 1_000));
    machine.disk.kill();
    drop((dir, log));
    let smaller = LogConfig { batch_bytes_max: 100, segment_bytes: 500, ..small_segments() };
    let (_dir, log) = machine.start(smaller);
    let found = read_all(&log, 0);
    assert_eq!(found.len(), 2);
    assert!(
        (1..).zip(&found).all(|(number, (_, found))| content(found) == content(&batch(number, 1, 1_000)))
    );
    let refused = log.append(timed(NOW_MS), info()).expect_err("it is too large");
    assert_eq!(refused.code(), ErrorCode::MessageTooLarge);
}

/// Records, deletions and looks at what has expired, in any order, with the power going after so many changes of the disk.
fn live_and_crash(cut: u64) {
    let mut machine = Machine::new();
    let random = SeededRandom::new(cut + 1);
    // What was acknowledged: where the log starts at least, and where it ends at least.
    let (mut start, mut end) = (0, 0);
    for life in 0..3 {
        machine.disk.cut_power_after(cut + random.below(40), random.below(9_000) as usize);
        if let Some((dir, log)) = machine.try_start(by_age(24 * HOUR_MS)) {
            act_until_the_power_goes(&machine, &dir, &log, &random, &mut start, &mut end);
        }
        machine.disk.lose_power(&random);
        let (dir, log) = machine.start(by_age(24 * HOUR_MS));
        let context = format!("cut {cut}, life {life}");
        check(&log, start, end, &context);
        if random.below(3) == 0 {
            dir.close().expect(&context);
        }
        machine.disk.kill();
        drop((dir, log));
        let (_dir, log) = machine.start(by_age(24 * HOUR_MS));
        check(&log, start, end, &context);
        (start, end) = bounds(&log);
        machine.disk.kill();
    }
}

fn check(log: &Log, start: i64, end: i64, context: &str) {
    let (found_start, found_end) = bounds(log);
    assert!(found_start >= start, "{context}: what was deleted below {start} is back from {found_start} on");
    assert!(found_end >= end, "{context}: the log ends at {found_end}, {end} was acknowledged");
    let mut next = found_start;
    for (base_offset, bytes) in read_all(log, found_start) {
        assert_eq!(base_offset, next, "{context}: no hole");
        next = protocol::records::verify(&bytes).expect("it is whole").next_offset();
    }
    assert_eq!(next, found_end, "{context}: all is there from start to end");
}

fn act_until_the_power_goes(
    machine: &Machine,
    dir: &LogDir,
    log: &Arc<Log>,
    random: &SeededRandom,
    start: &mut i64,
    end: &mut i64,
) {
    for _ in 0..60 {
        let done = match random.below(10) {
            0 => delete(dir, log, -1).map(|()| *start = log.log_start_offset()),
            1 => {
                let offset = *start + random.below(4) as i64;
                let deleted = offset <= *end && delete(dir, log, offset).is_ok();
                *start = if deleted { offset.max(*start) } else { *start };
                Ok(())
            }
            2 => {
                machine.clock.advance(Duration::from_secs(3600 * 12));
                dir.apply_retention().map_err(drop)
            }
            3 => dir.checkpoint().map_err(drop),
            _ => write(machine, dir, log).map(|next| *end = next),
        };
        if done.is_err() {
            return;
        }
    }
}

/// Appends a record of now and waits for the disk. Says where the log ends.
fn write(machine: &Machine, dir: &LogDir, log: &Arc<Log>) -> Result<i64, ()> {
    use host::Clock;
    let now_ms = machine.clock.now_ms();
    let appended = log.append(timed(now_ms), AppendInfo { now_ms, ..info() }).map_err(drop)?;
    dir.journal().wait_durable(appended.position).map_err(drop)?;
    Ok(appended.last_offset + 1)
}

#[test]
fn deleted_records_never_come_back_and_no_others_go_wherever_the_power_is_cut() {
    (0..160).for_each(live_and_crash);
}

#[test]
fn segments_of_one_topic_end_at_different_times_if_jitter_is_set() {
    let mut machine = Machine::new();
    let (dir, _log) = machine.start(small_segments());
    let config =
        LogConfig { segment_ms: 1_000, segment_jitter_ms: 900, segment_bytes: 1 << 20, ..small_segments() };
    let lengths: std::collections::BTreeSet<i64> = (0..20)
        .map(|number| {
            let partition = storage::TopicIdPartition::new("jitter", Uuid([7; 16]), number);
            let log = dir.create_log(&partition, config.clone()).expect("the disk works");
            for step in 0..20 {
                append(&dir, &log, timed(NOW_MS + step * 100));
            }
            dir.checkpoint().expect("the disk works");
            first_roll(&machine.disk, &log)
        })
        .collect();
    assert!(lengths.len() > 3 && lengths.iter().all(|length| (2..=11).contains(length)), "{lengths:?}");
}

/// Where the second segment begins.
fn first_roll(disk: &SimDisk, log: &Log) -> i64 {
    let entries = disk.list(log.dir()).expect("it is there");
    let bases = entries.iter().filter_map(|entry| storage::files::names::offset_in(&entry.name, ".log"));
    bases.filter(|base| *base > 0).min().expect("it has rolled")
}

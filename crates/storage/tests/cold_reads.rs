//! Readers of old data give way to the journal, and get on whatever it does.

#[path = "log_dir_support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::File;
use host::sim::{Hold, ManualClock, SimDisk};
use storage::{ColdReads, Log, LogConfig, LogDir, LogDirOptions, ReadLimit, ReadRequest, SliceData};
use support::*;

const JOURNAL: &str = "yeoul.journal";
const OLD_BATCHES: u64 = 12;
const OLD_BATCH_BYTES: usize = 50_000;

/// A log directory with old data in a file, of which nothing is in memory, and a log that is written to.
struct Life {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    dir: Arc<LogDir>,
    old: Arc<Log>,
    new: Arc<Log>,
}

/// Old data in its file.
struct OldData {
    file: Arc<dyn File>,
    position: u64,
    len: usize,
    cold_reads: Arc<ColdReads>,
}

impl Life {
    fn start() -> Life {
        let (disk, clock) = (SimDisk::new(), Arc::new(ManualClock::new(NOW_MS)));
        let open = |seed| {
            let opened = LogDir::open(host_at(&disk, seed, &clock), Path::new(DIR), LogDirOptions::default());
            opened.expect("the disk works").0
        };
        let dir = open(1);
        let old = dir.create_log(&id("old", 0), LogConfig::default()).expect("the disk works");
        for number in 0..OLD_BATCHES {
            old.append(batch(number, 1, OLD_BATCH_BYTES), info()).expect("it is a good batch");
        }
        dir.close().expect("the disk works");
        drop((dir, old));
        let dir = open(2);
        let log = |topic| dir.create_log(&id(topic, 0), LogConfig::default()).expect("the disk works");
        let (old, new) = (log("old"), log("new"));
        // Whatever the start wrote is long ago.
        clock.advance(Duration::from_secs(10));
        Life { disk, clock, dir, old, new }
    }

    fn old_data(&self) -> OldData {
        let (max_bytes, up_to) = (OLD_BATCH_BYTES * 100, ReadLimit::HighWatermark);
        let request = ReadRequest { offset: 0, max_bytes, min_one_batch: true, up_to };
        let data = self.old.read(request).expect("it is there").data;
        let SliceData::File { file, position, len, cold_reads, .. } = data else { panic!("it is in memory") };
        OldData { file, position, len, cold_reads }
    }

    /// Appends something, and holds the journal up that is to write it.
    fn append_slowly(&self) -> (storage::Lsn, Hold) {
        let hold = self.disk.hold_writes(JOURNAL);
        let appended = self.new.append(batch(1, 1, 100), info()).expect("it is a good batch");
        wait_until("the journal is written", || hold.is_reached());
        (appended.position, hold)
    }
}

impl OldData {
    /// All of it, as it is read: so many bytes at a time.
    fn read(&self) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut steps) = (vec![0; self.len], Vec::new());
        let mut filled = 0;
        while filled < self.len {
            let at = self.position + filled as u64;
            let read = self.cold_reads.read_at(&*self.file, &mut bytes[filled..], at).expect("it is there");
            assert!(read > 0);
            steps.push(read);
            filled += read;
        }
        (bytes, steps)
    }

    fn expected(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position).expect("it is there");
        assert!(self.len > OLD_BATCHES as usize * OLD_BATCH_BYTES);
        bytes
    }
}

#[test]
fn who_reads_while_nobody_produces_gets_all_at_once() {
    let life = Life::start();
    let old = life.old_data();
    assert_eq!(old.read(), (old.expected(), vec![old.len]));
}

#[test]
fn who_reads_while_the_journal_is_slow_gets_all_of_it_in_small_pieces() {
    let life = Life::start();
    let old = life.old_data();
    for _ in 0..3 {
        let (position, hold) = life.append_slowly();
        life.clock.advance(Duration::from_millis(100));
        drop(hold);
        life.dir.journal().wait_durable(position).expect("the disk works");
    }
    let (bytes, steps) = old.read();
    assert!(bytes == old.expected());
    let (last, others) = steps.split_last().expect("it is not empty");
    assert!(others.iter().all(|step| *step == 128 * 1024) && *last <= 128 * 1024, "{steps:?}");
}

#[test]
fn who_reads_does_not_wait_for_a_journal_that_is_held_up() {
    let life = Life::start();
    let old = life.old_data();
    let appended = life.new.append(batch(0, 1, 100), info()).expect("it is a good batch");
    life.dir.journal().wait_durable(appended.position).expect("the disk works");
    let (position, hold) = life.append_slowly();
    let (bytes, steps) = old.read();
    assert!(bytes == old.expected() && steps.len() > 1);
    assert_eq!(life.dir.journal().outcome(position).map(|outcome| outcome.is_ok()), None);
    drop(hold);
    life.dir.journal().wait_durable(position).expect("the disk works");
}

#[test]
fn several_who_read_while_somebody_produces_all_get_on() {
    let life = Life::start();
    let appended = life.new.append(batch(0, 1, 100), info()).expect("it is a good batch");
    life.dir.journal().wait_durable(appended.position).expect("the disk works");
    let old = life.old_data();
    let expected = old.expected();
    std::thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(|| old.read().0));
        for reader in readers {
            assert!(reader.join().expect("it reads") == expected);
        }
    });
}

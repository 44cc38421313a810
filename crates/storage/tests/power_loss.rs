//! The power goes at every single change of the disk; what was flushed before has to be there afterwards.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use host::Disk;
use host::sim::{SeededRandom, SimDisk};
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, BatchHeader};
use storage::files::producer_snapshot::ProducerEntry;
use storage::files::transaction_index::AbortedTransaction;
use storage::files::{FileError, load_whole, names, offset_checkpoint, producer_snapshot, store_whole};
use storage::segment::{Segment, SegmentError, SegmentHome};

const DIR: &str = "/data/topic-0";
const INTERVAL: u32 = 500;

/// A disk with the directory on it, which loses power after so many changes.
fn disk(changes: u64, torn_bytes: usize) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new(DIR)).expect("power");
    for dir in ["/", "/data", DIR] {
        disk.sync_dir(Path::new(dir)).expect("power");
    }
    disk.cut_power_after(changes, torn_bytes);
    disk
}

#[test]
fn a_small_file_is_the_old_or_the_new_one_wherever_the_power_goes() {
    let path = Path::new(DIR).join("some-checkpoint");
    let (old, new) = (vec![b'a'; 3_000], vec![b'b'; 2_000]);
    for seed in 0..20 {
        for changes in 0.. {
            let disk = disk(u64::MAX, 0);
            store_whole(&disk, &path, &old).expect("power");
            disk.cut_power_after(changes, seed as usize * 150);
            let stored = store_whole(&disk, &path, &new);
            disk.lose_power(&SeededRandom::new(seed));
            let left = load_whole(&disk, &path).expect("power").expect("one of both");
            assert!(left == new || (left == old && stored.is_err()), "after {changes} changes");
            if stored.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn checkpoints_and_snapshots_are_always_whole() {
    let checkpoint = Path::new(DIR).join(offset_checkpoint::RECOVERY_POINT);
    let snapshot = Path::new(DIR).join(names::of_offset(7, names::PRODUCER_SNAPSHOT));
    let write = |disk: &SimDisk, n: i64| -> Result<(), FileError> {
        offset_checkpoint::store(disk, &checkpoint, [("topic", 0, n)].into_iter())?;
        let entry = |producer_id| ProducerEntry { producer_id, last_offset: n, ..ProducerEntry::default() };
        producer_snapshot::store(disk, &snapshot, (0..50).map(entry).collect())
    };
    for changes in 0..40 {
        for seed in 0..10 {
            let disk = disk(changes, 100);
            let stored = (0..4).take_while(|n| write(&disk, *n).is_ok()).count() as i64;
            disk.lose_power(&SeededRandom::new(seed));
            let offset = offset_checkpoint::load(&disk, &checkpoint).expect("a whole file");
            assert!(offset.first().map_or(-1, |entry| entry.offset) >= stored - 1);
            let entries = producer_snapshot::load(&disk, &snapshot).expect("a whole file");
            let newest = entries.map_or(-1, |entries| entries[49].last_offset);
            assert!(newest >= stored - 1);
        }
    }
}

fn batch(base_offset: i64) -> Bytes {
    let n = base_offset as usize;
    BatchBuilder::new(base_offset, Compression::None)
        .append(1_000 + base_offset, None, Some(&vec![n as u8; 50 + n * 37 % 400]), &[])
        .append(1_000 + base_offset, None, None, &[])
        .build()
}

/// How far a writer came before the power went.
#[derive(Default)]
struct Progress {
    /// All below this offset was flushed to the log file.
    flushed: i64,
    /// All below this offset was flushed, the indexes too.
    recovery_point: i64,
}

/// Appends, flushes the log every three batches and moves the recovery point every six.
fn write(home: &Arc<SegmentHome>, progress: &mut Progress) -> Result<(), SegmentError> {
    let io = |source| SegmentError::Io { path: home.dir.clone(), source };
    let segment = Segment::create(home.clone(), 0, 0)?;
    let file = segment.log_file()?;
    home.disk.sync_dir(&home.dir).map_err(io)?;
    for n in 0..24 {
        let batch = batch(segment.next_offset());
        let header = BatchHeader::parse(&batch).expect("a batch");
        file.write_all_at(&batch, segment.append(&header, INTERVAL)).map_err(io)?;
        segment.append_aborted(aborted(header.last_offset()));
        if n % 3 == 2 {
            file.sync_data().map_err(io)?;
            progress.flushed = segment.next_offset();
        }
        if n % 6 == 5 {
            segment.flush_indexes(true)?;
            home.disk.sync_dir(&home.dir).map_err(io)?;
            progress.recovery_point = segment.next_offset();
        }
    }
    Ok(())
}

fn aborted(last_offset: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: 1,
        first_offset: last_offset - 1,
        last_offset,
        last_stable_offset: last_offset + 1,
    }
}

/// Recovers the segment and returns how far it goes.
fn check_recovered(home: &Arc<SegmentHome>, progress: &Progress) -> i64 {
    let mut seen = Vec::new();
    let mut note = |header: &BatchHeader, _: &[u8]| seen.push(header.base_offset);
    let point = progress.recovery_point;
    let (segment, _) = Segment::recover(home.clone(), 0, 0, point, INTERVAL, &mut note).expect("a segment");
    let (end, size) = (segment.next_offset(), segment.size());
    assert!(end >= progress.flushed, "{end} is below {}", progress.flushed);
    assert_eq!(
        seen,
        (point..end).step_by(2).collect::<Vec<_>>(),
        "what lies above is seen, and nothing else"
    );
    let expected = (0..end).step_by(2).map(batch).collect::<Vec<_>>().concat();
    assert_eq!(segment.read(0, size as usize).expect("power"), expected);
    for offset in 0..end {
        let located = segment.locate(offset, size).expect("power").expect("a batch");
        assert_eq!(located.header.base_offset, offset - offset % 2);
        let found = segment.find_timestamp(1_000 + offset - offset % 2, 0, size, 1 << 20).expect("power");
        assert_eq!(found.map(|found| found.offset), Some(offset - offset % 2));
    }
    let known: Vec<_> = (0..point).step_by(2).map(|offset| aborted(offset + 1)).collect();
    assert_eq!(
        segment.aborted().expect("power"),
        known,
        "those above are noted again by who sees the batches"
    );
    end
}

#[test]
fn a_segment_recovers_all_that_was_flushed_wherever_the_power_goes() {
    for changes in 0.. {
        let mut done = false;
        for seed in 0..8 {
            let disk = disk(changes, seed as usize * 61);
            let home = Arc::new(SegmentHome { disk: Arc::new(disk.clone()), dir: DIR.into() });
            let mut progress = Progress::default();
            done = write(&home, &mut progress).is_ok();
            disk.lose_power(&SeededRandom::new(seed));
            let end = check_recovered(&home, &progress);
            // The power may go again right after; recovery starts over from the same point.
            disk.lose_power(&SeededRandom::new(seed + 100));
            assert!(check_recovered(&home, &progress) <= end);
        }
        if done {
            return;
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_there() {
    let disk = disk(u64::MAX, 0);
    let home = Arc::new(SegmentHome { disk: Arc::new(disk.clone()), dir: DIR.into() });
    let segment = Segment::create(home.clone(), 0, 0).expect("room");
    let file = segment.log_file().expect("room");
    for n in 0..12 {
        let batch = batch(n * 2);
        let position = segment.append(&BatchHeader::parse(&batch).expect("a batch"), INTERVAL);
        file.write_all_at(&batch, position).expect("room");
    }
    disk.set_free_bytes(Some(3));
    assert!(matches!(segment.flush_indexes(true), Err(SegmentError::Io { .. })));
    for offset in 0..24 {
        assert!(segment.locate(offset, segment.size()).expect("a readable disk").is_some());
    }
    disk.set_free_bytes(None);
    segment.seal().expect("room");
    let opened = Segment::open(home, 0, 0, INTERVAL).expect("a segment closed in order");
    assert_eq!(opened.next_offset(), 24);
}

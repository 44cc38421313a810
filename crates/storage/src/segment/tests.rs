use std::fs;
use std::path::Path;

use bytes::Bytes;
use host::RealDisk;
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, Batches};
use tempfile::TempDir;

use super::*;
use crate::files::{offset_index, time_index};

const INTERVAL: u32 = 4096;
const CAP: usize = 1 << 24;
const KAFKA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stopped/plain-0");

struct Bench {
    dir: TempDir,
    home: Arc<SegmentHome>,
}

impl Bench {
    fn new() -> Bench {
        let dir = TempDir::new().expect("a temporary directory");
        let home = Arc::new(SegmentHome { disk: Arc::new(RealDisk), dir: dir.path().to_owned() });
        Bench { dir, home }
    }

    /// With the files of Kafka's segment at an offset.
    fn kafka(base_offset: i64) -> Bench {
        let bench = Bench::new();
        for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
            let name = names::of_offset(base_offset, suffix);
            fs::copy(Path::new(KAFKA).join(&name), bench.dir.path().join(&name)).expect("a fixture");
        }
        bench
    }

    fn bytes(&self, base_offset: i64, suffix: &str) -> Vec<u8> {
        fs::read(self.home.path(base_offset, suffix)).expect("a file of the segment")
    }

    fn open(&self, base_offset: i64) -> Segment {
        Segment::open(self.home.clone(), base_offset, 0, INTERVAL).expect("a segment")
    }

    fn recover(&self, base_offset: i64, recovery_point: i64) -> (Segment, SegmentRecovery) {
        Segment::recover(self.home.clone(), base_offset, 0, recovery_point, INTERVAL, &mut |_, _| {})
            .expect("a segment")
    }
}

/// Batches of three records, so many of them, each of about so many bytes.
fn batches(base_offset: i64, count: i64, bytes: usize) -> Vec<Bytes> {
    let batch = |n: i64| {
        let mut builder = BatchBuilder::new(base_offset + n * 3, Compression::None).leader_epoch(4);
        (0..3).for_each(|r| builder.push(1_000 + n * 10 + r, None, Some(&vec![7; bytes / 3]), &[]));
        builder.build()
    };
    (0..count).map(batch).collect()
}

fn fill(segment: &Segment, batches: &[Bytes]) {
    let file = segment.log_file().expect("a log file");
    for batch in batches {
        let header = BatchHeader::parse(batch).expect("a batch");
        let position = segment.append(&header, INTERVAL);
        file.write_all_at(batch, position).expect("room on the disk");
    }
}

/// Base offsets of the batches in a range of the file.
fn offsets(segment: &Segment, range: Option<SegmentRange>) -> Vec<i64> {
    let Some(range) = range else { return Vec::new() };
    let bytes = segment.read(range.position, range.len).expect("a range within the file");
    Batches::new(&bytes).map(|batch| batch.expect("whole batches").0.base_offset).collect()
}

fn everything(segment: &Segment) -> ReadEnd {
    ReadEnd { offset: i64::MAX, position: segment.size() }
}

#[test]
fn the_indexes_of_kafka_are_made_byte_for_byte_by_appending_and_by_recovery() {
    for base_offset in [0, 15, 75] {
        let kafka = Bench::kafka(base_offset);
        let log = Bytes::from(kafka.bytes(base_offset, names::LOG));
        let ours = Bench::new();
        let segment = Segment::create(ours.home.clone(), base_offset, 0).unwrap();
        let whole: Vec<_> = Batches::new(&log).map(|batch| log.slice_ref(batch.unwrap().1)).collect();
        fill(&segment, &whole);
        segment.seal().unwrap();
        let (recovered, report) = kafka.recover(base_offset, 0);
        assert_eq!((report.batches, report.truncated_bytes), (whole.len() as u64, 0));
        recovered.seal().unwrap();
        for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
            let theirs = fs::read(Path::new(KAFKA).join(names::of_offset(base_offset, suffix))).unwrap();
            assert_eq!(ours.bytes(base_offset, suffix), theirs, "{base_offset}{suffix} by appending");
            assert_eq!(kafka.bytes(base_offset, suffix), theirs, "{base_offset}{suffix} by recovery");
        }
    }
}

#[test]
fn a_segment_of_kafka_is_opened_and_read() {
    let bench = Bench::kafka(15);
    let len = bench.bytes(15, names::LOG).len() as u64;
    let sealed = Segment::sealed(bench.home.clone(), 15, len, 30);
    for segment in [bench.open(15), sealed] {
        assert_eq!((segment.next_offset(), segment.size()), (30, len));
        for offset in 15..30 {
            let located = segment.locate(offset, len).unwrap().unwrap();
            assert_eq!(located.header.base_offset, offset - offset % 3, "offset {offset}");
        }
        assert_eq!(segment.locate(30, len).unwrap(), None);
        assert_eq!(
            offsets(&segment, segment.range(0, CAP, true, everything(&segment)).unwrap()),
            [15, 18, 21, 24, 27]
        );
        let max = TimestampOffset { timestamp: 1_790_000_008_002, offset: 26 };
        assert_eq!(segment.max_timestamp().unwrap(), Some(max));
    }
}

#[test]
fn a_range_ends_at_a_batch_within_its_limits() {
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 100, 0).unwrap();
    let all = batches(100, 40, 900);
    let size = all[0].len();
    fill(&segment, &all);
    segment.flush_indexes(false).unwrap();
    fill(&segment, &batches(220, 40, 900));
    let end = everything(&segment);
    let bases = |first: i64, count: i64| (0..count).map(|n| first + n * 3).collect::<Vec<_>>();
    let got = |offset, max_bytes, min_one, end| {
        offsets(&segment, segment.range(offset, max_bytes, min_one, end).unwrap())
    };
    assert_eq!(got(101, 2 * size, true, end), bases(100, 2));
    assert_eq!(got(101, 2 * size - 1, true, end), bases(100, 1));
    assert_eq!(got(130, size, false, end), bases(130, 1));
    assert_eq!(got(130, size - 1, false, end), bases(0, 0));
    assert_eq!(got(130, 0, true, end), bases(130, 1));
    assert_eq!(got(130, 30 * size + 5, true, end), bases(130, 30));
    assert_eq!(got(130, CAP, true, end), bases(130, 70));
    assert_eq!(got(130, CAP, true, ReadEnd { offset: 136, ..end }), bases(130, 2));
    assert_eq!(got(130, CAP, true, ReadEnd { offset: 130, ..end }), bases(0, 0));
    assert_eq!(got(130, CAP, true, ReadEnd { position: 12 * size as u64, ..end }), bases(130, 2));
    assert_eq!(got(340, CAP, true, end), bases(0, 0));
}

#[test]
fn timestamps_are_found_wherever_they_lie() {
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
    fill(&segment, &batches(0, 60, 900));
    let find = |timestamp, from| {
        let found = segment.find_timestamp(timestamp, from, segment.size(), CAP).unwrap();
        found.map(|found| (found.timestamp, found.offset, found.leader_epoch))
    };
    for flushed in [false, true] {
        assert_eq!(find(0, 0), Some((1_000, 0, 4)), "flushed: {flushed}");
        assert_eq!(find(1_301, 0), Some((1_301, 91, 4)));
        assert_eq!(find(1_303, 0), Some((1_310, 93, 4)));
        assert_eq!(find(1_301, 100), Some((1_331, 100, 4)));
        assert_eq!(find(1_593, 0), None);
        segment.seal().unwrap();
    }
    for timestamp in 1_000..1_600 {
        let n = (timestamp - 1_000) / 10;
        let r = (timestamp - 1_000) % 10;
        let offset = if r < 3 { n * 3 + r } else { n * 3 + 3 };
        assert_eq!(find(timestamp, 0).map(|found| found.1), (offset < 180).then_some(offset), "{timestamp}");
    }
}

#[test]
fn a_torn_tail_is_cut_at_the_last_good_batch_wherever_it_is_torn() {
    let all = batches(0, 12, 900);
    let whole = all.concat();
    let size = all[0].len();
    for len in (0..whole.len()).step_by(37).chain(whole.len() - 3 * size..=whole.len()) {
        let bench = Bench::new();
        fs::write(bench.home.path(0, names::LOG), &whole[..len]).unwrap();
        let (segment, report) = bench.recover(0, 0);
        let good = len / size;
        assert_eq!((report.batches, report.truncated_bytes), (good as u64, (len % size) as u64));
        assert_eq!((segment.next_offset(), segment.size()), (good as i64 * 3, (good * size) as u64));
        assert_eq!(bench.bytes(0, names::LOG).len(), good * size);
        assert_eq!(report.fault.is_some(), len % size != 0);
    }
}

#[test]
fn a_changed_bit_above_the_recovery_point_is_found_and_below_it_is_not_looked_for() {
    let all = batches(0, 30, 900);
    let whole = all.concat();
    for bad in [3, 20, 29] {
        let bench = Bench::new();
        let mut bytes = whole.clone();
        bytes[bad * all[0].len() + 100] ^= 1;
        fs::write(bench.home.path(0, names::LOG), &bytes).unwrap();
        let (segment, report) = bench.recover(0, 30);
        let good = if bad < 10 { 30 } else { bad };
        assert_eq!(segment.next_offset(), good as i64 * 3, "batch {bad}");
        assert_eq!(report.batches, good as u64 - 10);
    }
}

#[test]
fn a_time_entry_that_was_torn_into_another_is_not_believed() {
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
    fill(&segment, &batches(0, 100, 2_000));
    segment.flush_indexes(true).unwrap();
    let whole = bench.bytes(0, names::TIME_INDEX);
    // The timestamp was written, and of the offset only what makes it one that lies below the recovery point.
    let last = time_index::decode(&whole).unwrap().last().copied().unwrap();
    let torn = TimeEntry { timestamp: last.timestamp + 500, relative_offset: last.relative_offset };
    fs::write(segment.path(names::TIME_INDEX), [&whole[..], &torn.to_bytes()].concat()).unwrap();
    let before = segment.max_timestamp().unwrap();
    let (recovered, report) = bench.recover(0, 300);
    assert_eq!((recovered.max_timestamp().unwrap(), report.verified_bytes), (before, 0));
    recovered.flush_indexes(true).unwrap();
    assert_eq!(bench.bytes(0, names::TIME_INDEX), whole);
}

#[test]
fn recovery_leads_to_the_same_indexes_from_every_recovery_point() {
    let all = batches(7, 60, 900);
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 7, 0).unwrap();
    fill(&segment, &all);
    segment.flush_indexes(true).unwrap();
    let indexes = |bench: &Bench| (bench.bytes(7, names::OFFSET_INDEX), bench.bytes(7, names::TIME_INDEX));
    let before = indexes(&bench);
    assert!(offset_index::decode(&before.0).unwrap().len() > 5);
    assert_eq!(time_index::decode(&before.1).unwrap().len(), before.0.len() / 8);
    for recovery_point in 0..=200 {
        let (segment, report) = bench.recover(7, recovery_point);
        assert_eq!(report.truncated_bytes, 0);
        segment.flush_indexes(false).unwrap();
        assert_eq!(indexes(&bench), before, "recovery point {recovery_point}");
        assert_eq!(segment.facts().first_timestamp, Some(1_002));
    }
}

#[test]
fn indexes_that_make_no_sense_are_made_anew() {
    let all = batches(0, 40, 900);
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
    fill(&segment, &all);
    segment.seal().unwrap();
    let (good_offsets, good_times) = (bench.bytes(0, names::OFFSET_INDEX), bench.bytes(0, names::TIME_INDEX));
    let mut garbage = vec![0xa5; good_offsets.len()];
    garbage.push(1);
    for (offsets, times) in [
        (garbage.clone(), good_times.clone()),
        (good_offsets.clone(), garbage.clone()),
        (vec![0x7f; 80], vec![0xff; 120]),
        ([&good_offsets[..], &[0; 800]].concat(), [&good_times[..], &[0; 1_200]].concat()),
    ] {
        fs::write(bench.home.path(0, names::OFFSET_INDEX), &offsets).unwrap();
        fs::write(bench.home.path(0, names::TIME_INDEX), &times).unwrap();
        let (recovered, _) = bench.recover(0, 60);
        for segment in [recovered, bench.open(0)] {
            for offset in 0..120 {
                let located = segment.locate(offset, segment.size()).unwrap().unwrap();
                assert_eq!(located.header.base_offset, offset - offset % 3);
            }
            assert_eq!(segment.find_timestamp(1_300, 0, segment.size(), CAP).unwrap().unwrap().offset, 90);
            segment.seal().unwrap();
            assert_eq!(bench.bytes(0, names::OFFSET_INDEX), good_offsets);
            assert_eq!(bench.bytes(0, names::TIME_INDEX), good_times);
        }
    }
    let sealed = Segment::sealed(bench.home.clone(), 0, segment.size(), 120);
    fs::write(bench.home.path(0, names::OFFSET_INDEX), [0, 0, 0, 1, 0, 0, 0, 9]).unwrap();
    assert_eq!(sealed.locate(50, segment.size()).unwrap().unwrap().header.base_offset, 48);
    fs::remove_file(bench.home.path(0, names::OFFSET_INDEX)).unwrap();
    assert_eq!(sealed.locate(50, segment.size()).unwrap().unwrap().header.base_offset, 48);
}

#[test]
fn a_reopened_segment_goes_on_where_it_was() {
    let (straight, stopped) = (Bench::new(), Bench::new());
    let all = batches(0, 50, 1_500);
    let segment = Segment::create(straight.home.clone(), 0, 0).unwrap();
    fill(&segment, &all);
    segment.flush_indexes(false).unwrap();
    let mut segment = Segment::create(stopped.home.clone(), 0, 0).unwrap();
    for (n, batch) in all.iter().enumerate() {
        fill(&segment, std::slice::from_ref(batch));
        if n % 7 == 0 {
            segment.flush_indexes(true).unwrap();
            segment = stopped.open(0);
        }
    }
    segment.flush_indexes(false).unwrap();
    for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
        assert_eq!(straight.bytes(0, suffix), stopped.bytes(0, suffix), "{suffix}");
    }
}

#[test]
fn truncation_removes_batches_and_their_index_entries() {
    let all = batches(0, 40, 900);
    for cut in [0, 1, 2, 3, 59, 60, 61, 119] {
        let bench = Bench::new();
        let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
        fill(&segment, &all[..20]);
        segment.flush_indexes(false).unwrap();
        fill(&segment, &all[20..]);
        let kept = (cut / 3) as usize;
        let removed = segment.truncate(cut, INTERVAL).unwrap();
        assert_eq!(removed, ((40 - kept) * all[0].len()) as u64);
        assert_eq!(segment.next_offset(), kept as i64 * 3);
        fill(&segment, &all[kept..]);
        segment.flush_indexes(false).unwrap();
        let fresh = Bench::new();
        let straight = Segment::create(fresh.home.clone(), 0, 0).unwrap();
        fill(&straight, &all);
        straight.flush_indexes(false).unwrap();
        for suffix in [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX] {
            assert_eq!(bench.bytes(0, suffix), fresh.bytes(0, suffix), "{suffix} cut at {cut}");
        }
    }
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
    fill(&segment, &all);
    assert_eq!(segment.truncate(120, INTERVAL).unwrap(), 0);
}

#[test]
fn aborted_transactions_survive_flushes_and_are_cut_with_the_log() {
    let bench = Bench::new();
    let entry = |n: i64| AbortedTransaction {
        producer_id: n,
        first_offset: n * 3,
        last_offset: n * 3 + 2,
        last_stable_offset: n * 3 + 3,
    };
    let segment = Segment::create(bench.home.clone(), 0, 0).unwrap();
    fill(&segment, &batches(0, 6, 300));
    for n in 0..6 {
        segment.append_aborted(entry(n));
        if n % 2 == 0 {
            segment.flush_indexes(true).unwrap();
        }
    }
    assert_eq!(segment.aborted().unwrap(), (0..6).map(entry).collect::<Vec<_>>());
    segment.truncate(9, INTERVAL).unwrap();
    assert_eq!(segment.aborted().unwrap(), (0..3).map(entry).collect::<Vec<_>>());
    let (recovered, _) = bench.recover(0, 4);
    assert_eq!(recovered.aborted().unwrap(), [entry(0)]);
}

#[test]
fn offsets_that_do_not_ascend_are_cut_off() {
    let bench = Bench::new();
    let repeated = [&batches(10, 3, 90)[..], &batches(13, 1, 90)[..]].concat().concat();
    fs::write(bench.home.path(10, names::LOG), &repeated).unwrap();
    let (segment, report) = bench.recover(10, 0);
    assert_eq!((segment.next_offset(), report.batches), (19, 3));
    let below = Bench::new();
    fs::write(below.home.path(50, names::LOG), &repeated).unwrap();
    assert_eq!(below.recover(50, 0).0.size(), 0);
}

#[test]
fn a_segment_that_was_not_closed_in_order_is_not_opened_as_if_it_were() {
    let bench = Bench::new();
    let whole = batches(0, 3, 90).concat();
    fs::write(bench.home.path(0, names::LOG), &whole[..whole.len() - 1]).unwrap();
    let opened = Segment::open(bench.home.clone(), 0, 0, INTERVAL);
    assert!(matches!(opened, Err(SegmentError::Corrupt { .. })));
}

#[test]
fn an_idle_segment_is_small() {
    assert!(size_of::<Segment>() <= 320, "{} bytes", size_of::<Segment>());
}

#[test]
fn a_batch_that_compaction_left_without_records_has_no_timestamp_that_counts() {
    let bench = Bench::new();
    let segment = Segment::create(bench.home.clone(), 0, 0).expect("a segment");
    let full = batches(0, 1, 30).remove(0);
    let header = BatchHeader::parse(&full).expect("a batch");
    let later = BatchHeader { base_offset: 3, max_timestamp: 9_000, ..header };
    let empty = protocol::records::empty_batch(&later);
    for batch in [&full, &empty] {
        let at = segment.append(&BatchHeader::parse(batch).expect("a batch"), INTERVAL);
        segment.log_file().expect("the file").write_all_at(batch, at).expect("room");
    }
    segment.seal().expect("room");
    for segment in [segment, Segment::sealed(bench.home.clone(), 0, (full.len() + empty.len()) as u64, 6)] {
        let max = segment.max_timestamp().expect("a segment").expect("a timestamp");
        assert_eq!((max.timestamp, max.offset), (1_002, 2));
    }
}

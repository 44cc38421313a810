//! Random lives of a segment, held against a list of its batches.

use std::sync::Arc;

use bytes::Bytes;
use host::RealDisk;
use proptest::prelude::*;
use protocol::compression::Compression;
use protocol::records::{BatchBuilder, BatchHeader};
use storage::files::names;
use storage::segment::{ReadEnd, Segment, SegmentHome};
use tempfile::TempDir;

const INTERVAL: u32 = 1_000;
const BASE: i64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Append { records: i64, gap: i64, value_bytes: usize, timestamp: i64, compression: usize },
    Flush,
    Reopen,
    Recover { below: i64 },
    Truncate { below: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1..4_i64, 0..3_i64, 0..600_usize, 0..5_000_i64, 0..5_usize).prop_map(
        |(records, gap, value_bytes, timestamp, compression)| Step::Append {
            records,
            gap,
            value_bytes,
            timestamp,
            compression,
        },
    );
    prop_oneof![
        20 => append,
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => (0..80_i64).prop_map(|below| Step::Recover { below }),
        1 => (0..30_i64).prop_map(|below| Step::Truncate { below }),
    ]
}

struct Life {
    _dir: TempDir,
    home: Arc<SegmentHome>,
    segment: Segment,
    batches: Vec<(BatchHeader, Bytes)>,
}

impl Life {
    fn begin() -> Life {
        let dir = TempDir::new().expect("a temporary directory");
        let home = Arc::new(SegmentHome { disk: Arc::new(RealDisk), dir: dir.path().to_owned() });
        let segment = Segment::create(home.clone(), BASE, 0).expect("a segment");
        Life { _dir: dir, home, segment, batches: Vec::new() }
    }

    fn live(&mut self, step: &Step) {
        match *step {
            Step::Append { records, gap, value_bytes, timestamp, compression } => {
                let base_offset = self.segment.next_offset() + gap;
                let mut builder = BatchBuilder::new(base_offset, Compression::ALL[compression]);
                let value = vec![timestamp as u8; value_bytes];
                (0..records).for_each(|r| builder.push(timestamp + r, None, Some(&value), &[]));
                self.append(builder.build());
            }
            Step::Flush => drop(self.segment.flush_indexes(false).expect("room on the disk")),
            Step::Reopen => {
                self.segment.seal().expect("room on the disk");
                self.segment =
                    Segment::open(self.home.clone(), BASE, 0, INTERVAL).expect("a segment closed in order");
            }
            Step::Recover { below } => {
                let point = self.segment.next_offset() - below;
                let home = self.home.clone();
                let (segment, report) =
                    Segment::recover(home, BASE, 0, point, INTERVAL, &mut |_, _| {}).expect("a segment");
                assert_eq!(report.fault, None);
                self.segment = segment;
            }
            Step::Truncate { below } => {
                let end = self.segment.next_offset() - below;
                self.segment.truncate(end, INTERVAL).expect("room on the disk");
                self.batches.retain(|(header, _)| header.last_offset() < end);
            }
        }
    }

    fn append(&mut self, batch: Bytes) {
        let header = BatchHeader::parse(&batch).expect("a batch");
        let position = self.segment.append(&header, INTERVAL);
        let file = self.segment.log_file().expect("a log file");
        file.write_all_at(&batch, position).expect("room on the disk");
        self.batches.push((header, batch));
    }

    fn size(&self) -> u64 {
        self.batches.iter().map(|(_, batch)| batch.len() as u64).sum()
    }

    fn check(&self) {
        let next_offset = self.batches.last().map_or(BASE, |(header, _)| header.next_offset());
        assert_eq!((self.segment.next_offset(), self.segment.size()), (next_offset, self.size()));
        for offset in BASE - 1..=next_offset {
            self.check_locate(offset);
        }
        for timestamp in (0..5_010).step_by(97) {
            self.check_timestamp(timestamp);
        }
        let max = self.batches.iter().map(|(header, _)| header.max_timestamp).max();
        let found = self.segment.max_timestamp().expect("a readable file");
        assert_eq!(found.map(|max| max.timestamp), max);
    }

    fn check_locate(&self, offset: i64) {
        let located = self.segment.locate(offset, self.size()).expect("a readable file");
        let expected =
            self.batches.iter().map(|(header, _)| *header).find(|header| header.last_offset() >= offset);
        assert_eq!(located.map(|located| located.header), expected, "offset {offset}");
    }

    fn check_timestamp(&self, timestamp: i64) {
        let found =
            self.segment.find_timestamp(timestamp, BASE, self.size(), 1 << 20).expect("a readable file");
        let reaches = |&&(header, _): &&(BatchHeader, Bytes)| header.max_timestamp >= timestamp;
        // Records of a batch are a millisecond apart.
        let expected = self
            .batches
            .iter()
            .find(reaches)
            .map(|(header, _)| header.base_offset + (timestamp - header.base_timestamp).max(0));
        assert_eq!(found.map(|found| found.offset), expected, "timestamp {timestamp}");
    }

    fn check_range(&self, offset: i64, max_bytes: usize, min_one: bool, end_batch: usize) {
        let end_batch = end_batch.min(self.batches.len());
        let end_offset = self.batches.get(end_batch).map_or(i64::MAX, |(header, _)| header.base_offset);
        let end = ReadEnd { offset: end_offset, position: self.size() };
        let range = self.segment.range(offset, max_bytes, min_one, end).expect("a readable file");
        let mut expected = Vec::new();
        let wanted = |(header, _): &&(BatchHeader, Bytes)| header.last_offset() >= offset;
        for (_, batch) in self.batches[..end_batch].iter().filter(wanted) {
            let first = expected.is_empty() && min_one;
            if expected.len() + batch.len() > max_bytes && !first {
                break;
            }
            expected.extend_from_slice(batch);
        }
        let got = range.map(|range| self.segment.read(range.position, range.len).expect("a readable file"));
        assert_eq!(got.unwrap_or_default(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_segment_answers_like_a_list_of_batches_whatever_it_lived_through(
        steps in prop::collection::vec(step(), 1..120),
        reads in prop::collection::vec((0..150_i64, 0..8_000_usize, any::<bool>(), 0..120_usize), 40),
    ) {
        let mut life = Life::begin();
        steps.iter().for_each(|step| life.live(step));
        life.check();
        for (offset, max_bytes, min_one, end_batch) in reads {
            life.check_range(BASE + offset, max_bytes, min_one, end_batch);
        }
    }

    #[test]
    fn damage_anywhere_leaves_a_whole_prefix(
        appends in prop::collection::vec(step(), 1..40),
        place in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        cut in any::<bool>(),
    ) {
        let mut life = Life::begin();
        appends.iter().filter(|step| matches!(step, Step::Append { .. })).for_each(|step| life.live(step));
        prop_assume!(!life.batches.is_empty());
        let path = life.segment.path(names::LOG);
        let mut bytes = std::fs::read(&path).expect("a log file");
        let at = place.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        std::fs::write(&path, &bytes).expect("room on the disk");

        let mut seen = Vec::new();
        let mut note = |_: &BatchHeader, batch: &[u8]| seen.extend_from_slice(batch);
        let (segment, _) = Segment::recover(life.home.clone(), BASE, 0, BASE, INTERVAL, &mut note)
            .expect("a segment");
        let kept = std::fs::read(&path).expect("a log file");
        assert_eq!((&seen, segment.size()), (&kept, kept.len() as u64));
        let mut position = 0;
        let damaged = life.batches.iter().take_while(|(_, batch)| {
            position += batch.len();
            position <= at
        });
        // Base offset and leader epoch are not covered by the checksum.
        let whole: usize = damaged.map(|(_, batch)| batch.len()).sum();
        assert!(kept.len() >= whole && kept[..whole] == bytes[..whole]);
    }

    #[test]
    fn what_was_flushed_at_the_recovery_point_is_there_after_a_power_loss(
        before in prop::collection::vec(step(), 1..40),
        after in prop::collection::vec(step(), 0..40),
        lost in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 3),
    ) {
        let appends = |steps: &[Step], life: &mut Life| {
            steps.iter().filter(|step| matches!(step, Step::Append { .. } | Step::Flush)).for_each(|step| life.live(step));
        };
        let mut life = Life::begin();
        appends(&before, &mut life);
        life.segment.flush_indexes(true).expect("room on the disk");
        let (recovery_point, size) = (life.segment.next_offset(), life.size());
        let suffixes = [names::LOG, names::OFFSET_INDEX, names::TIME_INDEX];
        let flushed = suffixes.map(|suffix| std::fs::metadata(life.segment.path(suffix)).expect("a file").len());
        appends(&after, &mut life);
        for ((suffix, flushed), (place, fill)) in suffixes.iter().zip(flushed).zip(&lost) {
            lose(&life.segment.path(suffix), flushed as usize, place, *fill);
        }
        let (segment, report) = Segment::recover(life.home.clone(), BASE, 0, recovery_point, INTERVAL, &mut |_, _| {})
            .expect("a segment");
        life.segment = segment;
        assert!(life.segment.size() >= size);
        assert_eq!(report.verified_bytes, life.segment.size() - size, "only what lies above is read again");
        let end = life.segment.next_offset();
        life.batches.retain(|(header, _)| header.next_offset() <= end);
        life.check();
    }
}

/// Keeps the flushed part of a file and some bytes after it, then a few of garbage.
fn lose(path: &std::path::Path, flushed: usize, place: &prop::sample::Index, fill: u8) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes.truncate(flushed + place.index(bytes.len() - flushed + 1));
    bytes.extend(std::iter::repeat_n(fill, usize::from(fill) * 2));
    std::fs::write(path, bytes).expect("room on the disk");
}

//! Where the bytes come from that readers are sent, and who the readers are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use host::Clock;
use meter::Window;
use parking_lot::RwLock;
use storage::TopicIdPartition;

use super::PartitionMeter;

/// Readers that are told apart. Those who come when there are so many share one place.
const READERS_MAX: usize = 1_000;
/// Partitions that are told apart, of all readers together. What is read of others is counted of their readers only.
const PARTITIONS_MAX: usize = 4_000;
/// The pause between two looks for partitions that nobody reads any more.
const LOOK_PAUSE_SECONDS: u64 = 10;

/// Bytes by where they came from, in the last minute and ever.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    tail: Window,
    page_cache: Window,
    disk: Window,
    /// Microseconds that readers waited for the disk.
    disk_wait: Window,
    /// Answers with records.
    answers: Window,
}

/// What [`Sources`] say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct SourcesReading {
    pub(crate) tail_bytes: u64,
    pub(crate) page_cache_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) disk_wait_us: u64,
    pub(crate) answers: u64,
}

impl Sources {
    /// An answer with so many bytes from memory.
    pub(crate) fn answered(&self, tail_bytes: usize, now_seconds: u64) {
        self.answers.add(1, now_seconds);
        if tail_bytes > 0 {
            self.tail.add(tail_bytes as u64, now_seconds);
        }
    }

    /// The last minute.
    pub(crate) fn recent(&self, now_seconds: u64) -> SourcesReading {
        self.read(|window| window.recent(now_seconds))
    }

    /// All that ever was.
    pub(crate) fn total(&self) -> SourcesReading {
        self.read(Window::total)
    }

    fn read(&self, of: impl Fn(&Window) -> u64) -> SourcesReading {
        SourcesReading {
            tail_bytes: of(&self.tail),
            page_cache_bytes: of(&self.page_cache),
            disk_bytes: of(&self.disk),
            disk_wait_us: of(&self.disk_wait),
            answers: of(&self.answers),
        }
    }
}

impl SourcesReading {
    /// Adds another's to these.
    pub(crate) fn add(&mut self, other: &SourcesReading) {
        self.tail_bytes += other.tail_bytes;
        self.page_cache_bytes += other.page_cache_bytes;
        self.disk_bytes += other.disk_bytes;
        self.disk_wait_us += other.disk_wait_us;
        self.answers += other.answers;
    }
}

/// Someone who fetches: clients of one id from one address.
#[derive(Debug)]
pub(crate) struct Reader {
    /// As the client calls itself; empty if it does not.
    pub(crate) client_id: Arc<str>,
    /// None for those who share a place.
    pub(crate) address: Option<IpAddr>,
    pub(crate) sources: Sources,
    partitions: RwLock<HashMap<TopicIdPartition, Arc<Sources>>>,
    /// Of all readers.
    partition_count: Arc<AtomicUsize>,
}

impl Reader {
    fn new(client_id: Arc<str>, address: Option<IpAddr>, partition_count: &Arc<AtomicUsize>) -> Reader {
        let (sources, partitions) = (Sources::default(), RwLock::default());
        Reader { client_id, address, sources, partitions, partition_count: Arc::clone(partition_count) }
    }

    /// What it reads of a partition; none if too many are told apart already.
    fn of(&self, partition: &TopicIdPartition) -> Option<Arc<Sources>> {
        if let Some(known) = self.partitions.read().get(partition) {
            return Some(Arc::clone(known));
        }
        let mut partitions = self.partitions.write();
        if self.partition_count.load(Ordering::Relaxed) >= PARTITIONS_MAX {
            return None;
        }
        let made = || {
            self.partition_count.fetch_add(1, Ordering::Relaxed);
            Arc::default()
        };
        Some(Arc::clone(partitions.entry(partition.clone()).or_insert_with(made)))
    }

    fn forget_idle_partitions(&self, now_seconds: u64) {
        let mut partitions = self.partitions.write();
        let before = partitions.len();
        partitions.retain(|_, sources| sources.answers.recent(now_seconds) > 0);
        self.partition_count.fetch_sub(before - partitions.len(), Ordering::Relaxed);
    }

    /// By partition, in no order.
    fn read_partitions(&self, now_seconds: u64) -> Vec<PartitionReading> {
        let reading = |(partition, sources): (&TopicIdPartition, &Arc<Sources>)| PartitionReading {
            partition: partition.clone(),
            recent: sources.recent(now_seconds),
            total: sources.total(),
        };
        self.partitions.read().iter().map(reading).collect()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.partition_count.fetch_sub(self.partitions.get_mut().len(), Ordering::Relaxed);
    }
}

/// A reader and what it read.
pub(crate) struct ReadingOf {
    pub(crate) reader: Arc<Reader>,
    pub(crate) recent: SourcesReading,
    pub(crate) total: SourcesReading,
    pub(crate) partitions: Vec<PartitionReading>,
}

/// What a reader read of a partition.
pub(crate) struct PartitionReading {
    pub(crate) partition: TopicIdPartition,
    pub(crate) recent: SourcesReading,
    pub(crate) total: SourcesReading,
}

/// A client's id, and its address; none for those who share a place.
type Name = (Arc<str>, Option<IpAddr>);

/// Those who fetched something in the last minute, and some from before.
#[derive(Default)]
pub(crate) struct Readers {
    by_name: RwLock<HashMap<Name, Arc<Reader>>>,
    /// Of all readers.
    partition_count: Arc<AtomicUsize>,
    /// When partitions that are idle were looked for, in seconds.
    looked_at: AtomicU64,
}

impl Readers {
    /// The reader of this name at this address.
    pub(crate) fn of(&self, client_id: &Arc<str>, address: IpAddr, now_seconds: u64) -> Arc<Reader> {
        let key = (Arc::clone(client_id), Some(address));
        if let Some(known) = self.by_name.read().get(&key) {
            return Arc::clone(known);
        }
        let mut readers = self.by_name.write();
        if readers.len() >= READERS_MAX {
            readers.retain(|_, reader| reader.sources.answers.recent(now_seconds) > 0);
        }
        let key = if readers.len() >= READERS_MAX { ("".into(), None) } else { key };
        let made = || Arc::new(Reader::new(Arc::clone(&key.0), key.1, &self.partition_count));
        Arc::clone(readers.entry(key.clone()).or_insert_with(made))
    }

    /// What a reader reads of a partition; none if too many are told apart already.
    pub(crate) fn of_partition(
        &self,
        reader: &Reader,
        partition: &TopicIdPartition,
        now_seconds: u64,
    ) -> Option<Arc<Sources>> {
        let found = reader.of(partition);
        if found.is_some() || !self.is_time_to_look(now_seconds) {
            return found;
        }
        self.by_name.read().values().for_each(|reader| reader.forget_idle_partitions(now_seconds));
        reader.of(partition)
    }

    fn is_time_to_look(&self, now_seconds: u64) -> bool {
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        let is_time = now_seconds.saturating_sub(looked_at) >= LOOK_PAUSE_SECONDS;
        is_time
            && self
                .looked_at
                .compare_exchange(looked_at, now_seconds, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// All that are known, in no order.
    pub(crate) fn read(&self, now_seconds: u64) -> Vec<ReadingOf> {
        let readers = self.by_name.read();
        let reading = |reader: &Arc<Reader>| ReadingOf {
            recent: reader.sources.recent(now_seconds),
            total: reader.sources.total(),
            partitions: reader.read_partitions(now_seconds),
            reader: Arc::clone(reader),
        };
        readers.values().map(reading).collect()
    }
}

/// Notes where a slice of a file was read from, for its partition, its reader, and the two together.
pub(crate) struct SliceReads {
    pub(crate) partition: Arc<PartitionMeter>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) of_both: Option<Arc<Sources>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SliceReads {
    fn all(&self) -> impl Iterator<Item = &Sources> {
        [self.partition.reads(), &self.reader.sources].into_iter().chain(self.of_both.as_deref())
    }

    fn now_seconds(&self) -> u64 {
        self.clock.monotonic().as_secs()
    }
}

impl SliceReads {
    /// So many bytes were in the page cache.
    pub(crate) fn was_in_page_cache(&self, bytes: usize) {
        let now = self.now_seconds();
        self.all().for_each(|sources| sources.page_cache.add(bytes as u64, now));
    }

    /// So many bytes came from the disk, in so long.
    pub(crate) fn was_on_disk(&self, bytes: usize, waited: Duration) {
        let now = self.now_seconds();
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        for sources in self.all() {
            sources.disk.add(bytes as u64, now);
            sources.disk_wait.add(micros, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicIdPartition {
        TopicIdPartition::new("t", protocol::Uuid([1; 16]), number)
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn the_number_of_readers_is_bounded_and_idle_ones_make_room() {
        let readers = Readers::default();
        let id: Arc<str> = "app".into();
        for number in 0..READERS_MAX as u32 {
            readers.of(&id, address(number), 5).sources.answered(1, 5);
        }
        let late = readers.of(&id, address(1_000_000), 5);
        assert_eq!(late.address, None);
        assert_eq!(readers.read(5).len(), READERS_MAX + 1);
        let after_a_while = readers.of(&id, address(1_000_000), 500);
        assert_eq!(after_a_while.address, Some(address(1_000_000)));
        assert_eq!(readers.read(500).len(), 1);
    }

    #[test]
    fn what_a_reader_was_sent_is_told_by_where_it_came_from() {
        let clock = Arc::new(host::sim::ManualClock::new(0));
        let reader = Readers::default().of(&"app".into(), address(1), 0);
        let of_both = reader.of(&partition(0));
        let reads = SliceReads { partition: Arc::default(), reader, of_both, clock };
        reads.was_in_page_cache(10);
        reads.was_on_disk(100, Duration::from_millis(2));
        reads.reader.sources.answered(1, 0);
        let expected = SourcesReading {
            tail_bytes: 1,
            page_cache_bytes: 10,
            disk_bytes: 100,
            disk_wait_us: 2_000,
            answers: 1,
        };
        assert_eq!(reads.reader.sources.recent(0), expected);
        let from_the_file = SourcesReading { tail_bytes: 0, answers: 0, ..expected };
        assert_eq!(reads.partition.reads().total(), from_the_file);
        let [of_both] = &reads.reader.read_partitions(0)[..] else { panic!("it read of one partition") };
        assert_eq!((&of_both.partition, of_both.total), (&partition(0), from_the_file));
    }

    #[test]
    fn the_number_of_partitions_is_bounded_and_those_that_nobody_reads_make_room() {
        let readers = Readers::default();
        let read = |number: u32, of: i32, now: u64| {
            let reader = readers.of(&"app".into(), address(number), now);
            let found = readers.of_partition(&reader, &partition(of), now);
            found.map(|sources| sources.answered(1, now)).is_some()
        };
        assert!((0..PARTITIONS_MAX).all(|at| read((at % 3) as u32, at as i32, 50)));
        assert!(!read(4, 7, 55));
        assert!(read(1, 4, 100), "who is known goes on");
        assert!(read(4, 7, 500));
        assert_eq!(readers.partition_count.load(Ordering::Relaxed), 1);
    }
}

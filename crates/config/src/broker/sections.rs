//! Settings that bind nobody but themselves, by what they are about.

use crate::layers::Layers;

/// What bounds connections, requests and sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `socket.request.max.bytes`: of a request, without the four bytes of its length.
    pub request_bytes_max: usize,
    /// `queued.max.requests`: at work at once.
    pub queued_requests_max: usize,
    /// `queued.max.request.bytes`: of all requests in work; none for no limit.
    pub queued_request_bytes_max: Option<usize>,
    /// `socket.send.buffer.bytes`; none for the system's choice.
    pub socket_send_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; none for the system's choice.
    pub socket_receive_bytes: Option<usize>,
    /// `socket.listen.backlog.size`.
    pub listen_backlog: i32,
    /// `connections.max.idle.ms`; none for ever.
    pub connection_idle_max_ms: Option<i64>,
    /// `max.connections`, of all clients together.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`: names or addresses, and how many each may have.
    pub connections_per_ip_overrides: Vec<(String, usize)>,
    /// `max.connection.creation.rate`: a second.
    pub connection_rate_max: u32,
    /// `fetch.max.bytes`: of a Fetch response.
    pub fetch_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `max.request.partition.size.limit`: partitions in one answer of DescribeTopicPartitions.
    pub request_partitions_max: usize,
    /// `transaction.max.timeout.ms`.
    pub transaction_timeout_max_ms: i32,
}

impl Limits {
    pub(super) fn read(layers: &Layers) -> Limits {
        let positive = |name: &str| Some(layers.long(name)).filter(|value| *value > 0);
        let bytes = |name: &str| positive(name).and_then(|bytes| usize::try_from(bytes).ok());
        Limits {
            request_bytes_max: layers.size("socket.request.max.bytes"),
            queued_requests_max: layers.size("queued.max.requests"),
            queued_request_bytes_max: bytes("queued.max.request.bytes"),
            socket_send_bytes: bytes("socket.send.buffer.bytes"),
            socket_receive_bytes: bytes("socket.receive.buffer.bytes"),
            listen_backlog: layers.int("socket.listen.backlog.size"),
            connection_idle_max_ms: Some(layers.long("connections.max.idle.ms")).filter(|ms| *ms >= 0),
            connections_max: layers.size("max.connections"),
            connections_per_ip_max: layers.size("max.connections.per.ip"),
            connections_per_ip_overrides: per_ip_overrides(layers).unwrap_or_default(),
            connection_rate_max: layers.int("max.connection.creation.rate").unsigned_abs(),
            fetch_bytes_max: layers.size("fetch.max.bytes"),
            fetch_sessions_max: layers.size("max.incremental.fetch.session.cache.slots"),
            request_partitions_max: layers.size("max.request.partition.size.limit"),
            transaction_timeout_max_ms: layers.int("transaction.max.timeout.ms"),
        }
    }
}

/// The pairs of `max.connections.per.ip.overrides`; none if there is one that is no pair.
pub(super) fn per_ip_overrides(layers: &Layers) -> Option<Vec<(String, usize)>> {
    let text = layers.text("max.connections.per.ip.overrides").unwrap_or_default();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        // An IPv6 address has colons of its own.
        let (host, count) = entry.rsplit_once(':')?;
        let host = host.trim().trim_start_matches('[').trim_end_matches(']');
        Some((host.to_owned(), count.trim().parse().ok()?)).filter(|(host, _)| !host.is_empty())
    };
    entries.map(pair).collect()
}

/// How topics come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// `num.partitions`: of a topic whose maker does not say.
    pub partitions: i32,
    /// `default.replication.factor`: the same.
    pub replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
    /// `delete.topic.enable`.
    pub may_be_deleted: bool,
}

impl Topics {
    pub(super) fn read(layers: &Layers) -> Topics {
        Topics {
            partitions: layers.int("num.partitions"),
            replication_factor: short(layers, "default.replication.factor"),
            auto_create: layers.boolean("auto.create.topics.enable"),
            may_be_deleted: layers.boolean("delete.topic.enable"),
        }
    }
}

/// How logs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logs {
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `log.initial.task.delay.ms`: from the start to the first look at retention.
    pub initial_task_delay_ms: i64,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads: usize,
    /// `producer.id.expiration.ms`: how long the sequence numbers of an idle producer are remembered.
    pub producer_id_expiration_ms: i32,
    /// `producer.id.expiration.check.interval.ms`: how often idle producers are looked for.
    pub producer_id_expiration_check_interval_ms: i32,
    /// `cordoned.log.dirs`: those that take no new partitions; a star stands for all.
    pub cordoned_dirs: Vec<String>,
    /// `num.replica.alter.log.dirs.threads`; none for as many as there are log directories.
    pub moving_threads: Option<usize>,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`: copied from one log directory to another; none for no limit.
    pub moving_bytes_per_second_max: Option<i64>,
    /// `yeoul.journal.bytes.max`: how far the journal of a log directory grows.
    pub journal_bytes_max: u64,
    /// `yeoul.tail.bytes.max`: newest records of all partitions of a log directory that are kept in memory; none for a part of the
    /// machine's.
    pub tail_bytes_max: Option<usize>,
}

impl Logs {
    pub(super) fn read(layers: &Layers) -> Logs {
        let threads = layers.opt_number("num.replica.alter.log.dirs.threads");
        Logs {
            retention_check_interval_ms: layers.long("log.retention.check.interval.ms"),
            initial_task_delay_ms: layers.long("log.initial.task.delay.ms"),
            recovery_threads: layers.size("num.recovery.threads.per.data.dir"),
            producer_id_expiration_ms: layers.int("producer.id.expiration.ms"),
            producer_id_expiration_check_interval_ms: layers.int("producer.id.expiration.check.interval.ms"),
            cordoned_dirs: layers.list("cordoned.log.dirs"),
            moving_threads: threads.and_then(|count| usize::try_from(count).ok()),
            moving_bytes_per_second_max: layers.opt_number("replica.alter.log.dirs.io.max.bytes.per.second"),
            journal_bytes_max: layers.long("yeoul.journal.bytes.max").unsigned_abs(),
            tail_bytes_max: usize::try_from(layers.long("yeoul.tail.bytes.max")).ok(),
        }
    }
}

/// How compacted logs are cleaned.
#[derive(Clone, Debug, PartialEq)]
pub struct LogCleaner {
    /// `log.cleaner.enable`.
    pub enabled: bool,
    /// `log.cleaner.threads`.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`: for the keys of a log, of all threads together.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: which part of that may be in use.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`: of all threads together.
    pub io_buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`: read and written.
    pub io_bytes_per_second_max: f64,
    /// `log.cleaner.backoff.ms`: the pause where there is nothing to clean.
    pub backoff_ms: i64,
}

impl LogCleaner {
    pub(super) fn read(layers: &Layers) -> LogCleaner {
        LogCleaner {
            enabled: layers.boolean("log.cleaner.enable"),
            threads: layers.size("log.cleaner.threads"),
            dedupe_buffer_bytes: layers.size("log.cleaner.dedupe.buffer.size"),
            load_factor: layers.double("log.cleaner.io.buffer.load.factor"),
            io_buffer_bytes: layers.size("log.cleaner.io.buffer.size"),
            io_bytes_per_second_max: layers.double("log.cleaner.io.max.bytes.per.second"),
            backoff_ms: layers.long("log.cleaner.backoff.ms"),
        }
    }
}

/// What groups must obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// `group.max.size`.
    pub members_max: usize,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
}

impl Groups {
    pub(super) fn read(layers: &Layers) -> Groups {
        Groups {
            initial_rebalance_delay_ms: layers.long("group.initial.rebalance.delay.ms"),
            session_timeout_min_ms: layers.int("group.min.session.timeout.ms"),
            session_timeout_max_ms: layers.int("group.max.session.timeout.ms"),
            members_max: layers.size("group.max.size"),
            offset_metadata_max: layers.size("offset.metadata.max.bytes"),
            offsets_retention_ms: layers.long("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: layers.long("offsets.retention.check.interval.ms"),
        }
    }
}

/// `__consumer_offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetsTopic {
    /// `offsets.topic.num.partitions`.
    pub partitions: i32,
    /// `offsets.topic.replication.factor`.
    pub replication_factor: i16,
    /// `offsets.topic.segment.bytes`.
    pub segment_bytes: i32,
    /// `offsets.topic.compression.codec`: the number of the codec, 0 for none.
    pub compression_id: i32,
}

impl OffsetsTopic {
    pub(super) fn read(layers: &Layers) -> OffsetsTopic {
        OffsetsTopic {
            partitions: layers.int("offsets.topic.num.partitions"),
            replication_factor: short(layers, "offsets.topic.replication.factor"),
            segment_bytes: layers.int("offsets.topic.segment.bytes"),
            compression_id: layers.int("offsets.topic.compression.codec"),
        }
    }
}

fn short(layers: &Layers, name: &str) -> i16 {
    i16::try_from(layers.long(name)).unwrap_or(i16::MAX)
}

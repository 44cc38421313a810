//! Settings that bind nobody but themselves, by what they are about.

use crate::layers::Layers;

/// What bounds connections, requests and sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `socket.request.max.bytes`: of a request, without the four bytes of its length.
    pub request_bytes_max: usize,
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
            queued_request_bytes_max: bytes("queued.max.request.bytes"),
            socket_send_bytes: bytes("socket.send.buffer.bytes"),
            socket_receive_bytes: bytes("socket.receive.buffer.bytes"),
            listen_backlog: layers.int("socket.listen.backlog.size"),
            connection_idle_max_ms: Some(layers.long("connections.max.idle.ms")).filter(|ms| *ms >= 0),
            connections_max: layers.size("max.connections"),
            connections_per_ip_max: layers.size("max.connections.per.ip"),
            fetch_bytes_max: layers.size("fetch.max.bytes"),
            fetch_sessions_max: layers.size("max.incremental.fetch.session.cache.slots"),
            request_partitions_max: layers.size("max.request.partition.size.limit"),
            transaction_timeout_max_ms: layers.int("transaction.max.timeout.ms"),
        }
    }
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
    /// `yeoul.journal.bytes.max`: how far the journal of a log directory grows.
    pub journal_bytes_max: u64,
    /// `yeoul.tail.bytes.max`: newest records of all partitions of a log directory that are kept in memory; none for a part of the
    /// machine's.
    pub tail_bytes_max: Option<usize>,
}

impl Logs {
    pub(super) fn read(layers: &Layers) -> Logs {
        Logs {
            retention_check_interval_ms: layers.long("log.retention.check.interval.ms"),
            initial_task_delay_ms: layers.long("log.initial.task.delay.ms"),
            recovery_threads: layers.size("num.recovery.threads.per.data.dir"),
            producer_id_expiration_ms: layers.int("producer.id.expiration.ms"),
            journal_bytes_max: layers.long("yeoul.journal.bytes.max").unsigned_abs(),
            tail_bytes_max: usize::try_from(layers.long("yeoul.tail.bytes.max")).ok(),
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

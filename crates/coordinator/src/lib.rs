//! Groups and their offsets: the coordinator of one partition of `__consumer_offsets`. Pure.
//!
//! [`GroupCoordinatorState`] is a replicated state of the [`engine`]: classic groups (JoinGroup, SyncGroup, Heartbeat,
//! LeaveGroup, with static members, KIP-345, and member ids given beforehand, KIP-394) and committed offsets.
//!
//! # What the shell does
//! - It keeps one [`Coordinator`] for each partition of `__consumer_offsets` that this broker leads. A group belongs to
//!   [`group_partition`]; requests for groups of other partitions are answered with `NOT_COORDINATOR` by the shell.
//! - **Load.** `Coordinator::new(GroupCoordinatorState::new(settings))`, then every batch of the log in order through
//!   [`Loader::feed`]; an error is logged and the batch passed over. Then [`high_watermark`](engine::Runtime::high_watermark)
//!   and [`loaded`](engine::Runtime::loaded). Requests that come before are answered with `COORDINATOR_LOAD_IN_PROGRESS`
//!   (heartbeats with success) by the runtime.
//! - **Requests.** One [`Request`] a group. OffsetFetch is taken apart by [`offset_fetch_groups`] and put together again by
//!   [`offset_fetch_response`]; DescribeGroups and DeleteGroups name their groups in a list: one request each, and DeleteGroups
//!   counts a group once that is named twice; OffsetDelete: topics and partitions that do not exist are answered by the shell; ListGroups
//!   goes to all partitions. Throttle times, authorization and topic ids are the shell's.
//! - **Effects**, as the engine's page says. [`Effect::Append`](engine::Effect::Append): [`to_batches`], appended with acks=all and
//!   reported with the last offset of the last one. If a record cannot be encoded, or the log refuses,
//!   [`append_failed`](engine::Runtime::append_failed). [`Effect::Reply`](engine::Effect::Reply): the reply is fit for the request's
//!   version. [`Effect::Reload`](engine::Effect::Reload): [`reset`](engine::Runtime::reset), and load as above.
//! - **Time.** One timer a partition, [`Effect::SetTimer`](engine::Effect::SetTimer).
//! - **The end.** [`resign`](engine::Runtime::resign) with `NOT_COORDINATOR`, or `COORDINATOR_NOT_AVAILABLE` when the broker stops.
//!
//! A request whose connection is gone needs no input: its reply is dropped by the shell, and sessions end by themselves.
//!
//! # Where it differs from Apache Kafka 4.3
//! - A JoinGroup or SyncGroup which arrives while an older one of the same member waits: the older is answered
//!   `REBALANCE_IN_PROGRESS`. Kafka never answers it.
//! - A failed append fails everything that waits in the partition and reloads it; members go on from the last generation in
//!   the log. Kafka undoes the one change.
//! - Groups of the other kinds (consumer, share, streams) are not here yet; their records are passed over.

mod group;
mod log;
mod offsets;
mod partition;
mod record;
mod request;
mod settings;
mod state;
mod subscription;
mod turn;

pub use log::{Loader, to_batches};
pub use offsets::{offset_fetch_groups, offset_fetch_response};
pub use partition::group_partition;
pub use record::{CommittedOffset, Record};
pub use request::{Caller, Reply, Request};
pub use settings::Settings;
pub use state::{GroupCoordinatorState, LiveGroups, SavedGroup, Timer};

/// The coordinator of one partition of `__consumer_offsets`.
pub type Coordinator = engine::Runtime<GroupCoordinatorState>;

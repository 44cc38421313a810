//! The metadata log `__cluster_metadata-0`, agreed by openraft; a single node is a quorum of one.
//!
//! openraft decides what is committed; the file is Kafka's, so that Apache Kafka can go on where this program stopped, and the other
//! way round. The two see one log like this:
//!
//! | openraft | Kafka's log |
//! |---|---|
//! | entry | batch; openraft never sees a part of one |
//! | index | number of the batch, which the file does not say: it is counted at the start, from the newest snapshot on |
//! | term | partition leader epoch of the batch |
//! | blank entry, first of a term | control batch with a LeaderChange record; the very first also says the voters if they are in the log |
//! | normal entry | batch of metadata records, of one change or several |
//! | membership | not an entry: the voters of `controller.quorum.voters` (`kraft.version` 0) or of the newest KRaftVoters record (1) |
//! | vote | `quorum-state`; for a lone voter also the first batch of the epoch, which is on disk before anybody sees it |
//! | flushed | the journal of the log directory has it |
//! | applied | in the [`image`](Quorum::image) |
//! | snapshot | `END-EPOCH.checkpoint`: covers all offsets below END |
//! | purged | covered by the snapshot; the log itself keeps it until Kafka's retention lets it go |
//!
//! A change runs through these, top down:
//!
//! 1. [`Quorum::change`] decides it on the metadata with all changes before it (`changes`). Its records join the batch that gathers.
//! 2. A task takes that batch when the one before is committed, and gives it to openraft. Version 0.9 waits for each append, so that
//!    batches cannot overlap; what waits meanwhile shares the next flush.
//! 3. openraft appends it (`log_store`): to the log's memory and the journal. Its callback comes from the journal's thread.
//! 4. It is committed, is read back from the log's memory, and applied (`state_machine`): a new image, the [`MetadataListener`],
//!    and perhaps a snapshot (`snapshots`). Then the callers are answered.
//!
//! A start (`load`) reads the newest whole snapshot and the batches behind it. All of them are committed, for nobody else votes. Then
//! the node elects itself, at once and in a new epoch: openraft is told that the vote it finds was not won, and to hold an election.
//! No rule here depends on a timer.
//!
//! If the disk fails, openraft ends for good. Every change that waits, and every later one, fails with [`QuorumError::Failed`];
//! the metadata that readers see stays what was committed. The node has to be started again.
//!
//! Besides that, [`format`](format()) makes log directories as `kafka-storage format` does, and [`load_directories`] verifies them
//! at a start.

mod changes;
mod directories;
mod error;
mod features;
mod format;
mod index_map;
mod listener;
mod load;
mod log_store;
mod quorum;
mod raft;
mod settings;
mod shared;
mod snapshots;
mod state_machine;
mod voters;

pub use crate::quorum::{Changed, Quorum};
pub use directories::{LoadedDirectories, LoadedDirectory, VerifyError, load_directories};
pub use error::QuorumError;
pub use features::FeatureError;
pub use format::{
    DirectoryKind, Endpoint, FormatError, Formatted, FormattedDirectory, Formatting, InitialVoter, VoterSet,
    format,
};
pub use listener::{CommittedImage, MetadataListener};
pub use settings::QuorumSettings;

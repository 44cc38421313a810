//! The metadata log, agreed by openraft; a single node is a quorum of one.

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
pub use directories::{LoadedDirectory, VerifyError, load_directories};
pub use error::QuorumError;
pub use features::FeatureError;
pub use format::{
    DirectoryKind, Endpoint, FormatError, Formatted, FormattedDirectory, Formatting, VoterSet, format,
};
pub use listener::{CommittedImage, MetadataListener};
pub use settings::QuorumSettings;

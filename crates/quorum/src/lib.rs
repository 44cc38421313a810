//! The metadata log, agreed by openraft; a single node is a quorum of one.

mod directories;
mod features;
mod format;

pub use directories::{LoadedDirectory, VerifyError, load_directories};
pub use features::FeatureError;
pub use format::{
    DirectoryKind, Endpoint, FormatError, Formatted, FormattedDirectory, Formatting, VoterSet, format,
};

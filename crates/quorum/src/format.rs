//! Making the log directories of a new node, as `kafka-storage format` does.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use config::BrokerConfig;
use host::{Disk, Host};
use metadata::{KRAFT_VERSION, MetadataVersion, supported_features};
use protocol::messages::{MetadataRecord, VotersRecord, voters_record};
use protocol::{EncodeError, Uuid, metadata_record};
use storage::files::meta_properties::{self, MetaProperties};
use storage::files::snapshot::{self, SnapshotWriter};
use storage::files::{FileError, names};
use thiserror::Error;

use crate::directories::{self, VerifyError, new_directory_id};
use crate::features::{FeatureError, initial_features};

/// What log directories are to be formatted for.
#[derive(Clone, Debug)]
pub struct Formatting {
    /// Id of the cluster: any text, by habit a uuid.
    pub cluster_id: String,
    /// Id of the node.
    pub node_id: i32,
    /// `log.dirs`.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`, or the first of the log directories. It need not be one of them.
    pub metadata_log_dir: PathBuf,
    /// The release to start with (`--release-version`).
    pub metadata_version: MetadataVersion,
    /// Levels other than those of the release (`--feature`).
    pub features: Vec<(String, i16)>,
    /// Records besides the levels, as the credentials of `--add-scram`.
    pub records: Vec<MetadataRecord>,
    /// Where the voters are written down.
    pub voters: VoterSet,
}

impl Formatting {
    /// What a node's settings say, with the newest release and its levels, and the voters elsewhere.
    pub fn of(config: &BrokerConfig, cluster_id: String) -> Formatting {
        Formatting {
            cluster_id,
            node_id: config.node.id,
            log_dirs: config.node.log_dirs.clone(),
            metadata_log_dir: config.node.metadata_log_dir.clone(),
            metadata_version: MetadataVersion::LATEST,
            features: Vec::new(),
            records: Vec::new(),
            voters: VoterSet::Elsewhere,
        }
    }
}

/// Where the voters of the metadata quorum are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoterSet {
    /// In the settings, as `controller.quorum.voters`.
    Elsewhere,
    /// In the log of others (`--no-initial-controllers`, brokers).
    LogOfOthers,
    /// In the log, where this node is the only one: `--standalone`. These are its controller listeners.
    Standalone(Vec<Endpoint>),
    /// In the log, which says the same on each of them: `--initial-controllers`. Others may be given it too.
    Initial(Vec<InitialVoter>),
}

/// A voter that a quorum begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialVoter {
    /// Id of the node.
    pub id: i32,
    /// Id of the directory of its metadata log.
    pub directory_id: Uuid,
    /// Where it listens for other controllers.
    pub endpoint: Endpoint,
}

/// Where a voter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name of the listener.
    pub name: String,
    /// Name or address of the host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What formatting did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Formatted {
    /// The records that the cluster starts with.
    pub records: Vec<MetadataRecord>,
    /// Directories that were formatted, in the order of the settings.
    pub formatted: Vec<FormattedDirectory>,
    /// Directories that had been formatted before.
    pub already: Vec<PathBuf>,
    /// Directories that cannot be read, which were left alone.
    pub unreadable: Vec<PathBuf>,
}

/// A directory that was formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormattedDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// What it is for.
    pub kind: DirectoryKind,
    /// Its new id.
    pub directory_id: Uuid,
}

/// What a log directory is for. Its text is the one of Apache Kafka's tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryKind {
    /// Partitions only.
    Data,
    /// The metadata log, whose voters are written down elsewhere.
    Metadata,
    /// The metadata log, in which others are the voters.
    DynamicMetadata,
    /// The metadata log, in which this node is a voter.
    DynamicMetadataVoter,
}

impl std::fmt::Display for DirectoryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DirectoryKind::Data => "data directory",
            DirectoryKind::Metadata => "metadata directory",
            DirectoryKind::DynamicMetadata => "dynamic metadata directory",
            DirectoryKind::DynamicMetadataVoter => "dynamic metadata voter directory",
        })
    }
}

/// Log directories could not be formatted. In the words of Apache Kafka's tool.
#[derive(Debug, Error)]
pub enum FormatError {
    /// A directory is formatted, and that was not to be ignored.
    #[error(
        "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the others.",
        .0.display()
    )]
    AlreadyFormatted(PathBuf),
    /// Every directory is unreadable.
    #[error("No available log directories to format.")]
    NoneAvailable,
    /// The directories that are formatted belong to others.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A level that was asked for cannot be had.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A record cannot be written.
    #[error("the records of the new cluster cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// The disk failed.
    #[error("Error while writing meta.properties file {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the disk says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Formats all log directories that are not formatted yet, the metadata log's too. With `ignore_formatted` those that are stay as
/// they are, but must be of this node and cluster.
///
/// All is on disk when this returns. If the power goes before, a directory is formatted or it is not: `meta.properties`, which
/// says so, is written last.
pub fn format(
    host: &Host,
    formatting: &Formatting,
    ignore_formatted: bool,
) -> Result<Formatted, FormatError> {
    let dynamic = formatting.voters != VoterSet::Elsewhere;
    let mut records = initial_features(formatting.metadata_version, &formatting.features, dynamic)?;
    records.extend(formatting.records.iter().cloned());
    let found = Found::look(&*host.disk, formatting);
    directories::verify(&found.formatted, Some(&formatting.cluster_id), formatting.node_id)?;
    let already: Vec<PathBuf> = found.formatted.into_iter().map(|(path, _)| path).collect();
    if let Some(first) = already.first().filter(|_| !ignore_formatted) {
        return Err(FormatError::AlreadyFormatted(first.clone()));
    }
    if found.empty.is_empty() && already.is_empty() {
        return Err(FormatError::NoneAvailable);
    }
    let formatter = Formatter { host, formatting, bootstrap: bootstrap_checkpoint(host, &records)? };
    let formatted = found.empty.iter().map(|path| formatter.format(path)).collect::<Result<_, _>>()?;
    Ok(Formatted { records, formatted, already, unreadable: found.unreadable })
}

/// The directories as they are before.
#[derive(Default)]
struct Found {
    formatted: Vec<(PathBuf, MetaProperties)>,
    empty: Vec<PathBuf>,
    unreadable: Vec<PathBuf>,
}

impl Found {
    fn look(disk: &dyn Disk, formatting: &Formatting) -> Found {
        let mut found = Found::default();
        for path in directories::with(&formatting.log_dirs, &formatting.metadata_log_dir) {
            match meta_properties::load(disk, &path.join(meta_properties::NAME)) {
                Ok(Some(properties)) => found.formatted.push((path, properties)),
                Ok(None) => found.empty.push(path),
                Err(error) => {
                    tracing::warn!(%error, "I/O error trying to read log directory {}. Ignoring...", path.display());
                    found.unreadable.push(path);
                }
            }
        }
        found
    }
}

struct Formatter<'a> {
    host: &'a Host,
    formatting: &'a Formatting,
    bootstrap: Bytes,
}

impl Formatter<'_> {
    fn format(&self, path: &Path) -> Result<FormattedDirectory, FormatError> {
        let kind = self.kind(path);
        let directory_id = self.directory_id(kind);
        let disk = &*self.host.disk;
        make_durable_dir(disk, path)?;
        snapshot::store(disk, &path.join(snapshot::BOOTSTRAP), &self.bootstrap)?;
        if kind != DirectoryKind::Data
            && let Some(voters) = self.voters(directory_id)
        {
            self.store_voters(path, voters)?;
        }
        let Formatting { cluster_id, node_id, .. } = self.formatting;
        let properties = MetaProperties {
            cluster_id: cluster_id.clone(),
            node_id: *node_id,
            directory_id: Some(directory_id),
        };
        meta_properties::store(
            disk,
            &path.join(meta_properties::NAME),
            &properties,
            self.host.clock.now_ms(),
        )?;
        Ok(FormattedDirectory { path: path.to_owned(), kind, directory_id })
    }

    fn kind(&self, path: &Path) -> DirectoryKind {
        match self.formatting.voters {
            _ if path != self.formatting.metadata_log_dir => DirectoryKind::Data,
            VoterSet::Elsewhere | VoterSet::LogOfOthers => DirectoryKind::Metadata,
            VoterSet::Initial(_) if self.own_voter().is_none() => DirectoryKind::DynamicMetadata,
            VoterSet::Standalone(_) | VoterSet::Initial(_) => DirectoryKind::DynamicMetadataVoter,
        }
    }

    /// What the initial voters say of this node.
    fn own_voter(&self) -> Option<&InitialVoter> {
        match &self.formatting.voters {
            VoterSet::Initial(voters) => voters.iter().find(|voter| voter.id == self.formatting.node_id),
            _ => None,
        }
    }

    fn directory_id(&self, kind: DirectoryKind) -> Uuid {
        let own = self.own_voter().filter(|_| kind == DirectoryKind::DynamicMetadataVoter);
        own.map_or_else(|| new_directory_id(self.host), |voter| voter.directory_id)
    }

    /// The voters, if they are in the log of this node, whose directory has this id.
    fn voters(&self, directory_id: Uuid) -> Option<VotersRecord> {
        let voters = match &self.formatting.voters {
            VoterSet::Elsewhere | VoterSet::LogOfOthers => return None,
            VoterSet::Standalone(endpoints) => vec![voter(self.formatting.node_id, directory_id, endpoints)],
            VoterSet::Initial(voters) => {
                let of =
                    |it: &InitialVoter| voter(it.id, it.directory_id, std::slice::from_ref(&it.endpoint));
                voters.iter().map(of).collect()
            }
        };
        Some(VotersRecord { version: 0, voters })
    }

    /// The first snapshot of the metadata log says no more than who votes (KIP-853).
    fn store_voters(&self, path: &Path, voters: VotersRecord) -> Result<(), FormatError> {
        let dir = path.join(names::METADATA_DIR);
        make_durable_dir(&*self.host.disk, &dir)?;
        let now_ms = self.host.clock.now_ms();
        let content = SnapshotWriter::new(0, now_ms, now_ms, Some(voters))?.finish();
        Ok(snapshot::store(&*self.host.disk, &dir.join(names::of_snapshot(0, 0)), &content)?)
    }
}

fn voter(voter_id: i32, voter_directory_id: Uuid, endpoints: &[Endpoint]) -> voters_record::Voter {
    let supported = supported_features().find(|(name, ..)| *name == KRAFT_VERSION);
    let (_, min_supported_version, max_supported_version) = supported.unwrap_or((KRAFT_VERSION, 0, 1));
    let endpoint = |endpoint: &Endpoint| voters_record::Endpoint {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
    };
    voters_record::Voter {
        voter_id,
        voter_directory_id,
        endpoints: endpoints.iter().map(endpoint).collect(),
        k_raft_version_feature: voters_record::KRaftVersionFeature {
            min_supported_version,
            max_supported_version,
        },
    }
}

/// The content of `bootstrap.checkpoint`.
fn bootstrap_checkpoint(host: &Host, records: &[MetadataRecord]) -> Result<Bytes, EncodeError> {
    let now_ms = host.clock.now_ms();
    let mut writer = SnapshotWriter::new(0, now_ms, now_ms, None)?;
    for record in records {
        // All of them were there in the first release of this kind, in version 0.
        writer.push(&metadata_record::encode(record, 0)?);
    }
    Ok(writer.finish())
}

/// Makes a directory and those above it, and flushes every name that is new.
fn make_durable_dir(disk: &dyn Disk, path: &Path) -> Result<(), FormatError> {
    let is_new = |dir: &&Path| !dir.as_os_str().is_empty() && !disk.exists(dir);
    let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
    let io_error = |source| FormatError::Io { path: path.to_owned(), source };
    disk.create_dir_all(path).map_err(io_error)?;
    for dir in new.iter().rev() {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_dir(parent.unwrap_or(Path::new("."))).map_err(io_error)?;
    }
    Ok(())
}

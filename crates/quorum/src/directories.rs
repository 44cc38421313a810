//! `meta.properties` of all log directories of a node, and whether they belong together.

use std::path::{Path, PathBuf};

use host::{Disk, Host};
use metadata::DirectoryId;
use protocol::Uuid;
use storage::files::meta_properties::{self, MetaProperties};
use storage::files::{FileError, names};
use thiserror::Error;

/// The log directories of a node do not belong together, or to it. In the words of Apache Kafka.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// A directory was never formatted.
    #[error(
        "No `meta.properties` found in {} (have you run `kafka-storage.sh` to format the directory?)", .0.display()
    )]
    NotFormatted(PathBuf),
    /// A directory is of another cluster.
    #[error("Invalid cluster.id in: {}. Expected {expected}, but read {found}", path.display())]
    ClusterId {
        /// The file.
        path: PathBuf,
        /// The cluster that is expected.
        expected: String,
        /// The cluster that the file names.
        found: String,
    },
    /// A directory is of another node.
    #[error(
        "Stored node id {found} doesn't match previous node id {expected} in {}. If you moved your data, make sure your \
         configured node id matches. If you intend to create a new node, you should remove all data in your data \
         directories.", path.display()
    )]
    NodeId {
        /// The file.
        path: PathBuf,
        /// The node that is expected.
        expected: i32,
        /// The node that the file names.
        found: i32,
    },
    /// A directory has an id that stands for something else.
    #[error("Invalid reserved directory ID {id} found in {}", path.display())]
    ReservedDirectoryId {
        /// The directory.
        path: PathBuf,
        /// Its id.
        id: Uuid,
    },
    /// Two directories have one id.
    #[error("Duplicate directory ID {id} found. It was the ID of {}, but also of {}", first.display(), second.display())]
    DuplicateDirectoryId {
        /// The id.
        id: Uuid,
        /// The one directory.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The metadata log lies in a directory where it should not.
    #[error(
        "Found unexpected metadata location in data directory `{}` (the configured metadata directory is `{}`).",
        found.display(), expected.display()
    )]
    MetadataElsewhere {
        /// Where it lies.
        found: PathBuf,
        /// Where it should.
        expected: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A log directory with what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// Id of its cluster.
    pub cluster_id: String,
    /// Its own id.
    pub directory_id: Uuid,
}

/// The log directories of a node.
#[derive(Debug, Default)]
pub struct LoadedDirectories {
    /// Those that can be read, in the order of the settings.
    pub directories: Vec<LoadedDirectory>,
    /// Those whose disk fails, and how.
    pub unreadable: Vec<(PathBuf, FileError)>,
}

/// Reads what the log directories of a node say of themselves, in their order, and checks that all are formatted, for this node
/// and for one cluster, and that the metadata log is in none but its own. A directory of an old version gets an id. One that cannot
/// be read is no hindrance, unless it is that of the metadata log.
///
/// The directory of the metadata log is checked too, whether or not it is listed.
pub fn load_directories(
    host: &Host,
    log_dirs: &[PathBuf],
    metadata_log_dir: &Path,
    node_id: i32,
) -> Result<LoadedDirectories, VerifyError> {
    let (known, unreadable) = load_all(&*host.disk, &with(log_dirs, metadata_log_dir), metadata_log_dir)?;
    if let Some((path, _)) = known.iter().find(|(_, properties)| properties.is_none()) {
        return Err(VerifyError::NotFormatted(path.clone()));
    }
    let mut formatted: Vec<_> =
        known.into_iter().filter_map(|(path, properties)| Some((path, properties?))).collect();
    verify(&formatted, None, node_id)?;
    for (path, _) in &formatted {
        check_metadata_place(&*host.disk, path, metadata_log_dir)?;
    }
    give_missing_ids(host, &mut formatted)?;
    let loaded = |(path, properties): (PathBuf, MetaProperties)| LoadedDirectory {
        path,
        cluster_id: properties.cluster_id,
        directory_id: properties.directory_id.unwrap_or_default(),
    };
    let directories = formatted.into_iter().map(loaded).collect();
    Ok(LoadedDirectories { directories, unreadable })
}

/// All directories, each once: that of the metadata log may be one of the others.
pub(crate) fn with(log_dirs: &[PathBuf], metadata_log_dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::with_capacity(log_dirs.len() + 1);
    for dir in log_dirs.iter().map(PathBuf::as_path).chain([metadata_log_dir]) {
        if !all.iter().any(|known| known == dir) {
            all.push(dir.to_owned());
        }
    }
    all
}

type Known = Vec<(PathBuf, Option<MetaProperties>)>;

type Unreadable = Vec<(PathBuf, FileError)>;

fn load_all(disk: &dyn Disk, dirs: &[PathBuf], needed: &Path) -> Result<(Known, Unreadable), FileError> {
    let (mut known, mut unreadable) = (Known::new(), Unreadable::new());
    for dir in dirs {
        match meta_properties::load(disk, &dir.join(meta_properties::NAME)) {
            Ok(properties) => known.push((dir.clone(), properties)),
            Err(error @ FileError::Io { .. }) if dir != needed => unreadable.push((dir.clone(), error)),
            Err(error) => return Err(error),
        }
    }
    Ok((known, unreadable))
}

/// Checks that formatted directories belong to one node of one cluster, this one if it is known.
pub(crate) fn verify(
    formatted: &[(PathBuf, MetaProperties)],
    cluster_id: Option<&str>,
    node_id: i32,
) -> Result<(), VerifyError> {
    let expected = cluster_id.or(formatted.first().map(|(_, properties)| &*properties.cluster_id));
    for (index, (dir, properties)) in formatted.iter().enumerate() {
        let path = dir.join(meta_properties::NAME);
        if let Some(expected) = expected.filter(|expected| **expected != properties.cluster_id) {
            let (expected, found) = (expected.to_owned(), properties.cluster_id.clone());
            return Err(VerifyError::ClusterId { path, expected, found });
        }
        if properties.node_id != node_id {
            return Err(VerifyError::NodeId { path, expected: node_id, found: properties.node_id });
        }
        check_directory_id(&formatted[..index], dir, properties.directory_id)?;
    }
    Ok(())
}

fn check_directory_id(
    before: &[(PathBuf, MetaProperties)],
    dir: &Path,
    directory_id: Option<Uuid>,
) -> Result<(), VerifyError> {
    let Some(id) = directory_id else { return Ok(()) };
    if DirectoryId::is_reserved(id) {
        return Err(VerifyError::ReservedDirectoryId { path: dir.to_owned(), id });
    }
    match before.iter().find(|(_, properties)| properties.directory_id == Some(id)) {
        Some((first, _)) => {
            Err(VerifyError::DuplicateDirectoryId { id, first: first.clone(), second: dir.to_owned() })
        }
        None => Ok(()),
    }
}

fn check_metadata_place(disk: &dyn Disk, dir: &Path, metadata_log_dir: &Path) -> Result<(), VerifyError> {
    let found = dir.join(names::METADATA_DIR);
    if dir != metadata_log_dir && disk.exists(&found) {
        return Err(VerifyError::MetadataElsewhere { found, expected: metadata_log_dir.to_owned() });
    }
    Ok(())
}

fn give_missing_ids(host: &Host, formatted: &mut [(PathBuf, MetaProperties)]) -> Result<(), FileError> {
    for (dir, properties) in formatted.iter_mut().filter(|(_, known)| known.directory_id.is_none()) {
        properties.directory_id = Some(new_directory_id(host));
        let path = dir.join(meta_properties::NAME);
        meta_properties::store(&*host.disk, &path, properties, host.clock.now_ms())?;
    }
    Ok(())
}

/// A new id: none that stands for something else, and none that a command line would take for an option.
pub(crate) fn new_directory_id(host: &Host) -> Uuid {
    loop {
        let mut bits = [0; 16];
        host.random.fill(&mut bits);
        let id = Uuid::from_random(bits);
        if !DirectoryId::is_reserved(id) && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

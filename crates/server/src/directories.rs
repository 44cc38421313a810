//! The log directories of this broker: which of them are used, and in which one a partition is or belongs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metadata::DirectoryId;
use protocol::Uuid;
use storage::{LogDir, StorageError, TopicPartition};

use crate::flushes::Flushes;
use crate::internal_topics::METADATA;

/// A log directory of the settings.
pub(crate) struct Home {
    /// Its id; none if not even that could be read.
    pub(crate) id: Option<Uuid>,
    pub(crate) path: PathBuf,
    opened: Option<Opened>,
}

/// A log directory that could be opened, and who waits for its journal.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) id: Uuid,
    pub(crate) dir: Arc<LogDir>,
    pub(crate) flushes: Arc<Flushes>,
}

impl Home {
    pub(crate) fn opened(path: &Path, opened: Opened) -> Home {
        Home { id: Some(opened.id), path: path.to_owned(), opened: Some(opened) }
    }

    /// One whose disk fails.
    pub(crate) fn offline(id: Option<Uuid>, path: &Path) -> Home {
        Home { id, path: path.to_owned(), opened: None }
    }

    /// The directory, as long as it is used.
    pub(crate) fn online(&self) -> Option<&Opened> {
        self.opened.as_ref().filter(|opened| opened.dir.failure().is_none())
    }
}

impl Opened {
    /// To be called within a tokio runtime.
    pub(crate) fn new(id: Uuid, dir: Arc<LogDir>) -> Opened {
        let flushes = Flushes::new(Arc::clone(&dir), tokio::runtime::Handle::current());
        Opened { id, dir, flushes }
    }
}

/// Where a partition's log is, or is to be made.
pub(crate) enum Place<'a> {
    /// It is there.
    Found(&'a Opened),
    /// A copy there is complete, and is to take the place of the original, if that is there still.
    Copied(&'a Opened, Option<&'a Opened>),
    /// It is nowhere and goes there.
    New(&'a Opened),
}

/// The log directories of the settings, in their order, and that of the metadata log, which may be one of them or another.
pub(crate) struct Directories {
    homes: Vec<Home>,
    metadata: Opened,
}

impl Directories {
    pub(crate) fn new(homes: Vec<Home>, metadata: Opened) -> Directories {
        Directories { homes, metadata }
    }

    /// Those for partitions, that of the metadata log among them only if it is in `log.dirs`.
    pub(crate) fn all(&self) -> &[Home] {
        &self.homes
    }

    /// The one with the metadata log.
    pub(crate) fn metadata(&self) -> &Opened {
        &self.metadata
    }

    /// Those that were opened, used still or not; that of the metadata log too.
    pub(crate) fn opened(&self) -> impl Iterator<Item = &Opened> {
        let for_partitions = self.homes.iter().filter_map(|home| home.opened.as_ref());
        let is_apart = self.homes.iter().all(|home| home.id != Some(self.metadata.id));
        for_partitions.chain(is_apart.then_some(&self.metadata))
    }

    /// Those for partitions that are used.
    pub(crate) fn online(&self) -> impl Iterator<Item = &Opened> {
        self.homes.iter().filter_map(Home::online)
    }

    /// The ids of those that are used.
    pub(crate) fn online_ids(&self) -> Vec<Uuid> {
        self.online().map(|opened| opened.id).collect()
    }

    pub(crate) fn by_path(&self, path: &Path) -> Option<&Home> {
        self.homes.iter().find(|home| home.path == path)
    }

    fn by_id(&self, id: Uuid) -> Option<&Opened> {
        self.online().find(|opened| opened.id == id)
    }

    /// The directories among these paths by their ids; a star stands for all.
    pub(crate) fn ids_of(&self, paths: &[String]) -> Vec<Uuid> {
        let named = |home: &&Home| paths.iter().any(|path| path == "*" || home.path == Path::new(path));
        self.homes.iter().filter(named).filter_map(|home| home.id).collect()
    }

    /// Why the broker cannot go on: nothing is left to serve, or the metadata log is gone.
    pub(crate) fn fatal_failure(&self) -> Option<StorageError> {
        let failure = self.metadata.dir.failure();
        let none_left = || self.online().next().is_none().then_some(StorageError::Closed);
        failure.or_else(none_left)
    }

    /// Where the log of a partition is, or is to be made, by what the metadata says.
    ///
    /// Where it is counts for more than where it should be, unless it is in several places. One that is new, or that has never been
    /// anywhere, goes to where the fewest are; one that was in a directory that is not there is not made anew elsewhere.
    pub(crate) fn place_of(
        &self,
        partition: &TopicPartition,
        assigned: Uuid,
        is_new: bool,
        cordoned: &[Uuid],
    ) -> Result<Place<'_>, StorageError> {
        let holder = |wanted: Option<Uuid>| {
            self.online()
                .find(|opened| wanted.is_none_or(|id| id == opened.id) && opened.dir.log(partition).is_some())
        };
        let assigned_home = self.by_id(assigned);
        if let Some(found) = holder(Some(assigned)) {
            return Ok(Place::Found(found));
        }
        if let Some(copy) = assigned_home.filter(|home| has_complete_copy(home, holder(None), partition)) {
            return Ok(Place::Copied(copy, holder(None)));
        }
        if let Some(found) = holder(None).or(assigned_home) {
            return Ok(if found.dir.log(partition).is_some() {
                Place::Found(found)
            } else {
                Place::New(found)
            });
        }
        self.check_was_nowhere(assigned, is_new)?;
        self.emptiest(cordoned).map(Place::New).ok_or(StorageError::Closed)
    }

    fn check_was_nowhere(&self, assigned: Uuid, is_new: bool) -> Result<(), StorageError> {
        let is_assigned = !DirectoryId::is_reserved(assigned) || assigned == DirectoryId::LOST;
        let offline = self.homes.iter().find(|home| match is_assigned {
            true => home.id == Some(assigned),
            false => home.online().is_none(),
        });
        if !is_assigned && (is_new || offline.is_none()) {
            return Ok(());
        }
        let dir = offline.map_or_else(PathBuf::new, |home| home.path.clone());
        let reason = match offline {
            Some(_) => "the partition's log may be there".to_owned(),
            None => format!(
                "the partition's log is in the directory with id {assigned}, which is not in log.dirs"
            ),
        };
        Err(StorageError::Offline { dir, reason: reason.into() })
    }

    /// Where the fewest partitions are, of the directories that take new ones if there are any.
    fn emptiest(&self, cordoned: &[Uuid]) -> Option<&Opened> {
        let open = self.online().filter(|opened| !cordoned.contains(&opened.id));
        open.min_by_key(|opened| partition_count(opened))
            .or_else(|| self.online().min_by_key(|opened| partition_count(opened)))
    }

    /// Those besides one that hold a log of the partition too.
    pub(crate) fn other_holders<'a>(
        &'a self,
        partition: &'a TopicPartition,
        holder: Uuid,
    ) -> impl Iterator<Item = &'a Opened> {
        self.online().filter(move |opened| opened.id != holder && opened.dir.log(partition).is_some())
    }
}

/// Whether a copy has all that the original has. One that the controller was told of too early, as Kafka does, may not.
fn has_complete_copy(home: &Opened, original: Option<&Opened>, partition: &TopicPartition) -> bool {
    let end = original.and_then(|original| original.dir.log(partition)).map(|log| log.log_end_offset());
    home.dir.future_log(partition).is_some_and(|copy| end.is_none_or(|end| copy.log_end_offset() >= end))
}

fn partition_count(opened: &Opened) -> usize {
    let logs = opened.dir.logs();
    logs.iter().filter(|log| &*log.id().topic != METADATA).count() + opened.dir.future_logs().len()
}

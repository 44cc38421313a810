//! A disk in memory that loses power.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::file::{Inode, SimFile};
use crate::{DirEntry, Disk, File, FileLock, OpenMode, Random, Space};

/// What reaches a disk whole or not at all, in bytes.
pub const SECTOR_BYTES: usize = 512;
/// What the disk says of its size, in bytes.
const TOTAL_BYTES: u64 = 1 << 40;

#[derive(Clone)]
enum Node {
    Dir,
    File(Arc<Inode>),
}

type Names = BTreeMap<PathBuf, Node>;

/// What has happened to names since their directory was flushed.
enum NameChange {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    fn directory(&self) -> Option<&Path> {
        let (NameChange::Add(path, _) | NameChange::Remove(path) | NameChange::Rename(path, _)) = self;
        path.parent()
    }

    fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Add(path, node) => {
                names.insert(path.clone(), node.clone());
            }
            NameChange::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
            NameChange::Rename(from, to) => rename(names, from, to),
        }
    }
}

fn rename(names: &mut Names, from: &Path, to: &Path) {
    let moved: Vec<PathBuf> = names.keys().filter(|name| name.starts_with(from)).cloned().collect();
    for name in moved {
        let Some(node) = names.remove(&name) else { continue };
        let below = name.strip_prefix(from).unwrap_or(Path::new(""));
        let target = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        names.insert(target, node);
    }
}

#[derive(Default)]
struct World {
    names: Names,
    durable: Names,
    changes: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    /// Changes to go until the power is cut, and what the one then under way leaves.
    cut_after: Option<(u64, usize)>,
    /// What fails, and how.
    faults: Vec<Fault>,
    free_bytes: Option<u64>,
    /// Changes of files whose path contains one of these wait; with whether one has.
    holds: Vec<(String, bool)>,
}

impl World {
    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn file(&mut self, path: &Path, mode: OpenMode) -> io::Result<Arc<Inode>> {
        match self.names.get(path) {
            Some(Node::File(inode)) => return Ok(inode.clone()),
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            None if matches!(mode, OpenMode::Read | OpenMode::Existing) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            None => self.check_parent(path)?,
        }
        let inode = Arc::new(Inode::default());
        self.change_names(NameChange::Add(path.to_owned(), Node::File(inode.clone())));
        Ok(inode)
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let root = parent.parent().is_none();
        let there = root || matches!(self.names.get(parent), Some(Node::Dir));
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn check(&self, path: &Path, reads: bool) -> io::Result<()> {
        let path = path.to_string_lossy();
        let fault =
            self.faults.iter().find(|fault| fault.of_reads == reads && path.contains(&fault.path_part));
        fault.map_or(Ok(()), |fault| Err(fault.kind.into()))
    }

    fn sync_dir(&mut self, dir: &Path) {
        let (flushed, left) = self.changes.drain(..).partition(|change| change.directory() == Some(dir));
        self.changes = left;
        let flushed: Vec<NameChange> = flushed;
        flushed.iter().for_each(|change| change.apply(&mut self.durable));
    }

    /// Of the names that were not flushed, those that changed first survive, as in a file system's journal.
    fn lose_power(&mut self, random: &dyn Random) {
        let survive = (random.next_u64() % (self.changes.len() as u64 + 1)) as usize;
        let changes: Vec<NameChange> = self.changes.drain(..).collect();
        changes[..survive].iter().for_each(|change| change.apply(&mut self.durable));
        self.names = reachable(&self.durable);
        self.durable = self.names.clone();
        for node in self.names.values() {
            if let Node::File(inode) = node {
                inode.lose_power(random);
            }
        }
        self.locks.clear();
        self.cut_after = None;
    }
}

/// Reads, or writes and flushes, of files whose path contains this fail so.
struct Fault {
    path_part: String,
    of_reads: bool,
    kind: io::ErrorKind,
}

/// The names whose directories are there too.
fn reachable(names: &Names) -> Names {
    let has_parents = |name: &Path| {
        name.ancestors().skip(1).all(|above| above.parent().is_none() || names.contains_key(above))
    };
    names.iter().filter(|(name, _)| has_parents(name)).map(|(n, node)| (n.clone(), node.clone())).collect()
}

/// The power is off.
#[derive(Debug)]
pub(super) struct NoPower {
    /// What is left of a write that was under way.
    pub(super) torn_bytes: usize,
}

impl From<NoPower> for io::Error {
    fn from(_: NoPower) -> io::Error {
        io::Error::other("the power is off")
    }
}

/// What the open files share.
#[derive(Default)]
pub(super) struct Machine {
    world: Mutex<World>,
    /// Signals that a hold has begun to keep somebody waiting, or has ended.
    holds_changed: Condvar,
    boot: AtomicU64,
    off: AtomicBool,
    without_direct: AtomicBool,
    changes: AtomicU64,
    read_bytes: AtomicU64,
    /// What files are stamped with that change.
    now_ms: AtomicI64,
}

impl Machine {
    pub(super) fn check_power(&self, boot: u64) -> Result<(), NoPower> {
        let on = !self.off.load(Ordering::SeqCst) && boot == self.boot.load(Ordering::SeqCst);
        if on { Ok(()) } else { Err(NoPower { torn_bytes: 0 }) }
    }

    /// Counts a change, unless the power goes off just now.
    pub(super) fn start_change(&self, boot: u64) -> Result<(), NoPower> {
        let mut world = self.world.lock();
        self.check_power(boot)?;
        self.changes.fetch_add(1, Ordering::SeqCst);
        match &mut world.cut_after {
            Some((0, torn_bytes)) => {
                self.off.store(true, Ordering::SeqCst);
                Err(NoPower { torn_bytes: *torn_bytes })
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Waits as long as changes of this file are held up and their process lives.
    pub(super) fn wait_while_held(&self, path: &Path, boot: u64) {
        let path = path.to_string_lossy();
        let mut world = self.world.lock();
        while self.check_power(boot).is_ok() {
            let mut holds = world.holds.iter_mut();
            let Some((_, reached)) = holds.find(|(part, _)| path.contains(part.as_str())) else { return };
            *reached = true;
            self.holds_changed.notify_all();
            self.holds_changed.wait(&mut world);
        }
    }

    /// Whether a write to a file that makes it grow so much may succeed.
    pub(super) fn check_write(&self, path: &Path, growth: u64) -> io::Result<()> {
        let mut world = self.world.lock();
        world.check(path, false)?;
        if let Some(free) = &mut world.free_bytes {
            *free = free.checked_sub(growth).ok_or(io::ErrorKind::StorageFull)?;
        }
        Ok(())
    }

    /// Whether a file may be read.
    pub(super) fn check_read(&self, path: &Path) -> io::Result<()> {
        self.world.lock().check(path, true)
    }

    /// Does something to a file unless its process was killed meanwhile.
    pub(super) fn while_running(&self, boot: u64, change: impl FnOnce()) -> io::Result<()> {
        let _world = self.world.lock();
        self.check_power(boot)?;
        change();
        Ok(())
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.read_bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub(super) fn has_direct(&self) -> bool {
        !self.without_direct.load(Ordering::SeqCst)
    }
}

/// A disk in memory. Clones are the same disk.
///
/// When the [power is lost](SimDisk::lose_power), what was flushed is there afterwards, and of the rest whatever a seed decides:
/// of each write all, nothing, or some of its sectors; of the names those that were changed first.
#[derive(Clone, Default)]
pub struct SimDisk {
    machine: Arc<Machine>,
    /// The life of the process that this handle belongs to; none for whoever looks on from outside.
    process: Option<u64>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// The same disk as a process sees it that starts now: once that is killed, or the power lost, nothing it does has an effect.
    pub fn process(&self) -> SimDisk {
        SimDisk { machine: self.machine.clone(), process: Some(self.boot()) }
    }

    /// Changes so far: writes, flushes, and changes of names.
    pub fn changes(&self) -> u64 {
        self.machine.changes.load(Ordering::SeqCst)
    }

    /// Bytes read from files so far.
    pub fn read_bytes(&self) -> u64 {
        self.machine.read_bytes.load(Ordering::SeqCst)
    }

    /// Cuts the power after so many further changes. Of the next one, if it is a write, the first `torn_bytes` are done. From then
    /// on everything fails, until [`lose_power`](SimDisk::lose_power) brings the power back.
    pub fn cut_power_after(&self, changes: u64, torn_bytes: usize) {
        self.machine.world.lock().cut_after = Some((changes, torn_bytes));
    }

    /// Whether the power has been cut.
    pub fn is_off(&self) -> bool {
        self.machine.off.load(Ordering::SeqCst)
    }

    /// Takes the power away and brings it back. Files and locks that are open are no more.
    pub fn lose_power(&self, random: &dyn Random) {
        let mut world = self.machine.world.lock();
        self.machine.boot.fetch_add(1, Ordering::SeqCst);
        world.lose_power(random);
        self.machine.off.store(false, Ordering::SeqCst);
        self.machine.holds_changed.notify_all();
    }

    /// Ends all that is open, as when every process is killed: what was written stays, flushed or not.
    pub fn kill(&self) {
        let mut world = self.machine.world.lock();
        self.machine.boot.fetch_add(1, Ordering::SeqCst);
        world.locks.clear();
        world.cut_after = None;
        self.machine.off.store(false, Ordering::SeqCst);
        self.machine.holds_changed.notify_all();
    }

    /// Lets writes and flushes fail of files whose path contains this.
    pub fn fail_writes(&self, path_part: &str, kind: io::ErrorKind) {
        self.fail(path_part, false, kind);
    }

    /// Lets reads fail of files whose path contains this.
    pub fn fail_reads(&self, path_part: &str, kind: io::ErrorKind) {
        self.fail(path_part, true, kind);
    }

    fn fail(&self, path_part: &str, of_reads: bool, kind: io::ErrorKind) {
        let path_part = path_part.to_owned();
        self.machine.world.lock().faults.push(Fault { path_part, of_reads, kind });
    }

    /// Ends all of those failures.
    pub fn heal(&self) {
        self.machine.world.lock().faults.clear();
    }

    /// Holds up writes, flushes and renames of files whose path contains this, until what is returned is dropped or the process is killed.
    pub fn hold_writes(&self, path_part: &str) -> Hold {
        self.machine.world.lock().holds.push((path_part.to_owned(), false));
        Hold { machine: self.machine.clone(), path_part: path_part.to_owned() }
    }

    /// Says how many bytes files may still grow by; none for any number.
    pub fn set_free_bytes(&self, free_bytes: Option<u64>) {
        self.machine.world.lock().free_bytes = free_bytes;
    }

    /// Sets the time with which files are stamped that change, in milliseconds since 1970; 0 at first.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.machine.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// Refuses direct I/O from now on, as tmpfs does.
    pub fn refuse_direct(&self) {
        self.machine.without_direct.store(true, Ordering::SeqCst);
    }

    fn boot(&self) -> u64 {
        self.process.unwrap_or_else(|| self.machine.boot.load(Ordering::SeqCst))
    }

    /// Changes names, if the power is on.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        self.machine.start_change(self.boot())?;
        let mut world = self.machine.world.lock();
        // It may have been killed meanwhile.
        self.machine.check_power(self.boot())?;
        change(&mut world)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let boot = self.boot();
        let mut world = self.machine.world.lock();
        self.machine.check_power(boot)?;
        let inode = world.file(path, mode)?;
        drop(world);
        Ok(Arc::new(SimFile { machine: self.machine.clone(), path: path.to_owned(), inode, mode, boot }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(|world| {
            let mut missing: Vec<&Path> =
                path.ancestors().take_while(|dir| !world.names.contains_key(*dir)).collect();
            missing.retain(|dir| dir.parent().is_some_and(|parent| !parent.as_os_str().is_empty()));
            for dir in missing.into_iter().rev() {
                world.change_names(NameChange::Add(dir.to_owned(), Node::Dir));
            }
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|world| match world.names.get(path) {
            Some(Node::File(_)) => {
                world.change_names(NameChange::Remove(path.to_owned()));
                Ok(())
            }
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change(|world| match world.names.get(path) {
            Some(Node::Dir) => {
                world.change_names(NameChange::Remove(path.to_owned()));
                Ok(())
            }
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.machine.wait_while_held(from, self.boot());
        self.change(|world| {
            if !world.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            world.change_names(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.machine.check_power(self.boot())?;
        let world = self.machine.world.lock();
        if !matches!(world.names.get(path), Some(Node::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let within = world.names.iter().filter(|(name, _)| name.parent() == Some(path));
        let entry = |(name, node): (&PathBuf, &Node)| {
            let name = name.file_name()?.to_str()?.to_owned();
            let (is_dir, len) = match node {
                Node::Dir => (true, 0),
                Node::File(inode) => (false, inode.len()),
            };
            Some(DirEntry { name, is_dir, len })
        };
        Ok(within.filter_map(entry).collect())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|world| {
            world.sync_dir(path);
            Ok(())
        })
    }

    fn exists(&self, path: &Path) -> bool {
        self.machine.world.lock().names.contains_key(path)
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        self.machine.check_power(self.boot())?;
        let usable_bytes = self.machine.world.lock().free_bytes.unwrap_or(TOTAL_BYTES);
        Ok(Space { total_bytes: TOTAL_BYTES, usable_bytes })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let boot = self.boot();
        self.change(|world| {
            world.file(path, OpenMode::ReadWrite)?;
            let locked = world.locks.insert(path.to_owned());
            if locked { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })?;
        Ok(Box::new(SimLock { machine: self.machine.clone(), path: path.to_owned(), boot }))
    }
}

/// Holds up changes of files as long as it is there.
pub struct Hold {
    machine: Arc<Machine>,
    path_part: String,
}

impl Hold {
    /// Whether a change has come that has to wait.
    pub fn is_reached(&self) -> bool {
        self.machine.world.lock().holds.iter().any(|(part, reached)| *part == self.path_part && *reached)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.machine.world.lock().holds.retain(|(part, _)| *part != self.path_part);
        self.machine.holds_changed.notify_all();
    }
}

struct SimLock {
    machine: Arc<Machine>,
    path: PathBuf,
    boot: u64,
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut world = self.machine.world.lock();
        if self.machine.boot.load(Ordering::SeqCst) == self.boot {
            world.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AlignedBuffer;
    use crate::sim::SeededRandom;

    const DIR: &str = "/data";

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new(DIR)).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk
    }

    fn open(disk: &SimDisk, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = disk.open(&Path::new(DIR).join("file"), mode)?;
        disk.sync_dir(Path::new(DIR))?;
        Ok(file)
    }

    fn content(disk: &SimDisk) -> Vec<u8> {
        let file = open(disk, OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
        bytes
    }

    #[test]
    fn what_was_flushed_survives_and_the_rest_at_most_by_sectors() {
        let mut outcomes = BTreeSet::new();
        for seed in 0..50 {
            let disk = disk();
            let file = open(&disk, OpenMode::ReadWrite).unwrap();
            file.write_all_at(&[1; 600], 0).unwrap();
            file.sync_data().unwrap();
            file.write_all_at(&[2; 600], 600).unwrap();
            disk.lose_power(&SeededRandom::new(seed));
            assert!(file.len().is_err());
            let content = content(&disk);
            assert_eq!(content[..600], [1; 600]);
            outcomes.insert(content);
        }
        assert!(outcomes.len() > 2, "nothing, all, and parts were seen: {}", outcomes.len());
    }

    #[test]
    fn a_write_that_is_torn_leaves_its_first_bytes() {
        let disk = disk();
        let file = open(&disk, OpenMode::DirectSync).unwrap();
        let mut buffer = AlignedBuffer::zeroed(4096);
        buffer.as_mut_slice().fill(9);
        disk.cut_power_after(0, 5);
        assert!(file.write_all_at(buffer.as_slice(), 0).is_err());
        assert!(disk.is_off() && open(&disk, OpenMode::Read).is_err());
        disk.lose_power(&SeededRandom::new(1));
        assert_eq!(content(&disk), [9; 5]);
    }

    #[test]
    fn names_survive_in_the_order_in_which_they_changed() {
        let mut survived = BTreeSet::new();
        for seed in 0..50 {
            let disk = disk();
            for name in ["a", "b", "c"] {
                disk.open(&Path::new(DIR).join(name), OpenMode::ReadWrite).unwrap();
            }
            disk.lose_power(&SeededRandom::new(seed));
            survived
                .insert(disk.list(Path::new(DIR)).unwrap().into_iter().map(|e| e.name).collect::<String>());
        }
        assert_eq!(survived.into_iter().collect::<Vec<_>>(), ["", "a", "ab", "abc"]);
    }

    #[test]
    fn a_full_disk_and_a_broken_file_refuse_writes_until_they_are_mended() {
        let disk = disk();
        let file = open(&disk, OpenMode::ReadWrite).unwrap();
        disk.set_free_bytes(Some(10));
        assert_eq!(file.write_all_at(&[0; 11], 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.set_free_bytes(None);
        disk.fail_writes("file", io::ErrorKind::Other);
        assert!(file.write_all_at(&[0; 11], 0).is_err());
        disk.heal();
        assert!(file.write_all_at(&[0; 11], 0).is_ok());
    }

    #[test]
    fn a_write_that_is_held_up_goes_on_when_it_may_and_fails_when_its_process_is_killed() {
        let disk = disk();
        let write = |hold: Hold, end: &dyn Fn(Hold)| {
            let file = open(&disk.process(), OpenMode::ReadWrite).unwrap();
            let writer = std::thread::spawn(move || file.write_all_at(&[7; 3], 0));
            while !hold.is_reached() {
                std::thread::yield_now();
            }
            end(hold);
            writer.join().unwrap()
        };
        let killed = write(disk.hold_writes("file"), &|hold| {
            disk.kill();
            drop(hold);
        });
        assert!(killed.is_err() && content(&disk).is_empty());
        assert!(write(disk.hold_writes("file"), &drop).is_ok());
        assert_eq!(content(&disk), [7; 3]);
    }

    #[test]
    fn a_lock_goes_with_the_process_that_held_it() {
        let disk = disk();
        let path = Path::new(DIR).join(".lock");
        let lock = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).err().unwrap().kind(), io::ErrorKind::WouldBlock);
        disk.kill();
        let second = disk.lock(&path).unwrap();
        drop(lock);
        assert!(disk.lock(&path).is_err());
        drop(second);
    }

    #[test]
    fn a_renamed_directory_takes_its_files_along() {
        let disk = disk();
        disk.create_dir_all(Path::new("/data/t-0")).unwrap();
        disk.open(Path::new("/data/t-0/x"), OpenMode::ReadWrite).unwrap();
        disk.rename(Path::new("/data/t-0"), Path::new("/data/t-0.gone")).unwrap();
        assert!(disk.exists(Path::new("/data/t-0.gone/x")) && !disk.exists(Path::new("/data/t-0/x")));
        disk.remove_dir_all(Path::new("/data/t-0.gone")).unwrap();
        assert!(disk.list(Path::new(DIR)).unwrap().is_empty());
    }
}

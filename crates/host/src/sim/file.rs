//! A file in memory, of which only what was flushed survives.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Machine, SECTOR_BYTES};
use crate::{BLOCK_BYTES, File, OpenMode, Random};

/// What has happened to a file since it was flushed.
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Len(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => overwrite(content, bytes, *at),
            Change::Len(len) => content.resize(*len as usize, 0),
        }
    }

    /// What reaches the disk of a change that was under way when the power went: all, nothing, or some sectors.
    fn survive(&self, content: &mut Vec<u8>, random: &dyn Random) {
        match (random.next_u64() % 3, self) {
            (0, _) => {}
            (1, _) | (_, Change::Len(_)) => self.apply(content),
            (_, Change::Write { at, bytes }) => {
                for (start, sector) in sectors(*at, bytes) {
                    if random.next_u64() & 1 == 0 {
                        overwrite(content, sector, start);
                    }
                }
            }
        }
    }
}

/// A write cut at the borders of sectors.
fn sectors(at: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut at, mut rest) = (at, bytes);
    let mut sectors = Vec::new();
    while !rest.is_empty() {
        let within = SECTOR_BYTES - at as usize % SECTOR_BYTES;
        let (sector, after) = rest.split_at(within.min(rest.len()));
        sectors.push((at, sector));
        at += sector.len() as u64;
        rest = after;
    }
    sectors
}

fn overwrite(content: &mut Vec<u8>, bytes: &[u8], at: u64) {
    let (start, end) = (at as usize, at as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

#[derive(Default)]
struct Content {
    /// What the programs see.
    now: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    changes: Vec<Change>,
    modified_ms: i64,
}

/// The content of a file, whatever its name.
#[derive(Default)]
pub(super) struct Inode(Mutex<Content>);

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.0.lock().now.len() as u64
    }

    fn change(&self, change: Change, now_ms: i64) {
        let mut content = self.0.lock();
        content.modified_ms = now_ms;
        change.apply(&mut content.now);
        content.changes.push(change);
    }

    fn flush(&self) {
        let mut content = self.0.lock();
        let Content { durable, changes, .. } = &mut *content;
        changes.drain(..).for_each(|change| change.apply(durable));
    }

    pub(super) fn lose_power(&self, random: &dyn Random) {
        let mut content = self.0.lock();
        let Content { now, durable, changes, .. } = &mut *content;
        changes.drain(..).for_each(|change| change.survive(durable, random));
        now.clone_from(durable);
    }
}

/// An open file.
pub(super) struct SimFile {
    pub(super) machine: Arc<Machine>,
    /// The name under which it was opened.
    pub(super) path: PathBuf,
    pub(super) inode: Arc<Inode>,
    pub(super) mode: OpenMode,
    /// Since when the power is on: nothing stays open over a power loss.
    pub(super) boot: u64,
}

impl SimFile {
    fn check_aligned(&self, at: u64, len: usize, address: usize) -> io::Result<()> {
        let aligned = [at as usize, len, address].iter().all(|n| n.is_multiple_of(BLOCK_BYTES));
        if aligned || !self.is_direct() { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.mode == OpenMode::Read { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    fn write(&self, bytes: &[u8], at: u64) {
        if bytes.is_empty() {
            return;
        }
        self.inode.change(Change::Write { at, bytes: bytes.to_vec() }, self.machine.now_ms());
        if self.mode == OpenMode::DirectSync {
            self.inode.flush();
        }
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.machine.check_power(self.boot)?;
        Ok(self.inode.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.machine.wait_while_held(&self.path, self.boot);
        self.machine.start_change(self.boot)?;
        self.machine.check_write(&self.path, len.saturating_sub(self.inode.len()))?;
        let now_ms = self.machine.now_ms();
        self.machine.while_running(self.boot, || self.inode.change(Change::Len(len), now_ms))
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        self.machine.check_power(self.boot)?;
        self.check_aligned(at, buf.len(), buf.as_ptr() as usize)?;
        self.machine.check_read(&self.path)?;
        let content = self.inode.0.lock();
        let rest = content.now.get(at as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.machine.count_read(len);
        Ok(len)
    }

    fn write_all_at(&self, buf: &[u8], at: u64) -> io::Result<()> {
        self.check_writable()?;
        self.check_aligned(at, buf.len(), buf.as_ptr() as usize)?;
        self.machine.wait_while_held(&self.path, self.boot);
        let growth = (at + buf.len() as u64).saturating_sub(self.inode.len());
        if let Err(cut) = self.machine.start_change(self.boot) {
            self.write(&buf[..cut.torn_bytes.min(buf.len())], at);
            return Err(cut.into());
        }
        self.machine.check_write(&self.path, growth)?;
        self.machine.while_running(self.boot, || self.write(buf, at))
    }

    fn modified_ms(&self) -> io::Result<i64> {
        self.machine.check_power(self.boot)?;
        Ok(self.inode.0.lock().modified_ms)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.machine.wait_while_held(&self.path, self.boot);
        self.machine.start_change(self.boot)?;
        self.machine.check_write(&self.path, 0)?;
        self.machine.while_running(self.boot, || self.inode.flush())
    }

    fn allocate(&self, _at: u64, _len: u64) -> io::Result<()> {
        Ok(self.machine.check_power(self.boot)?)
    }

    fn is_direct(&self) -> bool {
        matches!(self.mode, OpenMode::Direct | OpenMode::DirectSync) && self.machine.has_direct()
    }
}

//! What the journal holds: appends, and what undoes them.
//!
//! An entry is: kind (u8), topic id (16 bytes), partition (i32), offset (i64), leader epoch (i32), length of the topic's name
//! (u16), length of the records (u32), the name, the records. Integers are little-endian.

use std::sync::Arc;

use bytes::Bytes;
use protocol::Uuid;

use crate::TopicIdPartition;

/// Bytes of an entry before the topic's name.
pub(super) const FIXED_BYTES: usize = 1 + 16 + 4 + 8 + 4 + 2 + 4;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// Records were appended; the offset is that of the first.
    Append,
    /// The log was cut; the offset is its new end.
    Truncate,
    /// The log was deleted.
    Delete,
    /// The log starts later; the offset is its new start.
    Start,
    /// A log was begun that has nothing yet, whatever became of others of its partition.
    Create,
}

impl EntryKind {
    fn id(self) -> u8 {
        match self {
            EntryKind::Append => 1,
            EntryKind::Truncate => 2,
            EntryKind::Delete => 3,
            EntryKind::Start => 4,
            EntryKind::Create => 5,
        }
    }

    fn from_id(id: u8) -> Option<EntryKind> {
        let kinds =
            [EntryKind::Append, EntryKind::Truncate, EntryKind::Delete, EntryKind::Start, EntryKind::Create];
        kinds.into_iter().find(|kind| kind.id() == id)
    }
}

/// A log, as the journal sees it.
pub(crate) trait Owner: Send + Sync {
    /// What it is called.
    fn id(&self) -> &TopicIdPartition;
    /// An entry of so many bytes is on disk, and with it all below this offset. Says whether [`notify`](Owner::notify) is to be
    /// called; many entries may come before that.
    fn advance(self: Arc<Self>, end_offset: i64, bytes: usize) -> bool;
    /// It is on disk that the log starts at this offset.
    fn start_at(self: Arc<Self>, offset: i64);
    /// Tells those who watch.
    fn notify(&self);
    /// Entries will not get on disk.
    fn fail(self: Arc<Self>);
}

/// An entry that is to be written.
pub(crate) struct Entry {
    pub(crate) kind: EntryKind,
    pub(crate) owner: Arc<dyn Owner>,
    pub(crate) offset: i64,
    /// The offset after the last record.
    pub(crate) end_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) records: Bytes,
}

impl Entry {
    /// Size in the journal, in bytes.
    pub(super) fn size(&self) -> usize {
        FIXED_BYTES + self.owner.id().topic.len() + self.records.len()
    }

    /// What stands before the records.
    pub(super) fn head(&self) -> Vec<u8> {
        let id = self.owner.id();
        let mut head = Vec::with_capacity(FIXED_BYTES + id.topic.len());
        head.push(self.kind.id());
        head.extend_from_slice(&id.topic_id.0);
        head.extend_from_slice(&id.partition.to_le_bytes());
        head.extend_from_slice(&self.offset.to_le_bytes());
        head.extend_from_slice(&self.leader_epoch.to_le_bytes());
        head.extend_from_slice(&(id.topic.len() as u16).to_le_bytes());
        head.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        head.extend_from_slice(id.topic.as_bytes());
        head
    }
}

/// An entry that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadEntry {
    pub(crate) kind: EntryKind,
    pub(crate) log: TopicIdPartition,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) records: Bytes,
}

/// Takes entries off bytes, one after the other; none if they make no sense.
pub(super) fn decode(bytes: &mut Bytes) -> Option<ReadEntry> {
    let mut fixed = Fields(bytes.get(..FIXED_BYTES)?);
    let kind = EntryKind::from_id(u8::from_le_bytes(fixed.take()?))?;
    let topic_id = Uuid(fixed.take()?);
    let partition = i32::from_le_bytes(fixed.take()?);
    let offset = i64::from_le_bytes(fixed.take()?);
    let leader_epoch = i32::from_le_bytes(fixed.take()?);
    let name_end = FIXED_BYTES + usize::from(u16::from_le_bytes(fixed.take()?));
    let end = name_end + u32::from_le_bytes(fixed.take()?) as usize;
    if end > bytes.len() {
        return None;
    }
    let topic: Arc<str> = std::str::from_utf8(&bytes[FIXED_BYTES..name_end]).ok()?.into();
    let records = bytes.split_to(end).slice(name_end..);
    let log = TopicIdPartition { topic, topic_id, partition };
    Some(ReadEntry { kind, log, offset, leader_epoch, records })
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Tells the owners that their entries will not be on disk.
pub(super) fn fail_all(entries: impl Iterator<Item = Entry>) {
    entries.for_each(|entry| entry.owner.fail());
}

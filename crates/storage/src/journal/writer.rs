//! The thread that writes the journal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use host::Clock;

use super::entry::{Entry, EntryKind, Owner, fail_all};
use super::frame::{FrameBuffer, FrameHeader, payload_bytes_max};
use super::ring::FrameMark;
use super::{Journal, Lsn};
use crate::StorageError;

/// Entries that are written together, and the number of the first.
struct Group {
    entries: Vec<Entry>,
    first_lsn: u64,
}

impl Group {
    fn last_lsn(&self) -> u64 {
        self.first_lsn + self.entries.len() as u64 - 1
    }
}

impl Journal {
    /// Writes what is queued until the journal is [stopped](Journal::stop). To be called by one thread.
    pub(crate) fn run(&self, clock: &dyn Clock) {
        let mut frame = FrameBuffer::new();
        let mut group = Group { entries: Vec::new(), first_lsn: 0 };
        let mut owners = Vec::new();
        while self.next_group(&mut group, &mut frame) {
            match self.write_group(&group, &mut frame, clock) {
                Ok(()) => self.announce(&mut group, &mut owners),
                Err(error) => self.fail(group.entries.drain(..), error),
            }
        }
        self.waiters.fail(&StorageError::Closed);
    }

    /// Waits for entries; false if there will be none.
    fn next_group(&self, group: &mut Group, frame: &mut FrameBuffer) -> bool {
        frame.restart(payload_bytes_max(self.ring_usage().1));
        let mut queue = self.queue.lock();
        while queue.entries.is_empty() {
            if queue.closing {
                return false;
            }
            self.arrived.wait(&mut queue);
        }
        group.first_lsn = queue.first_lsn();
        queue.take(frame.room(), &mut group.entries);
        let ready = if queue.bytes < self.limits.queue_bytes_max {
            std::mem::take(&mut queue.ready)
        } else {
            Vec::new()
        };
        drop(queue);
        ready.into_iter().for_each(|callback| callback());
        true
    }

    /// Writes a group: one frame, or several if its one entry is larger than that.
    fn write_group(
        &self,
        group: &Group,
        frame: &mut FrameBuffer,
        clock: &dyn Clock,
    ) -> Result<(), StorageError> {
        for entry in &group.entries {
            for mut rest in [&entry.head()[..], &entry.records[..]] {
                while !rest.is_empty() {
                    if frame.room() == 0 {
                        self.write_frame(group, frame, true, clock)?;
                        frame.clear();
                    }
                    rest = &rest[frame.push(rest)..];
                }
            }
        }
        self.write_frame(group, frame, false, clock)
    }

    fn write_frame(
        &self,
        group: &Group,
        frame: &mut FrameBuffer,
        continues: bool,
        clock: &dyn Clock,
    ) -> Result<(), StorageError> {
        let mut header = FrameHeader {
            journal_id: 0,
            sequence: 0,
            first_lsn: group.first_lsn,
            last_lsn: group.last_lsn(),
            payload_bytes: frame.payload_bytes() as u32,
            continues,
            session: 0,
        };
        let bytes = header.frame_bytes() as u64;
        let position = self.reserve(bytes, &mut header)?;
        let begun = clock.monotonic();
        let written = self.file.write_all_at(frame.finish(header), position);
        written.map_err(|source| StorageError::io(&self.path, source))?;
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
        let took = clock.monotonic().saturating_sub(begun);
        self.writes.note_duration(took);
        (self.heard.written)(bytes, took);
        let mark = FrameMark {
            position,
            bytes,
            sequence: header.sequence,
            last_lsn: header.last_lsn,
            session: header.session,
        };
        self.note_frame(mark);
        Ok(())
    }

    /// Waits until there is room in the ring, and says where. Only this thread takes room.
    fn reserve(&self, bytes: u64, header: &mut FrameHeader) -> Result<u64, StorageError> {
        let mut state = self.ring.lock();
        loop {
            if state.closing {
                return Err(StorageError::Closed);
            }
            if let Some(position) = state.ring.place(bytes) {
                header.journal_id = state.superblock.journal_id;
                header.session = state.session;
                header.sequence = state.ring.next_sequence();
                return Ok(position);
            }
            if let Some(error) = &state.stuck {
                return Err(error.clone());
            }
            (self.heard.pressure)();
            self.room.wait(&mut state);
        }
    }

    fn note_frame(&self, mark: FrameMark) {
        let mut state = self.ring.lock();
        state.ring.push(mark);
        let full = state.ring.used_bytes() > state.ring.capacity() / 2;
        drop(state);
        if full {
            (self.heard.pressure)();
        }
    }

    /// The group is on disk: first every log gets to know its own, then whoever waits or watches.
    fn announce(&self, group: &mut Group, owners: &mut Vec<Arc<dyn Owner>>) {
        let last_lsn = group.last_lsn();
        for entry in group.entries.drain(..) {
            let owner = entry.owner.clone();
            if entry.kind == EntryKind::Start {
                owner.start_at(entry.offset);
            } else if owner.clone().advance(entry.end_offset, entry.records.len()) {
                owners.push(owner);
            }
        }
        self.waiters.advance(Lsn(last_lsn));
        owners.drain(..).for_each(|owner| owner.notify());
    }

    /// Gives up the group and all that is queued, and takes no more: until the journal is resumed if the disk is only full.
    fn fail(&self, group: impl Iterator<Item = Entry>, error: StorageError) {
        let refusal = match error {
            StorageError::Offline { .. } | StorageError::Closed => error,
            error if error.is_disk_full() => {
                tracing::error!(%error, "the journal cannot be written; appends are refused until there is room");
                StorageError::Failing(error.to_string().into())
            }
            error => offline(&self.path, &error),
        };
        self.refuse(group, refusal);
    }

    /// Gives up the group and all that is queued, and takes no more.
    pub(super) fn refuse(&self, group: impl Iterator<Item = Entry>, refusal: StorageError) {
        let _failing = self.failing.lock();
        let (queued, ready) = {
            let mut queue = self.queue.lock();
            (queue.refuse(refusal.clone()), std::mem::take(&mut queue.ready))
        };
        fail_all(group.chain(queued));
        self.waiters.fail(&refusal);
        ready.into_iter().for_each(|callback| callback());
        (self.heard.pressure)();
    }
}

/// The log directory of this journal is not to be used any more.
fn offline(journal: &Path, error: &StorageError) -> StorageError {
    let dir = journal.parent().unwrap_or(journal).to_owned();
    StorageError::Offline { dir, reason: error.to_string().into() }
}

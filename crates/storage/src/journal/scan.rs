//! Reading back what a crash left in the ring.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use host::{AlignedBuffer, BLOCK_BYTES, Disk, File, OpenMode};

use super::entry::{self, ReadEntry};
use super::file::{RING_START, Superblock, read_up_to};
use super::frame::{FRAME_BYTES_MAX, FrameHeader};
use super::ring::FrameMark;

/// Bytes read at once.
const WINDOW_BYTES: usize = 4 * FRAME_BYTES_MAX;

/// What a journal held.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Its entries, in order.
    pub(crate) entries: Vec<ReadEntry>,
    /// The frames that they are in.
    pub(super) marks: Vec<FrameMark>,
    /// Size of the ring.
    pub(super) ring_bytes: u64,
    /// A number above that of every session that wrote frames so far.
    pub(super) next_session: u64,
}

impl Recovered {
    /// Bytes of the frames.
    pub(crate) fn bytes(&self) -> u64 {
        self.marks.iter().map(|mark| mark.bytes).sum()
    }
}

/// The journal's file, its superblock, and what it held.
pub(super) type Found = (Arc<dyn File>, Superblock, Recovered);

/// Reads the journal at this path, if there is one that was ever formatted.
pub(super) fn recover(disk: &dyn Disk, path: &Path) -> io::Result<Option<Found>> {
    if !disk.exists(path) {
        return Ok(None);
    }
    let file = disk.open(path, OpenMode::DirectSync)?;
    let Some(superblock) = Superblock::load(&*file)? else { return Ok(None) };
    let blocks = file.len()? / BLOCK_BYTES as u64;
    let end = blocks * BLOCK_BYTES as u64;
    let mut walk = Walk::new(&*file, superblock, end);
    while let Some((position, header, payload)) = walk.next()? {
        walk.take(position, header, payload);
    }
    let mut recovered = walk.recovered;
    recovered.ring_bytes = end.saturating_sub(RING_START);
    Ok(Some((file, superblock, recovered)))
}

/// A walk along the frames.
struct Walk<'a> {
    file: &'a dyn File,
    end: u64,
    window: AlignedBuffer,
    /// What the window holds.
    held: std::ops::Range<u64>,
    journal_id: u64,
    position: u64,
    sequence: u64,
    lsn: u64,
    session: u64,
    /// The parts so far of an entry that goes on in the next frame.
    parts: BytesMut,
    part_marks: Vec<FrameMark>,
    recovered: Recovered,
}

impl<'a> Walk<'a> {
    fn new(file: &'a dyn File, superblock: Superblock, end: u64) -> Walk<'a> {
        Walk {
            file,
            end,
            window: AlignedBuffer::zeroed(WINDOW_BYTES),
            held: 0..0,
            journal_id: superblock.journal_id,
            position: superblock.tail_position,
            sequence: superblock.tail_sequence,
            lsn: superblock.tail_lsn,
            session: superblock.session,
            parts: BytesMut::new(),
            part_marks: Vec::new(),
            recovered: Recovered { next_session: superblock.session + 1, ..Recovered::default() },
        }
    }

    /// The next frame: after the last one, or at the start of the ring.
    fn next(&mut self) -> io::Result<Option<(u64, FrameHeader, Bytes)>> {
        for position in [self.position, RING_START] {
            if let Some((header, payload)) = self.frame_at(position)? {
                return Ok(Some((position, header, payload)));
            }
        }
        Ok(None)
    }

    /// The frame at a position, if it is whole and the one that is looked for.
    fn frame_at(&mut self, position: u64) -> io::Result<Option<(FrameHeader, Bytes)>> {
        let Some(header) = FrameHeader::parse(self.bytes(position, BLOCK_BYTES)?) else { return Ok(None) };
        let expected = header.journal_id == self.journal_id
            && header.sequence == self.sequence
            && header.first_lsn == self.lsn
            && header.last_lsn >= header.first_lsn
            && header.session >= self.session;
        if !expected {
            return Ok(None);
        }
        let payload = header.payload(self.bytes(position, header.frame_bytes())?);
        Ok(payload.map(|payload| (header, Bytes::copy_from_slice(payload))))
    }

    /// So many bytes of the file, or those that are left of it.
    fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let wanted_end = (position + len as u64).min(self.end);
        if position >= wanted_end {
            return Ok(&[]);
        }
        if position < self.held.start || wanted_end > self.held.end {
            let window_end = (position + WINDOW_BYTES as u64).min(self.end);
            let window = &mut self.window.as_mut_slice()[..(window_end - position) as usize];
            let read = read_up_to(self.file, window, position)?;
            self.held = position..position + read as u64;
        }
        let from = (position - self.held.start) as usize;
        let to = wanted_end.min(self.held.end).saturating_sub(self.held.start) as usize;
        Ok(&self.window.as_slice()[from.min(to)..to])
    }

    fn take(&mut self, position: u64, header: FrameHeader, payload: Bytes) {
        let (bytes, sequence) = (header.frame_bytes() as u64, header.sequence);
        self.part_marks.push(FrameMark {
            position,
            bytes,
            sequence,
            last_lsn: header.last_lsn,
            session: header.session,
        });
        self.position = position + bytes;
        self.sequence += 1;
        self.session = header.session;
        self.recovered.next_session = header.session + 1;
        if header.continues {
            self.parts.extend_from_slice(&payload);
            return;
        }
        let mut entries = if self.parts.is_empty() {
            payload
        } else {
            self.parts.extend_from_slice(&payload);
            std::mem::take(&mut self.parts).freeze()
        };
        while let Some(entry) = entry::decode(&mut entries) {
            self.recovered.entries.push(entry);
        }
        self.recovered.marks.append(&mut self.part_marks);
        self.lsn = header.last_lsn + 1;
    }
}

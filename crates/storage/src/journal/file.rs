//! The journal's file: two superblocks, then the ring.
//!
//! A superblock says where the live part of the ring begins. The two are written in turns, so that one of them is always whole. One
//! is a block that begins with, little-endian: magic (8 bytes), id of the journal (u64), number (u64), position of the first live
//! frame (u64), its sequence (u64), number of its first entry (u64), session (u64), CRC-32C of all that (u32).

use std::io;
use std::path::Path;
use std::sync::Arc;

use host::{AlignedBuffer, BLOCK_BYTES, Disk, File, OpenMode, Random};

use crate::journal::Lsn;

/// Name of the file. Kafka leaves it alone.
pub(crate) const NAME: &str = "yeoul.journal";
/// Where the ring begins, in bytes.
pub(super) const RING_START: u64 = 2 * BLOCK_BYTES as u64;
/// The most that the ring grows by at once.
pub(super) const GROWTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"YEOULJS1";
const CRC_AT: usize = 56;
const ZERO_BYTES: usize = 1024 * 1024;

/// Where the live part of the ring begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// In every frame, so that those of an earlier life are not taken for live ones.
    pub(super) journal_id: u64,
    /// The higher of the two counts.
    pub(super) number: u64,
    /// Position in the file.
    pub(super) tail_position: u64,
    /// Sequence of the frame that is there, or will be.
    pub(super) tail_sequence: u64,
    /// Number of its first entry.
    pub(super) tail_lsn: u64,
    /// Which life of the broker wrote the frame before that one. No frame is from an earlier life than the one before it.
    pub(super) session: u64,
}

impl Superblock {
    fn first(journal_id: u64) -> Superblock {
        let tail_position = RING_START;
        Superblock { journal_id, number: 1, tail_position, tail_sequence: 1, tail_lsn: 1, session: 1 }
    }

    /// The superblock of a ring that is empty again, in which frames from before do not count.
    pub(super) fn successor(&self, journal_id: u64, submitted: Lsn) -> Superblock {
        let number = self.number + 1;
        Superblock { number, tail_lsn: submitted.0 + 1, ..Superblock::first(journal_id) }
    }

    fn to_bytes(self) -> [u8; CRC_AT] {
        let mut bytes = [0; CRC_AT];
        bytes[..8].copy_from_slice(&MAGIC);
        let fields = [
            self.journal_id,
            self.number,
            self.tail_position,
            self.tail_sequence,
            self.tail_lsn,
            self.session,
        ];
        for (at, field) in (8..).step_by(8).zip(fields) {
            bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    fn parse(block: &[u8]) -> Option<Superblock> {
        let head: &[u8; CRC_AT] = block.first_chunk()?;
        let stored = u32::from_le_bytes(*block[CRC_AT..].first_chunk()?);
        if head[..8] != MAGIC || stored != crc32c::crc32c(head) {
            return None;
        }
        let field = |number: usize| head[number * 8..].first_chunk().map(|field| u64::from_le_bytes(*field));
        Some(Superblock {
            journal_id: field(1)?,
            number: field(2)?,
            tail_position: field(3)?,
            tail_sequence: field(4)?,
            tail_lsn: field(5)?,
            session: field(6)?,
        })
    }

    /// Writes it in place of the older of the two. It is on disk when this returns.
    pub(super) fn store(&self, file: &dyn File) -> io::Result<()> {
        let mut block = AlignedBuffer::zeroed(BLOCK_BYTES);
        let bytes = block.as_mut_slice();
        let head = self.to_bytes();
        bytes[..CRC_AT].copy_from_slice(&head);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc32c::crc32c(&head).to_le_bytes());
        file.write_all_at(block.as_slice(), self.number % 2 * BLOCK_BYTES as u64)
    }

    /// The newer of the two that are whole.
    pub(super) fn load(file: &dyn File) -> io::Result<Option<Superblock>> {
        let mut blocks = AlignedBuffer::zeroed(RING_START as usize);
        let read = read_up_to(file, blocks.as_mut_slice(), 0)?;
        let blocks = blocks.as_slice()[..read].chunks(BLOCK_BYTES);
        Ok(blocks.filter_map(Superblock::parse).max_by_key(|superblock| superblock.number))
    }
}

/// Reads until the buffer is full or the file ends, and says how much that was. The buffer may be for direct I/O.
pub(super) fn read_up_to(file: &dyn File, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        let read = file.read_at(&mut buf[filled..], at + filled as u64)?;
        filled += read;
        // A part of a block is only read at the end.
        if read == 0 || !read.is_multiple_of(BLOCK_BYTES) {
            break;
        }
    }
    Ok(filled)
}

/// Makes the file anew, with an empty ring of so many bytes.
pub(super) fn format(
    disk: &dyn Disk,
    path: &Path,
    random: &dyn Random,
    ring_bytes: u64,
) -> io::Result<(Arc<dyn File>, Superblock)> {
    let file = disk.open(path, OpenMode::DirectSync)?;
    file.set_len(0)?;
    zero(&*file, 0, ring_bytes)?;
    let superblock = Superblock::first(random.next_u64());
    superblock.store(&*file)?;
    Ok((file, superblock))
}

/// Fills the ring with zeroes from one size to another, so that its blocks are there and written.
pub(super) fn zero(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let start = if from == 0 { 0 } else { RING_START + from };
    let end = RING_START + to;
    file.allocate(start, end - start)?;
    let zeroes = AlignedBuffer::zeroed(ZERO_BYTES);
    let mut at = start;
    while at < end {
        let len = (end - at).min(ZERO_BYTES as u64) as usize;
        file.write_all_at(&zeroes.as_slice()[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

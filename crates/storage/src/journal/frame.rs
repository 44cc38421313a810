//! A frame: what one write puts into the ring.
//!
//! It begins on a block with a header of 64 bytes, little-endian: magic (8 bytes), id of the journal (u64), sequence (u64), number of
//! the first entry (u64), number of the last (u64), bytes of payload (u32), whether the payload goes on in the next frame (u32),
//! session (u64), zeroes (4 bytes), CRC-32C of all that and the payload (u32). The payload follows, and zeroes up to the end of the block.
//!
//! A payload is whole entries, or a part of one that is too large for a frame.

use host::{AlignedBuffer, BLOCK_BYTES};

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 64;
/// The most that a frame takes up, in bytes.
pub(super) const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// The most that its payload does.
pub(super) const PAYLOAD_BYTES_MAX: usize = FRAME_BYTES_MAX - HEADER_BYTES;

const MAGIC: [u8; 8] = *b"YEOULJF1";
const CRC_AT: usize = HEADER_BYTES - 4;

/// What stands before the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) journal_id: u64,
    pub(super) sequence: u64,
    pub(super) first_lsn: u64,
    /// Number of its last entry, whether or not that ends here.
    pub(super) last_lsn: u64,
    pub(super) payload_bytes: u32,
    /// The last entry goes on in the next frame.
    pub(super) continues: bool,
    /// Which life of the broker wrote it. What a later one writes never comes before what an earlier one left.
    pub(super) session: u64,
}

impl FrameHeader {
    /// What the frame takes up, in bytes.
    pub(super) fn frame_bytes(&self) -> usize {
        (HEADER_BYTES + self.payload_bytes as usize).next_multiple_of(BLOCK_BYTES)
    }

    fn to_bytes(self) -> [u8; CRC_AT] {
        let mut bytes = [0; CRC_AT];
        bytes[..8].copy_from_slice(&MAGIC);
        for (at, field) in
            (8..).step_by(8).zip([self.journal_id, self.sequence, self.first_lsn, self.last_lsn])
        {
            bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes[40..44].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[44..48].copy_from_slice(&u32::from(self.continues).to_le_bytes());
        bytes[48..56].copy_from_slice(&self.session.to_le_bytes());
        bytes
    }

    /// The header at the front of some bytes, if there is one of a possible size. Its checksum is not looked at.
    pub(super) fn parse(bytes: &[u8]) -> Option<FrameHeader> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let u64_at = |at: usize| header[at..].first_chunk().map(|field| u64::from_le_bytes(*field));
        let u32_at = |at: usize| header[at..].first_chunk().map(|field| u32::from_le_bytes(*field));
        let parsed = FrameHeader {
            journal_id: u64_at(8)?,
            sequence: u64_at(16)?,
            first_lsn: u64_at(24)?,
            last_lsn: u64_at(32)?,
            payload_bytes: u32_at(40)?,
            continues: u32_at(44)? == 1,
            session: u64_at(48)?,
        };
        let possible = header[..8] == MAGIC && parsed.payload_bytes as usize <= PAYLOAD_BYTES_MAX;
        possible.then_some(parsed)
    }

    /// The payload of the frame that begins these bytes, if it is whole.
    pub(super) fn payload<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let payload = frame.get(HEADER_BYTES..HEADER_BYTES + self.payload_bytes as usize)?;
        let stored = u32::from_le_bytes(*frame[CRC_AT..].first_chunk()?);
        let head: &[u8; CRC_AT] = frame.first_chunk()?;
        (stored == checksum(head, payload)).then_some(payload)
    }
}

fn checksum(header: &[u8; CRC_AT], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(header), payload)
}

/// The most payload that frames have in a ring of so many bytes: several must fit.
pub(super) fn payload_bytes_max(ring_bytes: u64) -> usize {
    let frame_bytes = (ring_bytes as usize / 4).clamp(BLOCK_BYTES, FRAME_BYTES_MAX);
    frame_bytes - frame_bytes % BLOCK_BYTES - HEADER_BYTES
}

/// A frame that is being put together.
pub(super) struct FrameBuffer {
    buffer: AlignedBuffer,
    payload_bytes: usize,
    payload_bytes_max: usize,
}

impl FrameBuffer {
    pub(super) fn new() -> FrameBuffer {
        let buffer = AlignedBuffer::zeroed(FRAME_BYTES_MAX);
        FrameBuffer { buffer, payload_bytes: 0, payload_bytes_max: PAYLOAD_BYTES_MAX }
    }

    /// Room for payload that is left, in bytes.
    pub(super) fn room(&self) -> usize {
        self.payload_bytes_max - self.payload_bytes
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Adds as much as there is room for, and says how much that was.
    pub(super) fn push(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.room());
        let start = HEADER_BYTES + self.payload_bytes;
        self.buffer.as_mut_slice()[start..start + len].copy_from_slice(&bytes[..len]);
        self.payload_bytes += len;
        len
    }

    pub(super) fn clear(&mut self) {
        self.payload_bytes = 0;
    }

    /// Begins frames with at most so much payload.
    pub(super) fn restart(&mut self, payload_bytes_max: usize) {
        self.payload_bytes_max = payload_bytes_max.min(PAYLOAD_BYTES_MAX);
        self.clear();
    }

    /// The frame, whole blocks. The header's payload length is the frame's own.
    pub(super) fn finish(&mut self, header: FrameHeader) -> &[u8] {
        let header = FrameHeader { payload_bytes: self.payload_bytes as u32, ..header };
        let (end, frame_end) = (HEADER_BYTES + self.payload_bytes, header.frame_bytes());
        let bytes = &mut self.buffer.as_mut_slice()[..frame_end];
        let head = header.to_bytes();
        let crc = checksum(&head, &bytes[HEADER_BYTES..end]);
        bytes[..CRC_AT].copy_from_slice(&head);
        bytes[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        bytes[end..].fill(0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader {
        journal_id: 7,
        sequence: 8,
        first_lsn: 9,
        last_lsn: 10,
        payload_bytes: 0,
        continues: true,
        session: 11,
    };

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut buffer = FrameBuffer::new();
        assert_eq!(buffer.push(&[1; 5000]), 5000);
        let frame = buffer.finish(HEADER).to_vec();
        assert_eq!(frame.len(), 8192);
        let header = FrameHeader::parse(&frame).unwrap();
        assert_eq!(header, FrameHeader { payload_bytes: 5000, ..HEADER });
        assert_eq!(header.payload(&frame), Some(&[1; 5000][..]));
    }

    #[test]
    fn a_frame_takes_no_more_than_fits() {
        let mut buffer = FrameBuffer::new();
        assert_eq!(buffer.push(&vec![1; FRAME_BYTES_MAX]), PAYLOAD_BYTES_MAX);
        assert_eq!((buffer.room(), buffer.finish(HEADER).len()), (0, FRAME_BYTES_MAX));
    }

    #[test]
    fn a_frame_with_any_byte_changed_is_none() {
        let mut buffer = FrameBuffer::new();
        buffer.push(b"payload");
        let frame = buffer.finish(HEADER).to_vec();
        for at in 0..HEADER_BYTES + b"payload".len() {
            let mut changed = frame.clone();
            changed[at] ^= 0x40;
            let payload =
                FrameHeader::parse(&changed).and_then(|header| header.payload(&changed).map(<[u8]>::to_vec));
            assert_eq!(payload, None, "byte {at}");
        }
    }
}

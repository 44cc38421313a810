//! The frame format of LZ4.

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Failure, read_capped};

/// Independent blocks of 64 KiB, as Kafka's own writer has them.
pub(super) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(data)?;
    Ok(encoder.finish()?)
}

/// Decompresses the first frame; what follows it is not looked at, as in Kafka.
pub(super) fn decompress(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let len = frame_len(data).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    read_capped(FrameDecoder::new(&data[..len]), max_bytes)
}

// Flags in the byte after the magic.
const BLOCK_CHECKSUMS: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const DICTIONARY_ID: u8 = 0x01;

/// The length of the frame up to and with its end mark; none if that is missing.
///
/// The decoder takes the end of the input for the end of the frame, so that a cut frame would pass for a whole one.
fn frame_len(data: &[u8]) -> Option<usize> {
    let flags = *data.get(4)?;
    let if_set = |flag: u8, len: usize| if flags & flag != 0 { len } else { 0 };
    // Magic, flags, block descriptor, what the flags add, header checksum.
    let mut at = 4 + 1 + 1 + if_set(CONTENT_SIZE, 8) + if_set(DICTIONARY_ID, 4) + 1;
    loop {
        let size = u32::from_le_bytes(*data.get(at..)?.first_chunk()?);
        at += 4;
        if size == 0 {
            let end = at + if_set(CONTENT_CHECKSUM, 4);
            return (end <= data.len()).then_some(end);
        }
        // The highest bit says that the block is not compressed.
        at += (size & 0x7fff_ffff) as usize + if_set(BLOCK_CHECKSUMS, 4);
    }
}

//! The frame format of LZ4.

use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// Kafka's default level stands for the fast compressor, whatever its number; all others for the thorough one.
const FAST_LEVEL: i32 = 9;
/// The most thorough that there is.
const LEVEL_MAX: i32 = 12;

/// Independent blocks of 64 KiB, as Kafka's own writer has them.
pub(super) fn compress(data: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    match level {
        None | Some(FAST_LEVEL) => fast(data),
        Some(level) => thorough(data, level.clamp(1, LEVEL_MAX).unsigned_abs()),
    }
}

fn thorough(data: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = lz4::EncoderBuilder::new()
        .level(level)
        .block_size(lz4::BlockSize::Max64KB)
        .block_mode(lz4::BlockMode::Independent)
        .checksum(lz4::ContentChecksum::NoChecksum)
        .build(Vec::new())?;
    encoder.write_all(data)?;
    let (frame, ended) = encoder.finish();
    ended.map(|()| frame)
}

fn fast(data: &[u8]) -> io::Result<Vec<u8>> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(data)?;
    Ok(encoder.finish()?)
}

/// Decompresses the first frame; what follows it is not looked at, as in Kafka.
pub(super) fn decoder(data: &[u8]) -> io::Result<impl Read + '_> {
    let len = frame_len(data).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok(FrameDecoder::new(&data[..len]))
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

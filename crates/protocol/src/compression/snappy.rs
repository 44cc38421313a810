//! Blocks of snappy, in the frame of snappy-java or bare.
//!
//! The frame: a magic of 8 bytes, its version and the oldest version that can read it (32 bits each), then blocks, each after its
//! length (32 bits). All integers are big-endian.

use std::io;

use super::Failure;

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 16;
/// Bytes of input in a block, as snappy-java's default.
const BLOCK_LEN: usize = 32 * 1024;
/// The most that a byte of snappy can turn into: a copy of 64 bytes takes 2 at least, so 32; a claim beyond it is a lie.
const EXPANSION_MAX: usize = 32;

pub(super) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut output = MAGIC.to_vec();
    output.extend_from_slice(&VERSION.to_be_bytes());
    output.extend_from_slice(&VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in data.chunks(BLOCK_LEN) {
        let compressed = encoder.compress_vec(block)?;
        // A block of 32 KiB stays far below 4 GiB.
        output.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        output.extend_from_slice(&compressed);
    }
    Ok(output)
}

pub(super) fn decompress(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::new();
    if !data.starts_with(MAGIC) {
        append_block(&mut output, data, max_bytes)?;
        return Ok(output);
    }
    let mut rest = data.get(HEADER_LEN..).ok_or_else(cut_short)?;
    while !rest.is_empty() {
        // Several frames may follow each other, as snappy-java reads them.
        if rest.starts_with(MAGIC) {
            rest = rest.get(HEADER_LEN..).ok_or_else(cut_short)?;
            continue;
        }
        let (len, body) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let (block, after) =
            body.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(cut_short)?;
        append_block(&mut output, block, max_bytes)?;
        rest = after;
    }
    Ok(output)
}

fn append_block(output: &mut Vec<u8>, block: &[u8], max_bytes: usize) -> Result<(), Failure> {
    let claimed = snap::raw::decompress_len(block).map_err(io::Error::from)?;
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(io::Error::other("a block claims more than it can hold").into());
    }
    let start = output.len();
    if claimed > max_bytes.saturating_sub(start) {
        return Err(Failure::TooLarge);
    }
    output.resize(start + claimed, 0);
    let written =
        snap::raw::Decoder::new().decompress(block, &mut output[start..]).map_err(io::Error::from)?;
    output.truncate(start + written);
    Ok(())
}

fn cut_short() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

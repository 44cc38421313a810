//! Blocks of snappy, in the frame of snappy-java or bare.
//!
//! The frame: a magic of 8 bytes, its version and the oldest version that can read it (32 bits each), then blocks, each after its
//! length (32 bits). All integers are big-endian.

use std::io::{self, Read};

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
    for block in Blocks::new(data) {
        append_block(&mut output, block?, max_bytes)?;
    }
    Ok(output)
}

pub(super) fn decoder(data: &[u8]) -> impl Read + '_ {
    Decoder { blocks: Blocks::new(data), block: Vec::new(), taken: 0 }
}

/// Decompresses a block at a time.
struct Decoder<'a> {
    blocks: Blocks<'a>,
    block: Vec<u8>,
    taken: usize,
}

impl Read for Decoder<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.block.len() {
            let Some(block) = self.blocks.next() else { return Ok(0) };
            self.block.clear();
            self.taken = 0;
            append_block(&mut self.block, block?, usize::MAX).map_err(|failure| match failure {
                Failure::Io(error) => error,
                Failure::TooLarge => io::ErrorKind::OutOfMemory.into(),
            })?;
        }
        let read = (&self.block[self.taken..]).read(buf)?;
        self.taken += read;
        Ok(read)
    }
}

/// The compressed blocks of frames, or of what is one block without a frame.
struct Blocks<'a> {
    rest: &'a [u8],
    is_framed: bool,
    is_over: bool,
}

impl<'a> Blocks<'a> {
    fn new(data: &'a [u8]) -> Blocks<'a> {
        Blocks { rest: data, is_framed: data.starts_with(MAGIC), is_over: false }
    }

    fn framed(&mut self) -> Option<io::Result<&'a [u8]>> {
        // Several frames may follow each other, as snappy-java reads them.
        while self.rest.starts_with(MAGIC) {
            match self.rest.get(HEADER_LEN..) {
                Some(rest) => self.rest = rest,
                None => return Some(Err(cut_short())),
            }
        }
        if self.rest.is_empty() {
            return None;
        }
        let block = self
            .rest
            .split_first_chunk()
            .and_then(|(len, body)| body.split_at_checked(u32::from_be_bytes(*len) as usize));
        Some(match block {
            Some((block, after)) => {
                self.rest = after;
                Ok(block)
            }
            None => Err(cut_short()),
        })
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = io::Result<&'a [u8]>;

    fn next(&mut self) -> Option<io::Result<&'a [u8]>> {
        if self.is_over {
            return None;
        }
        let next = if self.is_framed { self.framed() } else { Some(Ok(self.rest)) };
        self.is_over = !self.is_framed || !matches!(next, Some(Ok(_)));
        next
    }
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

//! Zstandard.

use std::io;

use super::{Failure, read_capped};

/// The largest window that a frame may ask for, as a power of two: 128 MiB, the limit of Kafka's clients too.
///
/// The decoder reserves the window at once, but touches it only as far as output is produced, which the cap bounds.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    zstd::stream::encode_all(data, zstd::DEFAULT_COMPRESSION_LEVEL)
}

pub(super) fn decompress(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut decoder = zstd::stream::Decoder::with_buffer(data)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    read_capped(decoder, max_bytes)
}

//! Zstandard.

use std::io::{self, Read};

/// The largest window that a frame may ask for, as a power of two: 128 MiB, the limit of Kafka's clients too.
///
/// The decoder reserves the window at once, but touches it only as far as output is produced, which the cap bounds.
const WINDOW_LOG_MAX: u32 = 27;

/// Levels are -131072 to 22, the fastest first.
pub(super) fn compress(data: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    let levels = zstd::compression_level_range();
    let level =
        level.map_or(zstd::DEFAULT_COMPRESSION_LEVEL, |level| level.clamp(*levels.start(), *levels.end()));
    zstd::stream::encode_all(data, level)
}

pub(super) fn decoder(data: &[u8]) -> io::Result<impl Read + '_> {
    let mut decoder = zstd::stream::Decoder::with_buffer(data)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

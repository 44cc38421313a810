//! Gzip by zlib-rs.

use std::io::{self, Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Levels are 1 to 9, the fastest first.
pub(super) fn compress(data: &[u8], level: Option<i32>) -> io::Result<Vec<u8>> {
    let numbered = |level: i32| flate2::Compression::new(level.clamp(1, 9).unsigned_abs());
    let mut encoder = GzEncoder::new(Vec::new(), level.map_or_else(flate2::Compression::default, numbered));
    encoder.write_all(data)?;
    encoder.finish()
}

pub(super) fn decoder(data: &[u8]) -> impl Read + '_ {
    MultiGzDecoder::new(data)
}

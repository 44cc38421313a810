//! Gzip by zlib-rs.

use std::io::{self, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Failure, read_capped};

pub(super) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data)?;
    encoder.finish()
}

pub(super) fn decompress(data: &[u8], max_bytes: usize) -> Result<Vec<u8>, Failure> {
    read_capped(MultiGzDecoder::new(data), max_bytes)
}

//! The compressions of record batches.
//!
//! What is decompressed never takes more memory than its cap, plus a buffer of fixed size: the output grows as it is
//! produced, whatever the input claims about its size.

mod gzip;
mod lz4;
mod snappy;
mod zstandard;

use std::io::{self, Read};

use thiserror::Error;

/// A compression, as in the lowest three bits of a batch's attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Compression {
    /// As they are.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Blocks of snappy in the frame of the Java library snappy-java.
    Snappy = 2,
    /// The frame format of LZ4.
    Lz4 = 3,
    /// RFC 8878 (KIP-110).
    Zstd = 4,
}

impl Compression {
    /// Every compression, in the order of their numbers.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The compression of this number.
    pub fn from_id(id: u8) -> Option<Compression> {
        Compression::ALL.get(usize::from(id)).copied()
    }

    /// The number in a batch's attributes.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The name in settings, as `gzip`.
    pub fn name(self) -> &'static str {
        ["none", "gzip", "snappy", "lz4", "zstd"][usize::from(self.id())]
    }

    /// The compression of this name.
    pub fn from_name(name: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|compression| compression.name() == name)
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, Error)]
pub enum CompressionError {
    /// The bytes are not what the compression produces.
    #[error("not valid {}: {reason}", .compression.name())]
    Corrupt {
        /// The compression they were said to have.
        compression: Compression,
        /// What its decoder says.
        reason: String,
    },
    /// The output would be larger than its cap.
    #[error("more than {max_bytes} bytes when decompressed")]
    TooLarge {
        /// The cap, in bytes.
        max_bytes: usize,
    },
}

/// Compresses at the default level of each format.
pub fn compress(compression: Compression, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let compressed = match compression {
        Compression::None => Ok(data.to_vec()),
        Compression::Gzip => gzip::compress(data),
        Compression::Snappy => snappy::compress(data),
        Compression::Lz4 => lz4::compress(data),
        Compression::Zstd => zstandard::compress(data),
    };
    compressed.map_err(|error| corrupt(compression, &error))
}

/// Decompresses into at most `max_bytes` bytes.
pub fn decompress(
    compression: Compression,
    data: &[u8],
    max_bytes: usize,
) -> Result<Vec<u8>, CompressionError> {
    let result = match compression {
        Compression::None => read_capped(data, max_bytes),
        Compression::Gzip => gzip::decompress(data, max_bytes),
        Compression::Snappy => snappy::decompress(data, max_bytes),
        Compression::Lz4 => lz4::decompress(data, max_bytes),
        Compression::Zstd => zstandard::decompress(data, max_bytes),
    };
    result.map_err(|error| match error {
        Failure::TooLarge => CompressionError::TooLarge { max_bytes },
        Failure::Io(error) => corrupt(compression, &error),
    })
}

fn corrupt(compression: Compression, error: &io::Error) -> CompressionError {
    CompressionError::Corrupt { compression, reason: error.to_string() }
}

/// What a decoder of this module fails with.
enum Failure {
    TooLarge,
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Io(error)
    }
}

/// Bytes taken from a decoder at a time.
const STEP_BYTES: usize = 16 * 1024;

/// Everything a decoder produces, up to the cap; one byte more is an error.
///
/// The output grows by doubling, but not beyond the cap and the byte that shows that it does not suffice.
fn read_capped(mut decoder: impl Read, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut output = Vec::new();
    let mut filled = 0;
    loop {
        if filled == output.len() {
            let doubled = (filled * 2).max(STEP_BYTES);
            let target = doubled.min(max_bytes.saturating_add(1)).max(filled + 1);
            output.reserve_exact(target - filled);
            output.resize(target, 0);
        }
        match decoder.read(&mut output[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if filled > max_bytes {
            return Err(Failure::TooLarge);
        }
    }
    output.truncate(filled);
    Ok(output)
}

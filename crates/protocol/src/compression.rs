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

/// A compression, and how hard it tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compressor {
    /// The compression.
    pub compression: Compression,
    /// The codec's level as in Kafka's settings (`compression.gzip.level`, …; KIP-390); none for its default. Snappy has none.
    pub level: Option<i32>,
}

impl From<Compression> for Compressor {
    fn from(compression: Compression) -> Compressor {
        Compressor { compression, level: None }
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

/// Compresses, at the default level of the format if none is given. A level beyond the codec's is its nearest.
pub fn compress(compressor: impl Into<Compressor>, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let Compressor { compression, level } = compressor.into();
    let compressed = match compression {
        Compression::None => Ok(data.to_vec()),
        Compression::Gzip => gzip::compress(data, level),
        Compression::Snappy => snappy::compress(data),
        Compression::Lz4 => lz4::compress(data, level),
        Compression::Zstd => zstandard::compress(data, level),
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
        Compression::Gzip => read_capped(gzip::decoder(data), max_bytes),
        Compression::Snappy => snappy::decompress(data, max_bytes),
        Compression::Lz4 => {
            lz4::decoder(data).map_err(Failure::Io).and_then(|lz4| read_capped(lz4, max_bytes))
        }
        Compression::Zstd => {
            zstandard::decoder(data).map_err(Failure::Io).and_then(|zstd| read_capped(zstd, max_bytes))
        }
    };
    result.map_err(|error| match error {
        Failure::TooLarge => CompressionError::TooLarge { max_bytes },
        Failure::Io(error) => corrupt(compression, &error),
    })
}

/// What comes out of compressed bytes, a piece at a time: takes a decoder's own memory, whatever comes out. Its errors are those of
/// [`decompress`], each inside of an [`io::Error`]; that of too much comes once more than `max_bytes` were read.
pub fn decoder<'a>(
    compression: Compression,
    data: &'a [u8],
    max_bytes: usize,
) -> Result<Box<dyn Read + 'a>, CompressionError> {
    let failed = |error: io::Error| corrupt(compression, &error);
    let inner: Box<dyn Read + 'a> = match compression {
        Compression::None => Box::new(data),
        Compression::Gzip => Box::new(gzip::decoder(data)),
        Compression::Snappy => Box::new(snappy::decoder(data)),
        Compression::Lz4 => Box::new(lz4::decoder(data).map_err(failed)?),
        Compression::Zstd => Box::new(zstandard::decoder(data).map_err(failed)?),
    };
    Ok(Box::new(Capped { inner, compression, left: max_bytes, max_bytes }))
}

/// Reads no more than is allowed.
struct Capped<'a> {
    inner: Box<dyn Read + 'a>,
    compression: Compression,
    left: usize,
    max_bytes: usize,
}

impl Read for Capped<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(corrupt(self.compression, &error)),
        })?;
        let too_large = CompressionError::TooLarge { max_bytes: self.max_bytes };
        self.left = self.left.checked_sub(read).ok_or(io::Error::other(too_large))?;
        Ok(read)
    }
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

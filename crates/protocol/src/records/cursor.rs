//! Reading and writing the numbers inside of records: zig-zag varints, as Protocol Buffers have them.

use super::BatchError;

/// A place in the bytes of records. Every step checks that there is enough left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

pub(super) const CUT: BatchError = BatchError::InvalidRecord("it ends in the middle of a field");

impl<'a> Cursor<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, BatchError> {
        let (byte, rest) = self.0.split_first().ok_or(CUT)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], BatchError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn varint(&mut self) -> Result<i32, BatchError> {
        varint(|| self.byte())
    }

    pub(super) fn varlong(&mut self) -> Result<i64, BatchError> {
        varlong(|| self.byte())
    }

    /// A length that may be -1 for null, and so many bytes.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, BatchError> {
        match self.varint()? {
            -1 => Ok(None),
            len => self.sized(len).map(Some),
        }
    }

    /// So many bytes; a negative length is an error.
    pub(super) fn sized(&mut self, len: i32) -> Result<&'a [u8], BatchError> {
        let len = usize::try_from(len).map_err(|_| BatchError::InvalidRecord("a length is negative"))?;
        self.take(len)
    }
}

/// A number of 32 bits from wherever bytes come.
#[inline]
pub(super) fn varint(next: impl FnMut() -> Result<u8, BatchError>) -> Result<i32, BatchError> {
    let raw = unsigned(5, next)? as u32;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// The same of 64 bits.
#[inline]
pub(super) fn varlong(next: impl FnMut() -> Result<u8, BatchError>) -> Result<i64, BatchError> {
    let raw = unsigned(10, next)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline]
fn unsigned(bytes_max: u32, mut next: impl FnMut() -> Result<u8, BatchError>) -> Result<u64, BatchError> {
    let mut value = 0;
    for at in 0..bytes_max {
        let byte = next()?;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(BatchError::InvalidRecord("a variable-length integer is too long"))
}

pub(super) fn put_varint(buf: &mut Vec<u8>, value: i32) {
    put_varlong(buf, i64::from(value));
}

pub(super) fn put_varlong(buf: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        buf.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buf.push(rest as u8);
}

/// Bytes that [`put_varint`] takes.
pub(super) fn varint_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros()).div_ceil(7) as usize
}

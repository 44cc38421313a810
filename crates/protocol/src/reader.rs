//! Reading values off the wire.

use bytes::{Buf, Bytes};

use crate::{DecodeError, Records, Struct, Uuid};

/// What a reader may spend however short its input is, in bytes.
const BUDGET_MIN: usize = 1 << 20;
/// What a reader may spend for each byte of its input.
///
/// Structs in memory are larger than on the wire; real messages grow up to tenfold, by short strings and empty arrays.
const BUDGET_PER_BYTE: usize = 16;
/// The longest string that Kafka accepts, in bytes.
const STRING_LEN_MAX: usize = i16::MAX as usize;

/// Reads values off a frame.
///
/// No length is believed: it is held against the bytes that remain before anything is allocated. Elements of arrays and
/// the bytes of strings are paid for out of a budget, so that elements of one byte cannot become gigabytes of structs.
/// Bytes and records are slices of the frame and cost nothing.
///
/// `flexible` in the methods says whether lengths are compact, that is: unsigned varints of the length plus one.
#[derive(Debug)]
pub struct Reader {
    buf: Bytes,
    budget: usize,
}

/// A value that arrays can hold, other than a struct.
pub trait Element: Sized {
    /// Reads one.
    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError>;
}

impl Reader {
    /// A reader that may spend 16 times the size of its input, and at least 1 MiB.
    pub fn new(buf: Bytes) -> Reader {
        let budget = buf.len().saturating_mul(BUDGET_PER_BYTE).max(BUDGET_MIN);
        Reader { buf, budget }
    }

    /// A reader that may spend so many bytes of memory on strings and elements of arrays.
    pub fn with_budget(buf: Bytes, budget: usize) -> Reader {
        Reader { buf, budget }
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.buf.len()
    }

    /// What is left, as a slice of the frame.
    pub fn into_rest(self) -> Bytes {
        self.buf
    }

    /// The next bytes, as a slice of the frame.
    pub fn take(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        self.need(len)?;
        Ok(self.buf.split_to(len))
    }

    /// A reader of the next bytes, which leaves this one where it is.
    pub fn peek(&self, len: usize) -> Result<Reader, DecodeError> {
        self.need(len)?;
        Ok(Reader { buf: self.buf.slice(..len), budget: self.budget })
    }

    /// Passes over so many bytes.
    pub fn skip(&mut self, len: usize) -> Result<(), DecodeError> {
        self.need(len)?;
        self.buf.advance(len);
        Ok(())
    }

    /// One byte; zero is false, everything else true.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// A signed byte.
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.buf.try_get_i8().map_err(short)
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.buf.try_get_i16().map_err(short)
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.buf.try_get_i32().map_err(short)
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.buf.try_get_i64().map_err(short)
    }

    /// An unsigned big-endian 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.buf.try_get_u16().map_err(short)
    }

    /// An unsigned big-endian 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.buf.try_get_u32().map_err(short)
    }

    /// A big-endian IEEE 754 number.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.buf.try_get_f64().map_err(short)
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.buf.try_get_u128().map(|bits| Uuid(bits.to_be_bytes())).map_err(short)
    }

    /// An unsigned variable-length integer of up to 32 bits, seven a byte, the lowest first.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.buf.try_get_u8().map_err(short)?;
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::InvalidVarint);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::InvalidVarint)
    }

    /// A string. Bytes that are not UTF-8 become U+FFFD, as in Kafka.
    pub fn string(&mut self, flexible: bool) -> Result<String, DecodeError> {
        self.opt_string(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// A string or null.
    pub fn opt_string(&mut self, flexible: bool) -> Result<Option<String>, DecodeError> {
        let len = if flexible { self.compact_len()? } else { usize::try_from(self.i16()?).ok() };
        let Some(len) = len else { return Ok(None) };
        if len > STRING_LEN_MAX {
            return Err(DecodeError::InvalidLength(len as i64));
        }
        let bytes = self.take(len)?;
        // A byte that is not UTF-8 grows to three.
        self.charge(len.saturating_mul(3))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Bytes, as a slice of the frame, which lives as long as they do.
    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.opt_bytes(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Bytes or null.
    pub fn opt_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        match self.len(flexible)? {
            Some(len) => self.take(len).map(Some),
            None => Ok(None),
        }
    }

    /// Records, as a slice of the frame. Only a length of -1 is null, unlike elsewhere.
    pub fn records(&mut self, flexible: bool) -> Result<Records, DecodeError> {
        if !flexible {
            let len = self.peek(4)?.i32()?;
            if len < -1 {
                return Err(DecodeError::InvalidLength(i64::from(len)));
            }
        }
        Ok(self.opt_bytes(flexible)?.map_or(Records::Null, Records::Bytes))
    }

    /// An array of values.
    pub fn array<T: Element>(&mut self, flexible: bool) -> Result<Vec<T>, DecodeError> {
        self.opt_array(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// An array of values or null.
    pub fn opt_array<T: Element>(&mut self, flexible: bool) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count::<T>(flexible)? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self, flexible)?);
        }
        Ok(Some(elements))
    }

    /// An array of structs.
    pub fn structs<T: Struct>(&mut self, flexible: bool, version: i16) -> Result<Vec<T>, DecodeError> {
        self.opt_structs(flexible, version)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// An array of structs or null.
    pub fn opt_structs<T: Struct>(
        &mut self,
        flexible: bool,
        version: i16,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count::<T>(flexible)? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self, version)?);
        }
        Ok(Some(elements))
    }

    /// A struct or null: a byte, negative for null, then the struct (KIP-893).
    pub fn opt_struct<T: Struct>(&mut self, version: i16) -> Result<Option<T>, DecodeError> {
        if self.i8()? < 0 { Ok(None) } else { T::read(self, version).map(Some) }
    }

    /// A struct or null as the value of a tagged field, where Kafka marks null by a varint of zero.
    pub fn opt_tagged_struct<T: Struct>(&mut self, version: i16) -> Result<Option<T>, DecodeError> {
        if self.uvarint()? == 0 { Ok(None) } else { T::read(self, version).map(Some) }
    }

    /// Tagged fields. `field` reads the value of a tag that it knows and says whether it did; the others are passed over.
    pub fn tags(
        &mut self,
        mut field: impl FnMut(&mut Reader, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            self.need(size)?;
            let before = self.remaining();
            if !field(self, tag)? {
                self.skip(size)?;
            }
            let used = before - self.remaining();
            if used != size {
                return Err(DecodeError::TaggedFieldSize { tag, size, used });
            }
        }
        Ok(())
    }

    /// Passes over tagged fields where none is known.
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        self.tags(|_, _| Ok(false))
    }

    fn need(&self, needed: usize) -> Result<(), DecodeError> {
        let remaining = self.remaining();
        if needed > remaining { Err(DecodeError::UnexpectedEnd { needed, remaining }) } else { Ok(()) }
    }

    fn charge(&mut self, cost: usize) -> Result<(), DecodeError> {
        self.budget = self.budget.checked_sub(cost).ok_or(DecodeError::BudgetExceeded)?;
        Ok(())
    }

    /// The number of elements of an array, after they have been found to be possible and have been paid for.
    fn count<T>(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.len(flexible)? else { return Ok(None) };
        // No element takes less than a byte.
        self.need(count)?;
        self.charge(count.saturating_mul(size_of::<T>()))?;
        Ok(Some(count))
    }

    fn len(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_len() } else { Ok(usize::try_from(self.i32()?).ok()) }
    }

    fn compact_len(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok((self.uvarint()? as usize).checked_sub(1))
    }
}

fn short(error: bytes::TryGetError) -> DecodeError {
    DecodeError::UnexpectedEnd { needed: error.requested, remaining: error.available }
}

macro_rules! elements {
    ($($type:ty = $read:ident),*) => {
        $(impl Element for $type {
            fn read(reader: &mut Reader, _flexible: bool) -> Result<Self, DecodeError> {
                reader.$read()
            }
        })*
    };
}

elements!(
    bool = bool,
    i8 = i8,
    i16 = i16,
    i32 = i32,
    i64 = i64,
    u16 = u16,
    u32 = u32,
    f64 = f64,
    Uuid = uuid
);

impl Element for String {
    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError> {
        reader.string(flexible)
    }
}

impl Element for Bytes {
    fn read(reader: &mut Reader, flexible: bool) -> Result<Self, DecodeError> {
        reader.bytes(flexible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_of_more_than_32_bits_is_refused() {
        for bytes in [&b"\xff\xff\xff\xff\x10"[..], b"\x80\x80\x80\x80\x80\x00"] {
            assert_eq!(Reader::new(Bytes::from_static(bytes)).uvarint(), Err(DecodeError::InvalidVarint));
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced_as_in_kafka() {
        let mut reader = Reader::new(Bytes::from_static(b"\0\x03a\xffb"));
        assert_eq!(reader.string(false), Ok("a\u{fffd}b".to_owned()));
    }

    #[test]
    fn any_negative_length_is_null() {
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x80\0\0\0"] {
            assert_eq!(Reader::new(Bytes::from_static(bytes)).opt_array::<i32>(false), Ok(None));
        }
    }

    #[test]
    fn a_tagged_field_may_not_read_beyond_its_length() {
        let mut reader = Reader::new(Bytes::from_static(b"\x01\x00\x02\0\0\0\x05"));
        let read = reader.tags(|reader, _| reader.i32().map(|_| true));
        assert_eq!(read, Err(DecodeError::TaggedFieldSize { tag: 0, size: 2, used: 4 }));
    }
}

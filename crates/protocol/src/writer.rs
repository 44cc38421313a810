//! Writing values for the wire.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{EncodeError, Records, Struct, Uuid};

/// Records shorter than this are copied between their neighbours: a part of its own would cost more.
const INLINE_LEN_MAX: usize = 512;
/// The longest string that Kafka accepts, in bytes.
const STRING_LEN_MAX: usize = i16::MAX as usize;

/// A piece of what is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes that the server sends from a file.
    External {
        /// Their number.
        len: usize,
        /// What the server gave for [`Records::External`].
        id: u32,
    },
}

impl Part {
    /// The size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Part::Bytes(bytes) => bytes.len(),
            Part::External { len, .. } => *len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

enum Piece {
    Written(BytesMut),
    Shared(Bytes),
    External { len: usize, id: u32 },
}

/// Writes values one after the other; records stay where they are and become parts of the result.
///
/// `flexible` in the methods says whether lengths are compact, that is: unsigned varints of the length plus one.
#[derive(Default)]
pub struct Writer {
    pieces: Vec<Piece>,
    buf: BytesMut,
    /// Bytes in `pieces`.
    len_before: usize,
}

impl Writer {
    /// A writer that holds nothing.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// A writer with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { buf: BytesMut::with_capacity(bytes), ..Writer::default() }
    }

    /// Bytes written so far, records included.
    pub fn len(&self) -> usize {
        self.len_before + self.buf.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written, in order.
    pub fn finish(mut self) -> Vec<Part> {
        self.cut();
        self.pieces.into_iter().map(Part::from).collect()
    }

    /// What was written, after its length as a 32-bit integer: a frame, ready to be sent.
    pub fn finish_frame(mut self) -> Result<Vec<Part>, EncodeError> {
        let len = i32::try_from(self.len()).map_err(|_| EncodeError::TooLong(self.len()))?;
        self.cut();
        let prefix = Bytes::copy_from_slice(&len.to_be_bytes());
        Ok(std::iter::once(Part::Bytes(prefix)).chain(self.pieces.into_iter().map(Part::from)).collect())
    }

    /// What was written, in one piece. External records, which are not in memory, are left out.
    pub fn into_bytes(mut self) -> Bytes {
        if self.pieces.is_empty() {
            return self.buf.freeze();
        }
        self.cut();
        let mut whole = BytesMut::with_capacity(self.len_before);
        for piece in &self.pieces {
            match piece {
                Piece::Written(bytes) => whole.extend_from_slice(bytes),
                Piece::Shared(bytes) => whole.extend_from_slice(bytes),
                Piece::External { .. } => {}
            }
        }
        whole.freeze()
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.buf.put_u8(u8::from(value));
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.buf.put_i8(value);
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.buf.put_i16(value);
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.buf.put_i32(value);
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.buf.put_i64(value);
    }

    /// An unsigned big-endian 16-bit integer.
    pub fn u16(&mut self, value: u16) {
        self.buf.put_u16(value);
    }

    /// An unsigned big-endian 32-bit integer.
    pub fn u32(&mut self, value: u32) {
        self.buf.put_u32(value);
    }

    /// A big-endian IEEE 754 number.
    pub fn f64(&mut self, value: f64) {
        self.buf.put_f64(value);
    }

    /// Sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.buf.put_slice(&value.0);
    }

    /// An unsigned variable-length integer, seven bits a byte, the lowest first.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buf.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buf.put_u8(value as u8);
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.put_slice(bytes);
    }

    /// A string of at most 32767 bytes.
    pub fn string(&mut self, flexible: bool, value: &str) -> Result<(), EncodeError> {
        if value.len() > STRING_LEN_MAX {
            return Err(EncodeError::TooLong(value.len()));
        }
        if flexible {
            self.uvarint(value.len() as u32 + 1);
        } else {
            self.i16(value.len() as i16);
        }
        self.raw(value.as_bytes());
        Ok(())
    }

    /// A string or null.
    pub fn opt_string(&mut self, flexible: bool, value: Option<&str>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.string(flexible, value)?,
            None if flexible => self.uvarint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// Bytes; they are copied.
    pub fn bytes(&mut self, flexible: bool, value: &[u8]) -> Result<(), EncodeError> {
        self.put_len(flexible, value.len())?;
        self.raw(value);
        Ok(())
    }

    /// Bytes or null.
    pub fn opt_bytes(&mut self, flexible: bool, value: Option<&[u8]>) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(flexible, value)?,
            None => self.null(flexible),
        }
        Ok(())
    }

    /// Records; all but the shortest are not copied.
    pub fn records(&mut self, flexible: bool, value: &Records) -> Result<(), EncodeError> {
        if value.is_null() {
            self.null(flexible);
            return Ok(());
        }
        self.put_len(flexible, value.len())?;
        match value {
            Records::Null => {}
            Records::Bytes(bytes) => self.share(bytes),
            Records::Chunks(chunks) => chunks.iter().for_each(|chunk| self.share(chunk)),
            Records::External { len, id } => {
                self.cut();
                self.len_before += len;
                self.pieces.push(Piece::External { len: *len, id: *id });
            }
        }
        Ok(())
    }

    /// An array of values.
    pub fn array<T: Put>(&mut self, flexible: bool, values: &[T]) -> Result<(), EncodeError> {
        self.put_len(flexible, values.len())?;
        values.iter().try_for_each(|value| value.put(self, flexible))
    }

    /// An array of values or null.
    pub fn opt_array<T: Put>(&mut self, flexible: bool, values: Option<&[T]>) -> Result<(), EncodeError> {
        match values {
            Some(values) => self.array(flexible, values)?,
            None => self.null(flexible),
        }
        Ok(())
    }

    /// An array of structs.
    pub fn structs<T: Struct>(
        &mut self,
        flexible: bool,
        version: i16,
        values: &[T],
    ) -> Result<(), EncodeError> {
        self.put_len(flexible, values.len())?;
        values.iter().try_for_each(|value| value.write(self, version))
    }

    /// An array of structs or null.
    pub fn opt_structs<T: Struct>(
        &mut self,
        flexible: bool,
        version: i16,
        values: Option<&[T]>,
    ) -> Result<(), EncodeError> {
        match values {
            Some(values) => self.structs(flexible, version, values)?,
            None => self.null(flexible),
        }
        Ok(())
    }

    /// A struct or null: a byte, 1 or -1 for null, then the struct (KIP-893).
    pub fn opt_struct<T: Struct>(&mut self, version: i16, value: Option<&T>) -> Result<(), EncodeError> {
        self.i8(if value.is_some() { 1 } else { -1 });
        value.map_or(Ok(()), |value| value.write(self, version))
    }

    /// A struct or null as the value of a tagged field, where Kafka marks null by a varint of zero.
    pub fn opt_tagged_struct<T: Struct>(
        &mut self,
        version: i16,
        value: Option<&T>,
    ) -> Result<(), EncodeError> {
        self.uvarint(u32::from(value.is_some()));
        value.map_or(Ok(()), |value| value.write(self, version))
    }

    /// The tagged fields that were gathered.
    pub fn tags(&mut self, tags: Tags) {
        self.uvarint(tags.count);
        self.buf.extend_from_slice(&tags.fields.into_bytes());
    }

    /// No tagged fields.
    pub fn no_tags(&mut self) {
        self.buf.put_u8(0);
    }

    fn null(&mut self, flexible: bool) {
        if flexible {
            self.uvarint(0);
        } else {
            self.i32(-1);
        }
    }

    fn put_len(&mut self, flexible: bool, len: usize) -> Result<(), EncodeError> {
        let len = i32::try_from(len).map_err(|_| EncodeError::TooLong(len))?;
        if flexible {
            self.uvarint(len as u32 + 1);
        } else {
            self.i32(len);
        }
        Ok(())
    }

    fn share(&mut self, bytes: &Bytes) {
        if bytes.len() <= INLINE_LEN_MAX {
            self.raw(bytes);
            return;
        }
        self.cut();
        self.len_before += bytes.len();
        self.pieces.push(Piece::Shared(bytes.clone()));
    }

    /// Closes the buffer, so that another piece can follow it.
    fn cut(&mut self) {
        if !self.buf.is_empty() {
            self.len_before += self.buf.len();
            self.pieces.push(Piece::Written(self.buf.split()));
        }
    }
}

impl From<Piece> for Part {
    fn from(piece: Piece) -> Part {
        match piece {
            Piece::Written(bytes) => Part::Bytes(bytes.freeze()),
            Piece::Shared(bytes) => Part::Bytes(bytes),
            Piece::External { len, id } => Part::External { len, id },
        }
    }
}

/// The tagged fields of a struct, in ascending order of their tags.
#[derive(Default)]
pub struct Tags {
    count: u32,
    fields: Writer,
}

impl Tags {
    /// Adds a field, whose value `value` writes.
    pub fn put(
        &mut self,
        tag: u32,
        value: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut body = Writer::new();
        value(&mut body)?;
        let body = body.into_bytes();
        self.count += 1;
        self.fields.uvarint(tag);
        self.fields.uvarint(u32::try_from(body.len()).map_err(|_| EncodeError::TooLong(body.len()))?);
        self.fields.raw(&body);
        Ok(())
    }
}

/// A value that arrays can hold, other than a struct.
pub trait Put {
    /// Writes it.
    fn put(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError>;
}

macro_rules! put {
    ($($type:ty = $write:ident),*) => {
        $(impl Put for $type {
            fn put(&self, writer: &mut Writer, _flexible: bool) -> Result<(), EncodeError> {
                writer.$write(*self);
                Ok(())
            }
        })*
    };
}

put!(bool = bool, i8 = i8, i16 = i16, i32 = i32, i64 = i64, u16 = u16, u32 = u32, f64 = f64, Uuid = uuid);

impl Put for String {
    fn put(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        writer.string(flexible, self)
    }
}

impl Put for Bytes {
    fn put(&self, writer: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        writer.bytes(flexible, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_what_the_server_sends_from_files() {
        let mut writer = Writer::new();
        writer.i16(1);
        writer.records(false, &Records::External { len: 1_000_000, id: 9 }).unwrap();
        writer
            .records(true, &Records::Chunks(vec![Bytes::from_static(b"ab"), Bytes::from(vec![0; 600])]))
            .unwrap();
        writer.i8(7);
        assert_eq!(writer.len(), 2 + 4 + 1_000_000 + 2 + 2 + 600 + 1);
        let parts = writer.finish_frame().unwrap();
        let lens: Vec<usize> = parts.iter().map(Part::len).collect();
        assert_eq!(
            lens,
            [4, 6, 1_000_000, 4, 600, 1],
            "length; fields; file; length and short chunk; chunk; field"
        );
        assert_eq!(parts[0], Part::Bytes(Bytes::copy_from_slice(&1_000_611_i32.to_be_bytes())));
        assert_eq!(parts[2], Part::External { len: 1_000_000, id: 9 });
    }

    #[test]
    fn a_varint_is_as_long_as_it_must_be() {
        for (value, len) in [(0, 1), (0x7f, 1), (0x80, 2), (0x3fff, 2), (0x4000, 3), (u32::MAX, 5)] {
            let mut writer = Writer::new();
            writer.uvarint(value);
            let bytes = writer.into_bytes();
            assert_eq!(bytes.len(), len);
            assert_eq!(crate::Reader::new(bytes).uvarint(), Ok(value));
        }
    }

    #[test]
    fn a_string_longer_than_kafka_accepts_is_refused() {
        let text = "x".repeat(32_768);
        assert_eq!(Writer::new().string(true, &text), Err(EncodeError::TooLong(32_768)));
        assert_eq!(Writer::new().string(false, &text[1..]), Ok(()));
    }
}

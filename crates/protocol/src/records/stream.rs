//! The records of a batch as they come out of a decoder: what a broker looks at of each, while keys, values and headers are passed over
//! and never held in memory.

use std::io::{self, BufRead, BufReader, Read};

use super::cursor::{CUT, varint, varlong};
use super::{BatchError, RecordRef};
use crate::compression::CompressionError;

/// Bytes taken from the decoder at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// What a broker looks at of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    /// None without a key.
    pub(super) key_bytes: Option<usize>,
    /// None without a value.
    pub(super) value_bytes: Option<usize>,
}

impl Glance {
    pub(super) fn of(record: &RecordRef<'_>) -> Glance {
        Glance {
            timestamp_delta: record.timestamp_delta,
            offset_delta: record.offset_delta,
            key_bytes: record.key.map(<[u8]>::len),
            value_bytes: record.value.map(<[u8]>::len),
        }
    }
}

/// Finds the same faults as [`RecordRefs`](super::RecordRefs) does in all of the bytes at once.
pub(super) struct RecordStream<R> {
    left: i32,
    input: BufReader<R>,
}

impl<R: Read> RecordStream<R> {
    /// Over so many records.
    pub(super) fn new(records_count: i32, input: R) -> RecordStream<R> {
        RecordStream { left: records_count, input: BufReader::with_capacity(BUFFER_BYTES, input) }
    }

    fn read(&mut self) -> Result<Glance, BatchError> {
        let len = Stretch { input: &mut self.input, left: usize::MAX }.varint()?;
        let left = usize::try_from(len).map_err(|_| NEGATIVE)?;
        let mut body = Stretch { input: &mut self.input, left };
        // The attributes of a record are not in use.
        body.byte()?;
        let (timestamp_delta, offset_delta) = (body.varlong()?, body.varint()?);
        let (key_bytes, value_bytes) = (body.pass_nullable()?, body.pass_nullable()?);
        let headers_count = body.varint()?;
        if headers_count < 0 {
            return Err(BatchError::InvalidRecord("its number of headers is negative"));
        }
        for _ in 0..headers_count {
            let len = body.varint()?;
            body.pass(len)?;
            body.pass_nullable()?;
        }
        match body.left {
            0 => Ok(Glance { timestamp_delta, offset_delta, key_bytes, value_bytes }),
            _ => Err(BatchError::InvalidRecord("it is shorter than its length says")),
        }
    }

    fn end(&mut self) -> Result<(), BatchError> {
        match filled(&mut self.input)? {
            [] => Ok(()),
            _ => Err(BatchError::InvalidRecord("bytes follow the last record of the batch")),
        }
    }
}

impl<R: Read> Iterator for RecordStream<R> {
    type Item = Result<Glance, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.left {
            ..0 => return None,
            0 => self.end().err().map(Err),
            _ => Some(self.read()),
        };
        self.left = if matches!(item, Some(Ok(_))) { self.left - 1 } else { -1 };
        item
    }
}

const NEGATIVE: BatchError = BatchError::InvalidRecord("a length is negative");

/// So many of the bytes that come.
struct Stretch<'a, R> {
    input: &'a mut BufReader<R>,
    left: usize,
}

impl<R: Read> Stretch<'_, R> {
    fn byte(&mut self) -> Result<u8, BatchError> {
        self.left = self.left.checked_sub(1).ok_or(CUT)?;
        let byte = *filled(self.input)?.first().ok_or(CUT)?;
        self.input.consume(1);
        Ok(byte)
    }

    fn pass(&mut self, len: i32) -> Result<(), BatchError> {
        let mut len = usize::try_from(len).map_err(|_| NEGATIVE)?;
        self.left = self.left.checked_sub(len).ok_or(CUT)?;
        while len > 0 {
            let there = filled(self.input)?.len().min(len);
            if there == 0 {
                return Err(CUT);
            }
            self.input.consume(there);
            len -= there;
        }
        Ok(())
    }

    /// Passes what may be null over, and says how long it was if it was there.
    fn pass_nullable(&mut self) -> Result<Option<usize>, BatchError> {
        match self.varint()? {
            -1 => Ok(None),
            len => self.pass(len).map(|()| usize::try_from(len).ok()),
        }
    }

    fn varint(&mut self) -> Result<i32, BatchError> {
        varint(|| self.byte())
    }

    fn varlong(&mut self) -> Result<i64, BatchError> {
        varlong(|| self.byte())
    }
}

/// Bytes that are there, none at the end.
fn filled<R: Read>(input: &mut BufReader<R>) -> Result<&[u8], BatchError> {
    if input.buffer().is_empty() {
        while let Err(error) = input.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(undecoded(error));
            }
        }
    }
    Ok(input.buffer())
}

fn undecoded(error: io::Error) -> BatchError {
    match error.downcast::<CompressionError>() {
        Ok(error) => error.into(),
        Err(error) => BatchError::Compression(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BatchBuilder, HEADER_BYTES, RecordRefs};
    use super::*;
    use crate::compression::Compression;

    /// Gives a byte at a time, so that every place is once the end of what is there.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let one = self.0.len().min(1);
            let read = self.0[..one].as_ref().read(buf)?;
            self.0 = &self.0[read..];
            Ok(read)
        }
    }

    fn at_once(count: i32, bytes: &[u8]) -> (Vec<Glance>, bool) {
        let glance = |record: RecordRef<'_>| Glance::of(&record);
        let read: Result<Vec<_>, _> = RecordRefs::new(count, bytes).map(|one| one.map(glance)).collect();
        let good = RecordRefs::new(count, bytes).map_while(Result::ok).map(glance).collect();
        (good, read.is_ok())
    }

    fn streamed(count: i32, bytes: impl Read) -> (Vec<Glance>, bool) {
        let (mut good, mut is_ok) = (Vec::new(), true);
        for one in RecordStream::new(count, bytes) {
            match one {
                Ok(glance) => good.push(glance),
                Err(_) => is_ok = false,
            }
        }
        (good, is_ok)
    }

    fn payload(values: &[Vec<u8>]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(0, Compression::None);
        for (at, value) in (0..).zip(values) {
            builder.push(at * 1_000, (at % 2 == 0).then_some(&value[..]), Some(value), &[]);
        }
        builder.build()[HEADER_BYTES..].to_vec()
    }

    proptest! {
        #[test]
        fn what_comes_piece_by_piece_is_read_as_what_is_there_at_once(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20),
            wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
            more in -1..2_i32,
        ) {
            let mut bytes = payload(&values);
            wrong.iter().for_each(|(at, byte)| {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            });
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            let count = values.len() as i32 + more;
            let expected = at_once(count, &bytes);
            prop_assert_eq!(&streamed(count, &bytes[..]), &expected);
            prop_assert_eq!(&streamed(count, Trickle(&bytes)), &expected);
        }
    }
}

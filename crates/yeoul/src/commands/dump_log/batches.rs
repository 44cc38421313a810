//! The batches of a file, cut as Apache Kafka cuts them where bytes are wrong. Pure.

use std::borrow::Cow;

use protocol::records::{BatchError, BatchHeader, MAGIC, verify};

/// Bytes in front of what a batch's length counts.
const OVERHEAD_BYTES: usize = 12;
/// Bytes up to the number of the format, inclusive.
const FRONT_BYTES: usize = 17;
/// The least that a length counts: what the first format has around a record.
const LENGTH_MIN: i32 = 14;
/// Where the number of the format stands.
const MAGIC_AT: usize = 16;

/// A batch, whatever its checksum.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    pub header: BatchHeader,
    /// The whole of it; as this format, where the number of the format is one to come.
    pub bytes: Cow<'a, [u8]>,
}

impl Batch<'_> {
    /// Whether the checksum fits.
    pub fn is_valid(&self) -> bool {
        !matches!(verify(&self.bytes), Err(BatchError::CorruptCrc { .. } | BatchError::Short { .. }))
    }
}

/// The batch that begins here; none where the file ends before the batch does.
///
/// # Errors
/// What is wrong with a length, or with a format that is not read.
pub fn batch_at(bytes: &[u8], position: usize) -> Result<Option<Batch<'_>>, String> {
    let rest = bytes.get(position..).ok_or_else(|| format!("position {position} lies behind the end"))?;
    let Some(front) = rest.first_chunk::<FRONT_BYTES>().filter(|_| rest.len() > FRONT_BYTES) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([front[8], front[9], front[10], front[11]]);
    if length < LENGTH_MIN {
        return Err(format!(
            "Found record size {length} smaller than minimum record overhead ({LENGTH_MIN})"
        ));
    }
    let size = OVERHEAD_BYTES.saturating_add(length.unsigned_abs() as usize);
    let Some(batch) = rest.get(..size) else { return Ok(None) };
    let magic = front[MAGIC_AT] as i8;
    if magic < MAGIC {
        return Err(format!("the batch at position {position} is of format {magic}, which is not read"));
    }
    let mut bytes = Cow::Borrowed(batch);
    if magic != MAGIC {
        bytes.to_mut()[MAGIC_AT] = MAGIC as u8;
    }
    let header = BatchHeader::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(Some(Batch { header: BatchHeader { magic, ..header }, bytes }))
}

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;
    use protocol::records::BatchBuilder;

    use super::*;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(7, Compression::None);
        builder.push(1, None, Some(b"v"), &[]);
        builder.build().to_vec()
    }

    fn with(at: usize, changed: &[u8]) -> Vec<u8> {
        let mut bytes = batch();
        bytes[at..at + changed.len()].copy_from_slice(changed);
        bytes
    }

    #[test]
    fn a_batch_that_is_cut_off_is_none_and_a_length_that_cannot_be_is_an_error() {
        let whole = batch();
        assert!(batch_at(&whole, 0).unwrap().unwrap().is_valid());
        for cut in 0..whole.len() {
            assert!(batch_at(&whole[..cut], 0).unwrap().is_none(), "{cut}");
        }
        assert!(batch_at(&whole, whole.len()).unwrap().is_none());
        assert!(batch_at(&whole, whole.len() + 1).is_err());
        for length in [0, 13, -5, 14, 48] {
            assert!(batch_at(&with(8, &i32::to_be_bytes(length)), 0).is_err(), "{length}");
        }
        assert!(batch_at(&with(8, &i32::MAX.to_be_bytes()), 0).unwrap().is_none());
    }

    #[test]
    fn a_format_to_come_is_read_as_this_one_and_an_old_one_is_not() {
        let later = with(MAGIC_AT, &[9]);
        let read = batch_at(&later, 0).unwrap().unwrap();
        assert_eq!((read.header.magic, read.is_valid()), (9, true));
        assert!(batch_at(&with(MAGIC_AT, &[1]), 0).unwrap_err().contains("format 1"));
    }

    #[test]
    fn only_the_checksum_says_whether_a_batch_is_valid() {
        let last = batch().len() - 1;
        assert!(!batch_at(&with(last, &[9]), 0).unwrap().unwrap().is_valid());
    }
}

//! Transactions that were aborted, as lines.

use std::io::Write;
use std::path::Path;

use super::{at, name_of, offset_in, read};
use crate::failure::Failure;

/// Bytes of an entry: a version and four numbers.
const ENTRY_BYTES: usize = 34;

/// Tells of every transaction; what is left behind the last is no entry.
pub fn dump(file: &Path, out: &mut impl Write) -> Result<Vec<String>, Failure> {
    offset_in(name_of(file)).map_err(|why| at(file, &why))?;
    for entry in read(file)?.as_chunks::<ENTRY_BYTES>().0 {
        let line = line(entry).map_err(|why| at(file, &why))?;
        writeln!(out, "{line}")?;
    }
    Ok(Vec::new())
}

/// The version is told by its first byte alone, as Kafka reads it.
fn line(entry: &[u8; ENTRY_BYTES]) -> Result<String, String> {
    let [version, _, numbers @ ..] = entry;
    if *version as i8 > 0 {
        return Err(format!("the version of an aborted transaction is {version}, which is unknown"));
    }
    let numbers: Vec<i64> = numbers.as_chunks().0.iter().map(|number| i64::from_be_bytes(*number)).collect();
    let [producer_id, first_offset, last_offset, last_stable_offset] = numbers[..] else {
        return Err("the entry is cut off".to_owned());
    };
    Ok(format!(
        "version: {} producerId: {producer_id} firstOffset: {first_offset} lastOffset: {last_offset} \
         lastStableOffset: {last_stable_offset}",
        *version as i8
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: u8) -> [u8; ENTRY_BYTES] {
        let mut entry = [0; ENTRY_BYTES];
        entry[0] = version;
        for (place, number) in [4i64, 2, 7, 3].into_iter().enumerate() {
            entry[2 + 8 * place..][..8].copy_from_slice(&number.to_be_bytes());
        }
        entry
    }

    #[test]
    fn a_transaction_is_a_line_unless_its_version_is_unknown() {
        let told = "version: 0 producerId: 4 firstOffset: 2 lastOffset: 7 lastStableOffset: 3";
        assert_eq!(line(&entry(0)), Ok(told.to_owned()));
        assert!(line(&entry(1)).is_err());
    }
}

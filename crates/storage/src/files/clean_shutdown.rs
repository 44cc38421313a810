//! `.kafka_cleanshutdown`: that the broker stopped in order, so that no log needs recovery (KIP-966 added the broker epoch).

use std::path::Path;

use host::Disk;
use serde_json::Value;

use super::{FileError, whole};

/// The name of the file.
pub const NAME: &str = ".kafka_cleanshutdown";

/// The text of the file.
pub fn encode(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The epoch of the broker that stopped; none if the file does not say, as those of older versions.
pub fn decode(text: &str) -> Option<i64> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("brokerEpoch")?.as_i64()
}

/// Whether the broker stopped in order: none if not, else its epoch if the file says it.
pub fn load(disk: &dyn Disk, path: &Path) -> Result<Option<Option<i64>>, FileError> {
    Ok(whole::load_whole(disk, path)?.map(|bytes| decode(&String::from_utf8_lossy(&bytes))))
}

/// Writes the file; it is on disk when this returns.
pub fn store(disk: &dyn Disk, path: &Path, broker_epoch: i64) -> Result<(), FileError> {
    whole::store_whole(disk, path, encode(broker_epoch).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_of_kafka_is_read_and_written_byte_for_byte() {
        let text = include_str!("../../tests/fixtures/stopped/.kafka_cleanshutdown");
        assert_eq!(encode(decode(text).unwrap()), text);
        assert_eq!(decode(""), None);
    }
}

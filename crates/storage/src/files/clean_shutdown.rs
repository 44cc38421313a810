//! `.kafka_cleanshutdown`: that the broker stopped in order, so that no log needs recovery (KIP-966 added the broker epoch).

use serde_json::Value;

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

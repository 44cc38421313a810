//! What a consumer's protocol metadata says of its topics.

use bytes::Bytes;
use protocol::Reader;

/// The topics of a subscription (ConsumerProtocolSubscription); none if the bytes are not one. Later versions only add fields
/// behind those of version 0.
pub(crate) fn subscribed_topics(metadata: Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(metadata);
    let version = reader.i16().ok()?;
    let count = reader.i32().ok()?;
    if version < 0 || count < 0 {
        return None;
    }
    (0..count).map(|_| reader.string(false).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_whatever_follows_them() {
        let metadata = Bytes::from_static(b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0");
        assert_eq!(subscribed_topics(metadata), Some(vec!["a".to_owned(), "bc".to_owned()]));
    }

    #[test]
    fn bytes_of_another_protocol_are_no_subscription() {
        assert_eq!(subscribed_topics(Bytes::new()), None);
        assert_eq!(subscribed_topics(Bytes::from_static(b"\0\0\x7f\xff\xff\xff\0\x01a")), None);
        assert_eq!(subscribed_topics(Bytes::from_static(b"\xff\xff\0\0\0\0")), None);
    }
}

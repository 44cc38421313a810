//! The headers of requests and responses.

use crate::messages::{RequestHeader, ResponseHeader};
use crate::{ApiKey, DecodeError, EncodeError, Message, Reader, Writer};

/// The version of the header of a request: 2 for flexible versions, 1 otherwise.
pub fn request_header_version(key: ApiKey, version: i16) -> i16 {
    if key.is_flexible(version) { 2 } else { 1 }
}

/// The version of the header of a response: 1 for flexible versions, 0 otherwise.
///
/// For ApiVersions it is always 0, so that a client can read the answer to a version that the broker does not know.
pub fn response_header_version(key: ApiKey, version: i16) -> i16 {
    i16::from(key != ApiKey::API_VERSIONS && key.is_flexible(version))
}

/// Reads the header of a request, in the version that its own key and version ask for.
///
/// A key or version that is not known is read as well as possible (as not flexible, or as the newest), since the answer
/// needs the correlation id.
pub fn decode_request_header(reader: &mut Reader) -> Result<RequestHeader, DecodeError> {
    let mut ahead = reader.peek(4)?;
    let (key, version) = (ApiKey(ahead.i16()?), ahead.i16()?);
    RequestHeader::decode(reader, request_header_version(key, version))
}

/// Writes the header of a request, in the version that its own key and version ask for.
pub fn encode_request_header(header: &RequestHeader, writer: &mut Writer) -> Result<(), EncodeError> {
    let version = request_header_version(ApiKey(header.request_api_key), header.request_api_version);
    header.encode(writer, version)
}

/// Reads the header of the response to a request of this key and version.
pub fn decode_response_header(
    reader: &mut Reader,
    key: ApiKey,
    version: i16,
) -> Result<ResponseHeader, DecodeError> {
    ResponseHeader::decode(reader, response_header_version(key, version))
}

/// Writes the header of the response to a request of this key and version.
pub fn encode_response_header(
    correlation_id: i32,
    writer: &mut Writer,
    key: ApiKey,
    version: i16,
) -> Result<(), EncodeError> {
    ResponseHeader { correlation_id }.encode(writer, response_header_version(key, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: ApiKey, version: i16) -> RequestHeader {
        RequestHeader {
            request_api_key: key.0,
            request_api_version: version,
            correlation_id: 7,
            client_id: Some("me".to_owned()),
        }
    }

    fn encoded(header: &RequestHeader) -> Vec<u8> {
        let mut writer = Writer::new();
        encode_request_header(header, &mut writer).unwrap();
        writer.into_bytes().to_vec()
    }

    #[test]
    fn the_client_id_is_never_compact() {
        assert_eq!(encoded(&header(ApiKey::METADATA, 8)), b"\0\x03\0\x08\0\0\0\x07\0\x02me");
        assert_eq!(encoded(&header(ApiKey::METADATA, 9)), b"\0\x03\0\x09\0\0\0\x07\0\x02me\0");
    }

    #[test]
    fn a_header_becomes_the_same_again() {
        for version in [0, 8, 9, 13] {
            let header = header(ApiKey::METADATA, version);
            let mut reader = Reader::new(encoded(&header).into());
            assert_eq!(decode_request_header(&mut reader), Ok(header));
            assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn the_answer_to_api_versions_has_the_oldest_header() {
        for version in 0..=5 {
            assert_eq!(response_header_version(ApiKey::API_VERSIONS, version), 0);
        }
        assert_eq!(response_header_version(ApiKey::METADATA, 9), 1);
        assert_eq!(response_header_version(ApiKey::METADATA, 8), 0);
    }
}

//! ApiVersions (KIP-35, KIP-511, KIP-584, KIP-1242): printed from the table that dispatches.

use std::sync::Arc;

use protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode};

use super::{Call, Handle, Row, rows_on};
use crate::Broker;
use crate::net::{Done, Software, Started};

/// The first version that says which software asks.
const SOFTWARE_SINCE: i16 = 3;
/// The first version that says whom the client means to reach.
const TARGET_SINCE: i16 = 5;
/// Levels with which a feature is off are not listed as supported before this version.
const LEVEL_ZERO_SINCE: i16 = 4;

impl Handle for ApiVersionsRequest {
    fn start(self, broker: &Arc<Broker>, call: Call) -> Started {
        let response = match refusal(&self, broker, &call) {
            None if call.version >= SOFTWARE_SINCE => {
                let (name, version) = (self.client_software_name, self.client_software_version);
                // Who asks again is the same client.
                let _ = call.peer.software.set(Software { name, version });
                supported(broker, &call)
            }
            Some(error) => ApiVersionsResponse { error_code: error.code(), ..Default::default() },
            None => supported(broker, &call),
        };
        call.done(&response)
    }
}

fn refusal(request: &ApiVersionsRequest, broker: &Broker, call: &Call) -> Option<ErrorCode> {
    let named =
        is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version);
    if call.version >= SOFTWARE_SINCE && !named {
        return Some(ErrorCode::InvalidRequest);
    }
    let other_cluster = request.cluster_id.as_ref().is_some_and(|id| *id != broker.cluster_id);
    let other_node = request.node_id != -1 && request.node_id != broker.node_id;
    (call.version >= TARGET_SINCE && (other_cluster || other_node)).then_some(ErrorCode::RebootstrapRequired)
}

/// Letters and digits, with dots and hyphens inside.
fn is_software_name(name: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn supported(broker: &Broker, call: &Call) -> ApiVersionsResponse {
    let committed = broker.published();
    let feature = |(name, min_version, max_version): (&str, i16, i16)| SupportedFeatureKey {
        name: name.to_owned(),
        min_version,
        max_version,
    };
    let finalized = |(name, level): (&str, i16)| FinalizedFeatureKey {
        name: name.to_owned(),
        max_version_level: level,
        min_version_level: level,
    };
    // No record of the metadata says it; level 0 is not listed, as of any feature.
    let kraft_version =
        Some(("kraft.version", broker.quorum.kraft_version())).filter(|(_, level)| *level > 0);
    let shown = |feature: &(&str, i16, i16)| feature.1 > 0 || call.version >= LEVEL_ZERO_SINCE;
    ApiVersionsResponse {
        api_keys: rows_on(call.listener).filter(|row| row.advertised).map(advertised).collect(),
        supported_features: metadata::supported_features().filter(shown).map(feature).collect(),
        finalized_features: committed.image.features.iter().chain(kraft_version).map(finalized).collect(),
        finalized_features_epoch: committed.offset - 1,
        ..Default::default()
    }
}

fn advertised(row: &Row) -> ApiVersion {
    let versions = row.versions();
    // Older versions of librdkafka give up on a broker that does not claim Produce from 0 on.
    let min_version = if row.key == ApiKey::PRODUCE { 0 } else { versions.min };
    ApiVersion { api_key: row.key.0, min_version, max_version: versions.max }
}

/// The answer to a version that is not known, in version 0, so that every client can read it.
pub(super) fn unsupported(call: &Call) -> Done {
    let own = rows_on(call.listener).filter(|row| row.key == ApiKey::API_VERSIONS);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.map(advertised).collect(),
        ..Default::default()
    };
    call.answer_in(&response, 0, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_has_a_name_of_letters_digits_dots_and_hyphens() {
        for name in ["librdkafka", "v2.3.0-RC1", "1", "apache-kafka-java"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a.", "a b", "ü"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}

//! The features that this program knows, and their levels in a new cluster.

use protocol::messages::{FeatureLevelRecord, MetadataRecord};

use crate::{ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, MetadataVersion};

/// A feature: its name, the newest level, and the `metadata.version` from which that is the default.
struct Feature {
    name: &'static str,
    level_max: i16,
    default_since: &'static [(i16, i16)],
}

/// Features besides `metadata.version` in the order in which Kafka writes them: newest level, and from which
/// `metadata.version` on which level is the default.
const FEATURES: [Feature; 5] = [
    Feature { name: ELIGIBLE_LEADER_REPLICAS, level_max: 1, default_since: &[(26, 1)] },
    Feature { name: "group.version", level_max: 1, default_since: &[(22, 1)] },
    Feature { name: "share.version", level_max: 1, default_since: &[(29, 1)] },
    Feature { name: "streams.version", level_max: 1, default_since: &[(29, 1)] },
    Feature { name: "transaction.version", level_max: 2, default_since: &[(24, 2)] },
];

/// The version of the Raft protocol (KIP-853). It is no record of the metadata: voters keep it among themselves.
pub const KRAFT_VERSION: &str = "kraft.version";
/// 3.9-IV0, the first whose clusters may change their voters (KIP-853).
const DYNAMIC_VOTERS_SINCE: MetadataVersion = MetadataVersion(21);

/// The features and the levels that a cluster has which starts at this version: what `kafka-storage format` writes.
pub fn bootstrap_features(version: MetadataVersion) -> Vec<MetadataRecord> {
    let record = |name: &str, feature_level: i16| {
        MetadataRecord::from(FeatureLevelRecord { name: name.to_owned(), feature_level })
    };
    let first = record(METADATA_VERSION, version.0);
    let others = default_levels(version).filter(|(name, level)| *name != KRAFT_VERSION && *level > 0);
    std::iter::once(first).chain(others.map(|(name, level)| record(name, level))).collect()
}

/// The levels that a release comes with (what `kafka-storage version-mapping` lists), `metadata.version` left out, in no
/// order.
pub fn default_levels(version: MetadataVersion) -> impl Iterator<Item = (&'static str, i16)> {
    let kraft = (KRAFT_VERSION, i16::from(version >= DYNAMIC_VOTERS_SINCE));
    let level = move |feature: &Feature| {
        let reached = feature.default_since.iter().rfind(|(since, _)| version.0 >= *since);
        (feature.name, reached.map_or(0, |(_, level)| *level))
    };
    std::iter::once(kraft).chain(FEATURES.iter().map(level))
}

/// The `metadata.version` that a level of a feature needs; none where it needs nothing.
pub fn needed_metadata_version(feature: &str, level: i16) -> Option<MetadataVersion> {
    (feature == ELIGIBLE_LEADER_REPLICAS && level > 0).then_some(MetadataVersion::V4_0_IV1)
}

/// Every feature that this node supports: name, lowest and highest level.
pub fn supported_features() -> impl Iterator<Item = (&'static str, i16, i16)> {
    let own =
        [(KRAFT_VERSION, 0, 1), (METADATA_VERSION, MetadataVersion::MINIMUM.0, MetadataVersion::LATEST.0)];
    own.into_iter().chain(FEATURES.iter().map(|feature| (feature.name, 0, feature.level_max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(version: i16) -> Vec<i16> {
        let level = |record| match record {
            MetadataRecord::FeatureLevel(record) => record.feature_level,
            other => panic!("{other:?} is no level"),
        };
        bootstrap_features(MetadataVersion(version)).into_iter().map(level).collect()
    }

    #[test]
    fn a_release_comes_with_levels_of_all_features() {
        let of =
            |version| default_levels(MetadataVersion(version)).map(|(_, level)| level).collect::<Vec<_>>();
        assert_eq!(of(7), [0, 0, 0, 0, 0, 0]);
        assert_eq!(of(21), [1, 0, 0, 0, 0, 0]);
        assert_eq!(of(30), [1, 1, 1, 1, 1, 2]);
        assert_eq!(needed_metadata_version(ELIGIBLE_LEADER_REPLICAS, 1), MetadataVersion::parse("4.0-IV1"));
        assert_eq!(needed_metadata_version("group.version", 1), None);
    }

    #[test]
    fn a_new_cluster_has_the_levels_of_its_release() {
        // What `kafka-storage version-mapping` lists for 3.9, 4.0, 4.1, 4.2 and 4.3.
        assert_eq!(levels(21), [21]);
        assert_eq!(levels(25), [25, 1, 2]);
        assert_eq!(levels(27), [27, 1, 1, 2]);
        assert_eq!(levels(29), [29, 1, 1, 1, 1, 2]);
        assert_eq!(levels(30), [30, 1, 1, 1, 1, 2]);
    }
}

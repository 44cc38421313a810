//! Which levels of which features a new cluster starts with.

use metadata::{
    ELIGIBLE_LEADER_REPLICAS, KRAFT_VERSION, METADATA_VERSION, MetadataVersion, bootstrap_features,
    needed_metadata_version, supported_features,
};
use protocol::messages::{FeatureLevelRecord, MetadataRecord};
use thiserror::Error;

/// A level that was asked for cannot be had. In the words of Apache Kafka's tool.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeatureError {
    /// There is no such feature.
    #[error("Unsupported feature: {name}. Supported features are: {supported}")]
    Unsupported {
        /// What was asked for.
        name: String,
        /// All there are, in one text.
        supported: String,
    },
    /// The feature has no such level.
    #[error("No feature:{name} with feature level {level}")]
    NoSuchLevel {
        /// The feature.
        name: String,
        /// What was asked for.
        level: i16,
    },
    /// The level needs one of `metadata.version` that the cluster does not have.
    #[error("{name} could not be set to {level} because it depends on metadata.version level {needed}")]
    DependsOn {
        /// The feature.
        name: &'static str,
        /// What was asked for.
        level: i16,
        /// The lowest `metadata.version` that has it.
        needed: i16,
    },
    /// Voters that are in the settings go with `kraft.version` 0.
    #[error(
        "Cannot set kraft.version to 1 unless controller.quorum.voters is empty and one of the flags --standalone, \
         --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try using one of \
         --standalone, --initial-controllers, or --no-initial-controllers and removing controller.quorum.voters."
    )]
    StaticVoters,
    /// Voters that are in the log go with `kraft.version` 1.
    #[error(
        "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, \
         --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the \
         --feature flag for kraft.version."
    )]
    DynamicVoters,
}

/// The records of a new cluster's levels: `metadata.version` first, then the others by name. A feature at level 0 has none.
/// `overrides` come in the place of the defaults of this version; the last of several counts. `dynamic` voters are in the log.
pub(crate) fn initial_features(
    version: MetadataVersion,
    overrides: &[(String, i16)],
    dynamic: bool,
) -> Result<Vec<MetadataRecord>, FeatureError> {
    overrides.iter().try_for_each(|(name, level)| check(name, *level, dynamic))?;
    let asked = |wanted: &str| overrides.iter().rfind(|(name, _)| name == wanted).map(|(_, level)| *level);
    let version = asked(METADATA_VERSION).map_or(version, MetadataVersion);
    if let Some(level) = asked(ELIGIBLE_LEADER_REPLICAS)
        && let Some(needed) = needed_metadata_version(ELIGIBLE_LEADER_REPLICAS, level)
        && version < needed
    {
        return Err(FeatureError::DependsOn { name: ELIGIBLE_LEADER_REPLICAS, level, needed: needed.0 });
    }
    let defaults = bootstrap_features(version);
    let default = |wanted: &str| {
        let level = |record: &MetadataRecord| match record {
            MetadataRecord::FeatureLevel(record) if record.name == wanted => Some(record.feature_level),
            _ => None,
        };
        defaults.iter().find_map(level).unwrap_or(0)
    };
    let mut names: Vec<&str> = supported_features().map(|(name, ..)| name).collect();
    names.sort_unstable_by_key(|name| (*name != METADATA_VERSION, *name));
    let levels = names
        .into_iter()
        .filter(|name| *name != KRAFT_VERSION)
        .map(|name| (name, asked(name).unwrap_or_else(|| default(name))))
        .filter(|(_, level)| *level > 0);
    Ok(levels
        .map(|(name, feature_level)| FeatureLevelRecord { name: name.to_owned(), feature_level }.into())
        .collect())
}

fn check(name: &str, level: i16, dynamic: bool) -> Result<(), FeatureError> {
    let Some((_, lowest, highest)) = supported_features().find(|(known, ..)| *known == name) else {
        return Err(FeatureError::Unsupported { name: name.to_owned(), supported: supported_names() });
    };
    if !(lowest..=highest).contains(&level) {
        return Err(FeatureError::NoSuchLevel { name: name.to_owned(), level });
    }
    if name == KRAFT_VERSION && level != i16::from(dynamic) {
        return Err(if dynamic { FeatureError::DynamicVoters } else { FeatureError::StaticVoters });
    }
    Ok(())
}

fn supported_names() -> String {
    let mut names: Vec<_> = supported_features().map(|(name, ..)| name).collect();
    names.retain(|name| *name != METADATA_VERSION);
    names.sort_unstable();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(overrides: &[(&str, i16)], dynamic: bool) -> Result<Vec<(String, i16)>, FeatureError> {
        let overrides: Vec<_> = overrides.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let level = |record| match record {
            MetadataRecord::FeatureLevel(record) => (record.name, record.feature_level),
            other => panic!("{other:?} is no level"),
        };
        let records = initial_features(MetadataVersion::LATEST, &overrides, dynamic)?;
        Ok(records.into_iter().map(level).collect())
    }

    #[test]
    fn without_overrides_the_levels_are_those_of_the_version() {
        assert_eq!(
            initial_features(MetadataVersion::LATEST, &[], false),
            Ok(bootstrap_features(MetadataVersion::LATEST))
        );
    }

    #[test]
    fn an_override_takes_the_place_of_the_default_and_zero_leaves_the_feature_out() {
        let found =
            levels(&[("transaction.version", 1), ("group.version", 0), ("kraft.version", 1)], true).unwrap();
        let expected = [
            ("metadata.version", 30),
            ("eligible.leader.replicas.version", 1),
            ("share.version", 1),
            ("streams.version", 1),
            ("transaction.version", 1),
        ];
        assert_eq!(found, expected.map(|(name, level)| (name.to_owned(), level)));
        assert_eq!(levels(&[("metadata.version", 21)], false).unwrap().len(), 1);
    }

    #[test]
    fn what_kafkas_tool_refuses_is_refused_in_its_words() {
        let message = |name, level, dynamic| levels(&[(name, level)], dynamic).unwrap_err().to_string();
        assert_eq!(
            message("foo", 1, false),
            "Unsupported feature: foo. Supported features are: eligible.leader.replicas.version, group.version, \
             kraft.version, share.version, streams.version, transaction.version"
        );
        assert_eq!(
            message("transaction.version", 9, false),
            "No feature:transaction.version with feature level 9"
        );
        let early = vec![("metadata.version".to_owned(), 22), (ELIGIBLE_LEADER_REPLICAS.to_owned(), 1)];
        assert_eq!(
            initial_features(MetadataVersion::LATEST, &early, false).unwrap_err().to_string(),
            "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23"
        );
        assert!(message("kraft.version", 1, false).starts_with("Cannot set kraft.version to 1"));
        assert!(message("kraft.version", 0, true).starts_with("Cannot set kraft.version to 0"));
    }
}

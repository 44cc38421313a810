//! Features of the cluster and their levels (KIP-584).

use protocol::messages::{FeatureLevelRecord, MetadataRecord};
use rpds::RedBlackTreeMapSync;

/// The feature that says which metadata records may be written.
pub const METADATA_VERSION: &str = "metadata.version";
/// The feature that says whether partitions keep eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS: &str = "eligible.leader.replicas.version";

/// A level of `metadata.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(pub i16);

impl MetadataVersion {
    /// 3.3-IV3, the first that a cluster of this kind may have.
    pub const MINIMUM: MetadataVersion = MetadataVersion(7);
    /// 4.3-IV0, that of Apache Kafka 4.3.
    pub const V4_3_IV0: MetadataVersion = MetadataVersion(30);
    /// The newest that may be written.
    pub const LATEST: MetadataVersion = MetadataVersion::V4_3_IV0;

    const V3_4_IV0: MetadataVersion = MetadataVersion(8);
    const V3_7_IV2: MetadataVersion = MetadataVersion(17);
    pub(crate) const V4_0_IV1: MetadataVersion = MetadataVersion(23);

    /// The name of the level, from 3.3-IV3 on.
    pub fn name(self) -> Option<&'static str> {
        let place = self.0.checked_sub(MetadataVersion::MINIMUM.0)?;
        usize::try_from(place).ok().and_then(|place| NAMES.get(place)).copied()
    }

    /// The level of this name; `4.3` is the last of its release.
    pub fn parse(name: &str) -> Option<MetadataVersion> {
        let of_release = |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with("-IV"));
        let place = NAMES.iter().rposition(|known| *known == name || of_release(known))?;
        Some(MetadataVersion(MetadataVersion::MINIMUM.0 + i16::try_from(place).ok()?))
    }

    /// Whether partitions name the log directories of their replicas (KIP-858).
    pub fn has_directories(self) -> bool {
        self >= MetadataVersion::V3_7_IV2
    }

    /// Whether partitions may have eligible leader replicas (KIP-966).
    pub fn has_elr(self) -> bool {
        self >= MetadataVersion::V4_0_IV1
    }

    /// Whether brokers name the log directories that take no new partitions (KIP-1066).
    pub fn has_cordoned_directories(self) -> bool {
        self >= MetadataVersion::V4_3_IV0
    }

    /// Whether a level above `older`, up to this one, brought metadata that an older level cannot say.
    pub fn changed_metadata_since(self, older: MetadataVersion) -> bool {
        METADATA_CHANGES.iter().any(|level| (older.0 + 1..=self.0).contains(level))
    }

    /// In which version to write a record, so that every node at this level can read it.
    pub fn record_version(self, record: &MetadataRecord) -> i16 {
        match record {
            MetadataRecord::RegisterBroker(_) => self.register_broker_version(),
            MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => {
                i16::from(self.has_directories()) + i16::from(self.has_elr())
            }
            MetadataRecord::BrokerRegistrationChange(change) => {
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if change.log_dirs.is_empty() {
                    i16::from(change.in_controlled_shutdown != 0)
                } else {
                    2
                }
            }
            _ => 0,
        }
    }

    fn register_broker_version(self) -> i16 {
        let since = [
            MetadataVersion::MINIMUM,
            MetadataVersion::V3_4_IV0,
            MetadataVersion::V3_7_IV2,
            MetadataVersion::V4_3_IV0,
        ];
        since.iter().filter(|since| self >= **since).count() as i16
    }
}

/// Levels that changed what metadata says, by Kafka's table.
const METADATA_CHANGES: [i16; 9] = [7, 8, 11, 13, 14, 15, 17, 23, 30];

const NAMES: [&str; 24] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
];

/// The levels that the cluster has agreed on. A feature at level 0 is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    levels: RedBlackTreeMapSync<String, i16>,
}

impl Features {
    /// The level of a feature; 0 if it is off.
    pub fn level(&self, name: &str) -> i16 {
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// The level of `metadata.version`; [`MetadataVersion::MINIMUM`] until a record says so.
    pub fn metadata_version(&self) -> MetadataVersion {
        self.levels.get(METADATA_VERSION).map_or(MetadataVersion::MINIMUM, |level| MetadataVersion(*level))
    }

    /// Whether the controller keeps eligible leader replicas.
    pub fn elr_enabled(&self) -> bool {
        self.level(ELIGIBLE_LEADER_REPLICAS) >= 1
    }

    /// Every feature that is on with its level, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i16)> {
        self.levels.iter().map(|(name, level)| (name.as_str(), *level))
    }

    pub(crate) fn apply(&mut self, record: &FeatureLevelRecord) {
        if record.feature_level == 0 && record.name != METADATA_VERSION {
            self.levels.remove_mut(&record.name);
        } else {
            self.levels.insert_mut(record.name.clone(), record.feature_level);
        }
    }

    /// `metadata.version` comes first, for it says how to read what follows.
    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        let record = |name: &String, level: &i16| {
            MetadataRecord::from(FeatureLevelRecord { name: name.clone(), feature_level: *level })
        };
        records.extend(self.levels.get_key_value(METADATA_VERSION).map(|(name, level)| record(name, level)));
        let others = self.levels.iter().filter(|(name, _)| *name != METADATA_VERSION);
        records.extend(others.map(|(name, level)| record(name, level)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_kafkas_names() {
        assert_eq!(MetadataVersion::LATEST.name(), Some("4.3-IV0"));
        assert_eq!(MetadataVersion(17).name(), Some("3.7-IV2"));
        assert_eq!(MetadataVersion::parse("4.0-IV1"), Some(MetadataVersion(23)));
        assert_eq!(MetadataVersion::parse("3.7"), Some(MetadataVersion(19)));
        assert_eq!(MetadataVersion::parse("4.3"), Some(MetadataVersion::LATEST));
        for name in ["", "3", "4.", "3.2", "4.4", "4.3-IV"] {
            assert_eq!(MetadataVersion::parse(name), None, "{name}");
        }
        for level in [i16::MIN, 0, 6, 31, i16::MAX] {
            assert_eq!(MetadataVersion(level).name(), None);
        }
    }
}

//! The API keys of the protocol, and what is known of each.

use std::fmt;

include!(concat!(env!("OUT_DIR"), "/api_keys.rs"));

/// The number of an API.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKey(pub i16);

/// Versions from `min` to `max`, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The first version.
    pub min: i16,
    /// The last version.
    pub max: i16,
}

impl VersionRange {
    /// Whether the version is one of these.
    pub fn contains(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// The versions, from the first to the last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i16> + use<> {
        self.min..=self.max
    }
}

/// The kinds of listeners on which an API is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A broker's.
    Broker,
    /// A controller's.
    Controller,
}

struct Facts {
    key: i16,
    name: &'static str,
    versions: VersionRange,
    flexible_from: Option<i16>,
    unstable: bool,
    broker: bool,
    controller: bool,
    cluster_action: bool,
    forwardable: bool,
}

impl ApiKey {
    /// Every key of Kafka 4.4, in ascending order, those that are no longer in use included.
    pub fn all() -> impl DoubleEndedIterator<Item = ApiKey> {
        FACTS.iter().map(|facts| ApiKey(facts.key))
    }

    /// Kafka's name, as `OffsetForLeaderEpoch`; `Unknown` for a key that is not of Kafka 4.4.
    pub fn name(self) -> &'static str {
        self.facts().map_or("Unknown", |facts| facts.name)
    }

    /// The versions of Kafka 4.4; none for an unknown key and for one that is no longer in use.
    ///
    /// A broker advertises Produce from 0 all the same, as older librdkafka gives up otherwise.
    pub fn versions(self) -> Option<VersionRange> {
        self.facts().map(|facts| facts.versions).filter(|versions| versions.max >= 0)
    }

    /// The first version with compact lengths and tagged fields, if there is one.
    pub fn flexible_from(self) -> Option<i16> {
        self.facts().and_then(|facts| facts.flexible_from)
    }

    /// Whether this version has compact lengths and tagged fields.
    pub fn is_flexible(self, version: i16) -> bool {
        self.flexible_from().is_some_and(|from| version >= from)
    }

    /// Whether the newest version is still subject to change, and not advertised by default.
    pub fn is_latest_version_unstable(self) -> bool {
        self.facts().is_some_and(|facts| facts.unstable)
    }

    /// Whether the API is served on listeners of this kind.
    pub fn is_served_on(self, listener: Listener) -> bool {
        self.facts().is_some_and(|facts| match listener {
            Listener::Broker => facts.broker,
            Listener::Controller => facts.controller,
        })
    }

    /// Whether only brokers and controllers may send it, authorized by `ClusterAction`.
    pub fn is_cluster_action(self) -> bool {
        self.facts().is_some_and(|facts| facts.cluster_action)
    }

    /// Whether a broker passes it on to the controller (KIP-590).
    pub fn is_forwardable(self) -> bool {
        self.facts().is_some_and(|facts| facts.forwardable)
    }

    // The keys have no gaps, so that a key is its place in the table.
    fn facts(self) -> Option<&'static Facts> {
        usize::try_from(self.0).ok().and_then(|place| FACTS.get(place))
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.facts() {
            Some(facts) => f.pad(facts.name),
            None => write!(f, "Unknown({})", self.0),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_its_place_in_the_table() {
        assert_eq!(ApiKey::all().count(), 95);
        for (place, key) in ApiKey::all().enumerate() {
            assert_eq!(usize::try_from(key.0), Ok(place));
        }
    }

    #[test]
    fn a_retired_or_unknown_key_has_no_versions() {
        for key in
            [ApiKey::LEADER_AND_ISR, ApiKey::CONTROLLED_SHUTDOWN, ApiKey(95), ApiKey(-1), ApiKey(i16::MAX)]
        {
            assert_eq!(key.versions(), None, "{key}");
        }
    }

    #[test]
    fn the_totals_are_those_of_kafka_4_4() {
        let on = |listener| ApiKey::all().filter(|key| key.is_served_on(listener)).count();
        assert_eq!((on(Listener::Broker), on(Listener::Controller)), (79, 42));
        let pairs =
            ApiKey::all().filter_map(ApiKey::versions).map(|range| range.iter().count()).sum::<usize>();
        assert_eq!(pairs, 309);
    }
}

//! The subscriptions that the metadata holds.

use std::collections::BTreeMap;

use config::{ClientAttribute, ClientMetricsConfig, Overrides, PUSH_INTERVAL_DEFAULT_MS};
use metadata::ResourceType;
use quorum::CommittedImage;

use crate::broker::overrides_in;

/// All subscriptions, and a number that grows when one changes.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// The metadata that was looked at last.
    seen_offset: i64,
    settings: BTreeMap<String, Overrides>,
    parsed: Vec<ClientMetricsConfig>,
    version: u64,
}

/// What the subscriptions that mean a client add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Sorted, each once; `*` stands alone.
    pub(super) metrics: Vec<String>,
    pub(super) push_interval_ms: i32,
}

impl Subscriptions {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Takes in what changed in the metadata, if anything did.
    pub(super) fn follow(&mut self, committed: &CommittedImage) {
        if committed.offset == self.seen_offset {
            return;
        }
        self.seen_offset = committed.offset;
        let resources = committed.image.configs.of_type(ResourceType::CLIENT_METRICS);
        let settings: BTreeMap<String, Overrides> =
            resources.map(|resource| (resource.name.clone(), overrides_in(committed, resource))).collect();
        if settings != self.settings {
            // What cannot be read was written by another version and means nobody.
            let parsed =
                settings.values().filter_map(|overrides| ClientMetricsConfig::resolve(overrides).ok());
            self.parsed = parsed.collect();
            self.settings = settings;
            self.version += 1;
        }
    }

    /// What is asked of a client.
    pub(super) fn of<'a>(&self, attribute: impl Fn(ClientAttribute) -> &'a str) -> Wanted {
        let meant: Vec<&ClientMetricsConfig> =
            self.parsed.iter().filter(|subscription| subscription.matches(&attribute)).collect();
        let mut metrics: Vec<String> =
            meant.iter().flat_map(|subscription| subscription.metrics.iter().cloned()).collect();
        metrics.sort_unstable();
        metrics.dedup();
        if metrics.iter().any(|prefix| prefix == "*") {
            metrics = vec!["*".to_owned()];
        }
        let intervals = meant.iter().map(|subscription| subscription.push_interval_ms);
        Wanted { metrics, push_interval_ms: intervals.fold(PUSH_INTERVAL_DEFAULT_MS, i32::min) }
    }
}

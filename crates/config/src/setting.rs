//! The table: a row per setting, generated from `schemas/settings.tsv`.

use std::borrow::Cow;

/// What a setting belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A node, by its properties file or by a dynamic setting.
    Broker,
    /// A topic.
    Topic,
    /// A consumer, share or streams group.
    Group,
    /// A subscription to clients' metrics.
    ClientMetrics,
    /// A quota of a user or a client id.
    Quota,
}

/// The type of a value, as Kafka names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// A floating-point number of 64 bits.
    Double,
    /// Words between commas.
    List,
    /// The name of a Java class, kept as text.
    Class,
    /// Text that is never shown.
    Password,
}

impl Kind {
    /// The number in a DescribeConfigs response of version 3 and later.
    pub fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }
}

/// The value of a setting that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// It must be set.
    Required,
    /// There is none; often another setting decides then.
    Null,
    /// This text.
    Value(&'static str),
}

impl Preset {
    /// The text, if there is one.
    pub fn value(self) -> Option<&'static str> {
        match self {
            Preset::Value(value) => Some(value),
            Preset::Required | Preset::Null => None,
        }
    }
}

/// Which values are valid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// All of the type.
    Any,
    /// Any but the empty one.
    NonEmpty,
    /// Numbers from `min` to `max`, both inclusive.
    Range {
        /// The smallest, as text.
        min: Option<&'static str>,
        /// The largest, as text.
        max: Option<&'static str>,
    },
    /// 1 to 9, or -1 for the codec's own choice.
    GzipLevel,
    /// One of these words; of a list, every element.
    OneOf(&'static [&'static str]),
    /// The same in any case.
    OneOfIgnoringCase(&'static [&'static str]),
    /// `*`, or pairs of a partition and a broker.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` with an ISO 8601 duration.
    OffsetReset,
}

/// How much it matters, as Kafka's documentation ranks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Set it deliberately.
    High,
    /// Useful to know.
    Medium,
    /// Rarely touched.
    Low,
}

/// How a setting may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// In the properties file only.
    ReadOnly,
    /// While running, for one broker or as the cluster's default.
    PerBroker,
    /// While running, as the cluster's default only in effect.
    ClusterWide,
    /// While running, for each topic, group or whatever it belongs to.
    PerTopic,
}

/// A row of the table.
#[derive(Debug, PartialEq)]
pub struct Setting {
    /// What it belongs to.
    pub scope: Scope,
    /// Kafka's key.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// The value when it is not set.
    pub default: Preset,
    /// Which values are valid.
    pub bounds: Bounds,
    /// Kafka's rank.
    pub importance: Importance,
    /// How it may change.
    pub update: Update,
    /// The broker settings that a topic setting falls back to, in order.
    pub synonyms: &'static [&'static str],
    /// Whether Kafka keeps it out of its documentation and of DescribeConfigs.
    pub internal: bool,
    /// Whether Yeoul acts on it.
    pub acts: bool,
    doc: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/settings.rs"));

impl Setting {
    /// What the setting is for, in a sentence or two, and whether it changes anything.
    pub fn doc(&self) -> Cow<'static, str> {
        if self.acts {
            Cow::Borrowed(self.doc)
        } else {
            Cow::Owned(format!("{} Yeoul does not act on it.", self.doc))
        }
    }

    /// What the setting is for.
    pub(crate) fn words(&self) -> &'static str {
        self.doc
    }

    /// Whether the value is kept out of answers and logs.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }
}

/// The settings of a scope, sorted by name.
pub fn settings(scope: Scope) -> &'static [Setting] {
    match scope {
        Scope::Broker => BROKER,
        Scope::Topic => TOPIC,
        Scope::Group => GROUP,
        Scope::ClientMetrics => CLIENT_METRICS,
        Scope::Quota => QUOTA_USER_CLIENT,
    }
}

/// The row of a key, if there is one.
pub fn setting(scope: Scope, name: &str) -> Option<&'static Setting> {
    let rows = settings(scope);
    rows.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| &rows[at])
}

/// The known key that is nearest to what was written, if one is near enough to have been meant.
pub fn nearest(scope: Scope, name: &str) -> Option<&'static str> {
    let distances = settings(scope).iter().map(|row| (distance(row.name, name), row.name));
    distances.min().filter(|(distance, _)| *distance <= 1 + name.len() / 6).map(|(_, name)| name)
}

/// Levenshtein's distance in bytes. Keys are short; what is longer than any of them is cut.
fn distance(known: &str, written: &str) -> usize {
    let written = &written.as_bytes()[..written.len().min(100)];
    let mut row: Vec<usize> = (0..=written.len()).collect();
    for (i, a) in known.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in written.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[written.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPES: [Scope; 5] =
        [Scope::Broker, Scope::Topic, Scope::Group, Scope::ClientMetrics, Scope::Quota];

    #[test]
    fn every_row_is_found_by_its_name() {
        for scope in SCOPES {
            for row in settings(scope) {
                assert_eq!(setting(scope, row.name), Some(row));
            }
        }
        assert_eq!(settings(Scope::Broker).len(), 370);
        assert_eq!(settings(Scope::Topic).len(), 35);
    }

    #[test]
    fn every_default_is_valid() {
        for row in SCOPES.into_iter().flat_map(settings) {
            if let Some(value) = row.default.value() {
                assert!(crate::value::parse(row, value).is_ok(), "{} = {value}", row.name);
            }
        }
    }

    #[test]
    fn every_row_has_words_of_its_own() {
        for row in SCOPES.into_iter().flat_map(settings) {
            assert!(row.doc.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_key_that_was_meant() {
        assert_eq!(nearest(Scope::Broker, "num.partition"), Some("num.partitions"));
        assert_eq!(nearest(Scope::Broker, "advertised.listener"), Some("advertised.listeners"));
        assert_eq!(nearest(Scope::Topic, "retention.mss"), Some("retention.ms"));
        assert_eq!(nearest(Scope::Broker, "my.own.plugin.setting"), None);
    }
}

//! Subscriptions to clients' metrics (KIP-714).

use regex_automata::meta::Regex;

use crate::layers::Overrides;
use crate::setting::{Scope, setting, settings};
use crate::value::{Value, parse};

/// Milliseconds between two pushes where nobody says otherwise.
pub const PUSH_INTERVAL_DEFAULT_MS: i32 = 5 * 60 * 1000;
/// Memory that a pattern may take: a few classes of characters, and no tower of repetitions.
const PATTERN_BYTES_MAX: usize = 128 * 1024;
const PUSH_INTERVAL_MIN_MS: i64 = 100;
const PUSH_INTERVAL_MAX_MS: i64 = 60 * 60 * 1000;

/// What is known of a client, by which a subscription may choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientAttribute {
    /// `client_instance_id`: the id that it was given.
    InstanceId,
    /// `client_id`.
    ClientId,
    /// `client_software_name`.
    SoftwareName,
    /// `client_software_version`.
    SoftwareVersion,
    /// `client_source_address`.
    SourceAddress,
    /// `client_source_port`.
    SourcePort,
}

impl ClientAttribute {
    fn from_name(name: &str) -> Option<ClientAttribute> {
        match name {
            "client_instance_id" => Some(ClientAttribute::InstanceId),
            "client_id" => Some(ClientAttribute::ClientId),
            "client_software_name" => Some(ClientAttribute::SoftwareName),
            "client_software_version" => Some(ClientAttribute::SoftwareVersion),
            "client_source_address" => Some(ClientAttribute::SourceAddress),
            "client_source_port" => Some(ClientAttribute::SourcePort),
            _ => None,
        }
    }
}

/// Why settings are refused: some of it is an invalid request by Kafka's codes, the rest an invalid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// INVALID_CONFIG, with Kafka's sentence.
    Config(String),
    /// INVALID_REQUEST, with Kafka's sentence.
    Request(String),
}

/// Which clients are asked for which metrics, and how often.
#[derive(Clone, Debug)]
pub struct ClientMetricsConfig {
    /// `metrics`: prefixes of the names; `*` for all.
    pub metrics: Vec<String>,
    /// `interval.ms`.
    pub push_interval_ms: i32,
    patterns: Vec<(ClientAttribute, Regex)>,
}

impl ClientMetricsConfig {
    /// The subscription that these settings make.
    pub fn resolve(overrides: &Overrides) -> Result<ClientMetricsConfig, Fault> {
        if let Some(name) = overrides.keys().find(|name| setting(Scope::ClientMetrics, name).is_none()) {
            return Err(Fault::Request(format!("Unknown client metrics configuration: {name}")));
        }
        for row in settings(Scope::ClientMetrics) {
            let text = overrides.get(row.name);
            text.map_or(Ok(()), |text| parse(row, text).map(drop)).map_err(Fault::Config)?;
        }
        Ok(ClientMetricsConfig {
            metrics: words(overrides, "metrics"),
            push_interval_ms: push_interval_ms(overrides)?,
            patterns: words(overrides, "match").iter().map(|word| pattern(word)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether a client is meant: each of its attributes that has a pattern matches as a whole.
    pub fn matches<'a>(&self, attribute: impl Fn(ClientAttribute) -> &'a str) -> bool {
        self.patterns.iter().all(|(of, pattern)| pattern.is_match(attribute(*of)))
    }
}

/// Checks the settings of a subscription.
pub fn validate_client_metrics(overrides: &Overrides) -> Result<(), Fault> {
    ClientMetricsConfig::resolve(overrides).map(drop)
}

fn value(overrides: &Overrides, name: &str) -> Option<Value> {
    parse(setting(Scope::ClientMetrics, name)?, overrides.get(name)?).ok()
}

fn words(overrides: &Overrides, name: &str) -> Vec<String> {
    match value(overrides, name) {
        Some(Value::List(words)) => words,
        _ => Vec::new(),
    }
}

fn push_interval_ms(overrides: &Overrides) -> Result<i32, Fault> {
    let Some(Value::Number(number)) = value(overrides, "interval.ms") else {
        return Ok(PUSH_INTERVAL_DEFAULT_MS);
    };
    let inside = (PUSH_INTERVAL_MIN_MS..=PUSH_INTERVAL_MAX_MS).contains(&number);
    i32::try_from(number).ok().filter(|_| inside).ok_or_else(|| {
        let message = format!(
            "Invalid value {number} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        );
        Fault::Request(message)
    })
}

/// `attribute=pattern`. A pattern is one of Rust's regular expressions, which have no look-around and no back-references, so that
/// none takes longer than its text.
fn pattern(word: &str) -> Result<(ClientAttribute, Regex), Fault> {
    let illegal = || Fault::Config(format!("Illegal client matching pattern: {word}"));
    let (name, pattern) = word.split_once('=').ok_or_else(illegal)?;
    let attribute = ClientAttribute::from_name(name.trim()).ok_or_else(illegal)?;
    let pattern = pattern.trim();
    if pattern.is_empty() || pattern.contains('=') {
        return Err(illegal());
    }
    let whole = format!(r"\A(?:{pattern})\z");
    let bounded = Regex::config().nfa_size_limit(Some(PATTERN_BYTES_MAX));
    let pattern = Regex::builder().configure(bounded).build(&whole).map_err(|_| illegal())?;
    Ok((attribute, pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(pairs: &[(&str, &str)]) -> Result<ClientMetricsConfig, Fault> {
        let overrides = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ClientMetricsConfig::resolve(&overrides)
    }

    #[test]
    fn a_client_is_meant_if_all_patterns_match_the_whole_of_its_attributes() {
        let config =
            resolve(&[("match", "client_id=a.*,client_software_name=lib.+")]).expect("both are patterns");
        let client = |id: &'static str, software: &'static str| {
            config.matches(|attribute| match attribute {
                ClientAttribute::ClientId => id,
                ClientAttribute::SoftwareName => software,
                _ => "",
            })
        };
        assert!(client("abc", "librdkafka"));
        assert!(!client("abc", "my-librdkafka"));
        assert!(!client("b", "librdkafka"));
        assert!(resolve(&[]).expect("nothing is wrong").matches(|_| ""));
    }

    #[test]
    fn a_pattern_that_would_take_much_memory_is_refused() {
        assert!(resolve(&[("match", r"client_id=[\w.-]+")]).is_ok());
        assert!(resolve(&[("match", r"client_id=(?:(?:\w{50}){50}){50}")]).is_err());
    }

    #[test]
    fn what_apache_kafka_refuses_is_refused_in_its_words() {
        let config = |message: &str| Some(Fault::Config(message.to_owned()));
        let request = |message: &str| Some(Fault::Request(message.to_owned()));
        let recorded = [
            (
                "interval.ms",
                "99",
                request(
                    "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
                ),
            ),
            (
                "interval.ms",
                "x",
                config("Invalid value x for configuration interval.ms: Not a number of type INT"),
            ),
            ("match", "foo=bar", config("Illegal client matching pattern: foo=bar")),
            ("match", "client_id=[", config("Illegal client matching pattern: client_id=[")),
            ("match", "client_id", config("Illegal client matching pattern: client_id")),
            ("match", "client_id=a=b", config("Illegal client matching pattern: client_id=a=b")),
            ("foo", "bar", request("Unknown client metrics configuration: foo")),
            ("metrics", "*", None),
            ("interval.ms", "100", None),
        ];
        for (name, value, fault) in recorded {
            assert_eq!(resolve(&[(name, value)]).err(), fault, "{name}={value}");
        }
    }
}

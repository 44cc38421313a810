//! A group's own settings (KIP-848, KIP-932, KIP-1071).

use crate::BrokerConfig;
use crate::layers::{Layers, Overrides};
use crate::setting::{Scope, Setting, setting, settings};
use crate::value::{Value, parse};

/// Checks the settings of a group one by one and against the bounds that the broker sets; in the words of Kafka's INVALID_CONFIG.
pub fn validate_group_configs(broker: &BrokerConfig, overrides: &Overrides) -> Result<(), String> {
    if let Some(name) = overrides.keys().find(|name| setting(Scope::Group, name).is_none()) {
        return Err(format!("Unknown group config name: {name}"));
    }
    let group = Group { layers: broker.values(), overrides };
    let rows = || settings(Scope::Group).iter();
    rows()
        .filter_map(|row| Some((row, overrides.get(row.name)?)))
        .try_for_each(|(row, text)| parse(row, text).map(drop))?;
    rows().try_for_each(|row| group.check_bounds(row))?;
    ["consumer", "share", "streams"].into_iter().try_for_each(|kind| group.check_session(kind))
}

/// Checks what the broker says for groups without settings of their own against its bounds.
pub(crate) fn check_defaults(layers: &Layers) -> Result<(), String> {
    let none = Overrides::new();
    let group = Group { layers, overrides: &none };
    let checked = settings(Scope::Group).iter().try_for_each(|row| group.check_bounds(row));
    checked.map_err(|message| format!("group.{message}"))
}

struct Group<'a> {
    layers: &'a Layers,
    overrides: &'a Overrides,
}

impl Group<'_> {
    /// The number that counts for the group, if the setting is a number.
    fn number(&self, row: &Setting) -> Option<i64> {
        let own = self.overrides.get(row.name).and_then(|text| parse(row, text).ok());
        match own {
            Some(Value::Number(number)) => Some(number),
            Some(_) => None,
            None => self.layers.opt_number(&format!("group.{}", row.name)),
        }
    }

    fn check_bounds(&self, row: &Setting) -> Result<(), String> {
        let Some(number) = self.number(row) else { return Ok(()) };
        let name = row.name;
        if let Some((bound, _)) = self.bound(name, "min").filter(|(_, least)| number < *least) {
            return Err(format!("{name} must be greater than or equal to {bound}"));
        }
        match self.bound(name, "max").filter(|(_, most)| number > *most) {
            Some((bound, _)) => Err(format!("{name} must be less than or equal to {bound}")),
            None => Ok(()),
        }
    }

    /// The broker's setting that bounds the group's, and its value.
    fn bound(&self, name: &str, side: &str) -> Option<(String, i64)> {
        let (kind, rest) = name.split_once('.')?;
        let bound = format!("group.{kind}.{side}.{}", rest.trim_start_matches("num."));
        let value = self.layers.opt_number(&bound)?;
        Some((bound, value))
    }

    fn check_session(&self, kind: &str) -> Result<(), String> {
        let named = |rest: &str| setting(Scope::Group, &format!("{kind}.{rest}"));
        let (Some(session), Some(heartbeat)) = (named("session.timeout.ms"), named("heartbeat.interval.ms"))
        else {
            return Ok(());
        };
        match (self.number(session), self.number(heartbeat)) {
            (Some(timeout), Some(interval)) if timeout <= interval => {
                Err(format!("{} must be greater than {}", session.name, heartbeat.name))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(extra: &[(&str, &str)], pairs: &[(&str, &str)]) -> String {
        let mut properties = BrokerConfig::standalone(std::path::Path::new("/data"));
        extra.iter().for_each(|(key, value)| properties.set(*key, *value));
        let (broker, _) = BrokerConfig::new(&properties).expect("the settings are valid");
        let overrides = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        validate_group_configs(&broker, &overrides).err().unwrap_or_default()
    }

    #[test]
    fn what_apache_kafka_refuses_is_refused_in_its_words() {
        let below = |name: &str, bound: &str| format!("{name} must be greater than or equal to {bound}");
        let above = |name: &str, bound: &str| format!("{name} must be less than or equal to {bound}");
        let duration = "Invalid value by_duration:-PT1H for configuration share.auto.offset.reset: Invalid value \
                        `by_duration:-PT1H` for configuration share.auto.offset.reset. The value must be either 'earliest', \
                        'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.";
        let recorded = [
            (
                "consumer.session.timeout.ms",
                "5",
                below("consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms"),
            ),
            (
                "consumer.session.timeout.ms",
                "500000",
                above("consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
            ),
            (
                "consumer.heartbeat.interval.ms",
                "99000",
                above("consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
            ),
            (
                "share.partition.max.record.locks",
                "100000",
                above("share.partition.max.record.locks", "group.share.max.partition.max.record.locks"),
            ),
            (
                "share.record.lock.duration.ms",
                "1000",
                below("share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"),
            ),
            (
                "share.delivery.count.limit",
                "11",
                above("share.delivery.count.limit", "group.share.max.delivery.count.limit"),
            ),
            (
                "streams.num.standby.replicas",
                "3",
                above("streams.num.standby.replicas", "group.streams.max.standby.replicas"),
            ),
            (
                "streams.assignment.interval.ms",
                "999999",
                above("streams.assignment.interval.ms", "group.streams.max.assignment.interval.ms"),
            ),
            ("foo", "1", "Unknown group config name: foo".to_owned()),
            ("share.auto.offset.reset", "by_duration:-PT1H", duration.to_owned()),
            ("consumer.session.timeout.ms", "50000", String::new()),
            ("streams.initial.rebalance.delay.ms", "999999", String::new()),
            ("share.auto.offset.reset", "by_duration:PT1H", String::new()),
        ];
        for (name, value, message) in recorded {
            assert_eq!(told(&[], &[(name, value)]), message, "{name}={value}");
        }
    }

    #[test]
    fn a_broker_keeps_its_own_defaults_within_its_bounds() {
        let check = |name: &str, value: &str| {
            let mut properties = BrokerConfig::standalone(std::path::Path::new("/data"));
            properties.set(name, value);
            BrokerConfig::new(&properties).map(drop).map_err(|errors| errors[0].message.clone())
        };
        assert_eq!(
            check("group.share.session.timeout.ms", "5"),
            Err("group.share.session.timeout.ms must be greater than or equal to group.share.min.session.timeout.ms".into())
        );
        assert_eq!(check("group.share.session.timeout.ms", "50000"), Ok(()));
    }

    #[test]
    fn a_session_outlasts_a_heartbeat() {
        let file = [("group.consumer.min.session.timeout.ms", "1000")];
        let pairs = [("consumer.heartbeat.interval.ms", "15000"), ("consumer.session.timeout.ms", "15000")];
        assert_eq!(
            told(&file, &pairs),
            "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"
        );
    }
}

//! How a consumer, and a member of a group, behaves by Kafka's client settings.

use std::time::Duration;

use client::{Assignor, ConsumerOptions, GroupOptions, GroupProtocol, Start};
use host::OsRandom;

use super::cluster::{Settings, invalid};
use super::consumer_groups::time::parse_duration;
use super::storage::random_uuid;
use crate::failure::Failure;

const STRATEGY: &str = "partition.assignment.strategy";
const REMOTE_ASSIGNOR: &str = "group.remote.assignor";
/// What only members of classic groups say themselves; by the consumer protocol it is the coordinator's business.
const CLASSIC_ONLY: [&str; 3] = [STRATEGY, "heartbeat.interval.ms", "session.timeout.ms"];

/// How a consumer reads by these settings.
pub fn consumer_options(settings: &Settings, reset: Start) -> Result<ConsumerOptions, Failure> {
    let usual = ConsumerOptions::default();
    group_protocol(settings)?;
    let levels = ["read_committed", "read_uncommitted"];
    let level = settings.one_of("isolation.level", &levels)?;
    Ok(ConsumerOptions {
        read_committed: level.is_some_and(|level| level.eq_ignore_ascii_case("read_committed")),
        wait_max: settings.millis("fetch.max.wait.ms", usual.wait_max)?,
        fetch_bytes_max: settings.number("fetch.max.bytes", usual.fetch_bytes_max)?,
        partition_bytes_max: settings.number("max.partition.fetch.bytes", usual.partition_bytes_max)?,
        // To be given none at a time would be to wait for ever.
        poll_records_max: settings.number("max.poll.records", usual.poll_records_max)?.max(1),
        reset,
    })
}

/// What `auto.offset.reset` says; none if it is not set.
pub fn reset_policy(settings: &Settings) -> Result<Option<Start>, Failure> {
    let key = "auto.offset.reset";
    let Some(text) = settings.text(key) else { return Ok(None) };
    let since = |text: &str| u64::try_from(parse_duration(text).ok()?).ok().map(Duration::from_millis);
    let start = match text {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        "none" => Some(Start::Nowhere),
        _ => text.strip_prefix("by_duration:").and_then(since).map(Start::Since),
    };
    let refused = || {
        let words = "The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.";
        invalid(key, text, &format!("Invalid value `{text}` for configuration {key}. {words}"))
    };
    start.map(Some).ok_or_else(refused)
}

/// The assignors by their names, or by those of Kafka's classes.
fn assignors(settings: &Settings, usual: Vec<Assignor>) -> Result<Vec<Assignor>, Failure> {
    let Some(list) = settings.text(STRATEGY) else { return Ok(usual) };
    let known = |name: &str| {
        Assignor::named(name).ok_or_else(|| invalid(STRATEGY, name, "there is no such assignor here"))
    };
    list.split(',').map(|name| known(name.trim())).collect()
}

/// How members and coordinator come to terms, in settings that go together.
fn group_protocol(settings: &Settings) -> Result<GroupProtocol, Failure> {
    let key = "group.protocol";
    let name = settings.text(key).unwrap_or("classic").to_ascii_uppercase();
    let foreign: &[&str] = match name.as_str() {
        "CLASSIC" => &[REMOTE_ASSIGNOR],
        "CONSUMER" => &CLASSIC_ONLY,
        _ => {
            let text = settings.text(key).unwrap_or_default();
            return Err(invalid(key, text, "String must be one of (case insensitive): CONSUMER, CLASSIC"));
        }
    };
    if let Some(foreign) = foreign.iter().find(|key| settings.text(key).is_some()) {
        return Err(Failure::failed(format!("{foreign} cannot be set when group.protocol={name}")));
    }
    if name == "CLASSIC" {
        return Ok(GroupProtocol::Classic);
    }
    let remote_assignor = settings.text(REMOTE_ASSIGNOR).map(str::to_owned);
    Ok(GroupProtocol::Consumer { member_id: random_uuid(&OsRandom), remote_assignor })
}

/// Whether members come to terms by the older protocol. What is neither is refused elsewhere.
pub fn is_classic(settings: &Settings) -> bool {
    settings.text("group.protocol").is_none_or(|name| name.eq_ignore_ascii_case("classic"))
}

/// How long may pass between two polls. No time at all is none.
fn poll_interval_max(settings: &Settings, usual: Duration) -> Result<Duration, Failure> {
    let key = "max.poll.interval.ms";
    let interval = settings.millis(key, usual)?;
    if interval.is_zero() {
        return Err(invalid(key, "0", "Value must be at least 1"));
    }
    Ok(interval)
}

/// How a member of a group behaves by these settings.
pub fn group_options(settings: &Settings, id: String) -> Result<GroupOptions, Failure> {
    if id.is_empty() {
        return Err(Failure::failed("The group id is invalid: it is empty"));
    }
    let usual = GroupOptions::new(id);
    let interval = settings.millis("auto.commit.interval.ms", Duration::from_secs(5))?;
    Ok(GroupOptions {
        protocol: group_protocol(settings)?,
        session_timeout: settings.millis("session.timeout.ms", usual.session_timeout)?,
        poll_interval_max: poll_interval_max(settings, usual.poll_interval_max)?,
        heartbeat_interval: settings.millis("heartbeat.interval.ms", usual.heartbeat_interval)?,
        assignors: assignors(settings, usual.assignors.clone())?,
        instance_id: settings.text("group.instance.id").map(str::to_owned),
        auto_commit_interval: settings.boolean("enable.auto.commit", true)?.then_some(interval),
        ..usual
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[&str]) -> Settings {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        Settings::read(None, &pairs).unwrap()
    }

    fn options(pairs: &[&str]) -> Result<GroupOptions, Failure> {
        group_options(&settings(pairs), "g".to_owned())
    }

    #[test]
    fn assignors_go_by_their_names_and_by_those_of_kafkas_classes() {
        let chosen = |list: &str| {
            options(&[&format!("partition.assignment.strategy={list}")]).map(|options| options.assignors)
        };
        let (sticky, cooperative) = (Assignor::Sticky, Assignor::CooperativeSticky);
        assert_eq!(chosen(&format!("{}, range", sticky.class())), Ok(vec![sticky, Assignor::Range]));
        assert_eq!(chosen(cooperative.class()), Ok(vec![cooperative]));
        assert_eq!(chosen("cooperative-sticky"), Ok(vec![cooperative]));
        assert!(chosen("com.example.Mine").is_err());
        assert_eq!(options(&[]).unwrap().assignors, [Assignor::Range, cooperative]);
    }

    #[test]
    fn how_long_a_caller_may_be_busy_is_a_setting_and_not_nothing() {
        let interval = |pairs: &[&str]| options(pairs).map(|options| options.poll_interval_max);
        assert_eq!(interval(&[]), Ok(Duration::from_secs(300)));
        assert_eq!(interval(&["max.poll.interval.ms=7000"]), Ok(Duration::from_secs(7)));
        let words = "Invalid value 0 for configuration max.poll.interval.ms: Value must be at least 1";
        assert_eq!(interval(&["max.poll.interval.ms=0"]), Err(Failure::Failed(words.to_owned())));
    }

    #[test]
    fn a_protocol_has_settings_that_the_other_has_not() {
        assert_eq!(options(&["group.protocol=Classic"]).unwrap().protocol, GroupProtocol::Classic);
        let remote = options(&["group.protocol=consumer", "group.remote.assignor=uniform"]).unwrap().protocol;
        assert!(
            matches!(remote, GroupProtocol::Consumer { remote_assignor: Some(name), .. } if name == "uniform")
        );
        for (pairs, words) in [
            (
                ["group.protocol=consumer", "session.timeout.ms=9000"],
                "session.timeout.ms cannot be set when group.protocol=CONSUMER",
            ),
            (
                ["group.protocol=classic", "group.remote.assignor=range"],
                "group.remote.assignor cannot be set when group.protocol=CLASSIC",
            ),
            (
                ["group.protocol=nope", "group.id=g"],
                "Invalid value nope for configuration group.protocol: \
                 String must be one of (case insensitive): CONSUMER, CLASSIC",
            ),
        ] {
            assert_eq!(options(&pairs).unwrap_err(), Failure::Failed(words.to_owned()));
        }
    }

    #[test]
    fn a_reset_policy_is_a_word_or_a_duration() {
        let reset = |text: &str| reset_policy(&settings(&[&format!("auto.offset.reset={text}")]));
        assert_eq!(reset("earliest"), Ok(Some(Start::Earliest)));
        assert_eq!(reset("none"), Ok(Some(Start::Nowhere)));
        assert_eq!(reset("by_duration:P1DT1S"), Ok(Some(Start::Since(Duration::from_secs(86_401)))));
        assert_eq!(reset_policy(&settings(&[])), Ok(None));
        let words = "Invalid value NONE for configuration auto.offset.reset: Invalid value `NONE` for configuration \
                     auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format \
                     'by_duration:<PnDTnHnMn.nS.>'.";
        assert_eq!(reset("NONE"), Err(Failure::Failed(words.to_owned())));
        assert!(reset("by_duration:-PT1S").is_err() && reset("by_duration:foo").is_err());
    }
}

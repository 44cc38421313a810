//! The flags of `yeoul console-consumer`, and what they come to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use client::{ClientOptions, ConsumerOptions, GroupOptions, Start, Topics};

use super::format::LineWriter;
use crate::commands::HELP;
use crate::commands::cluster::{Settings, parse_pairs, read_properties};
use crate::failure::Failure;
use crate::topic_filter::TopicFilter;

const EXAMPLES: &str = "\
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --from-beginning
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --group airports \\
      --formatter-property print.key=true --formatter-property print.timestamp=true
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --partition 0 --offset 1000 --max-messages 10";

/// The formatters that there are, by the names that Kafka's users know.
const DEFAULT_FORMATTER: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";
const NO_OP_FORMATTER: &str = "org.apache.kafka.tools.consumer.NoOpMessageFormatter";

/// Which records are written, and how.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ConsoleConsumerArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub bootstrap_server: Vec<String>,
    /// The topic to read
    #[arg(long)]
    pub topic: Option<String>,
    /// The topics to read, as a regular expression
    #[arg(long, value_name = "REGEX")]
    pub include: Option<String>,
    /// The one partition to read
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub partition: Option<i32>,
    /// Where to begin in the partition: earliest, latest or an offset [default: latest]
    #[arg(long, allow_hyphen_values = true)]
    pub offset: Option<String>,
    /// Begin with the oldest record where the group has no place of its own
    #[arg(long)]
    pub from_beginning: bool,
    /// The group to be a member of; without one all partitions are read and nothing is committed
    #[arg(long)]
    pub group: Option<String>,

    /// End after so many records
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_messages: Option<i64>,
    /// End when no record comes for so long
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub timeout_ms: Option<i64>,
    /// read_committed or read_uncommitted [default: read_uncommitted]
    #[arg(long, value_name = "LEVEL")]
    pub isolation_level: Option<String>,
    /// Go on after a record that cannot be written as asked
    #[arg(long)]
    pub skip_message_on_error: bool,

    /// How a record is written: print.timestamp, print.partition, print.offset, print.headers, print.key, print.value,
    /// key.separator, line.separator, headers.separator, null.literal
    #[arg(long, alias = "property", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub formatter_property: Vec<String>,
    /// The same from a properties file
    #[arg(long, value_name = "FILE")]
    pub formatter_config: Option<PathBuf>,
    /// What the bytes of keys are: the name of a deserializer of Kafka's
    #[arg(long, value_name = "CLASS")]
    pub key_deserializer: Option<String>,
    /// What the bytes of values are: the name of a deserializer of Kafka's
    #[arg(long, value_name = "CLASS")]
    pub value_deserializer: Option<String>,
    /// Client settings
    #[arg(long, alias = "consumer-property", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub command_property: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, alias = "consumer.config", value_name = "FILE")]
    pub command_config: Option<PathBuf>,

    /// The class of the formatter
    #[arg(long, value_name = "CLASS", hide = true)]
    pub formatter: Option<String>,
    /// Tell tests when it has ended
    #[arg(long, hide = true)]
    pub enable_systest_events: bool,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    pub servers: Vec<String>,
    pub source: Source,
    /// Nothing is written if none.
    pub writer: Option<LineWriter>,
    pub max_messages: Option<u64>,
    pub timeout: Option<Duration>,
    pub skip_errors: bool,
    pub tell_end: bool,
    pub client: ClientOptions,
    pub consumer: ConsumerOptions,
}

/// Whose records are read.
#[derive(Debug)]
pub enum Source {
    Partition(String, i32, Start),
    All(Topics),
    Group(GroupOptions, Topics),
}

fn usage(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}

impl ConsoleConsumerArgs {
    /// What the line, its files and Kafka's habits come to.
    pub fn plan(self) -> Result<Plan, Failure> {
        self.check()?;
        let mut settings = Settings::read(self.command_config.as_deref(), &self.command_property)?;
        settings.flag("isolation.level", self.isolation_level.as_ref(), None);
        let reset = self.reset(&settings)?;
        Ok(Plan {
            source: self.source(&settings, reset)?,
            writer: self.writer()?,
            max_messages: self.max_messages.and_then(|count| u64::try_from(count).ok()),
            timeout: self.timeout_ms.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis),
            skip_errors: self.skip_message_on_error,
            tell_end: self.enable_systest_events,
            client: settings.client("console-consumer", "default.api.timeout.ms")?,
            consumer: consumer(&settings, reset)?,
            servers: self.bootstrap_server,
        })
    }

    /// Refuses what does not go together, in the words of Kafka's tool.
    fn check(&self) -> Result<(), Failure> {
        let together = |one: &str, other: &str| {
            Err(usage(format!("Options {one} and {other} cannot be specified together.")))
        };
        if self.topic.is_some() == self.include.is_some() {
            return Err(usage("Exactly one of the following arguments is required: [topic], [include]"));
        }
        if self.bootstrap_server.is_empty() {
            return Err(usage("Missing required argument \"[bootstrap-server]\""));
        }
        if self.partition.is_some() && self.topic.is_none() {
            return Err(usage("The topic is required when partition is specified."));
        }
        match (self.partition.is_some(), self.offset.is_some()) {
            (false, true) => Err(usage("The partition is required when offset is specified.")),
            (_, true) if self.from_beginning => together("from-beginning", "offset"),
            (true, _) if self.group.is_some() => together("group", "partition"),
            _ => Ok(()),
        }
    }

    /// Where reading begins where nothing says so.
    fn reset(&self, settings: &Settings) -> Result<Start, Failure> {
        let words = ["earliest", "latest"];
        let is_earliest = settings.one_of("auto.offset.reset", &words)?.map(|word| word == "earliest");
        match (self.from_beginning, is_earliest) {
            (true, Some(false)) => Err(Failure::failed(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest', please remove one option",
            )),
            (true, _) | (_, Some(true)) => Ok(Start::Earliest),
            _ => Ok(Start::Latest),
        }
    }

    fn source(&self, settings: &Settings, reset: Start) -> Result<Source, Failure> {
        let group = self.group_id(settings)?;
        if let (Some(topic), Some(partition)) = (&self.topic, self.partition) {
            let usual = if self.from_beginning { reset } else { Start::Latest };
            return Ok(Source::Partition(topic.clone(), partition, self.start(usual)?));
        }
        let topics = match (&self.topic, &self.include) {
            (_, Some(pattern)) => {
                let filter = TopicFilter::new(pattern, false).map_err(Failure::Failed)?;
                Topics::Matching(Arc::new(move |topic: &str| filter.accepts(topic)))
            }
            (topic, None) => Topics::Named(topic.iter().cloned().collect()),
        };
        Ok(match group {
            Some(id) => Source::Group(group_options(settings, id)?, topics),
            None => Source::All(topics),
        })
    }

    /// The group of the flag or the setting, which must not differ.
    fn group_id(&self, settings: &Settings) -> Result<Option<String>, Failure> {
        match (self.group.as_deref(), settings.text("group.id")) {
            (Some(flag), Some(setting)) if flag != setting => Err(usage(format!(
                "The group ids provided in different places (directly using '--group', via '--command-property', \
                 or via '--command-config') do not match. Detected group ids: '{flag}', '{setting}'"
            ))),
            (flag, setting) => Ok(flag.or(setting).map(str::to_owned)),
        }
    }

    fn start(&self, usual: Start) -> Result<Start, Failure> {
        let Some(text) = self.offset.as_deref() else { return Ok(usual) };
        match text.to_lowercase().as_str() {
            "earliest" => Ok(Start::Earliest),
            "latest" => Ok(Start::Latest),
            number => match number.parse() {
                Ok(offset) if offset >= 0 => Ok(Start::At(offset)),
                _ => Err(usage(format!(
                    "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', \
                     or a non-negative long."
                ))),
            },
        }
    }

    fn writer(&self) -> Result<Option<LineWriter>, Failure> {
        match self.formatter.as_deref() {
            Some(NO_OP_FORMATTER) => return Ok(None),
            None | Some(DEFAULT_FORMATTER) => {}
            Some(class) => return Err(Failure::Failed(format!("there is no formatter {class}"))),
        }
        let mut properties = Vec::new();
        if let Some(file) = &self.formatter_config {
            let file = read_properties(file)?;
            properties.extend(file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        properties.extend(parse_pairs(&self.formatter_property)?);
        for (key, class) in
            [("key.deserializer", &self.key_deserializer), ("value.deserializer", &self.value_deserializer)]
        {
            properties.extend(class.iter().map(|class| (key.to_owned(), class.clone())));
        }
        LineWriter::new(&properties).map(Some).map_err(Failure::Failed)
    }
}

fn consumer(settings: &Settings, reset: Start) -> Result<ConsumerOptions, Failure> {
    let usual = ConsumerOptions::default();
    let levels = ["read_committed", "read_uncommitted"];
    let level = settings.one_of("isolation.level", &levels)?;
    Ok(ConsumerOptions {
        read_committed: level.is_some_and(|level| level.eq_ignore_ascii_case("read_committed")),
        wait_max: settings.millis("fetch.max.wait.ms", usual.wait_max)?,
        fetch_bytes_max: settings.number("fetch.max.bytes", usual.fetch_bytes_max)?,
        partition_bytes_max: settings.number("max.partition.fetch.bytes", usual.partition_bytes_max)?,
        reset,
    })
}

fn group_options(settings: &Settings, id: String) -> Result<GroupOptions, Failure> {
    let usual = GroupOptions::new(id);
    let interval = settings.millis("auto.commit.interval.ms", Duration::from_secs(5))?;
    Ok(GroupOptions {
        session_timeout: settings.millis("session.timeout.ms", usual.session_timeout)?,
        rebalance_timeout: settings.millis("max.poll.interval.ms", usual.rebalance_timeout)?,
        heartbeat_interval: settings.millis("heartbeat.interval.ms", usual.heartbeat_interval)?,
        auto_commit_interval: settings.boolean("enable.auto.commit", true)?.then_some(interval),
        ..usual
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ConsoleConsumerArgs,
    }

    fn plan(line: &str) -> Result<Plan, Failure> {
        let words = ["c", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args.plan()
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        for (line, words) in [
            ("", "Exactly one of the following arguments is required: [topic], [include]"),
            (
                "--topic t --include i",
                "Exactly one of the following arguments is required: [topic], [include]",
            ),
            ("--topic t --offset 2", "The partition is required when offset is specified."),
            (
                "--topic t --partition 0 --group g",
                "Options group and partition cannot be specified together.",
            ),
            (
                "--topic t --partition 0 --offset 3 --from-beginning",
                "Options from-beginning and offset cannot be specified together.",
            ),
            (
                "--topic t --partition 0 --offset -3",
                "The provided offset value '-3' is incorrect. Valid values are 'earliest', 'latest', \
                 or a non-negative long.",
            ),
        ] {
            assert_eq!(plan(line).map(|_| ()), Err(usage(words)), "{line}");
        }
        assert!(plan("--topic t --from-beginning --consumer-property auto.offset.reset=latest").is_err());
        assert!(plan("--topic t --group a --consumer-property group.id=b").is_err());
    }

    #[test]
    fn a_partition_is_read_from_where_the_line_says() {
        let start = |line: &str| match plan(&format!("--topic t --partition 2 {line}")).unwrap().source {
            Source::Partition(_, 2, start) => start,
            other => panic!("{other:?}"),
        };
        assert_eq!(start(""), Start::Latest);
        assert_eq!(start("--from-beginning"), Start::Earliest);
        assert_eq!(start("--offset 7"), Start::At(7));
        assert_eq!(start("--offset EARLIEST"), Start::Earliest);
    }

    #[test]
    fn a_group_comes_from_the_flag_or_the_setting() {
        let group = |line: &str| match plan(&format!("--topic t {line}")).unwrap().source {
            Source::Group(options, _) => Some((options.group_id, options.auto_commit_interval)),
            _ => None,
        };
        let every_five_seconds = Some(Duration::from_secs(5));
        assert_eq!(group(""), None);
        assert_eq!(group("--group g"), Some(("g".to_owned(), every_five_seconds)));
        let line = "--command-property group.id=h --command-property enable.auto.commit=false";
        assert_eq!(group(line), Some(("h".to_owned(), None)));
    }

    #[test]
    fn limits_below_zero_are_none() {
        let plan = plan("--topic t --max-messages -1 --timeout-ms -1").unwrap();
        assert_eq!((plan.max_messages, plan.timeout), (None, None));
    }
}

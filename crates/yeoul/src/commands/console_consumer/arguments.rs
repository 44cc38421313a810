//! The flags of `yeoul console-consumer`, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::{ClientOptions, ConsumerOptions, GroupOptions, Start, Topics};

use super::format::LineWriter;
use super::internal::Internal;
use super::json::JsonWriter;
use crate::commands::HELP;
use crate::commands::cluster::{Output, Settings, parse_pairs, read_properties};
use crate::commands::consumer_settings::{consumer_options, group_options, is_classic, reset_policy};
use crate::commands::field_type::FieldType;
use crate::commands::offered::Offered;
use crate::failure::Failure;
use crate::topic_filter;

const EXAMPLES: &str = "\
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --from-beginning
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --group airports \\
      --formatter-property print.key=true --formatter-property print.timestamp=true
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --partition 0 --offset 1000 --max-messages 10
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --from-beginning --output json --key-format long
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic __consumer_offsets --from-beginning \\
      --formatter org.apache.kafka.tools.consumer.OffsetsMessageFormatter";

/// The formatters that there are, by the names that Kafka's users know.
const DEFAULT_FORMATTER: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";
const NO_OP_FORMATTER: &str = "org.apache.kafka.tools.consumer.NoOpMessageFormatter";
const LOGGING_FORMATTER: &str = "org.apache.kafka.tools.consumer.LoggingMessageFormatter";

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
    #[arg(long, allow_hyphen_values = true, hide_possible_values = true, value_parser = Offered(&["earliest", "latest"]))]
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
    #[arg(long, value_name = "LEVEL", hide_possible_values = true, value_parser = Offered(&["read_committed", "read_uncommitted"]))]
    pub isolation_level: Option<String>,
    /// Go on after a record that cannot be written as asked
    #[arg(long)]
    pub skip_message_on_error: bool,

    /// How a record is written: print.timestamp, print.partition, print.offset, print.headers, print.key, print.value,
    /// key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer,
    /// headers.deserializer
    #[arg(long, alias = "property", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub formatter_property: Vec<String>,
    /// The same from a properties file
    #[arg(long, value_name = "FILE")]
    pub formatter_config: Option<PathBuf>,
    /// How a record is written: text, by these properties, or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// What the bytes of keys are
    #[arg(long, value_name = "TYPE", default_value = "bytes")]
    pub key_format: FieldType,
    /// What the bytes of values are
    #[arg(long, value_name = "TYPE", default_value = "bytes")]
    pub value_format: FieldType,
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

    /// The class of the formatter: that of Kafka for one of the cluster's own topics, for the log too, or for nothing
    #[arg(long, value_name = "CLASS")]
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
    pub writer: Writer,
    pub max_messages: Option<u64>,
    pub timeout: Option<Duration>,
    pub skip_errors: bool,
    pub tell_end: bool,
    /// Whether Kafka's tool would say here that there is a newer protocol for groups.
    pub advertises: bool,
    pub client: ClientOptions,
    pub consumer: ConsumerOptions,
}

/// How records are written.
#[derive(Debug)]
pub enum Writer {
    /// As lines.
    Lines(LineWriter),
    /// As lines, and to the log.
    LinesAndLog(LineWriter),
    /// As lines of JSON.
    Json(JsonWriter),
    /// As what they are in one of the cluster's own topics.
    Internal(Internal),
    /// Not at all.
    Nothing,
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

fn together<T>(one: &str, other: &str) -> Result<T, Failure> {
    Err(usage(format!("Options {one} and {other} cannot be specified together.")))
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
            max_messages: self.max_messages(),
            timeout: self.timeout_ms.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis),
            skip_errors: self.skip_message_on_error,
            tell_end: self.enable_systest_events,
            client: settings.client("console-consumer", "default.api.timeout.ms")?,
            consumer: consumer_options(&settings, reset)?,
            advertises: self.partition.is_none() && is_classic(&settings),
            servers: self.bootstrap_server,
        })
    }

    /// How many records are written at most; as with Kafka's tool -1 is no limit, and no other number below zero lets one through.
    fn max_messages(&self) -> Option<u64> {
        let count = self.max_messages.filter(|count| *count != -1)?;
        Some(u64::try_from(count).unwrap_or(0))
    }

    /// Refuses what does not go together, in the words of Kafka's tool.
    fn check(&self) -> Result<(), Failure> {
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
            _ => Ok(()),
        }
    }

    /// Where reading begins where nothing says so.
    fn reset(&self, settings: &Settings) -> Result<Start, Failure> {
        let policy = reset_policy(settings)?;
        match (self.from_beginning, policy) {
            (true, Some(policy)) if policy != Start::Earliest => {
                let text = settings.text("auto.offset.reset").unwrap_or_default();
                Err(Failure::failed(format!(
                    "Can't simultaneously specify --from-beginning and 'auto.offset.reset={text}', \
                     please remove one option"
                )))
            }
            (true, _) => Ok(Start::Earliest),
            (false, policy) => Ok(policy.unwrap_or(Start::Latest)),
        }
    }

    fn source(&self, settings: &Settings, reset: Start) -> Result<Source, Failure> {
        let group = self.group_id(settings)?;
        if self.partition.is_some() && group.is_some() {
            return together("group", "partition");
        }
        if self.topic.as_deref().is_some_and(|topic| topic.trim().is_empty()) {
            return Err(Failure::failed(
                "Topic collection to subscribe to cannot contain null or empty topic",
            ));
        }
        if let (Some(topic), Some(partition)) = (&self.topic, self.partition) {
            let usual = if self.from_beginning { reset } else { Start::Latest };
            return Ok(Source::Partition(topic.clone(), partition, self.start(usual)?));
        }
        let topics =
            topic_filter::topics(self.topic.as_deref(), self.include.as_deref()).map_err(Failure::Failed)?;
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

    fn writer(&self) -> Result<Writer, Failure> {
        if self.output == Output::Json {
            let (key_type, value_type) = (self.key_format, self.value_format);
            return Ok(Writer::Json(JsonWriter { key_type, value_type }));
        }
        match self.formatter.as_deref() {
            None | Some(DEFAULT_FORMATTER) => self.line_writer().map(Writer::Lines),
            Some(LOGGING_FORMATTER) => self.line_writer().map(Writer::LinesAndLog),
            Some(NO_OP_FORMATTER) => Ok(Writer::Nothing),
            Some(class) => match Internal::of_class(class) {
                Some(internal) => Ok(Writer::Internal(internal)),
                None => Err(Failure::Failed(format!("there is no formatter {class}"))),
            },
        }
    }

    fn line_writer(&self) -> Result<LineWriter, Failure> {
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
        let (writer, missing) = LineWriter::new(&properties, self.key_format, self.value_format);
        missing.iter().for_each(|why| tracing::error!("{why}"));
        Ok(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::line::{self, flags};

    fn plan(line: &str) -> Result<Plan, Failure> {
        flags::<ConsoleConsumerArgs>(&format!("--bootstrap-server h:1 {line}")).plan()
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
                "--topic t --partition 0 --command-property group.id=g",
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
        let empty = |flag: &str| {
            let words = ["--bootstrap-server", "h:1", flag, "", "--topic", "t"];
            line::words::<ConsoleConsumerArgs>(words.iter().take(if flag == "--topic" { 4 } else { 6 }))
                .plan()
        };
        assert!(empty("--topic").is_err() && empty("--group").is_err());
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
    fn a_formatter_goes_by_the_name_of_its_class() {
        let writer = |line: &str| plan(&format!("--topic t {line}")).map(|plan| plan.writer);
        let package = "org.apache.kafka.tools.consumer";
        assert!(matches!(writer(""), Ok(Writer::Lines(_))));
        assert!(matches!(writer("--output json"), Ok(Writer::Json(_))));
        let offsets = format!("--formatter {package}.OffsetsMessageFormatter");
        assert!(matches!(writer(&offsets), Ok(Writer::Internal(Internal::Offsets))));
        let logging = format!("--formatter {package}.LoggingMessageFormatter");
        assert!(matches!(writer(&logging), Ok(Writer::LinesAndLog(_))));
        let nothing = format!("--formatter {package}.NoOpMessageFormatter");
        assert!(matches!(writer(&nothing), Ok(Writer::Nothing)));
        assert!(writer("--formatter com.example.MyFormatter").is_err());
    }

    #[test]
    fn limits_below_zero_are_none_but_for_one_of_records_that_lets_none_through() {
        let plan = |line: &str| plan(line).unwrap();
        let unlimited = plan("--topic t --max-messages -1 --timeout-ms -1");
        assert_eq!((unlimited.max_messages, unlimited.timeout), (None, None));
        assert_eq!(plan("--topic t --max-messages -5").max_messages, Some(0));
    }

    #[test]
    fn the_newer_protocol_is_advertised_to_who_is_no_member_by_it() {
        let advertises = |line: &str| plan(&format!("--topic t {line}")).unwrap().advertises;
        assert!(advertises("") && advertises("--group g --command-property group.protocol=Classic"));
        assert!(!advertises("--partition 0") && !advertises("--command-property group.protocol=consumer"));
    }
}

//! The flags of `yeoul console-producer`, and what they come to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use client::{ClientOptions, Partitioner, ProducerOptions};

use super::lines::LineFormat;
use crate::commands::HELP;
use crate::commands::cluster::{
    Settings, parse_pairs, producer_options, read_properties, refuse_transactions,
};
use crate::commands::field_type::FieldType;
use crate::commands::offered::Offered;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  echo 'UA 1545' | yeoul console-producer --bootstrap-server 127.0.0.1:9092 --topic flights
  yeoul console-producer --bootstrap-server 127.0.0.1:9092 --topic flights --reader-property parse.key=true \\
      --reader-property key.separator=: --compression-codec zstd < flights.txt
  yeoul console-producer --bootstrap-server 127.0.0.1:9092 --topic counts --reader-property parse.key=true \\
      --key-format integer --value-format json --partitioner crc32 < counts.txt";

/// The one reader that there is, by the name that Kafka's users know.
const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

/// Where lines go, and how.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ConsoleProducerArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub bootstrap_server: Vec<String>,
    /// The topic that the records go to
    #[arg(long)]
    pub topic: Option<String>,
    /// How a line is read: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator,
    /// headers.key.separator, ignore.error, null.marker
    #[arg(long, alias = "property", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub reader_property: Vec<String>,
    /// The same from a properties file
    #[arg(long, value_name = "FILE")]
    pub reader_config: Option<PathBuf>,
    /// What the text of a key stands for
    #[arg(long, value_name = "TYPE", default_value = "string")]
    pub key_format: FieldType,
    /// What the text of a value stands for
    #[arg(long, value_name = "TYPE", default_value = "string")]
    pub value_format: FieldType,
    /// Which partition a record goes to: murmur2 of its key as Kafka, crc32 of it as librdkafka, round-robin, or the number of one
    #[arg(long, value_name = "WAY", default_value = "murmur2")]
    pub partitioner: Partitioner,
    /// Client settings
    #[arg(long, alias = "producer-property", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub command_property: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, alias = "producer.config", value_name = "FILE")]
    pub command_config: Option<PathBuf>,

    /// Wait for each record to be acknowledged before the next
    #[arg(long)]
    pub sync: bool,
    /// none, gzip, snappy, lz4 or zstd; gzip if none is named
    #[arg(long, value_name = "CODEC", num_args = 0..=1, default_missing_value = "gzip", hide_possible_values = true, value_parser = Offered(&["none", "gzip", "snappy", "lz4", "zstd"]))]
    pub compression_codec: Option<String>,
    /// Who must have a record: 0 nobody, 1 the leader, -1 or all every replica in sync [default: -1]
    #[arg(long, value_name = "ACKS", allow_hyphen_values = true, hide_possible_values = true, value_parser = Offered(&["0", "1", "-1", "all"]))]
    pub request_required_acks: Option<String>,
    /// How many bytes a batch has at most [default: 16384]
    #[arg(long, alias = "max-partition-memory-bytes", value_name = "BYTES")]
    pub batch_size: Option<usize>,
    /// How long a batch waits for more records [default: 1000]
    #[arg(long, value_name = "MS")]
    pub timeout: Option<u64>,
    /// How long the broker may take to answer [default: 1500]
    #[arg(long, value_name = "MS")]
    pub request_timeout_ms: Option<u64>,
    /// How often a batch is sent again [default: 3]
    #[arg(long, value_name = "N")]
    pub message_send_max_retries: Option<u32>,
    /// The pause before a batch is sent again [default: 100]
    #[arg(long, value_name = "MS")]
    pub retry_backoff_ms: Option<u64>,
    /// How long to wait for a cluster that knows the topic [default: 60000]
    #[arg(long, value_name = "MS")]
    pub max_block_ms: Option<u64>,
    /// How many bytes may wait to be sent [default: 33554432]
    #[arg(long, value_name = "BYTES")]
    pub max_memory_bytes: Option<usize>,

    /// Says nothing here: topics are looked up anew when it is needed
    #[arg(long, value_name = "MS", hide = true)]
    pub metadata_expiry_ms: Option<u64>,
    /// Says nothing here: the system sizes its buffers
    #[arg(long, value_name = "BYTES", hide = true)]
    pub socket_buffer_size: Option<usize>,
    /// The class of the reader, of which there is one
    #[arg(long, value_name = "CLASS", hide = true)]
    pub line_reader: Option<String>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    pub servers: Vec<String>,
    pub topic: Arc<str>,
    pub format: LineFormat,
    pub key_type: FieldType,
    pub value_type: FieldType,
    pub sync: bool,
    pub client: ClientOptions,
    pub producer: ProducerOptions,
    /// Why no line can be sent, whatever it is.
    pub refusal: Option<Failure>,
}

impl ConsoleProducerArgs {
    /// What the line, its files and Kafka's habits come to.
    pub fn plan(self) -> Result<Plan, Failure> {
        let missing = |name: &str| Failure::Usage(format!("Missing required argument \"[{name}]\""));
        let topic = self.topic.clone().ok_or_else(|| missing("topic"))?;
        if self.bootstrap_server.is_empty() {
            return Err(missing("bootstrap-server"));
        }
        if let Some(class) = self.line_reader.as_ref().filter(|class| *class != LINE_READER) {
            return Err(Failure::Failed(format!("there is no reader {class}, only {LINE_READER}")));
        }
        let settings = self.settings()?;
        Ok(Plan {
            refusal: refuse_transactions(&settings, &topic).err(),
            topic: topic.into(),
            format: self.format()?,
            key_type: self.key_format,
            value_type: self.value_format,
            sync: self.sync,
            client: settings.client("console-producer", "max.block.ms")?,
            producer: ProducerOptions { partitioner: self.partitioner, ..producer_options(&settings)? },
            servers: self.bootstrap_server,
        })
    }

    fn format(&self) -> Result<LineFormat, Failure> {
        let mut properties = Vec::new();
        if let Some(file) = &self.reader_config {
            let file = read_properties(file)?;
            properties.extend(file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        properties.extend(parse_pairs(&self.reader_property)?);
        LineFormat::new(&properties).map_err(Failure::Failed)
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::read(self.command_config.as_deref(), &self.command_property)?;
        settings.flag("acks", self.request_required_acks.as_ref(), Some("-1"));
        settings.flag("batch.size", self.batch_size, Some("16384"));
        settings.flag("linger.ms", self.timeout, Some("1000"));
        settings.flag("request.timeout.ms", self.request_timeout_ms, Some("1500"));
        settings.flag("retries", self.message_send_max_retries, Some("3"));
        settings.flag("retry.backoff.ms", self.retry_backoff_ms, Some("100"));
        settings.flag("max.block.ms", self.max_block_ms, Some("60000"));
        settings.flag("buffer.memory", self.max_memory_bytes, Some("33554432"));
        settings.flag("compression.type", self.compression_codec.as_ref(), Some("none"));
        Ok(settings)
    }
}

/// How long a stop may take before it is given up: a cluster that is away may be back in time for what was read.
pub fn grace(plan: &Plan) -> Duration {
    plan.producer.delivery_timeout.max(plan.client.retry_for)
}

#[cfg(test)]
mod tests {
    use protocol::compression::Compression;

    use super::*;
    use crate::commands::line::flags;

    fn plan(line: &str) -> Result<Plan, Failure> {
        flags::<ConsoleProducerArgs>(&format!("--bootstrap-server h:1 --topic t {line}")).plan()
    }

    #[test]
    fn without_flags_it_behaves_as_kafkas_tool() {
        let plan = plan("").unwrap();
        let ProducerOptions { acks, idempotent, linger, batch_bytes, compression, retries, .. } =
            plan.producer;
        assert_eq!((acks, idempotent, batch_bytes, retries), (-1, true, 16_384, 3));
        assert_eq!(linger, Duration::from_secs(1));
        assert_eq!(compression, Compression::None);
        assert_eq!(plan.client.client_id, "console-producer");
        assert_eq!(plan.client.request_timeout, Duration::from_millis(1500));
        assert_eq!(plan.client.retry_for, Duration::from_secs(60));
    }

    #[test]
    fn a_partitioner_is_a_way_or_a_number() {
        let partitioner = |line: &str| plan(line).unwrap().producer.partitioner;
        assert_eq!(partitioner(""), Partitioner::Murmur2);
        assert_eq!(partitioner("--partitioner crc32"), Partitioner::Crc32);
        assert_eq!(partitioner("--partitioner round-robin"), Partitioner::RoundRobin);
        assert_eq!(partitioner("--partitioner 3"), Partitioner::Fixed(3));
    }

    #[test]
    fn a_codec_without_a_name_is_gzip() {
        assert_eq!(plan("--compression-codec").unwrap().producer.compression, Compression::Gzip);
        assert_eq!(plan("--compression-codec --sync").unwrap().producer.compression, Compression::Gzip);
        assert_eq!(plan("--compression-codec=lz4").unwrap().producer.compression, Compression::Lz4);
        assert!(plan("--compression-codec foo").is_err());
    }

    #[test]
    fn who_does_not_wait_for_all_cannot_be_idempotent() {
        assert!(!plan("--request-required-acks 1").unwrap().producer.idempotent);
        assert!(!plan("--request-required-acks 0").unwrap().producer.idempotent);
        assert!(plan("--request-required-acks -1").unwrap().producer.idempotent);
        assert!(plan("--request-required-acks all --producer-property enable.idempotence=false").is_ok());
        assert!(plan("--request-required-acks 1 --command-property enable.idempotence=true").is_err());
        assert!(plan("--request-required-acks 7").is_err());
    }

    #[test]
    fn a_property_counts_where_no_flag_is_given() {
        let by_property = plan("--command-property linger.ms=7 --command-property client.id=me").unwrap();
        assert_eq!(by_property.producer.linger, Duration::from_millis(7));
        assert_eq!(by_property.client.client_id, "me");
        let by_flag = plan("--producer-property linger.ms=7 --timeout 9").unwrap();
        assert_eq!(by_flag.producer.linger, Duration::from_millis(9));
    }

    #[test]
    fn what_is_missing_is_named_in_kafkas_words() {
        let nothing = ConsoleProducerArgs::default();
        let words = "Missing required argument \"[topic]\"".to_owned();
        assert_eq!(nothing.plan().map(|_| ()), Err(Failure::Usage(words)));
    }
}

//! One file a command. A command's file holds its flags and carries them out; what can be decided without the world is beside it.

mod broker_api_versions;
mod cache;
mod client_metrics;
mod cluster;
mod cluster_tool;
mod columns;
mod completion;
mod configs;
mod console_consumer;
mod console_producer;
mod consumer_groups;
mod consumer_settings;
mod delete_records;
mod dump_log;
mod feature_levels;
mod features;
mod field_type;
mod get_offsets;
mod groups;
mod install_tools;
mod internal_topics;
mod java_double;
mod java_order;
mod java_text;
mod json_fields;
mod leader_election;
#[cfg(test)]
mod line;
mod log_dirs;
mod metadata_quorum;
mod offered;
mod pace;
mod perf;
mod reassign_partitions;
mod refusals;
mod server;
mod storage;
mod table;
mod topics;
mod transactions;
mod verifiable;

use clap::Subcommand;

use ::server::Loggers;

use crate::failure::Failure;

pub use install_tools::command_called;

/// How help is laid out: what it is, how it is used, then every flag.
pub const HELP: &str = "{about}\n\nExamples:\n  {before-help}{usage-heading} {usage}\n\n{all-args}";

/// The commands that take the flags of a tool of Kafka's, speak as it does and end with its codes.
pub const KAFKA_TOOLS: [&str; 24] = [
    "storage",
    "topics",
    "console-producer",
    "console-consumer",
    "consumer-groups",
    "groups",
    "get-offsets",
    "delete-records",
    "configs",
    "broker-api-versions",
    "cluster",
    "features",
    "log-dirs",
    "metadata-quorum",
    "verifiable-producer",
    "verifiable-consumer",
    "dump-log",
    "producer-perf-test",
    "consumer-perf-test",
    "e2e-latency",
    "client-metrics",
    "leader-election",
    "transactions",
    "reassign-partitions",
];

/// The release of Apache Kafka whose tools the commands are held against; they tell it as their version.
pub const KAFKA_RELEASE: &str = "4.3.1";

/// Whether this is the name of a command that imitates a tool of Kafka's.
pub fn is_kafka_tool(name: &str) -> bool {
    KAFKA_TOOLS.contains(&name)
}

/// What was given to a command on the line, as a text that says so again.
fn words_of(command: &str) -> Vec<String> {
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let place = words.iter().position(|word| word == command).map_or(0, |place| place + 1);
    words.into_iter().skip(place).collect()
}

/// What the program can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker
    Server(server::ServerArgs),
    /// Show where each partition's bytes are, and who reads from where
    Cache(cache::CacheArgs),
    /// Link Kafka's scripts to this program
    InstallTools(install_tools::InstallToolsArgs),
    /// Teach a shell the commands and their flags
    Completion(completion::CompletionArgs),
    /// Format, look at and recover log directories
    Storage(storage::StorageArgs),
    /// Create, list, describe, alter and delete topics
    Topics(topics::TopicsArgs),
    /// Describe and change settings while the cluster runs
    Configs(configs::ConfigsArgs),
    /// Send lines of standard input as records
    ConsoleProducer(console_producer::ConsoleProducerArgs),
    /// Write records as lines of standard output
    ConsoleConsumer(console_consumer::ConsoleConsumerArgs),
    /// List, describe, move and delete groups of consumers
    ConsumerGroups(consumer_groups::ConsumerGroupsArgs),
    /// List groups of every kind
    Groups(groups::GroupsArgs),
    /// Tell where logs begin and end, and where a time is in them
    GetOffsets(get_offsets::GetOffsetsArgs),
    /// Delete records from the front of logs
    DeleteRecords(delete_records::DeleteRecordsArgs),
    /// Tell and change which metrics clients send
    ClientMetrics(client_metrics::ClientMetricsArgs),
    /// Tell what each broker can be asked
    BrokerApiVersions(broker_api_versions::BrokerApiVersionsArgs),
    /// Tell what a cluster is made of
    Cluster(cluster_tool::ClusterToolArgs),
    /// Tell and change levels of features
    Features(features::FeaturesArgs),
    /// Have leaders of partitions elected
    LeaderElection(leader_election::LeaderElectionArgs),
    /// Move partitions between brokers and log directories
    ReassignPartitions(reassign_partitions::ReassignPartitionsArgs),
    /// Look at transactions, and end those that nobody ends
    Transactions(transactions::TransactionsArgs),
    /// Tell what is in log directories
    LogDirs(log_dirs::LogDirsArgs),
    /// Tell how the metadata log stands
    MetadataQuorum(metadata_quorum::MetadataQuorumArgs),
    /// Send numbers, and tell the fate of each as a line of JSON
    VerifiableProducer(verifiable::producer::VerifiableProducerArgs),
    /// Read as a member of a group, and tell what it is given, reads and commits as lines of JSON
    VerifiableConsumer(verifiable::consumer::VerifiableConsumerArgs),
    /// Tell what is in the files of a log
    DumpLog(dump_log::DumpLogArgs),
    /// Measure how fast records are sent and acknowledged
    ProducerPerfTest(perf::producer::ProducerPerfArgs),
    /// Measure how fast records are read
    ConsumerPerfTest(perf::consumer::ConsumerPerfArgs),
    /// Measure how long a record takes from a producer to a consumer
    E2eLatency(perf::latency::LatencyArgs),
}

impl Command {
    /// Whether it serves, and does not end by itself.
    pub fn is_server(&self) -> bool {
        matches!(self, Command::Server(_))
    }

    /// Whether it goes by the habits of a tool of Kafka's.
    pub fn imitates_kafka(&self) -> bool {
        !matches!(
            self,
            Command::Server(_) | Command::Cache(_) | Command::InstallTools(_) | Command::Completion(_)
        )
    }

    /// Does it.
    pub fn run(self, loggers: Loggers) -> Result<(), Failure> {
        match self {
            Command::Server(args) => server::run(&args, loggers),
            Command::Cache(args) => cache::run(&args),
            Command::InstallTools(args) => install_tools::run(&args),
            Command::Completion(args) => completion::run(&args),
            Command::Storage(args) => storage::run(args),
            Command::Topics(args) => topics::run(args),
            Command::ConsoleProducer(args) => console_producer::run(args),
            Command::ConsoleConsumer(args) => console_consumer::run(args),
            Command::ConsumerGroups(args) => consumer_groups::run(&args),
            Command::Groups(args) => groups::run(&args),
            Command::GetOffsets(args) => get_offsets::run(&args),
            Command::DeleteRecords(args) => delete_records::run(&args),
            Command::Configs(args) => configs::run(&args),
            Command::ClientMetrics(args) => client_metrics::run(&args),
            Command::BrokerApiVersions(args) => broker_api_versions::run(&args),
            Command::Cluster(args) => cluster_tool::run(&args),
            Command::Features(args) => features::run(&args),
            Command::LeaderElection(args) => leader_election::run(&args),
            Command::ReassignPartitions(args) => reassign_partitions::run(&args),
            Command::Transactions(args) => transactions::run(&args),
            Command::LogDirs(args) => log_dirs::run(&args),
            Command::MetadataQuorum(args) => metadata_quorum::run(&args),
            Command::VerifiableProducer(args) => verifiable::producer::run(args),
            Command::VerifiableConsumer(args) => verifiable::consumer::run(args),
            Command::DumpLog(args) => dump_log::run(&args),
            Command::ProducerPerfTest(args) => perf::producer::run(&args),
            Command::ConsumerPerfTest(args) => perf::consumer::run(&args),
            Command::E2eLatency(args) => perf::latency::run(&args),
        }
    }
}

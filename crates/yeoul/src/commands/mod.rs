//! One file a command. A command's file holds its flags and carries them out; what can be decided without the world is beside it.

mod cluster;
mod console_consumer;
mod console_producer;
mod server;
mod storage;
mod topics;

use clap::Subcommand;

use crate::failure::Failure;

/// How help is laid out: what it is, how it is used, then every flag.
pub const HELP: &str = "{about}\n\nExamples:\n  {before-help}{usage-heading} {usage}\n\n{all-args}";

/// The commands that take the flags of a tool of Kafka's, speak as it does and end with its codes.
pub const KAFKA_TOOLS: [&str; 4] = ["storage", "topics", "console-producer", "console-consumer"];

/// Whether this is the name of a command that imitates a tool of Kafka's.
pub fn is_kafka_tool(name: &str) -> bool {
    KAFKA_TOOLS.contains(&name)
}

/// What the program can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker
    Server(server::ServerArgs),
    /// Format, look at and recover log directories
    Storage(storage::StorageArgs),
    /// Create, list, describe, alter and delete topics
    Topics(topics::TopicsArgs),
    /// Send lines of standard input as records
    ConsoleProducer(console_producer::ConsoleProducerArgs),
    /// Write records as lines of standard output
    ConsoleConsumer(console_consumer::ConsoleConsumerArgs),
}

impl Command {
    /// Whether it serves, and does not end by itself.
    pub fn is_server(&self) -> bool {
        matches!(self, Command::Server(_))
    }

    /// Whether it goes by the habits of a tool of Kafka's.
    pub fn imitates_kafka(&self) -> bool {
        !self.is_server()
    }

    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Command::Server(args) => server::run(&args),
            Command::Storage(args) => storage::run(args),
            Command::Topics(args) => topics::run(args),
            Command::ConsoleProducer(args) => console_producer::run(args),
            Command::ConsoleConsumer(args) => console_consumer::run(args),
        }
    }
}

//! `yeoul storage`: the log directories of this machine, while no broker uses them. Most of it as with `kafka-storage`.

mod format;
mod info;
mod recover;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ::config::BrokerConfig;
use clap::{Args, Subcommand};
use host::{Host, Random};
use protocol::Uuid;

use super::cluster::read_properties;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul storage format --cluster-id $(yeoul storage random-uuid) --config server.properties --standalone
  yeoul storage info --config server.properties
  yeoul storage recover --config server.properties";

/// What is to be done with log directories.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES, disable_help_subcommand = true)]
pub struct StorageArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make log directories ready for a new node
    Format(format::FormatArgs),
    /// Tell whose the log directories are
    Info(ConfigFile),
    /// Make a uuid, as for a cluster
    RandomUuid,
    /// Make log directories that a crash has left plain Kafka's again
    Recover(recover::RecoverArgs),
}

/// The settings of a node.
#[derive(Args, Debug)]
pub struct ConfigFile {
    /// Kafka's `server.properties`
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
}

/// Does it.
pub fn run(args: StorageArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match args.action {
        Action::Format(args) => format::run(&Host::real(), &args, &mut out),
        Action::Info(file) => info::run(&Host::real(), &read_config(&file.config)?, &mut out),
        Action::RandomUuid => Ok(writeln!(out, "{}", random_uuid(&*Host::real().random))?),
        Action::Recover(args) => recover::run(&Host::real(), &args, &mut out),
    }
}

/// The node's settings out of its file, with a line for each that is wrong.
fn read_config(file: &Path) -> Result<BrokerConfig, Failure> {
    let read = BrokerConfig::new(&read_properties(file)?);
    let (config, notices) = read.map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::Failed(lines.join("\n"))
    })?;
    notices.iter().for_each(|notice| tracing::debug!(?notice, "about a setting"));
    Ok(config)
}

/// The directories of a node: those of the partitions, and that of the metadata log where it is none of them.
fn directories(config: &BrokerConfig) -> Vec<PathBuf> {
    let mut directories = config.node.log_dirs.clone();
    if !directories.contains(&config.node.metadata_log_dir) {
        directories.push(config.node.metadata_log_dir.clone());
    }
    directories
}

/// A random uuid that no command line takes for a flag.
fn random_uuid(random: &dyn Random) -> Uuid {
    loop {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        let uuid = Uuid::from_random(bytes);
        if !uuid.to_string().starts_with('-') {
            return uuid;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// 0xfb.. reads as "-..." in base64; then comes another.
    struct Counted(AtomicU8);

    impl Random for Counted {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn a_uuid_never_looks_like_a_flag() {
        let random = Counted(AtomicU8::new(0xfb));
        assert_eq!(random_uuid(&random), Uuid::from_random([0xfc; 16]));
    }
}

//! `yeoul storage`: the log directories of this machine, while no broker uses them. Most of it as with `kafka-storage`.

mod format;
mod info;
mod initial_voters;
mod recover;
mod scram;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ::config::BrokerConfig;
use clap::{Args, Subcommand};
use host::{Host, Random};
use protocol::Uuid;

use super::HELP;
use super::cluster::read_properties;
use super::feature_levels;
use super::table::Form;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul storage format --cluster-id $(yeoul storage random-uuid) --config server.properties --standalone
  yeoul storage info --config server.properties
  yeoul storage recover --config server.properties";

/// What is to be done with log directories.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, disable_help_subcommand = true)]
pub struct StorageArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make log directories ready for a new node
    Format(format::FormatArgs),
    /// Tell whose the log directories are
    #[command(help_template = HELP, before_help = "yeoul storage info --config server.properties")]
    Info(Info),
    /// Make a uuid, as for a cluster
    #[command(help_template = HELP, before_help = "yeoul storage random-uuid")]
    RandomUuid,
    /// Tell which levels of features a release comes with
    #[command(help_template = HELP, before_help = "yeoul storage version-mapping --release-version 4.0")]
    VersionMapping(Release),
    /// Tell what levels of features need
    #[command(help_template = HELP, before_help = "yeoul storage feature-dependencies --feature transaction.version=2")]
    FeatureDependencies(Levels),
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

/// Whose directories are looked at.
#[derive(Args, Debug)]
struct Info {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    form: Form,
}

/// A release.
#[derive(Args, Debug)]
struct Release {
    /// As 4.3 or 4.0-IV1 [default: the newest]
    #[arg(long, short, value_name = "VERSION")]
    release_version: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Levels of features.
#[derive(Args, Debug)]
struct Levels {
    /// The level of a feature, as group.version=1
    #[arg(long, short, required = true, value_name = "FEATURE=LEVEL")]
    feature: Vec<String>,
    #[command(flatten)]
    form: Form,
}

/// Does it.
pub fn run(args: StorageArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match args.action {
        Action::Format(args) => format::run(&Host::real(), &args, &mut out),
        Action::Info(Info { file, form }) => {
            info::run(&Host::real(), &read_config(&file.config)?, form.output, &mut out)
        }
        Action::RandomUuid => Ok(writeln!(out, "{}", random_uuid(&*Host::real().random))?),
        Action::VersionMapping(Release { release_version, form }) => {
            let text = feature_levels::version_mapping(release_version.as_deref(), form.output)?;
            Ok(write!(out, "{text}")?)
        }
        Action::FeatureDependencies(Levels { feature, form }) => {
            Ok(write!(out, "{}", feature_levels::dependencies(&feature, form.output)?)?)
        }
        Action::Recover(args) => recover::run(&Host::real(), &args, &mut out),
    }
}

/// The node's settings out of its file, with a line for each that is wrong.
fn read_config(file: &Path) -> Result<BrokerConfig, Failure> {
    let read = BrokerConfig::at_rest(&read_properties(file)?);
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
pub fn random_uuid(random: &dyn Random) -> Uuid {
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

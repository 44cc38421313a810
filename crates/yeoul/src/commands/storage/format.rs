//! `yeoul storage format`.

use std::io::Write;

use ::config::BrokerConfig;
use clap::Args;
use host::{Host, Random};
use metadata::{METADATA_VERSION, MetadataVersion};
use protocol::messages::MetadataRecord;
use quorum::{Endpoint, Formatted, Formatting, VoterSet};

use super::initial_voters::parse_voters;
use super::scram::{self, Credential};
use super::{ConfigFile, read_config};
use crate::commands::HELP;
use crate::commands::feature_levels::{parse_level, parse_release};
use crate::commands::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use crate::failure::Failure;
use crate::progress::Work;

const EXAMPLES: &str = "\
  yeoul storage format --cluster-id $(yeoul storage random-uuid) --config server.properties --standalone
  yeoul storage format -t 4L6g3nShT-eMCtK--X86sw -c server.properties --ignore-formatted
  yeoul storage format -t 4L6g3nShT-eMCtK--X86sw -c server.properties --standalone --add-scram SCRAM-SHA-256=[name=admin,password=secret]
  yeoul storage format -t 4L6g3nShT-eMCtK--X86sw -c controller.properties --initial-controllers 1@one:9093:3Db5QLSqSZieL3rJBUUegA,2@two:9093:L3rJBUUegA3Db5QLSqSZiQ";

/// Bytes of a salt; at least as random as those of Kafka's tool, which have 130 bits.
const SALT_BYTES: usize = 20;
/// The first release whose metadata log has credentials of SCRAM: 3.5-IV2.
const FIRST_WITH_SCRAM: MetadataVersion = MetadataVersion(11);

/// What the directories are to be formatted for.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct FormatArgs {
    #[command(flatten)]
    file: ConfigFile,
    /// Id of the cluster
    #[arg(long, short = 't', value_name = "ID")]
    cluster_id: String,
    /// Leave directories that are formatted as they are
    #[arg(long, short = 'g')]
    ignore_formatted: bool,
    /// The release whose features the cluster starts with [default: the newest]
    #[arg(long, short, value_name = "VERSION")]
    release_version: Option<String>,
    /// The level of a feature, as group.version=1
    #[arg(long, short, value_name = "FEATURE=LEVEL")]
    feature: Vec<String>,
    /// This node is the only voter of a quorum that may grow
    #[arg(long, short, group = "controllers")]
    standalone: bool,
    /// The voters are in the log of others
    #[arg(long, short = 'N', group = "controllers")]
    no_initial_controllers: bool,
    /// The voters that the quorum begins with, each as id@host:port:directory-id
    #[arg(long, short = 'I', group = "controllers", value_name = "VOTERS")]
    initial_controllers: Option<String>,
    /// A credential that the cluster begins with, as SCRAM-SHA-256=[name=admin,iterations=8192,password=secret]
    #[arg(long, short = 'S', value_name = "CREDENTIAL")]
    add_scram: Vec<String>,
}

/// Formats, and tells what was done in the words of Kafka's tool.
pub fn run(host: &Host, args: &FormatArgs, out: &mut impl Write) -> Result<(), Failure> {
    let config = read_config(&args.file.config)?;
    let formatting = formatting(args, &config, &*host.random)?;
    let mut work = Work::new("formatting log directories");
    let done = work.busy_step(|| quorum::format(host, &formatting, args.ignore_formatted));
    let done = done.map_err(Failure::failed)?;
    for line in lines(&done) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn formatting(args: &FormatArgs, config: &BrokerConfig, random: &dyn Random) -> Result<Formatting, Failure> {
    let metadata_version = metadata_version(args)?;
    let features = args.feature.iter().map(|text| parse_level(text)).collect::<Result<Vec<_>, _>>()?;
    let asked = features.iter().rfind(|(name, _)| name == METADATA_VERSION);
    let version = asked.map_or(metadata_version, |(_, level)| MetadataVersion(*level));
    if !args.add_scram.is_empty() && version < FIRST_WITH_SCRAM {
        return Err(Failure::failed("SCRAM is only supported in metadata.version 3.5-IV2 or later."));
    }
    Ok(Formatting {
        metadata_version,
        features,
        voters: voters(args, config)?,
        records: args.add_scram.iter().map(|text| credential(text, random)).collect::<Result<_, _>>()?,
        ..Formatting::of(config, args.cluster_id.clone())
    })
}

fn credential(text: &str, random: &dyn Random) -> Result<MetadataRecord, Failure> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    Ok(Credential::parse(text)?.record(&salt).into())
}

fn metadata_version(args: &FormatArgs) -> Result<MetadataVersion, Failure> {
    let Some(name) = &args.release_version else { return Ok(MetadataVersion::LATEST) };
    let is_level =
        |text: &String| text.split_once('=').is_some_and(|(name, _)| name.trim() == METADATA_VERSION);
    if args.feature.iter().any(is_level) {
        let words = "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.";
        return Err(Failure::failed(words));
    }
    parse_release(name)
}

/// Where the voters are written down, which the settings and the flags must agree on.
fn voters(args: &FormatArgs, config: &BrokerConfig) -> Result<VoterSet, Failure> {
    let has_voters = !config.node.voters.is_empty();
    if has_voters && (args.standalone || args.initial_controllers.is_some()) {
        return Err(Failure::failed(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. \
             If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
             controller.quorum.bootstrap.servers instead.",
        ));
    }
    if args.standalone && !config.node.roles.controller {
        return Err(Failure::failed("You can only use --standalone on a controller."));
    }
    let is_said = args.standalone || args.no_initial_controllers || args.initial_controllers.is_some();
    if config.node.roles.controller && !has_voters && !is_said {
        return Err(Failure::failed(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ));
    }
    Ok(match &args.initial_controllers {
        Some(text) => VoterSet::Initial(parse_voters(text, &listener_name(config))?),
        None if args.standalone => VoterSet::Standalone(endpoints(config)),
        None if has_voters => VoterSet::Elsewhere,
        None => VoterSet::LogOfOthers,
    })
}

/// The listener by which controllers come to each other: the first of them.
fn listener_name(config: &BrokerConfig) -> String {
    config.network.controller_listener_names.first().cloned().unwrap_or_default()
}

/// Where the quorum finds this node. One that listens everywhere is found on its own machine.
fn endpoints(config: &BrokerConfig) -> Vec<Endpoint> {
    let listeners = config.network.controller_listeners.iter();
    let host = |host: &str| if host.is_empty() { "localhost".to_owned() } else { host.to_owned() };
    let endpoint = |listener: &::config::Listener| Endpoint {
        name: listener.name.clone(),
        host: host(&listener.host),
        port: listener.port,
    };
    listeners.map(endpoint).collect()
}

/// What is told of it, the directories in the order in which Kafka's tool has them.
fn lines(done: &Formatted) -> Vec<String> {
    if done.formatted.is_empty() {
        return vec!["All of the log directories are already formatted.".to_owned()];
    }
    let version = done.records.iter().find_map(metadata_level).unwrap_or(0);
    let name = MetadataVersion(version).name().unwrap_or_default();
    let record = |record| format!("ApiMessageAndVersion({} at version 0)", told(record));
    let records: Vec<String> = done.records.iter().map(record).collect();
    let bootstrap = format!(
        "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={version}, source=format command)",
        records.join(", ")
    );
    let mut directories: Vec<_> = done
        .formatted
        .iter()
        .map(|directory| (directory.path.display().to_string(), directory.kind))
        .collect();
    sort_as_java_map(&mut directories, USUAL_CAPACITY, |(path, _)| name_hash(path));
    let directories = directories
        .iter()
        .map(|(path, kind)| format!("Formatting {kind} {path} with metadata.version {name}."));
    [bootstrap].into_iter().chain(directories).collect()
}

fn metadata_level(record: &MetadataRecord) -> Option<i16> {
    match record {
        MetadataRecord::FeatureLevel(record) if record.name == METADATA_VERSION => Some(record.feature_level),
        _ => None,
    }
}

/// A record as Java's objects tell themselves.
fn told(record: &MetadataRecord) -> String {
    match record {
        MetadataRecord::FeatureLevel(record) => {
            format!("FeatureLevelRecord(name='{}', featureLevel={})", record.name, record.feature_level)
        }
        MetadataRecord::UserScramCredential(record) => scram::told(record),
        // Formatting makes no others.
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use ::config::Properties;
    use clap::Parser;
    use protocol::messages::FeatureLevelRecord;
    use quorum::{DirectoryKind, FormattedDirectory};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: FormatArgs,
    }

    fn formatting_of(line: &str, quorum: (&str, &str)) -> Result<Formatting, Failure> {
        let properties = Properties::from_iter([
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("log.dirs", "/a,/b"),
            quorum,
        ]);
        let (config, _) = BrokerConfig::new(&properties).unwrap();
        let words = ["format", "-t", "id", "-c", "file"].into_iter().chain(line.split_whitespace());
        formatting(&Line::try_parse_from(words).unwrap().args, &config, &host::OsRandom)
    }

    const STATIC: (&str, &str) = ("controller.quorum.voters", "1@127.0.0.1:9093");
    const DYNAMIC: (&str, &str) = ("controller.quorum.bootstrap.servers", "127.0.0.1:9093");

    #[test]
    fn voters_are_in_the_settings_or_the_log_but_not_in_both() {
        assert_eq!(formatting_of("", STATIC).unwrap().voters, VoterSet::Elsewhere);
        assert!(formatting_of("--standalone", STATIC).is_err());
        let endpoint = Endpoint { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port: 9093 };
        let voters = formatting_of("--standalone", DYNAMIC).unwrap().voters;
        assert_eq!(voters, VoterSet::Standalone(vec![endpoint]));
        assert!(formatting_of("", DYNAMIC).is_err());
        assert_eq!(formatting_of("-N", DYNAMIC).unwrap().voters, VoterSet::LogOfOthers);
        let initial = "-I 1@h:1:AAAAAAAAAAAAAAAAAAAAZQ";
        assert!(formatting_of(initial, STATIC).is_err());
        assert!(
            matches!(formatting_of(initial, DYNAMIC).unwrap().voters, VoterSet::Initial(voters) if voters.len() == 1)
        );
    }

    #[test]
    fn credentials_come_with_the_releases_that_have_them() {
        let credential = "-S SCRAM-SHA-256=[name=a,password=b]";
        assert_eq!(formatting_of(credential, STATIC).unwrap().records.len(), 1);
        for old in ["-r 3.4", "-f metadata.version=10"] {
            assert!(formatting_of(&format!("{credential} {old}"), STATIC).is_err(), "{old}");
        }
        assert!(formatting_of(&format!("{credential} -r 3.5"), STATIC).is_ok());
    }

    #[test]
    fn a_release_is_known_by_its_name_and_its_number() {
        let version = |line: &str| formatting_of(line, STATIC).map(|formatting| formatting.metadata_version);
        assert_eq!(version(""), Ok(MetadataVersion::LATEST));
        assert_eq!(version("-r 3.9"), Ok(MetadataVersion(21)));
        assert_eq!(version("-r 3.7-IV4"), Ok(MetadataVersion(19)));
        assert!(version("-r 9.9").is_err());
        assert!(version("-r 4.0 -f metadata.version=20").is_err());
    }

    #[test]
    fn what_was_done_is_told_as_apache_kafka_tells_it() {
        let record = FeatureLevelRecord { name: METADATA_VERSION.to_owned(), feature_level: 21 };
        let directory = |path: &str, kind| FormattedDirectory {
            path: path.into(),
            kind,
            directory_id: protocol::Uuid::ZERO,
        };
        let done = Formatted {
            records: vec![MetadataRecord::FeatureLevel(record)],
            formatted: vec![directory("/a", DirectoryKind::Metadata), directory("/b", DirectoryKind::Data)],
            ..Formatted::default()
        };
        assert_eq!(
            lines(&done),
            [
                "Bootstrap metadata: BootstrapMetadata(records=[ApiMessageAndVersion(FeatureLevelRecord(\
                 name='metadata.version', featureLevel=21) at version 0)], metadataVersionLevel=21, source=format command)",
                "Formatting metadata directory /a with metadata.version 3.9-IV0.",
                "Formatting data directory /b with metadata.version 3.9-IV0.",
            ]
        );
        assert_eq!(lines(&Formatted::default()), ["All of the log directories are already formatted."]);
    }
}

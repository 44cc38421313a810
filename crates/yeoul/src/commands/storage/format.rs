//! `yeoul storage format`.

use std::io::Write;

use ::config::BrokerConfig;
use clap::Args;
use host::Host;
use metadata::{METADATA_VERSION, MetadataVersion};
use protocol::messages::MetadataRecord;
use quorum::{Endpoint, Formatted, Formatting, VoterSet};

use super::{ConfigFile, read_config};
use crate::commands::HELP;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul storage format --cluster-id $(yeoul storage random-uuid) --config server.properties --standalone
  yeoul storage format -t 4L6g3nShT-eMCtK--X86sw -c server.properties --ignore-formatted";

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
    /// The voters of a quorum of several nodes
    #[arg(long, short = 'I', group = "controllers", value_name = "LIST", hide = true)]
    initial_controllers: Option<String>,
    /// A credential for SCRAM
    #[arg(long, short = 'S', value_name = "CREDENTIAL", hide = true)]
    add_scram: Vec<String>,
}

/// Formats, and tells what was done in the words of Kafka's tool.
pub fn run(host: &Host, args: &FormatArgs, out: &mut impl Write) -> Result<(), Failure> {
    let config = read_config(&args.file.config)?;
    let formatting = formatting(args, &config)?;
    let done = quorum::format(host, &formatting, args.ignore_formatted).map_err(Failure::failed)?;
    for line in lines(&done) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn formatting(args: &FormatArgs, config: &BrokerConfig) -> Result<Formatting, Failure> {
    if !args.add_scram.is_empty() {
        return Err(Failure::failed("--add-scram is not supported yet: there is no SASL to use it"));
    }
    Ok(Formatting {
        metadata_version: metadata_version(args)?,
        features: args.feature.iter().map(|text| feature(text)).collect::<Result<_, _>>()?,
        voters: voters(args, config)?,
        ..Formatting::of(config, args.cluster_id.clone())
    })
}

fn metadata_version(args: &FormatArgs) -> Result<MetadataVersion, Failure> {
    let Some(name) = &args.release_version else { return Ok(MetadataVersion::LATEST) };
    let is_level =
        |text: &String| text.split_once('=').is_some_and(|(name, _)| name.trim() == METADATA_VERSION);
    if args.feature.iter().any(is_level) {
        let words = "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.";
        return Err(Failure::failed(words));
    }
    MetadataVersion::parse(name).ok_or_else(|| {
        let known = MetadataVersion::MINIMUM.0..=MetadataVersion::LATEST.0;
        let names: Vec<&str> = known.filter_map(|level| MetadataVersion(level).name()).collect();
        let names = names.join(", ");
        Failure::Failed(format!("Unknown metadata.version '{name}'. Supported metadata.version are: {names}"))
    })
}

/// `feature=level` as the two.
fn feature(text: &str) -> Result<(String, i16), Failure> {
    let cannot = |why: &str| Failure::Failed(format!("Can't parse feature=level string {text}: {why}"));
    let (name, level) = text.split_once('=').ok_or_else(|| cannot("equals sign not found."))?;
    let level = level.trim().parse().map_err(|_| cannot(&format!("unable to parse {level} as a short.")))?;
    Ok((name.trim().to_owned(), level))
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
    if args.initial_controllers.is_some() {
        return Err(Failure::failed(
            "--initial-controllers is not supported yet: a quorum has one node, which is formatted with --standalone",
        ));
    }
    if args.standalone && !config.node.roles.controller {
        return Err(Failure::failed("You can only use --standalone on a controller."));
    }
    if config.node.roles.controller && !has_voters && !args.standalone && !args.no_initial_controllers {
        return Err(Failure::failed(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ));
    }
    Ok(if args.standalone { VoterSet::Standalone(endpoints(config)) } else { VoterSet::Elsewhere })
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

/// What is told of it.
fn lines(done: &Formatted) -> Vec<String> {
    if done.formatted.is_empty() {
        return vec!["All of the log directories are already formatted.".to_owned()];
    }
    let levels: Vec<(&str, i16)> = done.records.iter().filter_map(level).collect();
    let version = levels.iter().find(|(name, _)| *name == METADATA_VERSION).map_or(0, |(_, level)| *level);
    let name = MetadataVersion(version).name().unwrap_or_default();
    let record = |(name, level): &(&str, i16)| {
        format!("ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)")
    };
    let records: Vec<String> = levels.iter().map(record).collect();
    let bootstrap = format!(
        "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={version}, source=format command)",
        records.join(", ")
    );
    let directories = done.formatted.iter().map(|directory| {
        format!("Formatting {} {} with metadata.version {name}.", directory.kind, directory.path.display())
    });
    [bootstrap].into_iter().chain(directories).collect()
}

fn level(record: &MetadataRecord) -> Option<(&str, i16)> {
    match record {
        MetadataRecord::FeatureLevel(record) => Some((&record.name, record.feature_level)),
        _ => None,
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
        formatting(&Line::try_parse_from(words).unwrap().args, &config)
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
        assert_eq!(formatting_of("-N", DYNAMIC).unwrap().voters, VoterSet::Elsewhere);
    }

    #[test]
    fn what_is_not_there_yet_is_refused_and_not_passed_over() {
        assert!(formatting_of("-I 1@h:1:AAAAAAAAAAAAAAAAAAAAZQ", DYNAMIC).is_err());
        assert!(formatting_of("-S SCRAM-SHA-256=[name=a,password=b]", STATIC).is_err());
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
    fn a_feature_has_a_level() {
        assert_eq!(feature("group.version=1"), Ok(("group.version".to_owned(), 1)));
        let words = "Can't parse feature=level string group.version: equals sign not found.";
        assert_eq!(feature("group.version"), Err(Failure::failed(words)));
        assert!(feature("group.version=x").is_err());
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

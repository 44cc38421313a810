//! `yeoul metadata-quorum`: how the metadata log stands, as with `kafka-metadata-quorum`.

mod new_controller;

use std::io::{self, Write};
use std::path::Path;

use clap::{Args, Subcommand};
use client::DescribedQuorum;
use host::Host;
use protocol::Uuid;
use protocol::messages::describe_quorum_response::ReplicaState;
use serde_json::{Value, json};
use storage::files::meta_properties;

use self::new_controller::NewController;
use super::HELP;
use super::cluster::{Nodes, block_on, now_ms, read_properties};
use super::table::{Form, Output, Table};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul metadata-quorum --bootstrap-server 127.0.0.1:9092 describe --status
  yeoul metadata-quorum --bootstrap-controller 127.0.0.1:9093 describe --replication --human-readable";

const EXAMPLES_OF_ADDITION: &str = "\
  yeoul metadata-quorum --bootstrap-controller 127.0.0.1:9093 --command-config controller.properties add-controller";

const EXAMPLES_OF_REMOVAL: &str = "\
  yeoul metadata-quorum --bootstrap-controller 127.0.0.1:9093 remove-controller --controller-id 3 \\
      --controller-directory-id 4L6g3nShT-eMCtK--X86sw --dry-run";

/// Tells who leads and follows the metadata log, and has others vote.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct MetadataQuorumArgs {
    #[command(flatten)]
    nodes: Nodes,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell how the quorum stands
    #[command(help_template = HELP, before_help = EXAMPLES)]
    Describe {
        /// In short, with leader and voters
        #[arg(long)]
        status: bool,
        /// How far each node is
        #[arg(long)]
        replication: bool,
        /// Times as what has passed since, with --replication
        #[arg(long)]
        human_readable: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Have the controller vote whose settings --command-config names
    #[command(help_template = HELP, before_help = EXAMPLES_OF_ADDITION)]
    AddController {
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a voter out of the quorum
    #[command(help_template = HELP, before_help = EXAMPLES_OF_REMOVAL)]
    RemoveController {
        /// The id of the controller
        #[arg(long, short = 'i', value_name = "ID", allow_negative_numbers = true)]
        controller_id: i32,
        /// The id of its directory
        #[arg(long, short = 'd', value_name = "UUID", allow_hyphen_values = true)]
        controller_directory_id: String,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does it.
pub fn run(args: &MetadataQuorumArgs) -> Result<(), Failure> {
    if args.nodes.is_missing_or_double() {
        let words = "one of the arguments --bootstrap-server --bootstrap-controller is required";
        return Err(Failure::Usage(words.to_owned()));
    }
    let mut out = io::stdout().lock();
    match &args.action {
        &Action::Describe { status, replication, human_readable, form } => {
            refuse_conflict(status, replication, human_readable).map_err(Failure::failed)?;
            block_on(async {
                let mut cluster = args.nodes.connect().await?;
                let quorum = cluster.describe_quorum().await?;
                let text = if status {
                    let cluster_id = cluster.describe_nodes(false).await?.cluster_id;
                    show_status(&Status::of(&cluster_id, &quorum), form.output)
                } else {
                    let since = human_readable.then(now_ms);
                    table(&quorum, since, form.output).show(form.output)
                };
                Ok(write!(out, "{text}")?)
            })
        }
        Action::AddController { dry_run } => add(&args.nodes, *dry_run, &mut out),
        Action::RemoveController { controller_id, controller_directory_id, dry_run } => {
            remove(&args.nodes, *controller_id, controller_directory_id, *dry_run, &mut out)
        }
    }
}

fn add(nodes: &Nodes, dry_run: bool, out: &mut impl Write) -> Result<(), Failure> {
    let file = nodes.command_config.as_deref().ok_or_else(|| {
        let words = "You must supply the configuration file of the controller you are adding when using add-controller.";
        Failure::failed(words)
    })?;
    if !file.exists() {
        return Err(Failure::Failed(format!("Properties file {} does not exists!", file.display())));
    }
    let properties = read_properties(file)?;
    let controller = NewController::of(&properties).map_err(Failure::Failed)?;
    let (id, directory) = (controller.id, directory_id(&controller.directory)?);
    let what =
        format!("controller {id} with directory id {directory} and endpoints: {}", controller.endpoints());
    if dry_run {
        return Ok(writeln!(out, "DRY RUN of adding {what}")?);
    }
    block_on(async {
        let mut cluster = nodes.connect_by(&properties).await?;
        cluster.add_raft_voter(id, directory, &controller.listeners).await?;
        Ok(writeln!(out, "Added {what}")?)
    })
}

/// The id of a directory, out of its own file.
fn directory_id(directory: &Path) -> Result<Uuid, Failure> {
    let path = directory.join(meta_properties::NAME);
    let read = meta_properties::load(&*Host::real().disk, &path);
    let cannot = || Failure::Failed(format!("Unable to read meta.properties from {}", directory.display()));
    let properties = read.ok().flatten().ok_or_else(cannot)?;
    properties
        .directory_id
        .ok_or_else(|| Failure::Failed(format!("No directory id found in {}", directory.display())))
}

fn remove(
    nodes: &Nodes,
    id: i32,
    directory: &str,
    dry_run: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if id < 0 {
        return Err(Failure::Failed(format!("Invalid negative --controller-id: {id}")));
    }
    let directory: Uuid = directory
        .parse()
        .map_err(|error| Failure::Failed(format!("Failed to parse --controller-directory-id: {error}")))?;
    let what = format!("KRaft controller {id} with directory id {directory}");
    if dry_run {
        return Ok(writeln!(out, "DRY RUN of removing  {what}")?);
    }
    block_on(async {
        nodes.connect().await?.remove_raft_voter(id, directory).await?;
        Ok(writeln!(out, "Removed  {what}")?)
    })
}

fn refuse_conflict(status: bool, replication: bool, human_readable: bool) -> Result<(), &'static str> {
    match (status, replication) {
        (true, true) => {
            Err("Only one of --status or --replication should be specified with describe sub-command")
        }
        (false, false) => Err("One of --status or --replication must be specified with describe sub-command"),
        (true, false) if human_readable => {
            Err("The option --human-readable is only supported along with --replication")
        }
        _ => Ok(()),
    }
}

/// How far each node is: the leader, then who votes, then who only watches. Times are given as what has passed until `now_ms`
/// where that is given; one that is not known is -1, or nothing for programs.
fn table(quorum: &DescribedQuorum, now_ms: Option<i64>, output: Output) -> Table {
    let mut table = Table::new(&[
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ]);
    let leader_id = quorum.state.leader_id;
    let end = leader(quorum).map_or(0, |leader| leader.log_end_offset);
    let is_leader = |voter: &&ReplicaState| voter.replica_id == leader_id;
    let voters = || quorum.state.current_voters.iter();
    let time = |time: i64| match now_ms {
        Some(now) if time >= 0 => json!(format!("{} ms ago", now - time)),
        _ if time < 0 && output == Output::Json => Value::Null,
        _ => json!(time),
    };
    let mut add = |status: &str, node: &ReplicaState| {
        table.add([
            json!(node.replica_id),
            json!(node.replica_directory_id.to_string()),
            json!(node.log_end_offset),
            json!(end - node.log_end_offset),
            time(node.last_fetch_timestamp),
            time(node.last_caught_up_timestamp),
            json!(status),
        ]);
    };
    voters().filter(is_leader).for_each(|node| add("Leader", node));
    voters().filter(|voter| !is_leader(voter)).for_each(|node| add("Follower", node));
    quorum.state.observers.iter().for_each(|node| add("Observer", node));
    table
}

fn leader(quorum: &DescribedQuorum) -> Option<&ReplicaState> {
    quorum.state.current_voters.iter().find(|voter| voter.replica_id == quorum.state.leader_id)
}

/// The quorum in short.
struct Status<'a> {
    cluster_id: &'a str,
    quorum: &'a DescribedQuorum,
    max_lag: i64,
    max_lag_ms: i64,
}

impl Status<'_> {
    fn of<'a>(cluster_id: &'a str, quorum: &'a DescribedQuorum) -> Status<'a> {
        let leader = leader(quorum);
        let end = leader.map_or(0, |leader| leader.log_end_offset);
        let caught_up = leader.map_or(-1, |leader| leader.last_caught_up_timestamp);
        let voters = || quorum.state.current_voters.iter();
        let max_lag = voters().map(|voter| end - voter.log_end_offset).max().unwrap_or(0);
        // A time of -1 is not known.
        let max_lag_ms = match voters().map(|voter| voter.last_caught_up_timestamp).min() {
            Some(oldest) if oldest >= 0 && caught_up >= 0 && max_lag > 0 => caught_up - oldest,
            Some(oldest) if max_lag > 0 && oldest < 0 => -1,
            _ => 0,
        };
        Status { cluster_id, quorum, max_lag, max_lag_ms }
    }
}

fn show_status(status: &Status<'_>, output: Output) -> String {
    let state = &status.quorum.state;
    let nodes = |replicas: &[ReplicaState]| replicas.iter().map(|it| node(it, status.quorum)).collect();
    let (voters, observers): (Vec<Value>, Vec<Value>) =
        (nodes(&state.current_voters), nodes(&state.observers));
    if output == Output::Json {
        let json = json!({
            "clusterId": status.cluster_id,
            "leaderId": state.leader_id,
            "leaderEpoch": state.leader_epoch,
            "highWatermark": state.high_watermark,
            "maxFollowerLag": status.max_lag,
            "maxFollowerLagTimeMs": status.max_lag_ms,
            "currentVoters": voters,
            "currentObservers": observers,
        });
        return format!("{json}\n");
    }
    format!(
        "ClusterId:              {}\nLeaderId:               {}\nLeaderEpoch:            {}\n\
         HighWatermark:          {}\nMaxFollowerLag:         {}\nMaxFollowerLagTimeMs:   {}\n\
         CurrentVoters:          [{}]\nCurrentObservers:       [{}]\n",
        status.cluster_id,
        state.leader_id,
        state.leader_epoch,
        state.high_watermark,
        status.max_lag,
        status.max_lag_ms,
        listed(&voters),
        listed(&observers)
    )
}

/// A node as JSON: its directory where that is known, where it listens if it votes.
fn node(replica: &ReplicaState, quorum: &DescribedQuorum) -> Value {
    let mut node = json!({"id": replica.replica_id});
    if !replica.replica_directory_id.is_zero() {
        node["directoryId"] = json!(replica.replica_directory_id.to_string());
    }
    if let Some(known) = quorum.nodes.iter().find(|node| node.node_id == replica.replica_id) {
        let listeners = known.listeners.iter();
        let endpoint = |it: &protocol::messages::describe_quorum_response::Listener| {
            format!("{}://{}", it.name, config::HostPort(&it.host, it.port))
        };
        node["endpoints"] = listeners.map(endpoint).collect();
    }
    node
}

/// Objects in one line, with a blank after each colon and comma of an object, as Kafka's tool writes them.
fn listed(nodes: &[Value]) -> String {
    let field = |name: &str, node: &Value| node.get(name).map(|value| format!("\"{name}\": {value}"));
    let object = |node: &Value| {
        let fields = ["id", "directoryId", "endpoints"].iter().filter_map(|name| field(name, node));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    };
    nodes.iter().map(object).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_quorum_response::{Listener, Node, PartitionData};

    use super::*;

    fn replica(replica_id: i32, log_end_offset: i64, last_caught_up_timestamp: i64) -> ReplicaState {
        ReplicaState {
            replica_id,
            log_end_offset,
            last_caught_up_timestamp,
            last_fetch_timestamp: last_caught_up_timestamp,
            ..ReplicaState::default()
        }
    }

    fn quorum() -> DescribedQuorum {
        let listener = Listener { name: "CONTROLLER".to_owned(), host: "localhost".to_owned(), port: 9093 };
        let state = PartitionData {
            leader_id: 2,
            leader_epoch: 4,
            high_watermark: 98,
            current_voters: vec![replica(1, 90, 1_000), replica(2, 100, 1_500)],
            observers: vec![replica(7, 99, 1_400)],
            ..PartitionData::default()
        };
        let node = Node { node_id: 2, listeners: vec![listener] };
        DescribedQuorum { state, nodes: vec![node] }
    }

    #[test]
    fn the_leader_is_told_first_and_lag_is_what_others_lack() {
        let text = table(&quorum(), Some(2_000), Output::Text).text();
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split('\t').map(str::trim).collect()).collect();
        assert_eq!(
            rows[1],
            ["2", "AAAAAAAAAAAAAAAAAAAAAA", "100", "0", "500 ms ago", "500 ms ago", "Leader", ""]
        );
        assert_eq!(rows[2][3], "10");
        assert_eq!(rows[3][6], "Observer");
    }

    #[test]
    fn the_status_tells_the_worst_lag_and_where_voters_listen() {
        let quorum = quorum();
        let text = show_status(&Status::of("c", &quorum), Output::Text);
        assert_eq!(
            text,
            "ClusterId:              c\nLeaderId:               2\nLeaderEpoch:            4\n\
             HighWatermark:          98\nMaxFollowerLag:         10\nMaxFollowerLagTimeMs:   500\n\
             CurrentVoters:          [{\"id\": 1}, {\"id\": 2, \"endpoints\": [\"CONTROLLER://localhost:9093\"]}]\n\
             CurrentObservers:       [{\"id\": 7}]\n"
        );
    }

    #[test]
    fn one_of_the_two_is_wanted() {
        assert!(refuse_conflict(true, true, false).is_err());
        assert!(refuse_conflict(false, false, false).is_err());
        assert!(refuse_conflict(true, false, true).is_err());
        assert_eq!(refuse_conflict(false, true, true), Ok(()));
    }
}

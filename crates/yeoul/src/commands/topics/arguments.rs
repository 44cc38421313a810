//! The flags of `yeoul topics`, and which of them go together.

use clap::Args;
use protocol::Uuid;

use super::describe::Selection;
use crate::commands::HELP;
use crate::commands::cluster::Brokers;
use crate::commands::table::Form;
use crate::failure::{Failure, say};

/// What is said of a name with a period or an underscore.
pub const COLLISION_WARNING: &str = "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') \
     could collide. To avoid issues it is best to use either, but not both.";

/// What is said of a flag that Kafka has given up.
const DELETES_NO_CONFIG: &str = "delete-config option is no longer supported and deprecated since version 4.0. \
     The config will be fully removed in future releases.";

/// What is said of settings of a topic that is there already.
const ALTERS_NO_CONFIG: &str = "Option combination \"[[config], [bootstrap-server]]\" can't be used with option \"[alter]\" \
     (To alter topic configurations, the kafka-configs tool can be used.)";

const EXAMPLES: &str = "\
  yeoul topics --bootstrap-server 127.0.0.1:9092 --create --topic flights --partitions 6 --config retention.ms=86400000
  yeoul topics --bootstrap-server 127.0.0.1:9092 --list
  yeoul topics --bootstrap-server 127.0.0.1:9092 --describe --topic 'flights|airports'
  yeoul topics --bootstrap-server 127.0.0.1:9092 --alter --topic flights --partitions 12
  yeoul topics --bootstrap-server 127.0.0.1:9092 --delete --topic flights";

const ONE_ACTION: &str =
    "Command must include exactly one action: --list, --describe, --create, --alter or --delete";

/// What is to be done with topics.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct TopicsArgs {
    #[command(flatten)]
    pub brokers: Brokers,
    #[command(flatten)]
    pub form: Form,

    /// Make a topic
    #[arg(long, help_heading = "Actions")]
    pub create: bool,
    /// Tell the names of topics
    #[arg(long, help_heading = "Actions")]
    pub list: bool,
    /// Tell how topics are
    #[arg(long, help_heading = "Actions")]
    pub describe: bool,
    /// Give topics more partitions
    #[arg(long, help_heading = "Actions")]
    pub alter: bool,
    /// Remove topics
    #[arg(long, help_heading = "Actions")]
    pub delete: bool,

    /// The topic; a regular expression except with --create
    #[arg(long)]
    pub topic: Option<String>,
    /// The topic by its id, with --describe
    #[arg(long, value_name = "UUID")]
    pub topic_id: Option<Uuid>,
    /// How many partitions the topic is to have
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub partitions: Option<i32>,
    /// How many replicas each partition is to have
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub replication_factor: Option<i32>,
    /// The replicas of each partition by node id, as 1:2,2:3
    #[arg(long, value_name = "LIST")]
    pub replica_assignment: Option<String>,
    /// A setting of the new topic
    #[arg(long, value_name = "KEY=VALUE")]
    pub config: Vec<String>,
    /// A setting that is to be taken from a topic, which `configs` does
    #[arg(long, value_name = "KEY", hide = true)]
    pub delete_config: Vec<String>,
    /// Do nothing where the topic is there already
    #[arg(long)]
    pub if_not_exists: bool,
    /// Do nothing where the topic is not there
    #[arg(long)]
    pub if_exists: bool,
    /// Leave the cluster's own topics out
    #[arg(long)]
    pub exclude_internal: bool,

    /// Only partitions with a replica that is not in sync
    #[arg(long)]
    pub under_replicated_partitions: bool,
    /// Only partitions without a leader
    #[arg(long)]
    pub unavailable_partitions: bool,
    /// Only partitions with fewer replicas in sync than min.insync.replicas
    #[arg(long)]
    pub under_min_isr_partitions: bool,
    /// Only partitions with just min.insync.replicas replicas in sync
    #[arg(long)]
    pub at_min_isr_partitions: bool,
    /// Only topics with settings of their own
    #[arg(long)]
    pub topics_with_overrides: bool,
    /// How many partitions an answer may tell of
    #[arg(long, value_name = "N")]
    pub partition_size_limit_per_response: Option<i32>,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Create(Creation),
    List,
    Describe,
    Delete,
    Alter { partitions: i32, assignment: Option<Vec<Vec<i32>>> },
}

/// A topic that is to be made.
#[derive(Debug, PartialEq, Eq)]
pub struct Creation {
    pub topic: String,
    pub partitions: Option<i32>,
    pub replication_factor: Option<i16>,
    pub assignment: Vec<Vec<i32>>,
    pub configs: Vec<(String, String)>,
}

impl TopicsArgs {
    /// Refuses what does not go together, in the words of Kafka's tool.
    pub fn check(&self) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        if !self.delete_config.is_empty() {
            say(format_args!("{DELETES_NO_CONFIG}"));
        }
        let [action] = self.actions()[..] else { return usage(ONE_ACTION) };
        if self.brokers.bootstrap_server.is_empty() {
            return usage("--bootstrap-server must be specified");
        }
        if action == "alter" && !self.config.is_empty() {
            return usage(ALTERS_NO_CONFIG);
        }
        if action == "describe" && self.if_exists && self.topic.is_none() && self.topic_id.is_none() {
            return usage("--topic or --topic-id is required to describe a topic");
        }
        if !matches!(action, "list" | "describe") && self.topic.is_none() {
            return usage("Missing required argument \"[topic]\"");
        }
        if action == "alter" && self.partitions.is_none() {
            return usage("Missing required argument \"[partitions]\"");
        }
        match self.first_conflict(action) {
            Some((option, other)) => {
                usage(&format!("Option \"[{option}]\" can't be used with option \"[{other}]\""))
            }
            None => Ok(()),
        }
    }

    fn actions(&self) -> Vec<&'static str> {
        let all = [
            ("create", self.create),
            ("list", self.list),
            ("describe", self.describe),
            ("alter", self.alter),
            ("delete", self.delete),
        ];
        all.into_iter().filter_map(|(name, is_asked)| is_asked.then_some(name)).collect()
    }

    /// A flag, and the action or other flag that it does not go with.
    fn first_conflict(&self, action: &'static str) -> Option<(&'static str, &'static str)> {
        let goes_with: [(&str, bool, &[&str]); 12] = [
            ("config", !self.config.is_empty(), &["create"]),
            ("partitions", self.partitions.is_some(), &["create", "alter"]),
            ("replication-factor", self.replication_factor.is_some(), &["create"]),
            ("replica-assignment", self.replica_assignment.is_some(), &["create", "alter"]),
            ("under-replicated-partitions", self.under_replicated_partitions, &["describe"]),
            ("under-min-isr-partitions", self.under_min_isr_partitions, &["describe"]),
            ("at-min-isr-partitions", self.at_min_isr_partitions, &["describe"]),
            ("unavailable-partitions", self.unavailable_partitions, &["describe"]),
            ("topics-with-overrides", self.topics_with_overrides, &["describe"]),
            ("if-exists", self.if_exists, &["alter", "delete", "describe"]),
            ("if-not-exists", self.if_not_exists, &["create"]),
            ("exclude-internal", self.exclude_internal, &["list", "describe"]),
        ];
        let lost = goes_with.iter().find(|(_, is_set, actions)| *is_set && !actions.contains(&action));
        let lost = lost.map(|(option, ..)| (*option, action));
        lost.or_else(|| self.conflict_of_numbers()).or_else(|| self.conflict_of_selections())
    }

    /// Which partitions are told, where none is.
    fn conflict_of_selections(&self) -> Option<(&'static str, &'static str)> {
        let of_partitions = [
            ("under-replicated-partitions", self.under_replicated_partitions),
            ("under-min-isr-partitions", self.under_min_isr_partitions),
            ("at-min-isr-partitions", self.at_min_isr_partitions),
            ("unavailable-partitions", self.unavailable_partitions),
        ];
        let (option, _) = of_partitions.into_iter().find(|(_, is_set)| *is_set)?;
        self.topics_with_overrides.then_some((option, "topics-with-overrides"))
    }

    fn conflict_of_numbers(&self) -> Option<(&'static str, &'static str)> {
        let list = "replica-assignment";
        let with_partitions = self.create && self.partitions.is_some();
        let other = if with_partitions { "partitions" } else { "replication-factor" };
        let is_conflict = with_partitions || self.replication_factor.is_some();
        (self.replica_assignment.is_some() && is_conflict).then_some((list, other))
    }

    /// What is to be done. Errors are those that Kafka's tool finds before it asks the cluster.
    pub fn action(&self) -> Result<Action, Failure> {
        Ok(match self.actions().first() {
            Some(&"create") => Action::Create(self.creation()?),
            Some(&"delete") => Action::Delete,
            Some(&"describe") => Action::Describe,
            Some(&"alter") => Action::Alter {
                partitions: self.partitions.unwrap_or_default(),
                assignment: self.replica_assignment.as_deref().map(parse_assignment).transpose()?,
            },
            _ => Action::List,
        })
    }

    fn creation(&self) -> Result<Creation, Failure> {
        let failed = |text: &str| Failure::Failed(text.to_owned());
        if self.partitions.is_some_and(|count| count < 1) {
            return Err(failed("The partitions must be greater than 0"));
        }
        let replicas = |count| i16::try_from(count).ok().filter(|count| *count >= 1);
        let replication_factor = match self.replication_factor {
            Some(count) => Some(
                replicas(count)
                    .ok_or_else(|| failed("The replication factor must be between 1 and 32767 inclusive"))?,
            ),
            None => None,
        };
        let assignment = self.replica_assignment.as_deref().map(parse_assignment).transpose()?;
        Ok(Creation {
            topic: self.topic.clone().unwrap_or_default(),
            partitions: self.partitions,
            replication_factor,
            assignment: assignment.unwrap_or_default(),
            configs: self.config.iter().map(|pair| parse_config(pair)).collect::<Result<_, _>>()?,
        })
    }

    /// The id of the topic that is to be described. With other actions the flag says nothing, as with Kafka's tool.
    pub fn described_id(&self) -> Option<Uuid> {
        self.topic_id.filter(|_| self.describe)
    }

    /// What `--describe` is to tell.
    pub fn selection(&self) -> Selection {
        Selection {
            under_replicated: self.under_replicated_partitions,
            unavailable: self.unavailable_partitions,
            under_min_isr: self.under_min_isr_partitions,
            at_min_isr: self.at_min_isr_partitions,
            with_overrides: self.topics_with_overrides,
        }
    }
}

/// A setting and its value, which has no `=` in it and is not empty.
fn parse_config(pair: &str) -> Result<(String, String), Failure> {
    let what = "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".";
    match pair.trim_end_matches('=').split('=').collect::<Vec<_>>()[..] {
        [key, value] => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Failure::failed(what)),
    }
}

/// `1:2,2:3` as the nodes of each partition.
fn parse_assignment(text: &str) -> Result<Vec<Vec<i32>>, Failure> {
    let partitions: Vec<Vec<i32>> = text.split(',').map(parse_replicas).collect::<Result<_, _>>()?;
    let count = partitions.first().map_or(0, Vec::len);
    match partitions.iter().position(|nodes| nodes.len() != count) {
        Some(partition) => Err(Failure::failed(format!(
            "Partition {partition} has different replication factor: {:?}",
            partitions[partition]
        ))),
        None => Ok(partitions),
    }
}

fn parse_replicas(text: &str) -> Result<Vec<i32>, Failure> {
    let mut nodes: Vec<i32> = Vec::new();
    for word in text.split(':') {
        let node = word.trim().parse();
        let node = node.map_err(|_| Failure::failed(format!("For input string: \"{}\"", word.trim())))?;
        if nodes.contains(&node) {
            let text = format!("Partition replica lists may not contain duplicate entries: {node}");
            return Err(Failure::Failed(text));
        }
        nodes.push(node);
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: TopicsArgs,
    }

    fn parsed(line: &str) -> TopicsArgs {
        let words = ["topics", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args
    }

    fn refusal(line: &str) -> String {
        match parsed(line).check() {
            Err(Failure::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn exactly_one_action_is_wanted() {
        assert_eq!(refusal("--list --create --topic x"), ONE_ACTION);
        assert_eq!(refusal("--topic x"), ONE_ACTION);
        let nowhere = TopicsArgs { list: true, ..TopicsArgs::default() };
        let text = "--bootstrap-server must be specified".to_owned();
        assert_eq!(nowhere.check(), Err(Failure::Usage(text)));
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        for (line, words) in [
            ("--list --partitions 3", "Option \"[partitions]\" can't be used with option \"[list]\""),
            (
                "--create --topic w --if-exists",
                "Option \"[if-exists]\" can't be used with option \"[create]\"",
            ),
            (
                "--create --topic w --replica-assignment 1,1 --partitions 2",
                "Option \"[replica-assignment]\" can't be used with option \"[partitions]\"",
            ),
            ("--create", "Missing required argument \"[topic]\""),
            ("--alter --topic w", "Missing required argument \"[partitions]\""),
            ("--alter --topic w --config a=b", ALTERS_NO_CONFIG),
            (
                "--describe --topics-with-overrides --unavailable-partitions",
                "Option \"[unavailable-partitions]\" can't be used with option \"[topics-with-overrides]\"",
            ),
            ("--describe --if-exists", "--topic or --topic-id is required to describe a topic"),
        ] {
            assert_eq!(refusal(line), words, "{line}");
        }
        assert_eq!(parsed("--alter --topic w --partitions 4 --replica-assignment 1,1,1,1").check(), Ok(()));
    }

    #[test]
    fn a_new_topic_has_what_the_line_gives_it() {
        let args =
            parsed("--create --topic t --partitions 2 --replication-factor 1 --config a=b --config x=y ");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let creation = Creation {
            topic: "t".to_owned(),
            partitions: Some(2),
            replication_factor: Some(1),
            assignment: Vec::new(),
            configs: vec![pair("a", "b"), pair("x", "y")],
        };
        assert_eq!(args.action(), Ok(Action::Create(creation)));
        for wrong in ["a", "a=", "a=b=c", "a=b,c=d"] {
            assert!(parse_config(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_out_of_their_range_are_refused_before_the_cluster_is_asked() {
        for (line, words) in [
            ("--partitions 0", "The partitions must be greater than 0"),
            ("--partitions -3", "The partitions must be greater than 0"),
            ("--replication-factor 0", "The replication factor must be between 1 and 32767 inclusive"),
            ("--replication-factor 32768", "The replication factor must be between 1 and 32767 inclusive"),
            ("--replica-assignment 1,x", "For input string: \"x\""),
            ("--replica-assignment 1,1:2", "Partition 1 has different replication factor: [1, 2]"),
            ("--replica-assignment 1:1", "Partition replica lists may not contain duplicate entries: 1"),
        ] {
            let refused = parsed(&format!("--create --topic t {line}")).action();
            assert_eq!(refused, Err(Failure::Failed(words.to_owned())), "{line}");
        }
        assert_eq!(parse_assignment("1:2,2:3"), Ok(vec![vec![1, 2], vec![2, 3]]));
    }

    #[test]
    fn servers_may_come_in_one_list_or_one_by_one() {
        let matches = <TopicsArgs as Args>::augment_args(clap::Command::new("topics")).get_matches_from([
            "topics",
            "--bootstrap-server=a:1,b:2",
            "--list",
        ]);
        let args = TopicsArgs::from_arg_matches(&matches).unwrap();
        assert_eq!(args.brokers.bootstrap_server, ["a:1", "b:2"]);
    }
}

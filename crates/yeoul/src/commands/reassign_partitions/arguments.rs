//! The flags of `yeoul reassign-partitions`, and which of them go together.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::commands::HELP;
use crate::commands::cluster::Nodes;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul reassign-partitions --bootstrap-server 127.0.0.1:9092 --generate --topics-to-move-json-file topics.json --broker-list 1,2,3
  yeoul reassign-partitions --bootstrap-server 127.0.0.1:9092 --execute --reassignment-json-file plan.json --throttle 10000000
  yeoul reassign-partitions --bootstrap-server 127.0.0.1:9092 --verify --reassignment-json-file plan.json

  where topics.json is {\"topics\": [{\"topic\": \"flights\"}], \"version\": 1}
  and plan.json is {\"partitions\": [{\"topic\": \"flights\", \"partition\": 0, \"replicas\": [1, 2], \"log_dirs\": [\"/data\", \"any\"]}], \"version\": 1}";

const TIMEOUT_MS: i64 = 10_000;

/// What is moved where, and how fast.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ReassignPartitionsArgs {
    #[command(flatten)]
    pub nodes: Nodes,
    /// Propose how the partitions of topics could be spread over brokers; nothing is moved
    #[arg(long)]
    generate: bool,
    /// Move partitions as a plan says
    #[arg(long)]
    execute: bool,
    /// Tell how far a plan is; what slowed it down is taken away once it is done
    #[arg(long)]
    verify: bool,
    /// Give up what is under way of a plan
    #[arg(long)]
    cancel: bool,
    /// Tell what is under way
    #[arg(long)]
    list: bool,
    /// The plan: partitions with their brokers, and with the log directories there ("any" for whichever it is)
    #[arg(long, value_name = "FILE")]
    pub reassignment_json_file: Option<PathBuf>,
    /// The topics for which a plan is proposed
    #[arg(long, value_name = "FILE")]
    pub topics_to_move_json_file: Option<PathBuf>,
    /// The brokers for which it is proposed, by id
    #[arg(long, value_name = "IDS")]
    pub broker_list: Option<String>,
    /// Propose it as if there were no racks
    #[arg(long)]
    pub disable_rack_aware: bool,
    /// How much may be copied between brokers, in bytes a second
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    throttle: Option<i64>,
    /// How much may be copied between log directories of a broker, in bytes a second
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    replica_alter_log_dirs_throttle: Option<i64>,
    /// How long moves between log directories may take to begin, in milliseconds [default: 10000]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    timeout: Option<i64>,
    /// Move beside what is under way, or move that at another pace
    #[arg(long)]
    pub additional: bool,
    /// Leave the pace of brokers and topics as it is
    #[arg(long)]
    pub preserve_throttles: bool,
    /// Refuse a plan by which a partition has more or fewer replicas than now
    #[arg(long)]
    pub disallow_replication_factor_change: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Generate,
    Execute,
    Verify,
    Cancel,
    List,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Generate => "generate",
            Action::Execute => "execute",
            Action::Verify => "verify",
            Action::Cancel => "cancel",
            Action::List => "list",
        }
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Action::Generate => &["topics-to-move-json-file", "broker-list"],
            Action::Execute | Action::Verify | Action::Cancel => &["reassignment-json-file"],
            Action::List => &[],
        }
    }

    /// What may be given besides what is required and how the cluster is come to.
    fn permitted(self) -> &'static [&'static str] {
        match self {
            Action::Generate => &["disable-rack-aware"],
            Action::Execute => &[
                "additional",
                "throttle",
                "replica-alter-log-dirs-throttle",
                "timeout",
                "disallow-replication-factor-change",
            ],
            Action::Verify => &["preserve-throttles"],
            Action::Cancel => &["preserve-throttles", "timeout"],
            Action::List => &[],
        }
    }

    /// Whether controllers can be asked for it.
    fn is_of_controllers(self) -> bool {
        matches!(self, Action::Cancel | Action::List)
    }
}

impl ReassignPartitionsArgs {
    /// What is to be done.
    ///
    /// # Errors
    /// If the flags do not go together, in the words of Kafka's tool.
    pub fn action(&self) -> Result<Action, Failure> {
        let usage = |words: String| Err(Failure::Usage(words));
        let asked = self.actions();
        let [action] = asked[..] else {
            let all = "--generate, --execute, --verify, --cancel, --list";
            return usage(format!("Command must include exactly one action: {all}"));
        };
        match (self.nodes.bootstrap_server.is_empty(), self.nodes.bootstrap_controller.is_empty()) {
            (false, false) => {
                return usage(
                    "Please don't specify both --bootstrap-server and --bootstrap-controller".into(),
                );
            }
            (true, true) => {
                return usage("Please specify either --bootstrap-server or --bootstrap-controller".into());
            }
            _ => {}
        }
        let given = self.given();
        if let Some(name) = action.required().iter().find(|name| !given.contains(name)) {
            return usage(format!("Missing required argument \"[{name}]\""));
        }
        let fits = |name: &&str| match *name {
            "bootstrap-controller" => action.is_of_controllers(),
            name => action.required().contains(&name) || action.permitted().contains(&name),
        };
        match given.iter().find(|name| !fits(name)) {
            Some(name) => {
                usage(format!("Option \"[{name}]\" can't be used with action \"[{}]\"", action.name()))
            }
            None => Ok(action),
        }
    }

    fn actions(&self) -> Vec<Action> {
        let actions = [
            (self.generate, Action::Generate),
            (self.execute, Action::Execute),
            (self.verify, Action::Verify),
            (self.cancel, Action::Cancel),
            (self.list, Action::List),
        ];
        actions.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, action)| action).collect()
    }

    /// The flags that are there and do not go with every action.
    fn given(&self) -> Vec<&'static str> {
        let flags = [
            (self.reassignment_json_file.is_some(), "reassignment-json-file"),
            (self.topics_to_move_json_file.is_some(), "topics-to-move-json-file"),
            (self.broker_list.is_some(), "broker-list"),
            (!self.nodes.bootstrap_controller.is_empty(), "bootstrap-controller"),
            (self.disable_rack_aware, "disable-rack-aware"),
            (self.throttle.is_some(), "throttle"),
            (self.replica_alter_log_dirs_throttle.is_some(), "replica-alter-log-dirs-throttle"),
            (self.timeout.is_some(), "timeout"),
            (self.additional, "additional"),
            (self.preserve_throttles, "preserve-throttles"),
            (self.disallow_replication_factor_change, "disallow-replication-factor-change"),
        ];
        flags.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name).collect()
    }

    /// How much may be copied between brokers, in bytes a second. A negative number is none.
    pub fn throttle(&self) -> Option<i64> {
        self.throttle.filter(|bytes| *bytes >= 0)
    }

    /// How much may be copied between log directories, in bytes a second. A negative number is none.
    pub fn log_dirs_throttle(&self) -> Option<i64> {
        self.replica_alter_log_dirs_throttle.filter(|bytes| *bytes >= 0)
    }

    /// How long moves between log directories may take to begin.
    pub fn timeout(&self) -> Duration {
        let millis = self.timeout.unwrap_or(TIMEOUT_MS);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_broker(args: ReassignPartitionsArgs) -> ReassignPartitionsArgs {
        let nodes = Nodes { bootstrap_server: vec!["127.0.0.1:9092".to_owned()], ..args.nodes };
        ReassignPartitionsArgs { nodes, ..args }
    }

    fn refused(args: ReassignPartitionsArgs) -> String {
        match args.action() {
            Err(Failure::Usage(words)) => words,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        let none = ReassignPartitionsArgs::default;
        let plan = || Some(PathBuf::from("plan.json"));
        let one =
            "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list";
        assert_eq!(refused(none()), one);
        assert_eq!(refused(ReassignPartitionsArgs { list: true, verify: true, ..none() }), one);
        let nowhere = ReassignPartitionsArgs { list: true, ..none() };
        assert_eq!(refused(nowhere), "Please specify either --bootstrap-server or --bootstrap-controller");
        let verify = ReassignPartitionsArgs { verify: true, ..none() };
        assert_eq!(refused(with_broker(verify)), "Missing required argument \"[reassignment-json-file]\"");
        let verify = ReassignPartitionsArgs {
            verify: true,
            reassignment_json_file: plan(),
            throttle: Some(1),
            ..none()
        };
        let words = "Option \"[throttle]\" can't be used with action \"[verify]\"";
        assert_eq!(refused(with_broker(verify)), words);
    }

    #[test]
    fn controllers_are_asked_only_for_what_they_know() {
        let nodes = || Nodes { bootstrap_controller: vec!["c:9093".to_owned()], ..Nodes::default() };
        let list = ReassignPartitionsArgs { nodes: nodes(), list: true, ..Default::default() };
        assert_eq!(list.action(), Ok(Action::List));
        let execute = ReassignPartitionsArgs {
            nodes: nodes(),
            execute: true,
            reassignment_json_file: Some(PathBuf::from("plan.json")),
            ..Default::default()
        };
        let words = "Option \"[bootstrap-controller]\" can't be used with action \"[execute]\"";
        assert_eq!(refused(execute), words);
    }

    #[test]
    fn a_negative_pace_is_none() {
        let args = ReassignPartitionsArgs { throttle: Some(-1), timeout: Some(-5), ..Default::default() };
        assert_eq!((args.throttle(), args.timeout()), (None, Duration::ZERO));
        let args = ReassignPartitionsArgs { throttle: Some(0), ..Default::default() };
        assert_eq!((args.throttle(), args.timeout()), (Some(0), Duration::from_secs(10)));
    }
}

//! The flags of `yeoul configs`, and which of them go together.

use std::path::PathBuf;

use clap::Args;

use super::changes::{Changes, parse_additions, parse_deletions};
use super::entities::{EntityType, Name, Owners};
use super::names::EntityNames;
use crate::commands::HELP;
use crate::commands::cluster::{Nodes, read_properties};
use crate::commands::offered::Offered;
use crate::commands::table::Form;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul configs --bootstrap-server 127.0.0.1:9092 --describe --topic flights
  yeoul configs --bootstrap-server 127.0.0.1:9092 --alter --topic flights --add-config retention.ms=86400000,cleanup.policy=[compact,delete]
  yeoul configs --bootstrap-server 127.0.0.1:9092 --alter --broker-defaults --delete-config log.retention.ms
  yeoul configs --bootstrap-server 127.0.0.1:9092 --alter --user alice --add-config SCRAM-SHA-512=[iterations=8192,password=secret]
  yeoul configs --bootstrap-server 127.0.0.1:9092 --alter --user alice --client-defaults --add-config producer_byte_rate=1048576
  yeoul configs --bootstrap-server 127.0.0.1:9092 --describe --broker 1 --all --output json";

const ONE_ACTION: &str = "Command must include exactly one action: --describe, --alter";
/// What is to be done with settings, and whose.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ConfigsArgs {
    #[command(flatten)]
    pub nodes: Nodes,

    /// Tell which settings there are
    #[arg(long, help_heading = "Actions")]
    pub describe: bool,
    /// Change settings
    #[arg(long, help_heading = "Actions")]
    pub alter: bool,

    /// A topic
    #[arg(long, help_heading = "Whose")]
    pub topic: Option<String>,
    /// A broker, by its id
    #[arg(long, value_name = "ID", help_heading = "Whose")]
    pub broker: Option<String>,
    /// What all brokers start from
    #[arg(long, help_heading = "Whose")]
    pub broker_defaults: bool,
    /// The loggers of a broker, by its id
    #[arg(long, value_name = "ID", help_heading = "Whose")]
    pub broker_logger: Option<String>,
    /// A group, by its id
    #[arg(long, value_name = "ID", help_heading = "Whose")]
    pub group: Option<String>,
    /// What metrics clients are to send, by name
    #[arg(long, value_name = "NAME", help_heading = "Whose")]
    pub client_metrics: Option<String>,
    /// A client, by its id
    #[arg(long, value_name = "ID", help_heading = "Whose")]
    pub client: Option<String>,
    /// What all clients start from
    #[arg(long, help_heading = "Whose")]
    pub client_defaults: bool,
    /// A user
    #[arg(long, help_heading = "Whose")]
    pub user: Option<String>,
    /// What all users start from
    #[arg(long, help_heading = "Whose")]
    pub user_defaults: bool,
    /// An address
    #[arg(long, help_heading = "Whose")]
    pub ip: Option<String>,
    /// What all addresses start from
    #[arg(long, help_heading = "Whose")]
    pub ip_defaults: bool,
    /// The kind in words: topics, brokers, broker-loggers, groups, client-metrics, clients, users or ips
    #[arg(long, value_name = "KIND", help_heading = "Whose", hide_possible_values = true, value_parser = Offered(&["topics", "brokers", "broker-loggers", "groups", "client-metrics", "clients", "users", "ips"]))]
    pub entity_type: Vec<String>,
    #[command(flatten)]
    pub entity_names: EntityNames,

    #[arg(long, value_name = "PAIRS", help = "Settings to set; brackets keep commas together: a=1,b=[x,y]")]
    pub add_config: Option<String>,
    /// Settings to set, from a properties file
    #[arg(long, value_name = "FILE")]
    pub add_config_file: Option<PathBuf>,
    /// Settings to delete, so that the defaults hold again: a,b
    #[arg(long, value_name = "KEYS")]
    pub delete_config: Option<String>,
    /// Tell also of settings that nobody has set
    #[arg(long)]
    pub all: bool,
    /// Says nothing here: nothing is asked before a change
    #[arg(long, hide = true)]
    pub force: bool,
    #[command(flatten)]
    pub form: Form,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell of one, or of all of a kind.
    Describe { kind: EntityType, name: Option<Name> },
    /// Tell which quotas and credentials users, clients or addresses have.
    DescribeOwners(Owners),
    /// Change settings.
    Alter { kind: EntityType, name: Name, changes: Changes },
    /// Change quotas or credentials of one user, client or address.
    AlterOwner { owner: Owners, changes: Changes },
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::Usage(words.into())
}

impl ConfigsArgs {
    /// What is to be done. Refuses what does not go together in the words of Kafka's tool.
    pub fn action(&self) -> Result<Action, Failure> {
        if self.describe == self.alter {
            return Err(usage(ONE_ACTION));
        }
        self.refuse_conflicts()?;
        let (kinds, names) = (self.kinds()?, self.names());
        refuse_broker_that_is_no_number(&kinds, &names)?;
        match self.describe {
            true => self.description(&kinds, names),
            false => self.alteration(&kinds, names),
        }
    }

    fn description(&self, kinds: &[EntityType], names: Vec<Name>) -> Result<Action, Failure> {
        let listed = listed(kinds);
        if names.contains(&Name::Default) && !kinds.iter().any(|kind| kind.has_defaults()) {
            return Err(usage(format!("--entity-default must not be specified with --describe of {listed}")));
        }
        match kinds {
            [kind, ..] if !kind.has_quotas() => {
                if *kind == EntityType::BrokerLoggers && names.is_empty() {
                    return Err(usage(format!(
                        "An entity name must be specified with --describe of {listed}"
                    )));
                }
                Ok(Action::Describe { kind: *kind, name: names.into_iter().next() })
            }
            kinds if names.len() > kinds.len() => Err(usage("More entity names specified than entity types")),
            kinds => Ok(Action::DescribeOwners(owners(kinds, names))),
        }
    }

    fn alteration(&self, kinds: &[EntityType], names: Vec<Name>) -> Result<Action, Failure> {
        let has_defaults = kinds.iter().any(|kind| kind.has_defaults());
        if !names.iter().any(|name| has_defaults || *name != Name::Default) {
            return Err(usage(without_name(kinds, has_defaults)));
        }
        let changes = self.changes()?;
        let mut names = names.into_iter();
        match (kinds, names.len()) {
            (kinds, count) if count != kinds.len() => {
                Err(usage("An entity name must be specified for every entity type"))
            }
            ([kind, ..], _) if !kind.has_quotas() => {
                let name = names.next().unwrap_or(Name::Default);
                Ok(Action::Alter { kind: *kind, name, changes })
            }
            (kinds, _) => Ok(Action::AlterOwner { owner: owners(kinds, names), changes }),
        }
    }

    fn refuse_conflicts(&self) -> Result<(), Failure> {
        let with_describe =
            [("add-config", self.add_config.is_some()), ("delete-config", self.delete_config.is_some())];
        let other = with_describe.into_iter().find(|(_, is_set)| self.describe && *is_set);
        other.map_or(Ok(()), |(other, _)| {
            Err(usage(format!("Option \"[describe]\" can't be used with option \"[{other}]\"")))
        })
    }

    /// What flags of their own name, in the order in which Kafka's tool takes them.
    fn flags(&self) -> Vec<(EntityType, Name)> {
        let named = [
            (EntityType::Topics, &self.topic),
            (EntityType::Clients, &self.client),
            (EntityType::Users, &self.user),
            (EntityType::Brokers, &self.broker),
            (EntityType::BrokerLoggers, &self.broker_logger),
            (EntityType::Ips, &self.ip),
            (EntityType::ClientMetrics, &self.client_metrics),
            (EntityType::Groups, &self.group),
        ];
        let defaults = [
            (EntityType::Clients, self.client_defaults),
            (EntityType::Users, self.user_defaults),
            (EntityType::Brokers, self.broker_defaults),
            (EntityType::Ips, self.ip_defaults),
        ];
        let named = named.into_iter().filter_map(|(kind, name)| Some((kind, Name::of(name.as_ref()?))));
        let defaults = defaults.into_iter().filter(|(_, is_set)| *is_set);
        named.chain(defaults.map(|(kind, _)| (kind, Name::Default))).collect()
    }

    fn kinds(&self) -> Result<Vec<EntityType>, Failure> {
        let flags = self.flags();
        let named = self.entity_type.iter().map(|name| EntityType::parse(name));
        let kinds = named.chain(flags.iter().map(|(kind, _)| Ok(*kind))).collect::<Result<Vec<_>, _>>()?;
        let twice =
            kinds.iter().enumerate().find(|(place, kind)| kinds.iter().take(*place).any(|it| it == *kind));
        if let Some((_, kind)) = twice {
            return Err(usage(format!("Duplicate entity type(s) specified: {}", kind.name())));
        }
        if self.nodes.bootstrap_server.is_empty() && self.nodes.bootstrap_controller.is_empty() {
            return Err(usage("Either --bootstrap-server or --bootstrap-controller must be specified."));
        }
        let may_be_with_others = |kind: &EntityType| matches!(kind, EntityType::Users | EntityType::Clients);
        match kinds[..] {
            [] => return Err(usage("At least one entity type must be specified")),
            [_, _, ..] if !kinds.iter().all(may_be_with_others) => {
                return Err(usage("Only 'users' and 'clients' entity types may be specified together"));
            }
            _ => {}
        }
        let in_words = !self.entity_names.0.is_empty() || !self.entity_type.is_empty();
        if in_words && !flags.is_empty() {
            return Err(usage(
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            ));
        }
        if self.nodes.is_missing_or_double() {
            return Err(usage("Only one of --bootstrap-server or --bootstrap-controller can be specified"));
        }
        Ok(kinds)
    }

    /// The names, of which the first is for the first kind.
    fn names(&self) -> Vec<Name> {
        let by_flags = self.flags().into_iter().map(|(_, name)| name);
        self.entity_names.0.iter().cloned().chain(by_flags).collect()
    }

    fn changes(&self) -> Result<Changes, Failure> {
        let mut changes = Changes::new();
        match (&self.add_config, &self.add_config_file) {
            (Some(_), Some(_)) => {
                return Err(usage("Only one of --add-config or --add-config-file must be specified"));
            }
            (Some(pairs), None) => changes.extend(parse_additions(pairs)?),
            (None, Some(file)) => {
                let properties = read_properties(file)?;
                changes
                    .extend(properties.iter().map(|(key, value)| (key.to_owned(), Some(value.to_owned()))));
            }
            (None, None) if self.delete_config.is_none() => {
                return Err(usage(
                    "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
                ));
            }
            (None, None) => {}
        }
        changes.extend(self.delete_config.iter().flat_map(|keys| parse_deletions(keys)));
        Ok(changes)
    }
}

fn refuse_broker_that_is_no_number(kinds: &[EntityType], names: &[Name]) -> Result<(), Failure> {
    let Some(kind) = kinds.iter().find(|kind| kind.is_of_a_broker()) else { return Ok(()) };
    let kind = kind.name();
    match names.iter().filter_map(Name::named).find(|id| id.parse::<i32>().is_err()) {
        Some(id) => Err(usage(format!(
            "The entity name for {kind} must be a valid integer broker id, but it is: {id}"
        ))),
        None => Ok(()),
    }
}

fn listed(kinds: &[EntityType]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

fn without_name(kinds: &[EntityType], has_defaults: bool) -> String {
    match has_defaults {
        true => "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips"
            .to_owned(),
        false => format!("An entity name must be specified with --alter of {}", listed(kinds)),
    }
}

/// Each kind with the name at its place, as long as there are names.
fn owners(kinds: &[EntityType], names: impl IntoIterator<Item = Name>) -> Owners {
    let names = names.into_iter().map(Some).chain(std::iter::repeat(None));
    kinds.iter().copied().zip(names).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::changes::NOT_A_PAIR;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ConfigsArgs,
    }

    fn action(line: &str) -> Result<Action, Failure> {
        let words = ["configs", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args.action()
    }

    fn refusal(line: &str) -> String {
        match action(line) {
            Err(Failure::Usage(words)) => words,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        for (line, words) in [
            ("--describe --alter --topic t", ONE_ACTION),
            ("--describe", "At least one entity type must be specified"),
            (
                "--describe --topic t --add-config a=b",
                "Option \"[describe]\" can't be used with option \"[add-config]\"",
            ),
            ("--describe --entity-type topics --topic t", "Duplicate entity type(s) specified: topics"),
            (
                "--describe --topic t --broker 1",
                "Only 'users' and 'clients' entity types may be specified together",
            ),
            (
                "--alter --topic t --entity-name t --add-config a=b",
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            ),
            (
                "--describe --broker x",
                "The entity name for brokers must be a valid integer broker id, but it is: x",
            ),
            (
                "--alter --entity-type groups --add-config a=b",
                "An entity name must be specified with --alter of groups",
            ),
            (
                "--alter --entity-type brokers --add-config a=b",
                "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
            ),
            (
                "--alter --topic t",
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ),
            ("--alter --topic t --add-config a", NOT_A_PAIR),
            (
                "--alter --entity-type topics --entity-default --add-config a=b",
                "An entity name must be specified with --alter of topics",
            ),
            (
                "--alter --entity-type users --entity-name a --entity-name b --add-config a=b",
                "An entity name must be specified for every entity type",
            ),
            (
                "--describe --entity-type users --entity-name a --entity-default",
                "More entity names specified than entity types",
            ),
            ("--describe --ip a --ip-defaults", "Duplicate entity type(s) specified: ips"),
            (
                "--describe --user a --ip b",
                "Only 'users' and 'clients' entity types may be specified together",
            ),
            (
                "--describe --entity-type topics --entity-default",
                "--entity-default must not be specified with --describe of topics",
            ),
        ] {
            assert_eq!(refusal(line), words, "{line}");
        }
    }

    #[test]
    fn a_change_sets_and_deletes() {
        let changes = vec![("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)];
        let name = Name::Named("t".to_owned());
        let expected = Action::Alter { kind: EntityType::Topics, name, changes };
        assert_eq!(action("--alter --topic t --add-config a=1 --delete-config b,"), Ok(expected));
        let defaults = Action::Describe { kind: EntityType::Brokers, name: Some(Name::Default) };
        assert_eq!(action("--describe --broker-defaults"), Ok(defaults));
    }

    #[test]
    fn names_are_for_the_kinds_at_their_places() {
        let named = |name: &str| Some(Name::of(name));
        let owners = |line: &str| match action(line) {
            Ok(Action::DescribeOwners(owners)) => owners,
            other => panic!("{line}: {other:?}"),
        };
        let default_of_users = vec![(EntityType::Users, named("")), (EntityType::Clients, named("c"))];
        for line in [
            "--entity-type users --entity-default --entity-type clients --entity-name c",
            "--entity-default --entity-name c --entity-type users --entity-type clients",
        ] {
            assert_eq!(owners(&format!("--describe {line}")), default_of_users, "{line}");
        }
        let by_flags = vec![(EntityType::Users, named("u")), (EntityType::Clients, named(""))];
        assert_eq!(owners("--describe --client-defaults --user u"), by_flags);
        let of_any_client = vec![(EntityType::Users, named("u")), (EntityType::Clients, None)];
        assert_eq!(
            owners("--describe --entity-type users --entity-name u --entity-type clients"),
            of_any_client
        );
        assert_eq!(owners("--describe --entity-type ips"), [(EntityType::Ips, None)]);
    }
}

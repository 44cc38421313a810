//! `yeoul groups`: groups of every kind are listed, as with `kafka-groups`.

use std::io::{self, Write};

use clap::Args;
use protocol::messages::list_groups_response::ListedGroup;

use super::HELP;
use super::cluster::{Brokers, block_on};
use super::columns::{line, width};
use super::consumer_groups::listing;
use super::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use super::offered::Offered;
use super::table::{Form, Output};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul groups --bootstrap-server 127.0.0.1:9092 --list
  yeoul groups --bootstrap-server 127.0.0.1:9092 --list --group-type classic --protocol connect";

/// The types that groups can have.
const TYPES: [&str; 4] = ["Consumer", "Classic", "Share", "Streams"];
/// The least width of a column.
const LEAST_WIDTH: usize = 20;

/// Which groups are listed.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct GroupsArgs {
    #[command(flatten)]
    pub brokers: Brokers,
    /// Tell which groups there are
    #[arg(long)]
    pub list: bool,
    /// Only those of this type: classic, consumer, share or streams
    #[arg(long, value_name = "TYPE", hide_possible_values = true, value_parser = Offered(&["classic", "consumer", "share", "streams"]))]
    pub group_type: Option<String>,
    /// Only those whose members speak this protocol
    #[arg(long)]
    pub protocol: Option<String>,
    /// Only those of consumers, of whatever type
    #[arg(long)]
    pub consumer: bool,
    /// Only share groups
    #[arg(long)]
    pub share: bool,
    /// Only groups of Kafka Streams
    #[arg(long)]
    pub streams: bool,
    #[command(flatten)]
    pub form: Form,
}

/// Lists groups.
pub fn run(args: &GroupsArgs) -> Result<(), Failure> {
    args.check()?;
    block_on(list(args))
}

async fn list(args: &GroupsArgs) -> Result<(), Failure> {
    let mut groups = args.brokers.connect().await?.list_groups().await?;
    groups.retain(|group| args.takes(group));
    sort_as_java_map(&mut groups, USUAL_CAPACITY, |group| name_hash(&group.group_id));
    let mut out = io::stdout().lock();
    match args.form.output {
        Output::Json => writeln!(out, "{}", listing::json(&groups))?,
        Output::Text => lines(&groups).iter().try_for_each(|line| writeln!(out, "{line}"))?,
    }
    Ok(())
}

impl GroupsArgs {
    /// Refuses what does not go together, in the words of Kafka's tool.
    fn check(&self) -> Result<(), Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        if self.brokers.bootstrap_server.is_empty() {
            return usage("Missing required option(s) [bootstrap-server]");
        }
        if !self.list {
            return usage("Command must include exactly one action: --list.");
        }
        let filters = [
            ("consumer", self.consumer),
            ("share", self.share),
            ("streams", self.streams),
            ("group-type", self.group_type.is_some()),
            ("protocol", self.protocol.is_some()),
        ];
        let given: Vec<&str> =
            filters.iter().filter_map(|(name, is_given)| is_given.then_some(*name)).collect();
        // A type and a protocol go together, but not with a word that stands for both.
        if let [one @ ("consumer" | "share" | "streams"), other, ..] = given[..] {
            return usage(&format!("Option \"[{one}]\" can't be used with option \"[{other}]\""));
        }
        match &self.group_type {
            Some(given) if !TYPES.iter().any(|name| name.eq_ignore_ascii_case(given)) => {
                Err(Failure::failed("--group-type must be a valid group type."))
            }
            _ => Ok(()),
        }
    }

    fn takes(&self, group: &ListedGroup) -> bool {
        let is_type = |name: &str| group.group_type.eq_ignore_ascii_case(name);
        (!self.consumer || listing::is_of_consumers(group))
            && (!self.share || is_type("share"))
            && (!self.streams || is_type("streams"))
            && self.group_type.as_deref().is_none_or(is_type)
            && self.protocol.as_ref().is_none_or(|protocol| *protocol == group.protocol_type)
    }
}

fn lines(groups: &[ListedGroup]) -> Vec<String> {
    // All columns are as wide as the longest id.
    let width = width(groups.iter().map(|group| group.group_id.as_str()), LEAST_WIDTH);
    let row = |id, group_type, protocol| line(&[(id, width), (group_type, width), (protocol, width)]);
    // Kafka's rows end in a blank that the title has not.
    let rows = groups
        .iter()
        .map(|it| row(&it.group_id, listing::type_name(&it.group_type), &it.protocol_type) + " ");
    std::iter::once(row("GROUP", "TYPE", "PROTOCOL")).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: GroupsArgs,
    }

    fn parsed(line: &str) -> GroupsArgs {
        let words = ["g", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args
    }

    fn group(id: &str, group_type: &str, protocol: &str) -> ListedGroup {
        ListedGroup {
            group_id: id.to_owned(),
            group_type: group_type.to_owned(),
            protocol_type: protocol.to_owned(),
            ..ListedGroup::default()
        }
    }

    fn taken(line: &str) -> Vec<&'static str> {
        let args = parsed(line);
        let all = [
            ("c", "Classic", "consumer"),
            ("n", "Consumer", "consumer"),
            ("w", "Classic", "connect"),
            ("s", "Share", "share"),
        ];
        let taken = all.into_iter().filter(|(id, kind, protocol)| args.takes(&group(id, kind, protocol)));
        taken.map(|(id, ..)| id).collect()
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        for (line, words) in [
            ("", "Command must include exactly one action: --list."),
            ("--list --consumer --share", "Option \"[consumer]\" can't be used with option \"[share]\""),
            (
                "--list --consumer --group-type classic",
                "Option \"[consumer]\" can't be used with option \"[group-type]\"",
            ),
        ] {
            assert_eq!(parsed(line).check(), Err(Failure::Usage(words.to_owned())), "{line}");
        }
        assert!(parsed("--list --group-type classic --protocol consumer").check().is_ok());
        assert!(parsed("--list --group-type foo").check().is_err());
    }

    #[test]
    fn groups_are_chosen_by_type_and_protocol() {
        assert_eq!(taken("--list"), ["c", "n", "w", "s"]);
        assert_eq!(taken("--list --consumer"), ["c", "n"]);
        assert_eq!(taken("--list --share"), ["s"]);
        assert_eq!(taken("--list --streams"), Vec::<&str>::new());
        assert_eq!(taken("--list --group-type CLASSIC"), ["c", "w"]);
        assert_eq!(taken("--list --group-type classic --protocol connect"), ["w"]);
    }

    #[test]
    fn the_table_is_that_of_apache_kafka() {
        assert_eq!(
            lines(&[group("g", "Classic", "consumer")]),
            [
                "GROUP                TYPE                 PROTOCOL            ",
                "g                    Classic              consumer             ",
            ]
        );
    }
}

//! The habits of Kafka's command lines that clap does not have by itself.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, Parser};

/// The commands whose tools at Kafka's read their flags by jopt-simple; the others read them by argparse4j, as clap does.
const BY_JOPT: [&str; 16] = [
    "broker-api-versions",
    "client-metrics",
    "configs",
    "console-consumer",
    "console-producer",
    "consumer-groups",
    "consumer-perf-test",
    "delete-records",
    "dump-log",
    "e2e-latency",
    "get-offsets",
    "groups",
    "leader-election",
    "log-dirs",
    "reassign-partitions",
    "topics",
];

/// Parses the words of a line. For tools that do so at Kafka's, the word after a flag that takes a value is its value even if it
/// begins with a hyphen, and a flag without a value may be there twice.
///
/// # Errors
/// What clap says of a line that makes no sense, or that asks for help.
pub fn parse<C: Parser>(line: &[OsString]) -> Result<C, clap::Error> {
    let mut command = C::command().mut_subcommands(with_habits);
    let mut matches = command.try_get_matches_from_mut(line)?;
    C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn with_habits(command: Command) -> Command {
    if BY_JOPT.contains(&command.get_name()) { command.mut_args(with_habit) } else { command }
}

fn with_habit(arg: Arg) -> Arg {
    let takes_one =
        arg.get_action().takes_values() && arg.get_num_args().is_none_or(|count| count == 1.into());
    let id = arg.get_id().clone();
    match arg.get_action() {
        ArgAction::SetTrue => arg.overrides_with(id),
        _ if takes_one && !arg.is_positional() => arg.allow_hyphen_values(true),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        tool: Tool,
    }

    #[derive(Debug, PartialEq, Eq, clap::Subcommand)]
    enum Tool {
        Topics(Flags),
        Features(Flags),
    }

    #[derive(Debug, PartialEq, Eq, clap::Args)]
    struct Flags {
        #[arg(long)]
        list: bool,
        #[arg(long)]
        topic: Option<String>,
        #[arg(long, num_args = 0..=1)]
        state: Option<Option<String>>,
    }

    fn told(words: &str) -> Option<Tool> {
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        parse::<Line>(&words).ok().map(|line| line.tool)
    }

    #[test]
    fn a_value_may_begin_with_a_hyphen_and_a_flag_may_be_there_twice() {
        let flags = Flags { list: true, topic: Some("-t".to_owned()), state: None };
        assert_eq!(told("yeoul topics --list --topic -t --list"), Some(Tool::Topics(flags)));
        assert_eq!(told("yeoul features --list --topic -t"), None);
        assert_eq!(told("yeoul features --list --list"), None);
    }

    #[test]
    fn a_flag_whose_value_may_be_left_out_takes_no_flag_for_it() {
        let flags = Flags { list: true, topic: None, state: Some(None) };
        assert_eq!(told("yeoul topics --state --list"), Some(Tool::Topics(flags)));
        assert_eq!(told("yeoul topics --topic"), None);
        assert_eq!(told("yeoul topics --topic a --topic b"), None);
    }
}

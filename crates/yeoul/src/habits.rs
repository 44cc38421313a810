//! The habits of Kafka's command lines that clap does not have by itself.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command, Parser};

use crate::{commands, old_names};

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
/// begins with a hyphen, a flag without a value may be there twice, a long flag may begin with one hyphen, and a word that belongs
/// to no flag says nothing. For the others the begin of a flag's name is enough.
///
/// # Errors
/// What clap says of a line that makes no sense, or that asks for help.
pub fn parse<C: Parser>(line: &[OsString]) -> Result<C, clap::Error> {
    let mut command = C::command().mut_subcommands(with_habits);
    let line = as_clap_reads(&command, line);
    let mut matches = command.try_get_matches_from_mut(line)?;
    C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn with_habits(command: Command) -> Command {
    match command.get_name() {
        name if BY_JOPT.contains(&name) => command.mut_args(with_habit),
        name if commands::is_kafka_tool(name) => with_short_names(command),
        _ => command,
    }
}

/// A flag by the begin of its name, if no other begins so: argparse4j knows it by that.
fn with_short_names(command: Command) -> Command {
    command.infer_long_args(true).mut_subcommands(with_short_names)
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

/// The line as clap is to read it: the words of a tool that reads its own by jopt-simple are put as clap has them.
fn as_clap_reads(command: &Command, line: &[OsString]) -> Vec<OsString> {
    let tool = line.iter().enumerate().find_map(|(at, word)| {
        let tool = command.find_subcommand(word).filter(|tool| BY_JOPT.contains(&tool.get_name()))?;
        Some((at + 1, tool))
    });
    let Some((begin, tool)) = tool else { return line.to_vec() };
    if let Some(words) = old_names::positions(&line[begin - 1..]) {
        return [line[..begin].to_vec(), words].concat();
    }
    let flags: Vec<&Arg> = tool.get_arguments().chain(command.get_arguments()).collect();
    [line[..begin].to_vec(), as_flags(&flags, &line[begin..])].concat()
}

/// The flags of a line with two hyphens, and their values.
fn as_flags(flags: &[&Arg], words: &[OsString]) -> Vec<OsString> {
    let mut told = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let Some((flag, spelled)) = flag_of(flags, word) else {
            // A flag that is not known is refused; any other word says nothing.
            if begins_with_a_hyphen(word) {
                told.push(word.clone());
            }
            continue;
        };
        told.push(spelled);
        let is_complete = !flag.get_action().takes_values() || has_value(word);
        if is_complete {
            continue;
        }
        let may_be_left_out = flag.get_num_args().is_some_and(|count| count.min_values() == 0);
        if let Some(value) = words.next_if(|next| !may_be_left_out || !begins_with_a_hyphen(next)) {
            told.push(value.clone());
        }
    }
    told
}

/// The long flag that a word names, by one hyphen or two, and the word with two.
fn flag_of<'a>(flags: &[&'a Arg], word: &OsStr) -> Option<(&'a Arg, OsString)> {
    let text = word.to_str()?;
    let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let name = bare.split_once('=').map_or(bare, |(name, _)| name);
    let is_named = |flag: &&&Arg| {
        let aliases = flag.get_all_aliases().unwrap_or_default();
        flag.get_long() == Some(name) || aliases.contains(&name)
    };
    let flag = flags.iter().find(is_named)?;
    Some((flag, OsString::from(format!("--{bare}"))))
}

fn has_value(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.contains('='))
}

fn begins_with_a_hyphen(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && word != "-"
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
    fn a_long_flag_may_begin_with_one_hyphen_and_words_of_no_flag_say_nothing() {
        let flags = || Flags { list: true, topic: Some("a".to_owned()), state: None };
        assert_eq!(told("yeoul topics -list -topic a"), Some(Tool::Topics(flags())));
        assert_eq!(
            told("yeoul topics list --list b -topic=a c - -- --nonsense"),
            Some(Tool::Topics(flags()))
        );
        assert_eq!(told("yeoul topics --list --topic a -x"), None);
        assert_eq!(told("yeoul features --list a"), None);
        let open = Flags { state: Some(Some("Empty".to_owned())), ..flags() };
        assert_eq!(told("yeoul topics -state Empty a -list -topic a"), Some(Tool::Topics(open)));
    }

    #[test]
    fn the_begin_of_a_flag_is_enough_where_argparse4j_reads() {
        let flags = Flags { list: true, topic: Some("a".to_owned()), state: None };
        assert_eq!(told("yeoul features --li --to a"), Some(Tool::Features(flags)));
        assert_eq!(told("yeoul topics --li"), None);
    }

    #[test]
    fn a_flag_whose_value_may_be_left_out_takes_no_flag_for_it() {
        let flags = Flags { list: true, topic: None, state: Some(None) };
        assert_eq!(told("yeoul topics --state --list"), Some(Tool::Topics(flags)));
        assert_eq!(told("yeoul topics --topic"), None);
        assert_eq!(told("yeoul topics --topic a --topic b"), None);
    }
}

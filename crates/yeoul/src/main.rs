//! The program: the server, and the tools that Kafka's users know.

mod commands;
mod failure;
mod habits;
#[cfg(test)]
mod house_style;
mod interrupt;
mod logging;
mod old_names;
mod progress;
mod topic_filter;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Parser};

use commands::Command;
use failure::Failure;
use logging::LogArgs;

/// The exit code where the command line makes no sense.
const EXIT_USAGE: u8 = 2;
/// The exit code of any other failure. Tools that imitate Kafka's know no other code.
const EXIT_FAILURE: u8 = 1;

/// A Kafka-compatible broker that acknowledges what is on disk, and its tools.
#[derive(Debug, Parser)]
#[command(
    name = "yeoul",
    version,
    propagate_version = true,
    help_template = commands::HELP,
    before_help = EXAMPLES,
    disable_help_flag = true,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Print help
    // The short form for both names: a flag takes a line or two, whatever it may be set to.
    #[arg(long, short, global = true, display_order = 999, action = ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
  yeoul server
  yeoul topics --bootstrap-server 127.0.0.1:9092 --create --topic flights --partitions 6
  echo 'UA 1545' | yeoul console-producer --bootstrap-server 127.0.0.1:9092 --topic flights
  yeoul console-consumer --bootstrap-server 127.0.0.1:9092 --topic flights --from-beginning";

fn main() -> ExitCode {
    let line = words_of_line(std::env::args_os().collect());
    let cli = match habits::parse::<Cli>(&line) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, line),
    };
    let imitates_kafka = cli.command.imitates_kafka();
    let loggers = match logging::start(&cli.log, cli.command.is_server()) {
        Ok(loggers) => loggers,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match tell_old_names(&line).and_then(|()| cli.command.run(loggers)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(imitates_kafka),
    }
}

/// Says where a flag is given by a name that Kafka is giving up.
fn tell_old_names(line: &[OsString]) -> Result<(), Failure> {
    let told = old_names::told(line).map_err(Failure::Usage)?;
    // What a program is to read has standard output for itself.
    if line.iter().any(|word| word == "json" || word == "--output=json") {
        told.iter().for_each(|sentence| failure::say(format_args!("{sentence}")));
        return Ok(());
    }
    Ok(told.iter().try_for_each(|sentence| writeln!(io::stdout(), "{sentence}"))?)
}

/// The command line, with the command in its place where the program is called by the name of a script of Kafka's.
fn words_of_line(arguments: Vec<OsString>) -> Vec<OsString> {
    let script = arguments.first().and_then(|path| Path::new(path).file_name()?.to_str());
    match script.and_then(commands::command_called) {
        Some(command) => {
            let name = ["yeoul", command].map(OsString::from);
            name.into_iter().chain(arguments.into_iter().skip(1)).collect()
        }
        None => arguments,
    }
}

/// Says what is wrong with the command line, or what help was asked for.
fn refuse(error: &clap::Error, line: Vec<OsString>) -> ExitCode {
    let imitates_kafka = names_kafka_tool(line.into_iter());
    let told = match error.kind() {
        // Scripts read it, so that it is what Kafka's tools print.
        ErrorKind::DisplayVersion if imitates_kafka => writeln!(io::stdout(), "{}", commands::KAFKA_RELEASE),
        _ => error.print(),
    };
    match (error.kind(), told) {
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Ok(())) => ExitCode::SUCCESS,
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Err(error)) => {
            Failure::from(error).report(imitates_kafka)
        }
        _ => ExitCode::from(usage_code(imitates_kafka)),
    }
}

/// The exit code for a command line that could not be parsed.
fn usage_code(imitates_kafka: bool) -> u8 {
    if imitates_kafka { EXIT_FAILURE } else { EXIT_USAGE }
}

/// Whether the command line is that of a command that imitates a tool of Kafka's.
fn names_kafka_tool(arguments: impl Iterator<Item = OsString>) -> bool {
    let is_tool = |argument: OsString| argument.to_str().is_some_and(commands::is_kafka_tool);
    arguments.skip(1).any(is_tool)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn code(line: &str) -> u8 {
        usage_code(names_kafka_tool(line.split(' ').map(OsString::from)))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bad_line_ends_a_kafka_tool_with_1_and_anything_else_with_2() {
        assert_eq!(code("yeoul topics --nonsense"), 1);
        assert_eq!(code("yeoul --log-level debug console-consumer"), 1);
        assert_eq!(code("yeoul server --nonsense"), 2);
        assert_eq!(code("yeoul"), 2);
    }

    #[test]
    fn called_by_the_name_of_a_script_it_is_that_tool() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(words_of_line(words("/opt/bin/kafka-topics.sh --list")), words("yeoul topics --list"));
        assert_eq!(words_of_line(words("kafka-topics")), words("yeoul topics"));
        assert_eq!(words_of_line(words("./yeoul topics --list")), words("./yeoul topics --list"));
    }

    #[test]
    fn every_tool_that_imitates_kafka_is_a_command() {
        let known = Cli::command();
        for name in commands::KAFKA_TOOLS {
            assert!(known.find_subcommand(name).is_some(), "{name}");
        }
    }
}

//! The program: the server, and the tools that Kafka's users know.

mod commands;
mod failure;
mod interrupt;
mod logging;
mod topic_filter;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use commands::Command;
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
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
struct Cli {
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let imitates_kafka = cli.command.imitates_kafka();
    if let Err(error) = logging::start(&cli.log, cli.command.is_server()) {
        eprintln!("{error}");
        return ExitCode::from(EXIT_USAGE);
    }
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(imitates_kafka),
    }
}

/// Says what is wrong with the command line, or what help was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    // Where even the terminal is gone there is nobody left to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(usage_code(std::env::args_os())),
    }
}

/// The exit code for a command line that could not be parsed.
fn usage_code(arguments: impl Iterator<Item = OsString>) -> u8 {
    let names_tool = |argument: OsString| argument.to_str().is_some_and(commands::is_kafka_tool);
    if arguments.skip(1).any(names_tool) { EXIT_FAILURE } else { EXIT_USAGE }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn code(line: &str) -> u8 {
        usage_code(line.split(' ').map(OsString::from))
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
    fn every_tool_that_imitates_kafka_is_a_command() {
        let known = Cli::command();
        for name in commands::KAFKA_TOOLS {
            assert!(known.find_subcommand(name).is_some(), "{name}");
        }
    }
}

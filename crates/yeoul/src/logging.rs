//! What the program tells of itself: for people on a terminal, as JSON for machines.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Where a level or a list of `target=level` is taken from when no flag gives one.
const ENVIRONMENT: &str = "YEOUL_LOG";

/// What is told less of: how the library of the quorum goes about its work is of no concern to an operator.
const QUIET: &str = "openraft=warn";

/// How much is told, and in which form.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// What is logged: error, warn, info, debug, trace, or a list as `info,client=debug`
    #[arg(long, global = true, env = ENVIRONMENT, hide_env_values = true, value_name = "LEVEL", help_heading = "Logging")]
    pub log_level: Option<String>,
    /// How it is written: text or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        help_heading = "Logging"
    )]
    pub log_format: LogFormat,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts to log: the server to standard output from INFO on, a tool to standard error from WARN on.
///
/// # Errors
/// A sentence that says what is wrong with the level.
pub fn start(args: &LogArgs, is_server: bool) -> Result<(), String> {
    let usual = if is_server { LevelFilter::INFO } else { LevelFilter::WARN };
    let filter = filter(args.log_level.as_deref(), usual)?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_server {
        write(args.log_format, filter, io::stdout, colour && io::stdout().is_terminal(), true);
    } else {
        write(args.log_format, filter, io::stderr, colour && io::stderr().is_terminal(), false);
    }
    Ok(())
}

fn filter(levels: Option<&str>, usual: LevelFilter) -> Result<EnvFilter, String> {
    let builder = EnvFilter::builder().with_default_directive(usual.into());
    let levels = levels.unwrap_or(QUIET);
    builder.parse(levels).map_err(|error| format!("the log level `{levels}` cannot be read: {error}"))
}

fn write<W>(format: LogFormat, filter: EnvFilter, writer: W, colour: bool, with_time: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(BoxMakeWriter::new(writer))
        .with_ansi(colour)
        .with_target(false)
        .log_internal_errors(false);
    match format {
        LogFormat::Json => lines.json().with_target(true).flatten_event(true).init(),
        LogFormat::Text if with_time => lines.init(),
        LogFormat::Text => lines.without_time().init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_can_be_given_for_all_and_for_one_room() {
        assert_eq!(filter(None, LevelFilter::WARN).unwrap().max_level_hint(), Some(LevelFilter::WARN));
        assert_eq!(
            filter(Some("debug"), LevelFilter::WARN).unwrap().max_level_hint(),
            Some(LevelFilter::DEBUG)
        );
        let one = filter(Some("client=trace"), LevelFilter::WARN).unwrap();
        assert_eq!(one.max_level_hint(), Some(LevelFilter::TRACE));
        assert!(filter(Some("loud=very"), LevelFilter::WARN).is_err());
    }
}

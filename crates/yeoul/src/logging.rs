//! What the program tells of itself: for people on a terminal, as JSON for machines.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use config::{LogLevel, LogLevels, is_logger};
use server::Loggers;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, reload};

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
pub fn start(args: &LogArgs, is_server: bool) -> Result<Loggers, String> {
    let usual = if is_server { LevelFilter::INFO } else { LevelFilter::WARN };
    let directives = directives(args.log_level.as_deref(), usual);
    let filter = filter(&directives, usual)?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let change = if is_server {
        write(args.log_format, filter, io::stdout, colour && io::stdout().is_terminal(), true)
    } else {
        write(args.log_format, filter, beside_progress, colour && io::stderr().is_terminal(), false)
    };
    let at_start = levels(&directives, usual);
    let apply = move |levels: &LogLevels| {
        if let Ok(filter) = self::filter(&all(&directives, levels), usual) {
            change(filter);
        }
    };
    Ok(Loggers::new(at_start, apply))
}

/// A line of the log does not go behind the one that shows how far work has come.
fn beside_progress() -> io::Stderr {
    crate::progress::hide();
    io::stderr()
}

/// The usual level would count only if there were no other directive.
fn directives(levels: Option<&str>, usual: LevelFilter) -> String {
    levels.map_or_else(|| format!("{usual},{QUIET}"), str::to_owned)
}

fn filter(directives: &str, usual: LevelFilter) -> Result<EnvFilter, String> {
    let builder = EnvFilter::builder().with_default_directive(usual.into());
    builder.parse(directives).map_err(|error| format!("the log level `{directives}` cannot be read: {error}"))
}

/// The levels of the loggers by directives of which some may be for parts of loggers, or for spans.
fn levels(directives: &str, usual: LevelFilter) -> LogLevels {
    let targets: Targets = directives.parse().unwrap_or_default();
    let mut levels = LogLevels::new(level_of(targets.default_level().unwrap_or(usual)));
    targets.iter().for_each(|(target, level)| levels.set(target, Some(level_of(level))));
    levels
}

/// The directives with these levels in the place of those that they have for loggers.
fn all(directives: &str, levels: &LogLevels) -> String {
    let is_finer = |directive: &&str| {
        let target = directive.split_once('=').map_or("", |(target, _)| target);
        !target.is_empty() && !is_logger(target)
    };
    let finer = directives.split(',').filter(is_finer).map(str::to_owned);
    let own = levels.own().map(|(logger, level)| format!("{logger}={}", filter_of(level)));
    let root = filter_of(levels.root()).to_string();
    [root].into_iter().chain(own).chain(finer).collect::<Vec<_>>().join(",")
}

fn level_of(filter: LevelFilter) -> LogLevel {
    match filter {
        LevelFilter::OFF => LogLevel::Fatal,
        LevelFilter::ERROR => LogLevel::Error,
        LevelFilter::WARN => LogLevel::Warn,
        LevelFilter::INFO => LogLevel::Info,
        LevelFilter::DEBUG => LogLevel::Debug,
        _ => LogLevel::Trace,
    }
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Fatal => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Gives what is written another filter.
type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// Writes lines from now on.
fn write<W>(format: LogFormat, filter: EnvFilter, writer: W, colour: bool, with_time: bool) -> Change
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(BoxMakeWriter::new(writer))
        .with_ansi(colour)
        .with_target(false)
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Json => lines.json().with_target(true).flatten_event(true).boxed(),
        LogFormat::Text if with_time => lines.boxed(),
        LogFormat::Text => lines.without_time().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    // Nobody is left to be told once the subscriber is gone.
    Box::new(move |filter| drop(handle.reload(filter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(levels: Option<&str>, usual: LevelFilter) -> Result<EnvFilter, String> {
        filter(&directives(levels, usual), usual)
    }

    #[test]
    fn a_level_can_be_given_for_all_and_for_one_room() {
        for usual in [LevelFilter::WARN, LevelFilter::INFO] {
            assert_eq!(parsed(None, usual).unwrap().max_level_hint(), Some(usual));
        }
        assert_eq!(
            parsed(Some("debug"), LevelFilter::WARN).unwrap().max_level_hint(),
            Some(LevelFilter::DEBUG)
        );
        let one = parsed(Some("client=trace"), LevelFilter::WARN).unwrap();
        assert_eq!(one.max_level_hint(), Some(LevelFilter::TRACE));
        assert!(parsed(Some("loud=very"), LevelFilter::WARN).is_err());
    }

    #[test]
    fn levels_are_those_of_the_start_until_they_are_changed() {
        let given = "warn,server=debug,server::net=trace,storage=off";
        let mut levels = levels(given, LevelFilter::INFO);
        let own: Vec<(&str, LogLevel)> = levels.own().collect();
        assert_eq!(levels.root(), LogLevel::Warn);
        assert_eq!(own, [("server", LogLevel::Debug), ("storage", LogLevel::Fatal)]);
        levels.set("root", Some(LogLevel::Error));
        levels.set("server", None);
        levels.set("quorum", Some(LogLevel::Info));
        let told = all(given, &levels);
        assert_eq!(told, "error,quorum=info,storage=off,server::net=trace");
        assert!(filter(&told, LevelFilter::INFO).is_ok());
    }
}

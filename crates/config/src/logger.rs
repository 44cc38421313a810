//! The loggers of a node and how much each says, which may change while it runs (KIP-412).

use std::collections::BTreeMap;
use std::fmt;

/// The logger that all others fall back to.
pub const ROOT_LOGGER: &str = "root";
/// The others: the rooms of the program that have something to say, and the library of the quorum.
pub const LOGGERS: [&str; 5] = ["openraft", "quorum", "server", "storage", "yeoul"];

/// Whether there is a logger of this name.
pub fn is_logger(name: &str) -> bool {
    name == ROOT_LOGGER || LOGGERS.contains(&name)
}

/// How much a logger says: what is as grave as this, and graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing: no line is as grave.
    Fatal,
    /// What failed.
    Error,
    /// What is wrong.
    Warn,
    /// What an operator wants to know.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// In the order of their names, as Kafka lists them.
    pub const ALL: [LogLevel; 6] =
        [LogLevel::Debug, LogLevel::Error, LogLevel::Fatal, LogLevel::Info, LogLevel::Trace, LogLevel::Warn];

    /// From Kafka's name, which is in capitals.
    pub fn from_name(name: &str) -> Option<LogLevel> {
        LogLevel::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Fatal => "FATAL",
            LogLevel::Error => "ERROR",
            LogLevel::Warn => "WARN",
            LogLevel::Info => "INFO",
            LogLevel::Debug => "DEBUG",
            LogLevel::Trace => "TRACE",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The levels of all loggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    root: LogLevel,
    own: BTreeMap<&'static str, LogLevel>,
}

impl LogLevels {
    /// All say as much.
    pub fn new(root: LogLevel) -> LogLevels {
        LogLevels { root, own: BTreeMap::new() }
    }

    /// Gives a logger a level of its own, or with none takes it back. Names that are no loggers and a root without a level change
    /// nothing.
    pub fn set(&mut self, logger: &str, level: Option<LogLevel>) {
        if logger == ROOT_LOGGER {
            self.root = level.unwrap_or(self.root);
        }
        let Some(known) = LOGGERS.into_iter().find(|known| *known == logger) else { return };
        match level {
            Some(level) => drop(self.own.insert(known, level)),
            None => drop(self.own.remove(known)),
        }
    }

    /// The level that all loggers have that have none of their own.
    pub fn root(&self) -> LogLevel {
        self.root
    }

    /// The loggers that have a level of their own.
    pub fn own(&self) -> impl Iterator<Item = (&'static str, LogLevel)> {
        self.own.iter().map(|(logger, level)| (*logger, *level))
    }

    /// Every logger and the level that counts for it, sorted by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, LogLevel)> {
        let mut names = [&LOGGERS[..], &[ROOT_LOGGER]].concat();
        names.sort_unstable();
        names.into_iter().map(|name| (name, self.own.get(name).copied().unwrap_or(self.root)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_without_a_level_of_its_own_has_that_of_the_root() {
        let mut levels = LogLevels::new(LogLevel::Info);
        levels.set("openraft", Some(LogLevel::Warn));
        levels.set("storage", Some(LogLevel::Trace));
        levels.set("nobody", Some(LogLevel::Trace));
        levels.set(ROOT_LOGGER, Some(LogLevel::Error));
        levels.set(ROOT_LOGGER, None);
        levels.set("storage", None);
        let told: Vec<String> = levels.all().map(|(logger, level)| format!("{logger}={level}")).collect();
        let expected =
            ["openraft=WARN", "quorum=ERROR", "root=ERROR", "server=ERROR", "storage=ERROR", "yeoul=ERROR"];
        assert_eq!(told, expected);
    }

    #[test]
    fn levels_have_kafkas_names_in_capitals_only() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::from_name(level.name()), Some(level));
        }
        assert_eq!(LogLevel::from_name("info"), None);
    }
}

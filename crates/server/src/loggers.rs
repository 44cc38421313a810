//! How much the loggers of this process say, as it is asked for and changed over the network (KIP-412).

use std::fmt;
use std::sync::Arc;

use config::{LogLevel, LogLevels};
use parking_lot::Mutex;

/// The levels, and how the process is told of them. Clones are the same.
#[derive(Clone)]
pub struct Loggers(Arc<Inner>);

struct Inner {
    levels: Mutex<LogLevels>,
    apply: Box<dyn Fn(&LogLevels) + Send + Sync>,
}

impl Loggers {
    /// Loggers that have these levels, and a function that gives them others.
    pub fn new(levels: LogLevels, apply: impl Fn(&LogLevels) + Send + Sync + 'static) -> Loggers {
        Loggers(Arc::new(Inner { levels: Mutex::new(levels), apply: Box::new(apply) }))
    }

    /// The levels that hold now.
    pub(crate) fn levels(&self) -> LogLevels {
        self.0.levels.lock().clone()
    }

    /// Gives loggers levels of their own, or takes them back.
    pub(crate) fn set<'a>(&self, changes: impl Iterator<Item = (&'a str, Option<LogLevel>)>) {
        let mut levels = self.0.levels.lock();
        changes.for_each(|(logger, level)| levels.set(logger, level));
        (self.0.apply)(&levels);
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loggers({:?})", self.0.levels.lock())
    }
}

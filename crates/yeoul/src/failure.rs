//! How a command ends other than well.

use std::fmt::{self, Display};
use std::io;
use std::process::ExitCode;

use client::ClientError;

use crate::{EXIT_FAILURE, EXIT_USAGE};

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// What was asked makes no sense.
    Usage(String),
    /// It was tried, and this came of it.
    Failed(String),
    /// The command has told itself on standard output what is wrong.
    Told,
    /// A signal asked to stop, and everything was put in order before. With the exit code of that signal.
    Interrupted(u8),
    /// Nobody reads the output any more, which is for the reader to decide: no failure.
    ClosedPipe,
}

impl Failure {
    /// Something was tried and did not work.
    pub fn failed(reason: impl Display) -> Failure {
        Failure::Failed(reason.to_string())
    }

    /// Says on standard error what there is to say, and gives the exit code.
    pub fn report(self, imitates_kafka: bool) -> ExitCode {
        match self {
            Failure::Usage(reason) => {
                say(format_args!("{reason}\n\nSee --help for what can be asked."));
                ExitCode::from(if imitates_kafka { EXIT_FAILURE } else { EXIT_USAGE })
            }
            Failure::Failed(reason) => {
                say(format_args!("{reason}"));
                ExitCode::from(EXIT_FAILURE)
            }
            Failure::Told => ExitCode::from(EXIT_FAILURE),
            Failure::Interrupted(code) => ExitCode::from(code),
            Failure::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

/// A line on standard error; unlike `eprintln!` it does not panic where that is closed.
pub fn say(line: fmt::Arguments<'_>) {
    use std::io::Write;
    crate::progress::hide();
    let _ = writeln!(io::stderr(), "{line}");
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_failure() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::ClosedPipe);
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)), Failure::Failed(_)));
    }
}

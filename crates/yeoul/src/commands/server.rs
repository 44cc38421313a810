//! `yeoul server`: a broker on this machine.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul server
  yeoul server --data /var/lib/yeoul
  yeoul server server.properties --override listeners=PLAINTEXT://127.0.0.1:9192";

/// Where a broker's settings come from.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct ServerArgs {
    /// Kafka's `server.properties`; without one the broker serves this machine alone
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A setting in place of the file's
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// The directory of the data, in place of `log.dirs`
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Runs the broker until it is told to stop.
pub fn run(args: ServerArgs) -> Result<(), Failure> {
    let overrides = args.overrides.iter().map(|text| setting(text)).collect::<Result<Vec<_>, _>>()?;
    tracing::debug!(file = ?args.file, data = ?args.data, ?overrides, "what was asked for");
    Err(Failure::failed("this build has no broker yet"))
}

/// `key=value` as the two.
fn setting(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::Usage(format!("`{text}` is not of the form key=value"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_cut_at_the_first_equals_sign() {
        let key_and_value = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(setting("a=b=c"), key_and_value("a", "b=c"));
        assert_eq!(setting("a="), key_and_value("a", ""));
        assert!(setting("a").is_err() && setting("=b").is_err());
    }
}

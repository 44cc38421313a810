//! `yeoul storage recover`: what only our journal holds goes into Kafka's files, so that Apache Kafka can start on them.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use host::Host;
use serde_json::{Value, json};
use storage::files::meta_properties;
use storage::{LogDirOptions, RecoveryReport};

use super::{directories, read_config};
use crate::commands::HELP;
use crate::commands::table::{Form, Output, Table};
use crate::failure::Failure;
use crate::progress::Work;

const EXAMPLES: &str = "\
  yeoul storage recover --config server.properties
  yeoul storage recover --log-dir /var/lib/kafka/data";

/// Which directories are to be recovered.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct RecoverArgs {
    /// Kafka's `server.properties`, which names them
    #[arg(long, short, value_name = "FILE", required_unless_present = "log_dir")]
    config: Option<PathBuf>,
    /// A log directory
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    log_dir: Vec<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// Recovers one directory after the other, and tells what each had to say.
pub fn run(host: &Host, args: &RecoverArgs, out: &mut impl Write) -> Result<(), Failure> {
    let paths = match &args.config {
        Some(file) => directories(&read_config(file)?),
        None => args.log_dir.clone(),
    };
    // None is touched unless all are what they should be.
    paths.iter().try_for_each(|path| check(path))?;
    let mut table = Table::new(&[
        "LogDir",
        "Clean",
        "Logs",
        "ReplayedBatches",
        "ReplayedBytes",
        "TruncatedBytes",
        "TookMs",
    ]);
    for path in &paths {
        let mut work = Work::new(format!("recovering {}", path.display()));
        let report = work.busy_step(|| storage::recover(host.clone(), path, LogDirOptions::default()));
        let report = report.map_err(Failure::failed)?;
        match args.form.output {
            Output::Text => writeln!(out, "{}", line(path, &report))?,
            Output::Json => table.add(row(path, &report)),
        }
    }
    match args.form.output {
        Output::Text => Ok(()),
        Output::Json => Ok(write!(out, "{}", table.show(Output::Json))?),
    }
}

fn check(path: &Path) -> Result<(), Failure> {
    let problem = match (path.is_dir(), path.join(meta_properties::NAME).exists()) {
        (false, _) => "is not a directory",
        (_, false) => "is not formatted.",
        _ => return Ok(()),
    };
    Err(Failure::Failed(format!("{} {problem}", path.display())))
}

fn row(path: &Path, report: &RecoveryReport) -> [Value; 7] {
    let RecoveryReport { clean, logs, replayed_batches, replayed_bytes, truncated_bytes, took, .. } = report;
    [
        json!(path),
        json!(clean),
        json!(logs),
        json!(replayed_batches),
        json!(replayed_bytes),
        json!(truncated_bytes),
        json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    ]
}

fn line(path: &Path, report: &RecoveryReport) -> String {
    let path = path.display();
    let logs = report.logs;
    if report.clean {
        return format!("{path}: was stopped in order, {logs} logs");
    }
    let RecoveryReport { replayed_batches, replayed_bytes, truncated_bytes, took, .. } = report;
    format!(
        "{path}: recovered {logs} logs in {} ms, {replayed_batches} batches ({replayed_bytes} bytes) from the journal, \
         {truncated_bytes} bytes cut off",
        took.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_done_is_one_line() {
        let crashed = RecoveryReport {
            logs: 3,
            replayed_batches: 2,
            replayed_bytes: 99,
            truncated_bytes: 5,
            took: Duration::from_millis(12),
            ..RecoveryReport::default()
        };
        assert_eq!(
            line(Path::new("/d"), &crashed),
            "/d: recovered 3 logs in 12 ms, 2 batches (99 bytes) from the journal, 5 bytes cut off"
        );
        let clean = RecoveryReport { clean: true, logs: 1, ..RecoveryReport::default() };
        assert_eq!(line(Path::new("/d"), &clean), "/d: was stopped in order, 1 logs");
    }

    #[test]
    fn a_directory_that_is_not_a_log_directory_is_refused() {
        let refused = check(Path::new("/nonexistent/directory"));
        assert_eq!(refused, Err(Failure::failed("/nonexistent/directory is not a directory")));
    }
}

//! `yeoul delete-records`: records are deleted from the front of logs, as with `kafka-delete-records`.

mod offsets;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use client::{ByPlace, Place};
use serde_json::{Value, json};

use super::HELP;
use super::cluster::{Brokers, block_on};
use super::refusals;
use super::table::{Form, Output};
use crate::failure::Failure;
use crate::progress::waiting;

const EXAMPLES: &str = "\
  yeoul delete-records --bootstrap-server 127.0.0.1:9092 --topic flights --partition 0 --before-offset 1000
  yeoul delete-records --bootstrap-server 127.0.0.1:9092 --offset-json-file offsets.json

  where offsets.json is {\"partitions\": [{\"topic\": \"flights\", \"partition\": 0, \"offset\": 1000}], \"version\": 1}";

/// Which records are deleted.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct DeleteRecordsArgs {
    #[command(flatten)]
    pub brokers: Brokers,
    /// The first offset that is kept of each partition; -1 keeps none
    #[arg(long, value_name = "FILE", conflicts_with = "topic")]
    pub offset_json_file: Option<PathBuf>,
    /// A topic, in place of the file
    #[arg(long, requires_all = ["partition", "before_offset"])]
    pub topic: Option<String>,
    /// Its partition
    #[arg(long, value_name = "N", requires = "topic")]
    pub partition: Option<i32>,
    /// The first offset that is kept of it; -1 keeps none
    #[arg(long, value_name = "N", requires = "topic", allow_negative_numbers = true)]
    pub before_offset: Option<i64>,
    #[command(flatten)]
    pub form: Form,
}

/// Deletes records.
pub fn run(args: &DeleteRecordsArgs) -> Result<(), Failure> {
    if args.brokers.bootstrap_server.is_empty() {
        return Err(Failure::Usage("Missing required argument \"[bootstrap-server]\"".to_owned()));
    }
    let before = args.offsets()?;
    block_on(delete(args, before))
}

impl DeleteRecordsArgs {
    /// The first offset that is kept of each partition.
    fn offsets(&self) -> Result<Vec<(Place, i64)>, Failure> {
        if let (Some(topic), Some(partition), Some(offset)) =
            (&self.topic, self.partition, self.before_offset)
        {
            return Ok(vec![((topic.clone(), partition), offset)]);
        }
        let Some(file) = &self.offset_json_file else {
            return Err(Failure::Usage("Missing required argument \"[offset-json-file]\"".to_owned()));
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::Failed(format!("Unable to read file {}: {error}", file.display())))?;
        offsets::parse(&text).map_err(Failure::Failed)
    }
}

async fn delete(args: &DeleteRecordsArgs, before: Vec<(Place, i64)>) -> Result<(), Failure> {
    let mut cluster = args.brokers.connect().await?;
    let mut out = io::stdout().lock();
    if args.form.output == Output::Text {
        writeln!(out, "Executing records delete operation")?;
    }
    let what = format!("deleting records of {} partitions", before.len());
    let outcome = waiting(what, cluster.delete_records(before)).await?;
    match args.form.output {
        Output::Json => writeln!(out, "{}", json(&outcome))?,
        Output::Text => {
            writeln!(out, "Records delete operation completed:")?;
            lines(&outcome).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
    }
    Ok(())
}

fn lines(outcome: &ByPlace<i64>) -> Vec<String> {
    let line = |((topic, partition), left): (&Place, &Result<i64, client::ClientError>)| match left {
        Ok(oldest) => format!("partition: {topic}-{partition}\tlow_watermark: {oldest}"),
        Err(error) => format!("partition: {topic}-{partition}\terror: {}", refusals::exception(error)),
    };
    outcome.iter().map(line).collect()
}

fn json(outcome: &ByPlace<i64>) -> Value {
    let row = |((topic, partition), left): (&Place, &Result<i64, client::ClientError>)| {
        json!({
            "topic": topic, "partition": partition, "lowWatermark": left.as_ref().ok(),
            "error": left.as_ref().err().map(refusals::sentence),
        })
    };
    outcome.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use client::ClientError;
    use protocol::ErrorCode;

    use super::*;

    #[test]
    fn the_outcome_is_told_for_each_partition() {
        let refused = ClientError::refused(ErrorCode::OffsetOutOfRange);
        let (reason, told) = (refusals::sentence(&refused), refusals::exception(&refused));
        let outcome = ByPlace::from([(("t".to_owned(), 0), Ok(3)), (("t".to_owned(), 1), Err(refused))]);
        assert_eq!(
            lines(&outcome),
            ["partition: t-0\tlow_watermark: 3".to_owned(), format!("partition: t-1\terror: {told}")]
        );
        assert_eq!(json(&outcome)[0]["lowWatermark"], 3);
        assert_eq!(json(&outcome)[1]["error"], reason);
    }

    #[test]
    fn one_partition_may_stand_on_the_line() {
        let args = DeleteRecordsArgs {
            topic: Some("t".to_owned()),
            partition: Some(2),
            before_offset: Some(7),
            ..DeleteRecordsArgs::default()
        };
        assert_eq!(args.offsets(), Ok(vec![(("t".to_owned(), 2), 7)]));
        let nothing = DeleteRecordsArgs::default().offsets();
        let words = "Missing required argument \"[offset-json-file]\"".to_owned();
        assert_eq!(nothing, Err(Failure::Usage(words)));
    }
}

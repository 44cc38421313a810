//! `yeoul leader-election`: leaders are elected, as with `kafka-leader-election`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use client::{ByPlace, ClientError, ElectionType, Place};
use protocol::ErrorCode;
use serde::Deserialize;
use serde_json::json;

use super::HELP;
use super::cluster::{Brokers, block_on};
use super::table::{Form, Output, Table};
use super::verifiable::class;
use crate::failure::Failure;
use crate::progress::waiting;

const EXAMPLES: &str = "\
  yeoul leader-election --bootstrap-server 127.0.0.1:9092 --election-type preferred --all-topic-partitions
  yeoul leader-election --bootstrap-server 127.0.0.1:9092 --election-type preferred --topic flights --partition 0
  yeoul leader-election --bootstrap-server 127.0.0.1:9092 --election-type unclean --path-to-json-file partitions.json

  where partitions.json is {\"partitions\": [{\"topic\": \"flights\", \"partition\": 0}]}";

/// Whose leaders are elected.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct LeaderElectionArgs {
    #[command(flatten)]
    brokers: Brokers,
    /// Client settings from a properties file, by an old name
    #[arg(long = "admin.config", value_name = "FILE", hide = true)]
    admin_config: Option<PathBuf>,
    /// Who may be elected: preferred, the first replica; or unclean, any, where there is no leader and records may be lost
    #[arg(long, value_name = "TYPE", ignore_case = true, value_parser = ["preferred", "unclean"])]
    election_type: Option<String>,
    /// A topic
    #[arg(long)]
    topic: Option<String>,
    /// Its partition
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    /// The partitions of a file
    #[arg(long, value_name = "FILE")]
    path_to_json_file: Option<PathBuf>,
    /// All partitions that need it
    #[arg(long)]
    all_topic_partitions: bool,
    #[command(flatten)]
    form: Form,
}

#[derive(Deserialize)]
struct File {
    partitions: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    topic: String,
    partition: i32,
}

/// Has leaders elected and tells what became of each partition.
pub fn run(args: &LeaderElectionArgs) -> Result<(), Failure> {
    args.check()?;
    let partitions = args.partitions()?;
    let is_unclean = args.election_type.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("unclean"));
    let kind = if is_unclean { ElectionType::Unclean } else { ElectionType::Preferred };
    let outcome = block_on(async {
        let command_config = args.brokers.command_config.clone().or_else(|| args.admin_config.clone());
        let mut cluster = Brokers { command_config, ..args.brokers.clone() }.connect().await?;
        let election = cluster.elect_leaders(kind, partitions.as_deref());
        Ok(waiting("electing leaders", election).await?)
    })?;
    let mut out = io::stdout().lock();
    match args.form.output {
        Output::Text => lines(if is_unclean { "UNCLEAN" } else { "PREFERRED" }, &outcome)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))?,
        Output::Json => write!(out, "{}", table(&outcome).show(Output::Json))?,
    }
    match outcome.values().filter(|result| failed(result).is_some()).count() {
        0 => Ok(()),
        count => Err(Failure::Failed(format!("{count} replica(s) could not be elected"))),
    }
}

impl LeaderElectionArgs {
    /// Refuses what does not go together, in the words of Kafka's tool.
    fn check(&self) -> Result<(), Failure> {
        let fail = |words: &str| Err(Failure::failed(words));
        let missing = [
            (self.brokers.bootstrap_server.is_empty(), "bootstrap-server"),
            (self.election_type.is_none(), "election-type"),
        ];
        let missing: Vec<&str> = missing.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
        if !missing.is_empty() {
            return fail(&format!("Missing required option(s): {}", missing.join(", ")));
        }
        let ways = [self.topic.is_some(), self.all_topic_partitions, self.path_to_json_file.is_some()];
        if ways.into_iter().filter(|is_given| *is_given).count() != 1 {
            return fail(
                "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file",
            );
        }
        if self.topic.is_some() && self.partition.is_none() {
            return fail("Missing required option(s): partition");
        }
        if self.topic.is_none() && self.partition.is_some() {
            return fail("Option partition is only allowed if topic is used");
        }
        Ok(())
    }

    /// The partitions; none where all are meant.
    fn partitions(&self) -> Result<Option<Vec<Place>>, Failure> {
        if let (Some(topic), Some(partition)) = (&self.topic, self.partition) {
            return Ok(Some(vec![(topic.clone(), partition)]));
        }
        let Some(file) = &self.path_to_json_file else { return Ok(None) };
        let text = std::fs::read_to_string(file)
            .map_err(|_| Failure::Failed(format!("Unable to read file {}", file.display())))?;
        let file: File = serde_json::from_str(&text).map_err(Failure::failed)?;
        Ok(Some(file.partitions.into_iter().map(|entry| (entry.topic, entry.partition)).collect()))
    }
}

/// Why an election failed; one that was not needed did not.
fn failed(result: &Result<(), ClientError>) -> Option<&ClientError> {
    result.as_ref().err().filter(|error| error.code() != Some(ErrorCode::ElectionNotNeeded))
}

/// The same with a row for each partition.
fn table(outcome: &ByPlace<()>) -> Table {
    let mut table = Table::new(&["Topic", "Partition", "Outcome", "Error"]);
    for ((topic, partition), result) in outcome {
        let error = failed(result);
        let became = match (result, error) {
            (Ok(()), _) => "elected",
            (_, None) => "notNeeded",
            (_, Some(_)) => "failed",
        };
        let error = error.map(ToString::to_string);
        table.add([json!(topic), json!(partition), json!(became), json!(error)]);
    }
    table
}

fn lines(kind: &str, outcome: &ByPlace<()>) -> Vec<String> {
    let names = |is_wanted: fn(&Result<(), ClientError>) -> bool| {
        let wanted = outcome.iter().filter(|(_, result)| is_wanted(result));
        wanted.map(|((topic, partition), _)| format!("{topic}-{partition}")).collect::<Vec<_>>().join(", ")
    };
    let elected = names(Result::is_ok);
    let not_needed = names(|result| result.is_err() && failed(result).is_none());
    let mut lines = Vec::new();
    if !elected.is_empty() {
        lines.push(format!("Successfully completed leader election ({kind}) for partitions {elected}"));
    }
    if !not_needed.is_empty() {
        lines.push(format!("Valid replica already elected for partitions {not_needed}"));
    }
    for ((topic, partition), result) in outcome {
        if let Some(error) = failed(result) {
            let (intro, class) = (format!("Error completing leader election ({kind})"), class(error.code()));
            let class = class.trim_start_matches("class ");
            lines.push(format!("{intro} for partition: {topic}-{partition}: {class}: {error}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_each_partition_is_told_in_kafkas_words() {
        let refused = |code| Err(ClientError::refused(code));
        let place = |partition| ("t".to_owned(), partition);
        let outcome = ByPlace::from([
            (place(0), Ok(())),
            (place(1), refused(ErrorCode::ElectionNotNeeded)),
            (place(2), refused(ErrorCode::ElectionNotNeeded)),
            (place(3), refused(ErrorCode::PreferredLeaderNotAvailable)),
        ]);
        let json = table(&outcome).json();
        assert_eq!(json[0], json!({"topic": "t", "partition": 0, "outcome": "elected", "error": null}));
        assert_eq!((&json[1]["outcome"], &json[3]["outcome"]), (&json!("notNeeded"), &json!("failed")));
        let lines = lines("PREFERRED", &outcome);
        assert_eq!(
            lines[..2],
            [
                "Successfully completed leader election (PREFERRED) for partitions t-0",
                "Valid replica already elected for partitions t-1, t-2"
            ]
        );
        let words = "Error completing leader election (PREFERRED) for partition: t-3: \
                     org.apache.kafka.common.errors.PreferredLeaderNotAvailableException: ";
        assert!(lines[2].starts_with(words), "{}", lines[2]);
    }
}

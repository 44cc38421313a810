//! `yeoul get-offsets`: where logs begin and end, and where a time is in them, as with `kafka-get-offsets`.

mod choice;

use std::io::{self, Write};

use clap::Args;
use client::{ClientError, Cluster, FoundOffset, OffsetSpec, Place};
use serde_json::{Value, json};

use choice::Choice;

use super::HELP;
use super::cluster::{Brokers, block_on};
use super::offered::Offered;
use super::table::{Form, Output};
use crate::failure::{Failure, say};
use crate::progress::waiting;

const EXAMPLES: &str = "\
  yeoul get-offsets --bootstrap-server 127.0.0.1:9092 --topic flights
  yeoul get-offsets --bootstrap-server 127.0.0.1:9092 --topic 'flights|airports' --partitions 0,1 --time earliest
  yeoul get-offsets --bootstrap-server 127.0.0.1:9092 --topic-partitions 'flights:0-3,airports:5' --time 1767225600000";

/// Which offsets are told.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct GetOffsetsArgs {
    #[command(flatten)]
    pub brokers: Brokers,
    /// Of which topics, as a regular expression [default: all]
    #[arg(long, value_name = "REGEX")]
    pub topic: Option<String>,
    /// Of which partitions [default: all]
    #[arg(long, value_name = "N,N")]
    pub partitions: Option<String>,
    /// Of which partitions of which topics: TOPIC, TOPIC:N, TOPIC:FROM-TO, TOPIC:FROM- or TOPIC:-TO, where TO is not among them
    #[arg(long, value_name = "LIST")]
    pub topic_partitions: Option<String>,
    /// Leave the cluster's own topics out
    #[arg(long)]
    pub exclude_internal_topics: bool,
    /// latest (-1), earliest (-2), max-timestamp (-3), earliest-local (-4), latest-tiered (-5), earliest-pending-upload (-6), or
    /// milliseconds since 1970: the first record since then
    #[arg(long, value_name = "TIME", default_value = "latest", allow_negative_numbers = true, hide_possible_values = true, value_parser = Offered(&["latest", "earliest", "max-timestamp", "earliest-local", "latest-tiered", "earliest-pending-upload"]))]
    pub time: String,
    #[command(flatten)]
    pub form: Form,
}

/// Tells the offsets; what goes wrong is told as Kafka's tool tells it.
pub fn run(args: &GetOffsetsArgs) -> Result<(), Failure> {
    if args.brokers.bootstrap_server.is_empty() {
        return Err(Failure::Usage("Missing required argument \"[bootstrap-server]\"".to_owned()));
    }
    match block_on(get(args)) {
        Err(Failure::Failed(reason)) => Err(Failure::Failed(format!("Error occurred: {reason}"))),
        done => done,
    }
}

async fn get(args: &GetOffsetsArgs) -> Result<(), Failure> {
    let choice = choice(args).map_err(Failure::Failed)?;
    let spec = spec(&args.time).map_err(Failure::Failed)?;
    let mut cluster = args.brokers.connect().await?;
    let places = places(&mut cluster, &choice).await?;
    if places.is_empty() {
        return Err(Failure::failed("Could not match any topic-partitions with the specified filters"));
    }
    let wanted = places.into_iter().map(|place| (place, spec)).collect();
    let wanted: Vec<(Place, OffsetSpec)> = wanted;
    let what = format!("asking for offsets of {} partitions", wanted.len());
    let found = waiting(what, cluster.list_offsets(wanted, false)).await?;
    Ok(tell(found.into_iter(), args.form.output, &mut io::stdout().lock())?)
}

fn choice(args: &GetOffsetsArgs) -> Result<Choice, String> {
    let with_internal = !args.exclude_internal_topics;
    match &args.topic_partitions {
        Some(_) if args.topic.is_some() || args.partitions.is_some() => {
            Err("--topic-partitions cannot be used with --topic or --partitions".to_owned())
        }
        Some(list) => Choice::of_list(list, with_internal),
        None => Choice::of_both(args.topic.as_deref(), args.partitions.as_deref(), with_internal),
    }
}

/// What a time on the line stands for.
fn spec(text: &str) -> Result<OffsetSpec, String> {
    Ok(match text {
        "latest" | "-1" => OffsetSpec::Latest,
        "earliest" | "-2" => OffsetSpec::Earliest,
        "max-timestamp" | "-3" => OffsetSpec::MaxTimestamp,
        "earliest-local" | "-4" => OffsetSpec::EarliestLocal,
        "latest-tiered" | "-5" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" | "-6" => OffsetSpec::EarliestPendingUpload,
        text => OffsetSpec::Timestamp(text.parse().map_err(|_| {
            format!(
                "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
                 -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format \
                 timestamp"
            )
        })?),
    })
}

async fn places(cluster: &mut Cluster, choice: &Choice) -> Result<Vec<Place>, Failure> {
    let topics = cluster.topics().await?.into_iter();
    let all = topics.flat_map(|topic| {
        let name = topic.name.unwrap_or_default();
        topic.partitions.into_iter().map(move |partition| (name.clone(), partition.partition_index))
    });
    Ok(all.filter(|(topic, partition)| choice.takes(topic, *partition)).collect())
}

/// Where there is no such record nothing is told. Partitions come in the order of their names as texts, as with Kafka's tool: the tenth
/// before the second.
fn tell(
    found: impl Iterator<Item = (Place, Result<FoundOffset, ClientError>)>,
    output: Output,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut rows: Vec<Value> = Vec::new();
    let mut found: Vec<_> = found.collect();
    found.sort_by_cached_key(|((topic, partition), _)| format!("{topic}-{partition}"));
    for ((topic, partition), found) in found {
        match found {
            Err(error) => say(format_args!(
                "Skip getting offsets for topic-partition {topic}-{partition} due to error: {error}"
            )),
            Ok(found) if found.offset < 0 => {}
            Ok(found) if output == Output::Json => rows.push(json!({
                "topic": topic, "partition": partition, "offset": found.offset,
                "timestamp": (found.timestamp >= 0).then_some(found.timestamp),
            })),
            Ok(found) => writeln!(out, "{topic}:{partition}:{}", found.offset)?,
        }
    }
    if output == Output::Json { writeln!(out, "{}", Value::from(rows)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_word_its_number_or_milliseconds() {
        for (word, number, expected) in [
            ("latest", "-1", OffsetSpec::Latest),
            ("earliest", "-2", OffsetSpec::Earliest),
            ("max-timestamp", "-3", OffsetSpec::MaxTimestamp),
            ("earliest-local", "-4", OffsetSpec::EarliestLocal),
            ("latest-tiered", "-5", OffsetSpec::LatestTiered),
            ("earliest-pending-upload", "-6", OffsetSpec::EarliestPendingUpload),
            ("1700000000000", "1700000000000", OffsetSpec::Timestamp(1_700_000_000_000)),
        ] {
            assert_eq!((spec(word), spec(number)), (Ok(expected), Ok(expected)));
        }
        assert!(spec("foo").unwrap_err().starts_with("Malformed time argument foo. "));
    }

    #[test]
    fn both_ways_to_choose_do_not_go_together() {
        let args = GetOffsetsArgs {
            topic: Some("t".to_owned()),
            topic_partitions: Some("u".to_owned()),
            ..GetOffsetsArgs::default()
        };
        let words = "--topic-partitions cannot be used with --topic or --partitions".to_owned();
        assert_eq!(choice(&args).map(|_| ()), Err(words));
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let found = |offset| Ok(FoundOffset { offset, timestamp: -1 });
        let all = [(("t".to_owned(), 0), found(7)), (("t".to_owned(), 1), found(-1))];
        let mut out = Vec::new();
        tell(all.into_iter(), Output::Text, &mut out).unwrap();
        assert_eq!(out, b"t:0:7\n");
        let mut out = Vec::new();
        let all = [2, 10, 1].map(|partition| (("t".to_owned(), partition), found(7)));
        tell(all.into_iter(), Output::Text, &mut out).unwrap();
        assert_eq!(out, b"t:1:7\nt:10:7\nt:2:7\n");
        let mut out = Vec::new();
        tell([(("t".to_owned(), 0), found(7))].into_iter(), Output::Json, &mut out).unwrap();
        assert_eq!(out, b"[{\"offset\":7,\"partition\":0,\"timestamp\":null,\"topic\":\"t\"}]\n");
    }
}

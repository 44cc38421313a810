//! Transactions that hang: a partition has one open, and no coordinator knows of it that could end it. Readers of what is
//! committed wait there for ever.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use client::{Cluster, DescribedProducer, Place, TransactionFilter};
use protocol::ErrorCode;
use serde_json::json;

use super::begin_of;
use super::words::{failed, of_producers};
use crate::commands::cluster::now_ms;
use crate::commands::java_order::{USUAL_CAPACITY, long_hash, partition_hash, sort_as_java_map};
use crate::commands::table::{Form, Table};
use crate::failure::Failure;

pub const EXAMPLES: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 find-hanging --broker-id 1
  yeoul transactions --bootstrap-server 127.0.0.1:9092 find-hanging --topic orders --max-transaction-timeout 30";

/// How many topics or partitions are asked for at once.
const AT_ONCE: usize = 500;
const MS_A_MINUTE: i64 = 60_000;

/// Where it is looked.
#[derive(Args, Debug)]
pub struct HangingArgs {
    /// Only partitions that this broker has, by its id
    #[arg(long, value_name = "ID")]
    broker_id: Option<i32>,
    /// How long a transaction may last in this cluster, in minutes
    #[arg(long, value_name = "MINUTES", default_value = "15", allow_negative_numbers = true)]
    max_transaction_timeout: i32,
    /// Only a topic
    #[arg(long)]
    topic: Option<String>,
    /// Only one of its partitions
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    form: Form,
}

impl HangingArgs {
    /// Refuses what does not go together, in the words of Kafka's tool.
    pub fn check(&self) -> Result<(), Failure> {
        if self.topic.is_none() && self.broker_id.is_none() {
            let words = "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search";
            return Err(Failure::failed(words));
        }
        if self.topic.is_none() && self.partition.is_some() {
            return Err(Failure::failed("The --partition argument requires --topic to be provided"));
        }
        Ok(())
    }
}

/// A transaction that a partition has open.
#[derive(Clone, Debug, PartialEq)]
struct OpenTransaction {
    place: Place,
    producer: DescribedProducer,
}

/// Finds them.
pub async fn find(cluster: &mut Cluster, args: &HangingArgs) -> Result<String, Failure> {
    let places = places(cluster, args).await?;
    let mut open = Vec::new();
    for places in places.chunks(AT_ONCE) {
        let found = cluster.describe_producers(places, args.broker_id).await.map_err(|error| {
            let asked = args.broker_id.map_or("Optional.empty".to_owned(), |id| format!("Optional[{id}]"));
            let what = format!("describe producers for {} partitions on broker {asked}", places.len());
            failed(
                &what,
                &places.first().map_or_else(String::new, |it| of_producers(it, args.broker_id, &error)),
            )
        })?;
        let longest_ms = i64::from(args.max_transaction_timeout) * MS_A_MINUTE;
        open.extend(overdue(found, now_ms(), longest_ms));
    }
    let hanging = if open.is_empty() { open } else { unknown_to_coordinators(cluster, open).await? };
    Ok(table(&hanging, now_ms()).show(args.form.output))
}

/// The partitions to look at.
async fn places(cluster: &mut Cluster, args: &HangingArgs) -> Result<Vec<Place>, Failure> {
    if let (Some(topic), Some(partition)) = (&args.topic, args.partition) {
        return Ok(vec![(topic.clone(), partition)]);
    }
    let topics = match &args.topic {
        Some(topic) => vec![topic.clone()],
        None => topics(cluster).await?,
    };
    let mut places = Vec::new();
    for topics in topics.chunks(AT_ONCE) {
        let described = cluster.describe_topics(topics).await;
        let described = described
            .map_err(|error| failed(&format!("describe {} topics", topics.len()), &error.to_string()))?;
        for topic in described {
            let is_wanted = |replicas: &[i32]| args.broker_id.is_none_or(|broker| replicas.contains(&broker));
            let wanted = topic.partitions.iter().filter(|it| is_wanted(&it.replicas));
            places.extend(wanted.map(|it| (topic.name.clone(), it.partition)));
        }
    }
    Ok(places)
}

async fn topics(cluster: &mut Cluster) -> Result<Vec<String>, Failure> {
    let metadata = cluster.metadata(None, false).await;
    let metadata = metadata.map_err(|error| failed("list topics", &error.to_string()))?;
    Ok(metadata.topics.into_iter().filter_map(|topic| topic.name).collect())
}

/// The open transactions to which nothing was added for longer than any may last, in the order of Kafka's tool.
fn overdue(
    found: BTreeMap<Place, Vec<DescribedProducer>>,
    now_ms: i64,
    longest_ms: i64,
) -> Vec<OpenTransaction> {
    let mut found: Vec<(Place, Vec<DescribedProducer>)> = found.into_iter().collect();
    let count = found.len();
    sort_as_java_map(&mut found, count, |((topic, partition), _)| partition_hash(topic, *partition));
    let is_overdue = |producer: &DescribedProducer| {
        begin_of(producer).is_some() && now_ms.saturating_sub(producer.last_timestamp) > longest_ms
    };
    let of_place = |(place, producers): (Place, Vec<DescribedProducer>)| {
        let overdue = producers.into_iter().filter(is_overdue);
        overdue.map(move |producer| OpenTransaction { place: place.clone(), producer }).collect::<Vec<_>>()
    };
    found.into_iter().flat_map(of_place).collect()
}

/// Those of which their coordinators do not know.
async fn unknown_to_coordinators(
    cluster: &mut Cluster,
    open: Vec<OpenTransaction>,
) -> Result<Vec<OpenTransaction>, Failure> {
    let producers: BTreeSet<i64> = open.iter().map(|it| it.producer.producer_id).collect();
    let filter = TransactionFilter {
        producer_ids: producers.iter().copied().collect(),
        ..TransactionFilter::default()
    };
    let listed = cluster.list_transactions(&filter).await.map_err(|error| {
        failed(&format!("list transactions for {} producers", producers.len()), &error.to_string())
    })?;
    let listed: Vec<_> = listed.into_values().flatten().collect();
    let mut known = BTreeMap::new();
    for transaction in &listed {
        match cluster.describe_transaction(&transaction.transactional_id).await {
            Ok(described) => drop(known.insert(transaction.producer_id, described.partitions)),
            Err(error) if error.code() == Some(ErrorCode::TransactionalIdNotFound) => {}
            Err(error) => {
                let what = format!("describe {} transactions", listed.len());
                return Err(failed(&what, &super::words::of_describe(&transaction.transactional_id, &error)));
            }
        }
    }
    Ok(without_known(open, &known))
}

/// Those whose partition is not one that the coordinator knows of its producer, in the order of Kafka's tool.
fn without_known(mut open: Vec<OpenTransaction>, known: &BTreeMap<i64, Vec<Place>>) -> Vec<OpenTransaction> {
    sort_as_java_map(&mut open, USUAL_CAPACITY, |it| long_hash(it.producer.producer_id));
    let is_known = |it: &OpenTransaction| {
        known.get(&it.producer.producer_id).is_some_and(|partitions| partitions.contains(&it.place))
    };
    open.retain(|it| !is_known(it));
    open
}

fn table(hanging: &[OpenTransaction], now_ms: i64) -> Table {
    let mut table = Table::new(&[
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ]);
    for OpenTransaction { place: (topic, partition), producer } in hanging {
        table.add([
            json!(topic),
            json!(partition),
            json!(producer.producer_id),
            json!(producer.producer_epoch),
            json!(producer.coordinator_epoch.max(-1)),
            json!(producer.current_txn_start_offset.max(-1)),
            json!(producer.last_timestamp),
            json!((now_ms - producer.last_timestamp) / MS_A_MINUTE),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32) -> Place {
        ("orders".to_owned(), partition)
    }

    fn producer(producer_id: i64, current_txn_start_offset: i64, last_timestamp: i64) -> DescribedProducer {
        DescribedProducer {
            producer_id,
            current_txn_start_offset,
            last_timestamp,
            coordinator_epoch: -1,
            ..DescribedProducer::default()
        }
    }

    fn open(producer_id: i64, partition: i32) -> OpenTransaction {
        OpenTransaction { place: place(partition), producer: producer(producer_id, 3, 0) }
    }

    #[test]
    fn only_what_is_open_for_longer_than_any_transaction_may_be_hangs() {
        let producers = vec![producer(1, 7, 0), producer(2, -1, 0), producer(3, 8, 1)];
        let found = overdue(BTreeMap::from([(place(0), producers)]), 60_000, 59_999);
        assert_eq!(found, [OpenTransaction { place: place(0), producer: producer(1, 7, 0) }]);
    }

    #[test]
    fn what_a_coordinator_knows_will_end() {
        let known = BTreeMap::from([(1, vec![place(0)]), (2, Vec::new())]);
        let hanging = without_known(vec![open(1, 0), open(1, 1), open(2, 0), open(5, 0)], &known);
        assert_eq!(hanging, [open(1, 1), open(2, 0), open(5, 0)]);
    }

    #[test]
    fn the_table_is_that_of_apache_kafka() {
        let text = table(&[open(5001, 1)], 7_300_000).text();
        let line = "orders\t1        \t5001      \t0            \t-1              \t3          \t0            \t121          \t";
        assert_eq!(text.lines().nth(1), Some(line));
    }
}

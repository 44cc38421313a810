//! `yeoul transactions`: transactions are looked at and ended, as with `kafka-transactions`.

mod hanging;
mod words;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use client::{AbortSpec, ClientError, Cluster, DescribedProducer, DescribedTransaction, TransactionFilter};
use serde_json::{Value, json};

use super::HELP;
use super::cluster::{Brokers, block_on, now_ms};
use super::java_order::{USUAL_CAPACITY, partition_hash, sort_as_java_map};
use super::table::{Form, Table};
use crate::failure::Failure;
use hanging::HangingArgs;
use words::{failed, spec_of};

const LIST: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 list
  yeoul transactions --bootstrap-server 127.0.0.1:9092 list --duration-filter 60000 --transactional-id-pattern 'orders-.*'";
const DESCRIBE: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 describe --transactional-id orders-1";
const PRODUCERS: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 describe-producers --topic orders --partition 0";
const ABORT: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 abort --topic orders --partition 0 --start-offset 4711
  yeoul transactions --bootstrap-server 127.0.0.1:9092 abort --topic orders --partition 0 --producer-id 5001 \\
      --producer-epoch 3 --coordinator-epoch 0";
const TERMINATE: &str = "\
  yeoul transactions --bootstrap-server 127.0.0.1:9092 forceTerminateTransaction --transactionalId orders-1";

/// Looks at transactions, and ends those that nobody ends.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = LIST)]
pub struct TransactionsArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell which transactional ids there are
    #[command(help_template = HELP, before_help = LIST)]
    List(ListArgs),
    /// Tell all about the transaction of a transactional id
    #[command(help_template = HELP, before_help = DESCRIBE)]
    Describe(DescribeArgs),
    /// Tell which producers a partition knows
    #[command(help_template = HELP, before_help = PRODUCERS)]
    DescribeProducers(ProducersArgs),
    /// Take a transaction in one partition as aborted, of which its coordinator does not know
    #[command(help_template = HELP, before_help = ABORT)]
    Abort(AbortArgs),
    /// Find transactions that readers wait for and that nobody will end
    #[command(help_template = HELP, before_help = hanging::EXAMPLES)]
    FindHanging(HangingArgs),
    /// Abort the transaction of a transactional id and fence its producer
    #[command(name = "forceTerminateTransaction", help_template = HELP, before_help = TERMINATE)]
    ForceTerminate(TerminateArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Only transactions that have lasted longer; all if less than 0
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    duration_filter: Option<i64>,
    /// Only transactional ids that match a regular expression, which the broker reads
    #[arg(long, value_name = "REGEX")]
    transactional_id_pattern: Option<String>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
struct DescribeArgs {
    /// The transactional id
    #[arg(long, value_name = "ID")]
    transactional_id: String,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
struct ProducersArgs {
    /// The topic
    #[arg(long)]
    topic: String,
    /// Its partition
    #[arg(long, value_name = "N")]
    partition: i32,
    /// What this broker knows, by its id, and not what the leader does
    #[arg(long, value_name = "ID")]
    broker_id: Option<i32>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
struct AbortArgs {
    /// The topic
    #[arg(long)]
    topic: String,
    /// Its partition
    #[arg(long, value_name = "N")]
    partition: i32,
    /// Where the transaction begins in the partition; brokers since Kafka 3.0 tell the rest
    #[arg(long, value_name = "OFFSET", allow_negative_numbers = true)]
    start_offset: Option<i64>,
    /// In place of where it begins: the producer
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    producer_id: Option<i64>,
    /// The producer's epoch
    #[arg(long, value_name = "EPOCH", allow_negative_numbers = true)]
    producer_epoch: Option<i16>,
    /// The newest epoch of the coordinator that the partition knows; -1 for none
    #[arg(long, value_name = "EPOCH", allow_negative_numbers = true)]
    coordinator_epoch: Option<i32>,
}

#[derive(Args, Debug)]
struct TerminateArgs {
    /// The transactional id
    #[arg(long = "transactionalId", value_name = "ID")]
    transactional_id: String,
}

/// Does it.
pub fn run(args: &TransactionsArgs) -> Result<(), Failure> {
    if args.brokers.bootstrap_server.is_empty() {
        return Err(Failure::Usage("argument --bootstrap-server is required".to_owned()));
    }
    if let Action::FindHanging(args) = &args.action {
        args.check()?;
    }
    block_on(async {
        let mut cluster = args.brokers.connect().await?;
        let told = match &args.action {
            Action::List(args) => list(&mut cluster, args).await?,
            Action::Describe(args) => describe(&mut cluster, args).await?,
            Action::DescribeProducers(args) => describe_producers(&mut cluster, args).await?,
            Action::FindHanging(args) => hanging::find(&mut cluster, args).await?,
            Action::Abort(args) => abort(&mut cluster, args).await?,
            Action::ForceTerminate(args) => terminate(&mut cluster, args).await?,
        };
        Ok(write!(io::stdout().lock(), "{told}")?)
    })
}

async fn list(cluster: &mut Cluster, args: &ListArgs) -> Result<String, Failure> {
    let filter = TransactionFilter {
        longer_than_ms: args.duration_filter.filter(|millis| *millis >= 0),
        id_pattern: args.transactional_id_pattern.clone(),
        ..TransactionFilter::default()
    };
    let listed = cluster.list_transactions(&filter).await;
    let listed = listed.map_err(|error| failed("list transactions", &error.to_string()))?;
    let mut listed: Vec<_> = listed.into_iter().collect();
    sort_as_java_map(&mut listed, USUAL_CAPACITY, |(broker, _)| *broker as u32);
    let mut table = Table::new(&["TransactionalId", "Coordinator", "ProducerId", "TransactionState"]);
    for (broker, transaction) in
        listed.iter().flat_map(|(broker, all)| all.iter().map(move |it| (broker, it)))
    {
        table.add([
            json!(transaction.transactional_id),
            json!(broker),
            json!(transaction.producer_id),
            json!(words::state(&transaction.transaction_state)),
        ]);
    }
    Ok(table.show(args.form.output))
}

async fn describe(cluster: &mut Cluster, args: &DescribeArgs) -> Result<String, Failure> {
    let id = &args.transactional_id;
    let described = cluster.describe_transaction(id).await.map_err(|error| {
        failed(
            &format!("describe transaction state of transactional-id `{id}`"),
            &words::of_describe(id, &error),
        )
    })?;
    Ok(described_table(id, described, now_ms()).show(args.form.output))
}

fn described_table(id: &str, mut described: DescribedTransaction, now_ms: i64) -> Table {
    let mut table = Table::new(&[
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ]);
    let hash = |(topic, partition): &(String, i32)| partition_hash(topic, *partition);
    sort_as_java_map(&mut described.partitions, USUAL_CAPACITY, hash);
    let partitions =
        described.partitions.iter().map(|(topic, partition)| json!(format!("{topic}-{partition}")));
    table.add([
        json!(described.coordinator.node_id),
        json!(id),
        json!(described.producer_id),
        json!(described.producer_epoch),
        json!(words::state(&described.state)),
        json!(described.timeout_ms),
        json!(described.start_ms),
        json!(described.start_ms.map(|start| now_ms - start)),
        Value::Array(partitions.collect()),
    ]);
    table
}

async fn describe_producers(cluster: &mut Cluster, args: &ProducersArgs) -> Result<String, Failure> {
    let place = (args.topic.clone(), args.partition);
    let found = cluster.describe_producers(std::slice::from_ref(&place), args.broker_id).await;
    let found = found.map_err(|error| {
        let asked = args.broker_id.map_or("leader".to_owned(), |broker| format!("broker {broker}"));
        let what = format!("describe producers for partition {}-{} on {asked}", place.0, place.1);
        failed(&what, &words::of_producers(&place, args.broker_id, &error))
    })?;
    let producers = found.get(&place).map(Vec::as_slice).unwrap_or_default();
    Ok(producers_table(producers).show(args.form.output))
}

fn producers_table(producers: &[DescribedProducer]) -> Table {
    let mut table = Table::new(&[
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ]);
    for producer in producers {
        table.add([
            json!(producer.producer_id),
            json!(producer.producer_epoch),
            json!(producer.coordinator_epoch.max(-1)),
            json!(producer.last_sequence),
            json!(producer.last_timestamp),
            json!(begin_of(producer)),
        ]);
    }
    table
}

/// Where the transaction begins that a producer has open in a partition.
fn begin_of(producer: &DescribedProducer) -> Option<i64> {
    Some(producer.current_txn_start_offset).filter(|offset| *offset >= 0)
}

async fn abort(cluster: &mut Cluster, args: &AbortArgs) -> Result<String, Failure> {
    let spec = match args.start_offset {
        Some(offset) => find(cluster, args, offset).await?,
        None => args.spec()?,
    };
    let aborted = cluster.abort_transaction(&spec).await;
    aborted.map_err(|error| {
        failed(&format!("abort transaction {}", spec_of(&spec)), &words::of_abort(&spec, &error))
    })?;
    Ok(String::new())
}

/// The transaction that begins there.
async fn find(cluster: &mut Cluster, args: &AbortArgs, offset: i64) -> Result<AbortSpec, Failure> {
    let place = (args.topic.clone(), args.partition);
    let name = format!("{}-{}", place.0, place.1);
    let found = cluster.describe_producers(std::slice::from_ref(&place), None).await.map_err(|error| {
        let what = format!("validate producer state for partition {name}");
        failed(&what, &words::of_producers(&place, None, &error))
    })?;
    let mut producers = found.into_values().flatten();
    match producers.find(|producer| begin_of(producer) == Some(offset)) {
        Some(producer) => Ok(AbortSpec {
            place,
            producer_id: producer.producer_id,
            producer_epoch: producer.producer_epoch as i16,
            // One that no coordinator has ended anything of yet knows none.
            coordinator_epoch: producer.coordinator_epoch.max(0),
        }),
        None => Err(Failure::Failed(format!(
            "Could not find any open transactions starting at offset {offset} on partition {name}"
        ))),
    }
}

impl AbortArgs {
    fn spec(&self) -> Result<AbortSpec, Failure> {
        let missing = |name: &str| Failure::Failed(format!("Missing required argument --{name}"));
        let producer_id = self.producer_id.ok_or_else(|| {
            Failure::failed(
                "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or \
                 above) or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
            )
        })?;
        let producer_epoch = self.producer_epoch.ok_or_else(|| missing("producer-epoch"))?;
        let coordinator_epoch = self.coordinator_epoch.ok_or_else(|| missing("coordinator-epoch"))?;
        Ok(AbortSpec {
            place: (self.topic.clone(), self.partition),
            producer_id,
            producer_epoch,
            coordinator_epoch: coordinator_epoch.max(0),
        })
    }
}

async fn terminate(cluster: &mut Cluster, args: &TerminateArgs) -> Result<String, Failure> {
    let id = &args.transactional_id;
    let fail = |error: ClientError| {
        failed(&format!("force terminate transactionalId `{id}`"), &words::of_fence(id, &error))
    };
    cluster.fence_producer(id).await.map_err(fail)?;
    Ok(String::new())
}

#[cfg(test)]
mod tests;

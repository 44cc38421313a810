//! `yeoul reassign-partitions`: partitions move between brokers and log directories, as with `kafka-reassign-partitions`.

mod arguments;
mod current;
mod execute;
mod placement;
mod plan;
mod progress;
mod throttle;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use client::{ClientError, Cluster};
use host::Host;

use super::cluster::block_on;
use super::verifiable::class;
use crate::failure::Failure;
use arguments::Action;
pub use arguments::ReassignPartitionsArgs;
use current::Current;
use placement::Candidate;
use plan::{Plan, Replicas};

/// Does what was asked. What is wrong is told on standard output, as Kafka's tool does.
pub fn run(args: &ReassignPartitionsArgs) -> Result<(), Failure> {
    let action = args.action()?;
    let mut out = io::stdout().lock();
    match block_on(act(args, action, &mut out)) {
        Err(Failure::Failed(reason)) => {
            writeln!(out, "Error: {reason}")?;
            Err(Failure::Told)
        }
        done => done,
    }
}

async fn act(args: &ReassignPartitionsArgs, action: Action, out: &mut impl Write) -> Result<(), Failure> {
    // What is wrong with a file is told before anybody is asked.
    match action {
        Action::List => list(&mut args.nodes.connect().await?, out).await,
        Action::Generate => generate(args, out).await,
        Action::Execute => execute::run(args, &read_plan(args)?, out).await,
        Action::Verify => verify::run(args, &read_plan(args)?, out).await,
        Action::Cancel => verify::cancel(args, &read_plan(args)?, out).await,
    }
}

fn read(file: Option<&Path>) -> Result<String, Failure> {
    let file = file.unwrap_or(Path::new(""));
    std::fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("Unable to read file {}: {error}", file.display())))
}

fn read_plan(args: &ReassignPartitionsArgs) -> Result<Plan, Failure> {
    Plan::parse(&read(args.reassignment_json_file.as_deref())?).map_err(Failure::Failed)
}

async fn list(cluster: &mut Cluster, out: &mut impl Write) -> Result<(), Failure> {
    let ongoing = cluster.partition_reassignments(None).await.map_err(thrown)?;
    write_lines(out, &progress::ongoing(&ongoing))
}

/// Tells where the partitions of topics are, and how they could be spread over brokers.
async fn generate(args: &ReassignPartitionsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let brokers = plan::brokers(args.broker_list.as_deref().unwrap_or_default()).map_err(Failure::Failed)?;
    let topics = plan::topics(&read(args.topics_to_move_json_file.as_deref())?).map_err(Failure::Failed)?;
    let mut cluster = args.nodes.connect().await?;
    let cluster = &mut cluster;
    let current = Current::of_topics(cluster, topics.into_iter().collect()).await?.with_all_topics()?;
    let log_dirs = current.log_dirs(cluster).await?;
    let candidates = candidates(cluster, &brokers, !args.disable_rack_aware).await?;
    let random = |below: usize| (Host::real().random.next_u64() % below as u64) as usize;
    let proposed = propose(&current.replicas, &candidates, random).map_err(Failure::Failed)?;
    let current = plan::json(&current.replicas, &log_dirs).map_err(Failure::failed)?;
    writeln!(out, "Current partition replica assignment\n{current}\n")?;
    let proposed = plan::json(&proposed, &BTreeMap::new()).map_err(Failure::failed)?;
    Ok(writeln!(out, "Proposed partition reassignment configuration\n{proposed}")?)
}

/// Those of the brokers that are there, with their racks where these matter.
async fn candidates(
    cluster: &mut Cluster,
    brokers: &[i32],
    by_rack: bool,
) -> Result<Vec<Candidate>, Failure> {
    let nodes = cluster.describe_nodes(false).await.map_err(thrown)?.brokers;
    let wanted = nodes.into_iter().filter(|node| brokers.contains(&node.broker_id));
    let candidate = |(id, rack): (i32, Option<String>)| Candidate { id, rack: rack.filter(|_| by_rack) };
    let candidates: Vec<Candidate> = wanted.map(|node| (node.broker_id, node.rack)).map(candidate).collect();
    let without = candidates.iter().filter(|candidate| candidate.rack.is_none()).count();
    if by_rack && without > 0 && without < candidates.len() {
        return Err(Failure::failed(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment \
             without rack information.",
        ));
    }
    Ok(candidates)
}

/// Spreads each topic over brokers, with as many replicas as its first partition has.
fn propose(
    current: &Replicas,
    candidates: &[Candidate],
    mut random: impl FnMut(usize) -> usize,
) -> Result<Replicas, String> {
    let mut sizes: BTreeMap<&String, (usize, usize)> = BTreeMap::new();
    for ((topic, _), replicas) in current {
        sizes.entry(topic).or_insert((0, replicas.len())).0 += 1;
    }
    let mut proposed = Replicas::new();
    for (topic, (partitions, replicas)) in sizes {
        let placed = placement::place(candidates, partitions, replicas, &mut random)?;
        proposed.extend((0..).zip(placed).map(|(partition, brokers)| ((topic.clone(), partition), brokers)));
    }
    Ok(proposed)
}

/// Brokers that are there.
async fn live(cluster: &mut Cluster) -> Result<BTreeSet<i32>, Failure> {
    let nodes = cluster.describe_nodes(false).await.map_err(thrown)?.brokers;
    Ok(nodes.into_iter().map(|node| node.broker_id).collect())
}

fn write_lines(out: &mut impl Write, lines: &[String]) -> Result<(), Failure> {
    Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?)
}

/// Says why it does not go on, without more ado.
fn end(out: &mut impl Write, why: &str) -> Result<(), Failure> {
    writeln!(out, "{why}")?;
    Err(Failure::Told)
}

/// What a cluster refuses, as Kafka's tool tells it: with the class before the words.
fn thrown(error: ClientError) -> Failure {
    match error.code() {
        Some(code) => {
            let class = class(Some(code));
            Failure::Failed(format!("{}: {error}", class.trim_start_matches("class ")))
        }
        None => error.into(),
    }
}

/// `s` where there is not just one.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

//! How far a plan is; what is done needs to be slow no longer, and what is not can be given up.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::{Cluster, ConfigResource, ConfigResourceType, Place, Replica};

use super::arguments::ReassignPartitionsArgs;
use super::current::Current;
use super::execute::{failures, move_replicas};
use super::plan::{Plan, joined, named};
use super::{end, live, plural, progress, throttle, thrown, write_lines};
use crate::commands::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use crate::failure::Failure;

/// Tells how far a plan is. Where all of it is done, and nothing else is under way, nothing is slowed down any more.
pub async fn run(args: &ReassignPartitionsArgs, plan: &Plan, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.nodes.connect().await?;
    let cluster = &mut cluster;
    let ongoing = cluster.partition_reassignments(None).await.map_err(thrown)?;
    let current = Current::of_places(cluster, &plan.places()).await?;
    write_lines(out, &progress::of_partitions(&plan.replicas(), &ongoing, &current.replicas))?;
    let wanted: BTreeSet<Replica> = plan.log_dirs.keys().cloned().collect();
    let found = cluster.replica_log_dirs(&wanted).await.map_err(thrown)?;
    let lines = progress::of_replicas(&plan.log_dirs, &found);
    writeln!(out, "{}", lines.join("\n"))?;
    if args.preserve_throttles || !ongoing.is_empty() || !found.values().all(progress::is_settled) {
        return Ok(());
    }
    clear_throttles(cluster, plan, out).await
}

/// Gives up what is under way of a plan.
pub async fn cancel(args: &ReassignPartitionsArgs, plan: &Plan, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.nodes.connect().await?;
    let cluster = &mut cluster;
    let places: Vec<Place> = plan.places().into_iter().collect();
    let ongoing = cluster.partition_reassignments(Some(&places)).await.map_err(thrown)?;
    if ongoing.is_empty() {
        writeln!(out, "None of the specified partition reassignments are active.")?;
    } else {
        give_up(cluster, ongoing.into_keys().collect(), out).await?;
    }
    let back = ways_back(cluster, plan).await?;
    if back.is_empty() {
        // What comes next begins on this line.
        write!(out, "None of the specified partition moves are active.")?;
    } else {
        move_replicas(cluster, back, args.timeout(), out).await?;
    }
    if args.preserve_throttles {
        return Ok(());
    }
    clear_throttles(cluster, plan, out).await
}

async fn give_up(
    cluster: &mut Cluster,
    places: BTreeSet<Place>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let targets = places.iter().map(|place| (place.clone(), None)).collect();
    let outcome = cluster.alter_partition_reassignments(&targets, true).await.map_err(thrown)?;
    let failures = failures(&outcome);
    if !failures.is_empty() {
        let (s, lines) = (plural(failures.len()), failures.join("\n"));
        return end(out, &format!("Error cancelling partition reassignment{s} for:\n{lines}"));
    }
    let (s, names) = (plural(places.len()), joined(places.iter().map(named), ","));
    Ok(writeln!(out, "Successfully cancelled partition reassignment{s} for: {names}")?)
}

/// The replicas of a plan that are on their way to another log directory, with the one where they still are.
async fn ways_back(cluster: &mut Cluster, plan: &Plan) -> Result<BTreeMap<Replica, String>, Failure> {
    let wanted: BTreeSet<Replica> = plan.log_dirs.keys().cloned().collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    cluster.metadata(Some(&[]), false).await.map_err(thrown)?;
    let found = cluster.replica_log_dirs(&wanted).await.map_err(thrown)?;
    let moving = found.into_iter().filter(|(_, found)| found.future.is_some());
    Ok(moving.filter_map(|(replica, found)| Some((replica, found.current?))).collect())
}

/// Takes away the settings of brokers and of the plan's topics by which moves are slowed down.
async fn clear_throttles(cluster: &mut Cluster, plan: &Plan, out: &mut impl Write) -> Result<(), Failure> {
    let brokers: BTreeSet<i32> = live(cluster).await?.union(&plan.brokers()).copied().collect();
    let (s, names) = (plural(brokers.len()), joined(&brokers, ","));
    writeln!(out, "Clearing broker-level throttles on broker{s} {names}")?;
    for id in brokers {
        delete(cluster, ConfigResourceType::Broker, id.to_string(), &throttle::OF_BROKERS).await?;
    }
    let topics: BTreeSet<String> = plan.places().into_iter().map(|(topic, _)| topic).collect();
    let mut topics: Vec<String> = topics.into_iter().collect();
    sort_as_java_map(&mut topics, USUAL_CAPACITY, |topic| name_hash(topic));
    writeln!(out, "Clearing topic-level throttles on topic{} {}", plural(topics.len()), topics.join(","))?;
    for topic in topics {
        delete(cluster, ConfigResourceType::Topic, topic, &throttle::OF_TOPICS).await?;
    }
    Ok(())
}

async fn delete(
    cluster: &mut Cluster,
    kind: ConfigResourceType,
    name: String,
    keys: &[&str],
) -> Result<(), Failure> {
    let changes: Vec<(String, Option<String>)> = keys.iter().map(|key| ((*key).to_owned(), None)).collect();
    cluster.alter_configs(&ConfigResource { kind, name }, &changes).await.map_err(thrown)
}

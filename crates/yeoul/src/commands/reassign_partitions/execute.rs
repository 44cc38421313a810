//! Partitions and replicas are sent on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use client::{ByPlace, Cluster, ConfigResource, ConfigResourceType, Replica};
use protocol::ErrorCode;
use tokio::time::{Instant, sleep};

use super::arguments::ReassignPartitionsArgs;
use super::current::Current;
use super::plan::{self, Plan, Replicas, joined, named};
use super::throttle::{self, Move};
use super::{end, live, plural, thrown};
use crate::failure::Failure;

/// After how long a broker that has no replica yet is asked again.
const PAUSE: Duration = Duration::from_millis(100);

const OTHERS_ARE_UNDER_WAY: &str = "\
Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a new partition \
assignment in addition to the existing one. The --additional flag can also be used to change the throttle by resubmitting the \
current reassignment.";

/// Moves partitions as a plan says, at the pace that was asked for.
pub async fn run(args: &ReassignPartitionsArgs, plan: &Plan, out: &mut impl Write) -> Result<(), Failure> {
    plan.check().map_err(Failure::Failed)?;
    let mut cluster = args.nodes.connect().await?;
    let cluster = &mut cluster;
    let ongoing = cluster.partition_reassignments(None).await.map_err(thrown)?;
    if !args.additional && !ongoing.is_empty() {
        return end(out, OTHERS_ARE_UNDER_WAY);
    }
    let live = live(cluster).await?;
    if let Some(unknown) = plan.brokers().difference(&live).next() {
        return Err(Failure::Failed(format!("Unknown broker id {unknown}")));
    }
    let places = plan.places();
    let current = Current::of_places(cluster, &places).await?.with_all_of(&places)?;
    let before = plan::json(&current.replicas, &current.log_dirs(cluster).await?).map_err(Failure::failed)?;
    writeln!(out, "Current partition replica assignment\n\n{before}\n")?;
    writeln!(out, "Save this to use as the --reassignment-json-file option during rollback")?;
    let targets = plan.replicas();
    if args.throttle().or(args.log_dirs_throttle()).is_some() {
        writeln!(out, "{MUST_VERIFY}")?;
    }
    if let Some(bytes) = args.throttle() {
        let moves = throttle::moves(&ongoing, &targets, &current.replicas).map_err(Failure::Failed)?;
        slow_partitions(cluster, &moves, bytes, out).await?;
    }
    if let Some(bytes) = args.log_dirs_throttle() {
        slow_log_dirs(cluster, plan, bytes, out).await?;
    }
    let outcome = reassign(cluster, &targets, !args.disallow_replication_factor_change).await?;
    tell(&outcome, out)?;
    if plan.log_dirs.is_empty() {
        return Ok(());
    }
    move_replicas(cluster, plan.log_dirs.clone(), args.timeout(), out).await
}

const MUST_VERIFY: &str = "\
Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.";

async fn reassign(
    cluster: &mut Cluster,
    targets: &Replicas,
    may_change_factor: bool,
) -> Result<ByPlace<()>, Failure> {
    let targets = targets.iter().map(|(place, brokers)| (place.clone(), Some(brokers.clone()))).collect();
    cluster.alter_partition_reassignments(&targets, may_change_factor).await.map_err(thrown)
}

fn tell(outcome: &ByPlace<()>, out: &mut impl Write) -> Result<(), Failure> {
    match failures(outcome) {
        failures if !failures.is_empty() => {
            end(out, &format!("Error reassigning partition(s):\n{}", failures.join("\n")))
        }
        _ => {
            let (count, names) = (outcome.len(), joined(outcome.keys().map(named), ","));
            Ok(writeln!(out, "Successfully started partition reassignment{} for {names}", plural(count))?)
        }
    }
}

/// A line for each partition that was refused.
pub fn failures(outcome: &ByPlace<()>) -> Vec<String> {
    let failures = outcome.iter().filter_map(|(place, result)| Some((place, result.as_ref().err()?)));
    failures.map(|(place, error)| format!("{}: {error}", named(place))).collect()
}

/// Sets the settings of topics and brokers by which moves are slowed down.
async fn slow_partitions(
    cluster: &mut Cluster,
    moves: &BTreeMap<client::Place, Move>,
    bytes: i64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    for (name, settings) in throttle::of_topics(moves) {
        let resource = ConfigResource { kind: ConfigResourceType::Topic, name };
        let changes = settings.map(|(key, replicas)| (key.to_owned(), Some(replicas)));
        cluster.alter_configs(&resource, &changes).await.map_err(thrown)?;
    }
    set_rates(cluster, throttle::brokers(moves), &[throttle::LEADER_RATE, throttle::FOLLOWER_RATE], bytes)
        .await?;
    Ok(writeln!(out, "The inter-broker throttle limit was set to {bytes} B/s")?)
}

async fn slow_log_dirs(
    cluster: &mut Cluster,
    plan: &Plan,
    bytes: i64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let brokers = plan.log_dirs.keys().map(|replica| replica.broker).collect();
    set_rates(cluster, brokers, &[throttle::LOG_DIRS_RATE], bytes).await?;
    Ok(writeln!(out, "The replica-alter-dir throttle limit was set to {bytes} B/s")?)
}

async fn set_rates(
    cluster: &mut Cluster,
    brokers: BTreeSet<i32>,
    keys: &[&str],
    bytes: i64,
) -> Result<(), Failure> {
    let changes: Vec<(String, Option<String>)> =
        keys.iter().map(|key| ((*key).to_owned(), Some(bytes.to_string()))).collect();
    for id in brokers {
        let resource = ConfigResource { kind: ConfigResourceType::Broker, name: id.to_string() };
        cluster.alter_configs(&resource, &changes).await.map_err(thrown)?;
    }
    Ok(())
}

/// Has replicas move to other log directories of their brokers, and waits until each has begun. A broker that is to have a
/// replica gets it only after a while.
pub async fn move_replicas(
    cluster: &mut Cluster,
    mut wanted: BTreeMap<Replica, String>,
    patience: Duration,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        for (replica, result) in cluster.alter_replica_log_dirs(&wanted).await.map_err(thrown)? {
            match result {
                Ok(()) => {
                    let Some(path) = wanted.remove(&replica) else { continue };
                    let Replica { broker, place: (topic, partition) } = replica;
                    writeln!(
                        out,
                        "Successfully started moving log directory to {path} for replica {topic}-{partition} with broker {broker} "
                    )?;
                }
                Err(error) if error.code() == Some(ErrorCode::ReplicaNotAvailable) => {}
                Err(error) => {
                    tracing::debug!(%replica, %error, "a broker refuses a move");
                    return Err(Failure::Failed(format!("Failed to alter dir for {replica}")));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        if begun.elapsed() >= patience {
            let (count, names) = (wanted.len(), joined(wanted.keys(), ","));
            let moves = format!("move{}", plural(count));
            return end(
                out,
                &format!("Timed out before log directory {moves} could be started for: {names}"),
            );
        }
        sleep(PAUSE).await;
    }
}

//! `yeoul consumer-groups`: groups of consumers are listed, looked at, moved and removed, as with `kafka-consumer-groups`.

mod arguments;
mod describe;
mod fates;
pub mod listing;
mod regex;
mod reset;
pub mod time;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use client::{
    ClientError, Cluster, CommittedOffset, Consumer, ConsumerOptions, DescribedGroup, OffsetSpec, Place,
    Start,
};
use protocol::ErrorCode;
use tokio::time::Instant;

pub use arguments::ConsumerGroupsArgs;
use arguments::{Action, Reset, View};
use describe::{Progress, Remark};
use listing::Listing;
use reset::{Goal, Known, Plan, Scenario, Target, TopicChoice};

use super::cluster::{block_on, now_ms};
use super::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use super::refusals;
use super::table::Output;
use crate::failure::{Failure, say};
use crate::interrupt::Interrupt;
use crate::progress::Work;

/// Does what was asked, and tells failures as Kafka's tool does: on standard output, and with a good end. Programs that read JSON
/// get a code instead.
pub fn run(args: &ConsumerGroupsArgs) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let done = args.action(now_ms()).and_then(|action| match action {
        Action::ValidateRegex(regex) => Ok(writeln!(out, "{}", regex::verdict(&regex))?),
        action => block_on(act(args, action, &mut out)),
    });
    match done {
        Err(Failure::Failed(reason)) if args.form.output == Output::Text => {
            Ok(writeln!(out, "\nError: Executing consumer group command failed due to {reason}")?)
        }
        done => done,
    }
}

async fn act(args: &ConsumerGroupsArgs, action: Action, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.brokers.connect_within(Duration::from_millis(args.timeout)).await?;
    match action {
        Action::List(listing) => list(&mut cluster, &listing, args.form.output, out).await,
        Action::Describe(view) => {
            let groups = groups(&mut cluster, args).await?;
            if let View::Pace(seconds) = view {
                return watch(&mut cluster, &groups, Duration::from_secs(seconds), args.form.output, out)
                    .await;
            }
            let view = Shown { view, verbose: args.verbose, output: args.form.output };
            describe(&mut cluster, &groups, view, out).await
        }
        Action::Delete => {
            let groups = groups(&mut cluster, args).await?;
            delete(&mut cluster, groups, args.form.output, out).await
        }
        Action::Reset(reset) => {
            let groups = groups(&mut cluster, args).await?;
            let plan = plan(&mut cluster, &groups, &reset, out).await?;
            tell(&plan, reset.export, args, out)
        }
        Action::DeleteOffsets(topics) => {
            if args.group.len() > 1 {
                return Err(Failure::failed(
                    "Found multiple arguments for option group, but you asked for only one",
                ));
            }
            let group = args.group.first().cloned().unwrap_or_default();
            delete_offsets(&mut cluster, &group, topics, args.form.output, out).await
        }
        Action::ValidateRegex(_) => Ok(()),
    }
}

/// The groups of the line, or all.
async fn groups(cluster: &mut Cluster, args: &ConsumerGroupsArgs) -> Result<BTreeSet<String>, Failure> {
    if !args.all_groups {
        return Ok(args.group.iter().cloned().collect());
    }
    let all = cluster.list_groups().await?.into_iter();
    Ok(all.filter(listing::is_of_consumers).map(|group| group.group_id).collect())
}

async fn list(
    cluster: &mut Cluster,
    listing: &Listing,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut groups = listing.select(cluster.list_groups().await?);
    sort_as_java_map(&mut groups, USUAL_CAPACITY, |group| name_hash(&group.group_id));
    if output == Output::Json {
        return Ok(writeln!(out, "{}", listing::json(&groups))?);
    }
    Ok(listing.lines(&groups).iter().try_for_each(|line| writeln!(out, "{line}"))?)
}

/// What is told of groups, and how.
#[derive(Clone, Copy)]
struct Shown {
    view: View,
    verbose: bool,
    output: Output,
}

async fn describe(
    cluster: &mut Cluster,
    ids: &BTreeSet<String>,
    shown: Shown,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut groups = Vec::new();
    let mut work = Work::of("describing groups", ids.len());
    for id in ids {
        let group = work.step(cluster.describe_group(id)).await;
        groups.push(group.map_err(|error| Failure::Failed(refusals::exception(&error)))?);
    }
    let mut work = Work::of("looking where groups are", groups.len());
    if shown.output == Output::Json {
        let mut all = Vec::new();
        for group in &groups {
            all.extend(work.step(json(cluster, group, shown.view)).await?);
        }
        return Ok(writeln!(out, "{}", serde_json::Value::from(all))?);
    }
    for group in &groups {
        let lines = work.step(table(cluster, group, shown)).await?;
        match describe::remark(group) {
            Some(Remark::Gone(words)) => writeln!(out, "\nError: {words}")?,
            Some(Remark::Note(words)) => say(format_args!("\n{words}")),
            None => {}
        }
        if !lines.is_empty() {
            writeln!(out, "\n{}", lines.join("\n"))?;
        }
    }
    Ok(())
}

/// The lines about a group, if there is anything to tell.
async fn table(
    cluster: &mut Cluster,
    group: &DescribedGroup,
    Shown { view, verbose, .. }: Shown,
) -> Result<Vec<String>, Failure> {
    let is_gone = matches!(describe::remark(group), Some(Remark::Gone(_)));
    Ok(match view {
        View::Members => describe::members_table(group, verbose),
        _ if is_gone => Vec::new(),
        View::State => describe::state_table(group, verbose),
        View::Offsets | View::Ages | View::Pace(_) => match rows(cluster, group, view).await? {
            rows if rows.is_empty() => Vec::new(),
            rows => describe::offsets_table(&group.group_id, &rows, verbose, view == View::Ages),
        },
    })
}

async fn json(
    cluster: &mut Cluster,
    group: &DescribedGroup,
    view: View,
) -> Result<Vec<serde_json::Value>, Failure> {
    Ok(match view {
        View::Members => describe::members_json(group),
        View::State => vec![describe::state_json(group)],
        View::Offsets | View::Ages | View::Pace(_) => {
            let rows = rows(cluster, group, view).await?;
            rows.iter().map(|row| describe::offsets_json(&group.group_id, row)).collect()
        }
    })
}

/// Tells again and again how fast groups are, until a signal comes.
async fn watch(
    cluster: &mut Cluster,
    ids: &BTreeSet<String>,
    every: Duration,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        end = tell_pace(cluster, ids, every, output, out) => end,
        code = interrupt.told() => Err(Failure::Interrupted(code)),
    }
}

async fn tell_pace(
    cluster: &mut Cluster,
    ids: &BTreeSet<String>,
    every: Duration,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let (mut before, mut since) = (look(cluster, ids).await?, Instant::now());
    loop {
        tokio::time::sleep_until(since + every).await;
        let (now, at) = (look(cluster, ids).await?, Instant::now());
        let seconds = (at - since).as_secs_f64();
        let rows: Vec<watch::Row<'_>> = now
            .iter()
            .map(|(key, progress)| watch::Row {
                group: &key.0,
                now: progress,
                pace: before.get(key).and_then(|before| watch::pace(before, progress, seconds)),
            })
            .collect();
        match output {
            Output::Json => writeln!(out, "{}", watch::json(&rows))?,
            Output::Text => writeln!(out, "\n{}", watch::table(&rows).join("\n"))?,
        }
        out.flush()?;
        (before, since) = (now, at);
    }
}

/// How far groups are in each partition.
async fn look(
    cluster: &mut Cluster,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<(String, Place), Progress>, Failure> {
    let mut all = BTreeMap::new();
    for id in ids {
        let group = cluster.describe_group(id).await?;
        let rows = progress(cluster, &group).await?.into_iter();
        all.extend(rows.map(|row| ((id.clone(), row.place.clone()), row)));
    }
    Ok(all)
}

/// How far a group is, with the ages of the next records if the view has them.
async fn rows(cluster: &mut Cluster, group: &DescribedGroup, view: View) -> Result<Vec<Progress>, Failure> {
    let mut rows = progress(cluster, group).await?;
    if view == View::Ages {
        let next =
            |row: &Progress| Some((row.place.clone(), row.committed?.offset)).filter(|_| row.lag() > Some(0));
        let times = times(cluster, rows.iter().filter_map(next).collect()).await?;
        let now_ms = now_ms();
        for row in &mut rows {
            row.age_ms = times.get(&row.place).map(|time| now_ms.saturating_sub(*time).max(0));
        }
    }
    Ok(rows)
}

/// The times of the first records from these offsets on, in milliseconds since 1970. Partitions that have none, or no time in
/// them, are left out.
async fn times(cluster: &Cluster, next: Vec<(Place, i64)>) -> Result<BTreeMap<Place, i64>, Failure> {
    let count = next.len();
    let starts = next.into_iter().map(|((topic, partition), offset)| (topic, partition, Start::At(offset)));
    let mut consumer = Consumer::assign(cluster.twin().await?, ConsumerOptions::default(), starts.collect());
    let mut times = BTreeMap::new();
    while times.len() < count {
        let records = consumer.poll().await?;
        if records.is_empty() {
            break;
        }
        for record in records {
            times.entry((record.topic.to_string(), record.partition)).or_insert(record.timestamp);
        }
    }
    times.retain(|_, time| *time >= 0);
    Ok(times)
}

async fn progress(cluster: &mut Cluster, group: &DescribedGroup) -> Result<Vec<Progress>, Failure> {
    let committed = cluster.group_offsets(&group.group_id).await?;
    let assigned = group.members.iter().flat_map(|member| &member.assigned);
    let places: BTreeSet<Place> = assigned.chain(committed.keys()).cloned().collect();
    let ends = ends(cluster, places.into_iter().collect(), OffsetSpec::Latest).await?;
    Ok(describe::progress(group, &committed, &ends))
}

/// The offsets of places that a broker answers for.
async fn ends(
    cluster: &mut Cluster,
    places: Vec<Place>,
    spec: OffsetSpec,
) -> Result<BTreeMap<Place, i64>, Failure> {
    let wanted = places.into_iter().map(|place| (place, spec)).collect();
    let found = cluster.list_offsets(wanted, false).await?.into_iter();
    Ok(found.filter_map(|(place, found)| Some((place, found.ok()?.offset))).collect())
}

async fn delete(
    cluster: &mut Cluster,
    ids: BTreeSet<String>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut fates = Vec::new();
    let mut work = Work::of("deleting groups", ids.len());
    for id in ids {
        let fate = work.step(cluster.delete_group(&id)).await.err();
        fates.push((id, fate.map(|error| reason(&error, output))));
    }
    if output == Output::Json {
        return fates::tell(&fates::of_groups(&fates), out);
    }
    sort_as_java_map(&mut fates, USUAL_CAPACITY, |(id, _)| name_hash(id));
    Ok(fates::lines_of_groups(&fates).iter().try_for_each(|line| writeln!(out, "{line}"))?)
}

/// Why something was refused, as a table or a program is told.
fn reason(error: &ClientError, output: Output) -> String {
    if output == Output::Json { refusals::sentence(error) } else { refusals::exception(error) }
}

/// Where groups are to go on; brings them there if that is asked for.
async fn plan(
    cluster: &mut Cluster,
    ids: &BTreeSet<String>,
    reset: &Reset,
    out: &mut impl Write,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    let mut work = Work::of("looking where groups are to go on", ids.len());
    for id in ids {
        let state = match work.step(cluster.describe_group(id)).await {
            Ok(group) => group.state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(error) => return Err(error.into()),
        };
        if !matches!(state.as_str(), "Empty" | "Dead") {
            writeln!(
                out,
                "\nError: Assignments can only be reset if the group '{id}' is inactive, but the current state is {state}."
            )?;
            plan.add(id, Vec::new());
            continue;
        }
        let offsets = new_offsets(cluster, id, reset, ids.len() == 1, out).await?;
        if reset.execute {
            cluster.alter_group_offsets(id, &offsets).await?;
        }
        plan.add(id, offsets);
    }
    Ok(plan)
}

async fn new_offsets(
    cluster: &mut Cluster,
    group: &str,
    reset: &Reset,
    is_only: bool,
    out: &mut impl Write,
) -> Result<Vec<(Place, i64)>, Failure> {
    let committed = cluster.group_offsets(group).await?;
    let wanted: Vec<(Place, Scenario)> = match &reset.goal {
        Goal::File(file) => match file.of_group(group, is_only) {
            Some(lines) => {
                lines.iter().map(|(place, offset)| (place.clone(), Scenario::ToOffset(*offset))).collect()
            }
            None => {
                writeln!(out, "\nError: No reset plan for group {group} found")?;
                Vec::new()
            }
        },
        Goal::Everywhere(scenario) => {
            let places = match &reset.topics {
                None => committed.keys().cloned().collect(),
                Some(topics) => {
                    let places = places(cluster, topics).await;
                    places.map_err(|error| Failure::Failed(refusals::sentence(&error)))?
                }
            };
            places.into_iter().map(|place| (place, *scenario)).collect()
        }
    };
    let known = known(cluster, &wanted, &committed).await?;
    let mut targets = Vec::new();
    for (place, scenario) in wanted {
        let target = reset::target(scenario, &place, known.get(&place).copied().unwrap_or_default())?;
        targets.push((place, target));
    }
    reset::sort_places(&mut targets, |(place, _)| place);
    for (place, target) in &targets {
        remark(place, target, out)?;
    }
    Ok(targets.into_iter().map(|(place, target)| (place, target.offset())).collect())
}

/// Says what is not as it was asked for.
fn remark((topic, partition): &Place, target: &Target, out: &mut impl Write) -> Result<(), Failure> {
    match target {
        Target::At(_) => {}
        Target::NothingSince(_) => writeln!(
            out,
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
        )?,
        Target::Nearest(asked, nearest) => {
            let (what, which) = if asked > nearest { ("higher", "latest") } else { ("lower", "earliest") };
            tracing::warn!(
                "New offset ({asked}) is {what} than {which} offset for topic partition {topic}-{partition}. \
                 Value will be set to {nearest}."
            );
        }
    }
    Ok(())
}

/// What is to be known of each partition, all of which must be there.
async fn known(
    cluster: &mut Cluster,
    wanted: &[(Place, Scenario)],
    committed: &BTreeMap<Place, CommittedOffset>,
) -> Result<BTreeMap<Place, Known>, Failure> {
    let places: Vec<Place> = wanted.iter().map(|(place, _)| place.clone()).collect();
    let latest = all_offsets(cluster, &places, OffsetSpec::Latest).await?;
    let earliest = all_offsets(cluster, &places, OffsetSpec::Earliest).await?;
    let time = wanted.iter().find_map(|(_, scenario)| match scenario {
        Scenario::ToTime(time) => Some(*time),
        _ => None,
    });
    let at_time = match time {
        Some(time) => all_offsets(cluster, &places, OffsetSpec::Timestamp(time)).await?,
        None => BTreeMap::new(),
    };
    let known = |place: Place| {
        let offset = |offsets: &BTreeMap<Place, i64>| offsets.get(&place).copied();
        let known = Known {
            earliest: offset(&earliest).unwrap_or_default(),
            latest: offset(&latest).unwrap_or_default(),
            committed: committed.get(&place).map(|committed| committed.offset),
            at_time: offset(&at_time).filter(|offset| *offset >= 0),
        };
        (place, known)
    };
    Ok(places.iter().cloned().map(known).collect())
}

/// The offsets of places, which all must have one.
async fn all_offsets(
    cluster: &mut Cluster,
    places: &[Place],
    spec: OffsetSpec,
) -> Result<BTreeMap<Place, i64>, Failure> {
    let wanted = places.iter().map(|place| (place.clone(), spec)).collect();
    let mut offsets = BTreeMap::new();
    let mut missing = Vec::new();
    for (place, found) in cluster.list_offsets(wanted, false).await? {
        match found {
            Ok(found) => {
                offsets.insert(place, found.offset);
            }
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                missing.push(format!("{}-{}", place.0, place.1));
            }
            Err(error) => return Err(error.into()),
        }
    }
    match missing.is_empty() {
        true => Ok(offsets),
        false => Err(Failure::Failed(format!("The partitions \"{}\" do not exist", missing.join(",")))),
    }
}

/// The partitions of topics: those that are named, then all of the topics of which none is, in the order of Kafka's tool.
async fn places(cluster: &mut Cluster, topics: &[TopicChoice]) -> Result<Vec<Place>, ClientError> {
    let (chosen, mut whole): (Vec<&TopicChoice>, Vec<&TopicChoice>) =
        topics.iter().partition(|choice| choice.partitions.is_some());
    let mut known = BTreeSet::new();
    whole.retain(|choice| known.insert(&choice.topic));
    let count = whole.len();
    sort_as_java_map(&mut whole, count, |choice| name_hash(&choice.topic));
    let mut places = Vec::new();
    for TopicChoice { topic, partitions } in chosen.into_iter().chain(whole) {
        let numbers = match partitions {
            Some(numbers) => numbers.clone(),
            None => all_partitions(cluster, topic).await?,
        };
        places.extend(numbers.into_iter().map(|number| (topic.clone(), number)));
    }
    Ok(places)
}

async fn all_partitions(cluster: &mut Cluster, topic: &str) -> Result<Vec<i32>, ClientError> {
    let topics = cluster.describe_topics(&[topic.to_owned()]).await?;
    let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
    Ok(partitions.map(|partition| partition.partition).collect())
}

fn tell(plan: &Plan, export: bool, args: &ConsumerGroupsArgs, out: &mut impl Write) -> Result<(), Failure> {
    match (export, args.form.output) {
        (true, _) => writeln!(out, "{}", plan.csv(args.group.len() != 1))?,
        (_, Output::Json) => writeln!(out, "{}", plan.json())?,
        _ => {
            for line in plan.lines() {
                write!(out, "\n{line}")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

async fn delete_offsets(
    cluster: &mut Cluster,
    group: &str,
    topics: Vec<TopicChoice>,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut places = Vec::new();
    let mut fates: Vec<fates::OfOffset> = Vec::new();
    for choice in topics {
        match self::places(cluster, std::slice::from_ref(&choice)).await {
            Ok(found) => places.extend(found),
            Err(error) => fates.push((choice.topic, None, Some(reason(&error, output)))),
        }
    }
    let deleted = cluster.delete_group_offsets(group, &places).await;
    for place in places {
        let error = match &deleted {
            Err(error) => Some(error),
            Ok(fates) => fates.get(&place).and_then(|fate| fate.as_ref().err()),
        };
        fates.push((place.0, Some(place.1), error.map(|error| reason(error, output))));
    }
    fates.sort_unstable();
    fates.dedup();
    if output == Output::Json {
        return fates::tell(&fates::of_offsets(&fates), out);
    }
    match deleted {
        Err(error) => writeln!(out, "\nError: {}", refusals::sentence(&error))?,
        Ok(fates) if fates.values().any(Result::is_err) => {
            writeln!(out, "\nError: Encountered some partition-level error, see the follow-up details.")?;
        }
        Ok(_) => writeln!(out, "Request succeeded for deleting offsets from group {group}.")?,
    }
    Ok(writeln!(out, "\n{}", fates::lines_of_offsets(&fates).join("\n"))?)
}

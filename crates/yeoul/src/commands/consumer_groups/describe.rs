//! `--describe`: where groups are, who their members are, and how they are.

use std::collections::{BTreeMap, BTreeSet};

use client::{CommittedOffset, DescribedGroup, DescribedMember, Place};
use serde_json::{Value, json};

use super::watch::span;
use crate::commands::columns::{MISSING, USUAL_WIDTH, line, or_missing, width};

/// A partition, and how far the group is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its topic and number.
    pub place: Place,
    /// What the group has committed.
    pub committed: Option<CommittedOffset>,
    /// Where the log ends.
    pub end: Option<i64>,
    /// Member id, host and client id of who reads it.
    pub reader: Option<(String, String, String)>,
    /// How old the next record to read is, in milliseconds.
    pub age_ms: Option<i64>,
}

impl Progress {
    /// How many records are still to be read.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end? - self.committed?.offset)
    }
}

/// The partitions of which something is known: those of members, who have the most first, then those without a reader.
pub fn progress(
    group: &DescribedGroup,
    committed: &BTreeMap<Place, CommittedOffset>,
    ends: &BTreeMap<Place, i64>,
) -> Vec<Progress> {
    let row = |place: &Place, reader: Option<&DescribedMember>| Progress {
        place: place.clone(),
        committed: committed.get(place).copied(),
        end: ends.get(place).copied(),
        reader: reader.map(|it| (it.member_id.clone(), it.host.clone(), it.client_id.clone())),
        age_ms: None,
    };
    let mut members: Vec<&DescribedMember> = group.members.iter().collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assigned.len()));
    let mut rows: Vec<Progress> = Vec::new();
    for member in &members {
        let assigned: BTreeSet<&Place> = member.assigned.iter().collect();
        rows.extend(assigned.into_iter().map(|place| row(place, Some(member))));
    }
    let is_read = |place: &Place| members.iter().any(|member| member.assigned.contains(place));
    rows.extend(committed.keys().filter(|place| !is_read(place)).map(|place| row(place, None)));
    rows
}

/// What is said of a group's state before its rows, if anything: a line for standard output, or one for standard error.
#[derive(Debug, PartialEq, Eq)]
pub enum Remark {
    /// It is not there.
    Gone(String),
    /// It is not as one would expect.
    Note(String),
}

/// The remark on a state.
pub fn remark(group: &DescribedGroup) -> Option<Remark> {
    let id = &group.group_id;
    match group.state.as_str() {
        "Dead" => Some(Remark::Gone(format!("Consumer group '{id}' does not exist."))),
        "Empty" => Some(Remark::Note(format!("Consumer group '{id}' has no active members."))),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            Some(Remark::Note(format!("Warning: Consumer group '{id}' is rebalancing.")))
        }
        _ => None,
    }
}

/// The table of `--offsets`, from its title on; with the ages of the next records if they are wanted.
pub fn offsets_table(group: &str, rows: &[Progress], verbose: bool, with_ages: bool) -> Vec<String> {
    let readers = || rows.iter().filter_map(|row| row.reader.as_ref());
    let group_width = width([group].into_iter(), USUAL_WIDTH);
    let topic_width = width(rows.iter().map(|row| row.place.0.as_str()), USUAL_WIDTH);
    let member_width = width(readers().map(|reader| reader.0.as_str()), USUAL_WIDTH);
    let host_width = width(readers().map(|reader| reader.1.as_str()), USUAL_WIDTH);
    let row = |cells: [&str; 11]| {
        let [group, topic, partition, epoch, current, end, lag, age, member, host, client] = cells;
        let mut filled = vec![(group, group_width), (topic, topic_width), (partition, 10)];
        filled.extend(verbose.then_some((epoch, USUAL_WIDTH)));
        filled.extend([current, end, lag].map(|cell| (cell, USUAL_WIDTH)));
        filled.extend(with_ages.then_some((age, USUAL_WIDTH)));
        filled.extend([(member, member_width), (host, host_width), (client, 0)]);
        line(&filled)
    };
    let title = row([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "LAG-TIME",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    let rows = rows.iter().map(|it| {
        let (member, host, client) = it.reader.as_ref().map_or((MISSING, MISSING, MISSING), |reader| {
            (reader.0.as_str(), reader.1.as_str(), reader.2.as_str())
        });
        row([
            group,
            &it.place.0,
            &it.place.1.to_string(),
            &or_missing(it.committed.and_then(|committed| committed.leader_epoch)),
            &or_missing(it.committed.map(|committed| committed.offset)),
            &or_missing(it.end),
            &or_missing(it.lag()),
            &or_missing(it.age_ms.map(|age_ms| span(age_ms as f64 / 1e3))),
            member,
            host,
            client,
        ])
    });
    std::iter::once(title).chain(rows).collect()
}

/// The same for programs.
pub fn offsets_json(group: &str, row: &Progress) -> Value {
    let reader = row.reader.as_ref();
    json!({
        "group": group,
        "topic": row.place.0,
        "partition": row.place.1,
        "leaderEpoch": row.committed.and_then(|committed| committed.leader_epoch),
        "currentOffset": row.committed.map(|committed| committed.offset),
        "logEndOffset": row.end,
        "lag": row.lag(),
        "lagMs": row.age_ms,
        "consumerId": reader.map(|reader| &reader.0),
        "host": reader.map(|reader| &reader.1),
        "clientId": reader.map(|reader| &reader.2),
    })
}

/// The table of `--members`, from its title on.
pub fn members_table(group: &DescribedGroup, verbose: bool) -> Vec<String> {
    let members = &group.members;
    let text = |cells: fn(&DescribedMember) -> &str, least| width(members.iter().map(cells), least);
    let with_instances = members.iter().any(|member| member.instance_id.is_some());
    let upgraded = |wanted| members.iter().any(|member| member.is_upgraded == Some(wanted));
    let is_mixed = upgraded(true) && upgraded(false);
    let assignments: Vec<[String; 2]> = members
        .iter()
        .map(|member| {
            [assignment(&member.assigned), assignment(member.target.as_deref().unwrap_or_default())]
        })
        .collect();
    let assignment_width = |at: usize| width(assignments.iter().map(|both| both[at].as_str()), 20);
    let widths = [
        // A group without members has the usual width, whatever its name.
        width(members.first().map(|_| group.group_id.as_str()).into_iter(), USUAL_WIDTH),
        text(|member| &member.member_id, USUAL_WIDTH),
        text(|member| member.instance_id.as_deref().unwrap_or_default(), 17),
        text(|member| &member.host, USUAL_WIDTH),
        text(|member| &member.client_id, USUAL_WIDTH),
        USUAL_WIDTH,
        USUAL_WIDTH,
        assignment_width(0),
        USUAL_WIDTH,
        assignment_width(1),
        0,
    ];
    let row = |cells: [&str; 11]| {
        let shown = |at: &usize| match at {
            2 => with_instances,
            6..=9 => verbose,
            10 => verbose && is_mixed,
            _ => true,
        };
        let filled: Vec<(&str, usize)> =
            (0..cells.len()).filter(shown).map(|at| (cells[at], widths[at])).collect();
        // Without the verbose columns Kafka's line ends in a blank.
        line(&filled) + if verbose { "" } else { " " }
    };
    let title = row([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        "CURRENT-EPOCH",
        "CURRENT-ASSIGNMENT",
        "TARGET-EPOCH",
        "TARGET-ASSIGNMENT",
        "UPGRADED",
    ]);
    let target_epoch = or_missing(group.epochs.map(|(_, target)| target));
    let rows = members.iter().zip(&assignments).map(|(member, [assigned, target])| {
        row([
            &group.group_id,
            &member.member_id,
            member.instance_id.as_deref().unwrap_or_default(),
            &member.host,
            &member.client_id,
            &member.assigned.len().to_string(),
            &or_missing(member.epoch),
            assigned,
            &target_epoch,
            target,
            &or_missing(member.is_upgraded),
        ])
    });
    std::iter::once(title).chain(rows).collect()
}

/// Partitions as `topic:0,1;other:2`.
fn assignment(places: &[Place]) -> String {
    let mut topics: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        topics.entry(topic).or_default().insert(*partition);
    }
    let topic = |(name, partitions): (&str, BTreeSet<i32>)| {
        let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
        format!("{name}:{}", numbers.join(","))
    };
    let mut all: Vec<String> = topics.into_iter().map(topic).collect();
    all.sort_unstable();
    if all.is_empty() { MISSING.to_owned() } else { all.join(";") }
}

/// The same for programs.
pub fn members_json(group: &DescribedGroup) -> Vec<Value> {
    let places = |places: &[Place]| -> Value {
        places.iter().map(|(topic, partition)| json!({"topic": topic, "partition": partition})).collect()
    };
    let member = |member: &DescribedMember| {
        json!({
            "group": group.group_id,
            "consumerId": member.member_id,
            "groupInstanceId": member.instance_id,
            "host": member.host,
            "clientId": member.client_id,
            "currentEpoch": member.epoch,
            "currentAssignment": places(&member.assigned),
            "targetEpoch": group.epochs.map(|(_, target)| target),
            "targetAssignment": member.target.as_deref().map(places),
            "upgraded": member.is_upgraded,
        })
    };
    group.members.iter().map(member).collect()
}

/// The table of `--state`, from its title on.
pub fn state_table(group: &DescribedGroup, verbose: bool) -> Vec<String> {
    let coordinator = format!("{}  ({})", group.coordinator.address, group.coordinator.node_id);
    let id_width = width([group.group_id.as_str()].into_iter(), USUAL_WIDTH);
    let coordinator_width = width([coordinator.as_str()].into_iter(), 25);
    let row = |cells: [&str; 7]| {
        let [id, coordinator, assignor, state, epoch, target, members] = cells;
        let mut filled = vec![(id, id_width), (coordinator, coordinator_width), (assignor, 20), (state, 20)];
        if verbose {
            filled.extend([(epoch, USUAL_WIDTH), (target, 25)]);
        }
        filled.push((members, 0));
        line(&filled)
    };
    let assignor = if group.assignor.is_empty() { MISSING } else { &group.assignor };
    vec![
        row([
            "GROUP",
            "COORDINATOR (ID)",
            "ASSIGNMENT-STRATEGY",
            "STATE",
            "GROUP-EPOCH",
            "TARGET-ASSIGNMENT-EPOCH",
            "#MEMBERS",
        ]),
        row([
            &group.group_id,
            &coordinator,
            assignor,
            &group.state,
            &or_missing(group.epochs.map(|(epoch, _)| epoch)),
            &or_missing(group.epochs.map(|(_, target)| target)),
            &group.members.len().to_string(),
        ]),
    ]
}

/// The same for programs.
pub fn state_json(group: &DescribedGroup) -> Value {
    json!({
        "group": group.group_id,
        "coordinator": {"id": group.coordinator.node_id, "address": group.coordinator.address},
        "assignmentStrategy": group.assignor,
        "state": group.state,
        "groupEpoch": group.epochs.map(|(epoch, _)| epoch),
        "targetAssignmentEpoch": group.epochs.map(|(_, target)| target),
        "members": group.members.len(),
    })
}

#[cfg(test)]
mod tests {
    use client::Coordinator;

    use super::*;

    fn place(topic: &str, partition: i32) -> Place {
        (topic.to_owned(), partition)
    }

    fn member(id: &str, assigned: &[Place]) -> DescribedMember {
        DescribedMember {
            member_id: id.to_owned(),
            host: "/127.0.0.1".to_owned(),
            client_id: "c".to_owned(),
            assigned: assigned.to_vec(),
            ..DescribedMember::default()
        }
    }

    fn group(members: Vec<DescribedMember>) -> DescribedGroup {
        DescribedGroup {
            group_id: "g".to_owned(),
            state: "Stable".to_owned(),
            protocol_type: "consumer".to_owned(),
            assignor: String::new(),
            coordinator: Coordinator { node_id: 1, address: "h:9092".to_owned() },
            epochs: None,
            members,
        }
    }

    fn committed(offset: i64) -> CommittedOffset {
        CommittedOffset { offset, leader_epoch: Some(4) }
    }

    #[test]
    fn who_has_most_comes_first_and_what_nobody_reads_last() {
        let group = group(vec![
            member("one", &[place("t", 2)]),
            member("none", &[]),
            member("two", &[place("t", 1), place("t", 0)]),
        ]);
        let committed = BTreeMap::from([(place("left", 0), committed(3)), (place("t", 0), committed(5))]);
        let ends = BTreeMap::from([(place("t", 0), 7), (place("t", 1), 9)]);
        let rows = progress(&group, &committed, &ends);
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.place.clone(), row.lag(), row.reader.as_ref().map(|it| it.0.as_str())))
            .collect();
        assert_eq!(
            told,
            [
                (place("t", 0), Some(2), Some("two")),
                (place("t", 1), None, Some("two")),
                (place("t", 2), None, Some("one")),
                (place("left", 0), None, None),
            ]
        );
    }

    #[test]
    fn offsets_are_told_as_apache_kafka_tells_them() {
        let row = Progress {
            place: place("t", 1),
            committed: Some(committed(4)),
            end: Some(11),
            reader: None,
            age_ms: Some(3200),
        };
        let lines = offsets_table("g", std::slice::from_ref(&row), false, false);
        let title = "GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             \
                     CONSUMER-ID     HOST            CLIENT-ID";
        let told = "g               t               1          4               11              7               \
                    -               -               -";
        assert_eq!(lines, [title, told]);
        let lines = offsets_table("g", std::slice::from_ref(&row), true, false);
        assert!(lines[1].starts_with("g               t               1          4               4      "));
        let lines = offsets_table("g", &[row], false, true);
        assert!(lines[0].contains(" LAG             LAG-TIME        CONSUMER-ID "));
        assert!(lines[1].contains(" 7               3.2s            -   "));
    }

    #[test]
    fn members_are_told_as_apache_kafka_tells_them() {
        let mut two = member("m", &[place("v", 0), place("t", 10), place("t", 9)]);
        let lines = members_table(&group(vec![two.clone()]), false);
        assert_eq!(
            lines[0],
            "GROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     "
        );
        let lines = members_table(&group(vec![two.clone()]), true);
        assert!(lines[1].ends_with(
            "3               -               t:9,10;v:0           -               -                   "
        ));
        two.instance_id = Some("static".to_owned());
        let lines = members_table(&group(vec![two, member("n", &[])]), false);
        assert!(lines[1].contains("m               static            /127.0.0.1"));
        assert!(lines[2].contains("n                                 /127.0.0.1"));
    }

    #[test]
    fn that_some_members_are_not_upgraded_yet_is_told_where_others_are() {
        let with = |upgraded| DescribedMember { is_upgraded: Some(upgraded), ..member("m", &[]) };
        let title = |members| members_table(&group(members), true)[0].ends_with("UPGRADED");
        assert!(!title(vec![with(true), with(true)]));
        assert!(title(vec![with(true), with(false)]));
    }

    #[test]
    fn a_state_is_told_as_apache_kafka_tells_it() {
        let lines = state_table(&group(Vec::new()), false);
        assert_eq!(
            lines,
            [
                "GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS",
                "g               h:9092  (1)               -                    Stable               0",
            ]
        );
        let of_consumers = DescribedGroup { epochs: Some((2, 3)), ..group(Vec::new()) };
        let told = &state_table(&of_consumers, true)[1];
        assert!(told.ends_with("Stable               2               3                         0"));
    }

    #[test]
    fn a_state_that_surprises_is_remarked_on() {
        let in_state = |state: &str| remark(&DescribedGroup { state: state.to_owned(), ..group(Vec::new()) });
        assert_eq!(in_state("Stable"), None);
        let words = "Consumer group 'g' has no active members.".to_owned();
        assert_eq!(in_state("Empty"), Some(Remark::Note(words)));
        assert_eq!(in_state("Dead"), Some(Remark::Gone("Consumer group 'g' does not exist.".to_owned())));
        assert!(matches!(in_state("Reconciling"), Some(Remark::Note(_))));
    }
}

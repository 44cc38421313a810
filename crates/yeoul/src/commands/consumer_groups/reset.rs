//! `--reset-offsets`: where a group is to go on. Pure: what is known of the partitions comes in, the plan goes out.

use std::collections::BTreeMap;

use client::Place;
use serde_json::{Value, json};

use crate::commands::columns::{USUAL_WIDTH, line, width};
use crate::commands::java_order::{USUAL_CAPACITY, name_hash, partition_hash, sort_as_java_map};
use crate::failure::Failure;

/// Where groups are to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// By one rule in each partition.
    Everywhere(Scenario),
    /// Where the lines of a file say.
    File(FilePlan),
}

/// A rule for where a group is to go on in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// At this offset.
    ToOffset(i64),
    /// With the oldest record.
    ToEarliest,
    /// With the next record to come.
    ToLatest,
    /// Where it is.
    ToCurrent,
    /// So many records further on, or back.
    ShiftBy(i64),
    /// With the first record that is not older than this: milliseconds since 1970.
    ToTime(i64),
}

/// What is known of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The offset of the oldest record.
    pub earliest: i64,
    /// The offset of the next record.
    pub latest: i64,
    /// Where the group is.
    pub committed: Option<i64>,
    /// The first record of the time that is looked for.
    pub at_time: Option<i64>,
}

/// Where a group is to go on in one partition, and what is to be said of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// There, as it was asked for.
    At(i64),
    /// At the end, because nothing is as young as the time that was asked for.
    NothingSince(i64),
    /// At the nearest offset that there is. First the one that was asked for.
    Nearest(i64, i64),
}

impl Target {
    /// The offset.
    pub fn offset(&self) -> i64 {
        match self {
            Target::At(offset) | Target::NothingSince(offset) | Target::Nearest(_, offset) => *offset,
        }
    }
}

/// Where a scenario leads in one partition.
///
/// # Errors
/// Kafka's sentence about a shift from nowhere.
pub fn target(scenario: Scenario, place: &Place, known: Known) -> Result<Target, Failure> {
    Ok(match scenario {
        Scenario::ToOffset(offset) => within(offset, known),
        Scenario::ToEarliest => Target::At(known.earliest),
        Scenario::ToLatest => Target::At(known.latest),
        Scenario::ToCurrent => Target::At(known.committed.unwrap_or(known.latest)),
        Scenario::ShiftBy(count) => match known.committed {
            Some(offset) => within(offset.saturating_add(count), known),
            None => {
                let (topic, partition) = place;
                return Err(Failure::Usage(format!(
                    "Cannot shift offset for partition {topic}-{partition} since there is no current committed offset"
                )));
            }
        },
        Scenario::ToTime(_) => known.at_time.map_or(Target::NothingSince(known.latest), Target::At),
    })
}

fn within(offset: i64, known: Known) -> Target {
    match offset.min(known.latest).max(known.earliest) {
        nearest if nearest == offset => Target::At(offset),
        nearest => Target::Nearest(offset, nearest),
    }
}

/// A topic with the numbers of some of its partitions, or none for all: `orders` or `orders:0,2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChoice {
    /// The topic.
    pub topic: String,
    /// The partitions.
    pub partitions: Option<Vec<i32>>,
}

impl TopicChoice {
    /// Reads one.
    ///
    /// # Errors
    /// Kafka's sentence about a text that is none.
    pub fn parse(text: &str) -> Result<TopicChoice, String> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [topic] => Ok(TopicChoice { topic: topic.to_owned(), partitions: None }),
            [topic, numbers] => {
                let number = |word: &str| {
                    let number = word.parse();
                    number.map_err(|_| format!("Invalid partition '{word}' specified in topic arg '{text}''"))
                };
                let partitions = numbers.split(',').map(number).collect::<Result<_, _>>()?;
                Ok(TopicChoice { topic: topic.to_owned(), partitions: Some(partitions) })
            }
            _ => Err(format!("Invalid topic arg '{text}', expected topic name and partitions")),
        }
    }
}

/// The offsets of a file, by group; those of lines without a group go by none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePlan {
    groups: BTreeMap<Option<String>, Vec<(Place, i64)>>,
}

impl FilePlan {
    /// Reads lines of `topic,partition,offset` or `group,topic,partition,offset`, as `--export` writes them.
    ///
    /// # Errors
    /// If a line is neither, or an offset is negative.
    pub fn parse(text: &str) -> Result<FilePlan, String> {
        let mut plan = FilePlan::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong =
                || format!("line {number} is neither topic,partition,offset nor has a group before: {line}");
            let cells = cells(line);
            let (group, [topic, partition, offset]) = match &cells[..] {
                [topic, partition, offset] => (None, [topic, partition, offset]),
                [group, topic, partition, offset] => (Some(group.clone()), [topic, partition, offset]),
                _ => return Err(wrong()),
            };
            let place = (topic.clone(), partition.trim().parse().map_err(|_| wrong())?);
            let offset: i64 = offset.trim().parse().map_err(|_| wrong())?;
            if offset < 0 {
                return Err("Invalid negative offset".to_owned());
            }
            plan.groups.entry(group).or_default().push((place, offset));
        }
        Ok(plan)
    }

    /// What it says of a group; lines without a group count if that is the only group that is asked for.
    pub fn of_group(&self, group: &str, is_only: bool) -> Option<&[(Place, i64)]> {
        let named = self.groups.get(&Some(group.to_owned()));
        let unnamed = if is_only { self.groups.get(&None) } else { None };
        unnamed.or(named).map(Vec::as_slice)
    }
}

/// The new offsets of groups, in the order of Kafka's tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    groups: Vec<(String, Vec<(Place, i64)>)>,
}

impl Plan {
    /// Adds a group; one that may not be reset has no offsets.
    pub fn add(&mut self, group: &str, mut offsets: Vec<(Place, i64)>) {
        sort_places(&mut offsets, |(place, _)| place);
        self.groups.push((group.to_owned(), offsets));
        sort_as_java_map(&mut self.groups, USUAL_CAPACITY, |(group, _)| name_hash(group));
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &Place, i64)> {
        self.groups.iter().flat_map(|(group, offsets)| {
            offsets.iter().map(move |(place, offset)| (group.as_str(), place, *offset))
        })
    }

    /// The table of the plan.
    pub fn lines(&self) -> Vec<String> {
        let group_width = width(self.groups.iter().map(|(group, _)| group.as_str()), USUAL_WIDTH);
        let topic_width = width(self.rows().map(|(_, place, _)| place.0.as_str()), USUAL_WIDTH);
        let row = |group: &str, topic: &str, partition: &str, offset: &str| {
            line(&[(group, group_width), (topic, topic_width), (partition, 10), (offset, 0)])
        };
        let title = (!self.groups.is_empty()).then(|| row("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"));
        let rows = self.rows().map(|(group, (topic, partition), offset)| {
            row(group, topic, &partition.to_string(), &offset.to_string())
        });
        title.into_iter().chain(rows).collect()
    }

    /// Lines for [`FilePlan::parse`].
    pub fn csv(&self, with_groups: bool) -> String {
        let row = |(group, (topic, partition), offset): (&str, &Place, i64)| {
            let group = if with_groups { format!("{},", cell(group)) } else { String::new() };
            format!("{group}{},{partition},{offset}\n", cell(topic))
        };
        self.rows().map(row).collect()
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let row = |(group, (topic, partition), offset): (&str, &Place, i64)| json!({"group": group, "topic": topic, "partition": partition, "newOffset": offset});
        self.rows().map(row).collect()
    }
}

/// The cells of a line of a file. What is in quotes may have commas, and quotes that are doubled.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => push(&mut cells, '"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            letter => push(&mut cells, letter),
        }
    }
    cells
}

fn push(cells: &mut [String], letter: char) {
    if let Some(last) = cells.last_mut() {
        last.push(letter);
    }
}

/// Longer cells are in quotes.
const PLAIN_BYTES_MAX: usize = 24;

/// A text as a cell of a file. In quotes is what must be, and, as in Kafka's files, what is long.
fn cell(text: &str) -> String {
    let is_plain = text.len() <= PLAIN_BYTES_MAX && text.bytes().all(|byte| byte > b',');
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Sorts what is about partitions as Kafka's tool prints it.
pub fn sort_places<T>(entries: &mut [T], place: impl Fn(&T) -> &Place) {
    sort_as_java_map(entries, USUAL_CAPACITY, |entry| {
        let (topic, partition) = place(entry);
        partition_hash(topic, *partition)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known { earliest: 10, latest: 20, committed: Some(15), at_time: Some(12) };

    fn place(topic: &str, partition: i32) -> Place {
        (topic.to_owned(), partition)
    }

    fn leads_to(scenario: Scenario, known: Known) -> Target {
        target(scenario, &place("t", 0), known).unwrap()
    }

    #[test]
    fn every_scenario_leads_where_it_says() {
        for (scenario, expected) in [
            (Scenario::ToOffset(11), Target::At(11)),
            (Scenario::ToEarliest, Target::At(10)),
            (Scenario::ToLatest, Target::At(20)),
            (Scenario::ToCurrent, Target::At(15)),
            (Scenario::ShiftBy(-3), Target::At(12)),
            (Scenario::ToTime(7), Target::At(12)),
        ] {
            assert_eq!(leads_to(scenario, KNOWN), expected, "{scenario:?}");
        }
    }

    #[test]
    fn an_offset_that_is_not_there_becomes_the_nearest_that_is() {
        assert_eq!(leads_to(Scenario::ToOffset(99), KNOWN), Target::Nearest(99, 20));
        assert_eq!(leads_to(Scenario::ToOffset(-5), KNOWN), Target::Nearest(-5, 10));
        assert_eq!(leads_to(Scenario::ShiftBy(i64::MAX), KNOWN), Target::Nearest(i64::MAX, 20));
        assert_eq!(leads_to(Scenario::ShiftBy(-6), KNOWN).offset(), 10);
    }

    #[test]
    fn a_group_that_is_nowhere_is_at_the_end_and_cannot_be_shifted() {
        let nowhere = Known { committed: None, at_time: None, ..KNOWN };
        assert_eq!(leads_to(Scenario::ToCurrent, nowhere), Target::At(20));
        assert_eq!(leads_to(Scenario::ToTime(7), nowhere), Target::NothingSince(20));
        let words = "Cannot shift offset for partition t-0 since there is no current committed offset";
        let refused = target(Scenario::ShiftBy(1), &place("t", 0), nowhere);
        assert_eq!(refused, Err(Failure::Usage(words.to_owned())));
    }

    #[test]
    fn topics_come_with_partitions_or_without() {
        let choice = |partitions| Ok(TopicChoice { topic: "t".to_owned(), partitions });
        assert_eq!(TopicChoice::parse("t"), choice(None));
        assert_eq!(TopicChoice::parse("t:0,2"), choice(Some(vec![0, 2])));
        let words = "Invalid partition 'x' specified in topic arg 't:x''";
        assert_eq!(TopicChoice::parse("t:x"), Err(words.to_owned()));
        assert!(TopicChoice::parse("t:0:1").is_err());
    }

    #[test]
    fn a_long_cell_is_in_quotes() {
        assert_eq!(cell("twenty-four-letters-it-is"), "\"twenty-four-letters-it-is\"");
        assert_eq!(cell("twenty-four-letters-it-i"), "twenty-four-letters-it-i");
    }

    #[test]
    fn a_file_is_read_as_it_was_exported() {
        let mut plan = Plan::default();
        plan.add("g", vec![(place("t", 0), 3)]);
        plan.add("the \"h\", a group", vec![(place("u", 0), 1)]);
        let csv = plan.csv(true);
        assert!(csv.contains("g,t,0,3\n") && csv.contains("\"the \"\"h\"\", a group\",u,0,1\n"), "{csv}");
        let file = FilePlan::parse(&csv).unwrap();
        assert_eq!(file.of_group("the \"h\", a group", false), Some(&[(place("u", 0), 1)][..]));
        assert_eq!(file.of_group("i", false), None);
    }

    #[test]
    fn lines_without_a_group_are_for_the_only_one() {
        let file = FilePlan::parse("t,0,2\n\n\"t\", 1, 1\n").unwrap();
        assert_eq!(file.of_group("g", true), Some(&[(place("t", 0), 2), (place("t", 1), 1)][..]));
        assert_eq!(file.of_group("g", false), None);
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_with_the_line() {
        assert_eq!(FilePlan::parse("t,0,-1"), Err("Invalid negative offset".to_owned()));
        assert!(FilePlan::parse("t,0,1\nt,x,1").unwrap_err().starts_with("line 2 "));
        assert!(FilePlan::parse("t").is_err());
    }

    #[test]
    fn a_plan_is_told_as_apache_kafka_tells_it() {
        let mut plan = Plan::default();
        plan.add("g", vec![(place("t", 0), 0), (place("t", 1), 4)]);
        plan.add("busy", Vec::new());
        assert_eq!(
            plan.lines(),
            [
                "GROUP           TOPIC           PARTITION  NEW-OFFSET",
                "g               t               1          4",
                "g               t               0          0",
            ]
        );
        assert_eq!(Plan::default().lines(), Vec::<String>::new());
    }
}

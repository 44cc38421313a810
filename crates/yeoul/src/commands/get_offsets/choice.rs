//! Which partitions of which topics.

use std::ops::Range;

use crate::topic_filter::TopicFilter;

/// Rules, of which one must take a partition.
#[derive(Debug)]
pub struct Choice {
    rules: Vec<Rule>,
}

/// Topics, and which of their partitions.
#[derive(Debug)]
struct Rule {
    topics: TopicFilter,
    partitions: Vec<Range<i32>>,
}

const ALL: Range<i32> = 0..i32::MAX;

impl Choice {
    /// Topics by a pattern, and numbers of partitions with commas between them; all where nothing is given.
    ///
    /// # Errors
    /// Kafka's sentence about what is no number or no pattern.
    pub fn of_both(
        topics: Option<&str>,
        partitions: Option<&str>,
        with_internal: bool,
    ) -> Result<Choice, String> {
        let partitions = match partitions.filter(|list| !list.is_empty()) {
            Some(list) => list.split(',').map(|word| one(word.trim())).collect::<Option<_>>().ok_or_else(|| {
                format!("--partitions expects a comma separated list of numeric partition ids, but received: {list}")
            })?,
            None => vec![ALL],
        };
        let topics = TopicFilter::new(topics.unwrap_or(".*"), with_internal)?;
        Ok(Choice { rules: vec![Rule { topics, partitions }] })
    }

    /// Rules with commas between them: a pattern, alone or with a number or a range behind a colon.
    ///
    /// # Errors
    /// Kafka's sentence about what is no rule.
    pub fn of_list(list: &str, with_internal: bool) -> Result<Choice, String> {
        let rules = list.split(',').map(|text| rule(text, with_internal));
        Ok(Choice { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether a partition is among them.
    pub fn takes(&self, topic: &str, partition: i32) -> bool {
        let takes = |rule: &Rule| {
            rule.topics.accepts(topic) && rule.partitions.iter().any(|range| range.contains(&partition))
        };
        self.rules.iter().any(takes)
    }
}

fn rule(text: &str, with_internal: bool) -> Result<Rule, String> {
    let (pattern, numbers) = text.split_once(':').unwrap_or((text, ""));
    let range = range(numbers).ok_or_else(|| format!("Invalid rule specification: {text}"))?;
    let topics = TopicFilter::new(if pattern.is_empty() { ".*" } else { pattern }, with_internal)?;
    Ok(Rule { topics, partitions: vec![range] })
}

/// A number, or `from-to` of which either may be missing.
fn range(text: &str) -> Option<Range<i32>> {
    let bound = |text: &str, usual| if text.is_empty() { Some(usual) } else { text.parse().ok() };
    match text.split_once('-') {
        Some((from, to)) => Some(bound(from, ALL.start)?..bound(to, ALL.end)?),
        None if text.is_empty() => Some(ALL),
        None => one(text),
    }
}

fn one(text: &str) -> Option<Range<i32>> {
    let number: i32 = text.parse().ok()?;
    Some(number..number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(choice: &Choice) -> Vec<(&'static str, i32)> {
        let topics = ["__consumer_offsets", "t", "u"];
        let all = topics.into_iter().flat_map(|topic| (0..4).map(move |number| (topic, number)));
        all.filter(|(topic, number)| choice.takes(topic, *number)).collect()
    }

    fn list(text: &str) -> Vec<(&'static str, i32)> {
        taken(&Choice::of_list(text, false).unwrap())
    }

    #[test]
    fn a_rule_is_a_topic_with_a_number_a_range_or_neither() {
        assert_eq!(list("t:2"), [("t", 2)]);
        assert_eq!(list("t:1-3"), [("t", 1), ("t", 2)]);
        assert_eq!(list("t:-1,u:3-"), [("t", 0), ("u", 3)]);
        assert_eq!(list("t").len(), 4);
        assert_eq!(list(":0"), [("t", 0), ("u", 0)]);
        let with_internal = Choice::of_list(":0", true).unwrap();
        assert_eq!(taken(&with_internal)[0], ("__consumer_offsets", 0));
    }

    #[test]
    fn topics_and_partitions_may_be_given_apart() {
        let both = Choice::of_both(Some("t|u"), Some("0, 9"), true).unwrap();
        assert_eq!(taken(&both), [("t", 0), ("u", 0)]);
        assert_eq!(taken(&Choice::of_both(None, None, true).unwrap()).len(), 12);
    }

    #[test]
    fn what_is_no_number_is_refused_in_kafkas_words() {
        let refused = Choice::of_both(None, Some("0,x"), true).map(|_| ());
        let words = "--partitions expects a comma separated list of numeric partition ids, but received: 0,x";
        assert_eq!(refused, Err(words.to_owned()));
        let refused = Choice::of_list("t:x", true).map(|_| ());
        assert_eq!(refused, Err("Invalid rule specification: t:x".to_owned()));
    }
}

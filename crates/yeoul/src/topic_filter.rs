//! Topics by a pattern, as Kafka's tools take them.

use std::fmt;
use std::sync::Arc;

use client::Topics;
use regex_automata::meta::Regex;

/// Names that a regular expression matches as a whole.
#[derive(Clone)]
pub struct TopicFilter {
    pattern: String,
    regex: Regex,
    with_internal: bool,
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicFilter").field("with_internal", &self.with_internal).finish_non_exhaustive()
    }
}

impl TopicFilter {
    /// The filter for a pattern as Kafka's tools take it: a comma stands for "or"; quotes around it, which files bring along, do not count.
    ///
    /// # Errors
    /// Kafka's sentence about a pattern that is no regular expression.
    pub fn new(pattern: &str, with_internal: bool) -> Result<TopicFilter, String> {
        let pattern = pattern.trim().replace(',', "|").replace(' ', "");
        TopicFilter::exactly(pattern.trim_matches(['"', '\'']), with_internal)
    }

    /// The filter for a pattern that is taken as it stands, as Kafka's consumers take it.
    ///
    /// # Errors
    /// Kafka's sentence about a pattern that is no regular expression.
    pub fn exactly(pattern: &str, with_internal: bool) -> Result<TopicFilter, String> {
        let compile = |text: &str| Regex::new(text).map_err(|_| format!("{pattern} is an invalid regex."));
        // What is inside must be a whole expression by itself, so that `a)|(b` is none.
        compile(pattern)?;
        let regex = compile(&format!("^(?:{pattern})$"))?;
        Ok(TopicFilter { pattern: pattern.to_owned(), regex, with_internal })
    }

    /// Whether a topic passes.
    pub fn accepts(&self, topic: &str) -> bool {
        (self.with_internal || !is_internal(topic)) && self.regex.is_match(topic)
    }
}

/// The topics that a pattern matches, without the cluster's own; where there is no pattern the one of this name.
///
/// # Errors
/// Kafka's sentence about a pattern that is no regular expression.
pub fn topics(name: Option<&str>, pattern: Option<&str>) -> Result<Topics, String> {
    let Some(pattern) = pattern else {
        return Ok(Topics::Named(name.map(str::to_owned).into_iter().collect()));
    };
    let filter = TopicFilter::exactly(pattern, false)?;
    let pattern = filter.pattern.clone();
    // A broker that applies the pattern would give the cluster's own topics too.
    let is_whole = INTERNAL.iter().all(|topic| !filter.regex.is_match(topic));
    let accepts = Arc::new(move |topic: &str| filter.accepts(topic));
    Ok(if is_whole { Topics::Expression(pattern, accepts) } else { Topics::Matching(accepts) })
}

/// The cluster's own topics.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Whether a topic is the cluster's own.
pub fn is_internal(topic: &str) -> bool {
    INTERNAL.contains(&topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted<'a>(pattern: &str, topics: &[&'a str]) -> Vec<&'a str> {
        let filter = TopicFilter::new(pattern, false).unwrap();
        topics.iter().copied().filter(|topic| filter.accepts(topic)).collect()
    }

    #[test]
    fn a_name_must_match_as_a_whole() {
        let topics = ["orders", "orders-2", "my-orders", "a.b", "aXb"];
        assert_eq!(accepted("orders", &topics), ["orders"]);
        assert_eq!(accepted("orders.*", &topics), ["orders", "orders-2"]);
        assert_eq!(accepted("a|.*-orders", &topics), ["my-orders"]);
        assert_eq!(accepted("a.b", &topics), ["a.b", "aXb"]);
    }

    #[test]
    fn a_comma_is_an_or_and_blanks_and_quotes_say_nothing() {
        assert_eq!(accepted(" \"a, b\" ", &["a", "b", "ab", "a,b"]), ["a", "b"]);
    }

    #[test]
    fn consumers_take_a_pattern_as_it_stands() {
        let Ok(Topics::Expression(_, accepts)) = topics(None, Some("a,b")) else { panic!("it is none") };
        assert!(!accepts("a") && accepts("a,b"));
    }

    #[test]
    fn internal_topics_pass_only_where_they_are_wanted() {
        assert_eq!(accepted(".*", &["__consumer_offsets", "__mine"]), ["__mine"]);
        assert!(TopicFilter::new(".*", true).unwrap().accepts("__consumer_offsets"));
    }

    #[test]
    fn a_broker_may_apply_what_does_not_match_the_clusters_own_topics() {
        let pattern = |pattern: &str| match topics(None, Some(pattern)) {
            Ok(Topics::Expression(pattern, _)) => Some(pattern),
            _ => None,
        };
        assert_eq!(pattern("a.*|b"), Some("a.*|b".to_owned()));
        assert_eq!(pattern(".*"), None);
    }

    #[test]
    fn a_pattern_that_is_no_expression_is_refused() {
        assert_eq!(TopicFilter::new("[", false).unwrap_err(), "[ is an invalid regex.");
        assert!(TopicFilter::new("a)|(b", false).is_err());
    }
}

//! Which topics are read, and how many partitions they have: both may change while a consumer runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::metadata_response::MetadataResponseTopic;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::error::ClientError;

/// How often it is looked whether a topic that was asked for is there now.
const LOOK_FOR_MISSING_EVERY: Duration = Duration::from_secs(1);

/// Topics that are to be read.
#[derive(Clone)]
pub enum Topics {
    /// Those of these names.
    Named(Vec<String>),
    /// Those whose names are accepted.
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    /// The same by an expression that brokers understand too, in RE2's syntax: where they look after what members want (KIP-848)
    /// they apply it.
    Expression(String, Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Named(names) => f.debug_tuple("Named").field(names).finish(),
            Topics::Matching(_) => f.write_str("Matching"),
            Topics::Expression(expression, _) => f.debug_tuple("Expression").field(expression).finish(),
        }
    }
}

/// How many partitions each topic has.
pub(crate) type Counts = BTreeMap<String, i32>;

/// What is read, as the cluster was last seen.
#[derive(Debug)]
pub(super) struct Subscription {
    topics: Topics,
    counts: Counts,
    due: Instant,
}

impl Subscription {
    pub(super) fn new(topics: Topics) -> Subscription {
        Subscription { topics, counts: Counts::new(), due: Instant::now() }
    }

    /// The names of the topics, those that are not there yet too.
    pub(super) fn names(&self) -> Vec<String> {
        match &self.topics {
            Topics::Named(names) => names.clone(),
            Topics::Matching(_) | Topics::Expression(..) => self.counts.keys().cloned().collect(),
        }
    }

    /// The expression that brokers could apply.
    pub(super) fn expression(&self) -> Option<&str> {
        match &self.topics {
            Topics::Expression(expression, _) => Some(expression),
            Topics::Named(_) | Topics::Matching(_) => None,
        }
    }

    /// Looks at the cluster when it is time to; gives the partitions if they are other than before.
    pub(super) async fn refresh(&mut self, cluster: &mut Cluster) -> Result<Option<&Counts>, ClientError> {
        if Instant::now() < self.due {
            return Ok(None);
        }
        let counts = match &self.topics {
            Topics::Named(names) => counts(&cluster.metadata(Some(names), true).await?.topics, |_| true)?,
            Topics::Matching(matches) | Topics::Expression(_, matches) => {
                counts(&cluster.topics().await?, |name| matches(name))?
            }
        };
        let missing = self.missing(&counts);
        if let Some(missing) = &missing {
            tracing::warn!("{missing}");
        }
        let pause =
            if missing.is_some() { LOOK_FOR_MISSING_EVERY } else { cluster.options().metadata_age_max };
        self.due = Instant::now() + pause;
        let is_new = counts != self.counts;
        self.counts = counts;
        Ok(is_new.then_some(&self.counts))
    }

    /// Which topics that were asked for are not there, as a sentence.
    fn missing(&self, counts: &Counts) -> Option<String> {
        match &self.topics {
            Topics::Named(names) => {
                let missing: Vec<&str> =
                    names.iter().filter(|name| !counts.contains_key(*name)).map(String::as_str).collect();
                (!missing.is_empty()).then(|| format!("there is no topic {} yet", missing.join(", ")))
            }
            Topics::Matching(_) | Topics::Expression(..) => {
                counts.is_empty().then(|| "no topic matches yet".to_owned())
            }
        }
    }
}

/// The partitions of the topics that are there. A refusal that time does not cure is an error.
pub(super) fn counts(
    topics: &[MetadataResponseTopic],
    wanted: impl Fn(&str) -> bool,
) -> Result<Counts, ClientError> {
    let mut counts = Counts::new();
    for topic in topics {
        let name = topic.name.clone().unwrap_or_default();
        match ErrorCode::from(topic.error_code) {
            ErrorCode::None if wanted(&name) => {
                counts.insert(name, i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX));
            }
            code if code.is_error() && !code.is_retriable() => return Err(ClientError::refused(code)),
            _ => {}
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use protocol::messages::metadata_response::MetadataResponsePartition;

    use super::*;

    fn topic(name: &str, partitions: usize, code: ErrorCode) -> MetadataResponseTopic {
        MetadataResponseTopic {
            name: Some(name.to_owned()),
            error_code: code.code(),
            partitions: vec![MetadataResponsePartition::default(); partitions],
            ..MetadataResponseTopic::default()
        }
    }

    #[test]
    fn topics_that_are_there_and_wanted_count() {
        let topics = [
            topic("a", 3, ErrorCode::None),
            topic("b", 2, ErrorCode::None),
            topic("c", 0, ErrorCode::UnknownTopicOrPartition),
        ];
        let counted = counts(&topics, |name| name != "b").unwrap();
        assert_eq!(counted, Counts::from([("a".to_owned(), 3)]));
    }

    #[test]
    fn a_topic_that_will_never_be_there_is_an_error() {
        let refused = counts(&[topic("no such name!", 0, ErrorCode::InvalidTopicException)], |_| true);
        assert_eq!(refused.unwrap_err().code(), Some(ErrorCode::InvalidTopicException));
    }

    #[test]
    fn a_topic_that_is_missing_is_said_to_be() {
        let subscription = Subscription::new(Topics::Named(vec!["a".to_owned(), "b".to_owned()]));
        let there = Counts::from([("a".to_owned(), 1)]);
        assert_eq!(subscription.missing(&there).unwrap(), "there is no topic b yet");
        assert_eq!(subscription.names(), ["a", "b"]);
    }
}

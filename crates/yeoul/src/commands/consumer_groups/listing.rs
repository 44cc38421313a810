//! `--list`: which groups there are.

use protocol::messages::list_groups_response::ListedGroup;
use serde_json::{Value, json};

use crate::commands::columns::{USUAL_WIDTH, line, width};

/// The states that a group of consumers can have, in Kafka's order.
const STATES: [&str; 7] =
    ["PreparingRebalance", "Stable", "Reconciling", "CompletingRebalance", "Dead", "Empty", "Assigning"];
/// The types of groups of consumers.
const TYPES: [&str; 2] = ["Consumer", "Classic"];

/// Which groups are listed and what is told of them; a filter without words lets all pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// `--state`, as it was given.
    pub states: Option<String>,
    /// `--type`, as it was given.
    pub types: Option<String>,
}

impl Listing {
    /// Refuses words that are no state or type, in Kafka's words.
    pub fn check(&self) -> Result<(), String> {
        if let Some(text) = wrong(self.states.as_deref(), &STATES) {
            return Err(format!("Invalid state list '{text}'. Valid states are: {}", STATES.join(", ")));
        }
        match wrong(self.types.as_deref(), &TYPES) {
            Some(text) => Err(format!("Invalid types list '{text}'. Valid types are: {}", TYPES.join(", "))),
            None => Ok(()),
        }
    }

    fn takes(&self, group: &ListedGroup) -> bool {
        lets_pass(self.states.as_deref(), &group.group_state)
            && lets_pass(self.types.as_deref(), &group.group_type)
    }

    /// The groups that are told of.
    pub fn select(&self, mut groups: Vec<ListedGroup>) -> Vec<ListedGroup> {
        groups.retain(|group| is_of_consumers(group) && self.takes(group));
        groups
    }

    /// A line a group, or a table where more than names is asked for.
    pub fn lines(&self, groups: &[ListedGroup]) -> Vec<String> {
        if self.states.is_none() && self.types.is_none() {
            return groups.iter().map(|group| group.group_id.clone()).collect();
        }
        let ids = groups.iter().map(|group| group.group_id.as_str());
        let id_width = width(ids, USUAL_WIDTH) + 10;
        let row = |id, group_type, state| {
            let mut cells = vec![(id, id_width)];
            cells.extend(self.types.is_some().then_some((group_type, 20)));
            cells.extend(self.states.is_some().then_some((state, 20)));
            line(&cells)
        };
        let rows = groups
            .iter()
            .map(|it| row(&it.group_id, type_name(&it.group_type), known_state(&it.group_state)));
        std::iter::once(row("GROUP", "TYPE", "STATE")).chain(rows).collect()
    }
}

/// The same for programs.
pub fn json(groups: &[ListedGroup]) -> Value {
    let group = |it: &ListedGroup| {
        json!({
            "group": it.group_id, "type": type_name(&it.group_type), "state": known_state(&it.group_state),
            "protocol": it.protocol_type,
        })
    };
    groups.iter().map(group).collect()
}

/// Whether consumers are its members, or could be: a group that had none yet has no protocol.
pub fn is_of_consumers(group: &ListedGroup) -> bool {
    let is_type = group.group_type.is_empty() || TYPES.iter().any(|name| is_word(name, &group.group_type));
    is_type && matches!(group.protocol_type.as_str(), "" | "consumer")
}

/// The name of a type as Kafka writes it, whatever the broker makes of it.
pub fn type_name(name: &str) -> &str {
    let known = ["Consumer", "Classic", "Share", "Streams"].into_iter().find(|known| is_word(known, name));
    known.unwrap_or(known_state(name))
}

fn known_state(name: &str) -> &str {
    // Old brokers do not tell.
    if name.is_empty() { "Unknown" } else { name }
}

/// The list, if it has a word that is none of these.
fn wrong<'a>(list: Option<&'a str>, words: &[&str]) -> Option<&'a str> {
    let list = list.filter(|list| !list.is_empty())?;
    let is_known = |given: &str| words.iter().any(|word| is_word(word, given));
    (!list.split(',').all(is_known)).then_some(list)
}

fn lets_pass(list: Option<&str>, name: &str) -> bool {
    list.is_none_or(|list| list.is_empty() || list.split(',').any(|given| is_word(name, given)))
}

/// Kafka takes the names of states and types in any case, and some with underscores.
fn is_word(name: &str, given: &str) -> bool {
    given.trim().replace('_', "").eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str, group_type: &str, state: &str, protocol: &str) -> ListedGroup {
        ListedGroup {
            group_id: id.to_owned(),
            group_type: group_type.to_owned(),
            group_state: state.to_owned(),
            protocol_type: protocol.to_owned(),
        }
    }

    fn listing(states: Option<&str>, types: Option<&str>) -> Listing {
        Listing { states: states.map(str::to_owned), types: types.map(str::to_owned) }
    }

    fn groups() -> Vec<ListedGroup> {
        vec![
            group("a", "classic", "Stable", "consumer"),
            group("b", "Consumer", "Empty", "consumer"),
            group("workers", "Classic", "Stable", "connect"),
            group("sharers", "Share", "Stable", "share"),
            group("old", "", "", ""),
        ]
    }

    fn ids(listing: &Listing) -> Vec<String> {
        listing.select(groups()).into_iter().map(|group| group.group_id).collect()
    }

    #[test]
    fn only_groups_of_consumers_are_told_of() {
        assert_eq!(ids(&listing(None, None)), ["a", "b", "old"]);
    }

    #[test]
    fn states_and_types_choose() {
        assert_eq!(ids(&listing(Some(""), None)), ["a", "b", "old"]);
        assert_eq!(ids(&listing(Some("empty, STABLE"), None)), ["a", "b"]);
        assert_eq!(ids(&listing(Some("stable"), Some("consumer"))), Vec::<String>::new());
        assert_eq!(ids(&listing(None, Some("consumer"))), ["b"]);
    }

    #[test]
    fn what_is_no_state_or_type_is_refused_in_kafkas_words() {
        let refused = listing(Some("foo"), None).check().unwrap_err();
        assert!(refused.starts_with("Invalid state list 'foo'. Valid states are: PreparingRebalance, "));
        let refused = listing(None, Some("classic,share")).check().unwrap_err();
        assert_eq!(refused, "Invalid types list 'classic,share'. Valid types are: Consumer, Classic");
        assert!(listing(Some("preparing_rebalance"), Some("")).check().is_ok());
    }

    #[test]
    fn a_table_has_the_columns_that_were_asked_for() {
        assert_eq!(listing(None, None).lines(&groups()[..1]), ["a"]);
        let lines = listing(Some(""), Some("")).lines(&groups()[..1]);
        assert_eq!(lines[0], format!("{:<25} {:<20} {:<20}", "GROUP", "TYPE", "STATE"));
        assert_eq!(lines[1], format!("{:<25} {:<20} {:<20}", "a", "Classic", "Stable"));
        assert_eq!(
            listing(Some(""), None).lines(&groups()[4..])[1],
            format!("{:<25} {:<20}", "old", "Unknown")
        );
    }
}

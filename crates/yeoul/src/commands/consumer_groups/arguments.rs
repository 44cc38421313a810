//! The flags of `yeoul consumer-groups`, and which of them go together.

use std::path::{Path, PathBuf};

use clap::Args;

use super::listing::Listing;
use super::reset::{FilePlan, Goal, Scenario, TopicChoice};
use super::time::{parse_datetime, parse_duration};
use crate::commands::HELP;
use crate::commands::cluster::Brokers;
use crate::commands::offered::Offered;
use crate::commands::table::Form;
use crate::failure::{Failure, say};

const EXAMPLES: &str = "\
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --list --state
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --describe --group airports
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --describe --all-groups --state --output json
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --describe --group airports --lag-time
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --describe --group airports --watch 10
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --reset-offsets --group airports --topic flights:0,2 \\
      --to-datetime 2026-11-27T08:30:00.000 --dry-run
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --reset-offsets --group airports --all-topics --to-earliest --execute
  yeoul consumer-groups --bootstrap-server 127.0.0.1:9092 --delete --group airports";

const ONE_ACTION: &str = "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
                          --delete-offsets, --validate-regex";
const NOTHING_EXECUTED: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, \
    this command will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly \
    if you are scripting this command and want to keep the current default behavior without prompting.";

/// What is to be done with groups of consumers.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ConsumerGroupsArgs {
    #[command(flatten)]
    pub brokers: Brokers,
    /// How long the cluster may take to answer
    #[arg(long, value_name = "MS", default_value = "30000")]
    pub timeout: u64,
    #[command(flatten)]
    pub form: Form,

    /// Tell which groups there are
    #[arg(long, help_heading = "Actions")]
    pub list: bool,
    /// Tell how far groups are, who their members are (--members), or how they are (--state)
    #[arg(long, help_heading = "Actions")]
    pub describe: bool,
    /// Remove groups with all of their offsets
    #[arg(long, help_heading = "Actions")]
    pub delete: bool,
    /// Move groups that have no members
    #[arg(long, help_heading = "Actions")]
    pub reset_offsets: bool,
    /// Forget the offsets of topics
    #[arg(long, help_heading = "Actions")]
    pub delete_offsets: bool,
    /// Say whether a consumer may subscribe by this regular expression
    #[arg(long, value_name = "REGEX", help_heading = "Actions", allow_hyphen_values = true)]
    pub validate_regex: Option<String>,

    /// A group
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<String>,
    /// All groups
    #[arg(long)]
    pub all_groups: bool,
    /// A topic, or some of its partitions
    #[arg(long, value_name = "TOPIC[:N,N]")]
    pub topic: Vec<String>,
    /// All topics that the group has offsets of
    #[arg(long)]
    pub all_topics: bool,

    /// How far they are (as is usual)
    #[arg(long, help_heading = "What --describe tells")]
    pub offsets: bool,
    /// Who their members are
    #[arg(long, help_heading = "What --describe tells")]
    pub members: bool,
    /// How they are; with --list also only those in these states
    #[arg(long, value_name = "STATES", num_args = 0..=1, default_missing_value = "", help_heading = "What --describe tells", hide_possible_values = true, value_parser = Offered(&["PreparingRebalance", "Stable", "Reconciling", "CompletingRebalance", "Dead", "Empty", "Assigning"]))]
    pub state: Option<String>,
    /// With --list: of what types they are, or only those of these types
    #[arg(long, value_name = "TYPES", num_args = 0..=1, default_missing_value = "", help_heading = "What --describe tells", hide_possible_values = true, value_parser = Offered(&["Consumer", "Classic"]))]
    pub r#type: Option<String>,
    /// More of it
    #[arg(long, help_heading = "What --describe tells")]
    pub verbose: bool,
    /// How far they are also in time: the age of the next record to read
    #[arg(long, help_heading = "What --describe tells")]
    pub lag_time: bool,
    /// Every so many seconds, how fast records arrive and are consumed, and when a group will have caught up
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", value_parser = clap::value_parser!(u64).range(1..), help_heading = "What --describe tells")]
    pub watch: Option<u64>,

    /// At this offset
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Where --reset-offsets leads"
    )]
    pub to_offset: Option<i64>,
    /// With the oldest record
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub to_earliest: bool,
    /// With the next record to come
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub to_latest: bool,
    /// Where the group is
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub to_current: bool,
    /// So many records on, or back
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Where --reset-offsets leads"
    )]
    pub shift_by: Option<i64>,
    /// With the first record since then, of UTC unless a zone is given
    #[arg(long, value_name = "YYYY-MM-DDThh:mm:ss.sss", help_heading = "Where --reset-offsets leads")]
    pub to_datetime: Option<String>,
    /// With the first record of so long ago
    #[arg(
        long,
        value_name = "PnDTnHnMnS",
        allow_hyphen_values = true,
        help_heading = "Where --reset-offsets leads"
    )]
    pub by_duration: Option<String>,
    /// Where the lines of a file say: topic,partition,offset, with the group before it or not
    #[arg(long, value_name = "FILE", help_heading = "Where --reset-offsets leads")]
    pub from_file: Option<PathBuf>,
    /// Only tell where that is
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub dry_run: bool,
    /// Move them there
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub execute: bool,
    /// Tell it as lines for --from-file
    #[arg(long, help_heading = "Where --reset-offsets leads")]
    pub export: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    List(Listing),
    Describe(View),
    Delete,
    Reset(Reset),
    DeleteOffsets(Vec<TopicChoice>),
    ValidateRegex(String),
}

/// What is told of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Offsets,
    /// The same with the age of the next record to read.
    Ages,
    /// How fast they are, every so many seconds.
    Pace(u64),
    Members,
    State,
}

/// How groups are moved.
#[derive(Debug, PartialEq, Eq)]
pub struct Reset {
    pub goal: Goal,
    /// Of which topics; those that the group has offsets of if none.
    pub topics: Option<Vec<TopicChoice>>,
    pub execute: bool,
    pub export: bool,
}

fn usage<T>(text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(text.into()))
}

impl ConsumerGroupsArgs {
    /// What the line asks for at this time, in milliseconds since 1970; refuses what does not go together in the words of
    /// Kafka's tool.
    pub fn action(&self, now_ms: i64) -> Result<Action, Failure> {
        if self.validate_regex.is_none() && self.brokers.bootstrap_server.is_empty() {
            return usage("Missing required argument \"[bootstrap-server]\"");
        }
        self.check_groups()?;
        self.check_views()?;
        self.check_reset()?;
        if let Some((option, other)) = self.first_conflict() {
            return usage(format!("Option \"[{option}]\" can't be used with option \"[{other}]\""));
        }
        let actions = [self.list, self.describe, self.delete, self.reset_offsets, self.delete_offsets];
        let count = actions.iter().filter(|is_asked| **is_asked).count();
        match &self.validate_regex {
            Some(regex) if count == 0 => Ok(Action::ValidateRegex(regex.clone())),
            None if count == 1 => self.only_action(now_ms),
            _ => usage(ONE_ACTION),
        }
    }

    fn only_action(&self, now_ms: i64) -> Result<Action, Failure> {
        if self.list {
            let listing = Listing { states: self.state.clone(), types: self.r#type.clone() };
            listing.check().map_err(Failure::Usage)?;
            return Ok(Action::List(listing));
        }
        if self.reset_offsets {
            return self.reset(now_ms).map(Action::Reset);
        }
        if self.delete_offsets {
            return self.topics().map(Action::DeleteOffsets);
        }
        if let (true, Some(seconds)) = (self.describe, self.watch) {
            return Ok(Action::Describe(View::Pace(seconds)));
        }
        Ok(match (self.delete, self.members, &self.state) {
            (true, ..) => Action::Delete,
            (_, true, _) => Action::Describe(View::Members),
            (_, _, Some(_)) => Action::Describe(View::State),
            _ if self.lag_time => Action::Describe(View::Ages),
            _ => Action::Describe(View::Offsets),
        })
    }

    fn check_groups(&self) -> Result<(), Failure> {
        let wanting =
            [("describe", self.describe), ("delete", self.delete), ("reset-offsets", self.reset_offsets)];
        let has_groups = self.all_groups || !self.group.is_empty();
        if let Some((action, _)) = wanting.iter().find(|(_, is_asked)| *is_asked && !has_groups) {
            if self.reset_offsets {
                self.warn_of_dry_run();
            }
            return usage(format!("Option [{action}] takes one of these options: [all-groups], [group]"));
        }
        if self.delete && !self.topic.is_empty() {
            return usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            );
        }
        if self.delete_offsets && (self.group.is_empty() || self.topic.is_empty()) {
            return usage("Option [delete-offsets] takes the following options: [topic], [group]");
        }
        Ok(())
    }

    fn check_views(&self) -> Result<(), Failure> {
        let views = [self.members, self.offsets, self.state.is_some()];
        if self.describe && views.iter().filter(|is_asked| **is_asked).count() > 1 {
            return usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            );
        }
        if self.describe && self.state.as_deref().is_some_and(|states| !states.is_empty()) {
            return usage("Option [describe] does not take a value for [state]");
        }
        let tells_offsets = self.describe && !self.members && self.state.is_none();
        let unavailable = [
            ("lag-time", self.lag_time && !tells_offsets),
            ("watch", self.watch.is_some() && (!tells_offsets || self.lag_time)),
            ("members", self.members && !self.describe),
            ("verbose", self.verbose && !self.describe),
            ("offsets", self.offsets && !self.describe),
            ("state", self.state.is_some() && !self.describe && !self.list),
            ("type", self.r#type.is_some() && !self.list),
        ];
        match unavailable.iter().find(|(_, is_asked)| *is_asked) {
            Some((option, _)) => {
                usage(format!("Option(s) [{option}] are unavailable given other options on the command line"))
            }
            None => Ok(()),
        }
    }

    fn check_reset(&self) -> Result<(), Failure> {
        if self.reset_offsets && self.dry_run && self.execute {
            return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        if self.reset_offsets {
            self.warn_of_dry_run();
        }
        Ok(())
    }

    fn warn_of_dry_run(&self) {
        if !self.dry_run && !self.execute {
            say(format_args!("{NOTHING_EXECUTED}"));
        }
    }

    /// An option, and one that it does not go with.
    fn first_conflict(&self) -> Option<(&'static str, &'static str)> {
        if self.all_groups && !self.group.is_empty() {
            return Some(("group", "all-groups"));
        }
        if self.list && !self.group.is_empty() {
            return Some(("group", "list"));
        }
        let without_topic = [("list", self.list), ("describe", self.describe)];
        if let Some((action, _)) =
            without_topic.iter().find(|(_, is_asked)| *is_asked && !self.topic.is_empty())
        {
            return Some(("topic", action));
        }
        match self.scenarios()[..] {
            [one, other, ..] if self.reset_offsets => Some((one, other)),
            _ => None,
        }
    }

    fn scenarios(&self) -> Vec<&'static str> {
        let all = [
            ("to-offset", self.to_offset.is_some()),
            ("to-datetime", self.to_datetime.is_some()),
            ("by-duration", self.by_duration.is_some()),
            ("to-earliest", self.to_earliest),
            ("to-latest", self.to_latest),
            ("to-current", self.to_current),
            ("shift-by", self.shift_by.is_some()),
            ("from-file", self.from_file.is_some()),
        ];
        all.into_iter().filter_map(|(name, is_asked)| is_asked.then_some(name)).collect()
    }

    fn reset(&self, now_ms: i64) -> Result<Reset, Failure> {
        if self.topic.is_empty() && !self.all_topics && self.from_file.is_none() {
            return usage("One of the reset scopes should be defined: --all-topics, --topic.");
        }
        Ok(Reset {
            topics: if self.all_topics { None } else { Some(self.topics()?) },
            goal: match &self.from_file {
                Some(file) => Goal::File(read_plan(file)?),
                None => Goal::Everywhere(self.scenario(now_ms)?),
            },
            execute: self.execute,
            export: self.export,
        })
    }

    fn topics(&self) -> Result<Vec<TopicChoice>, Failure> {
        self.topic.iter().map(|text| TopicChoice::parse(text).map_err(Failure::Usage)).collect()
    }

    fn scenario(&self, now_ms: i64) -> Result<Scenario, Failure> {
        if let Some(text) = &self.to_datetime {
            return parse_datetime(text).map(Scenario::ToTime).map_err(Failure::Failed);
        }
        if let Some(text) = &self.by_duration {
            let ago = parse_duration(text).map_err(Failure::Failed)?;
            return Ok(Scenario::ToTime(now_ms.saturating_sub(ago)));
        }
        match (self.to_offset, self.shift_by) {
            (Some(offset), _) => Ok(Scenario::ToOffset(offset)),
            (_, Some(count)) => Ok(Scenario::ShiftBy(count)),
            _ if self.to_earliest => Ok(Scenario::ToEarliest),
            _ if self.to_latest => Ok(Scenario::ToLatest),
            _ if self.to_current => Ok(Scenario::ToCurrent),
            _ => usage(
                "Option '[reset-offsets]' requires one of the following scenarios: [[to-offset], [shift-by], \
                 [to-datetime], [by-duration], [to-earliest], [to-latest], [to-current], [from-file]]",
            ),
        }
    }
}

fn read_plan(file: &Path) -> Result<FilePlan, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("Unable to read file {}: {error}", file.display())))?;
    FilePlan::parse(&text).map_err(Failure::Failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ConsumerGroupsArgs,
    }

    const NOW_MS: i64 = 1_000_000;

    fn action(line: &str) -> Result<Action, Failure> {
        let words = ["c", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().args.action(NOW_MS)
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        for (line, words) in [
            ("", ONE_ACTION),
            ("--validate-regex t --list", ONE_ACTION),
            ("--describe", "Option [describe] takes one of these options: [all-groups], [group]"),
            ("--list --describe", "Option [describe] takes one of these options: [all-groups], [group]"),
            (
                "--describe --group g --all-groups",
                "Option \"[group]\" can't be used with option \"[all-groups]\"",
            ),
            (
                "--describe --group g --offsets --state",
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            ),
            ("--describe --group g --state stable", "Option [describe] does not take a value for [state]"),
            (
                "--list --verbose",
                "Option(s) [verbose] are unavailable given other options on the command line",
            ),
            ("--list --topic t", "Option \"[topic]\" can't be used with option \"[list]\""),
            (
                "--delete --group g --topic t",
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            ),
            (
                "--delete-offsets --group g",
                "Option [delete-offsets] takes the following options: [topic], [group]",
            ),
            (
                "--reset-offsets --group g --topic t --to-earliest --dry-run --execute",
                "Option [reset-offsets] only accepts one of [execute] and [dry-run]",
            ),
            (
                "--reset-offsets --group g --topic t --to-latest --to-earliest --dry-run",
                "Option \"[to-earliest]\" can't be used with option \"[to-latest]\"",
            ),
            (
                "--reset-offsets --group g --to-earliest --dry-run",
                "One of the reset scopes should be defined: --all-topics, --topic.",
            ),
            (
                "--reset-offsets --group g --topic t:x --to-earliest --dry-run",
                "Invalid partition 'x' specified in topic arg 't:x''",
            ),
        ] {
            assert_eq!(action(line), Err(Failure::Usage(words.to_owned())), "{line}");
        }
        let nowhere = ConsumerGroupsArgs { list: true, ..ConsumerGroupsArgs::default() };
        let words = "Missing required argument \"[bootstrap-server]\"".to_owned();
        assert_eq!(nowhere.action(NOW_MS), Err(Failure::Usage(words)));
    }

    #[test]
    fn an_expression_needs_no_cluster() {
        let only =
            ConsumerGroupsArgs { validate_regex: Some("a".to_owned()), ..ConsumerGroupsArgs::default() };
        assert_eq!(only.action(NOW_MS), Ok(Action::ValidateRegex("a".to_owned())));
    }

    #[test]
    fn a_state_may_have_a_list_or_none() {
        let listing = |states: Option<&str>, types: Option<&str>| {
            Action::List(Listing { states: states.map(str::to_owned), types: types.map(str::to_owned) })
        };
        assert_eq!(action("--list"), Ok(listing(None, None)));
        assert_eq!(action("--list --state --type"), Ok(listing(Some(""), Some(""))));
        assert_eq!(action("--list --state empty,stable"), Ok(listing(Some("empty,stable"), None)));
        assert!(action("--list --state foo").is_err());
        assert_eq!(action("--describe --group g --state"), Ok(Action::Describe(View::State)));
        assert_eq!(action("--describe --all-groups --members"), Ok(Action::Describe(View::Members)));
        assert_eq!(action("--describe --group g"), Ok(Action::Describe(View::Offsets)));
        assert_eq!(action("--describe --group g --lag-time"), Ok(Action::Describe(View::Ages)));
        assert_eq!(action("--describe --group g --watch"), Ok(Action::Describe(View::Pace(5))));
        assert_eq!(action("--describe --all-groups --watch 2"), Ok(Action::Describe(View::Pace(2))));
        assert!(action("--describe --group g --members --watch").is_err());
    }

    #[test]
    fn a_reset_leads_where_the_line_says() {
        let scenario =
            |line: &str| match action(&format!("--reset-offsets --group g --all-topics --dry-run {line}"))
                .unwrap()
            {
                Action::Reset(Reset {
                    goal: Goal::Everywhere(scenario),
                    topics: None,
                    execute: false,
                    ..
                }) => scenario,
                other => panic!("{other:?}"),
            };
        assert_eq!(scenario("--to-offset -5"), Scenario::ToOffset(-5));
        assert_eq!(scenario("--shift-by -2"), Scenario::ShiftBy(-2));
        assert_eq!(scenario("--by-duration PT1S"), Scenario::ToTime(NOW_MS - 1000));
        assert_eq!(scenario("--to-datetime 1970-01-01T00:00:01.000"), Scenario::ToTime(1000));
        assert_eq!(scenario("--to-current"), Scenario::ToCurrent);
        let line = "--reset-offsets --group g --all-topics --dry-run --to-datetime foo";
        assert!(matches!(action(line), Err(Failure::Failed(_))));
    }
}

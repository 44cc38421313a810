//! The flags of `yeoul verifiable-consumer`, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::{Assignor, ClientOptions, ConsumerOptions, GroupOptions, Start};

use crate::commands::HELP;
use crate::commands::cluster::Settings;
use crate::commands::consumer_settings::{consumer_options, group_options, reset_policy};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul verifiable-consumer --bootstrap-server 127.0.0.1:9092 --topic checked --group-id checkers
  yeoul verifiable-consumer --bootstrap-server 127.0.0.1:9092 --topic checked --group-id checkers --max-messages 1000 --verbose";

/// What is read, and how.
#[derive(Args, Clone, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct VerifiableConsumerArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub bootstrap_server: Vec<String>,
    /// The topic to read
    #[arg(long, required = true)]
    pub topic: String,
    /// The group to be a member of
    #[arg(long, value_name = "GROUP", required = true)]
    pub group_id: String,
    /// How members and coordinator come to terms: classic or consumer
    #[arg(long, value_name = "PROTOCOL", default_value = "classic", ignore_case = true, value_parser = ["classic", "consumer"])]
    pub group_protocol: String,
    /// How the coordinator shares partitions out, by the consumer protocol: uniform, range, or what else it has
    #[arg(long, value_name = "NAME")]
    pub group_remote_assignor: Option<String>,
    /// What the member calls itself over restarts
    #[arg(long, value_name = "ID")]
    pub group_instance_id: Option<String>,
    /// End after so many records; -1 for never
    #[arg(long, value_name = "N", default_value = "-1", allow_negative_numbers = true)]
    pub max_messages: i64,
    /// After how long without a heartbeat the member is out
    #[arg(long, value_name = "MS")]
    pub session_timeout: Option<u64>,
    /// Tell of each record
    #[arg(long)]
    pub verbose: bool,
    /// Commit now and then, and not after each answer
    #[arg(long)]
    pub enable_autocommit: bool,
    /// How long leaving the group may take
    #[arg(long, value_name = "MS", default_value = "30000")]
    pub close_timeout: u64,
    /// Where to begin where the group has no place: earliest, latest, none or by_duration:PnDTnHnMnS
    #[arg(long, value_name = "POLICY", default_value = "earliest")]
    pub reset_policy: String,
    /// How members of a classic group share partitions out: range, roundrobin, sticky, cooperative-sticky, or the classes of Kafka's
    #[arg(long, value_name = "CLASS", default_value = Assignor::Range.class())]
    pub assignment_strategy: String,
    /// Client settings from a properties file
    #[arg(long, alias = "consumer.config", value_name = "FILE")]
    pub command_config: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    pub servers: Vec<String>,
    pub topic: String,
    pub client: ClientOptions,
    pub consumer: ConsumerOptions,
    pub group: GroupOptions,
    pub max_messages: Option<u64>,
    pub verbose: bool,
    pub close_within: Duration,
}

impl VerifiableConsumerArgs {
    /// What the line and its file come to.
    pub fn plan(self) -> Result<Plan, Failure> {
        let mut settings = Settings::read(self.command_config.as_deref(), &[])?;
        settings.flag("session.timeout.ms", self.session_timeout, None);
        settings.flag("group.instance.id", self.group_instance_id.as_ref(), None);
        let is_classic = self.group_protocol == "classic";
        settings.flag("group.protocol", Some(&self.group_protocol), None);
        settings.flag("group.remote.assignor", self.group_remote_assignor.filter(|_| !is_classic), None);
        settings.flag("partition.assignment.strategy", is_classic.then_some(self.assignment_strategy), None);
        settings.flag("enable.auto.commit", Some(self.enable_autocommit), None);
        settings.flag("auto.offset.reset", Some(self.reset_policy), None);
        let reset = reset_policy(&settings)?.unwrap_or(Start::Earliest);
        Ok(Plan {
            client: settings.client("yeoul-verifiable-consumer", "default.api.timeout.ms")?,
            consumer: consumer_options(&settings, reset)?,
            group: group_options(&settings, self.group_id)?,
            max_messages: u64::try_from(self.max_messages).ok(),
            close_within: Duration::from_millis(self.close_timeout),
            servers: self.bootstrap_server,
            topic: self.topic,
            verbose: self.verbose,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: VerifiableConsumerArgs,
    }

    fn plan(line: &str) -> Plan {
        let words = ["c", "--topic", "t", "--bootstrap-server", "h:1", "--group-id", "g"].into_iter();
        Line::try_parse_from(words.chain(line.split_whitespace())).unwrap().args.plan().unwrap()
    }

    #[test]
    fn without_flags_it_behaves_as_kafkas_tool() {
        let plan = plan("");
        assert_eq!((plan.max_messages, plan.verbose, plan.consumer.reset), (None, false, Start::Earliest));
        assert_eq!((plan.group.auto_commit_interval, plan.group.instance_id), (None, None));
        assert_eq!(plan.close_within, Duration::from_secs(30));
    }

    #[test]
    fn flags_say_how_a_member_behaves() {
        let plan =
            plan("--session-timeout 7000 --group-instance-id i --enable-autocommit --reset-policy latest");
        assert_eq!(plan.group.session_timeout, Duration::from_secs(7));
        assert_eq!(plan.group.instance_id.as_deref(), Some("i"));
        assert_eq!(plan.group.auto_commit_interval, Some(Duration::from_secs(5)));
        assert_eq!(plan.consumer.reset, Start::Latest);
    }
}

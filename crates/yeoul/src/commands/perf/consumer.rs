//! `yeoul consumer-perf-test`: how fast records are read, as `kafka-consumer-perf-test` tells it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Local};
use clap::Args;
use client::{ClientOptions, Consumer, ConsumerOptions, ConsumerRecord, GroupOptions, Start, Topics};
use host::{OsRandom, Random};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::consumer_figures::{Consumed, HEADER, HEADER_MEANWHILE};
use super::date_format::formatted;
use super::metrics::{Metrics, Value};
use crate::commands::HELP;
use crate::commands::cluster::{Settings, block_on, expect};
use crate::commands::consumer_settings::{consumer_options, group_options};
use crate::commands::table::{Form, Output};
use crate::failure::Failure;
use crate::interrupt::{Interrupt, insist};
use crate::progress::Work;
use crate::topic_filter;

const EXAMPLES: &str = "\
  yeoul consumer-perf-test --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 1000000
  yeoul consumer-perf-test --bootstrap-server 127.0.0.1:9092 --include 'measured.*' --num-records 1000000 \\
      --show-detailed-stats --reporting-interval 1000";

/// How long leaving the group may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// What is read, and what is told of it.
#[derive(Args, Clone, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct ConsumerPerfArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    pub bootstrap_server: Vec<String>,
    /// The topic to read
    #[arg(long)]
    pub topic: Option<String>,
    /// The topics to read, as a regular expression
    #[arg(long, value_name = "REGEX")]
    pub include: Option<String>,
    /// End after so many records, or soon after
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub num_records: Option<i64>,
    /// The old name of --num-records
    #[arg(long, value_name = "N", allow_negative_numbers = true, hide = true)]
    pub messages: Option<i64>,
    /// The group to be a member of [default: one of its own]
    #[arg(long)]
    pub group: Option<String>,
    /// Begin with the next record to come where the group has no place
    #[arg(long)]
    pub from_latest: bool,
    /// End when no record comes for so long
    #[arg(long, value_name = "MS", default_value = "10000")]
    pub timeout: u64,
    /// How many bytes of a partition an answer may have
    #[arg(long, value_name = "BYTES", default_value = "1048576")]
    pub fetch_size: i32,
    /// How many bytes the system may hold of an answer; left to the system
    #[arg(long, value_name = "BYTES", hide = true)]
    pub socket_buffer_size: Option<i32>,
    /// Tell figures meanwhile, and none at the end
    #[arg(long)]
    pub show_detailed_stats: bool,
    /// How often they are told
    #[arg(long, value_name = "MS", default_value = "5000", allow_negative_numbers = true)]
    pub reporting_interval: i64,
    /// Leave out what the columns are
    #[arg(long)]
    pub hide_header: bool,
    /// How times are written, as Java's SimpleDateFormat has it; without weeks of the year
    #[arg(long, value_name = "PATTERN", default_value = "yyyy-MM-dd HH:mm:ss:SSS")]
    pub date_format: String,
    /// Tell in the end what the client has counted
    #[arg(long)]
    pub print_metrics: bool,
    /// Client settings
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub command_property: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    #[command(flatten)]
    pub form: Form,
    /// The old name of --command-config
    #[arg(long = "consumer.config", value_name = "FILE", hide = true, conflicts_with = "command_config")]
    pub consumer_config: Option<PathBuf>,
}

/// What is to be done.
struct Plan {
    form: Form,
    servers: Vec<String>,
    topics: Topics,
    records: u64,
    timeout: Duration,
    interval: Option<Duration>,
    date_format: String,
    client: ClientOptions,
    consumer: ConsumerOptions,
    group: GroupOptions,
    print_metrics: bool,
}

/// Reads the records and tells how fast that went.
pub fn run(args: &ConsumerPerfArgs) -> Result<(), Failure> {
    let plan = args.plan()?;
    args.tell_old_names()?;
    if !args.hide_header && args.form.output == Output::Text {
        writeln!(io::stdout(), "{}", if plan.interval.is_some() { HEADER_MEANWHILE } else { HEADER })?;
    }
    // Only now, as with Kafka's tool: who reads the header sees what is wrong below it.
    formatted(&plan.date_format, &Local::now().fixed_offset()).map_err(Failure::Failed)?;
    block_on(consume(plan))
}

impl ConsumerPerfArgs {
    fn tell_old_names(&self) -> Result<(), Failure> {
        let names = [
            (self.messages.is_some(), "--messages", "--num-records"),
            (self.consumer_config.is_some(), "--consumer.config", "--command-config"),
        ];
        for (_, old, new) in names.into_iter().filter(|(is_given, ..)| *is_given) {
            self.form.remark(format_args!("Warning: {old} is deprecated. Use {new} instead."))?;
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let one_of = |names| {
            let words = "Exactly one of the following arguments is required:";
            Err(Failure::Usage(format!("{words} {names}")))
        };
        if self.topic.is_some() == self.include.is_some() {
            return one_of("[topic], [include]");
        }
        if self.messages.is_some() == self.num_records.is_some() {
            return one_of("[messages], [num-records]");
        }
        if self.reporting_interval <= 0 {
            return Err(Failure::failed("Reporting interval must be greater than 0."));
        }
        let file = self.command_config.as_deref().or(self.consumer_config.as_deref());
        let mut settings = Settings::read(file, &self.command_property)?;
        settings.flag("max.partition.fetch.bytes", Some(self.fetch_size), None);
        let reset = if self.from_latest { Start::Latest } else { Start::Earliest };
        let id = format!("perf-consumer-{}", OsRandom.next_u64() % 100_000);
        let interval = Duration::from_millis(self.reporting_interval.unsigned_abs());
        Ok(Plan {
            form: self.form,
            servers: self.bootstrap_server.clone(),
            topics: topic_filter::topics(self.topic.as_deref(), self.include.as_deref())
                .map_err(Failure::Failed)?,
            records: self.num_records.or(self.messages).and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            timeout: Duration::from_millis(self.timeout),
            interval: self.show_detailed_stats.then_some(interval),
            date_format: self.date_format.clone(),
            client: settings.client("perf-consumer-client", "default.api.timeout.ms")?,
            consumer: consumer_options(&settings, reset)?,
            group: group_options(&settings, self.group.clone().unwrap_or(id))?,
            print_metrics: self.print_metrics,
        })
    }
}

async fn consume(plan: Plan) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(CLOSE_WITHIN * 2)?;
    let (started, begin) = (Local::now().fixed_offset(), Instant::now());
    let cluster = expect(&plan.servers, plan.client.clone()).await?;
    let consumer =
        Consumer::subscribe(cluster, plan.consumer.clone(), plan.group.clone(), plan.topics.clone());
    let mut reader =
        Reader { consumer, plan, begin, consumed: Consumed::default(), told: Consumed::default() };
    let end = tokio::select! {
        end = reader.read() => end,
        code = interrupt.told() => Err(Failure::Interrupted(code)),
    };
    reader.consumed.time = begin.elapsed();
    if !matches!(end, Err(Failure::Failed(_))) {
        reader.tell(started)?;
    }
    if reader.plan.print_metrics && !matches!(end, Err(Failure::Failed(_))) {
        reader.plan.form.remark(reader.metrics(started.timestamp_millis()).table())?;
    }
    if let Ok(Err(error)) = timeout(CLOSE_WITHIN, reader.consumer.close()).await {
        tracing::warn!("the group was not left in order: {error}");
    }
    end
}

struct Reader {
    consumer: Consumer,
    plan: Plan,
    begin: Instant,
    consumed: Consumed,
    /// What had been read when figures were told last.
    told: Consumed,
}

impl Reader {
    async fn read(&mut self) -> Result<(), Failure> {
        let mut last = Instant::now();
        let mut work = Work::of("reading records", usize::try_from(self.plan.records).unwrap_or(usize::MAX));
        while self.consumed.records < self.plan.records {
            let left = self.plan.timeout.saturating_sub(last.elapsed());
            let Ok(records) = work.wait(timeout(left, self.consumer.poll())).await else {
                return self.warn();
            };
            let records = records?;
            if !records.is_empty() {
                last = Instant::now();
                work.add(records.len() as u64);
                self.count(&records);
                self.tell_meanwhile()?;
            }
        }
        Ok(())
    }

    fn count(&mut self, records: &[ConsumerRecord]) {
        let size = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len) as u64;
        self.consumed.records += records.len() as u64;
        self.consumed.bytes +=
            records.iter().map(|record| size(&record.key) + size(&record.value)).sum::<u64>();
        self.consumed.time = self.begin.elapsed();
        self.consumed.rebalancing = self.consumer.rebalancing();
    }

    /// Tells the figures of all: for people where none were told meanwhile, for programs always.
    fn tell(&self, started: DateTime<FixedOffset>) -> Result<(), Failure> {
        let (start, end) = (self.date(started)?, self.now()?);
        let mut out = io::stdout();
        match self.plan.form.output {
            Output::Json => writeln!(out, "{}", json!([self.consumed.json(&start, &end)]))?,
            Output::Text if self.plan.interval.is_some() => {}
            Output::Text => writeln!(out, "{start}, {end}, {}", self.consumed.columns(&self.consumed))?,
        }
        Ok(())
    }

    fn tell_meanwhile(&mut self) -> Result<(), Failure> {
        let lately = self.consumed.since(&self.told);
        if self.plan.interval.is_some_and(|interval| lately.time >= interval) {
            let line = format!("{}, 0, {}", self.now()?, lately.columns(&self.consumed));
            self.plan.form.remark(line)?;
            self.told = self.consumed;
        }
        Ok(())
    }

    fn metrics(&self, start_ms: i64) -> Metrics {
        let id = self.plan.client.client_id.as_str();
        let mut metrics = Metrics::of_client(id, start_ms);
        let records = Value::Measured(self.consumed.records as f64);
        let group = "consumer-fetch-manager-metrics";
        metrics.add(group, "records-consumed-total", &[("client-id", id)], records);
        metrics
    }

    fn warn(&mut self) -> Result<(), Failure> {
        self.consumed.rebalancing = self.consumer.rebalancing();
        Ok(self.plan.form.remark(format_args!(
            "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. \
             You can use the --timeout option to increase the timeout.",
            self.plan.timeout.as_millis()
        ))?)
    }

    fn now(&self) -> Result<String, Failure> {
        self.date(Local::now().fixed_offset())
    }

    fn date(&self, time: DateTime<FixedOffset>) -> Result<String, Failure> {
        formatted(&self.plan.date_format, &time).map_err(Failure::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::line::flags;

    fn plan(line: &str) -> Result<Plan, Failure> {
        flags::<ConsumerPerfArgs>(&format!("--bootstrap-server h:1 {line}")).plan()
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_kafkas_words() {
        let words = |line| match plan(line) {
            Err(Failure::Usage(words)) => words,
            _ => String::new(),
        };
        let required = "Exactly one of the following arguments is required:";
        assert_eq!(words("--num-records 1"), format!("{required} [topic], [include]"));
        assert_eq!(words("--topic t"), format!("{required} [messages], [num-records]"));
        assert_eq!(
            words("--topic t --messages 1 --num-records 1"),
            format!("{required} [messages], [num-records]")
        );
        assert!(plan("--topic t --num-records 1 --reporting-interval 0").is_err());
    }

    #[test]
    fn each_run_reads_all_in_a_group_of_its_own() {
        let plan = plan("--topic t --num-records 7").unwrap();
        assert_eq!((plan.records, plan.consumer.reset), (7, Start::Earliest));
        assert!(plan.group.group_id.starts_with("perf-consumer-") && plan.interval.is_none());
    }
}

//! `yeoul producer-perf-test`: how fast records are sent and acknowledged, as `kafka-producer-perf-test` tells it.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::{ClientOptions, Fate, ProducerOptions, ProducerRecord, Receipt};
use host::{OsRandom, Random};
use tokio::time::{Instant, sleep_until};

use super::metrics::{Metrics, Value};
use super::payload::{Dice, Payload};
use super::producer_figures::{Total, Window};
use super::transactions::{Sender, Transactions};
use crate::commands::HELP;
use crate::commands::cluster::{Settings, block_on, connect, now_ms, producer_options, transaction_options};
use crate::commands::pace::due;
use crate::commands::table::{Form, Output};
use crate::failure::{Failure, say};
use crate::interrupt::{Interrupt, insist};

const EXAMPLES: &str = "\
  yeoul producer-perf-test --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 1000000 --record-size 1024 \\
      --throughput -1 --command-property acks=all batch.size=131072
  yeoul producer-perf-test --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 100000 --throughput 20000 \\
      --payload-file lines.txt --warmup-records 10000
  yeoul producer-perf-test --bootstrap-server 127.0.0.1:9092 --topic measured --num-records 100000 --record-size 100 \\
      --throughput -1 --transaction-duration-ms 100";

/// What a transactional id begins with that is made here.
const TRANSACTIONAL_ID_PREFIX: &str = "performance-producer-";
/// How long a transaction lasts, in milliseconds, where only its id is given.
const TRANSACTION_DURATION_MS: u64 = 3_000;

/// What is sent, and how fast.
#[derive(Args, Clone, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES, arg_required_else_help = true)]
pub struct ProducerPerfArgs {
    /// Brokers to come to the cluster by
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub bootstrap_server: Vec<String>,
    /// The topic that the records go to
    #[arg(long, required = true)]
    pub topic: String,
    /// How many records
    #[arg(long, value_name = "N", required = true, allow_negative_numbers = true)]
    pub num_records: i64,
    /// How many records a second; -1 for as many as can be
    #[arg(long, value_name = "N", required = true, allow_negative_numbers = true)]
    pub throughput: i64,
    /// Send random letters, so many bytes a record
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, group = "payload")]
    pub record_size: Option<i64>,
    /// Send pieces of a text, by chance
    #[arg(long, value_name = "FILE", group = "payload")]
    pub payload_file: Option<PathBuf>,
    /// Send the numbers of the records
    #[arg(long, group = "payload")]
    pub payload_monotonic: bool,
    /// What stands between the pieces of the text; \n for the end of a line
    #[arg(long, value_name = "TEXT", default_value = "\\n", allow_hyphen_values = true)]
    pub payload_delimiter: String,
    /// Send in transactions under this name; without --transaction-duration-ms each lasts 3000 ms
    #[arg(long, value_name = "ID")]
    pub transactional_id: Option<String>,
    /// Send in transactions that last so long, under a name of their own if none is given
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub transaction_duration_ms: Option<i64>,
    /// Tell the figures without so many first records too
    #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true)]
    pub warmup_records: i64,
    /// How often figures are told meanwhile
    #[arg(long, value_name = "MS", default_value = "5000", allow_negative_numbers = true)]
    pub reporting_interval: i64,
    /// Tell in the end what the client has counted
    #[arg(long)]
    pub print_metrics: bool,
    /// Client settings
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    pub command_property: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    #[command(flatten)]
    pub form: Form,
    /// The old name of --command-property
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., hide = true, conflicts_with = "command_property")]
    pub producer_props: Vec<String>,
    /// The old name of --command-config
    #[arg(long = "producer.config", value_name = "FILE", hide = true, conflicts_with = "command_config")]
    pub producer_config: Option<PathBuf>,
}

/// What is to be done.
struct Plan {
    form: Form,
    servers: Vec<String>,
    topic: Arc<str>,
    records: u64,
    warmup: u64,
    throughput: i64,
    interval: Duration,
    client: ClientOptions,
    producer: ProducerOptions,
    transactions: Option<Transactions>,
    print_metrics: bool,
}

/// Sends the records and tells how fast that went.
pub fn run(args: &ProducerPerfArgs) -> Result<(), Failure> {
    args.tell_old_names()?;
    let plan = args.plan()?;
    let payload = args.payload()?;
    if plan.warmup > 0 {
        let words = "Steady state results will print after the complete test summary.";
        plan.form.remark(format_args!("Warmup first {} records. {words}", plan.warmup))?;
    }
    block_on(produce(plan, payload))
}

impl ProducerPerfArgs {
    fn tell_old_names(&self) -> Result<(), Failure> {
        let names = [
            (!self.producer_props.is_empty(), "--producer-props", "--command-property"),
            (self.producer_config.is_some(), "--producer.config", "--command-config"),
        ];
        for (_, old, new) in names.into_iter().filter(|(is_given, ..)| *is_given) {
            let words = "has been deprecated and will be removed in a future version. Use";
            self.form.remark(format_args!("Option {old} {words} {new} instead."))?;
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let usage = |why: &str| Err(Failure::Usage(why.to_owned()));
        if self.num_records <= 0 {
            return usage("--num-records should be greater than zero.");
        }
        if self.record_size.is_some_and(|size| size <= 0) {
            return usage("--record-size should be greater than zero.");
        }
        if self.transaction_duration_ms.is_some_and(|duration| duration <= 0) {
            return usage("--transaction-duration-ms should be greater than zero.");
        }
        if self.reporting_interval <= 0 {
            return usage("--reporting-interval should be greater than zero.");
        }
        if self.warmup_records >= self.num_records {
            return usage(
                "The value for --warmup-records must be strictly fewer than the number of records in the test, \
                 --num-records.",
            );
        }
        let pairs = [&self.command_property[..], &self.producer_props].concat();
        let file = self.command_config.as_deref().or(self.producer_config.as_deref());
        let mut settings = Settings::read(file, &pairs)?;
        settings.flag("transactional.id", self.transactional_id.as_ref(), None);
        Ok(Plan {
            form: self.form,
            transactions: self.transactions(&mut settings)?,
            print_metrics: self.print_metrics,
            servers: self.servers(&settings)?,
            topic: self.topic.as_str().into(),
            records: self.num_records.unsigned_abs(),
            warmup: u64::try_from(self.warmup_records).unwrap_or(0),
            throughput: self.throughput,
            interval: Duration::from_millis(self.reporting_interval.unsigned_abs()),
            client: settings.client("perf-producer-client", "max.block.ms")?,
            producer: producer_options(&settings)?,
        })
    }

    /// The transactions that flags and settings ask for.
    fn transactions(&self, settings: &mut Settings) -> Result<Option<Transactions>, Failure> {
        if self.transaction_duration_ms.is_some() {
            let id = format!("{TRANSACTIONAL_ID_PREFIX}{:016x}", OsRandom.next_u64());
            settings.flag("transactional.id", None::<String>, Some(&id));
        }
        let duration = self.transaction_duration_ms.map_or(TRANSACTION_DURATION_MS, i64::unsigned_abs);
        let duration = Duration::from_millis(duration);
        let options = transaction_options(settings)?;
        Ok(options.map(|options| Transactions { options, duration }))
    }

    /// The brokers of the flag, or of the settings.
    fn servers(&self, settings: &Settings) -> Result<Vec<String>, Failure> {
        match settings.text("bootstrap.servers") {
            Some(list) if self.bootstrap_server.is_empty() => Ok(vec![list.to_owned()]),
            None if self.bootstrap_server.is_empty() => Err(Failure::Usage(
                "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
                 --command-config must be specified."
                    .to_owned(),
            )),
            _ => Ok(self.bootstrap_server.clone()),
        }
    }

    fn payload(&self) -> Result<Payload, Failure> {
        if let Some(size) = self.record_size {
            return Ok(Payload::letters(usize::try_from(size).unwrap_or(0), &OsRandom));
        }
        if let Some(file) = &self.payload_file {
            self.form.remark(format_args!("Reading payloads from: {}", file.display()))?;
            let text = fs::read_to_string(file).unwrap_or_default();
            if text.is_empty() {
                return Err(Failure::failed("File does not exist or empty file provided."));
            }
            let payload = Payload::pieces(&text, &self.payload_delimiter.replace("\\n", "\n"));
            self.form.remark(format_args!("Number of records read: {}", payload.choices()))?;
            return Ok(payload);
        }
        match self.payload_monotonic {
            true => Ok(Payload::Number),
            false => Err(Failure::Usage(
                "one of the arguments --record-size --payload-file --payload-monotonic is required"
                    .to_owned(),
            )),
        }
    }
}

async fn produce(plan: Plan, payload: Payload) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    insist(plan.producer.delivery_timeout.max(plan.client.retry_for))?;
    let mut producer = tokio::select! {
        sender = sender(&plan) => sender?,
        code = interrupt.told() => return Err(Failure::Interrupted(code)),
    };
    let mut sending = Sending::new(&plan);
    let end = tokio::select! {
        sent = sending.send(&plan, &payload, &mut producer) => sent,
        code = interrupt.told() => Err(Failure::Interrupted(code)),
    };
    producer.close().await;
    sending.count_rest().await?;
    match end {
        // What was not committed was not measured.
        Err(Failure::Failed(why)) => Err(Failure::Failed(why)),
        end => sending.tell_total(&plan).and(end),
    }
}

/// Comes to the cluster.
async fn sender(plan: &Plan) -> Result<Sender, Failure> {
    let cluster = connect(&plan.servers, plan.client.clone()).await?;
    Sender::start(cluster, plan.producer.clone(), plan.transactions.clone()).await
}

/// A record whose fate is open.
struct Open {
    since: Instant,
    bytes: usize,
    receipt: Receipt,
}

/// The records that are on their way, and what became of the others.
struct Sending {
    begin: Instant,
    /// The time of day then, in milliseconds since 1970.
    begin_ms: i64,
    open: VecDeque<Open>,
    figures: Figures,
    failed: u64,
    form: Form,
}

impl Sending {
    fn new(plan: &Plan) -> Sending {
        let (begin, begin_ms) = (Instant::now(), now_ms());
        let (open, figures) = (VecDeque::new(), Figures::new(plan));
        Sending { begin, begin_ms, open, figures, failed: 0, form: plan.form }
    }

    async fn send(&mut self, plan: &Plan, payload: &Payload, producer: &mut Sender) -> Result<(), Failure> {
        let dice = Dice::new(&OsRandom);
        for number in 0..plan.records {
            if let Some(after) = due(number, plan.throughput) {
                self.count_until(self.begin + after).await?;
            }
            let value = payload.value(number, &dice);
            let (since, bytes) = (Instant::now(), value.len());
            let receipt = producer.send(self.record(&plan.topic, value, since), since).await;
            self.open.push_back(Open { since, bytes, receipt });
            producer.commit_after(since).await?;
            self.count_known()?;
        }
        producer.commit().await
    }

    fn record(&self, topic: &Arc<str>, value: Bytes, now: Instant) -> ProducerRecord {
        let after_ms = i64::try_from((now - self.begin).as_millis()).unwrap_or(i64::MAX);
        let timestamp = self.begin_ms.saturating_add(after_ms);
        ProducerRecord { topic: topic.clone(), value: Some(value), timestamp, ..ProducerRecord::default() }
    }

    /// Counts the fates that become known until then.
    async fn count_until(&mut self, time: Instant) -> Result<(), Failure> {
        let mut pause = std::pin::pin!(sleep_until(time));
        while let Some(first) = self.open.front() {
            tokio::select! {
                _ = first.receipt.fate() => self.count_known()?,
                () = &mut pause => return Ok(()),
            }
        }
        pause.await;
        Ok(())
    }

    /// Counts the records whose fate is known, in their order.
    fn count_known(&mut self) -> Result<(), Failure> {
        while let Some(fate) = self.open.front().and_then(|first| first.receipt.known_fate()) {
            if let Some(Open { since, bytes, .. }) = self.open.pop_front() {
                self.count(since, bytes, fate)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, since: Instant, bytes: usize, fate: Fate) -> Result<(), Failure> {
        match fate {
            Ok(delivery) => {
                let (now, latency) = (delivery.at - self.begin, delivery.at - since);
                match self.figures.add(now, bytes, latency) {
                    Some(line) => Ok(self.form.remark(line)?),
                    None => Ok(()),
                }
            }
            Err(error) => {
                self.failed += 1;
                say(format_args!("{error}"));
                Ok(())
            }
        }
    }

    /// Waits for the fates that are still open.
    async fn count_rest(&mut self) -> Result<(), Failure> {
        while let Some(Open { since, bytes, receipt }) = self.open.pop_front() {
            self.count(since, bytes, receipt.fate().await)?;
        }
        Ok(())
    }

    /// Tells the figures of all.
    fn tell_total(self, plan: &Plan) -> Result<(), Failure> {
        let now = self.begin.elapsed();
        let metrics = plan.print_metrics.then(|| self.metrics(plan));
        let mut totals = [Some(self.figures.total), self.figures.steady].into_iter().flatten();
        let mut out = io::stdout();
        match self.form.output {
            Output::Text => totals.try_for_each(|total| writeln!(out, "{}", total.line(now)))?,
            Output::Json => {
                writeln!(out, "{}", serde_json::Value::from_iter(totals.map(|total| total.json(now))))?;
            }
        }
        if let Some(metrics) = metrics {
            self.form.remark(metrics.table())?;
        }
        Ok(())
    }

    fn metrics(&self, plan: &Plan) -> Metrics {
        let id = plan.client.client_id.as_str();
        let mut metrics = Metrics::of_client(id, self.begin_ms);
        let (of_client, of_topic) = ([("client-id", id)], [("client-id", id), ("topic", &plan.topic)]);
        let (sent, failed) = (self.figures.seen as f64, self.failed as f64);
        for (name, count) in [("record-send-total", sent), ("record-error-total", failed)] {
            metrics.add("producer-metrics", name, &of_client, Value::Measured(count));
            metrics.add("producer-topic-metrics", name, &of_topic, Value::Measured(count));
        }
        let buffer_bytes = Value::Measured(plan.producer.buffer_bytes as f64);
        metrics.add("producer-metrics", "buffer-total-bytes", &of_client, buffer_bytes);
        metrics
    }
}

/// All figures that are gathered.
struct Figures {
    window: Window,
    total: Total,
    steady: Option<Total>,
    records: u64,
    warmup: u64,
    seen: u64,
    interval: Duration,
    has_told_of_steady: bool,
}

impl Figures {
    fn new(plan: &Plan) -> Figures {
        Figures {
            window: Window::new(Duration::ZERO, plan.interval),
            total: Total::new("", Duration::ZERO, plan.records),
            steady: None,
            records: plan.records,
            warmup: plan.warmup,
            seen: 0,
            interval: plan.interval,
            has_told_of_steady: false,
        }
    }

    /// Adds a record that was acknowledged so long after the begin; a line where there is one to tell.
    fn add(&mut self, now: Duration, bytes: usize, latency: Duration) -> Option<String> {
        self.seen += 1;
        self.total.add(bytes, latency);
        if self.warmup > 0 && self.seen == self.warmup {
            self.window = Window::new(now, self.interval);
            self.steady = Some(Total::new("steady state ", now, self.records - self.warmup));
            return None;
        }
        let line = self.window.add(now, bytes, latency);
        let Some(steady) = &mut self.steady else { return line };
        steady.add(bytes, latency);
        let line = line?;
        match std::mem::replace(&mut self.has_told_of_steady, true) {
            true => Some(line),
            false => Some(format!("In steady state.\n{line}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::line::flags;

    fn plan(line: &str) -> Result<Plan, Failure> {
        flags::<ProducerPerfArgs>(&format!("--topic t --throughput -1 {line}")).plan()
    }

    #[test]
    fn many_settings_may_follow_one_flag() {
        let plan =
            plan("--num-records 5 --record-size 1 --command-property bootstrap.servers=h:1 acks=1").unwrap();
        assert_eq!((plan.servers, plan.producer.acks), (vec!["h:1".to_owned()], 1));
    }

    #[test]
    fn a_name_or_a_duration_asks_for_transactions() {
        let transactions = |line: &str| {
            let line = format!("--num-records 5 --record-size 1 --bootstrap-server h:1 {line}");
            let transactions = plan(&line).unwrap().transactions;
            transactions.map(|it| (it.options.transactional_id, it.duration.as_millis()))
        };
        assert_eq!(transactions(""), None);
        assert_eq!(transactions("--transactional-id t"), Some(("t".to_owned(), 3_000)));
        let both = "--transactional-id t --command-property transactional.id=other";
        assert_eq!(transactions(both), Some(("t".to_owned(), 3_000)));
        let by_setting = "--transaction-duration-ms 70 --command-property transactional.id=other";
        assert_eq!(transactions(by_setting), Some(("other".to_owned(), 70)));
        let (made, duration) = transactions("--transaction-duration-ms 70").unwrap();
        assert!(made.starts_with(TRANSACTIONAL_ID_PREFIX) && duration == 70);
        assert!(
            plan("--num-records 5 --record-size 1 --transactional-id t --command-property acks=1").is_err()
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--num-records 0 --record-size 1",
            "--num-records 5 --record-size 0",
            "--num-records 5 --record-size 1 --reporting-interval 0",
            "--num-records 5 --record-size 1 --transaction-duration-ms 0",
            "--num-records 5 --record-size 1 --warmup-records 5",
            "--num-records 5 --record-size 1",
        ] {
            assert!(matches!(plan(line), Err(Failure::Usage(_))), "{line}");
        }
    }

    #[test]
    fn the_first_records_count_in_the_total_alone() {
        let mut plan =
            plan("--num-records 3 --warmup-records 1 --record-size 1 --bootstrap-server h:1").unwrap();
        plan.interval = Duration::from_millis(2);
        let mut figures = Figures::new(&plan);
        let mut add = |millis| figures.add(Duration::from_millis(millis), 1, Duration::from_millis(1));
        assert_eq!([add(1), add(2)], [None, None]);
        assert!(add(3).is_some_and(|lines| lines.starts_with("In steady state.\n2 records sent, 1000.0")));
        let now = Duration::from_millis(3);
        assert!(figures.total.line(now).starts_with("3 records sent, 1000.0"));
        assert!(figures.steady.unwrap().line(now).starts_with("2 steady state records sent, 1000.0"));
    }
}

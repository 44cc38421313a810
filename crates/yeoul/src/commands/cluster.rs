//! How a tool comes to a cluster: the address on its line, and Kafka's client settings.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use client::{Backoff, ClientOptions, Cluster, ProducerOptions, TransactionOptions};
use config::Properties;
use protocol::compression::Compression;

pub use super::table::Output;
use crate::failure::Failure;
use crate::progress::waiting;

/// Client settings that a tool may be given and that say nothing to this client.
const WITHOUT_MEANING: [&str; 11] = [
    "bootstrap.servers",
    "client.dns.lookup",
    "client.rack",
    "enable.metrics.push",
    "key.deserializer",
    "key.serializer",
    "metric.reporters",
    "receive.buffer.bytes",
    "send.buffer.bytes",
    "value.deserializer",
    "value.serializer",
];

/// How connections can be protected, of which only the first is there: nothing that is to be protected may go unprotected.
const SECURITY_PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// Client settings that are heeded.
const HEEDED: &[&str] = &[
    "acks",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.size",
    "buffer.memory",
    "client.id",
    "compression.type",
    "connections.max.idle.ms",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.block.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "max.request.size",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// Under which title help tells of the flags by which a cluster is come to.
pub const CLUSTER: &str = "Cluster";

/// How an administrator comes to a cluster: by its brokers, or by its controllers.
#[derive(Args, Clone, Debug, Default)]
pub struct Nodes {
    /// Brokers to come to the cluster by
    #[arg(long, global = true, value_name = "HOST:PORT", value_delimiter = ',', help_heading = CLUSTER)]
    pub bootstrap_server: Vec<String>,
    /// Controllers to come to the cluster by
    #[arg(long, global = true, value_name = "HOST:PORT", value_delimiter = ',', help_heading = CLUSTER)]
    pub bootstrap_controller: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, global = true, alias = "config", value_name = "FILE", help_heading = CLUSTER)]
    pub command_config: Option<PathBuf>,
}

impl Nodes {
    /// Whether the cluster is come to by nothing, or by both.
    pub fn is_missing_or_double(&self) -> bool {
        self.bootstrap_server.is_empty() == self.bootstrap_controller.is_empty()
    }

    /// Comes to the cluster as an administrator.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        let servers: Vec<String> =
            self.bootstrap_server.iter().chain(&self.bootstrap_controller).cloned().collect();
        administrate(&servers, self.command_config.as_deref()).await
    }

    /// The same by the settings of a server, of which only those of clients count.
    pub async fn connect_by(&self, server: &Properties) -> Result<Cluster, Failure> {
        let servers: Vec<String> =
            self.bootstrap_server.iter().chain(&self.bootstrap_controller).cloned().collect();
        let heeded = server.iter().filter(|(key, _)| HEEDED.contains(key));
        let settings = Settings { properties: heeded.collect() };
        settings.refuse_what_is_not_there()?;
        connect(&servers, settings.client("yeoul-admin", "default.api.timeout.ms")?).await
    }
}

/// How an administrator comes to a cluster by its brokers.
#[derive(Args, Clone, Debug, Default)]
pub struct Brokers {
    /// Brokers to come to the cluster by
    #[arg(long, global = true, value_name = "HOST:PORT", value_delimiter = ',', help_heading = CLUSTER)]
    pub bootstrap_server: Vec<String>,
    /// Client settings from a properties file
    #[arg(long, global = true, value_name = "FILE", help_heading = CLUSTER)]
    pub command_config: Option<PathBuf>,
}

impl Brokers {
    /// Comes to the cluster as an administrator.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        administrate(&self.bootstrap_server, self.command_config.as_deref()).await
    }

    /// The same, where the cluster may take so long to answer whatever the settings say.
    pub async fn connect_within(&self, patience: Duration) -> Result<Cluster, Failure> {
        let options = administration(self.command_config.as_deref())?;
        connect(&self.bootstrap_server, ClientOptions { retry_for: patience, ..options }).await
    }
}

async fn administrate(servers: &[String], settings: Option<&Path>) -> Result<Cluster, Failure> {
    connect(servers, administration(settings)?).await
}

fn administration(settings: Option<&Path>) -> Result<ClientOptions, Failure> {
    Settings::read(settings, &[])?.client("yeoul-admin", "default.api.timeout.ms")
}

/// Client settings in Kafka's keys: those of a file, over them those of the command line.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    properties: Properties,
}

impl Settings {
    /// Reads the file, if there is one, and sets the pairs over it.
    ///
    /// # Errors
    /// If the file cannot be read, or a setting asks for what this client cannot do.
    pub fn read(file: Option<&Path>, pairs: &[String]) -> Result<Settings, Failure> {
        let mut properties = match file {
            Some(file) => read_properties(file)?,
            None => Properties::new(),
        };
        for (key, value) in parse_pairs(pairs)? {
            properties.set(key, value);
        }
        let settings = Settings { properties };
        settings.refuse_what_is_not_there()?;
        Ok(settings)
    }

    fn refuse_what_is_not_there(&self) -> Result<(), Failure> {
        for (key, _) in self.properties.iter() {
            if !HEEDED.contains(&key) && !WITHOUT_MEANING.contains(&key) {
                tracing::warn!("the setting {key} is not used");
            }
        }
        let protocol = self.one_of("security.protocol", &SECURITY_PROTOCOLS)?;
        if let Some(protocol) = protocol.filter(|protocol| !protocol.eq_ignore_ascii_case("PLAINTEXT")) {
            return Err(Failure::Failed(format!(
                "security.protocol={protocol} is not supported yet: connections are PLAINTEXT"
            )));
        }
        Ok(())
    }

    /// Sets what a flag says. Its usual value counts only where neither the flag nor a setting is given.
    pub fn flag(&mut self, key: &str, flag: Option<impl ToString>, usual: Option<&str>) {
        match (flag, usual) {
            (Some(value), _) => self.properties.set(key, value.to_string()),
            (None, Some(usual)) if self.text(key).is_none() => self.properties.set(key, usual),
            _ => {}
        }
    }

    /// The text of a setting.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.properties.get(key)
    }

    /// A number, or what is usual.
    pub fn number<N: FromStr>(&self, key: &str, usual: N) -> Result<N, Failure> {
        let Some(text) = self.text(key) else { return Ok(usual) };
        text.parse().map_err(|_| invalid(key, text, "Not a number in its range"))
    }

    /// A time in milliseconds, or what is usual.
    pub fn millis(&self, key: &str, usual: Duration) -> Result<Duration, Failure> {
        let usual = u64::try_from(usual.as_millis()).unwrap_or(u64::MAX);
        // Kafka's longest time is that of a signed number.
        self.number(key, usual).map(|millis| Duration::from_millis(millis.min(i64::MAX as u64)))
    }

    /// True or false, or what is usual.
    pub fn boolean(&self, key: &str, usual: bool) -> Result<bool, Failure> {
        match self.one_of(key, &["true", "false"])? {
            Some(text) => Ok(text.eq_ignore_ascii_case("true")),
            None => Ok(usual),
        }
    }

    /// One of these words, in any case; none if it is not set.
    pub fn one_of(&self, key: &str, words: &[&str]) -> Result<Option<&str>, Failure> {
        let Some(text) = self.text(key) else { return Ok(None) };
        if words.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Ok(Some(text));
        }
        Err(invalid(key, text, &format!("String must be one of: {}", words.join(", "))))
    }

    /// The compression of batches.
    pub fn compression(&self) -> Result<Compression, Failure> {
        let names = Compression::ALL.map(Compression::name);
        let name = self.one_of("compression.type", &names)?.unwrap_or("none").to_lowercase();
        Ok(Compression::from_name(&name).unwrap_or_default())
    }

    /// Pauses that grow, by the settings of this name; the first bounds the others if it is the larger one.
    fn backoff(&self, name: &str, usual: Backoff) -> Result<Backoff, Failure> {
        let first = self.millis(&format!("{name}.ms"), usual.first)?;
        let max = self.millis(&format!("{name}.max.ms"), usual.max)?;
        Ok(Backoff { first, max: max.max(first) })
    }

    /// A negative number stands for connections that may be idle for ever.
    fn idle_max(&self, usual: Duration) -> Result<Duration, Failure> {
        let key = "connections.max.idle.ms";
        let millis = self.number(key, i64::try_from(usual.as_millis()).unwrap_or(i64::MAX))?;
        Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(i64::MAX as u64)))
    }

    /// How the client behaves; `patience` is the setting that says how long it tries.
    pub fn client(&self, client_id: &str, patience: &str) -> Result<ClientOptions, Failure> {
        let usual = ClientOptions::default();
        let retry_for = self.millis(patience, usual.retry_for)?;
        Ok(ClientOptions {
            client_id: self.text("client.id").unwrap_or(client_id).to_owned(),
            connect_timeout: self
                .millis("socket.connection.setup.timeout.ms", usual.connect_timeout)?
                .min(retry_for),
            request_timeout: self.millis("request.timeout.ms", usual.request_timeout)?,
            retry_for,
            retry_backoff: self.backoff("retry.backoff", usual.retry_backoff)?,
            reconnect_backoff: self.backoff("reconnect.backoff", usual.reconnect_backoff)?,
            idle_max: self.idle_max(usual.idle_max)?,
            metadata_age_max: self.millis("metadata.max.age.ms", usual.metadata_age_max)?,
            ..usual
        })
    }
}

/// Kafka's words about a value that a setting cannot have.
pub fn invalid(key: &str, value: &str, why: &str) -> Failure {
    Failure::Failed(format!("Invalid value {value} for configuration {key}: {why}"))
}

/// Reads a file of properties.
pub fn read_properties(file: &Path) -> Result<Properties, Failure> {
    let fail = |why: &dyn std::fmt::Display| Failure::Failed(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    Properties::parse(&text).map_err(|error| fail(&error))
}

/// `key=value` as the two; a key alone has the empty value.
pub fn parse_pairs(pairs: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let parse = |pair: &String| match pair.split_once('=').unwrap_or((pair, "")) {
        ("", _) => Err(Failure::Usage(format!("Invalid command line properties: {pair}"))),
        (key, value) => Ok((key.to_owned(), value.to_owned())),
    };
    pairs.iter().map(parse).collect()
}

/// How a producer sends by these settings. Whether twice is once follows from the acknowledgements where nothing says it.
pub fn producer_options(settings: &Settings) -> Result<ProducerOptions, Failure> {
    let usual = ProducerOptions::default();
    let acks = match settings.one_of("acks", &["all", "-1", "0", "1"])? {
        Some("0") => 0,
        Some("1") => 1,
        _ => -1,
    };
    let idempotent = settings.boolean("enable.idempotence", acks == -1)?;
    if idempotent && acks != -1 {
        let words = "Must set acks to all in order to use the idempotent producer. \
                     Otherwise we cannot guarantee idempotence.";
        return Err(Failure::failed(words));
    }
    if settings.text("transactional.id").is_some() && !idempotent {
        return Err(Failure::failed("Cannot set a transactional.id without also enabling idempotence."));
    }
    Ok(ProducerOptions {
        acks,
        idempotent,
        linger: settings.millis("linger.ms", usual.linger)?,
        batch_bytes: settings.number("batch.size", usual.batch_bytes)?,
        compression: settings.compression()?,
        partitioner: usual.partitioner,
        delivery_timeout: settings.millis("delivery.timeout.ms", usual.delivery_timeout)?,
        retries: settings.number("retries", usual.retries)?,
        request_bytes_max: settings.number("max.request.size", usual.request_bytes_max)?,
        // A buffer for nothing would take nothing.
        buffer_bytes: settings.number("buffer.memory", usual.buffer_bytes)?.max(1),
    })
}

/// Under which name a producer makes transactions by these settings, if it does.
pub fn transaction_options(settings: &Settings) -> Result<Option<TransactionOptions>, Failure> {
    let timeout = settings.number::<i32>("transaction.timeout.ms", 60_000)?;
    let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
    let named = |id: &str| TransactionOptions { transactional_id: id.to_owned(), timeout };
    Ok(settings.text("transactional.id").map(named))
}

/// Refuses a name for transactions where none are begun, in the words of Kafka's producer.
pub fn refuse_transactions(settings: &Settings, topic: &str) -> Result<(), Failure> {
    match transaction_options(settings)? {
        Some(_) => Err(Failure::Failed(format!(
            "Cannot add partition of {topic} to transaction before completing a call to initTransactions"
        ))),
        None => Ok(()),
    }
}

/// The time of now in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs what waits for sockets. The tasks that it starts have threads of their own: a command that stands in the middle of a line which
/// nobody reads stays a member of its group.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::failed)?;
    let result = runtime.block_on(work);
    // What still waits then waits for nobody.
    runtime.shutdown_background();
    result
}

/// A cluster that need not be there yet: who reads waits for it, as Kafka's consumer does.
pub async fn expect(servers: &[String], options: ClientOptions) -> Result<Cluster, Failure> {
    Ok(Cluster::of(&servers.join(","), options).await?)
}

/// Comes to a cluster, within the time that the options give.
pub async fn connect(servers: &[String], options: ClientOptions) -> Result<Cluster, Failure> {
    let servers = servers.join(",");
    Ok(waiting(format!("connecting to {servers}"), Cluster::connect(&servers, options)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[&str]) -> Result<Settings, Failure> {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        Settings::read(None, &pairs)
    }

    #[test]
    fn a_flag_counts_before_a_setting_and_a_setting_before_what_is_usual() {
        let mut settings = settings(&["linger.ms=7"]).unwrap();
        settings.flag("linger.ms", None::<u64>, Some("1000"));
        assert_eq!(settings.text("linger.ms"), Some("7"));
        settings.flag("linger.ms", Some(5), Some("1000"));
        assert_eq!(settings.text("linger.ms"), Some("5"));
        settings.flag("batch.size", None::<u64>, Some("16384"));
        assert_eq!(settings.number("batch.size", 0), Ok(16_384));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused_in_kafkas_words() {
        let settings = settings(&["isolation.level=foo", "linger.ms=-1", "compression.type=GZIP"]).unwrap();
        let refused = settings.one_of("isolation.level", &["read_committed", "read_uncommitted"]);
        let words = "Invalid value foo for configuration isolation.level: \
                     String must be one of: read_committed, read_uncommitted";
        assert_eq!(refused, Err(Failure::Failed(words.to_owned())));
        assert!(settings.millis("linger.ms", Duration::ZERO).is_err());
        assert_eq!(settings.compression(), Ok(Compression::Gzip));
    }

    #[test]
    fn what_this_client_cannot_do_is_refused_and_not_passed_over() {
        let words = "security.protocol=SASL_SSL is not supported yet: connections are PLAINTEXT";
        let refused = settings(&["security.protocol=SASL_SSL"]).map(|_| ());
        assert_eq!(refused, Err(Failure::Failed(words.to_owned())));
        assert!(settings(&["security.protocol=nonsense"]).is_err());
        assert!(settings(&["security.protocol=PLAINTEXT"]).is_ok());
    }

    #[test]
    fn a_pair_is_cut_at_the_first_equals_sign_and_a_key_may_stand_alone() {
        let pairs = ["key.separator==".to_owned(), "parse.key".to_owned()];
        let parsed = parse_pairs(&pairs).unwrap();
        assert_eq!(parsed[0], ("key.separator".to_owned(), "=".to_owned()));
        assert_eq!(parsed[1], ("parse.key".to_owned(), String::new()));
        assert!(parse_pairs(&["=x".to_owned()]).is_err());
    }
}

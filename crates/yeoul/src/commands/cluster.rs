//! How a tool comes to a cluster: the address on its line, and Kafka's client settings.

use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use client::{ClientOptions, Cluster};
use config::Properties;
use protocol::compression::Compression;

use crate::failure::Failure;

/// Client settings that a tool may be given and that say nothing to this client.
const WITHOUT_MEANING: [&str; 14] = [
    "bootstrap.servers",
    "client.dns.lookup",
    "client.rack",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "key.deserializer",
    "key.serializer",
    "metadata.max.age.ms",
    "metric.reporters",
    "receive.buffer.bytes",
    "reconnect.backoff.ms",
    "send.buffer.bytes",
    "value.deserializer",
    "value.serializer",
];

/// Client settings that are heeded.
const HEEDED: [&str; 29] = [
    "acks",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.size",
    "buffer.memory",
    "client.id",
    "compression.type",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "group.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.block.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.request.size",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "transactional.id",
];

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
        // What can be had is all that they may say.
        self.one_of("security.protocol", &["PLAINTEXT"])?;
        self.one_of("group.protocol", &["classic"])?;
        if self.text("transactional.id").is_some() {
            return Err(Failure::failed("transactional.id is not supported yet"));
        }
        for (key, _) in self.properties.iter() {
            if !HEEDED.contains(&key) && !WITHOUT_MEANING.contains(&key) {
                tracing::warn!("the setting {key} is not used");
            }
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
            retry_backoff: self.millis("retry.backoff.ms", usual.retry_backoff)?,
            ..usual
        })
    }
}

fn invalid(key: &str, value: &str, why: &str) -> Failure {
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

/// Runs what waits for sockets.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::failed)?;
    let result = runtime.block_on(work);
    // What still waits then waits for nobody.
    runtime.shutdown_background();
    result
}

/// Comes to a cluster, within the time that the options give.
pub async fn connect(servers: &[String], options: ClientOptions) -> Result<Cluster, Failure> {
    Ok(Cluster::connect(&servers.join(","), options).await?)
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
        assert!(settings(&["security.protocol=SASL_SSL"]).is_err());
        assert!(settings(&["group.protocol=consumer"]).is_err());
        assert!(settings(&["transactional.id=t"]).is_err());
        assert!(settings(&["security.protocol=PLAINTEXT", "group.protocol=classic"]).is_ok());
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

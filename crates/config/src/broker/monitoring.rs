//! What a node shows of itself, and where.

use std::time::Duration;

use crate::error::ConfigError;
use crate::layers::Layers;
use crate::listener::parse_host_port;
use crate::value::Value;

/// What a node shows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    /// `yeoul.http.listener`: host, empty for all interfaces, and port, 0 for the system's choice.
    pub http_listener: Option<(String, u16)>,
    /// `yeoul.slow.request.ms`; none for never.
    pub slow_request: Option<Duration>,
    /// `yeoul.traces.endpoint`.
    pub traces_endpoint: Option<TracesEndpoint>,
    /// `yeoul.traces.ratio`, from 0 to 1.
    pub traces_ratio: f64,
}

/// A URL without user, query and encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracesEndpoint {
    /// A name or an address, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Begins with a slash.
    pub path: String,
}

impl Monitoring {
    pub(super) fn read(layers: &Layers) -> Result<Monitoring, ConfigError> {
        Ok(Monitoring {
            http_listener: text(layers, "yeoul.http.listener").map(listener).transpose()?,
            slow_request: slow_request(layers),
            traces_endpoint: text(layers, "yeoul.traces.endpoint").map(endpoint).transpose()?,
            traces_ratio: match layers.value("yeoul.traces.ratio") {
                Some(Value::Double(ratio)) => ratio,
                _ => 1.0,
            },
        })
    }

    pub(super) fn with_dynamic(&self, layers: &Layers) -> Monitoring {
        Monitoring { slow_request: slow_request(layers), ..self.clone() }
    }
}

fn text<'a>(layers: &'a Layers, name: &str) -> Option<&'a str> {
    layers.text(name).map(str::trim).filter(|text| !text.is_empty())
}

fn slow_request(layers: &Layers) -> Option<Duration> {
    u64::try_from(layers.long("yeoul.slow.request.ms")).ok().map(Duration::from_millis)
}

fn listener(text: &str) -> Result<(String, u16), ConfigError> {
    parse_host_port(text).ok_or_else(|| {
        ConfigError::new(format!("`yeoul.http.listener` is `{text}`, which is not host:port"))
            .with_hint("write `127.0.0.1:9095`, or `:9095` for all interfaces")
    })
}

fn endpoint(text: &str) -> Result<TracesEndpoint, ConfigError> {
    let parsed = || {
        let (address, path) = match text.strip_prefix("http://")?.split_once('/') {
            Some((address, path)) => (address, format!("/{path}")),
            None => (text.strip_prefix("http://")?, "/v1/traces".to_owned()),
        };
        let (host, port) =
            parse_host_port(address).or_else(|| parse_host_port(&format!("{address}:4318")))?;
        let is_clean = !host.is_empty() && path.bytes().all(|byte| byte.is_ascii_graphic());
        is_clean.then_some(TracesEndpoint { host, port, path })
    };
    parsed().ok_or_else(|| {
        ConfigError::new(format!(
            "`yeoul.traces.endpoint` is `{text}`, which is no URL that begins with http://"
        ))
        .with_hint("write `http://127.0.0.1:4318/v1/traces`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_the_port_and_path_of_otlp_unless_it_says_others() {
        let parse = |text: &str| endpoint(text).map(|found| (found.host, found.port, found.path)).ok();
        let expected = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(parse("http://collector"), expected("collector", 4318, "/v1/traces"));
        assert_eq!(parse("http://[::1]:80/x/y"), expected("::1", 80, "/x/y"));
        for wrong in
            ["https://collector", "collector:4318", "http://", "http://a b", "http://h/\r\nx", "http://h:x"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_listener_has_a_port() {
        assert_eq!(listener(":9095"), Ok((String::new(), 9095)));
        assert!(listener("9095").is_err() && listener("127.0.0.1").is_err());
    }
}

//! Listeners: where a node listens, what it tells clients, and with which protocol.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::error::ConfigError;

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encryption nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// From Kafka's name, in any case.
    pub fn from_name(name: &str) -> Option<SecurityProtocol> {
        match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Some(SecurityProtocol::Plaintext),
            "SSL" => Some(SecurityProtocol::Ssl),
            "SASL_PLAINTEXT" => Some(SecurityProtocol::SaslPlaintext),
            "SASL_SSL" => Some(SecurityProtocol::SaslSsl),
            _ => None,
        }
    }

    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// The number in records of the metadata log.
    pub fn id(self) -> i16 {
        match self {
            SecurityProtocol::Plaintext => 0,
            SecurityProtocol::Ssl => 1,
            SecurityProtocol::SaslPlaintext => 2,
            SecurityProtocol::SaslSsl => 3,
        }
    }
}

/// One entry of `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in upper case.
    pub name: String,
    /// What is spoken on it.
    pub protocol: SecurityProtocol,
    /// A host name or address, an IPv6 address without brackets; empty for all interfaces.
    pub host: String,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.name, HostPort(&self.host, self.port))
    }
}

/// A host and a port as Kafka writes them, an IPv6 address in brackets.
pub struct HostPort<'a>(pub &'a str, pub u16);

impl fmt::Display for HostPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostPort(host, port) = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Host and port of `host:port`, the host maybe in brackets and maybe empty.
pub fn parse_host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if inner.is_none() && host.contains([':', '[', ']', '/', ' ']) {
        return None;
    }
    Some((inner.unwrap_or(host).to_owned(), port.parse().ok()?))
}

/// The protocol of each listener's name.
pub type ProtocolMap = BTreeMap<String, SecurityProtocol>;

/// Reads `listener.security.protocol.map`.
pub fn parse_protocol_map(text: &str) -> Result<ProtocolMap, ConfigError> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(protocol_entry).collect()
}

fn protocol_entry(entry: &str) -> Result<(String, SecurityProtocol), ConfigError> {
    let (name, protocol) = entry.rsplit_once(':').ok_or_else(|| {
        ConfigError::new(format!(
            "Error parsing configuration property 'listener.security.protocol.map': `{entry}` has no protocol"
        ))
        .with_hint(format!("write `{entry}:PLAINTEXT`"))
    })?;
    let known = SecurityProtocol::from_name(protocol).ok_or_else(|| {
        ConfigError::new(format!(
            "Invalid security protocol `{protocol}` defined in listener.security.protocol.map"
        ))
        .with_hint("the protocols are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL")
    })?;
    Ok((name.to_uppercase(), known))
}

/// Reads `listeners` or `advertised.listeners`. Names are unique; ports too, where `distinct_ports` and not on two
/// addresses of which one is IPv4 and the other IPv6.
pub fn parse_listeners(
    entries: &[String],
    protocols: &ProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<Listener>, ConfigError> {
    let listed = entries.join(", ");
    let fail =
        |why: String| ConfigError::new(format!("Error creating broker listeners from '[{listed}]': {why}"));
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in entries {
        let listener = parse_listener(entry, protocols).map_err(&fail)?;
        if listeners.iter().any(|other| other.name == listener.name) {
            return Err(fail(format!("Each listener must have a different name, listeners: [{listed}]")));
        }
        listeners.push(listener);
    }
    match shared_port(&listeners).filter(|_| distinct_ports) {
        None => Ok(listeners),
        Some((rule, None)) => Err(fail(format!("{rule}, listeners: [{listed}]"))),
        Some((rule, Some(port))) => Err(fail(format!("{rule}, listeners: [{listed}], port: {port}"))),
    }
}

fn parse_listener(entry: &str, protocols: &ProtocolMap) -> Result<Listener, String> {
    let unreadable = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.split_once("://").ok_or_else(unreadable)?;
    let (host, port) = parse_host_port(address).ok_or_else(unreadable)?;
    let name = name.to_uppercase();
    let protocol =
        *protocols.get(&name).ok_or_else(|| format!("No security protocol defined for listener {name}"))?;
    Ok(Listener { name, protocol, host, port })
}

/// The rule against which a port is shared, in Kafka's words, and the port where Kafka names it.
fn shared_port(listeners: &[Listener]) -> Option<(&'static str, Option<u16>)> {
    listeners.iter().filter(|listener| listener.port != 0).find_map(|listener| {
        let sharing = listeners.iter().filter(|other| other.port == listener.port);
        broken_rule(&sharing.collect::<Vec<_>>(), listener.port)
    })
}

/// Two listeners may share a port when one is on an IPv4 and the other on an IPv6 address (KIP-797).
fn broken_rule(sharing: &[&Listener], port: u16) -> Option<(&'static str, Option<u16>)> {
    let addresses: Vec<IpAddr> = sharing.iter().filter_map(|listener| listener.host.parse().ok()).collect();
    let names = sharing.len() - addresses.len();
    match (addresses.as_slice(), names) {
        ([_], 0) | ([], 1) => None,
        ([one, other], 0) if one.is_ipv4() != other.is_ipv4() => None,
        ([], _) => Some(("Each listener must have a different port", None)),
        ([_, _], _) => Some((
            "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6",
            Some(port),
        )),
        _ => Some((
            "Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address",
            Some(port),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Listener>, String> {
        let map = parse_protocol_map("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,P2:PLAINTEXT").unwrap();
        let entries: Vec<String> = text.split(',').map(str::to_owned).collect();
        parse_listeners(&entries, &map, true).map_err(|error| error.message)
    }

    #[test]
    fn names_are_upper_case_and_hosts_lose_their_brackets() {
        let listeners = parse("plaintext://localhost:9092,controller://[::1]:9093,p2://:0").unwrap();
        let shown: Vec<String> = listeners.iter().map(Listener::to_string).collect();
        assert_eq!(shown, ["PLAINTEXT://localhost:9092", "CONTROLLER://[::1]:9093", "P2://:0"]);
        assert_eq!(listeners[1].host, "::1");
    }

    #[test]
    fn one_port_serves_an_ipv4_and_an_ipv6_listener_but_no_other_two() {
        assert!(parse("PLAINTEXT://[::1]:9092,P2://127.0.0.1:9092").is_ok());
        assert!(parse("PLAINTEXT://:0,P2://:0").is_ok());
        let different = "Each listener must have a different port";
        let unless = "Each listener must have a different port unless exactly one listener has an IPv4 address and the other \
                      IPv6 address";
        let two = "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6";
        for (text, rule, port) in [
            ("PLAINTEXT://:9092,P2://127.0.0.1:9092", unless, ", port: 9092"),
            ("PLAINTEXT://127.0.0.1:9092,P2://127.0.0.1:9092", two, ", port: 9092"),
            ("PLAINTEXT://[::1]:9092,P2://[::2]:9092", two, ", port: 9092"),
            ("PLAINTEXT://localhost:9092,P2://127.0.0.1:9092,CONTROLLER://[::1]:9092", two, ", port: 9092"),
            (
                "PLAINTEXT://127.0.0.1:9092,P2://[::1]:9092,CONTROLLER://127.0.0.2:9092",
                unless,
                ", port: 9092",
            ),
            ("PLAINTEXT://localhost:9092,P2://other:9092", different, ""),
            ("PLAINTEXT://:9092,P2://:9092", different, ""),
        ] {
            let listed = text.replace(',', ", ");
            let said = format!(
                "Error creating broker listeners from '[{listed}]': {rule}, listeners: [{listed}]{port}"
            );
            assert_eq!(parse(text).unwrap_err(), said);
        }
    }

    #[test]
    fn what_is_no_listener_is_refused_in_kafkas_words() {
        for (text, why) in [
            ("foo", "Error creating broker listeners from '[foo]': Unable to parse foo to a broker endpoint"),
            (
                "FOO://:1",
                "Error creating broker listeners from '[FOO://:1]': No security protocol defined for listener FOO",
            ),
            (
                "P2://a:99999",
                "Error creating broker listeners from '[P2://a:99999]': Unable to parse P2://a:99999 to a broker endpoint",
            ),
            (
                "P2://:1,P2://:2",
                "Error creating broker listeners from '[P2://:1, P2://:2]': Each listener must have a different name, listeners: [P2://:1, P2://:2]",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), why);
        }
        for text in ["P2://a::b:1", "P2://", "P2://:", "://:1", "P2://[::1:1", "P2://h:-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_map_names_a_protocol_for_each_listener() {
        let map = parse_protocol_map("a:ssl, B:SASL_SSL ,").unwrap();
        assert_eq!(map.get("A"), Some(&SecurityProtocol::Ssl));
        assert_eq!(map.get("B"), Some(&SecurityProtocol::SaslSsl));
        assert_eq!(
            parse_protocol_map("A:FOO").unwrap_err().message,
            "Invalid security protocol `FOO` defined in listener.security.protocol.map"
        );
        assert!(parse_protocol_map("A").is_err());
    }
}

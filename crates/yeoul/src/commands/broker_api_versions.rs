//! `yeoul broker-api-versions`: what each broker can be asked, as with `kafka-broker-api-versions`.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Args;
use protocol::messages::api_versions_response::ApiVersion;
use protocol::{ApiKey, Listener, VersionRange};
use serde_json::{Value, json};

use super::cluster::{Brokers, Nodes, block_on};
use super::table::{Form, Output};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul broker-api-versions --bootstrap-server 127.0.0.1:9092
  yeoul broker-api-versions --bootstrap-server 127.0.0.1:9092 --output json";

/// Tells which versions of which APIs each broker serves, and which of them this program would use.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct BrokerApiVersionsArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    form: Form,
}

/// Does it.
pub fn run(args: &BrokerApiVersionsArgs) -> Result<(), Failure> {
    if args.brokers.bootstrap_server.is_empty() {
        return Err(Failure::Usage("Missing required argument \"[bootstrap-server]\"".to_owned()));
    }
    let Brokers { bootstrap_server, command_config } = args.brokers.clone();
    tell(&Nodes { bootstrap_server, command_config, ..Nodes::default() }, args.form.output)
}

/// Asks every node that can be found, and tells what it serves.
pub fn tell(nodes: &Nodes, output: Output) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    block_on(async {
        let mut cluster = nodes.connect().await?;
        let mut told = Vec::new();
        for node in cluster.describe_nodes(false).await?.brokers {
            let address = config::HostPort(&node.host, u16::try_from(node.port).unwrap_or(0)).to_string();
            cluster.know_node(node.broker_id, &address);
            let versions = cluster.api_versions(node.broker_id).await?;
            let listener =
                if nodes.bootstrap_server.is_empty() { Listener::Controller } else { Listener::Broker };
            let lines = lines(&versions, listener);
            let rack = node.rack.as_deref().unwrap_or("null");
            let fenced = node.is_fenced;
            match output {
                Output::Text => writeln!(
                    out,
                    "{address} (id: {} rack: {rack} isFenced: {fenced}) -> (\n{}\n)",
                    node.broker_id,
                    lines.join(",\n")
                )?,
                Output::Json => told.push(json!({
                    "id": node.broker_id,
                    "address": address,
                    "rack": node.rack,
                    "fenced": fenced,
                    "apis": versions.iter().map(api).collect::<Vec<_>>(),
                })),
            }
        }
        if output == Output::Json {
            writeln!(out, "{}", Value::from(told))?;
        }
        Ok(())
    })
}

fn api(served: &ApiVersion) -> Value {
    json!({
        "key": served.api_key,
        "name": ApiKey(served.api_key).name(),
        "min": served.min_version,
        "max": served.max_version,
        "usable": usable(served).ok(),
    })
}

/// A line for each API that the node serves or that we would use, by key.
fn lines(served: &[ApiVersion], listener: Listener) -> Vec<String> {
    let known = ApiKey::all().filter(|key| key.is_served_on(listener) && stable(*key).is_some());
    let missing = known.filter(|key| !served.iter().any(|it| it.api_key == key.0));
    let mut lines: Vec<(i16, String)> = served.iter().map(|it| (it.api_key, line(it))).collect();
    lines.extend(missing.map(|key| (key.0, format!("\t{}({}): UNSUPPORTED", key.name(), key.0))));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

fn line(served: &ApiVersion) -> String {
    let ApiVersion { api_key, min_version: min, max_version: max } = *served;
    let mut line = match ApiKey(api_key).name() {
        "Unknown" => format!("\tUNKNOWN({api_key}): {min}"),
        name => format!("\t{name}({api_key}): {min}"),
    };
    // Writing to a text does not fail.
    let _ = if max > min { write!(line, " to {max}") } else { Ok(()) };
    let _ = match usable(served) {
        Ok(version) => write!(line, " [usable: {version}]"),
        Err(Some(why)) => write!(line, " [unusable: {why}]"),
        Err(None) => Ok(()),
    };
    line
}

/// The version that we would use; or why there is none, as far as the API is known at all.
fn usable(served: &ApiVersion) -> Result<i16, Option<&'static str>> {
    let ours = stable(ApiKey(served.api_key)).ok_or(None)?;
    if served.max_version < ours.min {
        return Err(Some("node too old"));
    }
    if served.min_version > ours.max {
        return Err(Some("node too new"));
    }
    Ok(served.max_version.min(ours.max))
}

/// The versions that we speak without being asked to.
fn stable(key: ApiKey) -> Option<VersionRange> {
    let versions = key.versions()?;
    let max = versions.max - i16::from(key.is_latest_version_unstable());
    (max >= versions.min).then_some(VersionRange { min: versions.min, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(api_key: i16, min_version: i16, max_version: i16) -> ApiVersion {
        ApiVersion { api_key, min_version, max_version }
    }

    #[test]
    fn an_api_is_told_with_the_version_that_would_be_used() {
        assert_eq!(line(&served(3, 0, 99)), "\tMetadata(3): 0 to 99 [usable: 13]");
        assert_eq!(line(&served(1, 0, 2)), "\tFetch(1): 0 to 2 [unusable: node too old]");
        assert_eq!(line(&served(1, 90, 91)), "\tFetch(1): 90 to 91 [unusable: node too new]");
        assert_eq!(line(&served(9_999, 1, 1)), "\tUNKNOWN(9999): 1");
    }

    #[test]
    fn what_is_not_served_is_told_in_its_place() {
        let lines = lines(&[served(0, 3, 12), served(2, 1, 1)], Listener::Broker);
        assert_eq!(lines[0], "\tProduce(0): 3 to 12 [usable: 12]");
        assert_eq!(lines[1], "\tFetch(1): UNSUPPORTED");
        assert_eq!(lines[2], "\tListOffsets(2): 1 [usable: 1]");
        assert!(!lines.iter().any(|line| line.contains("BeginQuorumEpoch")));
    }
}

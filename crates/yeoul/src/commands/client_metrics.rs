//! `yeoul client-metrics`: which metrics clients are to send (KIP-714), as with `kafka-client-metrics`.

use std::io::{self, Write};

use clap::Args;
use client::{Cluster, ConfigResource, ConfigResourceType};
use host::Host;
use serde_json::{Value, json};

use super::HELP;
use super::cluster::{Brokers, block_on};
use super::storage::random_uuid;
use super::table::{Form, Output, Table};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul client-metrics --bootstrap-server 127.0.0.1:9092 --alter --name producers --metrics org.apache.kafka.producer. \\
      --interval 30000 --match client_software_name=apache-kafka-java
  yeoul client-metrics --bootstrap-server 127.0.0.1:9092 --describe --name producers
  yeoul client-metrics --bootstrap-server 127.0.0.1:9092 --delete --name producers";

/// What is told or changed.
#[derive(Args, Debug, Default)]
#[command(help_template = HELP, before_help = EXAMPLES)]
pub struct ClientMetricsArgs {
    #[command(flatten)]
    brokers: Brokers,
    /// Set what is given; an empty value stands for the usual one
    #[arg(long)]
    alter: bool,
    /// Delete one
    #[arg(long)]
    delete: bool,
    /// Tell the settings of one, or of all
    #[arg(long)]
    describe: bool,
    /// Tell the names of all
    #[arg(long)]
    list: bool,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// Give it a random name
    #[arg(long)]
    generate_name: bool,
    /// The metrics, by what their names begin with
    #[arg(long, value_name = "M1,M2")]
    metrics: Option<String>,
    /// How often they are sent, in milliseconds
    #[arg(long, value_name = "MS", allow_hyphen_values = true)]
    interval: Option<String>,
    /// Which clients send them, by client_id, client_instance_id, client_software_name, client_software_version,
    /// client_source_address and client_source_port
    #[arg(long = "match", value_name = "K1=V1,K2=V2")]
    selector: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Does what was asked. What the cluster refuses is told on standard output, as Kafka's tool does.
pub fn run(args: &ClientMetricsArgs) -> Result<(), Failure> {
    args.check()?;
    let mut out = io::stdout().lock();
    match block_on(act(args, &mut out)) {
        Err(Failure::Failed(reason)) => {
            writeln!(out, "Error while executing client metrics command : {reason}")?;
            Err(Failure::Told)
        }
        done => done,
    }
}

impl ClientMetricsArgs {
    /// Refuses what does not go together, in the words of Kafka's tool.
    fn check(&self) -> Result<(), Failure> {
        let usage = |words: &str| Err(Failure::Usage(words.to_owned()));
        let actions = [self.alter, self.delete, self.describe, self.list];
        if actions.into_iter().filter(|is_asked| *is_asked).count() != 1 {
            return usage(
                "Command must include exactly one action: --alter, --delete, --describe or --list.",
            );
        }
        if self.brokers.bootstrap_server.is_empty() {
            return usage("--bootstrap-server must be specified.");
        }
        if let Some(other) = self.beside_list() {
            return usage(&format!("Option \"[list]\" can't be used with option \"[{other}]\""));
        }
        if self.alter && self.name.is_some() == self.generate_name {
            return usage("One of --name or --generate-name must be specified with --alter.");
        }
        let is_number = |text: &String| text.is_empty() || text.parse::<i32>().is_ok();
        if !self.interval.as_ref().is_none_or(is_number) {
            return usage("Invalid interval value. Enter an integer, or leave empty to reset.");
        }
        if self.delete && self.name.is_none() {
            return usage("A client metrics resource name must be specified with --delete.");
        }
        Ok(())
    }

    /// A flag that says nothing where names are told.
    fn beside_list(&self) -> Option<&'static str> {
        let others = [
            ("name", self.name.is_some()),
            ("generate-name", self.generate_name),
            ("interval", self.interval.is_some()),
            ("match", self.selector.is_some()),
            ("metrics", self.metrics.is_some()),
        ];
        let given = others.into_iter().find(|(_, is_given)| *is_given).map(|(other, _)| other);
        given.filter(|_| self.list)
    }

    /// The settings that are given; none where the usual value is to come back.
    fn changes(&self) -> Vec<(String, Option<String>)> {
        let given = [("interval.ms", &self.interval), ("match", &self.selector), ("metrics", &self.metrics)];
        let change = |(key, value): (&str, &Option<String>)| {
            let value = value.clone()?;
            Some((key.to_owned(), (!value.is_empty()).then_some(value)))
        };
        given.into_iter().filter_map(change).collect()
    }
}

async fn act(args: &ClientMetricsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut cluster = args.brokers.connect().await?;
    let name = || args.name.clone().unwrap_or_else(|| random_uuid(&*Host::real().random).to_string());
    if args.alter {
        let resource = resource(&name());
        cluster.alter_configs(&resource, &args.changes()).await?;
        return Ok(writeln!(out, "Altered client metrics config for {}.", resource.name)?);
    }
    if args.delete {
        let resource = resource(&name());
        let keys = settings(&mut cluster, &resource).await?.into_iter().map(|(key, _)| (key, None));
        cluster.alter_configs(&resource, &keys.collect::<Vec<_>>()).await?;
        return Ok(writeln!(out, "Deleted client metrics config for {}.", resource.name)?);
    }
    let mut names = cluster.config_resources(ConfigResourceType::ClientMetrics).await?;
    names.sort_unstable();
    match (args.list, args.form.output) {
        (true, Output::Json) => Ok(write!(out, "{}", table(&names).show(Output::Json))?),
        (true, Output::Text) => Ok(writeln!(out, "{}", names.join("\n"))?),
        (false, _) => describe(&mut cluster, args, names, out).await,
    }
}

async fn describe(
    cluster: &mut Cluster,
    args: &ClientMetricsArgs,
    mut names: Vec<String>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(wanted) = &args.name {
        names.retain(|name| name == wanted);
        if names.is_empty() && args.form.output == Output::Text {
            let words = "doesn't exist and doesn't have dynamic config.";
            return Ok(writeln!(out, "The client metric resource {wanted} {words}")?);
        }
    }
    let mut described = Vec::new();
    for name in names {
        let settings = settings(cluster, &resource(&name)).await?;
        described.push((name, settings));
    }
    match args.form.output {
        Output::Text => described.iter().try_for_each(|(name, settings)| write_text(out, name, settings))?,
        Output::Json => writeln!(out, "{}", described.iter().map(json).collect::<Value>())?,
    }
    Ok(())
}

fn table(names: &[String]) -> Table {
    let mut table = Table::new(&["Name"]);
    names.iter().for_each(|name| table.add([json!(name)]));
    table
}

type Setting = (String, String);

/// The settings of a resource, in the order of their names.
async fn settings(cluster: &mut Cluster, resource: &ConfigResource) -> Result<Vec<Setting>, Failure> {
    let configs = cluster.describe_configs(resource).await?.into_iter();
    let mut settings: Vec<Setting> =
        configs.map(|config| (config.name, config.value.unwrap_or_default())).collect();
    settings.sort_unstable();
    Ok(settings)
}

fn write_text(out: &mut impl Write, name: &str, settings: &[Setting]) -> io::Result<()> {
    writeln!(out, "Client metrics configs for {name} are:")?;
    settings.iter().try_for_each(|(key, value)| writeln!(out, "  {key}={value}"))
}

fn json((name, settings): &(String, Vec<Setting>)) -> Value {
    let configs: serde_json::Map<String, Value> =
        settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({ "name": name, "configs": configs })
}

fn resource(name: &str) -> ConfigResource {
    ConfigResource { kind: ConfigResourceType::ClientMetrics, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_brings_the_usual_one_back() {
        let args = ClientMetricsArgs {
            interval: Some(String::new()),
            metrics: Some("a,b".to_owned()),
            ..ClientMetricsArgs::default()
        };
        let changes = [("interval.ms".to_owned(), None), ("metrics".to_owned(), Some("a,b".to_owned()))];
        assert_eq!(args.changes(), changes);
    }

    #[test]
    fn settings_are_told_one_a_line() {
        let settings = [("interval.ms".to_owned(), "7".to_owned()), ("match".to_owned(), "a=b".to_owned())];
        let mut out = Vec::new();
        write_text(&mut out, "m", &settings).unwrap();
        assert_eq!(out, b"Client metrics configs for m are:\n  interval.ms=7\n  match=a=b\n");
        assert_eq!(json(&("m".to_owned(), settings.to_vec()))["configs"]["interval.ms"], "7");
    }
}

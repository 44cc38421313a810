//! `yeoul cluster`: the cluster as a whole, as with `kafka-cluster`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use client::ClientError;
use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use serde_json::json;

use super::HELP;
use super::broker_api_versions;
use super::cluster::{Nodes, block_on};
use super::table::{Form, Output, Table};
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul cluster cluster-id --bootstrap-server 127.0.0.1:9092
  yeoul cluster list-endpoints --bootstrap-server 127.0.0.1:9092 --include-fenced-brokers
  yeoul cluster api-versions --bootstrap-controller 127.0.0.1:9093
  yeoul cluster unregister --bootstrap-server 127.0.0.1:9092 --id 3";

/// Tells what a cluster is made of, and has it forget brokers that are gone.
#[derive(Args, Debug)]
#[command(help_template = HELP, before_help = EXAMPLES)]
#[command(
    mut_arg("bootstrap_server", |flag| flag.short('b')),
    mut_arg("bootstrap_controller", |flag| flag.short('C')),
    mut_arg("command_config", |flag| flag.short('c'))
)]
pub struct ClusterToolArgs {
    #[command(flatten)]
    nodes: Nodes,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell the id of the cluster
    #[command(help_template = HELP, before_help = "yeoul cluster cluster-id --bootstrap-server 127.0.0.1:9092")]
    ClusterId(Form),
    /// Tell where the nodes listen
    #[command(help_template = HELP, before_help = "yeoul cluster list-endpoints --bootstrap-server 127.0.0.1:9092 --include-fenced-brokers")]
    ListEndpoints {
        /// Also brokers that nobody is to use
        #[arg(long)]
        include_fenced_brokers: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Tell what each node can be asked
    #[command(help_template = HELP, before_help = "yeoul cluster api-versions --bootstrap-controller 127.0.0.1:9093")]
    ApiVersions(Form),
    /// Have the cluster forget a broker that is gone for good
    #[command(help_template = HELP, before_help = "yeoul cluster unregister --bootstrap-server 127.0.0.1:9092 --id 3")]
    Unregister {
        /// The id of the broker
        #[arg(long, short)]
        id: i32,
    },
}

/// Does it.
pub fn run(args: &ClusterToolArgs) -> Result<(), Failure> {
    if args.nodes.is_missing_or_double() {
        let words = "one of the arguments --bootstrap-server --bootstrap-controller is required";
        return Err(Failure::Usage(words.to_owned()));
    }
    let by_controllers = args.nodes.bootstrap_server.is_empty();
    let mut out = io::stdout().lock();
    match args.action {
        Action::ClusterId(form) => block_on(async {
            let id = args.nodes.connect().await?.describe_nodes(false).await?.cluster_id;
            let text = match form.output {
                Output::Text => format!("Cluster ID: {id}"),
                Output::Json => format!("{}", json!({"clusterId": id})),
            };
            Ok(writeln!(out, "{text}")?)
        }),
        Action::ListEndpoints { include_fenced_brokers: true, .. } if by_controllers => Err(Failure::failed(
            "The option --include-fenced-brokers is only supported with --bootstrap-server option",
        )),
        Action::ListEndpoints { include_fenced_brokers, form } => block_on(async {
            let nodes = args.nodes.connect().await?.describe_nodes(include_fenced_brokers).await?.brokers;
            let text = match form.output {
                Output::Text => endpoints(&nodes, by_controllers),
                Output::Json => table(&nodes, by_controllers).show(Output::Json),
            };
            Ok(write!(out, "{text}")?)
        }),
        Action::ApiVersions(form) => broker_api_versions::tell(&args.nodes, form.output),
        Action::Unregister { id } => block_on(async {
            match args.nodes.connect().await?.unregister_broker(id).await {
                // Kafka's tool takes this for no failure.
                Err(ClientError::UnsupportedApi(_)) => {
                    Ok(writeln!(out, "The target cluster does not support the broker unregistration API.")?)
                }
                done => Ok(done.map(|()| writeln!(out, "Broker {id} is no longer registered."))??),
            }
        }),
    }
}

fn table(nodes: &[DescribeClusterBroker], are_controllers: bool) -> Table {
    let mut table = Table::new(&["ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE"]);
    for node in nodes {
        let state = if are_controllers { json!(null) } else { json!(state(node)) };
        let DescribeClusterBroker { broker_id, host, port, rack, .. } = node;
        table.add([
            json!(broker_id),
            json!(host),
            json!(port),
            json!(rack),
            state,
            json!(kind(are_controllers)),
        ]);
    }
    table
}

/// Kafka's layout: the longest host and rack have just room. Controllers have no state.
fn endpoints(nodes: &[DescribeClusterBroker], are_controllers: bool) -> String {
    let host_width = nodes.iter().map(|node| node.host.len()).max().unwrap_or(100);
    let rack_width = nodes.iter().filter_map(|node| Some(node.rack.as_ref()?.len())).max().unwrap_or(10);
    let row = |id: &str, host: &str, port: &str, rack: &str, state: &str, kind: &str| {
        let state = if are_controllers { String::new() } else { format!("{state:<10} ") };
        format!("{id:<10} {host:<host_width$} {port:<10} {rack:<rack_width$} {state}{kind:<15}\n")
    };
    let title = row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    let line = |node: &DescribeClusterBroker| {
        let rack = node.rack.as_deref().unwrap_or("null");
        let (id, port) = (node.broker_id.to_string(), node.port.to_string());
        row(&id, &node.host, &port, rack, state(node), kind(are_controllers))
    };
    std::iter::once(title).chain(nodes.iter().map(line)).collect()
}

fn state(node: &DescribeClusterBroker) -> &'static str {
    if node.is_fenced { "fenced" } else { "unfenced" }
}

fn kind(is_controller: bool) -> &'static str {
    if is_controller { "controller" } else { "broker" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_stand_in_columns_as_wide_as_the_longest() {
        let node = |broker_id, host: &str, is_fenced| DescribeClusterBroker {
            broker_id,
            host: host.to_owned(),
            port: 9092,
            is_fenced,
            ..DescribeClusterBroker::default()
        };
        let nodes = [node(1, "a.example", false), node(2, "b", true)];
        assert_eq!(
            endpoints(&nodes, false),
            "ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE  \n\
             1          a.example 9092       null       unfenced   broker         \n\
             2          b         9092       null       fenced     broker         \n"
        );
        let controllers = endpoints(&nodes[..1], true);
        assert!(controllers.starts_with("ID         HOST      PORT       RACK       ENDPOINT_TYPE  \n"));
    }
}

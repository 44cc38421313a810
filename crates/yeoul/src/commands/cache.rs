//! `yeoul cache`: where each partition's bytes are, and who reads from where.

mod table;

use std::io::Write;

use config::parse_host_port;
use serde_json::Value;
use server::http;

use super::table::{Form, Output};
use crate::failure::Failure;
use table::{View, tables};

const EXAMPLES: &str = "\
  yeoul cache --http 127.0.0.1:9095
  yeoul cache --http 127.0.0.1:9095 --topic flights --output json";

/// Shows where each partition's bytes are (memory tail, page cache, disk), and where readers found theirs in the last minute.
#[derive(Debug, clap::Args)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct CacheArgs {
    /// The broker's `yeoul.http.listener`
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9095")]
    http: String,
    /// Only the partitions of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Asks the broker and shows what it says.
pub fn run(args: &CacheArgs) -> Result<(), Failure> {
    let (host, port) = parse_host_port(&args.http)
        .ok_or_else(|| Failure::Usage(format!("--http {}: this is not host:port", args.http)))?;
    let host = if host.is_empty() { "127.0.0.1".to_owned() } else { host };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(http::get(&host, port, "/cache"));
    let answer = answer.map_err(|error| unanswered(&args.http, &error))?;
    let mut view: Value = serde_json::from_slice(&answer).map_err(|error| unreadable(&error))?;
    if let Some(topic) = &args.topic {
        keep_topic(&mut view, topic);
    }
    let text = match args.form.output {
        Output::Json => format!("{view:#}\n"),
        Output::Text => tables(&View::deserialize_from(view).map_err(|error| unreadable(&error))?),
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn unanswered(address: &str, error: &http::HttpError) -> Failure {
    Failure::failed(format_args!(
        "yeoul cache: {address}: {error} (the broker serves HTTP where its yeoul.http.listener says)"
    ))
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::failed(format_args!("yeoul cache: the answer cannot be read: {error}"))
}

/// Of the view's partitions, and of those of its readers.
fn keep_topic(view: &mut Value, topic: &str) {
    if let Some(partitions) = view.get_mut("partitions").and_then(Value::as_array_mut) {
        partitions.retain(|partition| partition.get("topic").and_then(Value::as_str) == Some(topic));
    }
    let readers = view.get_mut("readers").and_then(Value::as_array_mut);
    readers.into_iter().flatten().for_each(|reader| keep_topic(reader, topic));
}

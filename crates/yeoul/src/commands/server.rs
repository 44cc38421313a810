//! `yeoul server`: a broker, from Kafka's properties file or from nothing.

use std::path::{Path, PathBuf};

use config::{BrokerConfig, ConfigError, Notice, Properties};
use host::Host;
use protocol::Uuid;
use quorum::Formatting;
use server::net::TcpSockets;
use server::{Loggers, Server, ServerOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul server
  yeoul server --data /var/lib/yeoul
  yeoul server server.properties --override listeners=PLAINTEXT://127.0.0.1:9192";

/// As many open files as do for some thousand connections and segments.
const OPEN_FILES_ENOUGH: u64 = 16_384;

/// Runs a broker: with Kafka's properties file, or without any file.
#[derive(Debug, clap::Args)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct ServerArgs {
    /// Kafka's `server.properties`. Its log directories must be formatted: see `yeoul storage format`
    file: Option<PathBuf>,
    /// A setting over those of the file, as `--override log.retention.hours=1`; may be given several times
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Where a node without a file keeps its data
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    data: Option<PathBuf>,
    /// How records get from the journal to their segments; for measuring
    #[arg(long, value_enum, default_value_t = Destage::Direct, hide = true)]
    destage: Destage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Destage {
    /// Large writes past the page cache.
    Direct,
    /// All writes through the page cache.
    Buffered,
}

/// Runs the broker until SIGTERM or SIGINT.
pub fn run(args: &ServerArgs, loggers: Loggers) -> Result<(), Failure> {
    serve(args, loggers).map_err(|reason| Failure::failed(format_args!("yeoul server: {reason}")))
}

fn serve(args: &ServerArgs, loggers: Loggers) -> Result<(), String> {
    let (properties, fresh_data) = properties(args)?;
    let (config, notices) = BrokerConfig::new(&properties).map_err(|errors| all(&errors))?;
    tell(&notices);
    tell_open_files(host::raise_open_files());
    let host = Host::real();
    if let Some(data) = &fresh_data {
        format_standalone(&host, &config).map_err(|reason| format!("{}: {reason}", data.display()))?;
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no threads: {error}"))?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        let server = Server::start(host, &TcpSockets, config, options(args, loggers)).await;
        let server = server.map_err(|error| error.to_string())?;
        greet(&server, fresh_data.as_deref());
        let failure = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            reason = server.failed() => Some(reason),
        };
        tracing::info!("stopping");
        let stopped =
            server.stop().await.map_err(|error| format!("the broker did not stop in order: {error}"));
        failure.map_or(stopped, Err)
    })
}

fn options(args: &ServerArgs, loggers: Loggers) -> ServerOptions {
    let destage = match args.destage {
        Destage::Direct => storage::DestageMode::Direct,
        Destage::Buffered => storage::DestageMode::Buffered,
    };
    ServerOptions { destage, loggers: Some(loggers) }
}

/// The settings, and where a node without a file has its data.
fn properties(args: &ServerArgs) -> Result<(Properties, Option<PathBuf>), String> {
    let (mut properties, data) = match &args.file {
        Some(file) => (read(file)?, None),
        None => {
            let data = args.data.clone().map_or_else(default_data, Ok)?;
            (BrokerConfig::standalone(&data), Some(data))
        }
    };
    for pair in &args.overrides {
        properties.set_pair(pair).map_err(|error| format!("--override {pair}: {error}"))?;
    }
    Ok((properties, data))
}

fn read(file: &Path) -> Result<Properties, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Properties::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// `$XDG_DATA_HOME/yeoul`, or `~/.local/share/yeoul`.
fn default_data() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || set("HOME").map(|home| home.join(".local/share"));
    let share = set("XDG_DATA_HOME").or_else(home);
    share
        .map(|share| share.join("yeoul"))
        .ok_or_else(|| "there is no home directory to keep the data in: say where with --data DIR".to_owned())
}

/// Every error on a line of its own.
fn all(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Says once what is set without effect.
fn tell(notices: &[Notice]) {
    for notice in notices {
        tracing::warn!(hint = notice.hint.as_deref(), "{}", notice.message);
    }
}

/// Each connection takes one, each segment that is read up to two.
fn tell_open_files(limit: u64) {
    if limit < OPEN_FILES_ENOUGH {
        tracing::warn!(
            limit,
            "few files and connections may be open at once: raise the limit, as by `ulimit -n 100000`"
        );
    } else {
        tracing::debug!(limit, "files and connections that may be open at once");
    }
}

/// Formats the directories of a node without a file, unless they are.
fn format_standalone(host: &Host, config: &BrokerConfig) -> Result<(), String> {
    let mut bytes = [0; 16];
    host.random.fill(&mut bytes);
    let known =
        quorum::load_directories(host, &config.node.log_dirs, &config.node.metadata_log_dir, config.node.id);
    if known.is_ok() {
        return Ok(());
    }
    let formatting = Formatting::of(config, Uuid::from_random(bytes).to_string());
    // Directories of another node or cluster are refused here, and stay as they are.
    quorum::format(host, &formatting, false).map(drop).map_err(|error| error.to_string())
}

/// Says where to connect; and to a newcomer, what to try next.
fn greet(server: &Server, fresh_data: Option<&Path>) {
    let Some((_, first)) = server.addresses().first() else { return };
    for (name, address) in server.addresses() {
        tracing::info!(listener = %name, %address, "serving clients");
    }
    if let Some(data) = fresh_data {
        println!("{}", greeting(&program(), &first.to_string(), data));
    }
}

/// The program as it was called, so that what is printed can be typed.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "yeoul".to_owned())
}

fn greeting(program: &str, address: &str, data: &Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "\n\
         Yeoul {version} is ready: any Kafka client can connect to  {address}\n\
         Data is kept in {}\n\
         An acknowledged record is on disk.\n\
         \n\
         Try in another terminal:\n\
         \x20 {program} topics --bootstrap-server {address} --create --topic greetings\n\
         \x20 echo hello | {program} console-producer --bootstrap-server {address} --topic greetings\n\
         \x20 {program} console-consumer --bootstrap-server {address} --topic greetings --from-beginning\n\
         \n\
         Stop with Ctrl-C.",
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_told_an_address_and_a_command_that_works_with_it() {
        let text = greeting("bin/yeoul", "127.0.0.1:9092", Path::new("/data"));
        assert!(text.contains("connect to  127.0.0.1:9092"));
        assert!(
            text.contains("bin/yeoul topics --bootstrap-server 127.0.0.1:9092 --create --topic greetings")
        );
        assert!(text.contains("/data"));
    }
}

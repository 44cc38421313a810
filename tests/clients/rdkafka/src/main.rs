//! The Rust client `rdkafka` behind the lines that tests/clients/lines.py describes.

mod administer;
mod consume;
mod lines;
mod produce;

use std::error::Error;
use std::io;
use std::time::Duration;

use rdkafka::ClientConfig;

use lines::Lines;

/// What an answer may fail with: its sentence goes out as the error line.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of every client that is made.
#[derive(Clone)]
struct Settings {
    bootstrap: String,
}

impl Settings {
    fn with(&self, more: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("client.id", "rdkafka").set("log_level", "0");
        for (name, value) in more {
            config.set(*name, *value);
        }
        config
    }
}

fn main() -> Outcome {
    let bootstrap = std::env::args().nth(1).ok_or("the address of a broker is missing")?;
    let settings = Settings { bootstrap };
    let mut lines = Lines::new(io::stdin().lock(), io::stdout().lock());
    while let Some(words) = lines.request()? {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Err(error) = answer(&settings, &mut lines, &words) {
            lines.print(&[&format!("!{}", error.to_string().replace('\n', " "))])?;
        }
        lines.print(&["."])?;
        lines.flush()?;
    }
    Ok(())
}

fn answer(settings: &Settings, lines: &mut Lines, words: &[&str]) -> Outcome {
    match words {
        ["produce", topic, codec, count] => produce::produce(settings, lines, topic, codec, count.parse()?),
        ["read", topic] => consume::read(settings, lines, topic),
        ["since", topic, when] => consume::since(settings, lines, topic, when.parse()?),
        ["group", topic, group, count] => consume::group(settings, lines, topic, group, count.parse()?, &[]),
        ["static", topic, group, count, instance] => {
            consume::group(settings, lines, topic, group, count.parse()?, &[("group.instance.id", *instance)])
        }
        ["members", topic, group] => consume::members(settings, lines, topic, group),
        ["offsets", topic, when] => consume::offsets(settings, lines, topic, when),
        ["committed", topic, group] => consume::committed(settings, lines, topic, group),
        _ => administer::answer(settings, lines, words),
    }
}

//! Flags by the names that Kafka is giving up: they act, and Kafka's tools say on standard output what to use instead.

use std::ffi::OsString;

use crate::commands;

/// A flag's old name and its new one, both without hyphens.
type Name = (&'static str, &'static str);

/// A tool's way to say it.
struct Tool {
    name: &'static str,
    names: &'static [Name],
    told: fn(Name) -> String,
    /// What is said where a flag is given by both names.
    refused: fn(Name) -> String,
}

const TOOLS: [Tool; 6] = [
    Tool { name: "cluster", names: &[("config", "command-config")], told: given_up, refused: both },
    Tool {
        name: "console-producer",
        names: &[
            ("producer-property", "command-property"),
            ("property", "reader-property"),
            ("producer.config", "command-config"),
            ("max-partition-memory-bytes", "batch-size"),
        ],
        told: |(old, new)| {
            let end = if new == "batch-size" { "Apache Kafka 5.0" } else { "a future version" };
            format!("Warning: --{old} is deprecated and will be removed in {end}. Use --{new} instead.")
        },
        refused: |(old, new)| format!("Options --{new} and --{old} cannot be specified together."),
    },
    Tool {
        name: "console-consumer",
        names: &[
            ("consumer-property", "command-property"),
            ("property", "formatter-property"),
            ("consumer.config", "command-config"),
        ],
        told: |(old, new)| {
            format!(
                "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            )
        },
        refused: |(old, new)| format!("Options --{old} and --{new} cannot be specified together."),
    },
    Tool {
        name: "verifiable-producer",
        names: &[("producer.config", "command-config")],
        told: given_up,
        refused: both,
    },
    Tool {
        name: "verifiable-consumer",
        names: &[("consumer.config", "command-config")],
        told: given_up,
        refused: both,
    },
    Tool {
        name: "leader-election",
        names: &[("admin.config", "command-config")],
        told: given_up,
        refused: both,
    },
];

fn given_up((old, new): Name) -> String {
    format!(
        "Option --{old} has been deprecated and will be removed in a future version. Use --{new} instead."
    )
}

fn both((old, new): Name) -> String {
    format!("Option \"[{old}]\" can't be used with option \"[{new}]\"")
}

/// The tool whose words may stand without flags, and the flags in the order of the words; the last may be left out.
const BY_POSITION: (&str, [&str; 6]) = (
    "e2e-latency",
    [
        "--bootstrap-server",
        "--topic",
        "--num-records",
        "--producer-acks",
        "--record-size",
        "--command-config",
    ],
);

/// The words of a tool that Kafka is giving up to tell by their places, after its name, each with its flag.
pub fn positions(line: &[OsString]) -> Option<Vec<OsString>> {
    let (tool, flags) = BY_POSITION;
    let (name, words) = line.split_first()?;
    let is_flag = |word: &OsString| word.as_encoded_bytes().starts_with(b"--");
    let is_complete = words.len() == flags.len() || words.len() + 1 == flags.len();
    (name == tool && is_complete && !words.iter().any(is_flag)).then(|| {
        let pairs = flags.iter().map(OsString::from).zip(words.iter().cloned());
        pairs.flat_map(|(flag, word)| [flag, word]).collect()
    })
}

/// What Kafka's tool says of the old names on a line.
///
/// # Errors
/// Its sentence about a flag that is there by both names.
pub fn told(line: &[OsString]) -> Result<Vec<String>, String> {
    let words: Vec<&str> = line.iter().filter_map(|word| word.to_str()).collect();
    let (by_position, flags) = BY_POSITION;
    let tool = words.iter().position(|word| *word == by_position);
    if tool.is_some_and(|at| positions(&line[at..]).is_some()) {
        return Ok(vec![format!(
            "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named \
             arguments instead: {}",
            flags.join(", ")
        )]);
    }
    let name = words.iter().skip(1).find(|word| commands::is_kafka_tool(word));
    let Some(tool) = TOOLS.iter().find(|tool| name == Some(&tool.name)) else { return Ok(Vec::new()) };
    let is_there = |flag: &str| {
        let given = |word: &&str| {
            let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
            bare.strip_prefix(flag).map(|rest| rest.is_empty() || rest.starts_with('='))
        };
        words.iter().any(|word| given(word).unwrap_or(false))
    };
    let old: Vec<Name> = tool.names.iter().copied().filter(|(old, _)| is_there(old)).collect();
    match old.iter().find(|(_, new)| is_there(new)) {
        Some(name) => Err((tool.refused)(*name)),
        None => Ok(old.into_iter().map(tool.told).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Vec<String>, String> {
        told(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn words_without_flags_go_by_their_places() {
        let line: Vec<OsString> = "e2e-latency h:1 t 3 1 8".split(' ').map(OsString::from).collect();
        let flags = "--bootstrap-server h:1 --topic t --num-records 3 --producer-acks 1 --record-size 8";
        assert_eq!(positions(&line), Some(flags.split(' ').map(OsString::from).collect()));
        assert_eq!(positions(&line[..5]), None);
        assert_eq!(of("yeoul e2e-latency h:1 t 3 1 8").map(|told| told.len()), Ok(1));
        assert_eq!(of("yeoul e2e-latency --topic t --num-records 3 --x"), Ok(Vec::new()));
    }

    #[test]
    fn an_old_name_is_told_and_both_names_are_refused() {
        assert_eq!(of("yeoul console-consumer --topic t --formatter-property a=b"), Ok(Vec::new()));
        assert_eq!(
            of("yeoul console-consumer --topic t --property=a=b"),
            Ok(vec![
                "Option --property is deprecated and will be removed in a future version. \
                 Use --formatter-property instead."
                    .to_owned()
            ])
        );
        assert_eq!(
            of("yeoul console-producer --reader-property a=b --property a=b"),
            Err("Options --reader-property and --property cannot be specified together.".to_owned())
        );
        assert_eq!(of("yeoul leader-election -admin.config f").map(|told| told.len()), Ok(1));
        assert_eq!(of("yeoul cluster cluster-id --config f").map(|told| told.len()), Ok(1));
        assert_eq!(of("yeoul topics --create --topic cluster --config a=b"), Ok(Vec::new()));
        assert_eq!(of("yeoul topics --property a=b"), Ok(Vec::new()));
    }
}

//! The house style of the command line, held against every command, so that a new one cannot forget it.

use clap::{Arg, Command, CommandFactory, Parser};

use crate::{Cli, words_of_line};

/// What all commands have in common, for people: a row for each of them.
const PAGE: &str = include_str!("../../../docs/commands.md");

/// A command that does something, with the words that lead to it.
struct Leaf {
    path: Vec<String>,
    command: Command,
}

impl Leaf {
    fn name(&self) -> String {
        self.path.join(" ")
    }

    fn has(&self, flag: &str) -> bool {
        self.flags().any(|arg| arg.get_long() == Some(flag))
    }

    fn flags(&self) -> impl Iterator<Item = &Arg> {
        self.command.get_arguments().filter(|arg| !arg.is_hide_set())
    }

    fn examples(&self) -> String {
        self.command.get_before_help().map(ToString::to_string).unwrap_or_default()
    }

    /// The cells of its row on the page, the name left out.
    fn row(&self) -> Vec<&'static str> {
        let begin = format!("| `{}` |", self.name());
        let row = PAGE.lines().find_map(|line| line.strip_prefix(&begin));
        let row = row.unwrap_or_else(|| panic!("docs/commands.md has no row for `{}`", self.name()));
        row.trim().trim_end_matches('|').split('|').map(str::trim).collect()
    }
}

fn all() -> Command {
    let mut all = Cli::command();
    all.build();
    all
}

/// Every command that does something.
fn leaves() -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(&[], &all(), &mut found);
    found
}

fn collect(path: &[String], command: &Command, found: &mut Vec<Leaf>) {
    for inner in command.get_subcommands() {
        let path = [path, &[inner.get_name().to_owned()]].concat();
        match inner.has_subcommands() {
            true => collect(&path, inner, found),
            false => found.push(Leaf { path, command: inner.clone() }),
        }
    }
}

/// The calls of this program in examples: what stands before a pipe, around a substitution or behind a redirection is the shell's.
fn calls(examples: &str) -> Vec<Vec<String>> {
    let lines = examples.replace("\\\n", " ");
    let call = |line: &str| {
        let line = line.replace("$(yeoul storage random-uuid)", "4L6g3nShT-eMCtK--X86sw");
        let line =
            line.rsplit(" | ").next().unwrap_or_default().trim().replace("source <(", "").replace(')', "");
        let is_ours = line.starts_with("yeoul ") || line.starts_with("kafka-");
        let line = line.split(" < ").next().unwrap_or_default().split(" > ").next().unwrap_or_default();
        is_ours.then(|| words(line))
    };
    lines.lines().filter_map(call).collect()
}

/// The words of a line; blanks between quotes are part of a word.
fn words(line: &str) -> Vec<String> {
    let pieces = line.split('\'').enumerate();
    let marked: String = pieces
        .map(|(at, piece)| if at % 2 == 1 { piece.replace(' ', "\0") } else { piece.to_owned() })
        .collect();
    marked.split_whitespace().map(|word| word.replace('\0', " ")).collect()
}

#[test]
fn help_begins_with_what_a_command_does_and_with_examples() {
    for leaf in leaves() {
        let (name, examples) = (leaf.name(), leaf.examples());
        let about = leaf.command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && !about.ends_with('.'), "{name}: {about}");
        assert!(examples.contains(&format!("yeoul {}", leaf.path[0])), "{name} has no example");
        let help = leaf.command.clone().render_help().to_string();
        assert_eq!(help.lines().nth(2), Some("Examples:"), "{name} is not laid out as others are:\n{help}");
        let last = leaf.path.last().expect("it has a name");
        assert!(examples.contains(last.as_str()), "{name} has no example of its own");
    }
}

#[test]
fn every_example_can_be_called() {
    let top = all().get_before_help().map(ToString::to_string).unwrap_or_default();
    let examples = leaves().iter().map(Leaf::examples).chain([top]).collect::<Vec<_>>().join("\n");
    let calls = calls(&examples);
    assert!(calls.len() > 80, "only {} calls were found", calls.len());
    for call in calls {
        let line = words_of_line(call.iter().map(Into::into).collect());
        assert!(Cli::try_parse_from(line).is_ok(), "{}", call.join(" "));
    }
}

#[test]
fn every_flag_says_what_it_is() {
    for leaf in leaves() {
        for arg in leaf.flags() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.ends_with('.'), "{} {}: {help}", leaf.name(), arg.get_id());
        }
    }
}

#[test]
fn who_talks_to_a_broker_reads_a_clients_settings() {
    for leaf in leaves().iter().filter(|leaf| leaf.has("bootstrap-server")) {
        assert!(leaf.has("command-config"), "{}", leaf.name());
    }
}

#[test]
fn what_is_written_and_how_it_ends_is_told_for_every_command() {
    for leaf in leaves() {
        let [form, _] = leaf.row()[..] else { panic!("{}: a row has three cells", leaf.name()) };
        let has_form = leaf.has("output");
        assert_eq!(has_form, !form.starts_with("as text: "), "{}: {form}", leaf.name());
    }
    let known: Vec<String> = leaves().iter().map(Leaf::name).collect();
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    for (name, _) in
        rows.filter(|(name, _)| known.iter().any(|it| it.split(' ').next() == name.split(' ').next()))
    {
        let plain = name.split(" --").next().unwrap_or_default();
        assert!(known.iter().any(|it| it == plain), "docs/commands.md tells of `{name}`");
    }
}

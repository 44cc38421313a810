//! `yeoul completion`: a shell learns the commands and their flags.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::Cli;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  source <(yeoul completion bash)
  yeoul completion bash > /usr/share/bash-completion/completions/yeoul
  yeoul completion zsh > /usr/local/share/zsh/site-functions/_yeoul
  yeoul completion fish > ~/.config/fish/completions/yeoul.fish";

/// Which shell is to learn them.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Writes the shell's own script.
pub fn run(args: &CompletionArgs) -> Result<(), Failure> {
    Ok(io::stdout().write_all(&script(args.shell))?)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "yeoul", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Command;

    use super::*;

    /// How often flags are among those of a command and of the commands in it.
    fn count(command: &Command, counts: &mut BTreeMap<String, usize>) {
        let flags = command.get_arguments().filter(|arg| !arg.is_hide_set());
        flags
            .filter_map(|arg| arg.get_long())
            .for_each(|flag| *counts.entry(flag.to_owned()).or_default() += 1);
        command.get_subcommands().for_each(|inner| count(inner, counts));
    }

    #[test]
    fn every_shell_is_told_of_every_flag_of_every_command() {
        let mut all = Cli::command();
        all.build();
        let mut counts = BTreeMap::new();
        count(&all, &mut counts);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            let script = script.replace(" -l ", " --");
            let words: Vec<&str> =
                script.split([' ', '(', ')', '"', '\'', '[', '=', '+', '*', '\n']).collect();
            for (flag, count) in &counts {
                let told = words.iter().filter(|word| word.strip_prefix("--") == Some(flag)).count();
                assert!(told >= *count, "{shell}: {flag} stands {told} times, and not {count}");
            }
        }
    }
}

//! `yeoul install-tools`: the program under the names of Kafka's scripts.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;

use super::KAFKA_TOOLS;
use crate::failure::Failure;

const EXAMPLES: &str = "\
  yeoul install-tools /usr/local/bin
  kafka-topics.sh --bootstrap-server 127.0.0.1:9092 --list";

/// Links to this program under the names of Kafka's scripts, with and without `.sh`; called by such a name it is that tool.
#[derive(Args, Debug)]
#[command(help_template = super::HELP, before_help = EXAMPLES)]
pub struct InstallToolsArgs {
    /// Where the links go; made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// The command that a script of Kafka's stands for: `topics` for `kafka-topics.sh`.
pub fn command_called(script: &str) -> Option<&'static str> {
    let script = script.strip_suffix(".sh").unwrap_or(script);
    scripts().find(|(name, _)| name == script).map(|(_, command)| command)
}

/// Kafka's scripts without `.sh`, and the commands that they stand for.
fn scripts() -> impl Iterator<Item = (String, &'static str)> {
    let tools = KAFKA_TOOLS.into_iter().map(|command| (format!("kafka-{command}"), command));
    tools.chain([("kafka-server-start".to_owned(), "server")])
}

/// Makes the links. One that is there already and leads elsewhere is replaced, a file is not.
pub fn run(args: &InstallToolsArgs) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    fs::create_dir_all(&args.directory).map_err(|error| at(&args.directory, &error))?;
    let mut made = 0;
    for (name, _) in scripts() {
        for link in [args.directory.join(&name), args.directory.join(format!("{name}.sh"))] {
            replace(&program, &link).map_err(|error| at(&link, &error))?;
            made += 1;
        }
    }
    let mut out = io::stdout().lock();
    Ok(writeln!(out, "Made {made} links to {} in {}.", program.display(), args.directory.display())?)
}

fn replace(program: &Path, link: &Path) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(there) if there.is_symlink() => fs::remove_file(link)?,
        Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    symlink(program, link)
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format_args!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_kafkas_stands_for_a_command_with_and_without_its_ending() {
        assert_eq!(command_called("kafka-topics.sh"), Some("topics"));
        assert_eq!(command_called("kafka-console-producer"), Some("console-producer"));
        assert_eq!(command_called("kafka-server-start.sh"), Some("server"));
        assert_eq!(command_called("yeoul"), None);
        assert_eq!(command_called("topics"), None);
    }
}

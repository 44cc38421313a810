//! `--entity-name` and `--entity-default`: one name after the other, each for the kind at the same place.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::entities::Name;

const NAME: &str = "entity_name";
const DEFAULT: &str = "entity_default";

/// The names in the order of the line, which two flags of their own would not keep.
#[derive(Debug, Default)]
pub struct EntityNames(pub Vec<Name>);

impl FromArgMatches for EntityNames {
    fn from_arg_matches(matches: &ArgMatches) -> Result<EntityNames, Error> {
        let given = |id: &str| {
            let names = matches.get_many::<String>(id).into_iter().flatten().map(|name| Name::of(name));
            matches.indices_of(id).into_iter().flatten().zip(names).collect::<Vec<_>>()
        };
        let mut names = [given(NAME), given(DEFAULT)].concat();
        names.sort_by_key(|(place, _)| *place);
        Ok(EntityNames(names.into_iter().map(|(_, name)| name).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = EntityNames::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for EntityNames {
    fn augment_args(command: Command) -> Command {
        let name = Arg::new(NAME)
            .long("entity-name")
            .value_name("NAME")
            .action(ArgAction::Append)
            .help("The one of that kind");
        // Given without a value it stands for the empty name.
        let default = Arg::new(DEFAULT)
            .long("entity-default")
            .action(ArgAction::Append)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_parser([""])
            .hide_possible_values(true)
            .help("What all of that kind start from");
        command.args([name, default].map(|arg| arg.help_heading("Whose")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        EntityNames::augment_args(command)
    }
}

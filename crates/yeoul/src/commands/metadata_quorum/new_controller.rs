//! A controller that is to vote, by its own settings (KIP-853). Pure.

use std::path::PathBuf;

use config::{HostPort, Properties, parse_host_port};
use protocol::messages::add_raft_voter_request::Listener;

/// What a controller's settings say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewController {
    pub id: i32,
    /// Where its metadata log is.
    pub directory: PathBuf,
    /// Where other controllers find it.
    pub listeners: Vec<Listener>,
}

const INVALID: &str = "Is this a valid controller configuration file?";

impl NewController {
    /// What they say, or what is missing in the words of Kafka's tool.
    pub fn of(properties: &Properties) -> Result<NewController, String> {
        Ok(NewController {
            id: id(properties)?,
            directory: directory(properties)?,
            listeners: listeners(properties)?,
        })
    }

    /// The listeners in one text.
    pub fn endpoints(&self) -> String {
        let endpoint = |it: &Listener| format!("{}://{}", it.name, HostPort(&it.host, it.port));
        self.listeners.iter().map(endpoint).collect::<Vec<_>>().join(", ")
    }
}

fn id(properties: &Properties) -> Result<i32, String> {
    let id =
        properties.get("node.id").ok_or(format!("node.id not found in configuration file. {INVALID}"))?;
    let id: i32 =
        id.trim().parse().map_err(|_| format!("node.id is no number in configuration file. {INVALID}"))?;
    if id < 0 {
        return Err(format!("node.id was negative in configuration file. {INVALID}"));
    }
    match properties.get("process.roles").is_some_and(|roles| roles.contains("controller")) {
        true => Ok(id),
        false => Err(format!("process.roles did not contain 'controller' in configuration file. {INVALID}")),
    }
}

fn directory(properties: &Properties) -> Result<PathBuf, String> {
    let own = properties.get("metadata.log.dir").filter(|path| !path.trim().is_empty());
    let mut listed = properties.get("log.dirs").or(properties.get("log.dir")).unwrap_or_default().split(',');
    own.or_else(|| listed.find(|path| !path.trim().is_empty()))
        .map(|path| PathBuf::from(path.trim()))
        .ok_or(format!("Neither metadata.log.dir nor log.dirs were found. {INVALID}"))
}

/// Those that `controller.listener.names` names, as they are advertised or else as they are.
fn listeners(properties: &Properties) -> Result<Vec<Listener>, String> {
    let names = properties.get("controller.listener.names");
    let names = names.ok_or(format!("controller.listener.names was not found. {INVALID}"))?;
    let lists = ["advertised.listeners", "listeners"].map(|key| properties.get(key).unwrap_or_default());
    let find = |name: &str| {
        let known = lists.iter().flat_map(|list| list.split(',')).filter_map(listener);
        known.into_iter().find(|listener| listener.name == name)
    };
    let found = |name: &str| {
        let name = name.trim().to_uppercase();
        find(&name).ok_or(format!("Cannot find information about controller listener name: {name}"))
    };
    names.split(',').map(found).collect()
}

/// `NAME://host:port`. One that listens everywhere is found on its own machine.
fn listener(text: &str) -> Option<Listener> {
    let (name, address) = text.trim().split_once("://")?;
    let (host, port) = parse_host_port(address)?;
    let host = if host.is_empty() { "localhost".to_owned() } else { host };
    Some(Listener { name: name.to_uppercase(), host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<NewController, String> {
        let usual = [("node.id", "2"), ("process.roles", "controller"), ("log.dirs", "/a,/b")];
        let listening = [("controller.listener.names", "CONTROLLER"), ("listeners", "CONTROLLER://:9093")];
        let all = usual.into_iter().chain(listening).chain(pairs.iter().copied());
        NewController::of(&all.filter(|(_, value)| *value != "-").collect())
    }

    #[test]
    fn a_controller_is_found_where_it_says() {
        let controller = of(&[]).unwrap();
        assert_eq!((controller.id, controller.directory.to_str()), (2, Some("/a")));
        assert_eq!(controller.endpoints(), "CONTROLLER://localhost:9093");
        let advertised = of(&[
            ("controller.listener.names", "controller,OTHER"),
            ("listeners", "CONTROLLER://:9093,OTHER://[::1]:9094"),
            ("advertised.listeners", "CONTROLLER://example.com:9999"),
            ("metadata.log.dir", "/m"),
        ]);
        let advertised = advertised.unwrap();
        assert_eq!(advertised.endpoints(), "CONTROLLER://example.com:9999, OTHER://[::1]:9094");
        assert_eq!(advertised.directory.to_str(), Some("/m"));
    }

    #[test]
    fn what_is_missing_is_told_in_kafkas_words() {
        let only = |pairs: &[(&str, &str)]| {
            NewController::of(&pairs.iter().copied().collect()).map(|it| it.id).unwrap_err()
        };
        let (id, role) = (("node.id", "2"), ("process.roles", "controller"));
        assert_eq!(only(&[role]), format!("node.id not found in configuration file. {INVALID}"));
        assert_eq!(
            only(&[("node.id", "-2")]),
            format!("node.id was negative in configuration file. {INVALID}")
        );
        let roles = format!("process.roles did not contain 'controller' in configuration file. {INVALID}");
        assert_eq!(only(&[id, ("process.roles", "broker")]), roles);
        let directories = format!("Neither metadata.log.dir nor log.dirs were found. {INVALID}");
        assert_eq!(only(&[id, role]), directories);
        let names = format!("controller.listener.names was not found. {INVALID}");
        assert_eq!(only(&[id, role, ("log.dirs", "/a")]), names);
        let unknown = of(&[("controller.listener.names", "X")]).unwrap_err();
        assert_eq!(unknown, "Cannot find information about controller listener name: X");
    }
}

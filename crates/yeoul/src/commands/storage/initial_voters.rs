//! The voters of `--initial-controllers` (KIP-853). Pure.

use protocol::Uuid;
use quorum::{Endpoint, InitialVoter};

use crate::failure::Failure;

/// `1@host:9093:directory-id,2@[::1]:9093:directory-id`. All listen by this name.
pub fn parse_voters(text: &str, listener: &str) -> Result<Vec<InitialVoter>, Failure> {
    let mut voters: Vec<InitialVoter> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let voter = parse_voter(entry, listener).map_err(Failure::Failed)?;
        if voters.iter().any(|known| known.id == voter.id) {
            return Err(Failure::Failed(format!("Node id {} was specified more than once.", voter.id)));
        }
        voters.push(voter);
    }
    match voters.is_empty() {
        true => Err(Failure::failed("No voters given.")),
        false => Ok(voters),
    }
}

fn parse_voter(text: &str, listener: &str) -> Result<InitialVoter, String> {
    let unparsed = |what: &str| format!("Failed to parse {what} in dynamic voter string.");
    let (id, rest) = text.split_once('@').ok_or("No @ found in dynamic voter string.")?;
    let id = id.parse().map_err(|_| unparsed("node id"))?;
    if id < 0 {
        return Err(format!("Invalid negative node id {id} in dynamic voter string."));
    }
    let (host, rest) = split_host(rest)?;
    let (port, directory) = rest.split_once(':').ok_or("No colon following port could be found.")?;
    let number: i32 = port.parse().map_err(|_| unparsed("port"))?;
    let port =
        u16::try_from(number).map_err(|_| format!("Invalid port {number} in dynamic voter string."))?;
    let directory_id: Uuid = directory.parse().map_err(|_| unparsed("directory ID"))?;
    let endpoint = Endpoint { name: listener.to_owned(), host: host.to_owned(), port };
    Ok(InitialVoter { id, directory_id, endpoint })
}

/// The host, of an address of IPv6 without its brackets, and what follows the colon after it.
fn split_host(text: &str) -> Result<(&str, &str), &'static str> {
    let Some(address) = text.strip_prefix('[') else {
        return text.split_once(':').ok_or("No colon following hostname could be found.");
    };
    let (host, rest) =
        address.split_once(']').ok_or("Hostname began with left bracket, but no right bracket was found.")?;
    Ok((host, rest.strip_prefix(':').ok_or("Port section must start with a colon.")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_read_with_hosts_of_every_kind() {
        let text = "1@one:9093:AAAAAAAAAAAAAAAAAAAAZQ, 2@[::1]:9094:AAAAAAAAAAAAAAAAAAAAZg,";
        let voters = parse_voters(text, "CONTROLLER").unwrap();
        let places: Vec<_> = voters
            .iter()
            .map(|it| (it.id, &*it.endpoint.host, it.endpoint.port, it.directory_id.to_string()))
            .collect();
        let expected = [
            (1, "one", 9093, "AAAAAAAAAAAAAAAAAAAAZQ".to_owned()),
            (2, "::1", 9094, "AAAAAAAAAAAAAAAAAAAAZg".to_owned()),
        ];
        assert_eq!(places, expected);
        assert_eq!(voters[0].endpoint.name, "CONTROLLER");
    }

    #[test]
    fn what_is_no_voter_is_refused_in_kafkas_words() {
        let id = "AAAAAAAAAAAAAAAAAAAAZQ";
        for (text, words) in [
            (",", "No voters given."),
            ("1", "No @ found in dynamic voter string."),
            ("x@h:1:a", "Failed to parse node id in dynamic voter string."),
            ("-3@h:1:a", "Invalid negative node id -3 in dynamic voter string."),
            ("1@h", "No colon following hostname could be found."),
            ("1@[::1:1:a", "Hostname began with left bracket, but no right bracket was found."),
            ("1@[::1]1:a", "Port section must start with a colon."),
            ("1@h:1", "No colon following port could be found."),
            ("1@h:x:a", "Failed to parse port in dynamic voter string."),
            ("1@h:70000:a", "Invalid port 70000 in dynamic voter string."),
            ("1@h:1:", "Failed to parse directory ID in dynamic voter string."),
        ] {
            assert_eq!(parse_voters(text, "C"), Err(Failure::failed(words)), "{text}");
        }
        let twice = parse_voters(&format!("1@h:1:{id},1@i:1:{id}"), "C");
        assert_eq!(twice, Err(Failure::failed("Node id 1 was specified more than once.")));
    }
}

//! The servers by which a client comes to a cluster: `bootstrap.servers`.

use config::parse_host_port;
use tokio::net::lookup_host;

use crate::error::ClientError;

/// The servers of `host:port,host:port`, of which at least one has a name that stands for an address.
///
/// # Errors
/// What is no server, or that there is none: it is told at once, since time does not cure a typing error.
pub(crate) async fn servers(list: &str) -> Result<Vec<String>, ClientError> {
    let servers = list.split(',').map(str::trim).filter(|server| !server.is_empty());
    let servers = servers.map(checked).collect::<Result<Vec<_>, _>>()?;
    let mut is_there = false;
    for server in &servers {
        match lookup_host(server).await {
            Ok(mut addresses) => is_there |= addresses.next().is_some(),
            Err(error) => tracing::warn!("cannot resolve `{server}`: {error}"),
        }
        if is_there {
            return Ok(servers);
        }
    }
    Err(ClientError::NoServer(list.to_owned()))
}

/// `host:port`, before which may be the protocol, as in a listener; Kafka's client leaves it out too.
fn checked(server: &str) -> Result<String, ClientError> {
    let place = server.split_once("://").map_or(server, |(_, place)| place);
    match parse_host_port(place) {
        Some((host, port)) if !host.is_empty() && port > 0 => Ok(place.to_owned()),
        _ => Err(ClientError::BadAddress(server.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(list: &str) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(servers(list)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_server_is_told_at_once() {
        assert_eq!(told("127.0.0.1:1, [::1]:2,").unwrap(), ["127.0.0.1:1", "[::1]:2"]);
        assert_eq!(told("PLAINTEXT://127.0.0.1:1").unwrap(), ["127.0.0.1:1"]);
        for nothing in ["", " , "] {
            assert!(
                told(nothing).unwrap_err().starts_with("No resolvable bootstrap urls given"),
                "{nothing}"
            );
        }
        for bad in ["a", "a:", "a:b", ":9092", "a:0", "a:65536", "a:1:2", "PLAINTEXT://a"] {
            assert_eq!(told(bad), Err(format!("`{bad}` is not of the form host:port")));
        }
    }
}

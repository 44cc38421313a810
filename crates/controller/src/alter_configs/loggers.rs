//! Levels of a broker's loggers, which are checked like settings and kept nowhere (KIP-412).

use config::{LogLevel, ROOT_LOGGER, is_logger};
use protocol::ErrorCode;

use super::change::{Asked, Change, Operation};
use crate::Refusal;

/// Checks the changes of one node's loggers.
pub(super) fn check(node_id: i32, asked: &Asked<'_>) -> Result<(), Refusal> {
    check_node_id(node_id, &asked.resource.name)?;
    asked.changes.iter().try_for_each(check_change)
}

fn check_node_id(own: i32, name: &str) -> Result<(), Refusal> {
    let why = match name.parse::<i32>() {
        Ok(id) if id == own => return Ok(()),
        Ok(id) => format!("Unexpected node id. Expected {own}, but received {id}"),
        Err(_) => format!("Node id must be an integer, but it is: {name}"),
    };
    Err(Refusal::new(ErrorCode::InvalidRequest, why))
}

fn check_change(change: &Change<'_>) -> Result<(), Refusal> {
    match change.operation()? {
        Operation::Set => {
            check_name(change.name)?;
            check_level(change.name, change.value.unwrap_or_default())
        }
        Operation::Delete if change.name == ROOT_LOGGER => Err(Refusal::new(
            ErrorCode::InvalidRequest,
            "Removing the log level of the root logger is not allowed",
        )),
        Operation::Delete => check_name(change.name),
        other => {
            let verb = format!("{other:?}").to_uppercase();
            let why = format!("{verb} operation is not allowed for the BROKER_LOGGER resource");
            Err(Refusal::new(ErrorCode::InvalidRequest, why))
        }
    }
}

fn check_name(logger: &str) -> Result<(), Refusal> {
    if is_logger(logger) {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::InvalidConfig, format!("Logger {logger} does not exist!")))
}

fn check_level(logger: &str, level: &str) -> Result<(), Refusal> {
    if LogLevel::from_name(level).is_some() {
        return Ok(());
    }
    let levels = LogLevel::ALL.map(LogLevel::name).join(", ");
    let why = format!(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {levels}"
    );
    Err(Refusal::new(ErrorCode::InvalidConfig, why))
}

#[cfg(test)]
mod tests {
    use metadata::{ConfigResource, ResourceType};

    use super::*;

    fn told(node: &str, name: &str, operation: i8, value: Option<&str>) -> String {
        let resource = ConfigResource { resource_type: ResourceType::BROKER_LOGGER, name: node.to_owned() };
        let changes = vec![Change { name, operation, value }];
        let checked = check(1, &Asked { resource, changes, replaces: false });
        checked.map_or_else(
            |refusal| format!("{}: {}", refusal.error.name(), refusal.message),
            |()| String::new(),
        )
    }

    #[test]
    fn apache_kafka_refuses_the_same_in_these_words() {
        let recorded = [
            (told("1", "server", 0, Some("FATAL")), ""),
            (told("1", "root", 0, Some("DEBUG")), ""),
            (told("1", "server", 1, None), ""),
            (
                told("1", "server", 0, Some("debug")),
                "INVALID_CONFIG: Cannot set the log level of server to debug as it is not a supported log level. Valid log \
                 levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
            ),
            (told("1", "nope", 0, Some("LOUD")), "INVALID_CONFIG: Logger nope does not exist!"),
            (told("1", "nope", 1, None), "INVALID_CONFIG: Logger nope does not exist!"),
            (
                told("1", "root", 1, None),
                "INVALID_REQUEST: Removing the log level of the root logger is not allowed",
            ),
            (
                told("1", "server", 2, Some("INFO")),
                "INVALID_REQUEST: APPEND operation is not allowed for the BROKER_LOGGER resource",
            ),
            (
                told("2", "server", 0, Some("INFO")),
                "INVALID_REQUEST: Unexpected node id. Expected 1, but received 2",
            ),
            (told("", "server", 0, Some("INFO")), "INVALID_REQUEST: Node id must be an integer, but it is: "),
        ];
        for (found, expected) in recorded {
            assert_eq!(found, expected);
        }
    }
}

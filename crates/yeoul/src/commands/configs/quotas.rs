//! Quotas, the settings of users, clients and addresses. Pure.

use client::{DescribedQuotas, QuotaEntity, QuotaEntityType, QuotaMatch};
use protocol::scram::ScramMechanism;
use serde_json::{Map, Value, json};

use super::changes::Changes;
use super::credentials::{CredentialChange, parse_password};
use super::entities::{EntityType, Name, Owners};
use crate::commands::java_double::{format_double, parse_double};
use crate::commands::java_order::{USUAL_CAPACITY, name_hash, sort_as_java_map};
use crate::failure::Failure;

/// The quotas of users and clients, and those of addresses.
const OF_CLIENTS: [&str; 4] =
    ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
const OF_IPS: [&str; 1] = ["connection_creation_rate"];

/// What is to change of users, clients or addresses: one or the other, never both at once.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnerChange {
    /// Quotas: a value sets one, none removes it.
    Quotas(Vec<(String, Option<f64>)>),
    /// Credentials of the one user.
    Credentials(Vec<CredentialChange>),
}

fn usage<T>(words: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(words.into()))
}

/// What changes come to. Refuses what is no setting of theirs in the words of Kafka's tool.
pub fn change(owners: &Owners, changes: &Changes) -> Result<OwnerChange, Failure> {
    let is_user = matches!(owners[..], [(EntityType::Users, _)]);
    let of = |keys: &[&str], key: &str| keys.contains(&key);
    let is_credential = |key: &str| is_user && ScramMechanism::from_name(key).is_some();
    match owners.first() {
        Some((EntityType::Ips, _)) => refuse_strange_to_ips(changes, |key| of(&OF_IPS, key))?,
        _ => refuse_strange(changes, is_user, |key| is_credential(key) || of(&OF_CLIENTS, key))?,
    }
    let credentials = changes.iter().filter(|(key, _)| is_credential(key)).count();
    if credentials > 0 && owners.iter().any(|(_, name)| *name == Some(Name::Default)) {
        return usage(
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using \
             --bootstrap-server.",
        );
    }
    match credentials {
        0 => changes.iter().map(quota).collect::<Result<_, _>>().map(OwnerChange::Quotas),
        all if all == changes.len() => {
            changes.iter().filter_map(credential).collect::<Result<_, _>>().map(OwnerChange::Credentials)
        }
        _ => usage(
            "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.",
        ),
    }
}

fn quota((key, value): &(String, Option<String>)) -> Result<(String, Option<f64>), Failure> {
    let Some(text) = value else { return Ok((key.clone(), None)) };
    match parse_double(text) {
        Some(number) => Ok((key.clone(), Some(number))),
        None => usage(format!("Cannot parse quota configuration value for {key}: {text}")),
    }
}

fn credential((key, value): &(String, Option<String>)) -> Option<Result<CredentialChange, Failure>> {
    let mechanism = ScramMechanism::from_name(key)?;
    let password = value.as_ref().map(|text| parse_password(mechanism, text)).transpose();
    Some(password.map(|password| (mechanism, password)))
}

/// Keys that are set and keys that are deleted, each in the order in which Kafka's tool names them.
fn keys(changes: &Changes, is_known: impl Fn(&str) -> bool) -> (Vec<&str>, Vec<&str>) {
    let strange = || changes.iter().filter(|(key, _)| !is_known(key));
    let mut set: Vec<&str> = strange().filter(|(_, value)| value.is_some()).map(|(key, _)| &**key).collect();
    sort_as_java_map(&mut set, USUAL_CAPACITY, |key| name_hash(key));
    (set, strange().filter(|(_, value)| value.is_none()).map(|(key, _)| &**key).collect())
}

fn refuse_strange(changes: &Changes, is_user: bool, is_known: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let (mut set, mut deleted) = keys(changes, is_known);
    let (which, whose) = if is_user { ("quota and SCRAM credential", "users") } else { ("quota", "clients") };
    // What is nothing at all comes before what is a credential.
    set.sort_by_key(|key| ScramMechanism::from_name(key).is_some());
    deleted.sort_by_key(|key| ScramMechanism::from_name(key).is_some());
    for (keys, done, list) in [(set, "added", "Set"), (deleted, "deleted", "ArrayBuffer")] {
        if !keys.is_empty() {
            let keys = keys.join(", ");
            return usage(format!(
                "Only {which} configs can be {done} for '{whose}' using --bootstrap-server. Unexpected config names: \
                 {list}({keys})"
            ));
        }
    }
    Ok(())
}

fn refuse_strange_to_ips(changes: &Changes, is_known: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let (set, deleted) = keys(changes, is_known);
    match [set, deleted].concat() {
        strange if strange.is_empty() => Ok(()),
        strange => usage(format!(
            "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: {}",
            strange.join(",")
        )),
    }
}

/// Quotas cannot be removed that are not there.
pub fn refuse_unset(changes: &[(String, Option<f64>)], quotas: &[DescribedQuotas]) -> Result<(), Failure> {
    let is_set = |key: &String| quotas.iter().any(|of| of.values.iter().any(|(known, _)| known == key));
    let unset = changes.iter().filter(|(key, value)| value.is_none() && !is_set(key));
    match unset.map(|(key, _)| &**key).collect::<Vec<&str>>() {
        unset if unset.is_empty() => Ok(()),
        unset => usage(format!("Invalid config(s): {}", unset.join(","))),
    }
}

fn kind(kind: EntityType) -> QuotaEntityType {
    match kind {
        EntityType::Clients => QuotaEntityType::ClientId,
        EntityType::Ips => QuotaEntityType::Ip,
        _ => QuotaEntityType::User,
    }
}

/// Which quotas are asked for.
pub fn asked(owners: &Owners) -> Vec<(QuotaEntityType, QuotaMatch)> {
    let wanted = |name: &Option<Name>| match name {
        Some(Name::Named(name)) => QuotaMatch::Named(name.clone()),
        Some(Name::Default) => QuotaMatch::Default,
        None => QuotaMatch::Any,
    };
    owners.iter().map(|(of, name)| (kind(*of), wanted(name))).collect()
}

/// Whose quotas are to change.
pub fn entity(owners: &Owners) -> QuotaEntity {
    let named = |name: &Option<Name>| name.as_ref().and_then(Name::named).map(str::to_owned);
    owners.iter().map(|(of, name)| (kind(*of), named(name))).collect()
}

/// Puts entities and their quotas in the order in which Kafka's tool tells them.
pub fn sort(quotas: &mut [DescribedQuotas]) {
    let entities = quotas.len();
    sort_as_java_map(quotas, entities, |of| entity_hash(&of.entity));
    for of in quotas {
        let values = of.values.len();
        sort_as_java_map(&mut of.values, values, |(key, _)| name_hash(key));
    }
}

/// The hash of Kafka's `ClientQuotaEntity`: that of a map, in an object of its own.
fn entity_hash(entity: &QuotaEntity) -> u32 {
    let part = |(kind, name): &(QuotaEntityType, Option<String>)| {
        name_hash(kind.name()) ^ name.as_deref().map_or(0, name_hash)
    };
    entity.iter().map(part).fold(31, u32::wrapping_add)
}

/// A line for an entity.
pub fn text(quotas: &DescribedQuotas) -> String {
    let mut entity: Vec<_> = quotas.entity.iter().collect();
    entity.sort_by_key(|(kind, _)| *kind);
    let part = |(kind, name): &&(QuotaEntityType, Option<String>)| {
        let word = if *kind == QuotaEntityType::User { "user-principal" } else { kind.name() };
        name.as_ref().map_or_else(|| format!("the default {word}"), |name| format!("{word} '{name}'"))
    };
    let whose: Vec<String> = entity.iter().map(part).collect();
    let value = |(key, value): &(String, f64)| format!("{key}={}", format_double(*value));
    let values: Vec<String> = quotas.values.iter().map(value).collect();
    format!("Quota configs for {} are {}\n", whose.join(", "), values.join(", "))
}

/// The same for programs. The default has no name.
pub fn json(quotas: &DescribedQuotas) -> Value {
    let part = |(kind, name): &(QuotaEntityType, Option<String>)| (kind.name().to_owned(), json!(name));
    let entity: Map<String, Value> = quotas.entity.iter().map(part).collect();
    let value = |(key, value): &(String, f64)| (key.clone(), json!(value));
    let values: Map<String, Value> = quotas.values.iter().map(value).collect();
    json!({"entity": entity, "quotas": values})
}

#[cfg(test)]
mod tests {
    use super::super::changes::{parse_additions, parse_deletions};
    use super::*;

    fn owner(kind: EntityType, name: &str) -> (EntityType, Option<Name>) {
        (kind, Some(Name::of(name)))
    }

    fn refusal(owners: &Owners, set: &str, deleted: &str) -> String {
        let set_to = if set.is_empty() { Vec::new() } else { parse_additions(set).unwrap() };
        let changes = [set_to, parse_deletions(deleted)].concat();
        match change(owners, &changes) {
            Err(Failure::Usage(words)) => words,
            other => panic!("{set} {deleted}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_setting_of_theirs_is_refused_in_kafkas_words() {
        let user = vec![owner(EntityType::Users, "a")];
        let client = vec![owner(EntityType::Clients, "a")];
        let ip = vec![owner(EntityType::Ips, "::1")];
        let only = |words: &str| format!("Only {words}");
        assert_eq!(
            refusal(&user, "nope=1,b=2", ""),
            only(
                "quota and SCRAM credential configs can be added for 'users' using --bootstrap-server. \
                  Unexpected config names: Set(b, nope)"
            )
        );
        assert_eq!(
            refusal(&client, "", "aa,SCRAM-SHA-256,zz"),
            only(
                "quota configs can be deleted for 'clients' using --bootstrap-server. \
                  Unexpected config names: ArrayBuffer(aa, zz, SCRAM-SHA-256)"
            )
        );
        assert_eq!(
            refusal(&ip, "a=1,b=2,connection_creation_rate=1", "c"),
            only(
                "connection quota configs can be added for 'ips' using --bootstrap-server. \
                  Unexpected config names: a,b,c"
            )
        );
        let word = "SCRAM-SHA-256=[password=x]";
        assert!(
            refusal(&vec![owner(EntityType::Users, "")], word, "").starts_with("The use of --entity-default")
        );
        assert!(refusal(&user, word, "producer_byte_rate").starts_with("Cannot alter both quota and SCRAM"));
        let rate = "Cannot parse quota configuration value for producer_byte_rate: x";
        assert_eq!(refusal(&user, "producer_byte_rate=x", ""), rate);
    }

    #[test]
    fn a_user_has_quotas_or_credentials_changed_and_with_a_client_only_quotas() {
        let user = vec![owner(EntityType::Users, "a")];
        let rate = parse_additions("producer_byte_rate=1e3").unwrap();
        let expected = OwnerChange::Quotas(vec![("producer_byte_rate".to_owned(), Some(1000.0))]);
        assert_eq!(change(&user, &rate), Ok(expected));
        let removed = change(&user, &parse_deletions("SCRAM-SHA-512"));
        assert_eq!(removed, Ok(OwnerChange::Credentials(vec![(ScramMechanism::Sha512, None)])));
        let both = vec![owner(EntityType::Users, "a"), owner(EntityType::Clients, "c")];
        assert!(change(&both, &parse_deletions("SCRAM-SHA-512")).is_err());
    }

    #[test]
    fn a_quota_that_is_not_there_cannot_be_removed() {
        let quotas = DescribedQuotas { entity: Vec::new(), values: vec![("a".to_owned(), 1.0)] };
        let quotas = [quotas];
        let change = |key: &str| (key.to_owned(), None);
        assert_eq!(refuse_unset(&[change("a"), ("c".to_owned(), Some(1.0))], &quotas), Ok(()));
        let refused = refuse_unset(&[change("b"), change("a"), change("c")], &quotas);
        assert_eq!(refused, Err(Failure::Usage("Invalid config(s): b,c".to_owned())));
    }

    #[test]
    fn entities_come_in_the_order_of_apache_kafka() {
        // As `kafka-configs` of 4.3.1 told them.
        let of = |user: Option<&str>, client: Option<&str>| {
            let name = |name: Option<&str>| name.map(str::to_owned);
            let entity = vec![(QuotaEntityType::ClientId, name(client)), (QuotaEntityType::User, name(user))];
            DescribedQuotas { entity, values: vec![("request_percentage".to_owned(), 9.0)] }
        };
        let mut quotas =
            [of(Some("alice"), None), of(None, Some("x")), of(None, None), of(Some("bob"), None)];
        sort(&mut quotas);
        let told: Vec<String> = quotas.iter().map(text).collect();
        let expected = [
            "user-principal 'bob', the default client-id",
            "user-principal 'alice', the default client-id",
            "the default user-principal, client-id 'x'",
            "the default user-principal, the default client-id",
        ];
        let expected =
            expected.map(|whose| format!("Quota configs for {whose} are request_percentage=9.0\n"));
        assert_eq!(told, expected);
        assert_eq!(json(&quotas[2])["entity"], json!({"user": null, "client-id": "x"}));
    }
}

//! Quotas and credentials of users, clients and addresses: asking the cluster for them, and having it change them.

use std::io::Write;
use std::net::ToSocketAddrs;

use client::Cluster;
use host::{OsRandom, Random};
use serde_json::Value;

use super::arguments::Action;
use super::changes::Changes;
use super::credentials::{self, CredentialChange};
use super::entities::{EntityType, Name, Owners};
use super::quotas::{self, OwnerChange};
use super::{Output, describe::completed};
use crate::failure::Failure;

/// Bytes of a salt; at least as random as those of Kafka's tool, which have 130 bits.
const SALT_BYTES: usize = 20;

/// Refuses a name that is no address and that nobody knows the address of.
pub fn refuse_unknown_address(action: &Action) -> Result<(), Failure> {
    let (Action::DescribeOwners(owners) | Action::AlterOwner { owner: owners, .. }) = action else {
        return Ok(());
    };
    let addresses = owners.iter().filter(|(kind, _)| *kind == EntityType::Ips);
    let mut named = addresses.filter_map(|(_, name)| name.as_ref()?.named());
    match named.find(|name| (*name, 0).to_socket_addrs().is_err()) {
        Some(name) => Err(Failure::Usage(format!(
            "The entity name for ips must be a valid IP or resolvable host, but it is: {name}"
        ))),
        None => Ok(()),
    }
}

/// Tells the quotas of the owners, and of users alone also which credentials they have.
pub async fn describe(
    cluster: &mut Cluster,
    owners: &Owners,
    output: Output,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut quotas = cluster.describe_client_quotas(&quotas::asked(owners)).await?;
    quotas::sort(&mut quotas);
    let users = match &owners[..] {
        [(EntityType::Users, None)] => cluster.describe_scram_users(None).await?,
        [(EntityType::Users, Some(Name::Named(name)))] => {
            cluster.describe_scram_users(Some(std::slice::from_ref(name))).await?
        }
        _ => Vec::new(),
    };
    match output {
        Output::Text => {
            let mut lines = quotas.iter().map(quotas::text).chain(users.iter().map(credentials::text));
            Ok(lines.try_for_each(|line| out.write_all(line.as_bytes()))?)
        }
        Output::Json => {
            let told = quotas.iter().map(quotas::json).chain(users.iter().map(credentials::json));
            Ok(writeln!(out, "{}", told.collect::<Value>())?)
        }
    }
}

/// Changes quotas or credentials, and says so.
pub async fn alter(
    cluster: &mut Cluster,
    owner: &Owners,
    changes: &Changes,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let [(kind, Some(name)), ..] = &owner[..] else { return Ok(()) };
    match quotas::change(owner, changes)? {
        OwnerChange::Quotas(changes) if changes.is_empty() => {}
        OwnerChange::Quotas(changes) => {
            let known = cluster.describe_client_quotas(&quotas::asked(owner)).await?;
            quotas::refuse_unset(&changes, &known)?;
            cluster.alter_client_quotas(&quotas::entity(owner), &changes).await?;
        }
        OwnerChange::Credentials(changes) => {
            let changes = changes.iter().map(salted).collect::<Result<Vec<_>, _>>()?;
            cluster.alter_scram_user(name.named().unwrap_or_default(), &changes).await?;
        }
    }
    Ok(writeln!(out, "{}", completed(*kind, name))?)
}

fn salted(change: &CredentialChange) -> Result<client::ScramChange, Failure> {
    let mut salt = [0; SALT_BYTES];
    OsRandom.fill(&mut salt);
    credentials::salted(change, &salt)
}

//! Quotas of users, clients and addresses (KIP-546).

use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::EntryData as Told;
use protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};

use crate::cluster::Cluster;
use crate::error::{ClientError, check};

/// How a component of DescribeClientQuotas matches the name of an entity.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

/// What quotas are given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuotaEntityType {
    /// Users, by the name of their principal.
    User,
    /// Clients, by `client.id`.
    ClientId,
    /// Addresses, as text.
    Ip,
}

impl QuotaEntityType {
    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            QuotaEntityType::User => "user",
            QuotaEntityType::ClientId => "client-id",
            QuotaEntityType::Ip => "ip",
        }
    }

    fn parse(name: &str) -> Option<QuotaEntityType> {
        let known = [QuotaEntityType::User, QuotaEntityType::ClientId, QuotaEntityType::Ip];
        known.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which entities of a type are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaMatch {
    /// The one of this name.
    Named(String),
    /// What all of them start from.
    Default,
    /// All, the default included.
    Any,
}

/// Who has quotas: a name for each type; none stands for the default.
pub type QuotaEntity = Vec<(QuotaEntityType, Option<String>)>;

/// The quotas of an entity, in the order of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct DescribedQuotas {
    /// Whose they are.
    pub entity: QuotaEntity,
    /// Quotas by their keys, as `producer_byte_rate`.
    pub values: Vec<(String, f64)>,
}

impl Cluster {
    /// The quotas of the entities that are of just these types and match all of them.
    pub async fn describe_client_quotas(
        &mut self,
        of: &[(QuotaEntityType, QuotaMatch)],
    ) -> Result<Vec<DescribedQuotas>, ClientError> {
        let request =
            DescribeClientQuotasRequest { components: of.iter().map(component).collect(), strict: true };
        let response = self.ask(&request).await?;
        check(response.error_code, response.error_message.as_deref())?;
        Ok(response.entries.unwrap_or_default().into_iter().map(described).collect())
    }

    /// Sets the quotas that have a value and removes those that have none.
    pub async fn alter_client_quotas(
        &mut self,
        entity: &QuotaEntity,
        changes: &[(String, Option<f64>)],
    ) -> Result<(), ClientError> {
        let data = |(kind, name): &(QuotaEntityType, Option<String>)| EntityData {
            entity_type: kind.name().to_owned(),
            entity_name: name.clone(),
        };
        let change = |(key, value): &(String, Option<f64>)| OpData {
            key: key.clone(),
            value: value.unwrap_or(0.0),
            remove: value.is_none(),
        };
        let entry = EntryData {
            entity: entity.iter().map(data).collect(),
            ops: changes.iter().map(change).collect(),
        };
        let request = AlterClientQuotasRequest { entries: vec![entry], validate_only: false };
        let entries = self.ask(&request).await?.entries;
        entries.iter().try_for_each(|entry| check(entry.error_code, entry.error_message.as_deref()))
    }
}

fn component((kind, wanted): &(QuotaEntityType, QuotaMatch)) -> ComponentData {
    let (match_type, r#match) = match wanted {
        QuotaMatch::Named(name) => (EXACT, Some(name.clone())),
        QuotaMatch::Default => (DEFAULT, None),
        QuotaMatch::Any => (ANY, None),
    };
    ComponentData { entity_type: kind.name().to_owned(), match_type, r#match }
}

/// Types that came after this client are left out: nobody has asked for them.
fn described(entry: Told) -> DescribedQuotas {
    let known = entry
        .entity
        .into_iter()
        .filter_map(|data| Some((QuotaEntityType::parse(&data.entity_type)?, data.entity_name)));
    DescribedQuotas {
        entity: known.collect(),
        values: entry.values.into_iter().map(|value| (value.key, value.value)).collect(),
    }
}

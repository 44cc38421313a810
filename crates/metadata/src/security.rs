//! Who may do what, and how much: carried so that nothing is lost, decided elsewhere.

use std::sync::Arc;

use protocol::Uuid;
use protocol::messages::client_quota_record::EntityData;
use protocol::messages::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, MetadataRecord,
    UserScramCredentialRecord,
};
use rpds::RedBlackTreeMapSync;

use crate::ApplyError;

/// Access control entries, SCRAM credentials and delegation tokens, each as the record that made it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    acls: RedBlackTreeMapSync<Uuid, Arc<AccessControlEntryRecord>>,
    scram: RedBlackTreeMapSync<(i8, String), Arc<UserScramCredentialRecord>>,
    tokens: RedBlackTreeMapSync<String, Arc<DelegationTokenRecord>>,
}

impl Security {
    /// All access control entries, by id.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<AccessControlEntryRecord>> {
        self.acls.values()
    }

    /// The credential of a user for a mechanism: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
    pub fn scram(&self, mechanism: i8, user: &str) -> Option<&Arc<UserScramCredentialRecord>> {
        self.scram.get(&(mechanism, user.to_owned()))
    }

    /// All delegation tokens, by id.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<DelegationTokenRecord>> {
        self.tokens.values()
    }

    pub(crate) fn add_acl(&mut self, record: &AccessControlEntryRecord) {
        self.acls.insert_mut(record.id, Arc::new(record.clone()));
    }

    pub(crate) fn remove_acl(&mut self, id: Uuid) -> Result<(), ApplyError> {
        removed("RemoveAccessControlEntryRecord", self.acls.remove_mut(&id))
    }

    pub(crate) fn add_scram(&mut self, record: &UserScramCredentialRecord) {
        self.scram.insert_mut((record.mechanism, record.name.clone()), Arc::new(record.clone()));
    }

    pub(crate) fn remove_scram(&mut self, mechanism: i8, user: &str) -> Result<(), ApplyError> {
        let key = (mechanism, user.to_owned());
        removed("RemoveUserScramCredentialRecord", self.scram.remove_mut(&key))
    }

    pub(crate) fn add_token(&mut self, record: &DelegationTokenRecord) {
        self.tokens.insert_mut(record.token_id.clone(), Arc::new(record.clone()));
    }

    pub(crate) fn remove_token(&mut self, id: &str) -> Result<(), ApplyError> {
        removed("RemoveDelegationTokenRecord", self.tokens.remove_mut(id))
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.acls.values().map(|acl| AccessControlEntryRecord::clone(acl).into()));
        records.extend(self.scram.values().map(|scram| UserScramCredentialRecord::clone(scram).into()));
        records.extend(self.tokens.values().map(|token| DelegationTokenRecord::clone(token).into()));
    }
}

fn removed(record: &'static str, removed: bool) -> Result<(), ApplyError> {
    removed.then_some(()).ok_or(ApplyError::NothingToRemove { record })
}

/// Whom a quota is for: types (`user`, `client-id`, `ip`) with a name each, or none for the default.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// The quotas of the clients (KIP-546).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotas {
    by_entity: RedBlackTreeMapSync<QuotaEntity, RedBlackTreeMapSync<String, f64>>,
}

impl ClientQuotas {
    /// Every quota: whom it is for, its key and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &str, f64)> {
        self.by_entity.iter().flat_map(|(entity, quotas)| {
            quotas.iter().map(move |(key, value)| (entity, key.as_str(), *value))
        })
    }

    pub(crate) fn apply(&mut self, record: &ClientQuotaRecord) {
        let mut entity: QuotaEntity =
            record.entity.iter().map(|data| (data.entity_type.clone(), data.entity_name.clone())).collect();
        entity.sort();
        let mut quotas = self.by_entity.get(&entity).cloned().unwrap_or_default();
        if record.remove {
            quotas.remove_mut(&record.key);
        } else {
            quotas.insert_mut(record.key.clone(), record.value);
        }
        if quotas.is_empty() {
            self.by_entity.remove_mut(&entity);
        } else {
            self.by_entity.insert_mut(entity, quotas);
        }
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.iter().map(|(entity, key, value)| {
            let data = |(entity_type, entity_name): &(String, Option<String>)| EntityData {
                entity_type: entity_type.clone(),
                entity_name: entity_name.clone(),
            };
            let entity = entity.iter().map(data).collect();
            ClientQuotaRecord { entity, key: key.to_owned(), value, remove: false }.into()
        }));
    }
}

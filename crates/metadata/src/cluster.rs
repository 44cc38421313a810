//! Brokers and controllers.

use std::sync::Arc;

use protocol::messages::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, RegisterControllerRecord,
    UnregisterBrokerRecord,
};
use rpds::RedBlackTreeMapSync;

use protocol::Uuid;

use crate::{ApplyError, DirectoryId, Partition};

/// The nodes that have registered. A registration is kept as the record that would make it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    brokers: RedBlackTreeMapSync<i32, Arc<RegisterBrokerRecord>>,
    controllers: RedBlackTreeMapSync<i32, Arc<RegisterControllerRecord>>,
}

impl Cluster {
    /// A broker by its id.
    pub fn broker(&self, id: i32) -> Option<&Arc<RegisterBrokerRecord>> {
        self.brokers.get(&id)
    }

    /// All brokers that have registered, by id, fenced ones too.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<RegisterBrokerRecord>> {
        self.brokers.values()
    }

    /// Whether a broker may lead and be in sync: it is registered, not fenced and not about to stop.
    pub fn is_active(&self, id: i32) -> bool {
        self.brokers.get(&id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    /// Whether a log directory of a broker serves, as far as is known: it is registered, or nobody has said yet which one it is.
    pub fn is_directory_online(&self, broker_id: i32, directory: Uuid) -> bool {
        let unknown = directory == DirectoryId::MIGRATING || directory == DirectoryId::UNASSIGNED;
        let registered =
            self.brokers.get(&broker_id).map(|broker| broker.log_dirs.as_slice()).unwrap_or_default();
        unknown
            || (registered.is_empty() && directory != DirectoryId::LOST)
            || registered.contains(&directory)
    }

    /// Whether the replica of a partition on a broker may lead and be in sync.
    pub fn is_replica_online(&self, partition: &Partition, broker_id: i32) -> bool {
        self.is_active(broker_id) && self.is_directory_online(broker_id, partition.directory_of(broker_id))
    }

    /// Whether a broker has a log directory that takes new replicas (KIP-1066).
    pub fn takes_replicas(&self, broker_id: i32) -> bool {
        self.brokers.get(&broker_id).is_some_and(|broker| {
            let cordoned = broker.cordoned_log_dirs.as_deref().unwrap_or_default();
            broker.log_dirs.is_empty() || broker.log_dirs.iter().any(|id| !cordoned.contains(id))
        })
    }

    /// A controller by its id.
    pub fn controller(&self, id: i32) -> Option<&Arc<RegisterControllerRecord>> {
        self.controllers.get(&id)
    }

    /// All controllers that have registered, by id.
    pub fn controllers(&self) -> impl Iterator<Item = &Arc<RegisterControllerRecord>> {
        self.controllers.values()
    }

    pub(crate) fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        self.brokers.insert_mut(record.broker_id, Arc::new(record.clone()));
    }

    pub(crate) fn unregister_broker(&mut self, record: &UnregisterBrokerRecord) -> Result<(), ApplyError> {
        self.expect("UnregisterBrokerRecord", record.broker_id, record.broker_epoch)?;
        self.brokers.remove_mut(&record.broker_id);
        Ok(())
    }

    pub(crate) fn set_fenced(
        &mut self,
        record: &'static str,
        id: i32,
        broker_epoch: i64,
        fenced: bool,
    ) -> Result<(), ApplyError> {
        let mut broker = RegisterBrokerRecord::clone(self.expect(record, id, broker_epoch)?);
        broker.fenced = fenced;
        self.brokers.insert_mut(id, Arc::new(broker));
        Ok(())
    }

    pub(crate) fn change_broker(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), ApplyError> {
        const NAME: &str = "BrokerRegistrationChangeRecord";
        let invalid =
            |field, value: i8| ApplyError::InvalidValue { record: NAME, field, value: value.into() };
        let mut broker = self.expect(NAME, record.broker_id, record.broker_epoch)?.as_ref().clone();
        match record.fenced {
            0 => {}
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            other => return Err(invalid("fenced", other)),
        }
        match record.in_controlled_shutdown {
            0 => {}
            1 => broker.in_controlled_shutdown = true,
            other => return Err(invalid("inControlledShutdown", other)),
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs.clone_from(&record.log_dirs);
        }
        if record.cordoned_log_dirs.is_some() {
            broker.cordoned_log_dirs.clone_from(&record.cordoned_log_dirs);
        }
        self.brokers.insert_mut(record.broker_id, Arc::new(broker));
        Ok(())
    }

    fn expect(
        &self,
        record: &'static str,
        broker_id: i32,
        broker_epoch: i64,
    ) -> Result<&Arc<RegisterBrokerRecord>, ApplyError> {
        let broker = self.brokers.get(&broker_id).filter(|broker| broker.broker_epoch == broker_epoch);
        broker.ok_or(ApplyError::UnknownBroker { record, broker_id, broker_epoch })
    }

    pub(crate) fn register_controller(&mut self, record: &RegisterControllerRecord) {
        self.controllers.insert_mut(record.controller_id, Arc::new(record.clone()));
    }

    pub(crate) fn unregister_controller(&mut self, id: i32) -> Result<(), ApplyError> {
        let removed = self.controllers.remove_mut(&id);
        removed.then_some(()).ok_or(ApplyError::UnknownController(id))
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(self.brokers.values().map(|broker| RegisterBrokerRecord::clone(broker).into()));
        let controllers = self.controllers.values();
        records.extend(controllers.map(|controller| RegisterControllerRecord::clone(controller).into()));
    }
}

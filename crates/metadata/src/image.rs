//! The image.

use protocol::messages::{MetadataRecord, ProducerIdsRecord, RemoveTopicRecord};

use crate::{ApplyError, ClientQuotas, Cluster, ConfigResource, Configs, Delta, Features, Security, Topics};

/// The producer ids that were given out (KIP-730).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIds {
    /// The broker that got the last block, or -1.
    pub broker_id: i32,
    /// That broker's epoch, or -1.
    pub broker_epoch: i64,
    /// The first id that no broker has yet.
    pub next_producer_id: i64,
}

/// All metadata of the cluster at one place of the log. A clone shares everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// Levels of features.
    pub features: Features,
    /// Brokers and controllers.
    pub cluster: Cluster,
    /// Topics and partitions.
    pub topics: Topics,
    /// Settings that were changed at run time.
    pub configs: Configs,
    /// Quotas of the clients.
    pub quotas: ClientQuotas,
    /// Producer ids that were given out.
    pub producer_ids: ProducerIds,
    /// Access control entries, credentials, tokens.
    pub security: Security,
}

impl Image {
    /// Changes the image as a record says, and notes the change.
    ///
    /// A record that fails changes nothing. Begin, end and abort of a transaction do nothing here: see [`Loader`](crate::Loader).
    pub fn apply(&mut self, record: &MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        use MetadataRecord as R;
        match record {
            R::Topic(_) | R::Partition(_) | R::PartitionChange(_) | R::RemoveTopic(_) | R::ClearElr(_) => {
                self.apply_to_topics(record, delta)
            }
            R::RegisterBroker(_)
            | R::UnregisterBroker(_)
            | R::FenceBroker(_)
            | R::UnfenceBroker(_)
            | R::BrokerRegistrationChange(_)
            | R::RegisterController(_)
            | R::UnregisterController(_) => self.apply_to_cluster(record, delta),
            R::Config(record) => {
                delta.changed_configs.insert(self.configs.apply(record));
                Ok(())
            }
            R::FeatureLevel(record) => {
                self.features.apply(record);
                delta.features_changed = true;
                Ok(())
            }
            R::ProducerIds(record) => {
                self.producer_ids = ProducerIds::from(record);
                delta.producer_ids_changed = true;
                Ok(())
            }
            R::ClientQuota(record) => {
                self.quotas.apply(record);
                delta.quotas_changed = true;
                Ok(())
            }
            R::NoOp(_)
            | R::ZkMigrationState(_)
            | R::BeginTransaction(_)
            | R::EndTransaction(_)
            | R::AbortTransaction(_) => Ok(()),
            _ => self.apply_to_security(record, delta),
        }
    }

    fn apply_to_topics(&mut self, record: &MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::Topic(record) => {
                self.topics.create(record)?;
                delta.created_topics.insert(record.topic_id);
            }
            MetadataRecord::Partition(record) => {
                self.topics.add_partition(record)?;
                delta.partition_changed(record.topic_id, record.partition_id);
            }
            MetadataRecord::PartitionChange(record) => {
                self.topics.change_partition(record)?;
                delta.partition_changed(record.topic_id, record.partition_id);
            }
            MetadataRecord::RemoveTopic(record) => self.remove_topic(record, delta)?,
            MetadataRecord::ClearElr(record) => {
                for (topic_id, partition) in self.topics.clear_elr(&record.topic_name)? {
                    delta.partition_changed(topic_id, partition);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        let topic = self.topics.remove(record.topic_id)?;
        self.configs.forget(&ConfigResource::topic(&*topic.name));
        delta.topic_deleted(topic);
        Ok(())
    }

    fn apply_to_cluster(&mut self, record: &MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        let cluster = &mut self.cluster;
        let broker_id = match record {
            MetadataRecord::RegisterBroker(record) => {
                cluster.register_broker(record);
                record.broker_id
            }
            MetadataRecord::UnregisterBroker(record) => {
                cluster.unregister_broker(record)?;
                record.broker_id
            }
            MetadataRecord::FenceBroker(record) => {
                cluster.set_fenced("FenceBrokerRecord", record.id, record.epoch, true)?;
                record.id
            }
            MetadataRecord::UnfenceBroker(record) => {
                cluster.set_fenced("UnfenceBrokerRecord", record.id, record.epoch, false)?;
                record.id
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                cluster.change_broker(record)?;
                record.broker_id
            }
            _ => return self.apply_to_controllers(record, delta),
        };
        delta.changed_brokers.insert(broker_id);
        Ok(())
    }

    fn apply_to_controllers(&mut self, record: &MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::RegisterController(record) => self.cluster.register_controller(record),
            MetadataRecord::UnregisterController(record) => {
                self.cluster.unregister_controller(record.controller_id)?;
            }
            _ => return Ok(()),
        }
        delta.controllers_changed = true;
        Ok(())
    }

    fn apply_to_security(&mut self, record: &MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        let security = &mut self.security;
        match record {
            MetadataRecord::AccessControlEntry(record) => security.add_acl(record),
            MetadataRecord::RemoveAccessControlEntry(record) => security.remove_acl(record.id)?,
            MetadataRecord::UserScramCredential(record) => security.add_scram(record),
            MetadataRecord::RemoveUserScramCredential(record) => {
                security.remove_scram(record.mechanism, &record.name)?;
            }
            MetadataRecord::DelegationToken(record) => security.add_token(record),
            MetadataRecord::RemoveDelegationToken(record) => security.remove_token(&record.token_id)?,
            _ => return Ok(()),
        }
        delta.security_changed = true;
        Ok(())
    }
}

impl Default for ProducerIds {
    fn default() -> ProducerIds {
        ProducerIds { broker_id: -1, broker_epoch: -1, next_producer_id: 0 }
    }
}

impl From<&ProducerIdsRecord> for ProducerIds {
    fn from(record: &ProducerIdsRecord) -> ProducerIds {
        ProducerIds {
            broker_id: record.broker_id,
            broker_epoch: record.broker_epoch,
            next_producer_id: record.next_producer_id,
        }
    }
}

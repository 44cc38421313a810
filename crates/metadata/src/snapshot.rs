//! An image as records.

use protocol::messages::{MetadataRecord, ProducerIdsRecord};

use crate::{Image, ProducerIds};

impl Image {
    /// The records that make this image out of an empty one, in the order of Kafka's snapshots: features, brokers and
    /// controllers, topics each followed by its partitions, settings, quotas, producer ids, then the rest.
    pub fn to_records(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        self.features.write(&mut records);
        self.cluster.write(&mut records);
        self.topics.write(&mut records);
        self.configs.write(&mut records);
        self.quotas.write(&mut records);
        if self.producer_ids != ProducerIds::default() {
            let ProducerIds { broker_id, broker_epoch, next_producer_id } = self.producer_ids;
            records.push(ProducerIdsRecord { broker_id, broker_epoch, next_producer_id }.into());
        }
        self.security.write(&mut records);
        records
    }
}

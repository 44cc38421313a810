//! Whatever records come in whatever order, a snapshot says the same as they do.

use std::collections::BTreeSet;

use metadata::{Image, Loader, MetadataVersion};
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::messages::client_quota_record::EntityData;
use protocol::messages::*;
use protocol::{Uuid, metadata_record};

fn id() -> impl Strategy<Value = Uuid> {
    (1_u8..6).prop_map(|byte| Uuid([byte; 16]))
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", ""]).prop_map(str::to_owned)
}

fn ids() -> impl Strategy<Value = Vec<i32>> {
    vec(0..4, 0..4)
}

fn topics() -> BoxedStrategy<MetadataRecord> {
    let partition = (id(), 0..4, ids(), ids(), prop::option::of(vec(0..4, 1..3)), 0_i8..2).prop_map(
        |(topic_id, partition_id, replicas, isr, eligible_leader_replicas, leader_recovery_state)| {
            PartitionRecord {
                topic_id,
                partition_id,
                directories: vec![Uuid([1; 16]); replicas.len()],
                replicas,
                isr,
                eligible_leader_replicas,
                leader_recovery_state,
                ..Default::default()
            }
            .into()
        },
    );
    let change = (id(), 0..4, prop::option::of(ids()), -2..3, prop::option::of(ids())).prop_map(
        |(topic_id, partition_id, isr, leader, last_known_elr)| {
            PartitionChangeRecord {
                topic_id,
                partition_id,
                isr,
                leader,
                last_known_elr,
                ..Default::default()
            }
            .into()
        },
    );
    prop_oneof![
        3 => (name(), id()).prop_map(|(name, topic_id)| TopicRecord { name, topic_id }.into()),
        4 => partition,
        4 => change,
        1 => id().prop_map(|topic_id| RemoveTopicRecord { topic_id }.into()),
        1 => name().prop_map(|topic_name| ClearElrRecord { topic_name }.into()),
    ]
    .boxed()
}

fn nodes() -> BoxedStrategy<MetadataRecord> {
    let change = (0..3, 0_i64..2, -1_i8..2, 0_i8..2).prop_map(|(broker_id, broker_epoch, fenced, stops)| {
        let in_controlled_shutdown = stops;
        BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch,
            fenced,
            in_controlled_shutdown,
            ..Default::default()
        }
        .into()
    });
    prop_oneof![
        (0..3, 0_i64..2)
            .prop_map(|(broker_id, broker_epoch)| RegisterBrokerRecord { broker_id, broker_epoch, ..Default::default() }
                .into()),
        change,
        (0..3, 0_i64..2).prop_map(|(id, epoch)| FenceBrokerRecord { id, epoch }.into()),
        (0..3, 0_i64..2).prop_map(|(id, epoch)| UnfenceBrokerRecord { id, epoch }.into()),
        (0..3, 0_i64..2)
            .prop_map(|(broker_id, broker_epoch)| UnregisterBrokerRecord { broker_id, broker_epoch }.into()),
        (0..3).prop_map(|controller_id| RegisterControllerRecord { controller_id, ..Default::default() }.into()),
        (0..3).prop_map(|controller_id| UnregisterControllerRecord { controller_id }.into()),
    ]
    .boxed()
}

fn the_rest() -> BoxedStrategy<MetadataRecord> {
    let config = (prop::sample::select(vec![2_i8, 4]), name(), name(), prop::option::of(name())).prop_map(
        |(resource_type, resource_name, name, value)| {
            ConfigRecord { resource_type, resource_name, name, value }.into()
        },
    );
    let quota = (vec((name(), prop::option::of(name())), 0..3), name(), 0..9, any::<bool>()).prop_map(
        |(entity, key, value, remove)| {
            let data = |(entity_type, entity_name)| EntityData { entity_type, entity_name };
            let entity = entity.into_iter().map(data).collect();
            ClientQuotaRecord { entity, key, value: f64::from(value), remove }.into()
        },
    );
    let scram =
        |(name, mechanism)| UserScramCredentialRecord { name, mechanism, ..Default::default() }.into();
    prop_oneof![
        config,
        quota,
        (name(), 0_i16..3)
            .prop_map(|(name, feature_level)| FeatureLevelRecord { name, feature_level }.into()),
        (0..3, 0_i64..9000).prop_map(|(broker_id, next_producer_id)| {
            ProducerIdsRecord { broker_id, broker_epoch: 1, next_producer_id }.into()
        }),
        id().prop_map(|id| AccessControlEntryRecord { id, ..Default::default() }.into()),
        id().prop_map(|id| RemoveAccessControlEntryRecord { id }.into()),
        (name(), 1_i8..3).prop_map(scram),
        (name(), 1_i8..3)
            .prop_map(|(name, mechanism)| RemoveUserScramCredentialRecord { name, mechanism }.into()),
        name().prop_map(|token_id| DelegationTokenRecord { token_id, ..Default::default() }.into()),
        name().prop_map(|token_id| RemoveDelegationTokenRecord { token_id }.into()),
        Just(BeginTransactionRecord::default().into()),
        Just(EndTransactionRecord {}.into()),
        Just(AbortTransactionRecord::default().into()),
        Just(NoOpRecord {}.into()),
    ]
    .boxed()
}

fn record() -> impl Strategy<Value = MetadataRecord> {
    prop_oneof![5 => topics(), 3 => nodes(), 4 => the_rest()]
}

/// The image after those records that can be applied.
fn image_of(records: &[MetadataRecord]) -> Image {
    let mut loader = Loader::default();
    for record in records {
        let _ = loader.apply(record);
    }
    loader.image().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_snapshot_makes_the_image_that_it_was_taken_of(records in vec(record(), 0..120)) {
        let image = image_of(&records);
        let mut loader = Loader::default();
        for record in image.to_records() {
            let version = MetadataVersion::LATEST.record_version(&record);
            let value = metadata_record::encode(&record, version).unwrap();
            loader.apply(&metadata_record::decode(&value).unwrap()).unwrap();
        }
        prop_assert_eq!(loader.image(), &image);
    }

    #[test]
    fn a_record_that_fails_changes_nothing(records in vec(record(), 0..80)) {
        let mut loader = Loader::default();
        for record in &records {
            let before = loader.clone();
            if loader.apply(record).is_err() {
                prop_assert_eq!(loader.image(), before.image());
                prop_assert_eq!(loader.in_transaction(), before.in_transaction());
                prop_assert_eq!(loader.clone().take_delta(), before.clone().take_delta());
            }
        }
    }

    #[test]
    fn the_delta_lists_every_partition_that_differs(records in vec(record(), 0..120), cut in 0_usize..120) {
        let cut = cut.min(records.len());
        let mut loader = Loader::default();
        for record in &records[..cut] {
            let _ = loader.apply(record);
        }
        let (before, _) = (loader.image().clone(), loader.take_delta());
        for record in &records[cut..] {
            let _ = loader.apply(record);
        }
        let (after, delta) = (loader.image().clone(), loader.take_delta());
        let ids = |image: &Image| image.topics.iter().map(|topic| topic.id).collect::<BTreeSet<_>>();
        let expected: BTreeSet<_> = ids(&before).difference(&ids(&after)).copied().collect();
        // A topic that went and came again under its id is both.
        let deleted: BTreeSet<_> = delta.deleted_topics.keys().copied().collect();
        prop_assert!(deleted.is_superset(&expected));
        prop_assert!(deleted.is_subset(&ids(&before)));
        for topic in after.topics.iter() {
            for (number, partition) in topic.partitions() {
                let old = before.topics.by_id(topic.id).and_then(|topic| topic.partition(number));
                let listed = delta.changed_partitions.get(&topic.id).is_some_and(|set| set.contains(&number));
                prop_assert!(listed || old == Some(partition));
            }
        }
    }
}

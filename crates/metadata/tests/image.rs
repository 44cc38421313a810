//! How records change an image, by example.

use metadata::{ApplyError, ConfigResource, Delta, Image, LeaderRecovery, Loader, MetadataVersion};
use protocol::Uuid;
use protocol::messages::*;

const TOPIC: Uuid = Uuid([7; 16]);

fn topic() -> MetadataRecord {
    TopicRecord { name: "flights".into(), topic_id: TOPIC }.into()
}

fn partition(partition_id: i32) -> MetadataRecord {
    PartitionRecord {
        partition_id,
        topic_id: TOPIC,
        replicas: vec![1, 2],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 3,
        partition_epoch: 4,
        ..Default::default()
    }
    .into()
}

fn config(name: &str, value: Option<&str>) -> MetadataRecord {
    let (resource_type, resource_name) = (2, "flights".into());
    ConfigRecord { resource_type, resource_name, name: name.into(), value: value.map(str::to_owned) }.into()
}

fn broker(broker_epoch: i64) -> MetadataRecord {
    RegisterBrokerRecord { broker_id: 1, broker_epoch, ..Default::default() }.into()
}

fn loaded(records: &[MetadataRecord]) -> Loader {
    let mut loader = Loader::default();
    for record in records {
        loader.apply(record).expect("the records fit each other");
    }
    loader
}

#[test]
fn a_topic_comes_with_its_partitions_and_goes_with_its_settings() {
    let mut loader = loaded(&[topic(), partition(0), partition(1), config("retention.ms", Some("1"))]);
    let delta = loader.take_delta();
    assert!(delta.created_topics.contains(&TOPIC));
    assert_eq!(delta.changed_partitions[&TOPIC].iter().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(loader.image().topics.by_name("flights").unwrap().partition_count(), 2);
    assert_eq!(loader.image().configs.get(&ConfigResource::topic("flights"), "retention.ms"), Some("1"));

    loader.apply(&RemoveTopicRecord { topic_id: TOPIC }.into()).unwrap();
    let delta = loader.take_delta();
    assert_eq!(delta.deleted_topics[&TOPIC].partition_count(), 2);
    assert!(delta.changed_partitions.is_empty());
    assert_eq!(*loader.image(), Image::default());
}

#[test]
fn a_change_of_the_leader_raises_both_epochs_and_any_other_one() {
    let mut image = loaded(&[topic(), partition(0)]).image().clone();
    let change = |leader, isr: Option<Vec<i32>>| -> MetadataRecord {
        PartitionChangeRecord { partition_id: 0, topic_id: TOPIC, leader, isr, ..Default::default() }.into()
    };
    let epochs = |image: &Image| {
        let partition = image.topics.by_id(TOPIC).unwrap().partition(0).unwrap();
        (partition.leader, partition.leader_epoch, partition.partition_epoch, partition.isr.clone())
    };
    image.apply(&change(-2, Some(vec![1])), &mut Delta::default()).unwrap();
    assert_eq!(epochs(&image), (1, 3, 5, vec![1]));
    image.apply(&change(2, None), &mut Delta::default()).unwrap();
    assert_eq!(epochs(&image), (2, 4, 6, vec![1]));
}

#[test]
fn the_image_before_a_change_stays_as_it_was() {
    let before = loaded(&[topic(), partition(0)]).image().clone();
    let mut after = before.clone();
    after.apply(&partition(1), &mut Delta::default()).unwrap();
    let partitions = |image: &Image| image.topics.by_id(TOPIC).unwrap().partition_count();
    assert_eq!((partitions(&before), partitions(&after)), (1, 2));
}

#[test]
fn a_transaction_is_seen_when_it_ends_and_not_at_all_when_it_is_aborted() {
    let begin: MetadataRecord = BeginTransactionRecord::default().into();
    let mut loader = loaded(&[topic(), begin.clone(), partition(0)]);
    assert!(loader.in_transaction());
    assert_eq!(loader.image().topics.by_id(TOPIC).unwrap().partition_count(), 0);
    assert!(loader.take_delta().changed_partitions.is_empty());
    loader.apply(&EndTransactionRecord {}.into()).unwrap();
    assert!(loader.take_delta().changed_partitions.contains_key(&TOPIC));

    let before = loader.image().clone();
    for record in
        [begin, RemoveTopicRecord { topic_id: TOPIC }.into(), AbortTransactionRecord::default().into()]
    {
        loader.apply(&record).unwrap();
    }
    assert_eq!(*loader.image(), before);
    assert!(loader.take_delta().is_empty());
}

#[test]
fn transactions_do_not_nest_and_do_not_end_twice() {
    let begin: MetadataRecord = BeginTransactionRecord::default().into();
    assert_eq!(loaded(std::slice::from_ref(&begin)).apply(&begin), Err(ApplyError::NestedTransaction));
    for end in [EndTransactionRecord {}.into(), AbortTransactionRecord::default().into()] {
        assert!(matches!(Loader::default().apply(&end), Err(ApplyError::NoTransaction { .. })));
    }
}

#[test]
fn a_broker_is_fenced_until_a_change_of_its_own_epoch_says_otherwise() {
    let mut loader = loaded(&[broker(5)]);
    assert!(!loader.image().cluster.is_active(1));
    let change = |broker_epoch, fenced| -> MetadataRecord {
        BrokerRegistrationChangeRecord { broker_id: 1, broker_epoch, fenced, ..Default::default() }.into()
    };
    assert!(loader.apply(&change(4, -1)).is_err());
    loader.apply(&change(5, -1)).unwrap();
    assert!(loader.image().cluster.is_active(1));
    assert!(loader.apply(&change(5, 2)).is_err());
    loader.apply(&broker(9)).unwrap();
    assert!(!loader.image().cluster.is_active(1));
}

#[test]
fn records_without_their_subject_are_refused() {
    let id = Uuid([9; 16]);
    let records: [MetadataRecord; 9] = [
        partition(0),
        PartitionChangeRecord { topic_id: id, partition_id: 0, ..Default::default() }.into(),
        RemoveTopicRecord { topic_id: id }.into(),
        ClearElrRecord { topic_name: "x".into() }.into(),
        UnregisterBrokerRecord { broker_id: 3, broker_epoch: 1 }.into(),
        FenceBrokerRecord { id: 3, epoch: 1 }.into(),
        UnregisterControllerRecord { controller_id: 3 }.into(),
        RemoveAccessControlEntryRecord { id }.into(),
        RemoveDelegationTokenRecord { token_id: "x".into() }.into(),
    ];
    for record in records {
        assert!(Loader::default().apply(&record).is_err(), "{record:?}");
    }
    assert!(loaded(&[topic()]).apply(&topic()).is_err(), "twice");
}

#[test]
fn a_setting_without_a_value_is_gone() {
    let mut loader = loaded(&[topic(), config("a", Some("1")), config("b", Some("2")), config("a", None)]);
    let resource = ConfigResource::topic("flights");
    assert_eq!(loader.image().configs.of(&resource).collect::<Vec<_>>(), [("b", "2")]);
    loader.apply(&config("b", None)).unwrap();
    assert_eq!(loader.image().configs.resources().count(), 0);
}

#[test]
fn what_changes_nothing_is_not_noted() {
    let mut loader = loaded(&[NoOpRecord {}.into(), ZkMigrationStateRecord::default().into()]);
    assert!(loader.take_delta().is_empty());
}

#[test]
fn a_snapshot_starts_with_the_version_and_keeps_kafkas_order() {
    let feature = |name: &str| {
        FeatureLevelRecord { name: name.into(), feature_level: MetadataVersion::LATEST.0 }.into()
    };
    let records = [
        feature("a.version"),
        topic(),
        partition(0),
        config("a", Some("1")),
        broker(1),
        feature("metadata.version"),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 1, next_producer_id: 1000 }.into(),
    ];
    let names: Vec<_> = loaded(&records).image().to_records().iter().map(MetadataRecord::name).collect();
    let expected = [
        "FeatureLevelRecord",
        "FeatureLevelRecord",
        "RegisterBrokerRecord",
        "TopicRecord",
        "PartitionRecord",
        "ConfigRecord",
        "ProducerIdsRecord",
    ];
    assert_eq!(names, expected);
    let first = loaded(&records).image().to_records().swap_remove(0);
    assert!(matches!(first, MetadataRecord::FeatureLevel(record) if record.name == "metadata.version"));
}

#[test]
fn eligible_leaders_are_cleared_by_topic() {
    let mut record = PartitionRecord { topic_id: TOPIC, partition_id: 0, ..Default::default() };
    record.eligible_leader_replicas = Some(vec![2]);
    record.leader_recovery_state = 1;
    let mut loader = loaded(&[topic(), record.into(), partition(1)]);
    loader.take_delta();
    loader.apply(&ClearElrRecord { topic_name: String::new() }.into()).unwrap();
    assert_eq!(loader.take_delta().changed_partitions[&TOPIC].len(), 1);
    let partition = loader.image().topics.by_id(TOPIC).unwrap().partition(0).unwrap().clone();
    assert!(partition.elr.is_empty());
    assert_eq!(partition.leader_recovery, LeaderRecovery::Recovering);
}

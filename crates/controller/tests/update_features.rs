//! UpdateFeatures, held against what Apache Kafka 4.3.1 answered with one node whose id is 1.

mod shell;

use controller::update_features;
use metadata::{ConfigResource, ELIGIBLE_LEADER_REPLICAS};
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::{ConfigRecord, FeatureLevelRecord, UpdateFeaturesRequest, UpdateFeaturesResponse};
use shell::Shell;

const UPGRADE: i8 = 1;
const SAFE: i8 = 2;
const UNSAFE: i8 = 3;

fn update(feature: &str, max_version_level: i16, upgrade_type: i8) -> FeatureUpdateKey {
    FeatureUpdateKey { feature: feature.to_owned(), max_version_level, upgrade_type, ..Default::default() }
}

fn ask(shell: &mut Shell, validate_only: bool, updates: Vec<FeatureUpdateKey>) -> UpdateFeaturesResponse {
    let request = UpdateFeaturesRequest { feature_updates: updates, validate_only, ..Default::default() };
    shell.run(|context| update_features(context, &request, 1, 0))
}

/// A node whose registration names its features.
fn kafka() -> Shell {
    Shell::new(0, &[])
}

/// The reason why a level cannot be had, without what precedes all of them.
fn reason(updates: Vec<FeatureUpdateKey>) -> String {
    let mut shell = kafka();
    let before = shell.image().clone();
    let response = ask(&mut shell, false, updates);
    assert_eq!(response.error_code, 95);
    assert_eq!(response.results, []);
    assert_eq!(*shell.image(), before);
    let message = response.error_message.expect("a refusal has a message");
    let start = "The update failed for all features since the following feature had an error: ";
    message.strip_prefix(start).expect("every message starts alike").to_owned()
}

#[test]
fn what_apache_kafka_refuses_is_refused_in_its_words() {
    let recorded = [
        (
            update("metadata.version", 29, UPGRADE),
            "Invalid update version 29 for feature metadata.version. Can't downgrade the version of this feature without \
             setting the upgrade type to either safe or unsafe downgrade.",
        ),
        (
            update("metadata.version", 29, SAFE),
            "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade because it \
             might delete metadata information.",
        ),
        (
            update("metadata.version", 29, UNSAFE),
            "Unsupported metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in this \
             version.",
        ),
        (
            update("metadata.version", 31, UPGRADE),
            "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions 7-30",
        ),
        (
            update("foo", 1, UPGRADE),
            "Invalid update version 1 for feature foo. Local controller 1 does not support this feature.",
        ),
        (update("foo", 0, UPGRADE), "Invalid update version 0 for feature foo. Feature foo not found."),
        (
            update("group.version", 0, UPGRADE),
            "Invalid update version 0 for feature group.version. Can't downgrade the version of this feature without setting \
             the upgrade type to either safe or unsafe downgrade.",
        ),
        (
            update("group.version", -1, UPGRADE),
            "Invalid update version -1 for feature group.version. A feature version cannot be less than 0.",
        ),
        (
            update("group.version", 1, 9),
            "Invalid update version 1 for feature group.version. The controller does not support the given upgrade type.",
        ),
        (
            update("kraft.version", 2, UPGRADE),
            "Invalid update version 2 for feature kraft.version. Local controller 1 only supports versions 0-1",
        ),
    ];
    for (asked, message) in recorded {
        assert_eq!(reason(vec![asked]), message);
    }
}

#[test]
fn one_feature_that_is_refused_keeps_the_others_as_they_are() {
    let message = reason(vec![update("group.version", 0, SAFE), update("foo", 1, UPGRADE)]);
    assert!(message.contains("for feature foo."));
}

#[test]
fn a_level_goes_down_and_up_again() {
    let mut shell = kafka();
    for (level, upgrade_type) in [(0, SAFE), (1, UPGRADE), (0, UNSAFE), (1, UPGRADE), (1, UPGRADE)] {
        let response = ask(&mut shell, false, vec![update("share.version", level, upgrade_type)]);
        assert_eq!((response.error_code, response.results.len()), (0, 1));
        assert_eq!(shell.image().features.level("share.version"), level);
    }
}

#[test]
fn nothing_changes_when_it_is_only_to_be_validated() {
    let mut shell = kafka();
    let before = shell.image().clone();
    assert_eq!(ask(&mut shell, true, vec![update("share.version", 0, SAFE)]).error_code, 0);
    assert_eq!(*shell.image(), before);
}

#[test]
fn metadata_goes_back_as_far_as_it_says_nothing_new() {
    let mut shell = kafka();
    let level =
        |feature_level| FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level }.into();
    shell.apply(&[level(29)]);
    assert_eq!(ask(&mut shell, false, vec![update("metadata.version", 24, SAFE)]).error_code, 0);
    assert_eq!(shell.image().features.metadata_version().0, 24);
    assert_eq!(ask(&mut shell, false, vec![update("metadata.version", 22, SAFE)]).error_code, 95);
    assert_eq!(ask(&mut shell, false, vec![update("metadata.version", 30, UPGRADE)]).error_code, 0);
}

#[test]
fn a_broker_that_lacks_a_level_keeps_the_cluster_from_it() {
    let mut shell = Shell::new(1, &[]);
    let response = ask(&mut shell, false, vec![update("share.version", 1, UPGRADE)]);
    let message = response.error_message.expect("a refusal has a message");
    assert!(message.ends_with("feature share.version. Broker 1 does not support this feature."), "{message}");
}

#[test]
fn with_eligible_leader_replicas_min_insync_replicas_is_a_setting_of_the_cluster() {
    let mut shell = kafka();
    assert_eq!(ask(&mut shell, false, vec![update(ELIGIBLE_LEADER_REPLICAS, 0, SAFE)]).error_code, 0);
    let of_broker = ConfigRecord {
        resource_type: 4,
        resource_name: "1".to_owned(),
        name: "min.insync.replicas".to_owned(),
        value: Some("2".to_owned()),
    };
    shell.apply(&[of_broker.into()]);
    assert_eq!(ask(&mut shell, false, vec![update(ELIGIBLE_LEADER_REPLICAS, 1, UPGRADE)]).error_code, 0);
    let configs = &shell.image().configs;
    assert_eq!(configs.get(&ConfigResource::all_brokers(), "min.insync.replicas"), Some("1"));
    assert_eq!(configs.get(&ConfigResource::broker(1), "min.insync.replicas"), None);
}

#[test]
fn the_newest_version_of_the_answer_does_not_list_the_features() {
    let mut shell = kafka();
    let request = UpdateFeaturesRequest {
        feature_updates: vec![update("share.version", 0, SAFE)],
        ..Default::default()
    };
    let response = shell.run(|context| update_features(context, &request, 2, 0));
    assert_eq!((response.error_code, response.results), (0, Vec::new()));
}

//! CreatePartitions, held against what Apache Kafka 4.3.1 answers.

mod shell;

use controller::{create_partitions, create_topics};
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use shell::{Shell, broker};

/// Two brokers, the second of which is fenced, and a topic of three partitions.
fn kafka() -> Shell {
    let mut shell = Shell::new(1, &[]);
    shell.apply(&[broker(2, None, true)]);
    let topic =
        CreatableTopic { name: "t".into(), num_partitions: 3, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    assert_eq!(shell.run(|context| create_topics(context, &request)).topics[0].error_code, 0);
    shell
}

fn to(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.into(), count, ..Default::default() }
}

fn on(count: i32, assignments: &[&[i32]]) -> CreatePartitionsTopic {
    let assignment = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec() };
    CreatePartitionsTopic {
        assignments: Some(assignments.iter().map(assignment).collect()),
        ..to("t", count)
    }
}

fn ask(
    shell: &mut Shell,
    topics: Vec<CreatePartitionsTopic>,
    validate_only: bool,
) -> CreatePartitionsResponse {
    let request = CreatePartitionsRequest { topics, validate_only, ..Default::default() };
    shell.run(|context| create_partitions(context, &request))
}

fn count(shell: &Shell) -> usize {
    shell.image().topics.by_name("t").expect("it was made").partition_count()
}

/// Error code and message, of a topic that stays as it is.
fn refusal(topic: CreatePartitionsTopic) -> (i16, Option<String>) {
    let mut shell = kafka();
    let result = ask(&mut shell, vec![topic], false).results.remove(0);
    assert_eq!(count(&shell), 3);
    (result.error_code, result.error_message)
}

#[test]
fn partitions_are_added_behind_those_that_are_there() {
    let mut shell = kafka();
    let before = shell.image().topics.by_name("t").expect("it was made").clone();
    let results = ask(&mut shell, vec![to("t", 5)], false).results;
    assert_eq!((&*results[0].name, results[0].error_code, &results[0].error_message), ("t", 0, &None));
    let after = shell.image().topics.by_name("t").expect("it is there");
    assert_eq!(after.partitions().map(|(number, _)| number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!((0..3).all(|number| after.partition(number) == before.partition(number)));
    let added = after.partition(4).expect("it was added");
    assert_eq!(
        (&added.replicas[..], &added.isr[..], added.leader, added.leader_epoch),
        (&[1][..], &[1][..], 1, 0)
    );
}

#[test]
fn nothing_changes_if_the_request_is_only_validated() {
    let mut shell = kafka();
    assert_eq!(ask(&mut shell, vec![to("t", 4)], true).results[0].error_code, 0);
    assert_eq!(count(&shell), 3);
}

#[test]
fn there_have_to_be_more_partitions_than_before() {
    assert_eq!(refusal(to("t", 3)), (37, Some("Topic already has 3 partition(s).".into())));
    let fewer = "The topic t currently has 3 partition(s); 2 would not be an increase.";
    assert_eq!(refusal(to("t", 2)), (37, Some(fewer.into())));
    assert_eq!(refusal(to("t", i32::MIN)).0, 37);
    assert_eq!(refusal(to("nope", 9)), (3, None));
    assert_eq!(refusal(to("t", i32::MAX)).0, 44);
}

#[test]
fn a_topic_that_is_named_twice_stays_as_it_is() {
    let mut shell = kafka();
    let results = ask(&mut shell, vec![to("t", 5), to("nope", 1), to("t", 6)], false).results;
    let told: Vec<_> = results.iter().map(|result| (&*result.name, result.error_code)).collect();
    assert_eq!(told, [("t", 42), ("nope", 3)]);
    assert_eq!(results[0].error_message.as_deref(), Some("Duplicate topic name."));
    assert_eq!(count(&shell), 3);
}

#[test]
fn replicas_may_be_chosen() {
    let mut shell = kafka();
    assert_eq!(ask(&mut shell, vec![on(5, &[&[1], &[1]])], false).results[0].error_code, 0);
    assert_eq!(count(&shell), 5);
    let few = "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.";
    assert_eq!(refusal(on(5, &[&[1]])), (39, Some(few.into())));
    let other = "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with \
                 previous partitions, which have 1 replica(s).";
    assert_eq!(refusal(on(4, &[&[1, 2]])), (39, Some(other.into())));
    let unknown = "The manual partition assignment includes broker 9, but no such broker is registered.";
    assert_eq!(refusal(on(4, &[&[9]])), (39, Some(unknown.into())));
    let fenced = "All brokers specified in the manual partition assignment for partition 3 are fenced or in controlled \
                  shutdown.";
    assert_eq!(refusal(on(4, &[&[2]])), (39, Some(fenced.into())));
}

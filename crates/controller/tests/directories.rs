//! Log directories fail, are assigned and cordoned; partitions are reassigned.

mod shell;

use controller::*;
use metadata::{DirectoryId, Partition};
use protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use protocol::messages::*;
use protocol::{ErrorCode, Uuid};
use shell::Shell;

const A: Uuid = Uuid([0xa; 16]);
const B: Uuid = Uuid([0xb; 16]);
const EPOCH: i64 = 10;

/// A broker with two log directories and a topic of two partitions, the first in A and the second in B.
fn two_directories() -> Shell {
    let mut shell = Shell::new(0, &[]);
    register(&mut shell, 1, &[A, B]);
    create(&mut shell, "t");
    assert_eq!(partition(&shell, 0).directories, [DirectoryId::UNASSIGNED]);
    let topic_id = shell.image().topics.by_name("t").expect("it was created").id;
    let assignments =
        [(0, A), (1, B)].map(|(partition, directory)| Assignment { topic_id, partition, directory });
    shell.run(|context| assign_directories(context.image, 1, EPOCH, &assignments)).expect("it is registered");
    shell
}

fn register(shell: &mut Shell, broker_id: i32, log_dirs: &[Uuid]) {
    let record = RegisterBrokerRecord {
        broker_id,
        broker_epoch: EPOCH,
        fenced: false,
        log_dirs: log_dirs.to_vec(),
        ..Default::default()
    };
    shell.apply(&[record.into()]);
}

fn create(shell: &mut Shell, name: &str) -> i16 {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: 2, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    shell.run(|context| create_topics(context, &request)).topics[0].error_code
}

fn partition(shell: &Shell, number: i32) -> Partition {
    let topic = shell.image().topics.by_name("t").expect("it was created");
    topic.partition(number).expect("it has two").as_ref().clone()
}

fn keep(shell: &mut Shell, online: &[Uuid]) -> usize {
    shell.run(|context| keep_directories(context.image, 1, EPOCH, online)).expect("it is registered")
}

#[test]
fn partitions_in_a_failed_directory_have_no_leader_until_it_is_back() {
    let mut shell = two_directories();
    assert_eq!(keep(&mut shell, &[A]), 1);
    let failed = partition(&shell, 1);
    assert_eq!(
        (failed.leader, &failed.isr[..], &failed.elr[..], &failed.last_known_elr[..]),
        (-1, &[][..], &[1][..], &[1][..])
    );
    assert!(!shell.image().cluster.is_replica_online(&failed, 1));
    assert_eq!(partition(&shell, 0).leader, 1);
    assert_eq!(shell.image().cluster.broker(1).expect("it is registered").log_dirs, [A]);
    assert_eq!(keep(&mut shell, &[A]), 0, "nothing is left to do");
    shell.run(|context| unfence_broker(context.image, 1, EPOCH)).expect("it is registered");
    assert_eq!(partition(&shell, 1).leader, -1, "its directory is not there");
    register(&mut shell, 1, &[A, B]);
    shell.run(|context| unfence_broker(context.image, 1, EPOCH)).expect("it is registered");
    let back = partition(&shell, 1);
    assert_eq!((back.leader, &back.isr[..], &back.elr[..]), (1, &[1][..], &[][..]));
}

#[test]
fn without_eligible_replicas_the_last_one_stays_in_sync() {
    let mut shell = two_directories();
    shell.apply(&[
        FeatureLevelRecord { name: metadata::ELIGIBLE_LEADER_REPLICAS.into(), feature_level: 0 }.into()
    ]);
    assert_eq!(keep(&mut shell, &[B]), 1);
    let failed = partition(&shell, 0);
    assert_eq!((failed.leader, &failed.isr[..], &failed.elr[..]), (-1, &[1][..], &[][..]));
}

#[test]
fn a_new_partition_is_put_into_the_only_directory_that_is_left() {
    let mut shell = two_directories();
    keep(&mut shell, &[B]);
    assert_eq!(create(&mut shell, "u"), 0);
    let topic = shell.image().topics.by_name("u").expect("it was created");
    assert_eq!(topic.partition(0).expect("it has two").directories, [B]);
}

#[test]
fn an_assignment_counts_only_if_broker_directory_and_partition_are_known() {
    let mut shell = two_directories();
    let before = partition(&shell, 0);
    let topic_id = shell.image().topics.by_name("t").expect("it was created").id;
    let known = Assignment { topic_id, partition: 0, directory: B };
    for wrong in [
        Assignment { topic_id: Uuid([9; 16]), ..known },
        Assignment { partition: 7, ..known },
        Assignment { directory: Uuid([9; 16]), ..known },
        Assignment { directory: A, ..known },
    ] {
        shell.run(|context| assign_directories(context.image, 1, EPOCH, &[wrong])).expect("it is registered");
        assert_eq!(partition(&shell, 0), before, "{wrong:?}");
    }
    let stale = shell.run(|context| assign_directories(context.image, 1, EPOCH - 1, &[known]));
    assert_eq!(stale.expect_err("the epoch is old").error, ErrorCode::StaleBrokerEpoch);
    shell.run(|context| assign_directories(context.image, 1, EPOCH, &[known])).expect("it is registered");
    assert_eq!(partition(&shell, 0).directories, [B]);
}

#[test]
fn a_broker_takes_partitions_as_long_as_one_directory_is_not_cordoned() {
    let mut shell = two_directories();
    let cordon = |shell: &mut Shell, cordoned: &[Uuid]| {
        shell.run(|context| cordon_directories(context.image, 1, EPOCH, cordoned)).expect("it is registered");
    };
    cordon(&mut shell, &[A]);
    assert_eq!(create(&mut shell, "u"), 0);
    cordon(&mut shell, &[A, B]);
    assert_eq!(create(&mut shell, "v"), ErrorCode::InvalidReplicationFactor.code());
    cordon(&mut shell, &[]);
    assert_eq!(create(&mut shell, "v"), 0);
}

/// Error code and message for each partition of a topic.
fn reassign(
    shell: &mut Shell,
    topic: &str,
    targets: &[(i32, Option<Vec<i32>>)],
) -> Vec<(i16, Option<String>)> {
    let partition = |(partition_index, replicas): &(i32, Option<Vec<i32>>)| ReassignablePartition {
        partition_index: *partition_index,
        replicas: replicas.clone(),
    };
    let topics =
        vec![ReassignableTopic { name: topic.into(), partitions: targets.iter().map(partition).collect() }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let reply = shell.run(|context| alter_partition_reassignments(context.image, &request));
    let answers = reply.responses.into_iter().flat_map(|topic| topic.partitions);
    answers.map(|answer| (answer.error_code, answer.error_message)).collect()
}

#[test]
fn a_reassignment_to_where_the_partition_is_is_done_and_others_are_refused_in_kafkas_words() {
    let mut shell = two_directories();
    let refused = |message: &str| (ErrorCode::InvalidReplicaAssignment.code(), Some(message.to_owned()));
    let unknown = |message: &str| (ErrorCode::UnknownTopicOrPartition.code(), Some(message.to_owned()));
    let before = partition(&shell, 0);
    let answers = reassign(
        &mut shell,
        "t",
        &[
            (0, Some(vec![1])),
            (0, None),
            (0, Some(vec![2])),
            (1, Some(vec![])),
            (1, Some(vec![1, 1])),
            (7, Some(vec![1])),
        ],
    );
    let expected = [
        (0, None),
        (ErrorCode::NoReassignmentInProgress.code(), None),
        refused("The manual partition assignment includes broker 2, but no such broker is registered."),
        refused("The manual partition assignment includes an empty replica list."),
        refused("The manual partition assignment includes the broker 1 more than once."),
        unknown("Unable to find partition t:7."),
    ];
    assert_eq!(answers, expected);
    assert_eq!(reassign(&mut shell, "nope", &[(0, None)]), [unknown("Unable to find a topic named nope.")]);
    assert_eq!(partition(&shell, 0), before);
}

#[test]
fn replicas_on_lost_brokers_can_be_given_up_but_none_can_be_added() {
    let mut shell = two_directories();
    register(&mut shell, 2, &[Uuid([2; 16])]);
    let topic_id = shell.image().topics.by_name("t").expect("it was created").id;
    let change = PartitionChangeRecord {
        topic_id,
        partition_id: 0,
        replicas: Some(vec![2, 1]),
        directories: Some(vec![Uuid([2; 16]), A]),
        ..Default::default()
    };
    shell.apply(&[change.into()]);
    assert_eq!(
        reassign(&mut shell, "t", &[(1, Some(vec![1, 2]))])[0].0,
        ErrorCode::InvalidReplicaAssignment.code()
    );
    assert_eq!(
        reassign(&mut shell, "t", &[(0, Some(vec![2]))])[0].0,
        ErrorCode::InvalidReplicaAssignment.code()
    );
    assert_eq!(reassign(&mut shell, "t", &[(0, Some(vec![1]))]), [(0, None)]);
    let after = partition(&shell, 0);
    assert_eq!((&after.replicas[..], &after.directories[..], after.leader), (&[1][..], &[A][..], 1));
}

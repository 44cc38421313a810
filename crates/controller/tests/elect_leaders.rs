//! ElectLeaders, as Apache Kafka 4.3.1 answers it.

mod shell;

use controller::elect_leaders;
use metadata::{LeaderRecovery, Partition};
use protocol::Uuid;
use protocol::messages::elect_leaders_request::TopicPartitions;
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicRecord};
use shell::{Shell, broker};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;
const TOPIC: Uuid = Uuid([9; 16]);

/// A partition on brokers 1 to 3, of which the third is fenced.
fn kafka(isr: &[i32], leader: i32) -> Shell {
    let mut shell = Shell::new(2, &[]);
    shell.apply(&[broker(3, None, true)]);
    shell.apply(&[TopicRecord { name: "t".into(), topic_id: TOPIC }.into()]);
    let partition = Partition {
        replicas: vec![1, 2, 3],
        directories: vec![shell::DIRECTORY; 3],
        isr: isr.to_vec(),
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader,
        leader_recovery: LeaderRecovery::Recovered,
        leader_epoch: 4,
        partition_epoch: 4,
    };
    shell.apply(&[partition.to_record(TOPIC, 0).into()]);
    shell
}

fn ask(shell: &mut Shell, election_type: i8, topics: Option<Vec<(&str, Vec<i32>)>>) -> ElectLeadersResponse {
    let named = |(topic, partitions): (&str, Vec<i32>)| TopicPartitions { topic: topic.into(), partitions };
    let topic_partitions = topics.map(|topics| topics.into_iter().map(named).collect());
    let request = ElectLeadersRequest { election_type, topic_partitions, ..Default::default() };
    shell.run(|context| elect_leaders(context.image, &request).expect("the kind of election is known"))
}

/// Error code, and leader and those in sync afterwards.
fn elect(isr: &[i32], leader: i32, election_type: i8) -> (i16, i32, Vec<i32>) {
    let mut shell = kafka(isr, leader);
    let result =
        ask(&mut shell, election_type, Some(vec![("t", vec![0])])).replica_election_results.remove(0);
    let topic = shell.image().topics.by_id(TOPIC).expect("it was made");
    let partition = topic.partition(0).expect("it was made");
    (result.partition_result[0].error_code, partition.leader, partition.isr.clone())
}

#[test]
fn the_preferred_leader_leads_if_it_is_in_sync() {
    assert_eq!(elect(&[1, 2], 2, PREFERRED), (0, 1, vec![1, 2]));
    assert_eq!(elect(&[2], 2, PREFERRED), (80, 2, vec![2]));
    assert_eq!(elect(&[1, 2], 1, PREFERRED), (84, 1, vec![1, 2]));
    assert_eq!(elect(&[2], -1, PREFERRED), (0, 2, vec![2]));
}

#[test]
fn an_unclean_election_takes_anybody_who_is_there() {
    assert_eq!(elect(&[3], -1, UNCLEAN), (0, 1, vec![1]));
    assert_eq!(elect(&[3], 3, UNCLEAN), (84, 3, vec![3]));
    assert_eq!(elect(&[2, 3], -1, UNCLEAN), (0, 2, vec![2, 3]));
    assert_eq!(elect(&[3], -1, PREFERRED), (80, -1, vec![3]));
}

#[test]
fn each_partition_is_answered_and_of_all_only_those_that_need_an_election() {
    let mut shell = kafka(&[1, 2], 1);
    let asked = ask(&mut shell, PREFERRED, Some(vec![("t", vec![0, 7]), ("u", vec![0])]));
    let results = asked.replica_election_results.iter().flat_map(|topic| {
        let told = topic.partition_result.iter();
        told.map(|result| {
            (&*topic.topic, result.partition_id, result.error_code, result.error_message.as_deref())
        })
    });
    let not_needed = "Leader election not needed for topic partition.";
    assert_eq!(
        results.collect::<Vec<_>>(),
        [
            ("t", 0, 84, Some(not_needed)),
            ("t", 7, 3, Some("No such partition as t-7")),
            ("u", 0, 3, Some("No such topic as u")),
        ]
    );
    let all = ask(&mut shell, PREFERRED, None).replica_election_results;
    assert_eq!((all.len(), all[0].partition_result.len()), (1, 0));
}

#[test]
fn other_kinds_of_elections_are_refused() {
    let shell = kafka(&[1], 1);
    let request = ElectLeadersRequest { election_type: 2, ..Default::default() };
    let refusal = elect_leaders(shell.image(), &request).expect_err("there is no such kind");
    assert_eq!((refusal.error.code(), &*refusal.message), (42, "Unknown election type 2"));
}

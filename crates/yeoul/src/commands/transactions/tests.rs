use clap::Parser;
use client::Coordinator;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: TransactionsArgs,
}

fn parsed(line: &str) -> Action {
    let words = ["t", "--bootstrap-server", "h:1"].into_iter().chain(line.split_whitespace());
    Line::try_parse_from(words).unwrap().args.action
}

fn spec(line: &str) -> Result<AbortSpec, Failure> {
    match parsed(&format!("abort --topic t --partition 1 {line}")) {
        Action::Abort(args) => args.spec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_aborts_names_a_producer_and_both_epochs() {
    assert_eq!(
        spec("--producer-id 5 --producer-epoch 3 --coordinator-epoch -1").unwrap(),
        AbortSpec { place: ("t".to_owned(), 1), producer_id: 5, producer_epoch: 3, coordinator_epoch: 0 }
    );
    let missing = |name: &str| Err(Failure::Failed(format!("Missing required argument --{name}")));
    assert_eq!(spec("--producer-id 5 --coordinator-epoch 1"), missing("producer-epoch"));
    assert_eq!(spec("--producer-id 5 --producer-epoch 1"), missing("coordinator-epoch"));
    assert!(
        matches!(spec(""), Err(Failure::Failed(words)) if words.starts_with("The transaction to abort must"))
    );
}

#[test]
fn a_search_is_limited_to_a_topic_or_to_a_broker() {
    let check = |line: &str| match parsed(&format!("find-hanging {line}")) {
        Action::FindHanging(args) => args.check(),
        other => panic!("{other:?}"),
    };
    assert!(check("").is_err());
    assert!(check("--broker-id 1 --partition 0").is_err());
    assert_eq!(check("--broker-id 1"), Ok(()));
    assert_eq!(check("--topic t --partition 0"), Ok(()));
}

#[test]
fn a_transaction_that_never_began_has_no_start_and_no_duration() {
    let described = DescribedTransaction {
        coordinator: Coordinator { node_id: 1, address: "h:1".to_owned() },
        state: "Empty".to_owned(),
        producer_id: 4,
        producer_epoch: 0,
        timeout_ms: 60_000,
        start_ms: None,
        partitions: Vec::new(),
    };
    let table = described_table("t", described.clone(), 9);
    assert!(
        table.text().contains("\tNone                         \tNone                 \t               \t")
    );
    let json = table.json();
    assert_eq!((&json[0]["transactionDurationMs"], &json[0]["topicPartitions"]), (&Value::Null, &json!([])));
    let place = |partition| ("tx-b".to_owned(), partition);
    let partitions = vec![place(0), place(1), place(2)];
    let begun = DescribedTransaction { start_ms: Some(2), partitions, ..described };
    // As `kafka-transactions` of 4.3.1 printed them.
    assert!(
        described_table("t", begun, 9).text().contains("\t7                    \ttx-b-0,tx-b-2,tx-b-1\t")
    );
}

#[test]
fn a_producer_without_an_open_transaction_has_none_that_begins() {
    let producer = DescribedProducer {
        current_txn_start_offset: -1,
        coordinator_epoch: -1,
        ..DescribedProducer::default()
    };
    let text = producers_table(&[producer]).text();
    assert!(text.ends_with("\tNone                         \t\n"), "{text}");
}

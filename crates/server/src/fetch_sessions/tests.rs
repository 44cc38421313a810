//! Sessions from the client's side.

use protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};

use super::*;

const VERSION: i16 = 12;

fn request(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: 100,
        ..Default::default()
    };
    let topic = FetchTopic {
        topic: "t".to_owned(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    let topics = if partitions.is_empty() { Vec::new() } else { vec![topic] };
    FetchRequest { session_id, session_epoch, topics, ..Default::default() }
}

fn key(number: i32) -> PartitionKey {
    (TopicKey::Name("t".into()), number)
}

fn offsets(plan: &Plan) -> Vec<(i32, i64)> {
    plan.partitions.iter().map(|((_, number), wanted)| (*number, wanted.fetch_offset)).collect()
}

fn told(high_watermark: i64, has_records: bool) -> Told {
    Told { high_watermark, log_start_offset: 0, has_records, error: ErrorCode::None }
}

fn refusal(planned: Result<Plan, ErrorCode>) -> Option<ErrorCode> {
    planned.err()
}

#[test]
fn a_session_completes_what_a_request_leaves_out() {
    let sessions = FetchSessions::new(10);
    let first = sessions.begin(&request(0, 0, &[(0, 5), (1, 6)]), VERSION, 0, 77).unwrap();
    assert_eq!((first.session_id, first.is_incremental), (77, false));
    let second = sessions.begin(&request(77, 1, &[(1, 9)]), VERSION, 0, 0).unwrap();
    assert!(second.is_incremental);
    assert_eq!(offsets(&second), [(0, 5), (1, 9)]);
    let mut forgetting = request(77, 2, &[]);
    forgetting.forgotten_topics_data =
        vec![ForgottenTopic { topic: "t".to_owned(), partitions: vec![0], ..Default::default() }];
    assert_eq!(offsets(&sessions.begin(&forgetting, VERSION, 0, 0).unwrap()), [(1, 9)]);
}

#[test]
fn a_session_may_begin_without_partitions() {
    let sessions = FetchSessions::new(10);
    assert_eq!(sessions.begin(&request(0, 0, &[]), VERSION, 0, 77).unwrap().session_id, 77);
    assert_eq!(offsets(&sessions.begin(&request(77, 1, &[(0, 5)]), VERSION, 0, 0).unwrap()), [(0, 5)]);
}

#[test]
fn a_request_out_of_its_turn_is_refused_as_kafka_does() {
    let sessions = FetchSessions::new(10);
    let asked = request(0, 0, &[(0, 5)]);
    sessions.begin(&asked, VERSION, 0, 77).unwrap();
    let refused = |id, epoch, version| refusal(sessions.begin(&request(id, epoch, &[]), version, 0, 0));
    assert_eq!(refused(78, 1, VERSION), Some(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(refused(77, 2, VERSION), Some(ErrorCode::InvalidFetchSessionEpoch));
    assert_eq!(refused(77, 1, 13), Some(ErrorCode::FetchSessionTopicIdError));
    assert_eq!(refused(77, 1, VERSION), None);
    assert_eq!(refused(77, -1, VERSION), None);
    assert_eq!(refused(77, 2, VERSION), Some(ErrorCode::FetchSessionIdNotFound));
}

#[test]
fn a_client_is_told_news_only() {
    let sessions = FetchSessions::new(10);
    let plan = sessions.begin(&request(0, 0, &[(0, 5), (1, 6)]), VERSION, 0, 77).unwrap();
    let session = plan.session.unwrap();
    let note = |first: Told, second: Told| session.lock().note(&[(key(0), first), (key(1), second)]);
    assert_eq!(note(told(9, false), told(9, false)), [true, true]);
    assert_eq!(note(told(9, false), told(9, false)), [false, false]);
    assert_eq!(note(told(10, false), told(9, true)), [true, true]);
    let failed = Told { error: ErrorCode::OffsetOutOfRange, ..told(-1, false) };
    assert_eq!(note(failed, told(9, false)), [true, false]);
    assert_eq!(note(told(10, false), told(9, false)), [true, false]);
}

#[test]
fn partitions_that_had_records_come_last_the_next_time() {
    let sessions = FetchSessions::new(10);
    let plan = sessions.begin(&request(0, 0, &[(0, 0), (1, 0), (2, 0)]), VERSION, 0, 77).unwrap();
    let records = [(key(0), told(1, true)), (key(1), told(1, false)), (key(2), told(1, false))];
    plan.session.unwrap().lock().note(&records);
    let next = sessions.begin(&request(77, 1, &[]), VERSION, 0, 0).unwrap();
    assert_eq!(offsets(&next), [(1, 0), (2, 0), (0, 0)]);
}

#[test]
fn sessions_are_bounded_and_only_idle_ones_make_room() {
    let sessions = FetchSessions::new(1);
    let asked = request(0, 0, &[(0, 0)]);
    assert_eq!(sessions.begin(&asked, VERSION, 0, 77).unwrap().session_id, 77);
    assert_eq!(sessions.begin(&asked, VERSION, UNUSED_MIN_MS, 78).unwrap().session_id, 0);
    assert_eq!(sessions.begin(&asked, VERSION, UNUSED_MIN_MS + 1, 78).unwrap().session_id, 78);
    let gone = sessions.begin(&request(77, 1, &[]), VERSION, 0, 0);
    assert_eq!(refusal(gone), Some(ErrorCode::FetchSessionIdNotFound));
}

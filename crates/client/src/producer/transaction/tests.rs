use super::*;

const FIRST: Identity = Identity { id: 7, epoch: 0, is_transactional: true };
const SECOND: Identity = Identity { id: 7, epoch: 1, is_transactional: true };

fn begun() -> Transaction {
    let mut transaction = Transaction::new("t".to_owned(), FIRST, 2);
    transaction.begin().unwrap();
    transaction
}

fn place(partition: i32) -> Place {
    ("flights".into(), partition)
}

fn refusal(code: ErrorCode) -> TransactionRefusal {
    TransactionRefusal::of(&ClientError::refused(code))
}

#[test]
fn a_partition_is_told_of_once_a_transaction() {
    let mut transaction = begun();
    let places = [place(0), place(1)];
    transaction.add([&places[0]]);
    assert_eq!(transaction.missing(&places), Ok(vec![&places[1]]));
    transaction.begin_commit().unwrap();
    transaction.end(SECOND);
    transaction.begin().unwrap();
    assert_eq!(transaction.missing(&places).unwrap().len(), 2);
    assert_eq!(transaction.identity(), SECOND);
}

#[test]
fn what_lost_a_batch_cannot_commit_and_can_go_on_after_an_abort() {
    let mut transaction = begun();
    transaction.add(&[place(0)]);
    transaction.lose(&ClientError::refused(ErrorCode::MessageTooLarge));
    assert!(matches!(transaction.check_open(), Err(TransactionError::Abortable(_))));
    assert!(matches!(transaction.begin_commit(), Err(TransactionError::Abortable(_))));
    assert!(transaction.missing(&[place(0)]).is_err());
    transaction.begin_abort().unwrap();
    transaction.end(SECOND);
    assert!(!transaction.needs_epoch());
    assert_eq!(transaction.begin(), Ok(()));
}

#[test]
fn what_was_given_up_needs_an_epoch_where_the_end_gives_none() {
    let mut transaction = begun();
    transaction.lose(&ClientError::refused(ErrorCode::RequestTimedOut));
    transaction.begin_abort().unwrap();
    transaction.end(FIRST);
    assert!(transaction.needs_epoch());
    transaction.end(SECOND);
    assert!(!transaction.needs_epoch());
}

#[test]
fn who_is_fenced_can_do_nothing_more() {
    let mut transaction = begun();
    transaction.lose(&ClientError::refused(ErrorCode::ProducerFenced));
    let fenced = TransactionError::Fatal(TransactionRefusal {
        code: ErrorCode::ProducerFenced,
        message: FENCED.to_owned(),
    });
    assert_eq!(transaction.begin_abort(), Err(fenced.clone()));
    assert_eq!(transaction.begin_commit(), Err(fenced.clone()));
    transaction.fail(Severity::Abortable, refusal(ErrorCode::TopicAuthorizationFailed));
    transaction.end(SECOND);
    assert_eq!(transaction.begin(), Err(fenced));
}

#[test]
fn an_old_epoch_is_told_with_who_has_it() {
    let mut transaction = begun();
    transaction.lose(&ClientError::refused(ErrorCode::InvalidProducerEpoch));
    let error = transaction.begin_commit().unwrap_err();
    let words = "Producer with transactionalId 't' and (producerId=7, epoch=0) attempted to produce with an old epoch";
    assert_eq!(error.to_string(), words);
    assert!(matches!(error, TransactionError::Abortable(_)));
}

#[test]
fn an_end_that_is_not_known_can_only_be_asked_for_again() {
    let mut transaction = begun();
    transaction.begin_commit().unwrap();
    assert!(matches!(transaction.begin_abort(), Err(TransactionError::Misplaced { .. })));
    assert!(matches!(transaction.begin(), Err(TransactionError::Misplaced { .. })));
    let unknown = transaction.error(refusal(ErrorCode::RequestTimedOut));
    assert!(matches!(unknown, TransactionError::Unknown(_)));
    assert_eq!(transaction.begin_commit(), Ok(()));
}

#[test]
fn while_it_is_aborted_nothing_leaves_and_nothing_more_is_lost() {
    let mut transaction = begun();
    transaction.add_offsets();
    transaction.begin_abort().unwrap();
    assert_eq!(transaction.missing(&[place(0)]).unwrap_err().code, ErrorCode::TransactionAbortable);
    transaction.fail(Severity::Abortable, refusal(ErrorCode::TransactionAbortable));
    assert_eq!(transaction.begin_abort(), Ok(()));
    assert!(transaction.is_known());
}

#[test]
fn outside_of_a_transaction_nothing_can_be_sent_or_ended() {
    let mut transaction = Transaction::new("t".to_owned(), FIRST, 1);
    assert!(!transaction.is_implicit());
    assert!(matches!(transaction.check_open(), Err(TransactionError::Misplaced { .. })));
    assert!(matches!(transaction.begin_commit(), Err(TransactionError::Misplaced { .. })));
    assert!(matches!(transaction.begin_abort(), Err(TransactionError::Misplaced { .. })));
}

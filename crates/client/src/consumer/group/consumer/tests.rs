use protocol::messages::consumer_group_heartbeat_response::Assignment;

use super::*;

const T: Uuid = Uuid([7; 16]);
const INTERVAL: Duration = Duration::from_secs(5);

/// A member, and what it decides by.
struct Play {
    member: ConsumerMember,
    options: GroupOptions,
    names: TopicNames,
    topics: Vec<String>,
    regex: Option<String>,
    now: Instant,
}

impl Play {
    fn new() -> Play {
        let now = Instant::now();
        Play {
            member: ConsumerMember::new(Uuid([1; 16]), Some("uniform".to_owned()), now),
            options: GroupOptions::new("g"),
            names: TopicNames::from([(T, "t".to_owned())]),
            topics: vec!["t".to_owned()],
            regex: None,
            now,
        }
    }

    fn next(&mut self) -> Next {
        let view = View { options: &self.options, topics: &self.topics, regex: self.regex.as_deref() };
        self.member.next(&view, &self.names, self.now).unwrap()
    }

    fn meanwhile(&mut self) -> Meanwhile {
        let view = View { options: &self.options, topics: &self.topics, regex: None };
        self.member.meanwhile(&view, self.now).unwrap()
    }

    /// The heartbeat that goes out next.
    fn beats(&mut self) -> ConsumerGroupHeartbeatRequest {
        match self.next() {
            Next::Ask(Ask::ConsumerHeartbeat(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn hears(&mut self, epoch: i32, given: Option<&[i32]>) {
        let topic = |partitions: &[i32]| TopicPartitions { topic_id: T, partitions: partitions.to_vec() };
        let assignment = given.map(|it| Assignment {
            topic_partitions: if it.is_empty() { Vec::new() } else { vec![topic(it)] },
        });
        let answer = ConsumerGroupHeartbeatResponse {
            member_epoch: epoch,
            heartbeat_interval_ms: millis(INTERVAL),
            assignment,
            ..ConsumerGroupHeartbeatResponse::default()
        };
        self.member.answered(Answer::ConsumerHeartbeat(answer), &self.options, self.now).unwrap();
    }

    fn takes(&mut self, partitions: &[i32]) {
        assert_eq!(self.next(), Next::Take(places(partitions)));
        assert!(self.member.took());
    }

    /// Becomes a member that has these and has said so.
    fn settles(&mut self, epoch: i32, partitions: &[i32]) {
        self.beats();
        self.hears(epoch, Some(partitions));
        self.takes(partitions);
        self.beats();
        self.hears(epoch, None);
        assert_eq!(self.next(), Next::Rest(Some(self.now + INTERVAL)));
    }
}

fn places(partitions: &[i32]) -> Vec<Place> {
    partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect()
}

/// What a heartbeat says to own.
fn owned(request: &ConsumerGroupHeartbeatRequest) -> Option<Vec<i32>> {
    let topics = request.topic_partitions.as_ref()?;
    Some(topics.iter().flat_map(|topic| topic.partitions.clone()).collect())
}

#[test]
fn who_joins_says_everything_and_then_only_what_is_new() {
    let mut play = Play::new();
    let joins = play.beats();
    assert_eq!((joins.member_epoch, joins.member_id.len(), joins.rebalance_timeout_ms), (0, 22, 300_000));
    assert_eq!(joins.subscribed_topic_names, Some(vec!["t".to_owned()]));
    assert_eq!((joins.server_assignor.as_deref(), owned(&joins)), (Some("uniform"), Some(vec![])));
    assert_eq!(play.next(), Next::Rest(None), "one question at a time");
    play.hears(1, Some(&[0, 1]));
    play.takes(&[0, 1]);
    let tells = play.beats();
    assert_eq!((tells.member_epoch, tells.rebalance_timeout_ms), (1, -1));
    assert_eq!((&tells.subscribed_topic_names, &tells.server_assignor), (&None, &None));
    assert_eq!(owned(&tells), Some(vec![0, 1]));
    play.hears(1, None);
    assert_eq!(play.next(), Next::Rest(Some(play.now + INTERVAL)));
    play.now += INTERVAL;
    assert_eq!(owned(&play.beats()), None);
    play.hears(1, None);
    play.topics.push("u".to_owned());
    assert_eq!(play.beats().subscribed_topic_names.unwrap().len(), 2);
}

#[test]
fn what_is_given_up_is_before_anything_is_taken_and_both_are_told_at_once() {
    let mut play = Play::new();
    play.settles(1, &[0, 1]);
    play.now += INTERVAL;
    play.beats();
    play.hears(2, Some(&[1, 2]));
    assert_eq!(play.next(), Next::GiveUp(places(&[0])));
    assert_eq!(play.next(), Next::GiveUp(places(&[0])), "until it is done");
    play.member.gave_up();
    assert_eq!(play.next(), Next::Take(places(&[2])));
    play.takes(&[2]);
    let tells = play.beats();
    assert_eq!((tells.member_epoch, owned(&tells)), (2, Some(vec![1, 2])));
}

#[test]
fn to_be_given_nothing_is_to_be_given_something() {
    let mut play = Play::new();
    play.settles(1, &[]);
    play.now += INTERVAL;
    play.beats();
    play.hears(2, Some(&[3]));
    play.takes(&[3]);
    assert_eq!(owned(&play.beats()), Some(vec![3]));
    play.hears(3, Some(&[]));
    assert_eq!(play.next(), Next::GiveUp(places(&[3])));
    play.member.gave_up();
    play.takes(&[]);
    assert_eq!(owned(&play.beats()), Some(vec![]));
}

#[test]
fn a_topic_is_read_once_it_is_known_what_it_is_called() {
    let mut play = Play::new();
    play.names.clear();
    play.beats();
    play.hears(1, Some(&[0]));
    assert_eq!(play.next(), Next::Name(vec![T]));
    play.takes(&[]);
    assert_eq!(owned(&play.beats()), Some(vec![]));
    play.hears(1, None);
    assert_eq!(play.next(), Next::Rest(Some(play.now + NAME_EVERY)));
    play.now += NAME_EVERY;
    assert_eq!(play.next(), Next::Name(vec![T]));
    play.names.insert(T, "t".to_owned());
    play.takes(&[0]);
    assert_eq!(owned(&play.beats()), Some(vec![0]));
}

#[test]
fn an_expression_goes_to_the_coordinator_in_place_of_names() {
    let mut play = Play::new();
    play.regex = Some("t.*".to_owned());
    let joins = play.beats();
    assert_eq!(joins.subscribed_topic_regex.as_deref(), Some("t.*"));
    assert_eq!(joins.subscribed_topic_names, Some(Vec::new()));
    play.hears(1, None);
    play.now += INTERVAL;
    let again = play.beats();
    assert_eq!((again.subscribed_topic_regex, again.subscribed_topic_names), (None, None));
}

#[test]
fn who_is_fenced_loses_everything_and_begins_anew_under_its_id() {
    for code in [ErrorCode::FencedMemberEpoch, ErrorCode::UnknownMemberId] {
        let mut play = Play::new();
        play.settles(4, &[0]);
        play.now += INTERVAL;
        let before = play.beats();
        play.member.failed(ClientError::refused(code), play.now).unwrap();
        assert_eq!(play.next(), Next::Lose(places(&[0])));
        play.member.gave_up();
        let joins = play.beats();
        assert_eq!((joins.member_epoch, &joins.member_id), (0, &before.member_id));
        assert_eq!((joins.subscribed_topic_names.is_some(), owned(&joins)), (true, Some(vec![])));
        play.hears(6, Some(&[0]));
        play.takes(&[0]);
    }
}

#[test]
fn after_an_answer_that_never_came_everything_is_told_again() {
    let mut play = Play::new();
    play.settles(1, &[0]);
    play.now += INTERVAL;
    play.beats();
    let again = play.now + Duration::from_millis(100);
    play.member.failed(ClientError::Disconnected("b:1".to_owned()), again).unwrap();
    assert_eq!(play.next(), Next::Rest(Some(again)));
    play.now = again;
    let tells = play.beats();
    assert_eq!((tells.member_epoch, tells.subscribed_topic_names.is_some()), (1, true));
    assert_eq!(owned(&tells), Some(vec![0]));
}

#[test]
fn an_epoch_that_is_out_of_date_is_asked_for_at_once() {
    let mut play = Play::new();
    play.settles(1, &[0]);
    play.member.failed(ClientError::refused(ErrorCode::StaleMemberEpoch), play.now).unwrap();
    assert_eq!(play.beats().member_epoch, 1);
    play.hears(2, None);
    let identity = play.member.identity().unwrap();
    assert_eq!((identity.epoch, identity.is_by_epoch), (2, true));
}

#[test]
fn who_leaves_says_so_and_whether_it_may_come_back() {
    let mut play = Play::new();
    assert_eq!(play.member.farewell(&play.options), None, "there is nothing to leave yet");
    play.settles(1, &[0]);
    let epoch = |play: &Play| match play.member.farewell(&play.options) {
        Some(Ask::ConsumerHeartbeat(request)) => request.member_epoch,
        other => panic!("{other:?}"),
    };
    assert_eq!(epoch(&play), -1);
    play.options.instance_id = Some("i".to_owned());
    assert_eq!(epoch(&play), -2);
}

#[test]
fn who_is_refused_is_no_member_and_hears_why_in_kafkas_words() {
    let mut play = Play::new();
    play.beats();
    let unsupported = crate::error::unsupported(protocol::ApiKey::CONSUMER_GROUP_HEARTBEAT);
    let error = play.member.failed(unsupported, play.now).unwrap_err();
    assert!(error.to_string().starts_with("The cluster does not support the new CONSUMER group protocol."));
    assert_eq!(play.member.farewell(&play.options), None);
    let refused = ClientError::refused(ErrorCode::UnsupportedAssignor);
    let error = play.member.failed(refused, play.now).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UnsupportedAssignor));
}

#[test]
fn a_step_that_cannot_be_taken_does_not_silence_the_member() {
    let mut play = Play::new();
    play.settles(1, &[0]);
    play.now += INTERVAL;
    play.beats();
    play.hears(2, Some(&[0, 1]));
    assert_eq!(play.next(), Next::Take(places(&[1])));
    play.member.failed(ClientError::refused(ErrorCode::StaleMemberEpoch), play.now).unwrap();
    assert_eq!(owned(&play.beats()), Some(vec![0]), "the epoch is asked for, and then it goes on");
    play.hears(3, None);
    assert_eq!(play.next(), Next::Take(places(&[1])));
    play.now += INTERVAL;
    assert_eq!(play.beats().member_epoch, 3);
    play.hears(4, Some(&[0]));
    assert_eq!(play.next(), Next::Rest(Some(play.now + INTERVAL)));
}

#[test]
fn a_member_whose_caller_is_busy_beats_and_takes_nothing() {
    let mut play = Play::new();
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None), "who joins does so with its caller");
    play.settles(1, &[0]);
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(play.now + INTERVAL)));
    play.now += INTERVAL;
    assert!(
        matches!(play.meanwhile(), Meanwhile::Ask(Ask::ConsumerHeartbeat(beat)) if beat.member_epoch == 1)
    );
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None), "one question at a time");
    play.hears(2, Some(&[]));
    play.now += INTERVAL;
    assert!(
        matches!(play.meanwhile(), Meanwhile::Ask(Ask::ConsumerHeartbeat(beat)) if owned(&beat).is_none())
    );
    play.hears(2, None);
    assert_eq!(play.next(), Next::GiveUp(places(&[0])), "what it was told is not forgotten");
}

#[test]
fn what_is_lost_while_it_is_taken_is_not_had() {
    let mut play = Play::new();
    play.settles(1, &[0]);
    play.now += INTERVAL;
    play.beats();
    play.hears(2, Some(&[0, 1]));
    assert_eq!(play.next(), Next::Take(places(&[1])));
    play.now += INTERVAL;
    assert!(matches!(play.meanwhile(), Meanwhile::Ask(_)));
    play.member.failed(ClientError::refused(ErrorCode::FencedMemberEpoch), play.now).unwrap();
    assert!(!play.member.took(), "others may have it by now");
    assert_eq!(play.next(), Next::Lose(places(&[0])));
}

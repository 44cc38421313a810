use std::time::Duration;

use protocol::messages::{
    ConsumerGroupHeartbeatResponse, HeartbeatResponse, JoinGroupResponse, SyncGroupResponse,
};
use protocol::{ErrorCode, Uuid};

use super::super::classic::Classic;
use super::super::consumer::ConsumerMember;
use super::super::embedded::assignment;
use super::super::member::{Next, TopicNames};
use super::*;

const BEAT: Duration = Duration::from_secs(3);
const AWAY_MAX: Duration = Duration::from_secs(10);

/// A member that is attended, and what it decides by.
struct Play {
    attended: Attended,
    options: GroupOptions,
    now: Instant,
}

impl Play {
    fn of(member: impl FnOnce(Instant) -> Box<dyn Member>) -> Play {
        let options =
            GroupOptions { poll_interval_max: AWAY_MAX, heartbeat_interval: BEAT, ..GroupOptions::new("g") };
        let now = Instant::now();
        Play { attended: Attended::new(member(now)), options, now }
    }

    /// A member of a classic group that has one partition.
    fn classic() -> Play {
        let mut play = Play::of(|now| Box::new(Classic::new(now)));
        play.settles();
        play
    }

    /// A member by the consumer protocol.
    fn consumer() -> Play {
        let mut play = Play::of(|now| Box::new(ConsumerMember::new(Uuid([1; 16]), None, now)));
        assert!(matches!(play.next(), Next::Ask(Ask::ConsumerHeartbeat(_))));
        play.hears(beaten(1));
        play
    }

    fn settles(&mut self) {
        assert!(matches!(self.next(), Next::Ask(Ask::Join(request)) if request.member_id.is_empty()));
        self.hears(Answer::Join(JoinGroupResponse {
            generation_id: 1,
            member_id: "me".to_owned(),
            leader: "other".to_owned(),
            ..JoinGroupResponse::default()
        }));
        assert!(matches!(self.meanwhile(), Meanwhile::Ask(Ask::Sync(_))));
        let share = vec![("t".to_owned(), vec![0])];
        let assignment = assignment("me".to_owned(), share).unwrap().assignment;
        self.hears(Answer::Sync(SyncGroupResponse { assignment, ..SyncGroupResponse::default() }));
        assert!(matches!(self.next(), Next::Take(_)));
        assert!(self.attended.member.took());
    }

    fn next(&mut self) -> Next {
        let view = View { options: &self.options, topics: &["t".to_owned()], regex: None };
        self.attended.member.next(&view, &TopicNames::new(), self.now).unwrap()
    }

    fn meanwhile(&mut self) -> Meanwhile {
        let view = View { options: &self.options, topics: &["t".to_owned()], regex: None };
        self.attended.meanwhile(&view, self.now)
    }

    fn hears(&mut self, answer: Answer) {
        self.attended.hear(Ok(answer), &self.options, self.now, self.now);
    }

    /// A heartbeat of a classic group, and its answer.
    fn beats(&mut self, code: ErrorCode) {
        self.now += BEAT;
        assert!(matches!(self.meanwhile(), Meanwhile::Ask(Ask::Heartbeat(_))));
        let answer = HeartbeatResponse { error_code: code.code(), ..HeartbeatResponse::default() };
        self.hears(Answer::Heartbeat(answer));
    }

    /// Goes to where the caller has been away for too long, and tells how the member leaves.
    fn is_away(&mut self) -> Option<Ask> {
        self.attended.goes(self.now);
        self.now += AWAY_MAX;
        match self.meanwhile() {
            Meanwhile::Leave(farewell) => farewell,
            other => panic!("{other:?}"),
        }
    }
}

fn beaten(member_epoch: i32) -> Answer {
    let heartbeat_interval_ms = crate::cluster::millis(BEAT);
    Answer::ConsumerHeartbeat(ConsumerGroupHeartbeatResponse {
        member_epoch,
        heartbeat_interval_ms,
        ..ConsumerGroupHeartbeatResponse::default()
    })
}

#[test]
fn heartbeats_go_on_until_the_caller_is_away_for_too_long() {
    let mut play = Play::classic();
    let begin = play.now;
    play.attended.goes(begin);
    for _ in 0..3 {
        play.beats(ErrorCode::None);
    }
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(begin + AWAY_MAX)), "the next beat would be too late");
    play.now = begin + AWAY_MAX;
    let leaves = Ask::Leave { group_id: "g".to_owned(), member_id: "me".to_owned() };
    assert_eq!(play.meanwhile(), Meanwhile::Leave(Some(leaves)));
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None), "there is nothing left to do");
}

#[test]
fn who_is_back_after_too_long_has_lost_what_it_had_and_joins_anew() {
    let mut play = Play::classic();
    play.is_away();
    play.attended.comes();
    assert_eq!((play.attended.member.identity(), play.attended.member.is_settled()), (None, false));
    assert_eq!(play.next(), Next::Lose(vec![("t".to_owned(), 0)]));
    play.attended.member.gave_up();
    play.settles();
}

#[test]
fn a_caller_that_is_there_is_never_away_for_too_long() {
    let mut play = Play::classic();
    play.attended.goes(play.now);
    play.attended.comes();
    play.now += AWAY_MAX;
    assert!(matches!(play.meanwhile(), Meanwhile::Ask(Ask::Heartbeat(_))));
    play.options.poll_interval_max = Duration::MAX;
    play.attended.goes(play.now);
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None), "nor is one that may be away for ever");
}

#[test]
fn a_member_with_a_name_of_its_own_falls_silent_and_keeps_its_place_for_its_session() {
    let mut play = Play::classic();
    play.options.instance_id = Some("i".to_owned());
    assert_eq!(play.is_away(), None);
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None));
}

#[test]
fn a_member_by_the_consumer_protocol_leaves_by_its_epoch_and_joins_again_under_its_id() {
    for (instance_id, epoch) in [(None, -1), (Some("i".to_owned()), -2)] {
        let mut play = Play::consumer();
        play.options.instance_id = instance_id;
        let Some(Ask::ConsumerHeartbeat(leaves)) = play.is_away() else { panic!("it does not leave") };
        assert_eq!(leaves.member_epoch, epoch);
        assert_eq!(play.meanwhile(), Meanwhile::Rest(None));
        assert_eq!(play.attended.member.farewell(&play.options), None, "it has left already");
        play.attended.comes();
        let Next::Ask(Ask::ConsumerHeartbeat(joins)) = play.next() else { panic!("it does not join") };
        assert_eq!((joins.member_epoch, &joins.member_id), (0, &leaves.member_id));
        assert_eq!(joins.subscribed_topic_names, Some(vec!["t".to_owned()]));
    }
}

#[test]
fn what_goes_wrong_while_the_caller_is_busy_waits_for_it_and_is_not_tried_again_before() {
    let mut play = Play::classic();
    play.attended.goes(play.now);
    play.beats(ErrorCode::GroupAuthorizationFailed);
    play.now += BEAT;
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(play.now - 2 * BEAT + AWAY_MAX)));
    let code = play.attended.failure().and_then(|error| error.code());
    assert_eq!(code, Some(ErrorCode::GroupAuthorizationFailed));
    assert!(matches!(play.meanwhile(), Meanwhile::Ask(Ask::Heartbeat(_))));
}

#[test]
fn who_is_thrown_out_while_its_caller_is_busy_says_so_at_the_next_call() {
    for code in [ErrorCode::UnknownMemberId, ErrorCode::IllegalGeneration] {
        let mut play = Play::classic();
        play.attended.goes(play.now);
        play.beats(code);
        assert_eq!(play.meanwhile(), Meanwhile::Rest(None));
        play.attended.comes();
        assert!(play.attended.failure().is_none());
        assert_eq!(play.next(), Next::Lose(vec![("t".to_owned(), 0)]));
    }
    let mut play = Play::consumer();
    play.now += BEAT;
    assert!(matches!(play.meanwhile(), Meanwhile::Ask(Ask::ConsumerHeartbeat(_))));
    let fenced = ClientError::refused(ErrorCode::FencedMemberEpoch);
    play.attended.hear(Err(fenced), &play.options, play.now, play.now);
    assert_eq!(play.meanwhile(), Meanwhile::Rest(None));
    assert!(matches!(play.next(), Next::Ask(Ask::ConsumerHeartbeat(joins)) if joins.member_epoch == 0));
}

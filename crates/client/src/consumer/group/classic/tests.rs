use std::time::Duration;

use protocol::messages::join_group_response::JoinGroupResponseMember;

use super::*;

/// A member, and what it decides by.
struct Play {
    member: Classic,
    options: GroupOptions,
    now: Instant,
}

impl Play {
    fn with(assignors: &[Assignor]) -> Play {
        let options = GroupOptions { assignors: assignors.to_vec(), ..GroupOptions::new("g") };
        let now = Instant::now();
        Play { member: Classic::new(now), options, now }
    }

    fn next(&mut self) -> Next {
        let topics = ["t".to_owned()];
        let view = View { options: &self.options, topics: &topics, regex: None };
        self.member.next(&view, &TopicNames::new(), self.now).unwrap()
    }

    fn meanwhile(&mut self) -> Meanwhile {
        let topics = ["t".to_owned()];
        let view = View { options: &self.options, topics: &topics, regex: None };
        self.member.meanwhile(&view, self.now).unwrap()
    }

    /// The heartbeat that is due.
    fn heartbeat(&mut self) -> HeartbeatRequest {
        match self.meanwhile() {
            Meanwhile::Ask(Ask::Heartbeat(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn hears(&mut self, answer: Answer) {
        self.member.answered(answer, &self.options, self.now).unwrap();
    }

    /// The join that it asks for next.
    fn joins(&mut self) -> JoinGroupRequest {
        match self.next() {
            Next::Ask(Ask::Join(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    /// What it tells the others to own when it joins.
    fn told(&mut self) -> Vec<Place> {
        let request = self.joins();
        let metadata = &request.protocols.last().unwrap().metadata;
        heard(Assignor::CooperativeSticky, metadata).unwrap().1.unwrap().places
    }

    fn joined(&mut self, generation_id: i32) {
        self.hears(Answer::Join(JoinGroupResponse {
            generation_id,
            member_id: "me".to_owned(),
            leader: "other".to_owned(),
            protocol_name: Some("range".to_owned()),
            ..JoinGroupResponse::default()
        }));
        assert!(
            matches!(self.meanwhile(), Meanwhile::Ask(Ask::Sync(request)) if request.generation_id == generation_id)
        );
    }

    fn synced(&mut self, partitions: &[i32]) {
        let share = vec![("t".to_owned(), partitions.to_vec())];
        let assignment = assignment("me".to_owned(), share).unwrap().assignment;
        self.hears(Answer::Sync(SyncGroupResponse { assignment, ..SyncGroupResponse::default() }));
    }

    /// Goes all the way to a generation.
    fn settles(&mut self, generation: i32, partitions: &[i32]) {
        self.joins();
        self.joined(generation);
        self.synced(partitions);
        assert_eq!(self.next(), Next::Take(places(partitions)));
        assert!(self.member.took());
    }

    fn beats(&mut self, code: ErrorCode) {
        self.now += self.options.heartbeat_interval;
        self.heartbeat();
        assert_eq!(self.next(), Next::Rest(None), "one question at a time");
        assert_eq!(self.meanwhile(), Meanwhile::Rest(None), "one question at a time");
        self.hears(Answer::Heartbeat(HeartbeatResponse {
            error_code: code.code(),
            ..HeartbeatResponse::default()
        }));
    }
}

fn places(partitions: &[i32]) -> Vec<Place> {
    partitions.iter().map(|partition| ("t".to_owned(), *partition)).collect()
}

#[test]
fn a_new_member_joins_again_with_the_id_that_it_is_given() {
    let mut play = Play::with(&[Assignor::Range]);
    assert_eq!(play.joins().member_id, "");
    play.hears(Answer::Join(JoinGroupResponse {
        error_code: ErrorCode::MemberIdRequired.code(),
        member_id: "me".to_owned(),
        ..JoinGroupResponse::default()
    }));
    assert_eq!(play.joins().member_id, "me");
}

#[test]
fn the_leader_shares_out_what_it_has_counted_but_not_where_shares_stay() {
    let mut play = Play::with(&[Assignor::Range]);
    let metadata = play.joins().protocols[0].metadata.clone();
    let leads = JoinGroupResponse {
        generation_id: 1,
        member_id: "me".to_owned(),
        leader: "me".to_owned(),
        protocol_name: Some("range".to_owned()),
        members: vec![JoinGroupResponseMember {
            member_id: "me".to_owned(),
            metadata,
            ..JoinGroupResponseMember::default()
        }],
        ..JoinGroupResponse::default()
    };
    let stays = JoinGroupResponse { skip_assignment: true, ..leads.clone() };
    play.hears(Answer::Join(leads));
    assert_eq!(play.next(), Next::Rest(None), "nobody needs the caller for that");
    assert_eq!(play.meanwhile(), Meanwhile::Count(vec!["t".to_owned()]));
    play.member.counted(&Counts::from([("t".to_owned(), 2)])).unwrap();
    let Meanwhile::Ask(Ask::Sync(request)) = play.meanwhile() else { panic!("no sync") };
    assert_eq!(assigned_places(&request.assignments[0].assignment).unwrap(), places(&[0, 1]));
    play.hears(Answer::Join(stays));
    assert!(matches!(play.meanwhile(), Meanwhile::Ask(Ask::Sync(request)) if request.assignments.is_empty()));
}

#[test]
fn an_eager_member_gives_everything_up_before_it_joins_again() {
    for assignors in [&[Assignor::Range][..], &[Assignor::Range, Assignor::CooperativeSticky]] {
        let mut play = Play::with(assignors);
        play.settles(1, &[0, 1]);
        play.beats(ErrorCode::RebalanceInProgress);
        assert_eq!(play.next(), Next::GiveUp(places(&[0, 1])));
        play.member.gave_up();
        assert!(play.told().is_empty());
        play.joined(2);
        play.synced(&[1]);
        assert_eq!(play.next(), Next::Take(places(&[1])));
    }
}

#[test]
fn a_cooperative_member_keeps_what_it_has_and_gives_up_only_what_moves() {
    let mut play = Play::with(&[Assignor::CooperativeSticky]);
    play.settles(1, &[0, 1, 2]);
    play.beats(ErrorCode::RebalanceInProgress);
    assert_eq!(play.told(), places(&[0, 1, 2]));
    play.joined(2);
    play.synced(&[0, 1]);
    assert_eq!(play.next(), Next::GiveUp(places(&[2])));
    assert_eq!(play.member.identity().map(|me| me.epoch), Some(2), "so that the last commit counts");
    play.member.gave_up();
    assert_eq!(play.next(), Next::Take(Vec::new()));
    assert!(play.member.took());
    assert_eq!(play.told(), places(&[0, 1]), "it joins again, for the others to get the rest");
    play.joined(3);
    play.synced(&[0, 1]);
    assert_eq!(play.next(), Next::Take(Vec::new()));
    assert!(play.member.took());
    assert_eq!(play.next(), Next::Rest(None));
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(play.now + play.options.heartbeat_interval)));
}

#[test]
fn a_step_that_was_not_finished_comes_again() {
    let mut play = Play::with(&[Assignor::CooperativeSticky]);
    play.settles(1, &[0, 1]);
    play.member.wants_others();
    play.joins();
    play.joined(2);
    play.synced(&[0]);
    assert_eq!(play.next(), Next::GiveUp(places(&[1])));
    assert_eq!(play.next(), Next::GiveUp(places(&[1])));
    play.member.gave_up();
    assert_eq!((play.next(), play.next()), (Next::Take(Vec::new()), Next::Take(Vec::new())));
}

#[test]
fn a_member_that_is_out_loses_what_it_had_and_joins_anew() {
    for (code, id) in [(ErrorCode::UnknownMemberId, ""), (ErrorCode::IllegalGeneration, "me")] {
        let mut play = Play::with(&[Assignor::CooperativeSticky]);
        play.settles(1, &[0]);
        play.beats(code);
        assert_eq!(play.next(), Next::Lose(places(&[0])));
        play.member.gave_up();
        let request = play.joins();
        assert_eq!((request.member_id.as_str(), play.member.identity()), (id, None));
    }
}

#[test]
fn what_failed_is_tried_again_after_a_while_and_membership_outlives_a_broken_connection() {
    let mut play = Play::with(&[Assignor::Range]);
    play.joins();
    let again = play.now + Duration::from_millis(100);
    let lost = || ClientError::Disconnected("b:1".to_owned());
    play.member.failed(lost(), again).unwrap();
    assert_eq!(play.next(), Next::Rest(Some(again)));
    play.now = again;
    play.settles(1, &[0]);
    play.now += play.options.heartbeat_interval;
    play.heartbeat();
    let again = play.now + Duration::from_millis(100);
    play.member.failed(lost(), again).unwrap();
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(again)), "it is a member still");
    let refused = ClientError::refused(ErrorCode::GroupAuthorizationFailed);
    assert!(play.member.failed(refused, again).is_err());
}

#[test]
fn only_a_member_without_a_name_of_its_own_leaves() {
    let mut play = Play::with(&[Assignor::Range]);
    assert_eq!(play.member.farewell(&play.options), None, "there is nothing to leave yet");
    play.settles(1, &[0]);
    let leaves = Ask::Leave { group_id: "g".to_owned(), member_id: "me".to_owned() };
    assert_eq!(play.member.farewell(&play.options), Some(leaves));
    play.options.instance_id = Some("i".to_owned());
    assert_eq!(play.member.farewell(&play.options), None);
}

#[test]
fn a_member_whose_caller_is_busy_waits_for_it_with_heartbeats_and_then_joins_again() {
    let mut play = Play::with(&[Assignor::Range]);
    play.settles(1, &[0]);
    for _ in 0..3 {
        play.beats(ErrorCode::RebalanceInProgress);
        let due = play.now + play.options.heartbeat_interval;
        assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(due)));
    }
    assert_eq!(play.next(), Next::GiveUp(places(&[0])), "the answer is not forgotten");
}

#[test]
fn a_member_goes_on_with_a_rebalance_while_its_caller_is_busy_and_shows_that_it_lives() {
    let mut play = Play::with(&[Assignor::CooperativeSticky]);
    play.joins();
    play.joined(1);
    play.synced(&[0]);
    assert_eq!(play.meanwhile(), Meanwhile::Rest(Some(play.now + play.options.heartbeat_interval)));
    play.beats(ErrorCode::None);
    assert_eq!(play.next(), Next::Take(places(&[0])));
}

#[test]
fn what_is_lost_while_it_is_taken_or_given_up_is_not_had() {
    let mut play = Play::with(&[Assignor::CooperativeSticky]);
    play.settles(1, &[0, 1]);
    play.member.wants_others();
    play.joins();
    play.joined(2);
    play.synced(&[0, 2]);
    assert_eq!(play.next(), Next::GiveUp(places(&[1])));
    play.beats(ErrorCode::UnknownMemberId);
    play.member.gave_up();
    assert_eq!(play.next(), Next::Lose(places(&[0])), "the rest is lost");
    play.member.gave_up();
    play.settles(3, &[5]);
    play.member.wants_others();
    play.joins();
    play.joined(4);
    play.synced(&[5, 6]);
    assert_eq!(play.next(), Next::Take(places(&[6])));
    play.beats(ErrorCode::IllegalGeneration);
    assert!(!play.member.took(), "others may have it by now");
    assert_eq!(play.next(), Next::Lose(places(&[5])));
}

#[test]
fn a_commit_that_is_rejected_does_not_stand_for_the_heartbeat_that_is_under_way() {
    let mut play = Play::with(&[Assignor::Range]);
    play.settles(1, &[0]);
    play.now += play.options.heartbeat_interval;
    play.heartbeat();
    play.member.rejected(ClientError::refused(ErrorCode::RebalanceInProgress)).unwrap();
    assert_eq!(play.next(), Next::Rest(None), "its answer comes first");
}

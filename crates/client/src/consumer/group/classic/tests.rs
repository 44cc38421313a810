use std::time::Duration;

use protocol::messages::HeartbeatResponse;
use protocol::messages::join_group_response::JoinGroupResponseMember;

use super::super::member::TopicNames;
use super::*;

/// A member, and what it decides by.
struct Play {
    member: Classic,
    options: GroupOptions,
    names: TopicNames,
    now: Instant,
}

impl Play {
    fn with(assignors: &[Assignor]) -> Play {
        let options = GroupOptions { assignors: assignors.to_vec(), ..GroupOptions::new("g") };
        let now = Instant::now();
        Play { member: Classic::new(now), options, names: TopicNames::new(), now }
    }

    fn next(&mut self) -> Next {
        let topics = ["t".to_owned()];
        let view = View { options: &self.options, topics: &topics, regex: None, names: &self.names };
        self.member.next(&view, self.now).unwrap()
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
            matches!(self.next(), Next::Ask(Ask::Sync(request)) if request.generation_id == generation_id)
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
        self.member.took(&self.options, self.now);
    }

    fn beats(&mut self, code: ErrorCode) {
        self.now += self.options.heartbeat_interval;
        assert!(matches!(self.next(), Next::Ask(Ask::Heartbeat(_))));
        assert_eq!(self.next(), Next::Rest(None), "one question at a time");
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
    assert_eq!(play.next(), Next::Count(vec!["t".to_owned()]));
    play.member.counted(&Counts::from([("t".to_owned(), 2)])).unwrap();
    let Next::Ask(Ask::Sync(request)) = play.next() else { panic!("no sync") };
    assert_eq!(assigned_places(&request.assignments[0].assignment).unwrap(), places(&[0, 1]));
    play.hears(Answer::Join(stays));
    assert!(matches!(play.next(), Next::Ask(Ask::Sync(request)) if request.assignments.is_empty()));
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
    assert_eq!(play.member.identity().epoch, 2, "so that the last commit counts");
    play.member.gave_up();
    assert_eq!(play.next(), Next::Take(Vec::new()));
    play.member.took(&play.options, play.now);
    assert_eq!(play.told(), places(&[0, 1]), "it joins again, for the others to get the rest");
    play.joined(3);
    play.synced(&[0, 1]);
    assert_eq!(play.next(), Next::Take(Vec::new()));
    play.member.took(&play.options, play.now);
    assert_eq!(play.next(), Next::Rest(Some(play.now + play.options.heartbeat_interval)));
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
        assert_eq!((request.member_id.as_str(), play.member.identity().epoch), (id, -1));
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
    assert!(matches!(play.next(), Next::Ask(Ask::Heartbeat(_))));
    let again = play.now + Duration::from_millis(100);
    play.member.failed(lost(), again).unwrap();
    assert_eq!(play.next(), Next::Rest(Some(again)), "it is a member still");
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

//! Members of one classic group, each on a connection: how long they take to join, and to join again.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::arguments::Arguments;
use crate::wire::{
    FIND_COORDINATOR, Fields, HEARTBEAT, JOIN_GROUP, Reading, SYNC_GROUP, ask, connect, receive, request,
};

const GROUP: &str = "joined";
const SESSION_MS: i32 = 30_000;
const UNKNOWN_MEMBER_ID: i16 = 25;
const MEMBER_ID_REQUIRED: i16 = 79;
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// A member, on its connection.
struct Member {
    stream: TcpStream,
    id: String,
}

/// What the members agreed on.
struct Generation {
    number: i32,
    leader: String,
    /// All members, as the leader is told.
    members: Vec<String>,
}

/// Has `members` join, `rounds` times again, and leaves them there. `delay` is the broker's initial delay in milliseconds, which is
/// not part of the time to join.
pub fn join(arguments: &Arguments) -> Result<String, Failure> {
    let (count, rounds): (usize, u32) = (arguments.number("members")?, arguments.number("rounds")?);
    let delay_ms: i32 = arguments.number("delay")?;
    let bootstrap = arguments.text("bootstrap")?;
    wait_for_coordinator(bootstrap)?;
    let streams = (0..count).map(|_| connect(bootstrap)).collect::<Result<Vec<TcpStream>, Failure>>()?;
    let mut members: Vec<Member> =
        streams.into_iter().map(|stream| Member { stream, id: String::new() }).collect();
    let begin = Instant::now();
    members.iter_mut().try_for_each(|member| member.get_id(delay_ms))?;
    rebalance(&mut members, delay_ms, 0)?;
    let joined = begin.elapsed().saturating_sub(Duration::from_millis(delay_ms.unsigned_abs().into()));
    let mut again = Vec::new();
    for round in 1..=rounds {
        let begin = Instant::now();
        rebalance(&mut members, SESSION_MS, round)?;
        again.push(begin.elapsed());
    }
    again.sort_unstable();
    let median = again.get(again.len() / 2).copied().unwrap_or_default();
    Ok(format!(
        r#"{{"joined_seconds": {:.5}, "rejoined_seconds": {:.5}}}"#,
        joined.as_secs_f64(),
        median.as_secs_f64()
    ))
}

/// The first request has the broker make the topic of the offsets.
fn wait_for_coordinator(bootstrap: &str) -> Result<(), Failure> {
    let mut stream = connect(bootstrap)?;
    let wanted = request(FIND_COORDINATOR, 0, &Fields::default().string(GROUP).done());
    let heard = |answer: Vec<u8>, at| Reading::of(&answer, at).i16();
    // Only a coordinator that has loaded its groups knows who is in none of them.
    let stranger = request(HEARTBEAT, 0, &Fields::default().string(GROUP).i32(0).string("nobody").done());
    let begin = Instant::now();
    while heard(ask(&mut stream, &wanted)?, 4)? != 0
        || heard(ask(&mut stream, &stranger)?, 4)? != UNKNOWN_MEMBER_ID
    {
        if begin.elapsed() > PATIENCE {
            return Err("there is no coordinator".into());
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// JoinGroup version 5. Other metadata in each round is what makes the coordinator rebalance.
fn join_request(member_id: &str, session_ms: i32, rebalance_ms: i32, round: u32) -> Vec<u8> {
    let member = Fields::default().string(GROUP).i32(session_ms).i32(rebalance_ms).string(member_id).i16(-1);
    let protocol = member.string("bench").i32(1).string("only").bytes(&round.to_be_bytes());
    request(JOIN_GROUP, 5, &protocol.done())
}

/// Every member joins and asks for its share, which the leader hands out.
fn rebalance(members: &mut [Member], rebalance_ms: i32, round: u32) -> Result<(), Failure> {
    for member in &mut *members {
        let join = join_request(&member.id, SESSION_MS, rebalance_ms, round);
        member.stream.write_all(&join)?;
    }
    let mut leader = None;
    for member in &mut *members {
        let generation = member.joined()?;
        leader = leader.or((generation.leader == member.id).then_some(generation));
    }
    let generation = leader.ok_or("nobody leads")?;
    if generation.members.len() != members.len() {
        return Err(
            format!("{} of {} members are in the group", generation.members.len(), members.len()).into()
        );
    }
    for member in &mut *members {
        let sync = member.sync_request(&generation);
        member.stream.write_all(&sync)?;
    }
    members.iter_mut().try_for_each(Member::synced)
}

impl Member {
    fn get_id(&mut self, rebalance_ms: i32) -> Result<(), Failure> {
        let answer = ask(&mut self.stream, &join_request("", SESSION_MS, rebalance_ms, 0))?;
        let mut reading = Reading::of(&answer, 8);
        match reading.i16()? {
            MEMBER_ID_REQUIRED => {
                reading.skip(4)?;
                reading.string()?;
                reading.string()?;
                self.id = reading.string()?;
                Ok(())
            }
            error => Err(format!("a new member was told {error}").into()),
        }
    }

    fn joined(&mut self) -> Result<Generation, Failure> {
        let answer = receive(&mut self.stream)?;
        let mut reading = Reading::of(&answer, 8);
        match reading.i16()? {
            0 => {}
            error => return Err(format!("a member that joined was told {error}").into()),
        }
        let number = reading.i32()?;
        reading.string()?;
        let leader = reading.string()?;
        reading.string()?;
        let mut members = Vec::new();
        for _ in 0..reading.i32()? {
            members.push(reading.string()?);
            reading.skip(2)?;
            let metadata = reading.i32()?;
            reading.skip(metadata as usize)?;
        }
        Ok(Generation { number, leader, members })
    }

    /// SyncGroup version 3.
    fn sync_request(&self, generation: &Generation) -> Vec<u8> {
        let head = Fields::default().string(GROUP).i32(generation.number).string(&self.id).i16(-1);
        let shares: &[String] = if self.id == generation.leader { &generation.members } else { &[] };
        let head = head.i32(shares.len() as i32);
        let body = shares.iter().fold(head, |fields, id| fields.string(id).bytes(id.as_bytes()));
        request(SYNC_GROUP, 3, &body.done())
    }

    fn synced(&mut self) -> Result<(), Failure> {
        match Reading::of(&receive(&mut self.stream)?, 8).i16()? {
            0 => Ok(()),
            error => Err(format!("a member that asked for its share was told {error}").into()),
        }
    }
}

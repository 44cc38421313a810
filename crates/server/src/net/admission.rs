//! Who may connect: how many at once, from one address, and how fast. Pure; times are those of a clock that never goes back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::seat::Seat;

/// Bounds of connections (KIP-402, KIP-612).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// `max.connections`, of all listeners but those of controllers together.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub per_address_max: usize,
    /// `max.connections.per.ip.overrides`.
    pub per_address_overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate`: new connections a second, of all listeners of clients together.
    pub rate_max: u32,
    /// The same for each listener alone, by its place.
    pub listeners: Vec<ListenerLimits>,
}

/// Bounds of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// `listener.name.X.max.connections`.
    pub connections_max: usize,
    /// `listener.name.X.max.connection.creation.rate`.
    pub rate_max: u32,
    /// Whom it is for.
    pub role: Role,
}

/// Whom a listener is for. Brokers and controllers are not to be kept out by clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The common bounds are its own.
    Clients,
    /// Other brokers. Where there are too many connections with theirs, those of clients that were not used for the longest time go.
    Brokers,
    /// Controllers, whose connections are not among the others.
    Controllers,
}

impl ListenerLimits {
    /// No bounds.
    pub const NONE: ListenerLimits =
        ListenerLimits { connections_max: usize::MAX, rate_max: u32::MAX, role: Role::Clients };
}

impl ConnectionLimits {
    /// No bounds.
    pub fn none() -> ConnectionLimits {
        ConnectionLimits {
            connections_max: usize::MAX,
            per_address_max: usize::MAX,
            per_address_overrides: HashMap::new(),
            rate_max: u32::MAX,
            listeners: Vec::new(),
        }
    }

    fn listener(&self, place: usize) -> ListenerLimits {
        self.listeners.get(place).copied().unwrap_or(ListenerLimits::NONE)
    }

    fn of_address(&self, address: IpAddr) -> usize {
        self.per_address_overrides.get(&address).copied().unwrap_or(self.per_address_max)
    }
}

/// The connections that there are, and whether there may be more.
#[derive(Debug)]
pub(super) struct Admission {
    limits: ConnectionLimits,
    /// Those of clients and brokers.
    total: usize,
    /// Those of clients that are not asked to end, by their ids.
    seats: HashMap<u64, Arc<Seat>>,
    /// How many of clients are asked to end, and have not yet.
    claimed: usize,
    by_listener: HashMap<usize, usize>,
    by_address: HashMap<IpAddr, usize>,
    rate: Bucket,
    listener_rates: HashMap<usize, Bucket>,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is served, after so long.
    Serve(Duration),
    /// There are as many as may be: it waits until there is room.
    Wait,
    /// Its address has too many already.
    Refuse,
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits) -> Admission {
        Admission {
            limits,
            total: 0,
            seats: HashMap::new(),
            claimed: 0,
            by_listener: HashMap::new(),
            by_address: HashMap::new(),
            rate: Bucket::default(),
            listener_rates: HashMap::new(),
        }
    }

    /// From now on these bounds hold. Of the connections that are there, [some may have to go](Admission::make_room).
    pub(super) fn set_limits(&mut self, limits: ConnectionLimits) {
        self.limits = limits;
    }

    /// Whether a listener may accept one more.
    pub(super) fn has_room(&self, listener: usize) -> bool {
        let limits = self.limits.listener(listener);
        let open = self.by_listener.get(&listener).copied().unwrap_or(0);
        let is_client = limits.role == Role::Clients;
        open < limits.connections_max && (!is_client || self.total < self.limits.connections_max)
    }

    /// Takes in a connection, or refuses it. Whoever is taken in is to be [seated](Admission::seat) and [let go](Admission::leave).
    pub(super) fn enter(&mut self, listener: usize, address: IpAddr, now: Duration) -> Verdict {
        if !self.has_room(listener) {
            return Verdict::Wait;
        }
        let limits = self.limits.listener(listener);
        let wait = self.listener_rates.entry(listener).or_default().take(limits.rate_max, now);
        let common = match limits.role {
            Role::Clients => self.rate.take(self.limits.rate_max, now),
            Role::Brokers | Role::Controllers => Duration::ZERO,
        };
        let allowed = self.limits.of_address(address);
        let of_address = self.by_address.entry(address).or_default();
        if *of_address >= allowed {
            if *of_address == 0 {
                self.by_address.remove(&address);
            }
            return Verdict::Refuse;
        }
        *of_address += 1;
        *self.by_listener.entry(listener).or_default() += 1;
        self.total += usize::from(limits.role != Role::Controllers);
        Verdict::Serve(wait.max(common))
    }

    /// By this a connection is told to make room for another, if it is a client's.
    pub(super) fn seat(&mut self, listener: usize, id: u64, seat: &Arc<Seat>) {
        if self.limits.listener(listener).role == Role::Clients {
            self.seats.insert(id, Arc::clone(seat));
        }
    }

    /// Asks as many clients' connections to end as there are too many, those first that were not used for the longest time
    /// (KIP-402).
    pub(super) fn make_room(&mut self) {
        let excess = (self.total - self.claimed.min(self.total)).saturating_sub(self.limits.connections_max);
        if excess == 0 {
            return;
        }
        let mut by_use: Vec<(u64, u64)> = self.seats.iter().map(|(id, seat)| (seat.used_us(), *id)).collect();
        by_use.sort_unstable();
        for (_, id) in by_use.into_iter().take(excess) {
            if let Some(seat) = self.seats.remove(&id) {
                seat.claim();
                self.claimed += 1;
            }
        }
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, listener: usize, address: IpAddr, id: u64) {
        let role = self.limits.listener(listener).role;
        self.total -= usize::from(role != Role::Controllers).min(self.total);
        if role == Role::Clients && self.seats.remove(&id).is_none() {
            self.claimed = self.claimed.saturating_sub(1);
        }
        if let Some(open) = self.by_listener.get_mut(&listener) {
            *open = open.saturating_sub(1);
        }
        if let Some(open) = self.by_address.get_mut(&address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// Tokens that come at a rate; a second's worth may be saved up. Who finds none takes one of those to come, and waits for it.
#[derive(Debug, Default)]
struct Bucket {
    tokens: f64,
    since: Option<Duration>,
}

impl Bucket {
    /// Takes one, and says how long it takes until it is there.
    fn take(&mut self, rate: u32, now: Duration) -> Duration {
        let rate = f64::from(rate.max(1));
        let come = match self.since {
            Some(since) => now.saturating_sub(since).as_secs_f64() * rate,
            None => rate,
        };
        self.tokens = (self.tokens + come).min(rate) - 1.0;
        self.since = Some(now);
        Duration::from_secs_f64((-self.tokens / rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::time::Instant;

    use super::*;

    const BROKERS: usize = 1;
    const CONTROLLERS: usize = 2;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn admission(change: impl FnOnce(&mut ConnectionLimits)) -> Admission {
        let mut limits =
            ConnectionLimits { listeners: vec![ListenerLimits::NONE; 2], ..ConnectionLimits::none() };
        change(&mut limits);
        Admission::new(limits)
    }

    fn enter(admission: &mut Admission, listener: usize, last: u8) -> Verdict {
        admission.enter(listener, address(last), Duration::ZERO)
    }

    /// A connection from address `last`, used `used_ms` after the start, with the same number as its id.
    fn sit(admission: &mut Admission, listener: usize, last: u8, used_ms: u64) -> Arc<Seat> {
        assert_eq!(enter(admission, listener, last), AT_ONCE);
        let since = Instant::now();
        let seat = Arc::new(Seat::new(since, since + Duration::from_millis(used_ms)));
        admission.seat(listener, u64::from(last), &seat);
        admission.make_room();
        seat
    }

    fn leave(admission: &mut Admission, listener: usize, last: u8) {
        admission.leave(listener, address(last), u64::from(last));
    }

    fn is_claimed(seat: &Seat) -> bool {
        seat.poll_claimed(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    const AT_ONCE: Verdict = Verdict::Serve(Duration::ZERO);

    #[test]
    fn an_address_has_so_many_and_another_its_own_number() {
        let mut admission = admission(|limits| {
            limits.per_address_max = 2;
            limits.per_address_overrides = HashMap::from([(address(9), 1), (address(8), 0)]);
        });
        let found: Vec<Verdict> =
            [1, 1, 1, 2, 9, 9, 8].map(|last| enter(&mut admission, 0, last)).into_iter().collect();
        let refused = Verdict::Refuse;
        assert_eq!(found, [AT_ONCE, AT_ONCE, refused, AT_ONCE, AT_ONCE, refused, refused]);
        leave(&mut admission, 0, 1);
        assert_eq!(enter(&mut admission, 0, 1), AT_ONCE);
    }

    /// Room for two connections, and a listener for each role.
    fn room_for_two() -> Admission {
        admission(|limits| {
            limits.connections_max = 2;
            limits.listeners[BROKERS] =
                ListenerLimits { connections_max: 2, role: Role::Brokers, ..ListenerLimits::NONE };
            limits.listeners.push(ListenerLimits { role: Role::Controllers, ..ListenerLimits::NONE });
        })
    }

    #[test]
    fn brokers_take_the_places_of_the_clients_that_were_silent_for_the_longest_time() {
        let mut admission = room_for_two();
        let (late, early) = (sit(&mut admission, 0, 1, 500), sit(&mut admission, 0, 2, 100));
        assert_eq!(enter(&mut admission, 0, 3), Verdict::Wait);
        sit(&mut admission, BROKERS, 4, 0);
        assert!(is_claimed(&early) && !is_claimed(&late));
        leave(&mut admission, 0, 2);
        assert_eq!(enter(&mut admission, 0, 3), Verdict::Wait);
        sit(&mut admission, BROKERS, 5, 0);
        assert!(is_claimed(&late));
        // Its own bound holds.
        assert_eq!(enter(&mut admission, BROKERS, 6), Verdict::Wait);
    }

    #[test]
    fn connections_of_controllers_take_nobodys_place() {
        let mut admission = room_for_two();
        let clients = [1, 2].map(|last| sit(&mut admission, 0, last, 0));
        (3..9).for_each(|last| drop(sit(&mut admission, CONTROLLERS, last, 0)));
        assert!(!clients.iter().any(|seat| is_claimed(seat)));
    }

    #[test]
    fn a_listener_may_have_fewer_than_all_together() {
        let mut admission = admission(|limits| limits.listeners[0].connections_max = 1);
        enter(&mut admission, 0, 1);
        assert!(!admission.has_room(0) && admission.has_room(1));
    }

    #[test]
    fn who_comes_too_fast_waits_for_his_turn() {
        let mut admission = admission(|limits| limits.rate_max = 10);
        let waits: Vec<Verdict> = (0..12).map(|_| enter(&mut admission, 0, 1)).collect();
        assert!(waits[..10].iter().all(|wait| *wait == AT_ONCE));
        let after = |millis| Verdict::Serve(Duration::from_millis(millis));
        assert_eq!(waits[10..], [after(100), after(200)]);
        assert_eq!(admission.enter(0, address(1), Duration::from_millis(300)), AT_ONCE);
    }

    #[test]
    fn those_who_are_gone_leave_nothing_behind() {
        let mut admission = admission(|_| {});
        for last in 0..200 {
            sit(&mut admission, 0, last, 0);
            leave(&mut admission, 0, last);
        }
        assert!(admission.by_address.is_empty() && admission.seats.is_empty());
        assert_eq!((admission.total, admission.claimed), (0, 0));
    }

    #[test]
    fn bounds_may_change_while_connections_are_there() {
        let mut admission = admission(|_| {});
        let seats: Vec<Arc<Seat>> =
            (0..5).map(|last| sit(&mut admission, 0, last, u64::from(last))).collect();
        admission.set_limits(ConnectionLimits { connections_max: 3, ..admission.limits.clone() });
        for _ in 0..2 {
            // Once is enough.
            admission.make_room();
            let claimed: Vec<bool> = seats.iter().map(|seat| is_claimed(seat)).collect();
            assert_eq!(claimed, [true, true, false, false, false]);
        }
        (0..3).for_each(|last| leave(&mut admission, 0, last));
        assert!(admission.has_room(0));
        assert_eq!(admission.claimed, 0);
    }
}

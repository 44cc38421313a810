//! One connection: frames in, requests started in order, responses out in the same order.
//!
//! A single small task drives it. Nothing is held while it is idle: what is read first goes to a buffer that the thread's
//! connections share, and futures exist only for requests that are under way.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tracing::debug;

use super::budget::{Budget, Charge, Place};
use super::frame::{Cutter, Frame, FrameError};
use super::outbox::Outbox;
use super::response::Notes;
use super::seat::Seat;
use super::service::{CloseReason, Done, Hindrance, Peer, Pending, Service, Started};
use super::stream::Stream;
use super::timing::{Finish, Timing, Unsent};

/// What is read at once where no large frame is under way.
const SCRATCH_BYTES: usize = 16 * 1024;
/// Requests of one connection that may be under way.
const IN_FLIGHT_MAX: usize = 64;
/// Bytes of responses that may wait for a slow reader before its next request is started.
const UNSENT_BYTES_MAX: usize = 1024 * 1024;
/// A frame that has begun and does not grow for so long ends its connection.
const STALL: Duration = Duration::from_secs(60);
/// A client that takes nothing of its answers for so long is not waited for when the broker stops.
const STOP_STALL: Duration = Duration::from_millis(500);
/// Rounds before other tasks of the thread get their turn.
const ROUNDS_MAX: usize = 32;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// Bounds of a connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `socket.request.max.bytes`
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`
    pub idle_max: Duration,
    /// `queued.max.request.bytes`, shared by all connections.
    pub bytes: Arc<Budget>,
    /// `queued.max.requests`: those at work, shared by all connections.
    pub requests: Arc<Budget>,
}

/// Why a connection ended, other than by the client's wish.
#[derive(Debug, Error)]
enum Ended {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Stream(#[from] io::Error),
    #[error("{0}")]
    Request(CloseReason),
    #[error("idle for too long")]
    Idle,
    #[error("another needs its place")]
    Claimed,
}

/// A request that was started.
enum InFlight {
    Done(Done),
    Settling(Pending),
    Working(Pending),
}

struct Request<T> {
    state: InFlight,
    ticket: T,
    timing: Timing,
    /// Held until the answer is known, by a request that is at work.
    work: Option<Charge>,
    /// Held until the answer is handed over to be sent, unless the request waits for others.
    _bytes: Option<Charge>,
}

struct Connection<S: Service> {
    stream: Stream,
    service: Arc<S>,
    peer: Arc<Peer>,
    seat: Arc<Seat>,
    limits: Arc<Limits>,
    cutter: Cutter,
    frames: VecDeque<Frame>,
    requests: VecDeque<Request<S::Ticket>>,
    outbox: Outbox,
    unsent: VecDeque<Unsent<S::Ticket>>,
    /// Where this connection waits for room: for bytes, and for requests.
    places: [Place; 2],
    read_closed: bool,
    /// Once the connection is stopping, also when something was sent.
    last_read: Instant,
    idle: Pin<Box<Sleep>>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    stopping: bool,
}

/// Drives a connection to its end. It ends early, with what is under way answered, when `stop` becomes true.
pub(super) async fn run<S: Service>(
    stream: Stream,
    service: Arc<S>,
    peer: Arc<Peer>,
    seat: Arc<Seat>,
    limits: Arc<Limits>,
    stop: watch::Receiver<bool>,
) {
    service.opened(&peer);
    let mut connection = Connection::new(stream, service, peer, seat, limits, stop);
    if let Err(ended) = std::future::poll_fn(|cx| connection.poll(cx)).await {
        connection.log(&ended);
    }
    connection.service.closed(&connection.peer);
}

impl<S: Service> Connection<S> {
    fn new(
        stream: Stream,
        service: Arc<S>,
        peer: Arc<Peer>,
        seat: Arc<Seat>,
        limits: Arc<Limits>,
        mut stop: watch::Receiver<bool>,
    ) -> Connection<S> {
        Connection {
            stream,
            service,
            peer,
            seat,
            cutter: Cutter::new(Arc::clone(&limits.bytes), limits.request_bytes_max),
            frames: VecDeque::new(),
            requests: VecDeque::new(),
            outbox: Outbox::default(),
            unsent: VecDeque::new(),
            places: Default::default(),
            read_closed: false,
            last_read: Instant::now(),
            idle: Box::pin(tokio::time::sleep(limits.idle_max)),
            // A sender that is gone means the same.
            stop: Box::pin(async move { drop(stop.wait_for(|stop| *stop).await) }),
            stopping: false,
            limits,
        }
    }

    fn log(&self, ended: &Ended) {
        let peer = self.peer.address;
        match ended {
            Ended::Stream(error) => debug!(%peer, %error, "connection lost"),
            Ended::Idle => debug!(%peer, "closing an idle connection"),
            Ended::Claimed => self.service.hindered(self.peer.listener, Some(peer), &Hindrance::Claimed),
            Ended::Frame(_) | Ended::Request(_) => {
                tracing::warn!(%peer, reason = %ended, "closing a connection")
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        if self.seat.poll_claimed(cx).is_ready() {
            return Poll::Ready(Err(Ended::Claimed));
        }
        for _ in 0..ROUNDS_MAX {
            let mut progress = self.poll_requests(cx)?;
            progress |= self.start_requests();
            progress |= self.poll_send(cx)?;
            if self.is_over() {
                return self.stream.poll_shutdown(cx).map_err(Ended::Stream);
            }
            progress |= self.poll_stop(cx) | self.poll_read(cx)?;
            if !progress {
                return self.poll_idle(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        let nothing_more = self.read_closed || self.stopping;
        nothing_more && self.frames.is_empty() && self.requests.is_empty() && self.outbox.is_empty()
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.stopping && self.stop.as_mut().poll(cx).is_ready() {
            self.stopping = true;
            self.last_read = Instant::now();
            self.frames.clear();
            return true;
        }
        false
    }

    /// Starts what may be started. A request that is working holds up those behind it, one that is settling does not.
    fn start_requests(&mut self) -> bool {
        let mut progress = false;
        while self.requests.len() < IN_FLIGHT_MAX
            && self.outbox.len() < UNSENT_BYTES_MAX
            && !matches!(self.requests.back(), Some(Request { state: InFlight::Working(_), .. }))
            && let Some(frame) = self.frames.pop_front()
        {
            let begun = Instant::now();
            let (ticket, started) = self.service.start(&self.peer, frame.bytes);
            let work = matches!(started, Started::Working(_)).then(|| Charge::of(&self.limits.requests, 1));
            let bytes = (!matches!(started, Started::Waiting(_))).then_some(frame.charge);
            let state = match started {
                Started::Done(done) => InFlight::Done(done),
                Started::Settling(pending) => InFlight::Settling(pending),
                Started::Working(pending) | Started::Waiting(pending) => InFlight::Working(pending),
            };
            // All that waits came with the last read.
            let timing = Timing::started(self.last_read, begun, Instant::now());
            self.requests.push_back(Request { state, ticket, timing, work, _bytes: bytes });
            progress = true;
        }
        progress
    }

    /// Polls the first request, whose response is the next to be sent, and the last, which may be holding up others.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        let mut progress = false;
        if self.requests.len() > 1
            && let Some(last) = self.requests.back_mut()
        {
            progress |= last.poll(cx) && matches!(last.state, InFlight::Done(_));
        }
        while self.requests.front_mut().is_some_and(|first| first.poll(cx)) {
            let Some(Request { state: InFlight::Done(done), ticket, timing, .. }) = self.requests.pop_front()
            else {
                break;
            };
            self.answer(done, ticket, timing)?;
            progress = true;
        }
        if self.requests.is_empty() && self.requests.capacity() > 0 && self.frames.is_empty() {
            self.requests = VecDeque::new();
        }
        Ok(progress)
    }

    fn answer(&mut self, done: Done, ticket: S::Ticket, mut timing: Timing) -> Result<(), Ended> {
        timing.turn = Instant::now();
        match done {
            Done::Answer(mut response) => {
                let notes = std::mem::take(&mut response.notes);
                let bytes = response.len();
                self.outbox.push(response);
                self.unsent.push_back(Unsent { ticket, timing, notes, bytes, end: self.outbox.added() });
            }
            Done::Silent => {
                timing.sent = timing.turn;
                let finish = Finish { timing, notes: Notes::default(), response_bytes: 0 };
                self.service.finished(&self.peer, ticket, &finish);
            }
            Done::Close(reason) => return Err(Ended::Request(reason)),
        }
        Ok(())
    }

    /// Tells of the answers that have left.
    fn finish_sent(&mut self) {
        let sent = self.outbox.sent();
        if self.unsent.front().is_none_or(|first| first.end > sent) {
            return;
        }
        let now = Instant::now();
        self.seat.used(now);
        while let Some(Unsent { ticket, mut timing, notes, bytes, .. }) =
            self.unsent.pop_front_if(|first| first.end <= sent)
        {
            timing.sent = now;
            let finish = Finish { timing, notes, response_bytes: bytes };
            self.service.finished(&self.peer, ticket, &finish);
        }
        if self.unsent.is_empty() {
            self.unsent = VecDeque::new();
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        if self.outbox.is_empty() {
            return Ok(false);
        }
        let before = self.outbox.sent();
        let sent = self.outbox.poll_send(&mut self.stream, cx);
        if self.stopping && self.outbox.sent() > before {
            self.last_read = Instant::now();
        }
        self.finish_sent();
        match sent {
            Poll::Ready(sent) => sent.map(|()| true).map_err(Ended::Stream),
            Poll::Pending => Ok(false),
        }
    }

    /// Reads on unless enough is waiting already.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        if self.read_closed
            || self.stopping
            || !self.frames.is_empty()
            || self.requests.len() >= IN_FLIGHT_MAX
        {
            return Ok(false);
        }
        if !self.has_room(cx) {
            return Ok(false);
        }
        let read = match self.cutter.direct(SCRATCH_BYTES) {
            Some((buf, limit)) => self.stream.poll_read_frame(cx, buf, limit),
            None => self.poll_read_scratch(cx)?,
        };
        let Poll::Ready(bytes) = read else { return Ok(false) };
        self.read_closed = bytes? == 0;
        self.cutter.finish(&mut self.frames);
        self.last_read = Instant::now();
        self.seat.used(self.last_read);
        Ok(true)
    }

    fn has_room(&mut self, cx: &mut Context<'_>) -> bool {
        let [bytes, requests] = &mut self.places;
        self.limits.bytes.poll_room(cx, bytes).is_ready()
            && self.limits.requests.poll_room(cx, requests).is_ready()
    }

    fn poll_read_scratch(&mut self, cx: &mut Context<'_>) -> Result<Poll<io::Result<usize>>, Ended> {
        SCRATCH.with_borrow_mut(|scratch| {
            let read = self.stream.poll_read(cx, scratch);
            if let Poll::Ready(Ok(bytes)) = &read {
                self.cutter.push(&scratch[..*bytes], &mut self.frames)?;
            }
            Ok(read)
        })
    }

    /// Nothing can be done now: sees to it that silence has an end.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        if self.frames.is_empty() && self.frames.capacity() > 0 {
            self.frames = VecDeque::new();
        }
        let allowed = match self.cutter.is_inside_frame() {
            _ if self.stopping => STOP_STALL,
            true => STALL,
            false => self.limits.idle_max,
        };
        let allowed = allowed.min(self.limits.idle_max);
        if self.idle.deadline() > self.last_read + allowed {
            self.idle.as_mut().reset(self.last_read + allowed);
        }
        loop {
            ready!(self.idle.as_mut().poll(cx));
            let until = self.last_read + allowed;
            if until <= Instant::now() && self.requests.is_empty() {
                return Poll::Ready(Err(Ended::Idle));
            }
            self.idle.as_mut().reset(until.max(Instant::now() + allowed.min(STALL)));
        }
    }
}

impl<T> Request<T> {
    /// True when it is done.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let pending = match &mut self.state {
            InFlight::Done(_) => return true,
            InFlight::Settling(pending) | InFlight::Working(pending) => pending,
        };
        match pending.as_mut().poll(cx) {
            Poll::Ready(done) => {
                self.state = InFlight::Done(done);
                self.work = None;
                self.timing.done = Instant::now();
                true
            }
            Poll::Pending => false,
        }
    }
}

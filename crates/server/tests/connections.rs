//! The network by itself: order, limits and ends of connections, with a service made for the test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use server::net::{
    Acceptor, Bounds, Budget, CloseReason, ConnectionLimits, Done, Limits, ListenerLimits, Network, Peer,
    Piece, Response, Role, Service, Started, Stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};

/// Answers a frame with itself. A frame that starts with `s` settles, one with `w` works, one with `o` waits for others, until it is
/// let go.
#[derive(Default)]
struct Echo {
    started: Mutex<Vec<Bytes>>,
    held: Mutex<VecDeque<oneshot::Sender<()>>>,
}

impl Echo {
    fn let_one_go(&self) {
        self.held.lock().pop_front().expect("one is held").send(()).expect("somebody waits");
    }

    async fn has_started(&self, count: usize) {
        while self.started.lock().len() < count {
            tokio::task::yield_now().await;
        }
    }
}

fn echoed(frame: &Bytes) -> Done {
    let length = Bytes::copy_from_slice(&(frame.len() as i32).to_be_bytes());
    let pieces = vec![Piece::Bytes(length), Piece::Bytes(frame.clone())];
    Done::Answer(Response { pieces, ..Response::default() })
}

impl Service for Echo {
    type Ticket = ();

    fn start(&self, _peer: &Arc<Peer>, frame: Bytes) -> ((), Started) {
        self.started.lock().push(frame.clone());
        ((), self.begin(&frame))
    }
}

impl Echo {
    fn begin(&self, frame: &Bytes) -> Started {
        match frame[0] {
            b's' | b'w' | b'o' => {
                let (sender, receiver) = oneshot::channel();
                self.held.lock().push_back(sender);
                let echo = frame.clone();
                let pending = Box::pin(async move {
                    let _ = receiver.await;
                    echoed(&echo)
                });
                match frame[0] {
                    b's' => Started::Settling(pending),
                    b'w' => Started::Working(pending),
                    _ => Started::Waiting(pending),
                }
            }
            b'q' => Started::Done(Done::Silent),
            b'c' => Started::Done(Done::Close(CloseReason("asked to".to_owned()))),
            _ => Started::Done(echoed(frame)),
        }
    }
}

struct Running {
    network: Network<Echo>,
    echo: Arc<Echo>,
    /// Of clients, and of brokers.
    streams: [mpsc::Sender<(Stream, SocketAddr)>; 2],
    bytes: Arc<Budget>,
}

fn run(bytes_max: usize) -> Running {
    run_bounded(bytes_max, 500)
}

fn run_bounded(bytes_max: usize, requests_max: usize) -> Running {
    let (echo, bytes) = (Arc::new(Echo::default()), Budget::new(bytes_max));
    let limits = Limits {
        request_bytes_max: 10 << 20,
        idle_max: Duration::from_secs(600),
        bytes: Arc::clone(&bytes),
        requests: Budget::new(requests_max),
    };
    let mut network = Network::new(Arc::clone(&echo));
    let limits = Arc::new(limits);
    let streams = [CLIENTS, BROKERS].map(|listener| {
        let (sender, streams) = mpsc::channel(1);
        network.listen(Acceptor::Simulated { address: address(), streams }, listener, &limits);
        sender
    });
    Running { network, echo, streams, bytes }
}

/// The listeners.
const CLIENTS: usize = 0;
const BROKERS: usize = 1;

fn address() -> SocketAddr {
    "192.0.2.1:9092".parse().expect("it is an address")
}

impl Running {
    async fn connect(&self) -> DuplexStream {
        self.connect_to(CLIENTS).await
    }

    async fn connect_to(&self, listener: usize) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        assert!(self.streams[listener].send((Stream::Simulated(Box::new(theirs)), address())).await.is_ok());
        ours
    }
}

async fn send(stream: &mut DuplexStream, body: &[u8]) {
    stream
        .write_all(&[&(body.len() as i32).to_be_bytes()[..], body].concat())
        .await
        .expect("the stream takes it");
}

async fn receive(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    let size = stream.read_i32().await.ok()?;
    let mut body = vec![0; size as usize];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

#[tokio::test]
async fn requests_behind_one_that_settles_are_started_and_answered_in_order() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    for body in [&b"s1"[..], b"s2", b"a3"] {
        send(&mut client, body).await;
    }
    running.echo.has_started(3).await;
    let last = running.echo.held.lock().pop_back().unwrap();
    last.send(()).unwrap();
    running.echo.let_one_go();
    for body in [&b"s1"[..], b"s2", b"a3"] {
        assert_eq!(receive(&mut client).await.unwrap(), body);
    }
}

#[tokio::test]
async fn requests_behind_one_that_works_wait_for_it() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    send(&mut client, b"w1").await;
    send(&mut client, b"a2").await;
    running.echo.has_started(1).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.echo.started.lock().len(), 1);
    running.echo.let_one_go();
    assert_eq!(receive(&mut client).await.unwrap(), b"w1");
    assert_eq!(receive(&mut client).await.unwrap(), b"a2");
}

#[tokio::test]
async fn a_request_that_wants_no_answer_gets_none() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    send(&mut client, b"q").await;
    send(&mut client, b"a").await;
    assert_eq!(receive(&mut client).await.unwrap(), b"a");
}

#[tokio::test]
async fn what_was_asked_before_a_request_that_ends_the_connection_is_answered() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    send(&mut client, b"a").await;
    assert_eq!(receive(&mut client).await.unwrap(), b"a");
    send(&mut client, b"c").await;
    assert_eq!(receive(&mut client).await, None);
}

#[tokio::test]
async fn a_client_that_closes_its_side_is_still_answered() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    send(&mut client, b"s").await;
    client.shutdown().await.unwrap();
    running.echo.has_started(1).await;
    running.echo.let_one_go();
    assert_eq!(receive(&mut client).await.unwrap(), b"s");
    assert_eq!(receive(&mut client).await, None);
}

#[tokio::test]
async fn a_frame_of_many_megabytes_comes_back_whole() {
    let running = run(64 << 20);
    let client = running.connect().await;
    let body: Vec<u8> = (0..5_000_000_u32).map(|at| (at % 251) as u8 | 0x80).collect();
    let (mut reading, mut writing) = tokio::io::split(client);
    let sent = body.clone();
    let sender = tokio::spawn(async move {
        writing.write_all(&[&(sent.len() as i32).to_be_bytes()[..], &sent].concat()).await.unwrap();
        writing
    });
    let size = reading.read_i32().await.unwrap();
    let mut echoed = vec![0; size as usize];
    reading.read_exact(&mut echoed).await.unwrap();
    assert!(echoed == body);
    sender.await.unwrap();
}

#[tokio::test]
async fn who_would_pass_the_budget_waits_until_another_is_done() {
    let running = run(1000);
    let (mut first, mut second) = (running.connect().await, running.connect().await);
    send(&mut first, &[b's'; 2000]).await;
    running.echo.has_started(1).await;
    assert!(running.bytes.used() >= 2000);
    send(&mut second, b"a").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.echo.started.lock().len(), 1);
    running.echo.let_one_go();
    assert_eq!(receive(&mut first).await.unwrap(), [b's'; 2000]);
    assert_eq!(receive(&mut second).await.unwrap(), b"a");
    assert_eq!(running.bytes.used(), 0);
}

#[tokio::test]
async fn who_comes_while_as_many_requests_are_at_work_as_may_be_waits_until_one_is_done() {
    let running = run_bounded(1 << 20, 2);
    let mut clients = Vec::new();
    // Those that wait for others, and those that settle, are not at work.
    for body in [&b"o1"[..], b"o2", b"s3", b"s4", b"w5", b"w6"] {
        let mut client = running.connect().await;
        send(&mut client, body).await;
        clients.push(client);
        running.echo.has_started(clients.len()).await;
    }
    let mut late = running.connect().await;
    send(&mut late, b"a7").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.echo.started.lock().len(), 6);
    (0..5).for_each(|_| running.echo.let_one_go());
    assert_eq!(receive(&mut late).await.unwrap(), b"a7");
    running.echo.let_one_go();
    for (client, body) in clients.iter_mut().zip([&b"o1"[..], b"o2", b"s3", b"s4", b"w5", b"w6"]) {
        assert_eq!(receive(client).await.unwrap(), body);
    }
}

/// Room for so many connections, those of brokers included.
fn bound(bounds: &Bounds, connections_max: usize) {
    let brokers = ListenerLimits { role: Role::Brokers, ..ListenerLimits::NONE };
    let listeners = vec![ListenerLimits::NONE, brokers];
    bounds.set(ConnectionLimits { connections_max, listeners, ..ConnectionLimits::none() });
}

#[tokio::test(start_paused = true)]
async fn a_broker_takes_the_place_of_the_client_that_was_silent_for_the_longest_time() {
    let running = run(1 << 20);
    bound(&running.network.bounds(), 3);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(running.connect().await);
    }
    // The clock moves in between, and the second is silent.
    for number in [1, 2, 0] {
        tokio::time::advance(Duration::from_secs(1)).await;
        send(&mut clients[number], b"a").await;
        assert_eq!(receive(&mut clients[number]).await.unwrap(), b"a");
    }
    let mut broker = running.connect_to(BROKERS).await;
    send(&mut broker, b"b").await;
    assert_eq!(receive(&mut broker).await.unwrap(), b"b");
    assert_eq!(receive(&mut clients[1]).await, None);
    bound(&running.network.bounds(), 2);
    assert_eq!(receive(&mut clients[2]).await, None);
    send(&mut clients[0], b"a").await;
    assert_eq!(receive(&mut clients[0]).await.unwrap(), b"a");
    assert_eq!(running.network.open_connections(), 2);
}

#[tokio::test]
async fn a_connection_whose_frame_length_cannot_be_is_closed() {
    let running = run(1000);
    for size in [0, -1, i32::MIN, i32::MAX, (10 << 20) + 1] {
        let mut client = running.connect().await;
        client.write_i32(size).await.unwrap();
        assert_eq!(receive(&mut client).await, None, "{size}");
    }
}

#[tokio::test]
async fn a_network_that_stops_answers_what_is_under_way() {
    let running = run(1 << 20);
    let mut client = running.connect().await;
    let mut idle = running.connect().await;
    send(&mut client, b"s").await;
    running.echo.has_started(1).await;
    let stopping = tokio::spawn(running.network.stop(Duration::from_secs(30)));
    assert_eq!(receive(&mut idle).await, None);
    running.echo.let_one_go();
    assert_eq!(receive(&mut client).await.unwrap(), b"s");
    assert_eq!(receive(&mut client).await, None);
    stopping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_network_that_stops_does_not_wait_for_who_takes_no_answers() {
    let running = run(10 << 20);
    let mut deaf = running.connect().await;
    let mut slow = running.connect().await;
    let large = vec![b'a'; 1 << 20];
    for client in [&mut deaf, &mut slow] {
        send(client, &large).await;
    }
    running.echo.has_started(2).await;
    let stopping = tokio::spawn(running.network.stop(Duration::from_secs(3_600)));
    let start = tokio::time::Instant::now();
    let mut taken = 0;
    while taken < 4 + large.len() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        taken += slow.read(&mut [0; 64 * 1024]).await.unwrap();
    }
    stopping.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let mut rest = Vec::new();
    deaf.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < large.len());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_time_and_a_stalled_frame_sooner() {
    let running = run(1 << 20);
    let mut stalled = running.connect().await;
    let start = tokio::time::Instant::now();
    stalled.write_all(&[0, 0, 1]).await.unwrap();
    assert_eq!(stalled.read(&mut [0]).await.unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(600));
    let mut idle = running.connect().await;
    let start = tokio::time::Instant::now();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_secs(600));
}

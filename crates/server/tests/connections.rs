//! The network by itself: order, limits and ends of connections, with a service made for the test.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use server::net::{
    Acceptor, Budget, CloseReason, Done, Limits, Network, Peer, Piece, Response, Service, Started, Stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};

/// Answers a frame with itself. A frame that starts with `s` settles, one with `w` works, until it is let go.
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
    Done::Answer(Response { pieces: vec![Piece::Bytes(length), Piece::Bytes(frame.clone())] })
}

impl Service for Echo {
    fn start(&self, _peer: &Arc<Peer>, frame: Bytes) -> Started {
        self.started.lock().push(frame.clone());
        match frame[0] {
            b's' | b'w' => {
                let (sender, receiver) = oneshot::channel();
                self.held.lock().push_back(sender);
                let (settles, echo) = (frame[0] == b's', frame.clone());
                let pending = Box::pin(async move {
                    let _ = receiver.await;
                    echoed(&echo)
                });
                if settles { Started::Settling(pending) } else { Started::Working(pending) }
            }
            b'q' => Started::Done(Done::Silent),
            b'c' => Started::Done(Done::Close(CloseReason("asked to".to_owned()))),
            _ => Started::Done(echoed(&frame)),
        }
    }
}

struct Running {
    network: Network<Echo>,
    echo: Arc<Echo>,
    streams: mpsc::Sender<(Stream, SocketAddr)>,
    budget: Arc<Budget>,
}

fn run(budget_bytes: usize) -> Running {
    let (echo, budget) = (Arc::new(Echo::default()), Budget::new(budget_bytes));
    let limits = Limits {
        request_bytes_max: 10 << 20,
        idle_max: Duration::from_secs(600),
        budget: Arc::clone(&budget),
    };
    let mut network = Network::new(Arc::clone(&echo), limits);
    let (streams, receiver) = mpsc::channel(1);
    network.listen(Acceptor::Simulated { address: address(), streams: receiver }, 0);
    Running { network, echo, streams, budget }
}

fn address() -> SocketAddr {
    "192.0.2.1:9092".parse().expect("it is an address")
}

impl Running {
    async fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        assert!(self.streams.send((Stream::Simulated(Box::new(theirs)), address())).await.is_ok());
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
    assert!(running.budget.used() >= 2000);
    send(&mut second, b"a").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.echo.started.lock().len(), 1);
    running.echo.let_one_go();
    assert_eq!(receive(&mut first).await.unwrap(), [b's'; 2000]);
    assert_eq!(receive(&mut second).await.unwrap(), b"a");
    assert_eq!(running.budget.used(), 0);
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

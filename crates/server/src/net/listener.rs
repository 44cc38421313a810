//! Accepting connections, and ending them all.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::warn;

use super::admission::{Admission, ConnectionLimits, Verdict};
use super::connection::{self, Limits};
use super::seat::Seat;
use super::service::{Hindrance, Peer, Service};
use super::stream::{Acceptor, Stream};

/// The wait after an accept that failed: usually file descriptors have run out, and some come back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Everything that accepts and serves connections. Dropping it ends them all at once.
pub struct Network<S> {
    service: Arc<S>,
    connections: Arc<Connections>,
    stop: watch::Sender<bool>,
    acceptors: Vec<JoinHandle<()>>,
}

/// Counts connections.
#[derive(Debug)]
struct Connections {
    last_id: AtomicU64,
    open: AtomicUsize,
    changed: tokio::sync::Notify,
    admission: Mutex<Admission>,
    started: Instant,
}

impl Connections {
    /// Waits until a listener may accept one more.
    async fn room(&self, listener: usize, held_up: impl FnOnce()) {
        let mut held_up = Some(held_up);
        loop {
            let changed = self.changed.notified();
            if self.admission.lock().has_room(listener) {
                return;
            }
            if let Some(held_up) = held_up.take() {
                held_up();
            }
            changed.await;
        }
    }
}

/// How a server changes the bounds of connections while they are served.
#[derive(Clone, Debug)]
pub struct Bounds(Arc<Connections>);

impl Bounds {
    /// From now on these hold. Clients' connections end if there are too many.
    pub fn set(&self, limits: ConnectionLimits) {
        let mut admission = self.0.admission.lock();
        admission.set_limits(limits);
        admission.make_room();
        drop(admission);
        self.0.changed.notify_waiters();
    }
}

/// A connection that was taken in.
struct Open {
    connections: Arc<Connections>,
    listener: usize,
    address: IpAddr,
    id: u64,
    seat: Arc<Seat>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::AcqRel);
        self.connections.admission.lock().leave(self.listener, self.address, self.id);
        self.connections.changed.notify_waiters();
    }
}

impl<S: Service> Network<S> {
    /// A network without listeners.
    pub fn new(service: Arc<S>) -> Network<S> {
        let (stop, _) = watch::channel(false);
        let connections = Connections {
            last_id: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            changed: tokio::sync::Notify::new(),
            admission: Mutex::new(Admission::new(ConnectionLimits::none())),
            started: Instant::now(),
        };
        Network { service, connections: Arc::new(connections), stop, acceptors: Vec::new() }
    }

    /// To bound connections with; there are no bounds at first.
    pub fn bounds(&self) -> Bounds {
        Bounds(Arc::clone(&self.connections))
    }

    /// Serves the connections that come in by this listener; `listener` is its place in the broker's list.
    pub fn listen(&mut self, acceptor: Acceptor, listener: usize, limits: &Arc<Limits>) {
        let spawner = Spawner {
            service: Arc::clone(&self.service),
            limits: Arc::clone(limits),
            connections: Arc::clone(&self.connections),
            stop: self.stop.subscribe(),
            listener,
        };
        self.acceptors.push(tokio::spawn(spawner.accept_all(acceptor)));
    }

    /// Connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.connections.open.load(Ordering::Acquire)
    }

    /// Stops accepting and reading, lets what is under way be answered, and gives up on what takes longer than that.
    pub async fn stop(mut self, patience: Duration) {
        self.acceptors.drain(..).for_each(|acceptor| acceptor.abort());
        self.stop.send_replace(true);
        let all_closed = async {
            loop {
                let changed = self.connections.changed.notified();
                if self.open_connections() == 0 {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(patience, all_closed).await.is_err() {
            warn!(open = self.open_connections(), "connections were still busy when the broker stopped");
        }
    }
}

impl<S> Drop for Network<S> {
    fn drop(&mut self) {
        self.acceptors.drain(..).for_each(|acceptor| acceptor.abort());
    }
}

struct Spawner<S> {
    service: Arc<S>,
    limits: Arc<Limits>,
    connections: Arc<Connections>,
    stop: watch::Receiver<bool>,
    listener: usize,
}

impl<S: Service> Spawner<S> {
    async fn accept_all(self, mut acceptor: Acceptor) {
        loop {
            // Whoever may not come in yet waits with the system, which bounds how many do.
            self.room().await;
            match acceptor.accept().await {
                Some(Ok((stream, address))) => self.take_in(stream, address).await,
                Some(Err(error)) => {
                    self.hindered(None, &Hindrance::Failed(error));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                None => return,
            }
        }
    }

    async fn room(&self) {
        self.connections.room(self.listener, || self.hindered(None, &Hindrance::TooMany)).await;
    }

    fn hindered(&self, address: Option<SocketAddr>, hindrance: &Hindrance) {
        self.service.hindered(self.listener, address, hindrance);
    }

    async fn take_in(&self, stream: Stream, address: SocketAddr) {
        let verdict = loop {
            let now = self.connections.started.elapsed();
            match self.connections.admission.lock().enter(self.listener, address.ip(), now) {
                // Another listener was faster.
                Verdict::Wait => {}
                verdict => break verdict,
            }
            self.room().await;
        };
        let Verdict::Serve(wait) = verdict else {
            return self.hindered(Some(address), &Hindrance::TooManyOfAddress);
        };
        let open = self.seated(address);
        if !wait.is_zero() {
            self.hindered(Some(address), &Hindrance::TooFast);
            tokio::time::sleep(wait).await;
        }
        self.serve(stream, address, open);
    }

    /// A connection that may be there, for which others may have to go.
    fn seated(&self, address: SocketAddr) -> Open {
        let connections = Arc::clone(&self.connections);
        connections.open.fetch_add(1, Ordering::AcqRel);
        let id = connections.last_id.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(connections.started, Instant::now()));
        let mut admission = connections.admission.lock();
        admission.seat(self.listener, id, &seat);
        admission.make_room();
        drop(admission);
        Open { connections, listener: self.listener, address: address.ip(), id, seat }
    }

    fn serve(&self, stream: Stream, address: SocketAddr, open: Open) {
        let (listener, connection_id) = (self.listener, open.id);
        let peer = Arc::new(Peer { address, listener, connection_id, software: OnceLock::new() });
        let run = connection::run(
            stream,
            Arc::clone(&self.service),
            peer,
            Arc::clone(&open.seat),
            Arc::clone(&self.limits),
            self.stop.clone(),
        );
        tokio::spawn(async move {
            run.await;
            drop(open);
        });
    }
}

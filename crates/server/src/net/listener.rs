//! Accepting connections, and ending them all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::connection::{self, Limits};
use super::service::{Peer, Service};
use super::stream::{Acceptor, Stream};

/// The wait after an accept that failed: usually file descriptors have run out, and some come back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Everything that accepts and serves connections. Dropping it ends them all at once.
pub struct Network<S> {
    service: Arc<S>,
    limits: Arc<Limits>,
    connections: Arc<Connections>,
    stop: watch::Sender<bool>,
    acceptors: Vec<JoinHandle<()>>,
}

/// Counts connections.
#[derive(Debug, Default)]
struct Connections {
    last_id: AtomicU64,
    open: AtomicUsize,
    changed: tokio::sync::Notify,
}

struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

impl<S: Service> Network<S> {
    /// A network without listeners.
    pub fn new(service: Arc<S>, limits: Limits) -> Network<S> {
        let (stop, _) = watch::channel(false);
        let (limits, connections) = (Arc::new(limits), Arc::default());
        Network { service, limits, connections, stop, acceptors: Vec::new() }
    }

    /// Serves the connections that come in by this listener; `listener` is its place in the broker's list.
    pub fn listen(&mut self, acceptor: Acceptor, listener: usize) {
        let spawner = Spawner {
            service: Arc::clone(&self.service),
            limits: Arc::clone(&self.limits),
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
        while let Some(accepted) = acceptor.accept().await {
            match accepted {
                Ok((stream, address)) => self.serve(stream, address),
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, stream: Stream, address: SocketAddr) {
        let connection_id = self.connections.last_id.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer { address, listener: self.listener, connection_id });
        self.connections.open.fetch_add(1, Ordering::AcqRel);
        let open = Open(Arc::clone(&self.connections));
        let run = connection::run(
            stream,
            Arc::clone(&self.service),
            peer,
            Arc::clone(&self.limits),
            self.stop.clone(),
        );
        tokio::spawn(async move {
            run.await;
            drop(open);
        });
    }
}

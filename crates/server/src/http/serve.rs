//! Serving HTTP to few, and bounding what anybody may cost.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// Connections at once. One more takes the place of one that asks nothing, and waits if there is none.
const CONNECTIONS_MAX: usize = 64;
/// How long the head of a request may take to come, and a connection may be idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last: whoever reads slowly makes room for others after that.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(60);
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// The wait after an accept that failed: usually descriptors have run out, and some come back soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener that serves; it ends when this is dropped.
pub(crate) struct HttpListener {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpListener {
    /// Binds a listener and serves.
    pub(crate) async fn start(host: &str, port: u16, router: Router) -> std::io::Result<HttpListener> {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let listener = TcpListener::bind((host, port)).await?;
        let address = listener.local_addr()?;
        Ok(HttpListener { address, task: tokio::spawn(accept_all(listener, router)) })
    }

    /// What is bound.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept_all(listener: TcpListener, router: Router) {
    let mut served = JoinSet::new();
    let mut guests = Guests::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while served.try_join_next().is_some() {}
        while !guests.make_room() {
            served.join_next().await;
        }
        let stage = Arc::new(Stage::default());
        let serving = serve(stream, router.clone(), Arc::clone(&stage));
        let end = served.spawn(async move { drop(tokio::time::timeout(CONNECTION_PATIENCE, serving).await) });
        guests.0.push_back(Guest { stage, end });
    }
}

/// How far a connection is.
#[derive(Debug, Default)]
struct Stage(AtomicU8);

impl Stage {
    /// Nothing was asked yet.
    const SILENT: u8 = 0;
    /// The last question was answered.
    const ANSWERED: u8 = 1;
    /// A question is being answered.
    const ASKED: u8 = 2;

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn is(&self, stage: u8) -> bool {
        self.0.load(Ordering::Relaxed) == stage
    }
}

struct Guest {
    stage: Arc<Stage>,
    end: AbortHandle,
}

/// Those who are served, the one first that came first.
#[derive(Default)]
struct Guests(VecDeque<Guest>);

impl Guests {
    /// Sees to it that one more may come: of those who have asked nothing yet the first has to go, or else the first that was
    /// answered. False if all are being answered.
    fn make_room(&mut self) -> bool {
        self.0.retain(|guest| !guest.end.is_finished());
        if self.0.len() < CONNECTIONS_MAX {
            return true;
        }
        let first = |stage| self.0.iter().position(|guest| guest.stage.is(stage));
        let place = first(Stage::SILENT).or_else(|| first(Stage::ANSWERED));
        let guest = place.and_then(|place| self.0.remove(place));
        guest.map(|guest| guest.end.abort()).is_some()
    }
}

async fn serve(stream: TcpStream, router: Router, stage: Arc<Stage>) {
    let answers = TowerToHyperService::new(router);
    let staged = service_fn(move |request| {
        stage.set(Stage::ASKED);
        let (answered, stage) = (answers.call(request), Arc::clone(&stage));
        async move {
            let answer = answered.await;
            stage.set(Stage::ANSWERED);
            answer
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), staged)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

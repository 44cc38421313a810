//! A broker's life: directories, quorum, registration, listeners; and all of it back again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::{BrokerConfig, Listener};
use controller::Decision;
use host::Host;
use protocol::Uuid;
use quorum::{
    CommittedImage, LoadedDirectories, LoadedDirectory, Quorum, QuorumError, QuorumSettings, VerifyError,
};
use storage::{Cleaner, DestageMode, LogDir, StorageError};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinHandle as JoinTask;

use crate::broker::ChangeError;
use crate::client_metrics::ClientMetrics;
use crate::directories::{Directories, Home, Opened};
use crate::fetch_sessions::FetchSessions;
use crate::groups::Groups;
use crate::http::HttpListener;
use crate::keeper::{self, Event};
use crate::listeners::{self, BindError, Bound};
use crate::loggers::Loggers;
use crate::meters::Meters;
use crate::moves::{Mover, Moves};
use crate::net::{Budget, Limits, Network, Sockets};
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::publisher::{Publisher, Queue};
use crate::seen::{Seen, Serving, Stage};
use crate::traces::Tracer;
use crate::{
    Broker, api, connection_limits, group_settings, http, log_settings, producer_expiry, registration,
    retention,
};

/// How long connections may take to be answered when the broker stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of requests in memory if `queued.max.request.bytes` sets no bound.
const REQUEST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why a broker did not start, in a sentence that says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// A configuration that asks for more than one node.
    #[error("{0}")]
    Unsupported(String),
    /// The log directories are not those of this node.
    #[error(transparent)]
    Directories(#[from] VerifyError),
    /// A log directory cannot be used.
    #[error("{0}{advice}", advice = advice(.0))]
    Storage(#[from] StorageError),
    /// The metadata cannot be used.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// A port is taken, or the like.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The quorum does not take this broker.
    #[error("the broker could not be registered: {0}")]
    Registration(String),
    /// A thread could not be started, or has ended.
    #[error("a thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// What to do about it, where that is not in the sentence.
fn advice(error: &StorageError) -> &'static str {
    match error {
        error if error.is_disk_full() => "; the disk is full: free some space and start the broker again",
        StorageError::Io { .. } => "; mend or replace the disk, or take the directory out of log.dirs",
        _ => "",
    }
}

impl From<ChangeError> for StartError {
    fn from(error: ChangeError) -> StartError {
        StartError::Registration(error.to_string())
    }
}

/// What a broker is told besides its configuration.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// How batches get to the segments.
    pub destage: DestageMode,
    /// Whose levels can be asked for and changed; none where the log is not the broker's.
    pub loggers: Option<Loggers>,
}

/// A broker that runs.
pub struct Server {
    broker: Arc<Broker>,
    network: Network<api::Requests>,
    cleaner: Option<Arc<Cleaner>>,
    queue: Arc<Queue>,
    publisher: JoinHandle<()>,
    movers: Vec<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
    retention: JoinTask<()>,
    failed: watch::Receiver<Option<String>>,
    addresses: Vec<(String, SocketAddr)>,
    seen: Arc<Seen>,
    /// Answers until all else is done.
    http: Option<HttpListener>,
}

impl Server {
    /// Starts a broker on directories that are formatted. When this returns, clients are served.
    pub async fn start(
        host: Host,
        sockets: &dyn Sockets,
        config: BrokerConfig,
        options: ServerOptions,
    ) -> Result<Server, StartError> {
        check_supported(&config)?;
        let loaded = quorum::load_directories(
            &host,
            &config.node.log_dirs,
            &config.node.metadata_log_dir,
            config.node.id,
        )?;
        // Before anything is changed on disk.
        let clients = listeners::bind_all(sockets, &config, &config.network.listeners).await?;
        let controllers = listeners::bind_all(sockets, &config, &config.network.controller_listeners).await?;
        let seen = Seen::new(Arc::clone(&host.clock));
        let http = serve_http(&config, &seen).await?;
        let directories = Arc::new(open_directories(&host, &config, &loaded, options.destage)?);
        let past_the_cache = options.destage == DestageMode::Direct;
        let cluster_id =
            loaded.directories.into_iter().next().map(|first| first.cluster_id).unwrap_or_default();
        let loggers = options.loggers;
        let start = Start { host, config, cluster_id, directories, loggers, past_the_cache };
        let parts = start.follow_metadata().await?;
        let mut server = parts.serve(clients, controllers, seen, http).await?;
        // The topics' settings are known only now.
        server.cleaner = start_cleaner(&server, options.destage).map_err(StartError::Thread)?;
        Ok(server)
    }

    /// The listeners of brokers with the addresses that are bound.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Where metrics and health are served, if they are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(HttpListener::address)
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.broker.cluster_id
    }

    /// Ends in order: answers what is under way, leaves the cluster, writes everything to where Kafka looks for it.
    pub async fn stop(self) -> Result<(), StorageError> {
        let Server {
            broker,
            network,
            cleaner,
            queue,
            publisher,
            movers,
            stopping,
            seen,
            http,
            retention,
            ..
        } = self;
        seen.advance(Stage::Stopping);
        stopping.send_replace(true);
        broker.groups.stop();
        // It may be in the middle of something.
        let _ = retention.await;
        network.stop(STOP_PATIENCE).await;
        broker.moves.stop();
        let joined = move || movers.into_iter().for_each(|mover| drop(mover.join()));
        let _ = tokio::task::spawn_blocking(joined).await;
        leave(&broker).await;
        broker.quorum.stop().await;
        queue.close();
        broker.partitions.clear();
        let epoch = broker.epoch();
        let directories = Arc::clone(&broker.directories);
        let closed = tokio::task::spawn_blocking(move || {
            let _ = publisher.join();
            cleaner.iter().for_each(|cleaner| cleaner.stop());
            close(&directories, epoch)
        });
        let closed = closed.await.unwrap_or(Err(StorageError::Closed));
        drop(http);
        closed
    }

    /// Returns when the broker cannot go on, with a sentence that says why and what to do. It has to be stopped then.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        let reason = failed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            // Nobody will tell any more.
            None => std::future::pending().await,
        }
    }
}

/// Closes all log directories, and says what was wrong with the first that could not be. What is offline is left as it is.
fn close(directories: &Directories, broker_epoch: i64) -> Result<(), StorageError> {
    let mut result = Ok(());
    for opened in directories.opened().filter(|opened| opened.dir.failure().is_none()) {
        opened.dir.set_broker_epoch(broker_epoch);
        result = result.and(opened.dir.close());
    }
    result
}

/// Serves HTTP, if it is asked for, from before the logs are loaded.
async fn serve_http(config: &BrokerConfig, seen: &Arc<Seen>) -> Result<Option<HttpListener>, StartError> {
    let Some((host, port)) = &config.monitoring.http_listener else { return Ok(None) };
    let started = HttpListener::start(host, *port, http::router(Arc::clone(seen))).await;
    let listener = started.map_err(|source| BindError::http(host, *port, source))?;
    tracing::info!(address = %listener.address(), "serving metrics and health");
    Ok(Some(listener))
}

/// Tells the controller that this broker goes. A failure is told to the log only: the next start does without.
async fn leave(broker: &Broker) {
    let (id, epoch) = (broker.node_id, broker.epoch());
    let left = broker.change(|context, _| controller::fence_broker(context.image, id, epoch)).await;
    match left {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => tracing::warn!(reason = %refusal.message, "the broker could not leave in order"),
        Err(error) => tracing::warn!(%error, "the broker could not leave in order"),
    }
}

/// Starts the threads that compact logs, unless they are switched off.
fn start_cleaner(server: &Server, destage: DestageMode) -> std::io::Result<Option<Arc<Cleaner>>> {
    let (config, broker) = (Arc::clone(&server.broker.config), &server.broker);
    if !config.load().log_cleaner.enabled {
        return Ok(None);
    }
    let dirs = broker.directories.online().map(|opened| Arc::clone(&opened.dir)).collect();
    let settings = move || log_settings::of_cleaner(&config.load(), destage);
    let cleaner = Cleaner::new(broker.host.clone(), dirs, settings);
    cleaner.start()?;
    Ok(Some(cleaner))
}

fn check_supported(config: &BrokerConfig) -> Result<(), StartError> {
    let node = &config.node;
    let unsupported = |message: &str| Err(StartError::Unsupported(message.to_owned()));
    if !node.roles.broker || !node.roles.controller {
        return unsupported(
            "a node has to be broker and controller in one so far: set process.roles=broker,controller",
        );
    }
    if node.voters.len() > 1 {
        return unsupported(
            "a quorum has one voter so far: name this node alone in controller.quorum.voters",
        );
    }
    Ok(())
}

/// Opens the log directories, and that of the metadata log, which may be another. One whose disk fails is left out, unless it is
/// that one.
fn open_directories(
    host: &Host,
    config: &BrokerConfig,
    loaded: &LoadedDirectories,
    destage: DestageMode,
) -> Result<Directories, StartError> {
    for (path, error) in &loaded.unreadable {
        tell_offline(path, error);
    }
    let open = |path: &Path| {
        let identity = loaded.directories.iter().find(|loaded| loaded.path == path);
        identity.map(|identity| (identity.directory_id, open_directory(host, config, identity, destage)))
    };
    let metadata_path = &config.node.metadata_log_dir;
    let metadata = open(metadata_path).map_or(Err(StorageError::Closed), |(_, opened)| opened)?;
    let home = |path: &PathBuf| match (path == metadata_path).then(|| metadata.clone()) {
        Some(opened) => Ok(Home::opened(path, opened)),
        None => match open(path) {
            None => Ok(Home::offline(None, path)),
            Some((_, Ok(opened))) => Ok(Home::opened(path, opened)),
            Some((id, Err(error @ StorageError::Io { .. }))) => {
                tell_offline(path, &error);
                Ok(Home::offline(Some(id), path))
            }
            Some((_, Err(error))) => Err(error),
        },
    };
    let homes = config.node.log_dirs.iter().map(home).collect::<Result<_, _>>()?;
    Ok(Directories::new(homes, metadata))
}

fn open_directory(
    host: &Host,
    config: &BrokerConfig,
    identity: &LoadedDirectory,
    destage: DestageMode,
) -> Result<Opened, StorageError> {
    let settings = log_settings::of_directory(config, destage, host::memory_bytes());
    let (dir, report) = LogDir::open(host.clone(), &identity.path, settings)?;
    if report.follows_a_crash() {
        let path = identity.path.display();
        tracing::warn!(dir = %path, "the last broker here did not stop in order: {report}");
    }
    Ok(Opened::new(identity.directory_id, dir))
}

fn tell_offline(path: &Path, error: &dyn std::fmt::Display) {
    tracing::error!(
        dir = %path.display(),
        %error,
        "a log directory is offline: its partitions are not served until its disk is mended, or has room, and the broker is \
         started again"
    );
}

/// What is there before the metadata is known.
struct Start {
    host: Host,
    config: BrokerConfig,
    cluster_id: String,
    directories: Arc<Directories>,
    loggers: Option<Loggers>,
    past_the_cache: bool,
}

/// A broker that follows the metadata, and that nobody can reach yet.
struct Following {
    host: Host,
    config: Arc<ArcSwap<BrokerConfig>>,
    cluster_id: String,
    directories: Arc<Directories>,
    events: UnboundedReceiver<Event>,
    quorum: Arc<Quorum>,
    partitions: Arc<Partitions>,
    groups: Arc<Groups>,
    queue: Arc<Queue>,
    published: watch::Receiver<Arc<CommittedImage>>,
    publisher: JoinHandle<()>,
    loggers: Option<Loggers>,
    past_the_cache: bool,
}

impl Start {
    async fn follow_metadata(self) -> Result<Following, StartError> {
        let Start { host, config, cluster_id, directories, loggers, past_the_cache } = self;
        let (sender, updates) = mpsc::channel();
        let queue = Arc::new(Queue::new(sender));
        let shared_config = Arc::new(ArcSwap::from_pointee(config.clone()));
        let partitions = Arc::new(Partitions::default());
        let groups =
            Arc::new(Groups::new(host.clone(), group_settings::of(&config), config.offsets_topic.partitions));
        let (tell, events) = tokio::sync::mpsc::unbounded_channel();
        let (publish, published) = watch::channel(Arc::new(CommittedImage::default()));
        let follower = Publisher {
            node_id: config.node.id,
            directories: Arc::clone(&directories),
            partitions: Arc::clone(&partitions),
            groups: Arc::clone(&groups),
            config: Arc::clone(&shared_config),
            published: publish,
            events: tell,
            unusable: HashMap::new(),
        };
        directories.opened().for_each(|opened| queue.watch(&opened.dir));
        let runtime = tokio::runtime::Handle::current();
        let publisher = std::thread::Builder::new().name("yeoul-publisher".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            follower.run(&updates);
        });
        let publisher = publisher.map_err(StartError::Thread)?;
        let quorum = start_quorum(&host, &config, &directories, Arc::clone(&queue)).await?;
        let config = shared_config;
        Ok(Following {
            host,
            config,
            cluster_id,
            directories,
            events,
            quorum,
            partitions,
            groups,
            queue,
            published,
            publisher,
            loggers,
            past_the_cache,
        })
    }
}

async fn start_quorum(
    host: &Host,
    config: &BrokerConfig,
    directories: &Directories,
    queue: Arc<Queue>,
) -> Result<Arc<Quorum>, StartError> {
    let metadata = directories.metadata();
    let settings = QuorumSettings::of(config, metadata.id);
    let first_records = {
        let config = config.clone();
        move |formatted| controller::bootstrap(formatted, &config)
    };
    Ok(Quorum::start(host.clone(), Arc::clone(&metadata.dir), settings, first_records, queue).await?)
}

impl Following {
    async fn serve(
        self,
        clients: Vec<Bound>,
        controllers: Vec<Bound>,
        seen: Arc<Seen>,
        http: Option<HttpListener>,
    ) -> Result<Server, StartError> {
        let config = self.config.load_full();
        let (stopping, stopped) = watch::channel(false);
        let tracer = Tracer::start(&config, &self.host);
        let broker = Arc::new(Broker {
            host: self.host,
            cluster_id: self.cluster_id,
            node_id: config.node.id,
            quorum: self.quorum,
            partitions: self.partitions,
            directories: self.directories,
            moves: Moves::default(),
            groups: self.groups,
            producer_ids: ProducerIds::default(),
            fetch_sessions: FetchSessions::new(config.limits.fetch_sessions_max),
            client_metrics: ClientMetrics::default(),
            meters: Meters::new(clients.len() + controllers.len(), config.limits.queued_requests_max),
            tracer,
            loggers: self.loggers,
            published: self.published,
            config: self.config,
            listeners: kinds(&clients, &controllers),
            epoch: AtomicI64::new(-1),
            past_the_cache: self.past_the_cache,
            stopping: stopped,
        });
        let machine = listeners::machine_name();
        let advertised = listeners::advertised(&config.network.advertised, &clients, &machine);
        register(&broker, &config, &advertised, &bound_listeners(&controllers, &machine)).await?;
        let (fail, failed) = watch::channel(None);
        drop(tokio::spawn(keeper::keep(Arc::clone(&broker), self.events, fail)));
        let movers = Mover::start(&broker).map_err(StartError::Thread)?;
        let addresses = clients.iter().map(|bound| (bound.listener.name.clone(), bound.address)).collect();
        let dirs = broker.directories.opened().map(|opened| Arc::clone(&opened.dir)).collect();
        let retention = retention::spawn(dirs, &config.logs, broker.stopping.clone());
        producer_expiry::start(&broker);
        let mut network = Network::new(Arc::new(api::Requests::new(Arc::clone(&broker))));
        connection_limits::follow(&broker, network.bounds()).await;
        // Clients that keep the broker busy hold no controller up.
        let of_clients = Arc::new(limits(&config, Arc::clone(&broker.meters.at_work)));
        let of_controllers = Arc::new(limits(&config, Budget::new(config.limits.queued_requests_max)));
        let clients = clients.into_iter().map(|bound| (bound, &of_clients));
        let controllers = controllers.into_iter().map(|bound| (bound, &of_controllers));
        for (number, (bound, limits)) in clients.chain(controllers).enumerate() {
            network.listen(bound.acceptor, number, limits);
        }
        let log_dirs = broker.directories.opened().map(|opened| Arc::clone(&opened.dir)).collect();
        seen.advance(Stage::Serving(Arc::new(Serving { broker: Arc::clone(&broker), log_dirs })));
        Ok(Server {
            broker,
            network,
            cleaner: None,
            queue: self.queue,
            publisher: self.publisher,
            movers,
            stopping,
            retention,
            failed,
            addresses,
            seen,
            http,
        })
    }
}

fn kinds(clients: &[Bound], controllers: &[Bound]) -> Vec<(String, protocol::Listener)> {
    let named = |bounds: &[Bound], kind: protocol::Listener| {
        bounds.iter().map(|bound| (bound.listener.name.clone(), kind)).collect::<Vec<_>>()
    };
    let mut all = named(clients, protocol::Listener::Broker);
    all.extend(named(controllers, protocol::Listener::Controller));
    all
}

fn bound_listeners(bounds: &[Bound], machine: &str) -> Vec<Listener> {
    let listeners: Vec<Listener> = bounds.iter().map(|bound| bound.listener.clone()).collect();
    listeners::advertised(&listeners, bounds, machine)
}

fn limits(config: &BrokerConfig, requests: Arc<Budget>) -> Limits {
    let limits = &config.limits;
    let idle_max = limits.connection_idle_max_ms.and_then(|ms| u64::try_from(ms).ok());
    Limits {
        request_bytes_max: limits.request_bytes_max,
        // As long as a timer goes.
        idle_max: idle_max.map_or(Duration::from_secs(60 * 60 * 24 * 365), Duration::from_millis),
        bytes: Budget::new(limits.queued_request_bytes_max.unwrap_or(REQUEST_BYTES_MAX)),
        requests,
    }
}

/// Registers the node as broker and controller, and lets the broker serve. All of it is decided at once and waits for the disk once.
async fn register(
    broker: &Broker,
    config: &BrokerConfig,
    advertised: &[Listener],
    controllers: &[Listener],
) -> Result<(), StartError> {
    let incarnation_id = random_uuid(&broker.host);
    let (id, cluster_id) = (broker.node_id, &broker.cluster_id);
    let online = broker.directories.online_ids();
    let cordoned = broker.directories.ids_of(&config.logs.cordoned_dirs);
    let request = registration::of_broker(config, cluster_id, incarnation_id, advertised, online.clone());
    let end_points = registration::of_controller(controllers);
    let controller = broker
        .change(|context, _| controller::register_controller(context.image, id, incarnation_id, end_points));
    // Whoever had this id before had the lock of the log directory too, and is gone for certain.
    let fenced = broker.change(|context, _| match context.image.cluster.broker(id) {
        Some(known) => controller::fence_broker(context.image, id, known.broker_epoch),
        None => Decision::unchanged(Ok(())),
    });
    let registered = broker.change(|context, next_offset| {
        controller::register_broker(context.image, cluster_id, &request, next_offset)
    });
    let kept = broker.change(|context, _| match context.image.cluster.broker(id) {
        Some(known) => controller::keep_directories(context.image, id, known.broker_epoch, &online),
        None => Decision::unchanged(Ok(0)),
    });
    let cordoned = broker.change(|context, _| match context.image.cluster.broker(id) {
        Some(known) => controller::cordon_directories(context.image, id, known.broker_epoch, &cordoned),
        None => Decision::unchanged(Ok(())),
    });
    let unfenced = broker.change(|context, _| match context.image.cluster.broker(id) {
        Some(known) => controller::unfence_broker(context.image, id, known.broker_epoch),
        None => Decision::unchanged(Ok(())),
    });
    // Polled in this order, which is the one in which they are decided.
    let (controller, fenced, registered, kept, (cordoned, unfenced)) = futures::future::join5(
        controller,
        fenced,
        registered,
        kept,
        futures::future::join(cordoned, unfenced),
    )
    .await;
    controller?;
    let refused = |refusal: controller::Refusal| StartError::Registration(refusal.message);
    fenced?.map_err(refused)?;
    let epoch = registered?.map_err(refused)?;
    let without_leader = kept?.map_err(refused)?;
    cordoned?.map_err(refused)?;
    unfenced?.map_err(refused)?;
    if without_leader > 0 {
        tracing::error!(
            partitions = without_leader,
            "the log directories of some partitions are not there: bring them back, or delete the topics"
        );
    }
    broker.epoch.store(epoch, Ordering::Release);
    tracing::info!(broker = id, epoch, cluster = %broker.cluster_id, "registered");
    Ok(())
}

fn random_uuid(host: &Host) -> Uuid {
    let mut bytes = [0; 16];
    host.random.fill(&mut bytes);
    Uuid::from_random(bytes)
}

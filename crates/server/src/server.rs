//! A broker's life: directories, quorum, registration, listeners; and all of it back again.

use std::net::SocketAddr;
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
use quorum::{CommittedImage, LoadedDirectory, Quorum, QuorumError, QuorumSettings, VerifyError};
use storage::{DestageMode, LogDir, StorageError};
use thiserror::Error;
use tokio::sync::watch;

use crate::broker::ChangeError;
use crate::fetch_sessions::FetchSessions;
use crate::flushes::Flushes;
use crate::groups::Groups;
use crate::listeners::{self, BindError, Bound};
use crate::net::{Budget, Limits, Network, Sockets};
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::publisher::{Directory, Home, Publisher, Queue};
use crate::{Broker, api, group_settings, log_settings, registration};

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
    #[error(transparent)]
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

impl From<ChangeError> for StartError {
    fn from(error: ChangeError) -> StartError {
        StartError::Registration(error.to_string())
    }
}

/// What a broker is told besides its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerOptions {
    /// How batches get to the segments.
    pub destage: DestageMode,
}

/// A broker that runs.
pub struct Server {
    broker: Arc<Broker>,
    network: Network<api::Requests>,
    directories: Vec<Directory>,
    queue: Arc<Queue>,
    publisher: JoinHandle<()>,
    stopping: watch::Sender<bool>,
    addresses: Vec<(String, SocketAddr)>,
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
        let identities = quorum::load_directories(
            &host,
            &config.node.log_dirs,
            &config.node.metadata_log_dir,
            config.node.id,
        )?;
        // Before anything is changed on disk.
        let clients = listeners::bind_all(sockets, &config, &config.network.listeners).await?;
        let controllers = listeners::bind_all(sockets, &config, &config.network.controller_listeners).await?;
        let directories = open_directories(&host, &config, &identities, options)?;
        let past_the_cache = options.destage == DestageMode::Direct;
        let start = Start { host, config, identities, directories, past_the_cache };
        let parts = start.follow_metadata().await?;
        let server = parts.serve(clients, controllers).await?;
        Ok(server)
    }

    /// The listeners of brokers with the addresses that are bound.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.broker.cluster_id
    }

    /// Ends in order: answers what is under way, leaves the cluster, writes everything to where Kafka looks for it.
    pub async fn stop(self) -> Result<(), StorageError> {
        let Server { broker, network, directories, queue, publisher, stopping, .. } = self;
        stopping.send_replace(true);
        broker.groups.stop();
        network.stop(STOP_PATIENCE).await;
        leave(&broker).await;
        broker.quorum.stop().await;
        queue.close();
        broker.partitions.clear();
        let epoch = broker.epoch();
        let closed = tokio::task::spawn_blocking(move || {
            let _ = publisher.join();
            directories.iter().try_for_each(|(_, dir)| {
                dir.set_broker_epoch(epoch);
                dir.close()
            })
        });
        closed.await.unwrap_or(Err(StorageError::Closed))
    }
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

fn open_directories(
    host: &Host,
    config: &BrokerConfig,
    identities: &[LoadedDirectory],
    options: ServerOptions,
) -> Result<Vec<Directory>, StorageError> {
    let opened = config.node.log_dirs.iter().zip(identities).map(|(path, identity)| {
        let settings = log_settings::of_directory(config, options.destage, host::memory_bytes());
        let (dir, report) = LogDir::open(host.clone(), path, settings)?;
        if !report.clean && report.logs > 0 {
            tracing::warn!(dir = %path.display(), "the last broker here did not stop in order: {report}");
        }
        Ok((identity.directory_id, dir))
    });
    opened.collect()
}

/// What is there before the metadata is known.
struct Start {
    host: Host,
    config: BrokerConfig,
    identities: Vec<LoadedDirectory>,
    directories: Vec<Directory>,
    past_the_cache: bool,
}

/// A broker that follows the metadata, and that nobody can reach yet.
struct Following {
    host: Host,
    config: Arc<ArcSwap<BrokerConfig>>,
    cluster_id: String,
    directories: Vec<Directory>,
    quorum: Arc<Quorum>,
    partitions: Arc<Partitions>,
    groups: Arc<Groups>,
    queue: Arc<Queue>,
    published: watch::Receiver<Arc<CommittedImage>>,
    publisher: JoinHandle<()>,
    past_the_cache: bool,
}

impl Start {
    async fn follow_metadata(self) -> Result<Following, StartError> {
        let Start { host, config, identities, directories, past_the_cache } = self;
        let (sender, updates) = mpsc::channel();
        let queue = Arc::new(Queue::new(sender));
        let shared_config = Arc::new(ArcSwap::from_pointee(config.clone()));
        let partitions = Arc::new(Partitions::default());
        let groups =
            Arc::new(Groups::new(host.clone(), group_settings::of(&config), config.offsets_topic.partitions));
        let (publish, published) = watch::channel(Arc::new(CommittedImage::default()));
        let follower = Publisher {
            node_id: config.node.id,
            homes: homes(&directories),
            partitions: Arc::clone(&partitions),
            groups: Arc::clone(&groups),
            config: Arc::clone(&shared_config),
            published: publish,
        };
        let runtime = tokio::runtime::Handle::current();
        let publisher = std::thread::Builder::new().name("yeoul-publisher".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            follower.run(&updates);
        });
        let publisher = publisher.map_err(StartError::Thread)?;
        let quorum = start_quorum(&host, &config, &directories, Arc::clone(&queue)).await?;
        let cluster_id = identities.first().map(|first| first.cluster_id.clone()).unwrap_or_default();
        let config = shared_config;
        Ok(Following {
            host,
            config,
            cluster_id,
            directories,
            quorum,
            partitions,
            groups,
            queue,
            published,
            publisher,
            past_the_cache,
        })
    }
}

fn homes(directories: &[Directory]) -> Vec<Home> {
    let home = |(id, dir): &Directory| Home {
        id: *id,
        dir: Arc::clone(dir),
        flushes: Flushes::new(Arc::clone(dir), tokio::runtime::Handle::current()),
    };
    directories.iter().map(home).collect()
}

async fn start_quorum(
    host: &Host,
    config: &BrokerConfig,
    directories: &[Directory],
    queue: Arc<Queue>,
) -> Result<Arc<Quorum>, StartError> {
    let place = config.node.log_dirs.iter().position(|path| *path == config.node.metadata_log_dir);
    let Some((directory_id, log_dir)) = place.and_then(|place| directories.get(place)) else {
        let message = "metadata.log.dir has to be one of log.dirs so far".to_owned();
        return Err(StartError::Unsupported(message));
    };
    let settings = QuorumSettings::of(config, *directory_id);
    let first_records = {
        let config = config.clone();
        move |formatted| controller::bootstrap(formatted, &config)
    };
    Ok(Quorum::start(host.clone(), Arc::clone(log_dir), settings, first_records, queue).await?)
}

impl Following {
    async fn serve(self, clients: Vec<Bound>, controllers: Vec<Bound>) -> Result<Server, StartError> {
        let config = self.config.load_full();
        let (stopping, stopped) = watch::channel(false);
        let broker = Arc::new(Broker {
            host: self.host,
            cluster_id: self.cluster_id,
            node_id: config.node.id,
            quorum: self.quorum,
            partitions: self.partitions,
            groups: self.groups,
            producer_ids: ProducerIds::default(),
            fetch_sessions: FetchSessions::new(config.limits.fetch_sessions_max),
            published: self.published,
            config: self.config,
            listeners: kinds(&clients, &controllers),
            epoch: AtomicI64::new(-1),
            past_the_cache: self.past_the_cache,
            stopping: stopped,
        });
        let machine = listeners::machine_name();
        let advertised = listeners::advertised(&config.network.advertised, &clients, &machine);
        let log_dirs = self.directories.iter().map(|(id, _)| *id).collect();
        register(&broker, &config, &advertised, &bound_listeners(&controllers, &machine), log_dirs).await?;
        let addresses = clients.iter().map(|bound| (bound.listener.name.clone(), bound.address)).collect();
        let mut network = Network::new(Arc::new(api::Requests::new(Arc::clone(&broker))), limits(&config));
        for (number, bound) in clients.into_iter().chain(controllers).enumerate() {
            network.listen(bound.acceptor, number);
        }
        Ok(Server {
            broker,
            network,
            directories: self.directories,
            queue: self.queue,
            publisher: self.publisher,
            stopping,
            addresses,
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

fn limits(config: &BrokerConfig) -> Limits {
    let limits = &config.limits;
    let idle_max = limits.connection_idle_max_ms.and_then(|ms| u64::try_from(ms).ok());
    Limits {
        request_bytes_max: limits.request_bytes_max,
        // As long as a timer goes.
        idle_max: idle_max.map_or(Duration::from_secs(60 * 60 * 24 * 365), Duration::from_millis),
        budget: Budget::new(limits.queued_request_bytes_max.unwrap_or(REQUEST_BYTES_MAX)),
    }
}

/// Registers the node as broker and controller, and lets the broker serve. All of it is decided at once and waits for the disk once.
async fn register(
    broker: &Broker,
    config: &BrokerConfig,
    advertised: &[Listener],
    controllers: &[Listener],
    log_dirs: Vec<Uuid>,
) -> Result<(), StartError> {
    let incarnation_id = random_uuid(&broker.host);
    let (id, cluster_id) = (broker.node_id, &broker.cluster_id);
    let request = registration::of_broker(config, cluster_id, incarnation_id, advertised, log_dirs);
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
    let unfenced = broker.change(|context, _| match context.image.cluster.broker(id) {
        Some(known) => controller::unfence_broker(context.image, id, known.broker_epoch),
        None => Decision::unchanged(Ok(())),
    });
    // Polled in this order, which is the one in which they are decided.
    let (controller, fenced, registered, unfenced) =
        futures::future::join4(controller, fenced, registered, unfenced).await;
    controller?;
    let refused = |refusal: controller::Refusal| StartError::Registration(refusal.message);
    fenced?.map_err(refused)?;
    let epoch = registered?.map_err(refused)?;
    unfenced?.map_err(refused)?;
    broker.epoch.store(epoch, Ordering::Release);
    tracing::info!(broker = id, epoch, cluster = %broker.cluster_id, "registered");
    Ok(())
}

fn random_uuid(host: &Host) -> Uuid {
    let mut bytes = [0; 16];
    host.random.fill(&mut bytes);
    Uuid::from_random(bytes)
}

//! Who is in the cluster: brokers, leaders, coordinators, and the connections to them.

use std::collections::HashMap;
use std::time::Duration;

use config::HostPort;
use protocol::messages::find_coordinator_response::Coordinator as FoundCoordinator;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse,
};
use protocol::{ErrorCode, Request, Uuid};
use tokio::time::{Instant, sleep};

use crate::backoff::{Backoff, Unreachable, dice};
use crate::bootstrap;
use crate::connection::Connection;
use crate::error::{ClientError, check};

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What the broker's logs and quotas know the client by.
    pub client_id: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long what can be retried is retried.
    pub retry_for: Duration,
    /// The pause between two tries, which grows where the same batch fails again and again.
    pub retry_backoff: Backoff,
    /// The pause between two tries to connect to the same broker.
    pub reconnect_backoff: Backoff,
    /// After what time without a request a connection is not used any more.
    pub idle_max: Duration,
    /// After what time it is asked again who leads a topic's partitions, and how many there are.
    pub metadata_age_max: Duration,
    /// The largest answer that is read.
    pub response_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            client_id: "yeoul".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            retry_for: Duration::from_secs(60),
            retry_backoff: Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) },
            reconnect_backoff: Backoff { first: Duration::from_millis(50), max: Duration::from_secs(1) },
            idle_max: Duration::from_secs(540),
            metadata_age_max: Duration::from_secs(300),
            response_bytes_max: 128 << 20,
        }
    }
}

/// A time as requests tell it: whole milliseconds, as many as they can tell.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// A client's view of a cluster.
#[derive(Debug)]
pub struct Cluster {
    options: ClientOptions,
    bootstrap: Vec<String>,
    addresses: HashMap<i32, String>,
    connections: HashMap<String, Connection>,
    leaders: HashMap<String, Leaders>,
    /// Those that were asked last and did not send us elsewhere.
    coordinators: HashMap<(CoordinatorType, String), Coordinator>,
    unreachable: Unreachable,
    /// When it was last said why there is another try.
    warned: Option<Instant>,
}

/// The partitions of a topic, and when that was learnt.
#[derive(Debug)]
struct Leaders {
    partitions: Vec<Partition>,
    learnt: Instant,
}

impl Leaders {
    /// Whether each partition has one.
    fn are_known(&self) -> bool {
        self.partitions.iter().all(|partition| partition.leader >= 0)
    }
}

/// How often it is said why there is another try.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// A partition and its leader, as the last metadata told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub partition: i32,
    /// The node that leads it, or -1.
    pub leader: i32,
    /// The leader's epoch, or -1.
    pub leader_epoch: i32,
}

/// What a coordinator looks after, as FindCoordinator numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorType {
    /// A group, by its id.
    Group = 0,
    /// The transactions of a producer, by its transactional id.
    Transaction = 1,
}

/// The broker that looks after a group, or after a producer's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// Its id.
    pub node_id: i32,
    /// Its host and port.
    pub address: String,
}

impl Cluster {
    /// The cluster of `host:port,host:port`, which is come to when it is first asked.
    ///
    /// # Errors
    /// If none of these servers can be one.
    pub async fn of(bootstrap: &str, options: ClientOptions) -> Result<Cluster, ClientError> {
        Ok(Cluster {
            options,
            bootstrap: bootstrap::servers(bootstrap).await?,
            addresses: HashMap::new(),
            connections: HashMap::new(),
            leaders: HashMap::new(),
            coordinators: HashMap::new(),
            unreachable: Unreachable::default(),
            warned: None,
        })
    }

    /// Connects to the first server of `host:port,host:port` that answers, and waits for one as long as retries go.
    pub async fn connect(bootstrap: &str, options: ClientOptions) -> Result<Cluster, ClientError> {
        let mut cluster = Cluster::of(bootstrap, options).await?;
        let deadline = cluster.patience();
        loop {
            match cluster.any().await {
                Ok(_) => return Ok(cluster),
                Err(error) if error.is_retriable() && cluster.pause(deadline).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The same cluster with connections of its own, for who asks it beside this one.
    pub async fn twin(&self) -> Result<Cluster, ClientError> {
        Cluster::connect(&self.bootstrap.join(","), self.options.clone()).await
    }

    /// The same cluster over the same connections, for what goes on beside this one.
    pub(crate) fn beside(&self) -> Cluster {
        Cluster {
            options: self.options.clone(),
            bootstrap: self.bootstrap.clone(),
            addresses: self.addresses.clone(),
            connections: self.connections.clone(),
            leaders: HashMap::new(),
            coordinators: HashMap::new(),
            unreachable: Unreachable::default(),
            warned: None,
        }
    }

    /// How this client behaves.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// A connection to any broker.
    pub async fn any(&mut self) -> Result<Connection, ClientError> {
        let now = Instant::now();
        let open = self.connections.values().find(|connection| connection.is_usable(now));
        if let Some(open) = open {
            return Ok(open.clone());
        }
        let mut known: Vec<String> = self.addresses.values().chain(&self.bootstrap).cloned().collect();
        known.sort_unstable();
        known.dedup();
        let mut failed = None;
        for address in &known {
            match self.open(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = Some(error),
            }
        }
        let error = match failed {
            Some(error) if known.len() == 1 => error,
            _ => ClientError::NoBroker(known.join(",")),
        };
        self.warn(&error);
        Err(error)
    }

    /// Says why there is another try; not at each, of which there are many a second.
    pub(crate) fn warn(&mut self, error: &ClientError) {
        let now = Instant::now();
        if self.warned.is_none_or(|last| last + WARN_EVERY <= now) {
            self.warned = Some(now);
            tracing::warn!("{error}");
        }
    }

    async fn open(&mut self, address: &str) -> Result<Connection, ClientError> {
        let now = Instant::now();
        if let Some(connection) = self.connections.get(address).filter(|connection| connection.is_usable(now))
        {
            return Ok(connection.clone());
        }
        self.connections.remove(address);
        let connection = self.open_new(address).await?;
        self.connections.insert(address.to_owned(), connection.clone());
        Ok(connection)
    }

    /// Connects to an address, unless it is too early to try that again.
    async fn open_new(&mut self, address: &str) -> Result<Connection, ClientError> {
        self.unreachable.check(address, Instant::now())?;
        let tried = Connection::open(address, self.options.clone()).await;
        let backoff = self.options.reconnect_backoff;
        self.unreachable.note(address, &tried, Instant::now(), backoff, dice());
        tried
    }

    /// Learns where a node listens, as an answer other than Metadata told it.
    pub fn know_node(&mut self, id: i32, address: &str) {
        self.addresses.insert(id, address.to_owned());
    }

    /// A connection to this broker.
    pub async fn node(&mut self, id: i32) -> Result<Connection, ClientError> {
        match self.addresses.get(&id).cloned() {
            Some(address) => self.open(&address).await,
            None => Err(ClientError::refused(ErrorCode::BrokerNotAvailable)),
        }
    }

    /// A connection to this broker that is nobody else's: what waits there holds up none of the others.
    pub(crate) async fn connect_apart(&mut self, id: i32) -> Result<Connection, ClientError> {
        match self.addresses.get(&id).cloned() {
            Some(address) => self.open_new(&address).await,
            None => Err(ClientError::refused(ErrorCode::BrokerNotAvailable)),
        }
    }

    /// Asks any broker, again while the answer may become better.
    pub async fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        self.ask_until(request, self.patience()).await
    }

    /// When what is tried from now on is given up.
    pub(crate) fn patience(&self) -> Instant {
        Instant::now() + self.options.retry_for
    }

    /// Asks any broker, once if the deadline has passed.
    pub(crate) async fn ask_until<R: Request>(
        &mut self,
        request: &R,
        deadline: Instant,
    ) -> Result<R::Response, ClientError> {
        loop {
            let answer = match self.any().await {
                Ok(connection) => connection.call_within(request, R::MAX_VERSION, self.limit(deadline)).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                answer => return answer,
            }
        }
    }

    /// How long an answer may take that is of no use after the deadline. Once that has passed there is one try, with all its time.
    fn limit(&self, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        let whole = self.options.request_timeout;
        if left.is_zero() { whole } else { left.min(whole) }
    }

    /// Waits for the next try; false when there is no time left for one.
    pub(crate) async fn pause(&self, deadline: Instant) -> bool {
        let pause = self.options.retry_backoff.pause(1, dice());
        let next = Instant::now() + pause;
        if next < deadline {
            sleep(pause).await;
        }
        next < deadline
    }

    /// All topics, or those of the list. Topics with errors are part of the answer.
    pub async fn metadata(
        &mut self,
        topics: Option<&[String]>,
        may_create: bool,
    ) -> Result<MetadataResponse, ClientError> {
        self.metadata_until(topics, may_create, self.patience()).await
    }

    /// The same with a deadline; there is one try once it has passed.
    pub(crate) async fn metadata_until(
        &mut self,
        topics: Option<&[String]>,
        may_create: bool,
        deadline: Instant,
    ) -> Result<MetadataResponse, ClientError> {
        let named = |name: &String| MetadataRequestTopic {
            name: Some(name.clone()),
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: topics.map(|topics| topics.iter().map(named).collect()),
            allow_auto_topic_creation: may_create,
            ..MetadataRequest::default()
        };
        let response = self.ask_until(&request, deadline).await?;
        check(response.error_code, None)?;
        self.remember(&response);
        Ok(response)
    }

    /// What topics are called, of those that there are.
    pub(crate) async fn topic_names(&mut self, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, ClientError> {
        let by_id = |id: &Uuid| MetadataRequestTopic { topic_id: *id, name: None };
        let topics = Some(ids.iter().map(by_id).collect());
        let request =
            MetadataRequest { topics, allow_auto_topic_creation: false, ..MetadataRequest::default() };
        let response = self.ask(&request).await?;
        self.remember(&response);
        let there = response.topics.into_iter().filter(|topic| topic.error_code == 0);
        Ok(there.filter_map(|topic| Some((topic.topic_id, topic.name?))).collect())
    }

    fn remember(&mut self, response: &MetadataResponse) {
        for broker in &response.brokers {
            let port = u16::try_from(broker.port).unwrap_or(0);
            self.addresses.insert(broker.node_id, HostPort(&broker.host, port).to_string());
        }
        for topic in response.topics.iter().filter(|topic| topic.error_code == 0) {
            let leaders = Leaders { partitions: partitions(topic), learnt: Instant::now() };
            self.leaders.insert(topic.name.clone().unwrap_or_default(), leaders);
        }
    }

    /// The partitions of a topic, sorted by number. Asks for a topic that is not known, or known without a leader, and again
    /// until it is there or the time for retries is over.
    pub async fn partitions(&mut self, topic: &str, may_create: bool) -> Result<Vec<Partition>, ClientError> {
        self.partitions_until(topic, may_create, self.patience()).await
    }

    /// The same with a deadline; once it has passed a topic that is not known is asked for once.
    pub(crate) async fn partitions_until(
        &mut self,
        topic: &str,
        may_create: bool,
        deadline: Instant,
    ) -> Result<Vec<Partition>, ClientError> {
        loop {
            if let Some(known) = self.fresh_leaders(topic) {
                return Ok(known.partitions.clone());
            }
            let response = self.metadata_until(Some(&[topic.to_owned()]), may_create, deadline).await?;
            let code = response.topics.first().map_or(0, |topic| topic.error_code);
            // A topic that may come into being does so a little after the first question.
            let code = if code == 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::from(code) };
            let settled = self.fresh_leaders(topic).is_some();
            let hopeless =
                !code.is_retriable() || (!may_create && code == ErrorCode::UnknownTopicOrPartition);
            if !settled && (hopeless || !self.pause(deadline).await) {
                return Err(ClientError::refused(code));
            }
        }
    }

    /// What is known of a topic, if that is all and not too old.
    fn fresh_leaders(&self, topic: &str) -> Option<&Leaders> {
        let is_fresh = |known: &&Leaders| known.learnt.elapsed() < self.options.metadata_age_max;
        self.leaders.get(topic).filter(|known| known.are_known()).filter(is_fresh)
    }

    /// Forgets what is known of a topic, after an error that says that it is out of date.
    pub fn forget(&mut self, topic: &str) {
        self.leaders.remove(topic);
    }

    /// A connection to the coordinator of a group; waits while there is none.
    pub async fn coordinator(&mut self, group: &str) -> Result<Connection, ClientError> {
        let deadline = self.patience();
        loop {
            let found = match self.find_coordinator_once(CoordinatorType::Group, group).await {
                Ok(coordinator) => self.node(coordinator.node_id).await,
                Err(error) => Err(error),
            };
            match found {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                found => return found,
            }
        }
    }

    /// Which broker looks after a group; waits while none does.
    pub async fn find_coordinator(&mut self, group: &str) -> Result<Coordinator, ClientError> {
        self.find_coordinator_until(CoordinatorType::Group, group, self.patience()).await
    }

    async fn find_coordinator_until(
        &mut self,
        kind: CoordinatorType,
        key: &str,
        deadline: Instant,
    ) -> Result<Coordinator, ClientError> {
        loop {
            match self.find_coordinator_once(kind, key).await {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                found => return found,
            }
        }
    }

    /// The same without waiting.
    pub(crate) async fn find_coordinator_once(
        &mut self,
        kind: CoordinatorType,
        key: &str,
    ) -> Result<Coordinator, ClientError> {
        let connection = self.any().await?;
        let mut request =
            FindCoordinatorRequest { key_type: kind as i8, ..FindCoordinatorRequest::default() };
        // Version 4 replaced the one key by a list (KIP-699).
        match connection.version::<FindCoordinatorRequest>(i16::MAX)? {
            0..=3 => key.clone_into(&mut request.key),
            _ => request.coordinator_keys.push(key.to_owned()),
        }
        let found = only_coordinator(connection.call(&request).await?);
        check(found.error_code, found.error_message.as_deref())?;
        let port = u16::try_from(found.port).unwrap_or(0);
        let address = HostPort(&found.host, port).to_string();
        self.addresses.insert(found.node_id, address.clone());
        Ok(Coordinator { node_id: found.node_id, address })
    }

    /// Asks a coordinator, in a version of at most `version_max`, and again until the deadline while the code of its answer, or
    /// that of who it is, says that another answer may come.
    pub(crate) async fn ask_coordinator<R: Request>(
        &mut self,
        (kind, key): (CoordinatorType, &str),
        request: &R,
        version_max: i16,
        deadline: Instant,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<(Coordinator, R::Response), ClientError> {
        loop {
            let coordinator = self.known_coordinator(kind, key, deadline).await?;
            let answer = match self.node(coordinator.node_id).await {
                Ok(connection) => connection.call_up_to(request, version_max).await,
                Err(error) => Err(error),
            };
            let is_final = match &answer {
                Ok(answer) => !ErrorCode::from(code(answer)).is_retriable(),
                Err(error) => !error.is_retriable(),
            };
            if !is_final {
                // It may be another by now.
                self.coordinators.remove(&(kind, key.to_owned()));
            }
            if is_final || !self.pause(deadline).await {
                return Ok((coordinator, answer?));
            }
        }
    }

    async fn known_coordinator(
        &mut self,
        kind: CoordinatorType,
        key: &str,
        deadline: Instant,
    ) -> Result<Coordinator, ClientError> {
        let place = (kind, key.to_owned());
        if let Some(known) = self.coordinators.get(&place) {
            return Ok(known.clone());
        }
        let found = self.find_coordinator_until(kind, key, deadline).await?;
        self.coordinators.insert(place, found.clone());
        Ok(found)
    }
}

fn only_coordinator(response: FindCoordinatorResponse) -> FoundCoordinator {
    let old = FoundCoordinator {
        key: String::new(),
        node_id: response.node_id,
        host: response.host,
        port: response.port,
        error_code: response.error_code,
        error_message: response.error_message,
    };
    response.coordinators.into_iter().next().unwrap_or(old)
}

fn partitions(topic: &MetadataResponseTopic) -> Vec<Partition> {
    let mut all: Vec<Partition> = topic
        .partitions
        .iter()
        .map(|it| Partition {
            partition: it.partition_index,
            leader: it.leader_id,
            leader_epoch: it.leader_epoch,
        })
        .collect();
    all.sort_by_key(|partition| partition.partition);
    all
}

//! Who is in the cluster: brokers, leaders, coordinators, and the connections to them.

use std::collections::HashMap;
use std::time::Duration;

use config::{HostPort, parse_host_port};
use protocol::messages::find_coordinator_response::Coordinator;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::{
    FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse,
};
use protocol::{ErrorCode, Request};
use tokio::time::{Instant, sleep};

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
    /// The pause between two tries.
    pub retry_backoff: Duration,
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
            retry_backoff: Duration::from_millis(100),
            response_bytes_max: 128 << 20,
        }
    }
}

/// A client's view of a cluster.
#[derive(Debug)]
pub struct Cluster {
    options: ClientOptions,
    bootstrap: Vec<String>,
    addresses: HashMap<i32, String>,
    connections: HashMap<String, Connection>,
    leaders: HashMap<String, Vec<Partition>>,
    /// When it was last said why there is another try.
    warned: Option<Instant>,
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

impl Cluster {
    /// Connects to the first server of `host:port,host:port` that answers, and waits for one as long as retries go.
    pub async fn connect(bootstrap: &str, options: ClientOptions) -> Result<Cluster, ClientError> {
        let servers = bootstrap.split(',').map(str::trim).filter(|server| !server.is_empty());
        let bootstrap = servers.map(checked_address).collect::<Result<Vec<_>, _>>()?;
        let mut cluster = Cluster {
            options,
            bootstrap,
            addresses: HashMap::new(),
            connections: HashMap::new(),
            leaders: HashMap::new(),
            warned: None,
        };
        let deadline = Instant::now() + cluster.options.retry_for;
        loop {
            match cluster.any().await {
                Ok(_) => return Ok(cluster),
                Err(error) if error.is_retriable() && cluster.pause(deadline).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How this client behaves.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// A connection to any broker.
    pub async fn any(&mut self) -> Result<Connection, ClientError> {
        let open = self.connections.values().find(|connection| connection.is_open());
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
        if let Some(connection) = self.connections.get(address).filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        let connection = Connection::open(address, self.options.clone()).await?;
        self.connections.insert(address.to_owned(), connection.clone());
        Ok(connection)
    }

    /// A connection to this broker.
    pub async fn node(&mut self, id: i32) -> Result<Connection, ClientError> {
        match self.addresses.get(&id).cloned() {
            Some(address) => self.open(&address).await,
            None => Err(ClientError::refused(ErrorCode::BrokerNotAvailable)),
        }
    }

    /// Asks any broker, again while the answer may become better.
    pub async fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        self.ask_until(request, self.patience()).await
    }

    /// When what is tried from now on is given up.
    fn patience(&self) -> Instant {
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
                Ok(connection) => connection.call(request).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                answer => return answer,
            }
        }
    }

    /// Waits for the next try; false when there is no time left for one.
    pub(crate) async fn pause(&self, deadline: Instant) -> bool {
        let next = Instant::now() + self.options.retry_backoff;
        if next < deadline {
            sleep(self.options.retry_backoff).await;
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

    async fn metadata_until(
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

    fn remember(&mut self, response: &MetadataResponse) {
        for broker in &response.brokers {
            let port = u16::try_from(broker.port).unwrap_or(0);
            self.addresses.insert(broker.node_id, HostPort(&broker.host, port).to_string());
        }
        for topic in response.topics.iter().filter(|topic| topic.error_code == 0) {
            self.leaders.insert(topic.name.clone().unwrap_or_default(), partitions(topic));
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
            let known = self.leaders.get(topic);
            if let Some(partitions) = known.filter(|all| all.iter().all(|partition| partition.leader >= 0)) {
                return Ok(partitions.clone());
            }
            let response = self.metadata_until(Some(&[topic.to_owned()]), may_create, deadline).await?;
            let code = response.topics.first().map_or(0, |topic| topic.error_code);
            // A topic that may come into being does so a little after the first question.
            let code = if code == 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::from(code) };
            let settled = self.leaders.get(topic).is_some_and(|all| all.iter().all(|it| it.leader >= 0));
            let hopeless =
                !code.is_retriable() || (!may_create && code == ErrorCode::UnknownTopicOrPartition);
            if !settled && (hopeless || !self.pause(deadline).await) {
                return Err(ClientError::refused(code));
            }
        }
    }

    /// Forgets what is known of a topic, after an error that says that it is out of date.
    pub fn forget(&mut self, topic: &str) {
        self.leaders.remove(topic);
    }

    /// A connection to the coordinator of a group; waits while there is none.
    pub async fn coordinator(&mut self, group: &str) -> Result<Connection, ClientError> {
        let request = FindCoordinatorRequest {
            key: group.to_owned(),
            coordinator_keys: vec![group.to_owned()],
            ..FindCoordinatorRequest::default()
        };
        let deadline = Instant::now() + self.options.retry_for;
        loop {
            match self.find_coordinator(request.clone()).await {
                Err(error) if error.is_retriable() && self.pause(deadline).await => {}
                found => return found,
            }
        }
    }

    async fn find_coordinator(
        &mut self,
        mut request: FindCoordinatorRequest,
    ) -> Result<Connection, ClientError> {
        let connection = self.any().await?;
        // Version 4 replaced the one key by a list (KIP-699).
        match connection.version::<FindCoordinatorRequest>(i16::MAX)? {
            0..=3 => request.coordinator_keys.clear(),
            _ => request.key.clear(),
        }
        let found = only_coordinator(connection.call(&request).await?);
        check(found.error_code, found.error_message.as_deref())?;
        let port = u16::try_from(found.port).unwrap_or(0);
        let address = HostPort(&found.host, port).to_string();
        self.addresses.insert(found.node_id, address.clone());
        self.open(&address).await
    }
}

fn only_coordinator(response: FindCoordinatorResponse) -> Coordinator {
    let old = Coordinator {
        key: String::new(),
        node_id: response.node_id,
        host: response.host,
        port: response.port,
        error_code: response.error_code,
        error_message: response.error_message,
    };
    response.coordinators.into_iter().next().unwrap_or(old)
}

fn checked_address(server: &str) -> Result<String, ClientError> {
    match parse_host_port(server) {
        Some((host, _)) if !host.is_empty() => Ok(server.to_owned()),
        _ => Err(ClientError::BadAddress(server.to_owned())),
    }
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

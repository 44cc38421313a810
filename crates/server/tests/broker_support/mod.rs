//! A broker on a directory of its own, and requests to it as bytes on a connection.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::Path;
use std::sync::Arc;

use config::BrokerConfig;
use host::Host;
use host::sim::{SeededRandom, SimDisk};
use protocol::compression::Compression;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{CreateTopicsRequest, FetchRequest, ProduceRequest, RequestHeader};
use protocol::records::BatchBuilder;
use protocol::{Message, Reader, Records, Request, Writer, decode_response_header, encode_request_header};
use quorum::Formatting;
use server::net::{Duplex, Sockets, TcpSockets};
use server::{Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLUSTER_ID: &str = "WW91bC10ZXN0LWNsdXN0ZQ";

/// A process on a machine with this disk, whose clock is the real one.
pub fn host(disk: &SimDisk, seed: u64) -> Host {
    Host {
        disk: Arc::new(disk.process()),
        clock: Arc::new(host::SystemClock::default()),
        random: Arc::new(SeededRandom::new(seed)),
    }
}

/// Runs something with a runtime of its own, all of which is gone afterwards, as the tasks of a process that was killed.
pub fn in_a_process<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("threads can be started");
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// Formats a directory, unless it is, and starts a broker on it and on ports that the system chooses.
pub async fn start(data: &Path) -> Server {
    let started = start_on(Host::real(), &TcpSockets, data, 0).await;
    started.expect("the broker starts")
}

/// The same with settings of its own.
pub async fn start_with(data: &Path, settings: &[(&str, &str)]) -> Server {
    let started = start_as(Host::real(), &TcpSockets, data, 0, settings).await;
    started.expect("the broker starts")
}

/// The same on any machine and network. `port` is the clients'; 0 lets the network choose.
pub async fn start_on(
    host: Host,
    sockets: &dyn Sockets,
    data: &Path,
    port: u16,
) -> Result<Server, Box<dyn std::error::Error>> {
    start_as(host, sockets, data, port, &[]).await
}

/// Starts a broker that serves HTTP too, with some settings.
pub async fn start_seen(data: &Path, settings: &[(&str, &str)]) -> Server {
    start_with(data, &[settings, &[("yeoul.http.listener", "127.0.0.1:0")]].concat()).await
}

/// The same with settings of its own too.
pub async fn start_as(
    host: Host,
    sockets: &dyn Sockets,
    data: &Path,
    port: u16,
    settings: &[(&str, &str)],
) -> Result<Server, Box<dyn std::error::Error>> {
    let mut properties = BrokerConfig::standalone(data);
    let listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:0");
    properties.set("listeners", listeners);
    settings.iter().for_each(|(key, value)| properties.set(*key, *value));
    let (config, _) = BrokerConfig::new(&properties).expect("the settings are valid");
    let formatting = Formatting::of(&config, CLUSTER_ID.to_owned());
    quorum::format(&host, &formatting, true)?;
    Ok(Server::start(host, sockets, config, ServerOptions::default()).await?)
}

/// A connection of a client.
pub struct Client {
    stream: Box<dyn Duplex>,
    correlation_id: i32,
}

impl Client {
    pub async fn connect(server: &Server) -> Client {
        let address = server.addresses()[0].1;
        let stream = TcpStream::connect(address).await.expect("the broker listens");
        Client::on(stream)
    }

    pub fn on(stream: impl Duplex + 'static) -> Client {
        Client { stream: Box::new(stream), correlation_id: 0 }
    }

    /// Sends a request and waits for its answer.
    pub async fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.try_ask(request, version).await.expect("the broker answers")
    }

    /// The same; none if the connection was closed.
    pub async fn try_ask<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        self.try_send(request, version).await?;
        self.receive::<R>(version).await
    }

    pub async fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.try_send(request, version).await.expect("the broker takes it");
    }

    async fn try_send<R: Request>(&mut self, request: &R, version: i16) -> Option<()> {
        self.correlation_id += 1;
        let header = RequestHeader {
            request_api_key: R::API_KEY.0,
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some("test".to_owned()),
        };
        let mut writer = Writer::new();
        encode_request_header(&header, &mut writer).expect("a header can be written");
        request.encode(&mut writer, version).expect("the request can be written");
        let body = writer.into_bytes();
        let length = i32::try_from(body.len()).expect("the request is small").to_be_bytes();
        self.stream.write_all(&[&length[..], &body].concat()).await.ok()
    }

    /// The next answer; none if the connection was closed.
    pub async fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
        let length = self.stream.read_i32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).expect("a length is not negative")];
        self.stream.read_exact(&mut body).await.ok()?;
        let mut reader = Reader::new(body.into());
        let header = decode_response_header(&mut reader, R::API_KEY, version).expect("a header can be read");
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = R::Response::decode(&mut reader, version).expect("the response can be read");
        assert_eq!(reader.remaining(), 0, "nothing follows the response");
        Some(response)
    }

    /// The error code of the answer; none if the connection was closed.
    pub async fn try_create_topic(&mut self, name: &str, partitions: i32) -> Option<i16> {
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: -1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        self.try_ask(&request, 7).await.map(|answer| answer.topics[0].error_code)
    }

    pub async fn create_topic(&mut self, name: &str, partitions: i32) -> i16 {
        self.try_create_topic(name, partitions).await.expect("the broker answers")
    }
}

/// A batch of one record; with a producer's id, its first sequence number.
pub fn batch(value: &str, producer: Option<(i64, i32)>) -> bytes::Bytes {
    let mut builder = BatchBuilder::new(0, Compression::None);
    if let Some((producer_id, sequence)) = producer {
        builder = builder.producer(producer_id, 0, sequence);
    }
    builder.append(1_000, None, Some(value.as_bytes()), &[]).build()
}

/// One batch for one partition, acks=all.
pub fn produce(topic: &str, index: i32, batch: bytes::Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index, records: Records::Bytes(batch) };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

/// A fetch of one partition without a session.
pub fn fetch(topic: &str, partition: i32, fetch_offset: i64, max_wait_ms: i32) -> FetchRequest {
    let asked =
        FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.to_owned(), partitions: vec![asked], ..Default::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

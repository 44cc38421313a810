//! What an operator sees of a broker over HTTP.

#[path = "broker_support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use server::Server;
use server::http::{HttpError, get};
use support::{Client, batch, fetch, produce, start_seen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn text(server: &Server, path: &str) -> Result<String, HttpError> {
    let address = address(server);
    let body = get(&address.ip().to_string(), address.port(), path).await?;
    Ok(String::from_utf8(body.to_vec()).expect("it is text"))
}

fn address(server: &Server) -> SocketAddr {
    server.http_address().expect("the listener was asked for")
}

/// The value of the one line that begins so.
fn value(metrics: &str, series: &str) -> f64 {
    let mut found = metrics.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = found.next().unwrap_or_else(|| panic!("{series} is in {metrics}"));
    assert!(found.next().is_none(), "{series} is there twice");
    value.parse().expect("a value is a number")
}

/// The metrics, once a series is there: what takes part in the sending of an answer is noted after its client has it.
async fn metrics_with(server: &Server, series: &str) -> String {
    let found = async {
        loop {
            let metrics = text(server, "/metrics").await.expect("it is served");
            if metrics.contains(series) {
                return metrics;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("it is there soon")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_clients_did() {
    let home = tempfile::tempdir().unwrap();
    let server = start_seen(home.path(), &[]).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 2).await, 0);
    for _ in 0..3 {
        client.ask(&produce("t", 1, batch("v", None)), 9).await;
    }
    client.ask(&produce("t", 7, batch("v", None)), 9).await;
    client.ask(&fetch("t", 1, 0, 0), 12).await;
    let metrics =
        metrics_with(&server, "kafka_network_requestmetrics_totaltimems_count{request=\"Fetch\"}").await;
    let size = batch("v", None).len() as f64;
    for (series, expected) in [
        ("kafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"}", 3.0),
        ("kafka_server_brokertopicmetrics_bytesin_total{topic=\"t\"}", 3.0 * size),
        ("kafka_server_brokertopicmetrics_bytesout_total{topic=\"t\"}", 3.0 * size),
        ("kafka_server_brokertopicmetrics_messagesin_total", 3.0),
        ("kafka_server_brokertopicmetrics_failedproducerequests_total", 0.0),
        ("kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"}", 4.0),
        ("kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NONE\"}", 3.0),
        (
            "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}",
            1.0,
        ),
        ("kafka_network_requestmetrics_totaltimems_count{request=\"Fetch\"}", 1.0),
        ("kafka_log_log_logendoffset{topic=\"t\",partition=\"1\"}", 3.0),
        ("kafka_log_log_logendoffset{topic=\"t\",partition=\"0\"}", 0.0),
        ("kafka_server_replicamanager_leadercount", 2.0),
        ("kafka_controller_kafkacontroller_globaltopiccount", 1.0),
        ("kafka_server_socket_server_metrics_connection_count{listener=\"PLAINTEXT\"}", 1.0),
        ("kafka_server_kafkaserver_brokerstate", 3.0),
        ("yeoul_read_bytes_total{topic=\"t\",source=\"tail\"}", 3.0 * size),
    ] {
        let found = value(&metrics, series);
        assert!((found - expected).abs() < f64::EPSILON, "{series} is {found}, not {expected}");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn totals_do_not_go_back_when_a_topic_is_deleted() {
    let home = tempfile::tempdir().unwrap();
    let server = start_seen(home.path(), &[]).await;
    let mut client = Client::connect(&server).await;
    assert_eq!(client.create_topic("t", 1).await, 0);
    client.ask(&produce("t", 0, batch("v", None)), 9).await;
    let request = protocol::messages::DeleteTopicsRequest {
        topic_names: vec!["t".to_owned()],
        timeout_ms: 10_000,
        ..Default::default()
    };
    assert_eq!(client.ask(&request, 5).await.responses[0].error_code, 0);
    let metrics = text(&server, "/metrics").await.unwrap();
    assert!(!metrics.contains("topic=\"t\""), "{metrics}");
    assert!((value(&metrics, "kafka_server_brokertopicmetrics_messagesin_total") - 1.0).abs() < f64::EPSILON);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_serves_is_live_and_ready_and_knows_no_other_paths() {
    let home = tempfile::tempdir().unwrap();
    let server = start_seen(home.path(), &[]).await;
    assert_eq!(text(&server, "/health/live").await.unwrap(), "{\"status\":\"live\"}\n");
    assert_eq!(text(&server, "/health/ready").await.unwrap(), "{\"status\":\"ready\"}\n");
    let unknown = text(&server, "/").await.unwrap_err();
    assert!(matches!(&unknown, HttpError::Status(status) if status.as_u16() == 404), "{unknown}");
    server.stop().await.unwrap();
}

/// What comes back from raw bytes, up to the end of the connection.
async fn answer_to(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address(server)).await.expect("the listener accepts");
    // The other side may close before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_answered_with_an_error_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let server = start_seen(home.path(), &[]).await;
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let large_header = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    let headers: String = (0..1_000).map(|number| format!("X-{number}: y\r\n")).collect();
    let many_headers = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let large_body =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n".to_owned();
    for hostile in
        [long_path, large_header, many_headers, large_body, "\0\u{1}\u{2}garbage\r\n\r\n".to_owned()]
    {
        let answer = answer_to(&server, hostile.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    let not_allowed =
        answer_to(&server, b"POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(not_allowed.starts_with(b"HTTP/1.1 405"), "{}", String::from_utf8_lossy(&not_allowed));
    assert!(text(&server, "/health/ready").await.is_ok());
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_never_end_hold_no_scrape_up() {
    let home = tempfile::tempdir().unwrap();
    let server = start_seen(home.path(), &[]).await;
    let mut half = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address(&server)).await.expect("the listener accepts");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").await.expect("the other side reads");
        half.push(stream);
    }
    assert!(text(&server, "/metrics").await.is_ok());
    // The first has made room; the last still has all its time.
    assert_eq!(half[0].read(&mut [0]).await.unwrap_or(0), 0);
    let waits = half[63].try_read(&mut [0]).expect_err("nothing was answered");
    assert_eq!(waits.kind(), std::io::ErrorKind::WouldBlock);
    server.stop().await.unwrap();
}

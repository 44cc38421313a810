//! Asking others by HTTP: a collector of traces, or a broker's own listener.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Nobody is there, or the connection was lost.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// What came is no HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// What was to be asked is no request.
    #[error("{0}")]
    Request(#[from] hyper::http::Error),
    /// The answer was too large, or broke off.
    #[error("{0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
    /// The other side says that it cannot.
    #[error("answered with {0}")]
    Status(StatusCode),
}

/// Gets what is at a path; host names and addresses alike.
pub async fn get(host: &str, port: u16, path: &str) -> Result<Bytes, HttpError> {
    exchange(Method::GET, host, port, path, Bytes::new()).await
}

/// Posts JSON.
pub async fn post(host: &str, port: u16, path: &str, json: Bytes) -> Result<Bytes, HttpError> {
    exchange(Method::POST, host, port, path, json).await
}

async fn exchange(
    method: Method,
    host: &str,
    port: u16,
    path: &str,
    body: Bytes,
) -> Result<Bytes, HttpError> {
    let asked = ask(method, host, port, path, body);
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(HttpError::Timeout))
}

async fn ask(method: Method, host: &str, port: u16, path: &str, body: Bytes) -> Result<Bytes, HttpError> {
    let stream = TcpStream::connect((host, port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, config::HostPort(host, port).to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let read = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    let body = read.map_err(HttpError::Body)?.to_bytes();
    if status.is_success() { Ok(body) } else { Err(HttpError::Status(status)) }
}

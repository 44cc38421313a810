//! One connection: requests go out in order, answers find their request by its correlation id.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, RequestHeader};
use protocol::{
    ApiKey, ErrorCode, Message, Part, Reader, Request, VersionRange, Writer, decode_response_header,
    encode_request_header,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::ClientOptions;
use crate::error::{ClientError, unsupported};

/// Frames that may wait to be written before a caller waits.
const QUEUE_FRAMES: usize = 64;
/// Room that is made for an answer before its bytes arrive.
const CHUNK_BYTES: usize = 64 * 1024;
/// What is read at a time of small answers; the rest of a large one goes where it is to stay.
const READ_AHEAD_BYTES: usize = 4 * 1024;

/// A connection to one broker, shared by its clones. It ends when the last of them is dropped; what was sent before goes out.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    frames: mpsc::Sender<Frame>,
    _reader: Arc<Reading>,
}

/// A request on its way out, and whom to tell once it is handed to the system.
#[derive(Debug)]
struct Frame {
    parts: Vec<Part>,
    written: Option<oneshot::Sender<()>>,
}

/// The task that reads answers. It would wait for a silent broker for ever.
#[derive(Debug)]
struct Reading(AbortHandle);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Shared {
    address: String,
    options: ClientOptions,
    correlation_id: AtomicI32,
    versions: Mutex<HashMap<ApiKey, VersionRange>>,
    waiting: Mutex<Waiting>,
}

/// Who waits for an answer, and since when nobody has asked.
#[derive(Debug)]
struct Waiting {
    /// Why no answer will come any more.
    closed: Option<Closed>,
    by_id: HashMap<i32, oneshot::Sender<Bytes>>,
    last_asked: Instant,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closed {
    /// It ended, or nobody waits any longer.
    Lost,
    /// An answer begins with these bytes, which are no length of one.
    NoLength([u8; 4]),
    /// An answer that nobody has asked for.
    OutOfTurn,
}

impl Shared {
    /// Lets everybody who waits know that no answer comes any more.
    fn close(&self, why: Closed) {
        let mut waiting = locked(&self.waiting);
        waiting.closed.get_or_insert(why);
        waiting.by_id.clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Connects to `host:port` and asks for the versions that the broker speaks.
    pub async fn open(address: &str, options: ClientOptions) -> Result<Connection, ClientError> {
        let fail = |source| ClientError::Connect { address: address.to_owned(), source };
        let stream = timeout(options.connect_timeout, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        let connection = Connection::over(stream, address, options);
        connection.negotiate().await?;
        Ok(connection)
    }

    fn over(stream: TcpStream, address: &str, options: ClientOptions) -> Connection {
        let (read, write) = stream.into_split();
        let (frames, queue) = mpsc::channel(QUEUE_FRAMES);
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            options,
            correlation_id: AtomicI32::new(0),
            versions: Mutex::default(),
            waiting: Mutex::new(Waiting { closed: None, by_id: HashMap::new(), last_asked: Instant::now() }),
        });
        tokio::spawn(write_frames(write, queue));
        let reader = tokio::spawn(read_frames(read, shared.clone())).abort_handle();
        Connection { shared, frames, _reader: Arc::new(Reading(reader)) }
    }

    // An old broker answers an ApiVersions that is too new in version 0, and says there what it knows (KIP-511).
    async fn negotiate(&self) -> Result<(), ClientError> {
        // Who has little time is not kept by somebody that says nothing.
        let after = self.shared.options.request_timeout.min(self.shared.options.retry_for);
        let response = match self.ask_within(&introduction(), 3, after).await {
            Ok(response) if response.error_code != ErrorCode::UnsupportedVersion.code() => response,
            Ok(_) | Err(ClientError::Decode(_)) => {
                self.ask_within(&ApiVersionsRequest::default(), 0, after).await?
            }
            Err(error) => return Err(error),
        };
        crate::error::check(response.error_code, None)?;
        *locked(&self.shared.versions) = version_table(&response);
        Ok(())
    }

    /// Whether answers can still arrive.
    pub fn is_open(&self) -> bool {
        locked(&self.shared.waiting).closed.is_none()
    }

    /// Whether it can be asked now: a broker ends connections on which nobody asks for long, maybe just as somebody does.
    pub(crate) fn is_usable(&self, now: Instant) -> bool {
        let waiting = locked(&self.shared.waiting);
        let is_idle = waiting.by_id.is_empty()
            && now.duration_since(waiting.last_asked) >= self.shared.options.idle_max;
        waiting.closed.is_none() && !is_idle
    }

    /// The version in which a request of this kind goes out, at most `max`.
    pub fn version<R: Request>(&self, max: i16) -> Result<i16, ClientError> {
        let versions = locked(&self.shared.versions);
        let theirs = versions.get(&R::API_KEY).ok_or_else(|| unsupported(R::API_KEY))?;
        let stable = R::MAX_VERSION - i16::from(R::API_KEY.is_latest_version_unstable());
        let version = theirs.max.min(stable).min(max);
        if version < theirs.min.max(R::MIN_VERSION) {
            return Err(unsupported(R::API_KEY));
        }
        Ok(version)
    }

    /// Asks in the newest version that both sides speak.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.call_up_to(request, R::MAX_VERSION).await
    }

    /// Asks in the newest version that both sides speak, at most `max`.
    pub async fn call_up_to<R: Request>(&self, request: &R, max: i16) -> Result<R::Response, ClientError> {
        self.call_within(request, max, self.shared.options.request_timeout).await
    }

    /// The same with a time limit of its own, for requests that the broker keeps on purpose.
    pub async fn call_within<R: Request>(
        &self,
        request: &R,
        max: i16,
        after: Duration,
    ) -> Result<R::Response, ClientError> {
        self.ask_within(request, self.version::<R>(max)?, after).await
    }

    /// Sends a request that is never answered: Produce with acks=0. Returns when the system has all of it.
    pub async fn tell<R: Request>(&self, request: &R, max: i16) -> Result<(), ClientError> {
        let parts = self.frame(request, self.version::<R>(max)?, self.next_id())?;
        let (written, done) = oneshot::channel();
        let frame = Frame { parts, written: Some(written) };
        self.frames.send(frame).await.map_err(|_| self.lost())?;
        done.await.map_err(|_| self.lost())
    }

    async fn ask_within<R: Request>(
        &self,
        request: &R,
        version: i16,
        after: Duration,
    ) -> Result<R::Response, ClientError> {
        let id = self.next_id();
        let frame = Frame { parts: self.frame(request, version, id)?, written: None };
        let answer = self.expect_answer(id)?;
        let exchange = async {
            self.frames.send(frame).await.map_err(|_| self.lost())?;
            answer.await.map_err(|_| self.lost())
        };
        match timeout(after, exchange).await {
            Ok(body) => read_answer::<R>(body?, version),
            Err(_) => {
                // What comes on a connection after this is too late for somebody: the next request takes a new one.
                self.shared.close(Closed::Lost);
                Err(ClientError::TimedOut { api: R::API_KEY.name(), after })
            }
        }
    }

    fn expect_answer(&self, id: i32) -> Result<oneshot::Receiver<Bytes>, ClientError> {
        let mut waiting = locked(&self.shared.waiting);
        if let Some(why) = waiting.closed {
            return Err(self.ended(why));
        }
        waiting.last_asked = Instant::now();
        let (sender, receiver) = oneshot::channel();
        waiting.by_id.insert(id, sender);
        Ok(receiver)
    }

    fn frame<R: Request>(&self, request: &R, version: i16, id: i32) -> Result<Vec<Part>, ClientError> {
        let header = RequestHeader {
            request_api_key: R::API_KEY.0,
            request_api_version: version,
            correlation_id: id,
            client_id: Some(self.shared.options.client_id.clone()),
        };
        let mut writer = Writer::new();
        encode_request_header(&header, &mut writer)?;
        request.encode(&mut writer, version)?;
        Ok(writer.finish_frame()?)
    }

    fn next_id(&self) -> i32 {
        self.shared.correlation_id.fetch_add(1, Ordering::Relaxed)
    }

    fn lost(&self) -> ClientError {
        let why = locked(&self.shared.waiting).closed;
        self.ended(why.unwrap_or(Closed::Lost))
    }

    fn ended(&self, why: Closed) -> ClientError {
        let address = self.shared.address.clone();
        let is_new = locked(&self.shared.versions).is_empty();
        match why {
            Closed::NoLength(first) if is_new => ClientError::NotKafka { address, why: alien(first) },
            Closed::NoLength(first) => ClientError::TooLarge { address, bytes: u32::from_be_bytes(first) },
            Closed::OutOfTurn if is_new => {
                ClientError::NotKafka { address, why: "it answers what nobody has asked".to_owned() }
            }
            Closed::OutOfTurn | Closed::Lost => ClientError::Disconnected(address),
        }
    }
}

/// The question for versions, with who asks (KIP-511).
pub(crate) fn introduction() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "yeoul".to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ApiVersionsRequest::default()
    }
}

fn version_table(response: &ApiVersionsResponse) -> HashMap<ApiKey, VersionRange> {
    let ranges = response.api_keys.iter();
    ranges
        .map(|api| (ApiKey(api.api_key), VersionRange { min: api.min_version, max: api.max_version }))
        .collect()
}

fn read_answer<R: Request>(frame: Bytes, version: i16) -> Result<R::Response, ClientError> {
    let mut reader = Reader::new(frame);
    decode_response_header(&mut reader, R::API_KEY, version)?;
    Ok(R::Response::decode(&mut reader, version)?)
}

async fn write_frames(mut stream: OwnedWriteHalf, mut queue: mpsc::Receiver<Frame>) {
    let mut frames = Vec::new();
    while queue.recv_many(&mut frames, QUEUE_FRAMES).await > 0 {
        if write_parts(&mut stream, frames.iter().flat_map(|frame| &frame.parts)).await.is_err() {
            return;
        }
        for written in frames.drain(..).filter_map(|frame| frame.written) {
            let _ = written.send(());
        }
    }
}

/// Hands all of it to the system from where it lies.
async fn write_parts(
    stream: &mut OwnedWriteHalf,
    parts: impl Iterator<Item = &Part> + Send,
) -> io::Result<()> {
    let in_memory = parts.filter_map(|part| match part {
        Part::Bytes(bytes) => Some(IoSlice::new(bytes)),
        // A client has no records outside of its memory.
        Part::External { .. } => None,
    });
    let mut slices: Vec<IoSlice<'_>> = in_memory.collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match stream.write_vectored(rest).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut rest, written),
        }
    }
    Ok(())
}

/// What somebody is that answers with bytes that cannot be a length.
fn alien(first: [u8; 4]) -> String {
    match first {
        [b'H', b'T', b'T', b'P'] => "it answers with HTTP".to_owned(),
        [0x15 | 0x16, 3, ..] => "it answers with TLS, which this client does not speak".to_owned(),
        _ => format!("its answer begins with the bytes {first:02x?}"),
    }
}

async fn read_frames(stream: OwnedReadHalf, shared: Arc<Shared>) {
    let mut stream = BufReader::with_capacity(READ_AHEAD_BYTES, stream);
    let why = loop {
        let frame = match read_frame(&mut stream, shared.options.response_bytes_max).await {
            Ok(frame) => frame,
            Err(why) => break why,
        };
        let Some(id) = frame.first_chunk().map(|id| i32::from_be_bytes(*id)) else { break Closed::OutOfTurn };
        let Some(sender) = locked(&shared.waiting).by_id.remove(&id) else { break Closed::OutOfTurn };
        // Who has given up does not want it any more.
        let _ = sender.send(frame);
    };
    shared.close(why);
}

/// A frame without its length. Memory grows with the bytes that arrive, not with what the length says.
async fn read_frame(stream: &mut BufReader<OwnedReadHalf>, bytes_max: usize) -> Result<Bytes, Closed> {
    let mut first = [0; 4];
    stream.read_exact(&mut first).await.map_err(|_| Closed::Lost)?;
    let len = usize::try_from(i32::from_be_bytes(first)).ok().filter(|len| *len <= bytes_max);
    read_rest(stream, len.ok_or(Closed::NoLength(first))?).await.map_err(|_| Closed::Lost)
}

async fn read_rest(stream: &mut BufReader<OwnedReadHalf>, len: usize) -> io::Result<Bytes> {
    let mut frame = BytesMut::with_capacity(len.min(CHUNK_BYTES));
    while frame.len() < len {
        if frame.len() == frame.capacity() {
            frame.reserve((len - frame.len()).min(frame.len()));
        }
        let mut rest = stream.take((len - frame.len()) as u64);
        if rest.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_broker_is_told_by_its_first_bytes() {
        assert_eq!(alien(*b"HTTP"), "it answers with HTTP");
        assert_eq!(alien([0x15, 3, 3, 0]), "it answers with TLS, which this client does not speak");
        assert_eq!(alien(*b"SSH-"), "its answer begins with the bytes [53, 53, 48, 2d]");
    }
}

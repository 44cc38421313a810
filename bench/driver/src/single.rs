//! One record a request: many connections, each with one request under way, all on one thread.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Failure;
use crate::arguments::Arguments;
use crate::first::now_ms;
use crate::latency::Latencies;
use crate::stream::noise;
use crate::wire::{batch_of_one, connect, produce, produce_error};

const PATIENCE: Duration = Duration::from_secs(60);

/// A connection, the request that it repeats, and what has come of the answer.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    sent: Instant,
}

/// Repeats the request on every connection for that many seconds.
pub fn single(arguments: &Arguments) -> Result<String, Failure> {
    let seconds = Duration::from_secs_f64(arguments.number("seconds")?);
    let mut poll = Poll::new()?;
    let mut connections = connect_all(arguments, &poll)?;
    let begin = Instant::now();
    connections.iter_mut().try_for_each(Connection::send)?;
    let mut latencies = Latencies::with_capacity(4_000_000);
    let mut requests = 0_u64;
    let mut events = Events::with_capacity(connections.len());
    while begin.elapsed() < seconds {
        poll.poll(&mut events, Some(PATIENCE))?;
        if events.is_empty() {
            return Err("no answer came".into());
        }
        for event in &events {
            requests += u64::from(connections[event.token().0].answered(&mut latencies)?);
        }
    }
    let time = begin.elapsed().as_secs_f64();
    Ok(format!(r#"{{"records": {requests}, "seconds": {time:.4}, {}}}"#, latencies.fields()))
}

fn connect_all(arguments: &Arguments, poll: &Poll) -> Result<Vec<Connection>, Failure> {
    let (topic, partitions): (&str, usize) = (arguments.text("topic")?, arguments.number("partitions")?);
    let batch = batch_of_one(&noise(arguments.number("bytes")?), now_ms());
    let acks = arguments.number("acks")?;
    let mut connections = Vec::new();
    for index in 0..arguments.number("connections")? {
        let stream = connect(arguments.text("bootstrap")?)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        let request = produce(topic, (index % partitions) as i32, acks, &batch);
        connections.push(Connection { stream, request, answer: Vec::new(), sent: Instant::now() });
    }
    Ok(connections)
}

impl Connection {
    /// The request is far smaller than a socket's buffer, which is empty: it goes out whole.
    fn send(&mut self) -> Result<(), Failure> {
        self.sent = Instant::now();
        self.stream.write_all(&self.request)?;
        Ok(())
    }

    /// Whether the answer is complete; the next request is then on its way.
    fn answered(&mut self, latencies: &mut Latencies) -> Result<bool, Failure> {
        if !self.receive()? {
            return Ok(false);
        }
        match produce_error(&self.answer[4..])? {
            0 => latencies.add(self.sent.elapsed()),
            error => return Err(format!("a record was refused with error {error}").into()),
        }
        self.answer.clear();
        self.send()?;
        Ok(true)
    }

    /// Reads until the answer is complete, and not a time more: nothing follows it.
    fn receive(&mut self) -> Result<bool, Failure> {
        let mut part = [0; 512];
        while !self.is_complete() {
            match self.stream.read(&mut part) {
                Ok(0) => return Err("the broker closed a connection".into()),
                Ok(count) => self.answer.extend(&part[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn is_complete(&self) -> bool {
        let size = self.answer.first_chunk().map(|size| u32::from_be_bytes(*size) as usize);
        size.is_some_and(|size| self.answer.len() >= 4 + size)
    }
}

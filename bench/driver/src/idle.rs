//! Connections that say hello and then nothing.

use std::net::TcpStream;

use crate::Failure;
use crate::arguments::Arguments;
use crate::wire::{API_VERSIONS, ask, connect, request};

/// Opens them, prints `open`, and keeps them until its input ends.
pub fn idle(arguments: &Arguments) -> Result<String, Failure> {
    let count: usize = arguments.number("connections")?;
    let bootstrap = arguments.text("bootstrap")?;
    let hello = request(API_VERSIONS, 0, &[]);
    let streams = (0..count).map(|_| open(bootstrap, &hello)).collect::<Result<Vec<TcpStream>, Failure>>()?;
    println!("open");
    std::io::stdin().lines().for_each(drop);
    Ok(format!(r#"{{"connections": {}}}"#, streams.len()))
}

fn open(bootstrap: &str, hello: &[u8]) -> Result<TcpStream, Failure> {
    let mut stream = connect(bootstrap)?;
    ask(&mut stream, hello)?;
    Ok(stream)
}

//! The first acknowledged record of a broker that is about to start.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Failure;
use crate::arguments::Arguments;
use crate::wire::{Fields, METADATA, ask, batch_of_one, connect, produce, produce_error, request};

const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// Tries until a record is taken. Says `ready` before, so that whoever starts the broker can take the time.
pub fn first(arguments: &Arguments) -> Result<String, Failure> {
    let (bootstrap, topic) = (arguments.text("bootstrap")?, arguments.text("topic")?);
    println!("ready");
    let begin = Instant::now();
    while !acknowledged(bootstrap, topic).unwrap_or(false) {
        if begin.elapsed() > PATIENCE {
            return Err("no broker came up".into());
        }
        sleep(PAUSE);
    }
    Ok(r#"{"acknowledged": true}"#.to_owned())
}

/// One attempt on a connection of its own: asks for the topic, which creates it, then writes to it.
fn acknowledged(bootstrap: &str, topic: &str) -> Result<bool, Failure> {
    let mut stream = connect(bootstrap)?;
    let wanted = Fields::default().i32(1).string(topic).i8(1).done();
    let record = produce(topic, 0, 1, &batch_of_one(b"first", now_ms()));
    for _ in 0..200 {
        ask(&mut stream, &request(METADATA, 4, &wanted))?;
        if produce_error(&ask(&mut stream, &record)?)? == 0 {
            return Ok(true);
        }
        sleep(PAUSE);
    }
    Ok(false)
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

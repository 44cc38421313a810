//! Requests in, answers out.

use std::io::{BufRead, BufWriter, StdinLock, StdoutLock, Write};

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use crate::Outcome;

/// A record to send. Null is `None`.
pub struct Record {
    pub partition: i32,
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The two ends of the conversation.
pub struct Lines {
    input: StdinLock<'static>,
    output: BufWriter<StdoutLock<'static>>,
}

impl Lines {
    pub fn new(input: StdinLock<'static>, output: StdoutLock<'static>) -> Self {
        Self { input, output: BufWriter::new(output) }
    }

    /// The words of the next line, if there is one.
    pub fn request(&mut self) -> Outcome<Option<Vec<String>>> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(line.trim_end_matches('\n').split('\t').map(str::to_owned).collect()))
    }

    /// One of the records that follow a request to send them.
    pub fn record(&mut self) -> Outcome<Record> {
        let words = self.request()?.ok_or("a record is missing")?;
        let [partition, timestamp, key, value, headers @ ..] = words.as_slice() else {
            return Err("a record has four words at least".into());
        };
        Ok(Record {
            partition: partition.parse()?,
            timestamp_ms: timestamp.parse()?,
            key: parsed(key)?,
            value: parsed(value)?,
            headers: headers
                .chunks(2)
                .map(|pair| Ok((pair[0].clone(), parsed(&pair[1])?)))
                .collect::<Outcome<_>>()?,
        })
    }

    /// A line of the answer.
    pub fn print<S: AsRef<str>>(&mut self, words: &[S]) -> Outcome {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Ok(writeln!(self.output, "{}", words.join("\t"))?)
    }

    /// A record that was read.
    pub fn show(&mut self, message: &BorrowedMessage) -> Outcome {
        let mut words = vec![
            message.partition().to_string(),
            message.offset().to_string(),
            message.timestamp().to_millis().unwrap_or(-1).to_string(),
            written(message.key()),
            written(message.payload()),
        ];
        for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
            words.extend([header.key.to_owned(), written(header.value)]);
        }
        self.print(&words)
    }

    pub fn flush(&mut self) -> Outcome {
        Ok(self.output.flush()?)
    }
}

fn parsed(word: &str) -> Outcome<Option<Vec<u8>>> {
    word.strip_prefix('x').map(|digits| Ok(hex::decode(digits)?)).transpose()
}

fn written(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("x{}", hex::encode(bytes)))
}

//! Standard input, read by a thread of its own: a terminal keeps its reader waiting.

use std::io::{self, IsTerminal, Read, Write};
use std::thread;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::lines::LineSplitter;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that may wait.
const PIECES_MAX: usize = 4;

/// Lines as they come, a piece of the input at a time; the end of the channel is the end of the input.
pub type Lines = mpsc::Receiver<io::Result<Vec<Bytes>>>;

/// Begins to read. Where both ends are a terminal a prompt asks for each line.
pub fn lines() -> io::Result<Lines> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let is_interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
    thread::Builder::new().name("input".to_owned()).spawn(move || read(&sender, is_interactive))?;
    Ok(receiver)
}

fn read(lines: &mpsc::Sender<io::Result<Vec<Bytes>>>, is_interactive: bool) {
    let mut splitter = LineSplitter::default();
    let mut piece = vec![0; PIECE_BYTES];
    let mut input = io::stdin().lock();
    loop {
        if is_interactive {
            prompt();
        }
        let found = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => Ok(splitter.push(&piece[..count])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_over = found.is_err();
        if lines.blocking_send(found).is_err() || is_over {
            return;
        }
    }
    if let Some(last) = splitter.finish() {
        let _ = lines.blocking_send(Ok(vec![last]));
    }
}

fn prompt() {
    let mut out = io::stdout();
    let _ = out.write_all(b">").and_then(|()| out.flush());
}

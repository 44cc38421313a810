//! Being told to stop: SIGINT and SIGTERM.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::failure::Failure;

/// What the shell adds to the number of a signal that ended a program.
const SIGNALLED: u8 = 128;
const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// The signals that ask to stop. From here on they end nothing by themselves.
#[derive(Debug)]
pub struct Interrupt {
    int: Signal,
    term: Signal,
}

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Result<Interrupt, Failure> {
        Ok(Interrupt { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal, and tells the exit code of a program that it ended.
    pub async fn told(&mut self) -> u8 {
        tokio::select! {
            _ = self.int.recv() => SIGNALLED + SIGINT,
            _ = self.term.recv() => SIGNALLED + SIGTERM,
        }
    }
}

/// From now on ends the program at a second signal, and after `grace` if the first has not: what it waits for may never come.
pub fn insist(grace: Duration) -> Result<(), Failure> {
    let (mut first, mut second) = (Interrupt::listen()?, Interrupt::listen()?);
    tokio::spawn(async move {
        let code = first.told().await;
        // The second listener has seen the first signal too.
        second.told().await;
        tokio::select! {
            _ = second.told() => {}
            () = sleep(grace) => {}
        }
        std::process::exit(i32::from(code));
    });
    Ok(())
}

//! Reads of old data from the files of a log directory, which give way to its journal.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use host::{Clock, File};
use parking_lot::Mutex;

use super::cold_pace::ColdPace;

/// What readers of old data in one log directory share.
pub struct ColdReads {
    clock: Arc<dyn Clock>,
    pace: Mutex<ColdPace>,
    /// Held by who reads while somebody produces.
    turn: Mutex<()>,
}

impl ColdReads {
    /// With the clock by which it learns when the journal was written.
    pub fn new(clock: Arc<dyn Clock>) -> ColdReads {
        ColdReads { clock, pace: Mutex::default(), turn: Mutex::new(()) }
    }

    /// Reads as [`File::read_at`] does, and perhaps only some of it: whole blocks. Waits for the disk, for others who read, and a
    /// while for the journal, but never for it to be idle.
    pub fn read_at(&self, file: &dyn File, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let Some(turn_bytes) = self.pace.lock().turn_bytes(self.clock.monotonic()) else {
            return file.read_at(buf, at);
        };
        let _turn = self.turn.lock();
        let len = buf.len().min(turn_bytes);
        let read = file.read_at(&mut buf[..len], at)?;
        let pause = self.pace.lock().pause(self.clock.monotonic());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        Ok(read)
    }

    /// A write of the journal has ended.
    pub(super) fn note(&self, bytes: u64, took: Duration) {
        self.pace.lock().note(self.clock.monotonic(), bytes, took);
    }
}

impl std::fmt::Debug for ColdReads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ColdReads({:?})", self.pace.lock())
    }
}

//! What a terminal shows of work that takes longer than a second: what it is, how far it has come, and since when.
//!
//! It is on standard error, and only where that is a terminal. When work is done the line is gone, so that what is then written to
//! standard output stands alone.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

const SHOWN_AFTER: Duration = Duration::from_secs(1);
const SHOWN_EVERY: Duration = Duration::from_millis(200);
/// A line that is wider than a terminal could not be taken back.
const WIDTH_MAX: usize = 79;

/// How wide the line is that the terminal shows now: a program has one terminal.
static WIDTH: AtomicUsize = AtomicUsize::new(0);

/// The line of work that began so long ago; none if that is not worth one. Pure.
fn line(what: &str, count: Option<(u64, u64)>, since: Duration) -> Option<String> {
    if since < SHOWN_AFTER {
        return None;
    }
    let count = count.map_or_else(String::new, |(done, total)| format!(" {done} of {total},"));
    let line = format!("{what}:{count} {} s", since.as_secs());
    Some(line.chars().take(WIDTH_MAX).collect())
}

/// Whether work is to be shown anew that was looked at then. Pure.
fn is_due(seen: Duration, now: Duration) -> bool {
    now >= seen + SHOWN_EVERY
}

/// Work that may take long.
#[derive(Debug)]
pub struct Work {
    what: String,
    /// How many steps there are, and how many are done.
    count: Option<(u64, u64)>,
    begin: Instant,
    /// When it was last looked at, since the begin.
    seen: Duration,
    has_terminal: bool,
}

impl Work {
    /// Work that begins now, of one step.
    pub fn new(what: impl Into<String>) -> Work {
        let has_terminal = io::stderr().is_terminal();
        Work { what: what.into(), count: None, begin: Instant::now(), seen: Duration::ZERO, has_terminal }
    }

    /// Work that begins now, of so many steps.
    pub fn of(what: impl Into<String>, steps: usize) -> Work {
        Work { count: Some((0, steps as u64)), ..Work::new(what) }
    }

    /// Does a step that waits for others.
    pub async fn step<T>(&mut self, work: impl Future<Output = T>) -> T {
        let result = self.wait(work).await;
        self.add(1);
        result
    }

    /// Does what is not counted, and waits for others.
    pub async fn wait<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                () = sleep(SHOWN_EVERY), if self.has_terminal => self.show(),
            }
        };
        hide();
        result
    }

    /// So many steps more are done.
    pub fn add(&mut self, steps: u64) {
        if let Some((done, _)) = &mut self.count {
            *done += steps;
        }
    }

    /// Does a step that keeps a thread busy.
    pub fn busy_step<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        let result = if self.has_terminal { self.watch(work) } else { work() };
        self.add(1);
        result
    }

    /// Shows how long a thread of its own is at work.
    fn watch<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        let result = thread::scope(|scope| {
            let (alive, end) = mpsc::channel::<()>();
            let worker = scope.spawn(move || {
                let _alive = alive;
                work()
            });
            while end.recv_timeout(SHOWN_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                self.show();
            }
            worker.join()
        });
        hide();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Shows how far it is, where that was not done just now: for work that is looked at again and again.
    fn look(&mut self) {
        let now = self.begin.elapsed();
        if self.has_terminal && is_due(self.seen, now) {
            self.seen = now;
            self.show();
        }
    }

    fn show(&mut self) {
        if let Some(line) = line(&self.what, self.count, self.begin.elapsed()) {
            draw(&line);
        }
    }
}

/// Puts a line in the place of the one that is there.
fn draw(line: &str) {
    let width = line.chars().count();
    let gap = WIDTH.swap(width, Ordering::Relaxed).saturating_sub(width);
    // A terminal that is gone shows nothing.
    let _ = write!(io::stderr(), "\r{line}{:gap$}", "");
}

/// Takes the line back, if there is one, so that what is written next stands at the begin of its line.
pub fn hide() {
    if WIDTH.load(Ordering::Relaxed) > 0 {
        draw("");
        let _ = write!(io::stderr(), "\r");
    }
}

/// A writer to a file or a pipe; how far the work is that it is written by, a terminal shows beside it.
#[derive(Debug)]
pub struct Watched<W> {
    writer: W,
    /// The work.
    pub work: Work,
}

impl<W: Write> Watched<W> {
    /// What is written to standard output by this work. Where that is a terminal it is to be seen there how far it is.
    pub fn output(writer: W, work: Work) -> Watched<W> {
        let has_terminal = work.has_terminal && !io::stdout().is_terminal();
        Watched { writer, work: Work { has_terminal, ..work } }
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.work.look();
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<W> Drop for Watched<W> {
    fn drop(&mut self) {
        hide();
    }
}

/// Does what waits for others, and shows for how long where that is worth it.
pub async fn waiting<T>(what: impl Into<String>, work: impl Future<Output = T>) -> T {
    Work::new(what).wait(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn nothing_is_told_of_what_takes_less_than_a_second() {
        assert_eq!(line("connecting to h:1", None, seconds(0.999)), None);
        assert_eq!(line("connecting to h:1", None, seconds(1.0)).unwrap(), "connecting to h:1: 1 s");
        let counted = line("describing groups", Some((7, 40)), seconds(12.9)).unwrap();
        assert_eq!(counted, "describing groups: 7 of 40, 12 s");
    }

    #[test]
    fn a_line_has_room_on_a_terminal() {
        assert_eq!(line(&"여".repeat(200), None, seconds(2.0)).unwrap().chars().count(), WIDTH_MAX);
    }

    #[test]
    fn steps_give_back_what_they_find_and_are_counted() {
        let mut counted = Work { has_terminal: true, ..Work::of("counting", 3) };
        assert_eq!(counted.busy_step(|| 7), 7);
        counted.has_terminal = false;
        assert_eq!(counted.busy_step(|| "x"), "x");
        assert_eq!(counted.count, Some((2, 3)));
    }

    #[test]
    fn work_is_looked_at_now_and_then_however_often_it_is_asked_for() {
        assert!(!is_due(seconds(1.0), seconds(1.1)));
        assert!(is_due(seconds(1.0), seconds(1.2)));
    }

    #[test]
    fn what_is_written_by_work_that_is_watched_is_all_there() {
        let mut bytes = Vec::new();
        let work = Work { has_terminal: true, ..Work::new("dumping") };
        Watched { writer: &mut bytes, work }.write_all(b"all").unwrap();
        assert_eq!(bytes, b"all");
    }
}

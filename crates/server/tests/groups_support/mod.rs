//! A broker's group coordinators over a log directory on a simulated disk.
#![allow(dead_code, reason = "each test uses a part")]

pub mod asking;
pub mod gate;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coordinator::Settings;
use host::sim::{SeededRandom, SimDisk};
use host::{Clock, Disk, Host};
use protocol::Uuid;
use server::groups::Groups;
use storage::{Log, LogConfig, LogDir, LogDirOptions, TopicIdPartition};
use tokio::time::Instant;

const DIR: &str = "/data";
pub const LEADER_EPOCH: i32 = 3;

/// Tells tokio's time, which a test may set.
struct TokioClock {
    started: Instant,
}

impl Clock for TokioClock {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000 + self.monotonic().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// What the tests want: no waiting for further members.
pub fn settings() -> Settings {
    Settings { initial_rebalance_delay_ms: 0, ..Settings::default() }
}

pub struct Broker {
    pub disk: SimDisk,
    pub dir: Arc<LogDir>,
    pub groups: Arc<Groups>,
    pub logs: Vec<Arc<Log>>,
}

impl Broker {
    /// Starts on what is on the disk, and leads all partitions.
    pub fn start(disk: &SimDisk, partitions: i32) -> Broker {
        Broker::start_on(disk, Arc::new(disk.process()), partitions)
    }

    /// The same, through another view of the disk.
    pub fn start_on(disk: &SimDisk, view: Arc<dyn Disk>, partitions: i32) -> Broker {
        let clock = Arc::new(TokioClock { started: Instant::now() });
        let host = Host { disk: view, clock, random: Arc::new(SeededRandom::new(disk.changes())) };
        let options = LogDirOptions { journal_bytes_min: 64 * 1024, ..LogDirOptions::default() };
        let (dir, _) = LogDir::open(host.clone(), Path::new(DIR), options).expect("the disk works");
        let logs = (0..partitions).map(|partition| create_log(&dir, partition)).collect();
        let groups = Arc::new(Groups::new(host, settings(), partitions));
        let broker = Broker { disk: disk.clone(), dir, groups, logs };
        broker.lead_all(LEADER_EPOCH);
        broker
    }

    pub fn lead_all(&self, leader_epoch: i32) {
        for (partition, log) in (0..).zip(&self.logs) {
            self.groups.lead(partition, leader_epoch, log.clone(), self.dir.clone());
        }
    }

    /// Stops in order; the directory is plain Kafka's then.
    pub fn stop(self) -> SimDisk {
        self.groups.stop();
        self.dir.close().expect("the disk works");
        self.disk
    }

    /// The process dies.
    pub fn kill(self) -> SimDisk {
        self.disk.kill();
        self.disk
    }
}

fn create_log(dir: &LogDir, partition: i32) -> Arc<Log> {
    let id = TopicIdPartition::new("__consumer_offsets", Uuid([9; 16]), partition);
    let config = LogConfig { compacted: true, segment_bytes: 1 << 20, ..LogConfig::default() };
    dir.create_log(&id, config).expect("the disk works")
}

/// Drives a future while tokio's clock stands still: as long as something is polled, a paused clock does not move by itself.
pub async fn at_once<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let task = tokio::spawn(future);
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
    task.await.expect("it does not panic")
}

//! The periodic look at what has expired (`log.retention.check.interval.ms`). What goes, the log directories decide.

use std::sync::Arc;
use std::time::Duration;

use config::Logs;
use storage::LogDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Looks at these directories again and again, until the broker stops.
pub(crate) fn spawn(
    dirs: Vec<Arc<LogDir>>,
    settings: &Logs,
    mut stopping: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let first = milliseconds(settings.initial_task_delay_ms);
    let interval = milliseconds(settings.retention_check_interval_ms).max(Duration::from_millis(1));
    tokio::spawn(async move {
        let mut pause = first;
        while tokio::time::timeout(pause, stopping.wait_for(|stopping| *stopping)).await.is_err() {
            look(&dirs).await;
            pause = interval;
        }
    })
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

async fn look(dirs: &[Arc<LogDir>]) {
    for dir in dirs.iter().filter(|dir| dir.failure().is_none()) {
        let dir = Arc::clone(dir);
        let applied = tokio::task::spawn_blocking(move || {
            let path = dir.path().to_owned();
            dir.apply_retention().map_err(|error| (path, error))
        });
        if let Ok(Err((dir, error))) = applied.await {
            tracing::error!(dir = %dir.display(), %error, "what has expired could not be deleted");
        }
    }
}

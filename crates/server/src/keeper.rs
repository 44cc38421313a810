//! Keeps the controller's view of this broker's log directories true: where replicas are, what has failed, what is cordoned.

use std::sync::Arc;
use std::time::Duration;

use controller::{Assignment, Decision};
use tokio::sync::{mpsc, watch};

use crate::Broker;

/// After how long a change that could not be made is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What has become of the log directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A replica is there.
    Assigned(Assignment),
    /// One has failed.
    Offline,
    /// Others take new replicas now.
    Cordoned,
}

/// What is to be told to the controller.
#[derive(Debug, Default)]
struct News {
    assignments: Vec<Assignment>,
    offline: bool,
    cordoned: bool,
}

impl News {
    fn add(&mut self, event: Event) {
        match event {
            Event::Assigned(assignment) => self.assignments.push(assignment),
            Event::Offline => self.offline = true,
            Event::Cordoned => self.cordoned = true,
        }
    }
}

/// Tells the controller as long as the broker runs, and the broker when it cannot go on.
pub(crate) async fn keep(
    broker: Arc<Broker>,
    mut events: mpsc::UnboundedReceiver<Event>,
    fatal: watch::Sender<Option<String>>,
) {
    let mut stopping = broker.stopping.clone();
    loop {
        let mut news = News::default();
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => news.add(event),
                None => return,
            },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        while let Ok(event) = events.try_recv() {
            news.add(event);
        }
        if let Some(error) = broker.directories.fatal_failure().filter(|_| news.offline) {
            fatal.send_replace(Some(format!(
                "{error}; the broker cannot go on without it: mend or replace the disk and start the broker again"
            )));
            return;
        }
        tokio::select! {
            () = tell(&broker, news) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

async fn tell(broker: &Broker, news: News) {
    while let Err(error) = try_tell(broker, &news).await {
        // Then there is nobody to tell.
        if broker.directories.fatal_failure().is_some() {
            return;
        }
        tracing::warn!(error, "the controller could not be told about the log directories; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

async fn try_tell(broker: &Broker, news: &News) -> Result<(), String> {
    let (id, epoch) = (broker.node_id, broker.epoch());
    if news.offline {
        let online = broker.directories.online_ids();
        let decide = |image: &metadata::Image| controller::keep_directories(image, id, epoch, &online);
        let count = change(broker, decide).await?;
        tracing::warn!(partitions = count, "partitions in failed log directories have no leader");
    }
    if !news.assignments.is_empty() {
        change(broker, |image| controller::assign_directories(image, id, epoch, &news.assignments)).await?;
    }
    if news.cordoned {
        let cordoned = broker.directories.ids_of(&broker.config().logs.cordoned_dirs);
        change(broker, |image| controller::cordon_directories(image, id, epoch, &cordoned)).await?;
    }
    Ok(())
}

/// Has the controller decide. What it refuses is not tried again.
async fn change<R: Send + Default>(
    broker: &Broker,
    decide: impl FnOnce(&metadata::Image) -> Decision<Result<R, controller::Refusal>> + Send,
) -> Result<R, String> {
    match broker.change(|context, _| decide(context.image)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(refusal)) => {
            tracing::error!(
                reason = refusal.message,
                "the controller refuses what is said of the log directories"
            );
            Ok(R::default())
        }
        Err(error) => Err(error.to_string()),
    }
}

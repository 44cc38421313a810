//! Connections that were not served, or not at once: counted always, said now and then.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Pace;
use crate::net::Hindrance;

/// What hinders, by the setting or the reason that an operator looks for.
const REASONS: [&str; 4] =
    ["max.connections", "max.connections.per.ip", "max.connection.creation.rate", "accept failed"];

/// Counts of each reason.
#[derive(Default)]
pub(crate) struct Hindrances {
    counts: [AtomicU64; 4],
    paces: [Pace; 4],
}

impl Hindrances {
    /// Counts one, and tells of it unless that was done often enough lately.
    pub(crate) fn note(
        &self,
        listener: &str,
        address: Option<SocketAddr>,
        hindrance: &Hindrance,
        now: Duration,
    ) {
        let place = match hindrance {
            Hindrance::TooMany | Hindrance::Claimed => 0,
            Hindrance::TooManyOfAddress => 1,
            Hindrance::TooFast => 2,
            Hindrance::Failed(_) => 3,
        };
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        let Some(suppressed) = self.paces[place].admit(now) else { return };
        let (reason, address) = (REASONS[place], address.map(|address| address.to_string()));
        match hindrance {
            Hindrance::TooManyOfAddress | Hindrance::Claimed => {
                tracing::warn!(listener, address, reason, suppressed, "a connection was closed")
            }
            Hindrance::TooMany | Hindrance::TooFast => {
                tracing::warn!(listener, address, reason, suppressed, "connections have to wait")
            }
            Hindrance::Failed(error) => {
                tracing::warn!(listener, %error, suppressed, "a connection could not be accepted")
            }
        }
    }

    /// How often each reason was met.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(self.counts.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

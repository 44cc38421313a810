//! How long a client waits before it tries again (KIP-144, KIP-580).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::ClientError;

/// How far a pause may be off, so that clients that have lost a broker together do not come back together.
const JITTER: f64 = 0.2;
/// Doublings after which any pause is beyond its bound.
const DOUBLINGS_MAX: i32 = 32;

/// Pauses that double with every failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row. The dice are in 0..1.
    pub fn pause(&self, failures: u32, dice: f64) -> Duration {
        let doublings = i32::try_from(failures).unwrap_or(i32::MAX).saturating_sub(1).clamp(0, DOUBLINGS_MAX);
        let around = self.first.as_secs_f64() * 2_f64.powi(doublings);
        let seconds = around * (1.0 + JITTER * (2.0 * dice - 1.0));
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max).min(self.max)
    }
}

/// A number in 0..1, another one each time.
pub(crate) fn dice() -> f64 {
    f64::from(RandomState::new().hash_one(0_u8) as u32) / (f64::from(u32::MAX) + 1.0)
}

/// The addresses that could not be reached lately, none of which is tried before its time.
#[derive(Debug, Default)]
pub(crate) struct Unreachable {
    by_address: HashMap<String, Failures>,
}

#[derive(Debug)]
struct Failures {
    in_a_row: u32,
    not_before: Instant,
    last: io::ErrorKind,
}

impl Unreachable {
    /// Notes how a try ended.
    pub(crate) fn note<T>(
        &mut self,
        address: &str,
        tried: &Result<T, ClientError>,
        now: Instant,
        backoff: Backoff,
        dice: f64,
    ) {
        let Err(error) = tried else {
            self.by_address.remove(address);
            return;
        };
        let in_a_row = self.by_address.get(address).map_or(1, |failures| failures.in_a_row.saturating_add(1));
        let not_before = now + backoff.pause(in_a_row, dice);
        self.by_address.insert(address.to_owned(), Failures { in_a_row, not_before, last: kind(error) });
    }

    /// What was wrong with an address that is not to be tried yet.
    pub(crate) fn check(&self, address: &str, now: Instant) -> Result<(), ClientError> {
        match self.by_address.get(address).filter(|failures| now < failures.not_before) {
            Some(failures) => {
                Err(ClientError::Connect { address: address.to_owned(), source: failures.last.into() })
            }
            None => Ok(()),
        }
    }
}

/// What the system said, where it was the system that said something.
fn kind(error: &ClientError) -> io::ErrorKind {
    match error {
        ClientError::Connect { source, .. } => source.kind(),
        ClientError::TimedOut { .. } => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::ConnectionReset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Backoff = Backoff { first: Duration::from_millis(50), max: Duration::from_millis(1000) };

    #[test]
    fn pauses_double_up_to_their_bound() {
        let pauses =
            [1, 2, 3, 4, 5, 6, 1000, u32::MAX].map(|failures| USUAL.pause(failures, 0.5).as_millis());
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(Backoff { first: Duration::ZERO, ..USUAL }.pause(9, 0.9), Duration::ZERO);
        assert_eq!(Backoff { first: Duration::from_secs(9), ..USUAL }.pause(1, 0.0), USUAL.max);
    }

    #[test]
    fn a_pause_is_off_by_a_fifth_at_most() {
        assert_eq!(USUAL.pause(2, 0.0), Duration::from_millis(80));
        assert!(USUAL.pause(2, 0.999_999) < Duration::from_millis(120));
        let thrown: Vec<f64> = (0..100).map(|_| dice()).collect();
        assert!(
            thrown.iter().all(|dice| (0.0..1.0).contains(dice))
                && thrown.iter().any(|dice| *dice != thrown[0])
        );
    }

    #[test]
    fn an_address_is_not_tried_before_its_time_and_a_success_clears_it() {
        let (mut unreachable, now) = (Unreachable::default(), Instant::now());
        let refused: Result<(), _> = Err(ClientError::Connect {
            address: "a:1".to_owned(),
            source: io::ErrorKind::ConnectionRefused.into(),
        });
        unreachable.note("a:1", &refused, now, USUAL, 0.5);
        unreachable.note("a:1", &refused, now, USUAL, 0.5);
        assert!(unreachable.check("a:1", now + Duration::from_millis(99)).is_err());
        assert!(unreachable.check("a:1", now + Duration::from_millis(100)).is_ok());
        assert!(unreachable.check("b:1", now).is_ok());
        unreachable.note("a:1", &Ok(()), now, USUAL, 0.5);
        assert!(unreachable.check("a:1", now).is_ok());
    }
}

//! What becomes of records: told once for a batch, and known to each of its records.

use std::sync::Arc;

use tokio::sync::SetOnce;
use tokio::time::Instant;

use crate::error::ClientError;

/// Where a record has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: i32,
    /// The offset there; -1 where the broker does not say.
    pub offset: i64,
    /// When that was known.
    pub at: Instant,
}

/// The fate of a record: where it is, or why nowhere. Many records of a batch share one error.
pub type Fate = Result<Delivery, Arc<ClientError>>;

/// The fate of a batch, once it is known: where its first record is, or why none is anywhere.
pub(super) type Outcome = Arc<SetOnce<Fate>>;

/// The promise of a record's fate.
#[derive(Clone, Debug)]
pub struct Receipt {
    outcome: Outcome,
    /// The record's number in its batch.
    number: i32,
}

impl Receipt {
    pub(super) fn new(outcome: Outcome, number: i32) -> Receipt {
        Receipt { outcome, number }
    }

    /// The receipt of a record that is sent nowhere.
    pub(super) fn of_failure(error: ClientError) -> Receipt {
        Receipt { outcome: Arc::new(SetOnce::new_with(Some(Err(Arc::new(error))))), number: 0 }
    }

    /// The fate of the record, waited for. It comes in any case: a producer that ends tells its records.
    pub async fn fate(&self) -> Fate {
        self.of_batch(self.outcome.wait().await)
    }

    /// The fate if it is known already.
    pub fn known_fate(&self) -> Option<Fate> {
        self.outcome.get().map(|fate| self.of_batch(fate))
    }

    fn of_batch(&self, fate: &Fate) -> Fate {
        let mut delivery = fate.clone()?;
        // Where the broker does not say the first offset, the others are not known either.
        if delivery.offset >= 0 {
            delivery.offset += i64::from(self.number);
        }
        Ok(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_lies_as_far_after_the_first_as_in_its_batch() {
        let outcome = Outcome::default();
        let (first, third) = (Receipt::new(outcome.clone(), 0), Receipt::new(outcome.clone(), 2));
        assert!(first.known_fate().is_none());
        let delivery = Delivery { partition: 1, offset: 40, at: Instant::now() };
        outcome.set(Ok(delivery)).unwrap();
        assert_eq!(first.known_fate().unwrap().unwrap(), delivery);
        assert_eq!(third.known_fate().unwrap().unwrap().offset, 42);
    }

    #[test]
    fn where_the_broker_gives_no_offset_there_is_none() {
        let outcome = Outcome::default();
        outcome.set(Ok(Delivery { partition: 1, offset: -1, at: Instant::now() })).unwrap();
        assert_eq!(Receipt::new(outcome, 2).known_fate().unwrap().unwrap().offset, -1);
    }
}

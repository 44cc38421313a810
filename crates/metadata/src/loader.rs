//! Applying records, transactions of them as one.

use protocol::messages::MetadataRecord;

use crate::{ApplyError, Delta, Image};

/// Applies the records of the log in their order. What is within a transaction (KIP-868) is not seen before it ends, and
/// never if it is aborted.
#[derive(Clone, Debug, Default)]
pub struct Loader {
    image: Image,
    delta: Delta,
    transaction: Option<Box<Transaction>>,
}

/// A transaction that is open: the image with its changes, and what they are.
#[derive(Clone, Debug)]
struct Transaction {
    image: Image,
    delta: Delta,
}

impl Loader {
    /// Goes on from an image, with nothing changed yet.
    pub fn new(image: Image) -> Loader {
        Loader { image, ..Loader::default() }
    }

    /// Applies a record. One that fails changes nothing.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match (record, self.transaction.as_deref_mut()) {
            (MetadataRecord::BeginTransaction(_), None) => {
                let (image, delta) = (self.image.clone(), Delta::default());
                self.transaction = Some(Box::new(Transaction { image, delta }));
                Ok(())
            }
            (MetadataRecord::BeginTransaction(_), Some(_)) => Err(ApplyError::NestedTransaction),
            (MetadataRecord::EndTransaction(_), _) => {
                let ended = self.take_transaction("EndTransactionRecord")?;
                self.image = ended.image;
                self.delta.merge(ended.delta);
                Ok(())
            }
            (MetadataRecord::AbortTransaction(_), _) => {
                self.take_transaction("AbortTransactionRecord").map(drop)
            }
            (record, Some(open)) => open.image.apply(record, &mut open.delta),
            (record, None) => self.image.apply(record, &mut self.delta),
        }
    }

    fn take_transaction(&mut self, record: &'static str) -> Result<Transaction, ApplyError> {
        self.transaction.take().map(|open| *open).ok_or(ApplyError::NoTransaction { record })
    }

    /// Whether a transaction has begun and not ended.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// The image as it may be seen: without what an open transaction has changed so far.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What changed in [`image`](Loader::image) since this was last asked.
    pub fn take_delta(&mut self) -> Delta {
        std::mem::take(&mut self.delta)
    }
}

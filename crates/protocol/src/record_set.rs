//! The field of a message that holds record batches.

use bytes::Bytes;

/// Record batches in a message. They are never copied: not out of a frame, and not into one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Records {
    /// No records at all, which differs from zero bytes of them.
    #[default]
    Null,
    /// Batches that lie in one piece; what a decoded message holds is a slice of its frame.
    Bytes(Bytes),
    /// Batches that lie in several pieces, in order.
    Chunks(Vec<Bytes>),
    /// Batches that the server sends from a file.
    External {
        /// Their size in bytes.
        len: usize,
        /// What the server knows the place by; it comes out again as [`Part::External`](crate::Part::External).
        id: u32,
    },
}

impl Records {
    /// The size in bytes; zero for null.
    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::Chunks(chunks) => chunks.iter().map(Bytes::len).sum(),
            Records::External { len, .. } => *len,
        }
    }

    /// Whether there is not one byte of records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the field is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Records::Null)
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Records {
        Records::Bytes(bytes)
    }
}

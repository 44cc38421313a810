//! Cutting a stream of bytes into frames: four bytes of length, then the request.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::budget::{Budget, Charge};

const LENGTH_BYTES: usize = 4;
/// The first allocation for a frame whose bytes have yet to come.
const FIRST_STEP_BYTES: usize = 64 * 1024;
/// The most that an allocation grows by before the bytes for it have come.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A connection that has delivered a frame of this size gets room for the next one at once.
const TRUST_BYTES_MAX: usize = 1024 * 1024;

/// A length that no request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Negative or zero.
    #[error("a request of {0} bytes cannot be")]
    Invalid(i32),
    /// Above `socket.request.max.bytes`.
    #[error("a request of {size} bytes is above the {max} that socket.request.max.bytes allows")]
    TooLarge {
        /// What the client announces, in bytes.
        size: i32,
        /// The bound, in bytes.
        max: usize,
    },
}

/// A whole request, and what it takes from the budget.
#[derive(Debug)]
pub struct Frame {
    /// What follows the length: an allocation of its own.
    pub bytes: Bytes,
    /// Given back when the request is done.
    pub charge: Charge,
}

/// A frame of which only a part has come.
struct Partial {
    size: usize,
    bytes: BytesMut,
    charge: Charge,
}

/// Puts frames together. Memory follows the bytes that have come, never the length that was announced.
pub struct Cutter {
    budget: Arc<Budget>,
    size_max: usize,
    length: [u8; LENGTH_BYTES],
    length_bytes: usize,
    partial: Option<Partial>,
    /// The size of the largest frame that has come whole, up to a bound.
    trusted_bytes: usize,
}

impl Cutter {
    /// Frames of up to `size_max` bytes.
    pub fn new(budget: Arc<Budget>, size_max: usize) -> Cutter {
        Cutter { budget, size_max, length: [0; 4], length_bytes: 0, partial: None, trusted_bytes: 0 }
    }

    /// Whether a frame has begun.
    pub fn is_inside_frame(&self) -> bool {
        self.partial.is_some() || self.length_bytes > 0
    }

    /// Takes bytes that were read, and gives the frames that they complete.
    pub fn push(&mut self, mut bytes: &[u8], frames: &mut VecDeque<Frame>) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if self.partial.is_none() && !self.begin(&mut bytes)? {
                return Ok(());
            }
            if let Some(partial) = &mut self.partial {
                let taken = bytes.len().min(partial.missing());
                partial.make_room(taken, self.trusted_bytes);
                partial.bytes.put_slice(&bytes[..taken]);
                bytes.advance(taken);
            }
            self.finish(frames);
        }
        Ok(())
    }

    /// Reads the length. False if there is more of it to come.
    fn begin(&mut self, bytes: &mut &[u8]) -> Result<bool, FrameError> {
        let taken = bytes.len().min(LENGTH_BYTES - self.length_bytes);
        self.length[self.length_bytes..][..taken].copy_from_slice(&bytes[..taken]);
        self.length_bytes += taken;
        bytes.advance(taken);
        if self.length_bytes < LENGTH_BYTES {
            return Ok(false);
        }
        let size = self.check(i32::from_be_bytes(self.length))?;
        let charge = Charge::none(&self.budget);
        self.partial = Some(Partial { size, bytes: BytesMut::new(), charge });
        Ok(true)
    }

    fn check(&self, size: i32) -> Result<usize, FrameError> {
        match usize::try_from(size) {
            Ok(0) | Err(_) => Err(FrameError::Invalid(size)),
            Ok(bytes) if bytes > self.size_max => Err(FrameError::TooLarge { size, max: self.size_max }),
            Ok(bytes) => Ok(bytes),
        }
    }

    /// The buffer to read into and how many bytes of it may be filled, where at least `worthwhile` bytes of the frame that
    /// has begun are missing.
    pub fn direct(&mut self, worthwhile: usize) -> Option<(&mut BytesMut, usize)> {
        let partial = self.partial.as_mut().filter(|partial| partial.missing() >= worthwhile)?;
        partial.make_room(1, self.trusted_bytes);
        let room = partial.bytes.capacity() - partial.bytes.len();
        let limit = room.min(partial.missing());
        Some((&mut partial.bytes, limit))
    }

    /// Hands over the frame that has begun, if it is complete.
    pub fn finish(&mut self, frames: &mut VecDeque<Frame>) {
        let Some(partial) = self.partial.take_if(|partial| partial.missing() == 0) else { return };
        self.trusted_bytes = self.trusted_bytes.max(partial.size.min(TRUST_BYTES_MAX));
        self.length_bytes = 0;
        frames.push_back(Frame { bytes: partial.bytes.freeze(), charge: partial.charge });
    }
}

impl Partial {
    fn missing(&self) -> usize {
        self.size - self.bytes.len()
    }

    /// Sees to it that `least` more bytes fit; grows up to `trusted` bytes at once, and beyond that with what has come.
    fn make_room(&mut self, least: usize, trusted: usize) {
        let capacity = self.bytes.capacity();
        if capacity - self.bytes.len() >= least {
            return;
        }
        let step = capacity.clamp(FIRST_STEP_BYTES, STEP_BYTES_MAX).max(least);
        let wanted = (capacity + step).max(trusted).min(self.size);
        self.bytes.reserve(wanted - self.bytes.len());
        self.charge.add(self.bytes.capacity() - capacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cutter() -> (Cutter, Arc<Budget>) {
        let budget = Budget::new(1 << 20);
        (Cutter::new(Arc::clone(&budget), 100 << 20), budget)
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as i32).to_be_bytes(), body].concat()
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let wire = [framed(b"one"), framed(&[7; 100_000]), framed(b"three")].concat();
        for step in [1, 2, 3, 5, 4096, 65_537, wire.len()] {
            let (mut cutter, budget) = cutter();
            let mut frames = VecDeque::new();
            for piece in wire.chunks(step) {
                cutter.push(piece, &mut frames).unwrap();
            }
            let bodies: Vec<usize> = frames.iter().map(|frame| frame.bytes.len()).collect();
            assert_eq!(bodies, [3, 100_000, 5]);
            assert!(!cutter.is_inside_frame());
            drop(frames);
            assert_eq!(budget.used(), 0);
        }
    }

    #[test]
    fn a_length_that_cannot_be_ends_the_connection() {
        for (size, error) in [
            (0, FrameError::Invalid(0)),
            (-1, FrameError::Invalid(-1)),
            (i32::MIN, FrameError::Invalid(i32::MIN)),
            (i32::MAX, FrameError::TooLarge { size: i32::MAX, max: 100 << 20 }),
        ] {
            let (mut cutter, _) = cutter();
            assert_eq!(cutter.push(&size.to_be_bytes(), &mut VecDeque::new()), Err(error));
        }
    }

    #[test]
    fn a_promise_of_many_bytes_takes_memory_only_as_they_come() {
        let (mut cutter, budget) = cutter();
        let mut frames = VecDeque::new();
        cutter.push(&50_000_000_i32.to_be_bytes(), &mut frames).unwrap();
        assert_eq!(budget.used(), 0);
        cutter.push(&[1; 1000], &mut frames).unwrap();
        assert!(budget.used() <= FIRST_STEP_BYTES, "{}", budget.used());
        cutter.push(&[1; 100_000], &mut frames).unwrap();
        assert!(budget.used() <= 4 * FIRST_STEP_BYTES, "{}", budget.used());
    }

    #[test]
    fn a_large_frame_is_read_into_its_own_memory() {
        let (mut cutter, _) = cutter();
        let mut frames = VecDeque::new();
        cutter.push(&framed(&[1; 100_000])[..50_000], &mut frames).unwrap();
        assert!(cutter.direct(60_000).is_none());
        while let Some((buf, limit)) = cutter.direct(1) {
            assert!(limit > 0);
            buf.put_bytes(1, limit);
            cutter.finish(&mut frames);
        }
        assert_eq!(frames[0].bytes, vec![1; 100_000]);
    }
}

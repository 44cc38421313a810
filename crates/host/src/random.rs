//! Randomness.

/// Random numbers.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buf: &mut [u8]);

    /// 64 random bits.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    }
}

/// The operating system's randomness, fit for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buf: &mut [u8]) {
        getrandom::fill(buf).expect("the operating system has randomness");
    }
}

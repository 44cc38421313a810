//! Memory that direct I/O takes.

use bytemuck::{Pod, Zeroable};

/// What addresses, positions and lengths of direct I/O are multiples of, in bytes.
pub const BLOCK_BYTES: usize = 4096;

#[repr(C, align(4096))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Block([u8; BLOCK_BYTES]);

/// A buffer whose address and length are multiples of [`BLOCK_BYTES`].
///
/// Pages that were never written to take no memory.
pub struct AlignedBuffer {
    blocks: Box<[Block]>,
}

impl AlignedBuffer {
    /// A buffer of zeroes with room for so many bytes, rounded up to whole blocks.
    pub fn zeroed(bytes: usize) -> AlignedBuffer {
        AlignedBuffer { blocks: bytemuck::zeroed_slice_box(bytes.div_ceil(BLOCK_BYTES)) }
    }

    /// All of it.
    pub fn as_slice(&self) -> &[u8] {
        bytemuck::cast_slice(&self.blocks)
    }

    /// All of it, to be written to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.blocks)
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.blocks.len() * BLOCK_BYTES
    }

    /// Whether it has no room at all.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_rounded_up() {
        let buffer = AlignedBuffer::zeroed(BLOCK_BYTES + 1);
        assert_eq!(buffer.len(), 2 * BLOCK_BYTES);
        assert_eq!(buffer.as_slice().as_ptr() as usize % BLOCK_BYTES, 0);
        assert!(buffer.as_slice().iter().all(|&byte| byte == 0));
    }
}

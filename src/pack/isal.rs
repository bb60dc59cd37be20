//! gzip (RFC 1952) at level 1 by ISA-L, a whole body at once. Knows no other level: zlib-rs has those.
//!
//! The crate's compressor cannot move between threads, and a worker is made in another than it runs in. So a body waits
//! uncompressed until it ends: `max_bytes` is its bound.

use isal::{Codec, CompressionLevel};

/// The body that is being filled.
#[derive(Debug, Default)]
pub(super) struct Isal {
    raw: Vec<u8>,
}

impl Isal {
    /// Takes more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Ends the body, compresses it and gives it away. The next byte begins another. The header has no time and no name.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        // What does not compress is stored, with 5 bytes for each 64 KiB. Room that nothing is written to takes no memory.
        let mut out = vec![0; self.raw.len() + self.raw.len() / 64 + 4096];
        let written = isal::compress_into(&self.raw, &mut out, CompressionLevel::One, Codec::Gzip)
            .expect("ISA-L refuses only too little room and settings that do not exist");
        self.raw.clear();
        out.truncate(written);
        out.shrink_to_fit();
        out
    }
}

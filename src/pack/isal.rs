//! gzip (RFC 1952) at level 1 by ISA-L, a whole body at once. Knows no other level: zlib-rs has those.
//!
//! The crate's compressor cannot move between threads, and a worker is made in another than it runs in. So a body waits
//! uncompressed until it ends (`max_bytes` is its bound), and its compressor lives no longer than one call.

use std::io::Write as _;

use isal::write::Encoder;
use isal::{Codec, CompressionLevel};

/// The compressor is given so many bytes at a time: it keeps what came of them until it has taken them all.
const STEP: usize = 64 << 10;

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
        const NEVER: &str = "ISA-L refuses only settings that do not exist, and a Vec takes all that is written to it";
        let mut encoder = Encoder::new(Vec::new(), CompressionLevel::One, Codec::Gzip);
        self.raw.chunks(STEP).for_each(|step| encoder.write_all(step).expect(NEVER));
        self.raw.clear();
        encoder.finish().expect(NEVER)
    }
}

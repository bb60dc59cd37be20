//! gzip (RFC 1952) as bytes arrive, with one compressor that is used again for every body. Does not decide when a
//! body ends.

use std::mem;

use flate2::{Compress, Compression, FlushCompress, Status};

/// log2 of the window: 32 KiB, deflate's largest.
const WINDOW_BITS: u8 = 15;
/// Room made for output at a time, in bytes.
const STEP: usize = 16 << 10;

/// A compressor and what it has written. Its header has no time and no name, so equal input gives equal bytes.
#[derive(Debug)]
pub(super) struct Gzip {
    compress: Compress,
    out: Vec<u8>,
}

impl Gzip {
    /// `level` from 1 (fastest) to 9.
    pub(super) fn new(level: u32) -> Self {
        Self { compress: Compress::new_gzip(Compression::new(level), WINDOW_BITS), out: Vec::new() }
    }

    /// Compresses more.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, _) = self.step(bytes, FlushCompress::None);
            bytes = &bytes[taken..];
        }
    }

    /// Ends the body and gives it away. The next byte begins another.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        while self.step(&[], FlushCompress::Finish).1 != Status::StreamEnd {}
        self.compress.reset();
        mem::take(&mut self.out)
    }

    /// One call of the compressor with room for its output. Returns how much of `bytes` it took.
    fn step(&mut self, bytes: &[u8], flush: FlushCompress) -> (usize, Status) {
        if self.out.capacity() - self.out.len() < STEP / 2 {
            self.out.reserve(STEP);
        }
        let before = self.compress.total_in();
        let status = self
            .compress
            .compress_vec(bytes, &mut self.out, flush)
            .expect("deflate refuses only a call after its end, and each end is followed by a reset");
        let taken = usize::try_from(self.compress.total_in() - before).expect("not more than the slice it was given");
        (taken, status)
    }
}

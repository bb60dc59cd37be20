//! Where one of some words may begin: 64 places at a time are looked up in tables of half bytes. A word belongs to one of
//! eight buckets, a bit each; a place is in a bucket if both halves of each of its first bytes are of some word in it.
//! This is the search known as Teddy. It may be wrong, but passes over nothing. Knows no words.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

use super::scan::{BLOCK, block_at, each_bit};

/// So many bytes of a word are looked at.
const BYTES: usize = 4;

/// So many bytes are looked at for the places of a block.
pub(super) const WINDOW: usize = BLOCK + BYTES - 1;

const BUCKETS: usize = 8;

/// Bytes that logs are full of. Words go to those buckets in which these are not taken for them.
const COMMON: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789 -_./:\"";

/// How much more they are.
const MORE: u32 = 16;

/// The tables: for each byte of a word, the buckets by its lower and by its upper half, once for each 16 places.
#[derive(Debug)]
pub(super) struct Fingerprints {
    low: [[u8; BLOCK]; BYTES],
    high: [[u8; BLOCK]; BYTES],
}

/// The halves of a bucket's bytes, a bit each.
type Bucket = [(u16, u16); BYTES];

impl Fingerprints {
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut buckets: [Bucket; BUCKETS] = Default::default();
        for word in words {
            let with = |bucket: &Bucket| -> Bucket {
                std::array::from_fn(|at| {
                    let (low, high) =
                        word.get(at).map_or((u16::MAX, u16::MAX), |byte| (1 << (byte & 15), 1 << (byte >> 4)));
                    (bucket[at].0 | low, bucket[at].1 | high)
                })
            };
            let growth = |bucket: &&mut Bucket| places_of(&with(bucket)) - places_of(bucket);
            if let Some(bucket) = buckets.iter_mut().min_by_key(growth) {
                *bucket = with(bucket);
            }
        }
        let table = |half: fn((u16, u16)) -> u16| {
            std::array::from_fn(|at| {
                std::array::from_fn(|place| {
                    let is_in = |bucket: &Bucket| half(bucket[at]) >> (place % 16) & 1 != 0;
                    buckets.iter().rev().fold(0, |mask, bucket| mask << 1 | u8::from(is_in(bucket)))
                })
            })
        };
        Self { low: table(|(low, _)| low), high: table(|(_, high)| high) }
    }

    /// The places of a block; the first has the lowest bit.
    #[inline(always)]
    pub(super) fn of<S: Simd>(&self, simd: S, window: &[u8; WINDOW]) -> u64 {
        let mut buckets = u8x64::splat(simd, u8::MAX);
        for (at, (low, high)) in self.low.iter().zip(&self.high).enumerate() {
            let bytes = u8x64::from_slice(simd, &window[at..at + BLOCK]);
            let (low, high) = (u8x64::from_slice(simd, low), u8x64::from_slice(simd, high));
            let by_low = low.swizzle_dyn_within_blocks(bytes & 15);
            buckets &= by_low & high.swizzle_dyn_within_blocks(bytes >> 4);
        }
        !buckets.simd_eq(0).to_bitmask()
    }

    /// Shows all places in order.
    pub(super) fn places(&self, bytes: &[u8], mut visit: impl FnMut(usize)) {
        let level = Level::new();
        for at in (0..bytes.len()).step_by(BLOCK) {
            let places = dispatch!(level, simd => self.of(simd, &block_at(bytes, at)));
            each_bit!(places, |bit| visit(at + bit));
        }
    }
}

/// How many of all places are in a bucket, of a fixed number.
fn places_of(bucket: &Bucket) -> u64 {
    let places = bucket.iter().map(|(low, high)| {
        let is_in = |byte: u8| low >> (byte & 15) & 1 != 0 && high >> (byte >> 4) & 1 != 0;
        let common = COMMON.iter().filter(|byte| is_in(**byte)).count() as u64;
        u64::from(low.count_ones() * high.count_ones()) + common * u64::from(MORE)
    });
    places.product()
}

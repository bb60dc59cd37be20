//! One pass over a text for all that may be something: 64 bytes at a time, a bit for each byte and kind, and out of the
//! bits where names end, stretches of digits begin, and the like. Most of a log has no such place and is passed over
//! without a look at its single bytes. Knows no detector.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

/// Bytes looked at together: as many as a mask has bits.
const BLOCK: usize = 64;

/// A stretch is at least so long, and has so many digits.
pub(super) const FEWEST_DIGITS: u32 = 6;

/// A word that is a number is at least so long.
pub(super) const SHORTEST_WORD: u32 = 9;

/// And has so many digits.
pub(super) const FEWEST_WORD_DIGITS: u32 = 2;

/// What may be something, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// An `=` or `:`, but not of a time.
    Assignment,
    /// Digits, spaces, and `()*+,-./`: six or more, six of them digits.
    Stretch,
    /// ASCII letters and digits: nine or more, two of them digits.
    Word,
    /// Two letters, two digits, and what may stand between groups.
    Code,
    /// An `@`.
    At,
    /// A backslash, `%` or `&`.
    Escape,
    /// The first byte of a character that may look like one of ASCII, or be invisible.
    Lead,
    /// Letters, digits, and `()*+,-./`: 32 in a row. Told once a block.
    Base64,
}

/// Where a sign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sign: Sign,
    pub(super) start: usize,
    pub(super) end: usize,
    /// A bit for each digit, the first byte has the lowest. `None`: it is longer than that.
    pub(super) digits: Option<u64>,
}

/// Blocks whose kinds are found at one go, with the widest instructions that the processor has.
const BATCH: usize = 16;

/// Shows all signs in `bytes`. Block by block in order, in a block kind by kind.
pub(super) fn walk(bytes: &[u8], mut visit: impl FnMut(Place)) {
    let (level, mut kinds) = (Level::new(), [Kinds::default(); BATCH + 2]);
    for (begin, batch) in (0..).step_by(BATCH * BLOCK).zip(bytes.chunks(BATCH * BLOCK)) {
        // The one before is the last that was looked at; the one behind belongs to the next batch as well.
        kinds[0] = kinds[BATCH];
        let ahead = &bytes[begin..bytes.len().min(begin + (BATCH + 1) * BLOCK)];
        dispatch!(level, simd => find_kinds(simd, ahead, &mut kinds[1..]));
        for (at, three) in (begin..begin + batch.len()).step_by(BLOCK).zip(kinds.windows(3)) {
            let [before, this, next] = three else { return };
            Blocks { bytes, at, before, this, next }.signs(&mut visit);
        }
    }
}

/// Three blocks, of which the middle one is looked at.
struct Blocks<'a> {
    bytes: &'a [u8],
    at: usize,
    before: &'a Kinds,
    this: &'a Kinds,
    next: &'a Kinds,
}

impl Blocks<'_> {
    #[inline]
    fn signs(&self, visit: &mut impl FnMut(Place)) {
        let Self { bytes, at, this, .. } = *self;
        let single = |sign, bit| Place { sign, start: at + bit, end: at + bit + 1, digits: None };
        bits(self.assignments()).for_each(|bit| visit(single(Sign::Assignment, bit)));
        self.runs(Sign::Stretch, (Kinds::number, is_number), (FEWEST_DIGITS, FEWEST_DIGITS), visit);
        self.runs(Sign::Word, (Kinds::word, is_letter), (SHORTEST_WORD, FEWEST_WORD_DIGITS), visit);
        let (codes, base64) = (self.codes(), self.base64());
        if this.rare | this.beyond | codes | base64 == 0 {
            return;
        }
        for bit in bits(this.rare) {
            let sign = if bytes[at + bit] == b'@' { Sign::At } else { Sign::Escape };
            visit(single(sign, bit));
        }
        let leads = if this.beyond == 0 { 0 } else { leads(&block_at(bytes, at)) };
        for (sign, mask) in [(Sign::Code, codes), (Sign::Lead, leads), (Sign::Base64, base64)] {
            bits(mask).for_each(|bit| visit(single(sign, bit)));
        }
    }

    /// In `12:34:56` digits stand before it, behind an assignment or more digits.
    fn assignments(&self) -> u64 {
        let Self { before, this, .. } = self;
        let further = shift(before.digit | before.assignment, this.digit | this.assignment, 2);
        this.assignment & !(shift(before.digit, this.digit, 1) & further)
    }

    fn codes(&self) -> u64 {
        let letters = join(self.this.letter, self.next.letter);
        let digits = join(self.this.digit, self.next.digit);
        let others = join(self.this.number(), self.next.number()) & !digits;
        (letters & letters >> 1 & digits >> 2 & digits >> 3 & others >> 4) as u64
    }

    /// Where a block is full from a multiple of sixteen on: 64 in a row fill two such parts of one block.
    fn base64(&self) -> u64 {
        let all = self.this.word() | self.this.mark;
        let pairs = all & all >> 16;
        let full = |part: &u32| (pairs >> (16 * part)) as u16 == u16::MAX;
        (0..3).find(full).map_or(0, |part| 1 << (16 * part))
    }

    /// Shows the runs of a kind that begin in the block, if they are so long and have so many digits.
    #[inline]
    fn runs(
        &self,
        sign: Sign,
        (mask, is_of_kind): (impl Fn(&Kinds) -> u64, impl Fn(u8) -> bool),
        (least, fewest): (u32, u32),
        visit: &mut impl FnMut(Place),
    ) {
        let all = join(mask(self.this), mask(self.next));
        let starts = long_runs(all, least) as u64 & !shift(mask(self.before), mask(self.this), 1);
        for bit in bits(starts) {
            let start = self.at + bit;
            // The window is at least a block long, from any bit on.
            let length = (!(all >> bit) as u64).trailing_zeros() as usize;
            if length < BLOCK {
                let digits = (join(self.this.digit, self.next.digit) >> bit) as u64 & ((1 << length) - 1);
                if has_bits(digits, fewest) {
                    visit(Place { sign, start, end: start + length, digits: Some(digits) });
                }
            } else {
                let rest = self.bytes[start..].iter();
                let end = start + rest.take_while(|&&byte| is_of_kind(byte)).count();
                visit(Place { sign, start, end, digits: None });
            }
        }
    }
}

/// Whether so many are set, few.
#[inline]
fn has_bits(mask: u64, least: u32) -> bool {
    let mut left = mask;
    (1..least).for_each(|_| left &= left.wrapping_sub(1));
    left != 0
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn is_number(byte: u8) -> bool {
    matches!(byte, b' ' | b'('..=b'9')
}

/// Which bytes of a block are of a kind; the first has the lowest bit.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    letter: u64,
    digit: u64,
    /// Digits and `()*+,-./`.
    mark: u64,
    space: u64,
    assignment: u64,
    /// `@`, backslash, `%` and `&`.
    rare: u64,
    /// Not ASCII.
    beyond: u64,
}

impl Kinds {
    #[inline(always)]
    fn of<S: Simd>(block: u8x64<S>) -> Self {
        let equal = |byte: u8| block.simd_eq(byte);
        let within = |bytes: u8x64<S>, low: u8, high: u8| (bytes - low).simd_le(high - low);
        Self {
            // The bit that tells the cases of letters apart.
            letter: within(block | 0x20, b'a', b'z').to_bitmask(),
            digit: within(block, b'0', b'9').to_bitmask(),
            mark: within(block, b'(', b'9').to_bitmask(),
            space: equal(b' ').to_bitmask(),
            assignment: (equal(b'=') | equal(b':')).to_bitmask(),
            rare: (equal(b'@') | equal(b'\\') | equal(b'%') | equal(b'&')).to_bitmask(),
            beyond: block.simd_ge(0x80).to_bitmask(),
        }
    }

    const fn word(&self) -> u64 {
        self.letter | self.digit
    }

    const fn number(&self) -> u64 {
        self.mark | self.space
    }
}

/// The kinds of all blocks in `bytes`, and of the one behind them.
#[inline(always)]
fn find_kinds<S: Simd>(simd: S, bytes: &[u8], kinds: &mut [Kinds]) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (block, kinds) in blocks.iter().zip(kinds.iter_mut()) {
        *kinds = Kinds::of(u8x64::from_slice(simd, block));
    }
    let mut behind = kinds.iter_mut().skip(blocks.len());
    if let Some(kinds) = behind.next() {
        *kinds = Kinds::of(u8x64::from_slice(simd, &block_at(rest, 0)));
    }
    behind.take(1).for_each(|kinds| *kinds = Kinds::default());
}

/// Beyond the end there is nothing of any kind.
fn block_at(bytes: &[u8], at: usize) -> [u8; BLOCK] {
    let rest = &bytes[at..bytes.len().min(at + BLOCK)];
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// The bytes that what looks like ASCII or is invisible begins with; a few more.
fn leads(block: &[u8; BLOCK]) -> u64 {
    let is_lead = |byte: &u8| matches!(byte, 0xc2 | 0xd9..=0xe2 | 0xea | 0xef | 0xf0);
    block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is_lead(byte)))
}

/// The places of the bits that are set.
#[inline]
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        bit
    })
}

const fn join(this: u64, next: u64) -> u128 {
    this as u128 | (next as u128) << BLOCK
}

/// The bits `by` places behind.
const fn shift(before: u64, this: u64, by: u32) -> u64 {
    this << by | before >> (u64::BITS - by)
}

/// The bits from which on so many are set.
#[inline]
const fn long_runs(mut mask: u128, least: u32) -> u128 {
    let mut have = 1;
    while have * 2 <= least {
        mask &= mask >> have;
        have *= 2;
    }
    mask & (mask >> (least - have))
}

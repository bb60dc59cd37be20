//! One pass over a text for all that may be something: 64 bytes at a time, a bit for each byte and kind, and out of the
//! bits where names end, stretches of digits begin, and the like. Most of a log has no such place and is passed over
//! without a look at its single bytes. Knows no detector.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

use super::fingerprints::Fingerprints;

/// Bytes looked at together: as many as a mask has bits.
pub(super) const BLOCK: usize = 64;

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
    /// One of the words may begin there that were asked for.
    Mark,
    /// Letters, digits, and `()*+,-./:=`: 32 in a row. Told once a block.
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

/// What is done with signs.
pub(super) trait Visit {
    /// Called at many places, of each of which the sign is known when it is compiled.
    fn visit(&mut self, place: Place);
}

impl<F: FnMut(Place)> Visit for F {
    fn visit(&mut self, place: Place) {
        self(place);
    }
}

/// Blocks whose kinds are found at one go.
const BATCH: usize = 16;

/// Shows all signs in `bytes`. Block by block in order, in a block kind by kind.
pub(super) fn walk(bytes: &[u8], words: Option<&Fingerprints>, visit: &mut impl Visit) {
    walk_at(Level::new(), bytes, words, visit);
}

fn walk_at(level: Level, bytes: &[u8], words: Option<&Fingerprints>, visit: &mut impl Visit) {
    dispatch!(level, simd => walk_with(simd, bytes, words, visit));
}

/// With the widest instructions that the processor has.
#[inline(always)]
fn walk_with<S: Simd>(simd: S, bytes: &[u8], words: Option<&Fingerprints>, visit: &mut impl Visit) {
    let mut kinds = [Kinds::default(); BATCH + 2];
    for (begin, batch) in (0..).step_by(BATCH * BLOCK).zip(bytes.chunks(BATCH * BLOCK)) {
        // The one before is the last that was looked at; the one behind belongs to the next batch as well.
        kinds[0] = kinds[BATCH];
        let ahead = &bytes[begin..bytes.len().min(begin + (BATCH + 1) * BLOCK)];
        find_kinds(simd, ahead, &mut kinds[1..]);
        if let Some(words) = words {
            let places = |at| match bytes[at..].first_chunk() {
                Some(window) => words.of(simd, window),
                None => words.of(simd, &block_at(bytes, at)),
            };
            let blocks = (begin..begin + batch.len()).step_by(BLOCK).zip(&mut kinds[1..]);
            blocks.for_each(|(at, kinds)| kinds.begun = places(at));
        }
        for (at, three) in (begin..begin + batch.len()).step_by(BLOCK).zip(kinds.windows(3)) {
            let [before, this, next] = three else { return };
            Blocks { bytes, at, before, this, next }.signs(visit);
        }
    }
}

/// Does something with the place of each bit that is set. No function: what is called per bit must be compiled for the
/// same processor as what calls it.
macro_rules! each_bit {
    ($mask:expr, |$bit:ident| $act:expr) => {
        let mut mask: u64 = $mask;
        while mask != 0 {
            let $bit = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            $act;
        }
    };
}
pub(super) use each_bit;

/// Three blocks, of which the middle one is looked at.
struct Blocks<'a> {
    bytes: &'a [u8],
    at: usize,
    before: &'a Kinds,
    this: &'a Kinds,
    next: &'a Kinds,
}

impl Blocks<'_> {
    #[inline(always)]
    fn signs(&self, visit: &mut impl Visit) {
        let Self { bytes, at, this, .. } = *self;
        let single = |sign, bit| Place { sign, start: at + bit, end: at + bit + 1, digits: None };
        each_bit!(self.assignments(), |bit| visit.visit(single(Sign::Assignment, bit)));
        self.runs(Sign::Stretch, (Kinds::number, is_number), (FEWEST_DIGITS, FEWEST_DIGITS), visit);
        self.runs(Sign::Word, (Kinds::word, is_letter), (SHORTEST_WORD, FEWEST_WORD_DIGITS), visit);
        each_bit!(this.begun, |bit| visit.visit(single(Sign::Mark, bit)));
        let (codes, base64) = (self.codes(), self.base64());
        if this.rare | this.beyond | codes | base64 == 0 {
            return;
        }
        each_bit!(this.rare, |bit| {
            let sign = if bytes[at + bit] == b'@' { Sign::At } else { Sign::Escape };
            visit.visit(single(sign, bit));
        });
        let leads = if this.beyond == 0 { 0 } else { leads(&block_at(bytes, at)) };
        for (sign, mask) in [(Sign::Code, codes), (Sign::Lead, leads), (Sign::Base64, base64)] {
            each_bit!(mask, |bit| visit.visit(single(sign, bit)));
        }
    }

    /// In `12:34:56` digits stand before it, behind an assignment or more digits.
    #[inline(always)]
    fn assignments(&self) -> u64 {
        let Self { before, this, .. } = self;
        let further = shift(before.digit | before.assignment, this.digit | this.assignment, 2);
        this.assignment & !(shift(before.digit, this.digit, 1) & further)
    }

    #[inline(always)]
    fn codes(&self) -> u64 {
        let letters = join(self.this.letter, self.next.letter);
        let digits = join(self.this.digit, self.next.digit);
        let others = join(self.this.number(), self.next.number()) & !digits;
        (letters & letters >> 1 & digits >> 2 & digits >> 3 & others >> 4) as u64
    }

    /// Where a block is full from a multiple of sixteen on: 64 in a row fill two such parts of one block.
    #[inline(always)]
    fn base64(&self) -> u64 {
        let all = self.this.word() | self.this.mark | self.this.assignment;
        let pairs = all & all >> 16;
        let full = |part: &u32| (pairs >> (16 * part)) as u16 == u16::MAX;
        (0..3).find(full).map_or(0, |part| 1 << (16 * part))
    }

    /// Shows the runs of a kind that begin in the block, if they are so long and have so many digits.
    #[inline(always)]
    fn runs(
        &self,
        sign: Sign,
        (mask, is_of_kind): (impl Fn(&Kinds) -> u64, impl Fn(u8) -> bool),
        (least, fewest): (u32, u32),
        visit: &mut impl Visit,
    ) {
        let all = join(mask(self.this), mask(self.next));
        let starts = long_runs(all, least) as u64 & !shift(mask(self.before), mask(self.this), 1);
        each_bit!(starts, |bit| {
            let start = self.at + bit;
            // The window is at least a block long, from any bit on.
            let length = (!(all >> bit) as u64).trailing_zeros() as usize;
            if length < BLOCK {
                let digits = (join(self.this.digit, self.next.digit) >> bit) as u64 & ((1 << length) - 1);
                if digits.count_ones() >= fewest {
                    visit.visit(Place { sign, start, end: start + length, digits: Some(digits) });
                }
            } else {
                let rest = self.bytes[start..].iter();
                let end = start + rest.take_while(|&&byte| is_of_kind(byte)).count();
                visit.visit(Place { sign, start, end, digits: None });
            }
        });
    }
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
    /// See [`Sign::Mark`].
    begun: u64,
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
            begun: 0,
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
        *kinds = Kinds::of(u8x64::from_slice(simd, &block_at::<BLOCK>(rest, 0)));
    }
    behind.take(1).for_each(|kinds| *kinds = Kinds::default());
}

/// Beyond the end there is nothing of any kind.
pub(super) fn block_at<const LENGTH: usize>(bytes: &[u8], at: usize) -> [u8; LENGTH] {
    let rest = &bytes[at..bytes.len().min(at + LENGTH)];
    let mut block = [0; LENGTH];
    block[..rest.len()].copy_from_slice(rest);
    block
}

/// The bytes that what looks like ASCII or is invisible begins with; a few more.
fn leads(block: &[u8; BLOCK]) -> u64 {
    let is_lead = |byte: &u8| matches!(byte, 0xc2 | 0xd9..=0xe2 | 0xea | 0xef | 0xf0);
    block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(is_lead(byte)))
}

const fn join(this: u64, next: u64) -> u128 {
    this as u128 | (next as u128) << BLOCK
}

/// The bits `by` places behind.
const fn shift(before: u64, this: u64, by: u32) -> u64 {
    this << by | before >> (u64::BITS - by)
}

/// The bits from which on so many are set.
#[inline(always)]
const fn long_runs(mut mask: u128, least: u32) -> u128 {
    let mut have = 1;
    while have * 2 <= least {
        mask &= mask >> have;
        have *= 2;
    }
    mask & (mask >> (least - have))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&[u8]; 4] = [b"ghp_", b"sk-", b"hooks.slack.com", b":AA"];

    fn places(level: Level, text: &[u8]) -> Vec<Place> {
        let (words, mut places) = (Fingerprints::new(WORDS.into_iter()), Vec::new());
        walk_at(level, text, Some(&words), &mut |place| places.push(place));
        places
    }

    proptest! {
        #[test]
        fn every_processor_sees_the_same(text in "[ -~\u{80}-\u{2fff}0-9 .=:-]{0,400}") {
            prop_assert_eq!(places(Level::new(), text.as_bytes()), places(Level::baseline(), text.as_bytes()));
        }

        #[test]
        fn no_word_is_passed_over(before in "[ -~]{0,150}", word in 0..WORDS.len(), after in "[ -~]{0,150}") {
            let text = [before.as_bytes(), WORDS[word], after.as_bytes()].concat();
            let begins = |place: &Place| place.sign == Sign::Mark && place.start == before.len();
            prop_assert!(places(Level::new(), &text).iter().any(begins));
        }
    }
}

//! Long runs of bytes of one class, found 64 bytes at a time: most of a log is none, and is passed over at the speed of
//! memory. Knows no detector.

/// Bytes looked at together: as many as a mask has bits.
const BLOCK: usize = 64;

/// The longest run that can be asked for.
pub(super) const LONGEST: usize = BLOCK;

/// A class of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Digits, the space, and `()*+,-./`: all that numbers are written with.
    Number,
    /// ASCII letters and digits.
    Word,
    /// Capitals, digits, spaces and dashes: how codes are written in groups.
    Capital,
}

impl Class {
    pub(super) const fn has(self, byte: u8) -> bool {
        match self {
            Self::Number => matches!(byte, b' ' | b'('..=b'9'),
            Self::Word => byte.is_ascii_alphanumeric(),
            Self::Capital => matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'-'),
        }
    }

    /// A bit for each byte, the first one lowest.
    fn mask(self, block: &[u8; BLOCK]) -> u64 {
        match self {
            Self::Number => eights(block, |bytes| bytes.within(b'(', b'9').or(bytes.within(b' ', b' '))),
            Self::Capital => eights(block, |bytes| {
                let digits = bytes.within(b'0', b'9').or(bytes.within(b' ', b' '));
                bytes.within(b'A', b'Z').or(bytes.within(b'-', b'-')).or(digits)
            }),
            Self::Word => eights(block, |bytes| bytes.within(b'0', b'9').or(bytes.lower().within(b'a', b'z'))),
        }
    }
}

/// Where the next run of at least `least` bytes of `class` begins, at or after `from`.
pub(super) fn next_run(class: Class, bytes: &[u8], from: usize, least: usize) -> Option<usize> {
    debug_assert!((1..=LONGEST).contains(&least));
    let mut at = from;
    let mut mask = mask_at(class, bytes, at);
    while at < bytes.len() {
        let next = mask_at(class, bytes, at + BLOCK);
        let long = long_runs(u128::from(mask) | u128::from(next) << BLOCK, least);
        // Runs that begin in the next block are its own.
        let begins = (long as u64).trailing_zeros() as usize;
        if begins < BLOCK {
            return Some(at + begins);
        }
        at += BLOCK;
        mask = next;
    }
    None
}

/// The bits from which on so many are set.
const fn long_runs(mut mask: u128, least: usize) -> u128 {
    let mut have = 1;
    while have * 2 <= least {
        mask &= mask >> have;
        have *= 2;
    }
    mask & (mask >> (least - have))
}

/// Beyond the end there is nothing of any class.
fn mask_at(class: Class, bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return class.mask(block);
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    class.mask(&block)
}

/// A mask of 64 bytes out of eight of 8.
fn eights(block: &[u8; BLOCK], class: impl Fn(Eight) -> Eight) -> u64 {
    let (parts, _) = block.as_chunks::<8>();
    let bits = |(index, part): (usize, &[u8; 8])| class(Eight(u64::from_le_bytes(*part))).bits() << (8 * index);
    parts.iter().enumerate().map(bits).fold(0, |mask, bits| mask | bits)
}

/// Eight bytes in a word; or, as an answer, the highest bit of each.
#[derive(Clone, Copy)]
struct Eight(u64);

impl Eight {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = 0x80 * Self::ONES;

    /// Whether each byte is in a range of ASCII. No sum of two numbers below 128 reaches into the next byte.
    const fn within(self, low: u8, high: u8) -> Self {
        let low_bits = self.0 & !Self::HIGHEST;
        let is_least = low_bits + (0x80 - low) as u64 * Self::ONES;
        let is_more = low_bits + (0x7f - high) as u64 * Self::ONES;
        Self(is_least & !is_more & !self.0 & Self::HIGHEST)
    }

    /// Letters in lower case; other bytes change too.
    const fn lower(self) -> Self {
        Self(self.0 | (0x20 * Self::ONES))
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// An answer as eight bits: the product brings bit 8n to bit 56 + n.
    const fn bits(self) -> u64 {
        (self.0 >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, as one would write it down.
    fn slowly(class: Class, bytes: &[u8], from: usize, least: usize) -> Option<usize> {
        let is_long =
            |at: &usize| bytes.len() - at >= least && bytes[*at..at + least].iter().all(|&byte| class.has(byte));
        (from..bytes.len()).find(is_long)
    }

    proptest! {
        #[test]
        fn runs_are_found_where_they_are(
            parts in prop::collection::vec(prop_oneof!["[0-9 (./-]{0,70}", "[a-zA-Z0-9]{0,70}", "[:;_\"é]{1,9}"], 0..9),
            from in 0_usize..80, least in 1_usize..=LONGEST,
        ) {
            let text = parts.concat();
            for class in [Class::Number, Class::Word, Class::Capital] {
                let expected = slowly(class, text.as_bytes(), from.min(text.len()), least);
                prop_assert_eq!(next_run(class, text.as_bytes(), from.min(text.len()), least), expected);
            }
        }

        #[test]
        fn a_mask_has_a_bit_for_each_byte_of_its_class(block in prop::array::uniform32(any::<[u8; 2]>())) {
            let block: [u8; BLOCK] = block.concat().try_into().unwrap();
            for class in [Class::Number, Class::Word, Class::Capital] {
                let expected = (0..BLOCK).filter(|&at| class.has(block[at])).fold(0, |mask, at| mask | 1_u64 << at);
                prop_assert_eq!(class.mask(&block), expected);
            }
        }
    }
}

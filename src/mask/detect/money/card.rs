//! Payment card numbers, proved by issuer, length and check digit. Not numbers that are only a part of a longer one.

use crate::mask::detect::checks::passes_luhn;
use crate::mask::detect::edges::{ends_word, follows_escape, is_word};
use crate::mask::detect::form::Number;

/// The fewest digits of a card.
const SHORTEST: usize = 13;
/// The most: ISO/IEC 7812-1.
const LONGEST: usize = 19;

/// First and last six digits of an issuer's range, ascending, and its lengths. From the ranges that the networks
/// publish, as collected in <https://en.wikipedia.org/wiki/Payment_card_number>.
const ISSUERS: &[(u32, u32, &[usize])] = &[
    (180_000, 180_099, &[15]),                         // JCB
    (213_100, 213_199, &[15]),                         // JCB
    (220_000, 220_499, &[16, 17, 18, 19]),             // Mir
    (222_100, 272_099, &[16]),                         // Mastercard
    (300_000, 305_999, &[14, 16]),                     // Diners Club
    (309_500, 309_599, &[14, 16]),                     // Diners Club
    (340_000, 349_999, &[15]),                         // American Express
    (352_800, 358_999, &[16, 17, 18, 19]),             // JCB
    (360_000, 369_999, &[14, 16]),                     // Diners Club
    (370_000, 379_999, &[15]),                         // American Express
    (380_000, 399_999, &[14, 16]),                     // Diners Club
    (400_000, 499_999, &[13, 16, 19]),                 // Visa
    (501_800, 501_899, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (502_000, 502_099, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (503_800, 503_899, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (506_000, 509_999, &[16, 18, 19]),                 // Verve, Elo, RuPay
    (510_000, 559_999, &[16]),                         // Mastercard
    (560_200, 561_299, &[13, 14, 15, 16, 17, 18, 19]), // Maestro, Bankcard
    (589_300, 589_399, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (600_000, 609_999, &[16, 17, 18, 19]),             // Discover, RuPay, Hipercard
    (620_000, 629_999, &[16, 17, 18, 19]),             // UnionPay
    (630_400, 630_499, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (636_000, 639_999, &[16, 17, 18, 19]),             // InstaPayment, Elo
    (644_000, 659_999, &[16, 17, 18, 19]),             // Discover, RuPay, Troy
    (675_900, 676_399, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    (810_000, 829_999, &[16, 17, 18, 19]),             // UnionPay, RuPay
    (860_000, 860_099, &[16]),                         // UzCard
    (911_200, 911_299, &[16]),                         // Belkart
    (979_200, 979_299, &[16]),                         // Troy
    (986_000, 986_099, &[16]),                         // Humo
];

/// How cards are written in groups, longest first.
const GROUPS: [&[usize]; 8] = [
    &[4, 4, 4, 4, 3],
    &[6, 13],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 1],
];

/// The card whose first digits are at `start..end`.
pub(super) fn judge(bytes: &[u8], start: usize, end: usize) -> Option<Number> {
    let digits = end - start;
    let is_grouped = || matches!(digits, 4 | 6) && matches!(bytes.get(end), Some(b' ' | b'-'));
    if !((SHORTEST..=LONGEST).contains(&digits) || is_grouped()) || !begins_number(bytes, start) {
        return None;
    }
    let end = card_end(bytes, start, digits).filter(|&end| ends_number(bytes, end))?;
    Some(Number { begin: start, end, is_sure: true })
}

/// Where the card that begins at `at`, with so many `digits` in a row, ends.
fn card_end(bytes: &[u8], at: usize, digits: usize) -> Option<usize> {
    if (SHORTEST..=LONGEST).contains(&digits) {
        return is_card(&bytes[at..at + digits]).then_some(at + digits);
    }
    GROUPS.iter().find_map(|groups| grouped(bytes, at, groups))
}

/// Where a card that is written in `groups` from `at` on ends.
fn grouped(bytes: &[u8], at: usize, groups: &[usize]) -> Option<usize> {
    let separator = *bytes.get(at + groups[0])?;
    if separator == b'-' && at > 0 && bytes[at - 1] == b'-' {
        return None;
    }
    let mut card = [0; LONGEST];
    let mut length = 0;
    let mut from = at;
    for (index, &size) in groups.iter().enumerate() {
        if index > 0 {
            if *bytes.get(from)? != separator {
                return None;
            }
            from += 1;
        }
        let group = bytes.get(from..from + size).filter(|group| group.iter().all(u8::is_ascii_digit))?;
        card[length..length + size].copy_from_slice(group);
        length += size;
        from += size;
    }
    let goes_on = bytes.get(from).is_some_and(u8::is_ascii_digit)
        || (separator == b'-' && bytes.get(from) == Some(&b'-') && !ends_word(bytes, from + 1));
    (!goes_on && is_card(&card[..length])).then_some(from)
}

/// Not in a word, and not the decimals of a fraction.
fn begins_number(bytes: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    if bytes[before] == b'.' {
        return before == 0 || !bytes[before - 1].is_ascii_digit();
    }
    !is_word(bytes[before]) || bytes[before] >= 0x80 || follows_escape(bytes, at)
}

fn ends_number(bytes: &[u8], at: usize) -> bool {
    let fraction = bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    !fraction && bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Issuer, length and check digit, of digits only.
fn is_card(digits: &[u8]) -> bool {
    let issuer = digits[..6].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    let after = ISSUERS.partition_point(|(low, ..)| *low <= issuer);
    let Some((_, high, lengths)) = after.checked_sub(1).map(|row| ISSUERS[row]) else { return false };
    issuer <= high && lengths.contains(&digits.len()) && passes_luhn(digits) && !is_article(digits)
}

/// Goods have 13 digits too, and are read aloud by tills all day; Visa has long had 16. GS1 General Specifications, 7.9.
fn is_article(digits: &[u8]) -> bool {
    let weighted = |(index, digit): (usize, &u8)| u32::from(digit - b'0') * if index % 2 == 0 { 1 } else { 3 };
    digits.len() == SHORTEST && digits.iter().enumerate().map(weighted).sum::<u32>().is_multiple_of(10)
}

//! What a pseudonym looks like, `email:3f9a1c0b5d7e2f48` or `email:k2:3f9a1c0b5d7e2f48`: its name is a detector's, and so
//! may be a word that tells of numbers, but must not tell of its neighbours. Makes none.

use super::DETECTORS;

/// Hexadecimal digits of a pseudonym, 64 bits: among a thousand million values two share one with a chance of 3 %.
pub(in crate::mask) const DIGITS: usize = 16;

/// No detector's name is longer.
const LONGEST_NAME: usize = 32;

/// The length of `:k2:` or `:` and a pseudonym's digits, which no digit or letter follows.
pub(in crate::mask) fn length(rest: &[u8]) -> Option<usize> {
    let after = rest.strip_prefix(b":")?;
    if let Some(length) = digits(after) {
        return Some(1 + length);
    }
    let id = after.iter().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
    let after = after[id..].strip_prefix(b":")?;
    digits(after).map(|length| 2 + id + length)
}

fn digits(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
    let ends = bytes.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    (length == DIGITS && ends).then_some(length)
}

/// Whether the word that ends at `end` is of a pseudonym's name. What has no letter may be a number after its name.
pub(super) fn names(bytes: &[u8], end: usize) -> bool {
    let is_name = |byte: &&u8| byte.is_ascii_lowercase() || **byte == b'_';
    let rest = bytes[end..].iter().take(LONGEST_NAME).take_while(is_name).count();
    let after = &bytes[end + rest..];
    let Some(length) = length(after) else { return false };
    let before = bytes[..end].iter().rev().take(LONGEST_NAME).take_while(is_name).count();
    let name = &bytes[end - before..end + rest];
    after[length - DIGITS..length].iter().any(u8::is_ascii_alphabetic)
        && DETECTORS.iter().any(|one| one.name.as_bytes() == name)
}

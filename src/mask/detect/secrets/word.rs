//! The words that tokens are made of: where they end, and whether they look drawn by lot. Knows no vendor.

use crate::mask::detect::edges::starts_word;

/// A token has a digit in its first so many bytes.
const DIGIT_WITHIN: usize = 64;

/// What follows a prefix.
pub(super) struct Body {
    pub(super) is: fn(u8) -> bool,
    /// In bytes.
    pub(super) least: usize,
}

/// The word at `at` with a prefix of so many bytes. Ends before marks that belong to the sentence.
pub(super) fn word(bytes: &[u8], at: usize, prefix: usize, body: Body) -> Option<(usize, usize)> {
    if !starts_word(bytes, at) {
        return None;
    }
    let rest = bytes.get(at + prefix..)?;
    let length = rest.iter().take_while(|&&byte| (body.is)(byte)).count();
    let marks = rest[..length].iter().rev().take_while(|byte| matches!(byte, b'.' | b'/' | b'%')).count();
    (length - marks >= body.least).then_some((at, at + prefix + length - marks))
}

/// The beginning of a word: enough to judge it by, and short, so that judging many takes no longer than reading them.
pub(super) fn head(bytes: &[u8], from: usize, most: usize, is: fn(u8) -> bool) -> &[u8] {
    let rest = bytes.get(from..).unwrap_or_default();
    &rest[..rest.iter().take(most).take_while(|&&byte| is(byte)).count()]
}

/// Whether a digit is near the beginning of a word.
pub(super) fn has_digit(bytes: &[u8], from: usize, is: fn(u8) -> bool) -> bool {
    head(bytes, from, DIGIT_WITHIN, is).iter().any(u8::is_ascii_digit)
}

pub(super) const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

pub(super) const fn is_underscored(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) const fn is_dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The alphabet of RFC 4648, 4, without its padding.
pub(super) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Whether there are small and capital letters and digits among `bytes`.
pub(super) fn is_mixed(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_lowercase)
        && bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(u8::is_ascii_digit)
}

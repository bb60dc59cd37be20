//! Where words begin and end, the same for plain text and for text that still has JSON's escapes in it. Finds nothing.

/// What some programs begin files with: no part of a word.
const BYTE_ORDER_MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// A byte of a word: an ASCII letter or digit, or any part of a character beyond ASCII.
pub(in crate::mask) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Whether a word may begin at `at`. The letter of an escape before it (`\nword`) does not belong to it, and neither
/// does what stands before the hump of a camel (`userPassword`).
pub(in crate::mask) fn starts_word(bytes: &[u8], at: usize) -> bool {
    let Some(&before) = at.checked_sub(1).and_then(|one| bytes.get(one)) else { return true };
    if !is_word(before) || (before == BYTE_ORDER_MARK[2] && bytes[..at].ends_with(&BYTE_ORDER_MARK)) {
        return true;
    }
    if before.is_ascii_lowercase() && bytes.get(at).is_some_and(u8::is_ascii_uppercase) {
        return true;
    }
    follows_escape(bytes, at)
}

/// Whether the two bytes before `at` look like one of JSON's short escapes.
pub(in crate::mask) fn follows_escape(bytes: &[u8], at: usize) -> bool {
    at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b'r' | b't' | b'b' | b'f')
}

/// Whether no word goes on at `at`.
pub(in crate::mask) fn ends_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|&byte| !is_word(byte))
}

/// How many backslashes stand right before `at`, not looking before `floor`.
pub(in crate::mask) fn backslashes_before(bytes: &[u8], at: usize, floor: usize) -> usize {
    bytes[floor..at].iter().rev().take_while(|&&byte| byte == b'\\').count()
}

/// Whether a quote after `slashes` backslashes opens or closes a string whose own quotes stand after `own` of them:
/// JSON inside a JSON string has `\"`, inside that `\\\"`. Otherwise it belongs to the string's text.
pub(in crate::mask) const fn is_delimiter(slashes: usize, own: usize) -> bool {
    slashes < own || ((slashes - own) / (own + 1)).is_multiple_of(2)
}

//! Words in Base64: decoded, and searched as any text is. Off unless the user asks for it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::{Found, Search};
use crate::mask::Held;
use crate::mask::escapes::Undone;

/// Shorter words hold nothing that is worth the time.
const SHORTEST: usize = 16;

/// How deep Base64 may lie in Base64. What lies deeper is not looked at.
const MOST_LEVELS: usize = 3;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The next word that may be Base64, at or after `from`. Its slashes may have backslashes before them.
pub(in crate::mask) fn seek(bytes: &[u8], from: usize) -> Option<usize> {
    let word = |at: usize| bytes[at..].iter().take_while(|&&byte| is_base64(byte) || byte == b'\\').count();
    // A word is told once.
    let is_within = from.checked_sub(1).is_some_and(|before| bytes.get(before).is_some_and(|&byte| is_base64(byte)));
    let mut at = from + if is_within { word(from) } else { 0 };
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| is_base64(byte))?;
        let length = word(at);
        if length >= SHORTEST {
            return Some(at);
        }
        at += length;
    }
}

/// Each word that holds anything is a hit of what was found first in it.
pub(super) fn find(text: &str, search: &Search, found: &mut Found) -> Result<(), Held> {
    find_within(text, search, found, MOST_LEVELS)
}

fn find_within(text: &str, search: &Search, found: &mut Found, levels: usize) -> Result<(), Held> {
    let mut inner = Found::default();
    let mut undone = Undone::default();
    for (start, end) in words(text.as_bytes()) {
        let Some(decoded) = decode(&text.as_bytes()[start..end]) else { continue };
        inner.clear();
        if levels > 1 {
            find_within(&decoded, search, &mut inner, levels - 1)?;
        }
        let deeper = inner.first();
        let first = deeper.or(inner.search_plainly(&decoded, search, &mut undone)?);
        if let Some(row) = first {
            found.push_around(start, end, row);
        }
    }
    Ok(())
}

/// All words, and their parts between the marks that addresses and names have too.
fn words(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|&&byte| is_base64(byte)).count();
        let padding = bytes[at + length..].iter().take(2).take_while(|&&byte| byte == b'=').count();
        if length >= SHORTEST {
            all.push((at, at + length + padding));
            let mut start = at;
            for part in bytes[at..at + length].split(|byte| matches!(byte, b'/' | b'-' | b'_')) {
                if part.len() >= SHORTEST && part.len() < length {
                    all.push((start, start + part.len()));
                }
                start += part.len() + 1;
            }
        }
        at += (length + padding).max(1);
    }
    all
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The text of a word in either alphabet of RFC 4648, if it can be printed.
fn decode(word: &[u8]) -> Option<String> {
    let standard = |&byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        _ => byte,
    };
    let word: Vec<u8> = word.iter().map(standard).collect();
    let text = String::from_utf8(ENGINE.decode(word).ok()?).ok()?;
    let is_printed = |one: char| !one.is_control() || one.is_ascii_whitespace();
    text.chars().all(is_printed).then_some(text)
}

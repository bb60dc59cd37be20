//! Bearer and basic credentials wherever they stand. A header's whole value (`Authorization: …`) is `secret`'s.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::mask::detect::Found;
use crate::mask::detect::edges::starts_word;
use crate::mask::keys::Keys;

/// Bearer tokens shorter than this are words.
const SHORTEST_BEARER: usize = 8;
/// Bearer tokens of letters in one case only are words, if shorter than this.
const SHORTEST_PLAIN_BEARER: usize = 20;

/// The schemes without their first letter, so that `Bearer` and `bearer` are one.
pub(super) const SCHEMES: &[&str] = &["earer ", "EARER ", "asic ", "ASIC "];

/// "Leftmost" lets the crate search with vector instructions, several times faster than its automaton.
static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(SCHEMES);
    built.expect("four short words make a small automaton")
});

/// All credentials after a scheme's name; the name stays.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    for hit in FINDER.find_iter(bytes) {
        let is_bearer = hit.pattern().as_usize() < 2;
        if !is_place(bytes, hit.start()) {
            continue;
        }
        let spaces = bytes[hit.end()..].iter().take_while(|&&byte| byte == b' ').count();
        let start = hit.end() + spaces;
        let length = bytes[start..].iter().take_while(|&&byte| is_token(byte)).count();
        let token = bytes[start..start + length].trim_ascii_end();
        let token = token.strip_suffix(b".").unwrap_or(token);
        if if is_bearer { is_bearer_token(token) } else { is_basic_pair(token) } {
            found.push(start, start + token.len());
        }
    }
}

/// Whether a `b` stands before it, and no word before that.
pub(super) fn is_place(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|first| bytes[first].eq_ignore_ascii_case(&b'b') && starts_word(bytes, first))
}

/// The alphabet of `token68`, RFC 7235.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn is_bearer_token(token: &[u8]) -> bool {
    let odd = |&byte: &u8| !byte.is_ascii_alphabetic();
    let mixed = token.iter().skip(1).any(u8::is_ascii_uppercase) && token.iter().any(u8::is_ascii_lowercase);
    token.len() >= SHORTEST_PLAIN_BEARER || (token.len() >= SHORTEST_BEARER && (mixed || token.iter().any(odd)))
}

/// Base64 of `user:password`, RFC 7617. Its beginning is proof enough.
fn is_basic_pair(token: &[u8]) -> bool {
    let head = &token[..token.len().min(256) / 4 * 4];
    let mut decoded = [0; 192];
    STANDARD.decode_slice(head, &mut decoded).is_ok_and(|length| decoded[..length].contains(&b':'))
}

//! IP addresses, IPv4 in dotted form and IPv6 in every form. Not version numbers with more or fewer parts.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::memchr_iter;

use crate::mask::detect::Found;
use crate::mask::detect::edges::{ends_word, follows_escape, is_word};
use crate::mask::keys::Keys;

/// The longest text of an IPv6 address: RFC 4291, 2.2, with an IPv4 tail.
const LONGEST_IPV6: usize = 45;

const VERSION: &[u8] = b"version";

/// A dot between digits.
pub(super) fn seek_ipv4(bytes: &[u8], from: usize, _: &Keys) -> Option<usize> {
    memchr_iter(b'.', &bytes[from..]).map(|at| from + at).find(|&at| is_dotted(bytes, at))
}

/// All IPv4 addresses.
pub(super) fn find_ipv4(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut free = 0;
    for at in memchr_iter(b'.', bytes) {
        if at < free || !is_dotted(bytes, at) {
            continue;
        }
        let (start, end) = stretch(bytes, at, free, |byte| byte.is_ascii_digit() || byte == b'.');
        free = end;
        let trimmed = trim(text, start, end, '.');
        if stands_alone(bytes, trimmed)
            && !is_version(&text[..trimmed.0])
            && text[trimmed.0..trimmed.1].parse::<Ipv4Addr>().is_ok()
        {
            found.push(trimmed.0, trimmed.1);
        }
    }
}

fn is_dotted(bytes: &[u8], at: usize) -> bool {
    at > 0 && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
}

/// Whether what follows `before` is told to be a version: `Version=4.0.0.0`, `amd64~~6.1.1.0`.
fn is_version(before: &str) -> bool {
    let word = before.trim_end_matches([' ', '=', ':', '"', '\'']).as_bytes();
    let last = &word[word.len().saturating_sub(VERSION.len())..];
    before.ends_with('~') || last.eq_ignore_ascii_case(VERSION)
}

/// Two colons in a row, or one between hexadecimal digits.
pub(super) fn seek_ipv6(bytes: &[u8], from: usize, _: &Keys) -> Option<usize> {
    memchr_iter(b':', &bytes[from..]).map(|at| from + at).find(|&at| {
        let near = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
        bytes.get(at + 1).is_some_and(|&after| near(after)) && (at == 0 || bytes[at - 1] != b'"')
    })
}

/// All IPv6 addresses.
pub(super) fn find_ipv6(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut free = 0;
    for at in memchr_iter(b':', bytes) {
        if at < free {
            continue;
        }
        let (start, end) = stretch(bytes, at, free, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        free = end;
        let (start, end) = trim(text, start, end, '.');
        let is_one = |at: usize, other: usize| bytes[at] == b':' && bytes.get(other) != Some(&b':');
        let end = end - usize::from(start + 1 < end && is_one(end - 1, end - 2));
        let start = start + usize::from(start + 1 < end && is_one(start, start + 1));
        let address = &text[start..end];
        let has_digit = address.bytes().any(|byte| byte.is_ascii_digit());
        if has_digit
            && address.len() <= LONGEST_IPV6
            && stands_alone(bytes, (start, end))
            && address.parse::<Ipv6Addr>().is_ok()
        {
            found.push(start, end);
        }
    }
}

/// The stretch of bytes of one kind around `at`, not before `floor`.
fn stretch(bytes: &[u8], at: usize, floor: usize, is_kind: impl Fn(u8) -> bool) -> (usize, usize) {
    let before = bytes[floor..at].iter().rev().take_while(|&&byte| is_kind(byte)).count();
    let after = bytes[at..].iter().take_while(|&&byte| is_kind(byte)).count();
    (at - before, at + after)
}

fn trim(text: &str, start: usize, end: usize, mark: char) -> (usize, usize) {
    let right = text[start..end].trim_end_matches(mark);
    let both = right.trim_start_matches(mark);
    (start + right.len() - both.len(), start + right.len())
}

fn stands_alone(bytes: &[u8], (start, end): (usize, usize)) -> bool {
    let begins = start == 0 || !is_word(bytes[start - 1]) || follows_escape(bytes, start);
    begins && ends_word(bytes, end)
}

//! E-mail addresses: RFC 5321 and 6531 names and domains, also with `%40` for the `@`. Not quoted names, and not hosts
//! without a dot (`root@localhost`).

use std::net::IpAddr;

use memchr::memchr2_iter;

use crate::mask::detect::Found;
use crate::mask::detect::edges::is_word;
use crate::mask::keys::Keys;

/// An IPv6 address with an IPv4 tail, its prefix and its bracket.
const LONGEST_LITERAL: usize = 51;

/// An `@` between what may be a name and a domain.
pub(super) fn is_place(bytes: &[u8], at: usize) -> bool {
    let name = at.checked_sub(1).is_some_and(|before| is_word(bytes[before]) || is_name_mark(bytes[before]));
    name && bytes.get(at + 1).is_some_and(|&after| is_word(after) || matches!(after, b'[' | b'-'))
}

/// All addresses.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut floor = 0;
    for at in memchr2_iter(b'@', b'%', bytes) {
        let Some(length) = sign_length(&bytes[at..]) else { continue };
        let name = name_before(&text[floor..at]);
        let domain = domain_after(&text[at + length..]);
        floor = at + length;
        if name > 0 && domain > 0 {
            found.push(at - name, floor + domain);
            floor += domain;
        }
    }
}

fn sign_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'@', ..] => Some(1),
        [b'%', b'4', b'0', ..] => Some(3),
        _ => None,
    }
}

/// Marks that RFC 5322 allows in a name, less those that more often stand around an address in logs: `& / = ? { | } \``.
const fn is_name_mark(byte: u8) -> bool {
    matches!(byte, b'.' | b'!' | b'#' | b'$' | b'%' | b'\'' | b'*' | b'+' | b'-' | b'^' | b'_' | b'~')
}

/// Length of the name at the end of `text`. A quote or dot that it begins with is not part of it.
fn name_before(text: &str) -> usize {
    let is_name = |one: char| one.is_alphanumeric() || u8::try_from(one).is_ok_and(is_name_mark);
    let name = &text[text.trim_end_matches(is_name).len()..];
    let name = name.trim_start_matches(['\'', '.', '*']);
    if name.contains(char::is_alphanumeric) { name.len() } else { 0 }
}

/// Length of the domain at the beginning of `text`, 0 if there is none.
fn domain_after(text: &str) -> usize {
    if let Some(literal) = text.strip_prefix('[') {
        let end = literal.bytes().take(LONGEST_LITERAL).position(|byte| byte == b']');
        let address = end.map_or("", |end| &literal[..end]);
        let is_address = address.trim_start_matches("IPv6:").parse::<IpAddr>().is_ok();
        return if is_address { address.len() + 2 } else { 0 };
    }
    let is_domain = |one: char| one.is_alphanumeric() || matches!(one, '.' | '-');
    let all = text.find(|one| !is_domain(one)).unwrap_or(text.len());
    if is_picture(&text[..all]) {
        return 0;
    }
    let mut length = 0;
    let mut end = 0;
    for (index, label) in text[..all].split('.').enumerate() {
        if label.is_empty() {
            break;
        }
        end += label.len();
        if index > 0 && is_top_level(label) {
            length = end;
        }
        end += 1;
    }
    length
}

/// A last label: letters only, or an internationalised one in its ASCII form.
fn is_top_level(label: &str) -> bool {
    label.starts_with("xn--") || (label.chars().all(char::is_alphabetic) && label.chars().nth(1).is_some())
}

/// `logo@2x.png` and `logo@1.5x.png` are pictures.
fn is_picture(domain: &str) -> bool {
    match domain.as_bytes() {
        [digit, b'x', b'.', ..] => digit.is_ascii_digit(),
        [digit, b'.', part, b'x', b'.', ..] => digit.is_ascii_digit() && part.is_ascii_digit(),
        _ => false,
    }
}

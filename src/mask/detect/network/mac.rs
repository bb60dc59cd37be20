//! Hardware addresses: six bytes with colons or dashes, or Cisco's three groups with dots. Not times.

use memchr::memchr3_iter;

use crate::mask::detect::Found;
use crate::mask::detect::edges::{ends_word, follows_escape, is_word};
use crate::mask::keys::Keys;

/// Of `00:1b:44:11:3a:b7`.
const LONG: usize = 17;
/// Of `001b.4411.3ab7`.
const SHORT: usize = 14;

/// The first separator of an address.
pub(super) fn seek(bytes: &[u8], from: usize, _: &Keys) -> Option<usize> {
    memchr3_iter(b':', b'-', b'.', &bytes[from..]).map(|at| from + at).find(|&at| address(bytes, at).is_some())
}

/// All addresses.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut free = 0;
    for at in memchr3_iter(b':', b'-', b'.', bytes) {
        if let Some((start, end)) = address(bytes, at).filter(|&(start, _)| start >= free) {
            found.push(start, end);
            free = end;
        }
    }
}

/// The address whose first separator is at `at`.
fn address(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mark = bytes[at];
    let (group, length) = if mark == b'.' { (4, SHORT) } else { (2, LONG) };
    let start = at.checked_sub(group)?;
    let end = start + length;
    let is_of = |(index, &byte): (usize, &u8)| {
        if index % (group + 1) == group { byte == mark } else { byte.is_ascii_hexdigit() }
    };
    let text = bytes.get(start..end)?;
    (text.iter().enumerate().all(is_of) && begins_apart(bytes, start, mark) && ends_apart(bytes, end, mark))
        .then_some((start, end))
}

/// Not within a longer row of groups.
fn begins_apart(bytes: &[u8], at: usize, mark: u8) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    if bytes[before] == mark {
        let goes_on = before.checked_sub(1).is_some_and(|one| bytes[one].is_ascii_hexdigit());
        return !goes_on || follows_escape(bytes, before);
    }
    !is_word(bytes[before]) || follows_escape(bytes, at)
}

fn ends_apart(bytes: &[u8], at: usize, mark: u8) -> bool {
    let goes_on = bytes.get(at) == Some(&mark) && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    ends_word(bytes, at) && !goes_on
}

//! Private keys in PEM: RFC 7468, 1421 and 4880, and OpenSSH's. A block in one text is hidden whole; where an application
//! logs it line by line, each line of its body is hidden by itself, see docs/decisions/0015.

use memchr::memchr;

use super::word::{is_base64, is_mixed};
use crate::mask::detect::Found;
use crate::mask::keys::Keys;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Length of a body's lines: RFC 7468 and 4880, OpenSSH, RFC 1421's limit as MIME has it.
const LINES: [usize; 3] = [64, 70, 76];
/// No label is longer: `OPENSSH PRIVATE KEY`.
const LONGEST_LABEL: usize = 48;
/// A block that has lost its end is one if it has a word as long as this.
const SHORTEST_BODY: usize = 16;
/// With the letter of an escape before it.
const LONGEST_LINE: usize = 77;

/// What a block begins and ends with.
pub(super) const MARKERS: &[&str] = &["-----BEGIN ", "-----END "];

pub(super) const MASKED: &[(&str, &str)] = &[
    (
        "key -----BEGIN RSA PRIVATE KEY-----\nEXAMPLEexample00\nEXAMPLE=\n-----END RSA PRIVATE KEY-----, x",
        "key [private_key], x",
    ),
    (r"k='-----BEGIN PRIVATE KEY-----\nEXAMPLEexample00\n-----END PRIVATE KEY-----\n'", r"k='[private_key]\n'"),
    (r"-----BEGIN EC PRIVATE KEY-----\nEXAMPLEexample00EXAMPLE", "[private_key]"),
    ("EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00", "[private_key]"),
    ("EXAMPLEexample00/EXAMPLEexample00+EXAMPLEexample00EXAMPLEexample00abcd", "[private_key]"),
    (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\nEXAMPLEexample00\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
        "[private_key]",
    ),
    ("EXAMPLEexample00\\n-----END PRIVATE KEY-----", "[private_key]"),
];

pub(super) const SPARED: &[&str] = &[
    "-----BEGIN CERTIFICATE-----\nEXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00\n-----END CERTIFICATE-----",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "expected -----BEGIN PRIVATE KEY----- at the beginning of the file",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample0",
    "not EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00EXAMPLEexample00",
];

/// Base64 as long as a body's line, with nothing right beside it. What follows a backslash may be the letter of an escape.
pub(super) fn may_be_line(bytes: &[u8], at: usize) -> bool {
    let is_run = |byte: &&u8| is_base64(**byte) || **byte == b'=';
    let before = bytes[..at].iter().rev().take(LONGEST_LINE).take_while(is_run).count();
    let after = bytes[at..].iter().take(LONGEST_LINE).take_while(is_run).count();
    let is_edge =
        |byte: Option<&u8>| byte.is_none_or(|byte| matches!(byte, b'"' | b'\\') || byte.is_ascii_whitespace());
    (LINES[0]..=LONGEST_LINE).contains(&(before + after))
        && is_edge((at - before).checked_sub(1).and_then(|one| bytes.get(one)))
        && is_edge(bytes.get(at + after))
}

/// All blocks, and the lines of bodies without any.
pub(super) fn find(text: &str, _: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(marker) = memchr::memmem::find(&bytes[at..], DASHES).map(|next| at + next) {
        let Some((label_end, is_begin, is_private)) = label(bytes, marker) else {
            lines(bytes, at, marker + 1, found);
            at = marker + 1;
            continue;
        };
        lines(bytes, at, marker, found);
        at = match (is_begin, is_private) {
            (true, _) => {
                let end = block_end(bytes, label_end, is_private);
                if is_private && end > label_end {
                    found.push(marker, end);
                }
                end
            }
            (false, true) => {
                let start = body_start(bytes, at, marker);
                if start < marker {
                    found.push(start, label_end);
                }
                label_end
            }
            (false, false) => label_end,
        };
    }
    lines(bytes, at, bytes.len(), found);
}

/// Of the marker at `at`: where it ends, whether it begins a block, and whether of a private key.
fn label(bytes: &[u8], at: usize) -> Option<(usize, bool, bool)> {
    let rest = &bytes[at..];
    let is_begin = rest.starts_with(BEGIN);
    let start = if is_begin { BEGIN.len() } else { rest.starts_with(END).then_some(END.len())? };
    let window = &rest[start..rest.len().min(start + LONGEST_LABEL)];
    let length = memchr::memmem::find(window, DASHES)?;
    let is_private = memchr::memmem::find(&window[..length], b"PRIVATE KEY").is_some();
    Some((at + start + length + DASHES.len(), is_begin, is_private))
}

/// Where the block whose first marker ends at `start` ends: with its last marker, else with its body. `start`: it has no
/// body.
fn block_end(bytes: &[u8], start: usize, is_private: bool) -> usize {
    let next = memchr::memmem::find(&bytes[start..], DASHES).map(|at| start + at);
    let closed = next.and_then(|at| label(bytes, at)).filter(|(_, is_begin, _)| !is_begin);
    match closed {
        Some((end, ..)) => end,
        None if is_private => body_end(&bytes[..next.unwrap_or(bytes.len())], start),
        None => start,
    }
}

/// Where the last word of a body without an end is over.
fn body_end(bytes: &[u8], start: usize) -> usize {
    let is_body = |byte: &&u8| {
        is_base64(**byte) || byte.is_ascii_whitespace() || matches!(**byte, b'=' | b'\\' | b':' | b',' | b'-')
    };
    let length = bytes[start..].iter().take_while(is_body).count();
    let body = &bytes[start..start + length];
    let is_word = |word: &[u8]| word.len() >= SHORTEST_BODY;
    if body.split(|&byte| !is_base64(byte)).any(is_word) { start + body.trim_ascii_end().len() } else { start }
}

/// Where the body begins that ends at `marker`; `marker`: there is none.
fn body_start(bytes: &[u8], floor: usize, marker: usize) -> usize {
    let is_body = |byte: &&u8| is_base64(**byte) || matches!(**byte, b'=' | b'\\' | b'\n' | b'\r');
    let length = bytes[floor..marker].iter().rev().take_while(is_body).count();
    let body = &bytes[marker - length..marker];
    let is_word = |word: &[u8]| word.len() >= SHORTEST_BODY;
    if body.split(|&byte| !is_base64(byte)).any(is_word) { marker - body.trim_ascii_start().len() } else { marker }
}

/// All lines of a body that begin in `from..until`, where lines begin.
fn lines(bytes: &[u8], from: usize, until: usize, found: &mut Found) {
    let mut at = from;
    while at < until {
        let end = memchr(b'\n', &bytes[at..until]).map_or(until, |next| at + next);
        let line = bytes[at..end].trim_ascii_start();
        let start = end - line.len();
        let line = line.trim_ascii_end();
        let begins = at == 0 || bytes[at - 1] == b'\n';
        if begins && is_body_line(line) {
            found.push(start, start + line.len());
        }
        at = end + 1;
    }
}

/// Whether `line` is nothing but a whole line of a body: its length, and all kinds of letters, but no hash in
/// hexadecimal.
pub(in crate::mask) fn is_body_line(line: &[u8]) -> bool {
    LINES.contains(&line.len())
        && is_mixed(line)
        && line.iter().all(|&byte| is_base64(byte) || byte == b'=')
        && !line.iter().all(u8::is_ascii_hexdigit)
}

/// Whether `line` may be a body's last, or a checksum: only what stands beside it can tell.
pub(in crate::mask) fn may_end_body(line: &[u8]) -> bool {
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    let mixture = || kinds.iter().filter(|is_kind| line.iter().any(is_kind)).count();
    (1..=LINES[2]).contains(&line.len())
        && line.iter().all(|&byte| is_base64(byte) || byte == b'=')
        && (line.contains(&b'=') || (line.len() >= 8 && mixture() >= 2))
}

/// Whether `line` is nothing but the last marker of a private key.
pub(in crate::mask) fn ends_block(line: &[u8]) -> bool {
    label(line, 0).is_some_and(|(end, is_begin, is_private)| end == line.len() && !is_begin && is_private)
}

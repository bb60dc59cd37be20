//! Values of secret names in text: `key=value`, `"key": "value"`, `key => value`, headers, query parameters, and
//! `--key value`. Understands quotes after any number of backslashes, so JSON within JSON strings needs no parser.

use std::sync::LazyLock;

use memchr::memchr2_iter;
use memchr::memmem::Finder;

use super::word::is_mixed;
use crate::mask::detect::edges::{backslashes_before, is_delimiter, is_word};
use crate::mask::detect::found::Quote;
use crate::mask::detect::{Found, is_tag, pseudonym};
use crate::mask::keys::{Keys, Kind};

/// Spaces, quotes and brackets between a name and its `=` are few.
const LONGEST_GAP: usize = 64;

/// No argument's or element's name is longer.
pub(super) const LONGEST_NAME: usize = 128;

/// No tag is longer.
const LONGEST_TAG: usize = 32;

/// A person's name has no more words, nor a number more groups.
const MOST_WORDS: usize = 5;

/// Shorter values are words.
const SHORTEST_RANDOM: usize = 16;
/// Longer ones are documents.
const LONGEST_RANDOM: usize = 512;

/// What a long argument begins with.
static DASHES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"--"));

/// Words before a credential in a header: RFC 7235 and what services invent.
const SCHEMES: [&str; 6] = ["bearer", "basic", "token", "negotiate", "apikey", "bot"];
/// Schemes that are followed by a list with spaces.
const LONG_SCHEMES: [&str; 2] = ["digest", "aws4-hmac-sha256"];
/// What stands for no value.
const NOTHING: [&str; 5] = ["null", "none", "nil", "undefined", "nan"];

pub(super) const MASKED: &[(&str, &str)] = &[
    ("login password=hunter2 user=bob", "login password=[secret] user=bob"),
    ("passwords=hunter2 passwordConfirm: h2 x", "passwords=[secret] passwordConfirm: [secret] x"),
    ("DB_PASSWORD: 'a b' x", "DB_PASSWORD: '[secret]' x"),
    ("{'accessToken': 17, \"a\": 1", "{'accessToken': '[secret]', \"a\": 1"),
    (r#"{"api-key":"a\"b","x":1"#, r#"{"api-key":"[secret]","x":1"#),
    (r#"got {\"passwd\":\"x\\\"y z\",\"a\":1}"#, r#"got {\"passwd\":\"[secret]\",\"a\":1}"#),
    (r#"{"token":{"a":["b c"]},"d":1} tail"#, r#"{"token":"[secret]","d":1} tail"#),
    ("GET /x?token=abc&page=2 HTTP/1.1", "GET /x?token=[secret]&page=2 HTTP/1.1"),
    ("Authorization: Bearer abc.def; Host: x", "Authorization: [secret]; Host: x"),
    ("-H 'Cookie: a=b; c=d' -v", "-H 'Cookie: [secret]' -v"),
    ("Authorization: Digest username=\"x\", realm=\"y\"", "Authorization: [secret]"),
    (":password=>\"x\", a: 1", ":password=>\"[secret]\", a: 1"),
    ("user[password]=x", "user[password]=[secret]"),
    ("Пароль: qwerty", "Пароль: [secret]"),
    ("(pwd=a,b,user=c)", "(pwd=[secret],user=c)"),
    ("Key (token)=(a b) already exists.", "Key (token)=([secret]) already exists."),
    ("Key (id, \"accessToken\")=(7, x)", "Key (id, \"accessToken\")=([secret])"),
    ("password = x, password2=y", "password = [secret], password2=[secret]"),
    ("секрет: x1y2", "секрет: [secret]"),
    (
        "jdbc:sqlserver://h;user=sa;password=hunter2;encrypt=true",
        "jdbc:sqlserver://h;user=sa;password=[secret];encrypt=true",
    ),
    ("Server=h;Uid=sa;Pwd=hunter2;", "Server=h;Uid=sa;Pwd=[secret];"),
    (r"login password\=hunter2 x", r"login password\=[secret] x"),
];

pub(super) const SPARED: &[&str] = &[
    "password=",
    "password: null",
    "password=****",
    "token::new()",
    "Executing with tokens: 5",
    "max_tokens=7",
    "Failed password for root",
    "bypass=1",
    "secret://x/y",
    "\"password\":\"\"",
    "check pass; user unknown",
];

/// Whether the `=` or `:` is behind the name of a secret, or of what is personal.
pub(in crate::mask::detect) fn is_place(bytes: &[u8], at: usize, keys: &Keys) -> bool {
    name_before(bytes, at, keys).is_some()
}

/// Whether it may be. Of most names nothing but a quote stands between.
#[inline(always)]
pub(in crate::mask::detect) fn may_be_place(bytes: &[u8], at: usize, keys: &Keys) -> bool {
    match bytes[..at] {
        [.., last, b'"'] if is_word(last) => keys.may_end(&bytes[..at - 1]),
        [.., last] if is_word(last) => keys.may_end(&bytes[..at]),
        _ => true,
    }
}

/// All values of secret names.
pub(super) fn find(text: &str, keys: &Keys, found: &mut Found) {
    find_kind(text, keys, found, Kind::is_secret);
}

/// All values of names of one kind.
pub(in crate::mask::detect) fn find_kind(text: &str, keys: &Keys, found: &mut Found, is_meant: fn(Kind) -> bool) {
    let bytes = text.as_bytes();
    let mut free = 0;
    for at in memchr2_iter(b'=', b':', bytes) {
        if at < free {
            continue;
        }
        let Some((kind, quote)) = name_before(bytes, at, keys).filter(|(kind, _)| is_meant(*kind)) else { continue };
        if kind.is_personal() && pseudonym::names(bytes, at) {
            continue;
        }
        let Some(value) = value_after(bytes, at, kind) else { continue };
        if kind == Kind::Random && !is_random(&bytes[value.start..value.end]) {
            continue;
        }
        free = value.end;
        found.push_quoted(value.start, value.end, quote.filter(|_| !value.quoted));
    }
}

/// `--` and a secret name.
pub(super) fn seek_argument(bytes: &[u8], from: usize, keys: &Keys) -> Option<usize> {
    DASHES.find_iter(&bytes[from..]).map(|at| from + at).find(|&at| argument(bytes, at, keys).is_some())
}

/// All values of `--key value`.
pub(super) fn find_argument(text: &str, keys: &Keys, found: &mut Found) {
    let bytes = text.as_bytes();
    for at in DASHES.find_iter(bytes) {
        let Some(end) = argument(bytes, at, keys) else { continue };
        let spaces = bytes[end..].iter().take_while(|&&byte| byte == b' ').count();
        let start = end + spaces;
        if spaces == 0 || bytes[start..].starts_with(b"-") {
            continue;
        }
        if let Some(value) = value_from(bytes, start, Kind::Value) {
            found.push(value.start, value.end);
        }
    }
}

/// Where the secret name after `--` ends.
fn argument(bytes: &[u8], at: usize, keys: &Keys) -> Option<usize> {
    let is_name = |byte: &&u8| is_word(**byte) || matches!(**byte, b'-' | b'_' | b'.');
    let name = &bytes[at + 2..];
    if name.first().is_none_or(|byte| !is_word(*byte)) {
        return None;
    }
    let length = name.iter().take(LONGEST_NAME + 1).take_while(is_name).count();
    let end = at + 2 + length;
    keys.secret_before(bytes, end).filter(|kind| length <= LONGEST_NAME && kind.is_secret()).map(|_| end)
}

/// The secret name before `operator`, and its quote.
fn name_before(bytes: &[u8], operator: usize, keys: &Keys) -> Option<(Kind, Option<Quote>)> {
    let mut end = operator;
    let mut quote = None;
    while let Some(&before) = end.checked_sub(1).and_then(|at| bytes.get(at)) {
        match before {
            b'"' | b'\'' => quote = Some(Quote { mark: before, slashes: 0 }),
            b'\\' => quote = quote.map(|one: Quote| Quote { slashes: one.slashes + 1, ..one }),
            b' ' | b'\t' | b']' => {}
            b')' if opens_tuple(bytes, operator) => {}
            _ => break,
        }
        end -= 1;
        if operator - end > LONGEST_GAP {
            return None;
        }
    }
    keys.secret_before(bytes, end).map(|kind| (kind, quote))
}

struct Value {
    start: usize,
    end: usize,
    quoted: bool,
}

fn value_after(bytes: &[u8], operator: usize, kind: Kind) -> Option<Value> {
    let mut start = operator + 1;
    match (bytes[operator], bytes.get(start)) {
        (b':', Some(b':')) => return None,
        (b':', Some(b'/')) if bytes.get(start + 1) == Some(&b'/') => return None,
        (_, Some(b'=' | b'>')) => start += 1,
        _ => {}
    }
    if opens_tuple(bytes, operator) {
        let value = Value { start: start + 1, end: tuple_end(bytes, start + 1), quoted: true };
        return (!is_harmless(&bytes[value.start..value.end])).then_some(value);
    }
    start += bytes[start..].iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    value_from(bytes, start, kind)
}

/// Whether it is the `=` of `(token)=(value)`, as PostgreSQL writes keys.
fn opens_tuple(bytes: &[u8], operator: usize) -> bool {
    bytes[operator] == b'=' && operator > 0 && bytes[operator - 1] == b')' && bytes.get(operator + 1) == Some(&b'(')
}

/// Where the values of a key end, at the bracket that no word follows, or with their line.
fn tuple_end(bytes: &[u8], start: usize) -> usize {
    let ends = |at: usize| match bytes[at] {
        b')' => bytes.get(at + 1).is_none_or(|&after| !is_word(after)),
        byte => byte == b'\n',
    };
    (start..bytes.len()).find(|&at| ends(at)).unwrap_or(bytes.len())
}

/// The value that begins at `start`, unless it says nothing or was masked before.
fn value_from(bytes: &[u8], start: usize, kind: Kind) -> Option<Value> {
    let slashes = bytes[start..].iter().take_while(|&&byte| byte == b'\\').count();
    let value = match *bytes.get(start + slashes)? {
        mark @ (b'"' | b'\'' | b'`') => {
            let from = start + slashes + 1;
            Value { start: from, end: quoted_end(bytes, from, Quote { mark, slashes }), quoted: true }
        }
        _ if is_masked_word(bytes, start) => return None,
        b'[' | b'{' => Value { start, end: bracket_end(bytes, start), quoted: false },
        _ if kind.is_personal() => Value { start, end: personal_end(bytes, start), quoted: false },
        _ => Value { start, end: bare_end(bytes, start, kind), quoted: false },
    };
    (!is_harmless(&bytes[value.start..value.end])).then_some(value)
}

/// Whether a value says nothing, or nothing any more.
pub(in crate::mask) fn is_harmless(value: &[u8]) -> bool {
    let is_nothing = || NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    value.iter().all(|&byte| byte == b'*') || is_tag(value) || is_nothing()
}

/// Whether the word at `start` is a tag.
fn is_masked_word(bytes: &[u8], start: usize) -> bool {
    let Some(tag) = memchr::memchr(b']', &bytes[start..bytes.len().min(start + LONGEST_TAG)]) else { return false };
    let end = start + tag + 1;
    is_tag(&bytes[start..end]) && bytes[end..word_end(bytes, start).max(end)].iter().all(|&byte| is_closer(byte))
}

/// Where a quoted text ends: at its closing quote, or with its line.
fn quoted_end(bytes: &[u8], start: usize, quote: Quote) -> usize {
    for at in memchr2_iter(quote.mark, b'\n', &bytes[start..]).map(|at| start + at) {
        if bytes[at] == b'\n' {
            return at;
        }
        let slashes = backslashes_before(bytes, at, start);
        if is_delimiter(slashes, quote.slashes) {
            return at - slashes.min(quote.slashes);
        }
    }
    bytes.len()
}

/// Where the bracket that opens at `start` is closed, brackets in strings not counted; else the end of the line.
fn bracket_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_u32;
    let mut own = None;
    let mut in_string = false;
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'\n' => return at,
            b'"' => {
                let slashes = backslashes_before(bytes, at, start);
                in_string ^= is_delimiter(slashes, *own.get_or_insert(slashes));
            }
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

/// Where a value without quotes ends: with its word; after a scheme (`Bearer x`) with the next word; a list goes on
/// after `;` and a space.
fn bare_end(bytes: &[u8], start: usize, kind: Kind) -> usize {
    let mut end = word_end(bytes, start);
    while kind == Kind::List && bytes[end..].starts_with(b"; ") && bytes.get(end + 2).is_some_and(|byte| is_word(*byte))
    {
        end = word_end(bytes, end + 2);
    }
    let is_one_of = |words: &[&str]| words.iter().any(|word| bytes[start..end].eq_ignore_ascii_case(word.as_bytes()));
    if bytes.get(end) == Some(&b' ') {
        if is_one_of(&LONG_SCHEMES) {
            return memchr::memchr(b'\n', &bytes[end..]).map_or(bytes.len(), |at| end + at);
        }
        if is_one_of(&SCHEMES) {
            end = word_end(bytes, end + 1);
        }
    }
    end - bytes[start..end].iter().rev().take_while(|&&byte| is_closer(byte)).count()
}

/// Where the words of a name, or the groups of a number, end: each further one has a capital or a digit.
fn personal_end(bytes: &[u8], start: usize) -> usize {
    let is_part = |byte: &&u8| is_word(**byte) || matches!(**byte, b'.' | b'-' | b'+' | b'(' | b')' | b'\'');
    let word = |at: usize| at + bytes[at..].iter().take_while(is_part).count();
    let mut end = word(start);
    for _ in 1..MOST_WORDS {
        let next = end + 1;
        let goes_on = end > start && bytes.get(end) == Some(&b' ') && begins_high(&bytes[next.min(bytes.len())..]);
        let after = word(next.min(bytes.len()));
        if !goes_on || matches!(bytes.get(after), Some(b'=' | b':' | b'/')) {
            break;
        }
        end = after;
    }
    end - bytes[start..end].iter().rev().take_while(|&&byte| matches!(byte, b'.' | b'(')).count()
}

/// Whether `bytes` begin with a capital, Latin or Cyrillic, a digit, or what numbers have before one.
fn begins_high(bytes: &[u8]) -> bool {
    match bytes {
        [0xd0, next, ..] => matches!(next, 0x81 | 0x90..=0xaf),
        [byte, ..] => byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'(' | b'-' | b'+'),
        [] => false,
    }
}

/// Whether a value looks drawn by lot: no word, no path, no date, no UUID.
pub(in crate::mask) fn is_random(value: &[u8]) -> bool {
    if !(SHORTEST_RANDOM..=LONGEST_RANDOM).contains(&value.len()) {
        return false;
    }
    let is_kept = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-');
    // Base64 has as many `+` and `/` as it likes; words have them too, but not capitals and digits as well.
    let is_mixed = is_mixed(value);
    let is_mark = |byte: &&u8| matches!(**byte, b'_' | b'-') || (matches!(**byte, b'+' | b'/') && !is_mixed);
    let marks = value.iter().filter(is_mark).count();
    if marks > 3 || !value.iter().all(is_kept) {
        return false;
    }
    let turns = value.windows(2).filter(|two| two[0].is_ascii_digit() != two[1].is_ascii_digit()).count();
    turns >= value.len() / if is_mixed { 10 } else { 5 }
}

/// What may follow a value without a space and does not belong to it.
const fn is_closer(byte: u8) -> bool {
    matches!(byte, b')' | b']' | b'}' | b'>' | b',' | b';' | b'.' | b'\\')
}

/// Where a word ends. `,`, `;`, `&` and quotes end it only where the next thing begins: passwords have them too.
pub(super) fn word_end(bytes: &[u8], start: usize) -> usize {
    let ends = |at: usize| match bytes[at] {
        b',' | b';' | b'&' | b'|' => separates(bytes, at + 1),
        b'"' | b'\'' | b'`' => bytes.get(at + 1).is_none_or(|&after| !is_word(after)),
        byte => byte.is_ascii_whitespace(),
    };
    (start..bytes.len()).find(|&at| ends(at)).unwrap_or(bytes.len())
}

/// Whether what follows a separator is an end, a space, a quote, or the next `name=`.
fn separates(bytes: &[u8], at: usize) -> bool {
    let Some(&next) = bytes.get(at) else { return true };
    if next.is_ascii_whitespace() || matches!(next, b'"' | b'\'' | b'\\') {
        return true;
    }
    let is_name = |byte: &&u8| is_word(**byte) || matches!(**byte, b'-' | b'_' | b'.' | b'[' | b']');
    let length = bytes[at..].iter().take_while(is_name).count();
    length > 0 && matches!(bytes.get(at + length), Some(b'=' | b':'))
}

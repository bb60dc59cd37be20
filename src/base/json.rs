//! JSON objects read where they lie: checked and walked in one forward pass, without a tree and without allocation.
//! Does not write JSON, and changes nothing.
//!
//! The grammar is RFC 8259's, strictly, with two rules of our own: nesting deeper than [`DEPTH`] is refused, and an
//! escaped half of a surrogate pair (`"\ud800"`) is let through, since the grammar allows it, programs that cut text
//! between UTF-16 units write it, and refusing would turn their records into text.

use std::borrow::Cow;
use std::ops::Range;

/// How deep objects and arrays may nest, the outermost counted. Also what `serde_json` reads at most by default.
pub const DEPTH: u32 = 127;

/// One member of an object, as ranges into the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key as written, escapes included, without its quotes.
    pub key: Range<usize>,
    /// Whether there are escapes in the key.
    pub is_escaped: bool,
    /// The value as written, with its quotes or brackets.
    pub value: Range<usize>,
}

/// Walks the members of the outermost object, in order, and checks the text on its way.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    cursor: Cursor<'a>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Inside,
    Whole,
    Broken,
}

/// The members of the object that `text` is. Space around the object is allowed.
#[must_use]
pub const fn members(text: &str) -> Members<'_> {
    Members { cursor: Cursor { bytes: text.as_bytes(), at: 0, escapes: 0 }, state: State::Start }
}

/// Whether `text` is one valid object, perhaps with space around it.
#[must_use]
pub fn is_object(text: &str) -> bool {
    let mut members = members(text);
    while members.next().is_some() {}
    members.is_whole()
}

/// The value, as written, of the field at `path` in the valid object `text`: names joined by dots, each of which may
/// stand for nesting or be part of a key, so that `http.method` finds both `{"http.method":…}` and
/// `{"http":{"method":…}}`. Of several, the last counts, as it does for most readers of JSON.
#[must_use]
pub fn find<'a>(text: &'a str, path: &str) -> Option<&'a str> {
    let mut found = None;
    for Member { key, value, .. } in members(text) {
        let (key, value) = (unescape(&text[key]), &text[value]);
        if key == path {
            found = Some(value);
        } else if let Some(rest) = path.strip_prefix(&*key).and_then(|rest| rest.strip_prefix('.')) {
            found = find(value, rest).or(found);
        }
    }
    found
}

/// The inside of a string value, escapes as written. `None` for other values.
#[must_use]
pub fn string_inside(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// The text that the inside of a valid string stands for. Borrowed where it has no escape. A lone half of a surrogate
/// pair becomes U+FFFD. What is no string's inside stays as it is.
#[must_use]
pub fn unescape(inside: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut text = String::with_capacity(inside.len());
    match unescape_into(inside, &mut text) {
        Some(()) => Cow::Owned(text),
        None => Cow::Borrowed(inside),
    }
}

/// As [`unescape`], appended to a buffer that the caller reuses. `None`: an escape is not valid.
#[must_use]
pub fn unescape_into(inside: &str, out: &mut String) -> Option<()> {
    let mut rest = inside;
    while let Some(backslash) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..backslash]);
        let (character, length) = escaped(&rest.as_bytes()[backslash + 1..])?;
        out.push(character);
        rest = &rest[backslash + 1 + length..];
    }
    out.push_str(rest);
    Some(())
}

/// The character of the escape whose backslash stands before `rest`, and how many bytes of `rest` it takes.
fn escaped(rest: &[u8]) -> Option<(char, usize)> {
    let short = match rest.first()? {
        b'u' => return escaped_unicode(&rest[1..]),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        &same @ (b'"' | b'\\' | b'/') => char::from(same),
        _ => return None,
    };
    Some((short, 1))
}

fn escaped_unicode(digits: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(digits)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 5));
    }
    let second = digits[4..].strip_prefix(b"\\u").and_then(code_unit);
    match second {
        Some(low @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)).map(|character| (character, 11))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

fn code_unit(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

impl Members<'_> {
    /// After the last member: whether the text was one valid object to its last byte.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// The next member, or the object's end (`Some(None)`). `None`: not valid.
    fn step(&mut self) -> Option<Option<Member>> {
        let cursor = &mut self.cursor;
        cursor.skip_space();
        if self.state == State::Start {
            cursor.expect(b'{')?;
            cursor.skip_space();
            if cursor.peek()? == b'}' {
                return cursor.end().map(|()| None);
            }
        } else if cursor.peek()? == b'}' {
            return cursor.end().map(|()| None);
        } else {
            cursor.expect(b',')?;
            cursor.skip_space();
        }
        let escapes = cursor.escapes;
        let key = cursor.key()?;
        let is_escaped = cursor.escapes != escapes;
        let start = cursor.at;
        cursor.value()?;
        Some(Some(Member { key, is_escaped, value: start..cursor.at }))
    }
}

impl Iterator for Members<'_> {
    type Item = Member;

    #[inline]
    fn next(&mut self) -> Option<Member> {
        if matches!(self.state, State::Whole | State::Broken) {
            return None;
        }
        let step = self.step();
        self.state = match step {
            Some(Some(_)) => State::Inside,
            Some(None) => State::Whole,
            None => State::Broken,
        };
        step.flatten()
    }
}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many escapes were passed.
    escapes: usize,
}

/// Every method moves over one piece of grammar, or gives `None`: not valid JSON.
impl Cursor<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The outermost `}` and nothing but space after it.
    fn end(&mut self) -> Option<()> {
        self.expect(b'}')?;
        self.skip_space();
        (self.at == self.bytes.len()).then_some(())
    }

    /// A key, its colon and the space around that.
    #[inline]
    fn key(&mut self) -> Option<Range<usize>> {
        let start = self.at + 1;
        self.string()?;
        let key = start..self.at - 1;
        self.skip_space();
        self.expect(b':')?;
        self.skip_space();
        Some(key)
    }

    /// One value of a member of the outermost object. `open` holds one bit for each container around, innermost
    /// lowest: 1 is an object.
    fn value(&mut self) -> Option<()> {
        let mut open = 0_u128;
        let mut depth = 1;
        loop {
            if let bracket @ (b'{' | b'[') = self.peek()? {
                let is_object = bracket == b'{';
                self.at += 1;
                depth += 1;
                if depth > DEPTH {
                    return None;
                }
                open = open << 1 | u128::from(is_object);
                self.skip_space();
                let is_empty = self.peek()? == if is_object { b'}' } else { b']' };
                if !is_empty && is_object {
                    self.key()?;
                }
                if !is_empty {
                    continue;
                }
            } else {
                self.scalar()?;
            }
            if !self.close(&mut open, &mut depth)? {
                return Some(());
            }
        }
    }

    /// After a value: closes what ends here. Whether another value of a container around follows.
    #[inline]
    fn close(&mut self, open: &mut u128, depth: &mut u32) -> Option<bool> {
        while *depth > 1 {
            self.skip_space();
            match (self.peek()?, *open & 1 == 1) {
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    *depth -= 1;
                    *open >>= 1;
                }
                (b',', is_object) => {
                    self.at += 1;
                    self.skip_space();
                    if is_object {
                        self.key()?;
                    }
                    return Some(true);
                }
                _ => return None,
            }
        }
        Some(false)
    }

    #[inline]
    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// At least one.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _control => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.escapes += 1;
        match self.bytes.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let digits = self.bytes.get(self.at + 2..self.at + 6)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                self.at += 6;
            }
            _ => return None,
        }
        Some(())
    }
}

/// Where the run of plain string bytes from `at` ends: at a quote, a backslash or a control character, or with the
/// bytes. Eight bytes at a step.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let special = special_bytes(u64::from_le_bytes(*eight));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + bytes[at..].iter().position(is_special).unwrap_or(bytes.len() - at)
}

/// Sets the high bit of bytes that are quotes, backslashes or below 0x20. Exact for the lowest such byte; a borrow
/// may set further ones above it.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & (ONES * 0x80)
}

#[cfg(test)]
mod tests;

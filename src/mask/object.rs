//! Goes through a JSON object's text once, from one token that may hold something to the next, and rewrites only
//! strings, numbers and the values of secret keys. Builds no tree and needs no stack. Does not validate; what it cannot
//! follow is held.

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::Held;
use super::detect::{NEAR, is_harmless, is_random};
use super::keys::Kind;
use super::path::Path;
use super::rewrite::{Rewriter, row_of};

/// Writes the object at `start..end` of `text`, masked, to `out`. `false`: nothing to mask, `out` is as it was.
pub(super) fn rewrite(
    text: &str,
    start: usize,
    end: usize,
    rewriter: &mut Rewriter<'_>,
    out: &mut String,
) -> Result<bool, Held> {
    pruned(text, start, end, rewriter, out, MOST_PRUNINGS)
}

/// The same: without the members that are to go, if any, and those that are to go then, at most so many times.
fn pruned(
    text: &str,
    start: usize,
    end: usize,
    rewriter: &mut Rewriter<'_>,
    out: &mut String,
    left: u32,
) -> Result<bool, Held> {
    let (at, noted) = (out.len(), rewriter.trace().hits().len());
    let is_changed = masked(text, start, end, rewriter, out)?;
    if rewriter.fields().is_empty() {
        return Ok(is_changed);
    }
    let left = left.checked_sub(1).ok_or(Held)?;
    out.truncate(at);
    rewriter.trace().forget_after(noted);
    for (place, row) in rewriter.fields().to_vec() {
        rewriter.trace().value(row, start + place..start + place, at..at);
    }
    let noted = rewriter.trace().hits().len();
    rewriter.without(&text[start..end], out, |object, rewriter, out| {
        pruned(object, 0, object.len(), rewriter, out, left)
    })?;
    rewriter.trace().blur(noted, start..end);
    Ok(true)
}

fn masked(text: &str, start: usize, end: usize, rewriter: &mut Rewriter<'_>, out: &mut String) -> Result<bool, Held> {
    let (first, before) = (out.len(), String::new());
    let mut walk = Walk {
        text: &text[..end],
        start,
        at: start,
        copied: start,
        changed: false,
        path: Path::default(),
        out,
        first,
        before,
    };
    while let Some(place) = walk.next_place(end, rewriter) {
        walk.approach(place);
        match walk.byte() {
            b'"' => walk.string(rewriter)?,
            b'-' | b'0'..=b'9' => walk.number(rewriter)?,
            _ => walk.at += 1,
        }
    }
    if walk.changed {
        walk.out.push_str(&walk.text[walk.copied..]);
    }
    Ok(walk.changed)
}

/// Taking members away may bring a word nearer to a number that it then tells. One that takes more rounds was made to.
const MOST_PRUNINGS: u32 = 8;

/// More than what tells of a number can span before it, with what tells whether it is a whole word.
const SEEN_BEFORE: usize = 4 * NEAR;

struct Walk<'a> {
    /// Ends with the object.
    text: &'a str,
    /// Where the object begins.
    start: usize,
    at: usize,
    /// How far the text is in `out`, once something has changed.
    copied: usize,
    changed: bool,
    /// Where it is, for exceptions by path.
    path: Path,
    out: &'a mut String,
    /// Where the object begins in `out`.
    first: usize,
    /// See [`Walk::see_before`].
    before: String,
}

impl Walk<'_> {
    /// The next place that must be examined. Behind what was masked all is, for a while: there a word may have come nearer
    /// to a number that it then tells.
    fn next_place(&self, end: usize, rewriter: &mut Rewriter<'_>) -> Option<usize> {
        let is_near = self.is_near_masked(self.at, rewriter) && self.at < end;
        if is_near { Some(self.at) } else { rewriter.place(self.at, end) }
    }

    fn is_near_masked(&self, at: usize, rewriter: &Rewriter<'_>) -> bool {
        self.changed && at <= self.copied + NEAR && rewriter.has_told()
    }

    /// Notes what stands before `at`, as far as it matters: as it is after masking, so that masking twice sees the same.
    fn see_before(&mut self, at: usize, rewriter: &Rewriter<'_>) {
        if !rewriter.has_told() {
            return;
        }
        let from = if self.changed { self.copied } else { self.start };
        let own = &self.text[from..at];
        self.before.clear();
        if self.changed && own.len() < SEEN_BEFORE {
            let written = &self.out[self.first..];
            self.before.push_str(tail(written));
        }
        self.before.push_str(tail(own));
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    /// Goes to the token that holds `place`, or to the key whose colon it is; or only to the first string with escapes
    /// on the way. Before that, quotes come in pairs, so that counting them is enough.
    fn approach(&mut self, place: usize) {
        let bytes = self.text.as_bytes();
        let way = &bytes[self.at..place];
        let way = &way[..memchr(b'\\', way).unwrap_or(way.len())];
        let is_in_string = memchr_iter(b'"', way).count() % 2 == 1;
        let opening = match memrchr(b'"', way) {
            Some(quote) if is_in_string => Some(quote),
            Some(quote) if bytes[self.at + way.len()] == b':' => memrchr(b'"', &way[..quote]),
            _ => None,
        };
        let literal = || way.len() - way.iter().rev().take_while(|&&byte| is_literal(byte)).count();
        self.at += opening.unwrap_or_else(literal);
    }

    /// A key or a string value; after a secret key, its value too.
    fn string(&mut self, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let start = self.at + 1;
        let (end, has_escapes) = string_end(self.text.as_bytes(), start).ok_or(Held)?;
        self.at = end + 1;
        let is_key = self.skip_colon();
        let mut kind = if is_key { rewriter.kind_of(&self.text[start..end], has_escapes) } else { None };
        let is_near = self.is_near_masked(start, rewriter);
        if rewriter.look(start, end, is_near) && (is_key || !self.is_left(start, rewriter)) {
            self.see_before(start, rewriter);
            let (raw, before) = (&self.text[start..end], self.before.as_str());
            let masked = if has_escapes { rewriter.escaped(raw, before)? } else { rewriter.plain(raw, before)? };
            if let Some(masked) = masked {
                self.copy_until(start);
                let at = self.out.len();
                escape(masked, self.out);
                rewriter.trace().string(start..end, has_escapes, at, &self.out[at..]);
                rewriter.take_field(start - self.start);
                self.copied = end;
                if is_key && kind.is_none() {
                    // A tag may part a telling name from what stood before it.
                    let written = &self.out[at..];
                    kind = rewriter.kind_of(written, written.contains('\\'));
                }
            }
        }
        match kind.filter(|_| !self.is_left(start, rewriter)) {
            Some(kind) => self.secret_value(start, kind, rewriter),
            None => Ok(()),
        }
    }

    fn is_left(&mut self, place: usize, rewriter: &Rewriter<'_>) -> bool {
        rewriter.is_left(&self.text[self.start..], place - self.start, &mut self.path)
    }

    /// Goes past the colon that makes a string a key, to the value.
    fn skip_colon(&mut self) -> bool {
        let after = self.at + spaces(&self.text.as_bytes()[self.at..]);
        if self.text.as_bytes().get(after) != Some(&b':') {
            return false;
        }
        self.at = after + 1 + spaces(&self.text.as_bytes()[after + 1..]);
        true
    }

    /// Replaces the whole value of the `name` there, whatever it is, unless it says nothing.
    fn secret_value(&mut self, name: usize, kind: Kind, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let end = match bytes.get(start).ok_or(Held)? {
            b'"' => string_end(bytes, start + 1).ok_or(Held)?.0 + 1,
            b'{' | b'[' => container_end(bytes, start).ok_or(Held)?,
            _ => start + bytes[start..].iter().take_while(|&&byte| is_literal(byte)).count(),
        };
        let value = bytes[start..end].trim_ascii();
        let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
        if kind == Kind::Random && !is_random(inner) {
            return Ok(());
        }
        self.at = end;
        if is_harmless(inner) || matches!(inner, b"{}" | b"[]") {
            return Ok(());
        }
        let inner = std::str::from_utf8(inner).map_err(|_| Held)?;
        let is_string = bytes[start] == b'"';
        // A token or number that is told by itself is called what it is.
        let from = start + usize::from(is_string);
        let own = if kind.is_secret() { None } else { rewriter.whole(self.text, name, from, from + inner.len())? };
        // What keeps its form would be found by its name alone when it is masked again.
        let row = own.filter(|row| !rewriter.keeps_form(*row)).unwrap_or(row_of(kind));
        let Some(written) = rewriter.secret(row, inner, is_string.then_some(inner)) else { return Ok(()) };
        let at = self.replace(start, end, &written);
        rewriter.count(row);
        rewriter.take_field(name - self.start);
        rewriter.trace().value(row, start..end, at..self.out.len());
        Ok(())
    }

    /// A number that is a card's becomes a string, or another number where numbers are to stay numbers.
    fn number(&mut self, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let start = self.at;
        let end = start + self.text.as_bytes()[start..].iter().take_while(|&&byte| is_literal(byte)).count();
        self.at = end;
        if !rewriter.look(start, end, self.is_near_masked(start, rewriter)) || self.is_left(start, rewriter) {
            return Ok(());
        }
        self.see_before(start, rewriter);
        if let Some(masked) = rewriter.plain(&self.text[start..end], &self.before)? {
            self.copy_until(start);
            let at = self.out.len() + 1;
            self.out.push('"');
            escape(masked, self.out);
            rewriter.trace().string(start..end, false, at, &self.out[at..]);
            self.out.push('"');
            if let Some(number) = rewriter.number() {
                self.out.truncate(at - 1);
                self.out.push_str(&number);
                rewriter.trace().shorten(at - 1, self.out.len());
            }
            rewriter.take_field(start - self.start);
            self.copied = end;
        }
        Ok(())
    }

    /// Returns where in `out` it begins.
    fn replace(&mut self, start: usize, end: usize, tag: &str) -> usize {
        self.copy_until(start);
        let at = self.out.len();
        self.out.push('"');
        self.out.push_str(tag);
        self.out.push('"');
        self.copied = end;
        at
    }

    fn copy_until(&mut self, start: usize) {
        self.changed = true;
        self.out.push_str(&self.text[self.copied..start]);
    }
}

/// The last [`SEEN_BEFORE`] bytes of a text, or a little less.
fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(SEEN_BEFORE);
    (from..text.len()).find_map(|at| text.get(at..)).unwrap_or_default()
}

fn spaces(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

const fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// Where the string whose text begins at `start` has its closing quote, and whether it has escapes.
fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut has_escapes = false;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some((at, has_escapes));
        }
        has_escapes = true;
        at += 2;
    }
}

/// Where the object or array that opens at `start` ends.
fn container_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_u32;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at + 1)?.0,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Writes a text as the inside of a JSON string.
fn escape(text: &str, out: &mut String) {
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
                out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[copied..]);
}

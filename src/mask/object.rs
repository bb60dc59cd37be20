//! Walks a JSON object's text once, from token to token, and rewrites only strings and numbers that hold something,
//! and the values of secret keys. Builds no tree and needs no stack. Does not validate; what it cannot follow is held.

use super::Held;
use super::detectors::{DETECTORS, SECRET};
use super::rewrite::Rewriter;
use super::secret::is_harmless;

/// Writes the object at `start..end` of `text`, masked, to `out`. `false`: nothing to mask, `out` is as it was.
pub(super) fn rewrite(
    text: &str,
    start: usize,
    end: usize,
    rewriter: &mut Rewriter<'_>,
    out: &mut String,
) -> Result<bool, Held> {
    let mut walk = Walk { text: &text[..end], at: start, copied: start, changed: false, out };
    while walk.at < end {
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

struct Walk<'a> {
    text: &'a str,
    at: usize,
    /// How far the text is in `out`, once something has changed.
    copied: usize,
    changed: bool,
    out: &'a mut String,
}

impl Walk<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes()[self.at]
    }

    /// A key or a string value; after a secret key, its value too.
    fn string(&mut self, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let start = self.at + 1;
        let (end, has_escapes) = string_end(self.text.as_bytes(), start).ok_or(Held)?;
        self.at = end + 1;
        let is_secret = self.skip_colon() && rewriter.is_secret(&self.text[start..end], has_escapes);
        if rewriter.look(self.text, start, end, has_escapes) {
            let raw = &self.text[start..end];
            let masked = if has_escapes { rewriter.escaped(raw)? } else { rewriter.plain(raw)? };
            if let Some(masked) = masked {
                self.copy_until(start);
                escape(masked, self.out);
                self.copied = end;
            }
        }
        if is_secret { self.secret_value(rewriter) } else { Ok(()) }
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

    /// Replaces the whole value, whatever it is, unless it says nothing.
    fn secret_value(&mut self, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let end = match bytes.get(start).ok_or(Held)? {
            b'"' => string_end(bytes, start + 1).ok_or(Held)?.0 + 1,
            b'{' | b'[' => container_end(bytes, start).ok_or(Held)?,
            _ => start + bytes[start..].iter().take_while(|&&byte| is_literal(byte)).count(),
        };
        self.at = end;
        let value = bytes[start..end].trim_ascii();
        let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
        if is_harmless(inner) || matches!(inner, b"{}" | b"[]") {
            return Ok(());
        }
        self.replace(start, end, DETECTORS[SECRET].tag);
        rewriter.count(SECRET);
        Ok(())
    }

    /// A number that is a card's becomes a string.
    fn number(&mut self, rewriter: &mut Rewriter<'_>) -> Result<(), Held> {
        let start = self.at;
        let end = start + self.text.as_bytes()[start..].iter().take_while(|&&byte| is_literal(byte)).count();
        self.at = end;
        if rewriter.look(self.text, start, end, false)
            && let Some(masked) = rewriter.plain(&self.text[start..end])?
        {
            self.copy_until(start);
            self.out.push('"');
            escape(masked, self.out);
            self.out.push('"');
            self.copied = end;
        }
        Ok(())
    }

    fn replace(&mut self, start: usize, end: usize, tag: &str) {
        self.copy_until(start);
        self.out.push('"');
        self.out.push_str(tag);
        self.out.push('"');
        self.copied = end;
    }

    fn copy_until(&mut self, start: usize) {
        self.changed = true;
        self.out.push_str(&self.text[self.copied..start]);
    }
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
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
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

/// Undoes JSON's escapes (RFC 8259, 7), replacing what `out` held. Half of a surrogate pair becomes U+FFFD.
pub(super) fn unescape(raw: &str, out: &mut String) -> Result<(), Held> {
    out.clear();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (one, length) = escaped_char(&rest.as_bytes()[at + 1..]).ok_or(Held)?;
        out.push(one);
        rest = rest.get(at + 1 + length..).ok_or(Held)?;
    }
    out.push_str(rest);
    Ok(())
}

/// The character after a backslash, and how many bytes tell it.
fn escaped_char(bytes: &[u8]) -> Option<(char, usize)> {
    let short = match bytes.first()? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return Some(unicode_escape(&bytes[1..])).flatten(),
        &same @ (b'"' | b'\\' | b'/') => char::from(same),
        _ => return None,
    };
    Some((short, 1))
}

fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = code_unit(bytes)?;
    if let Some(one) = char::from_u32(unit) {
        return Some((one, 5));
    }
    let low = bytes.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).and_then(code_unit);
    match low {
        Some(low @ 0xDC00..=0xDFFF) if unit < 0xDC00 => {
            char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00)).map(|one| (one, 11))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

fn code_unit(bytes: &[u8]) -> Option<u32> {
    bytes.get(..4)?.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
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

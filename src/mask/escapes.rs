//! Escapes that are left in a text: of JSON within JSON strings, and within lines of plain text. Undoes them for the
//! detectors and tells where in the text a hit lies. Masks nothing.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::detect::Span;

/// Escapes that may hide something. (`\u0` and not `\u00`: some secret names are Cyrillic.)
pub(super) static ESCAPES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u0"));

/// Length of an escape after its backslashes: `u0040`.
const UNIT: usize = 5;

/// A text whose `\u` escapes of all depths are undone at once. Reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Undone {
    text: String,
    /// In order.
    marks: Vec<Mark>,
    /// Quotes are hidden by escapes, and escapes of several depths are mixed: where a string ends cannot be told.
    is_tangled: bool,
}

/// An escape: where it stood, with all its backslashes, and where the undone text has what it means.
#[derive(Clone, Copy, Debug)]
struct Mark {
    source: (usize, usize),
    undone: (usize, usize),
}

impl Undone {
    /// Undoes the escapes of `source`. `false`: there is none that may hide something.
    pub(super) fn undo(&mut self, source: &str) -> bool {
        self.text.clear();
        self.marks.clear();
        if ESCAPES.find(source.as_bytes()).is_none() {
            return false;
        }
        let bytes = source.as_bytes();
        let (mut hides_quotes, mut is_deep) = (false, false);
        let mut copied = 0;
        let mut at = 0;
        while let Some(run) = memchr(b'\\', &bytes[at..]).map(|offset| at + offset) {
            let slashes = bytes[run..].iter().take_while(|&&byte| byte == b'\\').count();
            at = run + slashes;
            let Some(character) = unit(&bytes[at..]) else {
                is_deep |= slashes > 1 || bytes.get(at).is_some_and(|&byte| is_quote(char::from(byte)));
                continue;
            };
            hides_quotes |= is_quote(character) || character == '\\';
            is_deep |= slashes > 1 || character == '\\';
            self.text.push_str(&source[copied..run]);
            let start = self.text.len();
            push(&mut self.text, character, slashes);
            at += UNIT;
            self.marks.push(Mark { source: (run, at), undone: (start, self.text.len()) });
            copied = at;
        }
        self.text.push_str(&source[copied..]);
        self.is_tangled = hides_quotes && is_deep;
        !self.marks.is_empty()
    }

    /// Whether where a string ends cannot be told.
    pub(super) const fn is_tangled(&self) -> bool {
        self.is_tangled
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A hit in the undone text as a stretch of the source: an escape is taken whole.
    pub(super) fn place(&self, span: Span) -> Span {
        let start = match self.last(|mark| mark.undone.0 <= span.start) {
            Some(mark) if span.start < mark.undone.1 => mark.source.0,
            Some(mark) => mark.source.1 + (span.start - mark.undone.1),
            None => span.start,
        };
        let end = match self.last(|mark| mark.undone.0 < span.end) {
            Some(mark) if span.end <= mark.undone.1 => mark.source.1,
            Some(mark) => mark.source.1 + (span.end - mark.undone.1),
            None => span.end,
        };
        Span { start, end, ..span }
    }

    /// A hit in the source, widened to take whole the escapes that it cuts.
    pub(super) fn widen(&self, span: Span) -> Span {
        let start = self.last(|mark| mark.source.0 <= span.start).filter(|mark| span.start < mark.source.1);
        let end = self.last(|mark| mark.source.0 < span.end).filter(|mark| span.end < mark.source.1);
        Span {
            start: start.map_or(span.start, |mark| mark.source.0),
            end: end.map_or(span.end, |mark| mark.source.1),
            ..span
        }
    }

    fn last(&self, is_before: impl Fn(&Mark) -> bool) -> Option<&Mark> {
        self.marks[..self.marks.partition_point(is_before)].last()
    }
}

/// Writes what an escape after so many backslashes means, so that strings still end where they did: a quote keeps
/// backslashes, a backslash is one more, and no line ends.
fn push(text: &mut String, character: char, slashes: usize) {
    // An even number hides an escape of a string further within, whose quote would take about twice as many.
    let depth = if slashes % 2 == 1 { slashes } else { 2 * slashes - 1 };
    match character {
        _ if is_quote(character) => text.extend(std::iter::repeat_n('\\', depth).chain([character])),
        '\\' => text.extend(std::iter::repeat_n('\\', depth + 1)),
        _ if character.is_control() => text.push(' '),
        _ => text.push(character),
    }
}

const fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\'' | '`')
}

/// Undoes one level of the escapes of `text` into `out`; what is no escape stays. `false`: nothing was to be undone.
pub(super) fn undo_level(text: &str, out: &mut String) -> bool {
    out.clear();
    let mut rest = text;
    while let Some(slash) = memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(slash);
        out.push_str(plain);
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'u') => unit(&escape.as_bytes()[1..]).map_or(('\\', 1), |character| (character, 1 + UNIT)),
            Some(b'n' | b'r') => ('\n', 2),
            Some(b't' | b'b' | b'f') => (' ', 2),
            Some(&same @ (b'"' | b'\\' | b'/')) => (char::from(same), 2),
            _ => ('\\', 1),
        };
        out.push(character);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out.len() < text.len()
}

/// The character of `u0040`; a half of a surrogate pair is U+FFFD.
fn unit(bytes: &[u8]) -> Option<char> {
    let digits = bytes.strip_prefix(b"u")?.get(..UNIT - 1)?;
    let unit = digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))?;
    Some(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER))
}

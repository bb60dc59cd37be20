//! Wrappings that are left in a text: escapes of JSON within JSON strings, of URLs, of HTML, look-alikes of ASCII. Undoes
//! them for the detectors, layer by layer, and tells where in the text a hit lies. Masks nothing.

use memchr::{memchr, memmem};

use super::Held;
use super::detect::Span;
use super::wrappings::{self, Unit};

/// How deep one kind of wrapping may lie within another. Of one kind alone all depths are one layer. What lies deeper was
/// made to.
const MOST_LAYERS: usize = 8;

/// A text whose wrappings are undone. Reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// The first `used`; each is made of the one before.
    layers: Vec<Layer>,
    used: usize,
    /// Quotes are hidden, and at several depths: where a quoted text ends cannot be told.
    is_tangled: bool,
}

/// A text with one layer of wrappings undone.
#[derive(Debug, Default)]
struct Layer {
    text: String,
    /// In order.
    marks: Vec<Mark>,
    hides_quotes: bool,
    /// Quotes may stand at several depths.
    is_deep: bool,
}

/// A wrapped character: where it stood, and where the undone text has what it means.
#[derive(Clone, Copy, Debug)]
struct Mark {
    source: (usize, usize),
    undone: (usize, usize),
}

impl Undone {
    /// Undoes the wrappings of `source`. `false`: there are none.
    pub(super) fn undo(&mut self, source: &str) -> Result<bool, Held> {
        self.clear();
        let mut hid_quotes = false;
        loop {
            if self.layers.len() == self.used {
                self.layers.push(Layer::default());
            }
            let (done, rest) = self.layers.split_at_mut(self.used);
            let below = done.last().map_or(source, |layer| layer.text.as_str());
            let layer = &mut rest[0];
            if !layer.undo(below) {
                return Ok(self.used > 0);
            }
            if self.used == MOST_LAYERS {
                return Err(Held);
            }
            self.is_tangled |= layer.hides_quotes && (layer.is_deep || hid_quotes);
            hid_quotes |= layer.hides_quotes;
            self.used += 1;
        }
    }

    /// Forgets what was undone.
    pub(super) const fn clear(&mut self) {
        (self.used, self.is_tangled) = (0, false);
    }

    /// Whether where a quoted text ends cannot be told.
    pub(super) const fn is_tangled(&self) -> bool {
        self.is_tangled
    }

    /// How many layers there are.
    pub(super) const fn layers(&self) -> usize {
        self.used
    }

    /// The text without this layer and all before it.
    pub(super) fn text(&self, layer: usize) -> &str {
        &self.layers[layer].text
    }

    /// A hit in the text after so many layers as a stretch of the source: what is wrapped is taken whole.
    pub(super) fn place(&self, span: Span, layers: usize) -> Span {
        let all = &self.layers[..self.used];
        let whole = all.get(layers).map_or(span, |above| above.widen(span));
        all[..layers].iter().rev().fold(whole, |span, layer| layer.place(span))
    }
}

impl Layer {
    /// Undoes one layer of `source`. `false`: there is none, and this one is not to be used.
    fn undo(&mut self, source: &str) -> bool {
        self.text.clear();
        self.marks.clear();
        (self.hides_quotes, self.is_deep) = (false, false);
        let bytes = source.as_bytes();
        let mut copied = 0;
        let mut at = 0;
        let mut next = Next::default();
        while let Some(place) = next.at(bytes, at) {
            let Some(unit) = wrappings::escape(bytes, place).or_else(|| wrappings::look_alike(bytes, place)) else {
                at = self.pass(bytes, place);
                continue;
            };
            self.text.push_str(&source[copied..place]);
            self.take(place, unit);
            (at, copied) = (unit.end, unit.end);
        }
        self.text.push_str(&source[copied..]);
        !self.marks.is_empty()
    }

    /// Goes past what is no wrapping.
    fn pass(&mut self, bytes: &[u8], place: usize) -> usize {
        let slashes = wrappings::slashes(bytes, place);
        let end = place + slashes.max(1);
        self.is_deep |= slashes > 1 || (slashes == 1 && bytes.get(end).is_some_and(|&byte| is_quote(char::from(byte))));
        end
    }

    fn take(&mut self, place: usize, unit: Unit) {
        let start = self.text.len();
        if let Some(character) = unit.character {
            let hides = is_quote(character) || character == '\\';
            self.hides_quotes |= hides;
            self.is_deep |= unit.is_deep || (character == '\\' && unit.slashes > 0);
            push(&mut self.text, character, unit.slashes.max(1));
        }
        self.marks.push(Mark { source: (place, unit.end), undone: (start, self.text.len()) });
    }

    /// A hit in the undone text as a stretch of the source.
    fn place(&self, span: Span) -> Span {
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

    /// A hit in the source, widened to take whole what it cuts.
    fn widen(&self, span: Span) -> Span {
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

/// The next places of a backslash, `%` or `&`, and of a look-alike.
#[derive(Debug, Default)]
struct Next {
    /// One past each; 0 before it was sought, `usize::MAX` when there is none.
    sign: usize,
    look_alike: usize,
}

impl Next {
    /// The nearer of the two at or after `from`.
    fn at(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let after = |place: Option<usize>| place.map_or(usize::MAX, |at| at + 1);
        if self.sign <= from {
            self.sign = after(memchr::memchr3(b'\\', b'%', b'&', &bytes[from..]).map(|at| from + at));
        }
        if self.look_alike <= from {
            self.look_alike = after(wrappings::seek_look_alike(bytes, from));
        }
        let nearest = self.sign.min(self.look_alike);
        (nearest < usize::MAX).then(|| nearest - 1)
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

/// Whether JSON's escapes of characters are in `text`.
pub(super) fn has_units(text: &str) -> bool {
    memmem::find(text.as_bytes(), b"\\u").is_some()
}

/// Undoes one level of JSON's escapes of `text` into `out`; what is no escape stays. `false`: nothing was to be undone.
pub(super) fn undo_level(text: &str, out: &mut String) -> bool {
    out.clear();
    let mut rest = text;
    while let Some(slash) = memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(slash);
        out.push_str(plain);
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'u') => {
                wrappings::utf16(escape.as_bytes(), 1, |_| None).map_or(('\\', 1), |(one, length)| (one, 1 + length))
            }
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

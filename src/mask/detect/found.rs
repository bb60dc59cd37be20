//! What was found in one text: in order, none overlapping another, no escape cut. Knows no detector.

use std::cmp::Reverse;

use super::{DETECTORS, Detector, Finder, PERSONAL, SECRET, Search, Set, Signs, encoded};
use crate::mask::Held;
use crate::mask::escapes::Undone;

/// A quote as it stands in a text: the character, after how many backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mask) struct Quote {
    pub(in crate::mask) mark: u8,
    pub(in crate::mask) slashes: usize,
}

/// A stretch of text to be replaced.
#[derive(Clone, Copy, Debug)]
pub(in crate::mask) struct Span {
    pub(in crate::mask) start: usize,
    pub(in crate::mask) end: usize,
    pub(in crate::mask) row: usize,
    /// A word before it tells what it is.
    pub(in crate::mask) is_told: bool,
    /// The tag gets quotes of this kind, where JSON inside a string had a bare number.
    pub(in crate::mask) quote: Option<Quote>,
    /// It is several hits that overlapped, not one value.
    pub(in crate::mask) joined: bool,
}

impl Span {
    const fn range(&self) -> (usize, usize) {
        (self.start, self.end)
    }
}

/// What was found in one text. Reused from text to text.
#[derive(Debug, Default)]
pub(in crate::mask) struct Found {
    spans: Vec<Span>,
    row: usize,
    is_told: bool,
}

impl Found {
    /// Adds a hit of the detector that is searching.
    pub(in crate::mask) fn push(&mut self, start: usize, end: usize) {
        self.push_quoted(start, end, None);
    }

    /// The same, with quotes for the tag.
    pub(in crate::mask) fn push_quoted(&mut self, start: usize, end: usize, quote: Option<Quote>) {
        self.spans.push(Span { start, end, row: self.row, is_told: self.is_told, quote, joined: false });
    }

    /// Adds a stretch that holds a hit of a row, and may hold more than its value.
    pub(super) fn push_around(&mut self, start: usize, end: usize, row: usize) {
        self.spans.push(Span { start, end, row, is_told: false, quote: None, joined: true });
    }

    /// Forgets all hits.
    pub(super) fn clear(&mut self) {
        self.spans.clear();
    }

    /// Whose the first hit is.
    pub(super) fn first(&self) -> Option<usize> {
        self.spans.first().map(|span| span.row)
    }

    /// Whose the first hit in `text` and its wrappings is, Base64 not among them.
    pub(super) fn search_plainly(
        &mut self,
        text: &str,
        search: &Search,
        undone: &mut Undone,
    ) -> Result<Option<usize>, Held> {
        undone.undo(text)?;
        self.spans.clear();
        for layers in 0..=undone.layers() {
            let seen = layers.checked_sub(1).map_or(text, |last| undone.text(last));
            let from = self.spans.len();
            search.find(seen, "", search.wanted, self);
            self.leave(from, seen, search);
        }
        Ok(self.first())
    }

    /// Says whose the next hits are.
    pub(super) const fn begin(&mut self, row: usize) {
        self.row = row;
        self.is_told = false;
    }

    /// The same where a word tells.
    pub(super) const fn begin_told(&mut self, row: usize) {
        self.row = row;
        self.is_told = true;
    }

    /// Runs the detectors of `set` over `text` and returns their hits, in order, none overlapping another. `before` is
    /// what stands before it in its record.
    pub(in crate::mask) fn search(&mut self, text: &str, before: &str, set: Set, search: &Search) -> &[Span] {
        self.spans.clear();
        search.find(text, before, set, self);
        self.leave(0, text, search);
        self.settle();
        &self.spans
    }

    /// The same for a text that may have wrappings left: what they hide is found, and none is cut. Where the end of a hit
    /// cannot be told, the whole text is one.
    pub(in crate::mask) fn search_through(
        &mut self,
        text: &str,
        before: &str,
        signs: Signs,
        search: &Search,
        undone: &mut Undone,
    ) -> Result<&[Span], Held> {
        let is_wrapped = signs.escapes && undone.undo(text)?;
        if !is_wrapped && !search.base64 {
            return Ok(self.search(text, before, signs.set, search));
        }
        if !is_wrapped {
            undone.clear();
        }
        self.spans.clear();
        let mut as_written = 0;
        let mut endless = None;
        let mut left: Vec<(usize, (usize, usize))> = Vec::new();
        for layers in 0..=undone.layers() {
            let seen = layers.checked_sub(1).map_or(text, |last| undone.text(last));
            let from = self.spans.len();
            search.find(seen, before, search.wanted, self);
            if search.base64 {
                encoded::find(seen, search, self)?;
            }
            let (known, new) = self.spans.split_at_mut(from);
            for span in new {
                let is_left = search.except.holds(span.row, &seen[span.start..span.end]);
                let is_bound = layers > 0 && undone.is_tangled() && is_bound_by_quotes(span);
                *span = undone.place(*span, layers);
                if is_left {
                    left.push((span.row, span.range()));
                    continue;
                }
                let same = known[..as_written].binary_search_by_key(&span.range(), Span::range);
                if is_bound && same.is_err() {
                    endless.get_or_insert(*span);
                }
            }
            if layers == 0 {
                self.spans.sort_unstable_by_key(Span::range);
                as_written = self.spans.len();
            }
        }
        // What is excepted as one layer shows it is left as all show it.
        self.spans.retain(|span| !left.contains(&(span.row, span.range())));
        if let Some(first) = endless {
            self.spans.clear();
            self.spans.push(Span { start: 0, end: text.len(), quote: None, joined: true, ..first });
        }
        self.settle();
        Ok(&self.spans)
    }

    /// The hits of the last search less those that are not `wanted`.
    pub(in crate::mask) fn only(&mut self, wanted: impl Fn(&Span) -> bool) -> &[Span] {
        self.spans.retain(wanted);
        &self.spans
    }

    /// Takes away what is excepted of the hits in `text`, the first `from` aside. Before hits are joined: what lies within
    /// one that is left is a hit of its own.
    fn leave(&mut self, from: usize, text: &str, search: &Search) {
        if search.except.has_values() {
            let mut at = 0;
            self.spans.retain(|span| {
                at += 1;
                at <= from || !search.except.holds(span.row, &text[span.start..span.end])
            });
        }
    }

    /// Joins hits that overlap, so that nothing of either stays. Of those that begin together one that a word tells of
    /// names the whole. An e-mail address whose name is a URL's password, or a token in the place of a user, is no address:
    /// the host may stay.
    fn settle(&mut self) {
        self.spans.sort_unstable_by_key(|span| (span.start, !span.is_told, span.row, Reverse(span.end)));
        self.spans.dedup_by(|next, kept| {
            if next.start >= kept.end {
                return false;
            }
            if !(is_user(DETECTORS[kept.row]) && DETECTORS[next.row].name == "email") {
                kept.joined |= next.end > kept.end;
                kept.end = kept.end.max(next.end);
            }
            true
        });
    }
}

/// Whether a hit ends where quotes or brackets say so: the value of a name does.
fn is_bound_by_quotes(span: &Span) -> bool {
    DETECTORS[span.row].tag == DETECTORS[SECRET].tag || span.row == *PERSONAL
}

/// Whether its hits stand before the `@` of URLs.
fn is_user(detector: &Detector) -> bool {
    detector.name == "url_password" || matches!(detector.finder, Finder::Token { .. })
}

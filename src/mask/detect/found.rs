//! What was found in one text: in order, none overlapping another, no escape cut. Knows no detector.

use super::{DETECTORS, Detector, Finder, Search, Set};
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
    /// The tag gets quotes of this kind, where JSON inside a string had a bare number.
    pub(in crate::mask) quote: Option<Quote>,
    /// It is several hits that overlapped, not one value.
    pub(in crate::mask) joined: bool,
}

/// What was found in one text. Reused from text to text.
#[derive(Debug, Default)]
pub(in crate::mask) struct Found {
    spans: Vec<Span>,
    row: usize,
}

impl Found {
    /// Adds a hit of the detector that is searching.
    pub(in crate::mask) fn push(&mut self, start: usize, end: usize) {
        self.push_quoted(start, end, None);
    }

    /// The same, with quotes for the tag.
    pub(in crate::mask) fn push_quoted(&mut self, start: usize, end: usize, quote: Option<Quote>) {
        self.spans.push(Span { start, end, row: self.row, quote, joined: false });
    }

    /// Whether a hit is exactly there.
    pub(super) fn covers(&self, at: &std::ops::Range<usize>) -> bool {
        self.spans.iter().any(|span| span.start == at.start && span.end == at.end)
    }

    /// Says whose the next hits are.
    pub(super) const fn begin(&mut self, row: usize) {
        self.row = row;
    }

    /// Runs the detectors of `set` over `text` and returns their hits, in order, none overlapping another. `before` is
    /// what stands before it in its record.
    pub(in crate::mask) fn search(&mut self, text: &str, before: &str, set: Set, search: &Search) -> &[Span] {
        self.spans.clear();
        search.find(text, before, set, self);
        // Before hits are joined: what lies within one that is left is a hit of its own.
        if search.except.has_values() {
            self.spans.retain(|span| !search.except.holds(span.row, &text[span.start..span.end]));
        }
        self.settle();
        &self.spans
    }

    /// The same for a text that may have escapes left: what they hide is found, and no escape is cut. Where the end of a
    /// hit cannot be told, the whole text is one.
    pub(in crate::mask) fn search_through(
        &mut self,
        text: &str,
        before: &str,
        set: Set,
        search: &Search,
        undone: &mut Undone,
    ) -> &[Span] {
        if !undone.undo(text) {
            return self.search(text, before, set, search);
        }
        self.search(undone.text(), before, search.wanted, search);
        self.spans.iter_mut().for_each(|span| *span = undone.place(*span));
        if self.spans.is_empty() {
            self.search(text, before, search.wanted, search);
            self.spans.iter_mut().for_each(|span| *span = undone.widen(*span));
        }
        self.settle();
        if undone.is_tangled() {
            self.spans.truncate(1);
            self.spans
                .iter_mut()
                .for_each(|span| *span = Span { start: 0, end: text.len(), quote: None, joined: true, ..*span });
        }
        &self.spans
    }

    /// The hits of the last search less those that are not `wanted`.
    pub(in crate::mask) fn only(&mut self, wanted: impl Fn(&Span) -> bool) -> &[Span] {
        self.spans.retain(wanted);
        &self.spans
    }

    /// Joins hits that overlap, so that nothing of either stays. An e-mail address whose name is a URL's password, or a
    /// token in the place of a user, is no address: the host may stay.
    fn settle(&mut self) {
        self.spans.sort_unstable_by_key(|span| (span.start, span.row));
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

/// Whether its hits stand before the `@` of URLs.
fn is_user(detector: &Detector) -> bool {
    detector.name == "url_password" || matches!(detector.finder, Finder::Token { .. })
}

//! What masking did, place by place, for people who ask. Off for records that are shipped; holds no value.

use std::ops::Range;

/// One value that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Index of its line in the chunk.
    pub line: u32,
    /// Index of its detector or rule: see [`super::Masker::name`].
    pub by: usize,
    /// Where it stood in the record's own text. Where escapes hide that: the string that held it.
    pub source: Range<usize>,
    /// Where what was written instead stands in the masked text.
    pub written: Range<usize>,
}

/// Collects hits while one text after another is masked.
#[derive(Debug, Default)]
pub(super) struct Trace {
    is_on: bool,
    hits: Vec<Hit>,
    /// What was written into the text at hand so far, in order.
    written: Vec<Written>,
    /// How many of them the next text has, or has no more.
    passed: usize,
    /// The same as `written` for the text that is being made of it.
    next: Vec<Written>,
}

#[derive(Clone, Debug)]
struct Written {
    by: usize,
    at: Range<usize>,
    source: Range<usize>,
}

impl Trace {
    pub(super) fn on() -> Self {
        Self { is_on: true, ..Self::default() }
    }

    pub(super) fn restart(&mut self) {
        self.hits.clear();
    }

    pub(super) fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// Begins with another text.
    pub(super) fn begin(&mut self) {
        self.written.clear();
        self.next.clear();
        self.passed = 0;
    }

    /// `from` of the text at hand becomes `to` of the next. Called in order; then [`Trace::turn`].
    pub(super) fn replace(&mut self, by: usize, from: Range<usize>, to: Range<usize>) {
        if !self.is_on {
            return;
        }
        let source = self.origin(from.start)..self.origin(from.end);
        self.keep_until(from.start, to.start);
        self.passed += self.written[self.passed..].iter().take_while(|one| one.at.start < from.end).count();
        self.next.push(Written { by, at: to, source });
    }

    /// The next text is whole, `from` bytes of the one at hand having become `to` bytes: it is the one at hand.
    pub(super) fn turn(&mut self, from: usize, to: usize) {
        self.keep_until(from, to);
        std::mem::swap(&mut self.written, &mut self.next);
        self.next.clear();
        self.passed = 0;
    }

    /// All `from` bytes of the text became `to` bytes.
    pub(super) fn whole(&mut self, by: usize, from: usize, to: usize) {
        self.begin();
        self.replace(by, 0..from, 0..to);
        self.turn(from, to);
    }

    /// The text at hand was a whole line, now at `at` of all that is masked.
    pub(super) fn line(&mut self, at: usize) {
        let hits = self.written.drain(..).map(|one| hit(one.by, one.source, at + one.at.start..at + one.at.end));
        self.hits.extend(hits);
    }

    /// The text at hand was the JSON string at `source`, now `escaped` at `at` of all that is masked.
    pub(super) fn string(&mut self, source: Range<usize>, had_escapes: bool, at: usize, escaped: &str) {
        for one in std::mem::take(&mut self.written) {
            let within = source.start + one.source.start..(source.start + one.source.end).min(source.end);
            let source = if had_escapes { source.clone() } else { within };
            let written = at + place_in(escaped, one.at.start)..at + place_in(escaped, one.at.end);
            self.hits.push(hit(one.by, source, written));
        }
    }

    /// A value was replaced as a whole.
    pub(super) fn value(&mut self, by: usize, source: Range<usize>, written: Range<usize>) {
        if self.is_on {
            self.hits.push(hit(by, source, written));
        }
    }

    /// The last value's writing became shorter, or lost its quotes.
    pub(super) fn shorten(&mut self, start: usize, end: usize) {
        self.hits.last_mut().into_iter().for_each(|last| last.written = start..end);
    }

    /// Where the later hits stood cannot be told: somewhere in `whole`.
    pub(super) fn blur(&mut self, first: usize, whole: Range<usize>) {
        self.hits[first..].iter_mut().for_each(|one| one.source = whole.clone());
    }

    /// Ends a record that began at `source` of what was seen, is line `line`, and begins at `written` of all that is masked.
    /// `first`: how many hits there were before it.
    pub(super) fn end_record(&mut self, first: usize, line: u32, source: usize, written: usize) {
        for one in &mut self.hits[first..] {
            one.line = line;
            one.source = one.source.start - source..one.source.end - source;
            one.written = one.written.start - written..one.written.end - written;
        }
    }

    /// A record cannot be finished: what was noted of it is not so.
    pub(super) fn forget_after(&mut self, first: usize) {
        self.hits.truncate(first);
    }

    /// Moves what ends at or before `from` into the next text, where `from` is at `to`.
    fn keep_until(&mut self, from: usize, to: usize) {
        let moved = |place: usize| to - (from - place);
        let left = &self.written[self.passed..];
        let kept = left.iter().take_while(|one| one.at.end <= from).count();
        self.next.extend(
            left[..kept].iter().map(|one| Written { at: moved(one.at.start)..moved(one.at.end), ..one.clone() }),
        );
        self.passed += kept;
    }

    /// Where a place of the text at hand was in the text as it came.
    fn origin(&self, at: usize) -> usize {
        let before = self.written.iter().rev().find(|one| one.at.end <= at);
        before.map_or(at, |one| one.source.end + (at - one.at.end))
    }
}

fn hit(by: usize, source: Range<usize>, written: Range<usize>) -> Hit {
    Hit { line: 0, by, source, written }
}

/// Where the byte at `place` of a text is in the text's form as the inside of a JSON string.
fn place_in(escaped: &str, place: usize) -> usize {
    let bytes = escaped.as_bytes();
    let (mut at, mut left) = (0, place);
    while left > 0 && at < bytes.len() {
        at += match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => 6,
            (b'\\', _) => 2,
            _ => 1,
        };
        left -= 1;
    }
    at
}

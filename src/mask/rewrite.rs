//! Masks one text, its own escapes undone: first the user's rules, then the detectors. Knows neither lines nor JSON.

use super::Held;
use super::detect::{DETECTORS, Found, SECRET, Search, Set, Span};
use super::escapes::{ESCAPES, Undone, undo_level};
use super::look::{Look, Signs};
use super::rules::{Rule, growth_limit};
use super::trace::Trace;
use crate::base::json;

/// A tag may uncover what a longer word had hidden (`4111111111111111::1`), so a masked text is searched again until
/// nothing is found. One that takes more rounds than this was made to.
const MOST_ROUNDS: usize = 8;

/// How deep escapes may lie within escapes. JSON in strings of JSON doubles its backslashes at each level: what lies
/// deeper was made to.
const MOST_LEVELS: usize = 8;

/// What was compiled from the configuration.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) search: Search,
    pub(super) rules: Vec<Rule>,
}

/// Buffers, reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) look: Look,
    found: Found,
    undone: Undone,
    unescaped: String,
    ruled: String,
    spare: String,
    masked: String,
    /// Hits by detector, then by rule; of the record at hand.
    pub(super) counts: Vec<u64>,
    pub(super) trace: Trace,
}

/// Rules and buffers, together for the time of one record.
pub(super) struct Rewriter<'a> {
    rules: &'a Rules,
    buffers: &'a mut Buffers,
    /// What the look found in the string at hand.
    set: Set,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(rules: &'a Rules, buffers: &'a mut Buffers) -> Self {
        Self { rules, buffers, set: rules.search.wanted }
    }

    /// Counts a hit of a detector.
    pub(super) fn count(&mut self, row: usize) {
        self.buffers.counts[row] += 1;
    }

    /// Where hits are noted, by those who want to know.
    pub(super) const fn trace(&mut self) -> &mut Trace {
        &mut self.buffers.trace
    }

    /// Whether a JSON key, as it stands in the text, is secret.
    pub(super) fn is_secret(&mut self, raw: &str, has_escapes: bool) -> bool {
        let Search { wanted, keys, .. } = &self.rules.search;
        if !wanted.contains(SECRET) {
            return false;
        }
        if !has_escapes {
            return keys.secret_before(raw.as_bytes(), raw.len()).is_some();
        }
        let key = &mut self.buffers.unescaped;
        key.clear();
        json::unescape_into(raw, key).is_some() && keys.secret_before(key.as_bytes(), key.len()).is_some()
    }

    /// The first place in `start..end` of `text` from which on an object must be examined.
    pub(super) fn place(&mut self, text: &str, start: usize, end: usize) -> Option<usize> {
        if self.rules.rules.is_empty() {
            return self.buffers.look.place(text, start, end, &self.rules.search);
        }
        (start < end).then_some(start)
    }

    /// Whether `start..end` of `text`, a number or the inside of a JSON string, must be examined.
    pub(super) fn look(&mut self, text: &str, start: usize, end: usize) -> bool {
        let Rules { search, rules } = self.rules;
        let signs = self.buffers.look.within(text, start, end, search);
        self.set = set_of(signs, search.wanted);
        !self.set.is_empty() || !rules.is_empty()
    }

    /// A JSON string's inside with escapes undone and masked; `None`: nothing to mask.
    pub(super) fn escaped(&mut self, raw: &str, before: &str) -> Result<Option<&str>, Held> {
        let mut text = std::mem::take(&mut self.buffers.unescaped);
        text.clear();
        let unescaped = json::unescape_into(raw, &mut text);
        self.buffers.unescaped = text;
        unescaped.ok_or(Held)?;
        self.rewrite(None, before)
    }

    /// A text masked, `before` which stands before it in its record; `None`: nothing to mask.
    pub(super) fn plain(&mut self, text: &str, before: &str) -> Result<Option<&str>, Held> {
        self.rewrite(Some(text), before)
    }

    /// Appends a line of plain text to `out`, masked, where `signs` were seen in it. `false`: nothing to mask, `out` is as
    /// it was.
    pub(super) fn line(&mut self, text: &str, signs: Signs, out: &mut String) -> Result<bool, Held> {
        self.set = set_of(signs, self.rules.search.wanted);
        let Some(masked) = self.plain(text, "")? else { return Ok(false) };
        let at = out.len();
        out.push_str(masked);
        self.trace().line(at);
        Ok(true)
    }

    /// `None`: what was unescaped.
    fn rewrite(&mut self, text: Option<&str>, before: &str) -> Result<Option<&str>, Held> {
        let Rules { search, rules } = self.rules;
        let Buffers { found, undone, unescaped, ruled, spare, masked, counts, trace, .. } = &mut *self.buffers;
        let text = text.unwrap_or(unescaped);
        trace.begin();
        let is_ruled = apply_rules(rules, text, ruled, spare, &mut (counts, trace))?;
        let (text, set) = if is_ruled { (ruled.as_str(), search.wanted) } else { (text, self.set) };
        let spans = found.search_through(text, before, set, search, undone);
        if spans.is_empty() {
            let Some(row) = hidden(text, search, found, spare, masked)? else {
                return Ok(is_ruled.then_some(self.buffers.ruled.as_str()));
            };
            counts[row] += 1;
            trace.whole(row, text.len(), DETECTORS[row].tag.len());
            return Ok(Some(DETECTORS[row].tag));
        }
        write_masked(text, spans, masked, counts, trace);
        let is_tag = matches!(spans, [all] if all.start == 0 && all.end == text.len());
        if is_tag {
            return Ok(Some(&self.buffers.masked));
        }
        for _ in 0..MOST_ROUNDS {
            let spans = found.search_through(masked, before, search.wanted, search, undone);
            if spans.is_empty() {
                let Some(row) = hidden(masked, search, found, spare, ruled)? else {
                    return Ok(Some(&self.buffers.masked));
                };
                counts[row] += 1;
                trace.whole(row, masked.len(), DETECTORS[row].tag.len());
                return Ok(Some(DETECTORS[row].tag));
            }
            write_masked(masked, spans, spare, counts, trace);
            std::mem::swap(masked, spare);
        }
        Err(Held)
    }
}

/// What may find something where `signs` were seen.
const fn set_of(signs: Signs, wanted: Set) -> Set {
    if signs.escapes { wanted } else { signs.set }
}

/// The detector that finds something in a text only after further levels of its escapes are undone: where, cannot be
/// told. Two buffers are at its disposal.
fn hidden(
    text: &str,
    search: &Search,
    found: &mut Found,
    level: &mut String,
    deeper: &mut String,
) -> Result<Option<usize>, Held> {
    let has_escapes = |text: &str| ESCAPES.find(text.as_bytes()).is_some();
    if !has_escapes(text) || !undo_level(text, level) {
        return Ok(None);
    }
    for _ in 0..MOST_LEVELS {
        if let Some(first) = found.search(level, "", search.wanted, search).first() {
            return Ok(Some(first.row));
        }
        if !has_escapes(level) || !undo_level(level, deeper) {
            return Ok(None);
        }
        std::mem::swap(level, deeper);
    }
    Err(Held)
}

/// Leaves what the rules made of `text` in `ruled`. `false`: they changed nothing.
fn apply_rules(
    rules: &[Rule],
    text: &str,
    ruled: &mut String,
    spare: &mut String,
    (counts, trace): &mut (&mut Vec<u64>, &mut Trace),
) -> Result<bool, Held> {
    let limit = growth_limit(text.len());
    let mut is_ruled = false;
    for (index, rule) in rules.iter().enumerate() {
        let current = if is_ruled { ruled.as_str() } else { text };
        if !rule.is_match(current) {
            continue;
        }
        let by = DETECTORS.len() + index;
        let count = rule.apply(current, limit, spare, &mut |from, to| trace.replace(by, from, to))?;
        if count > 0 {
            trace.turn(current.len(), spare.len());
            counts[by] += count;
            std::mem::swap(ruled, spare);
            is_ruled = true;
        }
    }
    Ok(is_ruled)
}

/// Replaces what `out` held by `text` with tags for `spans`.
fn write_masked(text: &str, spans: &[Span], out: &mut String, counts: &mut [u64], trace: &mut Trace) {
    out.clear();
    let mut copied = 0;
    for span in spans {
        out.push_str(&text[copied..span.start]);
        let quote = |out: &mut String| {
            if let Some(quote) = span.quote {
                out.extend(std::iter::repeat_n('\\', quote.slashes));
                out.push(char::from(quote.mark));
            }
        };
        let at = out.len();
        quote(out);
        out.push_str(DETECTORS[span.row].tag);
        quote(out);
        trace.replace(span.row, span.start..span.end, at..out.len());
        counts[span.row] += 1;
        copied = span.end;
    }
    out.push_str(&text[copied..]);
    trace.turn(text.len(), out.len());
}

//! Masks one text, its own escapes undone: first the user's rules, then the detectors. Knows neither lines nor JSON.

use super::Held;
use super::detect::{DETECTORS, Found, PERSONAL, RANDOM, SECRET, Search, Set, Span};
use super::escapes::{Undone, has_units, undo_level};
use super::keys::Kind;
use super::look::{Look, Signs};
use super::rules::{Rule, growth_limit};
use super::wrappings;
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

    /// What a JSON key, as it stands in the text, says of its value.
    pub(super) fn kind_of(&mut self, raw: &str, has_escapes: bool) -> Option<Kind> {
        let Search { wanted, keys, .. } = &self.rules.search;
        let kind = |key: &str| keys.secret_before(key.as_bytes(), key.len());
        let Buffers { unescaped, undone, .. } = &mut *self.buffers;
        let mut key = raw;
        if has_escapes {
            unescaped.clear();
            json::unescape_into(raw, unescaped)?;
            key = unescaped;
        }
        // One that is wrapped too deep holds the record back when it is masked as a text.
        let is_wrapped = wrappings::is_in(key) && undone.undo(key).unwrap_or(false);
        let layers = if is_wrapped { undone.layers() } else { 0 };
        let found = kind(key).or_else(|| (0..layers).find_map(|layer| kind(undone.text(layer))));
        found.filter(|kind| wanted.contains(row_of(*kind)))
    }

    /// Which detector finds just the value in `start..end` of `text`, of which it sees what begins at `key` too.
    pub(super) fn whole(&mut self, text: &str, key: usize, start: usize, end: usize) -> Result<Option<usize>, Held> {
        let Search { wanted, .. } = self.rules.search;
        let Buffers { found, undone, .. } = &mut *self.buffers;
        let spans = found.search_through(&text[key..end], "", wanted, &self.rules.search, undone)?;
        let is_whole = |span: &&Span| (key + span.start, key + span.end) == (start, end);
        Ok(spans.iter().find(is_whole).map(|span| span.row))
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
        let masked = self.plain(text, "")?;
        out.push_str(masked.unwrap_or_default());
        Ok(masked.is_some())
    }

    /// `None`: what was unescaped.
    fn rewrite(&mut self, text: Option<&str>, before: &str) -> Result<Option<&str>, Held> {
        let Rules { search, rules } = self.rules;
        let Buffers { found, undone, unescaped, ruled, spare, masked, counts, .. } = &mut *self.buffers;
        let text = text.unwrap_or(unescaped);
        let is_ruled = apply_rules(rules, text, ruled, spare, counts)?;
        let (text, set) = if is_ruled { (ruled.as_str(), search.wanted) } else { (text, self.set) };
        let spans = found.search_through(text, before, set, search, undone)?;
        if spans.is_empty() {
            let Some(row) = hidden(text, search, (found, undone), spare, masked)? else {
                return Ok(is_ruled.then_some(self.buffers.ruled.as_str()));
            };
            counts[row] += 1;
            return Ok(Some(DETECTORS[row].tag));
        }
        write_masked(text, spans, masked, counts);
        let is_tag = matches!(spans, [all] if all.start == 0 && all.end == text.len());
        if is_tag {
            return Ok(Some(&self.buffers.masked));
        }
        for _ in 0..MOST_ROUNDS {
            let spans = found.search_through(masked, before, search.wanted, search, undone)?;
            if spans.is_empty() {
                let Some(row) = hidden(masked, search, (found, undone), spare, ruled)? else {
                    return Ok(Some(&self.buffers.masked));
                };
                counts[row] += 1;
                return Ok(Some(DETECTORS[row].tag));
            }
            write_masked(masked, spans, spare, counts);
            std::mem::swap(masked, spare);
        }
        Err(Held)
    }
}

/// Which detector masks the values of such names.
pub(super) fn row_of(kind: Kind) -> usize {
    match kind {
        Kind::Personal => *PERSONAL,
        Kind::Random => *RANDOM,
        Kind::Value | Kind::List => SECRET,
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
    (found, undone): (&mut Found, &mut Undone),
    level: &mut String,
    deeper: &mut String,
) -> Result<Option<usize>, Held> {
    if !has_units(text) || !undo_level(text, level) {
        return Ok(None);
    }
    for _ in 0..MOST_LEVELS {
        if let Some(first) = found.search_through(level, "", search.wanted, search, undone)?.first() {
            return Ok(Some(first.row));
        }
        if !has_units(level) || !undo_level(level, deeper) {
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
    counts: &mut [u64],
) -> Result<bool, Held> {
    let limit = growth_limit(text.len());
    let mut is_ruled = false;
    for (index, rule) in rules.iter().enumerate() {
        let current = if is_ruled { ruled.as_str() } else { text };
        if !rule.is_match(current) {
            continue;
        }
        let count = rule.apply(current, limit, spare)?;
        if count > 0 {
            counts[DETECTORS.len() + index] += count;
            std::mem::swap(ruled, spare);
            is_ruled = true;
        }
    }
    Ok(is_ruled)
}

/// Replaces what `out` held by `text` with tags for `spans`.
fn write_masked(text: &str, spans: &[Span], out: &mut String, counts: &mut [u64]) {
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
        quote(out);
        out.push_str(DETECTORS[span.row].tag);
        quote(out);
        counts[span.row] += 1;
        copied = span.end;
    }
    out.push_str(&text[copied..]);
}

//! Masks one text, its own escapes undone: first the user's rules, then the detectors. Knows neither lines nor JSON.

use super::Held;
use super::detect::{DETECTORS, Found, PERSONAL, RANDOM, SECRET, Search, Set, Signs, Span};
use super::escapes::{Undone, has_units, undo_level};
use super::keys::Kind;
use super::look::Look;
use super::path::Path;
use super::replace::{Act, Replace, prune};
use super::rules::{Rule, growth_limit};
use super::trace::Trace;
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
    pub(super) replace: Replace,
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
    /// Of the record at hand.
    pub(super) drops: Drops,
    /// An object without the members that were dropped, while it is masked.
    pruned: String,
}

/// What is to go rather than to be masked.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// The detector for which the whole record goes.
    pub(super) record: Option<usize>,
    /// The detector for which the field goes that holds the text at hand.
    field: Option<usize>,
    /// Where such fields lie in the object, and for which detector.
    pub(super) fields: Vec<(usize, usize)>,
}

/// Rules and buffers, together for the time of one record.
pub(super) struct Rewriter<'a> {
    rules: &'a Rules,
    buffers: &'a mut Buffers,
    /// What the look found in the string at hand.
    signs: Signs,
    /// The detector that took all of the text at hand.
    single: Option<usize>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(rules: &'a Rules, buffers: &'a mut Buffers) -> Self {
        Self { rules, buffers, signs: Signs::all(rules.search.wanted), single: None }
    }

    /// Counts a hit of a detector.
    pub(super) fn count(&mut self, row: usize) {
        self.buffers.counts[row] += 1;
        self.buffers.drops.note(self.rules.replace.act(row), row);
    }

    /// Whether the value at `place` of an object is left because of where it is.
    pub(super) fn is_left(&self, object: &str, place: usize, path: &mut Path) -> bool {
        let except = &self.rules.search.except;
        except.has_paths() && except.holds_path(&path.to(object, place))
    }

    /// Whether words may tell what something behind them is.
    pub(super) const fn has_told(&self) -> bool {
        !self.rules.search.told().is_empty()
    }

    /// Whether a row's values become others of the same form.
    pub(super) fn keeps_form(&self, row: usize) -> bool {
        *self.rules.replace.act(row) == Act::Format
    }

    /// What stands for the value of a secret or personal name, as a row's hit; `None`: it was written here before, or is
    /// left. `text` is that of a string.
    pub(super) fn secret(&self, row: usize, value: &str, text: Option<&str>) -> Option<String> {
        let Rules { search, replace, .. } = self.rules;
        let is_left = |text: &str| replace.is_own(text, 0..text.len()) || search.except.holds(row, text);
        if text.is_some_and(is_left) {
            return None;
        }
        let shows_value = !matches!(replace.act(row), Act::Partial) || text.is_some();
        let written = shows_value.then(|| replace.written(row, value, search)).flatten();
        Some(written.unwrap_or_else(|| DETECTORS[row].tag.to_owned()))
    }

    /// Where fields lie that are to go, and for which detector.
    pub(super) fn fields(&self) -> &[(usize, usize)] {
        &self.buffers.drops.fields
    }

    /// A JSON number that stands for the number that was masked last, where it is to stay one.
    pub(super) fn number(&self) -> Option<String> {
        self.rules.replace.number(self.single?, &self.buffers.masked)
    }

    /// Notes that the text at hand, which lies at `place` of its object, takes its field with it, if it does.
    pub(super) fn take_field(&mut self, place: usize) {
        let drops = &mut self.buffers.drops;
        drops.fields.extend(drops.field.take().map(|row| (place, row)));
    }

    /// What `mask` makes of an object without the members at `places`, appended to `out`. The look goes through another
    /// text meanwhile.
    pub(super) fn without(
        &mut self,
        object: &str,
        out: &mut String,
        mask: impl FnOnce(&str, &mut Self, &mut String) -> Result<bool, Held>,
    ) -> Result<(), Held> {
        let fields = std::mem::take(&mut self.buffers.drops.fields);
        self.buffers.counts.fill(0);
        fields.iter().for_each(|(_, row)| self.buffers.counts[*row] += 1);
        let places: Vec<usize> = fields.iter().map(|(place, _)| *place).collect();
        let mut pruned = std::mem::take(&mut self.buffers.pruned);
        pruned.clear();
        prune(object, &places, &mut pruned).ok_or(Held)?;
        let look = std::mem::take(&mut self.buffers.look);
        self.buffers.look.restart(&pruned, &self.rules.search);
        let result = mask(&pruned, self, out);
        self.buffers.look = look;
        if !result? {
            out.push_str(&pruned);
        }
        self.buffers.pruned = pruned;
        Ok(())
    }

    /// Where hits are noted, by those who want to know.
    pub(super) const fn trace(&mut self) -> &mut Trace {
        &mut self.buffers.trace
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
        let spans = found.search_through(&text[key..end], "", Signs::all(wanted), &self.rules.search, undone)?;
        let is_whole = |span: &&Span| (key + span.start, key + span.end) == (start, end);
        Ok(spans.iter().find(is_whole).map(|span| span.row))
    }

    /// The first place in `start..end` of the chunk from which on an object must be examined.
    pub(super) fn place(&mut self, start: usize, end: usize) -> Option<usize> {
        if self.rules.rules.is_empty() {
            return self.buffers.look.place(start, end);
        }
        (start < end).then_some(start)
    }

    /// Whether `start..end` of the chunk, a number or the inside of a JSON string, must be examined. `is_near`: also for what
    /// words tell.
    pub(super) fn look(&mut self, start: usize, end: usize, is_near: bool) -> bool {
        let Rules { search, rules, .. } = self.rules;
        self.signs = seen(self.buffers.look.within(start, end), search.wanted);
        if is_near {
            self.signs.set = self.signs.set.union(search.told());
        }
        !self.signs.set.is_empty() || !rules.is_empty()
    }

    /// A JSON string's inside with escapes undone and masked; `None`: nothing to mask.
    pub(super) fn escaped(&mut self, raw: &str, before: &str) -> Result<Option<&str>, Held> {
        let mut text = std::mem::take(&mut self.buffers.unescaped);
        text.clear();
        let unescaped = json::unescape_into(raw, &mut text);
        self.buffers.unescaped = text;
        unescaped.ok_or(Held)?;
        // The look saw escapes, but not what they mean.
        self.signs.escapes = true;
        self.rewrite(None, before)
    }

    /// A text masked, `before` which stands before it in its record; `None`: nothing to mask.
    pub(super) fn plain(&mut self, text: &str, before: &str) -> Result<Option<&str>, Held> {
        self.rewrite(Some(text), before)
    }

    /// Appends a line of plain text to `out`, masked, where `signs` were seen in it. `false`: nothing to mask, `out` is as
    /// it was.
    pub(super) fn line(&mut self, text: &str, signs: Signs, out: &mut String) -> Result<bool, Held> {
        self.signs = seen(signs, self.rules.search.wanted);
        let Some(masked) = self.plain(text, "")? else { return Ok(false) };
        let at = out.len();
        out.push_str(masked);
        self.trace().line(at);
        Ok(true)
    }

    /// `None`: what was unescaped.
    fn rewrite(&mut self, text: Option<&str>, before: &str) -> Result<Option<&str>, Held> {
        let Rules { search, rules, replace } = self.rules;
        let Buffers { found, undone, unescaped, ruled, spare, masked, counts, trace, drops, .. } = &mut *self.buffers;
        let text = text.unwrap_or(unescaped);
        let mut note = Note { counts, trace, drops, replace, search };
        note.trace.begin();
        self.single = None;
        let is_ruled = apply_rules(rules, text, ruled, spare, &mut note)?;
        let unknown = Signs::all(search.wanted);
        let (text, signs) = if is_ruled { (ruled.as_str(), unknown) } else { (text, self.signs) };
        found.search_through(text, before, signs, search, undone)?;
        let spans = note.others(found, text);
        if spans.is_empty() {
            let Some(row) = hidden(text, &note, (found, undone), spare, masked)? else {
                return Ok(is_ruled.then_some(self.buffers.ruled.as_str()));
            };
            return Ok(Some(note.whole(row, text.len())));
        }
        let whole = whole(spans, text);
        note.write(text, spans, masked);
        if whole.is_some_and(|row| *replace.act(row) == Act::Tag) {
            return Ok(Some(&self.buffers.masked));
        }
        self.single = whole;
        for _ in 0..MOST_ROUNDS {
            let signs = seen(search.signs_in(masked, before), search.wanted);
            found.search_through(masked, before, signs, search, undone)?;
            let spans = note.others(found, masked);
            if spans.is_empty() {
                let Some(row) = hidden(masked, &note, (found, undone), spare, ruled)? else {
                    return Ok(Some(&self.buffers.masked));
                };
                self.single = None;
                return Ok(Some(note.whole(row, masked.len())));
            }
            self.single = None;
            note.write(masked, spans, spare);
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

/// The row that took all of a text, a sign aside.
fn whole(spans: &[Span], text: &str) -> Option<usize> {
    let [only] = spans else { return None };
    let is_all = only.end == text.len() && (only.start == 0 || (only.start == 1 && text.starts_with('-')));
    (is_all && !only.joined).then_some(only.row)
}

/// Where it is noted what is done, while it is done.
struct Note<'a> {
    counts: &'a mut Vec<u64>,
    trace: &'a mut Trace,
    drops: &'a mut Drops,
    replace: &'a Replace,
    search: &'a Search,
}

impl Note<'_> {
    /// What was found, less what was written here before.
    fn others<'f>(&self, found: &'f mut Found, text: &str) -> &'f [Span] {
        found.only(|span| !self.replace.is_own(text, span.start..span.end))
    }

    fn count(&mut self, row: usize) {
        self.counts[row] += 1;
        self.drops.note(self.replace.act(row), row);
    }

    /// The tag of a row that stands for a whole text of so many bytes.
    fn whole(&mut self, row: usize, length: usize) -> &'static str {
        let tag = DETECTORS[row].tag;
        self.count(row);
        self.trace.whole(row, length, tag.len());
        tag
    }

    /// Replaces what `out` held by `text` with what stands for `spans`.
    fn write(&mut self, text: &str, spans: &[Span], out: &mut String) {
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
            self.replace.write(text, span, self.search, out);
            quote(out);
            self.trace.replace(span.row, span.start..span.end, at..out.len());
            self.count(span.row);
            copied = span.end;
        }
        out.push_str(&text[copied..]);
        self.trace.turn(text.len(), out.len());
    }
}

impl Drops {
    fn note(&mut self, act: &Act, row: usize) {
        match act {
            Act::DropRecord => self.record = self.record.or(Some(row)),
            Act::DropField => self.field = self.field.or(Some(row)),
            _ => {}
        }
    }

    pub(super) fn restart(&mut self) {
        (self.record, self.field) = (None, None);
        self.fields.clear();
    }
}

/// What was seen, as it is to be searched: behind wrappings may be anything.
const fn seen(signs: Signs, wanted: Set) -> Signs {
    if signs.escapes { Signs::all(wanted) } else { signs }
}

/// The detector that finds something in a text only after further levels of its escapes are undone: where, cannot be
/// told. Two buffers are at its disposal.
fn hidden(
    text: &str,
    note: &Note<'_>,
    (found, undone): (&mut Found, &mut Undone),
    level: &mut String,
    deeper: &mut String,
) -> Result<Option<usize>, Held> {
    if !has_units(text) || !undo_level(text, level) {
        return Ok(None);
    }
    for _ in 0..MOST_LEVELS {
        found.search_through(level, "", Signs::all(note.search.wanted), note.search, undone)?;
        if let Some(first) = note.others(found, level).first() {
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
    note: &mut Note<'_>,
) -> Result<bool, Held> {
    let limit = growth_limit(text.len());
    let mut is_ruled = false;
    for (index, rule) in rules.iter().enumerate() {
        let current = if is_ruled { ruled.as_str() } else { text };
        if !rule.is_match(current) {
            continue;
        }
        let by = DETECTORS.len() + index;
        let count = rule.apply(current, limit, spare, &mut |from, to| note.trace.replace(by, from, to))?;
        if count > 0 {
            note.trace.turn(current.len(), spare.len());
            note.counts[by] += count;
            std::mem::swap(ruled, spare);
            is_ruled = true;
        }
    }
    Ok(is_ruled)
}

//! The user's own rules: a regex and what is written instead. They run before the detectors, which have the last word.

use std::ops::Range;

use regex::Regex;
use regex_syntax::hir::{Hir, HirKind};
use serde::Deserialize;

use super::Held;
use crate::base::fault::Fault;

/// A compiled pattern may take this many bytes of memory.
const LARGEST_PATTERN: usize = 1 << 20;
/// All rules together may let a text grow to this many times its length, and [`GROWTH_ALLOWANCE`] bytes more.
const GROWTH: usize = 4;
/// See [`GROWTH`].
const GROWTH_ALLOWANCE: usize = 64 * 1024;

/// One `[[mask.rule]]` as the user writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// What the metrics call it. Letters, digits, `_` and `-`.
    pub name: String,
    /// The pattern, in the syntax of <https://docs.rs/regex>. It sees one message, JSON string, key or number at a
    /// time, without escapes.
    pub regex: String,
    /// What is written instead; `$1` or `${name}` is a group of the pattern, `$$` a dollar. Default: `[NAME]`.
    pub replace: Option<String>,
}

impl RuleConfig {
    /// Whether only texts with a line feed can match.
    pub(super) fn needs_line_end(&self) -> bool {
        regex_syntax::parse(&self.regex).is_ok_and(|pattern| demands(&pattern, b'\n'))
    }
}

/// Whether every match of a pattern holds the byte.
fn demands(pattern: &Hir, byte: u8) -> bool {
    match pattern.kind() {
        HirKind::Literal(literal) => literal.0.contains(&byte),
        HirKind::Class(class) => class.literal().is_some_and(|literal| literal.contains(&byte)),
        HirKind::Repetition(repetition) => repetition.min > 0 && demands(&repetition.sub, byte),
        HirKind::Capture(capture) => demands(&capture.sub, byte),
        HirKind::Concat(parts) => parts.iter().any(|part| demands(part, byte)),
        HirKind::Alternation(parts) => parts.iter().all(|part| demands(part, byte)),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}

/// One rule, compiled.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    regex: Regex,
    replace: String,
}

impl Rule {
    /// Compiles the rule at `index` of the list, adding what is wrong to `faults`.
    pub(super) fn new(index: usize, config: &RuleConfig, faults: &mut Vec<Fault>) -> Option<Self> {
        let key = |name: &str| format!("rule[{index}].{name}");
        let is_plain = |one: char| one.is_alphanumeric() || matches!(one, '_' | '-');
        let before = faults.len();
        if config.name.is_empty() || !config.name.chars().all(is_plain) {
            faults.push(Fault::new(key("name"), "a rule needs a name of letters, digits, `_` and `-`"));
        }
        let regex = regex::RegexBuilder::new(&config.regex).size_limit(LARGEST_PATTERN).build();
        let regex = match regex {
            Ok(regex) if regex.is_match("") => {
                let fault = Fault::new(key("regex"), "the pattern matches the empty text, and so everywhere");
                faults.push(fault.hint("use `+` instead of `*`, or anchor it to something that is always there"));
                return None;
            }
            Ok(regex) => regex,
            Err(error) => {
                let fault = Fault::new(key("regex"), format!("cannot compile the pattern: {}", reason(&error)));
                faults.push(fault.hint("the syntax is at https://docs.rs/regex; look-around does not exist in it"));
                return None;
            }
        };
        let replace = config.replace.clone().unwrap_or_else(|| format!("[{}]", config.name));
        check_groups(&key("replace"), &regex, &replace, faults);
        (faults.len() == before).then(|| Self { name: config.name.clone(), regex, replace })
    }

    /// Writes `text` with every match replaced to `out` and returns how many there were. Without a match, `out` is
    /// not touched. Held if it grows beyond `limit` bytes. `note` is told what of `text` became what of `out`.
    pub(super) fn apply(
        &self,
        text: &str,
        limit: usize,
        out: &mut String,
        note: &mut dyn FnMut(Range<usize>, Range<usize>),
    ) -> Result<u64, Held> {
        let mut count = 0;
        let mut copied = 0;
        for groups in self.regex.captures_iter(text) {
            let Some(whole) = groups.get(0).filter(|whole| !whole.is_empty()) else { continue };
            if count == 0 {
                out.clear();
            }
            count += 1;
            out.push_str(&text[copied..whole.start()]);
            let at = out.len();
            groups.expand(&self.replace, out);
            note(whole.range(), at..out.len());
            copied = whole.end();
            if out.len() > limit {
                return Err(Held);
            }
        }
        if count > 0 {
            out.push_str(&text[copied..]);
        }
        Ok(count)
    }

    /// Whether the rule changes `text`. Cheaper than [`Rule::apply`].
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// How long a text of `length` bytes may become.
pub(super) const fn growth_limit(length: usize) -> usize {
    length * GROWTH + GROWTH_ALLOWANCE
}

/// The last line of the parser's drawing says what is wrong.
pub(super) fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// A group that does not exist would be replaced by nothing, in silence.
fn check_groups(key: &str, regex: &Regex, replace: &str, faults: &mut Vec<Fault>) {
    let groups = Regex::new(r"\$\$|\$(?:\{([^}]*)\}|(\w+))").expect("a constant pattern, tested");
    for found in groups.captures_iter(replace) {
        let Some(name) = found.get(1).or_else(|| found.get(2)).map(|one| one.as_str()) else { continue };
        let by_number = name.parse::<usize>().is_ok_and(|number| number < regex.captures_len());
        if !by_number && !regex.capture_names().flatten().any(|one| one == name) {
            let fault = Fault::new(key, format!("the pattern has no group `{name}`"));
            faults.push(fault.hint("write `${1}` where letters follow, `$$` for a dollar"));
        }
    }
}

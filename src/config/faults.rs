//! Findings in a configuration, shown where they are. Finds none itself; keeps secrets out of the lines it shows.

use std::fmt;
use std::ops::Range;

use super::words::{Words, nearest};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The agent does not start.
    Error,
    /// Odd; the agent starts.
    Warning,
}

/// Something found in the text of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, in bytes of the text. Empty at 0: the whole file.
    pub span: Range<usize>,
    /// What, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// A fault.
    #[must_use]
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, span, message: message.into(), hint: None }
    }

    /// Something odd.
    #[must_use]
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn of_words(span: Range<usize>, words: Words) -> Self {
        Self { hint: words.hint, ..Self::error(span, words.message) }
    }
}

/// All findings in one file, in the order of its lines. `Display` shows each with its line and a caret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    name: String,
    text: String,
    findings: Vec<Finding>,
}

impl Report {
    /// A report on `text`, which people know by `name`. Where something is at fault, warnings are left out.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.span.start, finding.severity));
        findings.dedup();
        let is_error = |one: &&Finding| one.severity == Severity::Error;
        let at_fault: Vec<_> = findings.iter().filter(is_error).map(|one| one.span.clone()).collect();
        findings.retain(|one| one.severity == Severity::Error || !at_fault.contains(&one.span));
        Self { name: name.into(), text: text.into(), findings }
    }

    /// The findings, in order.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many there are of that severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn show(&self, finding: &Finding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{word}: {}", finding.message)?;
        let place = Place::of(&self.text, &finding.span);
        let margin = " ".repeat(place.line.to_string().len());
        if finding.span == (0..0) {
            writeln!(f, "{margin}--> {}", self.name)?;
        } else {
            writeln!(f, "{margin}--> {}:{}:{}", self.name, place.line, place.column)?;
            writeln!(f, "{margin} |")?;
            writeln!(f, "{} | {}", place.line, place.shown)?;
            writeln!(f, "{margin} | {}{}", " ".repeat(place.before), "^".repeat(place.carets))?;
        }
        finding.hint.iter().try_for_each(|hint| writeln!(f, "hint: {hint}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| {
            self.show(finding, f)?;
            writeln!(f)
        })
    }
}

/// Where a finding lies, for people: lines and columns count from 1, columns in characters.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The line as it may be shown.
    shown: String,
    /// Characters before the carets.
    before: usize,
    carets: usize,
}

impl Place {
    fn of(text: &str, span: &Range<usize>) -> Self {
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (start, end) = (floor(span.start), floor(span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let whole = text[line_start..].lines().next().unwrap_or_default();
        let line_end = line_start + whole.len();
        let shown = shown(whole);
        let column = text[line_start..start].chars().count();
        let width = text[start..end.clamp(start, line_end.max(start))].chars().count();
        let before = column.min(shown.chars().count().saturating_sub(1));
        let room = shown.chars().count().saturating_sub(before);
        Self {
            line: text[..line_start].matches('\n').count() + 1,
            column: column + 1,
            before: if width == 0 { column.min(shown.chars().count()) } else { before },
            carets: width.min(room).max(1),
            shown,
        }
    }
}

/// Names of keys whose values are never shown.
const SECRET: [&str; 9] =
    ["password", "passwd", "api_key", "apikey", "bearer", "token", "secret", "headers", "authorization"];

/// How many characters of a line are shown.
const SHOWN: usize = 160;

/// A line as it may be shown: without the values of keys that sound like secrets, without passwords in addresses.
fn shown(line: &str) -> String {
    let public = match line.match_indices('=').find(|(at, _)| sounds_secret(key_before(&line[..*at]))) {
        Some((at, _)) if !line[at + 1..].trim_start().starts_with('{') => format!("{} …", &line[..=at]),
        _ => line.to_owned(),
    };
    let public = without_user_info(&public).replace(['\t', '\r'], " ");
    if public.chars().count() <= SHOWN {
        return public;
    }
    public.chars().take(SHOWN).chain(['…']).collect()
}

fn key_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    let start = text.rfind(|character| !is_part(character)).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or(text)
}

fn sounds_secret(key: &str) -> bool {
    nearest(key, SECRET).is_some() || SECRET.iter().any(|secret| key.to_lowercase().contains(secret))
}

fn without_user_info(line: &str) -> String {
    let mut public = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        public.push_str(head);
        let authority = tail.find(['/', '"', '\'', ' ', ',']).unwrap_or(tail.len());
        rest = match tail[..authority].rfind('@') {
            Some(end) => {
                public.push('…');
                &tail[end..]
            }
            None => tail,
        };
    }
    public + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_with_its_line_and_carets_below_it() {
        let text = "a = 1\n\tключ = \"зн\"\nlast";
        let at = |needle: &str| text.find(needle).map_or(0..0, |start| start..start + needle.len());
        let findings = vec![
            Finding::warning(text.len()..text.len(), "ends early"),
            Finding::error(at("\"зн\""), "wrong").hint("mend it"),
        ];
        let expected = "error: wrong\n --> f.toml:2:9\n  |\n2 |  ключ = \"зн\"\n  |         ^^^^\nhint: mend it\n\n\
                        warning: ends early\n --> f.toml:3:5\n  |\n3 | last\n  |     ^\n\n";
        assert_eq!(Report::new("f.toml", text, findings).to_string(), expected);
    }

    #[test]
    fn secrets_are_not_shown() {
        for (line, expected) in [
            ("password = \"hunter2\"", "password = …"),
            ("pasword = \"hunter2", "pasword = …"),
            ("API-Key=\"hunter2\"", "API-Key= …"),
            ("x = { \"token\" = \"hunter2\" }", "x = { \"token\" = …"),
            ("password = { file = \"/run/s\" }", "password = { file = \"/run/s\" }"),
            ("url = \"http://me:p@ss@host/x\"", "url = \"http://…@host/x\""),
            ("url = [\"http://a@h\", \"http://b\"]", "url = [\"http://…@h\", \"http://b\"]"),
            ("path = \"/var/log\"", "path = \"/var/log\""),
        ] {
            assert_eq!(shown(line), expected);
        }
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN + 1);
    }
}

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
        let shown = if continues_secret(&text[..line_start]) { "…".to_owned() } else { shown(whole) };
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
const SECRET: [&str; 10] =
    ["password", "passwd", "api_key", "apikey", "bearer", "token", "secret", "headers", "authorization", "pseudonym"];

/// How many characters of a line are shown.
const SHOWN: usize = 160;

/// Whether what stands `above` a line leaves it among secrets: in a table of headers, or in the value of a key that
/// sounds like a secret and goes over several lines.
fn continues_secret(above: &str) -> bool {
    let mut table = None;
    let mut start = 0;
    for line in above.split_inclusive('\n') {
        let written = line.split('#').next().unwrap_or_default().trim();
        if written.starts_with('[') && written.ends_with(']') {
            table = Some(written);
        }
        if secret_at(line).is_some_and(|at| is_open(&above[start + at..])) {
            return true;
        }
        start += line.len();
    }
    // The second name is the user's own, `[output.token_store]`, but for `[mask.pseudonym]`.
    let is_ours = table.is_some_and(|table| table.starts_with("[mask."));
    let names = table.into_iter().flat_map(|table| table.split('.').enumerate());
    names.filter(|(index, _)| *index != 1 || is_ours).any(|(_, name)| names_secret(name))
}

/// Whether brackets or a text over several lines are still open at the end of `text`.
fn is_open(text: &str) -> bool {
    let is_odd = |quotes: &str| text.matches(quotes).count() % 2 == 1;
    let mut depth = 0_i32;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (_, '\n') => quote = None,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    depth > 0 || is_odd("\"\"\"") || is_odd("\'\'\'")
}

/// A line as it may be shown: without the values of keys that sound like secrets, without passwords and queries in
/// addresses.
fn shown(line: &str) -> String {
    let public = match secret_at(line).or_else(|| bare_address_at(line)) {
        Some(at) => format!("{} …", line[..at].trim_end_matches(' ')),
        None => without_private_parts(line),
    };
    let public = public.replace(['\t', '\r'], " ");
    if public.chars().count() <= SHOWN {
        return public;
    }
    public.chars().take(SHOWN).chain(['…']).collect()
}

/// Where in a line a value begins whose key sounds like a secret: after its `=`, or after the key where that is missing.
fn secret_at(line: &str) -> Option<usize> {
    if let Some((at, _)) = line.match_indices('=').find(|(at, _)| names_secret(&line[..*at])) {
        return Some(at + 1);
    }
    let start = line.len() - line.trim_start().len();
    let length = line[start..].find(|character| !is_key_part(character)).unwrap_or(line.len() - start);
    (length > 0 && sounds_secret(&line[start..start + length])).then_some(start + length)
}

/// Where in a line the value of `url` begins, if it is no whole address and has parts that are not shown.
fn bare_address_at(line: &str) -> Option<usize> {
    let (key, value) = line.split_once('=')?;
    let is_address = nearest(key.trim(), ["url"]).is_some();
    (is_address && !value.contains("://") && value.contains(['@', '?', '#'])).then_some(key.len() + 1)
}

/// Whether any name in `keys` sounds like a secret.
fn names_secret(keys: &str) -> bool {
    keys.split(|character| !is_key_part(character)).any(sounds_secret)
}

fn is_key_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '-'
}

fn sounds_secret(key: &str) -> bool {
    nearest(key, SECRET).is_some() || SECRET.iter().any(|secret| key.to_lowercase().contains(secret))
}

/// Without what addresses have before their `@` and after their `?` or `#`.
fn without_private_parts(line: &str) -> String {
    let mut public = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        public.push_str(head);
        let quote = head.chars().rev().find(|character| matches!(character, '"' | '\''));
        let end = quote.and_then(|quote| tail.find(quote)).unwrap_or(tail.len());
        public.push_str(&public_address(&tail[..end]));
        rest = &tail[end..];
    }
    public + rest
}

/// An address, its scheme taken off, as it may be shown. A `?` before an `@` may be part of a password.
fn public_address(address: &str) -> String {
    let query = address.find(['?', '#']);
    match (address.rfind('@'), query) {
        (Some(at), Some(query)) if query < at => "…".to_owned(),
        (at, query) => {
            let (start, end) = (at.unwrap_or(0), query.unwrap_or(address.len()));
            let before = if at.is_some() { "…" } else { "" };
            let after = if query.is_some() { "?…" } else { "" };
            format!("{before}{}{after}", &address[start..end])
        }
    }
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
            ("password = { file = \"/run/s\" }", "password = …"),
            ("headers = { \"X Bad\" = \"s3cr3t\" }", "headers = …"),
            ("headers.\"X Bad\" = \"s3cr3t\"", "headers.\"X Bad\" = …"),
            ("api_key = { fil = \"s3cr3t\" }", "api_key = …"),
            ("bearr = { file = \"/s3cr3t\" }", "bearr = …"),
            ("bearer: \"s3cr3t\"", "bearer …"),
            ("pseudonym.key = \"s3cr3t\"", "pseudonym.key = …"),
            ("pseudonym = { key = \"s3cr3t\" }", "pseudonym = …"),
            ("url = \"http://h/x?a=s3cr3t\" # y", "url = \"http://h/x?…\" # y"),
            ("url = \"http://me:s/3?c@r3t@h/x?a=b\"", "url = \"http://…\""),
            ("url = \"me:s3cr3t@h\"", "url = …"),
            ("url = \"h:9200\"", "url = \"h:9200\""),
            ("url = \"http://me:p@ss@host/x\"", "url = \"http://…@host/x\""),
            ("url = [\"http://a@h\", \"http://b\"]", "url = [\"http://…@h\", \"http://b\"]"),
            ("path = \"/var/log\"", "path = \"/var/log\""),
        ] {
            assert_eq!(shown(line), expected);
        }
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN + 1);
    }

    #[test]
    fn lines_below_a_secret_key_are_shown_when_its_value_has_ended() {
        for (above, expected) in [
            ("bearer = [\n", true),
            ("bearer = [\n  \"]\",\n", true),
            ("bearer = \"\"\"\n", true),
            ("[output.\"a\".headers] # x\nToken = \"y\"\n", true),
            ("[output.token]\n", false),
            ("[mask.pseudonym]\n", true),
            ("[mask]\npseudonym.key = \"x\"\n", false),
            ("bearer = \"[\"\n", false),
            ("bearer = [\"x\"\n]\n", false),
            ("[output.a.headers]\nX = \"y\"\n[output.b]\n", false),
            ("list = [\n", false),
            ("", false),
        ] {
            assert_eq!(continues_secret(above), expected, "{above}");
        }
    }
}

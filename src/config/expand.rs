//! `${NAME}` and `${NAME:-default}` in the strings of a parsed file. After parsing, so that a value cannot break out
//! of its quotes. Does not read the environment itself.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::Finding;

/// Looks a variable up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What expanding found.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Variables that are missing.
    pub findings: Vec<Finding>,
    /// Strings that are nothing but one variable, with what it holds: they may stand for numbers and booleans.
    pub whole: Vec<(Range<usize>, String)>,
}

/// Replaces the variables in all strings of `table`, whose `text` the spans belong to. A key whose string is nothing
/// but one variable that is empty counts as not written.
pub fn expand(table: &mut DeTable<'_>, text: &str, environment: Environment<'_>) -> Expanded {
    let mut walk = Walk { text, environment, expanded: Expanded::default() };
    walk.table(table);
    walk.expanded
}

struct Walk<'a> {
    text: &'a str,
    environment: Environment<'a>,
    expanded: Expanded,
}

impl Walk<'_> {
    fn table(&mut self, table: &mut DeTable<'_>) {
        for (key, mut value) in std::mem::replace(table, DeTable::new()) {
            if self.value(&mut value) {
                table.insert(key, value);
            }
        }
    }

    /// Whether the value is still to be there.
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>) -> bool {
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => self.table(table),
            DeValue::Array(array) => array.iter_mut().for_each(|one| {
                self.value(one);
            }),
            DeValue::String(written) if written.contains('$') => {
                let mut missing = Vec::new();
                let text = in_text(written, self.environment, &mut missing);
                let unset = is_whole(written) && text.is_empty() && missing.is_empty();
                for problem in missing {
                    self.expanded.findings.push(problem.at(&span, self.text));
                }
                if is_whole(written) {
                    self.expanded.whole.push((span, text.clone()));
                }
                *written = Cow::Owned(text);
                return !unset;
            }
            _ => {}
        }
        true
    }
}

/// A variable that cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    /// As written, `${` and all.
    written: String,
    message: String,
    hint: String,
}

impl Problem {
    fn at(self, value: &Range<usize>, text: &str) -> Finding {
        let within = text.get(value.clone()).and_then(|value| value.find(&self.written));
        let span = within.map_or(value.clone(), |at| value.start + at..value.start + at + self.written.len());
        Finding::error(span, self.message).hint(self.hint)
    }
}

/// `$$` is a dollar sign; `${1}` and a lone `$` stay, as regular expressions and their replacements use them.
fn in_text(written: &str, environment: Environment<'_>, problems: &mut Vec<Problem>) -> String {
    let mut text = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = if rest.starts_with("$$") {
            text.push('$');
            2
        } else if let Some(inner) =
            rest.strip_prefix("${").and_then(|after| after.split_once('}')).map(|(inner, _)| inner)
        {
            text.push_str(&variable(inner, environment, problems));
            inner.len() + 3
        } else {
            text.push('$');
            1
        };
        rest = &rest[taken..];
    }
    text + rest
}

fn variable(inner: &str, environment: Environment<'_>, problems: &mut Vec<Problem>) -> String {
    let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    let written = || format!("${{{inner}}}");
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return written();
    }
    if !is_name(name) {
        problems.push(Problem {
            written: written(),
            message: format!("`{}` does not name an environment variable", written()),
            hint: "write ${NAME} or ${NAME:-default}; $$ stands for a dollar sign".to_owned(),
        });
        return String::new();
    }
    match (environment(name), default) {
        (Some(value), None) => value,
        (Some(value), Some(_)) if !value.is_empty() => value,
        (_, Some(default)) => default.to_owned(),
        (None, None) => {
            problems.push(Problem {
                written: written(),
                message: format!("environment variable `{name}` is not set"),
                hint: format!("set it, or give a default: ${{{name}:-default}}"),
            });
            String::new()
        }
    }
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_whole(written: &str) -> bool {
    written.starts_with("${") && written.find('}') == Some(written.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("db\" # x".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_dollar_signs() {
        for (written, expected) in [
            ("http://${HOST}:${PORT:-9200}/", "http://db\" # x:9200/"),
            ("${EMPTY:-full}", "full"),
            ("${EMPTY}", ""),
            ("${PORT:-}", ""),
            ("${PORT:-a:-b}", "a:-b"),
            ("$$", "$"),
            ("$${HOST}", "${HOST}"),
            ("^a$", "^a$"),
            ("$1 ${1} $HOST ${HOST", "$1 ${1} $HOST ${HOST"),
            ("три$", "три$"),
        ] {
            let mut problems = Vec::new();
            assert_eq!(in_text(written, &environment, &mut problems), expected, "{written}");
            assert_eq!(problems, [], "{written}");
        }
    }

    #[test]
    fn all_missing_variables_are_told_at_their_places() {
        let text = "a = \"x${ONE}y${TWO}\"\nb = [\"${no name}\"]\n";
        let mut table = DeTable::parse(text).unwrap().into_inner();
        let expanded = expand(&mut table, text, &environment);
        let told: Vec<_> =
            expanded.findings.iter().map(|one| (&text[one.span.clone()], one.message.as_str())).collect();
        let expected = [
            ("${ONE}", "environment variable `ONE` is not set"),
            ("${TWO}", "environment variable `TWO` is not set"),
            ("${no name}", "`${no name}` does not name an environment variable"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_key_that_is_one_empty_variable_counts_as_not_written() {
        let text = "a = \"${EMPTY}\"\nb = \"${EMPTY}x\"\nc = \"\"\n";
        let mut table = DeTable::parse(text).unwrap().into_inner();
        expand(&mut table, text, &environment);
        let keys: Vec<_> = table.keys().map(|key| key.get_ref().as_ref()).collect();
        assert_eq!(keys, ["b", "c"]);
    }
}

//! Labelled lines as they stand in their files. Knows no detector.

use std::fs;
use std::ops::Range;
use std::path::Path;

use super::NAMES;

const OPEN: char = '⟦';
const CLOSE: char = '⟧';
const MIDDLE: char = '|';

/// A value and whose it is.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: &'static str,
    /// In [`Line::seen`].
    pub(super) range: Range<usize>,
}

/// One line of a file.
#[derive(Debug)]
pub(super) struct Line {
    /// File and number.
    pub(super) place: String,
    /// Whether its file was there before the detectors.
    pub(super) is_frozen: bool,
    /// Without marks.
    pub(super) text: String,
    /// The same as [`plain`] has it.
    pub(super) seen: String,
    pub(super) labels: Vec<Label>,
}

/// All lines of all files in `folder` but for the judgements of real logs.
pub(super) fn read(folder: &Path) -> Vec<Line> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name != super::real::JUDGED));
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            let (text, labels) = unmark(line).unwrap_or_else(|fault| panic!("{place}: {fault}"));
            assert!(labels.is_empty() || !name.starts_with("near-misses"), "{place} has a label");
            let is_object = text.starts_with('{') && text.ends_with('}');
            assert!(!is_object || serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{place} is no JSON");
            let (seen, labels) =
                if text.contains("\\u") { unmark(&plain(line, line)).unwrap() } else { (text.clone(), labels) };
            lines.push(Line { place, is_frozen: name.contains("frozen"), text, seen, labels });
        }
    }
    lines
}

/// The text without its marks, and what stood between them.
fn unmark(line: &str) -> Result<(String, Vec<Label>), String> {
    let mut text = String::new();
    let mut labels = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find([OPEN, CLOSE]) {
        text.push_str(&rest[..at]);
        let inner = rest[at..].strip_prefix(OPEN).ok_or("a mark is closed that was not opened")?;
        let end = inner.find(CLOSE).ok_or("a mark is not closed")?;
        let (name, value) = inner[..end].split_once(MIDDLE).ok_or("a label has no name")?;
        let name = NAMES.iter().find(|known| **known == name).ok_or(format!("there is no `{name}`"))?;
        if value.is_empty() || value.contains(OPEN) {
            return Err(format!("`{value}` is no value"));
        }
        labels.push(Label { name, range: text.len()..text.len() + value.len() });
        text.push_str(value);
        rest = &inner[end + CLOSE.len_utf8()..];
    }
    text.push_str(rest);
    Ok((text, labels))
}

/// `text` with the escapes undone that masking need not write again, if they are in `line`.
pub(super) fn plain(line: &str, text: &str) -> String {
    if !line.contains("\\u") {
        return text.to_owned();
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        plain.push_str(&rest[..at]);
        let code = rest.get(at + 2..at + 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let letter = code.and_then(char::from_u32).filter(|letter| letter.is_alphanumeric());
        plain.push_str(&letter.map_or_else(|| "\\u".to_owned(), String::from));
        rest = &rest[at + if letter.is_some() { 6 } else { 2 }..];
    }
    plain + rest
}

#[test]
fn marks_are_taken_out_and_what_is_wrong_with_them_is_told() {
    let (text, labels) = unmark("a ⟦email|é@b.io⟧, ⟦card|4⟧").unwrap();
    assert_eq!(text, "a é@b.io, 4");
    let labels: Vec<_> = labels.into_iter().map(|label| (label.name, label.range)).collect();
    assert_eq!(labels, [("email", 2..9), ("card", 11..12)]);
    for line in ["⟦email|x", "x⟧", "⟦emial|x⟧", "⟦email⟧", "⟦email|⟧", "⟦email|⟦card|4⟧⟧"] {
        assert!(unmark(line).is_err(), "{line}");
    }
    assert_eq!(plain("\\u", r#""\u043f\u0022\u""#), r#""п\u0022\u""#);
}

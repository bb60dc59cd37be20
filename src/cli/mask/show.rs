//! What `logferry mask` shows to people: colours, places, reasons, tables. Never a value that was masked.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::cli::summary::{grouped, size};
use crate::mask::{self, Hit, Masked, Masker, Miss, Why, path_at};

/// Ends every colour (ECMA-48).
const PLAIN: &str = "\x1b[0m";

/// What all inputs came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub lines: u64,
    pub lines_hit: u64,
    pub bytes: u64,
    pub held: u64,
    pub dropped: u64,
    /// By detector or rule, in the order in which they were first met.
    hits: Vec<(String, u64)>,
}

impl Tally {
    pub fn count(&mut self, masked: &Masked<'_>) {
        for (name, count) in masked.hits() {
            match self.hits.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += count,
                None => self.hits.push((name.to_owned(), count)),
            }
        }
    }

    pub fn has_found(&self) -> bool {
        self.held > 0 || self.dropped > 0 || !self.hits.is_empty()
    }
}

const fn color(group: &str) -> &'static str {
    match group.as_bytes() {
        b"secrets" => "\x1b[31m",
        b"people" => "\x1b[33m",
        b"money" => "\x1b[35m",
        b"ids" => "\x1b[36m",
        b"network" => "\x1b[34m",
        _ => "\x1b[32m",
    }
}

/// Writes a masked text with what was written into it in its group's colour.
pub fn colored(out: &mut impl Write, masker: &Masker, text: &str, hits: &[Hit]) -> io::Result<()> {
    let mut copied = 0;
    for hit in hits.iter().filter(|hit| !hit.written.is_empty()) {
        let (Some(before), Some(written)) = (text.get(copied..hit.written.start), text.get(hit.written.clone())) else {
            continue;
        };
        write!(out, "{before}{}{written}{PLAIN}", color(masker.group(hit.by)))?;
        copied = hit.written.end;
    }
    out.write_all(&text.as_bytes()[copied..])
}

/// Where a hit is: the field, named as it is after masking; in text the column, in characters.
pub fn place(masker: &Masker, masked: &str, source: &str, is_object: bool, hit: &Hit) -> String {
    if is_object && hit.written.is_empty() {
        return masker.text(&path_at(source, hit.source.start)).into_owned();
    }
    if is_object {
        return path_at(masked, hit.written.start);
    }
    column(source, hit.source.start)
}

fn column(source: &str, at: usize) -> String {
    format!("column {}", source.char_indices().take_while(|(start, _)| *start < at).count() + 1)
}

/// One hit in words.
pub fn explained(masker: &Masker, number: u64, place: &str, hit: &Hit) -> String {
    let (name, group, proof) = (masker.name(hit.by), masker.group(hit.by), masker.proof(hit.by));
    format!("{number}: {place}: {name} ({group}), proved by {proof}\n")
}

/// One near miss in words, unless something else took it.
pub fn missed(said: &mut String, source: &str, number: u64, miss: &Miss, hits: &[Hit]) {
    if hits.iter().any(|hit| hit.source.start < miss.at.end && miss.at.start < hit.source.end) {
        return;
    }
    let why = match miss.why {
        Why::Check => "its check digit is wrong",
        Why::Word => "no word before it says what it is",
    };
    let _ = writeln!(
        said,
        "{number}: {}: left, though it looks like {}: {why}",
        column(source, miss.at.start),
        miss.name()
    );
}

/// Lines, hits by detector, size and speed.
pub fn summary(tally: &Tally, seconds: f64) -> String {
    let mut rows = vec![("lines".to_owned(), format!("{}, {}", grouped(tally.lines), size(tally.bytes)))];
    let sum: u64 = tally.hits.iter().map(|(_, count)| count).sum();
    rows.push(("masked".to_owned(), grouped(sum)));
    rows.extend(tally.hits.iter().map(|(name, count)| (format!("  {name}"), grouped(*count))));
    if tally.dropped > 0 {
        rows.push(("dropped".to_owned(), grouped(tally.dropped)));
    }
    if tally.held > 0 {
        rows.push(("held".to_owned(), format!("{}, which could not be examined", grouped(tally.held))));
    }
    #[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
    let rate = tally.bytes as f64 / 1e6 / seconds.max(1e-9);
    rows.push(("time".to_owned(), format!("{seconds:.2} s, {rate:.1} MB/s")));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<width$}  {value}");
        text
    })
}

/// The table of detectors.
pub fn table(masker: &Masker) -> String {
    const HEAD: [&str; 6] = ["detector", "group", "is", "written", "proof", "source"];
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(mask::detectors().map(|one| {
        let is_on = if masker.is_on(one.name) { "on" } else { "off" };
        let written = masker.written(one.name);
        [one.name, one.group, is_on, &written, one.proof, one.source].map(str::to_owned)
    }));
    let widths: [usize; HEAD.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.iter().zip(widths).fold(String::new(), |mut line, (cell, width)| {
            let _ = write!(line, "{cell:<width$}  ");
            line
        });
        text.push_str(cells.trim_end());
        text.push('\n');
        text
    })
}

//! What became of everything that was read, as a table for people. Counts nothing itself.

use std::fmt::Write as _;

use crate::agent::{Fate, Summary};

/// The summary of a run with `--once`: aligned rows, ends with a newline. With several outputs, one table each.
pub fn table(summary: &Summary) -> String {
    let mut text = String::new();
    for (name, fate) in &summary.outputs {
        if summary.outputs.len() > 1 {
            let _ = writeln!(text, "output {name}");
        }
        text += &aligned(&rows(fate, summary));
    }
    text
}

fn rows(fate: &Fate, summary: &Summary) -> Vec<(String, String)> {
    let mut rows = vec![
        ("read".to_owned(), format!("{} lines, {}", grouped(fate.read), size(fate.bytes))),
        ("delivered".to_owned(), grouped(fate.delivered)),
        ("parked".to_owned(), grouped(fate.parked)),
    ];
    if fate.dropped.is_empty() {
        rows.push(("dropped".to_owned(), "0".to_owned()));
    }
    rows.extend(fate.dropped.iter().map(|(rule, count)| (format!("dropped by {rule}"), grouped(*count))));
    if fate.held > 0 {
        rows.push(("held back by masking".to_owned(), grouped(fate.held)));
    }
    if fate.lost_bytes > 0 {
        rows.push(("lost".to_owned(), size(fate.lost_bytes)));
    }
    if fate.undelivered > 0 {
        rows.push(("not delivered".to_owned(), grouped(fate.undelivered)));
    }
    if summary.unread {
        rows.push(("not read".to_owned(), "a source, see above; the next run tries again".to_owned()));
    }
    if summary.interrupted {
        rows.push(("interrupted".to_owned(), "not all was read; the next run goes on from here".to_owned()));
    }
    if summary.gave_up {
        rows.push(("given up".to_owned(), "nothing moved for as long as --wait says; the next run goes on".to_owned()));
    }
    rows.push(("sent".to_owned(), format!("{}{}", size(fate.wire_bytes), ratio(fate))));
    rows.push(("time".to_owned(), format!("{:.1} s{}", summary.seconds, rate(fate, summary.seconds))));
    rows
}

fn aligned(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<width$}  {value}");
        text
    })
}

/// The same on the way, as one line without its end: of the output that is furthest behind.
pub fn line(summary: &Summary) -> String {
    let behind = summary.outputs.iter().map(|(_, fate)| fate).min_by_key(|fate| fate.delivered);
    let Some(Fate { read, bytes, delivered, .. }) = behind else { return String::new() };
    let (read, bytes, delivered) = (grouped(*read), size(*bytes), grouped(*delivered));
    format!("read {read} lines, {bytes}; delivered {delivered}; {:.0} s", summary.seconds)
}

#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
fn ratio(fate: &Fate) -> String {
    if fate.wire_bytes == 0 || fate.bytes <= fate.wire_bytes {
        return String::new();
    }
    format!(", {:.1} times smaller than read", fate.bytes as f64 / fate.wire_bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
fn rate(fate: &Fate, seconds: f64) -> String {
    if seconds < 0.05 {
        return String::new();
    }
    format!(", {:.1} MB/s", fate.bytes as f64 / 1e6 / seconds)
}

/// In the decimal units of disks and networks.
#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(fates: &[Fate], seconds: f64) -> Summary {
        let outputs = ["store", "archive"].iter().zip(fates).map(|(name, fate)| ((*name).to_owned(), fate.clone()));
        Summary { outputs: outputs.collect(), seconds, ..Summary::default() }
    }

    #[test]
    fn the_table_is_aligned_and_in_human_units() {
        let fate = Fate {
            read: 1_200_000,
            delivered: 1_199_000,
            parked: 1,
            dropped: vec![("quiet".to_owned(), 999)],
            bytes: 240_000_000,
            wire_bytes: 24_000_000,
            ..Fate::default()
        };
        let expected = "read              1,200,000 lines, 240.0 MB\n\
                        delivered         1,199,000\n\
                        parked            1\n\
                        dropped by quiet  999\n\
                        sent              24.0 MB, 10.0 times smaller than read\n\
                        time              2.0 s, 120.0 MB/s\n";
        assert_eq!(table(&summary(&[fate], 2.0)), expected);
    }

    #[test]
    fn nothing_read_divides_by_nothing_and_each_output_has_its_table() {
        let fate = Fate { lost_bytes: 1, undelivered: 1000, ..Fate::default() };
        let expected = "output store\nread           0 lines, 0 B\ndelivered      0\nparked         0\ndropped        0\n\
                        lost           1 B\nnot delivered  1,000\nsent           0 B\ntime           0.0 s\n\
                        output archive\nread       0 lines, 0 B\ndelivered  0\nparked     0\ndropped    0\n\
                        sent       0 B\ntime       0.0 s\n";
        assert_eq!(table(&summary(&[fate, Fate::default()], 0.0)), expected);
    }
}

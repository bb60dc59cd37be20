//! What became of everything that was read, as a table for people. Counts nothing itself.

use std::fmt::Write as _;

use crate::agent::Summary;

/// The summary of a run with `--once`: aligned rows, ends with a newline.
pub fn table(summary: &Summary) -> String {
    let mut rows = vec![
        ("read".to_owned(), format!("{} lines, {}", grouped(summary.read), size(summary.bytes))),
        ("delivered".to_owned(), grouped(summary.delivered)),
        ("parked".to_owned(), grouped(summary.parked)),
    ];
    if summary.dropped.is_empty() {
        rows.push(("dropped".to_owned(), "0".to_owned()));
    }
    rows.extend(summary.dropped.iter().map(|(rule, count)| (format!("dropped by {rule}"), grouped(*count))));
    if summary.held > 0 {
        rows.push(("held back by masking".to_owned(), grouped(summary.held)));
    }
    if summary.lost_bytes > 0 {
        rows.push(("lost".to_owned(), size(summary.lost_bytes)));
    }
    if summary.undelivered > 0 {
        rows.push(("not delivered".to_owned(), grouped(summary.undelivered)));
    }
    if summary.interrupted {
        rows.push(("interrupted".to_owned(), "not all was read; the next run goes on from here".to_owned()));
    }
    rows.push(("sent".to_owned(), format!("{}{}", size(summary.wire_bytes), ratio(summary))));
    rows.push(("time".to_owned(), format!("{:.1} s{}", summary.seconds, rate(summary))));

    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:<width$}  {value}");
        text
    })
}

/// The same on the way, as one line without its end.
pub fn line(summary: &Summary) -> String {
    let (read, bytes) = (grouped(summary.read), size(summary.bytes));
    format!("read {read} lines, {bytes}; delivered {}; {:.0} s", grouped(summary.delivered), summary.seconds)
}

#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
fn ratio(summary: &Summary) -> String {
    if summary.wire_bytes == 0 || summary.bytes <= summary.wire_bytes {
        return String::new();
    }
    format!(", {:.1} times smaller than read", summary.bytes as f64 / summary.wire_bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
fn rate(summary: &Summary) -> String {
    if summary.seconds < 0.05 {
        return String::new();
    }
    format!(", {:.1} MB/s", summary.bytes as f64 / 1e6 / summary.seconds)
}

/// In the decimal units of disks and networks.
#[expect(clippy::cast_precision_loss, reason = "for people: three digits are shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
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

    #[test]
    fn the_table_is_aligned_and_in_human_units() {
        let summary = Summary {
            read: 1_200_000,
            delivered: 1_199_000,
            parked: 1,
            dropped: vec![("quiet".to_owned(), 999)],
            bytes: 240_000_000,
            wire_bytes: 24_000_000,
            seconds: 2.0,
            ..Summary::default()
        };
        let expected = "read              1,200,000 lines, 240.0 MB\n\
                        delivered         1,199,000\n\
                        parked            1\n\
                        dropped by quiet  999\n\
                        sent              24.0 MB, 10.0 times smaller than read\n\
                        time              2.0 s, 120.0 MB/s\n";
        assert_eq!(table(&summary), expected);
    }

    #[test]
    fn nothing_read_divides_by_nothing() {
        let summary = Summary { lost_bytes: 1, undelivered: 1000, ..Summary::default() };
        let expected = "read           0 lines, 0 B\ndelivered      0\nparked         0\ndropped        0\nlost           1 B\n\
                        not delivered  1,000\nsent           0 B\ntime           0.0 s\n";
        assert_eq!(table(&summary), expected);
    }
}

//! The ledger as programs read it: metrics and JSON. Counts nothing itself.

use std::fmt::Write as _;

use crate::base::counts::{Counts, Ledger};
use crate::base::metrics::labels;

/// A column of the ledger: what it is called, and its number.
type Column = (&'static str, fn(&Counts) -> u64);

/// What lines and records become. The first is the sum of all others.
const LINES: [Column; 5] = [
    ("read", |counts| counts.read),
    ("delivered", |counts| counts.delivered),
    ("parked", |counts| counts.parked),
    ("dropped", |counts| counts.dropped.values().sum()),
    ("in_flight", Counts::open),
];

const BYTES: [Column; 3] =
    [("read", |counts| counts.bytes), ("lost", |counts| counts.lost_bytes), ("cut", |counts| counts.cut_bytes)];

/// In Prometheus' text format. Gauges, though most only grow: they go on from the run before.
#[must_use]
pub fn metrics(ledger: &Ledger) -> String {
    let mut text = String::new();
    let tables: [(&str, &str, &[Column]); 2] = [
        ("ledger_lines", "Lines of all runs by what became of them; read is the sum of the others", &LINES),
        ("ledger_bytes", "Bytes of all runs: read, lost before they were read, cut off long lines", &BYTES),
    ];
    for (name, help, columns) in tables {
        let _ = writeln!(text, "# HELP logferry_{name} {help}.\n# TYPE logferry_{name} gauge");
        for (output, sources) in ledger {
            for (source, counts) in sources {
                for (fate, number) in columns {
                    let labels = labels(&[("output", output), ("source", source), ("fate", fate)]);
                    let _ = writeln!(text, "logferry_{name}{labels} {}", number(counts));
                }
            }
        }
    }
    text
}

/// As `logferry ledger` and scripts read it: `{"OUTPUT":{"SOURCE":{"read":…,"delivered":…,…}}}`.
#[must_use]
pub fn json(ledger: &Ledger) -> String {
    serde_json::to_string(ledger).expect("names and numbers always serialise into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_the_sum_of_what_became_of_it() {
        let counts = Counts {
            read: 10,
            bytes: 99,
            delivered: 4,
            parked: 1,
            dropped: [("mask".to_owned(), 1), ("quiet".to_owned(), 2)].into(),
            lost_bytes: 7,
            ..Counts::default()
        };
        let sum: u64 = LINES[1..].iter().map(|(_, number)| number(&counts)).sum();
        assert_eq!(sum, 10);
        let ledger = Ledger::from([("store".to_owned(), [("app".to_owned(), counts)].into())]);
        let text = metrics(&ledger);
        for line in [
            r#"logferry_ledger_lines{output="store",source="app",fate="read"} 10"#,
            r#"logferry_ledger_lines{output="store",source="app",fate="dropped"} 3"#,
            r#"logferry_ledger_lines{output="store",source="app",fate="in_flight"} 2"#,
            r#"logferry_ledger_bytes{output="store",source="app",fate="lost"} 7"#,
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert_eq!(serde_json::from_str::<Ledger>(&json(&ledger)).unwrap(), ledger);
    }
}

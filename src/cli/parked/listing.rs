//! Parked records by output and reason, as text for people and JSON for programs. Reads no files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use crate::ship::Kept;

/// More ids of one group are not shown to people.
const IDS_SHOWN: usize = 10;

/// By output and reason.
#[derive(Debug, Default)]
pub struct Groups(BTreeMap<(String, String), Group>);

#[derive(Debug)]
struct Group {
    oldest_ms: i64,
    newest_ms: i64,
    ids: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    output: &'a str,
    reason: &'a str,
    count: usize,
    oldest: String,
    newest: String,
    ids: &'a [String],
}

impl Groups {
    /// Counts one.
    pub fn take(&mut self, kept: Kept) {
        let Kept { id, output, reason, time_ms, .. } = kept;
        let first = || Group { oldest_ms: time_ms, newest_ms: time_ms, ids: Vec::new() };
        let group = self.0.entry((output, reason)).or_insert_with(first);
        group.oldest_ms = group.oldest_ms.min(time_ms);
        group.newest_ms = group.newest_ms.max(time_ms);
        group.ids.push(id);
    }

    /// A table, the ids below each row.
    pub fn text(&self) -> String {
        let rows = self.rows();
        if rows.is_empty() {
            return "nothing is parked\n".to_owned();
        }
        let width = rows.iter().map(|row| row.output.len()).chain([6]).max().unwrap_or(0);
        let mut text = format!("{:<width$}  {:>7}  {:<20}  {:<20}  REASON\n", "OUTPUT", "RECORDS", "OLDEST", "NEWEST");
        for Row { output, reason, count, oldest, newest, ids } in rows {
            let _ = writeln!(text, "{output:<width$}  {count:>7}  {oldest:<20}  {newest:<20}  {reason}");
            for id in ids.iter().take(IDS_SHOWN) {
                let _ = writeln!(text, "  {id}");
            }
            if count > IDS_SHOWN {
                let _ = writeln!(text, "  and {} more: --format json shows all", count - IDS_SHOWN);
            }
        }
        text
    }

    /// An array of objects.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.rows()).map(|text| text + "\n").unwrap_or_default()
    }

    fn rows(&self) -> Vec<Row<'_>> {
        self.0
            .iter()
            .map(|((output, reason), group)| Row {
                output,
                reason,
                count: group.ids.len(),
                oldest: moment(group.oldest_ms),
                newest: moment(group.newest_ms),
                ids: &group.ids,
            })
            .collect()
    }
}

/// In UTC, to the second.
fn moment(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: usize, output: &str, reason: &str, time_ms: i64) -> Kept {
        let line = format!(
            r#"{{"id":"{id}","output":"{output}","source":"app","time_ms":{time_ms},"reason":"{reason}","document":{{}}}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn records_are_shown_by_output_and_reason() {
        let mut groups = Groups::default();
        assert_eq!((groups.text().as_str(), groups.json().as_str()), ("nothing is parked\n", "[]\n"));
        groups.take(kept(1, "store", "shape", 1_764_000_000_999));
        groups.take(kept(2, "archive-2", "size", 1_764_000_100_000));
        groups.take(kept(3, "store", "shape", 1_763_999_999_000));
        let expected = "OUTPUT     RECORDS  OLDEST                NEWEST                REASON\n\
                        archive-2        1  2025-11-24T16:01:40Z  2025-11-24T16:01:40Z  size\n  2\n\
                        store            2  2025-11-24T15:59:59Z  2025-11-24T16:00:00Z  shape\n  1\n  3\n";
        assert_eq!(groups.text(), expected);
        let json: serde_json::Value = serde_json::from_str(&groups.json()).unwrap();
        assert_eq!(
            (&json[1]["count"], &json[1]["ids"][1], &json[0]["reason"]),
            (&2.into(), &"3".into(), &"size".into())
        );
    }

    #[test]
    fn people_are_not_shown_all_ids() {
        let mut groups = Groups::default();
        (0..25).for_each(|id| groups.take(kept(id, "store", "shape", 0)));
        assert_eq!(groups.text().lines().count(), 2 + IDS_SHOWN + 1);
        assert!(groups.text().ends_with("  and 15 more: --format json shows all\n"), "{}", groups.text());
    }
}

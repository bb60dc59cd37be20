//! Every metric: its name, unit and labels, in one table. Does not serve them; `admin` does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Bytes read from a source.
    ReadBytes,
    /// Lines read from a source.
    ReadLines,
    /// Lines whose text was cut at the limit.
    CutLines,
    /// Containers that were removed before their log could be asked for.
    MissedContainers,
    /// Bytes that vanished from a source before they were read, or from a damaged queue.
    LostBytes,
    /// Places in containers' logs where files may have been rotated away before they were read.
    Gaps,
    /// Log streams of a container engine that hung and were opened again.
    HungFollows,
    /// Of these, those that bring nothing though they were opened again and there is something.
    StalledFollows,
    /// Records dropped by a rule.
    DroppedRecords,
    /// Records that masking could not process.
    HeldRecords,
    /// Values that a detector replaced.
    MaskedValues,
    /// Records that an output's store has.
    DeliveredRecords,
    /// Records parked on disk.
    ParkedRecords,
    /// Parked records that a replay brought to their store.
    ReplayedRecords,
    /// Records that were sent again without knowing whether the store had them.
    UnsureRecords,
    /// Requests sent.
    Requests,
    /// Bytes sent, as compressed.
    SentBytes,
    /// Attempts that must be repeated.
    Retries,
    /// Whether an output is held by a fault that an operator must mend.
    Held,
    /// Chunks that the output has not answered for.
    ChunksInFlight,
    /// Bytes of the batches that wait on disk.
    QueueBytes,
    /// Batches that wait on disk.
    QueueBatches,
    /// Bytes that wait in a source.
    LagBytes,
    /// Age of the oldest line not yet delivered.
    LagSeconds,
    /// Sources being followed.
    Sources,
    /// Memory that the process holds.
    ResidentBytes,
}

/// What a scraper is told of a metric: its name after `logferry_`, the name of its label (empty where it has none, two with
/// a comma between where it has two) besides `output`, and one sentence.
type Description = (Metric, &'static str, &'static str, &'static str);

/// Names follow Prometheus: unit last, counters end in `_total`, all others are gauges.
const DESCRIPTIONS: &[Description] = &[
    (Metric::ReadBytes, "read_bytes_total", "source", "Bytes read"),
    (Metric::ReadLines, "read_lines_total", "source", "Lines read"),
    (Metric::CutLines, "cut_lines_total", "source", "Lines cut at the limit"),
    (
        Metric::MissedContainers,
        "missed_containers_total",
        "source",
        "Containers removed before their log was read to its end",
    ),
    (
        Metric::LostBytes,
        "lost_bytes_total",
        "source",
        "Bytes that vanished before they were read, or from a damaged queue",
    ),
    (Metric::Gaps, "log_gaps_total", "source", "Places where a container's log may have been rotated away unread"),
    (Metric::HungFollows, "hung_streams_total", "source", "Log streams of the engine that hung and were opened again"),
    (Metric::StalledFollows, "stalled_streams", "source", "Log streams of the engine that hang though opened again"),
    (Metric::DroppedRecords, "dropped_records_total", "rule", "Records dropped by a rule"),
    (Metric::HeldRecords, "held_back_records_total", "source", "Records that masking could not process"),
    (Metric::MaskedValues, "masked_values_total", "detector,source", "Values replaced by masking"),
    (Metric::DeliveredRecords, "delivered_records_total", "output", "Records that the store has"),
    (Metric::ParkedRecords, "parked_records_total", "output", "Refused records set aside on disk"),
    (Metric::ReplayedRecords, "replayed_records_total", "output", "Parked records that the store has after a replay"),
    (Metric::UnsureRecords, "unsure_records_total", "output", "Records sent again, though the store may have them"),
    (Metric::Requests, "requests_total", "output", "Requests sent"),
    (Metric::SentBytes, "sent_bytes_total", "output", "Bytes sent, compressed"),
    (Metric::Retries, "retries_total", "output", "Attempts that must be repeated"),
    (Metric::Held, "held", "index", "1 while a fault that an operator must mend stops the output, or one index of it"),
    (Metric::ChunksInFlight, "chunks_in_flight", "output", "Chunks that the output has not answered for"),
    (Metric::QueueBytes, "queue_bytes", "output", "Bytes of the batches that wait on disk"),
    (Metric::QueueBatches, "queue_batches", "output", "Batches that wait on disk"),
    (Metric::LagBytes, "lag_bytes", "source", "Bytes that wait in the source"),
    (Metric::LagSeconds, "lag_seconds", "output", "Age of the oldest line not delivered"),
    (Metric::Sources, "sources", "output", "Sources being followed"),
    (Metric::ResidentBytes, "resident_memory_bytes", "", "Memory that the process holds"),
];

/// The counters and gauges of one output, or of the process. Touched per chunk and per batch, never per line.
#[derive(Debug, Default)]
pub struct Metrics {
    values: Mutex<BTreeMap<(Metric, String), u64>>,
}

impl Metrics {
    /// Adds to a counter. `label` is the value of its one label, empty where it has none; of two, both with a comma
    /// between, which the first has not.
    pub fn add(&self, metric: Metric, label: &str, amount: u64) {
        if amount > 0 {
            self.change(metric, label, |value| *value += amount);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, label: &str, amount: u64) {
        self.change(metric, label, |value| *value = amount);
    }

    /// Takes a gauge's label out: it has no value any more.
    pub fn remove(&self, metric: Metric, label: &str) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.remove(&(metric, label.to_owned()));
    }

    /// Moves one contributor's part of a gauge from `before` to `now`.
    pub fn shift(&self, metric: Metric, label: &str, before: u64, now: u64) {
        self.change(metric, label, |value| *value = (*value + now).saturating_sub(before));
    }

    /// The value now, all labels together.
    #[must_use]
    pub fn total(&self, metric: Metric) -> u64 {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().filter(|((one, _), _)| *one == metric).map(|(_, value)| value).sum()
    }

    /// All labels of a metric with their values.
    #[must_use]
    pub fn by_label(&self, metric: Metric) -> Vec<(String, u64)> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values
            .iter()
            .filter(|((one, _), _)| *one == metric)
            .map(|((_, label), value)| (label.clone(), *value))
            .collect()
    }

    /// What is served of one metric: labels and values.
    fn rows(&self, metric: Metric, label_name: &str, output: &str) -> Vec<(String, u64)> {
        let output = if label_name == "output" { "" } else { output };
        let rows = self.by_label(metric).into_iter();
        rows.map(|(label, value)| {
            let own = label_name.split(',').zip(label.splitn(label_name.split(',').count(), ','));
            let pairs: Vec<_> = std::iter::once(("output", output)).chain(own).collect();
            (labels(&pairs), value)
        })
        .collect()
    }

    fn change(&self, metric: Metric, label: &str, change: impl FnOnce(&mut u64)) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        change(values.entry((metric, label.to_owned())).or_default());
    }
}

/// The metrics of all outputs, each with its name, in Prometheus' text format, version 0.0.4. Those of the process have
/// an empty name.
#[must_use]
pub fn render(parts: &[(&str, &Metrics)]) -> String {
    let mut text = String::new();
    for (metric, name, label_name, help) in DESCRIPTIONS {
        let rows: Vec<_> = parts.iter().flat_map(|(output, part)| part.rows(*metric, label_name, output)).collect();
        if rows.is_empty() {
            continue;
        }
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP logferry_{name} {help}.\n# TYPE logferry_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(text, "logferry_{name}{labels} {value}");
        }
    }
    text
}

/// `{output="store",source="app"}`; nothing where there is no label.
#[must_use]
pub fn labels(pairs: &[(&str, &str)]) -> String {
    let written = pairs.iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let written: Vec<_> = written.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if written.is_empty() { String::new() } else { format!("{{{}}}", written.join(",")) }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described_once() {
        let mut names: Vec<_> = DESCRIPTIONS.iter().map(|(metric, ..)| *metric).collect();
        let described = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), described);
        assert_eq!(described, Metric::ResidentBytes as usize + 1, "the last metric of the enum");
    }

    #[test]
    fn metrics_are_rendered_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.add(Metric::ReadLines, "a\"b", 2);
        metrics.add(Metric::ReadLines, "a\"b", 3);
        metrics.set(Metric::Sources, "store", 4);
        let process = Metrics::default();
        process.set(Metric::ResidentBytes, "", 9);
        assert_eq!(
            render(&[("store", &metrics), ("", &process)]),
            "# HELP logferry_read_lines_total Lines read.\n# TYPE logferry_read_lines_total counter\n\
             logferry_read_lines_total{output=\"store\",source=\"a\\\"b\"} 5\n\
             # HELP logferry_sources Sources being followed.\n# TYPE logferry_sources gauge\n\
             logferry_sources{output=\"store\"} 4\n\
             # HELP logferry_resident_memory_bytes Memory that the process holds.\n\
             # TYPE logferry_resident_memory_bytes gauge\nlogferry_resident_memory_bytes 9\n"
        );
        assert_eq!(metrics.total(Metric::ReadLines), 5);
    }

    #[test]
    fn a_metric_may_have_two_labels() {
        let metrics = Metrics::default();
        metrics.add(Metric::MaskedValues, "email,app", 2);
        let text = render(&[("store", &metrics)]);
        let row = "logferry_masked_values_total{output=\"store\",detector=\"email\",source=\"app\"} 2";
        assert!(text.lines().any(|line| line == row), "{text}");
    }
}

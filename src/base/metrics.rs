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
    /// Bytes that vanished from a source before they were read.
    LostBytes,
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
    /// Chunks that not every output has answered for.
    ChunksInFlight,
    /// Bytes that wait in a source.
    LagBytes,
    /// Age of the oldest line not yet delivered.
    LagSeconds,
    /// Sources being followed.
    Sources,
    /// Memory that the process holds.
    ResidentBytes,
}

/// What a scraper is told of a metric: its name, its type, its label, and one sentence.
struct Description(Metric, &'static str, &'static str, Option<&'static str>, &'static str);

/// Names follow Prometheus: unit last, counters end in `_total`.
const DESCRIPTIONS: &[Description] = &[
    Description(Metric::ReadBytes, "logferry_read_bytes_total", "counter", Some("source"), "Bytes read"),
    Description(Metric::ReadLines, "logferry_read_lines_total", "counter", Some("source"), "Lines read"),
    Description(Metric::CutLines, "logferry_cut_lines_total", "counter", Some("source"), "Lines cut at the limit"),
    Description(
        Metric::MissedContainers,
        "logferry_missed_containers_total",
        "counter",
        Some("source"),
        "Containers removed before their log could be read",
    ),
    Description(
        Metric::LostBytes,
        "logferry_lost_bytes_total",
        "counter",
        Some("source"),
        "Bytes that vanished before they were read",
    ),
    Description(
        Metric::DroppedRecords,
        "logferry_dropped_records_total",
        "counter",
        Some("rule"),
        "Records dropped by a rule",
    ),
    Description(
        Metric::HeldRecords,
        "logferry_held_back_records_total",
        "counter",
        Some("source"),
        "Records that masking could not process",
    ),
    Description(
        Metric::MaskedValues,
        "logferry_masked_values_total",
        "counter",
        Some("detector"),
        "Values replaced by masking",
    ),
    Description(
        Metric::DeliveredRecords,
        "logferry_delivered_records_total",
        "counter",
        Some("output"),
        "Records that the store has",
    ),
    Description(
        Metric::ParkedRecords,
        "logferry_parked_records_total",
        "counter",
        Some("output"),
        "Refused records set aside on disk",
    ),
    Description(
        Metric::UnsureRecords,
        "logferry_unsure_records_total",
        "counter",
        Some("output"),
        "Records sent again though the store could not be asked whether it had them",
    ),
    Description(Metric::Requests, "logferry_requests_total", "counter", Some("output"), "Requests sent"),
    Description(Metric::SentBytes, "logferry_sent_bytes_total", "counter", Some("output"), "Bytes sent, compressed"),
    Description(Metric::Retries, "logferry_retries_total", "counter", Some("output"), "Attempts that must be repeated"),
    Description(
        Metric::Held,
        "logferry_held",
        "gauge",
        Some("output"),
        "1 while a fault that an operator must mend stops the output",
    ),
    Description(
        Metric::ChunksInFlight,
        "logferry_chunks_in_flight",
        "gauge",
        None,
        "Chunks that not every output has answered for",
    ),
    Description(Metric::LagBytes, "logferry_lag_bytes", "gauge", Some("source"), "Bytes that wait in the source"),
    Description(
        Metric::LagSeconds,
        "logferry_lag_seconds",
        "gauge",
        Some("output"),
        "Age of the oldest line not delivered",
    ),
    Description(Metric::Sources, "logferry_sources", "gauge", None, "Sources being followed"),
    Description(
        Metric::ResidentBytes,
        "logferry_resident_memory_bytes",
        "gauge",
        None,
        "Memory that the process holds",
    ),
];

/// The agent's counters and gauges. Touched per chunk and per batch, never per line.
#[derive(Debug, Default)]
pub struct Metrics {
    values: Mutex<BTreeMap<(Metric, String), u64>>,
}

impl Metrics {
    /// Adds to a counter. `label` is the value of its one label, empty where it has none.
    pub fn add(&self, metric: Metric, label: &str, amount: u64) {
        if amount > 0 {
            self.change(metric, label, |value| *value += amount);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, label: &str, amount: u64) {
        self.change(metric, label, |value| *value = amount);
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

    /// All of them in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for Description(metric, name, kind, label_name, help) in DESCRIPTIONS {
            let rows = self.by_label(*metric);
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
            for (label, value) in rows {
                let _ = match label_name {
                    Some(label_name) => writeln!(text, "{name}{{{label_name}=\"{}\"}} {value}", escape(&label)),
                    None => writeln!(text, "{name} {value}"),
                };
            }
        }
        text
    }

    fn change(&self, metric: Metric, label: &str, change: impl FnOnce(&mut u64)) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        change(values.entry((metric, label.to_owned())).or_default());
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described_once() {
        let mut names: Vec<_> = DESCRIPTIONS.iter().map(|Description(metric, ..)| *metric).collect();
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
        metrics.set(Metric::Sources, "", 4);
        assert_eq!(
            metrics.render(),
            "# HELP logferry_read_lines_total Lines read.\n# TYPE logferry_read_lines_total counter\n\
             logferry_read_lines_total{source=\"a\\\"b\"} 5\n\
             # HELP logferry_sources Sources being followed.\n# TYPE logferry_sources gauge\nlogferry_sources 4\n"
        );
        assert_eq!(metrics.total(Metric::ReadLines), 5);
    }
}

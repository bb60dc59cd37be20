//! Lines to records: what each line is, when it happened, how serious it is. Changes no byte and does no I/O, but for
//! the rules of a time zone where the machine keeps its own.
//!
//! A line is an object when, space around it aside, it is one valid JSON object to its last byte; everything else,
//! the empty line too, is text. Its time is its own where it gives one, else the engine's, else that of reading.

use crate::base::chunk::{Chunk, Line, offset};
use crate::base::records::{Keys, Origin, Record, Records, Shape, Time};
use calendar::Stamp;
use zone::{Zone, Zones};

mod application;
mod calendar;
mod level;
mod reader;
mod shapes;
mod time;
mod zone;

/// How far a container's own time without a zone may lie from the engine's, in ns. Beyond, its zone was misread.
const ENGINE_TOLERANCE_NS: u64 = 600 * 1_000_000_000;

/// Understands lines. Holds only caches (time zones), so one a worker.
#[derive(Debug, Default)]
pub struct Decoder {
    zones: Zones,
}

/// Whether `name` can be a source's `timezone`: an IANA name, `local` or `utc`.
#[must_use]
pub fn is_timezone(name: &str) -> bool {
    zone::exists(name)
}

impl Decoder {
    /// Makes one record of each line of `chunk`, in order, replacing what `into` held. `text` is the chunk's text.
    ///
    /// # Panics
    /// If `text` is not the text of `chunk` after [`Chunk::repair`].
    pub fn decode(&mut self, chunk: &Chunk, text: &str, into: &mut Records) {
        let zone = self.zones.get(&chunk.source.timezone);
        let lines = chunk.lines.iter().zip(0..);
        into.items.clear();
        into.items.extend(lines.map(|(line, index)| record(line, index, text, chunk.seen_ms, zone)));
    }
}

fn record(line: &Line, index: u32, text: &str, seen_ms: i64, zone: &mut Zone) -> Record {
    let written = &text[line.start as usize..line.end as usize];
    let reference_ms = line.engine_ns.map_or(seen_ms, |ns| ns.div_euclid(1_000_000));
    let mut record = Record {
        line: index,
        position: line.position,
        start: line.start,
        end: line.end,
        shape: Shape::Text,
        time: read_time(line, seen_ms),
        level: None,
        own: Keys::NONE,
        clash: Keys::NONE,
        cut: line.cut,
    };
    let mut scan = application::Scan::default();
    let stamp = if is_object(written, &mut scan) {
        record.start += offset(written.len() - written.trim_ascii_start().len());
        record.end -= offset(written.len() - written.trim_ascii_end().len());
        record.shape = Shape::Object;
        record.level = scan.level();
        (record.own, record.clash) = scan.keys();
        scan.time(reference_ms)
    } else {
        let found = time::find(written.as_bytes(), reference_ms);
        record.level = level::in_text(written.as_bytes(), found.as_ref());
        found.map(|found| found.stamp)
    };
    if let Some(stamp) = stamp {
        record.time = own_time(stamp, line, zone).unwrap_or(record.time);
    }
    record
}

/// Whether the line is an object, space around it aside; what it holds is then in `scan`, which is empty before.
#[inline]
fn is_object<'a>(written: &'a str, scan: &mut application::Scan<'a>) -> bool {
    let inner = written.trim_ascii();
    inner.starts_with('{') && inner.ends_with('}') && application::scan(inner, scan)
}

/// The engine's time of the line, else that of reading.
fn read_time(line: &Line, seen_ms: i64) -> Time {
    match line.engine_ns {
        Some(ns) => Time { ns, digits: 9, origin: Origin::Engine },
        None => Time { ns: seen_ms.saturating_mul(1_000_000), digits: 3, origin: Origin::Read },
    }
}

/// The line's own time in UTC. `None` where it has no zone and the engine contradicts it.
fn own_time(stamp: Stamp, line: &Line, zone: &mut Zone) -> Option<Time> {
    let ns = if stamp.zoned { stamp.ns } else { zone.utc(stamp.ns) };
    let is_contradicted = |engine_ns: i64| !stamp.zoned && engine_ns.abs_diff(ns) > ENGINE_TOLERANCE_NS;
    if line.engine_ns.is_some_and(is_contradicted) {
        return None;
    }
    Some(Time { ns, digits: stamp.digits, origin: Origin::Line })
}

#[cfg(test)]
mod tests;

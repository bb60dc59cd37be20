//! Wall clocks to UTC. Asks the zone's rules once an hour of log time, not once a line.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether `name` is a zone that [`Zones`] knows: an IANA name, `local` or `utc`.
#[must_use]
pub(super) fn exists(name: &str) -> bool {
    rules(name).is_some()
}

/// The zones in use. A handful: one a source at most.
#[derive(Debug, Default)]
pub(super) struct Zones(Vec<Zone>);

/// One zone, with its offset in the hour that was asked for last.
#[derive(Debug)]
pub(super) struct Zone {
    name: Arc<str>,
    rules: TimeZone,
    hour: i64,
    offset_s: i64,
}

impl Zones {
    /// The zone with that name, or UTC where there is none.
    pub(super) fn get(&mut self, name: &Arc<str>) -> &mut Zone {
        let known = self.0.iter().position(|zone| zone.name == *name);
        let index = known.unwrap_or_else(|| {
            let rules = rules(name).unwrap_or(TimeZone::UTC);
            self.0.push(Zone { name: Arc::clone(name), rules, hour: i64::MIN, offset_s: 0 });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl Zone {
    /// UTC nanoseconds of a wall clock given as if it were UTC. A wall clock that comes twice is its first; one that
    /// is left out is read with the offset before the gap.
    pub(super) fn utc(&mut self, wall_ns: i64) -> i64 {
        wall_ns.saturating_sub(self.offset(wall_ns.div_euclid(1_000_000_000)) * 1_000_000_000)
    }

    fn offset(&mut self, wall_s: i64) -> i64 {
        let hour = wall_s.div_euclid(3600);
        if hour == self.hour {
            return self.offset_s;
        }
        let first = self.offset_by_rules(hour * 3600);
        if first != self.offset_by_rules(hour * 3600 + 3599) {
            return self.offset_by_rules(wall_s);
        }
        (self.hour, self.offset_s) = (hour, first);
        first
    }

    fn offset_by_rules(&self, wall_s: i64) -> i64 {
        let Ok(as_if_utc) = Timestamp::from_second(wall_s) else {
            return 0;
        };
        let wall = TimeZone::UTC.to_datetime(as_if_utc);
        self.rules.to_timestamp(wall).map_or(0, |utc| wall_s - utc.as_second())
    }
}

fn rules(name: &str) -> Option<TimeZone> {
    match name {
        "local" => Some(TimeZone::system()),
        "utc" | "UTC" => Some(TimeZone::UTC),
        _ => TimeZone::get(name).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Zones with ordinary, half-hour and quarter-hour changes, on both sides of the equator.
    const NAMES: [&str; 6] =
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "utc"];

    #[test]
    fn names_are_checked() {
        for (name, known) in [("utc", true), ("local", true), ("Europe/Moscow", true), ("Europe/Atlantis", false)] {
            assert_eq!(exists(name), known, "{name}");
        }
    }

    proptest! {
        #[test]
        fn offsets_are_the_rules_own(name in 0..NAMES.len(), walls in prop::collection::vec(0_i64..4_000_000_000, 1..20)) {
            let mut zones = Zones::default();
            let zone = zones.get(&NAMES[name].into());
            for wall_s in walls {
                // Around the hour, so that the cached offset is used too.
                for near_s in [wall_s, wall_s + 600, wall_s + 1800, wall_s + 3600] {
                    let wall = TimeZone::UTC.to_datetime(Timestamp::from_second(near_s).unwrap());
                    let theirs = zone.rules.to_timestamp(wall).unwrap().as_second();
                    prop_assert_eq!(zone.utc(near_s * 1_000_000_000), theirs * 1_000_000_000);
                }
            }
        }
    }
}

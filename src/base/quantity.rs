//! Sizes and times as people write them: `"1 MiB"`, `"500ms"`. Units live in types, never in bare numbers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A size in bytes. Written as a number of bytes or as text with a unit: `B`, `KB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Size(pub u64);

/// A length of time. Written as text with a unit: `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Span(pub Duration);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

const TIME_UNITS_MS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Size {
    /// So many bytes, as `usize`.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn parse(text: &str) -> Option<Self> {
        in_units(text, SIZE_UNITS).map(Self)
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        in_units(text, TIME_UNITS_MS).map(Duration::from_millis).map(Self)
    }
}

fn in_units(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZE_UNITS.iter().find(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = whole.copied().unwrap_or(("B", 1));
        write!(f, "{} {unit}", self.0 / factor)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = TIME_UNITS_MS.iter().rev().find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor));
        let (unit, factor) = whole.copied().unwrap_or(("ms", 1));
        write!(f, "{}{unit}", ms / factor)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        let wrong = || {
            serde::de::Error::custom("not a size: write bytes, or a number with a unit such as \"4 MiB\" or \"500 KB\"")
        };
        match Written::deserialize(deserializer).map_err(|_| wrong())? {
            Written::Bytes(bytes) => Ok(Self(bytes)),
            Written::Text(text) => Self::parse(&text).ok_or_else(wrong),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || {
            serde::de::Error::custom(
                "not a time: write a number with a unit, such as \"500ms\", \"5s\", \"10m\", \"2h\" or \"7d\"",
            )
        };
        let text = String::deserialize(deserializer).map_err(|_| wrong())?;
        Self::parse(&text).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_and_written_as_people_do() {
        for (text, bytes) in [("0B", 0), ("12 MiB", 12 << 20), ("500KB", 500_000), ("1 GB", 1_000_000_000)] {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "5", "MiB", "-1 B", "1.5 MiB", "99999999999 GiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        for (text, ms) in [("500ms", 500), ("5s", 5000), ("10 m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_millis(ms))), "{text}");
        }
        assert_eq!(Size(12 << 20).to_string(), "12 MiB");
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90s");
    }
}

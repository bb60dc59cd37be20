//! What a chunk's lines mean: one record a line, as ranges into the chunk's text. Knows no format and no store.

use std::borrow::Cow;

use super::json;
use super::source::Position;

/// The records of one chunk, in its order. Its buffer is reused from chunk to chunk.
#[derive(Debug, Default)]
pub struct Records {
    /// Fewer than lines where filters dropped some.
    pub items: Vec<Record>,
}

/// One line, understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Index of its line in the chunk.
    pub line: u32,
    /// Where it lies in its source.
    pub position: Position,
    /// First byte of its text in the chunk's text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Whether the text is a JSON object.
    pub shape: Shape,
    /// When it happened.
    pub time: Time,
    /// How serious it is, normalised.
    pub level: Option<Level>,
    /// Which of our field names the object uses itself.
    pub own: Keys,
    /// Which of those it uses with another meaning (a `time` that is not Unix ms, a `level` that is not one of the
    /// five words): the agent's value then goes under its own prefix.
    pub clash: Keys,
    /// Text was cut away at the limit of a line's length.
    pub cut: bool,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A JSON object: its text, from `{` to `}`, is valid JSON.
    Object,
    /// Anything else: becomes `{"message": …}`.
    Text,
}

impl Shape {
    /// The application's own field at `path` (see [`json::find`]) in a record's text: a string's text, else as written. A
    /// line of text has one field, `message`.
    #[must_use]
    pub fn field<'a>(self, text: &'a str, path: &str) -> Option<Cow<'a, str>> {
        match self {
            Self::Text => (path == "message").then_some(Cow::Borrowed(text)),
            Self::Object => {
                let value = json::find(text, path)?;
                Some(json::string_inside(value).map_or(Cow::Borrowed(value), json::unescape))
            }
        }
    }
}

/// A moment, and how exactly it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds since 1970, UTC. Digits below `digits` are zero.
    pub ns: i64,
    /// How many decimal digits of the second its origin gave: 0 to 9.
    pub digits: u8,
    /// Where it comes from.
    pub origin: Origin,
}

impl Time {
    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.ns.div_euclid(1_000_000)
    }

    /// The time in ns whose digits below its own precision carry `at`: lines of one source that share a time stay
    /// apart and in order, and get the same ns when they are read again.
    #[must_use]
    pub fn distinct_ns(self, at: u64) -> i64 {
        let room = 10_i64.pow(9 - u32::from(self.digits.min(9)));
        let tail = i64::try_from(at % room.unsigned_abs()).unwrap_or(0);
        self.ns - self.ns.rem_euclid(room) + tail
    }
}

/// Where a record's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The line says it.
    Line,
    /// The container engine says it.
    Engine,
    /// The time of reading.
    Read,
}

/// How serious a record is: the five levels, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For finding faults; also what others call trace.
    Debug,
    /// Ordinary events; also what others call notice.
    Info,
    /// Odd, but it works.
    Warning,
    /// Something failed.
    Error,
    /// Act now; also what others call fatal, alert, emergency.
    Critical,
}

impl Level {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// The field names that the agent adds, in the order in which it writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Key {
    /// Unix ms.
    Time,
    /// RFC 3339 with ns, for Elasticsearch and OpenSearch.
    Timestamp,
    /// One of the five words.
    Level,
    /// See `Source::container_name`.
    ContainerName,
    /// See `Source::service_name`.
    ServiceName,
    /// The host's name.
    HostName,
    /// The `[source.NAME]`.
    SourceName,
    /// `stdout` or `stderr`.
    Stream,
    /// The path of a file.
    Filename,
}

impl Key {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 9] = [
        Self::Time,
        Self::Timestamp,
        Self::Level,
        Self::ContainerName,
        Self::ServiceName,
        Self::HostName,
        Self::SourceName,
        Self::Stream,
        Self::Filename,
    ];

    /// The field's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Timestamp => "@timestamp",
            Self::Level => "level",
            Self::ContainerName => "container_name",
            Self::ServiceName => "service_name",
            Self::HostName => "host_name",
            Self::SourceName => "source_name",
            Self::Stream => "stream",
            Self::Filename => "filename",
        }
    }

    /// The key with that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// What the agent's own field names begin with, where the application uses the plain name for something else.
pub const PREFIX: &str = "logferry_";

/// A set of [`Key`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Keys(u16);

impl Keys {
    /// None.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub const fn insert(&mut self, key: Key) {
        self.0 |= 1 << key as u8;
    }

    /// Whether it is there.
    #[must_use]
    pub const fn contains(self, key: Key) -> bool {
        self.0 & 1 << key as u8 != 0
    }

    /// Whether none of `others` is there.
    #[must_use]
    pub const fn is_disjoint(self, others: Self) -> bool {
        self.0 & others.0 == 0
    }
}

/// The fields that are the same for all lines of a source: name and value, in the order of [`Key::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Fields(pub Vec<(Key, String)>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_stay_apart_and_in_order() {
        let time = Time { ns: 1_000_000_123_000_000, digits: 3, origin: Origin::Line };
        assert_eq!(time.distinct_ns(0), 1_000_000_123_000_000);
        assert_eq!(time.distinct_ns(256), 1_000_000_123_000_256);
        assert_eq!(time.distinct_ns(7_000_000_256), 1_000_000_123_000_256);
        let exact = Time { ns: 5, digits: 9, origin: Origin::Engine };
        assert_eq!(exact.distinct_ns(77), 5);
        let before_1970 = Time { ns: -1_500_000_000, digits: 0, origin: Origin::Line };
        assert_eq!(before_1970.distinct_ns(1), -2_000_000_000 + 1);
        assert_eq!(before_1970.ms(), -1500);
    }

    #[test]
    fn keys_are_a_set() {
        let mut keys = Keys::NONE;
        keys.insert(Key::Level);
        assert!(keys.contains(Key::Level) && !keys.contains(Key::Time));
        assert_eq!(Key::parse("host_name"), Some(Key::HostName));
        assert_eq!(Key::parse("hostname"), None);
    }
}

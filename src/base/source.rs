//! Sources, and where in them bytes came from. Knows nothing of how they are read.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The short durable name of one source: one file (not its path) or one stream of one container.
///
/// Minted once, at first sight, from facts that stay; written as ten digits of base 32 hex, so that it sorts and
/// compresses inside document ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u64);

impl SourceId {
    /// Ten digits of five bits.
    pub const DIGITS: usize = 10;
    const MASK: u64 = (1 << 50) - 1;

    /// Keeps the low 50 bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits & Self::MASK)
    }

    /// The 50 bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::DIGITS {
            return None;
        }
        text.bytes().try_fold(0_u64, |bits, byte| Some(bits << 5 | base32_value(byte)?)).map(Self)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::with_capacity(Self::DIGITS);
        push_base32(&mut digits, self.0, Self::DIGITS);
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceId({self})")
    }
}

impl Serialize for SourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a source id"))
    }
}

/// The digits of base 32 hex (RFC 4648 section 7, lower case): they sort as the numbers do.
pub const BASE32: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Writes the low `digits * 5` bits of `value`, most significant digit first.
pub fn push_base32(out: &mut Vec<u8>, value: u64, digits: usize) {
    for digit in (0..digits).rev() {
        let shift = digit * 5;
        let five = if shift >= 64 { 0 } else { value >> shift & 31 };
        out.push(BASE32[five as usize]);
    }
}

fn base32_value(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some(u64::from(byte - b'0')),
        b'a'..=b'v' => Some(u64::from(byte - b'a') + 10),
        _ => None,
    }
}

/// Where a line lies in its source. Two lines of one source and generation never share one.
///
/// File: `at` is the byte offset of the line, `tie` its length with its end of line.
/// Container: `at` is the engine's time in ns, `tie` a hash of the line.
/// Standard input: as a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Byte offset, or nanoseconds since 1970.
    pub at: u64,
    /// Length in bytes, or the low 32 bits of the line's hash.
    pub tie: u32,
}

/// Where reading goes on: the state of a source just after a chunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Cursor {
    /// A file, or standard input.
    File {
        /// Counts the truncations seen.
        generation: u32,
        /// The next byte to read.
        offset: u64,
        /// Hash of the bytes just before `offset` (see [`GUARD_BYTES`]), which a file that was truncated and grew
        /// again will not have.
        guard: u64,
    },
    /// One stream of a container.
    Docker {
        /// Time in ns of the last message, in stream order.
        time_ns: u64,
        /// The last messages up to it, oldest first: what a resumed stream sends again.
        recent: Vec<Position>,
    },
}

/// How many bytes before an offset its guard covers, at most.
pub const GUARD_BYTES: usize = 64;

/// Which kind of reader a source has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file on disk.
    File,
    /// One stream of one container.
    Docker,
    /// The agent's own standard input.
    Stdin,
}

/// The two streams that a process writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output; also all of a container with a TTY.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The facts by which a source is known again after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Identity {
    /// A file.
    File {
        /// Device number.
        device: u64,
        /// Inode number.
        inode: u64,
        /// Time of birth in ns since 1970, where the file system keeps one.
        birth_ns: Option<u64>,
        /// How many bytes `head` covers.
        head_len: u32,
        /// Hash of the first `head_len` bytes. Grows with the file up to [`HEAD_BYTES`].
        head: u64,
        /// The path: where it was first seen, in what is saved. Never part of the id.
        path: String,
    },
    /// One stream of a container.
    Docker {
        /// The engine's full container id.
        container: String,
        /// Which stream.
        stream: Stream,
        /// Last known name: for people.
        name: String,
    },
    /// Standard input of one run.
    Stdin {
        /// When the run began, in ns since 1970: no two runs share an input.
        began_ns: u64,
    },
}

/// How many first bytes of a file are hashed, at most.
pub const HEAD_BYTES: usize = 256;

/// Hashes bytes for identities, guards and ids. Never to be changed: state on disk depends on it.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// One source with the facts that its records carry. A change of facts (a rename) makes a new one with the same id.
#[derive(Debug)]
pub struct Source {
    /// Its durable id.
    pub id: SourceId,
    /// What reads it.
    pub kind: Kind,
    /// The name of the `[source.NAME]` table that it comes from.
    pub name: Arc<str>,
    /// `container_name`: the container's, or what a file source's configuration says.
    pub container_name: String,
    /// `service_name`: a container's label or its name, else what a file source's configuration says.
    pub service_name: String,
    /// Which stream, for containers.
    pub stream: Option<Stream>,
    /// The path under which the file was first seen, for files.
    pub path: Option<String>,
    /// What a container's label wants to be masked.
    pub mask: Option<Arc<str>>,
    /// Zone of time stamps without one: IANA name, `local` or `utc`.
    pub timezone: Arc<str>,
}

impl Source {
    /// The names that a container may change; `None` of anything else.
    #[must_use]
    pub fn names(&self) -> Option<Names> {
        let names = || Names { container: self.container_name.clone(), service: self.service_name.clone() };
        (self.kind == Kind::Docker).then(names)
    }

    /// The same under the names that it had.
    #[must_use]
    pub fn named(&self, names: &Names) -> Self {
        Self {
            name: Arc::clone(&self.name),
            container_name: names.container.clone(),
            service_name: names.service.clone(),
            path: self.path.clone(),
            mask: self.mask.clone(),
            timezone: Arc::clone(&self.timezone),
            ..*self
        }
    }

    /// A source of which no more is known: its lines were encoded by an earlier run.
    #[must_use]
    pub fn known_by_name(id: SourceId, kind: Kind, name: &str) -> Self {
        Self {
            id,
            kind,
            name: name.into(),
            container_name: String::new(),
            service_name: String::new(),
            stream: None,
            path: None,
            mask: None,
            timezone: "utc".into(),
        }
    }
}

/// What `track` knows of a source when it is found.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The durable id.
    pub id: SourceId,
    /// Generation to go on with. One higher than the last saved when the file was truncated.
    pub generation: u32,
    /// Where to begin: the least advanced of the outputs' cursors. `None`: seen for the first time.
    pub cursor: Option<Cursor>,
    /// The path under which a file was first seen: what its records carry, whatever it is called now.
    pub path: Option<String>,
    /// Chunks that were read before a crash and perhaps sent, beyond `cursor`, oldest first: to be read again in
    /// the same pieces, with the same time of reading.
    pub replay: Vec<Note>,
    /// Bytes beyond `cursor` that a file had when it was last seen; where it was found truncated, those that are gone.
    /// What of them is no longer there is lost.
    pub unread: u64,
}

/// The names that the records of a container carry. It may be given another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Names {
    /// See [`Source::container_name`].
    pub container: String,
    /// See [`Source::service_name`].
    pub service: String,
}

/// What the bytes of a chunk cannot give again: written down before the chunk is first sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// Whose chunk.
    pub source: SourceId,
    /// Of which generation.
    pub generation: u32,
    /// First byte, or ns of the first message.
    pub start: u64,
    /// One past the last byte, or ns of the last message.
    pub end: u64,
    /// When it was read, in ms since 1970: the time of lines that have none.
    pub seen_ms: i64,
    /// Of a container: its names then. They are no part of what makes it this chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
}

impl Note {
    fn key(&self) -> (SourceId, u32, u64, u64, i64) {
        (self.source, self.generation, self.start, self.end, self.seen_ms)
    }
}

impl PartialEq for Note {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Note {}

impl Hash for Note {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_numbers_and_come_back() {
        let ids = [0, 1, 31, 32, 1 << 49, (1 << 50) - 1].map(SourceId::new);
        let texts = ids.map(|id| id.to_string());
        assert!(texts.is_sorted());
        assert_eq!(texts[2], "000000000v");
        for (id, text) in ids.iter().zip(&texts) {
            assert_eq!(SourceId::parse(text), Some(*id));
        }
        assert_eq!(SourceId::parse("short"), None);
        assert_eq!(SourceId::parse("zzzzzzzzzz"), None);
    }

    #[test]
    fn base32_writes_all_64_bits_in_13_digits() {
        let mut out = Vec::new();
        push_base32(&mut out, u64::MAX, 13);
        assert_eq!(out, b"fvvvvvvvvvvvv");
    }

    #[test]
    fn the_fingerprint_is_the_one_that_state_on_disk_was_written_with() {
        assert_eq!(fingerprint(b""), 0x2d06_8005_38d3_94c2);
    }
}

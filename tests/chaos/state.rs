//! What one output has made durable, read from its state folder as `src/track/store.rs` and `src/queue/mod.rs` say what
//! lies there, by no code of the agent's: how far each file is settled, what of it is noted, what lies in the queue.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// Before the first frame of a segment, and all of a position file, in bytes.
const HEAD: usize = 28;
/// Of a frame, before its header.
const PREFIX: usize = 24;

/// What makes a file itself, for as long as nobody truncates it: its inode and time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKey(u64, Option<u64>);

/// The state of one output.
#[derive(Debug, Default)]
pub struct State {
    files: BTreeMap<FileKey, Kept>,
    /// The frames that a restart sends, by queue and number, with their bytes.
    pub frames: BTreeMap<(PathBuf, u64), u64>,
    /// How many more there were, and are settled.
    pub settled_frames: u64,
}

/// What is durable of a file that was never truncated.
#[derive(Debug, Default)]
struct Kept {
    settled: u64,
    queued: Vec<Range<u64>>,
    noted: Vec<Range<u64>>,
}

impl FileKey {
    /// Of a file.
    pub fn of(metadata: &Metadata) -> Self {
        let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self(metadata.ino(), birth.and_then(|since| u64::try_from(since.as_nanos()).ok()))
    }

    /// Whether it was made after this time, in ms since 1970.
    pub fn is_made_after(self, ms: i64) -> bool {
        self.1.is_some_and(|birth_ns| birth_ns / 1_000_000 > ms.unsigned_abs())
    }
}

impl State {
    /// Reads the state of an output whose agent has ended. Nothing, where there is none yet.
    ///
    /// # Errors
    /// As the file system gives them; what is there and is not whole, but for ends that a crash may tear.
    pub fn read(state: &Path, output: &str) -> io::Result<Self> {
        let folder = state.join("outputs").join(output);
        let (mut read, mut keys) = (Self::default(), BTreeMap::new());
        let mut first_notes = 0;
        if let Some(bytes) = content(&folder.join("checkpoint.json"))? {
            let checkpoint: Value = serde_json::from_slice(&bytes)?;
            first_notes = number(&checkpoint["notes"]);
            checkpoint["sources"].as_array().into_iter().flatten().for_each(|source| read.know(source, &mut keys));
        }
        for (number, path) in named(&folder, |name| name.strip_prefix("notes."))? {
            if number >= first_notes {
                read.take_notes(&content(&path)?.unwrap_or_default(), &mut keys);
            }
        }
        for language in ["queue-bulk", "queue-push"] {
            for (_, queue) in named(&folder.join(language), |name| Some(name))? {
                read.take_queue(&queue, &keys)?;
            }
        }
        Ok(read)
    }

    /// Whether an agent that starts now would look for a file.
    pub fn knows(&self, file: FileKey) -> bool {
        self.files.contains_key(&file)
    }

    /// Whether these bytes of a file are settled or queued: an agent that starts now needs the file no more for them.
    pub fn holds(&self, file: FileKey, bytes: &Range<u64>) -> bool {
        self.files.get(&file).is_some_and(|kept| kept.settled >= bytes.end || covers(&kept.queued, kept.settled, bytes))
    }

    /// Whether it is known that these bytes of a file were read.
    pub fn has_noted(&self, file: FileKey, bytes: &Range<u64>) -> bool {
        self.files.get(&file).is_some_and(|kept| covers(&kept.noted, kept.settled, bytes))
    }

    fn know(&mut self, source: &Value, keys: &mut BTreeMap<String, FileKey>) {
        let identity = &source["identity"];
        let (Some(inode), Some(id)) = (identity["inode"].as_u64(), source["id"].as_str()) else { return };
        let key = FileKey(inode, identity["birth_ns"].as_u64());
        keys.insert(id.to_owned(), key);
        let kept = self.files.entry(key).or_default();
        if is_first_generation(&source["cursor"]) {
            kept.settled = kept.settled.max(number(&source["cursor"]["offset"]));
        }
    }

    /// A line without its end is a write that did not end.
    fn take_notes(&mut self, bytes: &[u8], keys: &mut BTreeMap<String, FileKey>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let Ok(entry) = serde_json::from_slice::<Value>(line) else { continue };
            self.know(&entry["source"], keys);
            let kept = file_of(&entry["chunk"], keys).and_then(|key| self.files.get_mut(&key));
            kept.into_iter().for_each(|kept| kept.noted.push(range(&entry["chunk"])));
        }
    }

    fn take_queue(&mut self, queue: &Path, keys: &BTreeMap<String, FileKey>) -> io::Result<()> {
        let position = content(&queue.join("position"))?;
        let position = position.filter(|bytes| bytes.len() == HEAD).map_or(0, |bytes| little(&bytes[12..20]));
        self.settled_frames += position;
        let segments = named(queue, |name| name.strip_suffix(".segment"))?;
        let ends: Vec<u64> = segments.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]).collect();
        for ((_, path), end) in segments.iter().zip(ends) {
            for (header, len) in frames(&content(path)?.unwrap_or_default()) {
                let frame = number(&header["number"]);
                if frame < position || frame >= end {
                    continue;
                }
                self.frames.insert((queue.to_owned(), frame), len);
                for note in header["spans"].as_array().into_iter().flatten().map(|span| &span["note"]) {
                    let kept = file_of(note, keys).map(|key| self.files.entry(key).or_default());
                    kept.into_iter().for_each(|kept| kept.queued.push(range(note)));
                }
            }
        }
        Ok(())
    }
}

/// The headers of the good frames up to the first that is not, with the frames' bytes.
fn frames(segment: &[u8]) -> Vec<(Value, u64)> {
    let mut rest = segment.get(HEAD..).unwrap_or_default();
    let mut found = Vec::new();
    while let Some(prefix) = rest.get(..PREFIX) {
        let [header_len, body_len] = [16, 20].map(|at| usize::try_from(little(&prefix[at..at + 4])).expect("32 bits"));
        let Some(frame) = rest.get(..PREFIX + header_len + body_len).filter(|_| header_len > 0) else { break };
        let (checked, body) = (&frame[8..PREFIX + header_len], &frame[PREFIX + header_len..]);
        if little(&prefix[..8]) != xxh3_64(checked) || little(&prefix[8..16]) != xxh3_64(body) {
            break;
        }
        let Ok(header) = serde_json::from_slice(&frame[PREFIX..PREFIX + header_len]) else { break };
        found.push((header, frame.len() as u64));
        rest = &rest[frame.len()..];
    }
    found
}

/// Whether ranges, and all below `settled`, hold all of `bytes` together.
fn covers(ranges: &[Range<u64>], settled: u64, bytes: &Range<u64>) -> bool {
    let mut sorted: Vec<&Range<u64>> = ranges.iter().collect();
    sorted.sort_by_key(|range| range.start);
    let start = bytes.start.max(settled);
    sorted.into_iter().fold(start, |at, range| if range.start <= at { at.max(range.end) } else { at }) >= bytes.end
}

/// The file of a note, in its first generation.
fn file_of(note: &Value, keys: &BTreeMap<String, FileKey>) -> Option<FileKey> {
    keys.get(note["source"].as_str()?).copied().filter(|_| is_first_generation(note))
}

fn is_first_generation(value: &Value) -> bool {
    value["generation"].as_u64() == Some(0)
}

fn range(note: &Value) -> Range<u64> {
    number(&note["start"])..number(&note["end"])
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What lies in a folder under a number, by that; nothing, where there is no folder.
fn named(folder: &Path, number_in: impl Fn(&str) -> Option<&str>) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        found.extend(number_in(name).and_then(|digits| digits.parse().ok()).map(|number| (number, path.clone())));
    }
    found.sort();
    Ok(found)
}

fn content(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Shows that what is not covered is found.
pub fn try_yourself() {
    for (settled, ends, is_covered) in [
        (0, [10, 20, 0, 10], true),
        (5, [5, 20, 0, 0], true),
        (20, [0, 0, 0, 0], true),
        (0, [5, 20, 0, 0], false),
        (0, [0, 10, 11, 20], false),
    ] {
        let ranges = [ends[0]..ends[1], ends[2]..ends[3]];
        assert_eq!(covers(&ranges, settled, &(0..20)), is_covered, "{settled} {ranges:?}");
    }
}

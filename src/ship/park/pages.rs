//! A file of parked records, read line by line: the whole of it may be larger than the agent's memory. Of each record
//! only a fingerprint of its id is remembered, to know the last line of each. Decides nothing.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Change, Kept, Selection};

/// The whole lines of a file as it was when it was opened.
#[derive(Debug)]
pub(super) struct Pages {
    file: File,
    length: u64,
    /// Where the last line of each id begins.
    last: HashMap<[u64; 2], u64>,
}

/// A line.
pub(super) enum Line<'a> {
    /// The last of its id, and its bytes with the LF.
    Record(Box<Kept>, &'a [u8]),
    /// A later one has the same id.
    Superseded,
    /// Not of ours: its bytes with the LF.
    Foreign(&'a [u8]),
}

/// Records to be sent again, oldest first. They are read when they are asked for.
#[derive(Debug, Default)]
pub(in super::super) struct Queue {
    file: Option<File>,
    /// Where their lines begin.
    offsets: VecDeque<u64>,
}

impl Pages {
    /// `None`: there is no such file.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut pages = Self { file, length: u64::MAX, last: HashMap::new() };
        let (mut last, mut length) = (HashMap::new(), 0);
        pages.each_line(&mut |start, line| {
            length = start + line.len() as u64;
            if let Some(kept) = parse(line) {
                last.insert(key(&kept), start);
            }
            Ok(())
        })?;
        (pages.length, pages.last) = (length, last);
        Ok(Some(pages))
    }

    /// Of its whole lines, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Shows every line.
    pub(super) fn each(&self, visit: &mut dyn FnMut(Line<'_>) -> io::Result<()>) -> io::Result<()> {
        self.each_line(&mut |start, line| visit(self.read(start, line)))
    }

    /// Copies all lines that count, with `change` applied to the records. Whether anything is not as it was.
    pub(super) fn copy(&self, out: &mut dyn Write, change: &mut dyn FnMut(&Kept) -> Change) -> io::Result<bool> {
        let mut is_changed = false;
        self.each(&mut |line| {
            let (kept, bytes) = match line {
                Line::Record(kept, bytes) => (kept, bytes),
                Line::Foreign(bytes) => return out.write_all(bytes),
                Line::Superseded => {
                    is_changed = true;
                    return Ok(());
                }
            };
            let change = change(&kept);
            is_changed |= !matches!(change, Change::Keep);
            match change {
                Change::Keep => out.write_all(bytes),
                Change::Remove => Ok(()),
                Change::Put(other) => {
                    let mut line = Vec::new();
                    other.push(&mut line);
                    out.write_all(&line)
                }
            }
        })?;
        Ok(is_changed)
    }

    /// The selected records.
    pub(super) fn queue(self, selection: &Selection) -> io::Result<Queue> {
        let mut offsets = VecDeque::new();
        self.each_line(&mut |start, line| {
            if matches!(self.read(start, line), Line::Record(kept, _) if selection.selects(&kept)) {
                offsets.push_back(start);
            }
            Ok(())
        })?;
        Ok(Queue { file: Some(self.file), offsets })
    }

    fn read<'a>(&self, start: u64, line: &'a [u8]) -> Line<'a> {
        match parse(line) {
            None => Line::Foreign(line),
            Some(kept) if self.last.get(&key(&kept)) == Some(&start) => Line::Record(Box::new(kept), line),
            Some(_) => Line::Superseded,
        }
    }

    /// Each whole line with its LF, and where it begins.
    fn each_line(&self, visit: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(64 << 10, file.take(self.length));
        let (mut start, mut line) = (0, Vec::new());
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                return Ok(());
            }
            visit(start, &line)?;
            start += line.len() as u64;
        }
    }
}

impl Queue {
    /// How many are left.
    pub(in super::super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The next one.
    pub(in super::super) fn next(&mut self) -> io::Result<Option<Kept>> {
        let (Some(mut file), Some(start)) = (self.file.as_ref(), self.offsets.pop_front()) else { return Ok(None) };
        file.seek(SeekFrom::Start(start))?;
        let mut line = Vec::new();
        BufReader::new(file).read_until(b'\n', &mut line)?;
        serde_json::from_slice(&line).map(Some).map_err(io::Error::from)
    }
}

fn parse(line: &[u8]) -> Option<Kept> {
    serde_json::from_slice(line).ok()
}

/// A fingerprint of the id. With 128 bits, two of a million ids are the same once in 10^26 files.
fn key(kept: &Kept) -> [u64; 2] {
    let key = xxhash_rust::xxh3::xxh3_128(kept.id.as_bytes());
    [(key >> 64) as u64, key as u64]
}

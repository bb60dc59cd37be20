//! One segment: a file of frames, appended to and read. Knows nothing of the other segments.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::frame::{self, Body, Header, Span, Start};
use super::head::{self, Head};
use super::index::Place;
use crate::base::durable;
use crate::base::failpoint;

const MAGIC: [u8; 8] = *b"lf-queue";

const EXTENSION: &str = ".segment";

type Reader = BufReader<File>;

/// The file of the segment whose first frame has this number.
pub fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}{EXTENSION}"))
}

/// The first numbers of the segments in a folder, ascending.
///
/// # Errors
/// As the file system gives them.
pub fn list(folder: &Path) -> Result<Vec<u64>, Error> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let name = entry.map_err(Error::io("list", folder))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(EXTENSION));
        let first = digits.filter(|digits| digits.len() == 20).and_then(|digits| digits.parse().ok());
        firsts.extend(first.filter(|first| path(folder, *first).ends_with(&name)));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Removes a segment.
///
/// # Errors
/// As the file system gives them; not when it is gone already.
pub fn remove(folder: &Path, first: u64) -> Result<(), Error> {
    let path = path(folder, first);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
        _ => Ok(()),
    }
}

/// Cuts a segment off after its first `len` bytes.
///
/// # Errors
/// As the file system gives them.
pub fn cut(folder: &Path, first: u64, len: u64) -> Result<(), Error> {
    let path = path(folder, first);
    let cut = |file: File| file.set_len(len).and_then(|()| file.sync_all());
    File::options().write(true).open(&path).and_then(cut).map_err(Error::io("cut", &path))?;
    failpoint::hit("cut");
    Ok(())
}

/// The segment that is being filled.
#[derive(Debug)]
pub struct Segment {
    /// The number of its first frame.
    pub first: u64,
    /// Its length in bytes.
    pub len: u64,
    path: PathBuf,
    file: File,
}

impl Segment {
    /// Begins a segment, its name durable. What is left there of a push that failed is overwritten.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn create(folder: &Path, first: u64) -> Result<Self, Error> {
        let path = path(folder, first);
        let mut file = durable::create(&path).map_err(Error::io("create", &path))?;
        file.write_all(&head::encode(MAGIC, first)).map_err(Error::io("write", &path))?;
        durable::sync_parent(&path).map_err(Error::io("create", &path))?;
        failpoint::hit("begun");
        Ok(Self { first, len: head::BYTES as u64, path, file })
    }

    /// Writes a frame, durable when it returns. The offset of its first byte.
    ///
    /// # Errors
    /// As the file system gives them. What was written of it is cut off again, or else ignored: the next frame begins
    /// a segment of its own, whose name ends this one.
    pub fn append(&mut self, start: &[u8], body: &[u8]) -> Result<u64, Error> {
        let write = |file: &mut File| {
            file.write_all(start)?;
            failpoint::hit("half");
            file.write_all(body)?;
            file.sync_data()
        };
        if let Err(error) = write(&mut self.file) {
            // The error that matters is the first; a tail that stays is ignored.
            let _ = self.file.set_len(self.len);
            return Err(Error::io("write", &self.path)(error));
        }
        let offset = self.len;
        self.len += (start.len() + body.len()) as u64;
        Ok(offset)
    }
}

/// What is in a segment.
#[derive(Debug)]
pub struct Scan {
    /// The number in its name.
    pub first: u64,
    /// The number in the next one's name.
    pub until: u64,
    /// Its good frames, in order.
    pub frames: Vec<(Place, Vec<Span>)>,
    /// Damaged bytes before and between them.
    pub damaged_bytes: u64,
    /// Where the last good one ends.
    pub good_end: u64,
    /// Bytes after that.
    pub rest: u64,
}

/// Reads and checks a segment, of each frame only the header being in memory. Frames from number `until` on are not
/// its own.
///
/// # Errors
/// As the file system gives them; when it is of a newer format.
pub fn scan(folder: &Path, first: u64, until: u64) -> Result<Scan, Error> {
    let path = path(folder, first);
    let cannot_read = Error::io("read", &path);
    let (mut reader, len) = open(&path).map_err(&cannot_read)?;
    let mut head = Vec::new();
    reader.by_ref().take(head::BYTES as u64).read_to_end(&mut head).map_err(&cannot_read)?;
    let good_end = head.len() as u64;
    let mut scan = Scan { first, until, frames: Vec::new(), damaged_bytes: 0, good_end, rest: 0 };
    match head::decode(MAGIC, &head) {
        Head::Newer(version) => return Err(Error::Newer { path: path.clone(), version }),
        Head::Good(number) if number == first => {}
        // Read all the same: its frames have checks of their own.
        _ => scan.damaged_bytes = scan.good_end,
    }
    scan.read_frames(&mut reader, len).map_err(&cannot_read)?;
    Ok(scan)
}

impl Scan {
    fn read_frames(&mut self, reader: &mut Reader, len: u64) -> io::Result<()> {
        let mut at = self.good_end;
        let mut numbers = self.first..self.until;
        while let Some(Start { len: frame_len, good }) = frame::read_start(reader, len - at)? {
            let offset = at;
            at += frame_len;
            match good {
                Some((header, body)) if body.verify(reader.by_ref())? && numbers.contains(&header.number) => {
                    self.damaged_bytes += offset - self.good_end;
                    self.good_end = at;
                    numbers.start = header.number + 1;
                    let (number, queued_ms) = (header.number, header.queued_ms);
                    let place = Place { number, segment: self.first, offset, len: frame_len, queued_ms };
                    self.frames.push((place, header.spans.into_owned()));
                }
                _ => {
                    reader.seek(SeekFrom::Start(at))?;
                }
            }
        }
        self.rest = len - self.good_end;
        Ok(())
    }
}

/// Reads one frame: its header and its body, each if it is whole.
///
/// # Errors
/// As the file system gives them; not when the segment is gone.
pub fn read(folder: &Path, place: &Place) -> Result<(Option<Header<'static>>, Option<Vec<u8>>), Error> {
    let Some((header, body, reader)) = find(folder, place)? else { return Ok((None, None)) };
    let body = body.read(reader).map_err(Error::io("read", &path(folder, place.segment)))?;
    Ok((Some(header), body))
}

/// The same, of the header only.
///
/// # Errors
/// As the file system gives them; not when the segment is gone.
pub fn read_header(folder: &Path, place: &Place) -> Result<Option<Header<'static>>, Error> {
    Ok(find(folder, place)?.map(|(header, ..)| header))
}

/// A frame's header, and a reader that stands before its body.
fn find(folder: &Path, place: &Place) -> Result<Option<(Header<'static>, Body, Reader)>, Error> {
    let path = path(folder, place.segment);
    let cannot_read = Error::io("read", &path);
    let (mut reader, len) = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(&cannot_read)?,
    };
    reader.seek(SeekFrom::Start(place.offset)).map_err(&cannot_read)?;
    let room = place.len.min(len.saturating_sub(place.offset));
    let start = frame::read_start(&mut reader, room).map_err(&cannot_read)?;
    let good = start.and_then(|start| start.good).filter(|(header, _)| header.number == place.number);
    Ok(good.map(|(header, body)| (header, body, reader)))
}

/// Opens a file, and tells its length.
fn open(path: &Path) -> io::Result<(Reader, u64)> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((BufReader::with_capacity(64 << 10, file), len))
}

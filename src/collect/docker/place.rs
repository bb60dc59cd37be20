//! Where in a log's files reading goes on: the message with a certain time is looked for from the newest file's end
//! backwards. Times are compared for equality only, since a clock may step. Understands no line.

use std::io;

use memchr::memmem::Finder;
use memchr::memrchr;

use super::files::LogFile;

/// A message's time occurs again for each part of a long line, and for other messages of the same nanosecond. Where so
/// many bytes before one have no other, it is the first.
const APART_BYTES: usize = 1 << 20;

/// More bytes than what is looked for has.
const OVERLAP_BYTES: usize = 64;

/// The beginning of a message in one of several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index among the files, oldest first.
    pub file: usize,
    /// Of its line.
    pub offset: u64,
}

/// One time that is looked for.
#[derive(Debug)]
struct Hunt {
    finder: Finder<'static>,
    /// The first message with this time, as far as was looked.
    found: Option<Place>,
    /// Bytes before it that were looked through.
    before: usize,
}

/// Finds the first message of each of these times, in ns since 1970, among `files`, oldest first. `buffer` is lent.
///
/// # Errors
/// When a file cannot be read.
pub fn find(files: &mut [LogFile], times: &[Option<u64>], buffer: &mut [u8]) -> io::Result<Vec<Option<Place>>> {
    let mut hunts: Vec<_> = times.iter().map(|ns| ns.and_then(Hunt::new)).collect();
    for (index, file) in files.iter_mut().enumerate().rev() {
        if hunts.iter().flatten().all(Hunt::is_over) {
            break;
        }
        let mut open: Vec<_> = hunts.iter_mut().flatten().filter(|hunt| !hunt.is_over()).collect();
        if file.is_zipped() {
            forwards(file, index, &mut open, buffer)?
        } else {
            backwards(file, index, &mut open, buffer)?
        }
    }
    Ok(hunts.into_iter().map(|hunt| hunt?.found).collect())
}

impl Hunt {
    /// `None` for a time that no engine can have written.
    fn new(ns: u64) -> Option<Self> {
        let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).ok()?;
        // Go's RFC3339Nano, as this is: no zeros at the end of the fraction.
        let text = format!("\"time\":\"{time}\"}}");
        Some(Self { finder: Finder::new(&text).into_owned(), found: None, before: 0 })
    }

    const fn is_over(&self) -> bool {
        self.found.is_some() && self.before >= APART_BYTES
    }
}

fn backwards(file: &mut LogFile, index: usize, hunts: &mut [&mut Hunt], buffer: &mut [u8]) -> io::Result<()> {
    let step = (buffer.len() - OVERLAP_BYTES) as u64;
    let mut end = file.len()?;
    while end > 0 && !hunts.iter().all(|hunt| hunt.is_over()) {
        let start = end.saturating_sub(step);
        let wanted = usize::try_from(end - start).unwrap_or_default() + OVERLAP_BYTES;
        let count = file.read(&mut buffer[..wanted], start)?;
        for hunt in hunts.iter_mut().filter(|hunt| !hunt.is_over()) {
            match hunt.finder.find(&buffer[..count]) {
                Some(at) => (hunt.found, hunt.before) = (Some(Place { file: index, offset: start + at as u64 }), 0),
                None => hunt.before += count,
            }
        }
        end = start;
    }
    for hunt in hunts.iter_mut() {
        if let Some(place) = hunt.found.as_mut().filter(|place| place.file == index) {
            place.offset = line_start(file, place.offset, buffer)?;
        }
    }
    Ok(())
}

/// The beginning of the line that the byte at `offset` is in.
fn line_start(file: &mut LogFile, offset: u64, buffer: &mut [u8]) -> io::Result<u64> {
    let start = offset.saturating_sub(buffer.len() as u64);
    let wanted = usize::try_from(offset - start).unwrap_or_default();
    let count = file.read(&mut buffer[..wanted], start)?;
    Ok(memrchr(b'\n', &buffer[..count]).map_or(start, |newline| start + newline as u64 + 1))
}

/// A compressed file is gone through from its beginning, line by line.
fn forwards(file: &mut LogFile, index: usize, hunts: &mut [&mut Hunt], buffer: &mut [u8]) -> io::Result<()> {
    let mut open: Vec<_> = hunts.iter_mut().collect();
    let mut offset = 0;
    loop {
        let count = file.read(buffer, offset)?;
        let Some(last) = memrchr(b'\n', &buffer[..count]) else { return Ok(()) };
        open.retain_mut(|hunt| {
            let Some(at) = hunt.finder.find(&buffer[..=last]) else { return true };
            let start = memrchr(b'\n', &buffer[..at]).map_or(0, |newline| newline + 1);
            (hunt.found, hunt.before) = (Some(Place { file: index, offset: offset + start as u64 }), 0);
            false
        });
        file.unread(&buffer[last + 1..count]);
        offset += last as u64 + 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::files::open_all;
    use super::*;

    const BASE: u64 = 1_795_355_249_000_000_000;

    fn entry(ns: u64, text: &str) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(BASE + ns)).unwrap();
        format!("{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"{time}\"}}\n")
    }

    #[test]
    fn times_are_looked_for_as_the_engine_writes_them() {
        for (ns, text) in [
            (107_036_897, "2026-11-22T13:47:29.107036897Z"),
            (120_000_000, "2026-11-22T13:47:29.12Z"),
            (123_456_780, "2026-11-22T13:47:29.12345678Z"),
            (10, "2026-11-22T13:47:29.00000001Z"),
            (0, "2026-11-22T13:47:29Z"),
        ] {
            let hunt = Hunt::new(BASE + ns).unwrap();
            assert_eq!(hunt.finder.needle(), format!("\"time\":\"{text}\"}}").as_bytes());
        }
    }

    /// Files `.2.gz`, `.1` and the one written, of 3,000 messages each whose times are even, and long parts that share
    /// a time over the end of `.1`.
    #[test]
    fn the_first_message_of_a_time_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let plain = |from: u64| (from..from + 3000).map(|ns| entry(ns * 2, "text")).collect::<String>();
        let parts = |count| entry(13_000, &"x".repeat(40_000)).repeat(count);
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(plain(0).as_bytes()).unwrap();
        std::fs::write(folder.path().join("log.2.gz"), zip.finish().unwrap()).unwrap();
        let (middle, last) = (plain(3000) + &parts(50), parts(9) + &plain(6501));
        std::fs::write(folder.path().join("log.1"), &middle).unwrap();
        std::fs::write(&path, &last).unwrap();
        let mut files = open_all(&path).unwrap();
        let mut buffer = vec![0; 100_000];
        let at = |file, text: &str, ns: u64| {
            let stamp = entry(ns, "text");
            Some(Place { file, offset: text.find(&stamp).unwrap() as u64 })
        };
        for (ns, wanted) in [
            (0, at(0, &plain(0), 0)),
            (10, at(0, &plain(0), 10)),
            (5998, at(0, &plain(0), 5998)),
            (6000, at(1, &middle, 6000)),
            (11_998, at(1, &middle, 11_998)),
            (13_000, Some(Place { file: 1, offset: plain(3000).len() as u64 })),
            (13_002, at(2, &last, 13_002)),
            (18_998, at(2, &last, 18_998)),
            (19_000, at(2, &last, 19_000)),
            (7, None),
            (20_000, None),
        ] {
            let found = find(&mut files, &[Some(BASE + ns), None], &mut buffer).unwrap();
            assert_eq!(found, [wanted, None], "{ns}");
        }
        let both = find(&mut files, &[Some(BASE + 13_002), Some(BASE + 10)], &mut buffer).unwrap();
        assert_eq!(both, [at(2, &last, 13_002), at(0, &plain(0), 10)]);
    }
}

//! The files of one container's json-file log: the one that the engine writes, and the rotated ones. Opens and reads
//! them; understands no line, and does not know how far they were read.
//!
//! ```text
//! ID-json.log         written now       at a rotation (`loggerutils/logfile.go` of the engine):
//! ID-json.log.1       the one before      .1 becomes .2 …, the file written becomes .1, a new one is made;
//! ID-json.log.2.gz    with `compress`     with `max-file=1` it is removed instead, or truncated by older engines;
//!                                         with `compress` .1 is then copied to .1.gz and removed
//! ```

use std::cmp::Reverse;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::read::MultiGzDecoder;

/// How often the list of files is made again when they are rotated meanwhile.
const ATTEMPTS: usize = 8;

/// The files of one log, oldest first. The last one is being written.
///
/// # Errors
/// When the one being written, or another, cannot be opened; when they are rotated without end.
pub fn open_all(path: &Path) -> io::Result<Vec<LogFile>> {
    for _ in 0..ATTEMPTS {
        let newest = LogFile::open(path, 0, false)?;
        let key = newest.key;
        let mut files = vec![newest];
        // A look may pass over a file that is renamed meanwhile; two do not, for a rotation renames each file once.
        let looked = open_rotated(path, &mut files).and_then(|()| open_rotated(path, &mut files));
        // A file that is gone was just renamed or compressed.
        if !matches!(&looked, Err(error) if error.kind() == io::ErrorKind::NotFound) && key_at(path)? == key {
            files.sort_by_key(|file| Reverse(file.number));
            return looked.map(|()| files);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "its files are rotated faster than they can be opened"))
}

/// What the kernel knows the file at a path by.
///
/// # Errors
/// When there is none, or it may not be looked at.
pub fn key_at(path: &Path) -> io::Result<Key> {
    path.metadata().map(|metadata| key(&metadata))
}

fn key(metadata: &Metadata) -> Key {
    (metadata.dev(), metadata.ino())
}

/// Adds those that are not among `files`.
fn open_rotated(path: &Path, files: &mut Vec<LogFile>) -> io::Result<()> {
    for (number, is_zipped) in rotated(path)? {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}{}", if is_zipped { ".gz" } else { "" }));
        let (name, is_open) = (Path::new(&name), |key: Key| files.iter().any(|one| one.key == key));
        // Opened under its name before, and renamed meanwhile.
        if is_open(key_at(name)?) {
            continue;
        }
        let file = LogFile::open(name, number, is_zipped)?;
        if !is_open(file.key) {
            files.push(file);
        }
    }
    Ok(())
}

/// Numbers of the rotated files, the youngest first, and whether they are compressed. While one is being compressed only
/// the whole one counts.
fn rotated(path: &Path) -> io::Result<Vec<(u32, bool)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?.file_name();
        let Some(rest) = entry.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()) else { continue };
        let Some(text) = std::str::from_utf8(rest).ok().and_then(|rest| rest.strip_prefix('.')) else { continue };
        let (number, is_zipped) = text.strip_suffix(".gz").map_or((text, false), |number| (number, true));
        if let Ok(number) = number.parse() {
            found.push((number, is_zipped));
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}

/// Device and inode.
pub type Key = (u64, u64);

/// One of them, held open: it can be read to its end whatever it is called later, also when it was removed.
#[derive(Debug)]
pub struct LogFile {
    /// What the kernel knows it by.
    pub key: Key,
    /// 0 is the file that the engine writes, 1 the one before.
    pub number: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Plain(File),
    Zipped(Box<Unzip>),
}

/// What a file says of itself, to tell in which order files came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// It has no name any more.
    pub is_removed: bool,
    /// It was made. Not every file system keeps it.
    pub made: Option<SystemTime>,
    /// Its name was last changed or taken away (or it was written).
    pub changed: SystemTime,
}

impl LogFile {
    fn open(path: &Path, number: u32, is_zipped: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let content = if is_zipped { Content::Zipped(Box::new(Unzip::new(file))) } else { Content::Plain(file) };
        Ok(Self { key: key(&metadata), number, content })
    }

    /// Whether it is compressed. Then it is whole, and is read forwards.
    pub const fn is_zipped(&self) -> bool {
        matches!(self.content, Content::Zipped(_))
    }

    /// Bytes in the file, as they lie on disk.
    ///
    /// # Errors
    /// The system's.
    pub fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    /// When things happened to it.
    ///
    /// # Errors
    /// The system's.
    pub fn moments(&self) -> io::Result<Moments> {
        let metadata = self.metadata()?;
        let seconds = Duration::from_secs(metadata.ctime().unsigned_abs());
        let nanos = Duration::from_nanos(metadata.ctime_nsec().unsigned_abs());
        Ok(Moments {
            is_removed: metadata.nlink() == 0,
            made: metadata.created().ok(),
            changed: SystemTime::UNIX_EPOCH + seconds + nanos,
        })
    }

    fn metadata(&self) -> io::Result<Metadata> {
        match &self.content {
            Content::Plain(file) => file.metadata(),
            Content::Zipped(unzip) => unzip.decoder.get_ref().metadata(),
        }
    }

    /// Fills `buffer` with the bytes from `offset` on, as far as there are any.
    ///
    /// # Errors
    /// The system's; those of a damaged compressed file.
    pub fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &mut self.content {
            Content::Plain(file) => {
                let mut filled = 0;
                while filled < buffer.len() {
                    match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(filled)
            }
            Content::Zipped(unzip) => unzip.read(buffer, offset),
        }
    }

    /// Takes back the last bytes of what was read, which are wanted again: a compressed file cannot go back.
    pub fn unread(&mut self, bytes: &[u8]) {
        if let Content::Zipped(unzip) = &mut self.content {
            unzip.kept.clear();
            unzip.kept.extend_from_slice(bytes);
        }
    }
}

/// A compressed file, read forwards.
#[derive(Debug)]
struct Unzip {
    decoder: MultiGzDecoder<File>,
    /// Bytes unpacked so far.
    position: u64,
    /// The last of them, which are wanted again.
    kept: Vec<u8>,
}

impl Unzip {
    fn new(file: File) -> Self {
        Self { decoder: MultiGzDecoder::new(file), position: 0, kept: Vec::new() }
    }

    fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset + (self.kept.len() as u64) < self.position {
            self.rewind()?;
        }
        let mut filled = 0;
        if offset + self.kept.len() as u64 == self.position {
            filled = self.kept.len().min(buffer.len());
            buffer[..filled].copy_from_slice(&self.kept[..filled]);
        }
        self.kept.clear();
        while self.position < offset {
            let wanted = usize::try_from(offset - self.position).unwrap_or(usize::MAX).min(buffer.len());
            if self.unpack(&mut buffer[..wanted])? == 0 {
                return Ok(0);
            }
        }
        while filled < buffer.len() {
            match self.unpack(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    fn unpack(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.decoder.read(buffer) {
                Ok(count) => {
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        let mut file = self.decoder.get_ref().try_clone()?;
        file.rewind()?;
        *self = Self::new(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read_all(file: &mut LogFile, piece: usize, keep: usize) -> String {
        let mut text = Vec::new();
        let mut buffer = vec![0; piece];
        loop {
            let count = file.read(&mut buffer, text.len() as u64).unwrap();
            let taken = if count < piece { count } else { count - keep };
            text.extend_from_slice(&buffer[..taken]);
            file.unread(&buffer[taken..count]);
            if count < piece {
                return String::from_utf8(text).unwrap();
            }
        }
    }

    #[test]
    fn the_files_of_a_log_are_found_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x-json.log");
        assert_eq!(open_all(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        for name in ["", ".1", ".2", ".10", ".1x", ".gz", "x.1"] {
            std::fs::write(folder.path().join(format!("x-json.log{name}")), name).unwrap();
        }
        for name in [".1.gz", ".3.gz"] {
            let file = File::create(folder.path().join(format!("x-json.log{name}"))).unwrap();
            let mut zip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            zip.write_all(name.as_bytes()).unwrap();
            zip.finish().unwrap();
        }
        let mut files = open_all(&path).unwrap();
        let found: Vec<_> = files.iter_mut().map(|file| (file.number, read_all(file, 100, 0))).collect();
        let wanted = [(10, ".10"), (3, ".3.gz"), (2, ".2"), (1, ".1"), (0, "")].map(|(n, text)| (n, text.to_owned()));
        assert_eq!(found, wanted);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(open_all(&path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    /// C7: as the engine rotates, from the oldest on, one name after the other.
    fn rotate(path: &Path, files: u32, text: &str) {
        let name = |number: u32| path.with_extension(format!("log.{number}"));
        (1..files).rev().for_each(|number| std::fs::rename(name(number), name(number + 1)).unwrap());
        std::fs::rename(path, name(1)).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn files_that_are_renamed_meanwhile_are_all_found() {
        const ROTATIONS: u32 = 200;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x-json.log");
        std::fs::write(&path, "0").unwrap();
        (1..ROTATIONS).for_each(|number| rotate(&path, number, &number.to_string()));
        std::thread::scope(|scope| {
            let rotating = scope.spawn(|| {
                for number in ROTATIONS..2 * ROTATIONS {
                    rotate(&path, number, &number.to_string());
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let mut times = 0;
            while !rotating.is_finished() {
                // Rotated all the time, or just between a rename and the next: that is said, and tried again.
                let Ok(mut files) = open_all(&path) else { continue };
                let numbers: Vec<u32> =
                    files.iter_mut().filter_map(|file| read_all(file, 100, 0).parse().ok()).collect();
                let gap = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]);
                assert_eq!((gap, numbers.first()), (None, Some(&0)));
                times += 1;
            }
            assert!(times > 10, "{times}");
        });
    }

    #[test]
    fn a_compressed_file_is_read_in_pieces_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.1.gz");
        let text: String = (0..5000).map(|number| format!("line {number}\n")).collect();
        let mut zip = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap();
        let mut file = LogFile::open(&path, 1, true).unwrap();
        for (piece, keep) in [(100_000, 0), (1000, 0), (1000, 999), (777, 13)] {
            assert!(read_all(&mut file, piece, keep) == text, "{piece} {keep}");
        }
        let mut buffer = [0; 6];
        for (offset, wanted) in [(7_u64, "line 1"), (0, "line 0"), (14, "line 2"), (1 << 40, "")] {
            let count = file.read(&mut buffer, offset).unwrap();
            assert_eq!(std::str::from_utf8(&buffer[..count]).unwrap(), wanted);
        }
    }
}

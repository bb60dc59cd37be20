//! Writes batches to standard output, or to a file that is rotated. Blocks; knows neither lanes nor checkpoints.
//!
//! A rotated file is called `<path>.<end>`, or `<path>.<end>.gz` when compressed, where `<end>` is the number of bytes
//! that were written up to its end, all files together, in 20 digits. So what was written after a saved checkpoint can
//! be cut away again, even when a rotation lies in between.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tracing::warn;

use super::{Config, Error};
use crate::base::batch::Batch;
use crate::base::durable;
use crate::base::fault::Fault;

/// Ends the name of a compressed file.
const GZIP: &str = ".gz";
/// Ends its name while it is being compressed.
const UNFINISHED: &str = ".unfinished";

/// Where batches are written.
#[derive(Debug)]
pub(super) enum Writer {
    /// Standard output.
    Stdout(Printed),
    /// A file.
    File(Rolling),
}

/// How much of the batch at hand is printed: after a fault it is given again, and goes on there.
#[derive(Debug, Default)]
pub(super) struct Printed {
    bytes: usize,
}

/// A file that is rotated.
#[derive(Debug)]
pub(super) struct Rolling {
    path: PathBuf,
    /// 0: never by length.
    rotate_bytes: u64,
    /// Zero: never by age.
    rotate_every: Duration,
    keep: usize,
    gzip: bool,
    /// Bytes written before the present file.
    base: u64,
    open: Option<Open>,
    /// A failed write left half a batch behind this length, which must go before anything is written.
    torn_at: Option<u64>,
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
    since: SystemTime,
}

/// A rotated file.
struct Rotated {
    end: u64,
    path: PathBuf,
}

impl Writer {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        Self::Stdout(Printed::default())
    }

    /// The file of `config`.
    pub(super) fn file(config: &Config) -> Result<Self, Vec<Fault>> {
        let Some(path) = config.path.clone().filter(|path| path.file_name().is_some()) else {
            let fault =
                Fault::new("path", "is missing").hint("for example path = \"/var/log/logferry/records.ndjson\"");
            return Err(vec![fault]);
        };
        Ok(Self::File(Rolling {
            path,
            rotate_bytes: config.rotate_bytes.0,
            rotate_every: config.rotate_every.0,
            keep: config.keep.max(1) as usize,
            gzip: config.gzip,
            base: 0,
            open: None,
            torn_at: None,
        }))
    }

    /// The file's path.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout(_) => None,
            Self::File(rolling) => Some(&rolling.path),
        }
    }

    /// Writes a whole batch. For a file: on disk when it returns, and the number of bytes written in all. After an error
    /// the same batch may be given again.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<Option<u64>, Error> {
        let inflated = if batch.gzip { Some(inflate(&batch.body)) } else { None };
        let target = self.target();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::BrokenPipe => Error::OutputClosed,
            _ => Error::Write { target: target.clone(), source },
        };
        let inflated = inflated.transpose().map_err(failed)?;
        let bytes = inflated.as_deref().unwrap_or(&batch.body);
        match self {
            Self::Stdout(printed) => printed.write(bytes).map(|()| None).map_err(failed),
            Self::File(rolling) => rolling.write(bytes).map(Some).map_err(failed),
        }
    }

    /// Cuts away what was written after the first `total` bytes.
    pub(super) fn truncate_to(&mut self, total: u64) -> Result<(), Error> {
        let target = self.target();
        match self {
            Self::Stdout(_) => Ok(()),
            Self::File(rolling) => rolling.truncate_to(total).map_err(|source| Error::Write { target, source }),
        }
    }

    /// The number of bytes written so far in all. `None` for standard output.
    pub(super) fn written(&mut self) -> Result<Option<u64>, Error> {
        let target = self.target();
        match self {
            Self::Stdout(_) => Ok(None),
            Self::File(rolling) => rolling.written().map(Some).map_err(|source| Error::Write { target, source }),
        }
    }

    fn target(&self) -> String {
        self.path().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
    }
}

impl Printed {
    /// Past the buffer that the standard library keeps: what it holds after a fault cannot be known.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        while self.bytes < bytes.len() {
            match stdout.write(&bytes[self.bytes..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.bytes += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes = 0;
        Ok(())
    }
}

impl Rolling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.rotate_if_due(bytes.len() as u64)?;
        let mut open = self.take_open()?;
        // Half a batch must not stay: it would be read again and written a second time.
        if let Err(error) = open.file.write_all(bytes).and_then(|()| open.file.sync_data()) {
            self.torn_at = open.file.set_len(open.length).is_err().then_some(open.length);
            return Err(error);
        }
        open.length += bytes.len() as u64;
        let written = self.base + open.length;
        self.open = Some(open);
        Ok(written)
    }

    fn written(&mut self) -> io::Result<u64> {
        let open = self.take_open()?;
        let written = self.base + open.length;
        self.open = Some(open);
        Ok(written)
    }

    fn take_open(&mut self) -> io::Result<Open> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        self.clear_after_kill()?;
        if let Some(last) = self.rotated()?.last() {
            self.base = self.base.max(last.end);
        }
        let file = durable::append(&self.path)?;
        if let Some(length) = self.torn_at
            && file.metadata()?.len() > length
        {
            file.set_len(length)?;
        }
        self.torn_at = None;
        let metadata = file.metadata()?;
        let since = metadata.created().or_else(|_| metadata.modified())?;
        Ok(Open { length: metadata.len(), file, since })
    }

    fn rotate_if_due(&mut self, coming: u64) -> io::Result<()> {
        let open = self.take_open()?;
        let too_long = self.rotate_bytes > 0 && open.length + coming > self.rotate_bytes;
        let too_old = !self.rotate_every.is_zero() && open.since.elapsed().is_ok_and(|age| age >= self.rotate_every);
        if open.length == 0 || !(too_long || too_old) {
            self.open = Some(open);
            return Ok(());
        }
        let end = self.base + open.length;
        let aside = self.rotated_path(end);
        fs::rename(&self.path, &aside)?;
        self.base = end;
        durable::sync_parent(&self.path)?;
        // The old ones first: on a full disk they make room for the compressed copy.
        let rotated = self.rotated()?;
        for old in &rotated[..rotated.len().saturating_sub(self.keep)] {
            fs::remove_file(&old.path)?;
        }
        if self.gzip { compress(&aside) } else { Ok(()) }
    }

    fn truncate_to(&mut self, total: u64) -> io::Result<()> {
        self.open = None;
        self.base = 0;
        self.clear_after_kill()?;
        let mut rotated = self.rotated()?;
        while let Some(last) = rotated.pop() {
            self.base = self.base.max(last.end);
            if last.end <= total {
                break;
            }
            // Rotated after the checkpoint: it becomes the present file again, what came after it goes.
            let length = put_back(&last.path, &self.path)?;
            self.base = last.end.saturating_sub(length);
        }
        let open = self.take_open()?;
        match total.checked_sub(self.base) {
            Some(length) if length < open.length => {
                open.file.set_len(length)?;
                open.file.sync_all()?;
            }
            // Somebody else moved or cut the file: counting goes on from the saved number.
            Some(length) => {
                let missing_bytes = length - open.length;
                if missing_bytes > 0 {
                    let path = self.path.display();
                    warn!(%path, missing_bytes, "the output file is shorter than what was written: lines are missing");
                }
                self.base += missing_bytes;
            }
            None => {}
        }
        Ok(())
    }

    /// Removes what a kill during compression left: an unfinished copy, or a file beside its own copy, whose lines
    /// would be there twice.
    fn clear_after_kill(&self) -> io::Result<()> {
        for path in self.siblings()? {
            let name = path.file_name().unwrap_or_default();
            let Some(rest) = self.after_own_name(name) else { continue };
            if rest.strip_suffix(UNFINISHED).is_some_and(|digits| end_of(digits).is_some()) {
                fs::remove_file(&path)?;
            } else if end_of(rest).is_some() {
                settle_twins(&path)?;
            }
        }
        Ok(())
    }

    fn rotated_path(&self, end: u64) -> PathBuf {
        with_suffix(&self.path, &format!(".{end:020}"))
    }

    /// The rotated files, oldest first.
    fn rotated(&self) -> io::Result<Vec<Rotated>> {
        let mut rotated: Vec<Rotated> = Vec::new();
        for path in self.siblings()? {
            let rest = path.file_name().and_then(|name| self.after_own_name(name));
            if let Some(end) = rest.and_then(|rest| end_of(rest.strip_suffix(GZIP).unwrap_or(rest))) {
                rotated.push(Rotated { end, path });
            }
        }
        rotated.sort_by_key(|one| one.end);
        Ok(rotated)
    }

    /// All that lies in the file's folder.
    fn siblings(&self) -> io::Result<Vec<PathBuf>> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// What follows the file's own name and a dot in `name`.
    fn after_own_name<'a>(&self, name: &'a OsStr) -> Option<&'a str> {
        let own = self.path.file_name()?.to_str()?;
        name.to_str()?.strip_prefix(own)?.strip_prefix('.')
    }
}

/// The end that a rotated file's name tells.
fn end_of(digits: &str) -> Option<u64> {
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

/// Of a rotated file and its compressed copy, removes the file if the copy is whole, else the copy.
fn settle_twins(plain: &Path) -> io::Result<()> {
    let copy = with_suffix(plain, GZIP);
    let compressed = match File::open(&copy) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let is_whole = are_equal(&mut BufReader::new(GzDecoder::new(compressed)), &mut BufReader::new(File::open(plain)?))?;
    fs::remove_file(if is_whole { plain } else { &copy })?;
    durable::sync_parent(plain)
}

/// Whether `copy` gives what `original` holds. A copy that cannot be read does not.
fn are_equal(copy: &mut impl BufRead, original: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let Ok(one) = copy.fill_buf() else { return Ok(false) };
        let other = original.fill_buf()?;
        let length = one.len().min(other.len());
        if length == 0 || one[..length] != other[..length] {
            return Ok(one.is_empty() && other.is_empty());
        }
        copy.consume(length);
        original.consume(length);
    }
}

/// Makes a rotated file the present one again, whole or not at all. Returns its length.
fn put_back(rotated: &Path, present: &Path) -> io::Result<u64> {
    if rotated.extension() != Some(OsStr::new("gz")) {
        fs::rename(rotated, present)?;
        durable::sync_parent(present)?;
        return Ok(fs::metadata(present)?.len());
    }
    let unfinished = with_suffix(present, UNFINISHED);
    let mut file = durable::create(&unfinished)?;
    let length = io::copy(&mut GzDecoder::new(File::open(rotated)?), &mut file)?;
    file.sync_all()?;
    fs::rename(&unfinished, present)?;
    durable::sync_parent(present)?;
    fs::remove_file(rotated)?;
    Ok(length)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Replaces `path` by `path.gz`.
fn compress(path: &Path) -> io::Result<()> {
    let finished = with_suffix(path, GZIP);
    let unfinished = with_suffix(path, UNFINISHED);
    let mut encoder = GzEncoder::new(durable::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&unfinished, &finished)?;
    durable::sync_parent(path)?;
    fs::remove_file(path)
}

fn inflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut inflated)?;
    Ok(inflated)
}

#[cfg(test)]
mod tests;

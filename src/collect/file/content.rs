//! The bytes of a followed file, by their place: as they lie in it, or as it unpacks. A compressed file is unpacked as
//! it is read, in bounded memory; going back costs unpacking it from its beginning again, and is rare.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt as _;

use flate2::read::MultiGzDecoder;
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};

use crate::base::identity::Unpacked;
use crate::base::source::{GUARD_BYTES, HEAD_BYTES, fingerprint};

/// Where a follower reads.
#[derive(Debug)]
pub(super) enum Content {
    /// A file as it lies there. It may grow.
    Plain(File),
    /// What a compressed file holds. It stays as it is.
    Packed(Box<Packed>),
}

impl Content {
    /// The content of an open file, which unpacks to `unpacked_len` bytes where it is compressed.
    ///
    /// # Errors
    /// As the file system gives them; what is not gzip.
    pub(super) fn new(file: File, unpacked_len: Option<u64>) -> io::Result<Self> {
        Ok(match unpacked_len {
            Some(len) => Self::Packed(Box::new(Packed::new(file, len)?)),
            None => Self::Plain(file),
        })
    }

    /// What it is like now.
    pub(super) fn look(&self) -> io::Result<Look> {
        Ok(match self {
            Self::Plain(file) => Look::of(&file.metadata()?),
            Self::Packed(packed) => Look { len: packed.len, ..Look::default() },
        })
    }

    /// The file, where it is read as it is.
    pub(super) fn plain(&self) -> Option<&File> {
        match self {
            Self::Plain(file) => Some(file),
            Self::Packed(_) => None,
        }
    }

    /// Replaces `bytes` by up to `want` bytes from `at` on; fewer only at the end.
    pub(super) fn read_up_to(&mut self, at: u64, want: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.clear();
        bytes.reserve_exact(want);
        match self {
            Self::Plain(file) => {
                while bytes.len() < want {
                    let next = at + bytes.len() as u64;
                    let count = retry_on_intr(|| pread(&*file, spare_capacity(bytes), next))?;
                    if count == 0 {
                        break;
                    }
                }
            }
            Self::Packed(packed) => bytes.extend_from_slice(packed.bytes(at, want)?),
        }
        bytes.truncate(want);
        Ok(())
    }
}

/// What a file is like, without a look at its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// Bytes in it.
    pub(super) len: u64,
    /// It has no name any more.
    pub(super) is_deleted: bool,
    /// When it was last written to, as anybody can set it, and when it last changed at all, as nobody can: seconds and
    /// nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            is_deleted: metadata.nlink() == 0,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A compressed file that is unpacked as it is read.
#[derive(Debug)]
pub(super) struct Packed {
    file: File,
    decoder: MultiGzDecoder<BufReader<File>>,
    len: u64,
    /// The first bytes, which are looked at again and again.
    head: Vec<u8>,
    /// What was unpacked last.
    window: Vec<u8>,
    /// Where `window` begins in the content.
    window_at: u64,
}

/// So much is unpacked at once.
const STEP: usize = if cfg!(test) { 16 } else { 64 << 10 };

impl Packed {
    fn new(file: File, len: u64) -> io::Result<Self> {
        let decoder = decoder(&file)?;
        let mut packed = Self { file, decoder, len, head: Vec::new(), window: Vec::new(), window_at: 0 };
        packed.head = packed.bytes(0, HEAD_BYTES)?.to_vec();
        Ok(packed)
    }

    fn bytes(&mut self, at: u64, want: usize) -> io::Result<&[u8]> {
        let want = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX).min(want);
        let end = at + want as u64;
        if end <= self.head.len() as u64 {
            return Ok(&self.head[self.head.len().min(at as usize)..end as usize]);
        }
        if at < self.window_at {
            self.decoder = decoder(&self.file)?;
            self.window.clear();
            self.window_at = 0;
        }
        while self.window_at + (self.window.len() as u64) < end {
            self.forget_before(at);
            let from = self.window.len();
            self.window.resize(from + STEP, 0);
            let count = read_full(&mut self.decoder, &mut self.window[from..])?;
            self.window.truncate(from + count);
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let from = (at - self.window_at) as usize;
        Ok(&self.window[from..from + want])
    }

    /// Keeps what is asked for, and before it what an offset's guard needs.
    fn forget_before(&mut self, at: u64) {
        let kept_from = at.saturating_sub(GUARD_BYTES as u64).max(self.window_at);
        let passed = usize::try_from(kept_from - self.window_at).unwrap_or(usize::MAX).min(self.window.len());
        self.window.drain(..passed);
        self.window_at += passed as u64;
    }
}

/// The first bytes that a gzip file holds, up to [`HEAD_BYTES`].
///
/// # Errors
/// As the file system gives them; a file that is damaged or not gzip.
pub fn unpack_head(file: &File) -> io::Result<Vec<u8>> {
    head_of(&mut decoder(file)?)
}

/// What a gzip file holds: its first bytes, those before `offset`, its length. Unpacks all of it, once.
///
/// # Errors
/// As the file system gives them; a file that is damaged or not gzip.
pub fn unpack(file: &File, offset: u64) -> io::Result<Unpacked> {
    let mut decoder = decoder(file)?;
    let head = head_of(&mut decoder)?;
    let mut last = head.clone();
    let mut len = head.len() as u64;
    let mut guard = guard_before(offset, len, &last);
    let mut step = vec![0; STEP];
    loop {
        let count = read_full(&mut decoder, &mut step)?;
        if count == 0 {
            return Ok(Unpacked { len, head, guard });
        }
        last.drain(..last.len().saturating_sub(GUARD_BYTES));
        last.extend_from_slice(&step[..count]);
        len += count as u64;
        guard = guard.or_else(|| guard_before(offset, len, &last));
    }
}

fn head_of(decoder: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let len = read_full(decoder, &mut head)?;
    head.truncate(len);
    Ok(head)
}

/// The guard before `offset`, where that lies in or at the end of `last`, which ends at `end`.
fn guard_before(offset: u64, end: u64, last: &[u8]) -> Option<u64> {
    let beyond = usize::try_from(end.checked_sub(offset)?).ok()?;
    let before = &last[..last.len().checked_sub(beyond)?];
    let wanted = usize::try_from(offset).unwrap_or(usize::MAX).min(GUARD_BYTES);
    Some(fingerprint(&before[before.len().checked_sub(wanted)?..]))
}

fn decoder(file: &File) -> io::Result<MultiGzDecoder<BufReader<File>>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(MultiGzDecoder::new(BufReader::with_capacity(STEP, file)))
}

/// Fills `bytes` as far as `input` goes.
fn read_full(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match input.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(content: &[u8], members: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        let parts =
            if content.is_empty() { vec![content] } else { content.chunks(content.len().div_ceil(members)).collect() };
        for part in parts {
            let mut encoder = GzEncoder::new(&mut file, Compression::fast());
            encoder.write_all(part).unwrap();
            encoder.finish().unwrap();
        }
        file
    }

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn packed_bytes_are_read_wherever_they_lie() {
        let content = text(2_000);
        let mut packed = Content::new(packed(&content, 3), Some(2_000)).unwrap();
        let mut bytes = Vec::new();
        for (at, want) in [
            (0, 64),
            (0, 300),
            (64, 500),
            (500, 700),
            (1_136, 100),
            (0, 64),
            (1_900, 500),
            (1_836, 64),
            (40, 400),
            (2_000, 9),
        ] {
            packed.read_up_to(at, want, &mut bytes).unwrap();
            let at = at as usize;
            assert_eq!(bytes, content[at..content.len().min(at + want)], "{want} at {at}");
        }
        let Content::Packed(packed) = packed else { panic!("plain") };
        assert!(packed.window.len() < 1_000, "{}", packed.window.len());
    }

    #[test]
    fn what_a_compressed_file_holds_is_found_out() {
        for len in [0, 1, 40, 64, 255, 256, 257, 300, 1_000] {
            let content = text(len);
            for offset in [0, 1, 40, 63, 64, 65, 250, 256, 300, 320, 330, 999, 1_000, 1_001] {
                let unpacked = unpack(&packed(&content, 2), offset).unwrap();
                assert_eq!((unpacked.len, &unpacked.head[..]), (len as u64, &content[..len.min(HEAD_BYTES)]));
                let before = content.get(..offset as usize);
                let expected = before.map(|before| fingerprint(&before[before.len().saturating_sub(GUARD_BYTES)..]));
                assert_eq!(unpacked.guard, expected, "of {len} before {offset}");
            }
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let mut torn = packed(&text(1_000), 1);
        let len = torn.seek(io::SeekFrom::End(0)).unwrap();
        torn.set_len(len - 20).unwrap();
        assert!(unpack(&torn, 10).is_err());
        let mut plain = tempfile::tempfile().unwrap();
        plain.write_all(b"a line\n").unwrap();
        assert!(unpack(&plain, 0).is_err());
    }
}

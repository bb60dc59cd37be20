//! What makes a file itself, read from the open file. Never from its path, which changes, nor the host's name.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::base::source::{HEAD_BYTES, Identity, SourceId, fingerprint};

/// What the kernel calls a file: device and inode number. Two paths of one file share it. Good while the file is
/// open; afterwards its inode may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

impl FileKey {
    /// The key of what `metadata` describes.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The identity of an open file, last known at `path`.
///
/// # Errors
/// As the file system gives them.
pub fn of(file: &File, path: &Path) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    let mut head = [0; HEAD_BYTES];
    let head_len = read_head(file, &mut head)?;
    Ok(Identity::File {
        device: metadata.dev(),
        inode: metadata.ino(),
        birth_ns: birth_ns(&metadata),
        head_len: u32::try_from(head_len).expect("at most HEAD_BYTES"),
        head: fingerprint(&head[..head_len]),
        path: path.to_string_lossy().into_owned(),
    })
}

/// When a file was made, in ns since 1970, where the file system keeps it.
#[must_use]
pub fn birth_ns(metadata: &Metadata) -> Option<u64> {
    let since = metadata.created().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// The fingerprint of the first `len` bytes (at most [`HEAD_BYTES`]), `None` where the file has fewer: what
/// [`crate::base::identity::compare`] asks for.
///
/// # Errors
/// As the file system gives them.
pub fn head_of(file: &File, len: usize) -> io::Result<Option<u64>> {
    let mut head = [0; HEAD_BYTES];
    let wanted = &mut head[..len.min(HEAD_BYTES)];
    let got = read_head(file, wanted)?;
    Ok((got == wanted.len()).then(|| fingerprint(wanted)))
}

/// Fills `head` from the first byte on as far as the file goes.
fn read_head(file: &File, head: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < head.len() {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The first line of a file, without its end, as far as it lies within [`HEAD_BYTES`]. `None`: it is not complete yet.
///
/// # Errors
/// As the file system gives them.
pub fn first_line(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD_BYTES];
    let head_len = read_head(file, &mut head)?;
    let end = memchr::memchr(b'\n', &head[..head_len]).or((head_len == HEAD_BYTES).then_some(HEAD_BYTES));
    Ok(end.map(|end| head[..end].to_vec()))
}

/// The durable id of a source seen for the first time, from facts that stay: losing the state folder mints the same
/// one again where they do.
///
/// File: the inode number, the time of birth (else the device number), the [`first_line`] and the `machine`'s id. The
/// line, because a file that was truncated keeps its birth but not its text: the same id would let a store take new
/// lines for old ones. The machine, because hosts made from one image share the rest. A file whose first line is not
/// complete at first sight has what there is of it in its id: without the state folder its lines are sent once more.
///
/// Container: its id and the stream; the engine gave that id, and its times tell one line from another.
#[must_use]
pub fn mint(identity: &Identity, first_line: Option<&[u8]>, machine: &str) -> SourceId {
    let mut facts = Vec::with_capacity(128);
    match identity {
        Identity::File { device, inode, birth_ns, head, .. } => {
            let (tag, born) = birth_ns.map_or((b"file\0disk", *device), |birth_ns| (b"file\0born", birth_ns));
            facts.extend_from_slice(tag);
            facts.extend_from_slice(&inode.to_le_bytes());
            facts.extend_from_slice(&born.to_le_bytes());
            facts.extend_from_slice(&first_line.map_or(*head, fingerprint).to_le_bytes());
            facts.extend_from_slice(machine.as_bytes());
        }
        Identity::Docker { container, stream, .. } => {
            facts.extend_from_slice(b"docker\0");
            facts.extend_from_slice(container.as_bytes());
            facts.extend_from_slice(stream.name().as_bytes());
        }
        Identity::Stdin { began_ns } => {
            facts.extend_from_slice(b"stdin\0");
            facts.extend_from_slice(&began_ns.to_le_bytes());
            facts.extend_from_slice(machine.as_bytes());
        }
    }
    SourceId::new(fingerprint(&facts))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::base::source::Stream;

    fn identity(path: &Path) -> Identity {
        of(&File::open(path).unwrap(), path).unwrap()
    }

    fn minted(path: &Path) -> SourceId {
        let line = first_line(&File::open(path).unwrap()).unwrap();
        mint(&identity(path), line.as_deref(), "m")
    }

    #[test]
    fn a_file_keeps_its_id_over_growth_and_rename_and_shares_it_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, moved] = ["one", "two", "moved"].map(|name| folder.path().join(name));
        fs::write(&one, "time,level\n").unwrap();
        fs::write(&two, "time,level\n").unwrap();
        let id = minted(&one);
        assert_ne!(id, minted(&two), "equal headers");

        fs::write(&one, "time,level\n1,INFO\n").unwrap();
        fs::rename(&one, &moved).unwrap();
        let Identity::File { head_len, path, .. } = identity(&moved) else { panic!("not a file") };
        assert_eq!((head_len, path), (18, moved.display().to_string()));
        assert_eq!(id, minted(&moved));
    }

    #[test]
    fn a_truncated_file_gets_another_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let long = |text: &str| text.repeat(HEAD_BYTES);
        for (first, second) in
            [("1 a\n".to_owned(), "2 a\n".to_owned()), (long("a"), long("b")), (String::new(), "2 a\n".to_owned())]
        {
            // Truncates: the inode and its birth stay.
            fs::write(&path, &first).unwrap();
            let id = minted(&path);
            fs::write(&path, &second).unwrap();
            assert_ne!(id, minted(&path), "{first:?} then {second:?}");
        }
    }

    #[test]
    fn ids_come_from_facts_that_stay() {
        let file = |device, inode, birth_ns, head, path: &str| Identity::File {
            device,
            inode,
            birth_ns,
            head_len: 1,
            head,
            path: path.into(),
        };
        let line = Some(&b"line"[..]);
        let born = file(1, 2, Some(3), 4, "/a");
        let id = mint(&born, line, "m");
        assert_eq!(id, mint(&file(9, 2, Some(3), 9, "/b"), line, "m"), "device, head and path do not count");
        let unborn = mint(&file(1, 2, None, 4, "/a"), line, "m");
        assert_eq!(unborn, mint(&file(1, 2, None, 9, "/b"), line, "m"), "without a birth the device does");
        for (name, known, other) in [
            ("inode", id, mint(&file(1, 9, Some(3), 4, "/a"), line, "m")),
            ("birth", id, mint(&file(1, 2, Some(9), 4, "/a"), line, "m")),
            ("first line", id, mint(&born, Some(b"other"), "m")),
            ("machine", id, mint(&born, line, "n")),
            ("no machine", id, mint(&born, line, "")),
            ("device", unborn, mint(&file(9, 2, None, 4, "/a"), line, "m")),
            ("head", mint(&born, None, "m"), mint(&file(1, 2, Some(3), 9, "/a"), None, "m")),
            (
                "run",
                mint(&Identity::Stdin { began_ns: 1 }, None, "m"),
                mint(&Identity::Stdin { began_ns: 2 }, None, "m"),
            ),
        ] {
            assert_ne!(known, other, "{name}");
        }
    }

    /// Documents in stores carry them: a change of how they are made sends everything again where state was lost.
    #[test]
    fn ids_are_made_as_ever() {
        let stream = |stream, name: &str| Identity::Docker { container: "c".into(), stream, name: name.into() };
        let [out, err] = [Stream::Stdout, Stream::Stderr].map(|one| mint(&stream(one, "n"), None, "m"));
        assert_ne!(out, err);
        assert_eq!(out, mint(&stream(Stream::Stdout, "renamed"), None, "n"), "neither name nor machine count");
        let file = Identity::File { device: 1, inode: 2, birth_ns: Some(3), head_len: 1, head: 4, path: String::new() };
        let ids = [out, mint(&file, Some(b"line"), "m"), mint(&Identity::Stdin { began_ns: 1 }, None, "m")];
        assert_eq!(ids.map(|id| id.to_string()), ["krknep7hbj", "vui5jp0dqc", "pcalrm9iur"]);
    }

    #[test]
    fn a_first_line_is_one_that_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let long = vec![b'x'; HEAD_BYTES];
        let longer = [&long[..], b"y\n"].concat();
        for (content, line) in [
            (&b""[..], None),
            (b"half", None),
            (b"\n", Some(&b""[..])),
            (b"one\ntwo\n", Some(b"one")),
            (&long[1..], None),
            (&long, Some(&long)),
            (&longer, Some(&long)),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(first_line(&File::open(&path).unwrap()).unwrap().as_deref(), line);
        }
    }

    #[test]
    fn a_head_is_hashed_only_where_the_file_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, [b'x'; 300]).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(head_of(&file, 10).unwrap(), Some(fingerprint(&[b'x'; 10])));
        assert_eq!(head_of(&file, HEAD_BYTES).unwrap(), Some(fingerprint(&[b'x'; HEAD_BYTES])));
        fs::write(&path, "xx").unwrap();
        assert_eq!(head_of(&file, 3).unwrap(), None);
    }
}

//! What makes a file itself, read from the open file. Never from its path, which changes, nor the host's name.

use std::fs::File;
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
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The identity of an open file, last known at `path`.
///
/// # Errors
/// As the file system gives them.
pub fn of(file: &File, path: &Path) -> io::Result<Identity> {
    let metadata = file.metadata()?;
    let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut head = [0; HEAD_BYTES];
    let head_len = read_head(file, &mut head)?;
    Ok(Identity::File {
        device: metadata.dev(),
        inode: metadata.ino(),
        birth_ns: birth.and_then(|since| u64::try_from(since.as_nanos()).ok()),
        head_len: u32::try_from(head_len).expect("at most HEAD_BYTES"),
        head: fingerprint(&head[..head_len]),
        path: path.to_string_lossy().into_owned(),
    })
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

/// The durable id of a source seen for the first time, from facts that stay: losing the state folder mints the same
/// one again, where the file system keeps a time of birth. Elsewhere the head as it is now stands in for it.
#[must_use]
pub fn mint(identity: &Identity) -> SourceId {
    let mut facts = Vec::with_capacity(96);
    match identity {
        Identity::File { inode, birth_ns: Some(birth_ns), .. } => {
            facts.extend_from_slice(b"file\0born");
            facts.extend_from_slice(&inode.to_le_bytes());
            facts.extend_from_slice(&birth_ns.to_le_bytes());
        }
        Identity::File { device, inode, birth_ns: None, head, .. } => {
            facts.extend_from_slice(b"file\0head");
            facts.extend_from_slice(&device.to_le_bytes());
            facts.extend_from_slice(&inode.to_le_bytes());
            facts.extend_from_slice(&head.to_le_bytes());
        }
        Identity::Docker { container, stream, .. } => {
            facts.extend_from_slice(b"docker\0");
            facts.extend_from_slice(container.as_bytes());
            facts.extend_from_slice(stream.name().as_bytes());
        }
        Identity::Stdin { began_ns } => {
            facts.extend_from_slice(b"stdin\0");
            facts.extend_from_slice(&began_ns.to_le_bytes());
        }
    }
    SourceId::new(fingerprint(&facts))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn identity(path: &Path) -> Identity {
        of(&File::open(path).unwrap(), path).unwrap()
    }

    #[test]
    fn a_file_keeps_its_id_over_growth_and_rename_and_shares_it_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, moved] = ["one", "two", "moved"].map(|name| folder.path().join(name));
        fs::write(&one, "time,level\n").unwrap();
        fs::write(&two, "time,level\n").unwrap();
        let id = mint(&identity(&one));
        assert_ne!(id, mint(&identity(&two)), "equal headers");

        fs::write(&one, "time,level\n1,INFO\n").unwrap();
        fs::rename(&one, &moved).unwrap();
        let Identity::File { birth_ns, head_len, path, .. } = identity(&moved) else { panic!("not a file") };
        assert_eq!((head_len, path), (18, moved.display().to_string()));
        if birth_ns.is_some() {
            assert_eq!(id, mint(&identity(&moved)));
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
        let id = mint(&file(1, 2, Some(3), 4, "/a"));
        assert_eq!(id, mint(&file(9, 2, Some(3), 9, "/b")), "device, head and path do not count");
        assert_ne!(id, mint(&file(1, 2, Some(4), 4, "/a")), "an inode used again");
        let unborn = mint(&file(1, 2, None, 4, "/a"));
        assert_eq!(unborn, mint(&file(1, 2, None, 4, "/b")));
        for other in [file(2, 2, None, 4, "/a"), file(1, 3, None, 4, "/a"), file(1, 2, None, 5, "/a")] {
            assert_ne!(unborn, mint(&other));
        }
        assert_ne!(mint(&Identity::Stdin { began_ns: 1 }), mint(&Identity::Stdin { began_ns: 2 }));
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

//! Which files are the agent's own, and so never read: what it writes, and where its messages go. Told by paths and by
//! the files that are open as its standard output and error; opens nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use tracing::info;

use crate::collect::identity::FileKey;

/// The agent's own files.
#[derive(Debug)]
pub(super) struct Own {
    /// Folders, and files with those that are made of them: `out.ndjson` also means `out.ndjson.1.gz`.
    paths: Vec<PathBuf>,
    /// The regular files that are its standard output and error.
    streams: BTreeSet<FileKey>,
    /// Those of them that were met.
    told: BTreeSet<FileKey>,
}

impl Own {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let paths = paths.iter().map(|path| canonical(path)).collect();
        Self { paths, streams: streams(), told: BTreeSet::new() }
    }

    /// Whether the file at `path` is one. The first time that it is a stream, that is said.
    pub(super) fn has(&mut self, key: FileKey, path: &Path) -> bool {
        if self.streams.contains(&key) {
            if self.told.insert(key) {
                info!("{} is where the agent's own output or messages go; it is not read", path.display());
            }
            return true;
        }
        let path = canonical(path);
        self.paths.iter().any(|own| path.starts_with(own) || is_made_of(own, &path))
    }
}

fn streams() -> BTreeSet<FileKey> {
    let key = |stream: BorrowedFd<'_>| {
        let metadata = File::from(stream.try_clone_to_owned().ok()?).metadata().ok()?;
        metadata.is_file().then(|| FileKey::of(&metadata))
    };
    [key(io::stdout().as_fd()), key(io::stderr().as_fd())].into_iter().flatten().collect()
}

/// Whether `path` is named as what is made of `own` when it is rotated: its name with a dot and more.
fn is_made_of(own: &Path, path: &Path) -> bool {
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(own.as_os_str().as_encoded_bytes());
    rest.is_some_and(|rest| rest.starts_with(b".")) && path.parent() == own.parent()
}

/// The path without symbolic links, as far as it exists.
fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => canonical(parent).join(name),
        _ => absolute,
    }
}

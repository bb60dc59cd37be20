//! Why a queue cannot be used. Does not say what follows from it: that is its caller's to decide.

use std::io;
use std::path::{Path, PathBuf};

/// Why a queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file in it.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that this version cannot read.
    #[error("cannot read {}: it was written by a newer agent (layout {version})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
}

impl Error {
    /// What went wrong with `path`, to be told what the file system said.
    pub(super) fn io(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { verb, path: path.to_owned(), source }
    }
}

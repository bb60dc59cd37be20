//! The position file: up to where frames are settled, and a checkpoint covers them. Replaced whole; knows no frames.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::head::{self, Head};
use crate::base::durable;

const MAGIC: [u8; 8] = *b"lf-place";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The number of the oldest frame that may still be needed.
    At(u64),
    /// There is none yet.
    Absent,
    /// It cannot be trusted: all frames that are there may still be needed.
    Damaged,
}

/// Reads the position.
///
/// # Errors
/// As the file system gives them; when it is of a newer format.
pub fn read(folder: &Path) -> Result<Position, Error> {
    let path = path(folder);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Position::Absent),
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    match head::decode(MAGIC, &bytes) {
        Head::Good(number) => Ok(Position::At(number)),
        Head::Newer(version) => Err(Error::Newer { path, version }),
        Head::Damaged => Ok(Position::Damaged),
    }
}

/// Saves the position, durable when it returns.
///
/// # Errors
/// As the file system gives them; the old one then still holds.
pub fn save(folder: &Path, number: u64) -> Result<(), Error> {
    let path = path(folder);
    durable::replace(&path, &head::encode(MAGIC, number)).map_err(Error::io("write", &path))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("position")
}

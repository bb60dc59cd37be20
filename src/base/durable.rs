//! The only way state reaches disk: write aside, sync, rename, sync the folder. Knows no format.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failpoint;

/// Replaces the file at `path` by `bytes`, whole or not at all, also over a loss of power. Readable by its owner only.
///
/// # Errors
/// As the file system gives them; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = create(&aside)?;
    file.write_all(bytes)?;
    failpoint::hit("aside");
    file.sync_all()?;
    failpoint::hit("fsynced");
    fs::rename(&aside, path)?;
    failpoint::hit("renamed");
    sync_parent(path)
}

/// Opens a file for appending, made if absent, its name durable. Readable by its owner only.
///
/// # Errors
/// As the file system gives them.
pub fn append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    sync_parent(path)?;
    Ok(file)
}

/// Makes a file, emptied if it is there. Readable by its owner only.
///
/// # Errors
/// As the file system gives them.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes the names in the folder of `path` durable.
///
/// # Errors
/// As the file system gives them.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replacing_leaves_only_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

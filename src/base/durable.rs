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

/// Makes a folder, and those above it that are not there, their names durable.
///
/// # Errors
/// As the file system gives them; not when the folder is there.
pub fn create_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Err(error), create_folder)?;
            fs::create_dir(path)?;
            sync_parent(path)
        }
        // Whoever made it may have died before its name was durable. Where the folder above cannot be read, it was not
        // made by an agent like this one.
        Err(_) if path.is_dir() => match sync_parent(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        },
        made => made.and_then(|()| sync_parent(path)),
    }
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
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_made_with_those_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        for _ in 0..2 {
            create_folder(&path).unwrap();
            assert!(path.is_dir());
        }
        fs::write(path.join("file"), "").unwrap();
        assert!(create_folder(&path.join("file")).is_err());
        assert!(create_folder(&path.join("file/d")).is_err());
    }

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

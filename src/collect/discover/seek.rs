//! Looks for files that were followed and that no glob leads to any more: those that were renamed, or compressed, while
//! nobody looked. Only in the folder in which each was first seen; does not decide what their absence means.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::{Found, is_packed, open_one};
use crate::base::identity::{Absent, Holding, Likeness, compare, holding, may_hold};
use crate::base::source::Identity;
use crate::collect::file::{unpack, unpack_head};
use crate::collect::identity::{self, FileKey};

/// What became of a file that was missing.
#[derive(Debug)]
pub enum Whereabouts {
    /// It has another name, or was compressed: here is the rest of it.
    Found(Box<Found>),
    /// It lies at its path, where the globs do not want it any more, or where it cannot be read.
    Kept,
    /// It was compressed, and had been read to its end before.
    Over,
    /// It is not there.
    Nowhere,
    /// It could not be looked for now.
    Unknown(io::Error),
}

/// A name in a folder.
struct Name {
    path: PathBuf,
    metadata: Metadata,
}

/// Looks for each of `absent`. Each folder is read once; a compressed file is taken for one of them only, first for the
/// one of which most was read: that says most of what it must hold.
#[must_use]
pub fn seek(mut absent: Vec<Absent>) -> Vec<(Absent, Whereabouts)> {
    absent.sort_by_key(|one| std::cmp::Reverse(one.offset));
    let mut folders = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut seek_one = |one: &Absent| {
        let Identity::File { path, .. } = &one.identity else { return Whereabouts::Kept };
        let path = Path::new(path);
        let folder = path.parent().unwrap_or(Path::new("/"));
        let entries = match folders.entry(folder.to_owned()) {
            Occupied(entries) => entries.into_mut(),
            Vacant(place) => match list(folder) {
                Ok(entries) => place.insert(entries),
                Err(error) => return Whereabouts::Unknown(error),
            },
        };
        find(one, path, entries, &mut taken).unwrap_or_else(Whereabouts::Unknown)
    };
    absent.into_iter().map(|one| (one.clone(), seek_one(&one))).collect()
}

/// The regular files in a folder; none where it is gone.
fn list(folder: &Path) -> io::Result<Vec<Name>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Gone in this moment, if it cannot be asked.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            found.push(Name { path: entry.path(), metadata });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// By its inode, else by its content.
fn find(one: &Absent, path: &Path, entries: &[Name], taken: &mut BTreeSet<PathBuf>) -> io::Result<Whereabouts> {
    let Identity::File { inode, birth_ns, .. } = &one.identity else { return Ok(Whereabouts::Kept) };
    // An inode may be another's by now.
    let is_it = |entry: &&Name| {
        FileKey::of(&entry.metadata).inode == *inode
            && identity::birth_ns(&entry.metadata).zip(*birth_ns).is_none_or(|(seen, known)| seen == known)
    };
    if let Some(entry) = entries.iter().find(is_it) {
        if entry.path == path {
            return Ok(Whereabouts::Kept);
        }
        if let Some(found) = renamed(one, path, &entry.path)? {
            return Ok(Whereabouts::Found(Box::new(found)));
        }
    }
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    for entry in entries.iter().filter(|entry| is_packed(&entry.path) && !taken.contains(&entry.path)) {
        let name = entry.path.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.starts_with(stem) {
            continue;
        }
        if let Some(sought) = compressed(one, path, &entry.path)? {
            taken.insert(entry.path.clone());
            return Ok(sought);
        }
    }
    Ok(Whereabouts::Nowhere)
}

/// The file under a new name, if it is it. It is followed under its old path, where it is no longer: so it is let go
/// when its writer has gone on to another.
fn renamed(one: &Absent, path: &Path, now_at: &Path) -> io::Result<Option<Found>> {
    let file = open_one(now_at)?;
    let seen = identity::of(&file, path)?;
    let len = file.metadata()?.len();
    let likeness = compare(&one.identity, &seen, len, one.offset, |len| identity::head_of(&file, len).ok().flatten());
    Ok((likeness == Likeness::Same).then(|| found(one, path, file, seen, None)))
}

/// The file as it was compressed, if it is it. One that is damaged is none.
fn compressed(one: &Absent, path: &Path, packed_at: &Path) -> io::Result<Option<Whereabouts>> {
    let file = open_one(packed_at)?;
    // Most are of other content, which their beginning tells: only the others are unpacked whole.
    let unpacked = unpack_head(&file).and_then(|head| {
        let may_hold = may_hold(&one.identity, &head);
        may_hold.then(|| unpack(&file, one.offset)).transpose()
    });
    let unpacked = match unpacked {
        Ok(Some(unpacked)) => unpacked,
        Ok(None) => return Ok(None),
        Err(error) => {
            warn!("cannot unpack {}: {error}; it is looked at again at the next start", packed_at.display());
            return Ok(None);
        }
    };
    Ok(match holding(one, &unpacked) {
        Holding::Nothing => None,
        Holding::NoMore => Some(Whereabouts::Over),
        Holding::Rest => {
            let found = found(one, path, file, one.identity.clone(), Some(unpacked.len));
            Some(Whereabouts::Found(Box::new(found)))
        }
    })
}

fn found(one: &Absent, path: &Path, file: fs::File, identity: Identity, unpacked_len: Option<u64>) -> Found {
    Found { source_name: one.name.as_str().into(), path: path.to_owned(), file, identity, begin: 0, unpacked_len }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::base::source::{SourceId, fingerprint};

    const READ: &str = "header\none\n";
    const MORE: &str = "header\none\ntwo\n";

    /// A folder in which `app.log` was read up to its end.
    struct Scene {
        folder: tempfile::TempDir,
        absent: Absent,
    }

    impl Scene {
        fn new(content: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("app.log");
            fs::write(&path, content).unwrap();
            let absent = known(&path, content);
            Self { folder, absent }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn compress(&self, name: &str, content: &str) {
            let mut encoder = GzEncoder::new(fs::File::create(self.path(name)).unwrap(), Compression::fast());
            encoder.write_all(content.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }

        /// What is found: how, and to which length.
        fn seek(&self) -> (&'static str, u64) {
            let (_, whereabouts) = seek(vec![self.absent.clone()]).remove(0);
            shown(&whereabouts)
        }
    }

    fn known(path: &Path, content: &str) -> Absent {
        let identity = identity::of(&fs::File::open(path).unwrap(), path).unwrap();
        let offset = content.len() as u64;
        let tail = &content.as_bytes()[content.len().saturating_sub(crate::base::source::GUARD_BYTES)..];
        Absent { id: SourceId::new(offset), name: "app".to_owned(), identity, offset, guard: fingerprint(tail) }
    }

    fn shown(whereabouts: &Whereabouts) -> (&'static str, u64) {
        match whereabouts {
            Whereabouts::Found(found) => {
                (if found.unpacked_len.is_some() { "compressed" } else { "renamed" }, found.size())
            }
            Whereabouts::Kept => ("kept", 0),
            Whereabouts::Over => ("over", 0),
            Whereabouts::Nowhere => ("nowhere", 0),
            Whereabouts::Unknown(_) => ("unknown", 0),
        }
    }

    /// A13, and its kin.
    #[test]
    fn a_file_is_found_where_it_went() {
        /// Name, what happened, and what is found.
        type Row = (&'static str, fn(&Scene), (&'static str, u64));
        let rows: [Row; 13] = [
            ("still there", |_| (), ("kept", 0)),
            ("removed", |scene| fs::remove_file(scene.path("app.log")).unwrap(), ("nowhere", 0)),
            ("renamed", |scene| fs::rename(scene.path("app.log"), scene.path("app.log.1")).unwrap(), ("renamed", 11)),
            (
                "renamed, grown, and made anew",
                |scene| {
                    fs::rename(scene.path("app.log"), scene.path("old")).unwrap();
                    fs::write(scene.path("old"), MORE).unwrap();
                    fs::write(scene.path("app.log"), READ).unwrap();
                },
                ("renamed", 15),
            ),
            (
                "renamed and truncated",
                |scene| {
                    fs::rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
                    fs::write(scene.path("app.log.1"), "other").unwrap();
                },
                ("nowhere", 0),
            ),
            (
                "compressed, its inode used again at its path",
                |scene| {
                    gone(scene, "app.log.1.gz", MORE);
                    // File systems give a freed number out again at once, or never.
                    fs::write(scene.path("app.log"), READ).unwrap();
                },
                ("compressed", 15),
            ),
            ("compressed, grown", |scene| gone(scene, "app.log.1.gz", MORE), ("compressed", 15)),
            ("compressed, dated", |scene| gone(scene, "app.log-20261125.gz", MORE), ("compressed", 15)),
            (
                "compressed, dated before its ending",
                |scene| gone(scene, "app-20261125.log.gz", MORE),
                ("compressed", 15),
            ),
            ("compressed, read before", |scene| gone(scene, "app.log.1.gz", READ), ("over", 0)),
            ("compressed, another's", |scene| gone(scene, "app.log.1.gz", "header\nsix\ntwo\n"), ("nowhere", 0)),
            ("compressed, of another name", |scene| gone(scene, "web.log.1.gz", MORE), ("nowhere", 0)),
            (
                "damaged",
                |scene| {
                    gone(scene, "app.log.1.gz", MORE);
                    let file = fs::File::options().write(true).open(scene.path("app.log.1.gz")).unwrap();
                    file.set_len(file.metadata().unwrap().len() - 9).unwrap();
                },
                ("nowhere", 0),
            ),
        ];
        for (name, happen, expected) in rows {
            let scene = Scene::new(READ);
            happen(&scene);
            assert_eq!(scene.seek(), expected, "{name}");
        }
    }

    fn gone(scene: &Scene, name: &str, content: &str) {
        fs::remove_file(scene.path("app.log")).unwrap();
        scene.compress(name, content);
    }

    #[test]
    fn a_folder_that_is_gone_has_nothing_and_one_that_cannot_be_read_is_tried_again() {
        let scene = Scene::new(READ);
        fs::remove_dir_all(scene.folder.path()).unwrap();
        assert_eq!(scene.seek(), ("nowhere", 0));
        fs::write(scene.folder.path(), "a file").unwrap();
        assert_eq!(scene.seek(), ("unknown", 0));
        fs::remove_file(scene.folder.path()).unwrap();
        fs::create_dir(scene.folder.path()).unwrap();
    }

    /// A9: two files begin alike, and both were compressed; each has its own rest.
    #[test]
    fn a_compressed_file_is_taken_for_one_only() {
        let scene = Scene::new("header\n");
        let mut absent = vec![scene.absent.clone()];
        let other = scene.path("app.log.1");
        fs::write(&other, READ).unwrap();
        absent.push(known(&other, READ));
        fs::remove_file(other).unwrap();
        gone(&scene, "app.log.1.gz", "header\nsix\n");
        scene.compress("app.log.0.gz", MORE);
        let found: Vec<_> = seek(absent).iter().map(|(one, where_now)| (one.offset, shown(where_now).1)).collect();
        assert_eq!(found, [(11, 15), (7, 11)]);
    }
}

//! Records that a store will never take, kept on disk with the store's reason. Never sends them, never deletes them.
//!
//! One file an output, `parked/<output>.ndjson` in the state folder, one JSON object a line:
//! `{"id":…,"output":…,"source":…,"time_ms":…,"reason":…,"document":…}`. A record that is refused again after a crash
//! has a second line with the same id.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::base::durable;

/// A record to be set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRecord {
    /// What tells it from all others of its output: the document id; for Loki the time in ns in its stream, or the
    /// place in its source where it was never sent.
    pub id: String,
    /// The `[source.NAME]` that it comes from.
    pub source: String,
    /// The store's words, cut short.
    pub reason: String,
    /// The masked document, as it was sent.
    pub document: Vec<u8>,
}

/// Why nothing more can be set aside.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be made.
    #[error("cannot make the folder {path}: {source}")]
    Folder {
        /// Of the folder.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write refused records to {path}: {source}")]
    Write {
        /// Of the file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file is as large as is allowed.
    #[error("cannot write refused records to {path}: it has reached parked_bytes")]
    Full {
        /// Of the file.
        path: PathBuf,
    },
}

/// The parked records of one output.
#[derive(Debug)]
pub(super) struct Parked {
    output: String,
    path: PathBuf,
    limit: u64,
    file: Mutex<Option<File>>,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    output: &'a str,
    source: &'a str,
    time_ms: i64,
    reason: &'a str,
    document: Document<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Document<'a> {
    Json(&'a RawValue),
    Text(String),
}

impl Parked {
    /// The store of `output` below `state_dir`, at most `limit` bytes. Touches no disk before the first record.
    pub(super) fn new(output: &str, state_dir: &Path, limit: u64) -> Self {
        let path = state_dir.join("parked").join(format!("{output}.ndjson"));
        Self { output: output.to_owned(), path, limit, file: Mutex::default() }
    }

    /// Writes records down, durable when it returns. All of them or, after an error, perhaps some: they may be given
    /// again.
    pub(super) fn append(&self, refused: &[ParkedRecord], now_ms: i64) -> Result<(), Error> {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match open.as_mut() {
            Some(file) => file,
            None => open.insert(self.open()?),
        };
        let mut lines = Vec::new();
        for one in refused {
            self.render(one, now_ms, &mut lines);
        }
        let cannot_write = |source| Error::Write { path: self.path.clone(), source };
        let before = file.metadata().map_err(cannot_write)?.len();
        if before + lines.len() as u64 > self.limit {
            return Err(Error::Full { path: self.path.clone() });
        }
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // A torn line must not begin the next record's.
            let _ = file.set_len(before);
            return Err(cannot_write(error));
        }
        Ok(())
    }

    fn open(&self) -> Result<File, Error> {
        let folder = self.path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        let cannot_write = |source| Error::Write { path: self.path.clone(), source };
        durable::sync_parent(folder).map_err(cannot_write)?;
        let file = durable::append(&self.path).map_err(cannot_write)?;
        cut_torn_line(&self.path, &file).map_err(cannot_write)?;
        Ok(file)
    }

    fn render(&self, refused: &ParkedRecord, now_ms: i64, lines: &mut Vec<u8>) {
        let document = match serde_json::from_slice(&refused.document) {
            Ok(raw) => Document::Json(raw),
            Err(_) => Document::Text(String::from_utf8_lossy(&refused.document).into_owned()),
        };
        let line = Line {
            id: &refused.id,
            output: &self.output,
            source: &refused.source,
            time_ms: now_ms,
            reason: &refused.reason,
            document,
        };
        serde_json::to_writer(&mut *lines, &line).expect("strings and raw JSON always serialise into memory");
        lines.push(b'\n');
    }
}

/// A loss of power may leave half a line at the end; it was not counted, so its record comes again.
fn cut_torn_line(path: &Path, file: &File) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(id: &str, document: &str) -> ParkedRecord {
        ParkedRecord { id: id.into(), source: "app".into(), reason: "too \"odd\"".into(), document: document.into() }
    }

    #[test]
    fn records_are_kept_whole_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let parked = Parked::new("store", folder.path(), 300);
        parked.append(&[refused("1", r#"{"a":1.50}"#), refused("2", "not json")], 7).unwrap();
        let path = folder.path().join("parked/store.ndjson");
        let expected = concat!(
            r#"{"id":"1","output":"store","source":"app","time_ms":7,"reason":"too \"odd\"","document":{"a":1.50}}"#,
            "\n",
            r#"{"id":"2","output":"store","source":"app","time_ms":7,"reason":"too \"odd\"","document":"not json"}"#,
            "\n",
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert!(matches!(parked.append(&[refused("3", &"x".repeat(200))], 7), Err(Error::Full { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn a_torn_last_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parked/store.ndjson");
        fs::create_dir(folder.path().join("parked")).unwrap();
        fs::write(&path, "{}\n{\"id\":\"ha").unwrap();
        Parked::new("store", folder.path(), 1000).append(&[refused("1", "{}")], 7).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("{}\n{\"id\":\"1\""), "{text}");
    }
}

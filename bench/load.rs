//! The lines that are shipped: whole files of them, made once for all rounds, and single ones. Each has a number of its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::generate::Generator;
use crate::harness::{Ground, append, now_ms};

/// Of all lines: each run has a store of its own.
pub const LABEL: &str = "bench";
/// Lines of the sort [`Sort::Json`] are so long, their end included.
const JSON_BYTES: usize = 1000;
/// So many are read side by side.
const FILES: usize = 2;

/// What lines are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Half JSON records with an e-mail address, half text of common systems.
    Mixed,
    /// JSON records of 1,000 bytes with an e-mail address.
    Json,
}

/// Files that wait to be shipped.
pub struct Load {
    pub sort: Sort,
    pub files: Vec<PathBuf>,
    pub lines: u64,
    /// Removed with all in it when this is dropped.
    _folder: TempDir,
}

impl Load {
    /// So many bytes, and a little more.
    pub fn make(sort: Sort, bytes: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("lf-bench.").tempdir().unwrap();
        let files: Vec<PathBuf> = (0..FILES).map(|number| folder.path().join(format!("{number}.log"))).collect();
        let (mut lines, mut written) = (0, 0);
        for (number, path) in (1..).zip(&files) {
            (lines, written) = write(path, sort, lines, written, bytes * number / FILES as u64);
        }
        Self { sort, files, lines, _folder: folder }
    }

    /// Puts them among the logs of a run, which must not write to them.
    pub fn lay_out(&self, ground: &Ground) {
        for file in &self.files {
            std::fs::hard_link(file, ground.log(file.file_name().unwrap().to_str().unwrap())).unwrap();
        }
    }
}

/// Writes lines from number `line` on until there are `until` bytes in all; how many of both there are then.
fn write(path: &Path, sort: Sort, mut line: u64, mut bytes: u64, until: u64) -> (u64, u64) {
    let generator = generator();
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut text = String::new();
    while bytes < until {
        text.clear();
        match sort {
            Sort::Mixed => generator.line(line, &mut text),
            Sort::Json => long_record(&generator, line, &mut text),
        }
        text.push('\n');
        file.write_all(text.as_bytes()).unwrap();
        (line, bytes) = (line + 1, bytes + text.len() as u64);
    }
    file.flush().unwrap();
    (line, bytes)
}

/// A record of the generator's with more fields: paths, counts and identifiers, as services write them.
fn long_record(generator: &Generator, number: u64, text: &mut String) {
    generator.json(number, text);
    text.pop();
    for field in 0.. {
        let more = format!(
            r#","attribute_{field}":"/api/v1/orders/{}?page={field}","span_{field}":"{:016x}""#,
            number % 90_000,
            xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), field)
        );
        if text.len() + more.len() + r#","fill":""}"#.len() >= JSON_BYTES {
            break;
        }
        text.push_str(&more);
    }
    let left = JSON_BYTES - 1 - text.len() - r#","fill":""}"#.len();
    text.push_str(&format!(r#","fill":"{:.left$}"}}"#, "of no more than a few words and then some ".repeat(4)));
}

/// Appends mixed line `number` to a file.
pub fn add(path: &Path, number: u64) {
    let mut text = String::new();
    generator().line(number, &mut text);
    text.push('\n');
    append(path, &text);
}

/// Its lines are of the last half hour or so: no store would refuse them for their age.
fn generator() -> Generator {
    Generator { seed: 1, label: LABEL.to_owned(), first_ms: now_ms() - 2_000_000 }
}

//! Through the door: a folder, a file in it, and what a follower makes of it.

mod change;
mod content;
mod random;
mod resume;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::base::source::{Note, SourceId};

/// Small, so that edges come often.
const SETTINGS: Settings =
    Settings { max_line: 100, chunk_bytes: 64, unfinished_after_ms: 5_000, gone_after_ms: 10_000, once: false };

/// One line as it came: generation, position, text, cut.
type Seen = (u32, u64, u32, String, bool);

/// A followed file in a folder of its own, and a clock.
struct Scene {
    folder: tempfile::TempDir,
    follower: Option<Follower>,
    spare: Spare,
    now_ms: i64,
}

impl Scene {
    fn new(content: impl AsRef<[u8]>) -> Self {
        Self::with(content, SETTINGS, &first_sight(), 0)
    }

    fn with(content: impl AsRef<[u8]>, settings: Settings, resume: &Resume, begin: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.log"), content).unwrap();
        let mut scene = Self { folder, follower: None, spare: Spare::default(), now_ms: 1_000 };
        scene.follow(settings, resume, begin);
        scene
    }

    /// Begins anew, as after a restart.
    fn follow(&mut self, settings: Settings, resume: &Resume, begin: u64) {
        self.follower = Some(follower(&self.path(), settings, resume, begin));
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.log")
    }

    fn follower(&mut self) -> &mut Follower {
        self.follower.as_mut().unwrap()
    }

    fn append(&self, content: impl AsRef<[u8]>) {
        append(&self.path(), content);
    }

    fn read(&mut self) -> Read {
        self.follower.as_mut().unwrap().read(self.now_ms, &mut self.spare).unwrap()
    }

    /// Reads until nothing more comes now.
    fn chunks(&mut self) -> (Vec<Chunk>, Read) {
        let mut chunks = Vec::new();
        for _ in 0..100_000 {
            match self.read() {
                Read::Chunk(chunk) => chunks.push(chunk),
                Read::Passing => {}
                end => return (chunks, end),
            }
        }
        panic!("never at an end");
    }

    fn lines(&mut self) -> Vec<Seen> {
        self.chunks().0.iter().flat_map(seen).collect()
    }

    fn texts(&mut self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.3).collect()
    }

    fn wait(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        self
    }
}

fn first_sight() -> Resume {
    Resume { id: SourceId::new(1), generation: 0, cursor: None, path: None, replay: Vec::new(), unread: 0 }
}

fn follower(path: &Path, settings: Settings, resume: &Resume, begin: u64) -> Follower {
    let file = File::open(path).unwrap();
    let identity = identity::of(&file, path).unwrap();
    let found = Found { source_name: "app".into(), path: path.to_owned(), file, identity, begin, unpacked_len: None };
    let source = Config::default().source(&"app".into(), resume.id, Some(path.display().to_string()));
    Follower::new(found, Arc::new(source), resume, settings).unwrap()
}

fn append(path: &Path, content: impl AsRef<[u8]>) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(content.as_ref()).unwrap();
}

fn seen(chunk: &Chunk) -> Vec<Seen> {
    assert_eq!(chunk.end - chunk.start, chunk.input_bytes);
    let text = |line: &crate::base::chunk::Line| {
        String::from_utf8_lossy(&chunk.bytes[line.start as usize..line.end as usize]).into_owned()
    };
    let lines = chunk.lines.iter();
    lines.map(|line| (chunk.generation, line.position.at, line.position.tie, text(line), line.cut)).collect()
}

fn at(generation: u32, at: u64, tie: u32, text: &str) -> Seen {
    (generation, at, tie, text.to_owned(), false)
}

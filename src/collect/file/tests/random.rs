//! Whatever a writer does and however it is read, each line comes once, whole, in order, from a place of its own.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::base::identity::{Likeness, compare};

#[derive(Clone, Debug)]
enum Action {
    /// Appends a line of so many bytes beside its number, in so many writes with looks between them.
    Line(usize, usize),
    /// Reads so many chunks.
    Read(usize),
    /// Renames the file and makes a new one; the old one still gets a line when `true`.
    Rotate(bool),
    /// Reads all, then empties the file and writes so many lines before the next look.
    Truncate(usize),
    /// Forgets the follower and goes on from its cursor, if it is still the same file.
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (0_usize..90, 1_usize..4).prop_map(|(len, writes)| Action::Line(len, writes)),
        4 => (1_usize..4).prop_map(Action::Read),
        1 => any::<bool>().prop_map(Action::Rotate),
        1 => (1_usize..6).prop_map(Action::Truncate),
        1 => Just(Action::Restart),
    ]
}

/// A log under one path, and the followers of all files that were ever there.
struct Log {
    folder: tempfile::TempDir,
    settings: Settings,
    followers: Vec<Follower>,
    /// What the last of them was when it was last read.
    known: Option<Identity>,
    spare: Spare,
    written: Vec<String>,
    seen: Vec<String>,
    places: BTreeSet<(u64, u32, u64)>,
    rotations: usize,
}

impl Log {
    fn new(chunk_bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { chunk_bytes, ..SETTINGS };
        let mut log = Self {
            folder,
            settings,
            followers: Vec::new(),
            known: None,
            spare: Spare::default(),
            written: Vec::new(),
            seen: Vec::new(),
            places: BTreeSet::new(),
            rotations: 0,
        };
        log.create();
        log
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.log")
    }

    fn create(&mut self) {
        File::create(self.path()).unwrap();
        let id = SourceId::new(self.followers.len() as u64);
        let resume = Resume { id, ..first_sight() };
        self.followers.push(follower(&self.path(), self.settings, &resume, 0));
        self.known = Some(identity::of(&File::open(self.path()).unwrap(), &self.path()).unwrap());
    }

    /// As `track` does it.
    fn restart(&mut self) {
        let last = self.followers.pop().unwrap();
        let Cursor::File { generation, offset, .. } = last.cursor() else { panic!("not a file's cursor") };
        let file = File::open(self.path()).unwrap();
        let seen = identity::of(&file, &self.path()).unwrap();
        let len = file.metadata().unwrap().len();
        let known = self.known.as_ref().unwrap();
        let head_of = |len| identity::head_of(&file, len).unwrap();
        let (generation, cursor) = match compare(known, &seen, len, offset, head_of) {
            Likeness::Same => (generation, Some(last.cursor())),
            Likeness::Truncated => (generation + 1, None),
            Likeness::Other => panic!("another file"),
        };
        let resume = Resume { id: last.source().id, generation, cursor, path: None, replay: Vec::new(), unread: 0 };
        self.followers.push(follower(&self.path(), self.settings, &resume, 0));
        self.known = Some(seen);
    }

    fn line(&mut self, len: usize) -> String {
        let text = format!("{}:{}", self.written.len(), "é".repeat(len / 2));
        self.written.push(text.clone());
        text + if len.is_multiple_of(3) { "\r\n" } else { "\n" }
    }

    /// Reads up to `limit` chunks, of the oldest file first.
    fn read(&mut self, limit: usize) {
        let mut left = limit;
        for follower in &mut self.followers {
            while left > 0 {
                let Read::Chunk(chunk) = follower.read(0, &mut self.spare).unwrap() else { break };
                left -= 1;
                for (generation, at, _, text, cut) in seen(&chunk) {
                    assert!(!cut);
                    assert!(self.places.insert((chunk.source.id.bits(), generation, at)), "a place came twice");
                    self.seen.push(text);
                }
                self.spare.take_back(chunk);
            }
        }
        if let Some(identity) = self.followers.last_mut().unwrap().take_identity().unwrap() {
            self.known = Some(identity);
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Line(len, writes) => {
                let line = self.line(len);
                for piece in line.as_bytes().chunks(line.len().div_ceil(writes)) {
                    append(&self.path(), piece);
                    if writes > 1 {
                        self.read(1);
                    }
                }
            }
            Action::Read(chunks) => self.read(chunks),
            Action::Rotate(late_line) => {
                self.rotations += 1;
                let old = self.folder.path().join(format!("a.log.{}", self.rotations));
                fs::rename(self.path(), &old).unwrap();
                self.create();
                if late_line {
                    let line = self.line(10);
                    append(&old, line);
                }
            }
            Action::Truncate(lines) => {
                self.read(usize::MAX);
                let content: String = (0..lines).map(|len| self.line(len)).collect();
                fs::write(self.path(), content).unwrap();
            }
            Action::Restart => self.restart(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_line_comes_once(chunk_bytes in 1_usize..300, actions in prop::collection::vec(action(), 1..60)) {
        let mut log = Log::new(chunk_bytes);
        for action in &actions {
            log.act(action);
        }
        log.read(usize::MAX);
        prop_assert_eq!(&log.seen, &log.written);
    }
}

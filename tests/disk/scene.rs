//! A ground with the agent's configuration and a store of its own, and what is asked of both. Breaks nothing.

use std::path::PathBuf;

use crate::bulk::Bulk;
use crate::checker::Checker;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::harness::{Agent, Ground, append, wait_until};
use crate::ledger::Books;
use crate::server::{Kept, Server};

/// The label of all lines.
const LABEL: &str = "d";

/// The exit code of an agent that cannot use its state folder.
pub const REFUSED: i32 = 4;

/// A source of files, or of standard input, and an output.
pub struct Scene {
    pub ground: Ground,
    /// The scripted store; else the output is a file.
    pub store: Option<Server>,
}

const FILES: &str = r#"
[source.app]
type = "file"
include = ["LOGS/*.log"]
poll = "100ms"
"#;

const STDIN: &str = r#"
[source.app]
type = "stdin"
"#;

const FILE: &str = r#"
[output.store]
type = "file"
path = "FOLDER/out.ndjson"
max_age = "200ms"
"#;

const BULK: &str = r#"
[output.store]
type = "elasticsearch"
url = "URL"
timeout = "5s"
retry_first = "10ms"
max_age = "200ms"
"#;

impl Scene {
    /// From files to a file.
    pub fn to_file() -> Self {
        let ground = Ground::new();
        ground.configure(&format!("{FILES}{FILE}"));
        Self { ground, store: None }
    }

    /// From files to a store. `more` belongs to the output.
    pub fn to_store(more: &str) -> Self {
        Self::with_store(FILES, more)
    }

    /// From these sources to a store.
    pub fn to_store_from(sources: &str) -> Self {
        Self::with_store(sources, "")
    }

    /// From standard input to a store.
    pub fn from_stdin(more: &str) -> Self {
        Self::with_store(STDIN, more)
    }

    /// From files and standard input, by one worker, to a store.
    pub fn from_files_and_stdin(more: &str) -> Self {
        let scene = Self::with_store(&format!("{FILES}{}", STDIN.replace("app", "pipe")), more);
        let path = scene.ground.path("agent.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("[agent]\n", "[agent]\nworkers = 1\n", 1)).unwrap();
        scene
    }

    fn with_store(source: &str, more: &str) -> Self {
        let store = Server::start(Kept::Bulk(Bulk::default()), Faults::new(Dice::new(1, 1, 1), 0)).unwrap();
        let ground = Ground::new();
        ground.configure(&format!("{source}{}{more}", BULK.replace("URL", &store.url)));
        Self { ground, store: Some(store) }
    }

    /// The scripted store.
    pub fn store(&self) -> &Server {
        self.store.as_ref().unwrap()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.ground.path("state")
    }

    /// Starts the agent, with the clock of [`set_clock`](Self::set_clock).
    pub fn start(&self, more: &[&str]) -> Agent {
        self.start_after(&[], "true", more)
    }

    /// The same, to be killed at a step when it is first reached.
    pub fn start_until(&self, step: &str) -> Agent {
        self.start_after(&[&format!("LOGFERRY_FAILPOINT={step}:1")], "true", &[])
    }

    /// The same by a shell that runs `before` first, with more in its environment.
    pub fn start_after(&self, environment: &[&str], before: &str, more: &[&str]) -> Agent {
        let clock = format!("LOGFERRY_CLOCK={}", self.ground.path("clock").display());
        self.ground.start_after(&[&["env", clock.as_str()], environment].concat(), before, more)
    }

    /// The agent's clock is wrong by so many seconds from now on.
    pub fn set_clock(&self, seconds: i64) {
        // Whole or not at all: it is read all the time.
        let aside = self.ground.path("clock.new");
        std::fs::write(&aside, seconds.to_string()).unwrap();
        std::fs::rename(aside, self.ground.path("clock")).unwrap();
    }

    /// Appends lines to a log.
    pub fn write(&self, log: &str, numbers: std::ops::Range<u64>) {
        append(&self.ground.log(log), &lines(numbers));
    }

    /// What of the lines so far has come.
    pub fn checker(&self, numbers: u64) -> Checker {
        let mut checker = Checker::new(LABEL, numbers);
        match &self.store {
            Some(store) => store.records().iter().for_each(|record| checker.scan(&record.text)),
            None => {
                let text = std::fs::read_to_string(self.ground.path("out.ndjson")).unwrap_or_default();
                checker.scan(&text[..text.rfind('\n').map_or(0, |at| at + 1)]);
            }
        }
        checker
    }

    /// How many lines have come.
    pub fn found(&self, numbers: u64) -> u64 {
        self.checker(numbers).found() as u64
    }

    /// Waits until all lines so far have come.
    #[track_caller]
    pub fn wait_for(&self, agent: &Agent, numbers: u64) {
        wait_until(&format!("{numbers} lines, after {}", agent.messages()), || {
            (self.found(numbers) == numbers).then_some(())
        });
    }

    /// One more run to the end: then each line is there once, and the agent's books say so.
    #[track_caller]
    pub fn end_with_each_once(&self, numbers: u64) {
        self.start(&["--once"]).wait().expect_code(0);
        self.checker(numbers).assert_each_once();
        let books = Books::ask(&self.ground.path("agent.toml"), "store").unwrap();
        assert_eq!((books.delivered, books.parked), (numbers, 0), "delivered and parked, by the ledger");
    }
}

/// Lines without a time of their own: they have the time of reading.
pub fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| format!("job seq-{LABEL}-{number:07} went well {}\n", "abcdefghij".repeat(5))).collect()
}

/// Waits until the agent has said this.
#[track_caller]
pub fn wait_for_words(agent: &Agent, words: &str) {
    wait_until(&format!("{words:?} among {}", agent.messages()), || agent.messages().contains(words).then_some(()));
}

//! A folder, a configuration and the real binary. Waits for conditions, never for a length of time. Knows no store.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use logferry::base::counts::{Counts, Ledger};
use tempfile::TempDir;

/// No test of ours takes longer for one step, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

const LOGFERRY: &str = env!("CARGO_BIN_EXE_logferry");

/// Everything that one test has to itself: logs, state, configuration.
pub struct Ground {
    folder: TempDir,
}

impl Ground {
    /// An empty one, with a folder `logs`.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lf-test.").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        Self { folder }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path among the logs.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    /// Writes `agent.toml`: own state, no admin port unless `rest` has one, and `rest`, in which `LOGS` and `FOLDER` stand
    /// for the paths.
    pub fn configure(&self, rest: &str) {
        let folder = self.folder.path().display();
        let rest = rest.replace("LOGS", &format!("{folder}/logs")).replace("FOLDER", &folder.to_string());
        let admin = if rest.contains("[admin]") { "" } else { "[admin]\nlisten = \"off\"\n\n" };
        let head = format!("[agent]\nstate_dir = \"{folder}/state\"\n\n{admin}");
        std::fs::write(self.path("agent.toml"), head + &rest).unwrap();
    }

    /// `logferry run -c agent.toml` and `more`, in the background.
    pub fn start(&self, more: &[&str]) -> Agent {
        let config = self.path("agent.toml");
        let mut arguments = vec!["run", "-c", config.to_str().unwrap()];
        arguments.extend(more);
        self.start_with(&arguments, Stdio::null())
    }

    /// `logferry` with exactly these arguments, in the background, with the folder as its working directory.
    pub fn start_with(&self, arguments: &[&str], input: Stdio) -> Agent {
        self.spawn(Command::new(LOGFERRY).args(arguments), input)
    }

    /// The same as [`start`](Self::start), by a shell that runs `before` first. `launcher` is what runs the shell.
    pub fn start_after(&self, launcher: &[&str], before: &str, more: &[&str]) -> Agent {
        let script = format!("{before} && exec \"$0\" run -c agent.toml \"$@\"");
        let words = [launcher, &["sh", "-c", &script, LOGFERRY], more].concat();
        self.spawn(Command::new(words[0]).args(&words[1..]), Stdio::null())
    }

    /// Any program, in the background, with the folder as its working directory.
    pub fn spawn(&self, command: &mut Command, input: Stdio) -> Agent {
        let (output, messages) = (self.path("stdout"), self.path("stderr"));
        let child = command
            .current_dir(self.folder.path())
            .env("TZ", "UTC")
            .env_remove("DOCKER_HOST")
            .stdin(input)
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        Agent { child, output, messages, peak_kib: 0 }
    }

    /// `logferry run --once` to its end.
    pub fn run_once(&self) -> Finished {
        self.start(&["--once"]).wait()
    }

    /// `logferry` with exactly these arguments and this input, to its end.
    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Finished {
        let mut agent = self.start_with(arguments, Stdio::piped());
        let mut pipe = agent.child.stdin.take().unwrap();
        // An agent that does not read its input (wrong arguments) closes it: that is for the caller to judge.
        let _ = pipe.write_all(input);
        drop(pipe);
        agent.wait()
    }

    /// What `logferry ledger` says became of what an output has of a source. The agent must not be running.
    pub fn books(&self, output: &str, source: &str) -> Counts {
        let said = self.run_with_input(&["ledger", "--json", "-c", "agent.toml"], b"").expect_code(0).stdout;
        let ledger: Ledger = serde_json::from_str(&said).unwrap();
        ledger.get(output).and_then(|sources| sources.get(source)).cloned().unwrap_or_default()
    }

    /// Fails the test unless the books say that the output `store` has so many lines of a source, and nothing else
    /// became of any.
    #[track_caller]
    pub fn assert_books_say_delivered(&self, source: &str, lines: u64) {
        let books = self.books("store", source);
        let expected = Counts { read: lines, delivered: lines, bytes: books.bytes, ..Counts::default() };
        assert_eq!(books, expected);
    }
}

/// A running agent. Killed when dropped.
pub struct Agent {
    child: Child,
    output: PathBuf,
    messages: PathBuf,
    peak_kib: u64,
}

/// One that has ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// The most memory that it held, as far as was seen.
    pub peak_kib: u64,
    /// What it used of the processor, user and system.
    pub cpu: Duration,
}

impl Agent {
    /// As the kernel's out-of-memory killer does it.
    pub fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    pub fn terminate(self) -> Finished {
        send_signal(self.child.id(), "TERM");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(self) -> Finished {
        self.wait_for(PATIENCE * 5)
    }

    /// Waits for its end, at most so long. The process stays a zombie until its costs are read.
    pub fn wait_for(mut self, patience: Duration) -> Finished {
        let stat = format!("/proc/{}/stat", self.child.id());
        let words = wait_until_within(patience, "the agent's end", || {
            self.peak_kib = self.peak_kib.max(self.peak_kib());
            let text = std::fs::read_to_string(&stat).unwrap();
            // After the name in brackets: state, then 10 fields, then user and system time in ticks of 10 ms (proc(5)).
            let words: Vec<String> = text.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect();
            (words[0] == "Z").then_some(words)
        });
        let ticks: u64 = words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap();
        Finished {
            status: self.child.wait().unwrap(),
            stdout: read_lossy(&self.output),
            stderr: read_lossy(&self.messages),
            peak_kib: self.peak_kib,
            cpu: Duration::from_millis(ticks * 10),
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said so far.
    pub fn messages(&self) -> String {
        read_lossy(&self.messages)
    }

    /// The most memory that it has held so far.
    pub fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    /// The memory that it holds now.
    #[allow(dead_code)]
    pub fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let words = status.lines().find_map(|line| line.strip_prefix(name));
        words.and_then(|words| words.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the agent's messages:\n{}", tail(&self.messages()));
        }
    }
}

impl Finished {
    /// Fails the test, with the agent's own words, unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "exit code; the agent's messages:\n{}", tail(&self.stderr));
        self
    }
}

/// Sends a signal to one process.
pub fn send_signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name}");
}

/// Polls until `condition` gives something; fails the test after [`PATIENCE`].
#[track_caller]
pub fn wait_until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_until_within(PATIENCE, what, condition)
}

/// The same with a deadline of one's own.
#[track_caller]
pub fn wait_until_within<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Appends to a file, which is made when it is not there.
pub fn append(path: &Path, text: &str) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A name for a source that no other test, run or machine uses: stores keep what earlier runs sent.
pub fn unique(test: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{test}-{}-{}-{count}", std::process::id(), now_ms() % 100_000_000)
}

/// Now, in ms since 1970.
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A number that differs from call to call.
pub fn random_below(limit: u64) -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    u64::from(nanos) / 1000 % limit
}

/// The folder of real logs, where one is given.
pub fn real_logs() -> Option<PathBuf> {
    std::env::var_os("LOGFERRY_TEST_LOGS").map(PathBuf::from)
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

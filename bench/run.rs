//! One agent as a whole process before a sink: started, watched, stopped. Knows no row of any table.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::{Agent, Finished, Ground};
use crate::peers::{OURS, PEERS, Peer};
use crate::sink::Sink;

/// How long it takes to see that something happened.
const STEP: Duration = Duration::from_millis(5);
/// Without a new line for so long, no more are expected.
const PATIENCE: Duration = Duration::from_secs(30);
/// With all lines there and no request for so long, no repeats are expected.
const SETTLED: Duration = Duration::from_secs(1);

/// Ours, to Loki.
pub const LOKI: Peer = Peer { configuration: ("agent.toml", include_str!("loki.toml")), ..PEERS[0] };

/// Who is measured.
#[derive(Clone, Debug)]
pub struct Entrant {
    pub peer: Peer,
    pub program: PathBuf,
    pub version: String,
}

impl Entrant {
    /// Ours, to a bulk store.
    pub fn ours() -> Self {
        Self::find(OURS).expect("cargo has built it")
    }

    /// The peer of that name, or `NAME=PATH`; what is wrong when its program cannot be started.
    pub fn find(wanted: &str) -> Result<Self, String> {
        let (peer, program) = Peer::find(wanted).ok_or_else(|| {
            let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
            format!("no peer is called {wanted}; there are {}", names.join(", "))
        })?;
        let version = peer.version(&program).map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        Ok(Self { peer: *peer, program, version })
    }

    /// Every peer with its defaults whose program is found.
    pub fn all_found() -> Vec<Self> {
        let names = PEERS.iter().map(|peer| peer.name).filter(|name| *name != OURS && !name.ends_with("-durable"));
        names.filter_map(|name| Self::find(name).ok()).collect()
    }

    /// Name and version.
    pub fn title(&self) -> String {
        format!("{} {}", self.peer.name, self.version)
    }
}

/// One that runs, and what it ships to.
pub struct Run {
    pub sink: Sink,
    pub began: Instant,
    pub agent: Agent,
    /// How many lines were written for it.
    pub written: u64,
    name: &'static str,
}

impl Run {
    /// Starts it on a ground with `written` lines, of which there will be `lines` in the end.
    pub fn start(entrant: &Entrant, ground: &Ground, written: u64, lines: u64) -> Self {
        let (sink, folder) = (Sink::start(lines), ground.path(""));
        entrant.peer.configure(&folder, sink.port, "*.log").unwrap();
        let began = Instant::now();
        let agent = ground.spawn(&mut entrant.peer.command(&entrant.program, &folder, sink.port), Stdio::null());
        Self { sink, began, agent, written, name: entrant.peer.name }
    }

    /// Waits until all that was written is there and nothing more comes; or until no more lines come.
    ///
    /// # Panics
    /// With the agent's own words, when it ends.
    pub fn settle(&mut self) {
        let mut news = (self.sink.lines(), Instant::now());
        loop {
            let lines = self.sink.lines();
            if lines > news.0 {
                news = (lines, Instant::now());
            }
            let is_whole = lines >= self.written;
            if is_whole && self.sink.last().elapsed() > SETTLED || news.1.elapsed() > PATIENCE {
                return;
            }
            self.assert_alive();
            sleep(STEP);
        }
    }

    /// Waits so long.
    pub fn wait(&mut self, time: Duration) {
        sleep(time);
        self.assert_alive();
    }

    /// When the last line arrived that was not there before, since the start; if none did: now.
    pub fn shipped_after(&self) -> Duration {
        self.sink.arrivals().last().map_or_else(|| self.began.elapsed(), |last| last.at - self.began)
    }

    /// What it uses of the processor from now on for so many seconds, as a share of one core. `meanwhile` is called at the
    /// beginning of each, with its number.
    pub fn share_of_core(&mut self, seconds: u32, mut meanwhile: impl FnMut(&mut Self, u32)) -> f64 {
        let (before, began) = (cpu(self.agent.id()), Instant::now());
        for second in 0..seconds {
            meanwhile(self, second);
            self.wait((Duration::from_secs(1) * (second + 1)).saturating_sub(began.elapsed()));
        }
        let used = cpu(self.agent.id()).saturating_sub(before);
        used.as_secs_f64() / began.elapsed().as_secs_f64()
    }

    /// Asks it to stop, and waits for that.
    pub fn stop(self) -> (Sink, Finished) {
        (self.sink, self.agent.terminate())
    }

    fn assert_alive(&mut self) {
        assert!(!self.agent.has_ended(), "{} has ended while it ships: {}", self.name, self.agent.messages());
    }
}

/// What the threads of a process have used of the processor: the first number of each `schedstat`, in ns
/// (Documentation/scheduler/sched-stats.rst). Those that have ended are not in it.
fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    // A thread may end between the listing and the look.
    let own = |folder: &Path| -> Option<u64> {
        std::fs::read_to_string(folder.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| own(&thread.path())).sum())
}

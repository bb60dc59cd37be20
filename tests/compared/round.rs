//! One peer, one fault: writes the lines, runs the peer as a whole process, waits until nothing more comes, and counts.
//! Waits for nothing without a limit.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::LABEL;
use crate::dice::Dice;
use crate::faults::Fault;
use crate::harness::{Ground, now_ms, send_signal};
use crate::lines::{Lines, Style, numbers};
use crate::peers::Peer;
use crate::store::Store;

/// What is written to, in turn.
const FILES: [&str; 2] = ["web.log", "db.log"];
/// So long after the fault a round ends, even if lines still come.
const LONGEST: Duration = Duration::from_secs(300);
/// A stop may take as long; then it is killed, as a service manager does.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// How large a run is, and how long its waits.
#[derive(Clone, Debug)]
pub struct Scale {
    pub lines: u64,
    /// What the store takes in a second on one connection, in lines.
    pub pace: u32,
    /// How long an outage is.
    pub away: Duration,
    /// Without a new line for so long, no more are expected.
    pub patience: Duration,
    /// With all lines there and no request for so long, no repeats are expected.
    pub settled: Duration,
    /// In the fault that refuses lines for their shape, every line in so many.
    pub unfit_every: u64,
    /// Which files the durable peers follow.
    pub pattern: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub written: u64,
    /// Neither in the store nor kept aside.
    pub lost: u64,
    /// Documents beyond the first of a line.
    pub repeated: u64,
    /// Refused by the store, and kept by the peer.
    pub aside: u64,
    /// Nothing more came when it ended.
    pub is_over: bool,
}

/// What a fault is made of.
pub struct Round<'a> {
    pub store: Store,
    peer: &'a Peer,
    program: &'a Path,
    pub scale: &'a Scale,
    ground: &'a Ground,
    lines: Lines,
    written: u64,
    child: Option<Child>,
}

/// Makes a fault to a peer.
///
/// # Errors
/// It could not be made.
pub fn run(peer: &Peer, program: &Path, fault: &Fault, scale: &Scale) -> io::Result<Outcome> {
    let ground = Ground::new();
    fs::create_dir(ground.path("old"))?;
    let store = Store::start(Duration::from_secs(1) / scale.pace)?;
    peer.configure(&ground.path(""), store.port, &scale.pattern)?;
    let lines = Lines::new(LABEL, now_ms() - 60_000, Dice::new(0, 0, 0), 0);
    let mut round = Round { store, peer, program, scale, ground: &ground, lines, written: 0, child: None };
    (fault.make)(&mut round)?;
    let is_over = round.settle();
    round.stop()?;
    round.judge(is_over)
}

impl Round<'_> {
    /// Appends so many percent of all lines, by turns to the files: half JSON, half text.
    pub fn write(&mut self, percent: u64) -> io::Result<()> {
        let until = self.written + self.scale.lines * percent / 100;
        let mut texts = FILES.map(|_| String::new());
        for number in self.written..until {
            self.lines.push(number, Style::Timed, &mut texts[usize::from(number % 2 == 1)]);
        }
        self.written = until;
        for (name, text) in FILES.iter().zip(texts) {
            File::options().create(true).append(true).open(self.ground.log(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// Starts the peer. What it says is not kept.
    pub fn start(&mut self) -> io::Result<()> {
        let mut command = self.peer.command(self.program, &self.ground.path(""), self.store.port);
        command.current_dir(self.ground.path("")).env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let messages = File::options().create(true).append(true).open(self.ground.path("messages"))?;
        self.child = Some(command.stderr(messages).spawn()?);
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait().map(drop)
    }

    /// SIGTERM, and waits for its end.
    pub fn stop(&mut self) -> io::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if child.try_wait()?.is_none() {
            send_signal(child.id(), "TERM");
        }
        let asked = Instant::now();
        while child.try_wait()?.is_none() && asked.elapsed() < STOPPED_WITHIN {
            thread::sleep(Duration::from_millis(5));
        }
        self.kill()
    }

    /// Waits until the store has so many percent of all lines, or no more come.
    pub fn until(&self, percent: u64) {
        let wanted = self.scale.lines * percent / 100;
        let began = Instant::now();
        while self.store.distinct() < wanted && began.elapsed() < self.scale.patience {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// As long as an outage is.
    pub fn wait_a_while(&self) {
        thread::sleep(self.scale.away);
    }

    /// Waits until nothing more comes. Whether that was in time.
    pub fn settle(&self) -> bool {
        let began = Instant::now();
        while began.elapsed() < LONGEST {
            let (request, new) = self.store.quiet();
            let is_whole = self.store.settled() >= self.written;
            if is_whole && request > self.scale.settled || new.min(began.elapsed()) > self.scale.patience {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Rotation by rename; the next lines go to new files.
    pub fn rename(&self) -> io::Result<()> {
        FILES.iter().try_for_each(|name| fs::rename(self.ground.log(name), self.ground.log(&format!("{name}.1"))))
    }

    /// Rotation by copy to another folder and truncation.
    pub fn copy_and_truncate(&self) -> io::Result<()> {
        for name in FILES {
            fs::copy(self.ground.log(name), self.ground.path("old").join(name))?;
            File::options().write(true).open(self.ground.log(name))?.set_len(0)?;
        }
        Ok(())
    }

    fn judge(&self, is_over: bool) -> io::Result<Outcome> {
        let mut kept = String::new();
        read_all(&self.ground.path(self.peer.aside), &mut kept)?;
        let times = self.store.times();
        let times = |number: u64| usize::try_from(number).ok().and_then(|at| times.get(at)).copied().unwrap_or(0);
        let kept: HashSet<u64> = numbers(LABEL, &kept).collect();
        let aside = kept.iter().filter(|number| times(**number) == 0).count() as u64;
        let missing = (0..self.written).filter(|number| times(*number) == 0).count() as u64;
        let repeated = (0..self.written).map(|number| u64::from(times(number).saturating_sub(1))).sum();
        Ok(Outcome { written: self.written, lost: missing - aside, repeated, aside, is_over })
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The texts of all files in a folder, if there is one.
fn read_all(folder: &Path, into: &mut String) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        *into += &String::from_utf8_lossy(&fs::read(entry?.path())?);
    }
    Ok(())
}

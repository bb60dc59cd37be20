//! What the agent costs when there is little to do, and how soon it does it: idle, with many files of which few are
//! written to, with a line now and then, at its start.

use std::mem::MaybeUninit;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::fs::inotify;

use crate::harness::Ground;
use crate::load;
use crate::run::{Entrant, Run};

/// After what was to do: timers of this length have then run out.
const IDLE: Duration = Duration::from_secs(10);
const IDLE_FILES: u64 = 10;
const MANY_FILES: u64 = 10_000;
const ACTIVE_FILES: u64 = MANY_FILES / 100;
const START_FILES: u64 = 1000;
/// Longer than a start ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it takes.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Of one core.
    pub share: f64,
    pub resident_kib: u64,
    pub peak_kib: u64,
    pub is_whole: bool,
}

/// Ten files of one line each, all delivered; from ten seconds later on, for ten seconds.
pub fn idle(ours: &Entrant) -> Rest {
    let ground = with_files(IDLE_FILES);
    let mut run = Run::start(ours, &ground, IDLE_FILES, IDLE_FILES);
    run.settle();
    run.wait(IDLE);
    let share = run.share_of_core(10, |_, _| {});
    rest(run, share)
}

/// 10,000 files; each second a line to every hundredth, another hundredth each time.
pub fn many(ours: &Entrant, seconds: u32) -> Rest {
    let ground = with_files(MANY_FILES);
    let lines = MANY_FILES + u64::from(seconds) * ACTIVE_FILES;
    let mut run = Run::start(ours, &ground, MANY_FILES, lines);
    run.settle();
    run.wait(IDLE);
    let share = run.share_of_core(seconds, |run, second| {
        for active in 0..ACTIVE_FILES {
            let file = active * (MANY_FILES / ACTIVE_FILES) + u64::from(second) % (MANY_FILES / ACTIVE_FILES);
            load::add(&ground.log(&name(file)), run.written);
            run.written += 1;
        }
    });
    run.settle();
    rest(run, share)
}

/// One line a second to one file: what that takes, and the time of each from its writing to its arrival, sorted.
pub fn trickle(ours: &Entrant, seconds: u32) -> (Rest, Vec<Duration>) {
    let ground = with_files(1);
    let mut run = Run::start(ours, &ground, 1, 1 + u64::from(seconds));
    run.settle();
    run.wait(IDLE);
    let mut written = Vec::new();
    let share = run.share_of_core(seconds, |run, _| {
        written.push(Instant::now());
        load::add(&ground.log(&name(0)), run.written);
        run.written += 1;
    });
    run.settle();
    let arrivals = run.sink.arrivals();
    // Line 0 is that which was there at the start.
    let arrived = |line: u64| arrivals.iter().find(|arrival| arrival.lines > line).map(|arrival| arrival.at);
    let times = (1..).zip(written).filter_map(|(line, written)| Some(arrived(line)? - written));
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    assert!(!times.is_empty(), "no line has arrived at the store: {}", run.agent.messages());
    (rest(run, share), times)
}

/// From the start of the process with 1,000 files to its first read of one, and to the first line at the store.
pub fn start(ours: &Entrant) -> (Duration, Duration) {
    let ground = with_files(START_FILES);
    let read = first_read(&ground);
    let mut run = Run::start(ours, &ground, START_FILES, START_FILES);
    let read = read.recv_timeout(PATIENCE).expect("the agent reads a file");
    run.settle();
    let arrivals = run.sink.arrivals();
    let first = arrivals.first().expect("a line arrives").at;
    assert_eq!(run.sink.lines(), START_FILES, "lines at the store, of 1,000");
    (read - run.began, first - run.began)
}

/// Says when someone first reads one of the files, as the kernel tells it.
fn first_read(ground: &Ground) -> mpsc::Receiver<Instant> {
    let kernel = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&kernel, ground.path("logs"), inotify::WatchFlags::ACCESS).unwrap();
    let (sender, receiver) = mpsc::channel();
    // Ends with the first event, or with the process.
    std::thread::spawn(move || {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(kernel, &mut buffer);
        while let Ok(event) = events.next() {
            // The folder is read too, to list it.
            if !event.events().contains(inotify::ReadFlags::ISDIR) {
                let _ = sender.send(Instant::now());
                return;
            }
        }
    });
    receiver
}

/// A ground with so many files of one line each, in one folder.
fn with_files(files: u64) -> Ground {
    let ground = Ground::new();
    for file in 0..files {
        load::add(&ground.log(&name(file)), file);
    }
    ground
}

fn name(file: u64) -> String {
    format!("{file}.log")
}

fn rest(run: Run, share: f64) -> Rest {
    let (resident_kib, written) = (run.agent.resident_kib(), run.written);
    let (sink, finished) = run.stop();
    let is_whole = sink.lines() == written && sink.repeated() == 0;
    Rest { share, resident_kib, peak_kib: finished.peak_kib, is_whole }
}

//! The docker source against a real engine, given by `LOGFERRY_TEST_DOCKER=unix:///…` (its image `busybox:1` must hold a
//! shell, `cat` and `sleep`). `LOGFERRY_TEST_DOCKER_RESTART` names a program that restarts that engine. Every line carries a number; what
//! arrives is compared as a set, and positions must never repeat.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // A test may panic, and tells how many were missed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use logferry::base::chunk::Chunk;
use logferry::base::metrics::{Metric, Metrics};
use logferry::base::source::{Cursor, Position, Resume, SourceId, Stream};
use logferry::collect::docker::{Config, Docker, Hooks, Way};
use logferry::collect::identity::mint;
use tokio::sync::{mpsc, watch};

/// Held for reading by each test, and alone by the one that restarts the engine.
static ENGINE: RwLock<()> = RwLock::new(());

const PATIENCE: Duration = Duration::from_secs(180);

/// What arrived, and the cursors as `track` would keep them.
#[derive(Default)]
struct Ledger {
    /// By container name and stream: the lines in order.
    lines: BTreeMap<(String, &'static str), Vec<String>>,
    positions: HashMap<SourceId, BTreeSet<Position>>,
    repeated: Vec<String>,
    cursors: HashMap<SourceId, Cursor>,
    finished: Vec<SourceId>,
}

impl Ledger {
    fn take(&mut self, mut chunk: Chunk) {
        chunk.repair();
        let key = (chunk.source.container_name.clone(), chunk.source.stream.map_or("", Stream::name));
        for line in &chunk.lines {
            let text = &chunk.text()[line.start as usize..line.end as usize];
            assert_eq!(line.engine_ns, i64::try_from(line.position.at).ok());
            if !self.positions.entry(chunk.source.id).or_default().insert(line.position) {
                self.repeated.push(text.to_owned());
            }
            self.lines.entry(key.clone()).or_default().push(text.to_owned());
        }
        self.cursors.insert(chunk.source.id, chunk.cursor);
    }

    fn of(&self, container: &str, stream: &'static str) -> Vec<String> {
        self.lines.get(&(container.to_owned(), stream)).cloned().unwrap_or_default()
    }

    fn count(&self) -> usize {
        self.lines.values().map(Vec::len).sum()
    }
}

/// A running source.
struct Reader {
    ledger: Arc<Mutex<Ledger>>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: std::thread::JoinHandle<()>,
}

impl Reader {
    fn start(ledger: &Arc<Mutex<Ledger>>, pattern: &str) -> Self {
        Self::run(ledger, pattern, Way::Auto, false)
    }

    fn run(ledger: &Arc<Mutex<Ledger>>, pattern: &str, read: Way, once: bool) -> Self {
        let config = Config { host: Some(host()), containers: vec![pattern.to_owned()], read, ..Config::default() };
        let (sender, mut chunks) = mpsc::channel(8);
        let (known, done, taken) = (Arc::clone(ledger), Arc::clone(ledger), Arc::clone(ledger));
        let metrics = Arc::new(Metrics::default());
        let hooks = Hooks {
            resume: Arc::new(move |identity| {
                let id = mint(identity, None, "");
                let cursor = known.lock().unwrap().cursors.get(&id).cloned();
                Resume { id, generation: 0, cursor, path: None, replay: Vec::new(), unread: 0 }
            }),
            chunks: sender,
            metrics: Arc::clone(&metrics),
            listed: Arc::new(|_| ()),
            finished: Arc::new(move |id| done.lock().unwrap().finished.push(id)),
        };
        let (stop, stopped) = watch::channel(false);
        let docker = Docker::new(&config, "containers".into()).unwrap();
        let task = std::thread::spawn(move || {
            let take = async {
                while let Some(chunk) = chunks.recv().await {
                    taken.lock().unwrap().take(chunk);
                }
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (result, ()) = runtime.block_on(async { tokio::join!(docker.run(once, hooks, stopped), take) });
            result.unwrap();
        });
        Self { ledger: Arc::clone(ledger), metrics, stop, task }
    }

    fn until(&self, what: &str, holds: impl Fn(&Ledger) -> bool) {
        let began = Instant::now();
        while !holds(&self.ledger.lock().unwrap()) {
            let ledger = self.ledger.lock().unwrap();
            assert!(began.elapsed() < PATIENCE, "{what}: {} lines after {PATIENCE:?}", ledger.count());
            drop(ledger);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.join().unwrap();
    }
}

fn host() -> String {
    std::env::var("LOGFERRY_TEST_DOCKER")
        .expect("LOGFERRY_TEST_DOCKER must name a Docker engine with an image busybox:1, as unix:///tmp/x/docker.sock")
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").arg("--host").arg(host()).args(arguments).output().expect("docker is there");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Starts a container that runs a shell script; removed when dropped.
struct Container(String);

impl Container {
    fn run(name: &str, options: &[&str], script: &str) -> Self {
        let mut arguments = vec!["run", "-d", "--network", "none", "--name", name];
        arguments.extend(options);
        arguments.extend(["busybox:1", "/bin/busybox", "sh", "-c", script]);
        docker(&arguments);
        Self(name.to_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").arg("--host").arg(host()).args(["rm", "-f", &self.0]).output();
    }
}

fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn both_streams_arrive_each_in_its_order_and_apart() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::start(&ledger, "dt-both");
    let script = "i=0; while [ $i -lt 2000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let _container = Container::run("dt-both", &[], script);
    reader.until("both streams", |ledger| ledger.count() >= 4000);
    reader.stop();
    let ledger = ledger.lock().unwrap();
    assert_eq!(ledger.of("dt-both", "stdout"), numbered("out ", 0..2000));
    assert_eq!(ledger.of("dt-both", "stderr"), numbered("err ", 0..2000));
    assert!(ledger.repeated.is_empty());
}

#[test]
fn long_lines_are_whole_and_an_unfinished_last_line_is_a_line() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let long = "x=$(printf '%040000d' 7); ";
    let script =
        format!("{long} i=0; while [ $i -lt 50 ]; do echo $x $i; echo $x $i >&2; i=$((i+1)); done; printf end");
    let wanted: Vec<_> = (0..50).map(|number| format!("{:040000} {number}", 7)).collect();
    for (name, options) in [("dt-long", &[][..]), ("dt-tty", &["-t"][..])] {
        let ledger = Arc::default();
        let reader = Reader::start(&ledger, name);
        let _container = Container::run(name, options, &script);
        reader.until(name, |ledger| ledger.of(name, "stdout").last().is_some_and(|line| line == "end"));
        reader.stop();
        let ledger = ledger.lock().unwrap();
        assert!(ledger.repeated.is_empty());
        let mut lines = ledger.of(name, "stdout");
        lines.pop();
        if options.is_empty() {
            assert!(lines == wanted, "{name}: {} lines", lines.len());
            assert!(ledger.of(name, "stderr") == wanted);
        } else {
            assert_eq!(lines.len(), 100);
            assert!(wanted.iter().all(|line| lines.iter().filter(|one| *one == line).count() == 2));
        }
        // Read again from the cursors: nothing is new, the unfinished line too.
        let again = Arc::new(Mutex::new(Ledger { cursors: ledger.cursors.clone(), ..Ledger::default() }));
        Reader::run(&again, name, Way::Auto, true).task.join().unwrap();
        assert_eq!(again.lock().unwrap().count(), 0, "{name}");
    }
}

#[test]
fn two_hundred_short_lives_are_read() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::start(&ledger, "dt-short-*");
    let mut containers = Vec::new();
    for number in 0..200 {
        let script = format!("echo first {number}; sleep 0.05; echo last {number} >&2");
        containers.push(Container::run(&format!("dt-short-{number}x"), &[], &script));
    }
    reader.until("400 lines", |ledger| ledger.count() >= 400);
    reader.stop();
    let ledger = ledger.lock().unwrap();
    for number in 0..200 {
        let name = format!("dt-short-{number}x");
        assert_eq!(ledger.of(&name, "stdout"), [format!("first {number}")]);
        assert_eq!(ledger.of(&name, "stderr"), [format!("last {number}")]);
    }
    assert!(ledger.repeated.is_empty());
}

#[test]
fn a_stopped_reader_goes_on_where_it_was() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let script = "i=0; while [ $i -lt 20000 ]; do echo out $i; [ $((i%10)) = 0 ] && echo err $i >&2; i=$((i+1)); \
                  [ $((i%500)) = 0 ] && sleep 0.05; done; echo done >&2";
    let _container = Container::run("dt-resume", &[], script);
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let mut runs = 0;
    while !ledger.lock().unwrap().of("dt-resume", "stderr").contains(&"done".to_owned()) {
        let reader = Reader::start(&ledger, "dt-resume");
        std::thread::sleep(Duration::from_millis(400));
        reader.stop();
        std::thread::sleep(Duration::from_millis(150));
        runs += 1;
        assert!(runs < 100);
    }
    Reader::run(&ledger, "dt-resume", Way::Auto, true).task.join().unwrap();
    let ledger = ledger.lock().unwrap();
    assert!(runs > 2, "{runs} runs");
    assert!(ledger.of("dt-resume", "stdout") == numbered("out ", 0..20000));
    assert_eq!(ledger.of("dt-resume", "stderr").len(), 2001);
    assert!(ledger.repeated.is_empty(), "{:?}", ledger.repeated);
}

/// C4: the same container, stopped, started and renamed.
#[test]
fn a_container_is_followed_over_restart_and_rename_until_it_is_removed() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::start(&ledger, "dt-*life*");
    let container = Container::run("dt-life", &[], "echo up; printf cut; sleep 0.3; echo; exec sleep 100");
    reader.until("the first line", |ledger| ledger.count() >= 1);
    docker(&["rename", "dt-life", "dt-afterlife"]);
    docker(&["restart", "-t", "0", "dt-afterlife"]);
    reader.until("the second run", |ledger| ledger.of("dt-afterlife", "stdout").len() >= 2);
    docker(&["rm", "-f", "dt-afterlife"]);
    drop(container);
    reader.until("the end", |ledger| ledger.finished.len() == 2);
    reader.stop();
    let ledger = ledger.lock().unwrap();
    assert_eq!(ledger.of("dt-life", "stdout")[0], "up");
    assert!(ledger.of("dt-afterlife", "stdout").contains(&"up".to_owned()));
    assert_eq!(ledger.positions.len(), 1, "one id over the rename");
    assert!(ledger.repeated.is_empty());
}

#[test]
fn a_log_driver_that_cannot_be_read_stops_nobody() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::start(&ledger, "dt-driver-*");
    let _none = Container::run("dt-driver-none", &["--log-driver", "none"], "echo lost");
    let _local = Container::run("dt-driver-local", &["--log-driver", "local"], "echo kept");
    reader.until("the readable one", |ledger| ledger.of("dt-driver-local", "stdout") == ["kept"]);
    reader.stop();
    assert_eq!(ledger.lock().unwrap().count(), 1);
}

/// C5, by API.
#[test]
fn containers_that_are_removed_at_once_are_read_or_counted() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::run(&ledger, "dt-gone-*", Way::Api, false);
    let _marker = Container::run("dt-gone-not", &[], "echo ready");
    reader.until("a marker", |ledger| ledger.count() == 1);
    for number in 0..40 {
        let name = format!("dt-gone-{number}x");
        let script = format!("echo {number}");
        let _ = Container::run(&name, &["--rm"], &script);
    }
    let metrics = Arc::clone(&reader.metrics);
    let missed = || usize::try_from(metrics.total(Metric::MissedContainers)).unwrap();
    reader.until("40 containers", |ledger| ledger.count() + missed() >= 41);
    reader.stop();
    let (read, missed) = (ledger.lock().unwrap().count() - 1, missed());
    println!("the words of {read} of 40 were read; {missed} were gone before they could be asked to the end");
    // One whose words were read may be counted, too: nobody knows that they were the last.
    assert!(read <= 40 && missed <= 40 && read + missed >= 40, "{read} read, {missed} counted");
}

/// C3: with `--rm`, 50 to 300 ms, where the engine's file can be opened: as here, where the engine runs as the same user.
#[test]
fn containers_that_are_removed_at_once_have_their_say_in_the_file() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::run(&ledger, "dt-brief-*", Way::File, false);
    let _marker = Container::run("dt-brief-not", &[], "echo ready; exec sleep 600");
    reader.until("a marker", |ledger| ledger.count() == 1);
    std::thread::scope(|scope| {
        for lane in 0..4 {
            scope.spawn(move || {
                for number in (0..100).filter(|number| number % 4 == lane) {
                    let script = format!("echo a; sleep 0.{:02}; echo b >&2; printf c", 5 + number % 26);
                    // Not removed by us: that would kill it.
                    std::mem::forget(Container::run(&format!("dt-brief-{number}x"), &["--rm"], &script));
                }
            });
        }
    });
    let metrics = Arc::clone(&reader.metrics);
    let missed = || usize::try_from(metrics.total(Metric::MissedContainers)).unwrap();
    reader.until("the end of 100", |ledger| ledger.finished.len() / 2 + missed() >= 100);
    reader.stop();
    let ledger = ledger.lock().unwrap();
    for number in 0..100 {
        let name = format!("dt-brief-{number}x");
        assert_eq!(ledger.of(&name, "stdout"), ["a", "c"], "{name}");
        assert_eq!(ledger.of(&name, "stderr"), ["b"], "{name}");
    }
    assert_eq!(missed(), 0);
}

/// One run after the other reads through the API, from the file, through the API …: lines of 40 KB and short ones on
/// both streams. Not rotated meanwhile: at a rotation the engine's own follow may send the rest of a long line again.
#[test]
fn changing_the_way_repeats_nothing() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let script = "x=$(printf '%040000d' 7); i=0; while [ $i -lt 3000 ]; do echo out $i; echo err $i >&2; \
                  [ $((i%30)) = 0 ] && echo $x $i && echo $x $i >&2; i=$((i+1)); [ $((i%50)) = 0 ] && sleep 0.1; done";
    let _container = Container::run("dt-ways", &[], script);
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    for way in [Way::Api, Way::File].into_iter().cycle().take(12) {
        let reader = Reader::run(&ledger, "dt-ways", way, false);
        std::thread::sleep(Duration::from_millis(500));
        reader.stop();
    }
    let reader = Reader::run(&ledger, "dt-ways", Way::File, false);
    reader.until("all lines", |ledger| ledger.count() >= 6200);
    reader.stop();
    Reader::run(&ledger, "dt-ways", Way::Api, true).task.join().unwrap();
    let ledger = ledger.lock().unwrap();
    for (stream, prefix) in [("stdout", "out "), ("stderr", "err ")] {
        let lines = ledger.of("dt-ways", stream);
        let (long, short): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.len() > 1000);
        assert!(short == numbered(prefix, 0..3000), "{stream}: {} short lines", short.len());
        let wanted: Vec<_> = (0..100).map(|number| format!("{:040000} {}", 7, number * 30)).collect();
        assert!(long == wanted, "{stream}: {} long lines", long.len());
    }
    assert!(ledger.repeated.is_empty(), "{} repeated", ledger.repeated.len());
}

/// With one file only the engine removes or truncates it at each rotation: what is gone between two looks is told.
#[test]
fn what_is_rotated_away_unread_is_told() {
    let _engine = ENGINE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ledger = Arc::default();
    let reader = Reader::run(&ledger, "dt-cut", Way::File, false);
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; exec sleep 600";
    let _container = Container::run("dt-cut", &["--log-opt", "max-size=50k"], script);
    reader.until("the last line", |ledger| ledger.of("dt-cut", "stdout").last().is_some_and(|line| line == "19999"));
    let lost = reader.metrics.total(Metric::LostBytes) + reader.metrics.total(Metric::Gaps);
    reader.stop();
    let ledger = ledger.lock().unwrap();
    let numbers: Vec<u32> = ledger.of("dt-cut", "stdout").iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted() && ledger.repeated.is_empty());
    println!("{} of 20000 lines, {lost} bytes or gaps told", numbers.len());
    assert_eq!(numbers.len() < 20_000, lost > 0);
}

#[test]
fn an_engine_that_restarts_is_waited_for() {
    let _engine = ENGINE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Ok(restart) = std::env::var("LOGFERRY_TEST_DOCKER_RESTART") else {
        panic!("LOGFERRY_TEST_DOCKER_RESTART must name a program that restarts the engine");
    };
    let ledger = Arc::default();
    let reader = Reader::start(&ledger, "dt-engine");
    let script =
        "n=$(cat /n 2>/dev/null || echo 0); while true; do echo $n; n=$((n+1)); echo $n > /n; sleep 0.01; done";
    let _container = Container::run("dt-engine", &[], script);
    reader.until("the first lines", |ledger| ledger.count() >= 50);
    let status = Command::new(restart).status().unwrap();
    assert!(status.success());
    docker(&["start", "dt-engine"]);
    let before = ledger.lock().unwrap().count();
    reader.until("more lines", |ledger| ledger.count() >= before + 100);
    docker(&["kill", "dt-engine"]);
    std::thread::sleep(Duration::from_secs(1));
    reader.stop();
    let truth: Vec<_> = docker(&["logs", "dt-engine"]).lines().map(str::to_owned).collect();
    let ledger = ledger.lock().unwrap();
    assert_eq!(ledger.of("dt-engine", "stdout"), truth);
    assert!(ledger.repeated.is_empty());
}

//! A store that is away for long, while files rotate and the rotated ones are deleted: what cannot wait in its source
//! waits on disk, over kills, and arrives once when the store is back.

mod fast;

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::checker::Checker;
use crate::generate::Generator;
use crate::harness::{Agent, Ground, PATIENCE, now_ms, unique, wait_until, wait_until_within};
use crate::store::Store;

/// Of the bytes read, at most, in the queue.
const MOST_QUEUED: f64 = 0.45;

const MOST_MEMORY_KIB: u64 = 64 << 10;

/// What is written during an outage.
struct Outage {
    /// How many files, one after the other. All but the last two are deleted.
    files: u64,
    lines_a_file: u64,
    /// The agent is killed after so many files, again and again.
    kill_every: Option<u64>,
}

impl Outage {
    fn lines(&self) -> u64 {
        self.files * self.lines_a_file
    }
}

const SHORT: Outage = Outage { files: 5, lines_a_file: 5_000, kill_every: None };
const WITH_KILLS: Outage = Outage { files: 20, lines_a_file: 5_000, kill_every: Some(7) };
/// 200 MB: as much as a real store takes within minutes.
const LONG: Outage = Outage { files: 20, lines_a_file: 43_000, kill_every: None };
/// 2 GB.
const LARGE: Outage = Outage { files: 20, lines_a_file: 430_000, kill_every: None };

fn configure(ground: &Ground, service: &str, output: &str) {
    let source = format!("[source.{service}]\ntype = \"file\"\ninclude = [\"LOGS/*.log\"]\ntimezone = \"UTC\"\n\n");
    ground.configure(&format!("{source}{output}"));
}

/// Writes the next file under the name that is followed, having moved the one before aside; the one before that is
/// deleted. Returns its length.
fn rotate(ground: &Ground, generator: &Generator, numbers: Range<u64>) -> u64 {
    let (log, old) = (ground.log("app.log"), ground.log("app.log.1"));
    if log.exists() {
        fs::rename(&log, &old).unwrap();
    }
    generator.write_file(&log, numbers).unwrap();
    fs::metadata(&log).unwrap().len()
}

/// How many files the agent holds open that have no name any more.
fn deleted_files(agent: &Agent) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", agent.id())).unwrap().flatten();
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with("(deleted)")).count()
}

/// Whether the agent has the file that lies at `path` open.
fn has_open(agent: &Agent, path: &Path) -> bool {
    let links = fs::read_dir(format!("/proc/{}/fd", agent.id())).unwrap().flatten();
    links.filter_map(|link| fs::read_link(link.path()).ok()).any(|target| target == path)
}

fn queued_bytes(ground: &Ground) -> u64 {
    let files = walkdir(&ground.path("state/outputs/store"));
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|it| it == "segment"))
        .map(|path| fs::metadata(path).map_or(0, |it| it.len()))
        .sum()
}

fn walkdir(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(walkdir(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

/// Nothing that was written meanwhile is lost or repeated, and little room is needed for it.
fn survives(store: &Store, outage: &Outage) {
    arrives(store, outage, |service| {
        let mut checker = Checker::new("a", outage.lines());
        store.each_page(service, &mut |text| checker.scan(text));
        checker.assert_each_once();
    });
}

/// The same, where `check` says whether the store has each line of a service once.
fn arrives(store: &Store, outage: &Outage, check: impl FnOnce(&str)) {
    let Outage { files, lines_a_file, kill_every } = *outage;
    let service = unique("outage");
    let ground = Ground::new();
    configure(&ground, &service, &store.output().replace(&store.url, "http://127.0.0.1:1"));
    let generator = Generator::until(now_ms(), outage.lines(), 5, "a");
    let mut agent = ground.start(&[]);
    let (mut written, mut deleted, mut peak_kib) = (0, 0, 0);
    for file in 0..files {
        let length = rotate(&ground, &generator, file * lines_a_file..(file + 1) * lines_a_file);
        written += length;
        deleted += if file + 2 < files { length } else { 0 };
        wait_until("the new file to be opened", || has_open(&agent, &ground.log("app.log")).then_some(()));
        if kill_every.is_some_and(|every| file % every == every - 1) {
            let killed_kib;
            (agent, killed_kib) = kill_and_start(&ground, agent);
            peak_kib = killed_kib.max(peak_kib);
        }
    }
    wait_until_all_are_let_go(&agent);
    let queued = queued_bytes(&ground);
    peak_kib = agent.peak_kib().max(peak_kib);
    println!(
        "outage: {written} bytes written, {deleted} of them deleted, {queued} in the queue, {} MiB of memory",
        peak_kib >> 10
    );
    assert!(queued > 0, "nothing is in the queue, though the files are gone");
    assert!(peak_kib < MOST_MEMORY_KIB, "{peak_kib} KiB");
    agent.kill_9();

    configure(&ground, &service, &store.output());
    let began = Instant::now();
    let finished = ground.start(&["--once"]).wait_for(PATIENCE * 30).expect_code(0);
    let (took, peak_kib) = (began.elapsed().as_secs(), finished.peak_kib);
    println!("outage: all delivered in {took} s, {} MiB of memory\n{}", peak_kib >> 10, finished.stderr);
    assert!(peak_kib < MOST_MEMORY_KIB, "{peak_kib} KiB after the outage");
    // All that was not read now has been read before, and was in the queue.
    let read = written as f64 * (1.0 - lines_read(&finished.stderr) as f64 / outage.lines() as f64);
    assert!((queued as f64) < MOST_QUEUED * read, "{queued} bytes in the queue for {read:.0}");
    check(&service);
    ground.run_once().expect_code(0);
    assert_eq!(queued_bytes(&ground), 0, "what is delivered is forgotten");
    ground.assert_books_say_delivered(&service, outage.lines());
}

/// What a run with `--once` says.
fn lines_read(said: &str) -> u64 {
    let words = said.lines().find_map(|line| line.strip_prefix("read ")).unwrap();
    words.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

/// What is deleted and not read by then would be gone, and so would be what is deleted before anyone could open it again.
/// The next agent, and the most memory that this one held.
fn kill_and_start(ground: &Ground, agent: Agent) -> (Agent, u64) {
    wait_until_all_are_let_go(&agent);
    let peak_kib = agent.peak_kib();
    agent.kill_9();
    let agent = ground.start(&[]);
    for path in [ground.log("app.log"), ground.log("app.log.1")] {
        wait_until("the files to be found again", || has_open(&agent, &path).then_some(()));
    }
    (agent, peak_kib)
}

fn wait_until_all_are_let_go(agent: &Agent) {
    let is_done = || (deleted_files(agent) == 0).then_some(());
    wait_until_within(PATIENCE * 5, "deleted files to be read and let go", is_done);
}

mod es8 {
    use super::*;

    fn store() -> Store {
        Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES8")
    }

    #[test]
    fn an_outage_loses_and_repeats_nothing() {
        survives(&store(), &SHORT);
    }

    #[test]
    fn an_outage_with_kills_loses_and_repeats_nothing() {
        survives(&store(), &WITH_KILLS);
    }

    #[test]
    fn a_large_outage_loses_and_repeats_nothing() {
        survives(&store(), &LONG);
    }
}

/// A store that is faster than a real one, so that all of 2 GB arrives within minutes.
mod scripted {
    use std::net::TcpListener;

    use super::fast::Fast;
    use super::*;
    use crate::harness::append;

    fn arrives_once(outage: &Outage) {
        let fast = Fast::start(Checker::new("a", outage.lines()));
        arrives(&fast.store, outage, |_| fast.assert_each_once());
    }

    #[test]
    fn a_large_outage_loses_and_repeats_nothing() {
        arrives_once(&LARGE);
    }

    /// Files that lie where they are found are the queue themselves, however much more they have than memory holds.
    #[test]
    fn what_is_not_deleted_is_not_queued() {
        let (service, ground) = (unique("outage"), Ground::new());
        let fast = Fast::start(Checker::new("a", WITH_KILLS.lines()));
        configure(&ground, &service, &fast.store.output().replace(&fast.store.url, "http://127.0.0.1:1"));
        let generator = Generator::until(now_ms(), WITH_KILLS.lines(), 5, "a");
        let path = |file: u64| ground.log(&format!("{file}.log"));
        for file in 0..WITH_KILLS.files {
            let first = file * WITH_KILLS.lines_a_file;
            generator.write_file(&path(file), first..first + WITH_KILLS.lines_a_file).unwrap();
        }
        let agent = ground.start(&[]);
        for file in 0..WITH_KILLS.files {
            wait_until("all files to be opened", || has_open(&agent, &path(file)).then_some(()));
        }
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(queued_bytes(&ground), 0);
        agent.kill_9();
        configure(&ground, &service, &fast.store.output());
        ground.run_once().expect_code(0);
        fast.assert_each_once();
        ground.assert_books_say_delivered(&service, WITH_KILLS.lines());
    }

    /// A store that takes connections and answers nothing is no fault that a person must mend; but not for ever.
    #[test]
    fn a_line_that_waits_for_long_turns_health_red_until_it_is_delivered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, ground) = (format!("http://{}", listener.local_addr().unwrap()), Ground::new());
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let store = format!("[output.store]\ntype = \"elasticsearch\"\nurl = [\"{url}\"]\ntimeout = \"1s\"\n");
        let admin = format!("[admin]\nlisten = \"{listen}\"\nstalled_after = \"2s\"\n\n");
        configure(&ground, "app", &format!("{store}\n{admin}"));
        append(&ground.log("app.log"), "seq-a-0000000\n");
        let agent = ground.start(&[]);
        let health = || ground.run_with_input(&["health", "-c", "agent.toml"], b"");
        wait_until("the line to have waited", || {
            health().stdout.contains("output store: a line has waited for 0 min").then_some(())
        });
        assert_eq!(health().status.code(), Some(1));
        let fast = Fast::serve(listener, Checker::new("a", 1));
        wait_until("it to be well again", || (health().status.code() == Some(0)).then_some(()));
        fast.assert_each_once();
        agent.terminate().expect_code(0);
    }

    #[test]
    fn a_large_outage_with_kills_loses_and_repeats_nothing() {
        arrives_once(&Outage { kill_every: Some(3), ..LARGE });
    }
}

mod loki {
    use super::*;

    fn store() -> Store {
        Store::from_environment("loki", "LOGFERRY_TEST_LOKI")
    }

    #[test]
    fn an_outage_loses_and_repeats_nothing() {
        survives(&store(), &SHORT);
    }

    #[test]
    fn an_outage_with_kills_loses_and_repeats_nothing() {
        survives(&store(), &WITH_KILLS);
    }
}

mod docker {
    use std::net::TcpListener;
    use std::process::Command;

    use serde_json::Value;

    use super::*;
    use crate::store::address;

    /// A container is read and its lines are delivered; it goes on writing while the store is away, and is removed before
    /// that is back. The agent is killed, stopped and started again meanwhile. Needs Elasticsearch too.
    #[test]
    fn containers_go_on_while_the_store_is_away() {
        const BEFORE: u64 = 5_000;
        const WRITTEN: u64 = 30_000;
        let (engine, store) =
            (address("LOGFERRY_TEST_DOCKER"), Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES8"));
        let (service, ground) = (unique("outage-docker"), Ground::new());
        let source =
            format!("[source.containers]\ntype = \"docker\"\nhost = \"{engine}\"\ncontainers = [\"{service}\"]\n\n");
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let there = format!("[admin]\nlisten = \"{listen}\"\n\n{source}{}", store.output());
        let away = there.replace(&store.url, "http://127.0.0.1:1");
        // Its own folder: the agent writes its messages to the other.
        let other = Ground::new();
        let counted = |what: &str| {
            let config = ground.path("agent.toml");
            let said = other.run_with_input(&["ledger", "--json", "-c", config.to_str().unwrap()], b"").stdout;
            serde_json::from_str::<Value>(&said).ok()?["store"]["containers"][what].as_u64()
        };
        let docker = |arguments: &[&str]| {
            let output = Command::new("docker").args(["-H", &engine]).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        ground.configure(&there);
        let agent = ground.start(&[]);
        // Each line is long enough for all of them to be more than the lanes hold in memory.
        let write =
            |end: u64| format!("while [ $i -lt {end} ]; do printf 'seq-a-%07d %s%s\\n' $i $pad $i; i=$((i+1)); done");
        let (first, rest) = (write(BEFORE), write(WRITTEN));
        let wait = "while [ ! -e /go ]; do sleep 0.05; done";
        let script = format!("pad=$(printf %0600d 0); i=0; {first}; {wait}; {rest}; sleep 600");
        let label = format!("logferry.service={service}");
        let run = ["run", "-d", "--network", "none", "--name", &service, "--label", &label, "busybox:1"];
        docker(&[&run[..], &["sh", "-c", &script]].concat());
        wait_until("the first to be delivered", || (counted("delivered") == Some(BEFORE)).then_some(()));
        agent.kill_9();

        ground.configure(&away);
        let agent = ground.start(&[]);
        docker(&["exec", &service, "sh", "-c", ": >/go"]);
        wait_until("all to be read", || (counted("read") == Some(WRITTEN)).then_some(()));
        assert!(queued_bytes(&ground) > 0, "nothing is in the queue");
        docker(&["rm", "-f", &service]);
        agent.terminate().expect_code(0);
        for end in [Agent::kill_9 as fn(Agent), |agent| drop(agent.terminate().expect_code(0))] {
            let agent = ground.start(&[]);
            wait_until("the next to know all", || (counted("read") == Some(WRITTEN)).then_some(()));
            end(agent);
        }

        ground.configure(&there);
        ground.start(&["--once"]).wait_for(PATIENCE).expect_code(0);
        let mut checker = Checker::new("a", WRITTEN);
        store.each_page(&service, &mut |text| checker.scan(text));
        checker.assert_each_once();
        ground.assert_books_say_delivered("containers", WRITTEN);
    }

    /// A container is renamed while the agent is dead, and its name is part of the index. What was sent just before the
    /// kill goes where it went before, and so is known.
    #[test]
    fn a_container_that_is_renamed_between_a_kill_and_the_next_start_repeats_nothing() {
        const WRITTEN: u64 = 60_000;
        let (engine, store) =
            (address("LOGFERRY_TEST_DOCKER"), Store::from_environment("elasticsearch", "LOGFERRY_TEST_ES8"));
        let (service, ground) = (unique("renamed"), Ground::new());
        let label = format!("logferry.service={service}");
        let source = format!("[source.containers]\ntype = \"docker\"\nhost = \"{engine}\"\nlabels = [\"{label}\"]\n\n");
        // Small batches, so that some are under way at any moment.
        let index = "index = \"logferry-{service_name}-{container_name}\"\nmax_records = 500\n";
        ground.configure(&format!("{source}{}{index}", store.output()));
        let docker = |arguments: &[&str]| {
            let output = Command::new("docker").args(["-H", &engine]).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let script =
            format!("i=0; while [ $i -lt {WRITTEN} ]; do printf 'seq-a-%07d\\n' $i; i=$((i+1)); done; sleep 600");
        let name = |number: u64| format!("{service}-{number}");
        docker(&[
            "run",
            "-d",
            "--network",
            "none",
            "--name",
            &name(0),
            "--label",
            &label,
            "busybox:1",
            "sh",
            "-c",
            &script,
        ]);
        for kill in 0..5 {
            let agent = ground.start(&[]);
            std::thread::sleep(Duration::from_millis(700));
            agent.kill_9();
            docker(&["rename", &name(kill), &name(kill + 1)]);
        }
        let last = format!("seq-a-{:07}\n", WRITTEN - 1);
        wait_until("all to be written", || (docker(&["logs", "--tail", "1", &name(5)]) == last).then_some(()));
        ground.start(&["--once", "--wait", "2m"]).wait_for(PATIENCE * 3).expect_code(0);
        docker(&["rm", "-f", &name(5)]);
        let mut checker = Checker::new("a", WRITTEN);
        store.each_page(&service, &mut |text| checker.scan(text));
        checker.assert_each_once();
        ground.assert_books_say_delivered("containers", WRITTEN);
    }
}

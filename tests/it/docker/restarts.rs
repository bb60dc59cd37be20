//! Engines and containers that are stopped and started again while the agent follows.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{
    Engine, LOAD, assert_as_the_files_have_it, assert_each_once, delivered, end_load, print, records_at_least,
    wait_for_lines,
};
use crate::harness::{Ground, send_signal, wait_until};

/// An engine of a test's own, which may be stopped.
struct OwnEngine {
    folder: TempDir,
    options: &'static [&'static str],
    server: Child,
}

impl OwnEngine {
    fn start(options: &'static [&'static str]) -> Self {
        // Not below the usual folder for temporary files, which may be deep: a socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("lf-d.").tempdir_in("/tmp").unwrap();
        let server = serve(&folder, options);
        let own = Self { folder, options, server };
        own.wait_until_ready();
        let image = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/docker/image");
        assert!(Command::new(image).arg(own.folder.path().join("docker.sock")).status().unwrap().success());
        own
    }

    fn restart(&mut self) {
        self.stop("TERM");
        self.start_again();
    }

    fn stop(&mut self, signal: &str) {
        send_signal(self.server.id(), signal);
        self.server.wait().unwrap();
    }

    fn start_again(&mut self) {
        // One that was killed leaves these.
        for left in ["pid", "exec/containerd/containerd.pid"] {
            let _ = std::fs::remove_file(self.folder.path().join(left));
        }
        self.server = serve(&self.folder, self.options);
        self.wait_until_ready();
    }

    fn host(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    fn wait_until_ready(&self) {
        let socket = self.folder.path().join("docker.sock");
        wait_until("the engine", || {
            let ask = ["-sf", "-o", "/dev/null", "--unix-socket", socket.to_str().unwrap(), "http://docker/_ping"];
            Command::new("curl").args(ask).status().unwrap().success().then_some(())
        });
    }
}

fn serve(folder: &TempDir, options: &[&str]) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engines/docker/start");
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    Command::new(script).arg(folder.path()).args(options).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.stop("TERM");
    }
}

/// C6: the engine goes and comes back, its socket too, with its containers stopped; the agent goes on by itself.
#[test]
fn an_engine_that_restarts_is_followed_again() {
    let mut own = OwnEngine::start(&[]);
    let engine = Engine::at(&own.host());
    let ground = engine.ground();
    let agent = ground.start(&[]);
    let first = engine.run(&[], &format!("{}; exec sleep 600", print(0..500)));
    wait_for_lines(&ground, 500);
    engine.docker(&["kill", &first]);
    own.restart();
    engine.run(&[], &print(500..1000));
    wait_for_lines(&ground, 1000);
    // The one from before says something more: its old lines are not sent again.
    engine.docker(&["start", &first]);
    wait_until("its lines again", || records_at_least(&ground, 1500).then_some(()));
    agent.terminate().expect_code(0);
    assert_eq!(delivered(&ground).lines().count(), 1500);
}

/// C4: the same container runs again and again: same id, one log.
#[test]
fn a_container_that_is_restarted_is_followed_on() {
    let engine = Engine::given();
    let ground = engine.ground();
    let agent = ground.start(&[]);
    let script = "n=$(cat /n 2>/dev/null || echo 0); echo $((n+500)) >/n; \
                  i=$n; while [ $i -lt $((n+500)) ]; do printf 'seq-a-%07d\n' $i; i=$((i+1)); done; exec sleep 600";
    let id = engine.run(&[], script);
    for run in 1..=4 {
        wait_for_lines_of_run(&ground, run);
        if run < 4 {
            engine.docker(&["restart", "-t", "0", &id]);
        }
    }
    agent.terminate().expect_code(0);
    assert_each_once(&ground, 2000);
}

#[track_caller]
fn wait_for_lines_of_run(ground: &Ground, run: usize) {
    wait_until(&format!("the lines of run {run}"), || records_at_least(ground, run * 500).then_some(()));
}

/// C6, C7: the engine is stopped, then killed, and started again, while its containers go on (`--live-restore`) and
/// write to both streams, 40 KB at a time. What its log then holds is what must have arrived: the file is rotated on
/// the way, what is read through the API is not.
#[test]
fn containers_that_outlive_their_engine_are_followed_on() {
    let mut own = OwnEngine::start(&["--live-restore"]);
    let rotated = ["--log-opt", "max-size=200k", "--log-opt", "max-file=1000"];
    let followed = [("file", &rotated[..]), ("api", &[])].map(|(way, options)| {
        let engine = Engine::at(&own.host());
        let ground = engine.ground_by(way);
        let agent = ground.start(&[]);
        let id = engine.run(options, LOAD);
        (engine, ground, agent, id)
    });
    for signal in ["TERM", "KILL"] {
        let before = followed.each_ref().map(|(_, ground, ..)| delivered(ground).lines().count());
        own.stop(signal);
        own.start_again();
        for ((_, ground, ..), before) in followed.iter().zip(before) {
            wait_until("more lines", || records_at_least(ground, before + 500).then_some(()));
        }
    }
    for (engine, ground, agent, id) in followed {
        end_load(&engine, &id, &ground);
        agent.terminate().expect_code(0);
        ground.run_once().expect_code(0);
        assert_as_the_files_have_it(&engine, &id, &ground);
    }
}

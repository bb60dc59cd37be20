//! The real binary, started and killed. Waits for nothing without a limit.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::gone::Gone;
use crate::harness::{Ground, send_signal};

/// The name under which every run's messages are kept in the ground.
pub const MESSAGES: &str = "messages";
/// The file in the ground that says by how many seconds the agent's clock is wrong.
pub const CLOCK: &str = "clock";
/// A stop may take as long: `stop_within` of a round, and a busy machine.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// How a run is to end.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// Killed at a step, the number-th time it is reached; else after this time.
    Step(&'static str, u64, Duration),
    /// Killed after this time.
    Killed(Duration),
    /// Asked to stop after this time.
    Stopped(Duration),
}

/// Runs the agent on a ground until its fate. The step at which it died, `random`, or `stopped`. `gone` is told its
/// process, and when it is asked to stop.
///
/// # Errors
/// It ended otherwise, or could not be started.
pub fn run(ground: &Ground, fate: Fate, gone: &Gone) -> io::Result<&'static str> {
    let (step, time) = match fate {
        Fate::Step(step, number, time) => (Some((step, number)), time),
        Fate::Killed(time) | Fate::Stopped(time) => (None, time),
    };
    let mut child = start(ground, &[], step)?;
    gone.started(child.id());
    match (wait(&mut child, time)?, fate) {
        (Some(status), Fate::Step(step, ..)) if status.signal() == Some(9) => Ok(step),
        (Some(status), _) => Err(io::Error::other(format!("the agent ended by itself: {status}"))),
        (None, Fate::Stopped(_)) => {
            gone.stopping();
            stop(&mut child)
        }
        (None, _) => {
            child.kill()?;
            child.wait()?;
            Ok("random")
        }
    }
}

/// Runs the agent with `--once` to its end: its exit code, and what it said at the end.
///
/// # Errors
/// It did not end in time, or could not be started.
pub fn run_once(ground: &Ground, patience: Duration) -> io::Result<(Option<i32>, String)> {
    let before = std::fs::metadata(ground.path(MESSAGES)).map_or(0, |metadata| metadata.len());
    let mut child = start(ground, &["--once", "--wait", "40s"], None)?;
    let Some(status) = wait(&mut child, patience)? else {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::other(format!("the last run did not end within {patience:?}")));
    };
    let messages = std::fs::read(ground.path(MESSAGES))?;
    let said = &messages[usize::try_from(before).map_err(io::Error::other)?..];
    Ok((status.code(), String::from_utf8_lossy(said).into_owned()))
}

fn start(ground: &Ground, more: &[&str], step: Option<(&str, u64)>) -> io::Result<Child> {
    let messages = File::options().create(true).append(true).open(ground.path(MESSAGES))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_logferry"));
    command.arg("run").arg("-c").arg(ground.path("agent.toml")).args(more);
    command.env("TZ", "UTC").env_remove("DOCKER_HOST").env_remove("LOGFERRY_FAILPOINT");
    command.env("LOGFERRY_CLOCK", ground.path(CLOCK));
    if let Some((step, number)) = step {
        command.env("LOGFERRY_FAILPOINT", format!("{step}:{number}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(messages).spawn()
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= patience {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn stop(child: &mut Child) -> io::Result<&'static str> {
    send_signal(child.id(), "TERM");
    match wait(child, STOPPED_WITHIN)? {
        Some(status) if status.code() == Some(0) || status.signal() == Some(15) => Ok("stopped"),
        Some(status) => Err(io::Error::other(format!("the agent was asked to stop and ended with {status}"))),
        None => {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other("the agent was asked to stop and did not"))
        }
    }
}

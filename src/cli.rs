//! Arguments to actions, outcomes to words and exit codes. Does no work of its own.

mod ledger;
mod mask;
mod parked;
mod summary;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustix::fs::FileType;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use tokio::time::timeout;

use crate::base::quantity::Span;
use crate::collect::docker;
use crate::config::{self, Config, Extent, Severity};
use crate::{admin, agent, output};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Exit {
    /// All is well; with `--once`: all is delivered, or dropped by a rule.
    Fine = 0,
    /// The configuration or the arguments are wrong; `health`: not well.
    Wrong = 1,
    /// With `--once`: something was parked, held back by masking, lost, or could not be delivered. `parked replay`:
    /// something is still parked.
    Undelivered = 2,
    /// `mask --check`: something was found that would be masked.
    Found = 3,
    /// A fault of the agent itself.
    Internal = 4,
}

/// For a container engine to say that it is there, when nothing is configured.
const ENGINE_WITHIN: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "\
Examples:
  logferry run                        print what containers, /var/log and standard input say, masked; save nothing
  app | logferry run --once           the same for one program, until it ends
  logferry example > agent.toml       begin a configuration
  logferry check -c agent.toml        all its faults at once, with their lines
  logferry run -c agent.toml          ship, until stopped
  logferry run -c agent.toml --once   ship what is there now, print what became of it
  logferry ledger -c agent.toml       what became of every line so far
  logferry mask app.log               see what masking does to a file; --check for a build, --list for all detectors
  logferry parked list                what a store refused for good, and why; replay sends it again

Without -c the configuration is ./agent.toml, else /etc/logferry/agent.toml.

Exit codes: 0 fine; 1 the configuration or the arguments are wrong; 2 with --once, something was not delivered, or
with parked replay, is still parked; 3 mask --check found something; 4 a fault of the agent.
";

/// A light log shipping agent: containers and files in, masked records out, every line across, once.
#[derive(Debug, Parser)]
#[command(name = "logferry", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read, mask and ship, until stopped
    #[command(after_help = EXAMPLES)]
    Run(Run),
    /// Examine the configuration: all faults and warnings, with their lines
    Check {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Print an example configuration with every option
    Example,
    /// Print what became of every line ever read, by output and source
    ///
    /// read = delivered + parked + dropped + in flight. Asks the running agent; where none answers, reads what was saved
    /// last.
    Ledger {
        #[command(flatten)]
        file: ConfigFile,
        /// As JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Print the lines of files, or of standard input, as masking makes them
    #[command(after_help = mask::EXAMPLES)]
    Mask(mask::Mask),
    /// Records that a store refused for good: list, show, export, drop, edit, replay
    #[command(after_help = parked::EXAMPLES)]
    Parked {
        #[command(subcommand)]
        action: parked::Action,
    },
    /// Ask a running agent whether it is well; exit 0 if so, else 1
    Health {
        #[command(flatten)]
        file: ConfigFile,
        /// Where it listens, instead of what the configuration says
        #[arg(long, value_name = "URL", conflicts_with = "config")]
        url: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    file: ConfigFile,
    /// Read what is there now, deliver it, print a summary, end
    #[arg(long)]
    once: bool,
    /// With --once: give up after so long without progress
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, requires = "once")]
    wait: Duration,
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration [default: ./agent.toml, else /etc/logferry/agent.toml]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing better can be done where even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(exit_of(&error) as u8);
        }
    };
    let exit = catch_unwind(AssertUnwindSafe(|| execute(arguments.command))).unwrap_or(Exit::Internal);
    ExitCode::from(exit as u8)
}

/// clap's own code for wrong arguments is 2, which here means something else.
fn exit_of(error: &clap::Error) -> Exit {
    if error.use_stderr() { Exit::Wrong } else { Exit::Fine }
}

fn execute(command: Command) -> Exit {
    match command {
        Command::Run(arguments) => run(&arguments),
        Command::Check { file } => check(file.config.as_deref()),
        Command::Example => {
            print(config::EXAMPLE);
            Exit::Fine
        }
        Command::Ledger { file, json } => ledger(file.config.as_deref(), json),
        Command::Mask(arguments) => mask::execute(&arguments),
        Command::Parked { action } => parked::execute(&action),
        Command::Health { file, url } => health(file.config.as_deref(), url.as_deref()),
    }
}

fn run(arguments: &Run) -> Exit {
    let config = match config::find(arguments.file.config.as_deref()) {
        None => Config::zero(engine_answers(), stdin_is_piped()),
        Some(path) => match config::load(&path, Extent::Text) {
            Ok(loaded) => {
                say(&loaded.report.to_string());
                loaded.config
            }
            Err(error) => return refused(&error),
        },
    };
    let variable = std::env::var(admin::log::VARIABLE).ok();
    admin::log::begin(config.agent.log_format, config.agent.log_level, variable.as_deref());
    let progress = progress(arguments.once, &config);
    match agent::run(config, agent::Options { once: arguments.once, wait: arguments.wait, progress }) {
        Ok(summary) => finished(&summary, arguments.once),
        Err(error) => {
            say(&format!("error: {error}\n"));
            if let Some(hint) = error.hint() {
                say(&format!("hint: {hint}\n"));
            }
            // Start-up can find what the file's text does not tell, such as a secret's file that has gone.
            let wrong = matches!(error, agent::Error::Configuration(_));
            if wrong { Exit::Wrong } else { Exit::Internal }
        }
    }
}

/// Long work shows how far it is, where someone watches and no records go to the same screen.
fn progress(once: bool, config: &Config) -> Option<fn(&agent::Summary)> {
    let shows_records = || {
        let is_stdout = config.outputs.values().any(|one| one.output.kind == output::Kind::Stdout);
        is_stdout && std::io::stdout().is_terminal()
    };
    let is_watched = once && std::io::stderr().is_terminal() && !shows_records();
    is_watched.then_some(|summary| say(&format!("\r\x1b[K{}\r", summary::line(summary))))
}

/// Without `--once` what is not yet delivered is read again at the next start.
fn finished(summary: &agent::Summary, once: bool) -> Exit {
    if !once {
        return Exit::Fine;
    }
    say(&summary::table(summary));
    if summary.is_whole() { Exit::Fine } else { Exit::Undelivered }
}

fn check(given: Option<&Path>) -> Exit {
    let Some(path) = config::find(given) else {
        say("error: cannot find a configuration: there is neither ./agent.toml nor /etc/logferry/agent.toml\n\
             hint: logferry example > agent.toml\n");
        return Exit::Wrong;
    };
    match config::load(&path, Extent::Machine) {
        Ok(loaded) => {
            print(&loaded.report.to_string());
            let (sources, outputs) = (loaded.config.sources.len(), loaded.config.outputs.len());
            let warnings = counted(loaded.report.count(Severity::Warning), "warning");
            let parts = format!("{}, {}", counted(sources, "source"), counted(outputs, "output"));
            print(&format!("{}: fine: {parts}, {warnings}\n", path.display()));
            Exit::Fine
        }
        Err(config::Error::Faulty(report)) => {
            print(&report.to_string());
            let warnings = counted(report.count(Severity::Warning), "warning");
            print(&format!("{}: {}, {warnings}\n", path.display(), counted(report.count(Severity::Error), "error")));
            Exit::Wrong
        }
        Err(error) => refused(&error),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn refused(error: &config::Error) -> Exit {
    match error {
        config::Error::Faulty(report) => say(&report.to_string()),
        unreadable => say(&format!("error: {unreadable}\nhint: logferry example > agent.toml\n")),
    }
    Exit::Wrong
}

fn ledger(given: Option<&Path>, json: bool) -> Exit {
    let Some(path) = config::find(given) else {
        say("error: cannot find a configuration: there is neither ./agent.toml nor /etc/logferry/agent.toml\n\
             hint: logferry ledger -c FILE, with the configuration of the agent that is meant\n");
        return Exit::Wrong;
    };
    let config = match config::load(&path, Extent::Text) {
        Ok(loaded) => loaded.config,
        Err(error) => return refused(&error),
    };
    let ledger = match ledger::find(&config) {
        Ok(ledger) => ledger,
        Err(error) => {
            say(&format!("error: {error}\n"));
            return Exit::Internal;
        }
    };
    print(&if json { admin::ledger::json(&ledger) + "\n" } else { ledger::table(&ledger) });
    Exit::Fine
}

fn health(given: Option<&Path>, url: Option<&str>) -> Exit {
    let listen = match (url, config::find(given)) {
        (Some(_), _) | (None, None) => admin::Listen::default(),
        (None, Some(path)) => match config::load(&path, Extent::Text) {
            Ok(loaded) => loaded.config.admin.listen,
            Err(error) => return refused(&error),
        },
    };
    let Some(configured) = listen.0 else {
        say("error: cannot ask the agent: `listen` in [admin] is \"off\"\n");
        return Exit::Wrong;
    };
    let answer =
        url.map_or(Ok(configured), admin::probe::address).and_then(|address| admin::probe::ask(address, "/healthz"));
    match answer {
        Ok(answer) => {
            print(&format!("{}\n", answer.text));
            if answer.well { Exit::Fine } else { Exit::Wrong }
        }
        Err(error) => {
            say(&format!("error: {error}\n"));
            Exit::Wrong
        }
    }
}

/// A time as the configuration writes it.
fn time(text: &str) -> Result<Duration, String> {
    let parsed = Span::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(text));
    parsed.map(|span| span.0).map_err(|error| error.to_string())
}

/// Whether a container engine answers, where `DOCKER_HOST` says or at its usual place.
fn engine_answers() -> bool {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
    let config = docker::Config::default();
    runtime.block_on(async { matches!(timeout(ENGINE_WITHIN, docker::ping(&config)).await, Ok(Ok(()))) })
}

/// Whether standard input is something to read to its end: not a terminal, not `/dev/null`.
fn stdin_is_piped() -> bool {
    let stdin = io::stdin();
    let kind = rustix::fs::fstat(&stdin).map(|stat| FileType::from_raw_mode(stat.st_mode));
    !stdin.is_terminal() && matches!(kind, Ok(FileType::Fifo | FileType::RegularFile | FileType::Socket))
}

/// To standard output. Whoever closed it did not want it.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// To standard error.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

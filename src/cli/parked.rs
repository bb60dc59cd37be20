//! `logferry parked`: what stores refused for good. Reading needs nobody; changes are made by the agent that holds the
//! state folder, or here while none does. Knows no store.

mod hand;
mod listing;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use self::hand::Hand;
use self::listing::Groups;
use super::{ConfigFile, Exit, counted, print, refused, say, time};
use crate::admin::clerk::{Answer, Request};
use crate::base::clock;
use crate::config::{self, Config, Extent};
use crate::ship::{Kept, ParkError, Parked, Replayed, Selection, parked_outputs};

pub const EXAMPLES: &str = "\
A record that its store refuses for good is parked: kept in STATE_DIR/parked/OUTPUT.ndjson with the
reason, masked as it was sent. The agent may run meanwhile or not.

Examples:
  logferry parked list                            by output and reason: how many, since when, ids
  logferry parked show 0f3k2m9a1q0510000          one record, whole
  logferry parked replay --reason 'field [user]'  send them again, now that the mapping is mended
  logferry parked export --output store > p.ndjson
  vi p.ndjson                                     mend the documents themselves; ids stay
  logferry parked replay --from p.ndjson          masked again, then sent
  logferry parked export | jq -c 'del(.document.user)' | logferry parked replay --from -
  logferry parked drop --older 30d                remove for good

What a replay brings to the store is parked no more. What is refused again stays, with the new reason.

Exit codes: 0 fine; 1 the configuration or the arguments are wrong; 2 something is still parked after
a replay; 4 the state folder cannot be read or written, or its agent cannot be reached.
";

/// An edited file is taken in parts of this many bytes: each is one request to the agent.
const PART_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// How many are parked, by output and reason, since when, and their ids
    List {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        filters: Filters,
        /// For people, or for programs: an array, with all ids
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Print records whole
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// As `list` shows them
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Print records as NDJSON, one a line
    Export {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        filters: Filters,
    },
    /// Remove records for good
    Drop {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        filters: Filters,
        /// Only these
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All of them, where nothing says which
        #[arg(long)]
        yes: bool,
    },
    /// Send records again; what the store takes is parked no more
    #[command(after_help = EXAMPLES)]
    Replay {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        filters: Filters,
        /// Only these
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Exported records whose documents were edited; `-` is standard input. They are masked again
        #[arg(long, visible_alias = "edit", value_name = "FILE",
              conflicts_with_all = ["ids", "output", "source", "reason", "older", "newer"])]
        from: Option<PathBuf>,
        /// Give up when the store does not answer for so long
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
        wait: Duration,
    },
}

/// Which records. All that is given must hold.
#[derive(Debug, Default, Args)]
pub struct Filters {
    /// Refused by this output
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// From this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// With this text in the store's reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Parked for longer than this: 2d, 6h, 30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    older: Option<Duration>,
    /// Parked within this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    newer: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// Why an action ends early: what is said, and the code.
#[derive(Debug)]
pub struct Stop {
    text: String,
    exit: Exit,
}

impl Stop {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { text: text.into(), exit }
    }
}

impl From<ParkError> for Stop {
    fn from(error: ParkError) -> Self {
        let is_forbidden = matches!(&error, ParkError::Read { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied);
        let hint = if is_forbidden { "\nhint: run this as the user that the agent runs as" } else { "" };
        Self::new(Exit::Internal, format!("{error}; nothing is changed{hint}"))
    }
}

/// The whole command.
pub fn execute(action: &Action) -> Exit {
    done(action).unwrap_or_else(|stop| {
        if !stop.text.is_empty() {
            say(&format!("error: {}\n", stop.text));
        }
        stop.exit
    })
}

fn done(action: &Action) -> Result<Exit, Stop> {
    match action {
        Action::List { file, filters, format } => list(&Place::of(file)?, &filters.selection(&[]), *format),
        Action::Show { file, ids } => show(&Place::of(file)?, ids),
        Action::Export { file, filters } => export(&Place::of(file)?, &filters.selection(&[])),
        Action::Drop { file, filters, ids, yes } => remove(&Place::of(file)?, filters.selection(ids), *yes),
        Action::Replay { file, from: Some(from), wait, .. } => replay_edited(&Place::of(file)?, from, *wait),
        Action::Replay { file, filters, ids, from: None, wait } => {
            replay(&Place::of(file)?, filters.selection(ids), *wait)
        }
    }
}

/// The configuration, and where it keeps its state.
struct Place {
    config: Config,
    state_dir: PathBuf,
}

impl Place {
    fn of(file: &ConfigFile) -> Result<Self, Stop> {
        let Some(path) = config::find(file.config.as_deref()) else {
            let text = "cannot find a configuration, and so no state folder: there is neither ./agent.toml nor \
                        /etc/logferry/agent.toml\nhint: name it with -c FILE";
            return Err(Stop::new(Exit::Wrong, text));
        };
        let config = match config::load(&path, Extent::Text) {
            Ok(loaded) => loaded.config,
            Err(error) => return Err(Stop::new(refused(&error), "")),
        };
        let state_dir = config.agent.state_dir.clone();
        let state_dir = state_dir.ok_or_else(|| Stop::new(Exit::Wrong, "the configuration has no state folder"))?;
        Ok(Self { config, state_dir })
    }

    /// Shows all selected records. Lines that are none are told of.
    fn each(&self, selection: &Selection, visit: &mut dyn FnMut(Kept)) -> Result<(), Stop> {
        for output in parked_outputs(&self.state_dir)? {
            let parked = Parked::new(&output, &self.state_dir, 0);
            let mut look = |kept: Kept| {
                if selection.selects(&kept) {
                    visit(kept)
                }
            };
            let foreign = parked.each(&mut look)?;
            if foreign > 0 {
                let lines = counted(usize::try_from(foreign).unwrap_or(usize::MAX), "line");
                say(&format!("warning: {lines} in parked/{output}.ndjson cannot be read; they are left as they are\n"));
            }
        }
        Ok(())
    }

    /// How many are selected, and of which outputs. All ids that were given must be there.
    fn survey(&self, selection: &Selection) -> Result<(usize, BTreeSet<String>), Stop> {
        let (mut count, mut outputs, mut missing) = (0, BTreeSet::new(), selection.ids.clone());
        self.each(selection, &mut |kept| {
            count += 1;
            missing.remove(&kept.id);
            outputs.insert(kept.output);
        })?;
        match missing.first() {
            Some(id) => Err(unknown(id)),
            None => Ok((count, outputs)),
        }
    }
}

impl Filters {
    fn selection(&self, ids: &[String]) -> Selection {
        let ago = |time: Duration| clock::now_ms() - i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Selection {
            output: self.output.clone(),
            source: self.source.clone(),
            reason: self.reason.clone(),
            until_ms: self.older.map(ago),
            since_ms: self.newer.map(ago),
            ids: ids.iter().cloned().collect(),
        }
    }
}

fn unknown(id: &str) -> Stop {
    let text = format!("cannot find {id} among the parked records that are meant\nhint: logferry parked list");
    Stop::new(Exit::Wrong, text)
}

fn list(place: &Place, selection: &Selection, format: Format) -> Result<Exit, Stop> {
    let mut groups = Groups::default();
    place.each(selection, &mut |kept| groups.take(kept))?;
    print(&match format {
        Format::Text => groups.text(),
        Format::Json => groups.json(),
    });
    Ok(Exit::Fine)
}

fn show(place: &Place, ids: &[String]) -> Result<Exit, Stop> {
    let selection = Filters::default().selection(ids);
    place.survey(&selection)?;
    place.each(&selection, &mut |kept| {
        print(&serde_json::to_string_pretty(&kept).map(|text| text + "\n").unwrap_or_default());
    })?;
    Ok(Exit::Fine)
}

fn export(place: &Place, selection: &Selection) -> Result<Exit, Stop> {
    let mut line = Vec::new();
    place.each(selection, &mut |kept| {
        line.clear();
        kept.push(&mut line);
        print(&String::from_utf8_lossy(&line));
    })?;
    Ok(Exit::Fine)
}

fn remove(place: &Place, selection: Selection, yes: bool) -> Result<Exit, Stop> {
    let (count, _) = place.survey(&selection)?;
    if count > 0 && selection.is_all() && !yes {
        let text = format!(
            "cannot drop: nothing says which records; all {count} are still parked\n\
             hint: say which by --output, --reason, --source, --older, --newer or ids; or all of them by --yes"
        );
        return Err(Stop::new(Exit::Wrong, text));
    }
    let mut dropped = 0;
    if count > 0 {
        dropped = match Hand::open(place, &BTreeSet::new())?.perform(Request::Drop(selection))? {
            Answer::Dropped(dropped) => dropped,
            other => return Err(failed(other, Exit::Internal)),
        };
    }
    print(&format!("dropped {}\n", counted(usize::try_from(dropped).unwrap_or(usize::MAX), "record")));
    Ok(Exit::Fine)
}

fn replay(place: &Place, selection: Selection, wait: Duration) -> Result<Exit, Stop> {
    let (count, outputs) = place.survey(&selection)?;
    if count == 0 {
        print("nothing is parked that is meant by this\n");
        return Ok(Exit::Fine);
    }
    send(&Hand::open(place, &outputs)?, selection, wait)
}

fn send(hand: &Hand<'_>, selection: Selection, wait: Duration) -> Result<Exit, Stop> {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    match hand.perform(Request::Replay { selection, wait_ms })? {
        Answer::Replayed(all) => Ok(all.iter().map(told).max().unwrap_or(Exit::Fine)),
        other => Err(failed(other, Exit::Undelivered)),
    }
}

/// Part by part: each is masked and written down before it is sent, so that a crash in between sends the same again.
fn replay_edited(place: &Place, from: &Path, wait: Duration) -> Result<Exit, Stop> {
    let records = records(from)?;
    let outputs = records.iter().map(|one| one.output.clone()).collect();
    let hand = Hand::open(place, &outputs)?;
    let mut exit = Exit::Fine;
    for part in parts(records) {
        let selection = Selection {
            output: part.first().map(|one| one.output.clone()),
            ids: part.iter().map(|one| one.id.clone()).collect(),
            ..Selection::default()
        };
        match hand.perform(Request::Edit(part))? {
            Answer::Edited(_) => exit = exit.max(send(&hand, selection, wait)?),
            other => return Err(failed(other, Exit::Undelivered)),
        }
    }
    Ok(exit)
}

/// Exported records, all of them or none.
fn records(from: &Path) -> Result<Vec<Kept>, Stop> {
    let wrong = |text: String| Stop::new(Exit::Wrong, format!("cannot read {}: {text}", from.display()));
    let input: Box<dyn Read> = match from.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(from).map_err(|error| wrong(format!("{error}; nothing is changed")))?),
    };
    let parsed: Result<Vec<Kept>, _> =
        serde_json::Deserializer::from_reader(BufReader::new(input)).into_iter().collect();
    // The parser's own words may hold what the record says.
    parsed.map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        wrong(format!(
            "no parked record at {place}; nothing is changed\n\
             hint: only documents may be edited, in what `logferry parked export` prints"
        ))
    })
}

/// The records of one output each, not too many for one request.
fn parts(mut records: Vec<Kept>) -> Vec<Vec<Kept>> {
    records.sort_by(|one, other| one.output.cmp(&other.output));
    let mut parts: Vec<Vec<Kept>> = Vec::new();
    let mut bytes = PART_BYTES;
    for record in records {
        let mut line = Vec::new();
        record.push(&mut line);
        bytes += line.len();
        match parts.last_mut().filter(|part| bytes <= PART_BYTES && part[0].output == record.output) {
            Some(part) => part.push(record),
            None => {
                bytes = line.len();
                parts.push(vec![record]);
            }
        }
    }
    parts
}

/// Says what became of one output's records.
fn told(replayed: &Replayed) -> Exit {
    let Replayed { output, delivered, repeated, refused, left, trouble, hint } = replayed;
    let parts = [(delivered, "stored"), (repeated, "there already"), (refused, "refused again"), (left, "not sent")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    print(&format!("{output}: {}\n", parts.join(", ")));
    if let Some(trouble) = trouble {
        let hint = hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        say(&format!("error: cannot replay all of {output}: {trouble}; {left} stay parked as they were\n{hint}"));
    }
    if *refused > 0 {
        say(&format!("{output}: `logferry parked list --output {output}` shows the new reasons\n"));
    }
    if refused + left > 0 { Exit::Undelivered } else { Exit::Fine }
}

fn failed(answer: Answer, exit: Exit) -> Stop {
    match answer {
        Answer::Failed(text) => Stop::new(exit, text),
        _ => Stop::new(Exit::Internal, "cannot understand the agent's answer: it is of another version"),
    }
}

//! Who changes what is parked: the agent that holds the state folder, else this process, which then holds it. Never
//! both.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{Place, Stop};
use crate::admin::clerk::{Answer, Clerk, Request};
use crate::admin::control;
use crate::base::fault::Fault;
use crate::base::metrics::Metrics;
use crate::cli::Exit;
use crate::config::Config;
use crate::mask::Masker;
use crate::ship::Destination;
use crate::{admin, track};

pub enum Hand<'a> {
    /// An agent runs.
    Agent(&'a Path),
    /// None does, and none can start while this is held.
    Own { _hold: track::Hold, runtime: Runtime, clerk: Clerk },
}

impl<'a> Hand<'a> {
    /// `outputs`: those that may be sent to; no other one is started.
    pub fn open(place: &'a Place, outputs: &BTreeSet<String>) -> Result<Self, Stop> {
        let hold = match track::hold(&place.state_dir) {
            Ok(hold) => hold,
            Err(track::Error::Locked { .. }) => return Ok(Self::Agent(&place.state_dir)),
            Err(error) => return Err(Stop::new(Exit::Internal, format!("{error}; nothing is changed"))),
        };
        let config = &place.config;
        let variable = std::env::var(admin::log::VARIABLE).ok();
        admin::log::begin(config.agent.log_format, config.agent.log_level, variable.as_deref());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Stop::new(Exit::Internal, format!("cannot start: {error}")))?;
        let masker = Arc::new(Masker::new(&config.mask).map_err(|faults| wrong("[mask]", &faults))?);
        let destinations = destinations(config, &place.state_dir, outputs)?;
        Ok(Self::Own { _hold: hold, runtime, clerk: Clerk::new(&place.state_dir, destinations, masker) })
    }

    /// Has it done.
    pub fn perform(&self, request: Request) -> Result<Answer, Stop> {
        match self {
            Self::Own { runtime, clerk, .. } => Ok(runtime.block_on(clerk.perform(request))),
            Self::Agent(state_dir) => control::ask(state_dir, &request).map_err(|error| told(&error)),
        }
    }
}

fn told(error: &control::Error) -> Stop {
    let text = match error {
        control::Error::Unreachable { .. } => format!(
            "{error}; nothing is changed\n\
             hint: it may just be starting or ending: try again; it runs as another user: run this as that user"
        ),
        control::Error::TooLong(_) => {
            format!("{error}; nothing is changed\nhint: stop the agent: this command then needs nobody")
        }
        control::Error::Silent(_) => {
            format!("{error}; what is parked is whole, and what was sent is recognised when it is sent again")
        }
    };
    Stop::new(Exit::Internal, text)
}

fn destinations(config: &Config, state_dir: &Path, names: &BTreeSet<String>) -> Result<Vec<Arc<Destination>>, Stop> {
    let wanted = config.outputs.iter().filter(|(name, _)| names.contains(*name));
    let made = wanted.map(|(name, one)| {
        let made = Destination::new(name, &one.output, &one.ship, Some(state_dir), Arc::new(Metrics::default()));
        made.map(Arc::new).map_err(|faults| wrong(&format!("[output.{name}]"), &faults))
    });
    made.collect()
}

fn wrong(table: &str, faults: &[Fault]) -> Stop {
    let told: Vec<String> = faults.iter().map(|fault| format!("{} {}", fault.key, fault.message)).collect();
    Stop::new(Exit::Wrong, format!("cannot use {table}: {}; nothing is changed", told.join("; ")))
}

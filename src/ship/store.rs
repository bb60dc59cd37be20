//! One store behind HTTP: its client, its language, and what was learned about it. Sends no batch: `deliver` does.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use tracing::{info, warn};

use super::Config;
use super::elasticsearch::{self, NoTemplate};
use super::http::Client;
use super::piece::Language;
use crate::base::fault::Fault;
use crate::output::elasticsearch::Template;
use crate::output::{self, Kind};

/// A store that is starting refuses for a while.
const ASKED_FOR_TEMPLATE: u32 = 3;

/// A store.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) client: Client,
    pub(super) language: Language,
    /// Still to be put there.
    template: Mutex<Option<Pending>>,
    /// Length before compression of the largest body that passes.
    limit: AtomicU64,
}

/// A template that is not known to be there.
#[derive(Debug)]
struct Pending {
    template: Template,
    refusals: u32,
}

impl Store {
    pub(super) fn new(output: &output::Config, config: &Config) -> Result<Self, Vec<Fault>> {
        let language = if output.kind == Kind::Loki { Language::Push } else { Language::Bulk };
        let wanted = if language == Language::Bulk { Template::new(output) } else { None };
        let wanted = wanted.map(|template| Pending { template, refusals: 0 });
        let client = Client::new(config)?;
        Ok(Self { client, language, template: Mutex::new(wanted), limit: AtomicU64::new(u64::MAX) })
    }

    /// Bodies longer than this before compression are sent in halves at once.
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// A longer body was refused, and this one passed.
    pub(super) fn learn(&self, passed: u64) {
        self.limit.fetch_min(passed, Ordering::Relaxed);
    }

    /// Puts the template there, once. A store that refuses so often is left without, which is said.
    ///
    /// # Errors
    /// To be tried again before the first document.
    pub(super) async fn ensure_template(&self, output: &str) -> Result<(), String> {
        let mut pending = self.template.lock().await;
        let Some(Pending { template, refusals }) = pending.as_mut() else { return Ok(()) };
        match elasticsearch::ensure_template(&self.client, template).await {
            Ok(was_there) if was_there => {}
            Ok(_) => info!(output, "the index template {} is put in place", template.name),
            Err(NoTemplate::Silent(reason)) => return Err(reason),
            Err(NoTemplate::Refused(reason)) if *refusals < ASKED_FOR_TEMPLATE => {
                *refusals += 1;
                return Err(reason);
            }
            Err(NoTemplate::Refused(reason)) => {
                let hint = "put it there by hand, allow this user to, or set template = \"off\"";
                warn!(
                    output,
                    "cannot put the index template {}: {reason}; going on without\nhint: {hint}", template.name
                );
            }
        }
        *pending = None;
        Ok(())
    }
}

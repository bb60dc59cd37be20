//! One store behind HTTP: its client, its language, and what was learned about it. Sends no batch: `deliver` does.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::Config;
use super::elasticsearch;
use super::http::Client;
use super::piece::Language;
use crate::base::fault::Fault;
use crate::output::elasticsearch::template::{self, Template};
use crate::output::{self, Kind};

/// A store.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) client: Client,
    pub(super) language: Language,
    /// Still to be put there.
    template: Mutex<Option<Template>>,
    /// Length before compression of the largest body that passes.
    limit: AtomicU64,
}

impl Store {
    pub(super) fn new(output: &output::Config, config: &Config) -> Result<Self, Vec<Fault>> {
        let language = if output.kind == Kind::Loki { Language::Push } else { Language::Bulk };
        let wanted = if language == Language::Bulk { template::wanted(output) } else { None };
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

    /// Puts the template there, once.
    ///
    /// # Errors
    /// The store cannot be asked yet.
    pub(super) async fn ensure_template(&self, output: &str) -> Result<(), String> {
        let mut template = self.template.lock().await;
        if let Some(wanted) = template.as_ref() {
            elasticsearch::ensure_template(&self.client, output, wanted).await?;
        }
        *template = None;
        Ok(())
    }
}

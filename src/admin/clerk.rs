//! What is done with parked records on an operator's word: drop, edit, replay. The same for a running agent, which is
//! asked through its socket, and for a command that has the state folder to itself. Reads no arguments, prints nothing.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::json;
use crate::base::records::{Keys, Origin as TimeOrigin, Record, Records, Shape, Time};
use crate::base::source::{Position, SourceId};
use crate::mask::{MaskedFields, Masker, Origin, Scratch};
use crate::ship::{self, Destination, Kept, ParkError, Parked, Replayed, Selection};

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Remove records for good.
    Drop(Selection),
    /// Take edited documents in the place of the parked ones with the same ids. All of them, or none.
    Edit(Vec<Kept>),
    /// Send records again.
    Replay {
        /// Which.
        selection: Selection,
        /// How long to wait for an answer to one batch, in ms.
        wait_ms: u64,
    },
}

/// What became of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// So many are gone.
    Dropped(u64),
    /// So many documents were replaced.
    Edited(u64),
    /// By output, those of which any was selected.
    Replayed(Vec<Replayed>),
    /// Nothing was changed; or of a replay, what was sent is recognised when it is sent again. With the reason.
    Failed(String),
}

/// Whoever holds the state folder.
#[derive(Debug)]
pub struct Clerk {
    state_dir: PathBuf,
    destinations: Vec<Arc<Destination>>,
    masker: Arc<Masker>,
}

impl Clerk {
    /// For the parked records below `state_dir`. Only those of `destinations` can be replayed. `masker`: what edited
    /// documents go through.
    #[must_use]
    pub fn new(state_dir: &Path, destinations: Vec<Arc<Destination>>, masker: Arc<Masker>) -> Self {
        Self { state_dir: state_dir.to_owned(), destinations, masker }
    }

    /// Does what is asked for.
    pub async fn perform(&self, request: Request) -> Answer {
        let done = match request {
            Request::Drop(selection) => self.remove(selection).await.map(Answer::Dropped),
            Request::Edit(edited) => self.edit(edited).await.map(Answer::Edited),
            Request::Replay { selection, wait_ms } => self.replay(selection, wait_ms).await.map(Answer::Replayed),
        };
        done.unwrap_or_else(Answer::Failed)
    }

    async fn remove(&self, selection: Selection) -> Result<u64, String> {
        let mut removed = 0;
        for output in self.outputs(&selection)? {
            let (parked, selection) = (self.parked(&output), selection.clone());
            removed += on_disk(move || parked.remove(&selection)).await?;
        }
        Ok(removed)
    }

    async fn edit(&self, edited: Vec<Kept>) -> Result<u64, String> {
        let count = edited.len() as u64;
        let mut by_output: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for one in edited {
            let one = masked(&self.masker, one)?;
            by_output.entry(one.output.clone()).or_default().push(one);
        }
        for (output, edited) in by_output {
            let parked = self.parked(&output);
            on_disk(move || parked.edit(&edited)).await?;
        }
        Ok(count)
    }

    async fn replay(&self, selection: Selection, wait_ms: u64) -> Result<Vec<Replayed>, String> {
        let mut all = Vec::new();
        for output in self.outputs(&selection)? {
            let replayed = match self.destinations.iter().find(|one| one.name() == output) {
                Some(destination) => destination.replay(&selection, Duration::from_millis(wait_ms)).await,
                None => Ok(self.homeless(output, selection.clone()).await?),
            };
            all.push(replayed.map_err(|error: ship::ReplayError| error.to_string())?);
        }
        all.retain(|one| one.delivered + one.repeated + one.refused + one.left > 0);
        Ok(all)
    }

    /// Records of an output that there is no more.
    async fn homeless(&self, output: String, selection: Selection) -> Result<Replayed, String> {
        let parked = self.parked(&output);
        let count = move || {
            let mut left = 0;
            parked.each(&mut |kept| left += u64::from(selection.selects(&kept)))?;
            Ok(left)
        };
        let left = on_disk(count).await?;
        let trouble = Some(format!("the configuration has no output {output}"));
        let hint = Some("give it an output of this name and type, or export the records and drop them".to_owned());
        Ok(Replayed { output, left, trouble, hint, ..Replayed::default() })
    }

    /// The outputs whose files may hold what is selected.
    fn outputs(&self, selection: &Selection) -> Result<Vec<String>, String> {
        let mut outputs = ship::parked_outputs(&self.state_dir).map_err(|error| error.to_string())?;
        outputs.retain(|output| selection.output.as_ref().is_none_or(|wanted| wanted == output));
        Ok(outputs)
    }

    /// The one that lanes append to, where the output is at work.
    fn parked(&self, output: &str) -> Arc<Parked> {
        let own = self.destinations.iter().find(|one| one.name() == output).and_then(|one| one.parked());
        own.map_or_else(|| Arc::new(Parked::new(output, &self.state_dir, u64::MAX)), Arc::clone)
    }
}

/// The document masked as a line of its source would be.
fn masked(masker: &Masker, edited: Kept) -> Result<Kept, String> {
    let wrong = |cause: &str| format!("cannot take the edited record {}: {cause}; nothing is changed", edited.id);
    let text = edited.text().ok_or_else(|| wrong("its document is neither an object nor text"))?;
    let is_object = json::is_object(&text);
    if !is_object && (edited.must_be_object() || !edited.is_text()) {
        return Err(wrong("its document is not an object, or nested too deep"));
    }
    let shape = if is_object { Shape::Object } else { Shape::Text };
    let text = if is_object { text.replace(['\n', '\r'], " ") } else { text };
    let records = Records { items: vec![whole(&text, shape).ok_or_else(|| wrong("its document is too long"))?] };
    let (fields, mut scratch) = (MaskedFields::default(), Scratch::default());
    let origin = Origin { source: SourceId::new(0), generation: 0, seen_ms: 0 };
    let masked = masker.of(&edited.source).mask(&text, &records, origin, &fields, &mut scratch);
    if let Some((detector, _)) = masked.dropped().next() {
        return Err(wrong(&format!("masking drops it, for what `{detector}` found")));
    }
    let Some(record) = masked.records().next() else { return Err(wrong("masking cannot process its document")) };
    Ok(edited.with_text(record.text))
}

/// A record of which only the text matters.
fn whole(text: &str, shape: Shape) -> Option<Record> {
    Some(Record {
        line: 0,
        position: Position { at: 0, tie: 0 },
        start: 0,
        end: u32::try_from(text.len()).ok()?,
        shape,
        time: Time { ns: 0, digits: 0, origin: TimeOrigin::Read },
        level: None,
        own: Keys::NONE,
        clash: Keys::NONE,
        cut: false,
    })
}

/// Off the thread that talks to stores.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, ParkError> + Send + 'static) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| format!("{error}; nothing is changed")),
        Err(died) => Err(format!("cannot go on: {died}")),
    }
}

//! One batch to a store over HTTP, as often and in as many pieces as it takes, until every item has its fate.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

use super::held::HeldPiece;
use super::http::Silence;
use super::loki::Presence;
use super::park::ParkedRecord;
use super::piece::{Language, Piece, Question};
use super::retry::{Action, Attempt, Hold, Pause, Step, decide};
use super::standing::Trouble;
use super::{Destination, Error, Outcome, PARK_HINT, Store, elasticsearch, loki};
use crate::base::batch::{Batch, Span};
use crate::base::clock;
use crate::base::failpoint;
use crate::base::metrics::Metric;
use crate::output::{Answer, Verdict};

/// While a destination is held, the files of its credentials and certificates are looked at this often.
const CREDENTIALS_LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// A store says what it stored only a moment after a partial refusal.
const BEFORE_ASKING: Duration = Duration::from_millis(200);
/// No limit of a store is smaller: what is learned below it was about one odd record.
const SMALLEST_LIMIT: u64 = 64 << 10;

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// None yet.
    Open,
    Delivered,
    Repeated,
    Parked,
}

/// A batch on its way.
pub(super) struct Delivery<'a> {
    destination: &'a Destination,
    store: &'a Store,
    lane: u32,
    /// Of the batch in its lane.
    number: u64,
    spans: Vec<Span>,
    fates: Vec<Fate>,
    /// What is still to be sent, next one last.
    pieces: Vec<Piece>,
    /// What waits for its own index.
    held: Vec<HeldPiece>,
    /// Length before compression of the largest piece that passed after one was too large.
    passed: Option<u64>,
    /// For records that are parked already: what is refused stays where it is, and nobody is waited for.
    replay: Option<Resent>,
}

/// What became of parked records that were sent again, besides their fates.
#[derive(Debug, Default)]
pub(super) struct Resent {
    /// Those that were refused again, by their place in the batch, with the store's words.
    pub(super) refused: Vec<(u32, String)>,
    /// Why the store, or an index, takes nothing now, and what to do where a person must act.
    pub(super) held: Option<(String, Option<&'static str>)>,
}

/// An answer, and whether the store may hold some of what it does not admit to.
struct Heard {
    answer: Answer,
    may_have_landed: bool,
    /// Nothing came from this address: another may do.
    is_silence: bool,
}

impl<'a> Delivery<'a> {
    /// Of a batch, whose body and spans are taken out of it.
    pub(super) fn new(destination: &'a Destination, store: &'a Store, lane: u32, batch: &mut Batch) -> Self {
        let whole = Piece::whole(batch, store.language);
        let fates = vec![Fate::Open; whole.numbers.len()];
        let spans = std::mem::take(&mut batch.spans);
        let (pieces, held) = (vec![whole], Vec::new());
        Self { destination, store, lane, number: batch.number, spans, fates, pieces, held, passed: None, replay: None }
    }

    /// Of the batch in its lane.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Of records that are parked already.
    pub(super) fn again(destination: &'a Destination, store: &'a Store, lane: u32, batch: &mut Batch) -> Self {
        Self { replay: Some(Resent::default()), ..Self::new(destination, store, lane, batch) }
    }

    /// Settles every item, however long that takes, but for those that wait for their index; of parked ones, until the
    /// store is held.
    pub(super) async fn settle_all(&mut self) -> Result<(), Error> {
        self.prepare().await;
        while let Some(piece) = self.pieces.pop() {
            if piece.numbers.len() > 1 && piece.raw_len > self.store.limit() {
                self.pieces.extend(piece.halves(self.store.language)?);
                continue;
            }
            match piece.question {
                Question::None => self.send(piece).await?,
                _ => self.ask(piece).await?,
            }
        }
        if let Some(passed) = self.passed {
            self.store.learn(passed.max(SMALLEST_LIMIT));
        }
        Ok(())
    }

    /// Whether no item waits any more.
    pub(super) fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    /// What waits for its index.
    pub(super) fn held(&self) -> &[HeldPiece] {
        &self.held
    }

    /// When the first of it is to be tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.iter().map(|one| one.due).min()
    }

    /// Memory that it takes while it waits, about.
    pub(super) fn bytes(&self) -> usize {
        let pieces = self.held.iter().map(|one| one.piece.body.len() + size_of_val(one.piece.numbers.as_slice()));
        self.fates.len() + pieces.sum::<usize>()
    }

    /// What is due is to be sent again, with the credentials of now.
    pub(super) fn resume(&mut self, now: Instant) {
        self.store.client.refresh();
        let (due, later) = std::mem::take(&mut self.held).into_iter().partition(|one: &HeldPiece| one.due <= now);
        self.held = later;
        self.pieces.extend(Vec::into_iter(due).map(|one| one.piece));
    }

    /// What became of parked records so far: which are in the store now, which were there before, and the rest.
    pub(super) fn resent(self) -> (Vec<Fate>, Resent) {
        (self.fates, self.replay.unwrap_or_default())
    }

    /// The template must be there before the first document makes an index without it.
    async fn prepare(&self) {
        let mut failures = 0;
        while let Err(reason) = self.store.ensure_template(&self.destination.name).await {
            failures += 1;
            self.store.client.turn();
            let time = self.destination.backoff.delay(failures, random());
            self.pause(Pause::Wait { time, reason }).await;
        }
    }

    async fn send(&mut self, piece: Piece) -> Result<(), Error> {
        let heard = self.exchange(&piece).await;
        if piece.numbers.len() > 1 && heard.answer == Answer::Whole(Verdict::Split) {
            self.passed.get_or_insert(0);
        } else if let (Some(passed), Answer::Whole(Verdict::Delivered) | Answer::Items(_)) =
            (&mut self.passed, &heard.answer)
        {
            *passed = piece.raw_len.max(*passed);
        }
        self.act(piece, heard).await
    }

    async fn exchange(&self, piece: &Piece) -> Heard {
        let metrics = &self.destination.metrics;
        metrics.add(Metric::Requests, &self.destination.name, 1);
        metrics.add(Metric::SentBytes, &self.destination.name, piece.body.len() as u64);
        let request = match self.store.language {
            Language::Bulk => elasticsearch::request(piece),
            Language::Push => loki::request(piece),
        };
        let answer = match self.store.client.send(&request).await {
            Err(silence) => return hear_silence(self.store.client.address(), silence),
            Ok(reply) => match (&reply.location, self.store.language) {
                (Some(location), _) => Answer::Whole(Verdict::Hold {
                    reason: format!("{} answers with a redirect to {location}", self.store.client.address()),
                    hint: "set url to the address of the store itself",
                }),
                // Of records that were all refused once, many refusals say nothing of the index.
                (None, Language::Bulk) => elasticsearch::read(&reply, piece, self.replay.is_none()),
                (None, Language::Push) => loki::read(&reply, piece.numbers.len()),
            },
        };
        failpoint::hit("answered");
        let may_have_landed = matches!(answer, Answer::PartlyRetry { .. } | Answer::Whole(Verdict::Split));
        Heard { answer, may_have_landed, is_silence: false }
    }

    async fn act(&mut self, mut piece: Piece, heard: Heard) -> Result<(), Error> {
        piece.failures += 1;
        let attempt = Attempt {
            number: piece.failures,
            items: piece.numbers.len(),
            rewrapped: piece.rewrapped.is_some(),
            addresses: self.store.client.addresses(),
            random: random(),
        };
        if heard.is_silence || matches!(heard.answer, Answer::Whole(Verdict::Retry { after: None, .. })) {
            self.store.client.turn();
        }
        let (action, pause) = decide(heard.answer, attempt, self.destination.backoff);
        let must_ask = heard.may_have_landed && self.store.language == Language::Push;
        match action {
            Action::All(step) => {
                let steps = vec![step; attempt.items];
                self.apply(piece, steps, must_ask).await?;
            }
            Action::Each(steps) => self.apply(piece, steps, must_ask).await?,
            Action::Halve => {
                // The halves must not inherit the whole's failures, but what landed of it must be asked for.
                piece.failures = 0;
                piece.question = if must_ask { Question::Landed } else { piece.question };
                self.pieces.extend(piece.halves(self.store.language)?);
                // Nothing was taken: a trouble before this is not over.
                return Ok(());
            }
            Action::Ask(reason) => {
                sleep(BEFORE_ASKING).await;
                self.pieces.push(Piece { question: Question::Refused(reason), failures: 0, ..piece });
            }
        }
        match (&mut self.replay, pause) {
            (Some(replay), Pause::Hold { reason, hint, .. }) => {
                replay.held = Some((reason, Some(hint)));
                self.pieces.clear();
            }
            (_, pause) => self.pause(pause).await,
        }
        Ok(())
    }

    /// Gives each item of a piece its fate, or its next piece.
    async fn apply(&mut self, piece: Piece, steps: Vec<Step>, must_ask: bool) -> Result<(), Error> {
        let (mut again, mut rewrap, mut park, mut wait) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Delivered => self.settle(&piece, index, Fate::Delivered),
                Step::Repeated => self.settle(&piece, index, Fate::Repeated),
                Step::Again => again.push(index),
                Step::Hold(hold) => wait.push((index, hold)),
                Step::Rewrap(reason) => rewrap.push((index, reason)),
                Step::Park(reason) => park.push((index, reason)),
            }
        }
        if !park.is_empty() {
            self.set_aside(&piece, park).await?;
        }
        if !rewrap.is_empty() {
            self.rewrap(&piece, &rewrap)?;
        }
        self.put_by(&piece, wait)?;
        if again.is_empty() {
            return Ok(());
        }
        self.destination.metrics.add(Metric::Retries, &self.destination.name, 1);
        let is_whole = again.len() == piece.numbers.len();
        let mut next = if is_whole { piece } else { piece.only(self.store.language, &again)? };
        if must_ask {
            next.question = Question::Landed;
        }
        self.pieces.push(next);
        Ok(())
    }

    /// Items that are refused for their shape are sent once more as text, those of each index by themselves.
    fn rewrap(&mut self, piece: &Piece, items: &[(usize, String)]) -> Result<(), Error> {
        let all: Vec<usize> = (0..piece.numbers.len()).collect();
        for of_index in piece.by_index(self.store.language, &all)?.into_values() {
            let is_of_it = |item: &&(usize, String)| of_index.binary_search(&item.0).is_ok();
            let chosen: Vec<_> = items.iter().filter(is_of_it).cloned().collect();
            if !chosen.is_empty() {
                self.pieces.push(Piece { failures: 0, ..piece.rewrapped(&chosen, of_index.len())? });
            }
        }
        Ok(())
    }

    /// Items that their own index refuses wait apart, a piece for each index, so that all others go on. Parked ones stay
    /// where they are.
    fn put_by(&mut self, piece: &Piece, items: Vec<(usize, Hold)>) -> Result<(), Error> {
        let Some((_, first)) = items.first() else { return Ok(()) };
        if let Some(replay) = &mut self.replay {
            replay.held = Some((first.reason.clone(), first.hint));
            return Ok(());
        }
        self.destination.metrics.add(Metric::Retries, &self.destination.name, 1);
        let chosen: Vec<usize> = items.iter().map(|(index, _)| *index).collect();
        let mut holds: BTreeMap<usize, Hold> = items.into_iter().collect();
        for (name, chosen) in piece.by_index(self.store.language, &chosen)? {
            let Some(hold) = chosen.first().and_then(|first| holds.remove(first)) else { continue };
            let is_whole = chosen.len() == piece.numbers.len();
            let part = if is_whole { piece.clone() } else { piece.only(self.store.language, &chosen)? };
            let trouble = Trouble { reason: hold.reason, hint: hold.hint };
            self.held.push(HeldPiece { piece: part, index: name, due: Instant::now() + hold.time, trouble });
        }
        Ok(())
    }

    /// Finds out what the store has of a piece, and sends or parks only what it lacks.
    async fn ask(&mut self, mut piece: Piece) -> Result<(), Error> {
        let streams = piece.entries()?;
        let presence = match loki::presence(&self.store.client, &streams, clock::now_ns()).await {
            Ok(presence) => presence,
            Err(reason) => {
                piece.failures += 1;
                let time = self.destination.backoff.delay(piece.failures, random());
                self.store.client.turn();
                self.pieces.push(piece);
                self.pause(Pause::Wait { time, reason }).await;
                return Ok(());
            }
        };
        let unsure = presence.iter().filter(|one| **one == Presence::Unknown).count();
        self.destination.metrics.add(Metric::UnsureRecords, &self.destination.name, unsure as u64);
        let mut lacking = Vec::new();
        for (index, one) in presence.into_iter().enumerate() {
            match (one, &piece.question) {
                (Presence::There, Question::Refused(_)) => self.settle(&piece, index, Fate::Delivered),
                (Presence::There, _) => self.settle(&piece, index, Fate::Repeated),
                _ => lacking.push(index),
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        if let Question::Refused(reason) = &piece.question {
            let park = lacking.into_iter().map(|index| (index, reason.clone())).collect();
            return self.set_aside(&piece, park).await;
        }
        let is_whole = lacking.len() == piece.numbers.len();
        let next = if is_whole { piece } else { piece.only(self.store.language, &lacking)? };
        self.send(Piece { question: Question::None, ..next }).await
    }

    /// Parks items; while that is not possible the destination is held.
    async fn set_aside(&mut self, piece: &Piece, items: Vec<(usize, String)>) -> Result<(), Error> {
        if self.replay.is_some() {
            self.leave_aside(piece, items);
            return Ok(());
        }
        let indexes: Vec<usize> = items.iter().map(|(index, _)| *index).collect();
        let documents = piece.to_park(self.store.language, &indexes)?;
        let refused: Vec<ParkedRecord> = documents
            .into_iter()
            .zip(items)
            .map(|((id, place, document), (index, reason))| ParkedRecord {
                id,
                source: self.source_of(piece.numbers[index]),
                reason,
                place,
                document,
            })
            .collect();
        let mut failures = 0;
        while let Err(error) = self.destination.park(&refused) {
            failures += 1;
            let time = self.destination.backoff.delay(failures, random());
            self.pause(Pause::Hold { time, reason: error.to_string(), hint: PARK_HINT }).await;
        }
        for index in indexes {
            self.settle(piece, index, Fate::Parked);
        }
        Ok(())
    }

    /// What lies parked stays there.
    fn leave_aside(&mut self, piece: &Piece, items: Vec<(usize, String)>) {
        for (index, reason) in items {
            self.settle(piece, index, Fate::Parked);
            if let Some(replay) = &mut self.replay {
                replay.refused.push((piece.numbers[index], reason));
            }
        }
    }

    async fn pause(&self, pause: Pause) {
        match pause {
            Pause::None => {}
            Pause::Wait { time, reason } => {
                self.destination.standing.trouble(self.lane, Trouble { reason, hint: None });
                sleep(time).await;
            }
            Pause::Hold { time, reason, hint } => {
                self.destination.standing.trouble(self.lane, Trouble { reason, hint: Some(hint) });
                self.hold(time).await;
            }
        }
    }

    /// Waits, or until credentials or certificates change.
    async fn hold(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.store.client.refresh() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(CREDENTIALS_LOOKED_AT_EVERY)).await;
        }
    }

    fn settle(&mut self, piece: &Piece, index: usize, fate: Fate) {
        self.fates[piece.numbers[index] as usize] = fate;
    }

    fn source_of(&self, number: u32) -> String {
        let mut end = 0;
        let holds = |span: &&Span| {
            end += span.items;
            number < end
        };
        self.spans.iter().find(holds).map(|span| span.source.name.to_string()).unwrap_or_default()
    }

    /// What became of each span.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let mut rest = self.fates.as_slice();
        let mut outcomes = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            let (fates, after) = rest.split_at((span.items as usize).min(rest.len()));
            rest = after;
            let count = |fate| u32::try_from(fates.iter().filter(|one| **one == fate).count()).unwrap_or(u32::MAX);
            outcomes.push(Outcome {
                span: span.clone(),
                delivered: count(Fate::Delivered),
                repeated: count(Fate::Repeated),
                parked: count(Fate::Parked),
            });
        }
        if self.fates.contains(&Fate::Open) {
            warn!(output = self.destination.name, "a batch was settled with items open");
        }
        outcomes
    }
}

fn hear_silence(address: &str, silence: Silence) -> Heard {
    let may_have_landed = matches!(silence, Silence::Lost(_) | Silence::TooLong);
    let reason = format!("{address}: {}", silence.words());
    let verdict = match (silence.hint(), silence) {
        (_, Silence::TooLong) => Verdict::Split,
        (Some(hint), _) => Verdict::Hold { reason, hint },
        (None, _) => Verdict::Retry { after: None, reason },
    };
    Heard { answer: Answer::Whole(verdict), may_have_landed, is_silence: true }
}

/// Spreads the agents of many hosts: nothing secret depends on it.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8)
}

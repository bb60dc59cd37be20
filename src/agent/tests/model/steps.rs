//! What happens while the agent runs: sources are read, batches come to the store, the state is saved.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{Facts, Model, Run};
use crate::agent::tests::world::{LINE, World};
use crate::base::batch::{Batch, Span};
use crate::base::counts::Counts;
use crate::base::source::{Kind, SourceId, fingerprint};
use crate::track::{Seen, Settlement};

impl Model {
    pub(super) fn read(&mut self, source: usize, new: u64) {
        self.now_ms += 1;
        let (now_ms, tracker, worker) = (self.now_ms, self.tracker(), self.worker_of(source));
        self.find(source);
        let world = &mut self.sources[source];
        let chunk = world.read(new, now_ms);
        let (id, is_urgent) = (world.id, !world.can_wait());
        let end = World::line_at(Some(&chunk.cursor));
        let lines = end - chunk.lines.len() as u64..end;
        let seq = tracker.begin(&chunk).unwrap();
        let facts = self.facts.get_mut(&id).unwrap();
        facts.read.extend(lines.clone());
        facts.beyond.retain(|line| !lines.contains(line));
        facts.noted.extend(lines.clone());
        let (items, bytes) = (chunk.lines.len() as u32, chunk.input_bytes);
        let counts = Counts { read: u64::from(items), bytes, ..Counts::default() };
        let span = Span { source: Arc::clone(&chunk.source), seq, items, counts };
        let worker = &mut self.run().workers[worker];
        add(&mut worker.open, span, &body(id, lines, chunk.seen_ms), chunk.replayed);
        worker.is_urgent |= is_urgent;
    }

    /// Begins to read a source, where the tracker says. What is before that place is settled or taken from the queue.
    pub(super) fn find(&mut self, source: usize) {
        let world = &mut self.sources[source];
        if world.is_read() {
            return;
        }
        let (identity, len) = (world.identity(), world.lines * LINE);
        let seen = Seen { identity: &identity, len, head_of: &|len| (len == 0).then(|| fingerprint(b"")) };
        let tracker = &self.run.as_ref().unwrap().tracker;
        let resume = tracker.resume(world.name(), &seen, world.id, self.now_ms).unwrap();
        assert_eq!(resume.id, world.id, "taken for another");
        let at = World::line_at(resume.cursor.as_ref());
        let read: Vec<_> = self.facts[&world.id].read.iter().copied().collect();
        assert_eq!(read, (0..at).collect::<Vec<_>>(), "{}: before the place where reading goes on", world.name());
        world.open(resume);
    }

    /// As a worker does: notes first, then the batch.
    pub(super) fn seal(&mut self, worker: usize) {
        let tracker = self.tracker();
        let ready = &mut self.run().workers[worker];
        let has_room = ready.outlet.has_room();
        if !has_room && !ready.is_urgent {
            return;
        }
        let (batch, can_wait) = (ready.open.take(), !std::mem::take(&mut ready.is_urgent));
        let Some(batch) = batch else { return };
        tracker.make_durable().unwrap();
        self.note_synced();
        let lines = lines_of(&batch);
        let ready = &mut self.run().workers[worker];
        ready.direct.extend(lines);
        ready.outlet.hand_over(batch, can_wait);
        if !has_room {
            self.is_durable(worker);
        }
        self.quiet();
    }

    /// All that a worker has handed over and that is not settled lies in its queue.
    pub(super) fn is_durable(&mut self, worker: usize) {
        let direct = std::mem::take(&mut self.run().workers[worker].direct);
        for (id, line) in direct {
            self.facts.get_mut(&id).unwrap().queued.insert(line);
        }
    }

    /// Lets all tasks go on until each of them waits.
    pub(super) fn quiet(&mut self) {
        self.run().tasks.block_on(async { tokio::time::sleep(Duration::from_secs(1)).await });
    }

    pub(super) fn send(&mut self, worker: usize) {
        self.quiet();
        let lane = &mut self.run().workers[worker];
        if lane.sending.is_some() {
            return;
        }
        let Ok(batch) = lane.lane.try_recv() else { return };
        let lines = lines_with_time(&batch);
        let is_all_saved = lines.iter().all(|(id, line, _)| self.facts[id].saved.contains(line));
        assert!(!is_all_saved, "all of it is settled: {lines:?}");
        for (id, line, seen_ms) in lines {
            if let Some(first_seen_ms) = self.store.insert((id, line), seen_ms) {
                assert!(batch.unsure, "line {line} of {id} comes again, and nothing says so");
                let is_file = self.sources.iter().any(|world| world.id == id && world.name() == "files");
                assert!(!is_file || first_seen_ms == seen_ms, "line {line} of {id} has another time of reading");
            }
        }
        self.run().workers[worker].sending = Some(batch);
        self.quiet();
    }

    pub(super) fn put_by(&mut self, worker: usize) {
        let Run { outlets, workers, .. } = self.run();
        let Some(batch) = workers[worker].sending.take() else { return };
        outlets.iter().for_each(|outlet| outlet.put_by(batch.number));
        workers[worker].put_by.push(batch);
    }

    pub(super) fn answer(&mut self, worker: usize, which: usize) {
        let Run { tracker, outlets, workers, .. } = self.run.as_mut().unwrap();
        let lane = &mut workers[worker];
        let old = which.checked_sub(4).filter(|old| *old < lane.put_by.len());
        let batch = old.map(|old| lane.put_by.remove(old)).or_else(|| lane.sending.take());
        let Some(batch) = batch else { return };
        let mut lines = lines_of(&batch).into_iter();
        for span in &batch.spans {
            for (id, line) in lines.by_ref().take(span.items as usize) {
                let facts = self.facts.get_mut(&id).unwrap();
                match span.seq {
                    Span::SETTLED => {}
                    Span::BEYOND.. if facts.read.contains(&line) => {}
                    Span::BEYOND.. => _ = facts.beyond.insert(line),
                    _ => _ = facts.settled.insert(line),
                }
            }
        }
        let settlement = |span: Span| {
            let counts = Counts { delivered: u64::from(span.items), ..span.counts };
            Settlement { source: span.source.id, seq: span.seq, counts }
        };
        tracker.settle(batch.spans.into_iter().map(settlement).collect(), None);
        outlets.iter().for_each(|outlet| outlet.settled(batch.number));
        self.quiet();
    }

    /// As a route saves.
    pub(super) fn checkpoint(&mut self, may_forget: bool) {
        let Run { tracker, outlets, .. } = self.run();
        let queues: Vec<_> = outlets.iter().filter_map(|outlet| outlet.queue()).collect();
        let settled: Vec<_> = queues.iter().map(|queue| queue.settled()).collect();
        tracker.save().unwrap();
        for (queue, settled) in queues.iter().zip(settled).filter(|_| may_forget) {
            queue.forget(settled).unwrap();
        }
        if self.newest_notes().0 != self.synced.0 {
            self.note_synced();
        }
        for Facts { read, settled, saved, beyond, saved_beyond, .. } in self.facts.values_mut() {
            saved_beyond.clone_from(beyond);
            *saved = read.iter().copied().take_while(|line| settled.contains(line)).collect();
        }
    }

    pub(super) fn let_go(&mut self, source: usize) {
        if !self.sources[source].can_wait() || !self.sources[source].is_read() {
            return;
        }
        self.keep(source);
        let (world, tracker) = (&mut self.sources[source], &self.run.as_ref().unwrap().tracker);
        world.close();
        world.renames += 1;
        tracker.saw(std::iter::once((world.id, Some(world.lines * LINE))), self.now_ms);
        tracker.let_go(world.id);
    }

    /// What was read of a file outlives it.
    pub(super) fn keep(&mut self, source: usize) {
        let (worker, tracker) = (self.worker_of(source), self.tracker());
        if !tracker.is_in_flight(self.sources[source].id) {
            return;
        }
        tracker.make_durable().unwrap();
        self.note_synced();
        let ready = &mut self.run().workers[worker];
        let batch = ready.open.take();
        ready.is_urgent = false;
        ready.direct.extend(batch.iter().flat_map(lines_of));
        ready.outlet.keep(batch);
        self.is_durable(worker);
        self.quiet();
    }

    /// A source is read to its end, and then is no more. Another takes its place.
    pub(super) fn remove(&mut self, source: usize) {
        self.find(source);
        for _ in 0..1000 {
            if !self.sources[source].is_behind() {
                break;
            }
            self.read(source, 1);
        }
        let kind = match self.sources[source].name() {
            "files" => Kind::File,
            "boxes" => Kind::Docker,
            _ => return self.finish(source),
        };
        if kind == Kind::File {
            self.let_go(source);
        } else {
            self.finish(source);
        }
        self.sources[source].is_gone = true;
        self.appear(kind);
    }

    pub(super) fn finish(&mut self, source: usize) {
        let tracker = self.tracker();
        tracker.finish(self.sources[source].id);
        self.sources[source].close();
        self.sources[source].is_gone = true;
    }
}

fn body(id: SourceId, lines: Range<u64>, seen_ms: i64) -> String {
    lines.map(|line| format!("{id} {line} {seen_ms}\n")).collect()
}

fn lines_with_time(batch: &Batch) -> Vec<(SourceId, u64, i64)> {
    let text = std::str::from_utf8(&batch.body).unwrap();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        (SourceId::parse(next()).unwrap(), next().parse().unwrap(), next().parse().unwrap())
    };
    text.lines().map(line).collect()
}

fn lines_of(batch: &Batch) -> Vec<(SourceId, u64)> {
    lines_with_time(batch).into_iter().map(|(id, line, _)| (id, line)).collect()
}

/// As the packer does.
fn add(open: &mut Option<Batch>, span: Span, body: &str, unsure: bool) {
    let mut batch = open.take().unwrap_or_else(|| Batch {
        number: 0,
        body: "".into(),
        gzip: false,
        raw_len: 0,
        items: 0,
        spans: Vec::new(),
        unsure: false,
    });
    batch.body = [&batch.body[..], body.as_bytes()].concat().into();
    batch.raw_len = batch.body.len() as u64;
    batch.items += span.items;
    batch.spans.push(span);
    batch.unsure |= unsure;
    *open = Some(batch);
}

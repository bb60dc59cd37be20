//! The end of a run, by a kill or a loss of power, and the start of the next one from what is on disk.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::{Model, Run, Worker};
use crate::agent::outlet::{self, Outlet};
use crate::agent::queues;
use crate::agent::tests::world::{LINE, World};
use crate::base::batch::{Batch, Span};
use crate::base::source::{Kind, SourceId};
use crate::queue::{Full, Limits, Queue, Report};

const ENDLESS: Limits = Limits { bytes: u64::MAX, age_ms: None };

impl Model {
    /// The newest notes, and their length.
    pub(super) fn newest_notes(&self) -> (PathBuf, u64) {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let number = |path: &PathBuf| path.extension()?.to_str()?.parse::<u64>().ok();
        let newest = files.filter(|path| number(path).is_some()).max_by_key(number).unwrap();
        let len = std::fs::metadata(&newest).unwrap().len();
        (newest, len)
    }

    pub(super) fn note_synced(&mut self) {
        self.synced = self.newest_notes();
        self.facts.values_mut().for_each(|facts| facts.durable.clone_from(&facts.noted));
    }

    pub(super) fn crash(&mut self, power: bool, workers: usize, containers_go: bool) {
        self.quiet();
        self.run = None;
        if power {
            let (path, len) = &self.synced;
            std::fs::File::options().write(true).open(path).unwrap().set_len(*len).unwrap();
            self.facts.values_mut().for_each(|facts| facts.noted.clone_from(&facts.durable));
        }
        for index in 0..self.sources.len() {
            let world = &mut self.sources[index];
            world.close();
            let is_container_over = world.name() == "boxes" && containers_go && !world.is_gone;
            world.is_gone |= is_container_over || world.name() == "pipe";
            if is_container_over {
                self.appear(Kind::Docker);
            }
        }
        self.appear(Kind::Stdin);
        self.start(workers);
    }

    /// As a route starts.
    pub(super) fn start(&mut self, workers: usize) {
        let queue = |index: usize| self.folder.path().join("queue").join(index.to_string());
        let count = (workers..8).take_while(|index| queue(*index).is_dir()).count() + workers;
        let queues: Vec<_> = (0..count).map(|index| Queue::open(&queue(index), ENDLESS).unwrap()).collect();
        let held: Vec<_> = queues.iter().map(|(_, report)| held(report)).collect();
        let (tracker, opened) =
            queues::track(Some(self.folder.path()), queues.into_iter().map(Some).collect()).unwrap();
        let waiting = opened.iter().map(|one| one.as_ref().unwrap().waiting.clone()).collect::<Vec<_>>();
        self.take_over(&held, &waiting);
        let tracker = Arc::new(tracker);
        let outlets = queues::outlets(opened, Full::Pause, &tracker, &Arc::default(), &Arc::default());
        let tasks = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (lanes, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(1)).unzip();
        for (index, outlet) in outlets.iter().enumerate() {
            if index >= workers {
                outlet.leave();
            }
            tasks.spawn(outlet::drain(Arc::clone(outlet), lanes[index % workers].clone(), stopped.clone()));
        }
        let worker = |(index, lane): (usize, mpsc::Receiver<Batch>)| Worker {
            outlet: Outlet::new(lanes[index].clone(), Arc::clone(&outlets[index])),
            lane,
            open: None,
            is_urgent: false,
            direct: Vec::new(),
            sending: None,
            put_by: Vec::new(),
        };
        let workers = ends.into_iter().enumerate().map(worker).collect();
        self.run = Some(Run { tracker, outlets: Arc::clone(&outlets), workers, tasks, _stop: stop });
        self.note_synced();
        self.call_the_roll(&held);
        self.quiet();
    }

    /// What the new run knows: what is saved, and what it has taken from the queues.
    pub(super) fn take_over(&mut self, held: &[Vec<Frame>], waiting: &[outlet::Waiting]) {
        for facts in self.facts.values_mut() {
            facts.settled.clone_from(&facts.saved);
            facts.read.clone_from(&facts.saved);
            facts.beyond.clone_from(&facts.saved_beyond);
        }
        let lines_of = |spans: &[(SourceId, Range<u64>)]| -> Vec<_> {
            spans.iter().flat_map(|(id, lines)| lines.clone().map(|line| (*id, line))).collect()
        };
        let frames =
            held.iter().zip(waiting).flat_map(|(frames, waiting)| frames.iter().map(move |one| (one, waiting)));
        let sent = frames.filter(|((number, _), waiting)| waiting.contains_key(number));
        let sent: BTreeSet<_> = sent.flat_map(|((_, spans), _)| lines_of(spans)).collect();
        for (frames, waiting) in held.iter().zip(waiting) {
            for (number, spans) in frames {
                let Some(seqs) = waiting.get(number) else {
                    let is_safe = |(id, line)| self.facts[&id].has_saved(line) || sent.contains(&(id, line));
                    assert!(lines_of(spans).into_iter().all(is_safe), "a frame is dropped unsent");
                    continue;
                };
                for ((id, lines), _) in spans.iter().zip(seqs).filter(|(_, (_, seq))| *seq < Span::BEYOND) {
                    self.facts.get_mut(id).unwrap().read.extend(lines.clone());
                }
            }
        }
    }

    /// What is gone is told, as far as it was neither settled nor queued.
    pub(super) fn call_the_roll(&mut self, held: &[Vec<Frame>]) {
        let tracker = self.tracker();
        let of = |id: SourceId| {
            let spans = held.iter().flatten().flat_map(|(_, spans)| spans);
            let queued = spans.filter(move |(one, _)| *one == id).flat_map(|(_, lines)| lines.clone());
            queued.collect::<BTreeSet<_>>()
        };
        let there: Vec<_> = self.sources.iter().filter(|world| !world.is_gone).map(World::container).collect();
        let missed = tracker.forget_containers("boxes", |container| there.contains(&container.to_owned()));
        for world in self.sources.iter().filter(|world| world.is_gone) {
            let (facts, queued) = (self.facts.get_mut(&world.id).unwrap(), of(world.id));
            let is_lost = |line: &&u64| !facts.has_saved(**line) && !queued.contains(line);
            let lost = facts.noted.iter().filter(is_lost).count() as u64;
            // Told again where there was no checkpoint since.
            let is_told = std::mem::replace(&mut facts.is_told, true);
            match world.name() {
                // Of several chunks of one moment it is not known which is settled.
                "boxes" if is_told || self.clock.contains(&0) => {}
                "boxes" => assert_eq!(missed.contains(&world.container()), lost > 0, "{} is missed", world.container()),
                "files" => assert!(tracker.miss(world.id) <= lost * LINE),
                _ => {}
            }
        }
    }
}

/// A frame's number, and the lines of its spans.
type Frame = (u64, Vec<(SourceId, Range<u64>)>);

fn held(report: &Report) -> Vec<Frame> {
    let lines = |span: &crate::queue::Span| {
        let end = World::line_at(Some(&span.cursor));
        (span.note.source, end - span.lines..end)
    };
    report.frames.iter().map(|frame| (frame.number, frame.spans.iter().map(lines).collect())).collect()
}

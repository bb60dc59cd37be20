//! What it costs to ship files that lie there, as fast as it goes: rounds in which all take turns, so that what else the
//! machine does falls on all of them.

use std::time::Duration;

use crate::cost::unit;
use crate::harness::Ground;
use crate::load::{Load, Sort};
use crate::peers::OURS;
use crate::run::{Entrant, Run};

/// Who ships what.
pub struct Lane {
    pub entrant: Entrant,
    /// What is shipped whereto.
    pub title: &'static str,
    pub sort: Sort,
    pub costs: Vec<Cost>,
}

/// One round of one lane.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time of the process.
    pub cpu: Duration,
    /// The same as a multiple of what `libdeflate-gzip -1` takes over the same files.
    pub units: f64,
    /// From the start until the last line was at the store.
    pub wall: Duration,
    pub peak_kib: u64,
    pub wire_bytes: u64,
    pub lost: u64,
    pub repeated: u64,
}

/// Ships each lane's lines so many times: so many bytes of each sort.
pub fn race(lanes: &mut [Lane], bytes: u64, rounds: u32) {
    let sorts = [Sort::Mixed, Sort::Json].into_iter().filter(|sort| lanes.iter().any(|lane| lane.sort == *sort));
    let loads: Vec<Load> = sorts.map(|sort| Load::make(sort, bytes)).collect();
    for round in 1..=rounds {
        for load in &loads {
            let unit = unit(&load.files);
            for lane in lanes.iter_mut().filter(|lane| lane.sort == load.sort) {
                let cost = ship(&lane.entrant, load, unit);
                let (title, units, cpu) = (lane.entrant.title(), cost.units, cost.cpu.as_secs_f64());
                eprintln!("round {round}: {title}, {}: {units:.2} units, {cpu:.2} s", lane.title);
                lane.costs.push(cost);
            }
        }
    }
}

fn ship(entrant: &Entrant, load: &Load, unit: Duration) -> Cost {
    let ground = Ground::new();
    load.lay_out(&ground);
    let mut run = Run::start(entrant, &ground, load.lines, load.lines);
    run.settle();
    let wall = run.shipped_after();
    let (sink, finished) = run.stop();
    Cost {
        cpu: finished.cpu,
        units: finished.cpu.as_secs_f64() / unit.as_secs_f64(),
        wall,
        peak_kib: finished.peak_kib,
        wire_bytes: sink.wire_bytes(),
        lost: load.lines - sink.lines(),
        repeated: sink.repeated(),
    }
}

impl Lane {
    /// One value of all rounds, from the least to the most.
    pub fn sorted(&self, value: impl Fn(&Cost) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.costs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Whether it is the agent that this belongs to.
    pub fn is_ours(&self) -> bool {
        self.entrant.peer.name == OURS
    }

    /// Whether every line came once in all rounds.
    pub fn is_whole(&self) -> bool {
        self.costs.iter().all(|cost| cost.lost + cost.repeated == 0)
    }
}

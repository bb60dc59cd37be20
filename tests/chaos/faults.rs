//! What goes wrong with a request to the scripted store: a table, and a choice from it. Does nothing of it itself.

use crate::dice::Dice;

/// One accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status; nothing is stored.
    Status(u16),
    /// A proxy's page with status 200; nothing is stored.
    Page,
    /// Part of it is refused for now, as the answer says.
    Busy,
    /// All is stored, and the answer does not say so of all.
    Unsaid,
    /// Half of it is stored, and the connection closed.
    Half,
    /// All is stored, and the connection closed without an answer.
    Lost,
    /// All is stored, and the answer cut off.
    Cut,
    /// All is stored, and the answer comes later than the agent waits.
    Slow,
    /// The connection is reset while the body comes.
    Reset,
}

/// Accidents, and how often each comes among them.
const FAULTS: [(Fault, usize); 15] = [
    (Fault::Status(429), 10),
    (Fault::Status(503), 10),
    (Fault::Status(500), 4),
    (Fault::Status(413), 6),
    (Fault::Status(400), 3),
    (Fault::Status(401), 3),
    (Fault::Status(403), 2),
    (Fault::Page, 2),
    (Fault::Busy, 20),
    (Fault::Unsaid, 10),
    (Fault::Half, 10),
    (Fault::Lost, 12),
    (Fault::Cut, 8),
    (Fault::Reset, 8),
    // Each costs the time that the agent waits for an answer.
    (Fault::Slow, 5),
];
/// So many requests in a hundred meet an accident.
const CHANCE: u64 = 45;
/// Requests in a row that are refused once a password is.
const LOCKED_OUT: u32 = 4;
/// Statuses that would have a record refused for good if it were alone in its request.
const OF_SEVERAL: [Fault; 2] = [Fault::Status(413), Fault::Status(400)];

impl Fault {
    /// Whether it may befall a request of so many records.
    pub fn suits(self, records: usize) -> bool {
        records > 1 || !OF_SEVERAL.contains(&self)
    }
}

/// The accidents of one round.
#[derive(Debug)]
pub struct Faults {
    dice: Dice,
    /// So many are left: a round must end.
    left: u32,
    locked_out: u32,
}

impl Faults {
    /// At most `left` of them.
    pub fn new(dice: Dice, left: u32) -> Self {
        Self { dice, left, locked_out: 0 }
    }

    /// For choices that a fault leaves open.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// What is to go wrong with the next request, if anything.
    pub fn next(&mut self) -> Option<Fault> {
        if self.locked_out > 0 {
            self.locked_out -= 1;
            return Some(Fault::Status(401));
        }
        if self.left == 0 || !self.dice.percent(CHANCE) {
            return None;
        }
        self.left -= 1;
        let fault = self.choose();
        if fault == Fault::Status(401) {
            self.locked_out = LOCKED_OUT;
        }
        Some(fault)
    }

    fn choose(&mut self) -> Fault {
        let lots: Vec<Fault> = FAULTS.iter().flat_map(|(fault, weight)| vec![*fault; *weight]).collect();
        *self.dice.pick(&lots)
    }
}

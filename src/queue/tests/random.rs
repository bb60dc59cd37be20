//! Whatever happens to a queue, what comes out of it is what a list in memory would give: never out of order, never a
//! frame that was not pushed so, and all that no damage could reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use proptest::sample::Index as Pick;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    /// Pushes a batch with a body of so many bytes.
    Push(usize),
    Take,
    Done,
    PutBy,
    /// One of those that were put by, counted from the oldest.
    DonePutBy(usize),
    DropOldest,
    /// As with a checkpoint: what is settled is forgotten.
    Forget,
    /// As after `kill -9`: nothing is said to the queue, which is opened anew.
    Reopen,
    /// The same, in the midst of a push: so many bytes of a frame are there.
    ReopenTorn(Pick),
    /// The same, without the position file.
    ReopenWithoutPosition,
    /// A bit of one frame turns over.
    Flip(Pick, Pick, u8),
}

fn action() -> impl Strategy<Value = Action> {
    let pick = any::<Pick>;
    prop_oneof![
        12 => (0_usize..900).prop_map(Action::Push),
        6 => Just(Action::Take),
        6 => Just(Action::Done),
        2 => Just(Action::PutBy),
        2 => (0_usize..4).prop_map(Action::DonePutBy),
        2 => Just(Action::DropOldest),
        3 => Just(Action::Forget),
        3 => Just(Action::Reopen),
        2 => pick().prop_map(Action::ReopenTorn),
        1 => Just(Action::ReopenWithoutPosition),
        1 => (pick(), pick(), 0_u8..8).prop_map(|(frame, byte, bit)| Action::Flip(frame, byte, bit)),
    ]
}

/// A frame as it was pushed, and where it lies.
#[derive(Clone, Debug)]
struct Known {
    sealed: Sealed,
    place: Place,
}

/// A queue, and the list that says what it must hold.
struct Model {
    folder: tempfile::TempDir,
    queue: Queue,
    /// By number. A number comes again when the frame that had it was cut off.
    known: BTreeMap<u64, Known>,
    pushed: u64,
    waiting: VecDeque<u64>,
    taken: Option<u64>,
    put_by: BTreeSet<u64>,
    next: u64,
    /// The first number of this run.
    first_own: u64,
    /// Below it all is forgotten.
    forgotten: u64,
    /// Frames that must be found by a run that opens the queue now.
    reachable: BTreeSet<u64>,
    /// Frames with a bit turned over.
    damaged: BTreeSet<u64>,
    /// Segments in which a length was hit: what comes after it there may be out of reach.
    broken: BTreeSet<u64>,
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = open(folder.path()).0;
        Self {
            folder,
            queue,
            known: BTreeMap::new(),
            pushed: 0,
            waiting: VecDeque::new(),
            taken: None,
            put_by: BTreeSet::new(),
            next: 0,
            first_own: 0,
            forgotten: 0,
            reachable: BTreeSet::new(),
            damaged: BTreeSet::new(),
            broken: BTreeSet::new(),
        }
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Push(body) => self.push(body),
            Action::Take => self.take(),
            Action::Done => {
                self.queue.done(self.taken.take().unwrap_or(u64::MAX));
            }
            Action::PutBy => {
                assert!(self.queue.put_by(self.taken.unwrap_or(u64::MAX)));
                self.put_by.extend(self.taken.take());
            }
            Action::DonePutBy(which) => {
                let number = self.put_by.iter().copied().nth(which % self.put_by.len().max(1));
                self.queue.done(number.unwrap_or(u64::MAX));
                number.map(|number| self.put_by.remove(&number));
            }
            Action::DropOldest => self.drop_oldest(),
            Action::Forget => self.forget(),
            Action::Reopen => self.reopen(),
            Action::ReopenTorn(cut) => {
                self.tear(cut);
                self.reopen();
            }
            Action::ReopenWithoutPosition => {
                let _ = fs::remove_file(self.folder.path().join("position"));
                self.forgotten = 0;
                self.reopen();
            }
            Action::Flip(frame, byte, bit) => self.flip(frame, byte, bit),
        }
        assert_eq!(self.queue.settled(), self.settled());
        assert_eq!(self.queue.frames(), self.here().count());
        assert_eq!(self.queue.bytes(), self.here().map(|number| self.known[&number].place.len).sum::<u64>());
    }

    /// The frames that are not settled.
    fn here(&self) -> impl Iterator<Item = u64> {
        self.put_by.iter().copied().chain(self.taken).chain(self.waiting.iter().copied())
    }

    fn settled(&self) -> u64 {
        self.here().next().unwrap_or(self.next)
    }

    fn push(&mut self, body: usize) {
        let number = self.next;
        let mut sealed = batch(self.pushed, body);
        sealed.unsure = body.is_multiple_of(2);
        self.pushed += 1;
        assert_eq!(self.queue.push(&sealed, 0).unwrap(), Push::Queued(number));
        let segment = *segment::list(self.folder.path()).unwrap().last().unwrap();
        let len = (frame::encode(number, 0, &sealed).unwrap().len() + body) as u64;
        let end = fs::metadata(segment::path(self.folder.path(), segment)).unwrap().len();
        let place = Place { number, segment, offset: end - len, len, queued_ms: 0 };
        self.known.insert(number, Known { sealed, place });
        self.damaged.remove(&number);
        if segment == number {
            self.broken.remove(&segment);
        }
        if !self.broken.contains(&segment) {
            self.reachable.insert(number);
        }
        self.waiting.push_back(number);
        self.next += 1;
    }

    fn take(&mut self) {
        let taken = self.queue.take().unwrap();
        self.taken = self.taken.or_else(|| self.waiting.pop_front());
        match (taken, self.taken) {
            (None, None) => {}
            (Some(Taken::Good(frame)), Some(number)) => {
                assert!(!self.damaged.contains(&number));
                assert_eq!((frame.number, &frame.sealed), (number, &self.known[&number].sealed));
                assert_eq!(frame.perhaps_sent, number < self.first_own);
            }
            (Some(Taken::Damaged(unsent)), Some(number)) => {
                assert!(self.damaged.contains(&number));
                self.check(&unsent, number);
            }
            (taken, expected) => panic!("{taken:?} for {expected:?}"),
        }
    }

    fn drop_oldest(&mut self) {
        let dropped = self.queue.drop_oldest().unwrap();
        let expected = self.waiting.pop_front();
        assert_eq!(dropped.is_some(), expected.is_some());
        for (unsent, number) in dropped.iter().zip(expected) {
            self.check(unsent, number);
        }
    }

    fn check(&self, unsent: &Unsent, number: u64) {
        assert_eq!(unsent.number, number);
        match &unsent.spans {
            Some(spans) => assert_eq!(spans, &self.known[&number].sealed.spans),
            None => assert!(self.damaged.contains(&number)),
        }
    }

    fn forget(&mut self) {
        let settled = self.queue.settled();
        self.queue.forget(settled).unwrap();
        self.forgotten = self.forgotten.max(settled);
        self.reachable.retain(|number| *number >= settled);
    }

    fn reopen(&mut self) {
        let (queue, report) = open(self.folder.path());
        let found: Vec<u64> = report.frames.iter().map(|found| found.number).collect();
        assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
        for frame in &report.frames {
            assert!(frame.number >= self.forgotten && !self.damaged.contains(&frame.number), "{}", frame.number);
            assert_eq!(frame.spans, self.known[&frame.number].sealed.spans);
        }
        let lost: Vec<_> = self.reachable.iter().filter(|number| !found.contains(number)).collect();
        assert!(lost.is_empty(), "{lost:?} are lost, {found:?} found");
        let first = if self.forgotten > 0 { Some(self.forgotten) } else { found.first().copied() };
        if let (Some(first), Some(last)) = (first, found.last())
            && self.forgotten > 0
        {
            assert_eq!(report.damaged_frames, last + 1 - first - found.len() as u64);
        }
        self.reachable = found.iter().copied().collect();
        self.next = found.last().map_or(0, |last| last + 1).max(self.forgotten);
        self.first_own = self.next;
        self.waiting = found.into();
        self.taken = None;
        self.put_by.clear();
        self.queue = queue;
    }

    /// Part of a frame, as a push that did not return leaves it.
    fn tear(&self, cut: Pick) {
        let Some(last) = segments(self.folder.path()).pop() else { return };
        let sealed = batch(self.pushed, 50);
        let frame = [frame::encode(self.next, 0, &sealed).unwrap(), sealed.body].concat();
        let mut file = fs::File::options().append(true).open(last).unwrap();
        std::io::Write::write_all(&mut file, &frame[..cut.index(frame.len())]).unwrap();
    }

    fn flip(&mut self, frame: Pick, byte: Pick, bit: u8) {
        let whole: Vec<u64> = self.reachable.iter().copied().collect();
        if whole.is_empty() {
            return;
        }
        let place = self.known[&whole[frame.index(whole.len())]].place;
        let path = segment::path(self.folder.path(), place.segment);
        let mut bytes = fs::read(&path).unwrap();
        let offset = byte.index(place.len as usize);
        bytes[place.offset as usize + offset] ^= 1 << bit;
        // In place: the queue has the file open.
        std::io::Write::write_all(&mut fs::File::options().write(true).open(&path).unwrap(), &bytes).unwrap();
        self.damaged.insert(place.number);
        self.reachable.remove(&place.number);
        if (16..24).contains(&offset) {
            self.broken.insert(place.segment);
            self.reachable.retain(|number| self.known[number].place.segment != place.segment || *number < place.number);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_queue_is_a_list_on_disk(actions in prop::collection::vec(action(), 1..70)) {
        let mut model = Model::new();
        for action in &actions {
            model.act(action);
        }
        model.reopen();
        while model.settled() < model.next {
            model.act(&Action::Take);
            model.act(&Action::Done);
        }
        model.act(&Action::Forget);
        prop_assert!(segments(model.folder.path()).is_empty());
    }
}

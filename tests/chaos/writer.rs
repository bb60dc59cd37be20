//! The applications of a round: they append numbered lines to a few files, and rotate, truncate and delete them as real
//! ones do. Takes away only what the store has already.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::lines::{Lines, Style};

/// Files that are written to at once, and what is written to each.
const FILES: [(&str, Style); 3] = [("web.log", Style::Timed), ("jobs.log", Style::Timeless), ("db.log", Style::Timed)];
/// How long to wait for the store before a file is truncated or deleted; else it is left as it is.
const UNTIL_STORED: Duration = Duration::from_millis(800);
/// In how many of a hundred bursts there is so much at once that one request is above 256 KiB.
const LOUD: u64 = 1;
/// Longer than a round's agent waits for the rest of a line.
const MID_LINE: Duration = Duration::from_millis(130);

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// By number: the piece that it lies in. A piece is what was written to one file between two rotations; only
    /// within it is there an order.
    pub pieces: Vec<usize>,
    /// The numbers that no store takes.
    pub unfit: BTreeSet<u64>,
    /// Something was taken away that the store had, and the agent perhaps had not saved: it may say it lost that.
    pub in_doubt: bool,
}

/// Tells which of the numbers each store has, by number.
pub type Stored<'a> = dyn Fn() -> Vec<Vec<bool>> + Sync + 'a;

/// Writes the lines of one round.
pub struct Writer<'a> {
    folder: PathBuf,
    lines: Lines,
    dice: Dice,
    files: Vec<Log>,
    written: Written,
    stored: &'a Stored<'a>,
}

/// One file, and what it was before.
struct Log {
    name: &'static str,
    style: Style,
    piece: usize,
    /// Rotated ones, the latest first: `NAME.1`, `NAME.2`, …, with their pieces.
    rotated: Vec<usize>,
}

impl<'a> Writer<'a> {
    /// Writes to `folder`. `stored` tells which numbers are stored.
    pub fn new(folder: PathBuf, lines: Lines, mut dice: Dice, stored: &'a Stored<'a>) -> Self {
        let count = usize::try_from(dice.between(2, 4)).expect("a count of files");
        let log = |(piece, (name, style)): (usize, &(&'static str, Style))| Log {
            name,
            style: *style,
            piece,
            rotated: Vec::new(),
        };
        let files = FILES[..count].iter().enumerate().map(log).collect();
        Self { folder, lines, dice, files, written: Written::default(), stored }
    }

    /// Writes so many lines, in bursts, with pauses and rotations between them.
    pub fn run(mut self, count: u64) -> std::io::Result<Written> {
        while self.next() < count {
            let index = usize::try_from(self.dice.below(self.files.len() as u64)).expect("an index");
            let most = if self.dice.percent(LOUD) { 2_500 } else { 80 };
            let burst = self.dice.between(1, most).min(count - self.next());
            self.burst(index, burst)?;
            if self.dice.percent(6) {
                self.rotate(index)?;
            }
            std::thread::sleep(Duration::from_millis(self.dice.below(25)));
        }
        Ok(self.written)
    }

    fn next(&self) -> u64 {
        self.written.pieces.len() as u64
    }

    /// Appends some lines to a file, at times with a pause in the middle of the last one.
    fn burst(&mut self, index: usize, count: u64) -> std::io::Result<()> {
        let numbers = self.next()..self.next() + count;
        let path = self.path(index, 0);
        let text = self.text(index, numbers);
        let mut file = File::options().create(true).append(true).open(path)?;
        if self.files[index].style == Style::Timeless && self.dice.percent(20) {
            // Behind the number: both halves may become records, and one of them has it.
            file.write_all(&text.as_bytes()[..text.len() - 3])?;
            std::thread::sleep(if self.dice.percent(50) { MID_LINE } else { MID_LINE / 20 });
            return file.write_all(&text.as_bytes()[text.len() - 3..]);
        }
        file.write_all(text.as_bytes())
    }

    fn text(&mut self, index: usize, numbers: Range<u64>) -> String {
        let mut text = String::new();
        for number in numbers {
            if self.lines.push(number, self.files[index].style, &mut text) {
                self.written.unfit.insert(number);
            }
            self.written.pieces.push(self.files[index].piece);
        }
        text
    }

    fn rotate(&mut self, index: usize) -> std::io::Result<()> {
        match self.dice.below(10) {
            0..5 => self.rename(index),
            5..8 => self.truncate(index),
            _ => self.delete_oldest(index),
        }
    }

    /// `web.log.1` becomes `web.log.2`, `web.log` becomes `web.log.1`; a writer may go on in it for a moment.
    fn rename(&mut self, index: usize) -> std::io::Result<()> {
        if !self.path(index, 0).exists() {
            return Ok(());
        }
        for number in (0..=self.files[index].rotated.len()).rev() {
            fs::rename(self.path(index, number), self.path(index, number + 1))?;
        }
        if self.dice.percent(30) {
            let count = self.dice.between(1, 10);
            let text = self.text(index, self.next()..self.next() + count);
            File::options().append(true).open(self.path(index, 1))?.write_all(text.as_bytes())?;
        }
        let piece = self.files[index].piece;
        self.files[index].rotated.insert(0, piece);
        self.begin_piece(index);
        Ok(())
    }

    /// As `copytruncate` does: bytes that nobody has read yet would be gone for everyone.
    fn truncate(&mut self, index: usize) -> std::io::Result<()> {
        let path = self.path(index, 0);
        if !path.exists() || !self.is_stored(self.files[index].piece) {
            return Ok(());
        }
        File::options().write(true).open(path)?.set_len(0)?;
        self.written.in_doubt = true;
        self.begin_piece(index);
        Ok(())
    }

    fn delete_oldest(&mut self, index: usize) -> std::io::Result<()> {
        let Some(piece) = self.files[index].rotated.last().copied() else { return Ok(()) };
        if !self.is_stored(piece) {
            return Ok(());
        }
        let number = self.files[index].rotated.len();
        fs::remove_file(self.path(index, number))?;
        self.files[index].rotated.pop();
        self.written.in_doubt = true;
        Ok(())
    }

    fn begin_piece(&mut self, index: usize) {
        let last = self.files.iter().flat_map(|log| log.rotated.iter().copied().chain([log.piece])).max();
        let last = last.max(self.written.pieces.iter().copied().max());
        self.files[index].piece = last.map_or(0, |last| last + 1);
    }

    /// Waits a little until every store has a piece. What it refuses may not be set aside yet, so it never counts.
    fn is_stored(&self, piece: usize) -> bool {
        let began = Instant::now();
        let numbers: Vec<usize> =
            (0..self.written.pieces.len()).filter(|at| self.written.pieces[*at] == piece).collect();
        loop {
            let stored = (self.stored)();
            if numbers.iter().all(|number| stored.iter().all(|one| one.get(*number) == Some(&true))) {
                return true;
            }
            if began.elapsed() > UNTIL_STORED {
                return false;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// A file, or with a number one that it was before.
    fn path(&self, index: usize, number: usize) -> PathBuf {
        let name = self.files[index].name;
        let folder: &Path = &self.folder;
        if number == 0 { folder.join(name) } else { folder.join(format!("{name}.{number}")) }
    }
}

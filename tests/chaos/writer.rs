//! The applications of a round: they append numbered lines to a few files, and rotate, truncate and delete them as real
//! ones do. Truncates only what the store has already; what it deletes sooner, `gone` judges.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::gone::{Gone, Trace, Way};
use crate::lines::{Lines, Style};
use crate::state::FileKey;

/// Files that are written to at once, and what is written to each.
const FILES: [(&str, Style); 3] = [("web.log", Style::Timed), ("jobs.log", Style::Timeless), ("db.log", Style::Timed)];
/// How long to wait for the store before a file is truncated or deleted; else it is left as it is.
const UNTIL_STORED: Duration = Duration::from_millis(800);
/// In how many of a hundred bursts there is so much at once that one request is above 256 KiB.
const LOUD: u64 = 1;
/// Longer than a round's agent waits for the rest of a line.
const MID_LINE: Duration = Duration::from_millis(130);
/// So many bytes at the end of a line may come later: they are behind its number.
const TAIL: usize = 3;
/// How long to wait for the agent to open a file that is to be taken away; else it stays.
const UNTIL_OPEN: Duration = Duration::from_millis(300);

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// By number: the piece that it lies in. A piece is what was written to one file between two rotations; only
    /// within it is there an order.
    pub pieces: Vec<usize>,
    /// By number: the bytes of the line.
    pub sizes: Vec<u64>,
    /// The numbers that no store takes.
    pub unfit: BTreeSet<u64>,
    /// A file was truncated that the store had, and the agent perhaps had not saved: it may say it lost that.
    pub in_doubt: bool,
    /// In all.
    pub bytes: u64,
    /// So many lines had a pause before their end.
    pub halves: u64,
}

/// Tells which of the numbers each store has, by number.
pub type Stored<'a> = dyn Fn() -> Vec<Vec<bool>> + Sync + 'a;

/// How the files of a round come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// A file stays until every store has it.
    Patient,
    /// Files are also deleted, or moved to where nobody looks, while they are read.
    Fleeting,
}

/// Writes the lines of one round.
pub struct Writer<'a> {
    folder: PathBuf,
    manners: Manners,
    lines: Lines,
    dice: Dice,
    files: Vec<Log>,
    moved: u64,
    written: Written,
    stored: &'a Stored<'a>,
    gone: &'a Gone,
}

/// One file, and what it was before.
struct Log {
    name: &'static str,
    style: Style,
    now: Content,
    /// Rotated ones, the latest first: `NAME.1`, `NAME.2`, ….
    rotated: Vec<Content>,
}

/// What a file holds.
#[derive(Clone, Default)]
struct Content {
    piece: usize,
    len: u64,
    trace: Trace,
    /// It has begun anew: where its lines lie does not tell which they are.
    was_truncated: bool,
}

impl<'a> Writer<'a> {
    /// Writes to `folder`. `stored` tells which numbers are stored.
    pub fn new(
        folder: PathBuf,
        manners: Manners,
        lines: Lines,
        mut dice: Dice,
        stored: &'a Stored<'a>,
        gone: &'a Gone,
    ) -> Self {
        let count = usize::try_from(dice.between(2, 4)).expect("a count of files");
        let log = |(piece, (name, style)): (usize, &(&'static str, Style))| Log {
            name,
            style: *style,
            now: Content { piece, ..Content::default() },
            rotated: Vec::new(),
        };
        let files = FILES[..count].iter().enumerate().map(log).collect();
        Self { folder, manners, lines, dice, files, moved: 0, written: Written::default(), stored, gone }
    }

    /// Writes so many lines, in bursts, with pauses and rotations between them.
    pub fn run(mut self, count: u64) -> io::Result<Written> {
        let (rotates, pause) = if self.manners == Manners::Fleeting { (50, 50) } else { (6, 25) };
        while self.next() < count {
            let index = usize::try_from(self.dice.below(self.files.len() as u64)).expect("an index");
            let most = if self.dice.percent(LOUD) { 2_500 } else { 80 };
            let burst = self.dice.between(1, most).min(count - self.next());
            self.burst(index, burst)?;
            if self.dice.percent(rotates) {
                self.rotate(index)?;
            }
            std::thread::sleep(Duration::from_millis(self.dice.below(pause)));
        }
        Ok(self.written)
    }

    fn next(&self) -> u64 {
        self.written.pieces.len() as u64
    }

    /// Appends some lines to a file, at times with a pause in the middle of the last one.
    fn burst(&mut self, index: usize, count: u64) -> io::Result<()> {
        let numbers = self.next()..self.next() + count;
        let path = self.path(index, 0);
        let text = self.text(index, numbers);
        let mut file = File::options().create(true).append(true).open(path)?;
        if self.files[index].style == Style::Timeless && self.dice.percent(20) {
            // Behind the number: both halves may become records, and one of them has it.
            self.written.halves += 1;
            file.write_all(&text.as_bytes()[..text.len() - TAIL])?;
            std::thread::sleep(if self.dice.percent(50) { MID_LINE } else { MID_LINE / 20 });
            return file.write_all(&text.as_bytes()[text.len() - TAIL..]);
        }
        file.write_all(text.as_bytes())
    }

    fn text(&mut self, index: usize, numbers: Range<u64>) -> String {
        let mut text = String::new();
        let Log { now, style, .. } = &mut self.files[index];
        for number in numbers {
            let begin = text.len();
            let start = now.len + begin as u64;
            if self.lines.push(number, *style, &mut text) {
                self.written.unfit.insert(number);
            }
            now.trace.lines.push((number, start..now.len + (text.len() - TAIL) as u64));
            self.written.pieces.push(now.piece);
            self.written.sizes.push((text.len() - begin) as u64);
        }
        now.len += text.len() as u64;
        self.written.bytes += text.len() as u64;
        text
    }

    fn rotate(&mut self, index: usize) -> io::Result<()> {
        match (self.manners, self.dice.below(100)) {
            (Manners::Patient, 0..50) | (Manners::Fleeting, 0..25) => self.rename(index),
            (Manners::Patient, 50..80) | (Manners::Fleeting, 25..28) => self.truncate(index),
            (Manners::Patient, _) | (Manners::Fleeting, 28..31) => self.delete_oldest(index),
            (Manners::Fleeting, 31..70) => self.take_now(index),
            (Manners::Fleeting, 70..82) => self.take_oldest(index, Way::Deleted),
            (Manners::Fleeting, 82..86) => self.take_oldest(index, Way::Elsewhere),
            (Manners::Fleeting, _) => self.take_oldest(index, Way::Aside),
        }
    }

    /// `web.log.1` becomes `web.log.2`, `web.log` becomes `web.log.1`; a writer may go on in it for a moment.
    fn rename(&mut self, index: usize) -> io::Result<()> {
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
        let content = self.begin(index);
        self.files[index].rotated.insert(0, content);
        Ok(())
    }

    /// As `copytruncate` does: bytes that nobody has read yet would be gone for everyone.
    fn truncate(&mut self, index: usize) -> io::Result<()> {
        let path = self.path(index, 0);
        if !path.exists() || !self.is_stored(self.files[index].now.piece) {
            return Ok(());
        }
        File::options().write(true).open(path)?.set_len(0)?;
        self.written.in_doubt = true;
        self.begin(index);
        self.files[index].now.was_truncated = true;
        Ok(())
    }

    /// As those do who wait for the store.
    fn delete_oldest(&mut self, index: usize) -> io::Result<()> {
        let Some(oldest) = self.files[index].rotated.last().cloned() else { return Ok(()) };
        if !self.is_stored(oldest.piece) {
            return Ok(());
        }
        let path = self.path(index, self.files[index].rotated.len());
        self.files[index].rotated.pop();
        self.written.in_doubt |= oldest.was_truncated;
        self.gone.take(file_at(&path)?, oldest.trace, Way::Deleted, || fs::remove_file(path))
    }

    /// Takes away the oldest of the rotated ones, read or not.
    fn take_oldest(&mut self, index: usize, way: Way) -> io::Result<()> {
        let Some(oldest) = self.files[index].rotated.last().cloned() else { return Ok(()) };
        let path = self.path(index, self.files[index].rotated.len());
        if self.take(&path, oldest, way)? {
            self.files[index].rotated.pop();
        }
        Ok(())
    }

    /// Deletes the file that is being written, read or not; the next burst begins another.
    fn take_now(&mut self, index: usize) -> io::Result<()> {
        let path = self.path(index, 0);
        if path.exists() && self.take(&path, self.files[index].now.clone(), Way::Deleted)? {
            self.begin(index);
        }
        Ok(())
    }

    /// Only what the agent has open, and was never truncated. Whether it is gone.
    fn take(&mut self, path: &Path, content: Content, way: Way) -> io::Result<bool> {
        let file = file_at(path)?;
        let began = Instant::now();
        while !self.gone.is_open(file) && began.elapsed() < UNTIL_OPEN {
            std::thread::sleep(Duration::from_millis(5));
        }
        if content.was_truncated || !self.gone.is_open(file) {
            return Ok(false);
        }
        self.moved += 1;
        let aside = format!("was-{}", self.moved);
        let elsewhere = self.folder.with_file_name("elsewhere");
        let take = || match way {
            Way::Deleted => fs::remove_file(path),
            Way::Aside => fs::rename(path, self.folder.join(aside)),
            Way::Elsewhere => fs::create_dir_all(&elsewhere).and_then(|()| fs::rename(path, elsewhere.join(aside))),
        };
        self.gone.take(file, content.trace, way, take)?;
        Ok(true)
    }

    /// Begins another piece. What there was before.
    fn begin(&mut self, index: usize) -> Content {
        let last = self.files.iter().flat_map(|log| log.rotated.iter().chain([&log.now])).map(|it| it.piece).max();
        let last = last.max(self.written.pieces.iter().copied().max());
        let piece = last.map_or(0, |last| last + 1);
        std::mem::replace(&mut self.files[index].now, Content { piece, ..Content::default() })
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

fn file_at(path: &Path) -> io::Result<FileKey> {
    Ok(FileKey::of(&fs::metadata(path)?))
}

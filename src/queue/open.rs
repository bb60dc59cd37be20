//! Opening a queue: which frames are there, and what is missing or damaged. The only place that repairs.

use std::collections::VecDeque;
use std::path::Path;

use super::error::Error;
use super::frame::Span;
use super::index::Index;
use super::position::{self, Position};
use super::segment::{self, Scan};
use crate::base::durable;
use crate::base::failpoint;

/// What was found when a queue was opened.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    /// The frames that will be given out, in order. What the caller knows to be queued and does not find here is to
    /// be read again from its source.
    pub frames: Vec<Found>,
    /// Frames that are missing before the last of these, by their numbers. They are counted again at each start until
    /// they are passed.
    pub damaged_frames: u64,
    /// Bytes that were passed over as damaged.
    pub damaged_bytes: u64,
    /// Bytes cut off the end: of a push that did not return, or, which looks the same, of damaged last frames.
    pub torn_bytes: u64,
    /// The position file was damaged: frames that were settled come again.
    pub position_lost: bool,
}

/// A frame that was found.
#[derive(Debug, PartialEq)]
pub struct Found {
    /// Its number.
    pub number: u64,
    /// The input that it covers.
    pub spans: Vec<Span>,
}

/// A queue's folder, read and repaired.
#[derive(Debug)]
pub struct Opened {
    /// The frames there.
    pub index: Index,
    /// The segments that hold them.
    pub segments: VecDeque<u64>,
    /// The number in the position file, or 0.
    pub saved: u64,
    /// For the caller.
    pub report: Report,
}

/// Reads the folder, made if absent. All of it is read before anything is changed.
///
/// # Errors
/// As the file system gives them; when a file is of a newer format.
pub fn open(folder: &Path) -> Result<Opened, Error> {
    durable::create_folder(folder).map_err(Error::io("create", folder))?;
    let position = position::read(folder)?;
    let firsts = segment::list(folder)?;
    let ends = firsts.iter().skip(1).copied().chain([u64::MAX]);
    let scans = firsts.iter().zip(ends).map(|(first, end)| segment::scan(folder, *first, end));
    let scans = scans.collect::<Result<Vec<_>, Error>>()?;

    let saved = if let Position::At(number) = position { number } else { 0 };
    let index = Index::starting_at(saved);
    let report = Report { position_lost: position == Position::Damaged, ..Report::default() };
    let mut opened = Opened { index, segments: VecDeque::new(), saved, report };
    // Segments are removed only below the saved position, so with one every gap is damage.
    let mut expected = if position == Position::At(saved) { saved } else { firsts.first().copied().unwrap_or(0) };
    for scan in scans {
        opened.take_in(folder, scan, &mut expected)?;
    }
    failpoint::hit("opened");
    Ok(opened)
}

impl Opened {
    /// Takes in the frames of the next segment from `expected` on, and repairs it.
    fn take_in(&mut self, folder: &Path, scan: Scan, expected: &mut u64) -> Result<(), Error> {
        let Scan { first, until, frames, damaged_bytes, good_end, rest } = scan;
        let is_last = until == u64::MAX;
        let is_whole = frames.last().is_some_and(|(place, _)| place.number + 1 == until);
        let mut needed = frames.into_iter().filter(|(place, _)| place.number >= self.saved).peekable();
        self.report.damaged_bytes += damaged_bytes;
        if is_last {
            self.report.torn_bytes += rest;
        } else if !is_whole {
            self.report.damaged_bytes += rest;
        }
        if needed.peek().is_none() {
            return segment::remove(folder, first);
        }
        if is_last && rest > 0 {
            segment::cut(folder, first, good_end)?;
        }
        self.segments.push_back(first);
        for (place, spans) in needed {
            self.report.damaged_frames += place.number - *expected;
            *expected = place.number + 1;
            self.index.push(place);
            self.report.frames.push(Found { number: place.number, spans });
        }
        Ok(())
    }
}

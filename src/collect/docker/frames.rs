//! The bytes of a `logs` body to messages: which stream, the engine's time, text. Joins nothing and keeps no text.
//!
//! Without a TTY the body is frames of an 8-byte header (stream, three zeros, length as big-endian `u32`) and a payload
//! ([API, "Stream format"](https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach));
//! each payload is one message of at most 16 KiB, led by its time and a space. With a TTY there are no headers: messages
//! end at their newline, or after 16 KiB.

use crate::base::source::Stream;

/// A longer line comes as several messages of this size (`daemon/logger/copier.go` of the engine).
pub const MESSAGE_BYTES: usize = 16 * 1024;

/// The longest time that an engine writes has 35 bytes: nine digits of a second, and an offset.
const STAMP_BYTES: usize = 35;

/// A step through a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A message begins. Its time in ns since 1970, if it has one that can be read.
    Begin(Stream, Option<u64>),
    /// More of its text.
    Text(&'a [u8]),
    /// It ends.
    End,
}

/// A body that cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not a frame.
    #[error("the engine sent a header that is none")]
    Header,
    /// The engine says in a frame of its own (stream 3) that it cannot go on.
    #[error("the engine broke the log off")]
    Engine,
}

/// Reads a body piece by piece, cut anywhere.
#[derive(Debug)]
pub struct Frames {
    tty: bool,
    state: State,
    stream: Stream,
    /// Bytes of the message still to come, its stamp included. With a TTY: bytes of text until it ends by size.
    left: usize,
    /// A header or a stamp that has not come whole.
    held: [u8; STAMP_BYTES + 1],
    held_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Stamp,
    Text,
}

impl Frames {
    /// A reader of one body.
    pub const fn new(tty: bool) -> Self {
        let state = if tty { State::Stamp } else { State::Header };
        let left = if tty { usize::MAX } else { 0 };
        Self { tty, state, stream: Stream::Stdout, left, held: [0; STAMP_BYTES + 1], held_len: 0 }
    }

    /// Takes the next bytes and tells what is in them.
    ///
    /// # Errors
    /// When this is no log.
    pub fn push(&mut self, mut bytes: &[u8], tell: &mut impl FnMut(Step<'_>)) -> Result<(), Broken> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Header => self.header(bytes)?,
                State::Stamp => self.stamp(bytes, tell),
                State::Text => self.text(bytes, tell),
            };
        }
        Ok(())
    }

    fn header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Broken> {
        let (now, rest) = bytes.split_at(bytes.len().min(8 - self.held_len));
        self.hold(now);
        if self.held_len < 8 {
            return Ok(rest);
        }
        let [kind, 0, 0, 0, a, b, c, d, ..] = self.held else { return Err(Broken::Header) };
        self.stream = match kind {
            0 | 1 => Stream::Stdout,
            2 => Stream::Stderr,
            3 => return Err(Broken::Engine),
            _ => return Err(Broken::Header),
        };
        self.left = u32::from_be_bytes([a, b, c, d]) as usize;
        self.held_len = 0;
        self.state = if self.left == 0 { State::Header } else { State::Stamp };
        Ok(rest)
    }

    /// Takes bytes up to the space after the stamp. What cannot be one is text.
    fn stamp<'a>(&mut self, bytes: &'a [u8], tell: &mut impl FnMut(Step<'_>)) -> &'a [u8] {
        let room = (self.held.len() - self.held_len).min(self.left - self.held_len).min(bytes.len());
        let window = &bytes[..room];
        if let Some(end) = window.iter().position(|byte| matches!(byte, b' ' | b'\n')) {
            self.hold(&window[..end]);
            let ns = parse_stamp(&self.held[..self.held_len]).filter(|_| window[end] == b' ');
            let rest = if ns.is_some() { &bytes[end + 1..] } else { &bytes[end..] };
            self.begin(ns, usize::from(ns.is_some()), tell);
            return rest;
        }
        self.hold(window);
        if self.held_len == self.held.len() || self.held_len == self.left {
            self.begin(None, 0, tell);
        }
        &bytes[room..]
    }

    fn begin(&mut self, ns: Option<u64>, space: usize, tell: &mut impl FnMut(Step<'_>)) {
        tell(Step::Begin(self.stream, ns));
        self.left = match (self.tty, ns.is_some()) {
            (true, true) => MESSAGE_BYTES,
            (true, false) => MESSAGE_BYTES - self.held_len,
            (false, _) => self.left - self.held_len - space,
        };
        if ns.is_none() {
            tell(Step::Text(&self.held[..self.held_len]));
        }
        self.held_len = 0;
        self.state = State::Text;
        if self.left == 0 {
            self.end(tell);
        }
    }

    fn text<'a>(&mut self, bytes: &'a [u8], tell: &mut impl FnMut(Step<'_>)) -> &'a [u8] {
        let window = &bytes[..bytes.len().min(self.left)];
        if self.tty {
            return self.tty_text(bytes, window, tell);
        }
        tell(Step::Text(window));
        self.left -= window.len();
        if self.left == 0 {
            self.end(tell);
        }
        &bytes[window.len()..]
    }

    /// A message ends at its newline, which may come right after its last byte of 16 KiB, or where the next one's time
    /// begins.
    fn tty_text<'a>(&mut self, bytes: &'a [u8], window: &[u8], tell: &mut impl FnMut(Step<'_>)) -> &'a [u8] {
        if let Some(newline) = memchr::memchr(b'\n', window) {
            tell(Step::Text(&window[..=newline]));
            self.end(tell);
            return &bytes[newline + 1..];
        }
        tell(Step::Text(window));
        self.left -= window.len();
        if self.left == 0 {
            self.end(tell);
        }
        &bytes[window.len()..]
    }

    fn end(&mut self, tell: &mut impl FnMut(Step<'_>)) {
        tell(Step::End);
        self.state = if self.tty { State::Stamp } else { State::Header };
        self.left = if self.tty { usize::MAX } else { 0 };
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.held[self.held_len..self.held_len + bytes.len()].copy_from_slice(bytes);
        self.held_len += bytes.len();
    }
}

/// Reads an RFC 3339 time with up to nine digits of a second, `Z` or an offset, as ns since 1970. `None` for anything
/// else, and for times before 1970 or after 2554.
pub fn parse_stamp(text: &[u8]) -> Option<u64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let separators = [date_time[4], date_time[7], date_time[10], date_time[13], date_time[16]];
    if separators != *b"--T::" {
        return None;
    }
    let field = |range: std::ops::Range<usize>| number(&date_time[range]);
    let days = days_since_1970(field(0..4)?, field(5..7)?, field(8..10)?)?;
    let seconds = days * 86_400 + field(11..13)? * 3_600 + field(14..16)? * 60 + field(17..19)?;
    let (nanos, zone) = match rest.split_first() {
        Some((b'.', digits)) => fraction(digits)?,
        _ => (0, rest),
    };
    let utc = u64::try_from(seconds - offset_seconds(zone)?).ok()?;
    utc.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Nanoseconds, and what follows the digits.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let scale = 9_u32.checked_sub(u32::try_from(length).ok()?).filter(|scale| *scale < 9)?;
    let value = u64::try_from(number(&text[..length])?).ok()?;
    Some((value * 10_u64.pow(scale), &text[length..]))
}

fn offset_seconds(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = number(&[*h1, *h2])? * 3_600 + number(&[*m1, *m2])? * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days of the Gregorian calendar, counted in years that begin in March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + day_of_year - 719_468)
}

#[cfg(test)]
mod tests;

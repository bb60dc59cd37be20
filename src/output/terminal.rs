//! Records for people at a terminal: one readable line each. Does not ask whether there is a terminal.
//!
//! ```text
//! 13:47:34.123 ERROR shop  cannot reach the bank  order=17 retry=true
//! ```

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::records::{Key, Level, Shape};
use crate::base::source::fingerprint;
use crate::mask::{Masked, MaskedRecord};

use super::json::{self, Object, padded};

/// Names of the field that holds what people read first.
pub(super) const MESSAGE_NAMES: [&str; 3] = ["message", "msg", "log"];
/// Colours of names: readable on dark and on light ground.
const NAME_COLOURS: [&str; 6] = ["36", "32", "35", "34", "33", "96"];
const DIM: &str = "2";

/// One line a record.
#[derive(Debug)]
pub(super) struct TerminalEncoder {
    zone: TimeZone,
    coloured: bool,
}

impl TerminalEncoder {
    pub(super) const fn new(zone: TimeZone, coloured: bool) -> Self {
        Self { zone, coloured }
    }

    pub(super) fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        let name = masked.fields().get(Key::ContainerName).unwrap_or_default();
        let colour = NAME_COLOURS[(fingerprint(name.as_bytes()) % NAME_COLOURS.len() as u64) as usize];
        let mut items = 0;
        for one in masked.records() {
            if !keep(&one) {
                continue;
            }
            self.push_time(one.record.time.ms(), out);
            self.push_level(one.record.level, out);
            self.coloured(colour, out, |out| clean(name, out));
            out.extend_from_slice(b"  ");
            match one.record.shape {
                Shape::Text => clean(one.text, out),
                Shape::Object => self.push_object(one.text, out),
            }
            out.push(b'\n');
            items += 1;
        }
        items
    }

    fn push_time(&self, ms: i64, out: &mut Vec<u8>) {
        let Ok(time) = Timestamp::from_millisecond(ms) else { return };
        let local = self.zone.to_datetime(time);
        let part = |value: i16| u64::from(value.unsigned_abs());
        self.coloured(DIM, out, |out| {
            padded(part(local.hour().into()), 2, out);
            out.push(b':');
            padded(part(local.minute().into()), 2, out);
            out.push(b':');
            padded(part(local.second().into()), 2, out);
            out.push(b'.');
            padded(part(local.millisecond()), 3, out);
        });
        out.push(b' ');
    }

    fn push_level(&self, level: Option<Level>, out: &mut Vec<u8>) {
        // Five wide: the columns stay straight.
        let (word, colour) = match level {
            None => return out.extend_from_slice(b"      "),
            Some(Level::Debug) => ("DEBUG", DIM),
            Some(Level::Info) => ("INFO ", "32"),
            Some(Level::Warning) => ("WARN ", "33"),
            Some(Level::Error) => ("ERROR", "31"),
            Some(Level::Critical) => ("CRIT ", "1;31"),
        };
        self.coloured(colour, out, |out| out.extend_from_slice(word.as_bytes()));
        out.push(b' ');
    }

    /// The message, then the other members as `name=value`.
    fn push_object(&self, text: &str, out: &mut Vec<u8>) {
        let Some(object) = Object::parse(text.as_bytes()) else { return clean(text, out) };
        let message = message_of(&object);
        if let Some((_, words)) = &message {
            clean(words, out);
        }
        let told = message.map_or(usize::MAX, |(index, _)| index);
        self.coloured(DIM, out, |out| {
            for (_, (name, value)) in object.0.iter().enumerate().filter(|(index, _)| *index != told) {
                out.push(b' ');
                clean(name, out);
                out.push(b'=');
                let words = json::text_of(value).filter(|words| !words.is_empty() && !words.contains([' ', '"', '=']));
                clean(words.as_deref().unwrap_or(value.get()), out);
            }
        });
    }

    fn coloured(&self, colour: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.coloured {
            return write(out);
        }
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(colour.as_bytes());
        out.push(b'm');
        write(out);
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// The member that people read first: its index and its text.
pub(super) fn message_of<'a>(object: &Object<'a>) -> Option<(usize, Cow<'a, str>)> {
    MESSAGE_NAMES.iter().find_map(|wanted| {
        let index = object.0.iter().rposition(|(name, _)| name == wanted)?;
        Some((index, json::text_of(object.0[index].1)?))
    })
}

/// Text that cannot steer the terminal. Further lines are indented below the first.
fn clean(text: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '\n' => out.extend_from_slice(b"\n    "),
            '\t' => out.push(b'\t'),
            _ if character.is_control() => out.extend_from_slice("\u{FFFD}".as_bytes()),
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

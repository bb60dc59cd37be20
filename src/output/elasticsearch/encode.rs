//! Records to a bulk body: `{"create":{…}}`, the document, line by line. Does not read answers.
//!
//! `_id` is where the line lies, so that a line that is sent twice is stored once:
//!
//! ```text
//! source id      10 digits of base 32 hex
//! generation     ┐ each one digit that says how many digits follow (none for 0), then those: short where the number
//! position.at    │ is small, never ambiguous, and sorted as the numbers are
//! position.tie   ┘
//! ```
//!
//! A line at 1 MiB of a file: `0f3k2m9a1q` `0` `5` `10000` `2` `3a`; ids of one source sort in its order.

use std::time::Duration;

use crate::base::fault::Fault;
use crate::base::source::{BASE32, Position, SourceId, push_base32};
use crate::mask::{Masked, MaskedRecord, Origin};

use super::super::config::Config;
use super::super::record::Renderer;
use super::index::Pattern;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Writes bulk bodies.
#[derive(Debug)]
pub(in super::super) struct BulkEncoder {
    pattern: Pattern,
    past_ns: i64,
    future_ns: i64,
    renderer: Renderer,
    action: Action,
}

/// The part of the action line that a chunk's records of one index and hour share.
#[derive(Debug, Default)]
struct Action {
    /// `{"create":{"_index":"logferry-web-2026.11.22","_id":"0f3k2m9a1q0`
    bytes: Vec<u8>,
    /// Hours since 1970 that it was made for.
    hour: Option<i64>,
    /// What the index took from the record itself, when it was made.
    own: String,
    /// The same of the record at hand.
    next_own: String,
}

impl BulkEncoder {
    /// # Errors
    /// All faults of the index pattern.
    pub(in super::super) fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let ns = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        Ok(Self {
            pattern: Pattern::new(config)?,
            past_ns: ns(config.index_past.0),
            future_ns: ns(config.index_future.0),
            renderer: Renderer::new(config.format, true),
            action: Action::default(),
        })
    }

    pub(in super::super) fn encode(
        &mut self,
        masked: &Masked<'_>,
        keep: &mut dyn FnMut(&MaskedRecord<'_>) -> bool,
        out: &mut Vec<u8>,
    ) -> u32 {
        let origin = masked.origin();
        self.renderer.begin(masked.fields());
        self.action.hour = None;
        let mut items = 0;
        for one in masked.records() {
            if !keep(&one) {
                continue;
            }
            let hour = self.index_time(one.record.time.ns, origin.seen_ms).div_euclid(HOUR_NS);
            self.action.next_own.clear();
            self.pattern.push_own(&one, &mut self.action.next_own);
            if self.action.hour != Some(hour) || self.action.own != self.action.next_own {
                self.turn_to(hour, &one, masked);
            }
            out.extend_from_slice(&self.action.bytes);
            push_position(one.record.position, out);
            out.extend_from_slice(b"\"}}\n");
            self.renderer.push(&one, out);
            out.push(b'\n');
            items += 1;
        }
        items
    }

    /// The time that chooses the index: the record's own, if it is near the time of reading. A clock gone wrong must
    /// not make an index a record.
    fn index_time(&self, ns: i64, seen_ms: i64) -> i64 {
        let seen_ns = seen_ms.saturating_mul(1_000_000);
        let is_near = ns >= seen_ns.saturating_sub(self.past_ns) && ns <= seen_ns.saturating_add(self.future_ns);
        if is_near { ns } else { seen_ns }
    }

    fn turn_to(&mut self, hour: i64, one: &MaskedRecord<'_>, masked: &Masked<'_>) {
        let Origin { source, generation, .. } = masked.origin();
        let bytes = &mut self.action.bytes;
        bytes.clear();
        bytes.extend_from_slice(b"{\"create\":{\"_index\":\"");
        self.pattern.push(one, masked.fields(), hour * 3600, bytes);
        bytes.extend_from_slice(b"\",\"_id\":\"");
        push_base32(bytes, source.bits(), SourceId::DIGITS);
        push_sized(u64::from(generation), bytes);
        self.action.hour = Some(hour);
        std::mem::swap(&mut self.action.own, &mut self.action.next_own);
    }
}

/// Made from its end, and copied at once: it is written for each record.
fn push_position(position: Position, out: &mut Vec<u8>) {
    let mut digits = [0; 2 * SIZED];
    let start = put_sized(u64::from(position.tie), &mut digits, 2 * SIZED);
    let start = put_sized(position.at, &mut digits, start);
    out.extend_from_slice(&digits[start..]);
}

/// 64 bits have at most 13 digits; another one says how many there are.
const SIZED: usize = 14;

fn push_sized(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; SIZED];
    let start = put_sized(value, &mut digits, SIZED);
    out.extend_from_slice(&digits[start..]);
}

/// Puts before `end` how many digits follow, as one digit, and those; where that begins.
fn put_sized(mut value: u64, digits: &mut [u8], end: usize) -> usize {
    let mut start = end;
    while value > 0 {
        start -= 1;
        digits[start] = BASE32[(value & 31) as usize];
        value >>= 5;
    }
    digits[start - 1] = BASE32[end - start];
    start - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// An id must never be another than it was: what is sent again would be stored twice.
        #[test]
        fn positions_are_how_many_digits_and_the_digits(at in any::<u64>(), shift in 0..64_u32, tie in any::<u32>()) {
            for (at, tie) in [(at, tie), (at >> shift, tie >> (shift / 2)), (0, 0), (u64::MAX, u32::MAX)] {
                let (mut out, mut wanted) = (Vec::new(), Vec::new());
                push_position(Position { at, tie }, &mut out);
                for value in [at, u64::from(tie)] {
                    let digits = (u64::BITS - value.leading_zeros()).div_ceil(5);
                    push_base32(&mut wanted, u64::from(digits), 1);
                    push_base32(&mut wanted, value, digits as usize);
                }
                prop_assert_eq!(out, wanted);
            }
        }
    }
}

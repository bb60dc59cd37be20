//! Streams that come again.

use proptest::prelude::*;

use super::*;

fn at(at: u64) -> Position {
    Position { at, tie: u32::try_from(at % 1000).unwrap() }
}

/// Reads a log whose lines have these times as an agent does that stopped after `first` lines: the lines it is given
/// the second time begin at `from`. Returns the indexes of the lines that were admitted then.
fn second_reading(times: &[u64], first: usize, from: usize) -> Vec<usize> {
    let numbered = times.iter().zip(0_u32..);
    let positions: Vec<_> = numbered.map(|(at, tie)| Position { at: *at, tie }).collect();
    let mut seen = Seen::default();
    assert!(positions[..first].iter().all(|position| seen.admit(*position)));
    let mut seen = Seen::resume(&seen.recent());
    let mut admitted: Vec<_> = (from..times.len()).filter(|index| seen.admit(positions[*index])).collect();
    if seen.is_waiting() {
        seen.begin_repeat(true);
        admitted.extend((from..times.len()).filter(|index| seen.admit(positions[*index])));
    }
    admitted
}

#[test]
fn lines_that_come_again_are_dropped_and_no_other() {
    let rising = |count: u64| (0..count).map(|index| 1_000_000 + index).collect::<Vec<_>>();
    let mut stepped_back = rising(200);
    stepped_back.extend((0..200).map(|index| 900_000 + index));
    for (name, times, first, from) in [
        ("nothing read before", rising(10), 0, 0),
        ("all lines still remembered", rising(40), 30, 0),
        ("more than is remembered", rising(400), 300, 10),
        ("starts among the remembered", rising(400), 300, 290),
        ("nothing comes again", rising(400), 300, 300),
        ("the last lines are gone, later ones come", rising(400), 300, 320),
        ("the clock stepped back before the end", stepped_back.clone(), 250, 10),
        ("the clock stepped back at the end", stepped_back.clone(), 200, 150),
        ("the clock stepped back and the last lines are gone", stepped_back, 190, 200),
    ] {
        let wanted: Vec<_> = (first.max(from)..times.len()).collect();
        assert_eq!(second_reading(&times, first, from), wanted, "{name}");
    }
}

#[test]
fn lines_sent_twice_in_passing_are_dropped() {
    let mut seen = Seen::default();
    assert!((0..100).all(|ns| seen.admit(at(ns))));
    assert!((90..100).all(|ns| !seen.admit(at(ns))));
    assert!(seen.admit(Position { at: 99, tie: 1 }), "another line at the same time");
    assert!(seen.admit(at(100)));
    assert_eq!(seen.recent().len(), REMEMBERED);
}

proptest! {
    #[test]
    fn no_line_is_lost_whatever_the_clock_does(
        steps in prop::collection::vec((-3_000_000_000_i64..3_000_000_000, 0..4_u8), 1..300),
        first in 0_usize..300,
        back in 0_usize..300,
    ) {
        let mut time = 1_000_000_000_000_i64;
        let times: Vec<_> = steps.iter().map(|(step, kind)| {
            time += if *kind == 0 { *step } else { step.rem_euclid(1000) + 1 };
            time.unsigned_abs()
        }).collect();
        let first = first.min(times.len());
        let from = first.saturating_sub(back);
        let admitted = second_reading(&times, first, from);
        let new: Vec<_> = admitted.iter().copied().filter(|index| *index >= first).collect();
        prop_assert_eq!(new, (first..times.len()).collect::<Vec<_>>());
    }
}

//! Through the door: a folder, what is pushed into it, what comes out, and what a damage costs.

mod damage;
mod disk;
mod fixture;
mod random;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::base::counts::Counts;
use crate::base::source::{Cursor, Kind, Note, Position, SourceId};

const ENDLESS: Limits = Limits { bytes: u64::MAX, age_ms: None };

/// A batch of one chunk that nobody can take for another.
fn batch(number: u64, body_len: usize) -> Sealed {
    let note = Note {
        source: SourceId::new(7),
        generation: 1,
        start: number * 100,
        end: number * 100 + 100,
        seen_ms: 9,
        names: None,
    };
    let is_file = number.is_multiple_of(2);
    let recent = vec![Position { at: number * 100 + 100, tie: u32::MAX }];
    let span = Span {
        kind: if is_file { Kind::File } else { Kind::Docker },
        name: "app".into(),
        note,
        cursor: match is_file {
            true => Cursor::File { generation: 1, offset: number * 100 + 100, guard: u64::MAX - number },
            false => Cursor::Docker { time_ns: number * 100 + 100, recent },
        },
        lines: 3,
        items: 2,
        counts: Counts { read: 3, bytes: 100, dropped: [("debug".into(), 1)].into(), ..Counts::default() },
    };
    let body = (0..body_len).map(|at| (at as u64 * 31 + number) as u8).collect();
    Sealed { body, gzip: is_file, raw_len: 4_000_000_000 + number, items: 2, spans: vec![span], unsure: false }
}

fn open(folder: &Path) -> (Queue, Report) {
    Queue::open(folder, ENDLESS).unwrap()
}

/// Pushes the batches of these numbers, each as the frame of that number, with a body of 100 bytes.
fn push(queue: &Queue, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(queue.push(&batch(number, 100), number as i64).unwrap(), Push::Queued(number));
    }
}

/// The numbers of the frames that come, up to the end; each must be what was pushed under it.
fn drain(queue: &Queue) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(taken) = queue.take().unwrap() {
        let Taken::Good(frame) = taken else { panic!("{taken:?}") };
        assert_eq!(frame.sealed, batch(frame.number, 100));
        assert_eq!(frame.queued_ms, frame.number as i64);
        queue.done(frame.number);
        numbers.push(frame.number);
    }
    numbers
}

/// The numbers of the frames found; each must cover what was pushed under it.
fn found(report: &Report) -> Vec<u64> {
    let number = |found: &Found| {
        assert_eq!(found.spans, batch(found.number, 0).spans);
        found.number
    };
    report.frames.iter().map(number).collect()
}

/// The segments of a folder, in order.
fn segments(folder: &Path) -> Vec<PathBuf> {
    segment::list(folder).unwrap().into_iter().map(|first| segment::path(folder, first)).collect()
}

#[test]
fn what_is_pushed_comes_in_order_whole_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, report) = open(folder.path());
    assert_eq!(report, Report::default());
    push(&queue, 0..20);
    assert!(segments(folder.path()).len() > 3, "too few edges");
    assert_eq!(drain(&queue), (0..20).collect::<Vec<_>>());
    push(&queue, 20..22);
    assert_eq!(drain(&queue), [20, 21]);
}

#[test]
fn a_batch_without_items_and_one_larger_than_a_segment_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    let sizes = [0, 3 * SEGMENT_BYTES as usize, 0];
    for (number, size) in sizes.into_iter().enumerate() {
        queue.push(&batch(number as u64, size), 0).unwrap();
    }
    let (queue, report) = open(folder.path());
    assert_eq!(found(&report), [0, 1, 2]);
    for (number, size) in sizes.into_iter().enumerate() {
        let Some(Taken::Good(frame)) = queue.take().unwrap() else { panic!() };
        assert_eq!(frame.sealed, batch(number as u64, size));
        queue.done(frame.number);
    }
}

#[test]
fn all_of_a_span_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut sealed = batch(0, 10);
    let recent = vec![Position { at: u64::MAX, tie: u32::MAX }, Position::default()];
    let docker = Cursor::Docker { time_ns: u64::MAX, recent };
    sealed.spans.push(Span { kind: Kind::Docker, cursor: docker, name: "\"é\"\n".into(), ..sealed.spans[0].clone() });
    sealed.spans.push(Span { kind: Kind::Stdin, lines: u64::MAX, items: 0, ..sealed.spans[0].clone() });
    sealed.spans[1].note.seen_ms = i64::MIN;
    sealed.unsure = true;
    open(folder.path()).0.push(&sealed, i64::MAX).unwrap();
    let (queue, report) = open(folder.path());
    assert_eq!(report.frames, [Found { number: 0, spans: sealed.spans.clone() }]);
    let Some(Taken::Good(frame)) = queue.take().unwrap() else { panic!() };
    assert_eq!((frame.sealed, frame.queued_ms), (sealed, i64::MAX));
}

#[test]
fn a_taken_frame_comes_again_until_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..2);
    let number = |queue: &Queue| match queue.take().unwrap() {
        Some(Taken::Good(frame)) => frame.number,
        other => panic!("{other:?}"),
    };
    assert_eq!([number(&queue), number(&queue)], [0, 0]);
    queue.done(1);
    assert_eq!(number(&queue), 0);
    queue.done(0);
    queue.done(0);
    assert_eq!(number(&queue), 1);
}

#[test]
fn the_numbers_for_metrics_cover_what_is_not_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    assert_eq!((queue.bytes(), queue.frames(), queue.oldest_ms(), queue.settled()), (0, 0, None, 0));
    push(&queue, 0..3);
    let on_disk = segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
    assert_eq!(queue.bytes(), on_disk - 28 * segments(folder.path()).len() as u64);
    queue.take().unwrap();
    assert_eq!((queue.frames(), queue.oldest_ms(), queue.settled()), (3, Some(0), 0));
    queue.done(0);
    assert_eq!((queue.frames(), queue.oldest_ms(), queue.settled()), (2, Some(1), 1));
    let (reopened, _) = open(folder.path());
    assert_eq!((reopened.frames(), reopened.bytes(), reopened.oldest_ms()), (3, on_disk - 28, Some(0)));
    drain(&reopened);
    assert_eq!((reopened.bytes(), reopened.frames(), reopened.oldest_ms(), reopened.settled()), (0, 0, None, 3));
}

#[test]
fn only_what_is_settled_is_forgotten_and_its_segments_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..12);
    let all = segments(folder.path());
    // More is asked for than is settled.
    queue.forget(u64::MAX).unwrap();
    assert_eq!(segments(folder.path()), all);
    for number in 0..7 {
        queue.take().unwrap();
        queue.done(number);
    }
    assert_eq!(found(&open(folder.path()).1), (0..12).collect::<Vec<_>>(), "settled, but no checkpoint says so");
    let settled = queue.settled();
    queue.take().unwrap();
    queue.done(7);
    queue.forget(settled).unwrap();
    assert!(segments(folder.path()).len() < all.len());
    let (queue, report) = open(folder.path());
    assert_eq!(found(&report), (7..12).collect::<Vec<_>>());
    drain(&queue);
    queue.forget(queue.settled()).unwrap();
    assert!(segments(folder.path()).is_empty(), "a queue that is through leaves none");
    push(&queue, 12..13);
    assert_eq!(found(&open(folder.path()).1), [12], "numbers go on");
}

#[test]
fn what_an_earlier_run_may_have_sent_says_so() {
    let folder = tempfile::tempdir().unwrap();
    push(&open(folder.path()).0, 0..1);
    let (queue, _) = open(folder.path());
    push(&queue, 1..2);
    for expected in [(0, true), (1, false)] {
        let Some(Taken::Good(frame)) = queue.take().unwrap() else { panic!() };
        assert_eq!((frame.number, frame.perhaps_sent), expected);
        queue.done(frame.number);
    }
}

/// D6: a full queue.
#[test]
fn a_full_queue_takes_no_more_until_there_is_room() {
    let size = |number| frame::encode(number, 9, &batch(number, 100)).unwrap().len() as u64 + 100;
    let by_bytes = Limits { bytes: size(0) + size(1) + size(2), age_ms: None };
    let by_age = Limits { bytes: u64::MAX, age_ms: Some(5) };
    // Limits, frames there, a body's length and the time: what a push answers.
    let cases = [
        (by_bytes, 2, 100, 9, Push::Queued(2)),
        (by_bytes, 2, 101, 9, Push::Full(Limit::Bytes)),
        (by_bytes, 3, 0, 9, Push::Full(Limit::Bytes)),
        (by_bytes, 0, 9_999, 9, Push::Queued(0)),
        (by_age, 3, 100, 4, Push::Queued(3)),
        (by_age, 3, 100, 5, Push::Full(Limit::Age)),
        (by_age, 3, 100, -5, Push::Queued(3)),
        (by_age, 0, 100, 99, Push::Queued(0)),
    ];
    for (limits, frames, body, now_ms, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (queue, _) = Queue::open(folder.path(), limits).unwrap();
        push(&queue, 0..frames);
        let answer = queue.push(&batch(frames, body), now_ms).unwrap();
        assert_eq!(answer, expected, "{limits:?}, {frames} frames, {body} bytes, {now_ms} ms");
        if let Push::Full(_) = answer {
            queue.take().unwrap();
            queue.done(0);
            queue.take().unwrap();
            queue.done(1);
            assert_eq!(queue.push(&batch(frames, 101), 5).unwrap(), Push::Queued(frames));
        }
    }
}

/// Else files that all go to one worker would have a part of the room only.
#[test]
fn queues_that_share_a_limit_have_all_of_it() {
    let size = |number| frame::encode(number, 9, &batch(number, 100)).unwrap().len() as u64 + 100;
    let limits = Limits { bytes: size(0) + size(1) + size(0), age_ms: None };
    let (one, other, used) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Arc::default());
    let open = |folder: &tempfile::TempDir| Queue::open(folder.path(), limits).unwrap().0.sharing(&used);
    let (one_queue, other_queue) = (open(&one), open(&other));
    push(&one_queue, 0..2);
    assert_eq!(other_queue.push(&batch(0, 100), 9).unwrap(), Push::Queued(0));
    for queue in [&one_queue, &other_queue] {
        assert_eq!(queue.push(&batch(9, 0), 9).unwrap(), Push::Full(Limit::Bytes));
    }
    one_queue.take().unwrap();
    one_queue.done(0);
    assert_eq!(other_queue.push(&batch(0, 100), 9).unwrap(), Push::Queued(1));
    assert_eq!(used.load(Ordering::Relaxed), one_queue.bytes() + other_queue.bytes());
    drop(other_queue);
    used.store(one_queue.bytes(), Ordering::Relaxed);
    assert_eq!(open(&other).push(&batch(9, 0), 9).unwrap(), Push::Full(Limit::Bytes), "what was there counts too");
}

#[test]
fn the_oldest_is_dropped_but_never_the_one_that_is_being_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..4);
    let unsent = |number| Some(Unsent { number, spans: Some(batch(number, 0).spans) });
    assert_eq!(queue.drop_oldest().unwrap(), unsent(0));
    queue.take().unwrap();
    assert_eq!(queue.drop_oldest().unwrap(), unsent(2));
    assert_eq!((queue.settled(), queue.frames()), (1, 2), "the one before it is not settled");
    queue.done(1);
    assert_eq!((queue.settled(), drain(&queue)), (3, vec![3]));
    assert_eq!(queue.drop_oldest().unwrap(), None);
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn pushing_taking_and_forgetting_go_on_at_once() {
    const FRAMES: u64 = 150;
    let folder = tempfile::tempdir().unwrap();
    let queue = open(folder.path()).0;
    std::thread::scope(|threads| {
        threads.spawn(|| push(&queue, 0..FRAMES));
        let forgetting = threads.spawn(|| {
            while queue.settled() < FRAMES {
                queue.forget(queue.settled()).unwrap();
            }
        });
        let began = std::time::Instant::now();
        let mut taken = Vec::new();
        while taken.len() < FRAMES as usize && began.elapsed().as_secs() < 60 {
            taken.extend(drain(&queue));
        }
        assert_eq!(taken, (0..FRAMES).collect::<Vec<_>>());
        forgetting.join().unwrap();
    });
    queue.forget(FRAMES).unwrap();
    assert!(segments(folder.path()).is_empty());
}

/// D6: numbers have 64 bits and never wrap: they are in order to the last that anyone will come to, also by name.
#[test]
fn numbers_stay_in_order_where_they_gain_a_digit_or_a_bit() {
    for first in [9, 99, u64::from(u32::MAX), 9_999_999_999_999_999_999, u64::MAX - 40] {
        let folder = tempfile::tempdir().unwrap();
        position::save(folder.path(), first).unwrap();
        let (queue, report) = open(folder.path());
        assert_eq!((queue.settled(), report), (first, Report::default()));
        for at in 0..30 {
            assert_eq!(queue.push(&batch(at, 100), 0).unwrap(), Push::Queued(first + at));
        }
        drop(queue);
        assert!(segments(folder.path()).len() > 1, "all in one segment");
        let (queue, _) = open(folder.path());
        for at in 0..30 {
            let Some(Taken::Good(frame)) = queue.take().unwrap() else { panic!("{at} is not there") };
            assert_eq!((frame.number, frame.sealed), (first + at, batch(at, 100)));
            queue.done(frame.number);
        }
    }
}

//! What each kind of damage costs: as little as can be, never order, never a wrong body.

use super::*;

/// One queue of frames 0.. with bodies of 100 bytes, in one segment; the file's bytes and each frame's range in them.
fn one_segment(frames: u64) -> (tempfile::TempDir, PathBuf, Vec<u8>, Vec<std::ops::Range<usize>>) {
    let folder = tempfile::tempdir().unwrap();
    push(&open(folder.path()).0, 0..frames);
    let path = segment::path(folder.path(), 0);
    assert_eq!(segments(folder.path()), std::slice::from_ref(&path));
    let bytes = fs::read(&path).unwrap();
    let mut begin = 28;
    let ranges = (0..frames).map(|number| {
        let len = frame::encode(number, number as i64, &batch(number, 100)).unwrap().len() + 100;
        begin += len;
        begin - len..begin
    });
    let ranges = ranges.collect();
    assert_eq!(begin, bytes.len());
    (folder, path, bytes, ranges)
}

/// D6: a torn tail.
#[test]
fn a_last_frame_torn_at_any_byte_is_cut_off() {
    let (folder, path, bytes, ranges) = one_segment(3);
    for len in ranges[2].clone() {
        fs::write(&path, &bytes[..len]).unwrap();
        let (queue, report) = open(folder.path());
        assert_eq!(found(&report), [0, 1], "{len}");
        assert_eq!((report.torn_bytes, report.damaged_frames), ((len - ranges[2].start) as u64, 0), "{len}");
        assert_eq!(fs::metadata(&path).unwrap().len(), ranges[2].start as u64, "{len}");
        push(&queue, 2..3);
        assert_eq!(drain(&queue), [0, 1, 2], "{len}");
        let (_, report) = open(folder.path());
        assert_eq!((found(&report), report.torn_bytes), (vec![0, 1, 2], 0), "{len}");
        fs::remove_file(segment::path(folder.path(), 2)).unwrap();
    }
}

#[test]
fn a_first_frame_torn_at_any_byte_leaves_an_empty_queue() {
    let (folder, path, bytes, _) = one_segment(1);
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        let (_, report) = open(folder.path());
        assert!(found(&report).is_empty() && segments(folder.path()).is_empty(), "{len}");
    }
    let (queue, _) = open(folder.path());
    push(&queue, 0..1);
    assert_eq!(drain(&queue), [0]);
}

#[test]
fn zeros_or_noise_after_the_last_frame_are_cut_off() {
    let (folder, path, bytes, _) = one_segment(2);
    let noise: Vec<u8> = (0..5000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for tail in [&[0; 5000][..], &[0xff; 5000], &noise, b"{"] {
        fs::write(&path, [&bytes, tail].concat()).unwrap();
        let (_, report) = open(folder.path());
        assert_eq!((found(&report), report.torn_bytes), (vec![0, 1], tail.len() as u64));
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

/// D6: a wrong check in the middle.
#[test]
fn a_flipped_byte_costs_its_frame_only() {
    let (folder, path, bytes, ranges) = one_segment(3);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        let hit = ranges.iter().position(|range| range.contains(&at));
        let in_lengths = hit.is_some_and(|hit| (16..24).contains(&(at - ranges[hit].start)));
        let survives = |number: &u64| match hit {
            None => true,
            // Where the next frame begins cannot be told then.
            Some(hit) if in_lengths => *number < hit as u64,
            Some(hit) => *number != hit as u64,
        };
        let expected: Vec<u64> = (0..3).filter(survives).collect();
        let (queue, report) = open(folder.path());
        assert_eq!(found(&report), expected, "byte {at}");
        assert_eq!(drain(&queue), expected, "byte {at}");
        // Damage up to the end looks like a torn push.
        let is_torn = expected.last() != Some(&2);
        assert_eq!(report.damaged_frames, u64::from(hit.is_some() && !is_torn), "byte {at}");
        assert_eq!(report.torn_bytes > 0, is_torn, "byte {at}");
        assert_eq!(report.damaged_bytes > 0, !is_torn, "byte {at}");
        assert!(!report.position_lost);
    }
}

#[test]
fn a_damage_that_comes_while_it_runs_is_found_before_sending() {
    let (folder, path, bytes, ranges) = one_segment(2);
    let spans = Some(batch(0, 0).spans);
    let body = ranges[0].end - 1;
    // What happens to the file, and what is still known of the frame.
    let cases = [(0, None), (8, None), (16, None), (20, None), (24, None), (body - ranges[0].start, spans.clone())];
    for (offset, known) in cases {
        fs::write(&path, &bytes).unwrap();
        let (queue, _) = open(folder.path());
        let mut flipped = bytes.clone();
        flipped[ranges[0].start + offset] ^= 1;
        fs::write(&path, flipped).unwrap();
        let Some(Taken::Damaged(unsent)) = queue.take().unwrap() else { panic!("offset {offset}") };
        assert_eq!(unsent, Unsent { number: 0, spans: known }, "offset {offset}");
        queue.done(0);
        assert_eq!(drain(&queue), [1], "offset {offset}");
    }
    for cut in [0, ranges[0].start, ranges[0].end - 1] {
        fs::write(&path, &bytes).unwrap();
        let (queue, _) = open(folder.path());
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(matches!(queue.take().unwrap(), Some(Taken::Damaged(_))), "cut to {cut}");
    }
    fs::write(&path, &bytes).unwrap();
    let (queue, _) = open(folder.path());
    fs::remove_file(&path).unwrap();
    assert_eq!(queue.drop_oldest().unwrap(), Some(Unsent { number: 0, spans: None }));
    assert!(matches!(queue.take().unwrap(), Some(Taken::Damaged(Unsent { number: 1, spans: None }))));
}

/// D6: a segment that is missing.
#[test]
fn missing_and_empty_segments_are_counted_and_passed() {
    let folder = tempfile::tempdir().unwrap();
    push(&open(folder.path()).0, 0..20);
    let firsts = segment::list(folder.path()).unwrap();
    assert!(firsts.len() >= 5);
    let (second, third, fifth) = (firsts[1], firsts[2], firsts[4]);
    fs::remove_file(segment::path(folder.path(), second)).unwrap();
    fs::write(segment::path(folder.path(), firsts[3]), "").unwrap();
    let (queue, report) = open(folder.path());
    let expected: Vec<u64> = (0..second).chain(third..firsts[3]).chain(fifth..20).collect();
    assert_eq!(found(&report), expected);
    assert_eq!(report.damaged_frames, 20 - expected.len() as u64);
    assert_eq!(drain(&queue), expected);
}

#[test]
fn what_a_failed_push_left_ends_where_the_next_segment_begins() {
    let (folder, ..) = one_segment(3);
    // As if the third push had failed, what it wrote could not be cut off, and another batch was pushed after it.
    let other = tempfile::tempdir().unwrap();
    position::save(other.path(), 2).unwrap();
    let (queue, _) = open(other.path());
    assert_eq!(queue.push(&batch(2, 50), 0).unwrap(), Push::Queued(2));
    fs::copy(segment::path(other.path(), 2), segment::path(folder.path(), 2)).unwrap();
    let (queue, report) = open(folder.path());
    assert_eq!((report.frames.len(), report.damaged_frames, report.damaged_bytes, report.torn_bytes), (3, 0, 0, 0));
    queue.drop_oldest().unwrap();
    queue.drop_oldest().unwrap();
    let Some(Taken::Good(frame)) = queue.take().unwrap() else { panic!() };
    assert_eq!((frame.number, frame.sealed), (2, batch(2, 50)));
}

#[test]
fn a_missing_first_segment_is_told_by_the_position() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..20);
    queue.take().unwrap();
    queue.done(0);
    queue.forget(1).unwrap();
    let firsts = segment::list(folder.path()).unwrap();
    fs::remove_file(segment::path(folder.path(), 0)).unwrap();
    let (_, report) = open(folder.path());
    assert_eq!(report.damaged_frames, firsts[1] - 1);
    assert_eq!(found(&report), (firsts[1]..20).collect::<Vec<_>>());
}

#[test]
fn without_its_position_a_queue_gives_all_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (queue, _) = open(folder.path());
    push(&queue, 0..20);
    for number in 0..10 {
        queue.take().unwrap();
        queue.done(number);
    }
    queue.forget(10).unwrap();
    let position = folder.path().join("position");
    let first = segment::list(folder.path()).unwrap()[0];
    assert!(first > 0);
    let good = fs::read(&position).unwrap();
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&position, flipped).unwrap();
        let (_, report) = open(folder.path());
        assert_eq!(found(&report), (first..20).collect::<Vec<_>>(), "byte {at}");
        assert_eq!((report.position_lost, report.damaged_frames), (true, 0), "byte {at}");
    }
    fs::remove_file(&position).unwrap();
    let (queue, report) = open(folder.path());
    assert_eq!((found(&report), report.position_lost), ((first..20).collect(), false));
    drain(&queue);
    queue.forget(20).unwrap();
    assert_eq!(open(folder.path()).1, Report::default());
}

#[test]
fn files_of_a_newer_agent_are_refused_and_nothing_is_changed() {
    for name in ["position", "00000000000000000000.segment", "00000000000000000099.segment"] {
        let (folder, _, bytes, _) = one_segment(2);
        // One that would be cut if it were opened.
        fs::write(segment::path(folder.path(), 7), [&bytes, &b"torn"[..]].concat()).unwrap();
        let mut head = fs::read(folder.path().join(name)).unwrap_or(vec![0; 28]);
        head[..8].copy_from_slice(if name == "position" { b"lf-place" } else { b"lf-queue" });
        head[8] = 2;
        let check = crate::base::source::fingerprint(&head[..20]);
        head[20..28].copy_from_slice(&check.to_le_bytes());
        fs::write(folder.path().join(name), &head).unwrap();
        let contents = || {
            let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
            names.map(|path| (fs::read(&path).unwrap(), path)).collect::<std::collections::BTreeSet<_>>()
        };
        let before = contents();
        let message = Queue::open(folder.path(), ENDLESS).unwrap_err().to_string();
        assert!(message.ends_with(&format!("{name}: it was written by a newer agent (layout 2)")), "{message}");
        assert_eq!(contents(), before);
    }
}

#[test]
fn files_of_other_names_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["notes", "1.segment", "+0000000000000000001.segment", "00000000000000000001.segment.bak", "a.segment"];
    for name in names {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    let (queue, report) = open(folder.path());
    assert_eq!(report, Report::default());
    push(&queue, 0..2);
    assert_eq!(drain(&queue), [0, 1]);
    queue.forget(2).unwrap();
    open(folder.path());
    for name in names {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), "mine");
    }
}

//! The packer through its door: what is in a body, when it is due, and that the compressor forgets the last body.

use std::io::Read;
use std::sync::Arc;

use super::*;
use crate::base::chunk::tests::chunk;
use crate::base::counts::Counts;

/// A chunk's bytes and its items.
type Part = (&'static str, u32);

fn span(seq: u64, items: u32) -> Span {
    Span { source: Arc::clone(&chunk(&[]).source), seq, items, counts: Counts::default() }
}

fn packer(gzip_level: u32) -> Packer {
    Packer::new(&Config { gzip_level, ..Config::default() }, b"[", b",", b"]")
}

fn inflate(batch: &Batch) -> Vec<u8> {
    if !batch.gzip {
        return batch.body.to_vec();
    }
    let mut raw = Vec::new();
    flate2::read::GzDecoder::new(batch.body.as_ref()).read_to_end(&mut raw).unwrap();
    raw
}

#[test]
fn a_body_has_its_head_separators_and_tail_and_comes_back_from_gzip() {
    for level in [0, 1, 6, 9] {
        let rows: &[(&[Part], &str)] = &[
            (&[("a", 1)], "[a]"),
            (&[("a", 1), ("b", 2)], "[a,b]"),
            (&[("", 0), ("a", 1), ("", 0), ("b", 1), ("", 0)], "[a,b]"),
            (&[("", 0)], ""),
            (&[("", 0), ("", 0)], ""),
        ];
        let mut packer = packer(level);
        for (parts, body) in rows {
            for (seq, (part, items)) in parts.iter().enumerate() {
                packer.add(part.as_bytes(), span(seq as u64, *items), false, 0);
            }
            let batch = packer.seal().unwrap();
            assert_eq!(inflate(&batch), body.as_bytes(), "level {level}, {parts:?}");
            assert_eq!(batch.raw_len, body.len() as u64);
            assert_eq!(batch.spans.len(), parts.len());
            assert_eq!(batch.items, parts.iter().map(|(_, items)| items).sum::<u32>());
            assert_eq!(batch.gzip, level > 0 && batch.items > 0);
            assert!(packer.seal().is_none());
        }
    }
}

#[test]
fn large_bodies_that_do_and_do_not_compress_come_back_whole() {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let random: Vec<u8> = (0..300_000).map(|_| noise()).collect();
    let even = b"GET /index.html 200\n".repeat(20_000);
    let mut packer = packer(1);
    for part in [&random, &even, &random] {
        packer.add(part, span(0, 1), false, 0);
        packer.add(part, span(1, 1), false, 0);
        let batch = packer.seal().unwrap();
        let expected = [b"[", part.as_slice(), b",", part, b"]"].concat();
        assert!(inflate(&batch) == expected);
    }
}

#[test]
fn equal_input_gives_equal_bytes_whatever_came_before() {
    let mut packer = packer(1);
    let mut seal = |part: &[u8]| {
        packer.add(part, span(0, 1), false, 0);
        packer.seal().unwrap().body
    };
    let first = seal(b"one line and another line");
    seal(b"something else");
    assert_eq!(seal(b"one line and another line"), first);
    assert_eq!(first[4..8], [0, 0, 0, 0], "no time in the header");
}

#[test]
fn it_is_due_by_bytes_records_or_age_whichever_comes_first() {
    let config = Config {
        max_bytes: Size(10),
        max_records: 3,
        max_age: quantity::Span(Duration::from_millis(500)),
        gzip_level: 1,
    };
    // Parts, the time asked about, whether it is due. The first part comes at 1000; a clock set back (D7) must not have
    // it wait for as long.
    let rows: &[(&[Part], i64, bool)] = &[
        (&[], 9000, false),
        (&[("12345", 1)], 1000, false),
        (&[("123456789", 1)], 1000, true),
        (&[("1", 2)], 1000, false),
        (&[("1", 2), ("2", 1)], 1000, true),
        (&[("1", 1)], 1499, false),
        (&[("1", 1)], 1500, true),
        (&[("", 0)], 1499, false),
        (&[("", 0)], 1500, true),
        (&[("1", 1)], 999, true),
    ];
    for (parts, now_ms, due) in rows {
        let mut packer = Packer::new(&config, b"[", b",", b"]");
        for (index, (part, items)) in parts.iter().enumerate() {
            packer.add(part.as_bytes(), span(0, *items), false, 1000 + index as i64);
        }
        assert_eq!(packer.is_due(*now_ms), *due, "{parts:?} at {now_ms}");
    }
}

#[test]
fn it_keeps_its_length_and_any_doubt() {
    let mut packer = packer(1);
    packer.add(b"a", span(0, 1), false, 60);
    packer.add(b"b", span(1, 1), true, 60);
    packer.add(b"", span(2, 0), false, 60);
    let batch = packer.seal().unwrap();
    assert_eq!((batch.raw_len, batch.unsure), (5, true));
    packer.add(b"", span(3, 0), true, 60);
    assert!(!packer.seal().unwrap().unsure, "nothing is sent for a span without items");
}

#[test]
fn faults_are_told_all_at_once() {
    assert_eq!(Config::default().check(), []);
    let wrong = Config { max_bytes: Size(0), max_records: 0, gzip_level: 10, ..Config::default() };
    let keys: Vec<_> = wrong.check().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["max_bytes", "max_records", "gzip_level"]);
}

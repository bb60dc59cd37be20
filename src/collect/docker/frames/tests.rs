//! Bodies cut at every byte, and times.

use super::*;

type Message = (Stream, Option<u64>, Vec<u8>);

fn messages(tty: bool, pieces: &[&[u8]]) -> Result<Vec<Message>, Broken> {
    let mut frames = Frames::new(tty);
    let mut told = Vec::new();
    let mut is_open = false;
    for piece in pieces {
        frames.push(piece, &mut |step| match step {
            Step::Begin(stream, ns) => {
                assert!(!std::mem::replace(&mut is_open, true));
                told.push((stream, ns, Vec::new()));
            }
            Step::Text(text) => told.last_mut().unwrap().2.extend_from_slice(text),
            Step::End => assert!(std::mem::replace(&mut is_open, false)),
        })?;
    }
    Ok(told)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 0, 0];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame
}

const STAMP: &[u8] = b"2026-11-22T13:47:29.000000007Z";
const NS: u64 = 1_795_355_249_000_000_007;

#[test]
fn frames_are_the_same_wherever_the_body_is_cut() {
    let stamped = |text: &[u8]| [STAMP, b" ", text].concat();
    let body = [
        frame(1, &stamped(b"one\n")),
        frame(2, &stamped(b"")),
        frame(2, b""),
        frame(0, b"no time here\n"),
        frame(1, b"short"),
        frame(1, &[b'x'; 50]),
        frame(1, &stamped(b"\xff\x00 two")),
    ]
    .concat();
    let whole = messages(false, &[&body]).unwrap();
    let texts: Vec<_> = whole.iter().map(|(stream, ns, text)| (*stream, *ns, text.as_slice())).collect();
    assert_eq!(
        texts,
        [
            (Stream::Stdout, Some(NS), b"one\n".as_slice()),
            (Stream::Stderr, Some(NS), b""),
            (Stream::Stdout, None, b"no time here\n"),
            (Stream::Stdout, None, b"short"),
            (Stream::Stdout, None, &[b'x'; 50]),
            (Stream::Stdout, Some(NS), b"\xff\x00 two"),
        ]
    );
    for at in 0..=body.len() {
        assert_eq!(messages(false, &[&body[..at], &body[at..]]).unwrap(), whole, "cut at {at}");
    }
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(messages(false, &bytes).unwrap(), whole);
}

#[test]
fn a_terminal_has_messages_by_newline_and_by_size() {
    let full = [b'y'; MESSAGE_BYTES];
    let body = [
        STAMP,
        b" one\r\n",
        STAMP,
        b" ",
        &full,
        STAMP,
        b" rest\r\n",
        STAMP,
        b" ",
        &full,
        b"\n",
        STAMP,
        b" \r\n",
        STAMP,
        b" last",
    ]
    .concat();
    let whole = messages(true, &[&body]).unwrap();
    let texts: Vec<_> = whole.iter().map(|(_, ns, text)| (*ns, text.as_slice())).collect();
    let wanted: [(_, &[u8]); 7] = [
        (Some(NS), b"one\r\n"),
        (Some(NS), &full),
        (Some(NS), b"rest\r\n"),
        (Some(NS), &full),
        (None, b"\n"),
        (Some(NS), b"\r\n"),
        (Some(NS), b"last"),
    ];
    assert_eq!(texts, wanted);
    for at in (0..200).chain(16_300..16_600).chain(body.len() - 100..body.len()) {
        assert_eq!(messages(true, &[&body[..at], &body[at..]]).unwrap(), whole, "cut at {at}");
    }
}

#[test]
fn what_is_no_frame_is_refused() {
    for (body, fault) in [
        (&b"HTTP/1.1 200 OK"[..], Broken::Header),
        (&[4, 0, 0, 0, 0, 0, 0, 1], Broken::Header),
        (&[1, 0, 0, 9, 0, 0, 0, 1], Broken::Header),
        (&[3, 0, 0, 0, 0, 0, 0, 1], Broken::Engine),
    ] {
        assert_eq!(messages(false, &[body]), Err(fault));
    }
}

#[test]
fn times_are_read_as_rfc_3339_writes_them() {
    for (text, ns) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2026-11-22T13:47:29.000000007Z", Some(NS)),
        ("2026-11-22T15:47:29.000000007+02:00", Some(NS)),
        ("2026-11-22T08:17:29.000000007-05:30", Some(NS)),
        ("2000-02-29T23:59:60.5Z", Some(951_868_800_500_000_000)),
        ("2026-11-22T13:47:29.Z", None),
        ("2026-11-22T13:47:29.1234567890Z", None),
        ("2026-13-22T13:47:29Z", None),
        ("2026-11-22T13:47:29", None),
        ("2026-11-22 13:47:29Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("x026-11-22T13:47:29Z", None),
        ("", None),
    ] {
        assert_eq!(parse_stamp(text.as_bytes()), ns, "{text}");
    }
}

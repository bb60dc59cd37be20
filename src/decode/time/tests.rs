//! Time stamps as common systems write them, and against jiff.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use super::*;

/// 2026-03-10T12:00:00Z.
const REFERENCE_MS: i64 = 1_773_144_000_000;

/// The stamp as text: RFC 3339 with the digits given, `Z` only where it has a zone.
fn shown(stamp: Stamp) -> String {
    let moment = jiff::Timestamp::from_nanosecond(stamp.ns.into()).unwrap();
    let wall = moment.to_zoned(TimeZone::UTC).datetime();
    let digits = stamp.digits as usize;
    let zone = if stamp.zoned { "Z" } else { "" };
    if digits == 0 { format!("{wall:.0}{zone}") } else { format!("{wall:.digits$}{zone}") }
}

fn check(line: &str, wanted: &str) {
    let found = find(line.as_bytes(), REFERENCE_MS).map(|found| shown(found.stamp)).unwrap_or_default();
    assert_eq!(found, wanted, "{line}");
}

#[test]
fn lines_of_common_systems() {
    let rows = [
        // ISO 8601 and RFC 3339.
        ("2024-05-01T12:30:45Z started", "2024-05-01T12:30:45Z"),
        ("2024-05-01T12:30:45.123456789+03:00 x", "2024-05-01T09:30:45.123456789Z"),
        ("2024-05-01t12:30:45.5z", "2024-05-01T12:30:45.5Z"),
        ("2024-05-01 12:30:45,978 INFO [main] a.b.C: x", "2024-05-01T12:30:45.978"),
        ("2024-05-01 12:30:45 -0500 x", "2024-05-01T17:30:45Z"),
        ("2024-05-01 12:30:45+00 x", "2024-05-01T12:30:45Z"),
        ("2024-05-01T12:30 x", "2024-05-01T12:30:00"),
        ("2024-05-01 12:30:45 - not a zone", "2024-05-01T12:30:45"),
        ("2024-05-01 12:30:45 -1 not a zone", "2024-05-01T12:30:45"),
        ("2024-05-01 12:30:45.1234567891 x", "2024-05-01T12:30:45.123456789"),
        ("2024-02-29 23:59:60 leap", "2024-02-29T23:59:59"),
        ("20240501T123045Z x", "2024-05-01T12:30:45Z"),
        ("20240501T123045.25+0100 x", "2024-05-01T11:30:45.25Z"),
        // PostgreSQL, MySQL, Windows, Elasticsearch, RabbitMQ, Go, nginx errors.
        ("2024-05-01 12:30:45.123 UTC [71] LOG:  ready", "2024-05-01T12:30:45.123Z"),
        ("2024-05-01 12:30:45.123 MSK [71] LOG:  ready", "2024-05-01T12:30:45.123"),
        ("2024-05-01T12:30:45.000123Z 0 [Warning] x", "2024-05-01T12:30:45.000123Z"),
        ("2024-05-01 12:30:45, Info   CBS   x", "2024-05-01T12:30:45"),
        ("[2024-05-01T12:30:45,978][WARN ][o.e.n.Node] [n] x", "2024-05-01T12:30:45.978"),
        ("2024-05-01 12:30:45.978012+03:00 [notice] <0.44.0> x", "2024-05-01T09:30:45.978012Z"),
        ("2024/05/01 12:30:45 listening", "2024-05-01T12:30:45"),
        ("2024/05/01 12:30:45.000021 main.go:7: x", "2024-05-01T12:30:45.000021"),
        ("2024/05/01 12:30:45 [error] 9#9: *1 open() failed", "2024-05-01T12:30:45"),
        // Spark, HealthApp, klog, glog, Tomcat, Redis, RFC 5322.
        ("24/05/01 12:30:45 INFO executor.Backend: x", "2024-05-01T12:30:45"),
        ("20240501-12:30:45:606|Step|1|x", "2024-05-01T12:30:45.606"),
        ("20240501-12:3:0:9|Step|1|x", "2024-05-01T12:03:00.009"),
        ("20240501-12:30:45 x", "2024-05-01T12:30:45"),
        ("I0301 12:30:45.678901   1 main.go:1] x", "2026-03-01T12:30:45.678901"),
        ("W20240501 12:30:45.678901 7 x.cc:1] x", "2024-05-01T12:30:45.678901"),
        ("01-May-2024 12:30:45.123 INFO [main] x", "2024-05-01T12:30:45.123"),
        ("1:M 01 May 2024 12:30:45.123 * Ready", "2024-05-01T12:30:45.123"),
        ("Wed, 1 May 2024 12:30:45 +0000 x", "2024-05-01T12:30:45Z"),
        // syslog, Apache, access logs, `date`.
        ("Mar  1 12:30:45 host app[1]: x", "2026-03-01T12:30:45"),
        ("<34>Dec 11 22:14:15 host su: x", "2025-12-11T22:14:15"),
        ("Feb 29 01:02:03 host x", "2024-02-29T01:02:03"),
        ("Mar 11 11:59:59 a day ahead at most", "2026-03-11T11:59:59"),
        ("Mar 11 12:00:01 else last year's", "2025-03-11T12:00:01"),
        ("Mar  1 2023 12:30:45: %ASA-6-1: x", "2023-03-01T12:30:45"),
        ("<165>1 2023-10-11T22:14:15.003Z host app - ID47 - x", "2023-10-11T22:14:15.003Z"),
        ("[Wed May 01 12:30:45 2024] [error] x", "2024-05-01T12:30:45"),
        ("[Wed May 01 12:30:45.123456 2024] [core:error] [pid 1] x", "2024-05-01T12:30:45.123456"),
        ("Wed May  1 12:30:45 UTC 2024 x", "2024-05-01T12:30:45Z"),
        (r#"10.0.0.1 - - [01/May/2024:12:30:45 -0700] "GET / HTTP/1.1" 200 1"#, "2024-05-01T19:30:45Z"),
        (r#"2001:db8::1 - user name [01/May/2024:12:30:45 +0000] "GET /[x]""#, "2024-05-01T12:30:45Z"),
        // Unix.
        ("1700000000 x", "2023-11-14T22:13:20Z"),
        ("1700000000.123456 [0 127.0.0.1:1] \"GET\"", "2023-11-14T22:13:20.123456Z"),
        ("1700000000123 x", "2023-11-14T22:13:20.123Z"),
        ("[1700000000123456789] x", "2023-11-14T22:13:20.123456789Z"),
        // Behind labels.
        ("api.log.1.2024-05-01_13:53:08 2024-05-01 00:00:00.008 25 INFO x", "2024-05-01T00:00:00.008"),
        ("[INFO] [2024-05-01 12:30:45.5] x", "2024-05-01T12:30:45.5"),
        ("web_1  | 2024-05-01T12:30:45Z x", "2024-05-01T12:30:45Z"),
        ("\u{1b}[32m2024-05-01T12:30:45Z\u{1b}[0m INFO x", "2024-05-01T12:30:45Z"),
        ("time=\"2024-05-01T12:30:45Z\" level=info msg=x", "2024-05-01T12:30:45Z"),
        ("level=info ts=2024-05-01T12:30:45.001Z caller=x", "2024-05-01T12:30:45.001Z"),
        ("level=info ts=1700000000.5 caller=x", "2023-11-14T22:13:20.5Z"),
    ];
    for (line, wanted) in rows {
        check(line, wanted);
    }
}

#[test]
fn what_is_no_time_stamp() {
    let lines = [
        "",
        "hello",
        "2024-13-01 12:30:45 x",
        "2024-02-30 12:30:45 x",
        "2023-02-29 12:30:45 x",
        "2024-05-01 24:00:00 x",
        "2024-05-01 12:60:00 x",
        "2024-05-01 12:30:61 x",
        "2024-05-01 only a day",
        "2024-05/01 12:30:45 x",
        "0001-01-01T00:00:00Z zero",
        "2300-01-01T00:00:00Z far",
        "Backup of 2024-05-01 12:30:45 is done",
        "waiting since 2024-05-01 12:30:45",
        "10.0.0.1 - - [01/Mxy/2024:12:30:45 -0700] x",
        "1700000000abc x",
        "9700000000 bytes copied",
        "170000000 x",
        "Jun 31 12:30:45 host x",
        "May be 12:30:45",
        "Sunday 12:30:45",
        "I0000 12:30:45.1 x",
        "ERROR 12:30:45 x",
        "12:30:45 x",
        "<34 2024-05-01",
        "v1.2.3 2024.05 x",
        "2024-05-01T",
        "2024-05-01T12",
        "2024-05-01T12:3",
        "тест 2024",
    ];
    for line in lines {
        check(line, "");
    }
}

#[test]
fn whole_values_are_times_only_to_their_end() {
    let rows = [
        ("2024-05-01T12:30:45Z", "2024-05-01T12:30:45Z"),
        (" 2024-05-01 12:30:45,978 ", "2024-05-01T12:30:45.978"),
        ("1700000000123", "2023-11-14T22:13:20.123Z"),
        ("Wed, 01 May 2024 12:30:45 GMT", "2024-05-01T12:30:45Z"),
        ("01/May/2024:12:30:45 +0000", "2024-05-01T12:30:45Z"),
        ("2024-05-01T12:30:45Z and more", ""),
        ("2024-05-01", ""),
        ("12 ms", ""),
        ("", ""),
    ];
    for (text, wanted) in rows {
        assert_eq!(whole(text, REFERENCE_MS).map(shown).unwrap_or_default(), wanted, "{text}");
    }
}

#[test]
fn numbers_are_times_by_their_size() {
    let rows = [
        ("1700000000", "2023-11-14T22:13:20Z"),
        ("1700000000.123456", "2023-11-14T22:13:20.123456Z"),
        ("1.70000000012345E9", "2023-11-14T22:13:20.12345Z"),
        ("1.7e+09", "2023-11-14T22:13:20Z"),
        ("1.7e12", "2023-11-14T22:13:20.000Z"),
        ("17e8", "2023-11-14T22:13:20Z"),
        ("1700000000123456789", "2023-11-14T22:13:20.123456789Z"),
        ("12.5", ""),
        ("0", ""),
        ("-1700000000", ""),
        ("1e999", ""),
        ("1e99999999999999999999", ""),
        ("1.7e-3", ""),
        ("true", ""),
        ("null", ""),
    ];
    for (text, wanted) in rows {
        assert_eq!(number(text).map(shown).unwrap_or_default(), wanted, "{text}");
    }
}

proptest! {
    #[test]
    fn dates_agree_with_jiff(
        (year, month, day) in (1970_i16..2262, 1_i8..14, 1_i8..33),
        (hour, minute, second) in (0_i8..25, 0_i8..61, 0_i8..61),
        (digits, nanos) in (0_usize..10, 0_i32..1_000_000_000),
        offset_minutes in prop::option::of(-839_i32..840),
        separator in "[T ]",
    ) {
        let digits_text = format!("{nanos:09}");
        let fraction = if digits == 0 { String::new() } else { format!(".{}", &digits_text[..digits]) };
        let zone = offset_minutes.map_or_else(String::new, |minutes| {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
        });
        let text = format!(
            "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
        );
        let offset = Offset::from_seconds(offset_minutes.unwrap_or(0) * 60).unwrap();
        let kept = fraction.trim_start_matches('.').parse::<i32>().unwrap_or(0) * 10_i32.pow(9 - u32::try_from(digits).unwrap());
        let theirs = DateTime::new(year, month, day, hour, minute, second.min(59), kept)
            .and_then(|wall| offset.to_timestamp(wall)).ok();
        let ours = whole(&text, REFERENCE_MS);
        prop_assert_eq!(ours.map(|stamp| i128::from(stamp.ns)), theirs.map(|theirs| theirs.as_nanosecond()), "{}", &text);
        if let Some(stamp) = ours {
            prop_assert_eq!(stamp.digits as usize, digits);
            prop_assert_eq!(stamp.zoned, offset_minutes.is_some());
        }
    }

    #[test]
    fn access_logs_agree_with_jiff(second in 0_i64..9_000_000_000, offset_minutes in -839_i32..840, user in "[a-z-]{1,8}") {
        let offset = Offset::from_seconds(offset_minutes * 60).unwrap();
        let moment = jiff::Timestamp::from_second(second).unwrap();
        let written = moment.to_zoned(offset.to_time_zone()).strftime("%d/%b/%Y:%H:%M:%S %z").to_string();
        let line = format!("203.0.113.9 - {user} [{written}] \"GET / HTTP/1.1\" 200 5");
        let found = find(line.as_bytes(), REFERENCE_MS).unwrap();
        prop_assert!(found.is_access && found.stamp.zoned && found.stamp.digits == 0, "{}", &line);
        prop_assert_eq!(&line[found.start..found.end], &written);
        prop_assert_eq!(i128::from(found.stamp.ns), moment.as_nanosecond(), "{}", &line);
    }

    /// Syslog leaves out the year: that of the latest such day which is not ahead.
    #[test]
    fn syslog_agrees_with_jiff(reference in 100_000_000_i64..9_000_000_000, ago in 0_i64..360 * 86_400) {
        let moment = jiff::Timestamp::from_second(reference - ago).unwrap();
        let written = moment.to_zoned(TimeZone::UTC).strftime("%b %e %H:%M:%S").to_string();
        let line = format!("{written} host sshd[7]: x");
        let found = find(line.as_bytes(), reference * 1000).unwrap();
        prop_assert_eq!(&line[found.start..found.end], &written);
        prop_assert_eq!(i128::from(found.stamp.ns), moment.as_nanosecond(), "{}", &line);
    }

    #[test]
    fn unix_numbers_agree_with_jiff(ns in 1_000_000_000_000_000_000_i64.., unit in 0_u32..4, fraction in 0_usize..10) {
        let unit_ns = 1000_i64.pow(unit);
        let whole = ns / unit_ns;
        let digits_within = unit as usize * 3;
        let rest = &format!("{:0digits_within$}", ns % unit_ns)[..fraction.min(digits_within)];
        let text = if rest.is_empty() { whole.to_string() } else { format!("{whole}.{rest}") };
        let theirs = match unit {
            0 => jiff::Timestamp::from_nanosecond(whole.into()),
            1 => jiff::Timestamp::from_microsecond(whole),
            2 => jiff::Timestamp::from_millisecond(whole),
            _ => jiff::Timestamp::from_second(whole),
        };
        let kept = rest.parse::<i128>().unwrap_or(0) * 10_i128.pow((digits_within - rest.len()) as u32);
        let ours = number(&text).unwrap();
        prop_assert_eq!(i128::from(ours.ns), theirs.unwrap().as_nanosecond() + kept, "{}", &text);
        prop_assert!(ours.zoned);
        prop_assert_eq!(usize::from(ours.digits), 9 - digits_within + rest.len());
    }

    #[test]
    fn nothing_panics(line in "[ \\[<>|\"0-9:.,TZ+/IWa-c\\x1b-]{0,60}", any in any::<Vec<u8>>(), reference in any::<i64>()) {
        let _ = (find(line.as_bytes(), reference), find(&any, reference), whole(&line, reference), number(&line));
    }
}

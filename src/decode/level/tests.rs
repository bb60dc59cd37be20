//! Levels as common systems write them, and prose that only looks so.

use super::super::time;
use super::*;

fn check(line: &str, wanted: Option<Level>) {
    let found = time::find(line.as_bytes(), 1_773_144_000_000);
    assert_eq!(in_text(line.as_bytes(), found.as_ref()), wanted, "{line}");
}

#[test]
fn lines_that_have_a_level() {
    let rows = [
        ("2024-05-01 12:30:45,978 INFO [main] a.b.C: x", Level::Info),
        ("2024-05-01 12:30:45,978  WARN [main] a.b.C: x", Level::Warning),
        ("2024-05-01 12:30:45.1 2571 ERROR nova.api [-] x", Level::Error),
        ("2024-05-01 12:30:45 [error] 9#9: *1 open() failed", Level::Error),
        ("2024-05-01 12:30:45, Info   CBS   x", Level::Info),
        ("2024-05-01T12:30:45Z 0 [Warning] [MY-1] x", Level::Warning),
        ("2024-05-01T12:30:45.1Z\tdebug\tcmd/main.go:1\tx", Level::Debug),
        ("2024-05-01 12:30:45.123 UTC [71] LOG:  ready", Level::Info),
        ("2024-05-01 12:30:45.123 UTC [71] FATAL:  x", Level::Critical),
        ("2024-05-01 12:30:45.123 | SUCCESS | WARNING  | x", Level::Warning),
        ("2024-05-01 12:30:45 info: listening", Level::Info),
        ("[2024-05-01 12:30:45,001: ERROR/MainProcess] x", Level::Error),
        ("[2024-05-01T12:30:45,978][WARN ][o.e.n.Node] [n] x", Level::Warning),
        ("[Wed May 01 12:30:45 2024] [notice] x", Level::Info),
        ("[Wed May 01 12:30:45.1 2024] [core:crit] [pid 1] x", Level::Critical),
        ("[TRACE] x", Level::Debug),
        ("INFO:root:x", Level::Info),
        ("INFO:     10.0.0.1:1 - \"GET /\" 200", Level::Info),
        ("warn: Microsoft.Hosting[0]", Level::Warning),
        ("Error: cannot find module", Level::Error),
        ("panic: runtime error: index out of range", Level::Critical),
        ("time=\"2024-05-01T12:30:45Z\" level=warning msg=x", Level::Warning),
        ("ts=2024-05-01T12:30:45Z caller=x level=\"error\" msg=x", Level::Error),
        ("\u{1b}[32mINFO\u{1b}[0m x", Level::Info),
        ("2024-05-01T12:30:45Z \u{1b}[1;31merror\u{1b}[0m: x", Level::Error),
        ("I0301 12:30:45.678901   1 main.go:1] no ERROR here", Level::Info),
        ("F0301 12:30:45.678901   1 main.go:1] x", Level::Critical),
        ("<11>Dec 11 22:14:15 host su: x", Level::Error),
        ("<165>1 2023-10-11T22:14:15.003Z host app - - - DEBUG", Level::Info),
        ("Mar  1 12:30:45 host sshd[1]: error: no key", Level::Error),
        ("[12:30:45 INF] x", Level::Info),
    ];
    for (line, level) in rows {
        check(line, Some(level));
    }
}

#[test]
fn lines_that_have_none() {
    let lines = [
        "",
        "no errors found",
        "Found 0 errors and 1 warning in the error log",
        "An error occurred",
        "error handling is hard",
        "Information is power",
        "GET /ERROR HTTP/1.1",
        "path /var/log/ERROR.log",
        "status=ERROR",
        "MY_ERROR_CODE 7",
        "ERRORS 7",
        "class java.lang.Error",
        "[12] (error) x",
        "<34x>",
        "<200>x",
        r#"10.0.0.1 - - [01/May/2024:12:30:45 -0700] "GET /?q= ERROR HTTP/1.1" 200 1"#,
        "Mar  1 12:30:45 host sshd[1]: Failed password",
        "a line whose level comes so late that nobody would look for it there, not even with a lot of patience: ERROR",
    ];
    for line in lines {
        check(line, None);
    }
}

#[test]
fn values_of_json() {
    let rows = [
        (r#""info""#, Some(Level::Info)),
        (r#""Warn""#, Some(Level::Warning)),
        (r#""EMERGENCY""#, Some(Level::Critical)),
        (r#"" error ""#, Some(Level::Error)),
        (r#""30""#, Some(Level::Info)),
        ("10", Some(Level::Debug)),
        ("30", Some(Level::Info)),
        ("35", Some(Level::Info)),
        ("60", Some(Level::Critical)),
        ("0", Some(Level::Critical)),
        ("4", Some(Level::Warning)),
        ("7", Some(Level::Debug)),
        ("250", Some(Level::Info)),
        ("400", Some(Level::Error)),
        ("8", None),
        ("-1", None),
        ("30.5", None),
        ("1000", None),
        ("null", None),
        (r#""""#, None),
        (r#""high""#, None),
        (r#"{"level":"info"}"#, None),
    ];
    for (value, level) in rows {
        assert_eq!(in_json(value), level, "{value}");
    }
}

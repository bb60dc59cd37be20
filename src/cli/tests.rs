//! Arguments and exit codes, through clap's own parser.

use super::*;

#[test]
fn wrong_arguments_end_with_1_and_help_with_0() {
    let check = |line: &str, expected: Exit| {
        let error = Arguments::try_parse_from(line.split_whitespace()).unwrap_err();
        assert_eq!(exit_of(&error), expected, "{line}");
    };
    check("logferry", Exit::Wrong);
    check("logferry fly", Exit::Wrong);
    check("logferry run --onec", Exit::Wrong);
    check("logferry run --once --wait 60", Exit::Wrong);
    check("logferry run --wait 60s", Exit::Wrong);
    check("logferry health -c x --url y", Exit::Wrong);
    check("logferry parked", Exit::Wrong);
    check("logferry parked show", Exit::Wrong);
    check("logferry parked list --older 2", Exit::Wrong);
    check("logferry parked replay --from x 0f3k", Exit::Wrong);
    check("logferry parked replay --edit x --reason y", Exit::Wrong);
    check("logferry parked --help", Exit::Fine);
    check("logferry mask --check --explain", Exit::Wrong);
    check("logferry mask --list x.log", Exit::Wrong);
    check("logferry mask --help", Exit::Fine);
    check("logferry --help", Exit::Fine);
    check("logferry run --help", Exit::Fine);
    check("logferry --version", Exit::Fine);
}

#[test]
fn right_arguments_are_understood() {
    let parse = |line: &str| Arguments::try_parse_from(line.split_whitespace()).unwrap().command;
    let Command::Run(run) = parse("logferry run -c a.toml --once --wait 5m") else { panic!("not run") };
    assert_eq!((run.file.config, run.once, run.wait), (Some("a.toml".into()), true, Duration::from_secs(300)));
    let Command::Run(run) = parse("logferry run") else { panic!("not run") };
    assert_eq!((run.file.config, run.once, run.wait), (None, false, Duration::from_secs(60)));
    assert!(matches!(parse("logferry check --config a.toml"), Command::Check { file } if file.config.is_some()));
    assert!(matches!(parse("logferry health --url http://h:1"), Command::Health { url: Some(_), .. }));
}

#[test]
fn help_teaches_by_examples() {
    let help = Arguments::try_parse_from(["logferry", "--help"]).unwrap_err().to_string();
    for part in ["Examples:", "logferry example > agent.toml", "Exit codes:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = Arguments::try_parse_from(["logferry", "mask", "--help"]).unwrap_err().to_string();
    for part in ["Examples:", "logferry mask --check", "Exit codes:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = Arguments::try_parse_from(["logferry", "parked", "--help"]).unwrap_err().to_string();
    for part in ["Examples:", "logferry parked replay --from", "Exit codes:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn a_run_with_once_ends_with_2_when_something_is_not_in_the_store() {
    let summary = |parked, lost_bytes, undelivered| {
        let fate = agent::Fate { parked, lost_bytes, undelivered, ..Default::default() };
        agent::Summary { outputs: vec![("store".to_owned(), fate)], ..Default::default() }
    };
    for (summary, once, expected) in [
        (summary(0, 0, 0), true, Exit::Fine),
        (summary(1, 0, 0), true, Exit::Undelivered),
        (summary(0, 1, 0), true, Exit::Undelivered),
        (summary(0, 0, 1), true, Exit::Undelivered),
        (summary(1, 1, 1), false, Exit::Fine),
    ] {
        assert_eq!(finished(&summary, once), expected, "{summary:?} {once}");
    }
}

#[test]
fn the_configuration_decides_whether_check_passes() {
    let folder = tempfile::tempdir().unwrap();
    let check_text = |text: &str| {
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        check(Some(&path))
    };
    assert_eq!(check_text("[output.print]\ntype = \"stdout\"\n"), Exit::Fine);
    assert_eq!(check_text("[output.print]\ntype = \"stdot\"\n"), Exit::Wrong);
    assert_eq!(check_text(config::EXAMPLE), Exit::Fine);
    assert_eq!(check(Some(Path::new("/nonexistent/agent.toml"))), Exit::Wrong);
}

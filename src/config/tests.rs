//! Whole files through the door: faults as they are shown, and what a right file becomes.

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("db".to_owned()),
        "SECRET" => Some("hunter2".to_owned()),
        "RECORDS" => Some("500".to_owned()),
        "YES" => Some("true".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Loaded, Report> {
    parse("agent.toml", text, &environment, Extent::Text)
}

fn right(text: &str) -> Config {
    read(text).unwrap_or_else(|report| panic!("{report}")).config
}

const PRINT: &str = "[output.print]\ntype = \"stdout\"\n";

#[test]
fn a_fault_is_shown_with_its_place_and_a_remedy() {
    let report = read(
        "[source.app]\ntype = \"file\"\ninlcude = [\"/x\"]\ninclude = [\"/y\"]\n[output.print]\ntype = \"stdout\"\n",
    );
    let expected = "error: unknown key `inlcude`\n --> agent.toml:3:1\n  |\n3 | inlcude = [\"/x\"]\n  | ^^^^^^^\n\
                    hint: did you mean `include`?\n\n";
    assert_eq!(report.unwrap_err().to_string(), expected);
}

/// Every fault of a text: its line, what the carets are under, the message, the hint.
#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let check = |text: &str, expected: &[(&str, &str, &str)]| {
        let report = read(text).err().unwrap_or_default();
        let told: Vec<(&str, &str, &str)> = report
            .findings()
            .iter()
            .map(|one| (&text[one.span.clone()], one.message.as_str(), one.hint.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(told, expected, "{text}");
    };
    let no_destination = "no destination: there is no [output.NAME]";
    let write_one =
        "write a table such as [output.store] with type = \"elasticsearch\" and url = \"http://127.0.0.1:9200\"";
    check("", &[("", no_destination, write_one)]);
    check("[output]\n", &[("", no_destination, write_one)]);
    check(
        "[source.a]\ntype = \"stdin\"\n[source.b]\ntype = 'stdin'\n[output.c]\ntype = \"stdout\"\n[output.d]\ntype = 'stdout'\n",
        &[
            ("'stdin'", "another source has standard input already", "keep one source of this type"),
            ("'stdout'", "another output has standard output already", "keep one output of this type"),
        ],
    );
    check("[ouput.print]\ntype = \"stdout\"\n", &[("ouput", "unknown key `ouput`", "did you mean `output`?")]);
    check(
        "[agent]\nmemory = \"12 Mib\"\nstop_within = 8\nworkers = 0\nlog_format = \"jsn\"\nmemry = 1\n[output.print]\ntype = \"stdout\"\n",
        &[
            ("\"12 Mib\"", "not a size", "write bytes, or a number with a unit such as \"4 MiB\" or \"500 KB\""),
            ("8", "not a time", "write a number with a unit, such as \"500ms\", \"5s\", \"10m\", \"2h\" or \"7d\""),
            ("0", "value out of range: expected a whole number, 1 or more", ""),
            ("\"jsn\"", "unknown value `jsn`", "did you mean `json`?"),
            ("memry", "unknown key `memry`", "did you mean `memory`?"),
        ],
    );
    check(
        "[output.a]\nurl = \"http://x\"\n[output.b]\ntype = \"elastic\"\nurll = 1\n[output.c]\ntype = \"loki\"\ntimeout = \"1 parsec\"\n",
        &[
            (
                "[output.a]",
                "`type` is missing",
                "write type = \"elasticsearch\", \"opensearch\", \"loki\", \"stdout\" or \"file\"",
            ),
            ("\"elastic\"", "unknown value `elastic`", "did you mean `elasticsearch`?"),
            ("urll", "unknown key `urll`", "did you mean `url`?"),
            ("[output.c]", "`url` is missing", "for example url = \"http://127.0.0.1:9200\""),
            (
                "\"1 parsec\"",
                "not a time",
                "write a number with a unit, such as \"500ms\", \"5s\", \"10m\", \"2h\" or \"7d\"",
            ),
        ],
    );
    check(
        "[source.a]\ntype = \"docker\"\ninclude = [\"/x\"]\n[source.b]\ntype = \"file\"\n[source.C]\ntype = \"stdin\"\n[output.p]\ntype = \"stdout\"\n",
        &[
            ("include", "`include` is an option of another type of source", ""),
            ("[source.b]", "`include` is missing", "write include = [\"/var/log/app/*.log\"]"),
            ("C", "`C` cannot be the name of a source", "use a-z, 0-9, _ and - only"),
        ],
    );
    check(
        "source = 1\nfilter = {}\n[mask]\nx = 1\n[output.p]\ntype = \"stdout\"\n",
        &[
            ("1", "expected a table, found integer", ""),
            ("{}", "expected a list of tables", "write [[filter]] with two brackets for each"),
            (
                "x",
                "unknown key `x`",
                "known here: enabled, detect, keys, except_keys, base64, except, audit, labels, source, replace, pseudonym, types, rule",
            ),
        ],
    );
}

#[test]
fn what_belongs_together_is_told_together() {
    let check = |text: &str, expected: &[&str]| {
        let told = read(text).err().unwrap_or_default();
        let told: Vec<String> = told.findings().iter().map(|one| one.message.clone()).collect();
        assert_eq!(told, expected, "{text}");
    };
    check(
        &format!("{PRINT}[agent]\nmemory = \"1 MiB\"\n"),
        &["a line of 1 MiB does not fit: the limit is an eighth of `agent.memory`"],
    );
    check(
        "[output.a]\ntype = \"file\"\npath = \"/x\"\n[output.b]\ntype = \"file\"\npath = \"/x\"\n",
        &["output `a` writes to the same file"],
    );
    check(
        "[source.app]\ntype = \"stdin\"\n[output.p]\ntype = \"stdout\"\nwhen.source = [\"ap\", \"a*\", \"app\"]\n",
        &["there is no source `ap`"],
    );
}

#[test]
fn a_time_zone_that_does_not_exist_is_refused() {
    for kind in ["file\"\ninclude = [\"/x\"]\n#\"", "docker", "stdin"] {
        let with = |zone: &str| format!("[source.a]\ntype = \"{kind}\"\ntimezone = \"{zone}\"\n{PRINT}");
        let text = with("Europe/Berlni");
        let report = read(&text).unwrap_err();
        let [fault] = report.findings() else { panic!("{report}") };
        assert_eq!(&text[fault.span.clone()], "\"Europe/Berlni\"");
        assert_eq!(fault.message, "there is no time zone `Europe/Berlni`");
        assert!(fault.hint.as_ref().is_some_and(|hint| hint.contains("Europe/Berlin")));
        ["Europe/Berlin", "local", "utc"].iter().for_each(|zone| assert!(read(&with(zone)).is_ok(), "{zone}"));
    }
}

/// Rooms name the key; its place is found here.
#[test]
fn what_the_rooms_refuse_is_shown_at_its_key() {
    let check = |text: &str, places: &[&str]| {
        let report = read(text).err().unwrap_or_default();
        let told: Vec<&str> = report.findings().iter().map(|one| &text[one.span.clone()]).collect();
        assert_eq!(told, places, "{report}");
    };
    check(
        &format!("{PRINT}when.matches = {{ a = \"(\", b = \"x\", c = \"[\" }}\nmax_records = 0\ngzip_level = 10\n"),
        &["\"(\"", "\"[\"", "0", "10"],
    );
    check(
        &format!(
            "[[filter]]\naction = \"keep\"\nall = true\n[[filter]]\naction = \"drop\"\nwhen.level = [\"LOUD\"]\n{PRINT}"
        ),
        &["\"LOUD\""],
    );
    check(&format!("[source.a]\ntype = \"file\"\ninclude = [\"/a\", \"/[\"]\n{PRINT}"), &["\"/[\""]);
}

#[test]
fn syntax_faults_are_told_with_the_others_and_without_their_echo() {
    let check = |text: &str, expected: &[&str]| {
        let report = read(text).unwrap_err();
        let told: Vec<&str> = report.findings().iter().map(|one| one.message.as_str()).collect();
        assert_eq!(told, expected, "{text}");
    };
    check(
        &format!("{PRINT}url = x y\n[agent]\nmemory =\nmemry = 1\nworkers = 2\nworkers = 3\n"),
        &["strings must be quoted", "strings must be quoted", "unknown key `memry`", "duplicate key"],
    );
    check("[output.print\ntype = \"stdout\"\nx = 1\n", &["unclosed table, expected `]`"]);
    check(
        "[output.a]\ntype = \"${NONE}\"\nfomat = \"flat\"\n",
        &["environment variable `NONE` is not set", "unknown key `fomat`"],
    );
}

#[test]
fn secrets_are_not_told() {
    for text in [
        "[output.a]\ntype = \"loki\"\npasword = \"hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nbearer = [\"hunter2\", \"x\"]\n",
        "[output.a]\ntype = \"loki\"\ntimeout = \"${SECRET}\"\n",
        "[output.a]\ntype = \"loki\"\nbearer = \"hunter2\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://me:hunter2@h\nx\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nheaders = { \"X Bad\" = \"hunter2\" }\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nheaders.\"X Bad\" = \"hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\n[output.a.headers]\n\"X Bad\" = \"hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nheaders = { \"X-Y\" = [\"hunter2\"] }\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nheaders = { \"X-Y\" = [\n  \"hunter2\",\n] }\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\napi_key = { fil = \"hunter2\" }\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\napi_key = [\"hunter2\"]\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nbearr = { file = \"/hunter2\" }\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nbearer \"hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nbearer: \"hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http://h?a=hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"http//h?a=hunter2\"\n",
        "[output.a]\ntype = \"loki\"\nurl = \"me:hunter2@h:9200\"\n",
        "[output.a]\ntype = \"loki\"\nurll = \"http://h/x?a=hunter2\"\n",
    ] {
        let report = read(text).unwrap_err().to_string();
        assert!(!report.contains("hunter2"), "{report}");
    }
    let config = right("[output.a]\ntype = \"loki\"\nurl = \"http://h\"\nbearer = \"${SECRET}\"\n");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn variables_stand_for_texts_numbers_and_booleans() {
    let text = "[output.a]\ntype = \"loki\"\nurl = \"http://${HOST}:3100\"\nmax_records = \"${RECORDS}\"\n\
                max_bytes = \"${RECORDS}\"\nusername = \"${NONE:-}\"\n[source.x]\ntype = \"docker\"\ninclude_self = \"${YES}\"\n";
    let config = right(text);
    let output = &config.outputs["a"];
    assert_eq!((output.pack.max_records, output.pack.max_bytes, &output.ship.username), (500, Size(500), &None));
    assert!(matches!(&config.sources["x"], Source::Docker(docker) if docker.include_self));
    let report = read("[output.a]\ntype = \"stdout\"\nmax_records = \"${HOST}\"\n").unwrap_err();
    assert_eq!(report.findings()[0].message, "expected a whole number, 0 or more, found a string");
}

#[test]
fn what_is_not_written_has_its_default() {
    let config = right(PRINT);
    assert_eq!((&config.agent, &config.sources), (&Agent::default(), &containers()));
    assert_eq!(config.outputs["print"].when, None);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9618");
    assert!(!config.agent.host_name().is_empty() && config.agent.workers().get() > 0);
}

#[test]
fn without_a_file_everything_here_is_printed_and_nothing_saved() {
    for (engine, piped, expected) in [
        (false, false, vec!["files"]),
        (true, false, vec!["containers", "files"]),
        (true, true, vec!["containers", "files", "stdin"]),
    ] {
        let config = Config::zero(engine, piped);
        assert_eq!(config.sources.keys().collect::<Vec<_>>(), expected);
        assert_eq!(config.agent.state_dir, None);
        assert_eq!(config.outputs["print"].output.kind, output::Kind::Stdout);
    }
}

#[test]
fn what_is_odd_is_a_warning_and_what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(folder.path().join("a.log"), "x").unwrap();
    let here = folder.path().display();
    let text = format!(
        "[agent]\nstate_dir = \"{here}/state\"\n[source.app]\ntype = \"file\"\ninclude = [\"{here}/*.log\", \"{here}/*.txt\", \"{here}/**/a.log\"]\n\
         [source.in]\ntype = \"stdin\"\npoll = \"2s\"\n{PRINT}keep = 3\n"
    );
    std::fs::write(&path, text).unwrap();
    let loaded = load(&path, Extent::Machine).unwrap();
    let told: Vec<&str> = loaded.report.findings().iter().map(|one| one.message.as_str()).collect();
    let no_match = format!("no file matches `{here}/*.txt` now");
    let idle = "this option has no effect on this type";
    assert_eq!(told, [no_match.as_str(), idle, idle]);
    assert_eq!(load(&path, Extent::Text).unwrap().report.count(Severity::Warning), 2);

    let absent = folder.path().join("absent.toml");
    let expected = format!("cannot read {}: No such file or directory (os error 2)", absent.display());
    assert_eq!(load(&absent, Extent::Text).unwrap_err().to_string(), expected);
    assert_eq!(find(Some(&absent)), Some(absent));
}

#[test]
fn masking_that_can_do_nothing_is_told() {
    let loaded = read(&format!(
        "[mask]\nexcept = [\"cidr:10.0.0.0/8\", \"path:tenant\"]\nreplace.ipv4 = \"partial\"\n\
         [output.store]\ntype = \"elasticsearch\"\nurl = \"http://h\"\nindex = \"a-{{field:tenant}}-{{field:other}}\"\n{PRINT}"
    ))
    .unwrap();
    let told: Vec<&str> = loaded.report.findings().iter().map(|one| one.message.as_str()).collect();
    assert_eq!(told.len(), 3, "{}", loaded.report);
    for words in ["the detector `ipv4` is off", "`replace.ipv4` has no effect", "`tenant` comes into names of indices"]
    {
        assert!(told.iter().any(|one| one.contains(words)), "{words}: {}", loaded.report);
    }
    let report =
        read(&format!("[source.app]\ntype = \"stdin\"\n[mask.source.ap]\nkeys = [\"x\"]\n{PRINT}")).unwrap_err();
    assert!(report.to_string().contains("did you mean `app`?"), "{report}");
}

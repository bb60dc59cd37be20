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
            ("[output.c]", "`url` is missing", "write url = \"http://127.0.0.1:3100\""),
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
            ("x", "unknown key `x`", "nothing can be written here"),
        ],
    );
}

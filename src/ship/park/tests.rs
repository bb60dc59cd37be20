//! The file of parked records: what is written, what is read back, and what a crash may leave.

use proptest::prelude::*;

use super::*;

const INDEX: &str = "i-2026";

fn refused(id: &str, reason: &str, document: &str) -> ParkedRecord {
    let place = Place::Index(INDEX.into());
    ParkedRecord { id: id.into(), source: "app".into(), reason: reason.into(), place, document: document.into() }
}

fn entry(id: &str, line: &str) -> ParkedRecord {
    let text = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let place = Place::Entry { labels: text("app", "a"), ns: 1_763_819_254_123_456_789, metadata: text("k", "v") };
    ParkedRecord { id: id.into(), source: "app".into(), reason: "old".into(), place, document: line.into() }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("parked/store.ndjson")
}

fn text(folder: &Path) -> String {
    fs::read_to_string(path(folder)).unwrap()
}

/// A store of one output with these ids, each with `{"n":ID}`, parked at times 1, 2, 3 ….
fn filled(folder: &Path, ids: &[&str]) -> Parked {
    let parked = Parked::new("store", folder, 10_000);
    for (time_ms, id) in (1..).zip(ids) {
        parked.append(&[refused(id, "shape", &format!("{{\"n\":{id}}}"))], time_ms).unwrap();
    }
    parked
}

/// Ids and reasons of all that is there.
fn there(parked: &Parked) -> Vec<(String, String)> {
    let mut all = Vec::new();
    assert_eq!(parked.each(&mut |kept| all.push((kept.id, kept.reason))).unwrap(), 0);
    all
}

fn ids(parked: &Parked) -> String {
    there(parked).into_iter().map(|(id, _)| id).collect()
}

fn only(ids: &[&str]) -> Selection {
    Selection { ids: ids.iter().map(|id| (*id).to_owned()).collect(), ..Selection::default() }
}

#[test]
fn records_are_kept_whole_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let parked = Parked::new("store", folder.path(), 500);
    parked.append(&[refused("1", "too \"odd\"", r#"{"a":1.50}"#), entry("2", "not json")], 7).unwrap();
    let expected = concat!(
        r#"{"id":"1","output":"store","source":"app","time_ms":7,"reason":"too \"odd\"","index":"i-2026","#,
        r#""document":{"a":1.50}}"#,
        "\n",
        r#"{"id":"2","output":"store","source":"app","time_ms":7,"reason":"old","labels":{"app":"a"},"#,
        r#""ns":"1763819254123456789","metadata":{"k":"v"},"document":"not json"}"#,
        "\n",
    );
    assert_eq!(text(folder.path()), expected);
    assert!(matches!(parked.append(&[entry("3", &"x".repeat(300))], 7), Err(Error::Full { .. })));
    assert_eq!(text(folder.path()), expected);
    assert_eq!(parked.remove(&only(&["1"])).unwrap(), 1);
    parked.append(&[refused("3", "r", "{}")], 8).unwrap();
    assert_eq!(ids(&parked), "23", "what was dropped makes room at once");
}

/// The file as the first agents write it, `fixtures/v1.ndjson`: read, and still written to the byte.
#[test]
fn the_oldest_file_is_read_and_is_what_is_written() {
    let fixture = include_str!("fixtures/v1.ndjson");
    let folder = tempfile::tempdir().unwrap();
    let records = [
        refused("1", "too \"odd\"", r#"{"a":1.50,"a":2}"#),
        refused("2", "no object", "plain text\n\u{e9}"),
        entry("3", "a line"),
        entry("4", r#"{"b":12345678901234567890}"#),
    ];
    let parked = Parked::new("store", folder.path(), 10_000);
    parked.append(&records, 7).unwrap();
    assert_eq!(text(folder.path()), fixture, "a change of what is written needs a fixture more");

    fs::write(path(folder.path()), fixture).unwrap();
    let mut read = Vec::new();
    assert_eq!(parked.each(&mut |kept| read.push(kept)).unwrap(), 0);
    for (kept, record) in read.iter().zip(&records) {
        let told = (&kept.id, &kept.source, &kept.reason, kept.time_ms, kept.output.as_str());
        assert_eq!(told, (&record.id, &record.source, &record.reason, 7, "store"));
        assert_eq!(
            (kept.place(), kept.text().map(String::into_bytes)),
            (Some(record.place.clone()), Some(record.document.clone()))
        );
    }
    assert_eq!(read.len(), records.len());
}

/// What a newer agent notes more of a record would be lost if an older one wrote it anew.
#[test]
fn records_of_a_newer_agent_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2"]);
    let newer =
        text(folder.path()).lines().next().unwrap().replace("{\"id\":\"1\"", "{\"id\":\"9\",\"more\":true") + "\n";
    fs::write(path(folder.path()), format!("{newer}{}", text(folder.path()))).unwrap();
    let mut seen = Vec::new();
    assert_eq!(parked.each(&mut |kept| seen.push(kept.id)).unwrap(), 1, "told as a line that cannot be read");
    assert_eq!(seen, ["1", "2"]);
    assert_eq!(parked.remove(&only(&["1"])).unwrap(), 1);
    assert_eq!(parked.remove(&Selection::default()).unwrap(), 1);
    assert_eq!(text(folder.path()), newer);
}

/// What is read back is what was to be sent, byte for byte.
#[test]
fn documents_and_places_come_back_as_they_were() {
    for document in [
        r#"{"a":1.50,"a":1e999,"b":"\u00e9"}"#,
        r#"{ "spaces" : [1, 2] }"#,
        " {\"a\":1} ",
        "{\"a\":\n1}",
        r#""quoted""#,
        "42",
        "[1]",
        "{broken",
        "",
        "two\nlines \u{1} é",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let parked = Parked::new("store", folder.path(), 10_000);
        parked.append(&[entry("1", document)], 7).unwrap();
        assert_eq!(text(folder.path()).lines().count(), 1, "{document}");
        let kept = parked.queue(&Selection::default()).unwrap().next().unwrap().unwrap();
        assert_eq!(kept.text().as_deref(), Some(document));
        assert_eq!(kept.place(), Some(entry("1", "").place), "{document}");
    }
}

#[test]
fn a_record_that_is_parked_again_is_there_once_with_its_last_reason() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2"]);
    parked.append(&[refused("1", "again", "{}")], 9).unwrap();
    let expected = [("2".to_owned(), "shape".to_owned()), ("1".to_owned(), "again".to_owned())];
    assert_eq!(there(&parked), expected);
    let mut queue = parked.queue(&only(&["1"])).unwrap();
    assert_eq!((queue.len(), queue.next().unwrap().unwrap().reason.as_str()), (1, "again"));
    assert!(queue.next().unwrap().is_none());
    // Dropped means gone: the older line does not come to light.
    assert_eq!(parked.remove(&Selection { reason: Some("AGAIN".into()), ..Selection::default() }).unwrap(), 1);
    assert_eq!((ids(&parked).as_str(), text(folder.path()).lines().count()), ("2", 1));
}

#[test]
fn a_selection_means_what_holds_for_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2", "3"]);
    let all = Selection::default;
    let rows = [
        (all(), "123"),
        (Selection { output: Some("store".into()), ..all() }, "123"),
        (Selection { output: Some("other".into()), ..all() }, ""),
        (Selection { source: Some("ap".into()), ..all() }, ""),
        (Selection { reason: Some("HAP".into()), ..all() }, "123"),
        (Selection { until_ms: Some(2), ..all() }, "12"),
        (Selection { since_ms: Some(2), ..all() }, "23"),
        (Selection { since_ms: Some(2), until_ms: Some(2), ..all() }, "2"),
        (Selection { since_ms: Some(2), ..only(&["1", "3", "9"]) }, "3"),
    ];
    for (selection, expected) in rows {
        let mut queue = parked.queue(&selection).unwrap();
        let mut found = String::new();
        while let Some(kept) = queue.next().unwrap() {
            found += &kept.id;
        }
        assert_eq!(found, expected, "{selection:?}");
    }
}

#[test]
fn a_torn_last_line_is_not_seen_and_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), &["1"]);
    for torn in ["{\"id\":\"ha", &"x".repeat(20_000)] {
        let before = text(folder.path());
        fs::write(path(folder.path()), before + torn).unwrap();
        let parked = Parked::new("store", folder.path(), 100_000);
        assert_eq!(ids(&parked), "1");
        assert_eq!(parked.remove(&only(&["9"])).unwrap(), 0);
        parked.append(&[refused("2", "r", "{}")], 7).unwrap();
        assert_eq!(ids(&parked), "12");
        fs::write(path(folder.path()), text(folder.path()) + torn).unwrap();
        assert_eq!(parked.remove(&only(&["2"])).unwrap(), 1);
        assert_eq!((ids(&parked).as_str(), text(folder.path()).lines().count()), ("1", 1));
    }
}

/// A crash while the file is written anew leaves the old one and a leftover.
#[test]
fn a_crash_before_the_rename_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2"]);
    let before = text(folder.path());
    let aside = path(folder.path()).with_extension("new");
    fs::write(&aside, "{\"id\":\"1\",\"outp").unwrap();
    assert_eq!((ids(&parked).as_str(), outputs(folder.path()).unwrap()), ("12", vec!["store".to_owned()]));
    assert_eq!(text(folder.path()), before);
    assert_eq!(parked.remove(&only(&["1"])).unwrap(), 1);
    assert_eq!((ids(&parked).as_str(), aside.exists()), ("2", false));
}

/// Appending goes on while the file is written anew, and after that: nothing of it is lost.
#[test]
fn what_is_appended_while_the_file_is_rewritten_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2", "3"]);
    let mut seen = 0;
    let change = &mut |kept: &Kept| {
        seen += 1;
        parked.append(&[refused(&(seen + 3).to_string(), "late", "{}")], 9).unwrap();
        if kept.id == "2" { Change::Remove } else { Change::Keep }
    };
    parked.rewrite(u64::MAX, change).unwrap();
    assert_eq!(ids(&parked), "13456");
    parked.append(&[refused("7", "later", "{}")], 9).unwrap();
    assert_eq!(ids(&parked), "134567");
}

/// An agent that is ending, and a command that has the state folder already.
#[test]
fn two_that_rewrite_at_once_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (10..90).map(|id| id.to_string()).collect();
    filled(folder.path(), &ids.iter().map(String::as_str).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for part in ids.chunks(20) {
            let parked = Parked::new("store", folder.path(), 10_000);
            scope.spawn(move || part[1..].iter().for_each(|id| assert_eq!(parked.remove(&only(&[id])).unwrap(), 1)));
        }
    });
    assert_eq!(self::ids(&Parked::new("store", folder.path(), 0)), "10305070");
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1"]);
    fs::rename(path(folder.path()), folder.path().join("away")).unwrap();
    assert_eq!(ids(&parked), "");
    parked.append(&[refused("2", "r", "{}")], 7).unwrap();
    assert_eq!(ids(&parked), "2");
}

#[test]
fn lines_that_are_no_records_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2"]);
    let odd = "{\"id\":\"1\"}\nnotes of a person\n";
    fs::write(path(folder.path()), text(folder.path()) + odd).unwrap();
    let mut found = String::new();
    assert_eq!(parked.each(&mut |kept| found += &kept.id).unwrap(), 2);
    assert_eq!(found, "12");
    assert_eq!(parked.remove(&Selection::default()).unwrap(), 2);
    assert_eq!(text(folder.path()), odd);
}

#[test]
fn an_edit_takes_the_document_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2"]);
    let mut exported = Vec::new();
    parked.each(&mut |kept| exported.push(kept)).unwrap();
    let edit = |index: usize, document: &str| exported[index].clone().with_text(document);
    parked.edit(&[Kept { reason: "mine".into(), time_ms: 0, ..edit(0, r#"{"n":"one"}"#) }]).unwrap();
    let first = r#"{"id":"1","output":"store","source":"app","time_ms":1,"reason":"shape","index":"i-2026","document":{"n":"one"}}"#;
    assert_eq!(text(folder.path()).lines().next(), Some(first));

    let before = text(folder.path());
    let refusals = [
        (Kept { id: "9".into(), ..edit(1, "{}") }, "no record with this id"),
        (Kept { index: Some("other".into()), ..edit(1, "{}") }, "only its document"),
    ];
    for (wrong, said) in refusals {
        let error = parked.edit(&[edit(0, "{}"), wrong]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(text(folder.path()), before, "all or none");
    }
    let long = edit(1, &format!("{{\"n\":\"{}\"}}", "x".repeat(10_000)));
    assert!(matches!(parked.edit(&[long]), Err(Error::Full { .. })));
    assert_eq!(text(folder.path()), before);
}

#[test]
fn what_became_of_records_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let parked = filled(folder.path(), &["1", "2", "3"]);
    let before = text(folder.path());
    parked.settle(&HashMap::new()).unwrap();
    parked.settle(&HashMap::from([("2".to_owned(), Some("shape".to_owned()))])).unwrap();
    assert_eq!(text(folder.path()), before);
    let fates = [("1".to_owned(), None), ("3".to_owned(), Some("other".to_owned()))];
    parked.settle(&HashMap::from(fates)).unwrap();
    let expected = [("2".to_owned(), "shape".to_owned()), ("3".to_owned(), "other".to_owned())];
    assert_eq!(there(&parked), expected);
}

/// What may happen to a file. Numbers are ids.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Remove(u8),
    Edit(u8, u16),
    Settle(u8, bool),
    /// A new process; a crash has left half a line, and half a file aside.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..8_u8;
    prop_oneof![
        3 => proptest::collection::vec(id.clone(), 1..4).prop_map(Step::Append),
        1 => id.clone().prop_map(Step::Remove),
        1 => (id.clone(), any::<u16>()).prop_map(|(id, document)| Step::Edit(id, document)),
        1 => (id, any::<bool>()).prop_map(|(id, is_stored)| Step::Settle(id, is_stored)),
        1 => Just(Step::Crash),
    ]
}

fn contents(parked: &Parked) -> BTreeMap<String, (String, String)> {
    let mut all = BTreeMap::new();
    let foreign = parked.each(&mut |kept| {
        let text = kept.text().unwrap();
        assert!(all.insert(kept.id, (kept.reason, text)).is_none(), "an id is shown twice");
    });
    assert_eq!(foreign.unwrap(), 0);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_file_holds_what_a_map_would(steps in proptest::collection::vec(step(), 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let open = || Parked::new("store", folder.path(), 100_000);
        let (mut parked, mut model) = (open(), BTreeMap::new());
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Append(ids) => {
                    let reason = number.to_string();
                    let records: Vec<_> = ids.iter().map(|id| refused(&id.to_string(), &reason, "{}")).collect();
                    parked.append(&records, 7).unwrap();
                    model.extend(ids.iter().map(|id| (id.to_string(), (reason.clone(), "{}".to_owned()))));
                }
                Step::Remove(id) => {
                    let removed = parked.remove(&only(&[&id.to_string()])).unwrap();
                    prop_assert_eq!(removed == 1, model.remove(&id.to_string()).is_some());
                }
                Step::Edit(id, number) => {
                    let document = format!("{{\"n\":{number}}}");
                    let edit = Kept::new("store", &refused(&id.to_string(), "", &document), 0);
                    let known = model.get_mut(&id.to_string());
                    prop_assert_eq!(parked.edit(&[edit]).is_ok(), known.is_some());
                    if let Some((_, text)) = known {
                        *text = document;
                    }
                }
                Step::Settle(id, is_stored) => {
                    let fate = (!is_stored).then(|| "again".to_owned());
                    parked.settle(&HashMap::from([(id.to_string(), fate)])).unwrap();
                    match (is_stored, model.get_mut(&id.to_string())) {
                        (true, _) => drop(model.remove(&id.to_string())),
                        (false, Some((reason, _))) => *reason = "again".to_owned(),
                        (false, None) => {}
                    }
                }
                Step::Crash => {
                    parked = open();
                    if path(folder.path()).exists() {
                        fs::write(path(folder.path()), text(folder.path()) + "{\"id\":\"1\",").unwrap();
                        fs::write(path(folder.path()).with_extension("new"), "{\"id\":\"2\"").unwrap();
                    }
                }
            }
            prop_assert_eq!(contents(&parked), model.clone(), "{:?}", step);
        }
    }
}

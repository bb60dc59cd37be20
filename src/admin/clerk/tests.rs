//! What an operator asks for, on a real file.

use std::collections::BTreeMap;

use super::*;
use crate::mask;
use crate::output::{self, Place};
use crate::ship::{Config, ParkedRecord};

/// One that masks with the defaults, and these records parked under 1, 2, 3 … of the output `store`.
fn clerk(folder: &Path, place: &Place, documents: &[&str], rules: &str) -> Clerk {
    let output: output::Config = toml::from_str("type = 'stdout'").unwrap();
    let destination = Destination::new("store", &output, &Config::default(), Some(folder), Arc::default()).unwrap();
    let records: Vec<ParkedRecord> = (1..)
        .zip(documents)
        .map(|(id, document)| ParkedRecord {
            id: id.to_string(),
            source: "app".into(),
            reason: "shape".into(),
            place: place.clone(),
            document: document.as_bytes().to_vec(),
        })
        .collect();
    destination.park(&records).unwrap();
    let masker = Masker::new(&toml::from_str::<mask::Config>(rules).unwrap()).unwrap();
    Clerk::new(folder, vec![Arc::new(destination)], Arc::new(masker))
}

fn bulk() -> Place {
    Place::Index("i".into())
}

fn entry() -> Place {
    Place::Entry { labels: BTreeMap::from([("a".into(), "b".into())]), ns: 7, metadata: BTreeMap::new() }
}

fn there(folder: &Path) -> Vec<Kept> {
    let mut all = Vec::new();
    Parked::new("store", folder, 0).each(&mut |kept| all.push(kept)).unwrap();
    all
}

/// The first record as it is exported, with its document as an editor leaves it.
fn edited(folder: &Path, document: &str) -> Kept {
    let mut line: BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(&serde_json::to_string(&there(folder)[0]).unwrap()).unwrap();
    line.insert("document".into(), serde_json::from_str(document).unwrap());
    serde_json::from_str(&serde_json::to_string(&line).unwrap()).unwrap()
}

#[tokio::test]
async fn edited_documents_are_masked_again_and_keep_the_rest() {
    let rows = [
        (bulk(), r#"{"a":1e999,"to":"x"}"#, r#"{"a":1e999,"to":"x"}"#),
        (bulk(), r#"{"a":1.50,"to":"bob@mail.example"}"#, r#"{"a":1.50,"to":"[email]"}"#),
        (bulk(), "{\n  \"password\": \"hunter2hunter2\"\n}", "{   \"password\": \"[secret]\" }"),
        (entry(), "\"mail from bob@mail.example\"", "mail from [email]"),
        (entry(), r#""{\"to\":\"bob@mail.example\"}""#, r#"{"to":"[email]"}"#),
        (entry(), "\"{broken\"", "{broken"),
    ];
    for (place, document, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let clerk = clerk(folder.path(), &place, &["{}", "{}"], "");
        let edit = edited(folder.path(), document);
        assert_eq!(clerk.perform(Request::Edit(vec![edit])).await, Answer::Edited(1), "{document}");
        let there = there(folder.path());
        assert_eq!((there[0].text().as_deref(), there[0].id.as_str()), (Some(expected), "1"));
        assert_eq!((there[1].text().as_deref(), there.len()), (Some("{}"), 2));
    }
}

/// What a source's own masking finds must not come back by an edit.
#[tokio::test]
async fn edited_documents_are_masked_as_their_source_is() {
    let rules = "detect = ['email']\n[source.app]\ndetect = ['all']\n";
    let folder = tempfile::tempdir().unwrap();
    let clerk = clerk(folder.path(), &bulk(), &["{}"], rules);
    let edit = edited(folder.path(), r#"{"from":"203.0.113.7"}"#);
    assert_eq!(clerk.perform(Request::Edit(vec![edit])).await, Answer::Edited(1));
    assert_eq!(there(folder.path())[0].text().as_deref(), Some(r#"{"from":"[ipv4]"}"#));
}

/// All or nothing, and no word of what was edited.
#[tokio::test]
async fn what_cannot_be_taken_changes_nothing() {
    const GROWING: &str = "[[rule]]\nname = 'grow'\nregex = 'SECRET'\nreplace = '@'\n";
    let deep = format!("{}{{}}{}", "{\"SECRET\":".repeat(200), "}".repeat(200));
    let growing = GROWING.replace('@', &"x".repeat(100_000));
    let rows = [
        (bulk(), "\"SECRET\"", "", "not an object"),
        (bulk(), "[\"SECRET\"]", "", "neither an object nor text"),
        (entry(), "42", "", "neither an object nor text"),
        (entry(), deep.as_str(), "", "nested too deep"),
        (bulk(), "{\"a\":\"SECRET\"}", growing.as_str(), "masking cannot process"),
    ];
    for (place, document, rules, said) in rows {
        let folder = tempfile::tempdir().unwrap();
        let clerk = clerk(folder.path(), &place, &["{}"], rules);
        let fine = edited(folder.path(), "{\"b\":1}");
        let wrong = edited(folder.path(), document);
        let Answer::Failed(text) = clerk.perform(Request::Edit(vec![fine, wrong])).await else { panic!("{document}") };
        assert!(text.contains(said) && text.contains("nothing is changed") && !text.contains("SECRET"), "{text}");
        assert_eq!(there(folder.path())[0].text().as_deref(), Some("{}"));
    }
}

#[tokio::test]
async fn records_of_an_output_that_is_gone_can_be_dropped_and_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mut clerk = clerk(folder.path(), &bulk(), &["{}", "{}", "{}"], "");
    clerk.destinations.clear();
    let selection = |ids: &[&str]| Selection { ids: ids.iter().map(|id| (*id).into()).collect(), ..Default::default() };
    let replay = Request::Replay { selection: selection(&["1", "2"]), wait_ms: 10 };
    let Answer::Replayed(replayed) = clerk.perform(replay).await else { panic!("not replayed") };
    assert_eq!((replayed.len(), replayed[0].left, replayed[0].delivered), (1, 2, 0));
    assert!(replayed[0].trouble.as_ref().unwrap().contains("no output store"));
    let nothing = Request::Replay { selection: selection(&["9"]), wait_ms: 10 };
    assert_eq!(clerk.perform(nothing).await, Answer::Replayed(Vec::new()));
    assert_eq!(clerk.perform(Request::Drop(selection(&["1", "9"]))).await, Answer::Dropped(1));
    let other = Selection { output: Some("other".into()), ..Selection::default() };
    assert_eq!(clerk.perform(Request::Drop(other)).await, Answer::Dropped(0));
    assert_eq!(there(folder.path()).len(), 2);
}

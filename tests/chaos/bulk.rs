//! The scripted Elasticsearch: `_bulk` with `create`, as far as the agent uses it. Keeps every document by index and
//! id; chooses no faults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::http::{Answer, Request};
use crate::lines::UNFIT;
use crate::stores::{Part, Record};

/// What a document that is refused for good is answered.
const REFUSAL: (u16, &str) = (400, "document_parsing_exception");
/// What one that is refused for now is.
const BUSY: [(u16, &str); 2] = [(429, "es_rejected_execution_exception"), (503, "unavailable_shards_exception")];

/// All documents.
#[derive(Debug, Default)]
pub struct Bulk {
    /// By index and id.
    documents: BTreeMap<(String, String), String>,
}

impl Bulk {
    /// Answers everything but `_bulk`: the index template is there.
    pub fn other(request: &Request) -> Answer {
        let known = request.target.starts_with("/_index_template/");
        if known { Answer::new(200, "{}") } else { Answer::new(404, "{\"error\":\"no such path\",\"status\":404}") }
    }

    /// Takes the documents of a body, or part of them.
    pub fn take(&mut self, body: &[u8], part: Part, dice: &mut Dice) -> Answer {
        let text = String::from_utf8_lossy(body);
        let lines: Vec<&str> = text.lines().collect();
        let pairs: Vec<&[&str]> = lines.chunks_exact(2).collect();
        let taken = if part == Part::Half { pairs.len() / 2 } else { pairs.len() };
        let mut items: Vec<Value> = Vec::new();
        for pair in &pairs[..taken] {
            let is_busy = part == Part::Some && dice.percent(40);
            items.push(if is_busy { failed(*dice.pick(&BUSY)) } else { self.create(pair[0], pair[1]) });
        }
        if part == Part::Unsaid {
            items.truncate(pairs.len() / 2);
        }
        Answer::new(200, json!({ "errors": true, "items": items }).to_string())
    }

    /// How many documents there are.
    #[allow(dead_code)]
    pub fn count(&self) -> u64 {
        self.documents.len() as u64
    }

    /// All documents: their ids sort as the lines of a source do.
    pub fn records(&self) -> Vec<Record> {
        let record = |((_, id), text): (&(String, String), &String)| Record { key: id.clone(), text: text.clone() };
        self.documents.iter().map(record).collect()
    }

    fn create(&mut self, action: &str, document: &str) -> Value {
        let action: Value = serde_json::from_str(action).expect("an action is JSON");
        let word = |name: &str| action["create"][name].as_str().expect("an index and an id").to_owned();
        let place = (word("_index"), word("_id"));
        if document.contains(UNFIT) {
            return failed(REFUSAL);
        }
        if self.documents.contains_key(&place) {
            return failed((409, "version_conflict_engine_exception"));
        }
        self.documents.insert(place, document.to_owned());
        json!({ "create": { "status": 201 } })
    }
}

fn failed((status, kind): (u16, &str)) -> Value {
    json!({ "create": { "status": status, "error": { "type": kind, "reason": "as scripted" } } })
}

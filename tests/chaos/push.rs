//! The scripted Loki: push and `query_range`, as far as the agent uses them. Keeps every entry as often as it comes: it
//! recognises nothing, which the real one does in a narrow window only. Chooses no faults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::http::{Answer, Request, decoded};
use crate::lines::UNFIT;
use crate::stores::{Part, Record};

/// All streams, by their selector.
#[derive(Debug, Default)]
pub struct Push {
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    labels: Value,
    /// Time in ns, and line.
    entries: Vec<(i64, String)>,
}

impl Push {
    /// Answers everything but a push: a question what is there.
    pub fn other(&self, request: &Request) -> Answer {
        let Some(("/loki/api/v1/query_range", query)) = request.target.split_once('?') else {
            return Answer::new(404, "404 page not found");
        };
        let parameters: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, decoded(value)))
            .collect();
        let number = |name: &str| parameters[name].parse::<i64>().expect("a number");
        let limit = usize::try_from(number("limit")).expect("a limit");
        let found = self.streams.get(&parameters["query"]).map(|stream| {
            let values = stream.between(number("start"), number("end"), limit);
            json!({ "stream": stream.labels, "values": values })
        });
        let result: Vec<Value> = found.into_iter().collect();
        let data = json!({ "resultType": "streams", "result": result });
        Answer::new(200, json!({ "status": "success", "data": data }).to_string())
    }

    /// Takes the entries of a body, or part of them.
    pub fn take(&mut self, body: &[u8], part: Part, dice: &mut Dice) -> Answer {
        let body: Value = serde_json::from_slice(body).expect("a push is JSON");
        let mut refused = 0;
        for stream in body["streams"].as_array().expect("streams") {
            if part == Part::Some && dice.percent(50) {
                continue;
            }
            let entries = stream["values"].as_array().expect("values");
            let taken = if part == Part::Half { entries.len() / 2 } else { entries.len() };
            refused += self.append(&stream["stream"], &entries[..taken]);
        }
        match part {
            Part::Some => Answer::new(429, "Maximum active stream limit exceeded when trying to create stream"),
            Part::Unsaid => Answer::new(500, "rpc error: code = Canceled desc = context canceled"),
            _ if refused > 0 => Answer::new(400, format!("entry too far behind, total ignored: {refused}")),
            _ => Answer::new(204, ""),
        }
    }

    /// All entries: the times of a stream sort as its lines do.
    pub fn records(&self) -> Vec<Record> {
        let entries = self.streams.values().flat_map(|stream| &stream.entries);
        entries.map(|(ns, line)| Record { key: format!("{ns:019}"), text: line.clone() }).collect()
    }

    fn append(&mut self, labels: &Value, entries: &[Value]) -> usize {
        let stream = self.streams.entry(selector(labels)).or_default();
        stream.labels = labels.clone();
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let (unfit, fit): (Vec<_>, Vec<_>) =
            entries.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).partition(|(_, line)| line.contains(UNFIT));
        stream.entries.extend(fit.into_iter().map(|(ns, line)| (ns.parse().expect("ns"), line)));
        unfit.len()
    }
}

impl Stream {
    /// Entries from `start` to before `end`, the oldest first.
    fn between(&self, start: i64, end: i64, limit: usize) -> Vec<[String; 2]> {
        let mut inside: Vec<_> = self.entries.iter().filter(|(ns, _)| (start..end).contains(ns)).collect();
        inside.sort();
        inside.into_iter().take(limit).map(|(ns, line)| [ns.to_string(), line.clone()]).collect()
    }
}

/// `{container_name="app",filename="/a.log"}`, by name.
fn selector(labels: &Value) -> String {
    let labels: BTreeMap<_, _> = labels.as_object().expect("labels").iter().collect();
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", pairs.join(","))
}

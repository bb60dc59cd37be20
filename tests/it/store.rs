//! What a store holds: asks Elasticsearch, OpenSearch and Loki through curl. Sends them no log lines, but to try itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{now_ms, wait_until};

/// A running store.
#[derive(Clone, Debug)]
pub struct Store {
    /// Its `type` in the agent's configuration.
    pub kind: &'static str,
    pub url: String,
    /// Of the store's administrator, as `name:password`.
    pub admin: Option<String>,
    /// A PEM file.
    pub ca: Option<String>,
}

/// Loki's own limit for one answer.
const LOKI_PAGE: usize = 5000;
/// Elasticsearch's `index.max_result_window`.
const ELASTIC_PAGE: usize = 10_000;
/// Everything that tests send lies within this time before now, and as much after.
const WINDOW_MS: i64 = 3 * 3_600_000;

/// One entry of Loki: ns (19 digits), line, labels.
type Entry = (String, String, String);

impl Store {
    /// The one that the environment names.
    ///
    /// # Panics
    /// When it names none: a test that needs an engine never passes without it.
    pub fn from_environment(kind: &'static str, variable: &str) -> Self {
        let url = address(variable);
        let ca = url.starts_with("https:").then(|| address(&format!("{variable}_CA")));
        Self { kind, url, admin: variable.ends_with("_SECURE").then(|| "admin:admin-pass".to_owned()), ca }
    }

    /// `[output.store]` for it.
    pub fn output(&self) -> String {
        let mut table = format!("[output.store]\ntype = \"{}\"\nurl = \"{}\"\n", self.kind, self.url);
        if let Some(ca) = &self.ca {
            table += &format!("tls_ca = \"{ca}\"\n");
        }
        table
    }

    /// Calls `visit` with the text of all records of a service, in pieces. Marks in lines can be found in it as they
    /// are.
    pub fn each_page(&self, service: &str, visit: &mut dyn FnMut(&str)) {
        if self.kind == "loki" {
            self.each_loki_page(service, &mut |entries| entries.iter().for_each(|(_, line, _)| visit(line)));
        } else {
            self.each_elastic_page(service, &mut |text| visit(text));
        }
    }

    /// All records of a service.
    pub fn records(&self, service: &str) -> Vec<Value> {
        let mut records = Vec::new();
        if self.kind == "loki" {
            self.each_page(service, &mut |line| records.push(serde_json::from_str(line).expect("a record is JSON")));
        } else {
            self.each_elastic_page(service, &mut |text| {
                let answer: Value = serde_json::from_str(text).unwrap();
                records.extend(answer["hits"]["hits"].as_array().unwrap().iter().map(|hit| hit["_source"].clone()));
            });
        }
        records
    }

    /// How many records of a service have a field (top level, a string) with this value.
    pub fn count_field(&self, service: &str, field: &str, value: &str) -> u64 {
        if self.kind == "loki" {
            return self.loki_count(&format!("{{service_name=\"{service}\"}} | json | {field}=\"{value}\""));
        }
        // Words of our own are keywords; what applications bring has a keyword beside the text.
        let field = if field == "level" { field.to_owned() } else { format!("{field}.keyword") };
        self.elastic_count(service, &json!({ "term": { field: value } }))
    }

    /// How many records of a service have a time from `from_ms`, below `to_ms`.
    pub fn count_time(&self, service: &str, from_ms: i64, to_ms: i64) -> u64 {
        if self.kind != "loki" {
            return self.elastic_count(
                service,
                &json!({ "range": { "time": { "gte": from_ms, "lt": to_ms, "format": "epoch_millis" } } }),
            );
        }
        let inside = |entry: &&Entry| {
            let ns: i64 = entry.0.parse().unwrap();
            (from_ms * 1_000_000..to_ms * 1_000_000).contains(&ns)
        };
        let mut count = 0;
        self.each_loki_page(service, &mut |entries| count += entries.iter().filter(inside).count() as u64);
        count
    }

    /// Stores one record for each text, as the agent would, to try this client on.
    pub fn fill(&self, service: &str, texts: &[String]) {
        let now = now_ms();
        let records = texts.iter().map(|text| json!({ "message": text, "time": now }).to_string());
        let (path, body) = if self.kind == "loki" {
            // Three to a ns: pages then begin among equal times.
            let ns = (0..).map(|number: i64| (now * 1_000_000 + number / 3).to_string());
            let values: Vec<[String; 2]> = ns.zip(records).map(|(ns, record)| [ns, record]).collect();
            let push = json!({ "streams": [{ "stream": { "service_name": service }, "values": values }] });
            ("/loki/api/v1/push", push.to_string())
        } else {
            let action = json!({ "create": { "_index": index_of(service).replace('*', "try") } }).to_string();
            let documents: Vec<String> = records.map(|record| format!("{action}\n{record}\n")).collect();
            ("/_bulk", documents.concat())
        };
        let mut command = self.command(path);
        command.args(["-H", "content-type: application/json", "--data-binary", "@-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// One request; the answer's status and body. Asks again while an index is being made (503), or memory is short (429).
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let mut arguments = vec!["-X".to_owned(), method.to_owned()];
        if let Some(body) = body {
            arguments.extend(["-H", "content-type: application/json", "-d"].map(str::to_owned));
            arguments.push(body.to_string());
        }
        let is_final = |answer: &(u16, String)| !matches!(answer.0, 429 | 503);
        wait_until("an answer that is final", || Some(self.curl(path, &arguments)).filter(is_final))
    }

    fn curl(&self, path: &str, more: &[String]) -> (u16, String) {
        let output = self.command(path).args(["-w", "\n%{http_code}"]).args(more).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "curl {path}: {}", String::from_utf8_lossy(&output.stderr));
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn command(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["-sS", "-m", "120"]);
        if let Some(admin) = &self.admin {
            command.args(["-u", admin]);
        }
        if let Some(ca) = &self.ca {
            command.args(["--cacert", ca]);
        }
        command.arg(format!("{}{path}", self.url));
        command
    }

    fn each_elastic_page(&self, service: &str, visit: &mut dyn FnMut(&str)) {
        let index = index_of(service);
        self.refresh(&index);
        let first = json!({ "size": ELASTIC_PAGE, "sort": ["_doc"] });
        let path = format!("/{index}/_search?scroll=2m&ignore_unavailable=true");
        let (mut status, mut text) = self.call("POST", &path, Some(&first));
        loop {
            assert_eq!(status, 200, "{text}");
            let answer: Value = serde_json::from_str(&text).unwrap();
            let scroll = answer["_scroll_id"].clone();
            if answer["hits"]["hits"].as_array().unwrap().is_empty() {
                self.call("DELETE", "/_search/scroll", Some(&json!({ "scroll_id": scroll })));
                return;
            }
            visit(&text);
            (status, text) =
                self.call("POST", "/_search/scroll", Some(&json!({ "scroll": "2m", "scroll_id": scroll })));
        }
    }

    fn elastic_count(&self, service: &str, query: &Value) -> u64 {
        let index = index_of(service);
        self.refresh(&index);
        let path = format!("/{index}/_count?ignore_unavailable=true");
        let (status, text) = self.call("POST", &path, Some(&json!({ "query": query })));
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()["count"].as_u64().unwrap()
    }

    fn refresh(&self, index: &str) {
        let (status, text) = self.call("POST", &format!("/{index}/_refresh?ignore_unavailable=true"), None);
        assert!(status == 200 || status == 404, "{text}");
    }

    fn loki_get(&self, path: &str, parameters: &[(&str, String)]) -> Value {
        let mut arguments = vec!["-G".to_owned()];
        for (name, value) in parameters {
            arguments.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        let (status, text) = self.curl(path, &arguments);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A page begins with the ns that ended the one before: entries may share it. Those seen already are left out.
    fn each_loki_page(&self, service: &str, visit: &mut dyn FnMut(&[Entry])) {
        let (mut start, end) = window_ns();
        let mut seen: Vec<Entry> = Vec::new();
        loop {
            let page = self.loki_page(service, &start, &end);
            let mut fresh = page.clone();
            for entry in &seen {
                fresh.remove(fresh.iter().position(|one| one == entry).expect("what was there is there"));
            }
            visit(&fresh);
            let Some((last, ..)) = page.last().filter(|_| page.len() == LOKI_PAGE) else { return };
            assert_ne!(*last, start, "more than a page of entries share one ns");
            start = last.clone();
            seen = page.into_iter().filter(|(ns, ..)| *ns == start).collect();
        }
    }

    /// In the order of time: Loki answers stream by stream, and itself splits busy streams into several.
    fn loki_page(&self, service: &str, start: &str, end: &str) -> Vec<Entry> {
        let parameters = [
            ("query", format!("{{service_name=\"{service}\"}}")),
            ("start", start.to_owned()),
            ("end", end.to_owned()),
            ("limit", LOKI_PAGE.to_string()),
            ("direction", "forward".to_owned()),
        ];
        let answer = self.loki_get("/loki/api/v1/query_range", &parameters);
        let mut entries = Vec::new();
        for stream in answer["data"]["result"].as_array().unwrap() {
            let (labels, text) = (stream["stream"].to_string(), |value: &Value| value.as_str().unwrap().to_owned());
            let values = stream["values"].as_array().unwrap();
            entries.extend(values.iter().map(|pair| (text(&pair[0]), text(&pair[1]), labels.clone())));
        }
        entries.sort();
        entries
    }

    fn loki_count(&self, query: &str) -> u64 {
        let query = format!("sum(count_over_time({query} [{}s]))", 2 * WINDOW_MS / 1000);
        let at = (now_ms() + WINDOW_MS) * 1_000_000;
        let answer = self.loki_get("/loki/api/v1/query", &[("query", query), ("time", at.to_string())]);
        let value = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
        value.parse().unwrap()
    }
}

/// What the environment names, for a test that cannot do without.
#[track_caller]
pub fn address(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: tests/run starts the engines and sets it"))
}

/// The agent's default index, of every day.
fn index_of(service: &str) -> String {
    format!("logferry-{service}-*")
}

fn window_ns() -> (String, String) {
    let now = now_ms();
    (((now - WINDOW_MS) * 1_000_000).to_string(), ((now + WINDOW_MS) * 1_000_000).to_string())
}

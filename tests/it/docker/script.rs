//! An engine by script, for what a real one cannot be made to show: one container whose log a test writes with times of
//! its own choice, as a json-file and through the API. Answers what the agent asks for, and nothing else.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One message of the log.
#[derive(Clone, Debug)]
pub struct Message {
    /// 1 for standard output, 2 for standard error.
    pub stream: u8,
    pub ns: i64,
    pub text: String,
}

/// The engine. Its threads end with the test's process.
pub struct Script {
    folder: tempfile::TempDir,
    log: Arc<Mutex<Vec<Message>>>,
    file: File,
}

impl Script {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lf-s.").tempdir_in("/tmp").unwrap();
        let file = File::options().create(true).append(true).open(json_file(folder.path())).unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let script = Self { folder, log: Arc::default(), file };
        let (log, path) = (Arc::clone(&script.log), json_file(script.folder.path()));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (log, path) = (Arc::clone(&log), path.clone());
                // An agent that is killed reads no more.
                std::thread::spawn(move || answer(&mut connection?, &log, &path));
            }
        });
        script
    }

    pub fn host(&self) -> String {
        format!("unix://{}/s", self.folder.path().display())
    }

    /// The container says this, to whoever asks and in the file.
    pub fn say(&mut self, message: Message) {
        let Message { stream, ns, text } = &message;
        let (text, stream) = (serde_json::to_string(text).unwrap(), ["stdout", "stderr"][usize::from(*stream) - 1]);
        // As Go's RFC3339Nano: no zeros at the end of the fraction.
        let time = jiff::Timestamp::from_nanosecond(i128::from(*ns)).unwrap();
        let line = format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n");
        self.log.lock().unwrap().push(message);
        self.file.write_all(line.as_bytes()).unwrap();
    }
}

fn json_file(folder: &Path) -> PathBuf {
    folder.join("c-json.log")
}

fn answer(connection: &mut UnixStream, log: &Mutex<Vec<Message>>, path: &Path) -> std::io::Result<()> {
    let head = head_of(connection)?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    let id = "c".repeat(64);
    let body = match target.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default() {
        "_ping" => "OK".to_owned(),
        "version" => r#"{"ApiVersion":"1.41"}"#.to_owned(),
        "info" => format!("{{\"SystemTime\":\"{}\"}}", jiff::Timestamp::now()),
        "events" => return hold(connection),
        "logs" => return send_log(connection, log, target),
        "json" if target.contains(&id) => format!(
            "{{\"Name\":\"/box\",\"State\":{{\"Running\":true}},\"Config\":{{\"Tty\":false}},\"LogPath\":{path:?},\
             \"HostConfig\":{{\"LogConfig\":{{\"Type\":\"json-file\"}}}}}}"
        ),
        "json" => format!("[{{\"Id\":\"{id}\",\"State\":\"running\"}}]"),
        other => panic!("nobody has asked for {other} before"),
    };
    let length = body.len();
    write!(connection, "{OK}Content-Length: {length}\r\n\r\n{body}")
}

const OK: &str = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nConnection: close\r\n";

fn head_of(connection: &mut UnixStream) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Nothing happens any more.
fn hold(connection: &mut UnixStream) -> std::io::Result<()> {
    write!(connection, "{OK}\r\n")?;
    connection.read(&mut [0]).map(drop)
}

/// From the first message at or after `since` on, whatever the times of those behind it are; then, if wanted, what
/// comes. Or only the last message.
fn send_log(connection: &mut UnixStream, log: &Mutex<Vec<Message>>, target: &str) -> std::io::Result<()> {
    write!(connection, "{OK}\r\n")?;
    let of = |key: &str| target.split(['?', '&']).find_map(|pair| pair.strip_prefix(key));
    let since = of("since=").map_or(0, |text| text.replace('.', "").parse::<i64>().unwrap());
    let held = log.lock().unwrap().clone();
    let first = held.iter().position(|message| message.ns >= since).unwrap_or(held.len());
    let mut at = if of("tail=").is_some() { first.max(held.len().saturating_sub(1)) } else { first };
    loop {
        let new = log.lock().unwrap()[at..].to_vec();
        at += new.len();
        new.iter().try_for_each(|message| connection.write_all(&frame(message)))?;
        if of("follow=") != Some("1") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn frame(message: &Message) -> Vec<u8> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(message.ns)).unwrap();
    let payload = format!("{time:.9} {}", message.text);
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[message.stream, 0, 0, 0], &length[..], payload.as_bytes()].concat()
}

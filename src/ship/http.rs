//! Requests to a store that has one or several addresses, and its answers as bytes. Does not judge answers: no status
//! code is compared here.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};

use super::credentials::Credentials;
use super::{Config, tls};
use crate::base::clock;
use crate::base::failpoint;
use crate::base::fault::Fault;
use crate::base::secret::Secret;
use crate::output::Response;

/// Whoever is connected to nothing for so long has no store there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer answers are not read on: the request is sent in halves instead.
const LONGEST_ANSWER: usize = 16 << 20;

/// What hyper-util's connector calls a name that has no address; it has no type for that.
const UNKNOWN_HOST: &str = "dns error";

/// A client of one store.
#[derive(Debug)]
pub(super) struct Client {
    /// Made anew when its certificates change.
    http: Mutex<Http>,
    config: Config,
    needs_tls: bool,
    addresses: Vec<Url>,
    current: AtomicUsize,
    credentials: Credentials,
}

/// What sends, and a fingerprint of the certificates and the key that it was made with.
#[derive(Debug)]
struct Http {
    client: reqwest::Client,
    files: u64,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Path and query below the store's URL, beginning with a slash.
    pub(super) path: &'a str,
    pub(super) headers: HeaderMap,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    pub(super) gzip: bool,
}

impl Request<'_> {
    /// A request without a body.
    pub(super) fn get(path: &str) -> Request<'_> {
        Request {
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            content_type: "",
            body: Bytes::new(),
            gzip: false,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// Where a redirect points, without user, password and query.
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The same, as `output` reads it.
    pub(super) fn response(&self) -> Response<'_> {
        let retry_after = self.retry_after.as_deref();
        Response { status: self.status, retry_after, now_ms: clock::now_ms(), body: &self.body }
    }
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Silence {
    /// No connection: the store has seen nothing of the request.
    Unreachable(String),
    /// Nobody knows an address for the host's name.
    UnknownHost(String),
    /// The two cannot trust each other. Nothing was sent.
    Distrust(String),
    /// It broke off or took too long: the store may have done all of it.
    Lost(String),
    /// The answer does not end.
    TooLong,
}

impl Silence {
    /// What is known, in one sentence.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::UnknownHost(reason) | Self::Distrust(reason) | Self::Lost(reason) => {
                reason
            }
            Self::TooLong => "the answer does not end",
        }
    }

    /// What to do, where a person must do something.
    pub(super) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownHost(_) => {
                Some("check the host's name in the url of this output, and this host's name service")
            }
            Self::Distrust(_) => {
                Some("give the store's authority as tls_ca, and tls_cert with tls_key where the store asks for them")
            }
            Self::Unreachable(_) | Self::Lost(_) | Self::TooLong => None,
        }
    }
}

impl Client {
    /// A client for the store of `config`.
    pub(super) fn new(config: &Config) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut from_url = None;
        let mut addresses = Vec::new();
        for text in config.url.all() {
            match address(text) {
                Ok((url, user)) => {
                    addresses.push(url);
                    from_url = from_url.or(user);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if config.url.all().is_empty() {
            faults.push(Fault::new("url", "is missing").hint("for example url = \"http://127.0.0.1:9200\""));
        }
        let needs_tls = addresses.iter().any(|url| url.scheme() == "https");
        let tls = tls::client_config(config, needs_tls).map_err(|more| faults.extend(more));
        let credentials = Credentials::new(config, from_url).map_err(|more| faults.extend(more));
        match (tls, credentials) {
            (Ok(tls), Ok(credentials)) if faults.is_empty() => {
                let client = build(config, tls).map_err(|fault| vec![fault])?;
                let http = Mutex::new(Http { client, files: tls::fingerprint(config) });
                let current = AtomicUsize::new(0);
                Ok(Self { http, config: config.clone(), needs_tls, addresses, current, credentials })
            }
            _ => Err(faults),
        }
    }

    /// How many addresses there are.
    pub(super) fn addresses(&self) -> u32 {
        u32::try_from(self.addresses.len()).unwrap_or(u32::MAX)
    }

    /// The address in use, fit for a log.
    pub(super) fn address(&self) -> &str {
        self.addresses[self.index()].as_str().trim_end_matches('/')
    }

    /// Goes on with the next address.
    pub(super) fn turn(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads credentials and certificates again. Whether any changed; what cannot be read, or does not fit together yet,
    /// leaves all as it was.
    pub(super) fn refresh(&self) -> bool {
        let have_changed = self.credentials.refresh();
        self.refresh_certificates() || have_changed
    }

    fn refresh_certificates(&self) -> bool {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        let files = tls::fingerprint(&self.config);
        if files == http.files {
            return false;
        }
        let Ok(tls) = tls::client_config(&self.config, self.needs_tls) else { return false };
        let Ok(client) = build(&self.config, tls) else { return false };
        *http = Http { client, files };
        true
    }

    /// Sends a request and reads the answer.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Reply, Silence> {
        let url = format!("{}{}", self.address(), request.path);
        let client = self.http.lock().unwrap_or_else(PoisonError::into_inner).client.clone();
        let mut builder = client
            .request(request.method.clone(), url)
            .headers(self.credentials.headers())
            .headers(request.headers.clone());
        if !request.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, request.content_type).body(request.body.clone());
        }
        if request.gzip {
            builder = builder.header(CONTENT_ENCODING, "gzip");
        }
        let mut response = builder.send().await.map_err(silence)?;
        failpoint::hit("sent");
        let mut reply = Reply {
            status: response.status().as_u16(),
            retry_after: text_of(response.headers(), RETRY_AFTER.as_str()),
            location: text_of(response.headers(), LOCATION.as_str()).map(|location| without_secrets(&location)),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(silence)? {
            if reply.body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Silence::TooLong);
            }
            reply.body.extend_from_slice(&chunk);
        }
        Ok(reply)
    }

    fn index(&self) -> usize {
        self.current.load(Ordering::Relaxed) % self.addresses.len()
    }
}

fn build(config: &Config, tls: rustls::ClientConfig) -> Result<reqwest::Client, Fault> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("logferry/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(config.timeout.0))
        .timeout(config.timeout.0)
        .pool_max_idle_per_host(4)
        .build()
        .map_err(|error| Fault::new("url", format!("cannot make an HTTP client: {}", causes(&error))))
}

/// A URL without what must not be logged, and the user and password that it held.
fn address(text: &str) -> Result<(Url, Option<(String, Secret)>), Fault> {
    let wrong = |message: &str| Fault::new("url", message).hint("write it as http://HOST:PORT or https://HOST:PORT");
    // The text itself is not repeated: it may hold a password.
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    let user = match (decoded(url.username()), url.password().map(decoded)) {
        (username, _) if username.is_empty() => None,
        (username, password) => Some((username, Secret::new(password.unwrap_or_default()))),
    };
    if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
        return Err(wrong("has no host"));
    }
    Ok((url, user))
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn without_secrets(location: &str) -> String {
    match address(location.split(['?', '#']).next().unwrap_or_default()) {
        Ok((url, _)) => url.to_string(),
        Err(_) => "another path".to_owned(),
    }
}

fn silence(error: reqwest::Error) -> Silence {
    let error = error.without_url();
    let reason = causes(&error);
    if is_distrust(&error) {
        return Silence::Distrust(reason);
    }
    match error.is_connect() {
        true if reason.contains(UNKNOWN_HOST) => Silence::UnknownHost(reason),
        true => Silence::Unreachable(reason),
        false => Silence::Lost(reason),
    }
}

/// rustls errors travel inside `io::Error`s, perhaps one within the other, whose own `source` skips them.
fn is_distrust(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<rustls::Error>() {
            return true;
        }
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        source = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source());
    }
    false
}

/// An error with all its causes, in one line.
fn causes(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_lose_their_secrets() {
        let (url, user) = address("https://us%40er:p%3Aw@host:9200/store").unwrap();
        assert_eq!(url.as_str(), "https://host:9200/store");
        assert_eq!(user, Some(("us@er".to_owned(), Secret::new("p:w"))));
        for (text, message) in [
            ("host:9200", "is neither http nor https"),
            ("no url, hunter2", "is not a URL: relative URL without a base"),
            ("http://host/?q=1", "has a query or a fragment"),
        ] {
            assert_eq!(address(text).unwrap_err().message, message);
        }
        assert_eq!(without_secrets("https://u:p@h/login?token=1"), "https://h/login");
        assert_eq!(without_secrets("/login?token=1"), "another path");
    }

    #[test]
    fn all_faults_of_a_destination_are_found_at_once() {
        let text = "url = ['ftp://h', 'http://h']\nusername = 'u'\ntls_cert = '/nowhere'";
        let faults = Client::new(&toml::from_str(text).unwrap()).unwrap_err();
        let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["url", "tls_cert", "username"]);
        assert_eq!(Client::new(&Config::default()).unwrap_err()[0].message, "is missing");
    }
}

//! Who the agent says it is: the headers that every request carries. Does not decide when they are read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::Config;
use crate::base::fault::Fault;
use crate::base::secret::{Secret, Written};

/// The headers that say who the agent is.
#[derive(Debug)]
pub(super) struct Credentials {
    username: Option<String>,
    password: Option<Written>,
    api_key: Option<Written>,
    bearer: Option<Written>,
    tenant: Option<String>,
    others: BTreeMap<String, Written>,
    headers: Mutex<HeaderMap>,
}

impl Credentials {
    /// Reads all secrets once. `from_url` is what a URL held before its `@`.
    pub(super) fn new(config: &Config, from_url: Option<(String, Secret)>) -> Result<Self, Vec<Fault>> {
        let (username, password) = match from_url {
            Some((username, password)) if config.username.is_none() => (Some(username), Some(Written::Text(password))),
            _ => (config.username.clone(), config.password.clone()),
        };
        let credentials = Self {
            username,
            password,
            api_key: config.api_key.clone(),
            bearer: config.bearer.clone(),
            tenant: config.tenant.clone(),
            others: config.headers.clone(),
            headers: Mutex::default(),
        };
        let mut faults = credentials.contradictions();
        match credentials.build() {
            Ok(headers) => credentials.put(headers),
            Err(fault) => faults.push(fault),
        }
        if faults.is_empty() { Ok(credentials) } else { Err(faults) }
    }

    /// The headers as last read.
    pub(super) fn headers(&self) -> HeaderMap {
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the secrets again. Whether they are others than before; unreadable ones leave all as it was.
    pub(super) fn refresh(&self) -> bool {
        let Ok(headers) = self.build() else { return false };
        let changed = *self.headers.lock().unwrap_or_else(PoisonError::into_inner) != headers;
        self.put(headers);
        changed
    }

    fn put(&self, headers: HeaderMap) {
        *self.headers.lock().unwrap_or_else(PoisonError::into_inner) = headers;
    }

    fn contradictions(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        match (&self.username, &self.password) {
            (Some(_), None) => faults.push(Fault::new("username", "a username without a password")),
            (None, Some(_)) => faults.push(Fault::new("password", "a password without a username")),
            _ => {}
        }
        let ways = [self.username.is_some(), self.api_key.is_some(), self.bearer.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            let message = "more than one of username, api_key and bearer";
            faults.push(Fault::new("", message).hint("a request carries one of them: keep one"));
        }
        faults
    }

    fn build(&self) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        if let Some((key, value)) = self.authorization()? {
            headers.insert(AUTHORIZATION, sensitive(key, &value)?);
        }
        if let Some(tenant) = &self.tenant {
            headers.insert("x-scope-orgid", sensitive("tenant", tenant)?);
        }
        for (name, value) in &self.others {
            let key = format!("headers.{name}");
            let value = value.read().map_err(|message| Fault::new(key.as_str(), message))?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Fault::new(key.as_str(), "not a name of an HTTP header"))?;
            headers.insert(name, sensitive(&key, value.expose())?);
        }
        Ok(headers)
    }

    fn authorization(&self) -> Result<Option<(&'static str, String)>, Fault> {
        let read = |key: &'static str, written: &Written| written.read().map_err(|message| Fault::new(key, message));
        if let (Some(username), Some(password)) = (&self.username, &self.password) {
            let pair = format!("{username}:{}", read("password", password)?.expose());
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            return Ok(Some(("password", format!("Basic {encoded}"))));
        }
        if let Some(key) = &self.api_key {
            return Ok(Some(("api_key", format!("ApiKey {}", read("api_key", key)?.expose()))));
        }
        if let Some(token) = &self.bearer {
            return Ok(Some(("bearer", format!("Bearer {}", read("bearer", token)?.expose()))));
        }
        Ok(None)
    }
}

fn sensitive(key: &str, value: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Fault::new(key, "holds a character that HTTP headers cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_text_or_a_file_and_is_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "from-file\n").unwrap();
        let text = format!("username = 'u'\npassword = {{ file = '{}' }}", path.display());
        let config: Config = toml::from_str(&text).unwrap();
        let credentials = Credentials::new(&config, None).unwrap();
        assert_eq!(credentials.headers()[AUTHORIZATION], "Basic dTpmcm9tLWZpbGU=");
        assert!(!credentials.refresh());
        std::fs::write(&path, "other").unwrap();
        assert!(credentials.refresh());
        assert_eq!(credentials.headers()[AUTHORIZATION], "Basic dTpvdGhlcg==");
        assert!(!format!("{credentials:?}").contains("dTpvdGhlcg"));
        std::fs::remove_file(&path).unwrap();
        assert!(!credentials.refresh(), "an absent file changes nothing");
    }

    #[test]
    fn a_secret_is_nothing_else() {
        for value in ["['/s3cr3t']", "[]", "{ fil = '/s3cr3t' }", "{ file = '/x', more = '/s3cr3t' }", "{}", "1"] {
            let error = toml::from_str::<Config>(&format!("bearer = {value}")).unwrap_err();
            assert_eq!(error.message(), "expected a string, or { file = \"PATH\" }", "{value}");
        }
    }

    #[test]
    fn contradictions_and_unreadable_secrets_are_faults() {
        for (text, key) in [
            ("username = 'u'", "username"),
            ("password = 'p'", "password"),
            ("bearer = 'b'\napi_key = 'k'", ""),
            ("bearer = { file = '/nowhere/at/all' }", "bearer"),
            ("bearer = \"a\\nb\"", "bearer"),
            ("headers = { 'a b' = 'c' }", "headers.a b"),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            let faults = Credentials::new(&config, None).unwrap_err();
            assert_eq!(faults[0].key, key, "{text}");
        }
    }
}

//! Who the agent says it is, as a store sees it: each kind of credential, and a wrong one that is mended in its file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bulk::{Documents, bulk, plain};
use super::push::push;
use super::server::{Server, say};
use super::{counts, destination, ship};
use crate::base::metrics::Metric;

/// What the store saw for `Authorization`, in the order of the requests. It takes only `right`; at the first refusal
/// `mend` is called.
async fn seen(kind: &str, more: &str, right: &'static str, mend: impl Fn() + Send + 'static) -> Vec<Option<String>> {
    let store = Documents::default();
    let server = Server::start(move |seen| match seen.authorization.as_deref() {
        Some(given) if given == right && kind_of(&seen.path) == "loki" => say(204, ""),
        Some(given) if given == right => plain(&store, seen),
        _ => {
            mend();
            say(401, "who are you?")
        }
    })
    .await;
    let state = tempfile::tempdir().unwrap();
    let (destination, _) = destination(kind, &format!("'{}'", server.url), more, state.path());
    let batch = if kind == "loki" { push(6) } else { bulk(0..6) };
    assert_eq!(ship(&destination, vec![batch]).await, counts(6, 0, 0), "{kind} {more}");
    server.seen().into_iter().map(|seen| seen.authorization).collect()
}

fn kind_of(path: &str) -> &'static str {
    if path.starts_with("/loki/") { "loki" } else { "bulk" }
}

/// RFC 7617, RFC 6750, and Elasticsearch's own `ApiKey`.
#[tokio::test]
async fn each_kind_of_credential_has_its_header() {
    let rows = [
        ("elasticsearch", "username = 'u'\npassword = 'p:w é'", "Basic dTpwOncgw6k="),
        ("elasticsearch", "api_key = 'aWQ6a2V5'", "ApiKey aWQ6a2V5"),
        ("elasticsearch", "bearer = 'token-1'", "Bearer token-1"),
        ("opensearch", "username = 'u'\npassword = 'p'", "Basic dTpw"),
        ("opensearch", "bearer = 'token-1'", "Bearer token-1"),
        ("loki", "username = 'u'\npassword = 'p'", "Basic dTpw"),
        ("loki", "bearer = 'token-1'", "Bearer token-1"),
        ("loki", "headers = { Authorization = 'Custom x' }", "Custom x"),
    ];
    for (kind, more, right) in rows {
        assert_eq!(seen(kind, more, right, || {}).await, [Some(right.to_owned())], "{kind} {more}");
    }
}

/// E5: a key that has expired is read again from its file while the output is held.
#[tokio::test]
async fn an_expired_credential_is_read_again_from_its_file() {
    let rows = [
        ("elasticsearch", "api_key", "", "ApiKey "),
        ("elasticsearch", "bearer", "", "Bearer "),
        ("loki", "bearer", "", "Bearer "),
        ("loki", "password", "username = 'u'\n", "Basic dTpu"),
    ];
    for (kind, key, more, scheme) in rows {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "old\n").unwrap();
        let more = format!("{more}{key} = {{ file = '{}' }}", file.display());
        let right =
            if key == "password" { "Basic dTpuZXc=" } else { Box::leak(format!("{scheme}new").into_boxed_str()) };
        let seen = seen(kind, &more, right, move || std::fs::write(&file, "new\n").unwrap()).await;
        assert_eq!(seen.len(), 2, "{kind} {key}: {seen:?}");
        assert!(seen[1].as_deref().unwrap().starts_with(scheme), "{kind} {key}: {seen:?}");
    }
}

/// The words of a refusal reach the log; what was sent does not.
#[tokio::test]
async fn a_refused_credential_is_in_no_reason() {
    let server = Server::start(|_| say(401, "no")).await;
    let state = tempfile::tempdir().unwrap();
    let (destination, metrics) =
        destination("elasticsearch", &format!("'{}'", server.url), "api_key = 'S3CR3T'", state.path());
    let shipping = tokio::spawn({
        let destination = Arc::clone(&destination);
        async move { ship(&destination, vec![bulk(0..1)]).await }
    });
    let begin = Instant::now();
    while metrics.total(Metric::Held) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let held = destination.is_held().unwrap();
    assert!(held.contains("401") && !held.contains("S3CR3T"), "{held}");
    shipping.abort();
}

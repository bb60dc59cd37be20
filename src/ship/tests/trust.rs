//! TLS from end to end: whom the client trusts, and that it shows its own certificate. The files in `pem/` are for
//! these tests only and are good for a hundred years.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::super::Config;
use super::super::http::{Client, Request, Silence};
use super::bulk::bulk;
use super::{counts, destination, ship};
use crate::base::metrics::Metric;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ship/tests/pem");

/// What a store says that took one document.
const TAKEN: &str = r#"{"errors":false,"items":[{"create":{"status":201}}]}"#;

/// Answers every request by 200. With `mutual` only those who show a certificate of the test's authority.
fn serve(mutual: bool) -> String {
    let provider = Arc::new(ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(format!("{FOLDER}/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(format!("{FOLDER}/server.key")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(format!("{FOLDER}/ca.pem")).unwrap()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = match mutual {
        false => builder.unwrap().with_no_client_auth(),
        true => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.unwrap().with_client_cert_verifier(verifier)
        }
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", TAKEN.len());
                let _ = stream.write_all((head + TAKEN).as_bytes());
            }
        }
    });
    url
}

#[tokio::test]
async fn only_who_is_trusted_is_spoken_to() {
    let ca = format!("tls_ca = '{FOLDER}/ca.pem'");
    let own = format!("{ca}\ntls_cert = '{FOLDER}/server.pem'\ntls_key = '{FOLDER}/server.key'");
    let rows = [
        (false, "", false),
        (false, ca.as_str(), true),
        (false, "tls_insecure = true", true),
        (true, ca.as_str(), false),
        (true, own.as_str(), true),
    ];
    for (mutual, more, is_trusted) in rows {
        let config: Config = toml::from_str(&format!("url = '{}'\ntimeout = '5s'\n{more}", serve(mutual))).unwrap();
        match Client::new(&config).unwrap().send(&Request::get("/")).await {
            Ok(reply) => assert!(is_trusted && reply.body == TAKEN.as_bytes(), "{mutual} {more}"),
            Err(Silence::Distrust(reason)) => assert!(!is_trusted, "{mutual} {more}: {reason}"),
            Err(other) => panic!("{mutual} {more}: {other:?}"),
        }
    }
}

/// E9: the store gets another authority, or the agent's certificate is replaced. The new file is read while the output
/// is held, also when certificate and key do not come at once.
#[tokio::test]
async fn certificates_that_are_replaced_on_disk_are_used_at_once() {
    for mutual in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let place = |from: &str, to: &str| {
            std::fs::copy(format!("{FOLDER}/{from}"), folder.path().join(to)).unwrap();
        };
        place(if mutual { "ca.pem" } else { "stranger.pem" }, "ca.pem");
        place("stranger.pem", "own.pem");
        place("stranger.key", "own.key");
        let path = folder.path().display();
        let mut more = format!("tls_ca = '{path}/ca.pem'");
        if mutual {
            more += &format!("\ntls_cert = '{path}/own.pem'\ntls_key = '{path}/own.key'");
        }
        let state = tempfile::tempdir().unwrap();
        let (destination, metrics) = destination("elasticsearch", &format!("'{}'", serve(mutual)), &more, state.path());
        let shipping = tokio::spawn({
            let destination = Arc::clone(&destination);
            async move { ship(&destination, vec![bulk(0..1)]).await }
        });
        let begin = std::time::Instant::now();
        while metrics.total(Metric::Requests) < 3 {
            assert!(begin.elapsed().as_secs() < 20 && !shipping.is_finished(), "mutual {mutual}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(destination.is_held().is_some(), "mutual {mutual}");
        place("ca.pem", "ca.pem");
        place("server.pem", "own.pem");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        place("server.key", "own.key");
        assert_eq!(shipping.await.unwrap(), counts(1, 0, 0), "mutual {mutual}");
        assert_eq!(destination.is_held(), None);
    }
}

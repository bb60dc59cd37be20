//! Whom the agent trusts and by what certificate it is known: rustls settings. Opens no connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use xxhash_rust::xxh3::Xxh3;

use super::Config;
use crate::base::fault::Fault;

/// The settings for one destination. `needed`: one of its URLs is `https`; else no root is loaded.
pub(super) fn client_config(config: &Config, needed: bool) -> Result<ClientConfig, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut roots = if needed && !config.tls_insecure { system_roots() } else { RootCertStore::empty() };
    if let Some(path) = &config.tls_ca {
        match certificates("tls_ca", path) {
            Ok(own) => drop(roots.add_parsable_certificates(own)),
            Err(fault) => faults.push(fault),
        }
    }
    let identity = identity(config).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    assemble(roots, identity, config.tls_insecure).map_err(|fault| vec![fault])
}

/// Tells whether the certificates and the key have changed on disk. What cannot be read counts as empty.
pub(super) fn fingerprint(config: &Config) -> u64 {
    let mut hasher = Xxh3::new();
    for path in [&config.tls_ca, &config.tls_cert, &config.tls_key].into_iter().flatten() {
        let bytes = std::fs::read(path).unwrap_or_default();
        hasher.update(&bytes.len().to_le_bytes());
        hasher.update(&bytes);
    }
    hasher.digest()
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn assemble(roots: RootCertStore, identity: Option<Identity>, insecure: bool) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new("", format!("cannot set up TLS: {error}")))?;
    let builder = if insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
    } else {
        builder.with_root_certificates(roots)
    };
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| Fault::new("tls_cert", format!("does not fit tls_key: {error}"))),
    }
}

/// The system's authorities; the embedded ones where an image has none.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn identity(config: &Config) -> Result<Option<Identity>, Fault> {
    let one_without = |given: &str, absent: &str| Err(Fault::new(given, format!("{given} without {absent}")));
    match (&config.tls_cert, &config.tls_key) {
        (None, None) => Ok(None),
        (Some(_), None) => one_without("tls_cert", "tls_key"),
        (None, Some(_)) => one_without("tls_key", "tls_cert"),
        (Some(cert), Some(key)) => Ok(Some((certificates("tls_cert", cert)?, private_key(key)?))),
    }
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let unreadable = |error| Fault::new(key, format!("cannot read {}: {error}", path.display()));
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    match all.map_err(unreadable)? {
        none if none.is_empty() => Err(Fault::new(key, format!("{} has no certificate in PEM form", path.display()))),
        some => Ok(some),
    }
}

fn private_key(path: &PathBuf) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Fault::new("tls_key", format!("cannot read {}: {error}", path.display())))
}

/// For `tls_insecure`: any certificate will do, but whoever shows it must hold its key.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_are_faults_all_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        let config = Config { tls_ca: Some(empty.clone()), tls_cert: Some(empty), ..Config::default() };
        let faults = client_config(&config, true).unwrap_err();
        assert_eq!(faults.iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), ["tls_ca", "tls_cert"]);
        assert!(client_config(&Config::default(), true).is_ok());
    }
}

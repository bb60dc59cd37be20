//! Connections to the engine: a socket, TCP, or TCP behind TLS. Knows no request and judges no answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::Config;
use super::api::Error;

/// Bytes that a connection buffers: there is one a running container.
const BUFFER_BYTES: usize = 64 * 1024;

/// Where the engine listens.
#[derive(Clone)]
pub enum Address {
    /// A socket file.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
    /// The same behind TLS.
    Tls {
        /// `host:port`.
        authority: String,
        /// What the engine's certificate must be for.
        name: ServerName<'static>,
        /// Whom to trust, and by what certificate the agent is known.
        settings: Arc<rustls::ClientConfig>,
    },
}

impl Address {
    /// The address `host` as the user writes it. `folder` is `DOCKER_CERT_PATH` where TLS is asked for.
    ///
    /// # Errors
    /// When the address or a TLS file cannot be used.
    pub fn new(host: &str, config: &Config, folder: Option<&Path>) -> Result<Self, Error> {
        let wrong = |cause: &str| Error::Address { host: host.to_owned(), cause: cause.to_owned() };
        if let Some(path) = host.strip_prefix("unix://") {
            return if path.is_empty() { Err(wrong("the path is missing")) } else { Ok(Self::Unix(path.into())) };
        }
        let (scheme, rest) = host.split_once("://").ok_or_else(|| wrong("write unix:///path or tcp://host:port"))?;
        let is_tls = match scheme {
            "https" => true,
            "tcp" => folder.is_some() || config.tls_ca.is_some() || config.tls_cert.is_some(),
            "http" => false,
            _ => return Err(wrong("it begins with none of unix://, tcp://, http:// and https://")),
        };
        let uri: Uri = rest.trim_end_matches('/').parse().map_err(|_| wrong("it is not host:port"))?;
        let name = uri.host().filter(|name| !name.is_empty()).ok_or_else(|| wrong("the host is missing"))?;
        let authority = format!("{name}:{}", uri.port_u16().unwrap_or(if is_tls { 2376 } else { 2375 }));
        if !is_tls {
            return Ok(Self::Tcp(authority));
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(bare).map_err(|_| wrong("its host is not a name that a certificate can have"))?;
        Ok(Self::Tls { authority, name, settings: Arc::new(tls(config, folder)?) })
    }

    /// Sends one request on a connection of its own, which lives as long as the answer's body.
    pub async fn send<B>(&self, mut request: Request<B>) -> std::io::Result<Response<Incoming>>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>().map_err(std::io::Error::other)?;
        let host = match self {
            Self::Unix(_) => "docker",
            Self::Tcp(authority) | Self::Tls { authority, .. } => authority,
        };
        request.headers_mut().insert(HOST, HeaderValue::from_str(host).map_err(std::io::Error::other)?);
        match self {
            Self::Unix(path) => exchange(UnixStream::connect(path).await?, request).await,
            Self::Tcp(authority) => exchange(TcpStream::connect(authority).await?, request).await,
            Self::Tls { authority, name, settings } => {
                let connection = TcpStream::connect(authority).await?;
                let connector = TlsConnector::from(Arc::clone(settings));
                exchange(connector.connect(name.clone(), connection).await?, request).await
            }
        }
    }
}

async fn exchange<S, B>(stream: S, request: Request<B>) -> std::io::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    // Ends with the answer's body; a fault of the connection shows there.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    sender.send_request(request).await.map_err(std::io::Error::other)
}

fn tls(config: &Config, folder: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let file = |key, own: &Option<String>, name| {
        let path = own.as_ref().map(PathBuf::from).or_else(|| folder.map(|folder| folder.join(name)));
        path.map(|path| TlsFile { key, path })
    };
    let mut roots = rustls::RootCertStore::empty();
    match file("tls_ca", &config.tls_ca, "ca.pem") {
        Some(file) => {
            for certificate in file.certificates()? {
                roots.add(certificate).map_err(|error| file.wrong(&error))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Address { host: "tls".to_owned(), cause: error.to_string() })?
        .with_root_certificates(roots);
    let certificate = file("tls_cert", &config.tls_cert, "cert.pem");
    let key = file("tls_key", &config.tls_key, "key.pem");
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(builder.with_no_client_auth()) };
    let secret = PrivateKeyDer::from_pem_file(&key.path).map_err(|error| key.wrong(&error))?;
    builder.with_client_auth_cert(certificate.certificates()?, secret).map_err(|error| certificate.wrong(&error))
}

struct TlsFile {
    key: &'static str,
    path: PathBuf,
}

impl TlsFile {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let all = CertificateDer::pem_file_iter(&self.path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let all = all.map_err(|error| self.wrong(&error))?;
        if all.is_empty() { Err(self.wrong(&"it holds no certificate")) } else { Ok(all) }
    }

    fn wrong(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::Certificate { key: self.key, path: self.path.clone(), cause: cause.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_host_with_or_without_tls() {
        let with_ca = Config { tls_ca: Some("/nowhere/ca.pem".to_owned()), ..Config::default() };
        let plain = Config::default();
        for (host, config, told) in [
            ("unix:///run/x.sock", &plain, "unix /run/x.sock"),
            ("tcp://127.0.0.1:1234", &plain, "tcp 127.0.0.1:1234"),
            ("tcp://[::1]", &plain, "tcp [::1]:2375"),
            ("http://engine/", &with_ca, "tcp engine:2375"),
            ("https://engine", &plain, "tls engine:2376"),
            ("tcp://engine:99", &with_ca, "cannot use /nowhere/ca.pem: "),
            ("unix://", &plain, "cannot use \"unix://\" as the engine's address: the path is missing"),
            ("/run/x.sock", &plain, "cannot use \"/run/x.sock\" as the engine's address: write unix:///path or"),
            ("ssh://engine", &plain, "cannot use \"ssh://engine\" as the engine's address: it begins with none of"),
        ] {
            let found = match Address::new(host, config, None) {
                Ok(Address::Unix(path)) => format!("unix {}", path.display()),
                Ok(Address::Tcp(authority)) => format!("tcp {authority}"),
                Ok(Address::Tls { authority, .. }) => format!("tls {authority}"),
                Err(error) => error.to_string(),
            };
            assert!(found.starts_with(told), "{host}: {found}");
        }
    }
}

//! Streams to an origin (scheme, host, port): plain TCP, or TLS with the feature `tls`.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Bytes in both directions.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of a URL (`http`, `https`, `ws` or `wss`), and the path and query that follow it.
    pub(crate) fn parse(url: &str) -> Result<(Self, String), String> {
        let uri: hyper::Uri = url.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(format!("{url:?} has to begin with http:// or https://")),
        };
        if tls && cfg!(not(feature = "tls")) {
            return Err(format!("{url:?}: this build has no TLS"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(format!("{url:?} names no host"))?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok((Self { tls, host: host.to_owned(), port }, path))
    }

    /// For the header `Host`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Opens a stream.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        // An IPv6 address stands in brackets in a URL and without them elsewhere.
        let host = self.host.trim_matches(['[', ']']);
        let connecting = async {
            let stream = TcpStream::connect((host, self.port)).await?;
            // Frames are small and wait for answers.
            stream.set_nodelay(true)?;
            if self.tls { secure(host, stream).await } else { Ok(Box::new(stream) as Box<dyn ByteStream>) }
        };
        let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        tokio::time::timeout(CONNECT, connecting).await.unwrap_or_else(|_| Err(late()))
    }
}

#[cfg(feature = "tls")]
async fn secure(host: &str, stream: TcpStream) -> io::Result<Box<dyn ByteStream>> {
    use std::sync::{Arc, OnceLock};

    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let roots = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = match CONFIG.get() {
        Some(config) => config,
        None => {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?;
            CONFIG.get_or_init(|| Arc::new(builder.with_root_certificates(roots()).with_no_client_auth()))
        }
    };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
    Ok(Box::new(stream))
}

#[cfg(not(feature = "tls"))]
async fn secure(_: &str, _: TcpStream) -> io::Result<Box<dyn ByteStream>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this build has no TLS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_from_urls() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some(("127.0.0.1", 8080, "/"))),
            ("http://chat.example.org", Some(("chat.example.org", 80, "/"))),
            ("ws://[::1]:9/v1/ws?x=1", Some(("[::1]", 9, "/v1/ws?x=1"))),
            ("ftp://a", None),
            ("127.0.0.1:8080", None),
            ("http://", None),
            ("", None),
        ] {
            let parsed = Origin::parse(url).ok();
            let parts =
                parsed.as_ref().map(|(origin, path)| (origin.host.as_str(), origin.port, path.as_str()));
            assert_eq!(parts, expected, "{url:?}");
        }
        assert_eq!(Origin::parse("https://a").is_ok(), cfg!(feature = "tls"));
    }
}

//! TLS (RFC 8446) in front of the accept loop. Which certificate is served is decided outside and may change at any
//! moment: connections that are open keep what they began with.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, rustls::server::Acceptor};

/// HTTP/2, as ALPN calls it (RFC 9113, section 3.1).
const HTTP_2: &[u8] = b"h2";
/// HTTP/1.1, which sockets need (RFC 7301, section 6).
const HTTP_1: &[u8] = b"http/1.1";
/// A certificate authority that checks who answers for a name (RFC 8737).
const ACME: &[u8] = b"acme-tls/1";

/// How connections are encrypted.
#[derive(Clone)]
pub struct Tls {
    configs: watch::Receiver<Arc<ServerConfig>>,
}

/// What client and server agreed to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.1: also where the client asked for nothing.
    Http1,
    /// HTTP/2.
    Http2,
    /// Nothing: the handshake was a certificate authority's check.
    Check,
}

impl Tls {
    /// Every new connection takes the newest configuration.
    #[must_use]
    pub const fn new(configs: watch::Receiver<Arc<ServerConfig>>) -> Self {
        Self { configs }
    }

    /// What a configuration has to offer by ALPN; with `acme`, also that a certificate authority may check the name.
    #[must_use]
    pub fn protocols(acme: bool) -> Vec<Vec<u8>> {
        let offered: &[&[u8]] = if acme { &[HTTP_2, HTTP_1, ACME] } else { &[HTTP_2, HTTP_1] };
        offered.iter().map(|name| name.to_vec()).collect()
    }

    /// Shakes hands.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Spoken)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = Arc::clone(&self.configs.borrow());
        let stream = begun.into_stream(config).await?;
        let spoken = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP_2) => Spoken::Http2,
            Some(ACME) => Spoken::Check,
            _ => Spoken::Http1,
        };
        Ok((stream, spoken))
    }
}

//! Everything of the own account, as one archive.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;

use crate::transport::rest::Call;
use crate::{Client, Error};

/// How long the next piece may take.
const PIECE: Duration = Duration::from_secs(60);

/// An archive on its way, in the format of `docs/export.md`. It is whole if it verifies: one that the server could not
/// finish has no manifest.
#[derive(Debug)]
pub struct Archive {
    body: Incoming,
}

impl Archive {
    /// The next piece, for a file; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Offline`]: what came so far is not whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(PIECE, self.body.frame()).await;
            match frame.map_err(|_| Error::Offline("the archive stopped coming".to_owned()))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Error::Offline(error.to_string())),
                // Trailers hold nothing of the archive.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => return Ok(Some(bytes)),
                    Err(_) => continue,
                },
            }
        }
    }
}

impl Client {
    /// Everything that the server keeps of the own account (network). One at a time.
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn export(&self) -> Result<Archive, Error> {
        let call = Call {
            method: Method::GET,
            path: "/v1/me/export".to_owned(),
            body: None,
            idempotency_key: None,
            token: None,
        };
        Ok(Archive { body: self.sessions.stream(call).await? })
    }
}

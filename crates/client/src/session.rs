//! Who is signed in, and with which tokens: kept in the device store, refreshed by one call at a time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Method;
use hyper::body::Incoming;
use loquat_proto::account::{Refresh, Secret};
use loquat_proto::{Device, ErrorCode, OwnProfile, Session};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::Error;
use crate::random;
use crate::store::StoreHandle;
use crate::transport::RestTransport;
use crate::transport::rest::Call;

/// The name of the session among the store's settings.
pub(crate) const SETTING: &str = "session";

/// An access token that lives shorter than this is refreshed before it is used.
const MARGIN: Duration = Duration::from_secs(30);

/// What is stored of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) user: OwnProfile,
    pub(crate) device: Device,
    access_token: Secret,
    refresh_token: Option<Secret>,
    /// When the access token expires, by this device's clock, in milliseconds since the Unix epoch.
    expires_at: u64,
    /// The key of a refresh that was begun: a retry carries the same, so that a lost answer costs nothing.
    refresh_key: Option<String>,
}

impl Stored {
    fn new(session: Session) -> Self {
        Self {
            user: session.user,
            device: session.device,
            access_token: session.access_token,
            refresh_token: session.refresh_token,
            expires_at: now_ms() + session.expires_in.saturating_mul(1_000),
            refresh_key: None,
        }
    }

    fn is_fresh(&self) -> bool {
        self.expires_at > now_ms() + u64::try_from(MARGIN.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The session of a client, and the REST calls that are made in its name.
#[derive(Debug)]
pub(crate) struct Sessions {
    rest: RestTransport,
    store: StoreHandle,
    current: RwLock<Option<Arc<Stored>>>,
    /// Held while tokens are refreshed: others wait and take the new one.
    refreshing: Mutex<()>,
}

impl Sessions {
    pub(crate) fn new(rest: RestTransport, store: StoreHandle) -> Self {
        Self { rest, store, current: RwLock::new(None), refreshing: Mutex::new(()) }
    }

    pub(crate) fn current(&self) -> Option<Arc<Stored>> {
        self.current.read().clone()
    }

    /// Takes the stored session up, if there is one.
    pub(crate) async fn resume(&self) -> Result<Option<Arc<Stored>>, Error> {
        let stored: Option<Stored> = self.store.run(|store| store.setting(SETTING)).await?;
        let stored = stored.map(Arc::new);
        self.current.write().clone_from(&stored);
        Ok(stored)
    }

    /// Takes a fresh session over and stores it.
    pub(crate) async fn begin(&self, session: Session) -> Result<Arc<Stored>, Error> {
        self.save(Stored::new(session)).await
    }

    /// Forgets the session; the store is wiped by who ends it.
    pub(crate) fn end(&self) {
        *self.current.write() = None;
    }

    /// Takes a changed own profile over.
    pub(crate) async fn profile_changed(&self, user: OwnProfile) -> Result<(), Error> {
        let Some(current) = self.current() else { return Ok(()) };
        self.save(Stored { user, ..(*current).clone() }).await.map(|_| ())
    }

    /// A call that needs no session.
    pub(crate) async fn call_open<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        decode(&self.rest.call(&call).await?)
    }

    /// A call in the name of the user, with a JSON answer.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        decode(&self.call_raw(call).await?)
    }

    /// A call in the name of the user. An expired token is refreshed, and the call made once more.
    pub(crate) async fn call_raw(&self, mut call: Call) -> Result<Bytes, Error> {
        let session = self.fresh().await?;
        call.token = Some(session.access_token.clone());
        match self.rest.call(&call).await {
            Err(Error::Refused(problem)) if is_about_token(problem.code) => {
                let session = self.refresh(&session.access_token).await?;
                call.token = Some(session.access_token.clone());
                self.rest.call(&call).await
            }
            result => result,
        }
    }

    /// The same with an answer of any length, as it comes.
    pub(crate) async fn stream(&self, mut call: Call) -> Result<Incoming, Error> {
        let session = self.fresh().await?;
        call.token = Some(session.access_token.clone());
        match self.rest.stream(&call).await {
            Err(Error::Refused(problem)) if is_about_token(problem.code) => {
                let session = self.refresh(&session.access_token).await?;
                call.token = Some(session.access_token.clone());
                self.rest.stream(&call).await
            }
            result => result,
        }
    }

    /// A session whose access token is good for a while.
    async fn fresh(&self) -> Result<Arc<Stored>, Error> {
        let session = self.current().ok_or(Error::SignedOut)?;
        if session.is_fresh() { Ok(session) } else { self.refresh(&session.access_token).await }
    }

    /// Gets new tokens in place of `old`, unless somebody else just did.
    async fn refresh(&self, old: &Secret) -> Result<Arc<Stored>, Error> {
        let _alone = self.refreshing.lock().await;
        let mut session = self.current().ok_or(Error::SignedOut)?;
        if session.access_token != *old {
            return Ok(session);
        }
        let Some(refresh_token) = session.refresh_token.clone() else { return Err(Error::SessionEnded) };
        if session.refresh_key.is_none() {
            let refresh_key = Some(random::key()?);
            session = self.save(Stored { refresh_key, ..(*session).clone() }).await?;
        }
        let call = Call {
            method: Method::POST,
            path: "/v1/auth/refresh".to_owned(),
            body: Some(encode(&Refresh { refresh_token: Some(refresh_token) })?),
            idempotency_key: session.refresh_key.clone(),
            token: None,
        };
        match self.call_open::<Session>(call).await {
            Ok(fresh) => self.save(Stored::new(fresh)).await,
            Err(Error::Refused(problem)) if is_about_token(problem.code) => Err(Error::SessionEnded),
            Err(error) => Err(error),
        }
    }

    async fn save(&self, session: Stored) -> Result<Arc<Stored>, Error> {
        let stored = session.clone();
        self.store.run(move |store| store.put_setting(SETTING, &stored)).await?;
        let session = Arc::new(session);
        *self.current.write() = Some(Arc::clone(&session));
        Ok(session)
    }
}

pub(crate) fn encode<T: Serialize>(body: &T) -> Result<Bytes, Error> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| Error::Config(error.to_string()))
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Protocol(error.to_string()))
}

fn is_about_token(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthorized | ErrorCode::TokenExpired)
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

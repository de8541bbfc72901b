//! Signing in and out, the own account, its devices.

use hyper::Method;
use loquat_proto::account::{ChangePassword, DeleteAccount, LogIn, Secret, SignUp, UpdateProfile};
use loquat_proto::{Device, DeviceId, OwnProfile, Page, Profile, ServerInfo, Session, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::driver::Request;
use crate::session::encode;
use crate::transport::rest::Call;
use crate::{Client, Error, random};

/// The user whose data the store holds, among the store's settings.
const OWNER: &str = "owner";

impl Client {
    /// Takes the session up that is stored on this device; `None` if there is none. Works without a network.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Closed`].
    pub async fn resume(&self) -> Result<Option<OwnProfile>, Error> {
        let Some(session) = self.sessions.resume().await? else { return Ok(None) };
        let restored = self.store.restore().await?;
        let user = session.user.clone();
        self.ask(|reply| Request::Start(session, Box::new(restored), reply)).await?;
        Ok(Some(user))
    }

    /// Makes an account on the server and signs in. The device named in the configuration is used where the request
    /// names none.
    ///
    /// # Errors
    /// [`Error::Offline`]; [`Error::Refused`] with `conflict` (the name is taken), `invalid` or `rate_limited`.
    pub async fn sign_up(&self, mut account: SignUp) -> Result<OwnProfile, Error> {
        account.device.get_or_insert_with(|| self.config.device.clone());
        account.cookie = false;
        let call = post("/v1/auth/signup", &account)?;
        let session = self.sessions.call_open(call).await?;
        self.begin(session).await
    }

    /// Signs in, over the network. What this device holds of the same user stays, of another one leaves.
    ///
    /// # Errors
    /// [`Error::Offline`]; [`Error::Refused`] with `unauthorized` or `rate_limited`.
    pub async fn log_in(&self, mut credentials: LogIn) -> Result<OwnProfile, Error> {
        credentials.device.get_or_insert_with(|| self.config.device.clone());
        credentials.cookie = false;
        let call = post("/v1/auth/login", &credentials)?;
        let session = self.sessions.call_open(call).await?;
        self.begin(session).await
    }

    /// Signs this device out, over the network where there is one, and wipes what it holds.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Closed`].
    pub async fn log_out(&self) -> Result<(), Error> {
        let call = Call {
            method: Method::POST,
            path: "/v1/auth/logout".to_owned(),
            body: None,
            idempotency_key: None,
            token: None,
        };
        // Offline, the session stays on the server until it is revoked from another device or expires.
        let _ = self.sessions.call_raw(call).await;
        self.ask(Request::Stop).await?;
        self.sessions.end();
        self.store.run(|store| store.wipe()).await
    }

    async fn begin(&self, session: Session) -> Result<OwnProfile, Error> {
        self.ask(Request::Stop).await?;
        let user = session.user.profile.id;
        let is_same = self
            .store
            .run(move |store| {
                let is_same = store.setting::<UserId>(OWNER)? == Some(user);
                if !is_same {
                    store.wipe()?;
                    store.put_setting(OWNER, &user)?;
                }
                Ok(is_same)
            })
            .await?;
        let session = self.sessions.begin(session).await?;
        let mut restored = self.store.restore().await?;
        if is_same {
            // To the server this is a new device: it tells everything, and knows no cursors yet.
            restored.sync = loquat_engine::store::SyncPoint::default();
            for (_, progress) in &mut restored.conversations {
                progress.repeat_cursors = true;
            }
        }
        let profile = session.user.clone();
        self.ask(|reply| Request::Start(session, Box::new(restored), reply)).await?;
        Ok(profile)
    }

    /// The devices of the own account (network).
    ///
    /// # Errors
    /// [`Error::Offline`], [`Error::Refused`], [`Error::SignedOut`], [`Error::SessionEnded`]; so for all calls over
    /// the network.
    pub async fn devices(&self) -> Result<Vec<Device>, Error> {
        let devices: List<Device> = self.get("/v1/me/devices").await?;
        Ok(devices.items)
    }

    /// Signs another device out (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), Error> {
        self.done(Method::DELETE, &format!("/v1/me/devices/{device}"), None::<&()>).await
    }

    /// Changes the password; other devices are signed out (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn change_password(&self, current: Secret, new: Secret) -> Result<(), Error> {
        self.done(Method::POST, "/v1/auth/password", Some(&ChangePassword { current, new })).await
    }

    /// Deletes the account with all that it wrote, and wipes what this device holds (network).
    ///
    /// # Errors
    /// `forbidden` (the password is wrong), `rate_limited`; and see [`Client::devices`]. Then nothing is wiped.
    pub async fn delete_account(&self, password: Secret) -> Result<(), Error> {
        self.done(Method::DELETE, "/v1/me", Some(&DeleteAccount { password })).await?;
        self.ask(Request::Stop).await?;
        self.sessions.end();
        self.store.run(|store| store.wipe()).await
    }

    /// Changes the own profile (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn update_profile(&self, update: UpdateProfile) -> Result<OwnProfile, Error> {
        let profile: OwnProfile = self.exchange(Method::PATCH, "/v1/me", Some(&update)).await?;
        self.sessions.profile_changed(profile.clone()).await?;
        Ok(profile)
    }

    /// What the server says about itself (network; needs no session).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn server_info(&self) -> Result<ServerInfo, Error> {
        let call = Call {
            method: Method::GET,
            path: "/v1/server".to_owned(),
            body: None,
            idempotency_key: None,
            token: None,
        };
        self.sessions.call_open(call).await
    }

    /// Users whose name begins with this; whole e-mail addresses and phone numbers are found, too, where their owners
    /// let them (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn search_users(&self, query: &str) -> Result<Vec<Profile>, Error> {
        let page: Page<Profile> = self.get(&format!("/v1/users?q={}", escape(query))).await?;
        Ok(page.items)
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.exchange(Method::GET, path, None::<&()>).await
    }

    /// A call in the own name with a JSON answer.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Error> {
        self.sessions.call(call(method, path, body)?).await
    }

    /// A call in the own name of which only the success matters.
    pub(crate) async fn done(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(), Error> {
        self.sessions.call_raw(call(method, path, body)?).await.map(|_| ())
    }
}

/// A list with or without a cursor for more.
#[derive(serde::Deserialize)]
struct List<T> {
    items: Vec<T>,
}

fn post(path: &str, body: &impl Serialize) -> Result<Call, Error> {
    call(Method::POST, path, Some(body))
}

/// A call; one that changes something carries a key by which the server knows a retry.
fn call(method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Call, Error> {
    let idempotency_key = if method == Method::GET { None } else { Some(random::key()?) };
    Ok(Call {
        method,
        path: path.to_owned(),
        body: body.map(encode).transpose()?,
        idempotency_key,
        token: None,
    })
}

/// Escapes whatever is not unreserved (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

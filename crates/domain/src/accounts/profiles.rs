//! What users are: their profiles, settings and devices.

use std::sync::Arc;

use async_trait::async_trait;
use loquat_proto::account::{Secret, UpdateProfile};
use loquat_proto::{Device, DeviceId, OwnProfile, Page, Profile, UserId};

use super::Auth;
use crate::fanout::Announcer;
use crate::ports::{Accounts, Clock, Devices};
use crate::{Caller, Refusal};

/// Profiles that a page of a search holds at most.
pub const SEARCH_LIMIT: usize = 200;

/// How a user leaves every conversation before the account is erased.
#[async_trait]
pub trait Departure: Send + Sync {
    /// Ends all memberships of the user by events, handing ownership over where needed. Safe to repeat.
    ///
    /// # Errors
    /// Some memberships may remain; the account is not erased then.
    async fn leave_all(&self, user: UserId) -> Result<(), Refusal>;
}

/// What [`Profiles`] rests on.
#[derive(Clone)]
pub struct ProfilesDeps {
    /// Users.
    pub accounts: Arc<dyn Accounts>,
    /// Devices.
    pub devices: Arc<dyn Devices>,
    /// Tells sessions of changes.
    pub announcer: Announcer,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Checks passwords and signs devices out.
    pub auth: Auth,
    /// Ends memberships before an account is erased.
    pub departure: Arc<dyn Departure>,
}

/// Profiles and devices. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Profiles {
    deps: Arc<ProfilesDeps>,
}

impl Profiles {
    /// Over these parts.
    #[must_use]
    pub fn new(deps: ProfilesDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// The caller as they see themselves.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if the account is gone, [`Refusal::Unavailable`].
    pub async fn me(&self, caller: Caller) -> Result<OwnProfile, Refusal> {
        let _ = (caller, &self.deps);
        Err(Refusal::busy("profiles"))
    }

    /// Changes the caller's profile, settings or privacy; absent fields stay. Answers with the whole profile.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] or [`Refusal::TooLarge`] naming the field (nothing is changed), [`Refusal::Unavailable`].
    pub async fn update(&self, caller: Caller, change: UpdateProfile) -> Result<OwnProfile, Refusal> {
        let _ = (caller, change);
        Err(Refusal::busy("profiles"))
    }

    /// Erases the caller's account: ends memberships, erases content, signs every device out.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] if the password is wrong, [`Refusal::Unavailable`] (safe to repeat).
    pub async fn delete(&self, caller: Caller, password: Secret) -> Result<(), Refusal> {
        let _ = (caller, password);
        Err(Refusal::busy("profiles"))
    }

    /// The caller's devices, newest first, the caller's own marked `current`.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn devices(&self, caller: Caller) -> Result<Vec<Device>, Refusal> {
        let _ = caller;
        Err(Refusal::busy("profiles"))
    }

    /// Signs a device of the caller out and closes its sockets.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the caller has no such device, [`Refusal::Unavailable`].
    pub async fn revoke_device(&self, caller: Caller, device: DeviceId) -> Result<(), Refusal> {
        self.deps.auth.revoke(caller, device).await
    }

    /// A user as others see them; a deleted one as a tombstone.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there never was one, [`Refusal::Unavailable`].
    pub async fn profile(&self, caller: Caller, user: UserId) -> Result<Profile, Refusal> {
        let _ = (caller, user);
        Err(Refusal::busy("profiles"))
    }

    /// Users whose username or display name begins with `query`, or whose whole e-mail address or phone number it is,
    /// as their privacy allows; by username. `cursor` is `next_cursor` of the page before.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the query is empty, the cursor is none of ours or `limit` is not in
    /// 1..=[`SEARCH_LIMIT`]; [`Refusal::Unavailable`].
    pub async fn search(
        &self,
        caller: Caller,
        query: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, Refusal> {
        let _ = (caller, query, cursor, limit);
        Err(Refusal::busy("profiles"))
    }
}

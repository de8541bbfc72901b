//! What users are: their profiles, settings and devices.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquat_proto::account::{Secret, UpdateProfile};
use loquat_proto::{Device, DeviceId, OwnProfile, Page, Profile, UserId};

use super::{Auth, rules};
use crate::fanout::Announcer;
use crate::ports::{Accounts, Clock, Devices, ProfileChange};
use crate::{Caller, Refusal};

/// Profiles that a page of a search holds at most.
pub const SEARCH_LIMIT: usize = 200;

/// What changes of an account mean for its conversations, its contacts, and those who watch it.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// Ends all memberships of the user by events, handing ownership over where needed. Safe to repeat.
    ///
    /// # Errors
    /// Some memberships may remain; the account is not erased then.
    async fn leave_all(&self, user: UserId) -> Result<(), Refusal>;

    /// From now on others see how far the user has read, or not.
    async fn show_reads(&self, user: UserId, shown: bool);

    /// Ends all contacts, requests for contact and blocks of the user. Safe to repeat.
    ///
    /// # Errors
    /// Some may remain; the account is not erased then.
    async fn end_contacts(&self, user: UserId) -> Result<(), Refusal>;

    /// Who may see the user's presence has changed.
    fn show_presence(&self, user: UserId);
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
    /// What changes of an account mean elsewhere.
    pub memberships: Arc<dyn Memberships>,
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
        let record = self.deps.accounts.user(caller.user).await?;
        record.filter(|record| record.active).map(|record| record.own).ok_or(Refusal::Unauthorized)
    }

    /// Changes the caller's profile, settings or privacy; absent fields stay. Answers with the whole profile.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] or [`Refusal::TooLarge`] naming the field (nothing is changed), [`Refusal::Unavailable`].
    pub async fn update(&self, caller: Caller, change: UpdateProfile) -> Result<OwnProfile, Refusal> {
        let fields = rules::update(change)?;
        if fields != UpdateProfile::default() {
            let privacy = fields.privacy.clone().unwrap_or_default();
            let change = ProfileChange { fields, ts: self.deps.clock.now() };
            let entries = self.deps.accounts.update(caller.user, change).await?;
            if let Some(shown) = privacy.read_receipts {
                self.deps.memberships.show_reads(caller.user, shown).await;
            }
            if privacy.last_seen.is_some() {
                self.deps.memberships.show_presence(caller.user);
            }
            self.deps.announcer.announce(entries);
        }
        self.me(caller).await
    }

    /// Erases the caller's account: ends memberships and contacts, erases content, signs every device out.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] if the password is wrong, [`Refusal::Unavailable`] (safe to repeat).
    pub async fn delete(&self, caller: Caller, password: Secret) -> Result<(), Refusal> {
        self.deps.auth.check_password(caller, &password).await?;
        self.erase(caller.user).await
    }

    /// The same for an operator, who has no password of the account.
    pub(crate) async fn erase(&self, user: UserId) -> Result<(), Refusal> {
        self.deps.memberships.leave_all(user).await?;
        self.deps.memberships.end_contacts(user).await?;
        let devices = self.deps.devices.devices(user).await?;
        self.deps.accounts.delete(user, self.deps.clock.now()).await?;
        let devices = devices.into_iter().map(|device| device.id).collect();
        self.deps.auth.signed_out(user, devices, Vec::new());
        Ok(())
    }

    /// The caller's devices, newest first, the caller's own marked `current`.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn devices(&self, caller: Caller) -> Result<Vec<Device>, Refusal> {
        let devices = self.deps.devices.devices(caller.user).await?;
        let mark = |device: Device| Device { current: device.id == caller.device, ..device };
        Ok(devices.into_iter().map(mark).collect())
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
    pub async fn profile(&self, _caller: Caller, user: UserId) -> Result<Profile, Refusal> {
        let profiles = self.deps.accounts.profiles(&[user]).await?;
        profiles.into_iter().next().ok_or(Refusal::NotFound)
    }

    /// Users whose username or display name begins with `query`, or whose whole e-mail address or phone number it is,
    /// as their privacy allows; by username. `cursor` is `next_cursor` of the page before.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the query is empty, the cursor is none of ours or `limit` is not in
    /// 1..=[`SEARCH_LIMIT`]; [`Refusal::Unavailable`].
    pub async fn search(
        &self,
        _caller: Caller,
        query: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, Refusal> {
        let query = rules::query(query)?;
        if !(1..=SEARCH_LIMIT).contains(&limit) {
            return Err(Refusal::invalid("limit: must be 1 to 200"));
        }
        let after = cursor.map(after).transpose()?;
        let page = self.deps.accounts.search(&query, after.as_deref(), limit).await?;
        let next_cursor = page.next_cursor.map(|name| URL_SAFE_NO_PAD.encode(name));
        Ok(Page { items: page.items, next_cursor })
    }
}

/// The position that a cursor stands for.
fn after(cursor: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::invalid("cursor: must be the next_cursor of a page before");
    let name = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let name = String::from_utf8(name).map_err(|_| invalid())?;
    rules::username(&name).map_err(|_| invalid())
}

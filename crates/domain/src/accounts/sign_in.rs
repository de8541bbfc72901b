//! How sessions begin and end: sign-up, log-in, refresh, log-out, change of password.

use loquat_proto::account::{ChangePassword, DeviceInfo, LogIn, Secret, SignUp};
use loquat_proto::{Device, DeviceId, Nonce, Session, UserId};

use super::auth::removed_devices;
use super::refresh::{self, FirstDevice};
use super::rules::{self, NewAccount};
use super::{Auth, Begun, PasswordHash, SignedIn, request_hash};
use crate::ports::{
    NewDevice, NewUser, RefreshOutcome, RefreshRotation, RefreshToken, SignInOutcome, SignUpOutcome,
};
use crate::{Caller, Refusal};

/// Candidates tried for an id. One in 2^51 times the number of accounts is taken: a second one is hardly ever needed.
const ID_ATTEMPTS: u8 = 8;

const DAY_SECONDS: u64 = 86_400;

const REUSED_KEY: Refusal = Refusal::Conflict("the Idempotency-Key came with another request before");

impl Auth {
    /// Creates an account and signs its first device in.
    ///
    /// With an `Idempotency-Key`, the same request within 24 hours answers with the same account, device and refresh
    /// token as the first time; a device that was signed out since is replaced by a new one.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] or [`Refusal::TooLarge`] naming the field, [`Refusal::Conflict`] if a name or address is
    /// taken or the key came with another request before, [`Refusal::Unavailable`].
    pub async fn sign_up(
        &self,
        request: SignUp,
        idempotency_key: Option<String>,
    ) -> Result<SignedIn, Refusal> {
        let account = rules::new_account(&request)?;
        rules::password(&request.password)?;
        let Some(key) = idempotency_key else {
            let hash = self.inner.hasher.hash(&request.password).await?;
            let (user, device) = self.create(&account, &hash, None).await?;
            return self.first_session(user, device, &account).await;
        };

        let password = request.password.clone();
        let fingerprint = request_hash(&SignUp { password: Secret(String::new()), ..request })?;
        let scope = format!("sign-up:{}", account.username);
        let attempt = match self.inner.idempotency.begin(&scope, &key, fingerprint).await? {
            Begun::Replay(created) => return self.repeat_sign_up(created, &account, &key, &password).await,
            Begun::Fresh(attempt) => attempt,
        };
        let hash = self.inner.hasher.hash(&password).await?;
        let created = match self.create(&account, &hash, Some(&key)).await {
            // A first request may have created the account and died before it was remembered, or run on another node.
            Err(taken @ Refusal::Conflict(_)) => {
                let found = self.unfinished_sign_up(&account, &key, &password).await?;
                found.ok_or(taken)?
            }
            created => created?,
        };
        if let Err(refusal) = attempt.finish(created.0.get()).await {
            // The account is there: saying so helps more than a refusal. A repeated request finds it by its device.
            tracing::warn!(%refusal, "a sign-up could not be remembered");
        }
        let (user, device) = created;
        self.first_session(user, device, &account).await
    }

    /// Hashes a password, for [`Auth::sign_up_with_hash`].
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if it is against the rules, [`Refusal::Unavailable`].
    pub async fn hash_password(&self, password: &Secret) -> Result<PasswordHash, Refusal> {
        rules::password(password)?;
        self.inner.hasher.hash(password).await
    }

    /// Creates an account whose password is hashed already: for making many accounts at once. The request's own
    /// password is ignored.
    ///
    /// # Errors
    /// As [`Auth::sign_up`].
    pub async fn sign_up_with_hash(&self, request: SignUp, hash: &PasswordHash) -> Result<SignedIn, Refusal> {
        let account = rules::new_account(&request)?;
        let (user, device) = self.create(&account, hash, None).await?;
        self.first_session(user, device, &account).await
    }

    /// Signs a new device in by password. A user at the limit of devices loses the one seen the longest ago: a
    /// refusal would shut out whoever lost their devices.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] alike for an unknown user, a wrong password and a disabled or deleted account, after
    /// the same work; [`Refusal::Invalid`] or [`Refusal::TooLarge`] for the device's name; [`Refusal::Unavailable`].
    pub async fn log_in(&self, request: LogIn) -> Result<SignedIn, Refusal> {
        let device = rules::device(request.device.as_ref())?;
        let credentials = match rules::login(&request.login) {
            Some(login) => self.inner.deps.accounts.credentials(&login).await?,
            None => None,
        };
        let account = credentials.as_ref().map(|credentials| (credentials.user, credentials.active));
        let hash = credentials.map(|credentials| credentials.password_hash);
        let matches = self.inner.hasher.verify(&request.password, hash).await?;
        match account {
            Some((user, true)) if matches => self.add_device(user, device).await,
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// Exchanges a refresh token for its successor and a fresh access token.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if the token is unknown, expired or used. A used token that comes again signs its
    /// device out, except that the same token with the same `Idempotency-Key` within 60 s gets the same successor.
    /// [`Refusal::Invalid`] if the key is not 1 to 64 of `A-Z a-z 0-9 _ -`; [`Refusal::Unavailable`].
    pub async fn refresh(
        &self,
        token: &Secret,
        idempotency_key: Option<String>,
    ) -> Result<SignedIn, Refusal> {
        if idempotency_key.as_ref().is_some_and(|key| key.parse::<Nonce>().is_err()) {
            return Err(Refusal::invalid("Idempotency-Key: must be 1 to 64 of A-Z a-z 0-9 _ -"));
        }
        let deps = &self.inner.deps;
        let successor = refresh::generate(deps.random.as_ref());
        let rotation = RefreshRotation {
            presented: refresh::hash(token).ok_or(Refusal::Unauthorized)?,
            successor: self.stored(&successor)?,
            sealed_successor: refresh::seal(token, &successor, deps.random.as_ref())?,
            key: idempotency_key,
            now: deps.clock.now(),
        };
        let (user, device, successor) = match deps.devices.rotate(rotation).await? {
            RefreshOutcome::Rotated { user, device } => (user, device, successor),
            RefreshOutcome::Repeated { user, device, sealed_successor } => {
                let first = refresh::unseal(token, &sealed_successor).ok_or(Refusal::Unauthorized)?;
                (user, device, first)
            }
            RefreshOutcome::Reused { user, device, entry } => {
                tracing::warn!(%user, %device, "a used refresh token came again: the device is signed out");
                self.signed_out(user, vec![device], vec![entry]);
                return Err(Refusal::Unauthorized);
            }
            RefreshOutcome::Unknown => return Err(Refusal::Unauthorized),
        };
        let devices = deps.devices.devices(user).await?;
        let device = devices.into_iter().find(|known| known.id == device).ok_or(Refusal::Unauthorized)?;
        self.session(user, device, successor).await
    }

    /// Signs the caller's device out and closes its sockets.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn log_out(&self, caller: Caller) -> Result<(), Refusal> {
        match self.revoke(caller, caller.device).await {
            // Another request signed it out meanwhile.
            Err(Refusal::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    /// Signs a device of the caller out and closes its sockets.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the caller has no such device, [`Refusal::Unavailable`].
    pub async fn revoke(&self, caller: Caller, device: DeviceId) -> Result<(), Refusal> {
        self.revoke_of(caller.user, device).await
    }

    /// The same for whoever's device it is.
    pub(crate) async fn revoke_of(&self, user: UserId, device: DeviceId) -> Result<(), Refusal> {
        let deps = &self.inner.deps;
        let entries = deps.devices.revoke(user, vec![device], deps.clock.now()).await?;
        if entries.is_empty() {
            return Err(Refusal::NotFound);
        }
        self.signed_out(user, vec![device], entries);
        Ok(())
    }

    /// Sets a new password and signs every other device out.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] if the current password is wrong, [`Refusal::Invalid`] if the new one is against the
    /// rules, [`Refusal::Unavailable`].
    pub async fn change_password(&self, caller: Caller, request: ChangePassword) -> Result<(), Refusal> {
        rules::password(&request.new)?;
        self.check_password(caller, &request.current).await?;
        let hash = self.inner.hasher.hash(&request.new).await?.0;
        let deps = &self.inner.deps;
        let entries =
            deps.devices.change_password(caller.user, hash, caller.device, deps.clock.now()).await?;
        self.signed_out(caller.user, removed_devices(&entries), entries);
        Ok(())
    }

    /// Whether this is the caller's password, once more.
    pub(super) async fn check_password(&self, caller: Caller, password: &Secret) -> Result<(), Refusal> {
        let accounts = &self.inner.deps.accounts;
        let credentials = match accounts.user(caller.user).await? {
            Some(record) if record.active => accounts.credentials(&record.own.profile.username).await?,
            _ => None,
        };
        let hash = credentials.filter(|found| found.user == caller.user).map(|found| found.password_hash);
        if self.inner.hasher.verify(password, hash).await? {
            Ok(())
        } else {
            Err(Refusal::Forbidden("the password is wrong"))
        }
    }

    /// Creates the account with its first device: by chance, or by the `Idempotency-Key`.
    async fn create(
        &self,
        account: &NewAccount,
        hash: &PasswordHash,
        key: Option<&str>,
    ) -> Result<(UserId, FirstDevice), Refusal> {
        let deps = &self.inner.deps;
        for attempt in 0..ID_ATTEMPTS {
            let Some(id) = UserId::new(deps.random.id()) else { continue };
            let candidate = match key {
                Some(key) => FirstDevice::derived(self.inner.keys.root(), id, key, attempt),
                None => FirstDevice::random(deps.random.as_ref()),
            };
            let Some(device) = candidate else { continue };
            let ts = deps.clock.now();
            let user = NewUser {
                id,
                username: account.username.clone(),
                display_name: account.display_name.clone(),
                email: account.email.clone(),
                phone: account.phone.clone(),
                password_hash: hash.0.clone(),
                ts,
            };
            let new_device = NewDevice {
                id: device.id,
                name: account.device.name.clone(),
                platform: account.device.platform.clone(),
                refresh: self.stored(&device.refresh)?,
                ts,
            };
            match deps.accounts.sign_up(user, new_device).await? {
                SignUpOutcome::Created => return Ok((id, device)),
                SignUpOutcome::UsernameTaken => return Err(Refusal::Conflict("the username is taken")),
                SignUpOutcome::AddressTaken => {
                    return Err(Refusal::Conflict(
                        "the e-mail address or phone number belongs to an account",
                    ));
                }
                SignUpOutcome::IdTaken => {}
            }
        }
        Err(Refusal::busy("ids"))
    }

    /// The answer to a sign-up that was done before, with the key under which its answer is remembered.
    async fn repeat_sign_up(
        &self,
        created: u64,
        account: &NewAccount,
        key: &str,
        password: &Secret,
    ) -> Result<SignedIn, Refusal> {
        let credentials = self.inner.deps.accounts.credentials(&account.username).await?;
        let Some(found) = credentials.filter(|found| found.active && found.user.get() == created) else {
            return Err(REUSED_KEY);
        };
        let user = found.user;
        if !self.inner.hasher.verify(password, Some(found.password_hash)).await? {
            return Err(REUSED_KEY);
        }
        match self.first_device(user, key).await? {
            Some(device) => self.first_session(user, device, account).await,
            None => self.add_device(user, account.device.clone()).await,
        }
    }

    /// The account that a sign-up with this key created, though it is not remembered: its first device tells.
    async fn unfinished_sign_up(
        &self,
        account: &NewAccount,
        key: &str,
        password: &Secret,
    ) -> Result<Option<(UserId, FirstDevice)>, Refusal> {
        let credentials = self.inner.deps.accounts.credentials(&account.username).await?;
        let Some(found) = credentials.filter(|found| found.active) else { return Ok(None) };
        // Before the password: this path must not be a way to try passwords of others.
        let Some(device) = self.first_device(found.user, key).await? else { return Ok(None) };
        let matches = self.inner.hasher.verify(password, Some(found.password_hash)).await?;
        Ok(matches.then_some((found.user, device)))
    }

    /// The first device of a sign-up with this key, if it is signed in still.
    async fn first_device(&self, user: UserId, key: &str) -> Result<Option<FirstDevice>, Refusal> {
        let devices = self.inner.deps.devices.devices(user).await?;
        let root = self.inner.keys.root();
        let mut candidates =
            (0..ID_ATTEMPTS).filter_map(|attempt| FirstDevice::derived(root, user, key, attempt));
        Ok(candidates.find(|candidate| devices.iter().any(|device| device.id == candidate.id)))
    }

    /// The session of a first device.
    async fn first_session(
        &self,
        user: UserId,
        first: FirstDevice,
        account: &NewAccount,
    ) -> Result<SignedIn, Refusal> {
        let devices = self.inner.deps.devices.devices(user).await?;
        let device = devices.into_iter().find(|device| device.id == first.id).unwrap_or_else(|| Device {
            id: first.id,
            name: account.device.name.clone(),
            platform: account.device.platform.clone(),
            created_at: self.inner.deps.clock.now(),
            last_seen: None,
            current: true,
        });
        self.session(user, device, first.refresh).await
    }

    /// Signs a new device in.
    async fn add_device(&self, user: UserId, info: DeviceInfo) -> Result<SignedIn, Refusal> {
        let deps = &self.inner.deps;
        for _ in 0..ID_ATTEMPTS {
            let Some(first) = FirstDevice::random(deps.random.as_ref()) else { continue };
            let device = Device {
                id: first.id,
                name: info.name.clone(),
                platform: info.platform.clone(),
                created_at: deps.clock.now(),
                last_seen: None,
                current: true,
            };
            let new_device = NewDevice {
                id: device.id,
                name: device.name.clone(),
                platform: device.platform.clone(),
                refresh: self.stored(&first.refresh)?,
                ts: device.created_at,
            };
            match deps.devices.sign_in(user, new_device, self.device_limit()).await? {
                SignInOutcome::Added(entry) => {
                    deps.announcer.announce([entry]);
                    return self.session(user, device, first.refresh).await;
                }
                SignInOutcome::TooMany => self.make_room(user).await?,
                SignInOutcome::IdTaken => {}
                SignInOutcome::Gone => return Err(Refusal::Unauthorized),
            }
        }
        Err(Refusal::busy("devices"))
    }

    /// Signs out the devices seen the longest ago, until one more is within the limit.
    async fn make_room(&self, user: UserId) -> Result<(), Refusal> {
        let deps = &self.inner.deps;
        let mut devices = deps.devices.devices(user).await?;
        devices.sort_by_key(|device| device.last_seen.unwrap_or(device.created_at).max(device.created_at));
        let surplus = (devices.len() + 1).saturating_sub(self.device_limit());
        let oldest: Vec<DeviceId> = devices.iter().take(surplus).map(|device| device.id).collect();
        if !oldest.is_empty() {
            let entries = deps.devices.revoke(user, oldest.clone(), deps.clock.now()).await?;
            self.signed_out(user, oldest, entries);
        }
        Ok(())
    }

    fn device_limit(&self) -> usize {
        self.inner.deps.limits.devices_per_user.max(1)
    }

    /// A refresh token as it is stored, good from now on.
    fn stored(&self, token: &Secret) -> Result<RefreshToken, Refusal> {
        let lifetime_ms = i64::try_from(self.refresh_seconds() * 1_000).unwrap_or(i64::MAX);
        let expires_at = self.inner.deps.clock.now().saturating_add(lifetime_ms);
        Ok(RefreshToken { hash: refresh::hash(token).ok_or(Refusal::Unauthorized)?, expires_at })
    }

    fn refresh_seconds(&self) -> u64 {
        u64::from(self.inner.deps.config.refresh_token_days) * DAY_SECONDS
    }

    async fn session(
        &self,
        user: UserId,
        device: Device,
        refresh_token: Secret,
    ) -> Result<SignedIn, Refusal> {
        let deps = &self.inner.deps;
        let record =
            deps.accounts.user(user).await?.filter(|record| record.active).ok_or(Refusal::Unauthorized)?;
        let caller = Caller { user, device: device.id };
        let session = Session {
            user: record.own,
            device: Device { current: true, ..device },
            access_token: self.inner.keys.sign(caller, deps.clock.now())?,
            refresh_token: Some(refresh_token),
            expires_in: deps.config.access_token_seconds,
        };
        Ok(SignedIn { session, refresh_max_age_seconds: self.refresh_seconds() })
    }
}

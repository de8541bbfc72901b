//! Users and devices in memory, as the ports promise them, with faults on demand.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Accounts, Credentials, Devices, IdempotencyKey, NewDevice, NewUser, ProfileChange,
    RefreshOutcome, RefreshRotation, RefreshToken, RememberedAnswer, SignInOutcome, SignUpOutcome,
    SigningKey, StoreError, UserRecord,
};
use loquat_proto::{
    AccountEvent, AccountEventKind, Device, DeviceId, OwnProfile, Page, Privacy, Profile, Timestamp, UserId,
    UserKind,
};
use parking_lot::Mutex;
use serde_json::json;

const DAY_MS: i64 = 86_400_000;
const REPEAT_MS: i64 = 60_000;

pub(crate) struct User {
    pub(crate) own: OwnProfile,
    pub(crate) password_hash: String,
    pub(crate) active: bool,
    pos: u64,
}

struct Token {
    device: DeviceId,
    expires_at: Timestamp,
    used: Option<Used>,
}

struct Used {
    at: Timestamp,
    key: Option<String>,
    sealed: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) users: HashMap<UserId, User>,
    pub(crate) devices: Vec<(UserId, Device)>,
    tokens: HashMap<[u8; 32], Token>,
    answers: HashMap<IdempotencyKey, RememberedAnswer>,
    keys: Vec<SigningKey>,
}

/// Everything that accounts are stored in.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) state: Mutex<State>,
    /// Writes and reads asked for, by name.
    pub(crate) activity_checks: AtomicU64,
    /// Ids that the next creations find taken.
    pub(crate) taken_ids: AtomicU64,
    /// Whether `remember` fails.
    pub(crate) forgetful: std::sync::atomic::AtomicBool,
    /// Whether every call fails.
    pub(crate) down: std::sync::atomic::AtomicBool,
}

impl Memory {
    fn reach(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("switched off at /var/lib/somewhere".to_owned()));
        }
        Ok(())
    }

    fn id_is_taken(&self) -> bool {
        self.taken_ids.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// Everything that is stored, as one text: to look for secrets in.
    pub(crate) fn dump(&self) -> String {
        let state = self.state.lock();
        let hashes: Vec<&String> = state.users.values().map(|user| &user.password_hash).collect();
        let tokens: Vec<(&[u8; 32], Option<&Vec<u8>>)> = state
            .tokens
            .iter()
            .map(|(hash, token)| (hash, token.used.as_ref().map(|used| &used.sealed)))
            .collect();
        format!("{hashes:?} {tokens:?} {:?} {:?}", state.answers, state.devices)
    }
}

impl State {
    fn log(
        &mut self,
        user: UserId,
        kind: AccountEventKind,
        body: serde_json::Value,
        ts: Timestamp,
    ) -> AccountEntry {
        let pos = self.users.get_mut(&user).map_or(0, |user| {
            user.pos += 1;
            user.pos
        });
        AccountEntry { user, event: AccountEvent { pos, ts, kind, body } }
    }

    fn has_device(&self, id: DeviceId) -> bool {
        self.devices.iter().any(|(_, device)| device.id == id)
    }

    fn add(&mut self, user: UserId, new: &NewDevice) -> Device {
        let device = Device {
            id: new.id,
            name: new.name.clone(),
            platform: new.platform.clone(),
            created_at: new.ts,
            last_seen: None,
            current: false,
        };
        self.devices.insert(0, (user, device.clone()));
        self.keep(new.id, new.refresh);
        device
    }

    fn keep(&mut self, device: DeviceId, token: RefreshToken) {
        let earlier =
            self.tokens.insert(token.hash, Token { device, expires_at: token.expires_at, used: None });
        assert!(earlier.is_none(), "refresh tokens are unique");
    }

    fn remove(&mut self, user: UserId, device: DeviceId, ts: Timestamp) -> Option<AccountEntry> {
        let index = self.devices.iter().position(|(owner, known)| *owner == user && known.id == device)?;
        self.devices.remove(index);
        self.tokens.retain(|_, token| token.device != device);
        Some(self.log(user, AccountEventKind::DeviceRemoved, json!({ "device": device }), ts))
    }

    fn find(&self, login: &str) -> Option<(&UserId, &User)> {
        self.users.iter().find(|(_, user)| {
            user.own.profile.username == login
                || user.own.email.as_deref() == Some(login)
                || user.own.phone.as_deref() == Some(login)
        })
    }
}

#[async_trait]
impl Accounts for Memory {
    async fn sign_up(&self, user: NewUser, device: NewDevice) -> Result<SignUpOutcome, StoreError> {
        self.reach()?;
        if self.id_is_taken() {
            return Ok(SignUpOutcome::IdTaken);
        }
        let mut state = self.state.lock();
        if state.find(&user.username).is_some() {
            return Ok(SignUpOutcome::UsernameTaken);
        }
        if [&user.email, &user.phone].into_iter().flatten().any(|address| state.find(address).is_some()) {
            return Ok(SignUpOutcome::AddressTaken);
        }
        if state.users.contains_key(&user.id) || state.has_device(device.id) {
            return Ok(SignUpOutcome::IdTaken);
        }
        let profile = Profile {
            id: user.id,
            username: user.username,
            display_name: user.display_name,
            bio: String::new(),
            avatar: None,
            kind: UserKind::Person,
            deleted: false,
        };
        let own = OwnProfile {
            profile,
            email: user.email,
            phone: user.phone,
            settings: json!({}),
            privacy: Privacy::default(),
        };
        let record = User { own, password_hash: user.password_hash, active: true, pos: 0 };
        state.users.insert(user.id, record);
        state.add(user.id, &device);
        Ok(SignUpOutcome::Created)
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError> {
        self.reach()?;
        let state = self.state.lock();
        Ok(state.find(login).map(|(id, user)| Credentials {
            user: *id,
            password_hash: user.password_hash.clone(),
            active: user.active,
        }))
    }

    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.reach()?;
        let state = self.state.lock();
        Ok(state.users.get(&user).map(|user| UserRecord { own: user.own.clone(), active: user.active }))
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let state = self.state.lock();
        Ok(users.iter().filter_map(|id| state.users.get(id)).map(|user| user.own.profile.clone()).collect())
    }

    async fn search(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, StoreError> {
        let state = self.state.lock();
        let query = query.to_lowercase();
        let mut found: Vec<Profile> = state
            .users
            .values()
            .filter(|user| user.active && user.own.profile.username.as_str() > after.unwrap_or(""))
            .filter(|user| {
                user.own.profile.username.starts_with(&query)
                    || user.own.profile.display_name.to_lowercase().starts_with(&query)
                    || user.own.email.as_deref() == Some(&query)
            })
            .map(|user| user.own.profile.clone())
            .collect();
        found.sort_by(|left, right| left.username.cmp(&right.username));
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|last| last.username.clone());
        Ok(Page { items: found, next_cursor })
    }

    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Vec<AccountEntry>, StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        let Some(record) = state.users.get_mut(&user) else { return Ok(Vec::new()) };
        let fields = change.fields;
        if let Some(name) = fields.display_name {
            record.own.profile.display_name = name;
        }
        if let Some(bio) = fields.bio {
            record.own.profile.bio = bio;
        }
        if let Some(avatar) = fields.avatar {
            record.own.profile.avatar = avatar;
        }
        if let Some(settings) = fields.settings {
            record.own.settings = settings;
        }
        if let Some(privacy) = fields.privacy {
            record.own.privacy = record.own.privacy.clone().changed(privacy);
        }
        Ok(vec![state.log(user, AccountEventKind::Profile, json!({}), change.ts)])
    }

    async fn delete(&self, user: UserId, _ts: Timestamp) -> Result<(), StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        state.devices.retain(|(owner, _)| *owner != user);
        if let Some(record) = state.users.get_mut(&user) {
            record.active = false;
            record.own.profile.deleted = true;
            record.own.profile.username = String::new();
            record.own.email = None;
        }
        Ok(())
    }

    async fn recall(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<RememberedAnswer>, StoreError> {
        self.reach()?;
        let state = self.state.lock();
        Ok(state.answers.get(key).filter(|answer| now - answer.ts < DAY_MS).cloned())
    }

    async fn remember(&self, key: IdempotencyKey, answer: RememberedAnswer) -> Result<(), StoreError> {
        if self.forgetful.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("cannot remember".to_owned()));
        }
        self.state.lock().answers.entry(key).or_insert(answer);
        Ok(())
    }
}

#[async_trait]
impl Devices for Memory {
    async fn sign_in(
        &self,
        user: UserId,
        device: NewDevice,
        limit: usize,
    ) -> Result<SignInOutcome, StoreError> {
        self.reach()?;
        if self.id_is_taken() {
            return Ok(SignInOutcome::IdTaken);
        }
        let mut state = self.state.lock();
        if state.devices.iter().filter(|(owner, _)| *owner == user).count() >= limit {
            return Ok(SignInOutcome::TooMany);
        }
        let added = state.add(user, &device);
        let body = serde_json::to_value(added).unwrap();
        Ok(SignInOutcome::Added(state.log(user, AccountEventKind::DeviceAdded, body, device.ts)))
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        self.reach()?;
        let state = self.state.lock();
        Ok(state
            .devices
            .iter()
            .filter(|(owner, _)| *owner == user)
            .map(|(_, device)| device.clone())
            .collect())
    }

    async fn is_active(&self, user: UserId, device: DeviceId) -> Result<bool, StoreError> {
        self.reach()?;
        self.activity_checks.fetch_add(1, Ordering::Relaxed);
        let state = self.state.lock();
        let signed_in = state.devices.iter().any(|(owner, known)| *owner == user && known.id == device);
        Ok(signed_in && state.users.get(&user).is_some_and(|user| user.active))
    }

    async fn revoke(
        &self,
        user: UserId,
        devices: Vec<DeviceId>,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        Ok(devices.into_iter().filter_map(|device| state.remove(user, device, ts)).collect())
    }

    async fn change_password(
        &self,
        user: UserId,
        password_hash: String,
        keep: DeviceId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        if let Some(record) = state.users.get_mut(&user) {
            record.password_hash = password_hash;
        }
        let others: Vec<DeviceId> = state
            .devices
            .iter()
            .filter(|(owner, device)| *owner == user && device.id != keep)
            .map(|(_, device)| device.id)
            .collect();
        Ok(others.into_iter().filter_map(|device| state.remove(user, device, ts)).collect())
    }

    async fn rotate(&self, rotation: RefreshRotation) -> Result<RefreshOutcome, StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        let Some(token) = state.tokens.get(&rotation.presented) else { return Ok(RefreshOutcome::Unknown) };
        let device = token.device;
        let Some(user) = state.devices.iter().find(|(_, known)| known.id == device).map(|(user, _)| *user)
        else {
            return Ok(RefreshOutcome::Unknown);
        };
        if let Some(used) = &token.used {
            if rotation.key.is_some() && used.key == rotation.key && rotation.now - used.at < REPEAT_MS {
                return Ok(RefreshOutcome::Repeated { user, device, sealed_successor: used.sealed.clone() });
            }
            let entry = state.remove(user, device, rotation.now).unwrap();
            return Ok(RefreshOutcome::Reused { user, device, entry });
        }
        if rotation.now >= token.expires_at || !state.users[&user].active {
            return Ok(RefreshOutcome::Unknown);
        }
        let used = Used { at: rotation.now, key: rotation.key, sealed: rotation.sealed_successor };
        state.tokens.get_mut(&rotation.presented).unwrap().used = Some(used);
        state.keep(device, rotation.successor);
        Ok(RefreshOutcome::Rotated { user, device })
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.reach()?;
        Ok(self.state.lock().keys.clone())
    }

    async fn ensure_signing_key(&self, key: SigningKey) -> Result<Vec<SigningKey>, StoreError> {
        self.reach()?;
        let mut state = self.state.lock();
        if state.keys.is_empty() {
            state.keys.push(key);
        }
        Ok(state.keys.clone())
    }
}

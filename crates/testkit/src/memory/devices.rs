//! [`Devices`].

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Devices, NewDevice, RefreshOutcome, RefreshRotation, SignInOutcome, SigningKey, StoreError,
};
use loquat_proto::{AccountEventKind, Device, DeviceId, Timestamp, UserId};
use serde_json::json;

use super::MemoryStore;
use super::state::{DeviceRow, State, TokenRow, TokenUse, User};

/// For so long a used token with the same key gets the same successor.
const REPEAT_MS: i64 = 60_000;

#[async_trait]
impl Devices for MemoryStore {
    async fn sign_in(
        &self,
        user: UserId,
        device: NewDevice,
        limit: usize,
    ) -> Result<SignInOutcome, StoreError> {
        let outcome = self.write(|state| sign_in(state, user, device, limit)).await?;
        outcome.ok_or_else(|| StoreError::Corrupt(format!("there never was a user {user}")))
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        self.read(|state| of(state, user)).await
    }

    async fn is_active(&self, user: UserId, device: DeviceId) -> Result<bool, StoreError> {
        self.read(|state| {
            let signed_in = state.devices.get(&device).is_some_and(|row| row.user == user);
            signed_in && state.users.get(&user).is_some_and(User::is_active)
        })
        .await
    }

    async fn revoke(
        &self,
        user: UserId,
        devices: Vec<DeviceId>,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            devices.into_iter().filter_map(|device| revoke(state, (user, device), ts)).collect()
        })
        .await
    }

    async fn change_password(
        &self,
        user: UserId,
        password_hash: String,
        keep: DeviceId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            if let Some(row) = state.users.get_mut(&user) {
                row.password_hash = password_hash;
            }
            let others = state.devices.iter().filter(|(id, row)| row.user == user && **id != keep);
            let others: Vec<DeviceId> = others.map(|(id, _)| *id).collect();
            others.into_iter().filter_map(|device| revoke(state, (user, device), ts)).collect()
        })
        .await
    }

    async fn rotate(&self, rotation: RefreshRotation) -> Result<RefreshOutcome, StoreError> {
        self.write(|state| rotate(state, rotation).unwrap_or(RefreshOutcome::Unknown)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.read(|state| state.signing_keys.clone()).await
    }

    async fn ensure_signing_key(&self, key: SigningKey) -> Result<Vec<SigningKey>, StoreError> {
        self.write(|state| {
            if state.signing_keys.is_empty() {
                state.signing_keys.push(key);
            }
            state.signing_keys.clone()
        })
        .await
    }
}

/// A user's devices, newest first.
pub(super) fn of(state: &State, user: UserId) -> Vec<Device> {
    let own = state.devices.iter().filter(|(_, row)| row.user == user);
    let mut own: Vec<(u64, Device)> = own.map(|(id, row)| (row.number, shown(*id, row))).collect();
    own.sort_by_key(|(number, device)| std::cmp::Reverse((device.created_at, *number)));
    own.into_iter().map(|(_, device)| device).collect()
}

/// Signs a device in that is not there yet.
pub(super) fn insert(state: &mut State, user: UserId, new: NewDevice) {
    let number = state.devices.values().map(|row| row.number + 1).max().unwrap_or(0);
    let NewDevice { id, name, platform, refresh, ts } = new;
    let row = DeviceRow { user, name, platform, created_at: ts, last_seen: None, number };
    state.devices.insert(id, row);
    state.tokens.insert(refresh.hash, TokenRow { device: id, token: refresh, used: None });
}

/// Signs every device of a user out, telling nobody.
pub(super) fn remove_all(state: &mut State, user: UserId) {
    state.devices.retain(|_, row| row.user != user);
    let State { devices, tokens, .. } = state;
    tokens.retain(|_, row| devices.contains_key(&row.device));
}

fn sign_in(state: &mut State, user: UserId, device: NewDevice, limit: usize) -> Option<SignInOutcome> {
    if state.users.get(&user)?.own.profile.deleted {
        return Some(SignInOutcome::Gone);
    }
    if state.devices.contains_key(&device.id) {
        return Some(SignInOutcome::IdTaken);
    }
    if state.devices.values().filter(|row| row.user == user).count() >= limit {
        return Some(SignInOutcome::TooMany);
    }
    state.users.get(&user)?;
    let (id, ts) = (device.id, device.ts);
    insert(state, user, device);
    let body = json!(shown(id, &state.devices[&id]));
    state.tell(user, (AccountEventKind::DeviceAdded, body), ts).map(SignInOutcome::Added)
}

/// Signs a device out and tells its user; `None` if it is not theirs.
pub(super) fn revoke(
    state: &mut State,
    (user, device): (UserId, DeviceId),
    ts: Timestamp,
) -> Option<AccountEntry> {
    state.devices.get(&device).filter(|row| row.user == user)?;
    state.devices.remove(&device);
    state.tokens.retain(|_, row| row.device != device);
    state.tell(user, (AccountEventKind::DeviceRemoved, json!({ "device": device })), ts)
}

fn rotate(state: &mut State, rotation: RefreshRotation) -> Option<RefreshOutcome> {
    let RefreshRotation { presented, successor, sealed_successor, key, now } = rotation;
    let row = state.tokens.get_mut(&presented)?;
    let device = row.device;
    let user = state.devices.get(&device)?.user;
    if row.token.expires_at <= now || !state.users.get(&user)?.is_active() {
        return None;
    }
    if let Some(used) = &row.used {
        if key.is_some() && used.key == key && now <= used.at + REPEAT_MS {
            let sealed_successor = used.sealed_successor.clone();
            return Some(RefreshOutcome::Repeated { user, device, sealed_successor });
        }
        let entry = revoke(state, (user, device), now)?;
        return Some(RefreshOutcome::Reused { user, device, entry });
    }
    row.used = Some(TokenUse { at: now, key, sealed_successor });
    state.tokens.insert(successor.hash, TokenRow { device, token: successor, used: None });
    if let Some(row) = state.devices.get_mut(&device) {
        row.last_seen = row.last_seen.max(Some(now));
    }
    Some(RefreshOutcome::Rotated { user, device })
}

/// A device as it is listed.
pub(super) fn shown(id: DeviceId, row: &DeviceRow) -> Device {
    Device {
        id,
        name: row.name.clone(),
        platform: row.platform.clone(),
        created_at: row.created_at,
        last_seen: row.last_seen,
        current: false,
    }
}

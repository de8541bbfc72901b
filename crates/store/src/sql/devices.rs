//! [`Devices`].

use super::driver::{Connection, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Devices, NewDevice, RefreshOutcome, RefreshRotation, SignInOutcome, SigningKey, StoreError,
};
use loquat_proto::{AccountEventKind, Device, DeviceId, Timestamp, UserId};
use serde_json::json;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::{Outcome, corrupt};
use super::{Engine, Store, account_log, accounts, refresh};

#[async_trait]
impl<E: Engine> Devices for Store<E> {
    async fn sign_in(
        &self,
        user: UserId,
        device: NewDevice,
        limit: usize,
    ) -> Result<SignInOutcome, StoreError> {
        self.write(move |context| sign_in(context, user, &device, limit)).await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        self.read(move |connection| of(connection, user)).await
    }

    async fn is_active(&self, user: UserId, device: DeviceId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT 1 FROM devices d JOIN users u ON u.id = d.user_id
                     WHERE d.id = ?1 AND d.user_id = ?2 AND u.deleted_at IS NULL AND u.disabled_at IS NULL",
                )?
                .exists([device.sql(), user.sql()])
        })
        .await
    }

    async fn revoke(
        &self,
        user: UserId,
        devices: Vec<DeviceId>,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| revoke(context, user, devices, ts)).await
    }

    async fn change_password(
        &self,
        user: UserId,
        password_hash: String,
        keep: DeviceId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| {
            context
                .statement("UPDATE users SET password_hash = ?2 WHERE id = ?1 AND deleted_at IS NULL")?
                .execute(params![user.sql(), password_hash])?;
            let devices = of(context.connection, user)?.into_iter().map(|device| device.id);
            revoke(context, user, devices.filter(|device| *device != keep).collect(), ts)
        })
        .await
    }

    async fn rotate(&self, rotation: RefreshRotation) -> Result<RefreshOutcome, StoreError> {
        self.write(move |context| refresh::rotate(context, &rotation)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.read(signing_keys).await
    }

    async fn ensure_signing_key(&self, key: SigningKey) -> Result<Vec<SigningKey>, StoreError> {
        self.write(move |context| {
            context
                .statement(
                    "INSERT INTO signing_keys (id, pkcs8, created_at)
                     SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)",
                )?
                .execute(params![key.id, key.pkcs8, key.created_at])?;
            signing_keys(context.connection)
        })
        .await
    }
}

fn sign_in(
    context: &mut WriteContext<'_>,
    user: UserId,
    device: &NewDevice,
    limit: usize,
) -> Outcome<SignInOutcome> {
    if !accounts::is_there(context, user)? {
        return Ok(SignInOutcome::Gone);
    }
    let count: u64 = context
        .statement("SELECT COUNT(*) FROM devices WHERE user_id = ?1")?
        .query_row([user.sql()], |row| row.int(0))?;
    if usize::try_from(count).is_ok_and(|count| count >= limit) {
        return Ok(SignInOutcome::TooMany);
    }
    if exists(context, device.id)? {
        return Ok(SignInOutcome::IdTaken);
    }
    insert(context, user, device)?;
    let shown = Device {
        id: device.id,
        name: device.name.clone(),
        platform: device.platform.clone(),
        created_at: device.ts,
        last_seen: None,
        current: false,
    };
    let body = serde_json::to_value(&shown).map_err(|error| corrupt(error.to_string()))?;
    let entry = account_log::append(context, user, AccountEventKind::DeviceAdded, body, device.ts)?;
    Ok(SignInOutcome::Added(entry))
}

/// A device was heard of, by whatever way.
pub(crate) fn seen(context: &WriteContext<'_>, device: DeviceId, ts: Timestamp) -> Outcome<()> {
    context
        .statement("UPDATE devices SET last_seen = ?2 WHERE id = ?1 AND COALESCE(last_seen, ?2 - 1) < ?2")?
        .execute(params![device.sql(), ts])?;
    Ok(())
}

/// Whether a device with this id is signed in.
pub(crate) fn exists(context: &WriteContext<'_>, device: DeviceId) -> Outcome<bool> {
    context.statement("SELECT 1 FROM devices WHERE id = ?1")?.exists([device.sql()])
}

/// A device with its first refresh token.
pub(crate) fn insert(context: &WriteContext<'_>, user: UserId, device: &NewDevice) -> Outcome<()> {
    context
        .statement(
            "INSERT INTO devices (id, user_id, name, platform, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![device.id.sql(), user.sql(), device.name, device.platform, device.ts])?;
    refresh::insert(context, device.id, &device.refresh)
}

/// A user's devices, newest first.
pub(crate) fn of(connection: &Connection, user: UserId) -> Outcome<Vec<Device>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, platform, created_at, last_seen FROM devices
         WHERE user_id = ?1 ORDER BY created_at DESC, id DESC",
    )?;
    let rows = statement.query_map([user.sql()], |row| {
        Ok(Device {
            id: row.int(0)?,
            name: row.get(1)?,
            platform: row.get(2)?,
            created_at: row.get(3)?,
            last_seen: row.get(4)?,
            current: false,
        })
    })?;
    rows.collect()
}

/// Revokes devices; says so in the account log for each that was there.
pub(crate) fn revoke(
    context: &WriteContext<'_>,
    user: UserId,
    devices: Vec<DeviceId>,
    ts: Timestamp,
) -> Outcome<Vec<AccountEntry>> {
    let mut entries = Vec::new();
    for device in devices {
        if remove(context, user, device)? {
            let body = json!({ "device": device });
            entries.push(account_log::append(context, user, AccountEventKind::DeviceRemoved, body, ts)?);
        }
    }
    Ok(entries)
}

/// Takes a device away with its refresh tokens and cursors: whether it was there.
pub(crate) fn remove(context: &WriteContext<'_>, user: UserId, device: DeviceId) -> Outcome<bool> {
    // Its refresh tokens go with it (ON DELETE CASCADE).
    let removed = context
        .statement("DELETE FROM devices WHERE id = ?1 AND user_id = ?2")?
        .execute([device.sql(), user.sql()])?;
    if removed > 0 {
        context
            .statement(
                "DELETE FROM device_cursors WHERE user_id = ?1 AND device_id = ?2
                     AND conversation_id IN (SELECT conversation_id FROM members WHERE user_id = ?1)",
            )?
            .execute([user.sql(), device.sql()])?;
    }
    Ok(removed > 0)
}

fn signing_keys(connection: &Connection) -> Outcome<Vec<SigningKey>> {
    let key = |row: &Row<'_>| Ok(SigningKey { id: row.get(0)?, pkcs8: row.get(1)?, created_at: row.get(2)? });
    connection
        .prepare_cached("SELECT id, pkcs8, created_at FROM signing_keys ORDER BY created_at DESC, id DESC")?
        .query_map([], key)?
        .collect()
}

//! Refresh tokens: single use, a family for each device (RFC 9700, section 4.14.2). A used token stays known until
//! it expires, so that its reuse is noticed.

use super::driver::{OptionalExtension, params};
use loquat_domain::ports::{RefreshOutcome, RefreshRotation, RefreshToken};
use loquat_proto::{DeviceId, Timestamp, UserId};

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::devices;
use super::error::{Outcome, corrupt};

/// How long a repeated request gets the same successor.
const REPEATABLE_MS: i64 = 60 * 1000;

struct Presented {
    user: UserId,
    device: DeviceId,
    /// When and with which key it was used, and with what it was answered.
    used: Option<(Timestamp, Option<String>, Option<Vec<u8>>)>,
}

pub(crate) fn insert(context: &WriteContext<'_>, device: DeviceId, token: &RefreshToken) -> Outcome<()> {
    context
        .statement("INSERT INTO refresh_tokens (hash, device_id, expires_at) VALUES (?1, ?2, ?3)")?
        .execute(params![token.hash, device.sql(), token.expires_at])?;
    Ok(())
}

/// Compare-and-set: within the writer's transaction the token is good, used, or unknown.
pub(crate) fn rotate(context: &WriteContext<'_>, rotation: &RefreshRotation) -> Outcome<RefreshOutcome> {
    let Some(Presented { user, device, used }) = presented(context, rotation)? else {
        return Ok(RefreshOutcome::Unknown);
    };
    let Some((used_at, key, sealed)) = used else {
        forget_old(context, device, rotation.now)?;
        use_up(context, rotation)?;
        insert(context, device, &rotation.successor)?;
        devices::seen(context, device, rotation.now)?;
        return Ok(RefreshOutcome::Rotated { user, device });
    };
    let repeated = rotation.key.is_some() && rotation.key == key;
    if let Some(sealed_successor) = sealed
        && repeated
        && rotation.now.saturating_sub(used_at) <= REPEATABLE_MS
    {
        return Ok(RefreshOutcome::Repeated { user, device, sealed_successor });
    }
    let entry = devices::revoke(context, user, vec![device], rotation.now)?.pop();
    let entry = entry.ok_or_else(|| corrupt("a refresh token outlived its device"))?;
    Ok(RefreshOutcome::Reused { user, device, entry })
}

fn presented(context: &WriteContext<'_>, rotation: &RefreshRotation) -> Outcome<Option<Presented>> {
    context
        .statement(
            "SELECT d.user_id, t.device_id, t.used_at, t.idempotency_key, t.sealed_successor
             FROM refresh_tokens t JOIN devices d ON d.id = t.device_id JOIN users u ON u.id = d.user_id
             WHERE t.hash = ?1 AND t.expires_at > ?2 AND u.deleted_at IS NULL AND u.disabled_at IS NULL",
        )?
        .query_row(params![rotation.presented, rotation.now], |row| {
            let used_at: Option<Timestamp> = row.get(2)?;
            let (key, sealed) = (row.get(3)?, row.get(4)?);
            Ok(Presented {
                user: row.int(0)?,
                device: row.int(1)?,
                used: used_at.map(|used_at| (used_at, key, sealed)),
            })
        })
        .optional()
}

fn use_up(context: &WriteContext<'_>, rotation: &RefreshRotation) -> Outcome<()> {
    context
        .statement(
            "UPDATE refresh_tokens SET used_at = ?2, idempotency_key = ?3, sealed_successor = ?4 WHERE hash = ?1",
        )?
        .execute(params![rotation.presented, rotation.now, rotation.key, rotation.sealed_successor])?;
    Ok(())
}

/// Drops the device's expired tokens, and successors that nobody may be given any more.
fn forget_old(context: &WriteContext<'_>, device: DeviceId, now: Timestamp) -> Outcome<()> {
    context
        .statement("DELETE FROM refresh_tokens WHERE device_id = ?1 AND expires_at <= ?2")?
        .execute(params![device.sql(), now])?;
    context
        .statement(
            "UPDATE refresh_tokens SET sealed_successor = NULL
             WHERE device_id = ?1 AND used_at < ?2 AND sealed_successor IS NOT NULL",
        )?
        .execute(params![device.sql(), now.saturating_sub(REPEATABLE_MS)])?;
    Ok(())
}

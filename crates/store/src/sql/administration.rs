//! [`Administration`].

use super::driver::{Connection, OptionalExtension, Row, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    AccountDetails, AccountEntry, AccountQuery, AccountState, AccountSummary, Administration, DeviceSummary,
    Statistics, StoreError,
};
use loquat_proto::{ConversationKind, Device, DeviceId, Timestamp, UserId};

use super::codec::{Columns, Integer};
use super::error::Outcome;
use super::{Engine, Store, devices};

#[async_trait]
impl<E: Engine> Administration for Store<E> {
    async fn accounts(&self, query: AccountQuery) -> Result<Vec<AccountSummary>, StoreError> {
        self.read(move |connection| accounts(connection, &query)).await
    }

    async fn account(&self, user: UserId) -> Result<Option<AccountDetails>, StoreError> {
        self.read(move |connection| account(connection, user)).await
    }

    async fn account_named(&self, username: &str) -> Result<Option<UserId>, StoreError> {
        let username = username.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT id FROM users WHERE username = ?1")?
                .query_row([username], |row| row.int(0))
                .optional()
        })
        .await
    }

    async fn set_disabled(&self, user: UserId, since: Option<Timestamp>) -> Result<bool, StoreError> {
        self.write(move |context| {
            let changed = context
                .statement(
                    "UPDATE users SET disabled_at = ?2
                     WHERE id = ?1 AND deleted_at IS NULL AND (disabled_at IS NULL) <> (?2 IS NULL)",
                )?
                .execute(params![user.sql(), since])?;
            Ok(changed > 0)
        })
        .await
    }

    async fn reset_password(
        &self,
        user: UserId,
        password_hash: String,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| {
            let changed = context
                .statement("UPDATE users SET password_hash = ?2 WHERE id = ?1 AND deleted_at IS NULL")?
                .execute(params![user.sql(), password_hash])?;
            if changed == 0 {
                return Ok(Vec::new());
            }
            let all = devices::of(context.connection, user)?.into_iter().map(|device| device.id);
            devices::revoke(context, user, all.collect(), ts)
        })
        .await
    }

    async fn all_devices(
        &self,
        user: Option<UserId>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceSummary>, StoreError> {
        self.read(move |connection| all_devices(connection, user, after, limit)).await
    }

    async fn device_owner(&self, device: DeviceId) -> Result<Option<UserId>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT user_id FROM devices WHERE id = ?1")?
                .query_row([device.sql()], |row| row.int(0))
                .optional()
        })
        .await
    }

    async fn statistics(&self) -> Result<Statistics, StoreError> {
        self.read(statistics).await
    }
}

/// What [`summary`] reads, of `users u`.
const SUMMARY: &str =
    "u.id, u.username, u.display_name, u.disabled_at, u.deleted_at, u.created_at, u.last_seen,
     (SELECT COUNT(*) FROM devices d WHERE d.user_id = u.id)";

fn summary(row: &Row<'_>) -> Outcome<AccountSummary> {
    let (disabled_at, deleted_at): (Option<Timestamp>, Option<Timestamp>) = (row.get(3)?, row.get(4)?);
    Ok(AccountSummary {
        id: row.int(0)?,
        username: row.get(1)?,
        display_name: row.get(2)?,
        state: state(disabled_at, deleted_at),
        created_at: row.get(5)?,
        last_seen: row.get(6)?,
        devices: row.int(7)?,
    })
}

const fn state(disabled_at: Option<Timestamp>, deleted_at: Option<Timestamp>) -> AccountState {
    match (disabled_at, deleted_at) {
        (_, Some(_)) => AccountState::Deleted,
        (Some(_), None) => AccountState::Disabled,
        (None, None) => AccountState::Active,
    }
}

fn accounts(connection: &Connection, query: &AccountQuery) -> Outcome<Vec<AccountSummary>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SUMMARY} FROM users u
         WHERE u.id > ?1 AND (?2 IS NULL OR substr(u.username, 1, length(?2)) = ?2)
             AND (?3 IS NULL OR ?3 = CASE WHEN u.deleted_at IS NOT NULL THEN 3
                 WHEN u.disabled_at IS NOT NULL THEN 2 ELSE 1 END)
         ORDER BY u.id LIMIT ?4"
    ))?;
    let state = query.state.map(|state| match state {
        AccountState::Active => 1_i64,
        AccountState::Disabled => 2,
        AccountState::Deleted => 3,
    });
    let after = query.after.map_or(0, Integer::sql);
    let rows =
        statement.query_map(params![after, query.prefix, state, (query.limit as u64).sql()], summary)?;
    rows.collect()
}

fn account(connection: &Connection, user: UserId) -> Outcome<Option<AccountDetails>> {
    let details = connection
        .prepare_cached(&format!(
            "SELECT {SUMMARY}, u.email, u.phone,
                 (SELECT COUNT(*) FROM members m WHERE m.user_id = u.id),
                 (SELECT COUNT(*) FROM members m WHERE m.user_id = u.id AND m.role = 4)
             FROM users u WHERE u.id = ?1"
        ))?
        .query_row([user.sql()], |row| {
            Ok(AccountDetails {
                summary: summary(row)?,
                disabled_at: row.get(3)?,
                deleted_at: row.get(4)?,
                email: row.get(8)?,
                phone: row.get(9)?,
                conversations: row.int(10)?,
                owned: row.int(11)?,
                signed_in: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut details) = details else { return Ok(None) };
    details.signed_in = devices::of(connection, user)?;
    Ok(Some(details))
}

fn all_devices(
    connection: &Connection,
    user: Option<UserId>,
    after: Option<DeviceId>,
    limit: usize,
) -> Outcome<Vec<DeviceSummary>> {
    let mut statement = connection.prepare_cached(
        "SELECT d.user_id, u.username, d.id, d.name, d.platform, d.created_at, d.last_seen
         FROM devices d JOIN users u ON u.id = d.user_id
         WHERE d.id > ?1 AND (?2 IS NULL OR d.user_id = ?2) ORDER BY d.id LIMIT ?3",
    )?;
    let after = after.map_or(0, Integer::sql);
    let rows = statement.query_map(params![after, user.map(Integer::sql), (limit as u64).sql()], |row| {
        Ok(DeviceSummary {
            user: row.int(0)?,
            username: row.get(1)?,
            device: Device {
                id: row.int(2)?,
                name: row.get(3)?,
                platform: row.get(4)?,
                created_at: row.get(5)?,
                last_seen: row.get(6)?,
                current: false,
            },
        })
    })?;
    rows.collect()
}

/// Counts what is counted already: logs by their heads, never by their rows.
fn statistics(connection: &Connection) -> Outcome<Statistics> {
    let count = |sql: &str| -> Outcome<u64> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row([], |row| row.int(0))
    };
    let kind = |kind: ConversationKind| -> Outcome<u64> {
        let mut statement =
            connection.prepare_cached("SELECT COUNT(*) FROM conversations WHERE kind = ?1")?;
        statement.query_row([kind.sql()], |row| row.int(0))
    };
    let Sizes { database_bytes, free_bytes, log_bytes } = sizes(connection)?;
    Ok(Statistics {
        users_active: count("SELECT COUNT(*) FROM users WHERE deleted_at IS NULL AND disabled_at IS NULL")?,
        users_disabled: count(
            "SELECT COUNT(*) FROM users WHERE deleted_at IS NULL AND disabled_at IS NOT NULL",
        )?,
        users_deleted: count("SELECT COUNT(*) FROM users WHERE deleted_at IS NOT NULL")?,
        devices: count("SELECT COUNT(*) FROM devices")?,
        direct_conversations: kind(ConversationKind::Direct)?,
        groups: kind(ConversationKind::Group)?,
        channels: kind(ConversationKind::Channel)?,
        memberships: count("SELECT CAST(COALESCE(SUM(member_count), 0) AS BIGINT) FROM conversations")?,
        events: count("SELECT CAST(COALESCE(SUM(head), 0) AS BIGINT) FROM heads")?,
        messages: count("SELECT CAST(COALESCE(SUM(number), 0) AS BIGINT) FROM heads")?,
        unfinished_erasures: count("SELECT COUNT(*) FROM unfinished")?,
        database_bytes,
        free_bytes,
        log_bytes,
    })
}

/// What the database takes on its disk.
struct Sizes {
    database_bytes: u64,
    free_bytes: u64,
    log_bytes: u64,
}

fn sizes(connection: &Connection) -> Outcome<Sizes> {
    let size = |sql: &str| connection.query_row(sql, [], |row| row.int::<u64>(0));
    let Some(sqlite) = connection.sqlite() else {
        let database_bytes = size("SELECT pg_database_size(current_database())")?;
        return Ok(Sizes { database_bytes, free_bytes: 0, log_bytes: 0 });
    };
    let page = size("SELECT page_size FROM pragma_page_size")?;
    Ok(Sizes {
        database_bytes: page * size("SELECT page_count FROM pragma_page_count")?,
        free_bytes: page * size("SELECT freelist_count FROM pragma_freelist_count")?,
        log_bytes: sqlite
            .path()
            .map_or(0, |path| std::fs::metadata(format!("{path}-wal")).map_or(0, |metadata| metadata.len())),
    })
}

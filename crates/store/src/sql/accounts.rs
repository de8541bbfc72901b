//! [`Accounts`].

use super::driver::{Connection, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Accounts, Credentials, IdempotencyKey, NewDevice, NewUser, ProfileChange, RememberedAnswer,
    SignUpOutcome, StoreError, UserRecord,
};
use loquat_proto::account::UpdateProfile;
use loquat_proto::{
    AccountEventKind, ConversationId, ConversationKind, OwnProfile, Page, Privacy, Profile, Timestamp,
    UserId, UserKind,
};
use serde_json::json;

use super::codec::{Columns, Integer, find_by, find_by_bits};
use super::context::{Slices, WriteContext};
use super::erase::Task;
use super::error::{Outcome, corrupt};
use super::{Engine, Store, account_log, contacts, conversations, devices, idempotency, profiles};

/// How long the name of a deleted account is kept from others: 30 days.
const NAME_RESERVED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

#[async_trait]
impl<E: Engine> Accounts for Store<E> {
    async fn sign_up(&self, user: NewUser, device: NewDevice) -> Result<SignUpOutcome, StoreError> {
        self.write(move |context| sign_up(context, &user, &device)).await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError> {
        let login = login.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, password_hash, deleted_at IS NULL AND disabled_at IS NULL FROM users
                     WHERE username = ?1 OR email = ?1 OR phone = ?1",
                )?
                .query_row([login], |row| {
                    Ok(Credentials { user: row.int(0)?, password_hash: row.get(1)?, active: row.get(2)? })
                })
                .optional()
        })
        .await
    }

    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.read(move |connection| {
            let Some(own) = own_profile(connection, user)? else { return Ok(None) };
            let disabled = connection
                .prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND disabled_at IS NOT NULL")?
                .exists([user.sql()])?;
            Ok(Some(UserRecord { active: !own.profile.deleted && !disabled, own }))
        })
        .await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let users = users.to_vec();
        self.read(move |connection| {
            let found = users.into_iter().map(|user| profiles::one(connection, user));
            found.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn search(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, StoreError> {
        let (query, after) = (query.to_owned(), after.map(str::to_owned));
        self.read(move |connection| profiles::search(connection, &query, after.as_deref(), limit)).await
    }

    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| update(context, user, change)).await
    }

    async fn delete(&self, user: UserId, ts: Timestamp) -> Result<(), StoreError> {
        self.inner.write_in_slices(move |context| delete(context, user, ts)).await
    }

    async fn recall(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<RememberedAnswer>, StoreError> {
        let key = key.clone();
        self.read(move |connection| idempotency::recall(connection, &key, now)).await
    }

    async fn remember(&self, key: IdempotencyKey, answer: RememberedAnswer) -> Result<(), StoreError> {
        self.write(move |context| idempotency::remember(context, &key, &answer)).await
    }
}

fn sign_up(context: &mut WriteContext<'_>, user: &NewUser, device: &NewDevice) -> Outcome<SignUpOutcome> {
    let name_taken = context
        .statement(
            "SELECT 1 FROM users WHERE username = ?1
             UNION ALL SELECT 1 FROM reserved_names WHERE username = ?1 AND until > ?2",
        )?
        .exists(params![user.username, user.ts])?;
    if name_taken {
        return Ok(SignUpOutcome::UsernameTaken);
    }
    let address_taken = context
        .statement("SELECT 1 FROM users WHERE email = ?1 OR phone = ?2")?
        .exists(params![user.email, user.phone])?;
    if address_taken {
        return Ok(SignUpOutcome::AddressTaken);
    }
    let id_taken = context.statement("SELECT 1 FROM users WHERE id = ?1")?.exists([user.id.sql()])?;
    if id_taken || devices::exists(context, device.id)? {
        return Ok(SignUpOutcome::IdTaken);
    }
    context.statement("DELETE FROM reserved_names WHERE username = ?1")?.execute([&user.username])?;
    let privacy = Privacy::default();
    context
        .statement(
            "INSERT INTO users (id, username, display_name, folded_name, bio, avatar, kind, email, phone,
                 password_hash, settings, last_seen_audience, read_receipts, find_by, created_at)
             VALUES (?1, ?2, ?3, ?4, '', NULL, ?5, ?6, ?7, ?8, '{}', ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            user.id.sql(),
            user.username,
            user.display_name,
            user.display_name.to_lowercase(),
            UserKind::Person.sql(),
            user.email,
            user.phone,
            user.password_hash,
            privacy.last_seen.sql(),
            privacy.read_receipts.sql(),
            find_by_bits(&privacy.find_by),
            user.ts,
        ])?;
    devices::insert(context, user.id, device)?;
    Ok(SignUpOutcome::Created)
}

/// Whether there is an account with this id that is not deleted.
pub(crate) fn is_there(context: &WriteContext<'_>, user: UserId) -> Outcome<bool> {
    context.statement("SELECT 1 FROM users WHERE id = ?1 AND deleted_at IS NULL")?.exists([user.sql()])
}

fn own_profile(connection: &Connection, user: UserId) -> Outcome<Option<OwnProfile>> {
    connection
        .prepare_cached(
            "SELECT id, username, display_name, bio, avatar, kind, deleted_at IS NOT NULL,
                 email, phone, settings, last_seen_audience, read_receipts, find_by
             FROM users WHERE id = ?1",
        )?
        .query_row([user.sql()], |row| {
            Ok(OwnProfile {
                profile: profiles::profile(row, 0)?,
                email: row.get(7)?,
                phone: row.get(8)?,
                settings: row.json(9)?,
                privacy: Privacy {
                    last_seen: row.int(10)?,
                    read_receipts: row.int(11)?,
                    find_by: find_by(row.get(12)?),
                },
            })
        })
        .optional()
}

fn update(context: &mut WriteContext<'_>, user: UserId, change: ProfileChange) -> Outcome<Vec<AccountEntry>> {
    let ProfileChange { fields, ts } = change;
    let UpdateProfile { display_name, bio, avatar, settings, privacy } = fields;
    let tells_profile = display_name.is_some() || bio.is_some() || avatar.is_some();
    let tells_settings = settings.is_some() || privacy.is_some();
    let privacy = privacy.unwrap_or_default();
    let changed = context
        .statement(
            "UPDATE users SET
                 display_name = COALESCE(?2, display_name),
                 folded_name = COALESCE(?3, folded_name),
                 bio = COALESCE(?4, bio),
                 avatar = CASE WHEN ?5 <> 0 THEN ?6 ELSE avatar END,
                 settings = COALESCE(?7, settings),
                 last_seen_audience = COALESCE(?8, last_seen_audience),
                 read_receipts = COALESCE(?9, read_receipts),
                 find_by = COALESCE(?10, find_by)
             WHERE id = ?1 AND deleted_at IS NULL",
        )?
        .execute(params![
            user.sql(),
            display_name,
            display_name.as_ref().map(|name| name.to_lowercase()),
            bio,
            avatar.is_some().sql(),
            avatar.flatten(),
            settings.map(|settings| settings.to_string()),
            privacy.last_seen.map(Integer::sql),
            privacy.read_receipts.map(Integer::sql),
            privacy.find_by.as_deref().map(find_by_bits),
        ])?;
    let mut entries = Vec::new();
    if changed == 0 {
        return Ok(entries);
    }
    let own = own_profile(context.connection, user)?.ok_or_else(|| corrupt("an updated user is gone"))?;
    if tells_profile {
        let body = serde_json::to_value(&own).map_err(|error| corrupt(error.to_string()))?;
        entries.push(account_log::append(context, user, AccountEventKind::Profile, body, ts)?);
    }
    if tells_settings {
        let body = json!({ "settings": own.settings, "privacy": own.privacy });
        entries.push(account_log::append(context, user, AccountEventKind::Settings, body, ts)?);
    }
    Ok(entries)
}

/// The account is a tombstone with the first transaction; what it wrote goes in slices.
fn delete(context: &mut WriteContext<'_>, user: UserId, ts: Timestamp) -> Outcome<((), Slices)> {
    let name: Option<Option<String>> = context
        .statement("SELECT username FROM users WHERE id = ?1")?
        .query_row([user.sql()], |row| row.get(0))
        .optional()?;
    let Some(name) = name else { return Ok(((), Box::new(|_| Ok(true)))) };
    if let Some(name) = name {
        context
            .statement(
                "INSERT INTO reserved_names (username, until) VALUES (?1, ?2)
                 ON CONFLICT (username) DO UPDATE SET until = excluded.until",
            )?
            .execute(params![name, ts.saturating_add(NAME_RESERVED_MS)])?;
    }
    context
        .statement(
            "UPDATE users SET username = NULL, display_name = '', folded_name = '', bio = '', avatar = NULL,
                 email = NULL, phone = NULL, password_hash = '', settings = '{}', last_seen = NULL,
                 deleted_at = COALESCE(deleted_at, ?2)
             WHERE id = ?1",
        )?
        .execute(params![user.sql(), ts])?;
    for device in devices::of(context.connection, user)? {
        devices::remove(context, user, device.id)?;
    }
    account_log::erase(context, user)?;
    context.statement("DELETE FROM mentions WHERE user_id = ?1")?.execute([user.sql()])?;
    contacts::erase(context, user)?;
    // Sign-ups are remembered by their name.
    context.statement("DELETE FROM remembered_answers WHERE created = ?1")?.execute([user.sql()])?;
    end_memberships(context, user)?;
    Ok(((), Task::EraseAccount(user).begin(context.connection)?))
}

/// Ends what memberships are left. Direct conversations keep their two members for ever, and drafts are not kept.
/// Whoever has loaded one of the conversations notices by its version.
fn end_memberships(context: &mut WriteContext<'_>, user: UserId) -> Outcome<()> {
    let mut statement = context.statement(
        "SELECT m.conversation_id, c.kind FROM members m
         JOIN conversations c ON c.id = m.conversation_id WHERE m.user_id = ?1",
    )?;
    let memberships: Outcome<Vec<(ConversationId, ConversationKind)>> =
        statement.query_map([user.sql()], |row| Ok((row.int(0)?, row.int(1)?)))?.collect();
    for (conversation, kind) in memberships? {
        // First, so that nothing is appended meanwhile.
        let pos = context.next_pos()?;
        context
            .statement("UPDATE heads SET version = version + 1, touched = ?2 WHERE conversation_id = ?1")?
            .execute([conversation.sql(), pos.sql()])?;
        if kind == ConversationKind::Direct {
            context
                .statement("UPDATE members SET draft = NULL WHERE conversation_id = ?1 AND user_id = ?2")?
                .execute([conversation.sql(), user.sql()])?;
        } else {
            conversations::leave(context, conversation, user)?;
        }
    }
    Ok(())
}

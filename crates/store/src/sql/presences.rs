//! [`Presences`].

use super::driver::{Connection, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{Presences, StoreError};
use loquat_proto::account::LastSeenAudience;
use loquat_proto::{DeviceId, Timestamp, UserId};
use rustc_hash::FxHashSet;

use super::codec::{Columns, Integer};
use super::error::Outcome;
use super::{Engine, Store, blocks};

#[async_trait]
impl<E: Engine> Presences for Store<E> {
    async fn visible(
        &self,
        watcher: UserId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Option<Timestamp>)>, StoreError> {
        let users = users.to_vec();
        self.read(move |connection| visible(connection, watcher, &users)).await
    }

    async fn save_last_seen(&self, seen: Vec<(UserId, DeviceId, Timestamp)>) -> Result<(), StoreError> {
        self.write(move |context| {
            for (user, device, ts) in seen {
                context
                    .statement(
                        "UPDATE users SET last_seen = ?2
                         WHERE id = ?1 AND deleted_at IS NULL AND COALESCE(last_seen, ?2 - 1) < ?2",
                    )?
                    .execute(params![user.sql(), ts])?;
                context
                    .statement(
                        "UPDATE devices SET last_seen = ?3
                         WHERE id = ?1 AND user_id = ?2 AND COALESCE(last_seen, ?3 - 1) < ?3",
                    )?
                    .execute(params![device.sql(), user.sql(), ts])?;
            }
            Ok(())
        })
        .await
    }
}

fn visible(
    connection: &Connection,
    watcher: UserId,
    users: &[UserId],
) -> Outcome<Vec<(UserId, Option<Timestamp>)>> {
    // Asked for once it is needed: contacts see one another without it.
    let mut own: Option<FxHashSet<i64>> = None;
    let mut seen = Vec::new();
    for user in users {
        let audience: Option<(LastSeenAudience, Option<Timestamp>)> = connection
            .prepare_cached(
                "SELECT last_seen_audience, last_seen FROM users WHERE id = ?1 AND deleted_at IS NULL",
            )?
            .query_row([user.sql()], |row| Ok((row.int(0)?, row.get(1)?)))
            .optional()?;
        let Some((audience, last_seen)) = audience else { continue };
        let may_see = *user == watcher
            || (audience != LastSeenAudience::Nobody
                && !blocks::is(connection, *user, watcher)?
                && (is_contact(connection, watcher, *user)?
                    || (audience == LastSeenAudience::Everyone
                        && shares_conversation(connection, (watcher, &mut own), *user)?)));
        if may_see {
            seen.push((*user, last_seen));
        }
    }
    Ok(seen)
}

fn is_contact(connection: &Connection, one: UserId, other: UserId) -> Outcome<bool> {
    connection
        .prepare_cached("SELECT 1 FROM contacts WHERE user_id = ?1 AND contact_id = ?2")?
        .exists([one.sql(), other.sql()])
}

fn shares_conversation(
    connection: &Connection,
    (watcher, own): (UserId, &mut Option<FxHashSet<i64>>),
    user: UserId,
) -> Outcome<bool> {
    let own = match own {
        Some(own) => own,
        None => own.insert(conversations_of(connection, watcher)?.into_iter().collect()),
    };
    Ok(conversations_of(connection, user)?.iter().any(|shared| own.contains(shared)))
}

fn conversations_of(connection: &Connection, user: UserId) -> Outcome<Vec<i64>> {
    connection
        .prepare_cached("SELECT conversation_id FROM members WHERE user_id = ?1")?
        .query_map([user.sql()], |row| row.get(0))?
        .collect()
}

//! [`Contacts`].

use super::driver::{Connection, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{AccountEntry, ContactLimits, ContactOutcome, Contacts, Full, StoreError};
use loquat_proto::{AccountEventKind, Contact, ContactRequest, Direction, Timestamp, UserId};
use serde_json::json;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::Outcome;
use super::log::{Limit, MAX_LIMIT};
use super::{Engine, Store, account_log, accounts, blocks, profiles};

/// The request waits for its answer.
const WAITING: i64 = 1;
/// It was declined; who asked sees it waiting.
const DECLINED: i64 = 2;
/// It was declined and then withdrawn; nobody sees it.
const WITHDRAWN: i64 = 3;

#[async_trait]
impl<E: Engine> Contacts for Store<E> {
    async fn request(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        self.write(move |context| request(context, (user, other), limits, ts)).await
    }

    async fn accept(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        self.write(move |context| accept(context, (user, other), limits, ts)).await
    }

    async fn decline(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Option<Vec<AccountEntry>>, StoreError> {
        self.write(move |context| decline(context, (user, other), ts)).await
    }

    async fn remove(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| {
            if part(context, user, other)? {
                let mut entries = vec![told_removed(context, user, other, false, ts)?];
                entries.push(told_removed(context, other, user, false, ts)?);
                return Ok(entries);
            }
            withdraw(context, (user, other), ts)
        })
        .await
    }

    async fn forget(&self, user: UserId, ts: Timestamp) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(move |context| {
            let mut entries = Vec::new();
            for (sql, request) in [
                ("SELECT contact_id FROM contacts WHERE user_id = ?1", false),
                ("SELECT requester FROM contact_requests WHERE recipient = ?1 AND state < 3", true),
                ("SELECT recipient FROM contact_requests WHERE requester = ?1 AND state = 1", true),
            ] {
                let others: Outcome<Vec<UserId>> =
                    context.statement(sql)?.query_map([user.sql()], |row| row.int(0))?.collect();
                for other in others? {
                    entries.push(told_removed(context, other, user, request, ts)?);
                }
            }
            erase(context, user)?;
            Ok(entries)
        })
        .await
    }

    async fn contacts(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        self.read(move |connection| contacts(connection, user, after, limit.min(MAX_LIMIT))).await
    }

    async fn requests(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<ContactRequest>, StoreError> {
        self.read(move |connection| requests(connection, user, after, limit.min(MAX_LIMIT))).await
    }
}

fn request(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    limits: ContactLimits,
    ts: Timestamp,
) -> Outcome<ContactOutcome> {
    if let Some(outcome) = settled(context, user, other)? {
        return Ok(outcome);
    }
    if let Some((WAITING | DECLINED, _)) = state(context, other, user)? {
        return meet(context, (user, other), limits, ts);
    }
    let own = state(context, user, other)?;
    if let Some((WAITING | DECLINED, created_at)) = own {
        return Ok(ContactOutcome::Pending { created_at, new: false, entries: Vec::new() });
    }
    let asked = "SELECT COUNT(*) FROM contact_requests WHERE requester = ?1 AND state < 3";
    if count(context, asked, user)? >= limits.requests {
        return Ok(ContactOutcome::Full(Full::Asked));
    }
    let was_declined = own.is_some();
    let received = "SELECT COUNT(*) FROM contact_requests WHERE recipient = ?1 AND state = 1";
    if !was_declined && count(context, received, other)? >= limits.received {
        return Ok(ContactOutcome::Full(Full::Received));
    }
    put(context, (user, other), if was_declined { DECLINED } else { WAITING }, ts)?;
    // What the one who asks now declined before: they have changed their mind.
    take(context, other, user)?;
    let mut entries = vec![told_request(context, user, other, Direction::Out, ts)?];
    if !was_declined {
        entries.push(told_request(context, other, user, Direction::In, ts)?);
    }
    Ok(ContactOutcome::Pending { created_at: ts, new: true, entries })
}

fn accept(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    limits: ContactLimits,
    ts: Timestamp,
) -> Outcome<ContactOutcome> {
    if let Some(outcome) = settled(context, user, other)? {
        return Ok(outcome);
    }
    match state(context, other, user)? {
        Some((WAITING, _)) => meet(context, (user, other), limits, ts),
        _ => Ok(ContactOutcome::Unknown),
    }
}

/// What is so whatever was asked: one of the two is gone, one blocks the other, or they are contacts.
fn settled(context: &WriteContext<'_>, user: UserId, other: UserId) -> Outcome<Option<ContactOutcome>> {
    if !accounts::is_there(context, user)? || !accounts::is_there(context, other)? {
        return Ok(Some(ContactOutcome::Unknown));
    }
    if blocks::between(context.connection, user, other)? {
        return Ok(Some(ContactOutcome::Blocked));
    }
    let since: Option<Timestamp> = context
        .statement("SELECT created_at FROM contacts WHERE user_id = ?1 AND contact_id = ?2")?
        .query_row([user.sql(), other.sql()], |row| row.get(0))
        .optional()?;
    Ok(since.map(|created_at| ContactOutcome::Contacts { created_at, entries: Vec::new() }))
}

/// The two become contacts.
fn meet(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    limits: ContactLimits,
    ts: Timestamp,
) -> Outcome<ContactOutcome> {
    for one in [user, other] {
        if count(context, "SELECT COUNT(*) FROM contacts WHERE user_id = ?1", one)? >= limits.contacts {
            return Ok(ContactOutcome::Full(Full::Contacts));
        }
    }
    let mut entries = Vec::with_capacity(2);
    for (one, contact) in [(user, other), (other, user)] {
        take(context, one, contact)?;
        context
            .statement("INSERT INTO contacts (user_id, contact_id, created_at) VALUES (?1, ?2, ?3)")?
            .execute(params![one.sql(), contact.sql(), ts])?;
        let body = json!({ "user": contact });
        entries.push(account_log::append(context, one, AccountEventKind::ContactAdded, body, ts)?);
    }
    Ok(ContactOutcome::Contacts { created_at: ts, entries })
}

/// `user` declines what `other` asked.
pub(crate) fn decline(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    ts: Timestamp,
) -> Outcome<Option<Vec<AccountEntry>>> {
    match state(context, other, user)? {
        None => Ok(None),
        Some((WAITING, created_at)) => {
            put(context, (other, user), DECLINED, created_at)?;
            Ok(Some(vec![told_removed(context, user, other, true, ts)?]))
        }
        Some(_) => Ok(Some(Vec::new())),
    }
}

/// `user` takes back what they asked `other`.
pub(crate) fn withdraw(
    context: &WriteContext<'_>,
    (user, other): (UserId, UserId),
    ts: Timestamp,
) -> Outcome<Vec<AccountEntry>> {
    match state(context, user, other)? {
        Some((WAITING, _)) => {
            take(context, user, other)?;
            let own = told_removed(context, user, other, true, ts)?;
            Ok(vec![own, told_removed(context, other, user, true, ts)?])
        }
        Some((DECLINED, created_at)) => {
            put(context, (user, other), WITHDRAWN, created_at)?;
            Ok(vec![told_removed(context, user, other, true, ts)?])
        }
        _ => Ok(Vec::new()),
    }
}

/// Erases all contacts, requests and blocks that a user is part of.
pub(crate) fn erase(context: &WriteContext<'_>, user: UserId) -> Outcome<()> {
    for sql in [
        "DELETE FROM contacts WHERE contact_id = ?1
             AND user_id IN (SELECT contact_id FROM contacts WHERE user_id = ?1)",
        "DELETE FROM contacts WHERE user_id = ?1",
        "DELETE FROM contact_requests WHERE requester = ?1",
        "DELETE FROM contact_requests WHERE recipient = ?1",
        "DELETE FROM blocks WHERE user_id = ?1",
        "DELETE FROM blocks WHERE blocked_id = ?1",
    ] {
        context.statement(sql)?.execute([user.sql()])?;
    }
    Ok(())
}

/// A request's state and time, as `requester` made it.
fn state(
    context: &WriteContext<'_>,
    requester: UserId,
    recipient: UserId,
) -> Outcome<Option<(i64, Timestamp)>> {
    context
        .statement("SELECT state, created_at FROM contact_requests WHERE requester = ?1 AND recipient = ?2")?
        .query_row([requester.sql(), recipient.sql()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn put(
    context: &WriteContext<'_>,
    (requester, recipient): (UserId, UserId),
    state: i64,
    ts: Timestamp,
) -> Outcome<()> {
    context
        .statement(
            "INSERT INTO contact_requests (requester, recipient, state, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (requester, recipient)
                 DO UPDATE SET state = excluded.state, created_at = excluded.created_at",
        )?
        .execute(params![requester.sql(), recipient.sql(), state, ts])?;
    Ok(())
}

fn take(context: &WriteContext<'_>, requester: UserId, recipient: UserId) -> Outcome<()> {
    context
        .statement("DELETE FROM contact_requests WHERE requester = ?1 AND recipient = ?2")?
        .execute([requester.sql(), recipient.sql()])?;
    Ok(())
}

/// Ends a contact on both sides: whether there was one.
fn part(context: &WriteContext<'_>, user: UserId, other: UserId) -> Outcome<bool> {
    let parted = context
        .statement(
            "DELETE FROM contacts
             WHERE (user_id = ?1 AND contact_id = ?2) OR (user_id = ?2 AND contact_id = ?1)",
        )?
        .execute([user.sql(), other.sql()])?;
    Ok(parted > 0)
}

fn count(context: &WriteContext<'_>, sql: &str, user: UserId) -> Outcome<usize> {
    let count: u64 = context.statement(sql)?.query_row([user.sql()], |row| row.int(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn told_request(
    context: &WriteContext<'_>,
    user: UserId,
    other: UserId,
    direction: Direction,
    ts: Timestamp,
) -> Outcome<AccountEntry> {
    let body = json!({ "user": other, "direction": direction });
    account_log::append(context, user, AccountEventKind::ContactRequest, body, ts)
}

/// Tells that a contact is gone, or (`request`) a request.
fn told_removed(
    context: &WriteContext<'_>,
    user: UserId,
    other: UserId,
    request: bool,
    ts: Timestamp,
) -> Outcome<AccountEntry> {
    let body = json!({ "user": other, "request": request });
    account_log::append(context, user, AccountEventKind::ContactRemoved, body, ts)
}

fn contacts(
    connection: &Connection,
    user: UserId,
    after: Option<UserId>,
    limit: usize,
) -> Outcome<Vec<Contact>> {
    let mut statement = connection.prepare_cached(
        "SELECT u.id, u.username, u.display_name, u.bio, u.avatar, u.kind, u.deleted_at IS NOT NULL, c.created_at
         FROM contacts c JOIN users u ON u.id = c.contact_id
         WHERE c.user_id = ?1 AND c.contact_id > ?2 ORDER BY c.contact_id LIMIT ?3",
    )?;
    let page = params![user.sql(), after.map_or(0, Integer::sql), limit.sql_limit()];
    let rows = statement.query_map(page, |row| {
        Ok(Contact { user: row.int(0)?, profile: profiles::profile(row, 0)?, created_at: row.get(7)? })
    })?;
    rows.collect()
}

fn requests(
    connection: &Connection,
    user: UserId,
    after: Option<UserId>,
    limit: usize,
) -> Outcome<Vec<ContactRequest>> {
    let mut statement = connection.prepare_cached(
        "SELECT u.id, u.username, u.display_name, u.bio, u.avatar, u.kind, u.deleted_at IS NOT NULL,
             r.created_at, r.received
         FROM (
             SELECT recipient AS other, created_at, 0 AS received FROM contact_requests
             WHERE requester = ?1 AND recipient > ?2 AND state < 3
             UNION ALL
             SELECT requester, created_at, 1 FROM contact_requests
             WHERE recipient = ?1 AND requester > ?2 AND state = 1
         ) r JOIN users u ON u.id = r.other ORDER BY r.other LIMIT ?3",
    )?;
    let page = params![user.sql(), after.map_or(0, Integer::sql), limit.sql_limit()];
    let rows = statement.query_map(page, |row| {
        Ok(ContactRequest {
            user: row.int(0)?,
            profile: profiles::profile(row, 0)?,
            direction: if row.get(8)? { Direction::In } else { Direction::Out },
            created_at: row.get(7)?,
        })
    })?;
    rows.collect()
}

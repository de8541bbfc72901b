//! Users as others see them.

use super::driver::{Connection, OptionalExtension, Row, params};
use loquat_proto::{Page, Profile, UserId};

use super::codec::{Columns, Integer};
use super::error::Outcome;
use super::log::{Limit, MAX_LIMIT};

/// A profile from seven columns: id, username, display name, bio, avatar, kind, whether deleted.
pub(crate) fn profile(row: &Row<'_>, column: usize) -> Outcome<Profile> {
    Ok(Profile {
        id: row.int(column)?,
        username: row.get::<_, Option<String>>(column + 1)?.unwrap_or_default(),
        display_name: row.get(column + 2)?,
        bio: row.get(column + 3)?,
        avatar: row.get(column + 4)?,
        kind: row.int(column + 5)?,
        deleted: row.get(column + 6)?,
    })
}

/// One profile, if the user exists.
pub(crate) fn one(connection: &Connection, user: UserId) -> Outcome<Option<Profile>> {
    connection
        .prepare_cached(
            "SELECT id, username, display_name, bio, avatar, kind, deleted_at IS NOT NULL
             FROM users WHERE id = ?1",
        )?
        .query_row([user.sql()], |row| profile(row, 0))
        .optional()
}

/// Users found by a prefix of their names or by a whole address, by username.
///
/// The users of a username prefix are read in order, a page of them; those of a display name prefix are all looked
/// at for each page.
pub(crate) fn search(
    connection: &Connection,
    query: &str,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Page<Profile>> {
    let prefix = query.to_lowercase();
    let beyond = format!("{prefix}{}", char::MAX);
    let limit = limit.min(MAX_LIMIT);
    let mut statement = connection.prepare_cached(
        "SELECT id, username, display_name, bio, avatar, kind, deleted_at IS NOT NULL FROM users
         WHERE username > ?3 AND deleted_at IS NULL AND id IN (
             SELECT id FROM (
                 SELECT id FROM users
                 WHERE username >= ?1 AND username < ?2 AND username > ?3 AND (find_by & 1) <> 0
                 ORDER BY username LIMIT ?5) AS named
             UNION SELECT id FROM (
                 SELECT id FROM users
                 WHERE folded_name >= ?1 AND folded_name < ?2 AND username > ?3 AND (find_by & 1) <> 0
                 ORDER BY username LIMIT ?5) AS shown
             UNION SELECT id FROM users WHERE email = ?1 AND (find_by & 2) <> 0
             UNION SELECT id FROM users WHERE phone = ?4 AND (find_by & 4) <> 0)
         ORDER BY username LIMIT ?5",
    )?;
    let values = params![prefix, beyond, after.unwrap_or_default(), query, (limit + 1).sql_limit()];
    let mut items: Vec<Profile> =
        statement.query_map(values, |row| profile(row, 0))?.collect::<Outcome<_>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.username.clone());
    Ok(Page { items, next_cursor })
}

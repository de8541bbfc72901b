//! Cursors, many at a time: three flights of statements for a batch, whatever its size.
//!
//! What [`crate::sql::cursors`] does move by move is done here for the sum of each member's moves: cursors only go
//! forward, so that the furthest of them is where they end.

use loquat_domain::failpoint;
use loquat_domain::ports::CursorMove;
use loquat_proto::{ConversationId, DeviceId, Seq, UserId};
use rustc_hash::FxHashMap;

use super::engine::{READ_COMMITTED, is_collision};
use super::pool::{Failure, Worker, is_answer};
use super::round::{TRANSACTION, conversation, parameters, push, unsigned};
use super::session::{Parameter, Session};
use crate::sql::codec::Integer;
use crate::sql::error::{Outcome, SqlError, corrupt};
use crate::sql::positions::CHANGE_BITS;

/// So many moves go into one transaction: it holds the heads of their conversations for as long.
const SLICE: usize = 512;
/// How often a slice is tried.
const TRIES: u32 = 5;
/// In larger conversations a moved cursor is news for its own user alone.
const MAX_TOLD: u64 = 256;

const LOCK_HEADS: &str = "SELECT conversation_id, head,
        (SELECT member_count FROM conversations c WHERE c.id = h.conversation_id) FROM heads h
    WHERE conversation_id = ANY ($1) ORDER BY conversation_id FOR UPDATE OF h";

const STORED: &str = "SELECT c.conversation_id, c.user_id, c.delivered, c.read, c.own_after_read
    FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS w (conversation_id, user_id)
    JOIN cursors c ON c.conversation_id = w.conversation_id AND c.user_id = w.user_id";

const NUMBERS: &str = "SELECT w.conversation_id, w.seq, e.number
    FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS w (conversation_id, seq)
    JOIN events e ON e.conversation_id = w.conversation_id AND e.seq = w.seq";

const OWN: &str = "SELECT w.conversation_id, w.user_id, (SELECT COUNT(*) FROM events e
        WHERE e.conversation_id = w.conversation_id AND e.seq > w.above AND e.seq <= w.upto
            AND e.sender = w.user_id AND e.kind = 1)
    FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[]) AS w (conversation_id, user_id, above, upto)";

// Answers what has moved.
const SAVE_DEVICES: &str = "INSERT INTO device_cursors AS d (conversation_id, user_id, device_id, delivered)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[])
    ON CONFLICT (conversation_id, user_id, device_id) DO UPDATE SET delivered = excluded.delivered
        WHERE excluded.delivered > d.delivered
    RETURNING conversation_id, user_id";

const SAVE: &str = "UPDATE cursors AS c SET delivered = w.delivered, read = w.read,
        number_at_read = CASE WHEN w.read > c.read THEN w.number ELSE c.number_at_read END,
        own_after_read = CASE WHEN w.read > c.read THEN w.own ELSE c.own_after_read END
    FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[])
        AS w (conversation_id, user_id, delivered, read, number, own)
    WHERE c.conversation_id = w.conversation_id AND c.user_id = w.user_id";

// Never back: see `round`.
const TELL_ALL: &str = "UPDATE heads SET touched = GREATEST(touched, $2) WHERE conversation_id = ANY ($1)";

const TELL_OWN: &str = "UPDATE members AS m SET touched = $3
    FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS w (conversation_id, user_id)
    WHERE m.conversation_id = w.conversation_id AND m.user_id = w.user_id";

type Member = (ConversationId, UserId);

/// Moves cursors forward; ignores moves of who is no member.
pub(super) fn save(worker: &mut Worker, moves: &[CursorMove]) -> Outcome<()> {
    failpoint::pass("before_cursor_flush");
    let mut moves = moves.to_vec();
    moves.sort_by_key(|moved| moved.conversation);
    for slice in moves.chunks(SLICE) {
        let mut tries = 1;
        // A slice whose outcome is unknown is done once more: it only goes forward.
        while let Err(failure) = worker.session(|session| save_slice(session, slice)) {
            let lost = worker.is_disconnected() || matches!(failure, Failure::Unknown(_));
            let error = failure.into_error();
            if tries >= TRIES || !(lost || is_collision(&error)) {
                return Err(error);
            }
            tries += 1;
        }
    }
    Ok(())
}

/// A member's cursor as it is stored, and where it goes.
struct Cursor {
    head: Seq,
    stored_read: Seq,
    stored_delivered: Seq,
    own_after_read: u64,
    delivered: Seq,
    read: Seq,
}

impl Cursor {
    const fn moves(&self) -> bool {
        self.read > self.stored_read || self.delivered > self.stored_delivered
    }

    /// The shorter of the two ranges in which own messages can be counted.
    const fn counted(&self) -> (Seq, Seq) {
        if self.counts_behind() { (self.read, self.head) } else { (self.stored_read, self.read) }
    }

    const fn counts_behind(&self) -> bool {
        self.head - self.read <= self.read - self.stored_read
    }
}

struct Head {
    head: Seq,
    members: u64,
}

fn save_slice(session: &Session, moves: &[CursorMove]) -> Result<(), Failure> {
    let undone = |error| {
        let _ = session.end("ROLLBACK");
        Failure::Undone(error)
    };
    let (heads, mut cursors, pos) = look(session, moves).map_err(undone)?;
    let mut devices: FxHashMap<(Member, DeviceId), Seq> = FxHashMap::default();
    for moved in moves {
        let member = (moved.conversation, moved.user);
        let Some(cursor) = cursors.get_mut(&member) else { continue };
        let on_device = moved.delivered.max(moved.read).min(cursor.head);
        cursor.delivered = cursor.delivered.max(on_device);
        cursor.read = cursor.read.max(moved.read.min(cursor.head));
        if on_device > 0 {
            let furthest = devices.entry((member, moved.device)).or_default();
            *furthest = on_device.max(*furthest);
        }
    }
    let saved = recount(session, &cursors).map_err(undone)?;
    write(session, (&heads, &cursors, pos), &saved, &devices)
}

type Looked = (FxHashMap<ConversationId, Head>, FxHashMap<Member, Cursor>, i64);

/// Locks the heads; then what is stored, and a position.
fn look(session: &Session, moves: &[CursorMove]) -> Outcome<Looked> {
    let mut members: Vec<Member> = moves.iter().map(|moved| (moved.conversation, moved.user)).collect();
    members.sort_unstable();
    members.dedup();
    let mut wanted: [Vec<i64>; 2] = Default::default();
    for (conversation, user) in &members {
        push(&mut wanted, [conversation.sql(), user.sql()]);
    }
    session.begin(READ_COMMITTED);
    let answers = session.pipeline(
        &[
            (LOCK_HEADS, vec![&wanted[0] as Parameter<'_>]),
            (TRANSACTION, vec![]),
            (STORED, parameters(&wanted)),
        ],
        None,
    )?;
    let [locked, numbered, stored] = answers.as_slice() else { return Err(SqlError::NoRow) };
    let mut heads = FxHashMap::default();
    for row in locked {
        heads.insert(conversation(row, 0)?, Head { head: unsigned(row, 1)?, members: unsigned(row, 2)? });
    }
    let transaction = unsigned(numbered.first().ok_or(SqlError::NoRow)?, 0)?;
    let mut cursors = FxHashMap::default();
    for row in stored {
        let conversation = conversation(row, 0)?;
        let Some(head) = heads.get(&conversation) else { continue };
        let (delivered, read) = (unsigned(row, 2)?, unsigned(row, 3)?);
        let cursor = Cursor {
            head: head.head,
            stored_read: read,
            stored_delivered: delivered,
            own_after_read: unsigned(row, 4)?,
            delivered,
            read,
        };
        cursors.insert((conversation, user(row, 1)?), cursor);
    }
    Ok((heads, cursors, ((transaction << CHANGE_BITS) + 1).sql()))
}

fn user(row: &tokio_postgres::Row, column: usize) -> Outcome<UserId> {
    UserId::from_sql(row.try_get(column)?).ok_or_else(|| corrupt("a user has no id"))
}

/// The rows of the cursors that move: conversation, user, delivered, read, number at `read`, own after it.
fn recount(session: &Session, cursors: &FxHashMap<Member, Cursor>) -> Outcome<[Vec<i64>; 6]> {
    let reads = || cursors.iter().filter(|(_, cursor)| cursor.read > cursor.stored_read);
    let (mut places, mut ranges): ([Vec<i64>; 2], [Vec<i64>; 4]) = Default::default();
    for ((conversation, user), cursor) in reads() {
        push(&mut places, [conversation.sql(), cursor.read.sql()]);
        let (above, upto) = cursor.counted();
        push(&mut ranges, [conversation.sql(), user.sql(), above.sql(), upto.sql()]);
    }
    let mut numbers: FxHashMap<(ConversationId, Seq), i64> = FxHashMap::default();
    let mut own: FxHashMap<Member, u64> = FxHashMap::default();
    if !places[0].is_empty() {
        let answers =
            session.pipeline(&[(NUMBERS, parameters(&places)), (OWN, parameters(&ranges))], None)?;
        let [found, counted] = answers.as_slice() else { return Err(SqlError::NoRow) };
        for row in found {
            numbers.insert((conversation(row, 0)?, unsigned(row, 1)?), row.try_get(2)?);
        }
        for row in counted {
            own.insert((conversation(row, 0)?, user(row, 1)?), unsigned(row, 2)?);
        }
    }
    let mut rows: [Vec<i64>; 6] = Default::default();
    for (member, cursor) in cursors.iter().filter(|(_, cursor)| cursor.moves()) {
        let (conversation, user) = *member;
        let (mut number, mut own_after) = (0, 0);
        if cursor.read > cursor.stored_read {
            let gap = || corrupt(format!("conversation {conversation} has a gap at {}", cursor.read));
            number = *numbers.get(&(conversation, cursor.read)).ok_or_else(gap)?;
            let counted = own.get(member).copied().unwrap_or(0);
            own_after =
                if cursor.counts_behind() { counted } else { cursor.own_after_read.saturating_sub(counted) };
        }
        push(
            &mut rows,
            [
                conversation.sql(),
                user.sql(),
                cursor.delivered.sql(),
                cursor.read.sql(),
                number,
                own_after.sql(),
            ],
        );
    }
    Ok(rows)
}

/// Writes what moved, tells whom it is news for, and commits.
fn write(
    session: &Session,
    (heads, cursors, pos): (&FxHashMap<ConversationId, Head>, &FxHashMap<Member, Cursor>, i64),
    saved: &[Vec<i64>; 6],
    devices: &FxHashMap<(Member, DeviceId), Seq>,
) -> Result<(), Failure> {
    let undone = |error| {
        let _ = session.end("ROLLBACK");
        Failure::Undone(error)
    };
    let mut moved: Vec<Member> =
        cursors.iter().filter(|(_, cursor)| cursor.moves()).map(|(member, _)| *member).collect();
    if !devices.is_empty() {
        let mut rows: [Vec<i64>; 4] = Default::default();
        for (((conversation, user), device), delivered) in devices {
            push(&mut rows, [conversation.sql(), user.sql(), device.sql(), delivered.sql()]);
        }
        let answers = session.own_query(SAVE_DEVICES, &parameters(&rows)).map_err(undone)?;
        let told: Outcome<Vec<Member>> =
            answers.iter().map(|row| Ok((conversation(row, 0)?, user(row, 1)?))).collect();
        moved.extend(told.map_err(undone)?);
    }
    if moved.is_empty() {
        return session.end("ROLLBACK").map_err(Failure::Undone);
    }
    moved.sort_unstable();
    moved.dedup();
    let mut all = Vec::new();
    let mut own: [Vec<i64>; 2] = Default::default();
    for (conversation, user) in moved {
        if heads.get(&conversation).is_some_and(|head| head.members <= MAX_TOLD) {
            all.push(conversation.sql());
        } else {
            push(&mut own, [conversation.sql(), user.sql()]);
        }
    }
    let mut statements: Vec<(&'static str, Vec<Parameter<'_>>)> =
        vec![(SAVE, parameters(saved)), (TELL_ALL, vec![&all, &pos])];
    if !own[0].is_empty() {
        let mut values = parameters(&own);
        values.push(&pos);
        statements.push((TELL_OWN, values));
    }
    match session.pipeline(&statements, Some("COMMIT")) {
        Ok(_) => Ok(()),
        Err(error) if is_answer(&error) => Err(undone(error)),
        Err(error) => Err(Failure::Unknown(error)),
    }
}

//! A round: the messages of many conversations in one transaction, by arrays.

use loquat_domain::failpoint;
use loquat_domain::ports::{Append, AppendOutcome, Change, Placement};
use loquat_proto::{ConversationId, Nonce, Seq, UserId};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::engine::READ_COMMITTED;
use super::pool::{Failure, is_answer};
use super::session::{Parameter, Session};
use crate::sql::codec::{Integer, MESSAGE};
use crate::sql::error::{Outcome, SqlError, corrupt};
use crate::sql::nonces::NonceIndex;
use crate::sql::positions::CHANGE_BITS;

const LOCK_HEADS: &str = "SELECT conversation_id, head, number, version, touched FROM heads
    WHERE conversation_id = ANY ($1) ORDER BY conversation_id FOR UPDATE";

pub(super) const TRANSACTION: &str = "SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)";

// Behind the locks: its snapshot has what was committed by whoever held them.
const FIND_NONCES: &str =
    "SELECT w.conversation_id FROM UNNEST($1::BIGINT[], $2::BIGINT[]) AS w (conversation_id, hash)
    WHERE EXISTS (SELECT 1 FROM nonces n WHERE n.conversation_id = w.conversation_id AND n.hash = w.hash)";

const INSERT_EVENTS: &str = "INSERT INTO events
        (pos, conversation_id, seq, ts, sender, device_id, number, nonce, body, kind)
    SELECT w.*, 1 FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[],
        $7::BIGINT[], $8::TEXT[], $9::TEXT[]) AS w";

const INSERT_NONCES: &str = "INSERT INTO nonces (conversation_id, hash, seq)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[])";

const INSERT_MENTIONS: &str = "INSERT INTO mentions (user_id, conversation_id, seq)
    SELECT * FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) ON CONFLICT DO NOTHING";

const MOVE_HEADS: &str = "UPDATE heads AS h
    SET head = w.head, number = w.number, last_message = w.head, last_activity = w.ts, touched = w.pos
    FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[])
        AS w (conversation_id, head, number, ts, pos)
    WHERE h.conversation_id = w.conversation_id";

const COUNT_OWN: &str = "UPDATE cursors AS c
    SET own_after_read = c.own_after_read + w.sent, last_sent = w.ts
    FROM UNNEST($1::BIGINT[], $2::BIGINT[], $3::BIGINT[], $4::BIGINT[]) AS w (conversation_id, user_id, sent, ts)
    WHERE c.conversation_id = w.conversation_id AND c.user_id = w.user_id";

/// What is known of a conversation under its lock.
struct Head {
    head: Seq,
    number: u64,
    version: u64,
    /// The largest position of a change so far.
    touched: u64,
}

/// The rows to write, column by column.
#[derive(Default)]
struct Rows<'a> {
    events: Events<'a>,
    nonces: [Vec<i64>; 3],
    mentions: [Vec<i64>; 3],
    heads: [Vec<i64>; 5],
    own: [Vec<i64>; 4],
}

#[derive(Default)]
struct Events<'a> {
    pos: Vec<i64>,
    conversation: Vec<i64>,
    seq: Vec<i64>,
    ts: Vec<i64>,
    sender: Vec<i64>,
    device: Vec<Option<i64>>,
    number: Vec<i64>,
    nonce: Vec<Option<&'a str>>,
    body: Vec<&'a str>,
}

/// Appends messages to different conversations, and commits. `decided` gets what to answer once that is known to have
/// succeeded: an outcome for each append, `None` for one that has to go alone. Returns the number of the transaction.
pub(super) fn append(
    session: &Session,
    secret: [u8; 16],
    appends: &[&Append],
    decided: &mut Option<Vec<Option<AppendOutcome>>>,
) -> Result<u64, Failure> {
    let hashes = hashes(secret, appends);
    let undone = |error| {
        // What is open is given up.
        let _ = session.end("ROLLBACK");
        Failure::Undone(error)
    };
    let (heads, transaction, known) = look(session, appends, &hashes).map_err(undone)?;
    let mut rows = Rows::default();
    let outcomes: Outcome<Vec<Option<AppendOutcome>>> = appends
        .iter()
        .zip(&hashes)
        .map(|(append, hashes)| {
            if known.contains(&append.conversation) || has_repetition(hashes) {
                return Ok(None);
            }
            let fits = heads
                .get(&append.conversation)
                .filter(|head| (head.head, head.version) == (append.expected_head, append.expected_version));
            match fits {
                None => Ok(Some(AppendOutcome::Conflict)),
                // While this transaction, which had its number already, went from one lock to the next, a later one
                // appended there. Alone, it gets its number behind the lock: within a log, positions ascend.
                Some(head) if head.touched >> CHANGE_BITS >= transaction => Ok(None),
                Some(head) => rows.place(append, head, hashes, transaction).map(Some),
            }
        })
        .collect();
    let outcomes = outcomes.map_err(undone)?;
    if rows.events.pos.is_empty() {
        session.end("ROLLBACK").map_err(Failure::Undone)?;
        *decided = Some(outcomes);
        return Ok(transaction);
    }
    *decided = Some(outcomes);
    failpoint::pass("before_commit");
    match session.pipeline(&rows.statements(), Some("COMMIT")) {
        Ok(_) => Ok(transaction),
        // The first failure has undone the rest; the commit behind it was a rollback.
        Err(error) if is_answer(&error) => Err(undone(error)),
        Err(error) => Err(Failure::Unknown(error)),
    }
}

/// The hashes of each append's nonces, in the order of its events.
type Hashes = SmallVec<[Option<i64>; 4]>;

fn hashes(secret: [u8; 16], appends: &[&Append]) -> Vec<Hashes> {
    let index = NonceIndex::shared(secret);
    let hash = |(sender, nonce): (UserId, &Nonce)| index.hash(sender, nonce.as_str());
    appends
        .iter()
        .map(|append| {
            let named = append.events.iter().map(|event| (event.sender, event.nonce.as_ref()));
            named.map(|(sender, nonce)| nonce.map(|nonce| hash((sender, nonce)))).collect()
        })
        .collect()
}

/// Whether two events of an append may have the same nonce.
fn has_repetition(hashes: &Hashes) -> bool {
    let mut seen: SmallVec<[i64; 8]> = hashes.iter().flatten().copied().collect();
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < all
}

type Looked = (FxHashMap<ConversationId, Head>, u64, FxHashSet<ConversationId>);

/// Locks the heads; then the number of the transaction, and where nonces may be known.
fn look(session: &Session, appends: &[&Append], hashes: &[Hashes]) -> Outcome<Looked> {
    let conversations: Vec<i64> = appends.iter().map(|append| append.conversation.sql()).collect();
    let mut places = Vec::new();
    let mut named = Vec::new();
    for (append, hashes) in appends.iter().zip(hashes) {
        for hash in hashes.iter().flatten() {
            places.push(append.conversation.sql());
            named.push(*hash);
        }
    }
    session.begin(READ_COMMITTED);
    let answers = session.pipeline(
        &[
            (LOCK_HEADS, vec![&conversations]),
            (TRANSACTION, vec![]),
            (FIND_NONCES, vec![&places as Parameter<'_>, &named]),
        ],
        None,
    )?;
    let [locked, numbered, known] = answers.as_slice() else { return Err(SqlError::NoRow) };
    let mut heads = FxHashMap::default();
    for row in locked {
        let head = Head {
            head: unsigned(row, 1)?,
            number: unsigned(row, 2)?,
            version: unsigned(row, 3)?,
            touched: unsigned(row, 4)?,
        };
        heads.insert(conversation(row, 0)?, head);
    }
    let transaction = unsigned(numbered.first().ok_or(SqlError::NoRow)?, 0)?;
    let known = known.iter().map(|row| conversation(row, 0)).collect::<Outcome<_>>()?;
    Ok((heads, transaction, known))
}

/// A number of an answer.
pub(super) fn unsigned(row: &tokio_postgres::Row, column: usize) -> Outcome<u64> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|error| corrupt(error.to_string()))
}

/// An id of an answer.
pub(super) fn conversation(row: &tokio_postgres::Row, column: usize) -> Outcome<ConversationId> {
    ConversationId::from_sql(row.try_get(column)?).ok_or_else(|| corrupt("a conversation has no id"))
}

impl<'a> Rows<'a> {
    /// The rows of one append at the end of its log.
    fn place(
        &mut self,
        append: &'a Append,
        head: &Head,
        hashes: &Hashes,
        transaction: u64,
    ) -> Outcome<AppendOutcome> {
        let conversation = append.conversation.sql();
        let (mut seq, mut number) = (head.head, head.number);
        let mut own: SmallVec<[(UserId, i64, i64); 4]> = SmallVec::new();
        let mut placements = Vec::with_capacity(append.events.len());
        for (event, hash) in append.events.iter().zip(hashes) {
            seq += 1;
            number += 1;
            let change = self.events.pos.len() as u64 + 1;
            if change >> CHANGE_BITS != 0 {
                return Err(corrupt("a transaction has too many changes"));
            }
            let events = &mut self.events;
            events.pos.push(((transaction << CHANGE_BITS) + change).sql());
            events.conversation.push(conversation);
            events.seq.push(seq.sql());
            events.ts.push(event.ts);
            events.sender.push(event.sender.sql());
            events.device.push(event.device.map(Integer::sql));
            events.number.push(number.sql());
            events.nonce.push(event.nonce.as_ref().map(Nonce::as_str));
            events.body.push(&event.body);
            if let Some(hash) = hash {
                push(&mut self.nonces, [conversation, *hash, seq.sql()]);
            }
            if let Change::Message { mentions } = &event.change {
                for user in mentions {
                    push(&mut self.mentions, [user.sql(), conversation, seq.sql()]);
                }
            }
            match own.iter_mut().find(|(user, ..)| *user == event.sender) {
                Some((_, sent, ts)) => (*sent, *ts) = (*sent + 1, event.ts),
                None => own.push((event.sender, 1, event.ts)),
            }
            placements.push(Placement { seq, ts: event.ts, replayed: false, erased: false });
        }
        if let (Some(last), Some(pos)) = (append.events.last(), self.events.pos.last()) {
            push(&mut self.heads, [conversation, seq.sql(), number.sql(), last.ts, *pos]);
        }
        for (user, sent, ts) in own {
            push(&mut self.own, [conversation, user.sql(), sent, ts]);
        }
        Ok(AppendOutcome::Appended { placements, account: Vec::new() })
    }

    fn statements(&self) -> Vec<(&'static str, Vec<Parameter<'_>>)> {
        let events = &self.events;
        let mut statements: Vec<(&'static str, Vec<Parameter<'_>>)> = vec![(
            INSERT_EVENTS,
            vec![
                &events.pos,
                &events.conversation,
                &events.seq,
                &events.ts,
                &events.sender,
                &events.device,
                &events.number,
                &events.nonce,
                &events.body,
            ],
        )];
        for (sql, columns) in [(INSERT_NONCES, &self.nonces), (INSERT_MENTIONS, &self.mentions)] {
            if !columns[0].is_empty() {
                statements.push((sql, parameters(columns)));
            }
        }
        statements.push((MOVE_HEADS, parameters(&self.heads)));
        statements.push((COUNT_OWN, parameters(&self.own)));
        statements
    }
}

/// A row more.
pub(super) fn push<const N: usize>(columns: &mut [Vec<i64>; N], row: [i64; N]) {
    for (column, value) in columns.iter_mut().zip(row) {
        column.push(value);
    }
}

/// Columns as parameters.
pub(super) fn parameters(columns: &[Vec<i64>]) -> Vec<Parameter<'_>> {
    columns.iter().map(|column| column as Parameter<'_>).collect()
}

const _: () = assert!(MESSAGE == 1, "the statements say so");

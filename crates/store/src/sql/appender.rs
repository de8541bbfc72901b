//! The hot path: events into the log.

use super::driver::{CachedStatement, OptionalExtension, params};
use loquat_domain::failpoint;
use loquat_domain::ports::{AccountEntry, Append, AppendOutcome, Change, NewEvent, Placement};
use loquat_proto::{ConversationId, EventKind, Seq, Timestamp, UserId};
use smallvec::SmallVec;

use super::codec::{Columns, Integer};
use super::context::WriteContext;
use super::error::{Outcome, corrupt};
use super::nonces::{Lookup, NonceLookup};
use super::{account_log, blocks, changes, erase, invites, nonces};

/// The end of a log, while events are put there.
pub(crate) struct Tip {
    pub(crate) conversation: ConversationId,
    pub(crate) head: Seq,
    /// How many messages there are.
    pub(crate) number: u64,
    last_message: Seq,
    last_activity: Timestamp,
    /// Whether events were put there, and how many changes were made beside the log.
    pub(crate) logged: bool,
    unlogged: u64,
    /// Messages by sender that are not in the sender's cursor yet, and when the last one was sent.
    own: SmallVec<[(UserId, u64, Timestamp); 4]>,
}

impl Tip {
    /// The end of a log without events.
    pub(crate) fn start(conversation: ConversationId, created_at: Timestamp) -> Self {
        Self {
            conversation,
            head: 0,
            number: 0,
            last_message: 0,
            last_activity: created_at,
            logged: false,
            unlogged: 0,
            own: SmallVec::new(),
        }
    }

    fn count_own(&mut self, sender: UserId, ts: Timestamp) {
        match self.own.iter_mut().find(|(user, ..)| *user == sender) {
            Some((_, count, last)) => (*count, *last) = (*count + 1, ts),
            None => self.own.push((sender, 1, ts)),
        }
    }
}

/// Whether an event does what its [`Change`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effects {
    /// It does.
    Apply,
    /// What it says about members and settings is there already: the first events of a conversation.
    Founding,
}

/// Appends events: the statements of a run of appends.
pub(crate) struct Appender<'c> {
    nonces: NonceLookup<'c>,
    head: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    advance: CachedStatement<'c>,
    own: CachedStatement<'c>,
    change_version: CachedStatement<'c>,
}

impl<'c> Appender<'c> {
    pub(crate) fn new(context: &WriteContext<'c>) -> Outcome<Self> {
        Ok(Self {
            nonces: NonceLookup::new(context.connection)?,
            head: context.statement(
                "SELECT head, number, last_message, version FROM heads WHERE conversation_id = ?1",
            )?,
            insert: context.statement(
                "INSERT INTO events
                     (pos, conversation_id, seq, ts, sender, device_id, kind, target, number, nonce, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
            advance: context.statement(
                "UPDATE heads SET head = ?2, number = ?3, last_message = ?4, last_activity = ?5, touched = ?6
                 WHERE conversation_id = ?1",
            )?,
            own: context.statement(
                "UPDATE cursors SET own_after_read = own_after_read + ?3, last_sent = ?4
                 WHERE conversation_id = ?1 AND user_id = ?2",
            )?,
            // Where members see one another's cursors, who comes or goes is news for all of them.
            change_version: context.statement(
                "UPDATE heads SET version = version + ?2, touched = CASE
                     WHEN (SELECT member_count FROM conversations WHERE id = ?1) <= 256 THEN ?3 ELSE touched END
                 WHERE conversation_id = ?1",
            )?,
        })
    }

    /// One append, whole or not at all: it refuses before it writes, so that it needs no savepoint.
    pub(crate) fn append(
        &mut self,
        context: &mut WriteContext<'c>,
        append: Append,
    ) -> Outcome<AppendOutcome> {
        let Append { conversation, expected_head, expected_version, events } = append;
        let mut placements = Vec::with_capacity(events.len());
        let mut account = Vec::new();
        let mut tip = None;
        let is_forbidden = blocks::forbid(context.connection, &events)?;
        for event in events {
            let hash = match &event.nonce {
                None => None,
                Some(nonce) => {
                    match self.nonces.find(context.nonces, conversation, (event.sender, nonce))? {
                        Lookup::Known(placement) => {
                            placements.push(placement);
                            continue;
                        }
                        Lookup::New(hash) => Some(hash),
                    }
                }
            };
            let tip = match &mut tip {
                Some(tip) => tip,
                None if is_forbidden => return Ok(AppendOutcome::Conflict),
                // The first that is new decides: nothing is written yet.
                None => match self.tip(conversation, expected_head, expected_version)? {
                    Some(found) => tip.insert(found),
                    None => return Ok(AppendOutcome::Conflict),
                },
            };
            if let Change::Admit { user, code, .. } = &event.change
                && !invites::use_one(context, (conversation, *user), code, event.ts)?
            {
                // It stands alone, so that nothing was written.
                return Ok(AppendOutcome::Conflict);
            }
            let new = (event, hash);
            placements.push(if new.0.logged {
                self.place(context, tip, new, Effects::Apply, &mut account)?
            } else {
                self.change(context, tip, new, &mut account)?
            });
        }
        if let Some(tip) = tip {
            self.finish(context, tip)?;
        }
        Ok(AppendOutcome::Appended { placements, account })
    }

    fn tip(
        &mut self,
        conversation: ConversationId,
        expected_head: Seq,
        expected_version: u64,
    ) -> Outcome<Option<Tip>> {
        let found = self.head.query_row([conversation.sql()], |row| {
            let tip = Tip {
                head: row.int(0)?,
                number: row.int(1)?,
                last_message: row.int(2)?,
                ..Tip::start(conversation, 0)
            };
            Ok((tip, row.int::<u64>(3)?))
        });
        let expected =
            |(tip, version): &(Tip, u64)| tip.head == expected_head && *version == expected_version;
        Ok(found.optional()?.filter(expected).map(|(tip, _)| tip))
    }

    /// Puts one event, with the hash of its nonce, at the end of the log.
    pub(crate) fn place(
        &mut self,
        context: &mut WriteContext<'c>,
        tip: &mut Tip,
        (event, hash): (NewEvent, Option<i64>),
        effects: Effects,
        account: &mut Vec<AccountEntry>,
    ) -> Outcome<Placement> {
        let comes_too_late = event.change.is_about_content()
            && match event.change.target() {
                Some(target) => erase::is_erased(context.connection, tip.conversation, target)?,
                None => false,
            };
        let pos = context.next_pos()?;
        tip.head += 1;
        tip.logged = true;
        tip.last_activity = event.ts;
        if event.kind == EventKind::Message {
            tip.number += 1;
            tip.last_message = tip.head;
            tip.count_own(event.sender, event.ts);
        }
        self.insert.execute(params![
            pos.sql(),
            tip.conversation.sql(),
            tip.head.sql(),
            event.ts,
            event.sender.sql(),
            event.device.map(Integer::sql),
            event.kind.sql(),
            event.change.target().map(Integer::sql),
            tip.number.sql(),
            event.nonce.as_ref().map(loquat_proto::Nonce::as_str),
            Some(event.body).filter(|_| !comes_too_late),
        ])?;
        if let Some(hash) = hash {
            nonces::add(context, tip.conversation, (hash, tip.head))?;
        }
        let moves_members = matches!(
            event.change,
            Change::Join { .. } | Change::Admit { .. } | Change::Leave { .. } | Change::Remove { .. }
        );
        if moves_members {
            // The cursor row is about to come or go: what was counted belongs to the one of before.
            self.count_own(tip)?;
        }
        let applies = effects == Effects::Apply || matches!(event.change, Change::Message { .. });
        if applies && !comes_too_late {
            let place = changes::Place { tip, pos, sender: event.sender, ts: event.ts, before: tip.head - 1 };
            changes::apply(context, &place, event.change)?;
        }
        for (user, kind, body) in event.account {
            account.push(account_log::append(context, user, kind, body, event.ts)?);
        }
        Ok(Placement { seq: tip.head, ts: event.ts, replayed: false, erased: comes_too_late })
    }

    /// Does what an event says that does not stand in the log.
    fn change(
        &mut self,
        context: &mut WriteContext<'c>,
        tip: &mut Tip,
        (event, hash): (NewEvent, Option<i64>),
        account: &mut Vec<AccountEntry>,
    ) -> Outcome<Placement> {
        let pos = context.next_pos()?;
        tip.unlogged += 1;
        if let (Some(nonce), Some(hash)) = (&event.nonce, hash) {
            nonces::keep_unlogged(context, tip, (&event, nonce), hash)?;
        }
        self.count_own(tip)?;
        let place = changes::Place { tip, pos, sender: event.sender, ts: event.ts, before: tip.head };
        changes::apply(context, &place, event.change)?;
        for (user, kind, body) in event.account {
            account.push(account_log::append(context, user, kind, body, event.ts)?);
        }
        Ok(Placement { seq: tip.head, ts: event.ts, replayed: false, erased: false })
    }

    /// The hash to add an event of a new conversation with.
    pub(crate) fn first_hash(
        &mut self,
        context: &WriteContext<'c>,
        conversation: ConversationId,
        event: &NewEvent,
    ) -> Outcome<Option<i64>> {
        let Some(nonce) = &event.nonce else { return Ok(None) };
        match self.nonces.find(context.nonces, conversation, (event.sender, nonce))? {
            Lookup::New(hash) => Ok(Some(hash)),
            Lookup::Known(_) => Err(corrupt("a new conversation has a nonce twice")),
        }
    }

    /// Moves the head to where the events end.
    pub(crate) fn finish(&mut self, context: &WriteContext<'c>, mut tip: Tip) -> Outcome<()> {
        self.count_own(&mut tip)?;
        if tip.unlogged > 0 {
            let pos = context.positions.last();
            self.change_version.execute([tip.conversation.sql(), tip.unlogged.sql(), pos.sql()])?;
        }
        if !tip.logged {
            return Ok(());
        }
        self.advance.execute(params![
            tip.conversation.sql(),
            tip.head.sql(),
            tip.number.sql(),
            tip.last_message.sql(),
            tip.last_activity,
            context.positions.last().sql(),
        ])?;
        Ok(())
    }

    fn count_own(&mut self, tip: &mut Tip) -> Outcome<()> {
        for (user, count, last_sent) in tip.own.drain(..) {
            self.own.execute(params![tip.conversation.sql(), user.sql(), count.sql(), last_sent])?;
        }
        Ok(())
    }
}

/// Independent appends, in order.
pub(crate) fn append_many(
    context: &mut WriteContext<'_>,
    appends: Vec<Append>,
) -> Outcome<Vec<AppendOutcome>> {
    failpoint::pass("before_append");
    let mut appender = Appender::new(context)?;
    let mut outcomes = Vec::with_capacity(appends.len());
    for append in appends {
        outcomes.push(appender.append(context, append)?);
    }
    failpoint::pass("after_append");
    Ok(outcomes)
}

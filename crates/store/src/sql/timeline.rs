//! [`Timeline`].
//!
//! A page of messages has to fill up even where thousands of other events (reactions, joins) stand between two
//! messages. There is no index of messages alone, which every append would pay for; instead the scan hops over such
//! runs: every event stores how many messages the log holds up to it, so that the next message is found by bisection.

use super::driver::{Connection, FromField, OptionalExtension, params};
use async_trait::async_trait;
use loquat_domain::ports::{EventRange, MessageWindow, StoreError, Timeline};
use loquat_proto::message::{EventPage, MessagePage};
use loquat_proto::{ConversationId, Event, Message, Seq, Timestamp, UserId};

use super::codec::{Columns, Integer, MESSAGE};
use super::error::{Outcome, corrupt};
use super::log::{Limit, MAX_LIMIT};
use super::messages::{self, message_columns};
use super::{Engine, Store, log};

#[async_trait]
impl<E: Engine> Timeline for Store<E> {
    async fn events(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        range: EventRange,
        limit: usize,
    ) -> Result<Option<EventPage>, StoreError> {
        self.read(move |connection| {
            let Some(sight) = Sight::of(connection, viewer, conversation)? else { return Ok(None) };
            let items = sight.events(range, limit)?;
            Ok(Some(EventPage { items, head: sight.head, visible_from: sight.visible_from }))
        })
        .await
    }

    async fn messages(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        window: MessageWindow,
        limit: usize,
    ) -> Result<Option<MessagePage>, StoreError> {
        self.read(move |connection| {
            let Some(sight) = Sight::of(connection, viewer, conversation)? else { return Ok(None) };
            let mut items = sight.messages(window, limit.min(MAX_LIMIT))?;
            messages::decorate(connection, viewer, &mut items)?;
            Ok(Some(MessagePage { items, head: sight.head, visible_from: sight.visible_from }))
        })
        .await
    }

    async fn message(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<Message>, StoreError> {
        self.read(move |connection| match Sight::of(connection, viewer, conversation)? {
            Some(sight) if seq >= sight.visible_from => messages::one(connection, viewer, conversation, seq),
            _ => Ok(None),
        })
        .await
    }

    async fn pinned(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Option<Vec<Message>>, StoreError> {
        self.read(move |connection| {
            let Some(sight) = Sight::of(connection, viewer, conversation)? else { return Ok(None) };
            let pinned: Outcome<Vec<Option<Message>>> = sight
                .pins(before, limit.min(MAX_LIMIT))?
                .into_iter()
                .map(|seq| messages::one(connection, viewer, conversation, seq))
                .collect();
            Ok(Some(pinned?.into_iter().flatten().collect()))
        })
        .await
    }
}

/// What a member may see of a log, in one snapshot.
struct Sight<'c> {
    connection: &'c Connection,
    viewer: UserId,
    conversation: ConversationId,
    visible_from: Seq,
    head: Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    /// The place behind this one.
    const fn beyond(self, seq: Seq) -> Seq {
        match self {
            Self::Up => seq + 1,
            Self::Down => seq - 1,
        }
    }
}

/// So many events without a message are read before the scan hops.
const RUN: usize = 16;

impl<'c> Sight<'c> {
    fn of(connection: &'c Connection, viewer: UserId, conversation: ConversationId) -> Outcome<Option<Self>> {
        connection
            .prepare_cached(
                "SELECT m.visible_from, h.head FROM members m
                 JOIN heads h ON h.conversation_id = m.conversation_id
                 WHERE m.conversation_id = ?1 AND m.user_id = ?2",
            )?
            .query_row([conversation.sql(), viewer.sql()], |row| {
                Ok(Self { connection, viewer, conversation, visible_from: row.int(0)?, head: row.int(1)? })
            })
            .optional()
    }

    fn events(&self, range: EventRange, limit: usize) -> Outcome<Vec<Event>> {
        let (from, below, sql) = match range {
            EventRange::After(seq) => (
                self.visible_from.max(seq.saturating_add(1)),
                u64::MAX,
                "SELECT conversation_id, seq, ts, sender, device_id, kind,
                     CASE WHEN sender = ?4 THEN nonce END, body
                 FROM events WHERE conversation_id = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq LIMIT ?5",
            ),
            EventRange::Before(seq) => (
                self.visible_from,
                seq,
                "SELECT conversation_id, seq, ts, sender, device_id, kind,
                     CASE WHEN sender = ?4 THEN nonce END, body
                 FROM events WHERE conversation_id = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?5",
            ),
        };
        let limit = limit.min(MAX_LIMIT).sql_limit();
        let values = params![self.conversation.sql(), from.sql(), below.sql(), self.viewer.sql(), limit];
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut events: Vec<Event> = statement.query_map(values, log::event)?.collect::<Outcome<_>>()?;
        if matches!(range, EventRange::Before(_)) {
            events.reverse();
        }
        Ok(events)
    }

    fn pins(&self, before: Option<Seq>, limit: usize) -> Outcome<Vec<Seq>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT target FROM pins WHERE conversation_id = ?1 AND target >= ?2 AND target < ?3
             ORDER BY target DESC LIMIT ?4",
        )?;
        let before = before.unwrap_or(u64::MAX);
        let range =
            params![self.conversation.sql(), self.visible_from.sql(), before.sql(), limit.sql_limit()];
        statement.query_map(range, |row| row.int(0))?.collect()
    }

    fn messages(&self, window: MessageWindow, limit: usize) -> Outcome<Vec<Message>> {
        match window {
            MessageWindow::Latest => self.scan(Direction::Down, self.head, limit),
            MessageWindow::Before(seq) => self.scan(Direction::Down, seq.saturating_sub(1), limit),
            MessageWindow::After(seq) => self.scan(Direction::Up, seq.saturating_add(1), limit),
            MessageWindow::Around(seq) => self.around(seq, limit),
            MessageWindow::At(ts) => {
                let first = self.scan(Direction::Up, self.first_at(ts)?, 1)?;
                self.around(first.first().map_or(self.head, |message| message.seq), limit)
            }
        }
    }

    fn around(&self, seq: Seq, limit: usize) -> Outcome<Vec<Message>> {
        let upto = limit.div_ceil(2);
        let mut messages = self.scan(Direction::Down, seq, upto)?;
        messages.append(&mut self.scan(Direction::Up, seq.saturating_add(1), limit - upto)?);
        Ok(messages)
    }

    /// Up to `limit` messages from `from` on in this direction; ascending in any case.
    fn scan(&self, direction: Direction, from: Seq, limit: usize) -> Outcome<Vec<Message>> {
        let mut found = Vec::with_capacity(limit.min(256));
        let mut next = Some(match direction {
            Direction::Up => from.max(self.visible_from),
            Direction::Down => from.min(self.head),
        });
        while let Some(start) = next {
            next = self.scan_run(direction, start, (limit, &mut found))?;
        }
        if direction == Direction::Down {
            found.reverse();
        }
        Ok(found)
    }

    /// Reads until there are enough, or the log ends, or a long run without messages begins: then says where the next
    /// message stands.
    fn scan_run(
        &self,
        direction: Direction,
        start: Seq,
        (limit, found): (usize, &mut Vec<Message>),
    ) -> Outcome<Option<Seq>> {
        let mut statement = self.connection.prepare_cached(match direction {
            Direction::Up => concat!(
                "SELECT ",
                message_columns!(),
                ", m.kind, m.number FROM events m
                 LEFT JOIN events e ON e.conversation_id = m.conversation_id AND e.seq = m.revised
                 WHERE m.conversation_id = ?1 AND m.seq >= ?2 AND m.seq <= ?3 ORDER BY m.seq LIMIT ?4"
            ),
            Direction::Down => concat!(
                "SELECT ",
                message_columns!(),
                ", m.kind, m.number FROM events m
                 LEFT JOIN events e ON e.conversation_id = m.conversation_id AND e.seq = m.revised
                 WHERE m.conversation_id = ?1 AND m.seq >= ?2 AND m.seq <= ?3 ORDER BY m.seq DESC LIMIT ?4"
            ),
        })?;
        let (from, upto) = match direction {
            Direction::Up => (start, self.head),
            Direction::Down => (self.visible_from, start),
        };
        // As many rows as are likely to be needed: where some are no messages, the scan goes on behind them.
        let most = limit - found.len() + RUN;
        let mut rows =
            statement.query([self.conversation.sql(), from.sql(), upto.sql(), most.sql_limit()])?;
        let (mut others, mut read) = (0, 0);
        let mut last = start;
        while found.len() < limit {
            let Some(row) = rows.next()? else {
                return Ok((read == most).then(|| direction.beyond(last)));
            };
            read += 1;
            last = row.int(0)?;
            if row.get::<_, i64>(6)? == MESSAGE {
                others = 0;
                found.push(messages::read(&row, self.conversation)?);
                continue;
            }
            others += 1;
            if others == RUN {
                return self.next_message(direction, last, row.int(7)?);
            }
        }
        Ok(None)
    }

    /// The nearest message beyond the event at `seq`, which is none and has this number.
    fn next_message(&self, direction: Direction, seq: Seq, number: u64) -> Outcome<Option<Seq>> {
        Ok(match direction {
            Direction::Up if number >= self.number(self.head)? => None,
            Direction::Up => Some(self.bisect(seq, self.head, |seq| Ok(self.number(seq)? > number))?),
            Direction::Down if number == 0 || self.number(self.visible_from)? > number => None,
            Direction::Down => {
                Some(self.bisect(self.visible_from, seq, |seq| Ok(self.number(seq)? >= number))?)
            }
        })
    }

    /// The first event at or after this time; the head if there is none. Times are taken to ascend: where the clock
    /// was set back, a neighbour may be found.
    fn first_at(&self, ts: Timestamp) -> Outcome<Seq> {
        self.bisect(self.visible_from, self.head, |seq| Ok(self.column::<Timestamp>("ts", seq)? >= ts))
    }

    fn number(&self, seq: Seq) -> Outcome<u64> {
        Ok(self.column::<i64>("number", seq)?.unsigned_abs())
    }

    /// The first of `from..=upto` that has the property, given that all after it have it; `upto` if none has.
    fn bisect(&self, from: Seq, upto: Seq, has: impl Fn(Seq) -> Outcome<bool>) -> Outcome<Seq> {
        let (mut low, mut high) = (from.min(upto), upto);
        while low < high {
            let middle = low + (high - low) / 2;
            if has(middle)? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    fn column<T: FromField>(&self, name: &str, seq: Seq) -> Outcome<T> {
        let sql = match name {
            "ts" => "SELECT ts FROM events WHERE conversation_id = ?1 AND seq = ?2",
            _ => "SELECT number FROM events WHERE conversation_id = ?1 AND seq = ?2",
        };
        self.connection
            .prepare_cached(sql)?
            .query_row(params![self.conversation.sql(), seq.sql()], |row| row.get(0))
            .optional()?
            .ok_or_else(|| corrupt(format!("conversation {} has a gap at {seq}", self.conversation)))
    }
}

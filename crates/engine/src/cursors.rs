//! Delivered and read: the own cursors on their way out, those of others on their way in, and what is unread.

use loquat_proto::conversation::{Cursor, OwnMembership};
use loquat_proto::event::EventBody;
use loquat_proto::{ClientFrame, Conversation, ConversationId, Event, EventKind, Seq, UserId};

use crate::CommandError;
use crate::engine::{Engine, LoadFor};
use crate::room::Counting;
use crate::store::Query;
use crate::timers::Timer;
use crate::view::MessageStatus;

/// The most events read to count what is unread; where there may be more, the server is asked.
const COUNTED: usize = 1_000;

/// How long it takes before the server is asked for its count, in milliseconds: reading on moves the cursor often.
const COUNT_MS: u64 = 1_000;

/// A count of what is unread up to a `seq`, to which what is above is added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    above: Seq,
    unread: u64,
    mentions: u64,
}

/// Cursors sent within this time before the connection broke are sent again, in milliseconds: the service saves
/// them up to 1 s late, and frames may have been under way.
const REPEATED_MS: u64 = 60_000;

impl Engine {
    /// The user has read up to here.
    pub(crate) fn mark_read(&mut self, conversation: ConversationId, seq: Seq) -> Result<(), CommandError> {
        let room = self.room(conversation)?;
        let seq = seq.min(room.progress.head);
        if seq <= room.progress.read {
            return Ok(());
        }
        room.progress.read = seq;
        room.progress.repeat_cursors = true;
        self.dirty_progress.insert(conversation);
        self.cursors_moved(conversation);
        self.recount_unread(conversation);
        Ok(())
    }

    /// The user has read up to here on another device.
    pub(crate) fn own_read_moved(&mut self, conversation: ConversationId, read: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if read <= room.progress.read {
            return;
        }
        room.progress.read = read;
        self.dirty_progress.insert(conversation);
        self.recount_unread(conversation);
    }

    /// The own cursors moved: they are sent now, or when the last ones are old enough.
    pub(crate) fn cursors_moved(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        room.cursors_dirty = true;
        let rested = room.cursors_sent_at.map_or(0, |sent| sent + self.options.ack_interval_ms);
        self.timers.set_if_absent(Timer::Acknowledge(conversation), rested.max(self.now.monotonic_ms));
    }

    pub(crate) fn acknowledge(&mut self, conversation: ConversationId) {
        let up = self.is_up();
        let Some(room) = self.rooms.get_mut(&conversation).filter(|room| up && room.cursors_dirty) else {
            return;
        };
        room.cursors_dirty = false;
        room.cursors_sent_at = Some(self.now.monotonic_ms);
        let some = |seq: Seq| (seq > 0).then_some(seq);
        let frame = ClientFrame::Ack {
            conversation,
            delivered: some(room.progress.delivered),
            read: some(room.progress.read),
        };
        self.send(&frame);
    }

    /// The connection broke: what was sent not long before may not have arrived, or not have been saved.
    pub(crate) fn cursors_lost(&mut self) {
        let now = self.now.monotonic_ms;
        for (conversation, room) in &mut self.rooms {
            if room.cursors_sent_at.take_if(|sent| *sent + REPEATED_MS >= now).is_some() {
                room.progress.repeat_cursors = true;
                self.dirty_progress.insert(*conversation);
            }
        }
    }

    /// After `ready`: what the server lacks, and what it may have lost.
    pub(crate) fn repeat_cursors(&mut self) {
        let mut repeated = Vec::new();
        for (conversation, room) in &mut self.rooms {
            if room.cursors_dirty || room.progress.repeat_cursors {
                room.cursors_dirty = true;
                if std::mem::take(&mut room.progress.repeat_cursors) {
                    self.dirty_progress.insert(*conversation);
                }
                repeated.push(*conversation);
            }
        }
        for conversation in repeated {
            self.acknowledge(conversation);
        }
    }

    /// Cursors of members moved.
    pub(crate) fn receipts(&mut self, conversation: ConversationId, items: &[Cursor]) {
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let mut own_read = 0;
        if let Some(summary) = room.summary.as_mut() {
            for item in items {
                match summary.cursors.iter_mut().find(|cursor| cursor.user == item.user) {
                    Some(cursor) => {
                        cursor.delivered = cursor.delivered.max(item.delivered);
                        cursor.read = cursor.read.max(item.read);
                    }
                    None => summary.cursors.push(*item),
                }
                if item.user == me {
                    own_read = item.read;
                }
            }
        }
        self.dirty_summaries.insert(conversation);
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
        self.own_read_moved(conversation, own_read);
    }

    /// Counts anew what is unread, after the own read cursor moved.
    pub(crate) fn recount_unread(&mut self, conversation: ConversationId) {
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
        self.dirty_summaries.insert(conversation);
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let read = room.progress.read;
        let is_all_read = read >= room.progress.head;
        let Some(summary) = room.summary.as_mut() else { return };
        summary.me.read = summary.me.read.max(read);
        if is_all_read {
            summary.me.unread = 0;
            summary.me.mentions = 0;
        } else if !self.count_above(conversation, Count { above: read, unread: 0, mentions: 0 }) {
            self.ask_for_count(conversation);
        }
    }

    /// Takes the server's count over, as of a `head` that may be behind what was applied here.
    pub(crate) fn take_count(&mut self, conversation: ConversationId, head: Seq, me: &OwnMembership) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if me.read < room.progress.read {
            // It is of an older cursor.
            self.recount_unread(conversation);
        } else if head < room.counted {
            let count = Count { above: head, unread: me.unread, mentions: me.mentions };
            if !self.count_above(conversation, count) {
                self.ask_for_count(conversation);
            }
        }
    }

    /// Counts from what this device holds above a `seq`; `false` if it does not hold all of it.
    fn count_above(&mut self, conversation: ConversationId, count: Count) -> bool {
        let Some(room) = self.rooms.get(&conversation) else { return true };
        if room.progress.ranges.reach(count.above + 1) != room.top() || room.has_gap() {
            return false;
        }
        let as_of = room.counting();
        let query = Query::Events { conversation, after: count.above, limit: COUNTED };
        self.load(query, LoadFor::Unread { conversation, as_of, count });
        true
    }

    pub(crate) fn unread_loaded(
        &mut self,
        conversation: ConversationId,
        as_of: Counting,
        (count, events): (Count, &[Event]),
    ) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if room.counting() != as_of {
            self.recount_unread(conversation);
            return;
        }
        if events.len() >= COUNTED {
            self.ask_for_count(conversation);
            return;
        }
        let me = self.me;
        let Some(summary) = room.summary.as_mut() else { return };
        let others = events.iter().filter(|event| event.kind == EventKind::Message && event.sender != me);
        let mentions = |event: &&Event| match event.decode() {
            Ok(Some(EventBody::Message(body))) => body.mentions.contains(&me),
            _ => false,
        };
        summary.me.unread = count.unread + others.clone().count() as u64;
        summary.me.mentions = count.mentions + others.filter(mentions).count() as u64;
        self.dirty_summaries.insert(conversation);
        self.changes.conversations = true;
    }

    /// A restored summary may be older than the log and the cursor next to it.
    pub(crate) fn recount_restored(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get(&conversation) else { return };
        let read = room.summary.as_ref().map_or(0, |summary| summary.me.read);
        if room.progress.read > read {
            self.recount_unread(conversation);
        }
    }

    /// Asks the server for its count, again and again until it is of this device's cursor.
    fn ask_for_count(&mut self, conversation: ConversationId) {
        self.timers.set_if_absent(Timer::Count(conversation), self.now.monotonic_ms + COUNT_MS);
    }

    /// The time has come to ask.
    pub(crate) fn count_due(&mut self, conversation: ConversationId) {
        self.acknowledge(conversation);
        self.refresh_summary(conversation);
    }
}

/// How far an own message has come, from the cursors of all others.
pub(crate) fn status_of(summary: &Conversation, seq: Seq, me: UserId) -> MessageStatus {
    let others: Vec<&Cursor> = summary.cursors.iter().filter(|cursor| cursor.user != me).collect();
    if others.is_empty() {
        MessageStatus::Sent
    } else if others.iter().all(|cursor| cursor.read >= seq) {
        MessageStatus::Read
    } else if others.iter().all(|cursor| cursor.delivered.max(cursor.read) >= seq) {
        MessageStatus::Delivered
    } else {
        MessageStatus::Sent
    }
}

//! Delivered and read: the own cursors on their way out, those of others on their way in, and what is unread.

use loquat_proto::conversation::Cursor;
use loquat_proto::event::EventBody;
use loquat_proto::{ClientFrame, Conversation, ConversationId, Event, EventKind, Seq, UserId};

use crate::CommandError;
use crate::engine::{Engine, LoadFor};
use crate::store::Query;
use crate::timers::Timer;
use crate::view::MessageStatus;

/// The most events read to count what is unread; where there may be more, the server is asked.
const COUNTED: usize = 1_000;

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

    /// After `ready`: what the server lacks, and what it may have lost.
    pub(crate) fn repeat_cursors(&mut self) {
        let now = self.now.monotonic_ms;
        let mut repeated = Vec::new();
        for (conversation, room) in &mut self.rooms {
            let recent = room.cursors_sent_at.is_some_and(|sent| sent + REPEATED_MS >= now);
            if room.cursors_dirty || recent || room.progress.repeat_cursors {
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
        if !self.count_here(conversation) {
            self.refresh_summary_later(conversation);
        }
    }

    /// Counts what is unread from what this device holds; `false` if it does not hold enough.
    pub(crate) fn count_here(&mut self, conversation: ConversationId) -> bool {
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
        self.dirty_summaries.insert(conversation);
        let Some(room) = self.rooms.get_mut(&conversation) else { return true };
        let (read, top) = (room.progress.read, room.top());
        let is_held = room.progress.ranges.reach(read + 1) == top && !room.has_gap();
        let is_all_read = read >= room.progress.head;
        let Some(summary) = room.summary.as_mut() else { return true };
        summary.me.read = summary.me.read.max(read);
        if is_all_read {
            summary.me.unread = 0;
            summary.me.mentions = 0;
        } else if is_held {
            let query = Query::Events { conversation, after: read, limit: COUNTED };
            self.load(query, LoadFor::Unread { conversation, read, top });
        }
        is_all_read || is_held
    }

    pub(crate) fn unread_loaded(
        &mut self,
        conversation: ConversationId,
        (read, top): (Seq, Seq),
        events: &[Event],
    ) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if room.progress.read != read {
            return;
        }
        if room.top() != top {
            self.recount_unread(conversation);
            return;
        }
        if events.len() >= COUNTED {
            self.refresh_summary_later(conversation);
            return;
        }
        let me = self.me;
        let Some(summary) = room.summary.as_mut() else { return };
        let others = events.iter().filter(|event| event.kind == EventKind::Message && event.sender != me);
        let mentions = |event: &&Event| match event.decode() {
            Ok(Some(EventBody::Message(body))) => body.mentions.contains(&me),
            _ => false,
        };
        summary.me.unread = others.clone().count() as u64;
        summary.me.mentions = others.filter(mentions).count() as u64;
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

    /// The server's own count is better than none, once it has this device's cursor.
    fn refresh_summary_later(&mut self, conversation: ConversationId) {
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

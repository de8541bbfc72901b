//! Snapshots for the user interface.

use std::collections::BTreeMap;

use loquat_proto::{
    Conversation, ConversationId, Event, EventBody, Message, MessageBody, Presence, Profile, Seq, UserId,
};

use crate::cursors::status_of;
use crate::engine::Engine;
use crate::outbox::{Entry as Queued, State};
use crate::room::Room;
use crate::view::{
    Change, ConversationSummary, LastMessage, MessageStatus, MessageView, Notice, NoticeKind, OutboxEntry,
    ReplyPreview, Timeline, TimelineItem,
};
use crate::window::{self, Entry, Folded};

impl Engine {
    /// The conversation list: pinned ones first, then by newest activity; archived ones are among them.
    #[must_use]
    pub fn conversations(&self) -> Vec<ConversationSummary> {
        let summaries = self.rooms.values().filter_map(|room| {
            let summary = room.summary.as_ref()?;
            Some(self.summarise(summary, room))
        });
        let mut summaries: Vec<ConversationSummary> = summaries.collect();
        summaries.sort_by_key(|it| (!it.pinned, std::cmp::Reverse(it.last_activity), it.id));
        summaries
    }

    /// One conversation, whole, the applied events included.
    #[must_use]
    pub fn conversation(&self, conversation: ConversationId) -> Option<&Conversation> {
        self.rooms.get(&conversation)?.summary.as_ref()
    }

    /// The timeline of an open conversation; `None` if it is not open.
    #[must_use]
    pub fn timeline(&self, conversation: ConversationId) -> Option<Timeline> {
        let room = self.rooms.get(&conversation)?;
        let (open, summary) = (room.open.as_ref()?, room.summary.as_ref()?);
        let pending = Pending::of(self.outbox.of(conversation));
        let mut items = Vec::new();
        for (seq, entry) in open.window.iter().flat_map(|window| &window.entries) {
            items.push(match entry {
                Entry::Message(folded) => {
                    TimelineItem::Message(Box::new(self.message_view(room, summary, folded, &pending)))
                }
                Entry::Notice { event_ts, sender, what } => {
                    TimelineItem::Notice(self.notice(*seq, (*event_ts, *sender), what))
                }
            });
        }
        let queued = self.outbox.of(conversation).filter_map(|entry| self.queued_view(room, entry));
        items.extend(queued.map(|view| TimelineItem::Message(Box::new(view))));
        Some(Timeline {
            conversation,
            items,
            has_older: room.has_older(),
            loading: open.loading.is_some() || room.fetching,
            head: room.progress.head,
            read: room.progress.read,
            cursors: summary.cursors.clone(),
        })
    }

    /// The own changes that wait, in order.
    #[must_use]
    pub fn outbox(&self) -> Vec<OutboxEntry> {
        self.outbox.entries()
    }

    /// Whether changes wait that are not refused for good.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.outbox.has_unsent()
    }

    /// A watched user's presence, where known.
    #[must_use]
    pub fn presence(&self, user: UserId) -> Option<&Presence> {
        self.people.presence.get(&user)
    }

    /// What is known of a user on this device.
    #[must_use]
    pub fn profile(&self, user: UserId) -> Option<&Profile> {
        self.people.profiles.get(&user)
    }

    /// Everyone known on this device.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.people.profiles.values()
    }

    /// Who put which reaction on a message of an open timeline, in the order of first use. Empty where the message is
    /// not in memory.
    #[must_use]
    pub fn reactors(&self, conversation: ConversationId, seq: Seq) -> Vec<(String, Vec<UserId>)> {
        let open = self.rooms.get(&conversation).and_then(|room| room.open.as_ref());
        match open.and_then(|open| open.window.as_ref()?.entries.get(&seq)) {
            Some(Entry::Message(folded)) => folded.reactors(),
            _ => Vec::new(),
        }
    }

    fn summarise(&self, summary: &Conversation, room: &Room) -> ConversationSummary {
        let peer = summary.peer.as_ref().map(|peer| peer.id);
        let entries = || self.outbox.of(summary.id);
        let failed = entries().filter(|entry| entry.state == State::Failed).count();
        let done = entries().filter(|entry| matches!(entry.state, State::Done(_))).count();
        let last = self.last_message(summary, room);
        let written_at = last.as_ref().map_or(0, |last| last.ts);
        ConversationSummary {
            id: summary.id,
            kind: summary.kind,
            title: match peer {
                Some(peer) => self.people.name(peer).unwrap_or_default(),
                None => summary.title.clone(),
            },
            peer,
            presence: peer.and_then(|peer| self.presence(peer).cloned()),
            member_count: summary.member_count,
            role: summary.me.role,
            last_activity: summary.last_activity.max(written_at),
            last,
            unread: summary.me.unread,
            mentions: summary.me.mentions,
            muted_until: summary.me.muted_until,
            pinned: summary.me.pinned,
            archived: summary.me.archived,
            draft: room.progress.draft.clone(),
            typing: room.typing.clone(),
            queued: entries().count() - failed - done,
            failed,
        }
    }

    fn last_message(&self, summary: &Conversation, room: &Room) -> Option<LastMessage> {
        let queued = self.outbox.of(summary.id).filter_map(|entry| self.queued_view(room, entry)).last();
        if let Some(view) = queued {
            return Some(LastMessage {
                seq: None,
                ts: view.message.ts,
                sender: self.me,
                sender_name: view.sender_name,
                text: view.message.text,
                status: view.status,
            });
        }
        let last = summary.last_message.as_ref()?;
        Some(LastMessage {
            seq: Some(last.seq),
            ts: last.ts,
            sender: last.sender,
            sender_name: self.people.name(last.sender),
            text: last.text.clone(),
            status: (last.sender == self.me).then(|| status_of(summary, last.seq, self.me)),
        })
    }

    fn message_view(
        &self,
        room: &Room,
        summary: &Conversation,
        folded: &Folded,
        pending: &Pending<'_>,
    ) -> MessageView {
        let mut message = folded.message.clone();
        let changes = pending.by_target.get(&message.seq);
        for change in changes.into_iter().flatten() {
            overlay(&mut message, &change.queued);
        }
        if let Some(toggled) = pending.reactions.get(&message.seq) {
            message.reactions = folded.reactions_with(toggled, self.me);
        }
        let own = message.sender == self.me;
        MessageView {
            nonce: None,
            status: own.then(|| status_of(summary, message.seq, self.me)),
            sender_name: self.people.name(message.sender),
            reply: message.reply_to.and_then(|seq| self.reply(room, seq)),
            change_queued: changes.is_some_and(|changes| !changes.is_empty()),
            message,
        }
    }

    /// A message of the queue as it will look; `None` for other changes.
    fn queued_view(&self, room: &Room, entry: &Queued) -> Option<MessageView> {
        let Change::Send { body } = &entry.queued.change else { return None };
        let status = match (&entry.queued.failed, entry.state) {
            (Some(error), _) => MessageStatus::Failed(error.clone()),
            (None, State::Done(_)) => MessageStatus::Sent,
            (None, _) => MessageStatus::Queued,
        };
        Some(MessageView {
            message: self.queued_message(entry, body.clone()),
            nonce: Some(entry.queued.nonce.clone()),
            status: Some(status),
            sender_name: self.people.name(self.me),
            reply: body.reply_to.and_then(|seq| self.reply(room, seq)),
            change_queued: false,
        })
    }

    fn queued_message(&self, entry: &Queued, body: MessageBody) -> Message {
        let event = Event {
            conversation: entry.queued.conversation,
            seq: 0,
            ts: entry.queued.created_at,
            sender: self.me,
            device: Some(self.device),
            nonce: None,
            kind: loquat_proto::EventKind::Message,
            body: None,
        };
        window::message(&event, Some(body))
    }

    fn reply(&self, room: &Room, seq: Seq) -> Option<ReplyPreview> {
        let open = room.open.as_ref()?;
        let windows = [open.window.as_ref(), open.quoted.as_ref()];
        let quoted = windows.into_iter().flatten().find_map(|window| window.message(seq))?;
        Some(ReplyPreview {
            seq,
            sender: quoted.sender,
            sender_name: self.people.name(quoted.sender),
            text: quoted.text.clone(),
        })
    }

    fn notice(&self, seq: Seq, (ts, sender): (i64, UserId), what: &NoticeKind) -> Notice {
        let what = match what {
            NoticeKind::Member(body, _) => NoticeKind::Member(body.clone(), self.people.name(body.user)),
            NoticeKind::Settings(body) => NoticeKind::Settings(body.clone()),
        };
        Notice { seq, ts, sender, sender_name: self.people.name(sender), what }
    }
}

/// The own changes of the queue that concern messages of the log.
struct Pending<'a> {
    by_target: BTreeMap<Seq, Vec<&'a Queued>>,
    reactions: BTreeMap<Seq, Vec<(String, bool)>>,
}

impl<'a> Pending<'a> {
    fn of(entries: impl Iterator<Item = &'a Queued>) -> Self {
        let mut pending = Self { by_target: BTreeMap::new(), reactions: BTreeMap::new() };
        for entry in entries.filter(|entry| entry.state != State::Failed) {
            let target = match &entry.queued.change {
                Change::Send { .. } => continue,
                Change::React { target, emoji, on } => {
                    pending.reactions.entry(*target).or_default().push((emoji.clone(), *on));
                    *target
                }
                Change::Edit { target, .. } | Change::Delete { target } | Change::Pin { target, .. } => {
                    *target
                }
            };
            pending.by_target.entry(target).or_default().push(entry);
        }
        pending
    }
}

/// Shows a queued edit, deletion or pin as if it were done.
fn overlay(message: &mut Message, queued: &crate::store::QueuedChange) {
    match &queued.change {
        Change::Edit { target, body } => {
            let edit = loquat_proto::event::EditBody {
                target: *target,
                text: body.text.clone(),
                format: body.format,
                mentions: body.mentions.clone(),
            };
            window::change_text(message, &EventBody::Edit(edit), queued.created_at);
        }
        Change::Delete { target } => {
            let delete = loquat_proto::event::DeleteBody { target: *target };
            window::change_text(message, &EventBody::Delete(delete), queued.created_at);
        }
        Change::Pin { on, .. } => message.pinned = *on,
        Change::Send { .. } | Change::React { .. } => {}
    }
}

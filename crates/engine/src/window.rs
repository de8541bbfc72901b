//! A timeline in memory: the events of the newest part of a log, folded into what is shown.
//!
//! A window covers `low..=top` of the log without a gap. So every event that changes a message inside it is either
//! in it, too, or below `low` (where it cannot be, because a change comes after its target): what is shown is
//! exact.

use std::collections::{BTreeMap, BTreeSet};

use loquat_proto::event::EventBody;
use loquat_proto::{Event, Format, Message, MessageBody, Reaction, Seq, UserId};

use crate::view::NoticeKind;

/// A message with what its reactions are counted from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    pub(crate) message: Message,
    /// In the order of first use.
    reactions: Vec<(String, BTreeSet<UserId>)>,
}

/// One entry of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Message(Box<Folded>),
    Notice { event_ts: i64, sender: UserId, what: NoticeKind },
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    me: UserId,
    /// The lowest `seq` covered.
    pub(crate) low: Seq,
    pub(crate) entries: BTreeMap<Seq, Entry>,
}

impl Window {
    pub(crate) fn new(me: UserId, low: Seq) -> Self {
        Self { me, low, entries: BTreeMap::new() }
    }

    /// Folds events in, ascending by `seq`; each at most once.
    pub(crate) fn fold<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>) {
        for event in events {
            self.apply(event);
        }
    }

    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        if let Some(entry) = shown_entry(event) {
            self.entries.insert(event.seq, entry);
            return;
        }
        // A body that does not have the shape of its kind is shown as nothing; the log keeps it.
        let Ok(Some(body)) = event.decode() else { return };
        let Some(target) = body.target() else { return };
        if let Some(Entry::Message(folded)) = self.entries.get_mut(&target) {
            folded.change(&body, event, self.me);
        }
    }

    /// Puts what was loaded from below in, and moves `low` down.
    pub(crate) fn extend_down(&mut self, below: Self) {
        let low = self.low;
        self.entries.extend(below.entries.into_iter().filter(|(seq, _)| *seq < low));
        self.low = low.min(below.low);
    }

    /// Drops the oldest half if there are more than `bound` entries.
    pub(crate) fn trim(&mut self, bound: usize) {
        if self.entries.len() <= bound {
            return;
        }
        if let Some(low) = self.entries.keys().nth(self.entries.len() - bound / 2).copied() {
            self.entries = self.entries.split_off(&low);
            self.low = low;
        }
    }

    /// Erases the messages up to this `seq`, and their reactions and pins.
    pub(crate) fn expire(&mut self, upto: Seq) {
        for entry in self.entries.range_mut(..=upto).map(|(_, entry)| entry) {
            if let Entry::Message(folded) = entry {
                erase(&mut folded.message);
                folded.message.reactions.clear();
                folded.reactions.clear();
            }
        }
    }

    pub(crate) fn message(&self, seq: Seq) -> Option<&Message> {
        match self.entries.get(&seq)? {
            Entry::Message(folded) => Some(&folded.message),
            Entry::Notice { .. } => None,
        }
    }
}

/// The entry that an event makes by itself, if its kind does.
fn shown_entry(event: &Event) -> Option<Entry> {
    if event.kind == loquat_proto::EventKind::Message {
        let body = match event.decode() {
            Ok(Some(EventBody::Message(body))) => Some(body),
            _ => None,
        };
        let message = message(event, body);
        return Some(Entry::Message(Box::new(Folded { message, reactions: Vec::new() })));
    }
    let what = match event.decode() {
        Ok(Some(EventBody::Member(body))) => NoticeKind::Member(body, None),
        Ok(Some(EventBody::Settings(body))) => NoticeKind::Settings(body),
        _ => return None,
    };
    Some(Entry::Notice { event_ts: event.ts, sender: event.sender, what })
}

/// The message that an event is, before any change; `None` is an erased body.
pub(crate) fn message(event: &Event, body: Option<MessageBody>) -> Message {
    let deleted = body.is_none();
    let body = body.unwrap_or_default();
    Message {
        conversation: event.conversation,
        seq: event.seq,
        ts: event.ts,
        sender: event.sender,
        text: (!deleted).then_some(body.text),
        format: body.format,
        reply_to: body.reply_to,
        mentions: body.mentions,
        attachments: body.attachments,
        edited_at: None,
        deleted,
        pinned: false,
        reactions: Vec::new(),
    }
}

/// What an edit or a deletion does to a message.
pub(crate) fn change_text(message: &mut Message, body: &EventBody, ts: i64) {
    match body {
        EventBody::Edit(edit) if !message.deleted => {
            message.text = Some(edit.text.clone());
            message.format = edit.format;
            message.mentions.clone_from(&edit.mentions);
            message.edited_at = Some(ts);
        }
        EventBody::Delete(_) => erase(message),
        _ => {}
    }
}

/// Makes a message what an erased event is: nothing of its content is left, nor of its edits.
pub(crate) fn erase(message: &mut Message) {
    message.text = None;
    message.deleted = true;
    message.edited_at = None;
    message.format = Format::default();
    message.reply_to = None;
    message.mentions.clear();
    message.attachments.clear();
    message.pinned = false;
}

impl Folded {
    fn change(&mut self, body: &EventBody, event: &Event, me: UserId) {
        match body {
            // What is erased is not pinned any more, as the server has it.
            EventBody::Pin(pin) => self.message.pinned = pin.on && !self.message.deleted,
            EventBody::Reaction(reaction) => {
                toggle(&mut self.reactions, &reaction.emoji, event.sender, reaction.on);
                self.message.reactions = counted(&self.reactions, me);
            }
            body => change_text(&mut self.message, body, event.ts),
        }
    }

    /// Who put which reaction on.
    pub(crate) fn reactors(&self) -> Vec<(String, Vec<UserId>)> {
        let users =
            |(emoji, users): &(String, BTreeSet<UserId>)| (emoji.clone(), users.iter().copied().collect());
        self.reactions.iter().map(users).collect()
    }

    /// The reactions as they would be with the own one put on or taken off.
    pub(crate) fn reactions_with(&self, changes: &[(String, bool)], me: UserId) -> Vec<Reaction> {
        let mut reactions = self.reactions.clone();
        for (emoji, on) in changes {
            toggle(&mut reactions, emoji, me, *on);
        }
        counted(&reactions, me)
    }
}

fn toggle(reactions: &mut Vec<(String, BTreeSet<UserId>)>, emoji: &str, user: UserId, on: bool) {
    let place = reactions.iter().position(|(known, _)| known == emoji);
    match (place, on) {
        (Some(place), true) => {
            reactions[place].1.insert(user);
        }
        (Some(place), false) => {
            reactions[place].1.remove(&user);
            if reactions[place].1.is_empty() {
                reactions.remove(place);
            }
        }
        (None, true) => reactions.push((emoji.to_owned(), BTreeSet::from([user]))),
        (None, false) => {}
    }
}

fn counted(reactions: &[(String, BTreeSet<UserId>)], me: UserId) -> Vec<Reaction> {
    let count = |(emoji, users): &(String, BTreeSet<UserId>)| Reaction {
        emoji: emoji.clone(),
        count: users.len() as u64,
        me: users.contains(&me),
    };
    reactions.iter().map(count).collect()
}

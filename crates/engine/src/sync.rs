//! Frames from the server: answers, `ready` and the catching up that follows it, pushes.

use loquat_proto::conversation::Cursor;
use loquat_proto::frame::{Answer, Push, WatchAnswer};
use loquat_proto::message::EventPage;
use loquat_proto::{
    AccountEvent, AccountEventKind, Conversation, ConversationId, ErrorBody, ErrorCode, Event, Page, Profile,
    Ready, Seq,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Now;
use crate::engine::{Engine, Link, Purpose};
use crate::expiry::keep_horizons;
use crate::room::Room;
use crate::store::Operation;
use crate::view::ViewChange;

/// The rest of a `ready` that had more conversations than fit: its token counts once all are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) since: String,
    /// Tells answers of this listing from those of one before.
    pub(crate) number: u64,
}

impl Engine {
    pub(crate) fn answer(&mut self, answer: Answer) {
        // Without an entry it is late: its change appeared as an event before.
        let Some((purpose, _)) = self.frames.remove(&answer.re) else { return };
        let understood = match (purpose, answer.result) {
            (Purpose::Hello, Ok(ok)) => parse(&ok).map(|ready| self.ready(ready)),
            (Purpose::Hello, Err(error)) => {
                self.hello_refused(&error);
                Some(())
            }
            (Purpose::Change(order), Ok(ok)) => parse(&ok).map(|at| self.change_done(order, at)),
            (Purpose::Change(order), Err(error)) => {
                self.change_refused(order, error);
                Some(())
            }
            (Purpose::Fetch(plan), Ok(ok)) => parse::<EventPage>(&ok).map(|page| self.fetched(plan, page)),
            (Purpose::Fetch(plan), Err(error)) => {
                self.fetch_refused(plan, &error);
                Some(())
            }
            (Purpose::Watch, Ok(ok)) => parse::<WatchAnswer>(&ok).map(|watched| {
                for presence in watched.items {
                    self.present(presence);
                }
            }),
            (Purpose::Watch, Err(_)) => Some(()),
        };
        if understood.is_none() {
            self.close("an answer is not understood", None, None);
        }
    }

    pub(crate) fn push(&mut self, push: Push) {
        match push {
            Push::Event { event } => self.receive(event, true),
            Push::Receipt { conversation, items } => self.receipts(conversation, &items),
            Push::Erased { conversation, erased_to, expired_to } => {
                self.erased(conversation, erased_to, expired_to);
            }
            Push::Typing { conversation, user, on } => self.typing(conversation, user, on),
            Push::Presence { user, state, last_seen } => {
                self.present(loquat_proto::Presence { user, state, last_seen });
            }
            Push::Account { event } => self.live_account_event(&event),
            Push::Tick { since } => {
                // While a listing runs, what is stored is older than what this token covers.
                if self.is_up() && self.listing.is_none() {
                    self.store_token(since);
                }
            }
            Push::Drain { retry_after_ms, url } => self.close("the node drains", Some(retry_after_ms), url),
            Push::Error { .. } | Push::Unknown => {}
        }
    }

    fn hello_refused(&mut self, error: &ErrorBody) {
        if matches!(error.code, ErrorCode::Unauthorized | ErrorCode::TokenExpired) {
            self.changes.happened.push(ViewChange::Unauthorized);
        }
        self.close("hello was refused", error.retry_after_ms, None);
    }

    fn ready(&mut self, ready: Ready) {
        if ready.user != self.me {
            // The host mixed up two accounts; nothing of one may enter the store of the other.
            self.changes.happened.push(ViewChange::Unauthorized);
            self.close("signed in as another user", None, None);
            return;
        }
        self.device = ready.device;
        self.link = Link::Up { heartbeat_ms: ready.heartbeat_ms.max(1_000) };
        if ready.reset {
            self.reset();
        } else if self.sync.since.is_none() {
            // Without a token the server tells of all: what it does not tell of is gone.
            self.rooms.values_mut().for_each(|room| room.stale = true);
        }
        let known: Vec<ConversationId> = ready.changed.iter().map(|conversation| conversation.id).collect();
        for conversation in ready.changed {
            self.merge(conversation);
        }
        for event in &ready.account {
            self.account_event(event, &known);
        }
        let gaps = self.rooms.iter().filter(|(_, room)| room.has_gap()).map(|(id, _)| *id);
        self.catching_up = gaps.collect();
        self.wanted.extend(self.rooms.keys());
        if ready.more {
            let number = self.requests.next_listing();
            self.listing = Some(Listing { since: ready.since, number });
            self.list_page(number, None);
        } else {
            self.listed(ready.since);
        }
        self.repeat_cursors();
        self.people_again();
        self.pump_all_lanes();
        self.drafts_again();
        self.changes.conversations = true;
    }

    /// A page of `GET /v1/conversations` came.
    pub(crate) fn page_listed(&mut self, number: u64, page: Page<Conversation>) {
        let Some(listing) = self.listing.clone().filter(|listing| listing.number == number) else { return };
        for conversation in page.items {
            let id = conversation.id;
            self.merge(conversation);
            if self.rooms.get(&id).is_some_and(Room::has_gap) {
                self.catching_up.insert(id);
            }
        }
        match page.next_cursor {
            Some(cursor) => self.list_page(number, Some(&cursor)),
            None => self.listed(listing.since),
        }
    }

    /// Every conversation that moved is known: the token holds.
    fn listed(&mut self, since: String) {
        self.listing = None;
        let gone: Vec<ConversationId> =
            self.rooms.iter().filter(|(_, room)| room.stale).map(|(id, _)| *id).collect();
        for conversation in gone {
            self.forget_conversation(conversation);
        }
        self.store_token(since);
    }

    /// Everything before this token is applied; it is written in one batch with what is not written yet.
    fn store_token(&mut self, since: String) {
        if self.sync.since.as_ref() == Some(&since) {
            return;
        }
        self.sync.since = Some(since);
        self.write_summaries();
        self.writes.push(Operation::PutSync(self.sync.clone()));
    }

    /// The server cannot tell what changed since: the logs held here may be of another history.
    fn reset(&mut self) {
        self.sync.account_pos = None;
        let all: Vec<ConversationId> = self.rooms.keys().copied().collect();
        for conversation in all {
            self.forget_log(conversation);
            if let Some(room) = self.rooms.get_mut(&conversation) {
                room.stale = true;
            }
        }
    }

    /// What is held of a log leaves; it is fetched again.
    fn forget_log(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        room.progress.ranges.clear();
        room.progress.head = 0;
        room.progress.delivered = 0;
        room.progress.read = 0;
        room.counted = 0;
        room.top_at_connect = 0;
        if let Some(summary) = room.summary.as_mut() {
            // They are about another history, whose seqs are given again.
            (summary.erased_to, summary.expired_to) = (0, 0);
        }
        room.held.clear();
        if let Some(open) = room.open.as_mut() {
            open.drop_windows();
        }
        self.writes.push(Operation::ForgetLog(conversation));
        self.dirty_progress.insert(conversation);
        self.changes.timelines.insert(conversation);
    }

    /// Takes a conversation as the server sees it.
    pub(crate) fn merge(&mut self, fresh: Conversation) {
        let conversation = fresh.id;
        let room = self.rooms.entry(conversation).or_default();
        let is_new = room.summary.is_none();
        if fresh.head < room.top_at_connect {
            // The service lost what it had (a backup was restored): its log is the truth.
            self.forget_log(conversation);
        }
        self.learn_from(&fresh);
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        room.stale = false;
        room.progress.whole |= self.options.full_history;
        room.progress.head = room.progress.head.max(fresh.head);
        room.progress.read = room.progress.read.max(fresh.me.read);
        if fresh.me.read < room.progress.read || fresh.me.delivered < room.progress.delivered {
            room.cursors_dirty = true;
        }
        let (head, me) = (fresh.head, fresh.me.clone());
        let expired_before = room.expired_to();
        let mut fresh = fresh;
        keep_horizons(&mut fresh, room.summary.as_ref());
        if is_new || fresh.head >= room.counted {
            room.counted = fresh.head;
            keep_cursors(&mut fresh, room.summary.as_ref());
            room.summary = Some(fresh);
        } else if let Some(summary) = room.summary.as_mut() {
            // Events above this state were applied already: only what is not in the log is news.
            summary.me.muted_until = fresh.me.muted_until;
            summary.me.pinned = fresh.me.pinned;
            summary.me.archived = fresh.me.archived;
            (summary.erased_to, summary.expired_to) = (fresh.erased_to, fresh.expired_to);
            summary.peer = fresh.peer.or_else(|| summary.peer.take());
            let old = std::mem::replace(&mut summary.cursors, fresh.cursors);
            raise_cursors(&mut summary.cursors, &old);
        }
        self.draft_from_server(conversation, me.draft.clone());
        self.dirty_progress.insert(conversation);
        self.dirty_summaries.insert(conversation);
        self.wanted.insert(conversation);
        self.changes.conversations = true;
        self.changes.timelines.insert(conversation);
        self.expire_above(conversation, expired_before);
        self.advance(conversation);
        self.take_count(conversation, head, &me);
        self.serve_window(conversation);
        if is_new {
            // A start restores logs by their conversations: without this one, what is stored of the log is lost sight of.
            self.write_summary(conversation);
        }
    }

    /// An event of a conversation that is not known here: it is kept until the server tells what it is.
    pub(crate) fn meet_conversation(&mut self, conversation: ConversationId, event: Option<Event>) {
        let room = self.rooms.entry(conversation).or_default();
        if let Some(event) = event {
            room.progress.head = room.progress.head.max(event.seq);
            room.held.insert(event.seq, crate::room::Held { event, live: true });
        }
        self.refresh_summary(conversation);
    }

    /// Takes a conversation that a REST call of the host answered, such as one just created.
    pub fn conversation_told(&mut self, now: Now, conversation: Conversation) {
        self.input(now, |engine| engine.merge(conversation));
    }

    /// The user is no member any more, or the conversation is gone.
    pub(crate) fn forget_conversation(&mut self, conversation: ConversationId) {
        if self.rooms.remove(&conversation).is_none() {
            return;
        }
        self.drop_lane(conversation);
        for set in
            [&mut self.wanted, &mut self.catching_up, &mut self.dirty_progress, &mut self.dirty_summaries]
        {
            set.remove(&conversation);
        }
        self.writes.push(Operation::RemoveConversation(conversation));
        self.changes.conversations = true;
        self.changes.happened.push(ViewChange::ConversationLeft(conversation));
    }

    fn live_account_event(&mut self, event: &AccountEvent) {
        if self.sync.account_pos.is_some_and(|pos| event.pos > pos + 1) {
            // The account log cannot be fetched by range: the token from before the gap brings it.
            self.close("account events were missed", Some(0), None);
            return;
        }
        self.account_event(event, &[]);
    }

    /// Applies an event of the account log. `known` were told whole just now.
    fn account_event(&mut self, event: &AccountEvent, known: &[ConversationId]) {
        #[derive(Deserialize)]
        struct About {
            conversation: ConversationId,
            #[serde(default)]
            read: Option<Seq>,
        }
        if self.sync.account_pos.is_some_and(|pos| event.pos <= pos) {
            return;
        }
        self.sync.account_pos = Some(event.pos);
        let about = About::deserialize(&event.body).ok();
        match (event.kind, about) {
            // What was told whole just now is newer than any event before it.
            (_, Some(about)) if known.contains(&about.conversation) => {}
            (AccountEventKind::ConversationJoined, Some(about)) => {
                self.meet_conversation(about.conversation, None);
            }
            (AccountEventKind::ConversationLeft, Some(about)) => {
                self.forget_conversation(about.conversation);
            }
            (AccountEventKind::Read, Some(About { conversation, read: Some(read) })) => {
                self.own_read_moved(conversation, read);
            }
            (AccountEventKind::Preferences, Some(about)) => {
                self.preferences_moved(about.conversation, &event.body);
            }
            (AccountEventKind::Profile, _) => {
                if let Ok(profile) = Profile::deserialize(&event.body) {
                    self.know(profile);
                }
            }
            _ => {}
        }
        self.changes.happened.push(ViewChange::Account(event.clone()));
    }
}

fn parse<T: for<'de> Deserialize<'de>>(ok: &RawValue) -> Option<T> {
    serde_json::from_str(ok.get()).ok()
}

/// Cursors only move forward, whichever frame tells of them first.
fn keep_cursors(fresh: &mut Conversation, old: Option<&Conversation>) {
    if let Some(old) = old {
        raise_cursors(&mut fresh.cursors, &old.cursors);
    }
}

pub(crate) fn raise_cursors(cursors: &mut [Cursor], others: &[Cursor]) {
    for cursor in cursors {
        if let Some(other) = others.iter().find(|other| other.user == cursor.user) {
            cursor.delivered = cursor.delivered.max(other.delivered);
            cursor.read = cursor.read.max(other.read);
        }
    }
}

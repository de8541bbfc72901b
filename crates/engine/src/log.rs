//! Applying events: in `seq` order, each once, and what they do to the list and to open timelines.

use loquat_proto::conversation::Cursor;
use loquat_proto::event::{EventBody, MemberBody, MemberChange, SettingsBody};
use loquat_proto::{Conversation, ConversationId, Event, EventKind, Role, Seq, UserId};

use crate::engine::{AfterWrite, Engine};
use crate::room::Held;
use crate::store::{self, Operation};
use crate::view::ViewChange;
use crate::window;

impl Engine {
    /// An event came by itself: a push, or the own send that was acknowledged.
    pub(crate) fn receive(&mut self, event: Event, live: bool) {
        let event = self.living(event);
        let conversation = event.conversation;
        if let Some(nonce) = event.nonce.as_ref().filter(|_| event.sender == self.me) {
            let nonce = nonce.clone();
            self.change_appeared(&nonce, event.seq, event.ts);
        }
        let Some(room) = self.rooms.get_mut(&conversation) else {
            self.meet_conversation(conversation, Some(event));
            return;
        };
        if event.seq <= room.top() {
            return;
        }
        if event.seq > room.progress.head {
            room.progress.head = event.seq;
            self.dirty_progress.insert(conversation);
        }
        let in_turn = room.summary.is_some() && event.seq == room.top() + 1;
        room.held.entry(event.seq).or_insert(Held { event, live });
        if in_turn {
            self.advance(conversation);
        } else {
            self.hold(conversation);
        }
    }

    /// Keeps the number of held-back events within its bound, and sees to the gap.
    fn hold(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        while room.held.len() > self.options.held {
            room.held.pop_last();
        }
        if !self.wanted.contains(&conversation) {
            room.patience_until = self.now.monotonic_ms + self.options.gap_patience_ms;
            self.wanted.insert(conversation);
        }
    }

    /// Applies the held-back events whose turn has come.
    pub(crate) fn advance(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let first = room.top() + 1;
        let mut run = Vec::new();
        room.held = room.held.split_off(&first);
        while let Some(held) = room.held.remove(&(first + run.len() as u64)) {
            run.push(held);
        }
        self.apply_run(conversation, run);
    }

    /// A page of the log came: contiguous, and checked to adjoin what was asked for.
    pub(crate) fn take_page(&mut self, conversation: ConversationId, items: Vec<Event>) {
        let me = self.me;
        let items: Vec<Event> = items.into_iter().map(|event| self.living(event)).collect();
        for event in items.iter().filter(|event| event.sender == me) {
            if let Some(nonce) = &event.nonce {
                self.change_appeared(nonce, event.seq, event.ts);
            }
        }
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let top = room.top();
        let (older, newer): (Vec<Event>, Vec<Event>) = items.into_iter().partition(|event| event.seq <= top);
        if let (Some(first), Some(last)) = (older.first().map(|it| it.seq), older.last().map(|it| it.seq)) {
            room.progress.ranges.insert(first, last);
            self.write_events(conversation, older);
        }
        let Some(first) = newer.first().map(|event| event.seq) else {
            self.after_store(conversation);
            return;
        };
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        if first > room.top() + 1 {
            // A jump: a new newest range begins here, and what was shown is not adjacent to it.
            room.progress.ranges.insert(first, first);
            if let Some(open) = room.open.as_mut() {
                open.drop_windows();
            }
            if first > room.counted + 1 {
                self.refresh_summary(conversation);
            }
        }
        let run = newer.into_iter().map(|event| Held { event, live: false }).collect();
        self.apply_run(conversation, run);
        self.advance(conversation);
    }

    /// Applies events that continue (or begin) the newest range, ascending.
    fn apply_run(&mut self, conversation: ConversationId, run: Vec<Held>) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        room.progress.ranges.insert(first.event.seq, last.event.seq);
        room.progress.head = room.progress.head.max(last.event.seq);
        let read = room.progress.read;
        let mut arrived = Vec::new();
        for Held { event, live } in &run {
            // Whoever had an event early as a push hears of it as news, also when a page brought it first.
            let live = *live || room.held.get(&event.seq).is_some_and(|held| held.live);
            if let Some(open) = room.open.as_mut() {
                open.apply(event, self.options.window);
            }
            if event.seq > room.counted {
                room.counted = event.seq;
                if let Some(summary) = room.summary.as_mut() {
                    count(summary, event, (self.me, read));
                }
                self.dirty_summaries.insert(conversation);
                self.changes.conversations = true;
            }
            if live && event.kind == EventKind::Message && event.sender != self.me {
                arrived.push(event.clone());
            }
        }
        let senders: Vec<UserId> = match &room.open {
            Some(_) => run.iter().map(|held| held.event.sender).collect(),
            None => run.last().map(|held| held.event.sender).into_iter().collect(),
        };
        for sender in &senders {
            self.typing(conversation, *sender, false);
            self.learn(*sender);
        }
        // An erased message may have mentioned the own user.
        let erased = run.iter().filter(|held| held.event.kind == EventKind::Delete);
        let recount = erased.filter_map(|held| store::target(&held.event)).any(|seq| seq > read);
        let own_role = run.iter().any(|held| concerns_membership(&held.event, self.me));
        self.write_events(conversation, run.into_iter().map(|held| held.event).collect());
        for event in arrived {
            if let Ok(Some(EventBody::Message(body))) = event.decode() {
                let message = window::message(&event, Some(body));
                self.changes.happened.push(ViewChange::MessageArrived(Box::new(message)));
            }
        }
        if own_role {
            self.refresh_summary(conversation);
        }
        if recount {
            self.recount_unread(conversation);
        }
        self.after_store(conversation);
    }

    fn write_events(&mut self, conversation: ConversationId, events: Vec<Event>) {
        let deletions = events.iter().filter(|event| event.kind == EventKind::Delete);
        let erasures = deletions.filter_map(store::target);
        let erasures: Vec<Operation> =
            erasures.map(|target| Operation::Erase { conversation, target }).collect();
        self.writes.push(Operation::PutEvents(events));
        self.writes.extend(erasures);
        self.dirty_progress.insert(conversation);
        self.changes.timelines.insert(conversation);
    }

    /// What follows once the events taken are written.
    fn after_store(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let (top, deliverable) = (room.top(), room.deliverable());
        self.after.push(AfterWrite::Stored { conversation, top, deliverable });
        self.settle_up_to(conversation, top);
        self.load_quoted(conversation);
        if self.rooms.get(&conversation).is_some_and(|room| room.open.is_some()) {
            self.serve_window(conversation);
        }
    }

    /// Events are in the store.
    pub(crate) fn stored(&mut self, conversation: ConversationId, top: Seq, deliverable: Seq) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        self.changes.happened.push(ViewChange::LogAdvanced { conversation, seq: top });
        if deliverable > room.progress.delivered {
            room.progress.delivered = deliverable;
            // Said again after a crash before it is said.
            room.progress.repeat_cursors = true;
            self.dirty_progress.insert(conversation);
            self.cursors_moved(conversation);
        }
    }
}

/// Whether the event changes what the own user may do or see.
fn concerns_membership(event: &Event, me: UserId) -> bool {
    event.kind == EventKind::Member
        && matches!(event.decode(), Ok(Some(EventBody::Member(body))) if body.user == me)
}

/// What an event does to the line of its conversation in the list, for the reader with that read cursor.
fn count(summary: &mut Conversation, event: &Event, (me, read): (UserId, Seq)) {
    summary.head = summary.head.max(event.seq);
    summary.last_activity = event.ts;
    let Ok(body) = event.decode() else { return };
    match body {
        Some(EventBody::Message(body)) => {
            if event.sender != me && event.seq > read {
                summary.me.unread += 1;
                summary.me.mentions += u64::from(body.mentions.contains(&me));
            }
            summary.last_message = Some(window::message(event, Some(body)));
        }
        Some(EventBody::Member(body)) => count_member(summary, &body, me),
        Some(EventBody::Settings(body)) => apply_settings(summary, body),
        Some(body) => {
            let target = body.target();
            let last = summary.last_message.as_mut().filter(|last| Some(last.seq) == target);
            if let Some(last) = last {
                window::change_text(last, &body, event.ts);
            }
        }
        // Erased, or of a kind that this version does not know.
        None if event.kind == EventKind::Message => {
            summary.last_message = Some(window::message(event, None));
            summary.me.unread += u64::from(event.sender != me && event.seq > read);
        }
        None => {}
    }
}

fn count_member(summary: &mut Conversation, body: &MemberBody, me: UserId) {
    match body.change {
        MemberChange::Joined => {
            if !summary.cursors.iter().any(|cursor| cursor.user == body.user) {
                summary.member_count += 1;
                summary.cursors.push(Cursor { user: body.user, delivered: 0, read: 0 });
            }
        }
        MemberChange::Left | MemberChange::Removed => {
            summary.member_count = summary.member_count.saturating_sub(1);
            summary.cursors.retain(|cursor| cursor.user != body.user);
        }
        MemberChange::Role => {
            if body.role == Role::Owner {
                summary.owner = Some(body.user);
            }
            if body.user == me {
                summary.me.role = body.role;
            }
        }
    }
}

fn apply_settings(summary: &mut Conversation, body: SettingsBody) {
    let SettingsBody { title, description, avatar, retention, permissions, slow_mode_ms } = body;
    set(&mut summary.title, title);
    set(&mut summary.description, description);
    set(&mut summary.avatar, avatar);
    set(&mut summary.retention, retention);
    set(&mut summary.permissions, permissions);
    set(&mut summary.slow_mode_ms, slow_mode_ms);
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

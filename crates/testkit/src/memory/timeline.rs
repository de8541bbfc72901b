//! [`Timeline`].

use async_trait::async_trait;
use loquat_domain::ports::{EventRange, MessageWindow, StoreError, Timeline};
use loquat_proto::message::{EventPage, MessagePage};
use loquat_proto::{ConversationId, Event, EventKind, Message, Seq, UserId};

use super::MemoryStore;
use super::materialise;
use super::state::{Membership, Room, Stored};

#[async_trait]
impl Timeline for MemoryStore {
    async fn events(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        range: EventRange,
        limit: usize,
    ) -> Result<Option<EventPage>, StoreError> {
        self.read(|state| {
            let (room, membership) = state.membership(viewer, conversation)?;
            let items = events(room, (viewer, membership), range, limit);
            Some(EventPage { items, head: room.head(), visible_from: membership.visible_from })
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
        self.read(|state| {
            let (room, membership) = state.membership(viewer, conversation)?;
            let shown = |stored: &&Stored| materialise::message(room, stored, viewer);
            let items = messages(room, membership, window, limit).iter().map(shown).collect();
            Some(MessagePage { items, head: room.head(), visible_from: membership.visible_from })
        })
        .await
    }

    async fn message(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<Message>, StoreError> {
        self.read(|state| {
            let (room, membership) = state.membership(viewer, conversation)?;
            let stored = room.at(seq).filter(|stored| stored.event.kind == EventKind::Message)?;
            (seq >= membership.visible_from).then(|| materialise::message(room, stored, viewer))
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
        self.read(|state| {
            let (room, membership) = state.membership(viewer, conversation)?;
            let pins = room.pins.range(membership.visible_from..before.unwrap_or(Seq::MAX)).rev();
            let stored = pins.take(limit).filter_map(|seq| room.at(*seq));
            Some(stored.map(|stored| materialise::message(room, stored, viewer)).collect())
        })
        .await
    }
}

fn events(
    room: &Room,
    (viewer, membership): (UserId, &Membership),
    range: EventRange,
    limit: usize,
) -> Vec<Event> {
    let visible = room.events.iter().map(|stored| &stored.event);
    let visible = visible.filter(|event| event.seq >= membership.visible_from);
    let mut events: Vec<Event> = match range {
        EventRange::After(seq) => visible.filter(|event| event.seq > seq).take(limit).cloned().collect(),
        EventRange::Before(seq) => {
            let nearest = visible.rev().filter(|event| event.seq < seq).take(limit);
            let mut events: Vec<Event> = nearest.cloned().collect();
            events.reverse();
            events
        }
    };
    for event in events.iter_mut().filter(|event| event.sender != viewer) {
        event.nonce = None;
    }
    events
}

fn messages<'r>(
    room: &'r Room,
    membership: &Membership,
    window: MessageWindow,
    limit: usize,
) -> Vec<&'r Stored> {
    let visible = || room.messages_from(membership.visible_from);
    let up_to = |seq: Seq, limit: usize| {
        let mut found: Vec<&Stored> =
            visible().rev().filter(|stored| stored.event.seq <= seq).take(limit).collect();
        found.reverse();
        found
    };
    let after = |seq: Seq, limit: usize| visible().filter(move |stored| stored.event.seq > seq).take(limit);
    let around = |seq: Seq| {
        let mut found = up_to(seq, limit.div_ceil(2));
        found.extend(after(seq, limit - limit.div_ceil(2)));
        found
    };
    match window {
        MessageWindow::Latest => up_to(Seq::MAX, limit),
        MessageWindow::Before(seq) => up_to(seq.saturating_sub(1), limit),
        MessageWindow::After(seq) => after(seq, limit).collect(),
        MessageWindow::Around(seq) => around(seq),
        MessageWindow::At(ts) => {
            let first = visible().find(|stored| stored.event.ts >= ts);
            around(first.map_or(room.head(), |stored| stored.event.seq))
        }
    }
}

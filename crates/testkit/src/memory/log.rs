//! [`EventLog`].

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Append, AppendOutcome, EventLog, NewEvent, Placement, StoreError, TailMark, TailedEvent,
    TargetFacts,
};
use loquat_proto::{ConversationId, Event, Nonce, Seq, UserId};
use serde_json::value::RawValue;

use super::MemoryStore;
use super::state::{Room, State, Stored};
use super::{changes, contacts, invites, retention, views};

#[async_trait]
impl EventLog for MemoryStore {
    async fn append_many(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError> {
        self.write(|state| appends.into_iter().map(|one| append(state, one)).collect()).await
    }

    async fn find_nonce(
        &self,
        conversation: ConversationId,
        sender: UserId,
        nonce: &Nonce,
    ) -> Result<Option<Placement>, StoreError> {
        self.read(|state| find_nonce(state.rooms.get(&conversation)?, sender, nonce)).await
    }

    async fn target(
        &self,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<TargetFacts>, StoreError> {
        self.read(|state| {
            let room = state.rooms.get(&conversation)?;
            let event = &room.at(seq)?.event;
            Some(TargetFacts {
                kind: event.kind,
                sender: event.sender,
                erased: event.body.is_none(),
                pinned: room.pins.contains(&seq),
            })
        })
        .await
    }

    async fn reaction(
        &self,
        conversation: ConversationId,
        target: Seq,
        user: UserId,
        emoji: &str,
    ) -> Result<Option<Placement>, StoreError> {
        self.read(|state| {
            let room = state.rooms.get(&conversation)?;
            let standing = room.reactions.iter().find(|standing| {
                standing.target == target && standing.user == user && standing.emoji == emoji
            })?;
            Some(Placement { seq: standing.seq, ts: standing.ts, replayed: true, erased: false })
        })
        .await
    }

    async fn tail(&self, pos: u64, limit: usize) -> Result<Vec<TailedEvent>, StoreError> {
        self.read(|state| {
            let events = state.rooms.values().flat_map(|room| &room.events);
            let mut tailed: Vec<TailedEvent> = events
                .filter(|stored| stored.pos > pos)
                .map(|stored| TailedEvent { pos: stored.pos, event: stored.event.clone() })
                .collect();
            tailed.sort_by_key(|tailed| tailed.pos);
            tailed.truncate(limit);
            tailed
        })
        .await
    }

    async fn tail_marks(&self, pos: u64, limit: usize) -> Result<Vec<TailMark>, StoreError> {
        let mark = |TailedEvent { pos, event }: TailedEvent| TailMark {
            pos,
            conversation: event.conversation,
            seq: event.seq,
            ts: event.ts,
            kind: event.kind,
        };
        Ok(self.tail(pos, limit).await?.into_iter().map(mark).collect())
    }
}

fn find_nonce(room: &Room, sender: UserId, nonce: &Nonce) -> Option<Placement> {
    let name = (sender, nonce.clone());
    if let Some(placement) = room.unlogged.get(&name) {
        return Some(Placement { replayed: true, ..*placement });
    }
    let seq = *room.nonces.get(&name)?;
    Some(Placement { seq, ts: room.at(seq)?.event.ts, replayed: true, erased: false })
}

/// One append, whole or not at all.
pub(super) fn append(state: &mut State, append: Append) -> AppendOutcome {
    let Append { conversation, expected_head, expected_version, events } = append;
    let known = |event: &NewEvent| {
        let room = state.rooms.get(&conversation)?;
        find_nonce(room, event.sender, event.nonce.as_ref()?)
    };
    let replays: Vec<Option<Placement>> = events.iter().map(known).collect();
    let as_expected = state
        .rooms
        .get(&conversation)
        .is_some_and(|room| room.head() == expected_head && room.version == expected_version);
    let refused = !as_expected || contacts::forbid(state, &events);
    if refused && replays.iter().any(Option::is_none) {
        return AppendOutcome::Conflict;
    }
    for (event, _) in events.iter().zip(&replays).filter(|(_, replay)| replay.is_none()) {
        if !invites::admits(state, conversation, event) {
            return AppendOutcome::Conflict;
        }
    }
    let mut account = Vec::new();
    let mut placements = Vec::with_capacity(events.len());
    for (event, replay) in events.into_iter().zip(replays) {
        let repeated = replay.or_else(|| {
            // The same nonce twice in one append.
            find_nonce(state.rooms.get(&conversation)?, event.sender, event.nonce.as_ref()?)
        });
        let placement = repeated.or_else(|| place(state, conversation, event, (true, &mut account)));
        placements.extend(placement);
    }
    AppendOutcome::Appended { placements, account }
}

/// Puts one event at the end of a log. Without `applies`, what it says of members and settings is there already.
pub(super) fn place(
    state: &mut State,
    conversation: ConversationId,
    event: NewEvent,
    (applies, account): (bool, &mut Vec<AccountEntry>),
) -> Option<Placement> {
    if !event.logged {
        return change(state, conversation, event, account);
    }
    let pos = state.next_pos();
    let room = state.rooms.get_mut(&conversation)?;
    let seq = room.head() + 1;
    let NewEvent { sender, device, nonce, ts, kind, body, change, account: told, .. } = event;
    if let Some(nonce) = &nonce {
        room.nonces.insert((sender, nonce.clone()), seq);
    }
    let body = RawValue::from_string(body).expect("the domain encodes bodies as JSON");
    // Of a message that was erased since this was decided, nothing may come back.
    let comes_too_late =
        change.is_about_content() && change.target().is_some_and(|target| retention::is_erased(room, target));
    let body = Some(body).filter(|_| !comes_too_late);
    let stored = Stored {
        pos,
        event: Event { conversation, seq, ts, sender, device, nonce, kind, body },
        target: change.target(),
        mentions: Vec::new(),
        revised: None,
    };
    room.events.push(stored);
    room.last_activity = ts;
    room.touched = pos;
    if !comes_too_late {
        let place = changes::Place { seq: Some(seq), pos, ts, before: seq - 1 };
        changes::apply(room, place, change, applies);
    }
    for (user, kind, body) in told {
        account.extend(state.tell(user, (kind, body), ts));
    }
    Some(Placement { seq, ts, replayed: false, erased: comes_too_late })
}

/// Does what an event says that does not stand in the log.
fn change(
    state: &mut State,
    conversation: ConversationId,
    event: NewEvent,
    account: &mut Vec<AccountEntry>,
) -> Option<Placement> {
    let pos = state.next_pos();
    let room = state.rooms.get_mut(&conversation)?;
    let NewEvent { sender, nonce, ts, change, account: told, .. } = event;
    let placement = Placement { seq: room.head(), ts, replayed: false, erased: false };
    if let Some(nonce) = nonce {
        room.unlogged.insert((sender, nonce), placement);
    }
    let before = room.head();
    changes::apply(room, changes::Place { seq: None, pos, ts, before }, change, true);
    room.version += 1;
    // Where members see one another's cursors, who comes or goes is news for all of them.
    if room.members.len() <= views::MAX_CURSORS {
        room.touched = pos;
    }
    for (user, kind, body) in told {
        account.extend(state.tell(user, (kind, body), ts));
    }
    Some(placement)
}

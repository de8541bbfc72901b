//! [`Contacts`] and [`Blocks`].

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, BlockChange, BlockOutcome, Blocks, Change, ContactLimits, ContactOutcome, Contacts, Full,
    NewEvent, StoreError,
};
use loquat_proto::{
    AccountEventKind, Block, Contact, ContactRequest, ConversationId, Direction, Profile, Timestamp, UserId,
};
use serde_json::json;

use super::MemoryStore;
use super::state::{Asked, RequestState, State};

#[async_trait]
impl Contacts for MemoryStore {
    async fn request(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        self.write(|state| request(state, (user, other), limits, ts)).await
    }

    async fn accept(
        &self,
        user: UserId,
        other: UserId,
        limits: ContactLimits,
        ts: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        self.write(|state| {
            if let Some(outcome) = settled(state, user, other) {
                return outcome;
            }
            match state.asked(other, user) {
                Some(RequestState::Waiting) => meet(state, (user, other), limits, ts),
                _ => ContactOutcome::Unknown,
            }
        })
        .await
    }

    async fn decline(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Option<Vec<AccountEntry>>, StoreError> {
        self.write(|state| decline(state, (user, other), ts)).await
    }

    async fn remove(
        &self,
        user: UserId,
        other: UserId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            if state.contacts.remove(&(user, other)).is_some() {
                state.contacts.remove(&(other, user));
                let own = told_removed(state, (user, other), false, ts);
                let theirs = told_removed(state, (other, user), false, ts);
                return own.into_iter().chain(theirs).collect();
            }
            withdraw(state, (user, other), ts)
        })
        .await
    }

    async fn forget(&self, user: UserId, ts: Timestamp) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            let contacts = state.contacts.keys().filter(|(one, _)| *one == user);
            let mut told: Vec<(UserId, bool)> = contacts.map(|(_, contact)| (*contact, false)).collect();
            for ((requester, recipient), asked) in &state.requests {
                if *recipient == user && asked.state != RequestState::Withdrawn {
                    told.push((*requester, true));
                } else if *requester == user && asked.state == RequestState::Waiting {
                    told.push((*recipient, true));
                }
            }
            erase(state, user);
            told.into_iter()
                .filter_map(|(other, request)| told_removed(state, (other, user), request, ts))
                .collect()
        })
        .await
    }

    async fn contacts(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        self.read(|state| {
            let own =
                state.contacts.iter().filter(|((one, contact), _)| *one == user && Some(*contact) > after);
            let contact = |(&(_, user), &created_at): (&(UserId, UserId), &Timestamp)| {
                Some(Contact { user, profile: profile(state, user)?, created_at })
            };
            own.filter_map(contact).take(limit).collect()
        })
        .await
    }

    async fn requests(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<ContactRequest>, StoreError> {
        self.read(|state| {
            let shown = state.requests.iter().filter_map(|((requester, recipient), asked)| {
                let (user, direction) = match asked.state {
                    RequestState::Waiting | RequestState::Declined if *requester == user => {
                        (*recipient, Direction::Out)
                    }
                    RequestState::Waiting if *recipient == user => (*requester, Direction::In),
                    _ => return None,
                };
                Some(ContactRequest { user, profile: profile(state, user)?, direction, created_at: asked.at })
            });
            let mut shown: Vec<ContactRequest> = shown.filter(|request| Some(request.user) > after).collect();
            shown.sort_by_key(|request| request.user);
            shown.truncate(limit);
            shown
        })
        .await
    }
}

#[async_trait]
impl Blocks for MemoryStore {
    async fn block(
        &self,
        user: UserId,
        other: UserId,
        limit: usize,
        ts: Timestamp,
    ) -> Result<BlockOutcome, StoreError> {
        self.write(|state| {
            if !is_there(state, user) || !is_there(state, other) {
                return BlockOutcome::Unknown;
            }
            if state.blocks.contains_key(&(user, other)) {
                return BlockOutcome::Stands(BlockChange::default());
            }
            if state.blocks.keys().filter(|(one, _)| *one == user).count() >= limit {
                return BlockOutcome::Full;
            }
            state.blocks.insert((user, other), ts);
            let mut entries = decline(state, (user, other), ts).unwrap_or_default();
            entries.extend(withdraw(state, (user, other), ts));
            entries.extend(state.tell(user, (AccountEventKind::Blocked, json!({ "user": other })), ts));
            BlockOutcome::Stands(BlockChange { entries, direct: outdate(state, user, other) })
        })
        .await
    }

    async fn unblock(&self, user: UserId, other: UserId, ts: Timestamp) -> Result<BlockChange, StoreError> {
        self.write(|state| {
            if state.blocks.remove(&(user, other)).is_none() {
                return BlockChange::default();
            }
            let told = state.tell(user, (AccountEventKind::Unblocked, json!({ "user": other })), ts);
            BlockChange { entries: told.into_iter().collect(), direct: outdate(state, user, other) }
        })
        .await
    }

    async fn blocks(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError> {
        self.read(|state| {
            let own =
                state.blocks.iter().filter(|((one, blocked), _)| *one == user && Some(*blocked) > after);
            let block = |(&(_, user), &created_at): (&(UserId, UserId), &Timestamp)| {
                Some(Block { user, profile: profile(state, user)?, created_at })
            };
            own.filter_map(block).take(limit).collect()
        })
        .await
    }

    async fn is_blocked_by_any(&self, user: UserId, others: &[UserId]) -> Result<bool, StoreError> {
        self.read(|state| others.iter().any(|other| state.blocks.contains_key(&(*other, user)))).await
    }
}

fn request(
    state: &mut State,
    (user, other): (UserId, UserId),
    limits: ContactLimits,
    ts: Timestamp,
) -> ContactOutcome {
    if let Some(outcome) = settled(state, user, other) {
        return outcome;
    }
    if matches!(state.asked(other, user), Some(RequestState::Waiting | RequestState::Declined)) {
        return meet(state, (user, other), limits, ts);
    }
    let own = state.requests.get(&(user, other)).copied();
    if let Some(own) = own.filter(|own| own.state != RequestState::Withdrawn) {
        return ContactOutcome::Pending { created_at: own.at, new: false, entries: Vec::new() };
    }
    let shown = |(pair, asked): &(&(UserId, UserId), &Asked)| {
        pair.0 == user && asked.state != RequestState::Withdrawn
    };
    if state.requests.iter().filter(shown).count() >= limits.requests {
        return ContactOutcome::Full(Full::Asked);
    }
    let waits =
        |(pair, asked): &(&(UserId, UserId), &Asked)| pair.1 == other && asked.state == RequestState::Waiting;
    if own.is_none() && state.requests.iter().filter(waits).count() >= limits.received {
        return ContactOutcome::Full(Full::Received);
    }
    let after = if own.is_some() { RequestState::Declined } else { RequestState::Waiting };
    state.requests.insert((user, other), Asked { state: after, at: ts });
    state.requests.remove(&(other, user));
    let mut entries: Vec<AccountEntry> =
        told_request(state, (user, other), Direction::Out, ts).into_iter().collect();
    if own.is_none() {
        entries.extend(told_request(state, (other, user), Direction::In, ts));
    }
    ContactOutcome::Pending { created_at: ts, new: true, entries }
}

fn settled(state: &State, user: UserId, other: UserId) -> Option<ContactOutcome> {
    if !is_there(state, user) || !is_there(state, other) {
        return Some(ContactOutcome::Unknown);
    }
    if between(state, user, other) {
        return Some(ContactOutcome::Blocked);
    }
    let created_at = *state.contacts.get(&(user, other))?;
    Some(ContactOutcome::Contacts { created_at, entries: Vec::new() })
}

fn is_there(state: &State, user: UserId) -> bool {
    state.users.get(&user).is_some_and(|user| !user.own.profile.deleted)
}

fn profile(state: &State, user: UserId) -> Option<Profile> {
    Some(state.users.get(&user)?.own.profile.clone())
}

/// The two become contacts.
fn meet(
    state: &mut State,
    (user, other): (UserId, UserId),
    limits: ContactLimits,
    ts: Timestamp,
) -> ContactOutcome {
    let count = |one: UserId| state.contacts.keys().filter(|(user, _)| *user == one).count();
    if [user, other].into_iter().any(|one| count(one) >= limits.contacts) {
        return ContactOutcome::Full(Full::Contacts);
    }
    let mut entries = Vec::new();
    for (one, contact) in [(user, other), (other, user)] {
        state.requests.remove(&(one, contact));
        state.contacts.insert((one, contact), ts);
        entries.extend(state.tell(one, (AccountEventKind::ContactAdded, json!({ "user": contact })), ts));
    }
    ContactOutcome::Contacts { created_at: ts, entries }
}

/// `user` declines what `other` asked.
fn decline(state: &mut State, (user, other): (UserId, UserId), ts: Timestamp) -> Option<Vec<AccountEntry>> {
    let asked = state.requests.get_mut(&(other, user))?;
    if asked.state != RequestState::Waiting {
        return Some(Vec::new());
    }
    asked.state = RequestState::Declined;
    Some(told_removed(state, (user, other), true, ts).into_iter().collect())
}

/// `user` takes back what they asked `other`.
fn withdraw(state: &mut State, (user, other): (UserId, UserId), ts: Timestamp) -> Vec<AccountEntry> {
    match state.asked(user, other) {
        Some(RequestState::Waiting) => {
            state.requests.remove(&(user, other));
            let own = told_removed(state, (user, other), true, ts);
            let theirs = told_removed(state, (other, user), true, ts);
            own.into_iter().chain(theirs).collect()
        }
        Some(RequestState::Declined) => {
            if let Some(asked) = state.requests.get_mut(&(user, other)) {
                asked.state = RequestState::Withdrawn;
            }
            told_removed(state, (user, other), true, ts).into_iter().collect()
        }
        Some(RequestState::Withdrawn) | None => Vec::new(),
    }
}

/// Erases all contacts, requests and blocks that a user is part of.
pub(super) fn erase(state: &mut State, user: UserId) {
    let others = |(one, other): &(UserId, UserId)| *one != user && *other != user;
    state.contacts.retain(|pair, _| others(pair));
    state.requests.retain(|pair, _| others(pair));
    state.blocks.retain(|pair, _| others(pair));
}

/// Whether one of the two blocks the other.
pub(super) fn between(state: &State, one: UserId, other: UserId) -> bool {
    state.blocks.contains_key(&(one, other)) || state.blocks.contains_key(&(other, one))
}

/// Whether one of these events lets somebody in who blocks its sender.
pub(super) fn forbid(state: &State, events: &[NewEvent]) -> bool {
    events.iter().any(|event| match &event.change {
        Change::Join { user, .. } => state.blocks.contains_key(&(*user, event.sender)),
        _ => false,
    })
}

fn outdate(state: &mut State, user: UserId, other: UserId) -> Option<ConversationId> {
    let room = state.rooms.values_mut().find(|room| room.is_direct_between(user, other))?;
    room.version += 1;
    Some(room.id)
}

fn told_request(
    state: &mut State,
    (user, other): (UserId, UserId),
    direction: Direction,
    ts: Timestamp,
) -> Option<AccountEntry> {
    let body = json!({ "user": other, "direction": direction });
    state.tell(user, (AccountEventKind::ContactRequest, body), ts)
}

fn told_removed(
    state: &mut State,
    (user, other): (UserId, UserId),
    request: bool,
    ts: Timestamp,
) -> Option<AccountEntry> {
    let body = json!({ "user": other, "request": request });
    state.tell(user, (AccountEventKind::ContactRemoved, body), ts)
}

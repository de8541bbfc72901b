//! [`Conversations`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, ConversationFacts, Conversations, Creation, CreationOutcome, CursorMove, Horizons,
    MemberFacts, NewConversation, Standing, StoreError, SyncPosition, ViewQuery, ViewSlice,
};
use loquat_proto::conversation::{Cursor, UpdatePreferences};
use loquat_proto::event::SettingsBody;
use loquat_proto::{AccountEventKind, ConversationId, ConversationKind, Member, Role, Timestamp, UserId};
use serde_json::json;

use super::MemoryStore;
use super::state::{Membership, Room, State, Stay};
use super::{log, views};

#[async_trait]
impl Conversations for MemoryStore {
    async fn create(&self, creation: Creation) -> Result<CreationOutcome, StoreError> {
        self.write(|state| create(state, creation)).await
    }

    async fn load(&self, conversation: ConversationId) -> Result<Option<ConversationFacts>, StoreError> {
        let facts = self.read(|state| state.rooms.get(&conversation).map(|room| facts(state, room))).await;
        let delay = self.faults().load_delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        facts
    }

    async fn memberships(
        &self,
        conversation: ConversationId,
        users: Vec<UserId>,
    ) -> Result<Vec<MemberFacts>, StoreError> {
        self.read(|state| {
            let Some(room) = state.rooms.get(&conversation) else { return Vec::new() };
            let members = users.into_iter().filter_map(|user| Some((user, room.members.get(&user)?)));
            members.map(|member| member_facts(state, member)).collect()
        })
        .await
    }

    async fn heir(
        &self,
        conversation: ConversationId,
        without: UserId,
    ) -> Result<Option<UserId>, StoreError> {
        self.read(|state| {
            let others = state.rooms.get(&conversation)?.members.iter().filter(|(user, _)| **user != without);
            let heir = others
                .min_by_key(|(user, member)| (std::cmp::Reverse(member.role), member.joined_at, **user));
            heir.map(|(user, _)| *user)
        })
        .await
    }

    async fn channels(&self, user: UserId) -> Result<Vec<ConversationId>, StoreError> {
        self.read(|state| {
            let channels = state.rooms.values().filter(|room| room.kind == ConversationKind::Channel);
            channels.filter(|room| room.members.contains_key(&user)).map(|room| room.id).collect()
        })
        .await
    }

    async fn standing(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Standing>, StoreError> {
        self.read(|state| standing(state, user, conversation)).await
    }

    async fn views(&self, viewer: UserId, query: ViewQuery) -> Result<ViewSlice, StoreError> {
        self.read(|state| views::slice(state, viewer, query)).await
    }

    async fn members(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Vec<Member>>, StoreError> {
        self.read(|state| {
            let (room, _) = state.membership(viewer, conversation)?;
            let wanted = room.members.iter().filter(|(user, _)| after.is_none_or(|after| **user > after));
            wanted.take(limit).map(|(user, membership)| member(state, viewer, (*user, membership))).collect()
        })
        .await
    }

    async fn set_preferences(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        change: UpdatePreferences,
        ts: Timestamp,
    ) -> Result<Option<AccountEntry>, StoreError> {
        self.write(|state| set_preferences(state, (viewer, conversation), change, ts)).await
    }

    async fn save_cursors(&self, moves: Vec<CursorMove>) -> Result<(), StoreError> {
        self.write(|state| {
            let pos = state.next_pos();
            for cursor in moves {
                move_cursor(state, pos, cursor);
            }
        })
        .await
    }

    async fn delete(
        &self,
        conversation: ConversationId,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            let Some(room) = state.rooms.remove(&conversation) else { return Vec::new() };
            let body = json!({ "conversation": conversation, "reason": "deleted" });
            let told = |user| state.tell(user, (AccountEventKind::ConversationLeft, body.clone()), ts);
            room.members.into_keys().filter_map(told).collect()
        })
        .await
    }

    async fn position(&self, user: UserId) -> Result<SyncPosition, StoreError> {
        self.read(|state| state.position(user)).await
    }

    async fn cursors(&self, conversation: ConversationId) -> Result<Vec<Cursor>, StoreError> {
        self.read(|state| {
            let room = state.rooms.get(&conversation);
            room.map_or_else(Vec::new, |room| state.cursors(room, None))
        })
        .await
    }
}

fn create(state: &mut State, creation: Creation) -> CreationOutcome {
    let Creation { conversation, account } = creation;
    let ids: BTreeSet<UserId> = conversation.members.iter().map(|member| member.user).collect();
    let is_theirs = |room: &&Room| {
        room.kind == ConversationKind::Direct && room.members.keys().copied().eq(ids.iter().copied())
    };
    let creator = conversation.creator;
    if ids.iter().any(|member| state.blocks.contains_key(&(*member, creator))) {
        return CreationOutcome::Blocked;
    }
    if conversation.kind == ConversationKind::Direct
        && let Some(room) = state.rooms.values().find(is_theirs)
    {
        return CreationOutcome::Existing(room.id);
    }
    let blocks = |member: &UserId| state.blocks.contains_key(&(creator, *member));
    if conversation.kind == ConversationKind::Direct && ids.iter().any(blocks) {
        return CreationOutcome::Blocked;
    }
    if state.rooms.contains_key(&conversation.id) {
        return CreationOutcome::IdTaken;
    }
    let (id, ts) = (conversation.id, conversation.ts);
    let room = new_room(state, &conversation);
    state.rooms.insert(id, room);
    let mut entries = Vec::new();
    for event in conversation.events {
        // Members and settings are there already.
        let _ = log::place(state, id, event, (false, &mut entries));
    }
    for (user, kind, body) in account {
        entries.extend(state.tell(user, (kind, body), ts));
    }
    CreationOutcome::Created { account: entries }
}

fn new_room(state: &mut State, new: &NewConversation) -> Room {
    let mut members = BTreeMap::new();
    for member in &new.members {
        let membership = Membership::new(member.role, new.ts, state.next_pos(), (1, 0));
        members.insert(member.user, membership);
    }
    let begin = |user: &UserId| Stay { user: *user, joined: 1, left: None };
    let stays = members.keys().map(begin).collect();
    let owner = new.members.iter().find(|member| member.role == Role::Owner);
    Room {
        id: new.id,
        kind: new.kind,
        created_at: new.ts,
        history: new.history,
        title: new.title.clone(),
        description: new.description.clone(),
        avatar: None,
        retention: new.retention,
        horizons: Horizons::default(),
        permissions: new.permissions,
        slow_mode_ms: 0,
        owner: owner.map(|owner| owner.user),
        version: 0,
        last_activity: new.ts,
        touched: state.pos,
        events: Vec::new(),
        nonces: HashMap::new(),
        members,
        reactions: Vec::new(),
        pins: BTreeSet::new(),
        invites: Vec::new(),
        former: BTreeMap::new(),
        unlogged: HashMap::new(),
        stays,
    }
}

/// What a member is.
pub(super) fn standing(state: &State, user: UserId, conversation: ConversationId) -> Option<Standing> {
    let (room, membership) = state.membership(user, conversation)?;
    Some(Standing { role: membership.role, kind: room.kind, permissions: room.permissions })
}

fn facts(state: &State, room: &Room) -> ConversationFacts {
    let mut members: Vec<(u64, MemberFacts)> = room
        .members
        .iter()
        .filter(|_| room.kind != ConversationKind::Channel)
        .map(|(user, membership)| (membership.joined_pos, member_facts(state, (*user, membership))))
        .collect();
    members.sort_by_key(|(joined_pos, _)| *joined_pos);
    let direct = room.kind == ConversationKind::Direct;
    let is_there = |user: UserId| state.users.get(&user).is_none_or(|user| !user.own.profile.deleted);
    let any_two = |so: &dyn Fn(UserId, UserId) -> bool| {
        room.members.keys().any(|one| room.members.keys().any(|other| so(*one, *other)))
    };
    ConversationFacts {
        id: room.id,
        kind: room.kind,
        head: room.head(),
        version: room.version,
        history: room.history,
        settings: SettingsBody {
            title: Some(room.title.clone()),
            description: Some(room.description.clone()),
            avatar: Some(room.avatar.clone()),
            retention: Some(room.retention),
            permissions: Some(room.permissions),
            slow_mode_ms: Some(room.slow_mode_ms),
        },
        blocked: direct && any_two(&|one, other| state.blocks.contains_key(&(one, other))),
        ended: direct && any_two(&|one, _| !is_there(one)),
        member_count: room.members.len() as u64,
        members: members.into_iter().map(|(_, facts)| facts).collect(),
    }
}

fn member_facts(state: &State, (user, membership): (UserId, &Membership)) -> MemberFacts {
    MemberFacts {
        user,
        role: membership.role,
        joined_at: membership.joined_at,
        visible_from: membership.visible_from,
        delivered: membership.delivered,
        read: membership.read,
        read_receipts: state.shows_reads(user),
        last_sent: membership.last_sent,
    }
}

fn member(state: &State, viewer: UserId, (user, membership): (UserId, &Membership)) -> Option<Member> {
    let shown = user == viewer || state.shows_reads(user);
    Some(Member {
        user,
        profile: state.users.get(&user)?.own.profile.clone(),
        role: membership.role,
        joined_at: membership.joined_at,
        delivered: membership.delivered,
        read: if shown { membership.read } else { 0 },
    })
}

fn set_preferences(
    state: &mut State,
    (viewer, conversation): (UserId, ConversationId),
    change: UpdatePreferences,
    ts: Timestamp,
) -> Option<AccountEntry> {
    let pos = state.next_pos();
    let membership = state.rooms.get_mut(&conversation)?.members.get_mut(&viewer)?;
    let UpdatePreferences { muted_until, pinned, archived, draft } = change;
    membership.muted_until = muted_until.unwrap_or(membership.muted_until);
    membership.pinned = pinned.unwrap_or(membership.pinned);
    membership.archived = archived.unwrap_or(membership.archived);
    membership.draft = draft.unwrap_or_else(|| membership.draft.take());
    membership.touched = pos;
    let body = json!({
        "conversation": conversation,
        "muted_until": membership.muted_until,
        "pinned": membership.pinned,
        "archived": membership.archived,
        "draft": membership.draft,
    });
    state.tell(viewer, (AccountEventKind::Preferences, body), ts)
}

fn move_cursor(state: &mut State, pos: u64, cursor: CursorMove) {
    let Some(room) = state.rooms.get_mut(&cursor.conversation) else { return };
    let head = room.head();
    // A moved cursor is news for all members where they see one another's.
    let large = room.members.len() > views::MAX_CURSORS;
    let Some(membership) = room.members.get_mut(&cursor.user) else { return };
    let on_device = cursor.delivered.max(cursor.read).min(head);
    let before = membership.delivered_on.get(&cursor.device).copied();
    let moved = before.is_none_or(|before| on_device > before)
        || on_device > membership.delivered
        || cursor.read.min(head) > membership.read;
    membership.delivered_on.insert(cursor.device, on_device.max(before.unwrap_or(0)));
    membership.delivered = membership.delivered.max(on_device);
    membership.read = membership.read.max(cursor.read.min(head));
    if moved && large {
        membership.touched = pos;
    } else if moved {
        room.touched = pos;
    }
}

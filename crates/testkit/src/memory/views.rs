//! Conversations as one member sees them.

use loquat_domain::ports::{ViewQuery, ViewSlice};
use loquat_proto::conversation::OwnMembership;
use loquat_proto::{Conversation, ConversationKind, Profile, UserId};

use super::state::{Membership, Room, State};
use super::{contacts, materialise};

/// In conversations with more members, cursors are left out.
pub(super) const MAX_CURSORS: usize = 256;

/// What the query asks for, newest activity first.
pub(super) fn slice(state: &State, viewer: UserId, query: ViewQuery) -> ViewSlice {
    let own = state.rooms.values().filter_map(|room| Some((room, room.members.get(&viewer)?)));
    let (wanted, limit): (Vec<_>, usize) = match query {
        ViewQuery::One(id) => (own.filter(|(room, _)| room.id == id).collect(), 1),
        ViewQuery::Newest { after, limit } => {
            let follows = |room: &Room| after.is_none_or(|last| (room.last_activity, room.id) < last);
            (own.filter(|(room, _)| follows(room)).collect(), limit)
        }
        ViewQuery::ChangedSince { pos, limit } => {
            let changed = |(room, member): &(&Room, &Membership)| room.touched.max(member.touched) > pos;
            (own.filter(changed).collect(), limit)
        }
    };
    let mut wanted = wanted;
    wanted.sort_by_key(|(room, _)| std::cmp::Reverse((room.last_activity, room.id)));
    let more = wanted.len() > limit;
    let items = wanted.iter().take(limit).map(|(room, member)| view(state, room, (viewer, member))).collect();
    ViewSlice { items, more, position: state.position(viewer) }
}

fn view(state: &State, room: &Room, (viewer, membership): (UserId, &Membership)) -> Conversation {
    let newest = room.messages_from(membership.visible_from).next_back();
    let mut cursors =
        if room.members.len() <= MAX_CURSORS { state.cursors(room, Some(viewer)) } else { Vec::new() };
    if room.kind == ConversationKind::Direct {
        let hidden = |user: UserId| contacts::between(state, viewer, user);
        for cursor in cursors.iter_mut().filter(|cursor| hidden(cursor.user)) {
            (cursor.delivered, cursor.read) = (0, 0);
        }
    }
    Conversation {
        id: room.id,
        kind: room.kind,
        title: room.title.clone(),
        description: room.description.clone(),
        avatar: room.avatar.clone(),
        owner: room.owner,
        member_count: room.members.len() as u64,
        head: room.head(),
        visible_from: membership.visible_from,
        history: room.history,
        created_at: room.created_at,
        last_activity: room.last_activity,
        last_message: newest.map(|stored| materialise::message(room, stored, viewer)),
        retention: room.retention,
        erased_to: room.horizons.erased_to,
        expired_to: room.horizons.expired_to,
        permissions: room.permissions,
        slow_mode_ms: room.slow_mode_ms,
        peer: peer(state, room, viewer),
        me: own(room, (viewer, membership)),
        cursors,
    }
}

fn own(room: &Room, (viewer, membership): (UserId, &Membership)) -> OwnMembership {
    let after_read = || room.messages_from(membership.read + 1);
    OwnMembership {
        role: membership.role,
        delivered: membership.delivered,
        read: membership.read,
        unread: after_read().filter(|stored| stored.event.sender != viewer).count() as u64,
        mentions: after_read().filter(|stored| stored.mentions.contains(&viewer)).count() as u64,
        muted_until: membership.muted_until,
        pinned: membership.pinned,
        archived: membership.archived,
        draft: membership.draft.clone(),
    }
}

fn peer(state: &State, room: &Room, viewer: UserId) -> Option<Profile> {
    if room.kind != ConversationKind::Direct {
        return None;
    }
    let other = room.members.keys().find(|user| **user != viewer)?;
    state.users.get(other).map(|user| user.own.profile.clone())
}

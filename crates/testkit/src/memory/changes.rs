//! What an event does besides standing in the log.

use loquat_domain::ports::Change;
use loquat_proto::event::SettingsBody;
use loquat_proto::{EventKind, Role, Seq, Timestamp, UserId};

use super::state::{Former, Membership, Room, Standing, Stay};

/// Where an event stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its `seq`, if it stands in the log, of which it is the end then.
    pub seq: Option<Seq>,
    pub pos: u64,
    pub ts: Timestamp,
    /// The newest `seq` before it.
    pub before: Seq,
}

/// Does what the event at the end of the log says. Without `applies`, what it says of members and settings is there
/// already.
pub(super) fn apply(room: &mut Room, place: Place, change: Change, applies: bool) {
    let seq = place.seq.unwrap_or(0);
    match change {
        Change::Message { mentions } => {
            if let Some(stored) = room.at_mut(seq) {
                stored.mentions = mentions;
                let (sender, ts) = (stored.event.sender, stored.event.ts);
                if let Some(member) = room.members.get_mut(&sender) {
                    member.last_sent = Some(ts);
                }
            }
        }
        Change::Revise { target } => {
            if let Some(stored) = room.at_mut(target).filter(|stored| stored.event.body.is_some()) {
                stored.revised = Some(seq);
            }
        }
        Change::Erase { target } => erase(room, target),
        Change::React { target, emoji, on } => react(room, seq, (target, emoji), on),
        Change::Pin { target, on: true } => drop(room.pins.insert(target)),
        Change::Pin { target, on: false } => drop(room.pins.remove(&target)),
        Change::Join { user, role, from_here } if applies => join(room, place, (user, role), from_here),
        Change::Admit { user, from_here, .. } if applies => {
            join(room, place, (user, Role::Member), from_here);
        }
        Change::Leave { user } if applies => drop(leave(room, place, user)),
        Change::Remove { user } if applies => remove(room, place, user),
        Change::Role { user, role } if applies => give_role(room, user, role),
        Change::Settings(settings) if applies => set(room, settings),
        Change::Join { .. }
        | Change::Admit { .. }
        | Change::Leave { .. }
        | Change::Remove { .. }
        | Change::Role { .. }
        | Change::Settings(_) => {}
    }
}

/// Erases a message, its edits and its reactions; the skeletons stay.
pub(super) fn erase(room: &mut Room, target: Seq) {
    for stored in &mut room.events {
        let copies = matches!(stored.event.kind, EventKind::Edit | EventKind::Reaction);
        if stored.event.seq == target || (copies && stored.target == Some(target)) {
            stored.event.body = None;
        }
        if stored.event.seq == target {
            stored.mentions.clear();
            stored.revised = None;
        }
    }
    room.reactions.retain(|standing| standing.target != target);
    room.pins.remove(&target);
}

fn react(room: &mut Room, seq: Seq, (target, emoji): (Seq, String), on: bool) {
    let Some((user, ts)) = room.at(seq).map(|stored| (stored.event.sender, stored.event.ts)) else { return };
    let same = |standing: &Standing| standing.target == target && standing.emoji == emoji;
    if !on {
        room.reactions.retain(|standing| !(same(standing) && standing.user == user));
        return;
    }
    if room.reactions.iter().any(|standing| same(standing) && standing.user == user) {
        return;
    }
    let first = room.reactions.iter().filter(|standing| same(standing)).map(|standing| standing.since).min();
    let since = first.unwrap_or(seq);
    room.reactions.push(Standing { target, emoji, user, seq, ts, since });
}

fn join(room: &mut Room, place: Place, (user, role): (UserId, Role), from_here: bool) {
    if room.members.contains_key(&user) {
        return;
    }
    let Place { pos, ts, before, .. } = place;
    let visible_from = if from_here { before + 1 } else { 1 };
    // What was said before the join is nobody's unread, even if it may be read.
    let mut membership = Membership::new(role, ts, pos, (visible_from, before));
    membership.last_sent = room.former.remove(&user).and_then(|former| former.last_sent);
    room.members.insert(user, membership);
    room.stays.push(Stay { user, joined: before + 1, left: None });
}

/// Ends a membership with all that hangs on it: whether there was one.
pub(super) fn leave(room: &mut Room, place: Place, user: UserId) -> bool {
    let Some(membership) = room.members.remove(&user) else { return false };
    if let Some(stay) = room.stays.iter_mut().find(|stay| stay.user == user && stay.left.is_none()) {
        stay.left = Some(place.before + 1);
    }
    room.former.insert(user, Former { barred: false, last_sent: membership.last_sent });
    for stored in &mut room.events {
        stored.mentions.retain(|mentioned| *mentioned != user);
    }
    if room.owner == Some(user) {
        room.owner = None;
    }
    true
}

/// Ends a membership against the member's will: no invitation lets them in again, and theirs go with them.
fn remove(room: &mut Room, place: Place, user: UserId) {
    if !leave(room, place, user) {
        return;
    }
    if let Some(former) = room.former.get_mut(&user) {
        former.barred = true;
    }
    for invite in room.invites.iter_mut().filter(|invite| invite.record.creator == user) {
        invite.revoked = true;
    }
}

fn give_role(room: &mut Room, user: UserId, role: Role) {
    let Some(member) = room.members.get_mut(&user) else { return };
    member.role = role;
    if role == Role::Owner {
        room.owner = Some(user);
    }
}

fn set(room: &mut Room, settings: SettingsBody) {
    let SettingsBody { title, description, avatar, retention, permissions, slow_mode_ms } = settings;
    room.title = title.unwrap_or_else(|| std::mem::take(&mut room.title));
    room.description = description.unwrap_or_else(|| std::mem::take(&mut room.description));
    room.avatar = avatar.unwrap_or_else(|| room.avatar.take());
    room.retention = retention.unwrap_or(room.retention);
    room.permissions = permissions.unwrap_or(room.permissions);
    room.slow_mode_ms = slow_mode_ms.unwrap_or(room.slow_mode_ms);
}

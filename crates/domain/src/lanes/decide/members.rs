//! Rules of membership: add, leave, remove, change a role.

use loquat_proto::event::{EventBody, MemberBody, MemberChange};
use loquat_proto::{AccountEventKind, ConversationKind, History, Role, UserId};
use serde_json::json;

use super::{Decision, Scene};
use crate::Refusal;
use crate::ports::{Change, NewEvent};

pub(super) fn add(scene: Scene<'_>, users: &[UserId]) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let permissions = &scene.state.settings.permissions;
    scene.state.require(scene.caller.user, permissions.invite, "your role may not add members here")?;
    let members = &scene.state.members;
    let new: Vec<UserId> = users.iter().copied().filter(|user| !members.contains_key(user)).collect();
    if new.is_empty() {
        return Ok(Decision::Unchanged(None));
    }
    let limit = match scene.state.kind {
        ConversationKind::Channel => scene.limits.channel_members,
        ConversationKind::Direct | ConversationKind::Group => scene.limits.group_members,
    };
    if limit > 0 && members.len() + new.len() > limit {
        return Err(Refusal::GroupFull { limit });
    }
    Ok(Decision::Append(new.into_iter().map(|user| joined(scene, user)).collect()))
}

fn joined(scene: Scene<'_>, user: UserId) -> NewEvent {
    let role = Role::Member;
    let from_here = scene.state.history == History::Joined;
    let mut event =
        member_event(scene, user, (MemberChange::Joined, role), Change::Join { user, role, from_here });
    event.account = vec![(
        user,
        AccountEventKind::ConversationJoined,
        json!({ "conversation": scene.state.id, "by": scene.caller.user }),
    )];
    event
}

pub(super) fn leave(scene: Scene<'_>) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let mut events = Vec::with_capacity(2);
    if scene.role()? == Role::Owner {
        events.extend(heir(scene).map(|user| role_event(scene, user, Role::Owner)));
    }
    events.push(gone(scene, scene.caller.user, MemberChange::Left)?);
    Ok(Decision::Append(events))
}

pub(super) fn remove(scene: Scene<'_>, user: UserId) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let own = scene.state.require(scene.caller.user, Role::Admin, "only admins remove members")?.role;
    let theirs = scene.state.members.get(&user).ok_or(Refusal::NotMember)?.role;
    if theirs >= own {
        return Err(Refusal::Forbidden("only who stands above a member removes them"));
    }
    Ok(Decision::Append(vec![gone(scene, user, MemberChange::Removed)?]))
}

pub(super) fn change_role(scene: Scene<'_>, user: UserId, role: Role) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let own = scene.state.require(scene.caller.user, Role::Admin, "only admins give roles")?.role;
    let theirs = scene.state.members.get(&user).ok_or(Refusal::NotMember)?.role;
    if theirs == role {
        return Ok(Decision::Unchanged(None));
    }
    if own < Role::Owner && (theirs >= own || role >= own) {
        return Err(Refusal::Forbidden("only who stands above a role gives or takes it"));
    }
    if user == scene.caller.user {
        return Err(Refusal::Conflict("an owner hands over by making another member the owner"));
    }
    let mut events = Vec::with_capacity(2);
    if role == Role::Owner {
        events.push(role_event(scene, scene.caller.user, Role::Admin));
    }
    events.push(role_event(scene, user, role));
    Ok(Decision::Append(events))
}

/// Who inherits: the oldest admin, else the oldest member, else the oldest guest.
fn heir(scene: Scene<'_>) -> Option<UserId> {
    let others = scene.state.members.iter().filter(|(user, _)| **user != scene.caller.user);
    let (user, _) =
        others.min_by_key(|(user, member)| (std::cmp::Reverse(member.role), member.joined_at, **user))?;
    Some(*user)
}

fn gone(scene: Scene<'_>, user: UserId, change: MemberChange) -> Result<NewEvent, Refusal> {
    let role = scene.state.member(user)?.role;
    let mut event = member_event(scene, user, (change, role), Change::Leave { user });
    event.account = vec![(
        user,
        AccountEventKind::ConversationLeft,
        json!({ "conversation": scene.state.id, "reason": change, "by": scene.caller.user }),
    )];
    Ok(event)
}

fn role_event(scene: Scene<'_>, user: UserId, role: Role) -> NewEvent {
    member_event(scene, user, (MemberChange::Role, role), Change::Role { user, role })
}

fn member_event(
    scene: Scene<'_>,
    user: UserId,
    (change, role): (MemberChange, Role),
    effect: Change,
) -> NewEvent {
    let body = EventBody::Member(MemberBody { user, change, role, by: scene.caller.user });
    NewEvent::new(scene.caller.user, scene.now, &body, effect)
}

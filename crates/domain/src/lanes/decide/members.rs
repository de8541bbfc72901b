//! Rules of membership: add, leave, remove, change a role.

use loquat_proto::event::{EventBody, MemberBody, MemberChange};
use loquat_proto::{AccountEventKind, ConversationKind, History, Role, UserId};
use serde_json::json;

use super::{Decision, Facts, Scene};
use crate::Refusal;
use crate::conversations::{Right, invitation_works};
use crate::ports::{Change, NewEvent};

pub(super) fn add(scene: Scene<'_>, users: &[UserId], facts: &Facts) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    scene.state.require(scene.caller.user, Right::Invite)?;
    let members = &scene.state.members;
    let new: Vec<UserId> = users.iter().copied().filter(|user| !members.contains(*user)).collect();
    if new.is_empty() {
        return Ok(Decision::Unchanged(None));
    }
    if facts.blocked {
        return Err(Refusal::Blocked);
    }
    require_room(scene, new.len())?;
    let role = Role::Member;
    let from_here = scene.state.history == History::Joined;
    let join = |user| joined(scene, user, Change::Join { user, role, from_here });
    Ok(Decision::Append(new.into_iter().map(join).collect()))
}

/// By an invitation: as its maker would add them, but for who was removed.
pub(super) fn join(scene: Scene<'_>, facts: &Facts) -> Result<Decision, Refusal> {
    let user = scene.caller.user;
    if scene.state.member(user).is_ok() {
        return Ok(Decision::Unchanged(None));
    }
    let invitation = facts.invitation.as_ref().ok_or(Refusal::NotFound)?;
    if invitation.invite.conversation != scene.state.id {
        return Err(Refusal::NotFound);
    }
    if invitation.barred {
        return Err(Refusal::Forbidden("you were removed; only who may add members lets you in again"));
    }
    if !invitation_works(invitation, scene.now) {
        return Err(Refusal::Gone);
    }
    require_room(scene, 1)?;
    let code = invitation.invite.code.clone();
    let from_here = scene.state.history == History::Joined;
    Ok(Decision::Append(vec![joined(scene, user, Change::Admit { user, code, from_here })]))
}

/// Whether so many more find room.
fn require_room(scene: Scene<'_>, new: usize) -> Result<(), Refusal> {
    let limit = match scene.state.kind {
        ConversationKind::Channel => scene.limits.channel_members,
        ConversationKind::Direct | ConversationKind::Group => scene.limits.group_members,
    };
    if limit > 0 && scene.state.members.len() + new > limit {
        return Err(Refusal::GroupFull { limit });
    }
    Ok(())
}

fn joined(scene: Scene<'_>, user: UserId, change: Change) -> NewEvent {
    let mut event = member_event(scene, user, (MemberChange::Joined, Role::Member), change);
    event.logged = !scene.state.is_channel();
    event.account = vec![(
        user,
        AccountEventKind::ConversationJoined,
        json!({ "conversation": scene.state.id, "by": scene.caller.user }),
    )];
    event
}

pub(super) fn leave(scene: Scene<'_>, facts: &Facts) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let mut events = Vec::with_capacity(2);
    if scene.role()? == Role::Owner {
        events.extend(heir(scene, facts).map(|user| role_event(scene, user, Role::Owner)));
    }
    events.push(gone(scene, scene.caller.user, MemberChange::Left)?);
    Ok(Decision::Append(events))
}

pub(super) fn remove(scene: Scene<'_>, user: UserId) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let own = scene.state.require(scene.caller.user, Right::ManageMembers)?.role;
    let theirs = scene.state.members.get(user).ok_or(Refusal::NotMember)?.role;
    if theirs >= own {
        return Err(Refusal::Forbidden("only who stands above a member removes them"));
    }
    Ok(Decision::Append(vec![gone(scene, user, MemberChange::Removed)?]))
}

pub(super) fn change_role(scene: Scene<'_>, user: UserId, role: Role) -> Result<Decision, Refusal> {
    scene.require_not_direct()?;
    let own = scene.state.require(scene.caller.user, Right::ManageMembers)?.role;
    let theirs = scene.state.members.get(user).ok_or(Refusal::NotMember)?.role;
    if theirs == role {
        return Ok(Decision::Unchanged(None));
    }
    let steps_down = user == scene.caller.user && role < own;
    if own < Role::Owner && !steps_down && (theirs >= own || role >= own) {
        return Err(Refusal::Forbidden("only who stands above a role gives or takes it"));
    }
    if user == scene.caller.user && own == Role::Owner {
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
fn heir(scene: Scene<'_>, facts: &Facts) -> Option<UserId> {
    if !scene.state.members.is_whole() {
        return facts.heir;
    }
    let others = scene.state.members.known.iter().filter(|(user, _)| **user != scene.caller.user);
    let (user, _) =
        others.min_by_key(|(user, member)| (std::cmp::Reverse(member.role), member.joined_at, **user))?;
    Some(*user)
}

fn gone(scene: Scene<'_>, user: UserId, change: MemberChange) -> Result<NewEvent, Refusal> {
    let role = scene.state.member(user)?.role;
    let effect = match change {
        MemberChange::Removed => Change::Remove { user },
        _ => Change::Leave { user },
    };
    let mut event = member_event(scene, user, (change, role), effect);
    event.logged = !scene.state.is_channel();
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

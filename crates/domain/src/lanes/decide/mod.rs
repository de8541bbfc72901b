//! The rules: whether an act is allowed, and which events it makes. Pure: state and facts in, events or a refusal
//! out. Every permission of a conversation is checked here and nowhere else.

mod members;
mod message;
mod settings;
#[cfg(test)]
mod tests;

use loquat_proto::{ConversationKind, Limits, Nonce, Role, Seq, Timestamp, UserId};
use smallvec::SmallVec;

use super::state::ConversationState;
use crate::messages::Act;
use crate::ports::{Invitation, NewEvent, Placement, TargetFacts};
use crate::{Caller, Refusal};

/// What a decision needs from the log, besides the state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// What stands at this `seq`.
    pub target: Option<Seq>,
    /// The caller's reaction to the target with this emoji.
    pub emoji: Option<String>,
    /// Where the event of this name stands.
    pub nonce: Option<Nonce>,
    /// Where this code of an invitation leads.
    pub code: Option<String>,
    /// Whether one of these blocks the caller.
    pub added: Vec<UserId>,
    /// Who inherits, once this member has left.
    pub heir_of: Option<UserId>,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub target: Option<TargetFacts>,
    pub reaction: Option<Placement>,
    /// The first result of this very mutation.
    pub replay: Option<Placement>,
    pub invitation: Option<Invitation>,
    /// Whether somebody to be added blocks the caller.
    pub blocked: bool,
    pub heir: Option<UserId>,
}

/// What becomes of an act that is allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// These events; the last one carries the nonce.
    Append(Vec<NewEvent>),
    /// Nothing: it is so already. `None` stands for the head.
    Unchanged(Option<Placement>),
}

/// In what surroundings a decision is made.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub state: &'a ConversationState,
    pub caller: Caller,
    pub now: Timestamp,
    pub limits: &'a Limits,
}

/// What must be read from the log before this act can be decided; `None` for a send, whose nonce the append checks.
pub(super) fn question(
    state: &ConversationState,
    user: UserId,
    (act, nonce): (&Act, Option<&Nonce>),
) -> Option<Question> {
    let nonce = nonce.cloned();
    let about = |target: Seq| Question { target: Some(target), nonce: nonce.clone(), ..Question::default() };
    match act {
        Act::Send(_) => None,
        Act::Edit(body) => Some(about(body.target)),
        Act::Delete { target } => Some(about(*target)),
        Act::Pin(body) => Some(about(body.target)),
        Act::React(body) => Some(Question { emoji: Some(body.emoji.clone()), ..about(body.target) }),
        Act::Join { code } => Some(Question { code: Some(code.clone()), nonce, ..Question::default() }),
        Act::AddMembers(users) => Some(Question { nonce, added: users.clone(), ..Question::default() }),
        Act::RemoveMember(leaving) if *leaving == user => {
            let owns = state.members.get(user).is_some_and(|member| member.role == Role::Owner);
            let heir_of = Some(user).filter(|_| owns && !state.members.is_whole());
            Some(Question { nonce, heir_of, ..Question::default() })
        }
        Act::RemoveMember(_) | Act::ChangeRole { .. } | Act::Settings(_) => {
            Some(Question { nonce, ..Question::default() })
        }
    }
}

/// Whose membership must be known to decide an act.
pub(super) fn people(caller: UserId, act: &Act) -> SmallVec<[UserId; 4]> {
    let mut people = SmallVec::from_slice(&[caller]);
    match act {
        Act::Send(body) => people.extend_from_slice(&body.mentions),
        Act::Edit(body) => people.extend_from_slice(&body.mentions),
        Act::AddMembers(users) => people.extend_from_slice(users),
        Act::RemoveMember(user) | Act::ChangeRole { user, .. } => people.push(*user),
        Act::Delete { .. } | Act::React(_) | Act::Pin(_) | Act::Join { .. } | Act::Settings(_) => {}
    }
    people
}

/// Decides an act. Everyone among its [`people`] is known.
pub(super) fn decide(scene: Scene<'_>, act: &Act, facts: &Facts) -> Result<Decision, Refusal> {
    if facts.replay.is_some() {
        return Ok(Decision::Unchanged(facts.replay));
    }
    if !matches!(act, Act::Join { .. }) {
        scene.state.member(scene.caller.user)?;
    }
    match act {
        Act::Send(body) => message::send(scene, body),
        Act::Edit(body) => message::edit(scene, body, facts),
        Act::Delete { target } => message::delete(scene, *target, facts),
        Act::React(body) => message::react(scene, body, facts),
        Act::Pin(body) => message::pin(scene, body, facts),
        Act::Join { .. } => members::join(scene, facts),
        Act::AddMembers(users) => members::add(scene, users, facts),
        Act::RemoveMember(user) if *user == scene.caller.user => members::leave(scene, facts),
        Act::RemoveMember(user) => members::remove(scene, *user),
        Act::ChangeRole { user, role } => members::change_role(scene, *user, *role),
        Act::Settings(wanted) => settings::change(scene, wanted),
    }
}

impl Scene<'_> {
    /// Direct conversations have exactly two members for ever.
    fn require_not_direct(&self) -> Result<(), Refusal> {
        match self.state.kind {
            ConversationKind::Direct => {
                Err(Refusal::Forbidden("a direct conversation keeps its two members"))
            }
            ConversationKind::Group | ConversationKind::Channel => Ok(()),
        }
    }

    fn role(&self) -> Result<Role, Refusal> {
        self.state.member(self.caller.user).map(|member| member.role)
    }
}

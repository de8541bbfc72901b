//! Rules of messages: send, edit, delete, react, pin.

use loquat_proto::event::{DeleteBody, EditBody, EventBody, PinBody, ReactionBody};
use loquat_proto::{EventKind, MessageBody, Role, Seq, UserId};

use super::{Decision, Facts, Scene};
use crate::Refusal;
use crate::conversations::Right;
use crate::ports::{Change, NewEvent, TargetFacts};

pub(super) fn send(scene: Scene<'_>, body: &MessageBody) -> Result<Decision, Refusal> {
    let Scene { state, caller, .. } = scene;
    scene.state.require_open()?;
    let member = state.require(caller.user, Right::Post)?;
    if let Some(reply_to) = body.reply_to
        && (reply_to < member.visible_from || reply_to > state.head)
    {
        return Err(Refusal::invalid("reply_to: there is no such message"));
    }
    slow_mode(scene)?;
    let mentions = mentioned_others(scene, &body.mentions)?;
    append(scene, &EventBody::Message(body.clone()), Change::Message { mentions })
}

pub(super) fn edit(scene: Scene<'_>, body: &EditBody, facts: &Facts) -> Result<Decision, Refusal> {
    scene.state.require_open()?;
    let target = living_message(scene, body.target, facts)?;
    if target.sender != scene.caller.user {
        return Err(Refusal::Forbidden("only its sender edits a message"));
    }
    scene.state.require(scene.caller.user, Right::Post)?;
    mentioned_others(scene, &body.mentions)?;
    append(scene, &EventBody::Edit(body.clone()), Change::Revise { target: body.target })
}

pub(super) fn delete(scene: Scene<'_>, target: Seq, facts: &Facts) -> Result<Decision, Refusal> {
    let message = message_at(scene, target, facts)?;
    if message.sender != scene.caller.user {
        scene.state.require(scene.caller.user, Right::Moderate)?;
    }
    if message.erased {
        return Ok(Decision::Unchanged(None));
    }
    append(scene, &EventBody::Delete(DeleteBody { target }), Change::Erase { target })
}

pub(super) fn react(scene: Scene<'_>, body: &ReactionBody, facts: &Facts) -> Result<Decision, Refusal> {
    scene.state.require_open()?;
    living_message(scene, body.target, facts)?;
    if facts.reaction.is_some() == body.on {
        return Ok(Decision::Unchanged(facts.reaction));
    }
    let ReactionBody { target, emoji, on } = body.clone();
    append(scene, &EventBody::Reaction(body.clone()), Change::React { target, emoji, on })
}

pub(super) fn pin(scene: Scene<'_>, body: &PinBody, facts: &Facts) -> Result<Decision, Refusal> {
    scene.state.require(scene.caller.user, Right::Pin)?;
    scene.state.require_open()?;
    let message = living_message(scene, body.target, facts)?;
    if message.pinned == body.on {
        return Ok(Decision::Unchanged(None));
    }
    append(scene, &EventBody::Pin(body.clone()), Change::Pin { target: body.target, on: body.on })
}

fn append(scene: Scene<'_>, body: &EventBody, change: Change) -> Result<Decision, Refusal> {
    Ok(Decision::Append(vec![NewEvent::new(scene.caller.user, scene.now, body, change)]))
}

/// The message at `seq`, if the caller may see one there.
fn message_at(scene: Scene<'_>, seq: Seq, facts: &Facts) -> Result<TargetFacts, Refusal> {
    let visible_from = scene.state.member(scene.caller.user)?.visible_from;
    facts
        .target
        .filter(|target| target.kind == EventKind::Message && seq >= visible_from)
        .ok_or(Refusal::NotFound)
}

/// The message at `seq`, if it still has a body.
fn living_message(scene: Scene<'_>, seq: Seq, facts: &Facts) -> Result<TargetFacts, Refusal> {
    let message = message_at(scene, seq, facts)?;
    if message.erased { Err(Refusal::Conflict("the message was erased")) } else { Ok(message) }
}

/// Mentions are of members; a mention of oneself is kept in the text but counts for nobody.
fn mentioned_others(scene: Scene<'_>, mentions: &[UserId]) -> Result<Vec<UserId>, Refusal> {
    if mentions.iter().any(|user| !scene.state.members.contains(*user)) {
        return Err(Refusal::NotMember);
    }
    Ok(mentions.iter().copied().filter(|user| *user != scene.caller.user).collect())
}

fn slow_mode(scene: Scene<'_>) -> Result<(), Refusal> {
    let pause = i64::try_from(scene.state.settings.slow_mode_ms).unwrap_or(i64::MAX);
    let member = scene.state.member(scene.caller.user)?;
    let Some(last_sent) = member.last_sent.filter(|_| pause > 0 && member.role < Role::Admin) else {
        return Ok(());
    };
    // A clock that jumped back must not silence anyone for longer than the pause.
    let waited = scene.now.saturating_sub(last_sent).max(0);
    match u64::try_from(pause.saturating_sub(waited)) {
        Ok(retry_after_ms) if retry_after_ms > 0 => Err(Refusal::RateLimited { retry_after_ms }),
        _ => Ok(()),
    }
}

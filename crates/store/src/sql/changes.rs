//! What an event does besides standing in the log.

use super::driver::params;
use loquat_domain::ports::Change;
use loquat_proto::event::SettingsBody;
use loquat_proto::{Role, Seq, Timestamp, UserId};

use super::appender::Tip;
use super::codec::{Integer, retention_columns};
use super::context::WriteContext;
use super::error::Outcome;
use super::{conversations, erase};

/// The event at the end of the log.
pub(crate) struct Place<'t> {
    /// Its `seq` and number are the newest, if it stands in the log.
    pub(crate) tip: &'t Tip,
    pub(crate) pos: u64,
    pub(crate) sender: UserId,
    pub(crate) ts: Timestamp,
    /// The newest `seq` before it: the same as the newest, if it does not stand in the log.
    pub(crate) before: Seq,
}

/// Does what the event says, in the transaction of its append.
pub(crate) fn apply(context: &mut WriteContext<'_>, place: &Place<'_>, change: Change) -> Outcome<()> {
    match change {
        Change::Message { mentions } => mention(context, place, &mentions),
        Change::Revise { target } => revise(context, place, target),
        Change::Erase { target } => erase::message(context.connection, place.tip.conversation, target),
        Change::React { target, emoji, on } => react(context, place, (target, &emoji), on),
        Change::Pin { target, on } => pin(context, place, target, on),
        Change::Join { user, role, from_here } => join(context, place, (user, role), from_here),
        Change::Admit { user, from_here, .. } => join(context, place, (user, Role::Member), from_here),
        Change::Leave { user } => conversations::leave(context, place.tip.conversation, user).map(drop),
        Change::Remove { user } => conversations::remove(context, place.tip.conversation, user).map(drop),
        Change::Role { user, role } => give_role(context, place, user, role),
        Change::Settings(settings) => set(context, place, settings),
    }
}

fn mention(context: &WriteContext<'_>, place: &Place<'_>, mentions: &[UserId]) -> Outcome<()> {
    for user in mentions {
        context
            .statement(
                "INSERT INTO mentions (user_id, conversation_id, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![user.sql(), place.tip.conversation.sql(), place.tip.head.sql()])?;
    }
    Ok(())
}

fn revise(context: &WriteContext<'_>, place: &Place<'_>, target: Seq) -> Outcome<()> {
    context
        .statement(
            "UPDATE events SET revised = ?3 WHERE conversation_id = ?1 AND seq = ?2 AND body IS NOT NULL",
        )?
        .execute(params![place.tip.conversation.sql(), target.sql(), place.tip.head.sql()])?;
    Ok(())
}

fn react(
    context: &WriteContext<'_>,
    place: &Place<'_>,
    (target, emoji): (Seq, &str),
    on: bool,
) -> Outcome<()> {
    let conversation = place.tip.conversation.sql();
    if on {
        context
            .statement(
                "INSERT INTO reactions (conversation_id, target, emoji, user_id, seq, ts, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, COALESCE(
                     (SELECT MIN(since) FROM reactions WHERE conversation_id = ?1 AND target = ?2 AND emoji = ?3),
                     ?5))
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                conversation,
                target.sql(),
                emoji,
                place.sender.sql(),
                place.tip.head.sql(),
                place.ts
            ])?;
    } else {
        context
            .statement(
                "DELETE FROM reactions WHERE conversation_id = ?1 AND target = ?2 AND emoji = ?3 AND user_id = ?4",
            )?
            .execute(params![conversation, target.sql(), emoji, place.sender.sql()])?;
    }
    Ok(())
}

fn pin(context: &WriteContext<'_>, place: &Place<'_>, target: Seq, on: bool) -> Outcome<()> {
    let sql = if on {
        "INSERT INTO pins (conversation_id, target) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM pins WHERE conversation_id = ?1 AND target = ?2"
    };
    context.statement(sql)?.execute(params![place.tip.conversation.sql(), target.sql()])?;
    Ok(())
}

fn join(
    context: &WriteContext<'_>,
    place: &Place<'_>,
    (user, role): (UserId, Role),
    from_here: bool,
) -> Outcome<()> {
    let before = place.before;
    let membership = conversations::Membership {
        conversation: place.tip.conversation,
        user,
        role,
        joined_at: place.ts,
        joined_pos: place.pos,
        visible_from: if from_here { before + 1 } else { 1 },
        // What was said before the join is nobody's unread, even if it may be read.
        read: before,
        number_at_read: place.tip.number,
    };
    conversations::enter(context, &membership)
}

fn give_role(context: &WriteContext<'_>, place: &Place<'_>, user: UserId, role: Role) -> Outcome<()> {
    let conversation = place.tip.conversation.sql();
    let changed = context
        .statement("UPDATE members SET role = ?3 WHERE conversation_id = ?1 AND user_id = ?2")?
        .execute(params![conversation, user.sql(), role.sql()])?;
    if changed > 0 && role == Role::Owner {
        context
            .statement("UPDATE conversations SET owner = ?2 WHERE id = ?1")?
            .execute(params![conversation, user.sql()])?;
    }
    Ok(())
}

fn set(context: &WriteContext<'_>, place: &Place<'_>, settings: SettingsBody) -> Outcome<()> {
    let SettingsBody { title, description, avatar, retention, permissions, slow_mode_ms } = settings;
    let (mode, seconds) = retention.map(retention_columns).unzip();
    context
        .statement(
            "UPDATE conversations SET
                 title = COALESCE(?2, title),
                 description = COALESCE(?3, description),
                 avatar = CASE WHEN ?4 <> 0 THEN ?5 ELSE avatar END,
                 retention_mode = COALESCE(?6, retention_mode),
                 retention_seconds = COALESCE(?7, retention_seconds),
                 may_post = COALESCE(?8, may_post),
                 may_invite = COALESCE(?9, may_invite),
                 may_edit_info = COALESCE(?10, may_edit_info),
                 may_pin = COALESCE(?11, may_pin),
                 slow_mode_ms = COALESCE(?12, slow_mode_ms)
             WHERE id = ?1",
        )?
        .execute(params![
            place.tip.conversation.sql(),
            title,
            description,
            avatar.is_some().sql(),
            avatar.flatten(),
            mode,
            seconds,
            permissions.map(|permissions| permissions.post.sql()),
            permissions.map(|permissions| permissions.invite.sql()),
            permissions.map(|permissions| permissions.edit_info.sql()),
            permissions.map(|permissions| permissions.pin.sql()),
            slow_mode_ms.map(Integer::sql),
        ])?;
    Ok(())
}

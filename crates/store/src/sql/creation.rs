//! Making conversations.

use super::driver::{OptionalExtension, params};
use loquat_domain::ports::{Creation, CreationOutcome, NewConversation};
use loquat_proto::{ConversationId, ConversationKind, Role};

use super::appender::{Appender, Effects, Tip};
use super::codec::{Columns, Integer, retention_columns};
use super::context::WriteContext;
use super::conversations::{self, Membership};
use super::error::Outcome;
use super::{account_log, blocks, erase};

/// Creates it whole, unless its id or its pair is there.
pub(crate) fn create(context: &mut WriteContext<'_>, creation: Creation) -> Outcome<CreationOutcome> {
    let Creation { conversation, account } = creation;
    let peers = peers(&conversation);
    let creator = conversation.creator;
    for member in conversation.members.iter().filter(|member| member.user != creator) {
        if blocks::is(context.connection, member.user, creator)? {
            return Ok(CreationOutcome::Blocked);
        }
        if let Some(peers) = peers
            && direct_between(context, peers)?.is_none()
            && blocks::is(context.connection, creator, member.user)?
        {
            return Ok(CreationOutcome::Blocked);
        }
    }
    if let Some(peers) = peers
        && let Some(existing) = direct_between(context, peers)?
    {
        return Ok(CreationOutcome::Existing(existing));
    }
    if is_taken(context, conversation.id)? {
        return Ok(CreationOutcome::IdTaken);
    }
    insert(context, &conversation, peers)?;
    for member in &conversation.members {
        let joined_pos = context.next_pos()?;
        let membership = Membership {
            conversation: conversation.id,
            user: member.user,
            role: member.role,
            joined_at: conversation.ts,
            joined_pos,
            visible_from: 1,
            read: 0,
            number_at_read: 0,
        };
        conversations::enter(context, &membership)?;
    }
    let mut entries = Vec::new();
    let mut appender = Appender::new(context)?;
    let mut tip = Tip::start(conversation.id, conversation.ts);
    // A conversation without events is news as well.
    tip.logged = true;
    for event in conversation.events {
        let hash = appender.first_hash(context, conversation.id, &event)?;
        appender.place(context, &mut tip, (event, hash), Effects::Founding, &mut entries)?;
    }
    appender.finish(context, tip)?;
    for (user, kind, body) in account {
        entries.push(account_log::append(context, user, kind, body, conversation.ts)?);
    }
    Ok(CreationOutcome::Created { account: entries })
}

/// The two of a direct conversation in order; one twice, where somebody writes to themselves.
fn peers(conversation: &NewConversation) -> Option<(i64, i64)> {
    if conversation.kind != ConversationKind::Direct {
        return None;
    }
    let users = conversation.members.iter().map(|member| member.user.sql());
    Some((users.clone().min()?, users.max()?))
}

fn direct_between(context: &WriteContext<'_>, peers: (i64, i64)) -> Outcome<Option<ConversationId>> {
    context
        .statement("SELECT id FROM conversations WHERE first_peer = ?1 AND second_peer = ?2")?
        .query_row([peers.0, peers.1], |row| row.int(0))
        .optional()
}

fn is_taken(context: &WriteContext<'_>, id: ConversationId) -> Outcome<bool> {
    let there = context.statement("SELECT 1 FROM conversations WHERE id = ?1")?.exists([id.sql()])?;
    Ok(there || erase::is_being_purged(context.connection, id)?)
}

fn insert(
    context: &WriteContext<'_>,
    conversation: &NewConversation,
    peers: Option<(i64, i64)>,
) -> Outcome<()> {
    let owner = conversation.members.iter().find(|member| member.role == Role::Owner);
    let (mode, seconds) = retention_columns(conversation.retention);
    let permissions = conversation.permissions;
    context
        .statement(
            "INSERT INTO conversations
                 (id, kind, title, description, avatar, owner, created_at, history, retention_mode,
                  retention_seconds, may_post, may_invite, may_edit_info, may_pin, slow_mode_ms, member_count,
                  first_peer, second_peer)
             VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0, ?14, ?15)",
        )?
        .execute(params![
            conversation.id.sql(),
            conversation.kind.sql(),
            conversation.title,
            conversation.description,
            owner.map(|owner| owner.user.sql()),
            conversation.ts,
            conversation.history.sql(),
            mode,
            seconds,
            permissions.post.sql(),
            permissions.invite.sql(),
            permissions.edit_info.sql(),
            permissions.pin.sql(),
            peers.map(|peers| peers.0),
            peers.map(|peers| peers.1),
        ])?;
    context
        .statement(
            "INSERT INTO heads (conversation_id, head, number, last_message, last_activity, touched, version)
             VALUES (?1, 0, 0, 0, ?2, 0, 0)",
        )?
        .execute(params![conversation.id.sql(), conversation.ts])?;
    Ok(())
}

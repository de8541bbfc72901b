//! Messages as they are shown: the log's edits, erasures, reactions and pins applied.

use loquat_proto::event::{EditBody, EventBody};
use loquat_proto::{Event, Message, MessageBody, Reaction, Seq, UserId};

use super::state::{Room, Standing, Stored};

/// The message that this event is, as the viewer sees it.
pub(super) fn message(room: &Room, stored: &Stored, viewer: UserId) -> Message {
    let event = &stored.event;
    let written = match decoded(event) {
        Some(EventBody::Message(body)) => Some(body),
        _ => None,
    };
    let deleted = written.is_none();
    let MessageBody { mut text, mut format, reply_to, mut mentions, attachments } =
        written.unwrap_or_default();
    let mut edited_at = None;
    let revision = stored.revised.and_then(|seq| room.at(seq)).map(|revision| &revision.event);
    if let Some((revision, Some(EventBody::Edit(edit)))) = revision.map(|event| (event, decoded(event))) {
        edited_at = Some(revision.ts);
        EditBody { text, format, mentions, .. } = edit;
    }
    Message {
        conversation: room.id,
        seq: event.seq,
        ts: event.ts,
        sender: event.sender,
        text: (!deleted).then_some(text),
        format,
        reply_to,
        mentions,
        attachments,
        edited_at,
        deleted,
        pinned: room.pins.contains(&event.seq),
        reactions: reactions(room, event.seq, viewer),
    }
}

fn decoded(event: &Event) -> Option<EventBody> {
    event.decode().expect("the domain encodes bodies by their kind")
}

fn reactions(room: &Room, target: Seq, viewer: UserId) -> Vec<Reaction> {
    let mut standing: Vec<&Standing> =
        room.reactions.iter().filter(|standing| standing.target == target).collect();
    standing.sort_by_key(|standing| (standing.since, standing.seq));
    let mut reactions: Vec<Reaction> = Vec::new();
    for one in standing {
        let me = one.user == viewer;
        match reactions.iter_mut().find(|reaction| reaction.emoji == one.emoji) {
            Some(reaction) => {
                reaction.count += 1;
                reaction.me |= me;
            }
            None => reactions.push(Reaction { emoji: one.emoji.clone(), count: 1, me }),
        }
    }
    reactions
}

//! What a log looks like when shown, computed the long way: for each message the whole log is read.

use std::collections::BTreeMap;

use loquat_proto::{Event, EventBody, EventKind, Message, Reaction, Seq, UserId};

pub fn messages(log: &[Event], me: UserId) -> BTreeMap<Seq, Message> {
    let originals = log.iter().filter(|event| event.kind == EventKind::Message);
    originals.map(|event| (event.seq, message(event, log, me))).collect()
}

fn message(event: &Event, log: &[Event], me: UserId) -> Message {
    let body = match event.decode().unwrap() {
        Some(EventBody::Message(body)) => Some(body),
        _ => None,
    };
    let mut message = Message {
        conversation: event.conversation,
        seq: event.seq,
        ts: event.ts,
        sender: event.sender,
        text: body.as_ref().map(|body| body.text.clone()),
        format: body.as_ref().map(|body| body.format).unwrap_or_default(),
        reply_to: body.as_ref().and_then(|body| body.reply_to),
        mentions: body.as_ref().map(|body| body.mentions.clone()).unwrap_or_default(),
        attachments: Vec::new(),
        edited_at: None,
        deleted: body.is_none(),
        pinned: false,
        reactions: Vec::new(),
    };
    let mut reactors: Vec<(String, Vec<UserId>)> = Vec::new();
    for later in log.iter().filter(|later| later.seq > event.seq) {
        match later.decode().unwrap() {
            Some(EventBody::Edit(edit)) if edit.target == event.seq => {
                message.text = Some(edit.text);
                message.mentions = edit.mentions;
                message.edited_at = Some(later.ts);
            }
            Some(EventBody::Pin(pin)) if pin.target == event.seq => message.pinned = pin.on,
            Some(EventBody::Reaction(reaction)) if reaction.target == event.seq => {
                if !reactors.iter().any(|(emoji, _)| *emoji == reaction.emoji) {
                    reactors.push((reaction.emoji.clone(), Vec::new()));
                }
                for (_, users) in reactors.iter_mut().filter(|(emoji, _)| *emoji == reaction.emoji) {
                    users.retain(|user| *user != later.sender);
                    if reaction.on {
                        users.push(later.sender);
                    }
                }
                reactors.retain(|(_, users)| !users.is_empty());
            }
            _ => {}
        }
    }
    message.pinned &= !message.deleted;
    message.reactions = reactors
        .into_iter()
        .map(|(emoji, users)| Reaction { emoji, count: users.len() as u64, me: users.contains(&me) })
        .collect();
    message
}

//! What must hold when the trouble is over.

use std::collections::BTreeMap;

use loquat_engine::Command;
use loquat_engine::store::{Query, Store};
use loquat_engine::view::{OutboxState, SyncState, TimelineItem};
use loquat_proto::{ConversationId, Event, EventKind, Message, Nonce, Seq};

use crate::client::Client;
use crate::materialise;
use crate::server::{Log, Server, seen_by};
use crate::world::World;

pub fn check(world: &mut World) {
    for client in &mut world.clients {
        everybody_is_live_and_done(client);
        sends_stand_once_and_in_order(client, &world.server);
        let mine: Vec<&Log> =
            world.server.logs.values().filter(|log| log.members.contains_key(&client.user)).collect();
        let known: Vec<ConversationId> = {
            let mut known: Vec<_> = client.engine.conversations().iter().map(|it| it.id).collect();
            known.sort();
            known
        };
        assert_eq!(known, mine.iter().map(|log| log.id).collect::<Vec<_>>(), "the conversations");
        for log in mine {
            stored_log_is_the_servers(client, log);
            expired_messages_leave_the_device(client, log);
            cursors_are_told(client, log);
            summary_is_the_servers(client, log);
        }
    }
    for place in 0..world.clients.len() {
        timelines_are_exact(world, place);
    }
}

fn everybody_is_live_and_done(client: &Client) {
    assert_eq!(client.engine.sync_state(), SyncState::Live, "{:?}", client.engine);
    let failed =
        client.engine.outbox().into_iter().all(|entry| matches!(entry.state, OutboxState::Failed(_)));
    assert!(failed, "changes still wait: {:?}", client.engine.outbox());
}

/// Every send that was stored stands in the log exactly once or was refused; none is lost, none is doubled, and of one
/// device in one conversation they stand in the order in which they were queued.
fn sends_stand_once_and_in_order(client: &Client, server: &Server) {
    let mut last: BTreeMap<ConversationId, Seq> = BTreeMap::new();
    for (conversation, nonce) in &client.stored_sends {
        let log = &server.logs[conversation];
        if !log.members.contains_key(&client.user) {
            continue;
        }
        let stands: Vec<Seq> =
            log.events.iter().filter(|event| is(event, client, nonce)).map(|it| it.seq).collect();
        if client.refused.contains(nonce) {
            assert!(stands.is_empty(), "{nonce} was refused and stands at {stands:?}");
            continue;
        }
        let [seq] = stands[..] else { panic!("{nonce} stands at {stands:?}") };
        let before = last.insert(*conversation, seq).unwrap_or(0);
        assert!(before < seq, "{nonce} at {seq} was queued after what stands at {before}");
    }
    for (nonce, seq) in &client.acknowledged {
        let sent = client.stored_sends.iter().find(|(_, sent)| sent == nonce);
        let Some((conversation, _)) = sent else { continue };
        let log = &server.logs[conversation];
        assert!(
            is(&log.events[usize::try_from(*seq - 1).unwrap()], client, nonce),
            "{nonce} is not at {seq}"
        );
    }
}

fn is(event: &Event, client: &Client, nonce: &Nonce) -> bool {
    event.sender == client.user && event.nonce.as_ref() == Some(nonce)
}

fn stored_log_is_the_servers(client: &mut Client, log: &Log) {
    let restored = client.store.restore().unwrap();
    let stored_progress = restored.conversations.iter().find(|(summary, _)| summary.id == log.id);
    let (_, progress) = stored_progress.expect("every conversation is stored");
    let query = Query::Events { conversation: log.id, after: 0, limit: 100_000 };
    let stored = client.store.load(&query).unwrap();
    let mut expected: Vec<Event> = log
        .events
        .iter()
        .filter(|event| client.full_history || progress.ranges.contains(event.seq))
        .map(|event| seen_by(event.clone(), client.user))
        .collect();
    // What lies below a gap is not shown, and may have been erased in the gap.
    let newest = progress.ranges.newest().map_or(0, |(first, _)| first);
    for (expected, stored) in expected.iter_mut().zip(&stored) {
        if expected.seq < newest && expected.body.is_none() {
            expected.body.clone_from(&stored.body);
        }
    }
    let difference = stored.iter().zip(&expected).find(|(stored, expected)| stored != expected);
    assert_eq!(difference, None, "the log of {} in the store of {}", log.id, client.user);
    assert_eq!(stored.len(), expected.len(), "the log of {} in the store of {}", log.id, client.user);
    assert_eq!(progress.ranges.top(), log.head(), "the newest is there");
    assert_eq!(progress.head, log.head());
    let whole = progress.ranges.reach(1) == log.head();
    assert!(whole || !client.full_history, "{:?}", progress.ranges);
}

/// Also those below a gap, with their edits and reactions, in the store and in the list.
fn expired_messages_leave_the_device(client: &mut Client, log: &Log) {
    let known = client.engine.conversation(log.id).unwrap();
    assert_eq!(
        (known.erased_to, known.expired_to),
        (log.expired_to, log.expired_to),
        "horizons of {}",
        log.id
    );
    let query = Query::Events { conversation: log.id, after: 0, limit: 100_000 };
    for event in client.store.load(&query).unwrap() {
        let about = match event.kind {
            EventKind::Message => Some(event.seq),
            EventKind::Edit | EventKind::Reaction => event.decode().unwrap().and_then(|body| body.target()),
            _ => None,
        };
        let kept = event.body.is_some() && about.is_some_and(|seq| seq <= log.expired_to);
        assert!(!kept, "{event:?} has expired");
    }
}

fn cursors_are_told(client: &Client, log: &Log) {
    let cursors = log.members[&client.user];
    assert_eq!(cursors.delivered, log.head(), "delivered of {} in {}", client.user, log.id);
    let known = client.engine.conversation(log.id).unwrap();
    assert_eq!(known.me.read, cursors.read, "read of {} in {}", client.user, log.id);
    for cursor in &known.cursors {
        let truth = log.members[&cursor.user];
        assert_eq!(
            (cursor.delivered, cursor.read),
            (truth.delivered, truth.read),
            "cursors of {}",
            cursor.user
        );
    }
}

fn summary_is_the_servers(client: &Client, log: &Log) {
    let truth = log.summary(client.user);
    let known = client.engine.conversation(log.id).unwrap();
    assert_eq!(
        (known.me.unread, known.me.mentions),
        (truth.me.unread, truth.me.mentions),
        "unread in {}",
        log.id
    );
    assert_eq!((known.head, known.member_count), (truth.head, truth.member_count));
    let text = |message: &Option<Message>| message.as_ref().map(|it| (it.seq, it.text.clone()));
    assert_eq!(text(&known.last_message), text(&truth.last_message), "last message of {}", log.id);
    let line = client.engine.conversations().into_iter().find(|line| line.id == log.id).unwrap();
    assert_eq!(line.queued, 0);
    let draft = log.drafts.get(&client.user);
    assert_eq!((line.draft.as_ref(), known.me.draft.as_ref()), (draft, draft), "the draft");
}

/// Opens each conversation and scrolls to its beginning: what is shown is the server's log, materialised.
fn timelines_are_exact(world: &mut World, place: usize) {
    let user = world.clients[place].user;
    let ids: Vec<ConversationId> =
        world.clients[place].engine.conversations().iter().map(|it| it.id).collect();
    for id in ids {
        let now = world.now();
        world.clients[place].engine.command(now, Command::Open(id)).unwrap();
        world.clients[place].take_effects();
        world.heal();
        for _ in 0..200 {
            if !world.clients[place].engine.timeline(id).unwrap().has_older {
                break;
            }
            let now = world.now();
            world.clients[place].engine.command(now, Command::LoadOlder(id)).unwrap();
            world.clients[place].take_effects();
            world.settle();
        }
        let timeline = world.clients[place].engine.timeline(id).unwrap();
        let log = &world.server.logs[&id];
        let shown: Vec<&Message> = timeline
            .items
            .iter()
            .filter_map(|item| match item {
                TimelineItem::Message(view) if view.seq().is_some() => Some(&view.message),
                _ => None,
            })
            .collect();
        let truth = materialise::messages(&log.events, user);
        let lowest = shown.first().map_or(1, |message| message.seq);
        let expected: Vec<&Message> = truth.values().filter(|message| message.seq >= lowest).collect();
        let difference = shown.iter().zip(&expected).find(|(shown, expected)| shown != expected);
        assert_eq!(difference, None, "the timeline of {id} as {user} sees it");
        assert_eq!(shown.len(), expected.len(), "the timeline of {id} as {user} sees it");
        let messages = log.events.iter().filter(|event| event.kind == EventKind::Message).count();
        assert_eq!((timeline.has_older, shown.len()), (false, messages), "scrolled to the beginning");
    }
}

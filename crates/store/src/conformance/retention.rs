//! Properties of [`Retentions`](loquat_domain::ports::Retentions).

use loquat_domain::ports::{
    AppendOutcome, Change, CursorMove, EventRange, Horizons, MessageWindow, NewEvent, ViewQuery,
};
use loquat_proto::event::SettingsBody;
use loquat_proto::{ConversationId, ConversationKind, EventBody, EventKind, Retention, Seq, UserId};

use super::world::named;
use super::{NOW, Ports, World};

const TTL: Retention = Retention::Ttl { seconds: 60 };

async fn keeping<S: Ports>(world: &World<'_, S>, members: &[UserId], retention: Retention) -> ConversationId {
    let mut conversation = world.new_conversation(ConversationKind::Group, members);
    conversation.retention = retention;
    let id = conversation.id;
    world.create(conversation).await;
    id
}

const fn both(upto: Seq) -> Horizons {
    Horizons { erased_to: upto, expired_to: upto }
}

/// Only those that do not keep everything are named, as they are now.
pub async fn retentions_are_told<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (kept, short) = (world.group(&[ann, bob]).await, keeping(&world, &[ann, bob], TTL).await);
    let asked = [kept, short, world.conversation_id()];
    assert_eq!(store.retentions(&asked).await.unwrap(), [(short, TTL)]);
    let settings = |retention| {
        let settings = SettingsBody { retention: Some(retention), ..SettingsBody::default() };
        let body = EventBody::Settings(settings.clone());
        NewEvent::new(ann, world.later(), &body, Change::Settings(settings))
    };
    world.append_one(short, settings(Retention::Keep)).await;
    world.append_one(kept, settings(Retention::UntilDelivered)).await;
    assert_eq!(store.retentions(&asked).await.unwrap(), [(kept, Retention::UntilDelivered)]);
}

/// Up to the horizon no content is left anywhere; skeletons, nonces and counts are as before.
pub async fn an_erasure_reaches_every_copy<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = keeping(&world, &[ann, bob], TTL).await;
    let mut mention = named(world.mentioning(ann, &[bob]), "n1");
    mention.device = loquat_proto::DeviceId::new(77);
    let events = vec![
        mention,
        world.message(bob, "stays"),
        world.edit(ann, 1, "edited"),
        world.react(bob, 1, "👍", true),
        world.react(ann, 2, "👍", true),
        world.pin(bob, 1, true),
        world.pin(bob, 2, true),
        world.edit(ann, 1, "edited again"),
    ];
    world.append(group, events).await;
    let before = store.events(bob, group, EventRange::After(0), 99).await.unwrap().unwrap().items;
    let since = store.position(bob).await.unwrap().pos;
    assert_eq!(world.view(bob, group).await.unwrap().me.mentions, 1);
    assert_eq!(store.erase_up_to(group, both(1)).await.unwrap(), Some(both(1)));

    let after = store.events(bob, group, EventRange::After(0), 99).await.unwrap().unwrap().items;
    let gone: Vec<Seq> = after.iter().filter(|event| event.body.is_none()).map(|event| event.seq).collect();
    assert_eq!(gone, [1, 3, 4, 8]);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.seq, before.ts, before.sender), (after.seq, after.ts, after.sender));
        assert_eq!((before.kind, before.device), (after.kind, after.device));
    }
    let messages = store.messages(bob, group, MessageWindow::Latest, 9).await.unwrap().unwrap().items;
    assert!(messages[0].deleted && messages[0].text.is_none() && messages[0].edited_at.is_none());
    assert!(!messages[0].pinned && messages[0].reactions.is_empty() && messages[0].mentions.is_empty());
    assert_eq!((messages[1].text.as_deref(), messages[1].pinned), (Some("stays"), true));
    assert_eq!(messages[1].reactions.len(), 1);
    let known = store.find_nonce(group, ann, &"n1".parse().unwrap()).await.unwrap();
    assert_eq!(known.map(|placement| placement.seq), Some(1));
    assert!(store.target(group, 1).await.unwrap().unwrap().erased);
    let view = world.view(bob, group).await.unwrap();
    assert_eq!((view.erased_to, view.expired_to, view.me.unread, view.me.mentions), (1, 1, 1, 0));
    assert!(view.last_message.is_some_and(|last| last.text.as_deref() == Some("stays")));
    let changed = store.views(bob, ViewQuery::ChangedSince { pos: since, limit: 9 }).await.unwrap();
    assert_eq!(changed.items.len(), 1, "who comes back is told");
    let tailed = store.tail(0, 99).await.unwrap();
    assert!(tailed.iter().all(|tailed| tailed.event.kind != EventKind::Edit || tailed.event.body.is_none()));
}

/// Horizons never move back and never past the head; what moves none changes nothing; others' logs are left alone.
pub async fn horizons_only_grow<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (group, other) = (keeping(&world, &[ann, bob], TTL).await, world.group(&[ann, bob]).await);
    world.chatter(group, ann, 5).await;
    world.chatter(other, ann, 5).await;
    let erased = |erased_to, expired_to| Horizons { erased_to, expired_to };
    for (to, expected) in [
        (erased(2, 0), erased(2, 0)),
        (erased(1, 1), erased(2, 1)),
        (erased(0, 3), erased(3, 3)),
        (erased(2, 2), erased(3, 3)),
        (erased(99, 4), erased(5, 4)),
    ] {
        assert_eq!(store.erase_up_to(group, to).await.unwrap(), Some(expected), "{to:?}");
    }
    let since = store.position(ann).await.unwrap().pos;
    store.erase_up_to(group, both(4)).await.unwrap();
    let query = ViewQuery::ChangedSince { pos: since, limit: 9 };
    assert_eq!(store.views(ann, query).await.unwrap().items, [], "nothing moved");
    assert_eq!(store.erase_up_to(world.conversation_id(), both(1)).await.unwrap(), None);
    let kept = store.messages(ann, other, MessageWindow::Latest, 9).await.unwrap().unwrap().items;
    assert!(kept.iter().all(|message| message.text.is_some()));
    loquat_domain::ports::Conversations::delete(store, group, NOW).await.unwrap();
    assert_eq!(store.sweep_facts(group, 9).await.unwrap(), None);
    assert_eq!(store.erase_up_to(group, both(9)).await.unwrap(), None);
}

/// A sweep sees the messages above the horizon of its mode, so many at a time, and all that decides about them.
pub async fn a_sweep_sees_what_it_needs<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = keeping(&world, &[ann, bob], Retention::UntilDelivered).await;
    let mut first = world.message(ann, "one");
    first.device = store.devices(ann).await.unwrap().first().map(|device| device.id);
    let (device, ts) = (first.device, first.ts);
    world.append(group, vec![first, world.react(bob, 1, "👍", true), world.message(bob, "two")]).await;
    world.append_one(group, world.join(ann, eve, true)).await;
    let bobs = store.devices(bob).await.unwrap()[0].clone();
    let delivered = CursorMove { conversation: group, user: bob, device: bobs.id, delivered: 3, read: 0 };
    store.save_cursors(vec![delivered]).await.unwrap();
    store.save_last_seen(vec![(bob, bobs.id, NOW + 5000)]).await.unwrap();

    let facts = store.sweep_facts(group, 9).await.unwrap().unwrap();
    assert_eq!((facts.retention, facts.looked_to, facts.head), (Retention::UntilDelivered, 4, 4));
    let seqs: Vec<_> = facts.messages.iter().map(|message| (message.seq, message.device)).collect();
    assert_eq!((seqs, facts.messages[0].ts), (vec![(1, device), (3, None)], ts));
    assert_eq!(facts.devices.len(), 3);
    let seen = facts.devices.iter().find(|seen| seen.device == bobs.id).unwrap();
    assert_eq!((seen.delivered, seen.active_at, seen.visible_from), (3, NOW + 5000, 1));
    let eves = store.devices(eve).await.unwrap()[0].clone();
    let unseen = facts.devices.iter().find(|seen| seen.device == eves.id).unwrap();
    assert_eq!((unseen.delivered, unseen.active_at, unseen.visible_from), (0, eves.created_at, 4));

    let part = store.sweep_facts(group, 2).await.unwrap().unwrap();
    assert_eq!((part.messages.len(), part.looked_to), (1, 2));
    store.erase_up_to(group, Horizons { erased_to: 2, expired_to: 0 }).await.unwrap();
    let rest = store.sweep_facts(group, 9).await.unwrap().unwrap();
    assert_eq!((rest.erased_to, rest.expired_to, rest.messages.len()), (2, 0, 1));
    assert_eq!(store.sweep_facts(world.conversation_id(), 9).await.unwrap(), None);

    // What was erased once delivered has yet to expire.
    let settings = SettingsBody { retention: Some(TTL), ..SettingsBody::default() };
    let body = EventBody::Settings(settings.clone());
    world.append_one(group, NewEvent::new(ann, world.later(), &body, Change::Settings(settings))).await;
    let anew = store.sweep_facts(group, 9).await.unwrap().unwrap();
    assert_eq!((anew.retention, anew.messages.len(), anew.devices.len()), (TTL, 2, 0));
}

/// An edit, a reaction or a pin that was decided before its target was erased leaves a skeleton and no trace.
pub async fn what_comes_too_late_leaves_no_trace<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = keeping(&world, &[ann, bob], TTL).await;
    world.chatter(group, ann, 2).await;
    let late = vec![
        named(world.edit(ann, 1, "a copy"), "n3"),
        world.react(bob, 1, "👍", true),
        world.pin(bob, 1, true),
        world.edit(ann, 2, "in time"),
    ];
    let append = world.fitting(group, late).await;
    store.erase_up_to(group, both(1)).await.unwrap();
    let outcomes = store.append_many(vec![append]).await.unwrap();
    let [AppendOutcome::Appended { placements, .. }] = &outcomes[..] else { panic!("{outcomes:?}") };
    let told: Vec<bool> = placements.iter().map(|placement| placement.erased).collect();
    assert_eq!(told, [true, true, true, false], "who fans it out must know");
    let events = store.events(ann, group, EventRange::After(0), 99).await.unwrap().unwrap().items;
    let gone: Vec<Seq> = events.iter().filter(|event| event.body.is_none()).map(|event| event.seq).collect();
    assert_eq!(gone, [1, 3, 4, 5]);
    let messages = store.messages(ann, group, MessageWindow::Latest, 9).await.unwrap().unwrap().items;
    assert!(messages[0].deleted && !messages[0].pinned && messages[0].reactions.is_empty());
    assert_eq!(messages[1].text.as_deref(), Some("in time"));
    assert_eq!(store.find_nonce(group, ann, &"n3".parse().unwrap()).await.unwrap().unwrap().seq, 3);
}

/// The tail without content has every event once, in order.
pub async fn marks_are_the_tail_without_content<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (one, other) = (world.group(&[ann, bob]).await, world.group(&[ann, bob]).await);
    for number in 0..5 {
        world.say(if number % 2 == 0 { one } else { other }, ann, "hello").await;
    }
    let tailed = store.tail(0, 99).await.unwrap();
    let (mut pos, mut marks) = (0, Vec::new());
    loop {
        let page = store.tail_marks(pos, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        pos = last.pos;
        marks.extend(page);
    }
    let told: Vec<_> = marks.iter().map(|m| (m.pos, m.conversation, m.seq, m.ts, m.kind)).collect();
    let expected: Vec<_> =
        tailed.iter().map(|t| (t.pos, t.event.conversation, t.event.seq, t.event.ts, t.event.kind)).collect();
    assert_eq!(told, expected);
}

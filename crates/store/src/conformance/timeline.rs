//! Properties of [`Timeline`](loquat_domain::ports::Timeline).

use loquat_domain::ports::{EventRange, MessageWindow};
use loquat_proto::{ConversationId, Seq, UserId};

use super::world::named;
use super::{NOW, Ports, World};

async fn page<S: Ports>(
    world: &World<'_, S>,
    (viewer, conversation): (UserId, ConversationId),
    window: MessageWindow,
    limit: usize,
) -> Vec<Seq> {
    let page = world.store.messages(viewer, conversation, window, limit).await.unwrap().unwrap();
    page.items.iter().map(|message| message.seq).collect()
}

/// Pages of events are contiguous, ascending, and begin at `visible_from`.
pub async fn events_are_contiguous_within_sight<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 4).await;
    world.append_one(group, world.join(ann, bob, true)).await;
    world.chatter(group, ann, 5).await;
    for (viewer, range, limit, expected) in [
        (ann, EventRange::After(0), 3, 1..=3),
        (ann, EventRange::After(3), 100, 4..=10),
        (ann, EventRange::Before(10), 2, 8..=9),
        (ann, EventRange::Before(3), 100, 1..=2),
        (ann, EventRange::Before(u64::MAX), 4, 7..=10),
        (bob, EventRange::After(0), 3, 5..=7),
        (bob, EventRange::After(2), 2, 5..=6),
        (bob, EventRange::Before(8), 100, 5..=7),
    ] {
        let page = store.events(viewer, group, range, limit).await.unwrap().unwrap();
        let seqs: Vec<_> = page.items.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, expected.collect::<Vec<_>>(), "{range:?}");
        assert_eq!((page.head, page.visible_from), (10, if viewer == bob { 5 } else { 1 }));
    }
    for range in [EventRange::After(10), EventRange::After(u64::MAX), EventRange::Before(1)] {
        assert_eq!(store.events(ann, group, range, 10).await.unwrap().unwrap().items, []);
    }
    assert_eq!(store.events(bob, group, EventRange::Before(5), 10).await.unwrap().unwrap().items, []);
}

/// A nonce is its sender's own business.
pub async fn nonces_are_shown_to_their_sender_only<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world
        .append(group, vec![named(world.message(ann, "text"), "a"), named(world.message(bob, "text"), "b")])
        .await;
    for (viewer, expected) in [(ann, [Some("a"), None]), (bob, [None, Some("b")])] {
        let page = store.events(viewer, group, EventRange::After(0), 10).await.unwrap().unwrap();
        let nonces: Vec<_> =
            page.items.iter().map(|event| event.nonce.as_ref().map(|nonce| nonce.as_str())).collect();
        assert_eq!(nonces, expected);
    }
}

/// Latest, before, after and around, always ascending.
pub async fn messages_are_paged_in_all_ways<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    for _ in 0..10 {
        let seq = world.say(group, ann, "text").await;
        world.append_one(group, world.react(ann, seq, "👍", true)).await;
    }
    // Messages stand at 1, 3, 5 … 19.
    for (window, limit, expected) in [
        (MessageWindow::Latest, 3, vec![15, 17, 19]),
        (MessageWindow::Latest, 100, (1..20).step_by(2).collect()),
        (MessageWindow::Before(7), 2, vec![3, 5]),
        (MessageWindow::Before(8), 2, vec![5, 7]),
        (MessageWindow::Before(1), 2, vec![]),
        (MessageWindow::Before(0), 2, vec![]),
        (MessageWindow::After(7), 2, vec![9, 11]),
        (MessageWindow::After(6), 2, vec![7, 9]),
        (MessageWindow::After(0), 1, vec![1]),
        (MessageWindow::After(19), 2, vec![]),
        (MessageWindow::After(u64::MAX), 2, vec![]),
        (MessageWindow::Around(9), 4, vec![7, 9, 11, 13]),
        (MessageWindow::Around(10), 4, vec![7, 9, 11, 13]),
        (MessageWindow::Around(9), 1, vec![9]),
        (MessageWindow::Around(1), 4, vec![1, 3, 5]),
        (MessageWindow::Around(500), 4, vec![17, 19]),
    ] {
        assert_eq!(page(&world, (ann, group), window, limit).await, expected, "{window:?}, {limit}");
    }
}

/// A page is full wherever there are enough messages, whatever stands between them.
pub async fn pages_fill_up_between_dense_events<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let mut messages = Vec::new();
    for gap in [0, 1, 15, 16, 17, 300, 2, 40, 0, 100] {
        messages.push(world.say(group, ann, "text").await);
        let events = (0..gap).map(|number| world.react(ann, 1, "👍", number % 2 == 0)).collect::<Vec<_>>();
        if !events.is_empty() {
            world.append(group, events).await;
        }
    }
    let head = world.facts(group).await.head;
    for limit in [1, 2, 3, 9, 50] {
        let (mut from, mut met) = (0, Vec::new());
        loop {
            let next = page(&world, (ann, group), MessageWindow::After(from), limit).await;
            let Some(last) = next.last() else { break };
            assert!(next.len() == limit || *last == messages[9]);
            from = *last;
            met.extend(next);
        }
        assert_eq!(met, messages, "upwards by {limit}");
        let (mut from, mut met) = (head + 1, Vec::new());
        loop {
            let next = page(&world, (ann, group), MessageWindow::Before(from), limit).await;
            let Some(first) = next.first() else { break };
            from = *first;
            met.splice(0..0, next);
        }
        assert_eq!(met, messages, "downwards by {limit}");
    }
    assert_eq!(page(&world, (ann, group), MessageWindow::Around(messages[5] + 150), 4).await, messages[4..8]);
}

/// Around the first message at or after a time; at the end if there is none.
pub async fn a_time_finds_the_first_message_after_it<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    for minute in 0..10 {
        let mut message = world.message(ann, "text");
        message.ts = NOW + minute * 60_000;
        let mut pin = world.pin(ann, 1, minute % 2 == 0);
        pin.ts = message.ts + 1;
        world.append(group, vec![message, pin]).await;
    }
    // Messages stand at 1, 3, 5 … 19.
    for (ts, first) in
        [(0, 1), (NOW, 1), (NOW + 1, 3), (NOW + 60_000, 3), (NOW + 61_000, 5), (NOW + 540_000, 19)]
    {
        let found = page(&world, (ann, group), MessageWindow::At(ts), 1).await;
        assert_eq!(found, [first], "at {ts}");
    }
    assert_eq!(page(&world, (ann, group), MessageWindow::At(NOW + 60_000), 4).await, [1, 3, 5, 7]);
    assert_eq!(page(&world, (ann, group), MessageWindow::At(NOW + 9_000_000), 2).await, [19]);
    let empty = world.group(&[ann]).await;
    assert_eq!(page(&world, (ann, empty), MessageWindow::At(NOW), 5).await, [0; 0]);
    assert_eq!(page(&world, (ann, empty), MessageWindow::Latest, 5).await, [0; 0]);
}

/// Neither strangers nor former members.
pub async fn nobody_else_reads<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.say(group, ann, "text").await;
    world.append_one(group, world.leave(bob)).await;
    for viewer in [bob, eve] {
        assert_eq!(store.events(viewer, group, EventRange::After(0), 10).await.unwrap(), None);
        assert_eq!(store.messages(viewer, group, MessageWindow::Latest, 10).await.unwrap(), None);
        assert_eq!(store.message(viewer, group, 1).await.unwrap(), None);
        assert_eq!(store.members(viewer, group, None, 10).await.unwrap(), None);
        assert_eq!(world.view(viewer, group).await, None);
    }
}

/// What was said before a membership that begins with its join stays hidden, by whatever way.
pub async fn nothing_below_visible_from_is_read<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 5).await;
    world.append_one(group, world.join(ann, bob, true)).await;
    assert_eq!(world.view(bob, group).await.unwrap().last_message, None);
    for window in [
        MessageWindow::Latest,
        MessageWindow::Before(6),
        MessageWindow::After(0),
        MessageWindow::Around(3),
        MessageWindow::At(0),
    ] {
        assert_eq!(page(&world, (bob, group), window, 10).await, [0; 0], "{window:?}");
    }
    world.chatter(group, ann, 2).await;
    for window in [MessageWindow::Latest, MessageWindow::After(0), MessageWindow::At(0)] {
        let seen = page(&world, (bob, group), window, 10).await;
        assert_eq!(seen, [7, 8], "{window:?}");
    }
    assert_eq!(store.message(bob, group, 5).await.unwrap(), None);
    assert!(store.message(bob, group, 7).await.unwrap().is_some());
}

/// A single message, and `None` where there is none or another event.
pub async fn one_message_or_none<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.say(group, ann, "text").await;
    world.append_one(group, world.react(ann, 1, "👍", true)).await;
    let message = store.message(ann, group, 1).await.unwrap().unwrap();
    assert_eq!((message.seq, message.sender, message.text.as_deref()), (1, ann, Some("text")));
    assert_eq!((message.reactions.len(), message.reactions[0].me), (1, true));
    for seq in [0, 2, 3] {
        assert_eq!(store.message(ann, group, seq).await.unwrap(), None);
    }
}

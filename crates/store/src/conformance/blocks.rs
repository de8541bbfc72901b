//! Properties of [`Blocks`](loquat_domain::ports::Blocks), and of what a block bears on.

use loquat_domain::ports::{AppendOutcome, BlockChange, BlockOutcome, CreationOutcome};
use loquat_proto::{AccountEventKind, ConversationKind, Direction, UserId};
use serde_json::json;

use super::contacts::{ask, befriend, told};
use super::world::named;
use super::{NOW, Ports, World};

const LIMIT: usize = 100;

async fn block<S: Ports>(store: &S, user: UserId, other: UserId) -> BlockChange {
    match store.block(user, other, LIMIT, NOW).await.unwrap() {
        BlockOutcome::Stands(change) => change,
        other => panic!("{other:?}"),
    }
}

async fn blocked<S: Ports>(store: &S, user: UserId) -> Vec<UserId> {
    store.blocks(user, None, 100).await.unwrap().into_iter().map(|block| block.user).collect()
}

/// To nobody else, and once.
pub async fn a_block_is_told_to_who_blocks<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let change = block(store, ann, bob).await;
    assert_eq!(told(&change.entries), [(ann, AccountEventKind::Blocked, json!({ "user": bob }))]);
    assert_eq!(change.direct, None);
    assert_eq!(block(store, ann, bob).await, BlockChange::default());
    assert_eq!((blocked(store, ann).await, blocked(store, bob).await), (vec![bob], vec![]));
    assert!(store.is_blocked_by_any(bob, &[ann]).await.unwrap());
    assert!(!store.is_blocked_by_any(ann, &[bob]).await.unwrap());
    assert!(!store.is_blocked_by_any(bob, &[]).await.unwrap());
    let change = store.unblock(ann, bob, NOW).await.unwrap();
    assert_eq!(told(&change.entries), [(ann, AccountEventKind::Unblocked, json!({ "user": bob }))]);
    assert_eq!(store.unblock(ann, bob, NOW).await.unwrap(), BlockChange::default());
    assert_eq!(store.unblock(bob, world.user_id(), NOW).await.unwrap(), BlockChange::default());
    assert!(!store.is_blocked_by_any(bob, &[ann]).await.unwrap());
    assert_eq!(store.after(bob, 0, 10).await.unwrap(), []);
    assert_eq!(store.block(ann, world.user_id(), LIMIT, NOW).await.unwrap(), BlockOutcome::Unknown);
}

/// What was decided without the block conflicts; a replay of before is answered all the same.
pub async fn a_block_outdates_the_direct_conversation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (direct, group) = (world.direct(ann, bob).await, world.group(&[ann, bob]).await);
    world.append_one(direct, named(world.message(bob, "before"), "n1")).await;
    let decided = world.fitting(direct, vec![world.message(bob, "too late")]).await;
    let replay = world.fitting(direct, vec![named(world.message(bob, "before"), "n1")]).await;
    let elsewhere = world.fitting(group, vec![world.message(bob, "unaffected")]).await;
    assert!(!world.facts(direct).await.blocked);
    assert_eq!(block(store, ann, bob).await.direct, Some(direct));
    assert!(world.facts(direct).await.blocked);
    assert!(!world.facts(group).await.blocked);
    let outcomes = store.append_many(vec![decided, replay, elsewhere]).await.unwrap();
    assert_eq!(outcomes[0], AppendOutcome::Conflict);
    for outcome in &outcomes[1..] {
        assert!(matches!(outcome, AppendOutcome::Appended { .. }), "{outcome:?}");
    }
    let decided = world.fitting(direct, vec![world.message(bob, "not yet")]).await;
    block(store, bob, ann).await;
    assert_eq!(store.append_many(vec![decided]).await.unwrap(), [AppendOutcome::Conflict]);
    assert_eq!(store.unblock(ann, bob, NOW).await.unwrap().direct, Some(direct));
    assert!(world.facts(direct).await.blocked, "the other one still blocks");
    store.unblock(bob, ann, NOW).await.unwrap();
    assert!(!world.facts(direct).await.blocked);
    world.say(direct, bob, "again").await;
}

/// What the other one asked is declined, what one asked oneself is withdrawn; contacts are for afterwards.
pub async fn a_block_ends_requests_and_keeps_contacts<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora] = world.users().await;
    ask(&world, bob, ann).await;
    ask(&world, ann, carl).await;
    befriend(&world, ann, dora).await;
    let removed = |user: UserId, about: UserId| {
        (user, AccountEventKind::ContactRemoved, json!({ "user": about, "request": true }))
    };
    let says = |about: UserId| (ann, AccountEventKind::Blocked, json!({ "user": about }));
    assert_eq!(told(&block(store, ann, bob).await.entries), [removed(ann, bob), says(bob)]);
    assert_eq!(
        told(&block(store, ann, carl).await.entries),
        [removed(ann, carl), removed(carl, ann), says(carl)]
    );
    assert_eq!(told(&block(store, ann, dora).await.entries), [says(dora)]);
    assert_eq!(store.requests(ann, None, 10).await.unwrap(), []);
    assert_eq!(store.requests(carl, None, 10).await.unwrap(), []);
    let waits = store.requests(bob, None, 10).await.unwrap();
    assert_eq!((waits.len(), waits[0].direction), (1, Direction::Out), "to who asked, it waits");
    assert_eq!(store.contacts(dora, None, 10).await.unwrap().len(), 1);
}

/// As many as allowed, by id, with a profile each.
pub async fn blocks_are_limited_and_paged<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora] = world.users().await;
    for other in [dora, bob] {
        let outcome = store.block(ann, other, 2, NOW + 5).await.unwrap();
        assert!(matches!(outcome, BlockOutcome::Stands(_)), "{outcome:?}");
    }
    assert_eq!(store.block(ann, carl, 2, NOW).await.unwrap(), BlockOutcome::Full);
    let again = store.block(ann, bob, 2, NOW).await.unwrap();
    assert_eq!(again, BlockOutcome::Stands(BlockChange::default()), "what stands takes no place");
    let page = store.blocks(ann, None, 1).await.unwrap();
    assert_eq!(
        (page[0].user, page[0].profile.username.as_str(), page[0].created_at),
        (bob, "user1", NOW + 5)
    );
    let rest = store.blocks(ann, Some(bob), 5).await.unwrap();
    assert_eq!(rest.iter().map(|block| block.user).collect::<Vec<_>>(), [dora]);
}

/// Neither a direct one, new or found, nor a group with them; who blocks finds the direct one that is there.
pub async fn the_blocked_create_no_conversation_with_who_blocks<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    let there = world.direct(ann, bob).await;
    block(store, ann, bob).await;
    block(store, ann, carl).await;
    let create = async |kind, members: &[UserId]| world.create(world.new_conversation(kind, members)).await;
    let direct = ConversationKind::Direct;
    assert_eq!(create(direct, &[bob, ann]).await, CreationOutcome::Blocked);
    assert_eq!(create(direct, &[ann, bob]).await, CreationOutcome::Existing(there));
    assert_eq!(create(direct, &[carl, ann]).await, CreationOutcome::Blocked);
    assert_eq!(create(direct, &[ann, carl]).await, CreationOutcome::Blocked);
    assert_eq!(create(ConversationKind::Group, &[carl, bob, ann]).await, CreationOutcome::Blocked);
    let by_who_blocks = create(ConversationKind::Group, &[ann, bob, carl]).await;
    assert!(matches!(by_who_blocks, CreationOutcome::Created { .. }), "{by_who_blocks:?}");
    let without = create(ConversationKind::Group, &[carl, bob]).await;
    assert!(matches!(without, CreationOutcome::Created { .. }), "{without:?}");
    store.unblock(ann, carl, NOW).await.unwrap();
    assert!(matches!(create(direct, &[carl, ann]).await, CreationOutcome::Created { .. }));
}

/// An append that lets somebody in conflicts where they block its sender; others and coming by oneself do not.
pub async fn the_blocked_add_nobody_who_blocks_them<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    let group = world.group(&[bob]).await;
    let decided = world.fitting(group, vec![world.join(bob, carl, false), world.join(bob, ann, false)]).await;
    block(store, ann, bob).await;
    assert_eq!(store.append_many(vec![decided]).await.unwrap(), [AppendOutcome::Conflict]);
    assert_eq!(world.view(carl, group).await, None, "nothing of it was appended");
    world.append_one(group, world.join(bob, carl, false)).await;
    world.append_one(group, world.join(ann, ann, false)).await;
    assert!(world.view(ann, group).await.is_some());
}

/// They would tell when the other one is there.
pub async fn a_block_hides_cursors_in_direct_conversations<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (direct, group) = (world.direct(ann, bob).await, world.group(&[ann, bob]).await);
    for conversation in [direct, group] {
        world.chatter(conversation, bob, 3).await;
        world.read_to(conversation, ann, 2, 1).await;
    }
    let seen = async |conversation| {
        let view = world.view(bob, conversation).await.unwrap();
        let cursor = view.cursors.into_iter().find(|cursor| cursor.user == ann).unwrap();
        (cursor.delivered, cursor.read)
    };
    assert_eq!(seen(direct).await, (2, 1));
    block(store, ann, bob).await;
    assert_eq!((seen(direct).await, seen(group).await), ((0, 0), (2, 1)));
    let own = world.view(ann, direct).await.unwrap();
    assert_eq!((own.me.delivered, own.me.read), (2, 1));
    assert!(own.cursors.iter().any(|cursor| cursor.user == ann && cursor.read == 1));
    store.unblock(ann, bob, NOW).await.unwrap();
    assert_eq!(seen(direct).await, (2, 1));
}

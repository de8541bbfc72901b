//! Properties of [`Accounts::delete`].

use loquat_domain::ports::{
    Accounts, EventRange, IdempotencyKey, MessageWindow, RememberedAnswer, SignInOutcome, SignUpOutcome,
};
use loquat_proto::EventKind;

use super::contacts::{ask, befriend};
use super::world::{hash, named};
use super::{NOW, Ports, World};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The profile, the devices and the account log are gone; the id stays taken.
pub async fn a_deleted_account_is_a_tombstone<S: Ports>(store: &S) {
    let world = World::new(store);
    let (mut user, device) = (world.new_user("ann"), world.new_device());
    user.email = Some("ann@example.org".into());
    let ann = user.id;
    store.sign_up(user.clone(), device.clone()).await.unwrap();
    let bob = world.user("bob").await;
    let group = world.group(&[bob, ann]).await;
    Accounts::delete(store, ann, NOW).await.unwrap();

    let record = store.user(ann).await.unwrap().unwrap();
    assert!(!record.active && record.own.profile.deleted);
    let own = record.own;
    let texts = [own.profile.username.as_str(), &own.profile.display_name, &own.profile.bio];
    assert_eq!((texts, own.email, own.phone), (["", "", ""], None, None));
    assert!(store.profiles(&[ann]).await.unwrap()[0].deleted);
    for login in ["ann", "ann@example.org", ""] {
        assert!(store.credentials(login).await.unwrap().is_none_or(|found| !found.active), "{login}");
    }
    assert!(!store.is_active(ann, device.id).await.unwrap());
    assert_eq!(store.devices(ann).await.unwrap(), []);
    assert_eq!(store.search("ann", None, 10).await.unwrap().items, []);
    assert_eq!(store.search("", None, 10).await.unwrap().items.len(), 1);
    assert_eq!(store.after(ann, 0, 10).await.unwrap(), []);
    assert_eq!(world.view(ann, group).await, None);
    assert_eq!(world.view(bob, group).await.unwrap().member_count, 1);
    let again = world.new_user("carl");
    let taken = loquat_domain::ports::NewUser { id: ann, ..again };
    assert_eq!(store.sign_up(taken, world.new_device()).await.unwrap(), SignUpOutcome::IdTaken);
    // Once more changes nothing.
    Accounts::delete(store, ann, NOW).await.unwrap();
    Accounts::delete(store, world.user_id(), NOW).await.unwrap();
}

/// Nobody takes the name for thirty days; addresses are free at once.
pub async fn a_deleted_accounts_name_is_kept_for_thirty_days<S: Ports>(store: &S) {
    let world = World::new(store);
    let mut user = world.new_user("ann");
    user.email = Some("ann@example.org".into());
    let first = user.id;
    store.sign_up(user.clone(), world.new_device()).await.unwrap();
    Accounts::delete(store, first, NOW).await.unwrap();
    for (username, ts, outcome) in [
        ("ann", NOW + DAY, SignUpOutcome::UsernameTaken),
        ("ann", NOW + 30 * DAY - 1, SignUpOutcome::UsernameTaken),
        ("anna", NOW + DAY, SignUpOutcome::Created),
    ] {
        user.id = world.user_id();
        user.username = username.into();
        user.ts = ts;
        assert_eq!(store.sign_up(user.clone(), world.new_device()).await.unwrap(), outcome, "{ts}");
    }
    user.id = world.user_id();
    (user.username, user.email, user.ts) = ("ann".into(), None, NOW + 30 * DAY);
    assert_eq!(store.sign_up(user, world.new_device()).await.unwrap(), SignUpOutcome::Created);
}

/// What the account wrote is erased wherever it was a member, once or still; what others wrote stays.
pub async fn a_deleted_accounts_content_is_erased<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (left, still) = (world.group(&[bob, ann]).await, world.group(&[bob, ann]).await);
    for group in [left, still] {
        let events = vec![
            named(world.message(ann, "secret"), "n1"),
            world.message(bob, "public"),
            world.edit(ann, 1, "secret, too"),
            world.react(bob, 1, "👍", true),
            world.react(ann, 2, "👍", true),
            world.react(bob, 2, "👍", true),
            world.pin(bob, 1, true),
        ];
        world.append(group, events).await;
        for _ in 0..3 {
            world.chatter(group, bob, 1500).await;
        }
        world.say(group, ann, "the last word").await;
    }
    world.append_one(left, world.leave(ann)).await;
    Accounts::delete(store, ann, world.later()).await.unwrap();
    for group in [left, still] {
        let erased = [1, 3, 4, 5, 4508];
        let page = store.events(bob, group, EventRange::After(0), 9999).await.unwrap().unwrap();
        for event in &page.items {
            assert_eq!(event.body.is_none(), erased.contains(&event.seq), "{event:?}");
        }
        let messages = store.messages(bob, group, MessageWindow::After(0), 2).await.unwrap().unwrap().items;
        assert!(messages[0].deleted && !messages[0].pinned && messages[0].reactions.is_empty());
        assert_eq!(messages[1].reactions.iter().map(|reaction| reaction.count).collect::<Vec<_>>(), [1]);
        let known = store.find_nonce(group, ann, &"n1".parse().unwrap()).await.unwrap();
        assert_eq!(known.map(|placement| placement.seq), Some(1));
    }
    let tailed = store.tail(0, 9999).await.unwrap();
    let own = tailed.iter().filter(|tailed| tailed.event.sender == ann);
    assert!(own.clone().all(|tailed| tailed.event.body.is_none() || tailed.event.kind == EventKind::Member));
    assert!(own.count() > 0);
}

/// The other one keeps the log, with a tombstone for a peer; whoever has the conversation loaded notices.
pub async fn a_deleted_peer_stays_in_direct_conversations<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let direct = world.direct(ann, bob).await;
    world.say(direct, ann, "hello").await;
    world.say(direct, bob, "hello").await;
    let before = world.facts(direct).await;
    let since = store.position(bob).await.unwrap().pos;
    Accounts::delete(store, ann, world.later()).await.unwrap();
    let after = world.facts(direct).await;
    assert_eq!((after.head, after.members.len()), (2, 2));
    assert!(after.ended && !before.ended, "nobody writes to somebody who is gone");
    assert!(after.version > before.version);
    let view = world.view(bob, direct).await.unwrap();
    assert!(view.peer.unwrap().deleted);
    let query = loquat_domain::ports::ViewQuery::ChangedSince { pos: since, limit: 10 };
    assert_eq!(store.views(bob, query).await.unwrap().items.len(), 1);
    let texts: Vec<_> = store.messages(bob, direct, MessageWindow::Latest, 10).await.unwrap().unwrap().items;
    assert_eq!(texts.iter().map(|m| m.text.as_deref()).collect::<Vec<_>>(), [None, Some("hello")]);
}

/// Contacts, requests, blocks, mentions and remembered answers go, on both sides.
pub async fn a_deleted_account_leaves_no_trace_elsewhere<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve] = world.users().await;
    befriend(&world, ann, bob).await;
    ask(&world, ann, carl).await;
    ask(&world, dora, ann).await;
    store.block(ann, eve, 10, NOW).await.unwrap();
    store.block(eve, ann, 10, NOW).await.unwrap();
    let direct = world.direct(ann, bob).await;
    world.append_one(direct, world.mentioning(bob, &[ann])).await;
    let key = IdempotencyKey { scope: "sign-up:user0".into(), key: "k".into() };
    let answer = RememberedAnswer { request_hash: hash(1), created: ann.get(), ts: NOW };
    store.remember(key.clone(), answer).await.unwrap();
    Accounts::delete(store, ann, world.later()).await.unwrap();
    for user in [ann, bob, carl, dora, eve] {
        assert_eq!(store.contacts(user, None, 10).await.unwrap(), []);
        assert_eq!(store.requests(user, None, 10).await.unwrap(), []);
        assert_eq!(store.blocks(user, None, 10).await.unwrap(), []);
    }
    assert_eq!(store.recall(&key, NOW).await.unwrap(), None);
    assert!(!world.facts(direct).await.blocked);
    assert_eq!(world.view(ann, direct).await.unwrap().me.mentions, 0);
}

/// Not even by who proved the password a moment before.
pub async fn a_deleted_account_signs_no_device_in<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let device = world.new_device();
    Accounts::delete(store, ann, world.later()).await.unwrap();
    assert_eq!(store.sign_in(ann, device.clone(), 10).await.unwrap(), SignInOutcome::Gone);
    assert_eq!(store.devices(ann).await.unwrap(), []);
    assert!(!store.is_active(ann, device.id).await.unwrap());
}

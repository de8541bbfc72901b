//! Properties of [`Presences`](loquat_domain::ports::Presences).

use loquat_domain::ports::{Accounts, ProfileChange};
use loquat_proto::account::{LastSeenAudience, UpdateProfile};
use loquat_proto::{Privacy, UserId};

use super::contacts::befriend;
use super::{NOW, Ports, World};

async fn visible<S: Ports>(store: &S, watcher: UserId, users: &[UserId]) -> Vec<UserId> {
    let mut seen: Vec<_> =
        store.visible(watcher, users).await.unwrap().into_iter().map(|(user, _)| user).collect();
    seen.sort();
    seen
}

/// Who shares a conversation, unless hidden; oneself always; the deleted and the unknown never.
pub async fn presence_is_seen_by_who_shares_a_conversation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve, fay] = world.users().await;
    world.group(&[ann, bob, carl, dora]).await;
    world.direct(ann, eve).await;
    let unknown = world.user_id();
    let all = [ann, bob, carl, dora, eve, fay, unknown];
    for (user, last_seen) in [(bob, LastSeenAudience::Nobody), (carl, LastSeenAudience::Contacts)] {
        let privacy = Some(Privacy { last_seen, ..Privacy::default() }.into());
        let fields = UpdateProfile { privacy, ..UpdateProfile::default() };
        Accounts::update(store, user, ProfileChange { fields, ts: 1 }).await.unwrap();
    }
    assert_eq!(visible(store, ann, &all).await, [ann, dora, eve]);
    assert_eq!(visible(store, dora, &all).await, [ann, dora]);
    assert_eq!(visible(store, fay, &all).await, [fay]);
    assert_eq!(visible(store, unknown, &all).await, []);
    Accounts::delete(store, eve, world.later()).await.unwrap();
    assert_eq!(visible(store, ann, &all).await, [ann, dora]);
}

async fn set_audience<S: Ports>(store: &S, user: UserId, last_seen: LastSeenAudience) {
    let privacy = Some(Privacy { last_seen, ..Privacy::default() }.into());
    let fields = UpdateProfile { privacy, ..UpdateProfile::default() };
    Accounts::update(store, user, ProfileChange { fields, ts: 1 }).await.unwrap();
}

/// Without a conversation, and where only contacts may see; not where nobody may, and no longer than they are contacts.
pub async fn presence_is_seen_by_contacts<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve] = world.users().await;
    for contact in [bob, carl, dora] {
        befriend(&world, ann, contact).await;
    }
    world.group(&[ann, eve]).await;
    set_audience(store, carl, LastSeenAudience::Contacts).await;
    set_audience(store, dora, LastSeenAudience::Nobody).await;
    set_audience(store, eve, LastSeenAudience::Contacts).await;
    let all = [ann, bob, carl, dora, eve];
    assert_eq!(visible(store, ann, &all).await, [ann, bob, carl]);
    assert_eq!(visible(store, bob, &all).await, [ann, bob]);
    assert_eq!(visible(store, dora, &all).await, [ann, dora]);
    store.remove(carl, ann, world.later()).await.unwrap();
    assert_eq!(visible(store, ann, &all).await, [ann, bob]);
}

/// Contact or shared conversation notwithstanding; who blocks sees on, as far as the other one lets them.
pub async fn presence_is_hidden_from_the_blocked<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    befriend(&world, ann, bob).await;
    world.group(&[ann, bob, carl]).await;
    for blocked in [bob, carl] {
        store.block(ann, blocked, 10, NOW).await.unwrap();
        assert_eq!(visible(store, blocked, &[ann]).await, []);
        assert_eq!(visible(store, ann, &[blocked]).await, [blocked]);
    }
    store.unblock(ann, bob, NOW).await.unwrap();
    assert_eq!(visible(store, bob, &[ann]).await, [ann]);
    assert_eq!(visible(store, carl, &[ann]).await, []);
}

/// Later times win, for the user and for the device.
pub async fn last_seen_moves_forward_only<S: Ports>(store: &S) {
    let world = World::new(store);
    let (user, device) = (world.new_user("ann"), world.new_device());
    let ann = user.id;
    store.sign_up(user, device.clone()).await.unwrap();
    assert_eq!(store.visible(ann, &[ann]).await.unwrap(), [(ann, None)]);
    for (ts, kept) in [(NOW + 5, NOW + 5), (NOW + 3, NOW + 5), (NOW + 9, NOW + 9)] {
        store.save_last_seen(vec![(ann, device.id, ts), (world.user_id(), device.id, ts)]).await.unwrap();
        assert_eq!(store.visible(ann, &[ann]).await.unwrap(), [(ann, Some(kept))]);
        assert_eq!(store.devices(ann).await.unwrap()[0].last_seen, Some(kept));
    }
}

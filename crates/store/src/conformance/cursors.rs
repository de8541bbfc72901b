//! Properties of cursors and of what is unread.

use loquat_domain::ports::{Accounts, CursorMove, ProfileChange};
use loquat_proto::account::UpdateProfile;
use loquat_proto::conversation::Cursor;
use loquat_proto::{ConversationId, DeviceId, Privacy, Seq, UserId};

use super::{Ports, World};

async fn own<S: Ports>(world: &World<'_, S>, user: UserId, conversation: ConversationId) -> (Seq, Seq, u64) {
    let me = world.view(user, conversation).await.unwrap().me;
    (me.delivered, me.read, me.unread)
}

/// A move backwards changes nothing.
pub async fn cursors_move_forward_only<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 10).await;
    for (delivered, read, expected) in [
        (3, 0, (3, 0, 10)),
        (7, 5, (7, 5, 5)),
        (2, 1, (7, 5, 5)),
        (0, 0, (7, 5, 5)),
        (8, 4, (8, 5, 5)),
        (0, 10, (10, 10, 0)),
    ] {
        world.read_to(group, bob, delivered, read).await;
        assert_eq!(own(&world, bob, group).await, expected, "after {delivered}, {read}");
    }
    // In one flush, too.
    let device = DeviceId::new(1).unwrap();
    let moves = [9, 4].map(|read| CursorMove { conversation: group, user: ann, device, delivered: 0, read });
    store.save_cursors(moves.to_vec()).await.unwrap();
    assert_eq!(own(&world, ann, group).await, (9, 9, 0));
}

/// Nobody has read what is not there.
pub async fn cursors_stop_at_the_head<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 3).await;
    world.read_to(group, bob, 99, 50).await;
    assert_eq!(own(&world, bob, group).await, (3, 3, 0));
    world.chatter(group, ann, 1).await;
    assert_eq!(own(&world, bob, group).await, (3, 3, 1));
}

/// Who has read a message has got it.
pub async fn reading_implies_delivery<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 5).await;
    world.read_to(group, bob, 2, 4).await;
    assert_eq!(own(&world, bob, group).await, (4, 4, 1));
}

/// A move of who is no member, or in no conversation, is ignored, and its neighbours are not.
pub async fn moves_of_strangers_are_ignored<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 2).await;
    let device = DeviceId::new(1).unwrap();
    let to = |conversation, user| CursorMove { conversation, user, device, delivered: 2, read: 2 };
    let moves = vec![to(group, eve), to(world.conversation_id(), bob), to(group, bob)];
    store.save_cursors(moves).await.unwrap();
    assert_eq!(own(&world, bob, group).await, (2, 2, 0));
    assert_eq!(store.cursors(group).await.unwrap().len(), 2);
    assert_eq!(world.view(eve, group).await, None);
}

/// `delivered` is the furthest of the devices.
pub async fn the_furthest_device_is_shown<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 5).await;
    for (device, delivered, furthest) in [(1, 2, 2), (2, 4, 4), (1, 3, 4), (1, 5, 5)] {
        let device = DeviceId::new(device).unwrap();
        let cursor = CursorMove { conversation: group, user: bob, device, delivered, read: 0 };
        store.save_cursors(vec![cursor]).await.unwrap();
        let shown = world.view(ann, group).await.unwrap().cursors;
        assert!(shown.contains(&Cursor { user: bob, delivered: furthest, read: 0 }), "{shown:?}");
    }
}

/// Who hides receipts shows others that nothing was read, but sees the own cursor; delivery is shown.
pub async fn hidden_receipts_say_nothing_was_read<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 3).await;
    world.read_to(group, bob, 3, 2).await;
    let hide = |read_receipts| {
        let privacy = Some(Privacy { read_receipts, ..Privacy::default() }.into());
        let fields = UpdateProfile { privacy, ..UpdateProfile::default() };
        Accounts::update(store, bob, ProfileChange { fields, ts: 1 })
    };
    for (shown, read) in [(true, 2), (false, 0), (true, 2)] {
        hide(shown).await.unwrap();
        let theirs = Cursor { user: bob, delivered: 3, read };
        assert!(store.cursors(group).await.unwrap().contains(&theirs));
        assert!(world.view(ann, group).await.unwrap().cursors.contains(&theirs));
        let members = store.members(ann, group, None, 10).await.unwrap().unwrap();
        assert!(members.iter().any(|member| member.user == bob && member.read == read));
        let own = world.view(bob, group).await.unwrap();
        assert_eq!(own.me.read, 2);
        assert!(own.cursors.contains(&Cursor { user: bob, delivered: 3, read: 2 }));
        let facts = world.facts(group).await;
        let facts = facts.members.iter().find(|member| member.user == bob).unwrap();
        assert_eq!((facts.read, facts.read_receipts), (2, shown), "lanes know the truth");
    }
}

/// Only messages count, and only those of others.
pub async fn own_messages_are_never_unread<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let events = vec![
        world.message(ann, "1"),
        world.message(bob, "2"),
        world.react(ann, 2, "👍", true),
        world.message(bob, "4"),
        world.edit(ann, 1, "5"),
        world.message(ann, "6"),
    ];
    world.append(group, events).await;
    assert_eq!((own(&world, ann, group).await.2, own(&world, bob, group).await.2), (2, 2));
    // A read cursor behind own messages: those do not count, before and after the move.
    for (read, for_ann, for_bob) in [(1, 2, 1), (2, 1, 1), (3, 1, 1), (4, 0, 1), (6, 0, 0)] {
        world.read_to(group, ann, 0, read).await;
        world.read_to(group, bob, 0, read).await;
        let unread = (own(&world, ann, group).await.2, own(&world, bob, group).await.2);
        assert_eq!(unread, (for_ann, for_bob), "read to {read}");
    }
    // An erased message still counts: erasure keeps the skeleton.
    world.say(group, ann, "7").await;
    world.append_one(group, world.delete(ann, 7)).await;
    assert_eq!(own(&world, bob, group).await.2, 1);
}

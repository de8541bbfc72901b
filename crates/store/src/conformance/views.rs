//! Properties of [`Conversations::views`](loquat_domain::ports::Conversations::views).

use std::collections::BTreeSet;

use loquat_domain::ports::{Accounts, ProfileChange, ViewQuery};
use loquat_proto::account::UpdateProfile;
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::{ConversationId, Timestamp, UserId};

use super::{Ports, World};

async fn newest<S: Ports>(
    store: &S,
    viewer: UserId,
    after: Option<(Timestamp, ConversationId)>,
    limit: usize,
) -> (Vec<(Timestamp, ConversationId)>, bool) {
    let slice = store.views(viewer, ViewQuery::Newest { after, limit }).await.unwrap();
    (slice.items.iter().map(|view| (view.last_activity, view.id)).collect(), slice.more)
}

/// Newest activity first; creation counts as activity.
pub async fn the_newest_activity_comes_first<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let groups = [world.group(&[ann]).await, world.group(&[ann, bob]).await, world.group(&[ann]).await];
    let order = |viewer| async move {
        newest(store, viewer, None, 10).await.0.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(order(ann).await, [groups[2], groups[1], groups[0]]);
    world.say(groups[0], ann, "text").await;
    world.append_one(groups[1], world.join(ann, world.user("carl").await, false)).await;
    assert_eq!(order(ann).await, [groups[1], groups[0], groups[2]]);
    assert_eq!(order(bob).await, [groups[1]]);
    // Cursors and preferences are no activity.
    world.read_to(groups[0], ann, 1, 1).await;
    assert_eq!(order(ann).await[0], groups[1]);
}

/// Paging meets every conversation once, also those of the same millisecond.
pub async fn pages_of_views_cover_all_once<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let mut groups = BTreeSet::new();
    for number in 0..13 {
        let group = world.group(&[ann]).await;
        let mut message = world.message(ann, "text");
        message.ts = 1000 + number / 5;
        world.append_one(group, message).await;
        groups.insert(group);
    }
    for limit in [1, 4, 13] {
        let (mut after, mut met) = (None, Vec::new());
        loop {
            let (page, more) = newest(store, ann, after, limit).await;
            assert!(page.len() <= limit);
            met.extend(page.iter().copied());
            after = met.last().copied();
            if !more {
                break;
            }
        }
        assert_eq!(met.len(), 13);
        assert_eq!(met.iter().map(|(_, id)| *id).collect::<BTreeSet<_>>(), groups);
        assert!(met.is_sorted_by(|one, next| one > next));
    }
}

/// Whatever moved after a position is there: log, cursors of anybody, own preferences, new memberships. What was
/// quiet is not.
pub async fn changed_since_misses_nothing<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let mut groups = Vec::new();
    for _ in 0..6 {
        let group = world.group(&[ann, bob]).await;
        world.chatter(group, bob, 2).await;
        groups.push(group);
    }
    let since = store.position(ann).await.unwrap().pos;
    let changed = |pos| async move {
        let slice = store.views(ann, ViewQuery::ChangedSince { pos, limit: 100 }).await.unwrap();
        slice.items.iter().map(|view| view.id).collect::<BTreeSet<_>>()
    };
    assert_eq!(changed(since).await, BTreeSet::new());
    assert_eq!(changed(0).await.len(), 6);
    world.say(groups[0], bob, "text").await;
    world.read_to(groups[1], bob, 2, 2).await;
    let preferences = UpdatePreferences { draft: Some(Some("x".into())), ..UpdatePreferences::default() };
    store.set_preferences(ann, groups[2], preferences.clone(), world.later()).await.unwrap().unwrap();
    // Another member's preferences are none of the viewer's.
    store.set_preferences(bob, groups[3], preferences, world.later()).await.unwrap().unwrap();
    let new = world.group(&[bob]).await;
    world.append_one(new, world.join(bob, ann, true)).await;
    let expected: BTreeSet<_> = groups[..3].iter().copied().chain([new]).collect();
    assert_eq!(changed(since).await, expected);
    let slice = store.views(ann, ViewQuery::ChangedSince { pos: since, limit: 2 }).await.unwrap();
    assert_eq!((slice.items.len(), slice.more), (2, true));
    assert!(slice.position.pos > since);
    assert_eq!(changed(slice.position.pos).await, BTreeSet::new());
}

/// Every field of a view, for one member.
pub async fn a_view_says_what_the_member_may_see<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.chatter(group, ann, 2).await;
    let message = world.mentioning(ann, &[bob]);
    let ts = message.ts;
    world.append_one(group, message).await;
    world.read_to(group, bob, 2, 1).await;
    let view = world.view(bob, group).await.unwrap();
    assert_eq!((view.title.as_str(), view.member_count, view.head, view.visible_from), ("Harvest", 2, 3, 1));
    assert_eq!((view.owner, view.last_activity, view.peer), (Some(ann), ts, None));
    assert_eq!(view.last_message.as_ref().map(|message| message.seq), Some(3));
    assert_eq!((view.me.delivered, view.me.read, view.me.unread, view.me.mentions), (2, 1, 2, 1));
    let cursors: Vec<_> = view.cursors.iter().map(|c| (c.user, c.delivered, c.read)).collect();
    assert_eq!(cursors, [(ann, 0, 0), (bob, 2, 1)]);
    // The last message stays the last message when something else happens.
    world.append_one(group, world.pin(ann, 1, true)).await;
    let view = world.view(bob, group).await.unwrap();
    assert_eq!((view.head, view.last_message.unwrap().seq), (4, 3));
}

/// The peer's profile, as it is now.
pub async fn direct_conversations_show_the_peer<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let direct = world.direct(ann, bob).await;
    let fields = UpdateProfile { display_name: Some("Bobby".into()), ..UpdateProfile::default() };
    Accounts::update(store, bob, ProfileChange { fields, ts: 1 }).await.unwrap();
    let view = world.view(ann, direct).await.unwrap();
    let peer = view.peer.unwrap();
    assert_eq!((peer.id, peer.username.as_str(), peer.display_name.as_str()), (bob, "user1", "Bobby"));
    assert_eq!((view.owner, view.member_count), (None, 2));
    assert_eq!(world.view(bob, direct).await.unwrap().peer.unwrap().id, ann);
}

/// Above 256 members no cursors are listed.
pub async fn large_conversations_leave_cursors_out<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let mut members = vec![ann];
    for number in 0..256 {
        members.push(world.user(&format!("reader{number}")).await);
    }
    let (large, fitting) = (world.group(&members).await, world.group(&members[..256]).await);
    assert_eq!(world.view(ann, large).await.unwrap().cursors, []);
    assert_eq!(world.view(ann, large).await.unwrap().member_count, 257);
    assert_eq!(world.view(ann, fitting).await.unwrap().cursors.len(), 256);
}

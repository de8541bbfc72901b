//! Properties of [`Change`]: what events do besides standing in the log.

use loquat_domain::ports::{Change, EventRange, MessageWindow, NewEvent};
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::event::{MemberBody, MemberChange, SettingsBody};
use loquat_proto::{
    ConversationId, Event, EventBody, Format, Message, Permissions, Reaction, Retention, Role, Seq, UserId,
};

use super::{Ports, World};

async fn message<S: Ports>(
    world: &World<'_, S>,
    viewer: UserId,
    conversation: ConversationId,
    seq: Seq,
) -> Message {
    world.store.message(viewer, conversation, seq).await.unwrap().unwrap()
}

/// The last edit wins, and says when.
pub async fn the_newest_edit_is_shown<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.say(group, ann, "one").await;
    world.append_one(group, world.edit(ann, 1, "two")).await;
    let edit = world.edit(ann, 1, "three");
    let ts = edit.ts;
    world.append_one(group, edit).await;
    let shown = message(&world, bob, group, 1).await;
    assert_eq!(shown.text.as_deref(), Some("three"));
    assert_eq!((shown.format, shown.edited_at, shown.deleted), (Format::Markdown, Some(ts), false));
    let page = store.messages(bob, group, MessageWindow::Latest, 10).await.unwrap().unwrap();
    assert_eq!(page.items, std::slice::from_ref(&shown));
    assert_eq!(world.view(bob, group).await.unwrap().last_message, Some(shown));
}

/// Bodies of the message, its edits and its reactions are null wherever they are read; everything else stays.
pub async fn erasure_reaches_every_copy_and_keeps_the_skeleton<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let events = vec![
        world.mentioning(ann, &[bob]),
        world.message(bob, "stays"),
        world.edit(ann, 1, "edited"),
        world.react(bob, 1, "👍", true),
        world.react(bob, 2, "👍", true),
        world.pin(ann, 1, true),
    ];
    world.append(group, events).await;
    let before = store.events(ann, group, EventRange::After(0), 10).await.unwrap().unwrap().items;
    assert_eq!(world.view(bob, group).await.unwrap().me.mentions, 1);
    world.append_one(group, world.delete(ann, 1)).await;
    let after = store.events(ann, group, EventRange::After(0), 10).await.unwrap().unwrap().items;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.body.is_none(), [1, 3, 4].contains(&after.seq), "{after:?}");
        assert_eq!(Event { body: None, ..after.clone() }, Event { body: None, ..before.clone() });
    }
    assert_eq!(after.len(), 7);
    let shown = message(&world, bob, group, 1).await;
    let erased = (shown.text, shown.deleted, shown.pinned, shown.edited_at, shown.mentions, shown.reactions);
    assert_eq!(erased, (None, true, false, None, vec![], vec![]));
    assert_eq!(message(&world, bob, group, 2).await.reactions.len(), 1);
    assert_eq!(world.view(bob, group).await.unwrap().me.mentions, 0);
    let tailed = store.tail(0, 10).await.unwrap();
    assert!(tailed.iter().find(|tailed| tailed.event.seq == 1).unwrap().event.body.is_none());
}

/// Emoji in the order in which they came to stand; an emoji that nobody holds any more begins anew.
pub async fn reactions_stand_in_the_order_of_first_use<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob, eve]).await;
    world.say(group, ann, "text").await;
    let show = |viewer| {
        let world = &world;
        async move {
            let shown = message(world, viewer, group, 1).await.reactions;
            shown.into_iter().map(|Reaction { emoji, count, me }| (emoji, count, me)).collect::<Vec<_>>()
        }
    };
    for (user, emoji) in [(bob, "👍"), (ann, "🍅"), (eve, "👍")] {
        world.append_one(group, world.react(user, 1, emoji, true)).await;
    }
    assert_eq!(show(eve).await, [("👍".into(), 2, true), ("🍅".into(), 1, false)]);
    // The first one goes, but the emoji has stood all the time.
    world.append_one(group, world.react(bob, 1, "👍", false)).await;
    assert_eq!(show(bob).await, [("👍".into(), 1, false), ("🍅".into(), 1, false)]);
    world.append_one(group, world.react(eve, 1, "👍", false)).await;
    world.append_one(group, world.react(bob, 1, "👍", true)).await;
    assert_eq!(show(bob).await, [("🍅".into(), 1, false), ("👍".into(), 1, true)]);
}

/// Pins are shown until they are taken off.
pub async fn pins_come_and_go<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 2).await;
    for on in [true, false] {
        world.append_one(group, world.pin(ann, 1, on)).await;
        assert_eq!(message(&world, ann, group, 1).await.pinned, on);
        assert!(!message(&world, ann, group, 2).await.pinned);
    }
}

/// Pages of pins go down from the newest message, within what the viewer may see; an erased message is none.
pub async fn pins_are_paged_from_the_newest<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 6).await;
    for seq in [2, 5, 3, 6] {
        world.append_one(group, world.pin(ann, seq, true)).await;
    }
    world.append_one(group, world.delete(ann, 6)).await;
    world.append_one(group, world.join(ann, bob, true)).await;
    let pinned = async |viewer, before, limit| {
        let page = store.pinned(viewer, group, before, limit).await.unwrap();
        page.map(|page| page.iter().map(|message| (message.seq, message.pinned)).collect::<Vec<_>>())
    };
    assert_eq!(pinned(ann, None, 10).await, Some(vec![(5, true), (3, true), (2, true)]));
    assert_eq!(pinned(ann, None, 2).await, Some(vec![(5, true), (3, true)]));
    assert_eq!(pinned(ann, Some(3), 2).await, Some(vec![(2, true)]));
    assert_eq!(pinned(bob, None, 10).await, Some(vec![]), "joined later");
    assert_eq!(pinned(eve, None, 10).await, None, "no member");
}

/// A lane that loads the conversation knows when each member last sent, across a leave and a return.
pub async fn the_last_send_is_known_even_after_a_return<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let last_sent = async |user| {
        let facts = world.facts(group).await;
        facts.members.iter().find(|member| member.user == user).and_then(|member| member.last_sent)
    };
    assert_eq!(last_sent(bob).await, None);
    let (first, second) = (world.message(bob, "one"), world.message(bob, "two"));
    let ts = second.ts;
    world.append(group, vec![first, second, world.message(ann, "three")]).await;
    assert_eq!(last_sent(bob).await, Some(ts));
    world.append_one(group, world.react(bob, 1, "👍", true)).await;
    assert_eq!(last_sent(bob).await, Some(ts), "only messages count");
    world.append_one(group, world.leave(bob)).await;
    world.append_one(group, world.join(ann, bob, false)).await;
    assert_eq!(last_sent(bob).await, Some(ts));
}

/// With the whole history or from the join on; in both nothing of before is unread.
pub async fn who_joins_sees_from_the_start_or_from_here<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 3).await;
    assert_eq!(world.append_one(group, world.join(ann, bob, false)).await, 4);
    assert_eq!(world.append_one(group, world.join(ann, eve, true)).await, 5);
    world.say(group, ann, "welcome").await;
    let (full, here) = (world.view(bob, group).await.unwrap(), world.view(eve, group).await.unwrap());
    assert_eq!((full.visible_from, full.me.read, full.me.unread, full.member_count), (1, 3, 1, 3));
    assert_eq!((here.visible_from, here.me.read, here.me.unread, here.head), (5, 4, 1, 6));
    let members: Vec<_> = world.facts(group).await.members.iter().map(|member| member.user).collect();
    assert_eq!(members, [ann, bob, eve], "oldest membership first");
}

/// A membership that ends takes cursors, preferences and mentions along; a later one begins anew.
pub async fn who_leaves_is_gone_with_cursors_and_preferences<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.append_one(group, world.mentioning(ann, &[bob])).await;
    world.read_to(group, bob, 1, 0).await;
    let preferences = UpdatePreferences { pinned: Some(true), ..UpdatePreferences::default() };
    store.set_preferences(bob, group, preferences, world.later()).await.unwrap().unwrap();
    world.append_one(group, world.leave(bob)).await;
    assert_eq!(world.view(bob, group).await, None);
    assert_eq!(world.facts(group).await.members.len(), 1);
    assert_eq!(world.view(ann, group).await.unwrap().member_count, 1);
    assert!(store.cursors(group).await.unwrap().iter().all(|cursor| cursor.user == ann));
    world.append_one(group, world.join(ann, bob, false)).await;
    let me = world.view(bob, group).await.unwrap().me;
    assert_eq!((me.delivered, me.read, me.unread, me.mentions, me.pinned), (2, 2, 0, 0, false));
}

/// Roles change; whoever becomes owner owns the conversation.
pub async fn roles_and_ownership_move<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let role = |user, role| {
        let body = EventBody::Member(MemberBody { user, change: MemberChange::Role, role, by: ann });
        NewEvent::new(ann, world.later(), &body, Change::Role { user, role })
    };
    assert_eq!(world.view(bob, group).await.unwrap().owner, Some(ann));
    world.append(group, vec![role(ann, Role::Admin), role(bob, Role::Owner)]).await;
    let view = world.view(bob, group).await.unwrap();
    assert_eq!((view.owner, view.me.role), (Some(bob), Role::Owner));
    let roles: Vec<_> = world.facts(group).await.members.iter().map(|member| member.role).collect();
    assert_eq!(roles, [Role::Admin, Role::Owner]);
}

/// Only the fields that are given change; views and lanes see the same.
pub async fn settings_change_field_by_field<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let everyone = Role::Guest;
    let permissions = Permissions { post: everyone, invite: everyone, edit_info: Role::Owner, pin: everyone };
    let changes = [
        SettingsBody { title: Some("Plough".into()), ..SettingsBody::default() },
        SettingsBody { description: Some("🌾".into()), ..SettingsBody::default() },
        SettingsBody { avatar: Some(Some("a1".into())), ..SettingsBody::default() },
        SettingsBody { retention: Some(Retention::Ttl { seconds: 60 }), ..SettingsBody::default() },
        SettingsBody { permissions: Some(permissions), ..SettingsBody::default() },
        SettingsBody { slow_mode_ms: Some(500), ..SettingsBody::default() },
    ];
    for change in changes {
        let body = EventBody::Settings(change.clone());
        let event = NewEvent::new(ann, world.later(), &body, Change::Settings(change));
        world.append_one(group, event).await;
    }
    let whole = SettingsBody {
        title: Some("Plough".into()),
        description: Some("🌾".into()),
        avatar: Some(Some("a1".into())),
        retention: Some(Retention::Ttl { seconds: 60 }),
        permissions: Some(permissions),
        slow_mode_ms: Some(500),
    };
    assert_eq!(world.facts(group).await.settings, whole);
    let view = world.view(ann, group).await.unwrap();
    assert_eq!((view.title.as_str(), view.avatar.as_deref(), view.slow_mode_ms), ("Plough", Some("a1"), 500));
    assert_eq!((view.permissions, view.retention), (permissions, Retention::Ttl { seconds: 60 }));
    let change = SettingsBody { avatar: Some(None), ..SettingsBody::default() };
    let body = EventBody::Settings(change.clone());
    world.append_one(group, NewEvent::new(ann, world.later(), &body, Change::Settings(change))).await;
    assert_eq!(world.facts(group).await.settings, SettingsBody { avatar: Some(None), ..whole });
}

/// Mentions count for who is mentioned, until read.
pub async fn mentions_count_while_unread<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob, eve]).await;
    for mentions in [vec![bob], vec![bob, eve], vec![]] {
        world.append_one(group, world.mentioning(ann, &mentions)).await;
    }
    let mentions = |user| {
        let world = &world;
        async move { world.view(user, group).await.unwrap().me.mentions }
    };
    assert_eq!((mentions(ann).await, mentions(bob).await, mentions(eve).await), (0, 2, 1));
    world.read_to(group, bob, 0, 1).await;
    assert_eq!((mentions(bob).await, mentions(eve).await), (1, 1));
    world.read_to(group, bob, 0, 3).await;
    assert_eq!(mentions(bob).await, 0);
}

//! Properties of channels: members in the directory and not in the log, however many there are.

use loquat_domain::ports::{Append, AppendOutcome, Change, NewEvent, Placement, ViewQuery};
use loquat_proto::event::{MemberBody, MemberChange};
use loquat_proto::{ConversationId, ConversationKind, EventBody, Role, Seq, UserId};

use super::world::named;
use super::{Ports, World};

async fn channel<S: Ports>(world: &World<'_, S>, members: &[UserId]) -> ConversationId {
    let conversation = world.new_conversation(ConversationKind::Channel, members);
    let id = conversation.id;
    world.create(conversation).await;
    id
}

fn unlogged(event: NewEvent) -> NewEvent {
    NewEvent { logged: false, ..event }
}

fn promotion<S: Ports>(world: &World<'_, S>, by: UserId, user: UserId, role: Role) -> NewEvent {
    let body = MemberBody { user, change: MemberChange::Role, role, by };
    NewEvent::new(by, world.later(), &EventBody::Member(body), Change::Role { user, role })
}

/// Loading a channel tells how many members it has, and of members what is asked for.
pub async fn members_are_read_as_asked_for<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let channel = channel(&world, &[ann, bob]).await;
    world.say(channel, bob, "hello").await;
    world.read_to(channel, bob, 1, 1).await;
    let facts = world.facts(channel).await;
    assert_eq!((facts.kind, facts.member_count, facts.members), (ConversationKind::Channel, 2, vec![]));
    let found = store.memberships(channel, vec![eve, bob]).await.unwrap();
    let [member] = &found[..] else { panic!("{found:?}") };
    assert_eq!((member.user, member.role, member.visible_from), (bob, Role::Member, 1));
    assert_eq!((member.delivered, member.read, member.last_sent.is_some()), (1, 1, true));
    assert!(store.memberships(world.conversation_id(), vec![bob]).await.unwrap().is_empty());

    let group = world.group(&[ann, bob]).await;
    let facts = world.facts(group).await;
    assert_eq!((facts.member_count, facts.members.len()), (2, 2), "of others everyone is loaded");
}

/// What is not logged leaves the log as it is, and the version tells whoever knew the members of before.
pub async fn an_unlogged_change_takes_no_seq_and_moves_the_version<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let channel = channel(&world, &[ann]).await;
    world.say(channel, ann, "one").await;
    let before = world.facts(channel).await;
    let joins = vec![unlogged(world.join(ann, bob, false)), unlogged(world.join(ann, eve, true))];
    let placements = world.append(channel, joins).await;
    assert_eq!(placements.iter().map(|placement| placement.seq).collect::<Vec<_>>(), [1, 1]);
    let after = world.facts(channel).await;
    assert_eq!((after.head, after.version, after.member_count), (1, before.version + 2, 3));
    let old = Append {
        conversation: channel,
        expected_head: before.head,
        expected_version: before.version,
        events: vec![world.message(ann, "late")],
    };
    assert_eq!(store.append_many(vec![old]).await.unwrap(), [AppendOutcome::Conflict]);
    assert_eq!(store.tail(0, 10).await.unwrap().len(), 1);

    let (full, here) = (world.view(bob, channel).await.unwrap(), world.view(eve, channel).await.unwrap());
    assert_eq!((full.visible_from, full.me.read, full.me.unread), (1, 1, 0));
    assert_eq!((here.visible_from, here.me.read, here.last_message), (2, 1, None));
    // A role that is logged and a leave that is not, in one append.
    let leave = unlogged(world.leave(ann));
    let placements = world.append(channel, vec![promotion(&world, ann, eve, Role::Owner), leave]).await;
    let place = |placement: &Placement| (placement.seq, placement.replayed);
    assert_eq!(placements.iter().map(place).collect::<Vec<_>>(), [(2, false), (2, false)]);
    assert_eq!(world.view(ann, channel).await, None);
    let view = world.view(eve, channel).await.unwrap();
    assert_eq!((view.owner, view.head, view.member_count), (Some(eve), 2, 2));
    assert_eq!(world.say(channel, eve, "three").await, 3);
    assert_eq!(world.view(eve, channel).await.unwrap().visible_from, 2);
}

/// A retry of such a change gets its first result, before head and version are looked at; its nonce is taken for
/// everything else.
pub async fn unlogged_changes_are_known_by_their_nonces<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (channel, other) = (channel(&world, &[ann]).await, channel(&world, &[ann]).await);
    let join = |nonce| named(unlogged(world.join(ann, bob, false)), nonce);
    world.say(channel, ann, "one").await;
    let first = world.append(channel, vec![join("n-1")]).await[0];
    assert!(!first.replayed);
    world.say(channel, ann, "two").await;
    let replay = Placement { replayed: true, ..first };
    assert_eq!(store.find_nonce(channel, ann, &"n-1".parse().unwrap()).await.unwrap(), Some(replay));
    let stale =
        Append { conversation: channel, expected_head: 0, expected_version: 0, events: vec![join("n-1")] };
    let outcome = store.append_many(vec![stale]).await.unwrap().remove(0);
    assert!(matches!(outcome, AppendOutcome::Appended { placements, .. } if placements == [replay]));
    let sent = world.append(channel, vec![named(world.message(ann, "other"), "n-1")]).await;
    assert_eq!((sent[0], world.facts(channel).await.head), (replay, 2), "one namespace");
    for (conversation, sender) in [(channel, bob), (other, ann)] {
        assert_eq!(store.find_nonce(conversation, sender, &"n-1".parse().unwrap()).await.unwrap(), None);
    }
    let fresh = world.append(other, vec![join("n-1")]).await[0];
    assert!(!fresh.replayed && fresh.seq == 0, "an empty log has its head at 0");
}

/// Sessions that begin listen to these.
pub async fn channels_of_a_user_are_listed<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (one, two) = (channel(&world, &[ann, bob]).await, channel(&world, &[bob]).await);
    world.group(&[ann, bob]).await;
    world.direct(ann, bob).await;
    assert_eq!(store.channels(ann).await.unwrap(), [one]);
    let mut both = store.channels(bob).await.unwrap();
    both.sort_unstable();
    assert_eq!(both, [one, two]);
    world.append(one, vec![unlogged(world.leave(bob))]).await;
    assert_eq!(store.channels(bob).await.unwrap(), [two]);
}

/// The highest role first, then the oldest membership.
pub async fn the_heir_is_the_oldest_of_the_highest_role<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve, zoe] = world.users().await;
    let channel = channel(&world, &[ann]).await;
    assert_eq!(store.heir(channel, ann).await.unwrap(), None);
    for user in [zoe, bob, eve] {
        world.append(channel, vec![unlogged(world.join(ann, user, false))]).await;
    }
    assert_eq!(store.heir(channel, ann).await.unwrap(), Some(zoe));
    for (user, role) in [(eve, Role::Admin), (zoe, Role::Guest), (bob, Role::Admin)] {
        world.append(channel, vec![promotion(&world, ann, user, role)]).await;
    }
    assert_eq!(store.heir(channel, ann).await.unwrap(), Some(bob));
    assert_eq!(store.heir(channel, bob).await.unwrap(), Some(ann));
}

/// Where members do not see one another's cursors, a moved one is news for its own user only; a message is for all.
pub async fn cursors_of_large_channels_are_news_for_their_own_user<S: Ports>(store: &S) {
    let world = World::new(store);
    let mut users = Vec::new();
    for number in 0..257 {
        users.push(world.user(&format!("user{number}")).await);
    }
    let channel = channel(&world, &users).await;
    world.say(channel, users[0], "hello").await;
    let changed = async |user: UserId, pos: u64| {
        let query = ViewQuery::ChangedSince { pos, limit: 10 };
        let slice = store.views(user, query).await.unwrap();
        slice.items.iter().map(|view| (view.head, view.me.unread, view.cursors.len())).collect::<Vec<_>>()
    };
    let since = store.position(users[1]).await.unwrap().pos;
    world.read_to(channel, users[1], 1, 1).await;
    assert_eq!(changed(users[1], since).await, [(1, 0, 0)]);
    assert_eq!(changed(users[2], since).await, []);
    let since = store.position(users[2]).await.unwrap().pos;
    let head: Seq = world.say(channel, users[0], "again").await;
    assert_eq!(
        (changed(users[1], since).await, changed(users[2], since).await),
        (vec![(head, 1, 0)], vec![(head, 2, 0)])
    );
    // One less: they see one another's again.
    let since = store.position(users[2]).await.unwrap().pos;
    world.append(channel, vec![unlogged(world.leave(users[3]))]).await;
    assert_eq!(changed(users[2], since).await, [(head, 2, 256)]);
    let since = store.position(users[2]).await.unwrap().pos;
    world.read_to(channel, users[1], 2, 2).await;
    assert_eq!(changed(users[2], since).await.len(), 1);
}

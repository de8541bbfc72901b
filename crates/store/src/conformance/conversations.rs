//! Properties of [`Conversations`](loquat_domain::ports::Conversations): making, loading, members, preferences.

use loquat_domain::ports::{
    Append, AppendOutcome, Change, Conversations, Creation, CreationOutcome, EventRange, MessageWindow,
    NewEvent, Standing, ViewQuery,
};
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::event::{MemberBody, MemberChange};
use loquat_proto::{AccountEventKind, ConversationKind, EventBody, Permissions, Role};
use serde_json::json;

use super::world::named;
use super::{Ports, World};

/// Members, events and account entries are there with the conversation; first events are not applied again.
pub async fn a_creation_is_whole<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let mut conversation = world.new_conversation(ConversationKind::Group, &[ann, bob]);
    let (group, ts) = (conversation.id, conversation.ts);
    let body = MemberBody { user: bob, change: MemberChange::Joined, role: Role::Member, by: ann };
    let change = Change::Join { user: bob, role: Role::Member, from_here: true };
    let joined = NewEvent::new(ann, ts, &EventBody::Member(body), change);
    conversation.events = vec![joined, named(world.message(ann, "hello"), "n1")];
    let kind = AccountEventKind::ConversationJoined;
    let account = [ann, bob].map(|user| (user, kind, json!({ "conversation": group }))).to_vec();
    let outcome = store.create(Creation { conversation, account }).await.unwrap();
    let CreationOutcome::Created { account } = outcome else { panic!("created") };
    assert_eq!(account.iter().map(|entry| entry.user).collect::<Vec<_>>(), [ann, bob]);
    assert!(account.iter().all(|entry| entry.event.pos == 1 && entry.event.kind == kind));
    assert_eq!(store.after(bob, 0, 10).await.unwrap(), [account[1].event.clone()]);

    let facts = world.facts(group).await;
    assert_eq!((facts.head, facts.version, facts.members.len(), facts.blocked), (2, 0, 2, false));
    assert!(facts.members.iter().all(|member| member.visible_from == 1 && member.joined_at == ts));
    let view = world.view(bob, group).await.unwrap();
    assert_eq!((view.me.unread, view.me.read, view.owner, view.created_at), (1, 0, Some(ann), ts));
    assert_eq!(world.view(ann, group).await.unwrap().me.unread, 0);
    let known = store.find_nonce(group, ann, &"n1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(known.seq, 2);
    assert_eq!(store.events(bob, group, EventRange::After(0), 9).await.unwrap().unwrap().items.len(), 2);
}

/// Two users have one direct conversation, whoever opens it.
pub async fn a_pair_has_one_direct_conversation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let direct = world.direct(ann, bob).await;
    for members in [[ann, bob], [bob, ann]] {
        let again = world.new_conversation(ConversationKind::Direct, &members);
        let account = vec![(bob, AccountEventKind::ConversationJoined, json!({}))];
        let outcome = store.create(Creation { conversation: again, account }).await.unwrap();
        assert_eq!(outcome, CreationOutcome::Existing(direct));
    }
    assert_eq!(store.position(bob).await.unwrap().account, 0, "nobody is told of what was not made");
    assert_ne!(world.direct(ann, eve).await, direct);
    assert_ne!(world.group(&[ann, bob]).await, direct);
}

/// Of creations at the same time one wins, and the others get it.
pub async fn concurrent_creations_make_one_direct_conversation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let create = |members: [_; 2]| {
        let conversation = world.new_conversation(ConversationKind::Direct, &members);
        let id = conversation.id;
        let world = &world;
        async move {
            match world.create(conversation).await {
                CreationOutcome::Created { .. } => (id, true),
                CreationOutcome::Existing(existing) => (existing, false),
                CreationOutcome::IdTaken | CreationOutcome::Blocked => {
                    panic!("ids are unique, nobody is blocked")
                }
            }
        }
    };
    let (a, b, c, d) =
        tokio::join!(create([ann, bob]), create([bob, ann]), create([ann, bob]), create([bob, ann]));
    let all = [a, b, c, d];
    assert_eq!(all.iter().filter(|(_, created)| *created).count(), 1);
    assert!(all.iter().all(|(id, _)| *id == a.0));
    let slice = store.views(ann, ViewQuery::Newest { after: None, limit: 10 }).await.unwrap();
    assert_eq!(slice.items.len(), 1);
}

/// An id that is taken is refused, and nothing of the creation is there.
pub async fn a_taken_id_is_refused<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    let mut conversation = world.new_conversation(ConversationKind::Group, &[bob]);
    conversation.id = group;
    let account = vec![(bob, AccountEventKind::ConversationJoined, json!({}))];
    let outcome = store.create(Creation { conversation, account }).await.unwrap();
    assert_eq!(outcome, CreationOutcome::IdTaken);
    assert_eq!(world.view(bob, group).await, None);
    assert_eq!(store.position(bob).await.unwrap().account, 0);
}

/// Absence is `None`, not an error.
pub async fn nothing_is_loaded_of_what_is_not_there<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let nowhere = world.conversation_id();
    assert_eq!(store.load(nowhere).await.unwrap(), None);
    assert_eq!(world.view(ann, nowhere).await, None);
    assert_eq!(store.members(ann, nowhere, None, 10).await.unwrap(), None);
    assert_eq!(store.events(ann, nowhere, EventRange::After(0), 10).await.unwrap(), None);
    assert_eq!(store.messages(ann, nowhere, MessageWindow::Latest, 10).await.unwrap(), None);
    let unchanged = UpdatePreferences::default();
    assert_eq!(store.set_preferences(ann, nowhere, unchanged, world.later()).await.unwrap(), None);
    assert_eq!(store.cursors(nowhere).await.unwrap(), []);
    assert_eq!(Conversations::delete(store, nowhere, world.later()).await.unwrap(), []);
}

/// Members come by ascending id with their profiles; only members are told.
pub async fn members_are_paged_by_id<S: Ports>(store: &S) {
    let world = World::new(store);
    let users: [_; 5] = world.users().await;
    let stranger = world.user("stranger").await;
    let group = world.group(&[users[3], users[0], users[4], users[1], users[2]]).await;
    let (mut after, mut met) = (None, Vec::new());
    loop {
        let page = store.members(users[2], group, after, 2).await.unwrap().unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.user);
        met.extend(page);
    }
    assert_eq!(met.iter().map(|member| member.user).collect::<Vec<_>>(), users);
    assert!(met.iter().all(|member| member.profile.id == member.user));
    assert_eq!(met[3].role, Role::Owner);
    assert_eq!(met[1].profile.username, "user1");
    assert_eq!(store.members(stranger, group, None, 10).await.unwrap(), None);
}

/// Preferences are each member's own, change field by field, and are told in the account log whole.
pub async fn preferences_are_the_viewers_own<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let change = UpdatePreferences {
        muted_until: Some(Some(99)),
        pinned: Some(true),
        draft: Some(Some("dear".into())),
        ..UpdatePreferences::default()
    };
    let entry = store.set_preferences(ann, group, change, 5).await.unwrap().unwrap();
    let body = json!({ "conversation": group, "muted_until": 99, "pinned": true, "archived": false, "draft": "dear" });
    assert_eq!((entry.user, entry.event.pos, entry.event.ts), (ann, 1, 5));
    assert_eq!((entry.event.kind, entry.event.body.clone()), (AccountEventKind::Preferences, body));
    assert_eq!(store.after(ann, 0, 9).await.unwrap(), [entry.event]);
    let clear = UpdatePreferences {
        muted_until: Some(None),
        archived: Some(true),
        draft: Some(None),
        ..UpdatePreferences::default()
    };
    store.set_preferences(ann, group, clear, 6).await.unwrap().unwrap();
    let me = world.view(ann, group).await.unwrap().me;
    assert_eq!((me.muted_until, me.pinned, me.archived, me.draft), (None, true, true, None));
    let theirs = world.view(bob, group).await.unwrap().me;
    assert_eq!((theirs.pinned, theirs.archived), (false, false));
}

/// Every change of a log, of cursors or of preferences moves the position; the epoch stays.
pub async fn positions_grow_with_every_change<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let start = store.position(ann).await.unwrap();
    let mut last = start;
    let group = world.group(&[ann, bob]).await;
    for step in 0..4 {
        match step {
            0 => {}
            1 => drop(world.say(group, ann, "text").await),
            2 => world.read_to(group, bob, 1, 1).await,
            _ => {
                let change = UpdatePreferences { pinned: Some(true), ..UpdatePreferences::default() };
                store.set_preferences(ann, group, change, world.later()).await.unwrap().unwrap();
            }
        }
        let now = store.position(ann).await.unwrap();
        assert!(now.pos > last.pos, "step {step}: {now:?} after {last:?}");
        assert_eq!(now.epoch, start.epoch);
        last = now;
    }
    assert_eq!((start.account, last.account), (0, 1));
    let slice = store.views(bob, ViewQuery::One(group)).await.unwrap();
    assert_eq!((slice.position.epoch, slice.position.account), (last.epoch, 0));
}

/// A deleted conversation is gone for everybody, and its members are told; its neighbours stay.
pub async fn deletion_takes_everything<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (group, other) = (world.group(&[ann, bob]).await, world.group(&[ann, bob]).await);
    for conversation in [group, other] {
        world.append(conversation, vec![named(world.message(ann, "text"), "n1")]).await;
        world.append_one(conversation, world.mentioning(ann, &[bob])).await;
        world.append_one(conversation, world.react(bob, 1, "👍", true)).await;
        world.append_one(conversation, world.pin(ann, 1, true)).await;
        world.read_to(conversation, bob, 1, 1).await;
        for round in 0..3 {
            world.chatter(conversation, bob, 1000 + round).await;
        }
    }
    let facts = world.facts(group).await;
    let mut told = Conversations::delete(store, group, 77).await.unwrap();
    told.sort_by_key(|entry| entry.user);
    assert_eq!(told.iter().map(|entry| entry.user).collect::<Vec<_>>(), [ann, bob]);
    let kind = AccountEventKind::ConversationLeft;
    assert!(told.iter().all(|entry| entry.event.kind == kind && entry.event.ts == 77));
    assert!(told.iter().all(|entry| entry.event.body["conversation"] == json!(group)));

    assert_eq!(store.load(group).await.unwrap(), None);
    assert_eq!(world.view(ann, group).await, None);
    assert_eq!(store.events(ann, group, EventRange::After(0), 10).await.unwrap(), None);
    assert_eq!(store.target(group, 1).await.unwrap(), None);
    assert_eq!(store.reaction(group, 1, bob, "👍").await.unwrap(), None);
    assert_eq!(store.find_nonce(group, ann, &"n1".parse().unwrap()).await.unwrap(), None);
    assert!(store.tail(0, 9999).await.unwrap().iter().all(|tailed| tailed.event.conversation == other));
    let late = Append {
        conversation: group,
        expected_head: facts.head,
        expected_version: facts.version,
        events: vec![world.message(ann, "late")],
    };
    assert_eq!(store.append_many(vec![late]).await.unwrap(), [AppendOutcome::Conflict]);
    let left = world.view(bob, other).await.unwrap();
    assert_eq!((left.head, left.me.read, left.me.mentions), (facts.head, 1, 1));
}

/// A member's role with what it permits, as they are now.
pub async fn standing_tells_role_and_permissions<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let permissions =
        Permissions { post: Role::Member, invite: Role::Admin, edit_info: Role::Admin, pin: Role::Admin };
    let owner = Standing { role: Role::Owner, kind: ConversationKind::Group, permissions };
    assert_eq!(store.standing(ann, group).await.unwrap(), Some(owner));
    let member = Standing { role: Role::Member, ..owner };
    assert_eq!(store.standing(bob, group).await.unwrap(), Some(member));
    assert_eq!(store.standing(eve, group).await.unwrap(), None);
    world.append_one(group, world.leave(bob)).await;
    assert_eq!(store.standing(bob, group).await.unwrap(), None);
}

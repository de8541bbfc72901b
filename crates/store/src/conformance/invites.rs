//! Properties of [`Invites`](loquat_domain::ports::Invites) and of [`Change::Admit`].

use loquat_domain::ports::{
    Append, AppendOutcome, Change, Conversations, InviteOutcome, InviteRecord, NewEvent, NewInvite, Standing,
};
use loquat_proto::event::{MemberBody, MemberChange};
use loquat_proto::{ConversationId, ConversationKind, EventBody, Permissions, Role, Timestamp, UserId};

use super::world::named;
use super::{NOW, Ports, World};

const LIMIT: usize = 3;

fn record(conversation: ConversationId, creator: UserId, code: &str) -> InviteRecord {
    InviteRecord {
        code: code.to_owned(),
        conversation,
        creator,
        created_at: NOW,
        expires_at: None,
        max_uses: None,
        uses: 0,
    }
}

async fn make<S: Ports>(world: &World<'_, S>, invite: InviteRecord) -> InviteOutcome {
    let standing = world.store.standing(invite.creator, invite.conversation).await.unwrap().unwrap();
    world.store.create_invite(NewInvite { invite, nonce: None, standing, limit: LIMIT }).await.unwrap()
}

/// An invitation that works, by the owner.
async fn made<S: Ports>(world: &World<'_, S>, invite: InviteRecord) {
    assert_eq!(make(world, invite.clone()).await, InviteOutcome::Made(invite));
}

fn admission(user: UserId, code: &str, ts: Timestamp) -> NewEvent {
    let body = MemberBody { user, change: MemberChange::Joined, role: Role::Member, by: user };
    let change = Change::Admit { user, code: code.to_owned(), from_here: false };
    NewEvent::new(user, ts, &EventBody::Member(body), change)
}

/// Tries to come in: whether it appended.
async fn admit<S: Ports>(world: &World<'_, S>, group: ConversationId, user: UserId, code: &str) -> bool {
    let append = world.fitting(group, vec![admission(user, code, world.later())]).await;
    match world.store.append_many(vec![append]).await.unwrap().remove(0) {
        AppendOutcome::Appended { .. } => true,
        AppendOutcome::Conflict => false,
    }
}

async fn uses<S: Ports>(world: &World<'_, S>, code: &str, user: UserId) -> u64 {
    world.store.invitation(code, user).await.unwrap().unwrap().invite.uses
}

fn removal(by: UserId, user: UserId, ts: Timestamp) -> NewEvent {
    let body = MemberBody { user, change: MemberChange::Removed, role: Role::Member, by };
    NewEvent::new(by, ts, &EventBody::Member(body), Change::Remove { user })
}

/// A code says where it leads, to whoever asks; an unknown one says nothing.
pub async fn an_invitation_is_found_by_its_code<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let invite =
        InviteRecord { expires_at: Some(NOW + 60_000), max_uses: Some(7), ..record(group, ann, "code-1") };
    made(&world, invite.clone()).await;
    let found = store.invitation("code-1", eve).await.unwrap().unwrap();
    assert_eq!(found.invite, invite);
    assert_eq!(
        (found.kind, found.title.as_str(), found.member_count),
        (ConversationKind::Group, "Harvest", 2)
    );
    assert_eq!((found.revoked, found.joined, found.barred), (false, false, false));
    assert!(store.invitation("code-1", bob).await.unwrap().unwrap().joined);
    assert_eq!(store.invitation("code-2", eve).await.unwrap(), None);

    let (standing, listed) = store.invites(bob, group, NOW).await.unwrap().unwrap();
    assert_eq!((standing.role, listed), (Role::Member, vec![invite]));
    assert_eq!(store.invites(eve, group, NOW).await.unwrap(), None, "no member, no list");
}

/// Under the same nonce there is one invitation, the first.
pub async fn a_retried_creation_makes_one_invitation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let standing = store.standing(ann, group).await.unwrap().unwrap();
    let nonce = Some("n-1".parse().unwrap());
    let first = record(group, ann, "first");
    for code in ["first", "second"] {
        let invite = record(group, ann, code);
        let new = NewInvite { invite, nonce: nonce.clone(), standing, limit: LIMIT };
        assert_eq!(store.create_invite(new).await.unwrap(), InviteOutcome::Made(first.clone()));
    }
    assert_eq!(store.invites(ann, group, NOW).await.unwrap().unwrap().1, [first]);
}

/// A role or a permission that changed meanwhile makes nothing.
pub async fn a_creator_who_stands_otherwise_makes_nothing<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let standing = store.standing(ann, group).await.unwrap().unwrap();
    let open = Permissions { invite: Role::Guest, ..standing.permissions };
    for (creator, standing) in [
        (ann, Standing { role: Role::Admin, ..standing }),
        (ann, Standing { permissions: open, ..standing }),
        (bob, standing),
        (eve, standing),
    ] {
        let invite = record(group, creator, "code-1");
        let new = NewInvite { invite, nonce: None, standing, limit: LIMIT };
        assert_eq!(store.create_invite(new).await.unwrap(), InviteOutcome::Stale, "{standing:?}");
    }
    assert_eq!(store.invitation("code-1", ann).await.unwrap(), None);
}

/// Those that expired, are used up or were revoked take no place.
pub async fn invitations_that_work_are_limited<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    made(&world, InviteRecord { expires_at: Some(NOW), ..record(group, ann, "expired") }).await;
    made(&world, InviteRecord { max_uses: Some(1), ..record(group, ann, "used-up") }).await;
    assert!(admit(&world, group, bob, "used-up").await);
    made(&world, record(group, ann, "revoked")).await;
    assert!(store.revoke_invite(group, "revoked").await.unwrap());
    for code in ["1", "2", "3"] {
        made(&world, record(group, ann, code)).await;
    }
    assert_eq!(make(&world, record(group, ann, "4")).await, InviteOutcome::TooMany);
    let listed = store.invites(ann, group, NOW).await.unwrap().unwrap().1;
    assert_eq!(listed.iter().map(|invite| invite.code.as_str()).collect::<Vec<_>>(), ["3", "2", "1"]);
}

/// Codes are unique over all conversations.
pub async fn a_taken_code_is_refused<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let (one, other) = (world.group(&[ann]).await, world.group(&[ann]).await);
    made(&world, record(one, ann, "code-1")).await;
    assert_eq!(make(&world, record(other, ann, "code-1")).await, InviteOutcome::CodeTaken);
}

/// Each admission is a use; after the last one there is none.
pub async fn admissions_count_and_stop_at_the_maximum<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve, zoe] = world.users().await;
    let group = world.group(&[ann]).await;
    made(&world, InviteRecord { max_uses: Some(2), ..record(group, ann, "two") }).await;
    assert!(admit(&world, group, bob, "two").await);
    assert!(admit(&world, group, eve, "two").await);
    assert!(!admit(&world, group, zoe, "two").await);
    assert_eq!(uses(&world, "two", zoe).await, 2);
    assert_eq!(world.view(bob, group).await.unwrap().me.role, Role::Member);
    assert_eq!(world.view(zoe, group).await, None);
    assert_eq!(world.facts(group).await.head, 2, "a refused one appends nothing");
}

/// Many at once: as many come in as may, and no more.
pub async fn concurrent_admissions_stop_at_the_maximum<S: Ports>(store: &S) {
    let world = World::new(store);
    let users: [UserId; 8] = world.users().await;
    let group = world.group(&users[..1]).await;
    made(&world, InviteRecord { max_uses: Some(3), ..record(group, users[0], "three") }).await;
    let world = &world;
    let come_in = |user| async move {
        // Conflicts of the head are tried again, as a lane does, until the code itself refuses.
        while uses(world, "three", user).await < 3 {
            if admit(world, group, user, "three").await {
                return true;
            }
        }
        false
    };
    let [a, b, c, d, e, f, g] = [1, 2, 3, 4, 5, 6, 7].map(|number| come_in(users[number]));
    let (a, b, c, d, e, f, g) = tokio::join!(a, b, c, d, e, f, g);
    let came = [a, b, c, d, e, f, g].into_iter().filter(|came| *came).count();
    assert_eq!((came, uses(world, "three", users[0]).await), (3, 3));
    assert_eq!(world.view(users[0], group).await.unwrap().member_count, 4);
}

/// Time and revocation are looked at in the transaction of the admission.
pub async fn expired_and_revoked_invitations_admit_nobody<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (group, other) = (world.group(&[ann]).await, world.group(&[ann]).await);
    made(&world, InviteRecord { expires_at: Some(NOW), ..record(group, ann, "expired") }).await;
    made(&world, record(group, ann, "revoked")).await;
    assert!(!store.revoke_invite(other, "revoked").await.unwrap(), "of another conversation");
    assert!(store.revoke_invite(group, "revoked").await.unwrap());
    assert!(!store.revoke_invite(group, "revoked").await.unwrap(), "once");
    made(&world, record(other, ann, "elsewhere")).await;
    for code in ["expired", "revoked", "elsewhere", "unknown"] {
        assert!(!admit(&world, group, bob, code).await, "{code}");
    }
    assert!(store.invitation("revoked", bob).await.unwrap().unwrap().revoked);
    assert_eq!(world.view(bob, group).await, None);
}

/// A refused admission is a conflict of its own append only.
pub async fn a_refused_admission_changes_nothing_and_costs_no_neighbour<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (group, other) = (world.group(&[ann]).await, world.group(&[ann]).await);
    let refused = world.fitting(group, vec![admission(bob, "unknown", world.later())]).await;
    let said = world.fitting(other, vec![world.message(ann, "hello")]).await;
    let outcomes = store.append_many(vec![refused, said]).await.unwrap();
    assert_eq!(outcomes[0], AppendOutcome::Conflict);
    assert!(matches!(outcomes[1], AppendOutcome::Appended { .. }));
    assert_eq!((world.facts(group).await.head, world.facts(other).await.head), (0, 1));
    assert_eq!(world.say(group, ann, "first").await, 1);
}

/// A replay is answered from the log and is no further use.
pub async fn a_replayed_admission_counts_once<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    made(&world, InviteRecord { max_uses: Some(1), ..record(group, ann, "one") }).await;
    for replayed in [false, true] {
        let event = named(admission(bob, "one", world.later()), "n-1");
        // With the head of before: a replay is known whatever the head is.
        let append =
            Append { conversation: group, expected_head: 0, expected_version: 0, events: vec![event] };
        match store.append_many(vec![append]).await.unwrap().remove(0) {
            AppendOutcome::Appended { placements, .. } => assert_eq!(placements[0].replayed, replayed),
            AppendOutcome::Conflict => panic!("replayed: {replayed}"),
        }
    }
    assert_eq!(uses(&world, "one", bob).await, 1);
}

/// Who was removed comes in by no invitation, until a member adds them.
pub async fn who_was_removed_is_barred_until_added<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    made(&world, record(group, ann, "open")).await;
    world.append_one(group, removal(ann, bob, world.later())).await;
    assert!(store.invitation("open", bob).await.unwrap().unwrap().barred);
    assert!(!admit(&world, group, bob, "open").await);
    assert_eq!((world.view(bob, group).await, uses(&world, "open", bob).await), (None, 0));
    world.append_one(group, world.join(ann, bob, false)).await;
    assert!(!store.invitation("open", bob).await.unwrap().unwrap().barred);
    world.append_one(group, world.leave(bob)).await;
    assert!(admit(&world, group, bob, "open").await, "added, then left by themselves");
}

/// Who left comes back by an invitation.
pub async fn who_left_is_not_barred<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    made(&world, record(group, ann, "open")).await;
    world.append_one(group, world.leave(bob)).await;
    assert!(!store.invitation("open", bob).await.unwrap().unwrap().barred);
    assert!(admit(&world, group, bob, "open").await);
}

/// The invitations of who is removed go too, those of who leaves stay.
pub async fn invitations_of_the_removed_are_revoked<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve, zoe] = world.users().await;
    let group = world.group(&[ann, bob, eve]).await;
    made(&world, record(group, bob, "of-bob")).await;
    made(&world, record(group, eve, "of-eve")).await;
    world.append_one(group, removal(ann, bob, world.later())).await;
    world.append_one(group, world.leave(eve)).await;
    assert!(!admit(&world, group, zoe, "of-bob").await);
    assert!(admit(&world, group, zoe, "of-eve").await);
}

/// With the conversation, its codes are unknown.
pub async fn deletion_takes_invitations<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann]).await;
    made(&world, record(group, ann, "code-1")).await;
    Conversations::delete(store, group, NOW).await.unwrap();
    assert_eq!(store.invitation("code-1", bob).await.unwrap(), None);
    assert!(!store.revoke_invite(group, "code-1").await.unwrap());
    assert_eq!(store.invites(ann, group, NOW).await.unwrap(), None);
}

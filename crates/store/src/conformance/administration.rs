//! Properties of [`Administration`](loquat_domain::ports::Administration),
//! [`Inspection`](loquat_domain::ports::Inspection) and [`AuditLog`](loquat_domain::ports::AuditLog).

use loquat_domain::ports::{
    AccountQuery, AccountState, Accounts, ConversationQuery, NewAct, RefreshOutcome, RefreshRotation,
    RefreshToken,
};
use loquat_proto::{AccountEventKind, ConversationKind, Role, UserId};

use super::world::hash;
use super::{NOW, Ports, World};

/// Accounts by id, by state, by the beginning of their names.
pub async fn accounts_are_listed_by_id_state_and_prefix<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, cleo] = world.users().await;
    let list = async |query: AccountQuery| {
        let found = store.accounts(AccountQuery { limit: query.limit.max(9), ..query }).await.unwrap();
        found.into_iter().map(|account| (account.id, account.state)).collect::<Vec<_>>()
    };
    let active = |user: UserId| (user, AccountState::Active);
    assert_eq!(list(AccountQuery::default()).await, [active(ann), active(bob), active(cleo)]);
    assert!(store.set_disabled(bob, Some(NOW)).await.unwrap());
    Accounts::delete(store, cleo, NOW).await.unwrap();
    let disabled = (bob, AccountState::Disabled);
    let deleted = (cleo, AccountState::Deleted);
    for (query, expected) in [
        (AccountQuery::default(), vec![active(ann), disabled, deleted]),
        (AccountQuery { after: Some(ann), ..AccountQuery::default() }, vec![disabled, deleted]),
        (AccountQuery { state: Some(AccountState::Active), ..AccountQuery::default() }, vec![active(ann)]),
        (AccountQuery { state: Some(AccountState::Disabled), ..AccountQuery::default() }, vec![disabled]),
        (AccountQuery { state: Some(AccountState::Deleted), ..AccountQuery::default() }, vec![deleted]),
        (
            AccountQuery { prefix: Some("user".into()), ..AccountQuery::default() },
            vec![active(ann), disabled],
        ),
        (AccountQuery { prefix: Some("user1".into()), ..AccountQuery::default() }, vec![disabled]),
        (AccountQuery { prefix: Some("us_r".into()), ..AccountQuery::default() }, vec![]),
    ] {
        let described = format!("{query:?}");
        assert_eq!(list(query).await, expected, "{described}");
    }
    assert_eq!(store.accounts(AccountQuery { limit: 2, ..AccountQuery::default() }).await.unwrap().len(), 2);
}

/// One account with its devices and conversations; a deleted one is a tombstone.
pub async fn an_account_is_shown_whole<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    world.group(&[ann, bob]).await;
    let shown = store.account(ann).await.unwrap().unwrap();
    assert_eq!((shown.summary.username.as_deref(), shown.summary.devices), (Some("user0"), 1));
    assert_eq!((shown.conversations, shown.owned, shown.signed_in.len()), (1, 1, 1));
    let of_bob = store.account(bob).await.unwrap().unwrap();
    assert_eq!((of_bob.conversations, of_bob.owned), (1, 0));
    assert_eq!(store.account_named("user1").await.unwrap(), Some(bob));
    Accounts::delete(store, ann, NOW).await.unwrap();
    let gone = store.account(ann).await.unwrap().unwrap();
    assert_eq!(
        (gone.summary.state, gone.summary.username, gone.deleted_at),
        (AccountState::Deleted, None, Some(NOW))
    );
    assert_eq!(store.account_named("user0").await.unwrap(), None);
    assert_eq!(store.account(UserId::new(5).unwrap()).await.unwrap(), None);
}

/// A disabled account neither signs in nor refreshes; its devices stay and work again once it is enabled.
pub async fn a_disabled_account_is_shut_out_until_enabled<S: Ports>(store: &S) {
    let world = World::new(store);
    let (user, device) = (world.new_user("ann"), world.new_device());
    let ann = user.id;
    store.sign_up(user, device.clone()).await.unwrap();
    let active = async || {
        let known = store.credentials("ann").await.unwrap().unwrap().active;
        let record = store.user(ann).await.unwrap().unwrap().active;
        let signed_in = store.is_active(ann, device.id).await.unwrap();
        assert_eq!((known, record), (signed_in, signed_in));
        signed_in
    };
    let rotation = || RefreshRotation {
        presented: hash(device.id.get()),
        successor: RefreshToken { hash: hash(1), expires_at: NOW + 86_400_000 },
        sealed_successor: Vec::new(),
        key: None,
        now: NOW,
    };
    assert!(active().await);
    assert!(store.set_disabled(ann, Some(NOW + 5)).await.unwrap());
    assert!(!store.set_disabled(ann, Some(NOW + 6)).await.unwrap(), "it was so already");
    assert_eq!(store.account(ann).await.unwrap().unwrap().disabled_at, Some(NOW + 5));
    assert!(!active().await);
    assert_eq!(store.rotate(rotation()).await.unwrap(), RefreshOutcome::Unknown);
    assert_eq!(store.devices(ann).await.unwrap().len(), 1);
    assert!(store.set_disabled(ann, None).await.unwrap());
    assert!(!store.set_disabled(ann, None).await.unwrap());
    assert!(active().await);
    let rotated = RefreshOutcome::Rotated { user: ann, device: device.id };
    assert_eq!(store.rotate(rotation()).await.unwrap(), rotated, "the refusal used nothing up");
    let nobody = UserId::new(5).unwrap();
    assert!(!store.set_disabled(nobody, Some(NOW)).await.unwrap());
    Accounts::delete(store, ann, NOW).await.unwrap();
    assert!(!store.set_disabled(ann, Some(NOW)).await.unwrap(), "a tombstone stays one");
}

/// Every device goes with the old password.
pub async fn a_reset_password_revokes_every_device<S: Ports>(store: &S) {
    let world = World::new(store);
    let (user, device) = (world.new_user("ann"), world.new_device());
    let ann = user.id;
    store.sign_up(user, device.clone()).await.unwrap();
    store.sign_in(ann, world.new_device(), 9).await.unwrap();
    let told = store.reset_password(ann, "new hash".into(), NOW).await.unwrap();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|entry| entry.event.kind == AccountEventKind::DeviceRemoved));
    assert!(store.devices(ann).await.unwrap().is_empty());
    assert!(!store.is_active(ann, device.id).await.unwrap());
    assert_eq!(store.credentials("ann").await.unwrap().unwrap().password_hash, "new hash");
}

/// By id, everybody's or one user's.
pub async fn devices_are_listed_with_their_owners<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let second = world.new_device();
    store.sign_in(ann, second.clone(), 9).await.unwrap();
    let all = store.all_devices(None, None, 9).await.unwrap();
    assert_eq!(all.iter().map(|listed| listed.user).collect::<Vec<_>>(), [ann, bob, ann]);
    assert_eq!((all[2].device.id, all[2].username.as_deref()), (second.id, Some("user0")));
    let own = store.all_devices(Some(ann), None, 9).await.unwrap();
    assert_eq!(own, [all[0].clone(), all[2].clone()]);
    assert_eq!(store.all_devices(None, Some(all[0].device.id), 1).await.unwrap(), [all[1].clone()]);
    assert_eq!(store.device_owner(second.id).await.unwrap(), Some(ann));
    store.revoke(ann, vec![second.id], NOW).await.unwrap();
    assert_eq!(store.device_owner(second.id).await.unwrap(), None);
}

/// What is counted is what there is.
pub async fn statistics_count_what_there_is<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, cleo] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.create(world.new_conversation(ConversationKind::Direct, &[ann, cleo])).await;
    world.say(group, ann, "one").await;
    world.say(group, bob, "two").await;
    store.set_disabled(cleo, Some(NOW)).await.unwrap();
    let counted = store.statistics().await.unwrap();
    assert_eq!((counted.users_active, counted.users_disabled, counted.users_deleted), (2, 1, 0));
    assert_eq!(
        (counted.devices, counted.groups, counted.direct_conversations, counted.channels),
        (3, 1, 1, 0)
    );
    assert_eq!((counted.memberships, counted.events, counted.messages), (4, 2, 2));
    assert_eq!(counted.unfinished_erasures, 0);
}

/// By id, kind and member; a healthy one has no findings.
pub async fn conversations_are_listed_and_inspected<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, cleo] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.create(world.new_conversation(ConversationKind::Direct, &[bob, cleo])).await;
    world.say(group, ann, "hello").await;
    let list = async |query: ConversationQuery| {
        store.list_conversations(ConversationQuery { limit: 9, ..query }).await.unwrap()
    };
    let all = list(ConversationQuery::default()).await;
    assert_eq!(
        all.iter().map(|listed| listed.kind).collect::<Vec<_>>(),
        [ConversationKind::Group, ConversationKind::Direct]
    );
    assert_eq!((all[0].id, all[0].owner, all[0].members, all[0].messages), (group, Some(ann), 2, 1));
    let of_ann = ConversationQuery { member: Some(ann), ..ConversationQuery::default() };
    assert_eq!(list(of_ann).await, [all[0].clone()]);
    let direct = ConversationQuery { kind: Some(ConversationKind::Direct), ..ConversationQuery::default() };
    assert_eq!(list(direct).await, [all[1].clone()]);
    let next = ConversationQuery { after: Some(group), ..ConversationQuery::default() };
    assert_eq!(list(next).await, [all[1].clone()]);
    let report = store.inspect(group).await.unwrap().unwrap();
    assert_eq!((report.summary, report.erased), (all[0].clone(), 0));
    assert!(report.body_bytes > 0);
    let members: Vec<_> = report.oldest_members.iter().map(|member| (member.user, member.role)).collect();
    assert_eq!(members, [(ann, Role::Owner), (bob, Role::Member)]);
    assert_eq!(report.findings, []);
    assert_eq!(store.repair(group).await.unwrap(), Some(Vec::new()));
    assert_eq!(store.inspect(world.conversation_id()).await.unwrap(), None);
    assert_eq!(store.repair(world.conversation_id()).await.unwrap(), None);
}

/// Newest first; an act without an end was interrupted; the first end stands.
pub async fn acts_stay_on_record<S: Ports>(store: &S) {
    let act = |name: &str| NewAct {
        ts: NOW,
        actor: "root".into(),
        act: name.into(),
        subject: "12".into(),
        detail: "spam".into(),
    };
    let first = store.begin_act(act("disable_user")).await.unwrap();
    let second = store.begin_act(act("delete_user")).await.unwrap();
    assert!(second > first);
    store.end_act(first, "done", NOW + 1).await.unwrap();
    store.end_act(first, "not done", NOW + 2).await.unwrap();
    let all = store.acts(None, 9).await.unwrap();
    assert_eq!(all.iter().map(|record| record.id).collect::<Vec<_>>(), [second, first]);
    assert_eq!((all[0].outcome.as_deref(), all[0].ended_at), (None, None));
    assert_eq!((all[1].outcome.as_deref(), all[1].ended_at), (Some("done"), Some(NOW + 1)));
    assert_eq!((all[1].actor.as_str(), all[1].act.as_str()), ("root", "disable_user"));
    assert_eq!((all[1].subject.as_str(), all[1].detail.as_str()), ("12", "spam"));
    assert_eq!(store.acts(Some(second), 9).await.unwrap(), [all[1].clone()]);
    assert_eq!(store.acts(None, 1).await.unwrap(), [all[0].clone()]);
}

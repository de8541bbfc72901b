//! Properties of [`Contacts`](loquat_domain::ports::Contacts).

use loquat_domain::ports::{AccountEntry, Accounts, ContactLimits, ContactOutcome, Full};
use loquat_proto::{AccountEventKind, Direction, UserId};
use serde_json::json;

use super::{NOW, Ports, World};

/// Enough for every property but that of the limits.
pub(super) const LIMITS: ContactLimits = ContactLimits { contacts: 100, requests: 100, received: 100 };

pub(super) async fn ask<S: Ports>(world: &World<'_, S>, user: UserId, other: UserId) -> ContactOutcome {
    world.store.request(user, other, LIMITS, world.later()).await.unwrap()
}

/// The two become contacts.
pub(super) async fn befriend<S: Ports>(world: &World<'_, S>, one: UserId, other: UserId) {
    ask(world, one, other).await;
    let met = ask(world, other, one).await;
    assert!(matches!(met, ContactOutcome::Contacts { .. }), "{met:?}");
}

/// Who was told, of what, about whom.
pub(super) fn told(entries: &[AccountEntry]) -> Vec<(UserId, AccountEventKind, serde_json::Value)> {
    entries.iter().map(|entry| (entry.user, entry.event.kind, entry.event.body.clone())).collect()
}

async fn contacts<S: Ports>(store: &S, user: UserId) -> Vec<UserId> {
    store.contacts(user, None, 100).await.unwrap().into_iter().map(|contact| contact.user).collect()
}

async fn requests<S: Ports>(store: &S, user: UserId) -> Vec<(UserId, Direction)> {
    let requests = store.requests(user, None, 100).await.unwrap();
    requests.into_iter().map(|request| (request.user, request.direction)).collect()
}

fn removed(user: UserId, about: UserId, request: bool) -> (UserId, AccountEventKind, serde_json::Value) {
    (user, AccountEventKind::ContactRemoved, json!({ "user": about, "request": request }))
}

fn entries(outcome: ContactOutcome) -> Vec<AccountEntry> {
    match outcome {
        ContactOutcome::Pending { entries, .. } | ContactOutcome::Contacts { entries, .. } => entries,
        other => panic!("{other:?}"),
    }
}

/// Both see it, each from their side; the account logs say the same. Asking again changes nothing.
pub async fn a_request_waits_and_tells_both<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    let asked = store.request(ann, bob, LIMITS, NOW).await.unwrap();
    let ContactOutcome::Pending { created_at, new, entries } = asked else { panic!("{asked:?}") };
    assert_eq!((created_at, new), (NOW, true));
    let kind = AccountEventKind::ContactRequest;
    let out = (ann, kind, json!({ "user": bob, "direction": "out" }));
    let into = (bob, kind, json!({ "user": ann, "direction": "in" }));
    assert_eq!(told(&entries), [out, into]);
    for entry in &entries {
        assert_eq!(store.after(entry.user, 0, 10).await.unwrap(), std::slice::from_ref(&entry.event));
    }
    assert_eq!(requests(store, ann).await, [(bob, Direction::Out)]);
    assert_eq!(requests(store, bob).await, [(ann, Direction::In)]);
    assert_eq!(requests(store, carl).await, []);
    let shown = store.requests(bob, None, 10).await.unwrap().remove(0);
    assert_eq!((shown.profile.username.as_str(), shown.created_at), ("user0", NOW));
    let again = ask(&world, ann, bob).await;
    assert_eq!(again, ContactOutcome::Pending { created_at: NOW, new: false, entries: Vec::new() });
    assert_eq!(contacts(store, ann).await, []);
}

/// Being contacts is mutual; accepting once more is no error, accepting what nobody asked is.
pub async fn accepting_makes_contacts_of_both<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    ask(&world, ann, bob).await;
    for (user, other) in [(ann, bob), (carl, bob), (bob, carl)] {
        assert_eq!(store.accept(user, other, LIMITS, NOW).await.unwrap(), ContactOutcome::Unknown);
    }
    let met = store.accept(bob, ann, LIMITS, NOW + 9).await.unwrap();
    let added = |user, contact| (user, AccountEventKind::ContactAdded, json!({ "user": contact }));
    assert_eq!(told(&entries(met)), [added(bob, ann), added(ann, bob)]);
    assert_eq!((contacts(store, ann).await, contacts(store, bob).await), (vec![bob], vec![ann]));
    assert_eq!((requests(store, ann).await, requests(store, bob).await), (vec![], vec![]));
    let already = ContactOutcome::Contacts { created_at: NOW + 9, entries: Vec::new() };
    assert_eq!(store.accept(bob, ann, LIMITS, NOW + 10).await.unwrap(), already);
    assert_eq!(ask(&world, bob, ann).await, already);
    assert_eq!(contacts(store, carl).await, []);
}

/// Whoever asks second accepts.
pub async fn requests_in_both_directions_make_contacts<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    befriend(&world, ann, bob).await;
    assert_eq!(contacts(store, ann).await, [bob]);
    // However close the two requests are.
    let (one, other) = tokio::join!(ask(&world, ann, carl), ask(&world, carl, ann));
    let met = [one, other].into_iter().filter(|outcome| matches!(outcome, ContactOutcome::Contacts { .. }));
    assert_eq!(met.count(), 1);
    assert_eq!(contacts(store, carl).await, [ann]);
    assert_eq!(requests(store, carl).await, []);
}

/// The request leaves the list of who declines, and of nobody else.
pub async fn declining_tells_nobody_else<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    assert_eq!(store.decline(bob, ann, NOW).await.unwrap(), None);
    let asked = ask(&world, ann, bob).await;
    assert_eq!(store.decline(ann, bob, NOW).await.unwrap(), None, "one's own request is not declined");
    let declined = store.decline(bob, ann, world.later()).await.unwrap().unwrap();
    assert_eq!(told(&declined), [removed(bob, ann, true)]);
    assert_eq!(store.decline(bob, ann, world.later()).await.unwrap(), Some(vec![]));
    assert_eq!(requests(store, bob).await, []);
    assert_eq!(requests(store, ann).await, [(bob, Direction::Out)]);
    assert_eq!(store.after(ann, 0, 10).await.unwrap().len(), 1, "who asked hears nothing");
    let ContactOutcome::Pending { created_at: first, .. } = asked else { panic!("{asked:?}") };
    let again = ask(&world, ann, bob).await;
    assert_eq!(again, ContactOutcome::Pending { created_at: first, new: false, entries: Vec::new() });
    assert_eq!(store.after(bob, 0, 10).await.unwrap().len(), 2, "who declined is not asked again");
    assert_eq!(store.accept(bob, ann, LIMITS, NOW).await.unwrap(), ContactOutcome::Unknown);
}

/// Withdrawing and asking anew looks like a new request to who asks, and like nothing to who declined.
pub async fn a_declined_request_stays_unheard_when_made_anew<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    ask(&world, ann, bob).await;
    store.decline(bob, ann, world.later()).await.unwrap();
    let heard = store.after(bob, 0, 10).await.unwrap();
    let withdrawn = store.remove(ann, bob, world.later()).await.unwrap();
    assert_eq!(told(&withdrawn), [removed(ann, bob, true)]);
    assert_eq!(requests(store, ann).await, []);
    assert_eq!(store.remove(ann, bob, world.later()).await.unwrap(), []);
    let anew = store.request(ann, bob, LIMITS, NOW + 99).await.unwrap();
    let ContactOutcome::Pending { created_at, new, entries } = anew else { panic!("{anew:?}") };
    assert_eq!((created_at, new, entries.len()), (NOW + 99, true, 1));
    assert_eq!(requests(store, ann).await, [(bob, Direction::Out)]);
    assert_eq!(requests(store, bob).await, []);
    assert_eq!(store.after(bob, 0, 10).await.unwrap(), heard);
}

/// Who declined and asks later has changed their mind: at once where the other still waits.
pub async fn asking_who_was_declined_makes_contacts<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl] = world.users().await;
    for asker in [ann, carl] {
        ask(&world, asker, bob).await;
        store.decline(bob, asker, world.later()).await.unwrap();
    }
    assert_eq!(entries(ask(&world, bob, ann).await).len(), 2);
    assert_eq!(contacts(store, ann).await, [bob]);
    store.remove(carl, bob, world.later()).await.unwrap();
    let asked = ask(&world, bob, carl).await;
    assert!(matches!(asked, ContactOutcome::Pending { new: true, .. }), "{asked:?}");
    assert_eq!(requests(store, carl).await, [(bob, Direction::In)]);
}

/// A request that waits leaves both lists.
pub async fn withdrawing_tells_both<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    ask(&world, ann, bob).await;
    assert_eq!(store.remove(bob, ann, world.later()).await.unwrap(), [], "it is not theirs to withdraw");
    let withdrawn = store.remove(ann, bob, world.later()).await.unwrap();
    assert_eq!(told(&withdrawn), [removed(ann, bob, true), removed(bob, ann, true)]);
    assert_eq!((requests(store, ann).await, requests(store, bob).await), (vec![], vec![]));
    assert_eq!(store.accept(bob, ann, LIMITS, NOW).await.unwrap(), ContactOutcome::Unknown);
}

/// On both sides, whoever ends it.
pub async fn removing_a_contact_tells_both<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    befriend(&world, ann, bob).await;
    let parted = store.remove(ann, bob, world.later()).await.unwrap();
    assert_eq!(told(&parted), [removed(ann, bob, false), removed(bob, ann, false)]);
    assert_eq!((contacts(store, ann).await, contacts(store, bob).await), (vec![], vec![]));
    assert_eq!(store.remove(ann, bob, world.later()).await.unwrap(), []);
    assert_eq!(store.remove(ann, world.user_id(), world.later()).await.unwrap(), []);
}

/// The unknown, the deleted and, whichever way, the blocked are not asked.
pub async fn requests_need_two_accounts_and_no_block<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora] = world.users().await;
    ask(&world, ann, bob).await;
    ask(&world, dora, ann).await;
    store.block(carl, ann, 10, NOW).await.unwrap();
    store.block(bob, ann, 10, NOW).await.unwrap();
    for (user, other) in [(ann, carl), (carl, ann), (ann, bob)] {
        assert_eq!(ask(&world, user, other).await, ContactOutcome::Blocked);
    }
    store.block(dora, ann, 10, NOW).await.unwrap();
    assert_eq!(store.accept(ann, dora, LIMITS, NOW).await.unwrap(), ContactOutcome::Blocked);
    assert_eq!(ask(&world, ann, world.user_id()).await, ContactOutcome::Unknown);
    Accounts::delete(store, carl, NOW).await.unwrap();
    assert_eq!(ask(&world, bob, carl).await, ContactOutcome::Unknown);
    assert_eq!(ask(&world, carl, bob).await, ContactOutcome::Unknown);
}

/// What is full is said; what is declined counts for who asked as if it waited, so that the limit tells nothing.
pub async fn contacts_and_requests_are_limited<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve] = world.users().await;
    let limits = ContactLimits { contacts: 1, requests: 2, received: 1 };
    let ask = |user, other| store.request(user, other, limits, NOW);
    let full = ContactOutcome::Full;
    ask(ann, bob).await.unwrap();
    assert_eq!(ask(carl, bob).await.unwrap(), full(Full::Received));
    store.decline(bob, ann, NOW).await.unwrap();
    assert!(matches!(ask(carl, bob).await.unwrap(), ContactOutcome::Pending { .. }));
    ask(ann, dora).await.unwrap();
    assert_eq!(ask(ann, eve).await.unwrap(), full(Full::Asked));
    store.remove(ann, bob, NOW).await.unwrap();
    ask(ann, eve).await.unwrap();
    let accept = |user, other| store.accept(user, other, limits, NOW);
    assert!(matches!(accept(dora, ann).await.unwrap(), ContactOutcome::Contacts { .. }));
    assert_eq!(accept(eve, ann).await.unwrap(), full(Full::Contacts), "ann has one");
    assert_eq!(ask(eve, ann).await.unwrap(), full(Full::Contacts));
    assert_eq!(requests(store, eve).await, [(ann, Direction::In)], "it waits on");
}

/// Pages cover all once, with a profile each.
pub async fn contacts_are_paged_by_id<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve] = world.users().await;
    for (number, other) in [eve, bob, dora].into_iter().enumerate() {
        befriend(&world, ann, other).await;
        assert_eq!(store.contacts(ann, None, 10).await.unwrap().len(), number + 1);
    }
    ask(&world, ann, carl).await;
    let page = store.contacts(ann, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|contact| contact.user).collect::<Vec<_>>(), [bob, dora]);
    assert_eq!(page[0].profile.username, "user1");
    let rest = store.contacts(ann, Some(dora), 2).await.unwrap();
    assert_eq!(rest.iter().map(|contact| contact.user).collect::<Vec<_>>(), [eve]);
    let [fay] = [world.user("fay").await];
    ask(&world, fay, ann).await;
    let page = store.requests(ann, None, 1).await.unwrap();
    assert_eq!((page.len(), page[0].user), (1, carl));
    let rest = store.requests(ann, Some(carl), 1).await.unwrap();
    assert_eq!((rest.len(), rest[0].user, rest[0].direction), (1, fay, Direction::In));
}

/// The others are told of what they could see; blocks end silently.
pub async fn forgetting_ends_everything_and_tells_the_others<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, carl, dora, eve, fay] = world.users().await;
    befriend(&world, ann, bob).await;
    ask(&world, ann, carl).await;
    ask(&world, dora, ann).await;
    store.decline(ann, dora, NOW).await.unwrap();
    ask(&world, ann, eve).await;
    store.decline(eve, ann, NOW).await.unwrap();
    store.block(ann, fay, 10, NOW).await.unwrap();
    store.block(fay, ann, 10, NOW).await.unwrap();
    befriend(&world, bob, carl).await;
    let gone = store.forget(ann, world.later()).await.unwrap();
    let mut gone = told(&gone);
    gone.sort_by_key(|(user, ..)| *user);
    assert_eq!(gone, [removed(bob, ann, false), removed(carl, ann, true), removed(dora, ann, true)]);
    for user in [ann, carl, dora, eve, fay] {
        assert_eq!(requests(store, user).await, []);
        assert_eq!(store.blocks(user, None, 10).await.unwrap(), []);
    }
    assert_eq!((contacts(store, ann).await, contacts(store, bob).await), (vec![], vec![carl]));
    assert_eq!(store.forget(ann, world.later()).await.unwrap(), []);
}

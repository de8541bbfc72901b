//! Properties of [`Devices`](loquat_domain::ports::Devices).

use loquat_domain::ports::{
    AccountEntry, NewDevice, NewUser, RefreshOutcome, RefreshRotation, RefreshToken, SignInOutcome,
    SigningKey,
};
use loquat_proto::{AccountEventKind, DeviceId, Timestamp, UserId};
use serde_json::json;

use super::world::hash;
use super::{NOW, Ports, World};

async fn user_with_device<S: Ports>(world: &World<'_, S>) -> (UserId, NewDevice) {
    let (user, device) = (world.new_user("ann"), world.new_device());
    let id = user.id;
    world.store.sign_up(user, device.clone()).await.unwrap();
    (id, device)
}

async fn sign_in<S: Ports>(world: &World<'_, S>, user: UserId) -> NewDevice {
    let device = world.new_device();
    let outcome = world.store.sign_in(user, device.clone(), 99).await.unwrap();
    assert!(matches!(outcome, SignInOutcome::Added(_)));
    device
}

fn rotation(presented: u64, successor: u64, key: Option<&str>, now: Timestamp) -> RefreshRotation {
    RefreshRotation {
        presented: hash(presented),
        successor: RefreshToken { hash: hash(successor), expires_at: now + 86_400_000 },
        sealed_successor: successor.to_le_bytes().to_vec(),
        key: key.map(str::to_owned),
        now,
    }
}

/// Up to the limit, newest first; the account log says `device_added` with the device.
pub async fn devices_are_limited_and_listed_newest_first<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, first) = user_with_device(&world).await;
    let second = world.new_device();
    let SignInOutcome::Added(entry) = store.sign_in(ann, second.clone(), 2).await.unwrap() else {
        panic!("added")
    };
    assert_eq!((entry.user, entry.event.kind), (ann, AccountEventKind::DeviceAdded));
    let listed = store.devices(ann).await.unwrap();
    assert_eq!(listed.iter().map(|device| device.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!(entry.event.body, serde_json::to_value(&listed[0]).unwrap());
    assert_eq!(store.after(ann, 0, 9).await.unwrap(), [entry.event]);
    assert_eq!(store.sign_in(ann, world.new_device(), 2).await.unwrap(), SignInOutcome::TooMany);
    let taken = NewDevice { id: first.id, ..world.new_device() };
    assert_eq!(store.sign_in(ann, taken, 9).await.unwrap(), SignInOutcome::IdTaken);
    assert_eq!(store.devices(ann).await.unwrap().len(), 2);
}

/// A revoked device is not active, its tokens are dead, and the account log says so; others' devices stay.
pub async fn revoked_devices_are_not_active<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, first) = user_with_device(&world).await;
    let second = sign_in(&world, ann).await;
    let bob = NewUser { username: "bob".into(), ..world.new_user("bob") };
    let (bob_id, theirs) = (bob.id, world.new_device());
    store.sign_up(bob, theirs.clone()).await.unwrap();
    assert!(store.is_active(ann, first.id).await.unwrap());
    assert!(!store.is_active(bob_id, first.id).await.unwrap(), "a device is one user's");
    let unknown = DeviceId::new(5).unwrap();
    let told = store.revoke(ann, vec![first.id, unknown, theirs.id], 9).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event.kind, told[0].event.ts), (AccountEventKind::DeviceRemoved, 9));
    assert_eq!(told[0].event.body, json!({ "device": first.id }));
    assert!(!store.is_active(ann, first.id).await.unwrap());
    assert!(store.is_active(ann, second.id).await.unwrap());
    assert!(store.is_active(bob_id, theirs.id).await.unwrap());
    let rotation = rotation(first.id.get(), 1, None, NOW);
    assert_eq!(store.rotate(rotation).await.unwrap(), RefreshOutcome::Unknown);
    assert_eq!(store.revoke(ann, vec![first.id], 9).await.unwrap(), []);
}

/// In one transaction: the new hash, and every other device gone.
pub async fn a_new_password_revokes_the_other_devices<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, keep) = user_with_device(&world).await;
    let others = [sign_in(&world, ann).await.id, sign_in(&world, ann).await.id];
    let told = store.change_password(ann, "new hash".into(), keep.id, 9).await.unwrap();
    let mut gone: Vec<_> =
        told.iter().map(|AccountEntry { event, .. }| event.body["device"].clone()).collect();
    gone.sort_by_key(ToString::to_string);
    assert_eq!(gone, others.map(|device| json!(device)));
    assert!(told.iter().all(|entry| entry.event.kind == AccountEventKind::DeviceRemoved));
    assert!(store.is_active(ann, keep.id).await.unwrap());
    assert!(!store.is_active(ann, others[0]).await.unwrap());
    assert_eq!(store.credentials("ann").await.unwrap().unwrap().password_hash, "new hash");
}

/// A token is good once; its successor is good after it.
pub async fn refresh_tokens_rotate<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, device) = user_with_device(&world).await;
    let rotated = RefreshOutcome::Rotated { user: ann, device: device.id };
    let mut token = device.id.get();
    for successor in 1..=5 {
        let outcome = store.rotate(rotation(token, successor, None, NOW + 1)).await.unwrap();
        assert_eq!(outcome, rotated);
        token = successor;
    }
    assert_eq!(
        store.devices(ann).await.unwrap()[0].last_seen,
        Some(NOW + 1),
        "a device that refreshes is in use"
    );
    // Two at once: one wins, the other is a reuse.
    let (one, other) = tokio::join!(
        store.rotate(rotation(token, 10, None, NOW + 2)),
        store.rotate(rotation(token, 11, None, NOW + 2))
    );
    let outcomes = [one.unwrap(), other.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == rotated).count(), 1);
    assert!(outcomes.iter().any(|outcome| matches!(outcome, RefreshOutcome::Reused { .. })));
}

/// The same token with the same key within 60 s gets the first successor.
pub async fn a_repeated_refresh_gets_the_same_successor<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, device) = user_with_device(&world).await;
    let token = device.id.get();
    store.rotate(rotation(token, 1, Some("k"), NOW)).await.unwrap();
    let repeated = RefreshOutcome::Repeated {
        user: ann,
        device: device.id,
        sealed_successor: 1_u64.to_le_bytes().to_vec(),
    };
    for now in [NOW, NOW + 60_000] {
        assert_eq!(store.rotate(rotation(token, 2, Some("k"), now)).await.unwrap(), repeated);
    }
    let next = store.rotate(rotation(1, 3, Some("k"), NOW + 60_000)).await.unwrap();
    assert_eq!(next, RefreshOutcome::Rotated { user: ann, device: device.id });
    let late = store.rotate(rotation(token, 4, Some("k"), NOW + 60_001)).await.unwrap();
    assert!(matches!(late, RefreshOutcome::Reused { .. }), "{late:?}");
}

/// A used token without its key, or with another, revokes the whole family.
pub async fn a_reused_refresh_token_revokes_the_device<S: Ports>(store: &S) {
    let world = World::new(store);
    for (number, (first, second)) in
        [(None, None), (Some("k"), None), (None, Some("k")), (Some("k"), Some("l"))].into_iter().enumerate()
    {
        let (user, device) = (world.new_user(&format!("user{number}")), world.new_device());
        let ann = user.id;
        store.sign_up(user, device.clone()).await.unwrap();
        let other = sign_in(&world, ann).await;
        let (token, successor) = (device.id.get(), 100_000 + device.id.get());
        store.rotate(rotation(token, successor, first, NOW)).await.unwrap();
        let outcome = store.rotate(rotation(token, 9, second, NOW + 1)).await.unwrap();
        let RefreshOutcome::Reused { user, device: revoked, entry } = outcome else { panic!("{outcome:?}") };
        assert_eq!((user, revoked, entry.user), (ann, device.id, ann));
        assert_eq!(entry.event.body, json!({ "device": device.id }));
        assert!(!store.is_active(ann, device.id).await.unwrap());
        assert!(store.is_active(ann, other.id).await.unwrap());
        for dead in [token, successor, 9] {
            let outcome = store.rotate(rotation(dead, 10, None, NOW + 2)).await.unwrap();
            assert_eq!(outcome, RefreshOutcome::Unknown);
        }
    }
}

/// No such token, or one whose time is over.
pub async fn expired_and_unknown_tokens_are_refused<S: Ports>(store: &S) {
    let world = World::new(store);
    let (ann, device) = user_with_device(&world).await;
    let (token, expires_at) = (device.id.get(), device.refresh.expires_at);
    for (presented, now) in [(77, NOW), (token, expires_at), (token, expires_at + 1)] {
        let outcome = store.rotate(rotation(presented, 1, None, now)).await.unwrap();
        assert_eq!(outcome, RefreshOutcome::Unknown);
    }
    assert!(store.is_active(ann, device.id).await.unwrap(), "nothing was revoked");
    let outcome = store.rotate(rotation(token, 1, None, expires_at - 1)).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Rotated { user: ann, device: device.id });
}

/// Two that start at once agree.
pub async fn the_first_signing_key_wins<S: Ports>(store: &S) {
    let key = |id: &str| SigningKey { id: id.into(), pkcs8: vec![1, 2, 3], created_at: NOW };
    assert_eq!(store.signing_keys().await.unwrap(), []);
    let (one, other) = tokio::join!(store.ensure_signing_key(key("a")), store.ensure_signing_key(key("b")));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one, other);
    assert_eq!(one.len(), 1);
    assert_eq!(store.signing_keys().await.unwrap(), one);
}

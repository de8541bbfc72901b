//! Properties of [`Accounts`]; deletion has a file of its own.

use loquat_domain::ports::{
    Accounts, IdempotencyKey, NewUser, ProfileChange, RememberedAnswer, SignUpOutcome,
};
use loquat_proto::account::{FindBy, LastSeenAudience, PrivacyChange, UpdateProfile};
use loquat_proto::{AccountEventKind, Privacy, UserKind};
use serde_json::json;

use super::world::hash;
use super::{Ports, World};

/// The user and the first device are there.
pub async fn a_sign_up_is_whole<S: Ports>(store: &S) {
    let world = World::new(store);
    let device = world.new_device();
    let user = NewUser { email: Some("ann@example.org".into()), ..world.new_user("ann") };
    assert_eq!(store.sign_up(user.clone(), device.clone()).await.unwrap(), SignUpOutcome::Created);
    let record = store.user(user.id).await.unwrap().unwrap();
    assert!(record.active);
    let (profile, own) = (record.own.profile.clone(), record.own);
    assert_eq!(
        (profile.id, profile.username.as_str(), profile.display_name.as_str()),
        (user.id, "ann", "ANN")
    );
    assert_eq!((profile.bio.as_str(), profile.avatar, profile.kind), ("", None, UserKind::Person));
    assert!(!profile.deleted);
    assert_eq!((own.email, own.phone, own.settings), (user.email, None, json!({})));
    assert_eq!(own.privacy, Privacy::default());
    let devices = store.devices(user.id).await.unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].id, devices[0].name.as_str(), devices[0].current), (device.id, "laptop", false));
    assert!(store.is_active(user.id, device.id).await.unwrap());
    assert_eq!(store.user(world.user_id()).await.unwrap(), None);
}

/// What is taken is told apart, and nothing of the sign-up is there.
pub async fn names_addresses_and_ids_are_unique<S: Ports>(store: &S) {
    let world = World::new(store);
    let device = world.new_device();
    let addresses = (Some("ann@example.org".to_owned()), Some("+4912345".to_owned()));
    let ann = NewUser { email: addresses.0.clone(), phone: addresses.1.clone(), ..world.new_user("ann") };
    store.sign_up(ann.clone(), device.clone()).await.unwrap();
    let bob = world.new_user("bob");
    for (user, device, outcome) in [
        (NewUser { username: "ann".into(), ..bob.clone() }, world.new_device(), SignUpOutcome::UsernameTaken),
        (NewUser { email: addresses.0, ..bob.clone() }, world.new_device(), SignUpOutcome::AddressTaken),
        (NewUser { phone: addresses.1, ..bob.clone() }, world.new_device(), SignUpOutcome::AddressTaken),
        (NewUser { id: ann.id, ..bob.clone() }, world.new_device(), SignUpOutcome::IdTaken),
        (bob.clone(), device, SignUpOutcome::IdTaken),
    ] {
        assert_eq!(store.sign_up(user, device).await.unwrap(), outcome);
        assert_eq!(store.user(bob.id).await.unwrap(), None);
        assert_eq!(store.credentials("bob").await.unwrap(), None);
    }
    assert_eq!(store.sign_up(bob, world.new_device()).await.unwrap(), SignUpOutcome::Created);
}

/// Username, e-mail address and phone number.
pub async fn any_login_finds_the_account<S: Ports>(store: &S) {
    let world = World::new(store);
    let user = NewUser {
        email: Some("ann@example.org".into()),
        phone: Some("+4912345".into()),
        ..world.new_user("ann")
    };
    let id = user.id;
    store.sign_up(user, world.new_device()).await.unwrap();
    world.user("bob").await;
    for login in ["ann", "ann@example.org", "+4912345"] {
        let found = store.credentials(login).await.unwrap().unwrap();
        assert_eq!((found.user, found.password_hash.as_str(), found.active), (id, "hash of ann", true));
    }
    assert_eq!(store.credentials("an").await.unwrap(), None);
    let profiles = store.profiles(&[id, world.user_id()]).await.unwrap();
    assert_eq!(profiles.iter().map(|profile| profile.id).collect::<Vec<_>>(), [id]);
}

/// Absent fields stay; the account log tells the profile, and settings apart.
pub async fn a_profile_changes_field_by_field<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let update = |fields| Accounts::update(store, ann, ProfileChange { fields, ts: 9 });
    let fields = UpdateProfile {
        display_name: Some("Ann".into()),
        bio: Some("🌾".into()),
        avatar: Some(Some("a1".into())),
        ..UpdateProfile::default()
    };
    let told = update(fields).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event.kind, told[0].event.ts), (AccountEventKind::Profile, 9));
    let own = store.user(ann).await.unwrap().unwrap().own;
    assert_eq!(told[0].event.body, serde_json::to_value(&own).unwrap());
    let privacy =
        Privacy { last_seen: LastSeenAudience::Nobody, read_receipts: false, find_by: vec![FindBy::Phone] };
    let fields = UpdateProfile {
        avatar: Some(None),
        settings: Some(json!({"theme": "dark"})),
        privacy: Some(privacy.clone().into()),
        ..UpdateProfile::default()
    };
    let told = update(fields).await.unwrap();
    let kinds: Vec<_> = told.iter().map(|entry| (entry.event.kind, entry.event.pos)).collect();
    assert_eq!(kinds, [(AccountEventKind::Profile, 2), (AccountEventKind::Settings, 3)]);
    assert_eq!(told[1].event.body, json!({"settings": {"theme": "dark"}, "privacy": privacy}));
    let own = store.user(ann).await.unwrap().unwrap().own;
    let profile = own.profile;
    assert_eq!((profile.display_name.as_str(), profile.bio.as_str(), profile.avatar), ("Ann", "🌾", None));
    assert_eq!((own.privacy, own.settings), (privacy, json!({"theme": "dark"})));
    // Of the privacy, too.
    let part = Some(PrivacyChange { read_receipts: Some(true), ..PrivacyChange::default() });
    update(UpdateProfile { privacy: part, ..UpdateProfile::default() }).await.unwrap();
    let own = store.user(ann).await.unwrap().unwrap().own;
    assert_eq!((own.privacy.last_seen, own.privacy.read_receipts), (LastSeenAudience::Nobody, true));
    assert_eq!(own.privacy.find_by, [FindBy::Phone]);
    assert_eq!(update(UpdateProfile::default()).await.unwrap(), []);
    let nobody = ProfileChange { fields: UpdateProfile::default(), ts: 9 };
    assert_eq!(Accounts::update(store, world.user_id(), nobody).await.unwrap(), []);
}

/// By prefix of username and display name in any case, by whole addresses, as each one allows.
pub async fn search_goes_by_prefix_and_privacy<S: Ports>(store: &S) {
    let world = World::new(store);
    for (username, display_name, find_by) in [
        ("ann", "Łucja", vec![FindBy::Username, FindBy::Email, FindBy::Phone]),
        ("anton", "Tony", vec![FindBy::Username]),
        ("anwar", "Wally", vec![FindBy::Email, FindBy::Phone]),
        ("bella", "Anchor", vec![FindBy::Username]),
        ("zoe_", "50% off", vec![FindBy::Username]),
    ] {
        let user = NewUser {
            display_name: display_name.into(),
            email: Some(format!("{username}@example.org")),
            phone: Some(format!("+49{username}")),
            ..world.new_user(username)
        };
        let id = user.id;
        store.sign_up(user, world.new_device()).await.unwrap();
        let privacy = Some(Privacy { find_by, ..Privacy::default() }.into());
        let fields = UpdateProfile { privacy, ..UpdateProfile::default() };
        Accounts::update(store, id, ProfileChange { fields, ts: 1 }).await.unwrap();
    }
    for (query, expected) in [
        ("an", vec!["ann", "anton", "bella"]),
        ("AN", vec!["ann", "anton", "bella"]),
        ("ann", vec!["ann"]),
        ("łuc", vec!["ann"]),
        ("Łucja", vec!["ann"]),
        ("wal", vec![]),
        ("onton", vec![]),
        ("zoe_", vec!["zoe_"]),
        ("50%", vec!["zoe_"]),
        ("%", vec![]),
        ("_", vec![]),
        ("ann@example.org", vec!["ann"]),
        ("Ann@Example.org", vec!["ann"]),
        ("anton@example.org", vec![]),
        ("anwar@example.org", vec!["anwar"]),
        ("anwar@example", vec![]),
        ("+49anwar", vec!["anwar"]),
        ("+49anton", vec![]),
        ("+49", vec![]),
    ] {
        let found = store.search(query, None, 10).await.unwrap();
        let names: Vec<_> = found.items.iter().map(|profile| profile.username.as_str()).collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(found.next_cursor, None);
    }
}

/// Pages cover all once, in the order of usernames, whether found by username or by display name.
pub async fn search_is_paged_by_username<S: Ports>(store: &S) {
    let world = World::new(store);
    let mut expected = Vec::new();
    for number in 0..12 {
        let username = if number % 2 == 0 { format!("farmer{number:02}") } else { format!("a{number:02}") };
        let user = NewUser { display_name: format!("Farmer {number}"), ..world.new_user(&username) };
        store.sign_up(user, world.new_device()).await.unwrap();
        expected.push(username);
    }
    expected.sort();
    let (mut after, mut met): (Option<String>, Vec<String>) = (None, Vec::new());
    loop {
        let page = store.search("farmer", after.as_deref(), 5).await.unwrap();
        assert!(page.items.len() <= 5);
        met.extend(page.items.into_iter().map(|profile| profile.username));
        after = page.next_cursor;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(met, expected);
}

/// The first answer wins; a day later it is forgotten.
pub async fn creations_are_remembered_for_a_day<S: Ports>(store: &S) {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let key = |scope: &str, key: &str| IdempotencyKey { scope: scope.into(), key: key.into() };
    let answer = |created, ts| RememberedAnswer { request_hash: hash(created), created, ts };
    assert_eq!(store.recall(&key("7 group", "k"), 0).await.unwrap(), None);
    store.remember(key("7 group", "k"), answer(1, 1000)).await.unwrap();
    store.remember(key("7 group", "k"), answer(2, 2000)).await.unwrap();
    store.remember(key("8 group", "k"), answer(3, 3000)).await.unwrap();
    for (scope, now, expected) in [
        ("7 group", 1000, Some(answer(1, 1000))),
        ("7 group", 1000 + DAY - 1, Some(answer(1, 1000))),
        ("7 group", 1000 + DAY, None),
        ("8 group", 4000, Some(answer(3, 3000))),
        ("9 group", 4000, None),
    ] {
        assert_eq!(store.recall(&key(scope, "k"), now).await.unwrap(), expected, "{scope} at {now}");
    }
    assert_eq!(store.recall(&key("7 group", "other"), 1000).await.unwrap(), None);
    // After that the key is free again.
    store.remember(key("7 group", "k"), answer(4, 2000 + DAY)).await.unwrap();
    assert_eq!(store.recall(&key("7 group", "k"), 2001 + DAY).await.unwrap(), Some(answer(4, 2000 + DAY)));
}

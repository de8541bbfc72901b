//! Profiles: read, changed, found, erased.

use std::sync::atomic::Ordering;

use loquat_domain::Refusal;
use loquat_domain::accounts::SEARCH_LIMIT;
use loquat_proto::account::{LastSeenAudience, UpdateProfile};
use loquat_proto::{Privacy, UserId};
use serde_json::json;

use crate::world::{PASSWORD, World, access, caller, revoked, secret};

#[tokio::test]
async fn a_change_is_whole_announced_and_answered() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    let change = UpdateProfile {
        display_name: Some("Ada 🌻".to_owned()),
        bio: Some("first\nsecond".to_owned()),
        avatar: Some(Some("media:1".to_owned())),
        settings: Some(json!({"theme": "dark"})),
        privacy: Some(Privacy { last_seen: LastSeenAudience::Nobody, ..Privacy::default() }.into()),
    };
    let own = world.profiles.update(ada, change).await.unwrap();
    assert_eq!(own.profile.display_name, "Ada 🌻");
    assert_eq!(own.profile.bio, "first\nsecond");
    assert_eq!(own.profile.avatar.as_deref(), Some("media:1"));
    assert_eq!(own.settings, json!({"theme": "dark"}));
    assert_eq!(own.privacy.last_seen, LastSeenAudience::Nobody);
    assert_eq!(world.profiles.me(ada).await, Ok(own));
    assert_eq!(world.published(ada.user), ["profile"]);
}

#[tokio::test]
async fn one_wrong_field_changes_nothing() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    let before = world.profiles.me(ada).await.unwrap();
    let change = UpdateProfile {
        display_name: Some("Ada".to_owned()),
        settings: Some(json!("not an object")),
        ..UpdateProfile::default()
    };
    assert!(matches!(world.profiles.update(ada, change).await, Err(Refusal::Invalid(_))));
    assert_eq!(world.profiles.me(ada).await.unwrap(), before);
    assert_eq!(world.profiles.update(ada, UpdateProfile::default()).await, Ok(before));
    assert!(world.published(ada.user).is_empty(), "nothing changed, nothing said");
}

#[tokio::test]
async fn others_see_the_public_part() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    let bob = caller(&world.sign_up("bob").await);
    let seen = world.profiles.profile(bob, ada.user).await.unwrap();
    assert_eq!(seen, world.profiles.me(ada).await.unwrap().profile);
    let nobody = UserId::new(1).unwrap();
    assert_eq!(world.profiles.profile(bob, nobody).await, Err(Refusal::NotFound));
}

#[tokio::test]
async fn a_search_pages_through_all_that_match() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    for index in 0..7 {
        world.sign_up(&format!("bob.{index}")).await;
    }
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = world.profiles.search(ada, "@BOB", cursor.as_deref(), 3).await.unwrap();
        found.extend(page.items.into_iter().map(|profile| profile.username));
        cursor = page.next_cursor;
        match &cursor {
            Some(cursor) => assert!(!cursor.contains("bob"), "opaque"),
            None => break,
        }
    }
    assert_eq!(found, (0..7).map(|index| format!("bob.{index}")).collect::<Vec<_>>());
    let by_address = world.profiles.search(ada, "Bob.3@Example.org", None, 50).await.unwrap();
    assert_eq!(by_address.items.len(), 1);
}

#[tokio::test]
async fn a_search_needs_a_query_a_limit_and_a_cursor_of_ours() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    for (query, cursor, limit, field) in [
        ("", None, 50, "q"),
        ("  ", None, 50, "q"),
        ("a\0", None, 50, "q"),
        ("ada", None, 0, "limit"),
        ("ada", None, SEARCH_LIMIT + 1, "limit"),
        ("ada", Some(""), 50, "cursor"),
        ("ada", Some("ada"), 50, "cursor"),
        ("ada", Some("!!!!"), 50, "cursor"),
        ("ada", Some("JyBPUiAxPTE"), 50, "cursor"),
    ] {
        match world.profiles.search(ada, query, cursor, limit).await {
            Err(Refusal::Invalid(detail)) => assert!(detail.starts_with(&format!("{field}: ")), "{detail}"),
            other => panic!("{query:?} {cursor:?} {limit}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_account_ends_whole() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    let other = world.log_in("ada").await;
    let user = caller(&ada).user;
    for signed_in in [&ada, &other] {
        world.auth.verify(access(signed_in)).await.unwrap();
    }
    world.published(user);

    let wrong = world.profiles.delete(caller(&ada), secret("wrong password")).await;
    assert_eq!(wrong, Err(Refusal::Forbidden("the password is wrong")));
    world.memberships.stuck.store(true, Ordering::Relaxed);
    let stuck = world.profiles.delete(caller(&ada), secret(PASSWORD)).await;
    assert_eq!(stuck, Err(Refusal::busy("lanes")), "erased only after every conversation was left");
    assert!(world.auth.verify(access(&ada)).await.is_ok());
    assert!(world.published(user).is_empty());

    world.memberships.stuck.store(false, Ordering::Relaxed);
    world.profiles.delete(caller(&ada), secret(PASSWORD)).await.unwrap();
    assert_eq!(*world.memberships.left.lock(), [user]);
    assert_eq!(*world.memberships.parted.lock(), [user]);
    let devices = [ada.session.device.id, other.session.device.id];
    assert_eq!(world.published(user), [revoked(&devices)]);
    for signed_in in [&ada, &other] {
        assert_eq!(world.auth.verify(access(signed_in)).await, Err(Refusal::Unauthorized));
    }
    let bob = caller(&world.sign_up("bob").await);
    assert!(world.profiles.profile(bob, user).await.unwrap().deleted);
}

#[tokio::test]
async fn hiding_how_far_one_reads_is_told_to_the_conversations() {
    let world = World::new().await;
    let mira = caller(&world.sign_up("mira").await);
    for (privacy, told) in
        [(Privacy { read_receipts: false, ..Privacy::default() }, false), (Privacy::default(), true)]
    {
        let change = UpdateProfile { privacy: Some(privacy.into()), ..UpdateProfile::default() };
        world.profiles.update(mira, change).await.unwrap();
        assert_eq!(world.memberships.shown.lock().last(), Some(&(mira.user, told)));
    }
    assert_eq!(*world.memberships.audiences.lock(), [mira.user, mira.user], "nor when one is there");
}

//! Signing up, once and again.

use std::sync::atomic::Ordering;

use loquat_domain::Refusal;
use loquat_proto::account::SignUp;

use crate::world::{PASSWORD, World, access, caller, log_in, refresh_token, secret, sign_up};

fn key(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn a_new_account_is_signed_in() {
    let world = World::new().await;
    let signed_in = world.sign_up("Ada").await;
    let session = &signed_in.session;
    assert_eq!(session.user.profile.username, "ada");
    assert_eq!(session.user.profile.display_name, "ada");
    assert_eq!(session.user.email.as_deref(), Some("ada@example.org"));
    assert_eq!(session.device.name, "laptop");
    assert_eq!(session.device.platform, "linux");
    assert!(session.device.current);
    assert_eq!(session.expires_in, 900);
    assert_eq!(signed_in.refresh_max_age_seconds, 60 * 86_400);
    assert_eq!(world.auth.verify(access(&signed_in)).await, Ok(caller(&signed_in)));
    assert!(world.auth.refresh(&refresh_token(&signed_in), None).await.is_ok());
}

#[tokio::test]
async fn names_and_addresses_are_unique() {
    let world = World::new().await;
    world.sign_up("ada").await;
    let same_address = SignUp { email: Some("ADA@example.org".to_owned()), ..sign_up("bob") };
    for (request, expected) in [
        (sign_up("ADA"), "the username is taken"),
        (same_address, "the e-mail address or phone number belongs to an account"),
    ] {
        assert_eq!(world.auth.sign_up(request, None).await, Err(Refusal::Conflict(expected)));
    }
    assert_eq!(world.memory.state.lock().users.len(), 1);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_before_anything_is_hashed() {
    let world = World::new().await;
    for request in [
        SignUp { username: "a".to_owned(), ..sign_up("ada") },
        SignUp { password: secret("short"), ..sign_up("ada") },
        SignUp { email: Some("nowhere".to_owned()), ..sign_up("ada") },
    ] {
        assert!(matches!(world.auth.sign_up(request, None).await, Err(Refusal::Invalid(_))));
    }
    assert_eq!(world.auth.hashing().computed, 0);
}

#[tokio::test]
async fn taken_ids_are_tried_again() {
    let world = World::new().await;
    for idempotency_key in [None, key("k1")] {
        world.memory.taken_ids.store(3, Ordering::Relaxed);
        let name = if idempotency_key.is_some() { "ada" } else { "bob" };
        let signed_in = world.auth.sign_up(sign_up(name), idempotency_key).await.unwrap();
        assert!(world.auth.verify(access(&signed_in)).await.is_ok());
    }
    world.memory.taken_ids.store(u64::MAX, Ordering::Relaxed);
    assert_eq!(world.auth.sign_up(sign_up("carl"), None).await, Err(Refusal::busy("ids")));
}

#[tokio::test]
async fn a_repeated_sign_up_answers_like_the_first() {
    let world = World::new().await;
    let first = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    world.clock.step(1_000);
    let second = world.another_node().await.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    assert_eq!(second.session.user, first.session.user);
    assert_eq!(second.session.device, first.session.device);
    assert_eq!(second.session.refresh_token, first.session.refresh_token);
    assert_eq!(world.device_ids(caller(&first)).await.len(), 1);
    assert!(world.auth.refresh(&refresh_token(&second), None).await.is_ok());
}

#[tokio::test]
async fn a_repeated_sign_up_after_signing_out_makes_a_new_device() {
    let world = World::new().await;
    let first = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    world.auth.log_out(caller(&first)).await.unwrap();
    let second = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    assert_eq!(second.session.user.profile.id, first.session.user.profile.id);
    assert_ne!(second.session.device.id, first.session.device.id);
    assert!(world.auth.verify(access(&second)).await.is_ok());
}

#[tokio::test]
async fn a_key_is_bound_to_its_request_and_its_password() {
    let world = World::new().await;
    world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    let conflict = Err(Refusal::Conflict("the Idempotency-Key came with another request before"));
    let other_name = SignUp { display_name: Some("Countess".to_owned()), ..sign_up("ada") };
    let other_password = SignUp { password: secret("another password"), ..sign_up("ada") };
    assert_eq!(world.auth.sign_up(other_name, key("k1")).await, conflict);
    assert_eq!(world.auth.sign_up(other_password, key("k1")).await, conflict);
    assert!(
        world.auth.sign_up(sign_up("bob"), key("k1")).await.is_ok(),
        "another username, another namespace"
    );
    let taken = Err(Refusal::Conflict("the username is taken"));
    assert_eq!(world.auth.sign_up(sign_up("ada"), key("k2")).await, taken);
    assert_eq!(world.auth.sign_up(sign_up("ada"), None).await, taken);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_then_the_device_still_tells() {
    let world = World::new().await;
    let first = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    world.clock.step(25 * 3_600_000);
    let second = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    assert_eq!(second.session.user.profile.id, first.session.user.profile.id);
}

#[tokio::test]
async fn a_sign_up_that_could_not_be_remembered_is_found_by_its_repetition() {
    let world = World::new().await;
    world.memory.forgetful.store(true, Ordering::Relaxed);
    let first = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    let second = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    assert_eq!(second.session.device, first.session.device);
    assert_eq!(second.session.refresh_token, first.session.refresh_token);
    let stranger = SignUp { password: secret("another password"), ..sign_up("ada") };
    assert_eq!(
        world.auth.sign_up(stranger, key("k1")).await,
        Err(Refusal::Conflict("the username is taken"))
    );
}

#[tokio::test]
async fn a_taken_name_is_no_way_to_try_passwords() {
    let world = World::new().await;
    world.sign_up("ada").await;
    for password in [PASSWORD, "another password"] {
        let before = world.auth.hashing().computed;
        let request = SignUp { password: secret(password), ..sign_up("ada") };
        let answer = world.auth.sign_up(request, key("k1")).await;
        assert_eq!(answer, Err(Refusal::Conflict("the username is taken")));
        assert_eq!(world.auth.hashing().computed, before + 1, "only the hash of what was to be created");
    }
}

#[tokio::test]
async fn twins_at_the_same_time_make_one_account() {
    let world = World::with(|config, _| config.hash_queue = 100).await;
    let twins = (0..10).map(|_| world.auth.sign_up(sign_up("ada"), key("k1")));
    let answers = futures_util::future::join_all(twins).await;
    let first = answers[0].as_ref().unwrap();
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap().session.device, first.session.device);
    }
    assert_eq!(world.memory.state.lock().users.len(), 1);
    assert_eq!(world.device_ids(caller(first)).await.len(), 1);
}

#[tokio::test]
async fn a_key_of_another_shape_is_refused() {
    let world = World::new().await;
    for bad in ["", "two words", &"x".repeat(65), "ä"] {
        let answer = world.auth.sign_up(sign_up("ada"), key(bad)).await;
        assert!(
            matches!(answer, Err(Refusal::Invalid(detail)) if detail.starts_with("Idempotency-Key: ")),
            "{bad:?}"
        );
    }
}

#[tokio::test]
async fn many_accounts_can_share_one_hash() {
    let world = World::new().await;
    let hash = world.auth.hash_password(&secret(PASSWORD)).await.unwrap();
    for name in ["bench-1", "bench.1", "bench.2"] {
        let answer = world.auth.sign_up_with_hash(sign_up(name), &hash).await;
        assert_eq!(answer.is_ok(), name.contains('.'), "{name}");
    }
    assert_eq!(world.auth.hashing().computed, 1);
    assert!(world.auth.log_in(log_in("bench.2", PASSWORD)).await.is_ok());
    assert!(matches!(world.auth.hash_password(&secret("short")).await, Err(Refusal::Invalid(_))));
}

#[tokio::test]
async fn secrets_are_neither_stored_nor_printed() {
    let world = World::new().await;
    let first = world.auth.sign_up(sign_up("ada"), key("k1")).await.unwrap();
    let second = world.auth.refresh(&refresh_token(&first), key("k2")).await.unwrap();
    let hash = world.auth.hash_password(&secret(PASSWORD)).await.unwrap();
    let printed = format!("{first:?} {second:?} {hash:?} {:?} {}", sign_up("ada"), world.memory.dump());
    let stored_hash = world.memory.state.lock().users.values().next().unwrap().password_hash.clone();
    let printed = printed.replace(&stored_hash, "");
    let canaries = [
        PASSWORD.to_owned(),
        "$argon2id".to_owned(),
        access(&first).to_owned(),
        access(&second).to_owned(),
        refresh_token(&first).0,
        refresh_token(&second).0,
    ];
    for canary in canaries {
        assert!(!printed.contains(&canary), "{canary}");
    }
    // Nor a fast hash of the password, by which it could be guessed.
    let with_password = loquat_domain::accounts::request_hash(&sign_up("ada")).unwrap();
    assert!(!printed.contains(&format!("{with_password:?}")));
}

#[tokio::test]
async fn storage_that_is_away_is_a_retryable_refusal_without_its_details() {
    let world = World::new().await;
    let signed_in = world.sign_up("ada").await;
    world.memory.down.store(true, Ordering::Relaxed);
    world.clock.step(10_000);
    let refusals = [
        world.auth.sign_up(sign_up("bob"), key("k1")).await.unwrap_err(),
        world.auth.log_in(log_in("ada", PASSWORD)).await.unwrap_err(),
        world.auth.refresh(&refresh_token(&signed_in), None).await.unwrap_err(),
        world.auth.verify(access(&signed_in)).await.unwrap_err(),
        world.auth.log_out(caller(&signed_in)).await.unwrap_err(),
        world.profiles.me(caller(&signed_in)).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert!(refusal.is_retryable(), "{refusal}");
        assert!(!refusal.to_string().contains("/var"), "{refusal}");
    }
    world.memory.down.store(false, Ordering::Relaxed);
    assert!(world.auth.refresh(&refresh_token(&signed_in), None).await.is_ok(), "the token was not used up");
}

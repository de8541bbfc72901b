//! Refresh tokens: one use each.

use loquat_domain::Refusal;

use crate::world::{World, access, caller, refresh_token, revoked, secret};

fn key(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn each_token_has_one_successor() {
    let world = World::new().await;
    let mut signed_in = world.sign_up("ada").await;
    for _ in 0..5 {
        world.clock.step(800_000);
        let next = world.auth.refresh(&refresh_token(&signed_in), None).await.unwrap();
        assert_eq!(caller(&next), caller(&signed_in));
        assert_ne!(next.session.refresh_token, signed_in.session.refresh_token);
        assert!(next.session.device.current);
        assert_eq!(next.session.device.name, "laptop");
        assert_eq!(world.auth.verify(access(&next)).await, Ok(caller(&next)));
        signed_in = next;
    }
}

#[tokio::test]
async fn a_used_token_signs_its_device_out_and_no_other() {
    let world = World::new().await;
    let first = world.sign_up("ada").await;
    let other = world.log_in("ada").await;
    let second = world.auth.refresh(&refresh_token(&first), None).await.unwrap();
    world.auth.verify(access(&second)).await.unwrap();
    let user = caller(&first).user;
    world.published(user);

    assert_eq!(world.auth.refresh(&refresh_token(&first), None).await, Err(Refusal::Unauthorized));
    assert_eq!(world.published(user), ["device_removed", &revoked(&[first.session.device.id])]);
    assert_eq!(world.auth.verify(access(&second)).await, Err(Refusal::Unauthorized), "at once");
    assert_eq!(world.auth.refresh(&refresh_token(&second), None).await, Err(Refusal::Unauthorized));
    assert!(world.auth.verify(access(&other)).await.is_ok());
    assert!(world.auth.refresh(&refresh_token(&other), None).await.is_ok());
}

#[tokio::test]
async fn the_same_request_within_a_minute_gets_the_same_successor() {
    let world = World::new().await;
    let first = world.sign_up("ada").await;
    let token = refresh_token(&first);
    let second = world.auth.refresh(&token, key("k1")).await.unwrap();
    world.clock.step(59_999);
    let again = world.another_node().await.refresh(&token, key("k1")).await.unwrap();
    assert_eq!(again.session.refresh_token, second.session.refresh_token);
    assert_eq!(caller(&again), caller(&second));
    assert!(world.auth.refresh(&refresh_token(&again), None).await.is_ok());
}

#[tokio::test]
async fn later_or_with_another_key_it_is_reuse() {
    for (name, repeated, step) in
        [("late", key("k1"), 60_000), ("another key", key("k2"), 0), ("no key", None, 0)]
    {
        let world = World::new().await;
        let token = refresh_token(&world.sign_up("ada").await);
        let second = world.auth.refresh(&token, key("k1")).await.unwrap();
        world.clock.step(step);
        assert_eq!(world.auth.refresh(&token, repeated).await, Err(Refusal::Unauthorized), "{name}");
        assert_eq!(
            world.auth.refresh(&refresh_token(&second), None).await,
            Err(Refusal::Unauthorized),
            "{name}"
        );
    }
}

#[tokio::test]
async fn without_a_key_a_repetition_is_reuse_too() {
    let world = World::new().await;
    let token = refresh_token(&world.sign_up("ada").await);
    world.auth.refresh(&token, None).await.unwrap();
    assert_eq!(world.auth.refresh(&token, None).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn tokens_expire_unless_they_are_used() {
    let world = World::with(|config, _| config.refresh_token_days = 2).await;
    let day = 86_400_000;
    let mut signed_in = world.sign_up("ada").await;
    for _ in 0..3 {
        world.clock.step(2 * day - 1);
        signed_in = world.auth.refresh(&refresh_token(&signed_in), None).await.unwrap();
        assert_eq!(signed_in.refresh_max_age_seconds, 2 * 86_400);
    }
    world.clock.step(2 * day);
    assert_eq!(world.auth.refresh(&refresh_token(&signed_in), None).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let world = World::new().await;
    let signed_in = world.sign_up("ada").await;
    let token = refresh_token(&signed_in);
    for foreign in [
        String::new(),
        "lqr_".to_owned(),
        access(&signed_in).to_owned(),
        token.0.to_uppercase(),
        format!("{} ", token.0),
        "x".repeat(1_000_000),
    ] {
        assert_eq!(
            world.auth.refresh(&secret(&foreign), None).await,
            Err(Refusal::Unauthorized),
            "{foreign:.20}"
        );
    }
    let bad_key = world.auth.refresh(&token, key("two words")).await;
    assert!(matches!(bad_key, Err(Refusal::Invalid(_))));
    assert!(world.auth.refresh(&token, None).await.is_ok(), "none of this used it up");
}

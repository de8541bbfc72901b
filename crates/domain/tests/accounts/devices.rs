//! Tokens and tickets stand for devices that are signed in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loquat_domain::accounts::{Auth, AuthConfig, AuthDeps, AuthError};
use loquat_domain::{Caller, Refusal};
use loquat_proto::DeviceId;

use crate::world::{World, access, caller, refresh_token, revoked};

#[tokio::test]
async fn a_token_expires_by_name() {
    let world = World::with(|config, _| config.access_token_seconds = 60).await;
    let ada = world.sign_up("ada").await;
    assert_eq!(ada.session.expires_in, 60);
    world.clock.step(59_999);
    assert!(world.auth.verify(access(&ada)).await.is_ok());
    world.clock.step(1);
    assert_eq!(world.auth.verify(access(&ada)).await, Err(Refusal::TokenExpired));
    let fresh = world.auth.refresh(&refresh_token(&ada), None).await.unwrap();
    assert!(world.auth.verify(access(&fresh)).await.is_ok());
}

#[tokio::test]
async fn all_nodes_agree_on_the_keys() {
    let world = World::new().await;
    let other = world.another_node().await;
    let ada = world.sign_up("ada").await;
    assert_eq!(other.verify(access(&ada)).await, Ok(caller(&ada)));
    assert_eq!(other.jwks(), world.auth.jwks());
}

#[tokio::test]
async fn the_common_path_does_not_ask_storage() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    for _ in 0..100 {
        world.auth.verify(access(&ada)).await.unwrap();
    }
    assert_eq!(world.memory.activity_checks.load(Ordering::Relaxed), 1);
    world.clock.step(5_000);
    world.auth.verify(access(&ada)).await.unwrap();
    assert_eq!(world.memory.activity_checks.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_device_signed_out_is_out_at_once() {
    let world = World::new().await;
    let own = world.sign_up("ada").await;
    let other = world.log_in("ada").await;
    let user = caller(&own).user;
    let ticket = world.auth.issue_ticket(caller(&other));
    world.auth.verify(access(&other)).await.unwrap();
    world.published(user);

    world.profiles.revoke_device(caller(&own), other.session.device.id).await.unwrap();
    assert_eq!(world.published(user), ["device_removed", &revoked(&[other.session.device.id])]);
    assert_eq!(world.auth.verify(access(&other)).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.confirm(caller(&other)).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.redeem_ticket(&ticket.0).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.refresh(&refresh_token(&other), None).await, Err(Refusal::Unauthorized));
    assert!(world.auth.verify(access(&own)).await.is_ok());
}

#[tokio::test]
async fn logging_out_ends_the_own_device() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    world.auth.verify(access(&ada)).await.unwrap();
    world.auth.log_out(caller(&ada)).await.unwrap();
    assert_eq!(world.auth.verify(access(&ada)).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.log_out(caller(&ada)).await, Ok(()), "twice is once");
}

#[tokio::test]
async fn a_device_of_somebody_else_is_not_there() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    let bob = world.sign_up("bob").await;
    let absent = DeviceId::new(1).unwrap();
    for device in [bob.session.device.id, absent] {
        assert_eq!(world.profiles.revoke_device(caller(&ada), device).await, Err(Refusal::NotFound));
    }
    assert!(world.auth.verify(access(&bob)).await.is_ok());
}

#[tokio::test]
async fn a_revocation_on_another_node_takes_effect_soon_or_with_its_signal() {
    let world = World::new().await;
    let elsewhere = world.another_node().await;
    for by_signal in [true, false] {
        let ada = world.sign_up(if by_signal { "ada" } else { "bob" }).await;
        elsewhere.verify(access(&ada)).await.unwrap();
        world.auth.log_out(caller(&ada)).await.unwrap();
        assert!(elsewhere.verify(access(&ada)).await.is_ok(), "not known there yet");
        assert_eq!(elsewhere.confirm(caller(&ada)).await, Err(Refusal::Unauthorized), "asked past the cache");
        if by_signal {
            elsewhere.forget(ada.session.device.id);
        } else {
            world.clock.step(5_000);
        }
        assert_eq!(elsewhere.verify(access(&ada)).await, Err(Refusal::Unauthorized));
    }
}

#[tokio::test]
async fn a_disabled_account_is_out_within_seconds() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    world.auth.verify(access(&ada)).await.unwrap();
    world.memory.state.lock().users.get_mut(&caller(&ada).user).unwrap().active = false;
    world.clock.step(5_000);
    assert_eq!(world.auth.verify(access(&ada)).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.refresh(&refresh_token(&ada), None).await, Err(Refusal::Unauthorized));
    assert_eq!(world.profiles.me(caller(&ada)).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_ticket_opens_once_and_for_half_a_minute() {
    let world = World::new().await;
    let ada = caller(&world.sign_up("ada").await);
    let ticket = world.auth.issue_ticket(ada).0;
    world.clock.step(29_999);
    assert_eq!(world.auth.redeem_ticket(&ticket).await, Ok(ada));
    assert_eq!(world.auth.redeem_ticket(&ticket).await, Err(Refusal::Unauthorized));
    let ticket = world.auth.issue_ticket(ada).0;
    assert_eq!(world.another_node().await.redeem_ticket(&ticket).await, Err(Refusal::Unauthorized));
    world.clock.step(30_000);
    assert_eq!(world.auth.redeem_ticket(&ticket).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn the_current_device_is_marked() {
    let world = World::new().await;
    let first = world.sign_up("ada").await;
    let second = world.log_in("ada").await;
    for (own, expected) in [(&first, [false, true]), (&second, [true, false])] {
        let devices = world.profiles.devices(caller(own)).await.unwrap();
        assert_eq!(devices.iter().map(|device| device.current).collect::<Vec<_>>(), expected, "newest first");
    }
    let stranger = Caller { user: world.sign_up("bob").await.session.user.profile.id, ..caller(&first) };
    assert!(!world.profiles.devices(stranger).await.unwrap()[0].current);
}

#[tokio::test]
async fn settings_out_of_range_stop_the_start_and_name_themselves() {
    let world = World::new().await;
    let cases = [
        ("issuer", AuthConfig { issuer: String::new(), ..AuthConfig::default() }),
        ("audience", AuthConfig { audience: String::new(), ..AuthConfig::default() }),
        ("access_token_seconds", AuthConfig { access_token_seconds: 0, ..AuthConfig::default() }),
        ("refresh_token_days", AuthConfig { refresh_token_days: 0, ..AuthConfig::default() }),
        ("hash_concurrency", AuthConfig { hash_concurrency: 0, ..AuthConfig::default() }),
    ];
    for (name, config) in cases {
        let error = Auth::new(AuthDeps { config, ..world.deps() }).await.err().unwrap();
        assert!(matches!(&error, AuthError::Config { key, .. } if *key == name), "{error}");
        assert!(error.to_string().starts_with(&format!("auth.{name}: ")), "{error}");
    }
}

#[tokio::test]
async fn concurrent_starts_agree_on_one_key() {
    let world = World::new().await;
    let empty = Arc::new(crate::memory::Memory::default());
    let deps = AuthDeps { accounts: empty.clone(), devices: empty, ..world.deps() };
    let starts = (0..4).map(|_| Auth::new(deps.clone()));
    let nodes = futures_util::future::join_all(starts).await;
    let first = nodes[0].as_ref().unwrap().jwks();
    assert_eq!(first["keys"].as_array().unwrap().len(), 1);
    for node in &nodes {
        assert_eq!(node.as_ref().unwrap().jwks(), first);
    }
}

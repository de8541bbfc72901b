//! Logging in, by whom and by what.

use loquat_domain::Refusal;
use loquat_proto::account::{ChangePassword, DeviceInfo, LogIn, SignUp};

use crate::world::{PASSWORD, World, access, caller, log_in, refresh_token, revoked, secret, sign_up};

#[tokio::test]
async fn by_name_address_or_number_in_any_writing() {
    let world = World::new().await;
    let request = SignUp { phone: Some("+44 1632 960961".to_owned()), ..sign_up("ada") };
    let first = world.auth.sign_up(request, None).await.unwrap();
    for login in ["ada", "ADA", " ada ", "Ada@Example.org", "+441632960961", "+44 (1632) 960-961"] {
        let signed_in = world.auth.log_in(log_in(login, PASSWORD)).await.unwrap();
        assert_eq!(signed_in.session.user.profile.id, first.session.user.profile.id, "{login}");
        assert_ne!(signed_in.session.device.id, first.session.device.id, "a device of its own");
        assert_eq!(world.auth.verify(access(&signed_in)).await, Ok(caller(&signed_in)));
    }
}

#[tokio::test]
async fn whatever_is_wrong_answers_alike_after_the_same_work() {
    let world = World::new().await;
    world.sign_up("ada").await;
    world.sign_up("disabled").await;
    let disabled = world.auth.log_in(log_in("disabled", PASSWORD)).await.unwrap();
    world.memory.state.lock().users.get_mut(&caller(&disabled).user).unwrap().active = false;
    let devices = world.memory.state.lock().devices.len();
    let long = "x".repeat(1_000_000);
    for (login, password) in [
        ("ada", "wrong password"),
        ("ada", ""),
        ("ada", &long),
        ("nobody", PASSWORD),
        ("no such name", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("@", PASSWORD),
        ("", PASSWORD),
        (&long, PASSWORD),
        ("disabled", PASSWORD),
        ("disabled", "wrong password"),
    ] {
        let before = world.auth.hashing().computed;
        let answer = world.auth.log_in(log_in(login, password)).await;
        assert_eq!(answer, Err(Refusal::Unauthorized), "{login:.20} {password:.20}");
        assert_eq!(world.auth.hashing().computed, before + 1, "{login:.20} {password:.20}");
    }
    assert_eq!(world.memory.state.lock().devices.len(), devices, "nobody was signed in");
}

#[tokio::test]
async fn a_deleted_account_is_gone_for_good() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    world.profiles.delete(caller(&ada), secret(PASSWORD)).await.unwrap();
    for login in ["ada", "ada@example.org", ""] {
        assert_eq!(world.auth.log_in(log_in(login, PASSWORD)).await, Err(Refusal::Unauthorized), "{login}");
    }
    assert_eq!(world.auth.refresh(&refresh_token(&ada), None).await, Err(Refusal::Unauthorized));
    assert_eq!(world.auth.verify(access(&ada)).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn the_device_is_named_and_announced() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    let device = Some(DeviceInfo { name: "phone 📱".to_owned(), platform: "android".to_owned() });
    let signed_in = world.auth.log_in(LogIn { device, ..log_in("ada", PASSWORD) }).await.unwrap();
    assert_eq!(signed_in.session.device.name, "phone 📱");
    assert_eq!(world.published(caller(&ada).user), ["device_added"]);
    let bad = Some(DeviceInfo { name: "a\u{202E}b".to_owned(), platform: String::new() });
    let answer = world.auth.log_in(LogIn { device: bad, ..log_in("ada", PASSWORD) }).await;
    assert!(matches!(answer, Err(Refusal::Invalid(_))));
}

#[tokio::test]
async fn one_device_too_many_takes_the_place_of_the_one_seen_longest_ago() {
    let world = World::with(|_, limits| limits.devices_per_user = 3).await;
    let first = world.sign_up("ada").await;
    let user = caller(&first).user;
    world.clock.step(1_000);
    let second = world.log_in("ada").await;
    world.clock.step(1_000);
    let third = world.log_in("ada").await;
    world.clock.step(1_000);
    // The first is the oldest, but was seen just now.
    let now = 1_763_800_003_000;
    for (_, device) in &mut world.memory.state.lock().devices {
        if device.id == first.session.device.id {
            device.last_seen = Some(now);
        }
    }
    world.published(user);
    let fourth = world.log_in("ada").await;
    let expected = [&fourth, &third, &first].map(|signed_in| signed_in.session.device.id);
    assert_eq!(world.device_ids(caller(&fourth)).await, expected);
    assert_eq!(world.auth.verify(access(&second)).await, Err(Refusal::Unauthorized));
    assert_eq!(
        world.published(user),
        ["device_removed", &revoked(&[second.session.device.id]), "device_added"]
    );
}

#[tokio::test]
async fn a_lowered_limit_is_reached_at_the_next_log_in() {
    let world = World::with(|_, limits| limits.devices_per_user = 12).await;
    world.sign_up("ada").await;
    for _ in 0..11 {
        world.clock.step(1);
        world.log_in("ada").await;
    }
    let lowered = World::with(|_, limits| limits.devices_per_user = 2).await;
    std::mem::swap(&mut *lowered.memory.state.lock(), &mut *world.memory.state.lock());
    lowered.clock.step(1_000);
    let signed_in = lowered.log_in("ada").await;
    assert_eq!(lowered.device_ids(caller(&signed_in)).await.len(), 2);
}

#[tokio::test]
async fn a_changed_password_signs_all_others_out() {
    let world = World::new().await;
    let own = world.sign_up("ada").await;
    let others = [world.log_in("ada").await, world.log_in("ada").await];
    let user = caller(&own).user;
    for signed_in in others.iter().chain([&own]) {
        world.auth.verify(access(signed_in)).await.unwrap();
    }
    world.published(user);

    let change = |current: &str, new: &str| ChangePassword { current: secret(current), new: secret(new) };
    let wrong = world.auth.change_password(caller(&own), change("wrong password", "new password")).await;
    assert_eq!(wrong, Err(Refusal::Forbidden("the password is wrong")));
    let short = world.auth.change_password(caller(&own), change(PASSWORD, "short")).await;
    assert!(matches!(short, Err(Refusal::Invalid(_))));
    assert!(world.published(user).is_empty());

    world.auth.change_password(caller(&own), change(PASSWORD, "new password")).await.unwrap();
    let ids = others.each_ref().map(|signed_in| signed_in.session.device.id);
    assert_eq!(world.published(user), ["device_removed", "device_removed", &revoked(&ids)]);
    assert!(world.auth.verify(access(&own)).await.is_ok());
    assert!(world.auth.refresh(&refresh_token(&own), None).await.is_ok());
    for other in &others {
        assert_eq!(world.auth.verify(access(other)).await, Err(Refusal::Unauthorized));
        assert_eq!(world.auth.refresh(&refresh_token(other), None).await, Err(Refusal::Unauthorized));
    }
    assert_eq!(world.auth.log_in(log_in("ada", PASSWORD)).await, Err(Refusal::Unauthorized));
    assert!(world.auth.log_in(log_in("ada", "new password")).await.is_ok());
}

#[tokio::test]
async fn a_password_is_checked_against_the_callers_own_account() {
    let world = World::new().await;
    let ada = world.sign_up("ada").await;
    let other = SignUp { password: secret("bob's own password"), ..sign_up("bob") };
    let bob = world.auth.sign_up(other, None).await.unwrap();
    let change = ChangePassword { current: secret(PASSWORD), new: secret("new password") };
    let answer = world.auth.change_password(caller(&bob), change).await;
    assert_eq!(answer, Err(Refusal::Forbidden("the password is wrong")));
    assert_ne!(caller(&ada).user, caller(&bob).user);
}

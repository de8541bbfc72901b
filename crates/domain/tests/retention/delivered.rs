//! `until_delivered`.

use loquat_domain::messages::Act;
use loquat_proto::Retention;

use crate::world::{World, some, told};

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn a_message_goes_when_every_device_has_acknowledged_it() {
    let world = World::new(Retention::UntilDelivered).await;
    let phone = world.app.device(world.bob.user).await;
    let mut session = world.connect(phone, None).await;
    let first = world.say(world.ann, "first").await;
    let second = world.say(world.ann, "second").await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["first", "second"]));
    world.delivered(world.bob, second).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["first", "second"]), "the phone has nothing yet");
    world.delivered(phone, first).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["", "second"]));
    assert_eq!(told(&mut session), [(first, 0)], "devices keep what they have");
    world.delivered(phone, second).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["", ""]));
    let view = world.view().await;
    assert_eq!((view.erased_to, view.expired_to), (second, 0));
}

#[tokio::test]
async fn the_senders_other_devices_count_too() {
    let world = World::new(Retention::UntilDelivered).await;
    let laptop = world.app.device(world.ann.user).await;
    let seq = world.say(world.ann, "hello").await;
    world.delivered(world.bob, seq).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["hello"]));
    world.delivered(laptop, seq).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&[""]));
}

#[tokio::test]
async fn nothing_waits_longer_than_thirty_days() {
    let world = World::new(Retention::UntilDelivered).await;
    world.after(20 * DAY).await;
    world.say(world.ann, "hello").await;
    // Bob's device signed in 20 days before; it holds the message for the 10 days that it counts as active.
    world.after(10 * DAY - 1).await;
    assert_eq!(world.texts().await, some(&["hello"]));
    world.after(1 + 3_600_000).await;
    assert_eq!(world.texts().await, some(&[""]));

    let world = World::new(Retention::UntilDelivered).await;
    world.say(world.ann, "hello").await;
    for day in 1..30 {
        world.after(DAY).await;
        let seen =
            vec![(world.bob.user, world.bob.device, loquat_domain::ports::Clock::now(world.app.clock()))];
        world.app.storage().presences.save_last_seen(seen).await.unwrap();
        assert_eq!(world.texts().await, some(&["hello"]), "day {day}");
    }
    world.after(DAY).await;
    assert_eq!(world.texts().await, some(&[""]), "though the device is active");
}

#[tokio::test]
async fn who_leaves_holds_nothing_back() {
    let world = World::new(Retention::UntilDelivered).await;
    let eve = world.app.user("eve").await;
    world.act(world.ann, Act::AddMembers(vec![eve.user])).await.unwrap();
    let seq = world.say(world.ann, "hello").await;
    world.delivered(world.bob, seq).await;
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["hello"]));
    world.act(eve, Act::RemoveMember(eve.user)).await.unwrap();
    world.after(0).await;
    assert_eq!(world.texts().await, some(&[""]));
}

//! `ttl`.

use loquat_domain::Refusal;
use loquat_domain::messages::Act;
use loquat_proto::event::{EditBody, PinBody, ReactionBody};
use loquat_proto::{ConversationKind, ErrorCode, Format, Retention};
use loquat_testkit::Received;

use crate::world::{TTL, World, some, told, wish};

#[tokio::test]
async fn a_message_goes_when_its_time_is_over_and_sessions_are_told() {
    let world = World::new(TTL).await;
    let mut bob = world.connect(world.bob, None).await;
    let first = world.say(world.ann, "first").await;
    world.after(30_000).await;
    let second = world.say(world.bob, "second").await;
    world.after(29_999).await;
    assert_eq!(world.texts().await, some(&["first", "second"]));
    assert_eq!(told(&mut bob), []);
    world.after(1).await;
    assert_eq!(world.texts().await, some(&["", "second"]));
    assert_eq!(told(&mut bob), [(first, first)]);
    let message = &world.messages().await[0];
    assert!(message.deleted && message.seq == first && message.sender == world.ann.user);
    world.after(30_000).await;
    assert_eq!(world.texts().await, some(&["", ""]));
    assert_eq!(told(&mut bob), [(second, second)]);
    let view = world.view().await;
    assert_eq!((view.erased_to, view.expired_to), (second, second));
    assert!(view.last_message.is_some_and(|last| last.deleted && last.text.is_none()));
    assert_eq!(view.last_activity, view.created_at + 30_000, "an erasure is no activity");
}

#[tokio::test]
async fn an_erased_message_is_edited_reacted_to_and_pinned_no_more() {
    let world = World::new(TTL).await;
    let target = world.say(world.ann, "hello").await;
    world.after(60_000).await;
    let edit = EditBody { target, text: "again".to_owned(), format: Format::Plain, mentions: Vec::new() };
    let react = ReactionBody { target, emoji: "👍".to_owned(), on: true };
    for act in [Act::Edit(edit), Act::React(react), Act::Pin(PinBody { target, on: true })] {
        let refusal = world.act(world.ann, act.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::Conflict, "{act:?}");
    }
    let head = world.view().await.head;
    world.act(world.ann, Act::Delete { target }).await.unwrap();
    assert_eq!(world.view().await.head, head, "it is deleted already");
    let again = world.app.send(world.ann, world.id, "hello").await.unwrap();
    assert_eq!(again.seq, target, "its nonce is known for ever");
}

#[tokio::test]
async fn a_change_of_retention_reaches_what_was_said_before() {
    let world = World::new(Retention::Keep).await;
    world.say(world.ann, "old").await;
    world.after(365 * 86_400_000).await;
    let recent = world.say(world.bob, "recent").await;
    assert_eq!(world.texts().await, some(&["old", "recent"]));
    world.set(Retention::Ttl { seconds: 10 }).await.unwrap();
    world.after(0).await;
    assert_eq!(world.texts().await, some(&["", "recent"]));
    assert_eq!(world.view().await.expired_to, recent - 1);
    world.set(Retention::Keep).await.unwrap();
    world.after(86_400_000).await;
    assert_eq!(world.texts().await, some(&["", "recent"]), "what is gone is gone, what is there is kept");
}

#[tokio::test]
async fn who_was_away_learns_of_it_by_ready() {
    let world = World::new(TTL).await;
    let session = world.connect(world.bob, None).await;
    world.say(world.ann, "hello").await;
    drop(session);
    let mut before = world.connect(world.bob, None).await;
    let Received::Ready(ready) = before.take().unwrap().remove(0) else { panic!("ready comes first") };
    drop(before);
    world.after(60_000).await;
    let mut session = world.connect(world.bob, Some(&ready.since)).await;
    let Received::Ready(ready) = session.take().unwrap().remove(0) else { panic!("ready comes first") };
    assert!(!ready.reset);
    let told: Vec<_> = ready.changed.iter().map(|it| (it.id, it.expired_to == it.head)).collect();
    assert_eq!(told, [(world.id, true)]);
}

#[tokio::test]
async fn long_logs_go_whole() {
    let world = World::new(TTL).await;
    for number in 0..2_500 {
        world.say(world.ann, &format!("n{number}")).await;
    }
    world.after(60_000).await;
    let view = world.view().await;
    assert_eq!(view.expired_to, view.head);
    assert!(world.store.whole_log(world.id).iter().skip(3).all(|event| event.body.is_none()));
}

#[tokio::test]
async fn what_cannot_be_kept_to_is_refused() {
    let world = World::new(Retention::Keep).await;
    let refused = |outcome: Result<_, Refusal>| match outcome {
        Ok(()) => None,
        Err(refusal) => Some(refusal.code()),
    };
    for (kind, retention, code) in [
        (ConversationKind::Group, Retention::Ttl { seconds: 0 }, Some(ErrorCode::Invalid)),
        (ConversationKind::Group, Retention::Ttl { seconds: 315_360_001 }, Some(ErrorCode::Invalid)),
        (ConversationKind::Group, Retention::Ttl { seconds: 315_360_000 }, None),
        (ConversationKind::Group, Retention::UntilDelivered, None),
        (ConversationKind::Direct, Retention::Ttl { seconds: 1 }, None),
        (ConversationKind::Channel, Retention::UntilDelivered, Some(ErrorCode::Invalid)),
    ] {
        let wish = wish(kind, &[world.bob], retention);
        let made = world.app.conversations().create(world.ann, wish, None).await;
        if let Ok(made) = &made {
            assert_eq!(made.conversation.retention, retention);
        }
        assert_eq!(refused(made.map(drop)), code, "{kind:?} {retention:?}");
    }
    assert_eq!(refused(world.set(Retention::Ttl { seconds: 0 }).await.map(drop)), Some(ErrorCode::Invalid));
    let forbidden = {
        let settings = loquat_proto::event::SettingsBody { retention: Some(TTL), ..Default::default() };
        world.act(world.bob, Act::Settings(settings)).await
    };
    assert_eq!(refused(forbidden.map(drop)), Some(ErrorCode::Forbidden));
}

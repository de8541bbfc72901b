//! Creations of any kind, once for each key.

use std::sync::atomic::{AtomicU64, Ordering};

use loquat_domain::Refusal;
use loquat_domain::accounts::{Begun, Idempotency, request_hash};
use serde_json::json;

use crate::world::World;

async fn idempotency() -> (World, Idempotency) {
    let world = World::new().await;
    let idempotency = Idempotency::new(world.memory.clone(), world.clock.clone());
    (world, idempotency)
}

/// The id that a replay answers; `None` if it is to be created now, which `finish` then does.
async fn create(idempotency: &Idempotency, scope: &str, key: &str, id: u64) -> Option<u64> {
    match idempotency.begin(scope, key, [0; 32]).await.unwrap() {
        Begun::Fresh(attempt) => {
            attempt.finish(id).await.unwrap();
            None
        }
        Begun::Replay(id) => Some(id),
    }
}

#[tokio::test]
async fn a_key_answers_what_it_created_for_a_day() {
    let (world, idempotency) = idempotency().await;
    assert_eq!(create(&idempotency, "conversation:12", "k1", 71).await, None);
    assert_eq!(create(&idempotency, "conversation:12", "k1", 72).await, Some(71));
    assert_eq!(create(&idempotency, "conversation:13", "k1", 73).await, None, "another caller");
    assert_eq!(create(&idempotency, "conversation:12", "k2", 74).await, None, "another key");
    world.clock.step(86_400_000 - 1);
    assert_eq!(create(&idempotency, "conversation:12", "k1", 75).await, Some(71));
    world.clock.step(1);
    assert_eq!(create(&idempotency, "conversation:12", "k1", 76).await, None);
}

#[tokio::test]
async fn an_attempt_that_failed_leaves_the_key_fresh() {
    let (_world, idempotency) = idempotency().await;
    for _ in 0..2 {
        let Begun::Fresh(attempt) = idempotency.begin("conversation:12", "k1", [0; 32]).await.unwrap() else {
            panic!("nothing was finished yet");
        };
        drop(attempt);
    }
    assert_eq!(create(&idempotency, "conversation:12", "k1", 71).await, None);
}

#[tokio::test]
async fn another_request_with_the_same_key_is_a_conflict() {
    let (_world, idempotency) = idempotency().await;
    let first = request_hash(&json!({"title": "a"})).unwrap();
    let other = request_hash(&json!({"title": "b"})).unwrap();
    assert_ne!(first, other);
    let Begun::Fresh(attempt) = idempotency.begin("conversation:12", "k1", first).await.unwrap() else {
        panic!("a fresh key");
    };
    attempt.finish(71).await.unwrap();
    let answer = idempotency.begin("conversation:12", "k1", other).await;
    assert!(matches!(answer, Err(Refusal::Conflict(_))));
}

#[tokio::test]
async fn twins_wait_for_one_another() {
    let (_world, idempotency) = idempotency().await;
    let created = AtomicU64::new(0);
    let twins = (0..20).map(|_| async {
        match idempotency.begin("conversation:12", "k1", [0; 32]).await.unwrap() {
            Begun::Fresh(attempt) => {
                let id = created.fetch_add(1, Ordering::Relaxed) + 71;
                tokio::task::yield_now().await;
                attempt.finish(id).await.unwrap();
                id
            }
            Begun::Replay(id) => id,
        }
    });
    let ids = futures_util::future::join_all(twins).await;
    assert!(ids.iter().all(|id| *id == 71), "{ids:?}");
}

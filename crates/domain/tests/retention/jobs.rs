//! The worker runtime: retries, dead letters, two nodes at once, the loop and its end.

use std::sync::Arc;
use std::time::Duration;

use loquat_domain::Storage;
use loquat_domain::ports::{Clock as _, JobQuery, JobRecord, JobState, NewJob, Outbox as _};
use loquat_domain::workers::WorkerConfig;
use loquat_testkit::{MemoryStore, TestApp, TestClock, TestSettings};
use prometheus_client::registry::Registry;

use crate::world::{TTL, World, some};

impl World {
    async fn jobs(&self) -> Vec<JobRecord> {
        self.store.jobs(JobQuery { limit: 99, ..JobQuery::default() }).await.unwrap()
    }

    async fn poison(&self) {
        let due_at = self.app.clock().now();
        let poison =
            NewJob { kind: "retention", key: "no number".to_owned(), payload: String::new(), due_at };
        self.store.enqueue(vec![poison], due_at).await.unwrap();
    }
}

/// Five tries with growing pauses, then a dead letter; all the while the queue flows.
#[tokio::test]
async fn a_poison_job_is_buried_after_five_tries_and_the_queue_flows() {
    let world = World::new(TTL).await;
    world.poison().await;
    let mut pauses = Vec::new();
    for attempt in 1..=5 {
        let seq = world.say(world.ann, &format!("n{attempt}")).await;
        world.after(60_000 * attempt).await;
        assert_eq!(world.view().await.expired_to, seq, "the others are done meanwhile");
        let job = world.jobs().await.into_iter().find(|job| job.key == "no number").unwrap();
        assert_eq!((i64::from(job.attempts), job.error.is_some()), (attempt, true));
        assert_eq!(job.state, if attempt < 5 { JobState::Waiting } else { JobState::Dead });
        pauses.push(job.due_at - world.app.clock().now());
    }
    for (pause, least) in pauses.iter().zip([2_000, 8_000, 32_000, 128_000]) {
        assert!((least..=least * 5 / 4).contains(pause), "{pauses:?}");
    }
    world.after(86_400_000).await;
    let dead = world.jobs().await.remove(0);
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 5), "nobody tries it again");
    assert!(world.store.requeue(dead.id, world.app.clock().now()).await.unwrap());
    world.after(0).await;
    assert_eq!(world.jobs().await[0].attempts, 1);
}

#[tokio::test]
async fn two_nodes_share_the_work_and_do_it_once() {
    let world = World::new(TTL).await;
    for number in 0..50 {
        world.say(world.ann, &format!("n{number}")).await;
    }
    let clock = Arc::new(TestClock::standing());
    clock.advance(60_000);
    world.app.clock().advance(60_000);
    let storage = Storage::from_one(Arc::new(world.store.clone()));
    let other = TestApp::start(storage, TestSettings { seed: 5, clock, ..TestSettings::default() }).await;
    world.store.faults().yield_up_to(3);
    let (one, two) = tokio::join!(world.app.workers().work_off(), other.workers().work_off());
    one.unwrap();
    two.unwrap();
    world.after(0).await;
    assert_eq!(world.texts().await, some(&[""; 50]));
    assert_eq!(world.jobs().await, []);
}

/// The loop does by itself what is due, and a stop ends it.
#[tokio::test(start_paused = true)]
async fn workers_run_by_themselves_until_they_are_stopped() {
    let store = MemoryStore::new(3);
    let settings = TestSettings {
        workers: WorkerConfig::default(),
        clock: Arc::new(TestClock::following_runtime()),
        ..TestSettings::default()
    };
    let app = TestApp::start(Storage::from_one(Arc::new(store.clone())), settings).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let wish = crate::world::wish(loquat_proto::ConversationKind::Direct, &[bob], TTL);
    let id = app.conversations().create(ann, wish, None).await.unwrap().conversation.id;
    app.send(ann, id, "hello").await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(store.whole_log(id)[0].body.is_some());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(store.whole_log(id)[0].body.is_none());
    let mut text = String::new();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut registry = Registry::default();
    app.workers().metrics().register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("loquat_job_turns_total{kind=\"retention\",outcome=\"done\"} 1"), "{text}");
    assert!(text.contains("loquat_worker_lag_positions{worker=\"retention\"} 0"), "{text}");
    assert!(text.contains("loquat_jobs{kind=\"retention\",state=\"dead\"} 0"), "{text}");

    app.send(ann, id, "more").await.unwrap();
    app.stop().await.unwrap();
    let writes = store.faults().writes();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(
        store.whole_log(id)[1].body.is_some() && store.faults().writes() == writes,
        "nobody works any more"
    );
}

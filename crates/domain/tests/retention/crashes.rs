//! The process dies in the middle of an erasure, or storage does not answer.

use std::sync::Arc;
use std::time::Duration;

use loquat_domain::Storage;
use loquat_domain::ports::{JobQuery, JobState, Outbox as _};
use loquat_testkit::{TestApp, TestSettings, WriteFailure};

use crate::world::{TTL, World};

const LEASE: i64 = 60_000;

impl World {
    async fn restart(self) -> Self {
        let store = self.store.after_crash();
        let storage = Storage::from_one(Arc::new(store.clone()));
        let clock = Arc::new(loquat_testkit::TestClock::standing());
        clock.advance(loquat_domain::ports::Clock::now(self.app.clock()) - loquat_testkit::TestClock::START);
        let settings = TestSettings { seed: 99, clock, ..TestSettings::default() };
        let app = TestApp::start(storage, settings).await;
        Self { store, app, ann: self.ann, bob: self.bob, id: self.id }
    }
}

/// Whichever write the process dies in or after, the erasure is whole in the end, and its job is gone.
#[tokio::test]
async fn an_erasure_is_finished_by_who_comes_after() {
    for n in 1..=8 {
        for failure in [WriteFailure::Refused, WriteFailure::AnswerLost] {
            let world = World::new(TTL).await;
            for number in 0..1_200 {
                world.say(world.ann, &format!("n{number}")).await;
            }
            world.after(0).await;
            world.app.clock().advance(60_000);
            world.store.faults().fail_write(n, failure);
            // It stops where the write failed; a failed job would be tried again, the crash comes first.
            let _ = world.app.workers().work_off().await;
            world.store.faults().fail_write(u64::MAX, failure);
            let world = world.restart().await;
            world.after(LEASE).await;
            world.after(LEASE).await;
            let view = world.view().await;
            assert_eq!(view.expired_to, view.head, "write {n}, {failure:?}");
            let left = world.store.whole_log(world.id);
            let left = left
                .iter()
                .filter(|event| event.kind == loquat_proto::EventKind::Message && event.body.is_some());
            assert_eq!(left.count(), 0, "write {n}, {failure:?}");
            let jobs = world.store.jobs(JobQuery { limit: 9, ..JobQuery::default() }).await.unwrap();
            assert_eq!(jobs, [], "write {n}, {failure:?}");
        }
    }
}

/// A turn that hangs is given up within its lease, and done by the next.
#[tokio::test(start_paused = true)]
async fn a_turn_that_hangs_is_given_up() {
    let world = World::new(TTL).await;
    world.say(world.ann, "hello").await;
    world.after(0).await;
    // Nothing is loaded after a restart: the lane that is to tell the members has to read who they are.
    let world = world.restart().await;
    world.store.faults().delay_loads(Duration::from_secs(40));
    let begun = tokio::time::Instant::now();
    world.after(60_000).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(30), "half a lease");
    let jobs = || world.store.jobs(JobQuery { limit: 9, ..JobQuery::default() });
    let job = jobs().await.unwrap().remove(0);
    assert_eq!((job.state, job.attempts), (JobState::Waiting, 1));
    assert_eq!(job.error.as_deref(), Some("the turn took too long"));
    world.store.faults().delay_loads(Duration::ZERO);
    world.after(10_000).await;
    assert_eq!(jobs().await.unwrap(), []);
    let view = world.view().await;
    assert_eq!(view.expired_to, view.head);
}

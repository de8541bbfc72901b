//! Properties of [`Outbox`](loquat_domain::ports::Outbox).

use loquat_domain::ports::{Claim, ClaimedJob, JobQuery, JobRecord, JobState, NewJob, Settlement};
use loquat_proto::Timestamp;

use super::{NOW, Ports};

const LEASE: i64 = 60_000;
const TRIES: u32 = 5;

fn job(key: &str, due_at: Timestamp) -> NewJob {
    NewJob { kind: "sweep", key: key.to_owned(), payload: String::new(), due_at }
}

async fn claim<S: Ports>(store: &S, now: Timestamp, limit: usize) -> Vec<ClaimedJob> {
    let kinds = vec!["sweep", "index"];
    let claim = Claim { kinds, now, lease_until: now + LEASE, limit, max_attempts: TRIES };
    store.claim(claim).await.unwrap()
}

async fn keys<S: Ports>(store: &S, now: Timestamp, limit: usize) -> Vec<String> {
    claim(store, now, limit).await.into_iter().map(|job| job.key).collect()
}

async fn all<S: Ports>(store: &S) -> Vec<JobRecord> {
    store.jobs(JobQuery { limit: 100, ..JobQuery::default() }).await.unwrap()
}

/// A cursor moves from where it is only, and what was found on the way comes with it or not at all.
pub async fn a_cursor_moves_by_compare_and_set<S: Ports>(store: &S) {
    assert_eq!(store.cursor("tailer").await.unwrap(), 0);
    assert!(store.advance("tailer", (0, 7), vec![job("a", NOW)], NOW).await.unwrap());
    assert!(!store.advance("tailer", (0, 9), vec![job("b", NOW)], NOW).await.unwrap());
    assert_eq!((store.cursor("tailer").await.unwrap(), store.cursor("other").await.unwrap()), (7, 0));
    assert_eq!(all(store).await.len(), 1, "a refused move enqueues nothing");
    assert!(store.advance("tailer", (7, 9), Vec::new(), NOW).await.unwrap());
    assert_eq!(store.cursor("tailer").await.unwrap(), 9);
}

/// Jobs are claimed when they are due, longest due first, and by who handles their kind.
pub async fn due_jobs_are_claimed_in_order<S: Ports>(store: &S) {
    let unknown = NewJob { kind: "of the future", ..job("x", NOW - 9) };
    let jobs = vec![job("late", NOW + 1), job("b", NOW), unknown, job("a", NOW - 1), job("c", NOW)];
    store.enqueue(jobs, NOW).await.unwrap();
    assert_eq!(keys(store, NOW - 2, 9).await, Vec::<String>::new());
    assert_eq!(keys(store, NOW, 2).await, ["a", "b"]);
    assert_eq!(keys(store, NOW, 9).await, ["c"], "what is claimed is not claimed again");
    assert_eq!(keys(store, NOW + 1, 9).await, ["late"]);
}

/// Of many that claim at once, each job goes to one.
pub async fn claims_are_exclusive<S: Ports>(store: &S) {
    store.enqueue((0..20).map(|number| job(&number.to_string(), NOW)).collect(), NOW).await.unwrap();
    let (one, two, three) = tokio::join!(claim(store, NOW, 8), claim(store, NOW, 8), claim(store, NOW, 8));
    let mut keys: Vec<String> = [one, two, three].concat().into_iter().map(|job| job.key).collect();
    assert_eq!(keys.len(), 20);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 20);
}

/// What is enqueued again waits once, for the earlier time.
pub async fn the_same_job_waits_once<S: Ports>(store: &S) {
    let with_payload = NewJob { payload: "7".to_owned(), ..job("a", NOW + 50) };
    store.enqueue(vec![with_payload], NOW).await.unwrap();
    store
        .enqueue(vec![job("a", NOW + 90), job("a", NOW + 10), NewJob { kind: "index", ..job("a", NOW) }], NOW)
        .await
        .unwrap();
    let jobs = all(store).await;
    let told: Vec<_> = jobs.iter().map(|job| (job.kind.as_str(), job.due_at, job.payload.as_str())).collect();
    assert_eq!(told, [("sweep", NOW + 10, "7"), ("index", NOW, "")]);
    assert!(jobs[0].id < jobs[1].id && jobs[0].created_at == NOW);
}

/// What is enqueued while it runs runs once more; what is done otherwise goes.
pub async fn done_jobs_go_unless_they_are_wanted_again<S: Ports>(store: &S) {
    store.enqueue(vec![job("a", NOW), job("b", NOW)], NOW).await.unwrap();
    let [a, b] = claim(store, NOW, 9).await.try_into().unwrap();
    store.enqueue(vec![job("a", NOW + 9), job("a", NOW + 5), job("a", NOW + 7)], NOW).await.unwrap();
    assert!(store.settle(a.lease, Settlement::Done).await.unwrap());
    assert!(store.settle(b.lease, Settlement::Done).await.unwrap());
    let left = all(store).await;
    assert_eq!((left.len(), left[0].state, left[0].due_at), (1, JobState::Waiting, NOW + 5));
    assert_eq!((keys(store, NOW + 4, 9).await.len(), keys(store, NOW + 5, 9).await.len()), (0, 1));
}

/// A job with more to do keeps what it noted, has all its tries again, and takes the earlier time.
pub async fn jobs_go_on_with_their_payload<S: Ports>(store: &S) {
    store.enqueue(vec![job("a", NOW)], NOW).await.unwrap();
    let first = claim(store, NOW, 1).await.remove(0);
    assert_eq!((first.attempt, first.payload.as_str()), (1, ""));
    let again = Settlement::Again { due_at: NOW + 9, payload: "halfway".to_owned() };
    store.enqueue(vec![job("a", NOW + 3)], NOW).await.unwrap();
    assert!(store.settle(first.lease, again).await.unwrap());
    let second = claim(store, NOW + 3, 1).await.remove(0);
    assert_eq!((second.attempt, second.payload.as_str()), (1, "halfway"));
}

/// A failed job waits for its retry whatever is enqueued, counts its tries, and remembers why.
pub async fn failed_jobs_wait_and_count<S: Ports>(store: &S) {
    store.enqueue(vec![job("a", NOW)], NOW).await.unwrap();
    for attempt in 1..=3 {
        let now = NOW + i64::from(attempt) * 100;
        let claimed = claim(store, now, 1).await.remove(0);
        assert_eq!(claimed.attempt, attempt);
        let retry = Settlement::Retry { due_at: now + 100, error: format!("try {attempt}") };
        assert!(store.settle(claimed.lease, retry).await.unwrap());
        store.enqueue(vec![job("a", NOW)], now).await.unwrap();
        assert_eq!(keys(store, now + 99, 9).await.len(), 0, "backing off");
    }
    let waiting = all(store).await.remove(0);
    assert_eq!((waiting.attempts, waiting.error.as_deref()), (3, Some("try 3")));
    assert_eq!(waiting.state, JobState::Waiting);
}

/// When a lease is over the next worker takes the job, and the one that lost it cannot settle it any more.
pub async fn an_expired_lease_is_taken_over<S: Ports>(store: &S) {
    store.enqueue(vec![job("a", NOW)], NOW).await.unwrap();
    let first = claim(store, NOW, 1).await.remove(0);
    assert_eq!(keys(store, NOW + LEASE - 1, 9).await.len(), 0, "the lease holds");
    let second = claim(store, NOW + LEASE, 1).await.remove(0);
    assert_eq!((second.lease.job, second.attempt), (first.lease.job, 2));
    assert_ne!(second.lease, first.lease);
    for late in [Settlement::Done, Settlement::Bury { at: NOW, error: String::new() }] {
        assert!(!store.settle(first.lease, late).await.unwrap(), "the lease was lost");
    }
    assert_eq!(all(store).await[0].state, JobState::Running);
    assert!(store.settle(second.lease, Settlement::Done).await.unwrap());
    assert!(!store.settle(second.lease, Settlement::Done).await.unwrap(), "settled once");
    assert_eq!(all(store).await, []);
}

/// A job that takes every worker with it is buried after its tries, and holds up nobody.
pub async fn a_deadly_job_is_buried<S: Ports>(store: &S) {
    store.enqueue(vec![job("deadly", NOW)], NOW).await.unwrap();
    for attempt in 0..i64::from(TRIES) {
        assert_eq!(keys(store, NOW + attempt * LEASE, 1).await, ["deadly"]);
    }
    let end = NOW + i64::from(TRIES) * LEASE;
    store.enqueue(vec![job("harmless", end)], end).await.unwrap();
    assert_eq!(keys(store, end, 1).await, ["harmless"]);
    let dead =
        store.jobs(JobQuery { state: Some(JobState::Dead), limit: 9, ..JobQuery::default() }).await.unwrap();
    assert_eq!((dead.len(), dead[0].key.as_str(), dead[0].due_at), (1, "deadly", end));
    assert!(dead[0].error.is_some());
}

/// A dead job stays dead until it is requeued, and has all its tries then.
pub async fn dead_letters_wait_for_somebody<S: Ports>(store: &S) {
    store.enqueue(vec![job("a", NOW), job("b", NOW)], NOW).await.unwrap();
    let [a, b] = claim(store, NOW, 2).await.try_into().unwrap();
    let bury = Settlement::Bury { at: NOW + 5, error: "poison".to_owned() };
    assert!(store.settle(a.lease, bury).await.unwrap());
    store.enqueue(vec![job("a", NOW)], NOW).await.unwrap();
    assert_eq!(keys(store, NOW + LEASE - 1, 9).await.len(), 0);
    let counts = store.counts().await.unwrap();
    let told: Vec<_> = counts.iter().map(|c| (c.kind.as_str(), c.state, c.count, c.earliest)).collect();
    assert_eq!(told, [("sweep", JobState::Running, 1, NOW + LEASE), ("sweep", JobState::Dead, 1, NOW + 5)]);
    assert!(!store.requeue(b.lease.job, NOW).await.unwrap(), "it runs");
    assert!(!store.requeue(999_999, NOW).await.unwrap(), "there is none");
    assert!(store.requeue(a.lease.job, NOW + 6).await.unwrap());
    let again = claim(store, NOW + 6, 9).await.remove(0);
    assert_eq!((again.key.as_str(), again.attempt), ("a", 1));
}

/// Jobs are listed by id, some at a time, by state and kind.
pub async fn jobs_are_listed<S: Ports>(store: &S) {
    let mut jobs: Vec<NewJob> = (0..5).map(|number| job(&number.to_string(), NOW + number)).collect();
    jobs[3].kind = "index";
    store.enqueue(jobs, NOW).await.unwrap();
    claim(store, NOW, 1).await;
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store.jobs(JobQuery { after, limit: 2, ..JobQuery::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        seen.extend(page.into_iter().map(|job| job.key));
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);
    let kind = JobQuery { kind: Some("index".to_owned()), limit: 9, ..JobQuery::default() };
    assert_eq!(store.jobs(kind).await.unwrap().len(), 1);
    let state = JobQuery { state: Some(JobState::Waiting), limit: 9, ..JobQuery::default() };
    assert_eq!(store.jobs(state).await.unwrap().len(), 4);
}

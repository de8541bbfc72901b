//! Appends: what waits is taken together, a transaction for many conversations.
//!
//! Most appends are messages and nothing else. Those of a batch go in one *round*: two flights of statements over
//! arrays, whatever their number. The first locks the heads, in the order of their ids, and looks for their nonces under
//! the lock; the second inserts the winners, moves heads and counts, and commits. An append whose head has moved is a
//! conflict and costs its neighbours nothing. Every other append (edits, members, settings, a nonce that may be
//! known) goes *alone*, in a transaction of its own, by the same code as on SQLite.
//!
//! Where the connection is lost while a round is to be committed, nobody knows whether it was. Then each of its appends
//! goes alone, once more: what was committed is found by its nonces, and answered as it would have been.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use loquat_domain::failpoint;
use loquat_domain::ports::{Append, AppendOutcome, Change, Placement, StoreError};
use loquat_proto::ConversationId;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::engine::{is_collision, is_undone, write_once};
use super::options::Target;
use super::pool::{Failure, Worker, refused};
use super::round;
use super::schema::{PARTITION_TRANSACTIONS, ensure_partitions};
use crate::queue::Queue;
use crate::sql::Scope;
use crate::sql::appender::Appender;
use crate::sql::driver::Connection;
use crate::sql::error::{Outcome, SqlError, store_error};

/// So many events go into one transaction.
const MAX_WEIGHT: usize = 8192;
/// How often an append is tried again.
const TRIES: u32 = 5;

struct Queued {
    weight: usize,
    appends: Vec<Append>,
    answer: oneshot::Sender<Result<Vec<AppendOutcome>, StoreError>>,
}

#[derive(Default)]
struct Counts {
    commits: AtomicU64,
    conflicts: AtomicU64,
}

/// The threads that append, and what waits for them.
pub(super) struct Appenders {
    queue: Arc<Queue<Queued>>,
    counts: Arc<Counts>,
}

impl Appenders {
    /// Starts the threads.
    pub(super) fn start(
        target: &Arc<Target>,
        nonce_secret: [u8; 16],
        (threads, capacity): (usize, usize),
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let queue: Arc<Queue<Queued>> = Arc::new(Queue::new(capacity));
        let counts = Arc::new(Counts::default());
        let handles = (0..threads.max(1))
            .map(|number| {
                let queue = queue.clone();
                let mut thread = Thread {
                    worker: Worker::new(target.clone()),
                    nonce_secret,
                    counts: counts.clone(),
                    partitions_upto: 0,
                };
                std::thread::Builder::new().name(format!("store-append-{number}")).spawn(move || {
                    while let Some(batch) = take(&queue) {
                        thread.work_off(batch);
                    }
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok((Self { queue, counts }, handles))
    }

    /// Appends; see [`EventLog::append_many`](loquat_domain::ports::EventLog::append_many).
    pub(super) async fn append(&self, appends: Vec<Append>) -> Result<Vec<AppendOutcome>, StoreError> {
        let weight = appends.iter().map(|append| append.events.len()).sum();
        let (answer, answered) = oneshot::channel();
        self.queue.push(Queued { weight, appends, answer }).map_err(refused)?;
        answered.await.map_err(|_| StoreError::Unavailable("an append was not answered".into()))?
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Transactions committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.counts.commits.load(Ordering::Relaxed)
    }

    /// Conflicts so far.
    pub(super) fn conflicts(&self) -> u64 {
        self.counts.conflicts.load(Ordering::Relaxed)
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn close(&self) {
        self.queue.close();
    }
}

/// All that waits, up to the bound; `None` once there is nothing more to come.
fn take(queue: &Queue<Queued>) -> Option<Vec<Queued>> {
    let mut batch = vec![queue.pop()?];
    let mut weight = batch[0].weight;
    queue.take_while(&mut batch, |next| {
        weight += next.weight;
        weight <= MAX_WEIGHT
    });
    Some(batch)
}

/// One append of a batch: whose it is, and its place in that call.
struct Slot {
    call: usize,
    place: usize,
    append: Append,
}

/// What became of one append.
type Verdict = Result<AppendOutcome, StoreError>;

/// What was answered for each call so far.
struct Answers(Vec<Vec<Option<Verdict>>>);

impl Answers {
    fn put(&mut self, slot: &Slot, verdict: Verdict) {
        if let Some(answer) = self.0.get_mut(slot.call).and_then(|call| call.get_mut(slot.place)) {
            *answer = Some(verdict);
        }
    }
}

struct Thread {
    worker: Worker,
    nonce_secret: [u8; 16],
    counts: Arc<Counts>,
    /// The first transaction that has no partition for its events.
    partitions_upto: u64,
}

impl Thread {
    /// Appends a batch and answers it. Appends to one conversation keep their order.
    fn work_off(&mut self, batch: Vec<Queued>) {
        let mut answers =
            Answers(batch.iter().map(|call| call.appends.iter().map(|_| None).collect()).collect());
        let mut senders = Vec::with_capacity(batch.len());
        let mut waiting: FxHashMap<ConversationId, VecDeque<Slot>> = FxHashMap::default();
        for (call, queued) in batch.into_iter().enumerate() {
            senders.push(queued.answer);
            for (place, append) in queued.appends.into_iter().enumerate() {
                waiting.entry(append.conversation).or_default().push_back(Slot { call, place, append });
            }
        }
        while !waiting.is_empty() {
            let fronts: Vec<Slot> = waiting.values_mut().filter_map(VecDeque::pop_front).collect();
            waiting.retain(|_, slots| !slots.is_empty());
            self.append_apart(fronts, &mut answers);
        }
        for (sender, verdicts) in senders.into_iter().zip(answers.0) {
            let given_up = || Err(StoreError::Unavailable("an append was given up".into()));
            let answer = verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(given_up)).collect();
            // Whoever asked may have gone meanwhile.
            let _ = sender.send(answer);
        }
    }

    /// Appends to different conversations.
    fn append_apart(&mut self, slots: Vec<Slot>, answers: &mut Answers) {
        failpoint::pass("before_append");
        let (plain, others): (Vec<Slot>, Vec<Slot>) =
            slots.into_iter().partition(|slot| is_plain(&slot.append));
        let mut alone: Vec<(Slot, Option<AppendOutcome>)> = Vec::new();
        let (mut round, mut weight) = (Vec::new(), 0);
        for slot in plain {
            let events = slot.append.events.len();
            if !round.is_empty() && weight + events > MAX_WEIGHT {
                self.append_round(std::mem::take(&mut round), &mut alone, answers);
                weight = 0;
            }
            weight += events;
            round.push(slot);
        }
        if !round.is_empty() {
            self.append_round(round, &mut alone, answers);
        }
        alone.extend(others.into_iter().map(|slot| (slot, None)));
        for (slot, before) in alone {
            let verdict = self.append_alone(&slot.append, before).map_err(|error| store_error(&error));
            self.count(&verdict);
            answers.put(&slot, verdict);
        }
    }

    /// Appends of messages, together. What cannot be decided there is left to go alone, with what the round would have
    /// answered if it was committed.
    fn append_round(
        &mut self,
        slots: Vec<Slot>,
        alone: &mut Vec<(Slot, Option<AppendOutcome>)>,
        answers: &mut Answers,
    ) {
        let appends: Vec<&Append> = slots.iter().map(|slot| &slot.append).collect();
        let mut tries = 1;
        let result = loop {
            let mut decided = None;
            let secret = self.nonce_secret;
            let result =
                self.worker.session(|session| round::append(session, secret, &appends, &mut decided));
            match result {
                Err(Failure::Undone(error))
                    if tries < TRIES && (is_collision(&error) || self.worker.is_disconnected()) =>
                {
                    tries += 1;
                }
                Ok(transaction) => {
                    self.counts.commits.fetch_add(1, Ordering::Relaxed);
                    self.look_ahead(transaction);
                    break Ok(decided.unwrap_or_default());
                }
                Err(failure) => break Err((failure, decided)),
            }
        };
        match result {
            Ok(decided) => {
                failpoint::pass("after_commit");
                for (slot, outcome) in slots.into_iter().zip(decided) {
                    let Some(outcome) = outcome else {
                        alone.push((slot, None));
                        continue;
                    };
                    let verdict = Ok(outcome);
                    self.count(&verdict);
                    answers.put(&slot, verdict);
                }
            }
            Err((failure, decided)) if is_undone(&failure) && self.worker.is_disconnected() => {
                drop(decided);
                let told = store_error(&failure.into_error());
                for slot in slots {
                    answers.put(&slot, Err(told.clone()));
                }
            }
            Err((failure, decided)) => {
                let unknown = !is_undone(&failure);
                tracing::warn!(error = %failure.into_error(), unknown, "a round of appends failed; each goes alone");
                let decided = decided.filter(|_| unknown).unwrap_or_default();
                let before = decided.into_iter().chain(std::iter::repeat(None));
                alone.extend(slots.into_iter().zip(before));
            }
        }
    }

    /// One append in a transaction of its own. `before` is what it was to be answered before its outcome became unknown.
    fn append_alone(&mut self, append: &Append, mut before: Option<AppendOutcome>) -> Outcome<AppendOutcome> {
        let scope = Scope::Conversations(vec![append.conversation]);
        let mut tries = 1;
        loop {
            let mut answer = None;
            let result = write_once(&mut self.worker, self.nonce_secret, &scope, |context| {
                let mut appender = Appender::new(context)?;
                answer = Some(appender.append(context, append.clone())?);
                failpoint::pass("after_append");
                failpoint::pass("before_commit");
                Ok(())
            });
            match (result, answer) {
                (Ok(()), Some(outcome)) => {
                    self.counts.commits.fetch_add(1, Ordering::Relaxed);
                    failpoint::pass("after_commit");
                    return Ok(first_answer(outcome, before));
                }
                (Err(Failure::Undone(error)), _)
                    if tries < TRIES && (is_collision(&error) || self.worker.is_disconnected()) => {}
                (Err(Failure::Unknown(_)), answer) if tries < TRIES => before = before.or(answer),
                (Err(failure), _) => return Err(failure.into_error()),
                (Ok(()), None) => return Err(SqlError::NoRow),
            }
            tries += 1;
        }
    }

    fn count(&self, verdict: &Verdict) {
        if matches!(verdict, Ok(AppendOutcome::Conflict)) {
            self.counts.conflicts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes partitions before they are needed.
    fn look_ahead(&mut self, transaction: u64) {
        if transaction + PARTITION_TRANSACTIONS < self.partitions_upto {
            return;
        }
        if let Ok(Connection::Postgres(session)) = self.worker.connection() {
            match ensure_partitions(session) {
                Ok(upto) => self.partitions_upto = upto,
                Err(error) => tracing::error!(%error, "the next partition of the log could not be made"),
            }
        }
    }
}

/// Whether an append is messages and nothing else.
fn is_plain(append: &Append) -> bool {
    append.events.iter().all(|event| {
        event.logged && event.account.is_empty() && matches!(event.change, Change::Message { .. })
    })
}

/// The outcome, but as it was first decided, where it turns out to have been committed then.
fn first_answer(outcome: AppendOutcome, before: Option<AppendOutcome>) -> AppendOutcome {
    let Some(AppendOutcome::Appended { placements: first, account }) = before else { return outcome };
    let AppendOutcome::Appended { placements, .. } = &outcome else { return outcome };
    let same =
        |(now, first): (&Placement, &Placement)| now.replayed && (now.seq, now.ts) == (first.seq, first.ts);
    if placements.len() == first.len() && placements.iter().zip(&first).all(same) {
        AppendOutcome::Appended { placements: first, account }
    } else {
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(placements: &[(u64, bool)]) -> AppendOutcome {
        let placements = placements.iter().map(|(seq, replayed)| Placement {
            seq: *seq,
            ts: 7,
            replayed: *replayed,
            erased: false,
        });
        AppendOutcome::Appended { placements: placements.collect(), account: Vec::new() }
    }

    #[test]
    fn a_commit_of_unknown_outcome_is_answered_as_it_was_decided() {
        let decided = appended(&[(3, false), (2, true)]);
        for (found, answered) in [
            // It was committed.
            (appended(&[(3, true), (2, true)]), decided.clone()),
            // It was not, and was done anew behind another one.
            (appended(&[(4, false), (2, true)]), appended(&[(4, false), (2, true)])),
            // It had no nonces.
            (AppendOutcome::Conflict, AppendOutcome::Conflict),
        ] {
            assert_eq!(first_answer(found, Some(decided.clone())), answered);
        }
        assert_eq!(first_answer(appended(&[(3, true)]), None), appended(&[(3, true)]));
    }
}

//! Keeps the order of one session's sends to one conversation when one of them fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use loquat_proto::{ConversationId, Nonce};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::time::{Duration, Instant};

use crate::Refusal;

/// Which conversations of a session wait for a failed send to be sent again.
///
/// The rule: when a send fails with a retryable error, those already in flight behind it fail too. The server cannot
/// know which frames the client sent before it saw the error, so everything behind the failed send is refused until
/// its nonce comes again, whatever comes meanwhile. A session that took the failure from its queue and then leaves the
/// conversation alone for [`QUIET`] longer than it was asked to wait has given the failed send up, and so has one that
/// did not send it again within [`LONGEST`]. Decision record 0004 says why nothing else counts as giving up.
#[derive(Debug, Default)]
pub struct SendOrder {
    next: AtomicU64,
    /// Whether `gaps` has entries: spares the usual send a lock.
    any: AtomicBool,
    gaps: Mutex<FxHashMap<ConversationId, Gaps>>,
}

/// The failed sends of one conversation, in the order in which they were sent. All but the last were sent again, and
/// what became of them is not known yet: one that fails once more takes everything behind it along.
type Gaps = SmallVec<[Gap; 1]>;

#[derive(Debug)]
struct Gap {
    nonce: Nonce,
    failed: u64,
    retried: Option<u64>,
    /// How far the failure is on its way to the client.
    told: Told,
    /// The last time at which it failed or something was refused because of it, or at which the failure was taken.
    last: Instant,
    /// When it failed.
    since: Instant,
    retry_after_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Not yet: the log is asked whether it was a replay.
    No,
    /// It stands in the session's queue.
    Queued,
    /// The connection took it from there.
    Taken,
}

/// Who leaves a conversation alone for so long, after the time that it was asked to wait, has given up what failed.
const QUIET: Duration = Duration::from_secs(3);
/// Who did not send it again within this time has given it up, too, whatever else it sends.
const LONGEST: Duration = Duration::from_secs(30);

/// Conversations of one session that may wait at a time; beyond, order gives way to memory.
const MAX_CONVERSATIONS: usize = 1024;
/// Failed sends of one conversation whose second attempts are on their way at a time; beyond, likewise.
const MAX_GAPS: usize = 64;

impl SendOrder {
    /// Takes a send's place in the session's order.
    ///
    /// # Errors
    /// It stands behind a failed send: [`Refusal::Unavailable`].
    pub fn enter(&self, conversation: ConversationId, nonce: &Nonce) -> Result<u64, Refusal> {
        let ordinal = self.next.fetch_add(1, Ordering::Relaxed);
        if !self.any.load(Ordering::Acquire) {
            return Ok(ordinal);
        }
        let now = Instant::now();
        let mut gaps = self.gaps.lock();
        let Some(waiting) = gaps.get_mut(&conversation) else { return Ok(ordinal) };
        let Some(gap) = waiting.last_mut().filter(|gap| gap.retried.is_none()) else { return Ok(ordinal) };
        if gap.nonce == *nonce {
            gap.retried = Some(ordinal);
        } else if gap.holds(now) {
            return Err(gap.refuse(now));
        } else {
            waiting.pop();
            self.forget_if_empty(&mut gaps, conversation);
        }
        Ok(ordinal)
    }

    /// Whether a send that entered may still be appended: nothing before it failed meanwhile.
    ///
    /// # Errors
    /// It stands behind a failed send: [`Refusal::Unavailable`].
    pub fn check(&self, conversation: ConversationId, ordinal: u64) -> Result<(), Refusal> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut gaps = self.gaps.lock();
        let waiting = gaps.get_mut(&conversation).into_iter().flatten();
        match waiting.into_iter().find(|gap| gap.has_behind(ordinal)) {
            Some(gap) => Err(gap.refuse(Instant::now())),
            None => Ok(()),
        }
    }

    /// Notes that a send failed with a retryable refusal.
    pub fn failed(&self, conversation: ConversationId, nonce: &Nonce, ordinal: u64, retry_after_ms: u64) {
        let now = Instant::now();
        let mut gaps = self.gaps.lock();
        if gaps.len() >= MAX_CONVERSATIONS && !gaps.contains_key(&conversation) {
            gaps.retain(|_, waiting| waiting.last().is_some_and(|gap| gap.holds(now)));
            if gaps.len() >= MAX_CONVERSATIONS {
                return;
            }
        }
        let waiting = gaps.entry(conversation).or_default();
        if let Some(gap) = waiting.iter_mut().find(|gap| gap.has_behind(ordinal)) {
            // It was refused because of that one: no gap of its own.
            gap.last = now;
        } else if let Some(index) = waiting.iter().position(|gap| gap.retried == Some(ordinal)) {
            // Once more: what failed behind its second attempt comes again after it anyway.
            waiting.truncate(index + 1);
            waiting[index] =
                Gap { failed: waiting[index].failed, ..Gap::new(nonce, ordinal, retry_after_ms, now) };
        } else {
            // Later sends may have failed before it, when they entered.
            waiting.retain(|gap| gap.failed < ordinal);
            if waiting.len() >= MAX_GAPS {
                waiting.remove(0);
            }
            waiting.push(Gap::new(nonce, ordinal, retry_after_ms, now));
        }
        self.any.store(true, Ordering::Release);
    }

    /// Notes that a refusal stands in the session's queue.
    pub fn told(&self, conversation: ConversationId, nonce: &Nonce) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut gaps = self.gaps.lock();
        let waiting = gaps.get_mut(&conversation).into_iter().flatten();
        for gap in waiting.filter(|gap| gap.told == Told::No && gap.nonce == *nonce) {
            gap.told = Told::Queued;
        }
    }

    /// Notes that the connection took everything from the session's queue.
    pub fn taken(&self) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let now = Instant::now();
        for gap in self.gaps.lock().values_mut().flatten().filter(|gap| gap.told == Told::Queued) {
            (gap.told, gap.last) = (Told::Taken, now);
        }
    }

    /// Notes that a send stands in the log, or was refused for good: nothing waits for it any more.
    pub fn settled(&self, conversation: ConversationId, nonce: &Nonce) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut gaps = self.gaps.lock();
        if let Some(waiting) = gaps.get_mut(&conversation) {
            waiting.retain(|gap| gap.nonce != *nonce);
            self.forget_if_empty(&mut gaps, conversation);
        }
    }

    fn forget_if_empty(&self, gaps: &mut FxHashMap<ConversationId, Gaps>, conversation: ConversationId) {
        if gaps.get(&conversation).is_some_and(SmallVec::is_empty) {
            gaps.remove(&conversation);
        }
        self.any.store(!gaps.is_empty(), Ordering::Release);
    }
}

impl Gap {
    fn new(nonce: &Nonce, failed: u64, retry_after_ms: u64, now: Instant) -> Self {
        Self {
            nonce: nonce.clone(),
            failed,
            retried: None,
            told: Told::No,
            last: now,
            since: now,
            retry_after_ms,
        }
    }

    /// Whether a send was sent behind the failed one and before that was sent again.
    fn has_behind(&self, ordinal: u64) -> bool {
        ordinal > self.failed && self.retried.is_none_or(|retried| ordinal < retried)
    }

    /// Whether the session may still send it again.
    fn holds(&self, now: Instant) -> bool {
        let quiet = QUIET + Duration::from_millis(self.retry_after_ms);
        now < self.since + LONGEST && (self.told != Told::Taken || now < self.last + quiet)
    }

    const fn refuse(&mut self, now: Instant) -> Refusal {
        self.last = now;
        Refusal::Unavailable {
            reason: "an earlier message to this conversation failed; send it again first",
            retry_after_ms: self.retry_after_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        ConversationId::new(71).unwrap()
    }

    fn nonce(name: &str) -> Nonce {
        name.parse().unwrap()
    }

    fn enter(order: &SendOrder, name: &str) -> Result<u64, Refusal> {
        order.enter(conversation(), &nonce(name))
    }

    fn fail(order: &SendOrder, name: &str, ordinal: u64) {
        order.failed(conversation(), &nonce(name), ordinal, 100);
    }

    fn tell(order: &SendOrder, name: &str) {
        order.told(conversation(), &nonce(name));
        order.taken();
    }

    async fn pass(ms: u64) {
        tokio::time::advance(Duration::from_millis(ms)).await;
    }

    #[test]
    fn what_is_in_flight_behind_a_failed_send_fails_and_the_retry_lets_it_through() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        let second = enter(&order, "b").unwrap();
        fail(&order, "a", first);
        assert!(order.check(conversation(), second).is_err(), "b was queued behind a");
        assert!(enter(&order, "c").is_err(), "c was sent before the client saw the error");

        let retry = enter(&order, "a").unwrap();
        let behind = enter(&order, "b").unwrap();
        assert!(order.check(conversation(), second).is_err(), "the first b stays refused");
        assert!(order.check(conversation(), retry).is_ok());
        assert!(order.check(conversation(), behind).is_ok());
        order.settled(conversation(), &nonce("a"));
        assert!(enter(&order, "d").is_ok());
    }

    #[test]
    fn what_entered_before_the_failed_send_goes_on() {
        let order = SendOrder::default();
        let before = enter(&order, "a").unwrap();
        let failed = enter(&order, "b").unwrap();
        fail(&order, "b", failed);
        assert!(order.check(conversation(), before).is_ok());
    }

    #[test]
    fn a_retry_that_fails_again_opens_the_gap_again() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        let retry = enter(&order, "a").unwrap();
        fail(&order, "a", retry);
        assert!(enter(&order, "b").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_send_that_was_given_up_holds_others_up_while_they_press_but_not_for_ever() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        tell(&order, "a");
        for second in 0..30 {
            // Perhaps it was sent before the client heard of the failure of a.
            assert!(enter(&order, "b").is_err(), "after {second} s");
            pass(1_000).await;
        }
        assert!(enter(&order, "b").is_ok());
        assert!(enter(&order, "c").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_conversation_left_alone_for_a_while_is_free_again() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        tell(&order, "a");
        pass(3_099).await;
        assert!(enter(&order, "b").is_err());
        pass(3_100).await;
        assert!(enter(&order, "b").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_not_heard_of_a_failure_has_not_given_up() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        order.taken();
        pass(10_000).await;
        assert!(enter(&order, "b").is_err(), "the failure was not in the queue yet");
        order.told(conversation(), &nonce("a"));
        pass(10_000).await;
        assert!(enter(&order, "b").is_err(), "nobody took it from there");
        order.taken();
        pass(3_100).await;
        assert!(enter(&order, "b").is_ok());
    }

    #[test]
    fn other_conversations_are_not_held_up() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        assert!(order.enter(ConversationId::new(72).unwrap(), &nonce("b")).is_ok());
    }

    #[test]
    fn a_send_refused_behind_a_gap_opens_none_of_its_own() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        let behind = enter(&order, "b").unwrap();
        fail(&order, "a", first);
        // The client sends both again before it hears of the second failure.
        let first_again = enter(&order, "a").unwrap();
        let behind_again = enter(&order, "b").unwrap();
        assert!(order.check(conversation(), behind).is_err());
        fail(&order, "b", behind);
        assert!(order.check(conversation(), first_again).is_ok());
        assert!(order.check(conversation(), behind_again).is_ok());
    }

    #[test]
    fn an_earlier_send_that_fails_later_comes_first() {
        let order = SendOrder::default();
        let earlier = enter(&order, "a").unwrap();
        let later = enter(&order, "b").unwrap();
        fail(&order, "b", later);
        let later_again = enter(&order, "b").unwrap();
        fail(&order, "a", earlier);
        assert!(order.check(conversation(), later_again).is_err());
        assert!(enter(&order, "b").is_err());
        assert!(enter(&order, "a").is_ok());
    }

    #[test]
    fn a_retry_that_fails_again_takes_along_what_failed_behind_it() {
        let order = SendOrder::default();
        let first = enter(&order, "a").unwrap();
        fail(&order, "a", first);
        let again = enter(&order, "a").unwrap();
        let behind = enter(&order, "b").unwrap();
        fail(&order, "b", behind);
        assert!(enter(&order, "c").is_err(), "behind b");
        fail(&order, "a", again);
        assert!(enter(&order, "b").is_err(), "a comes first");
        assert!(enter(&order, "a").is_ok());
        assert!(enter(&order, "b").is_ok());
        order.settled(conversation(), &nonce("a"));
        assert!(enter(&order, "c").is_ok());
    }
}

//! Keeps the order of one session's sends to one conversation when one of them fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use loquat_proto::{ConversationId, Nonce, Timestamp};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::Refusal;

/// Which conversations of a session wait for a failed send to be sent again.
///
/// The rule: when a send fails with a retryable error, those already in flight behind it fail too. The server cannot
/// know which frames the client sent before it saw the error, so everything behind the failed send is refused until
/// its nonce comes again. If instead a send comes again that was refused behind it, after the failure was told, then
/// the client knows of the failure and gave the failed send up: the rule ends there. No time decides this, because no
/// time tells how long frames are under way; only a session that left the conversation alone for [`GIVE_UP_MS`] is
/// taken to have given up.
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
    /// Whether the failure stands in the session's queue.
    told: bool,
    /// Some of the sends whose refusals stand in the queue behind that.
    told_behind: SmallVec<[Nonce; 1]>,
    until: Timestamp,
    retry_after_ms: u64,
}

/// Who leaves a conversation alone for so long has given up what failed there.
const GIVE_UP_MS: u64 = 30_000;
/// Refusals behind a failed send that are remembered; the first ones to come again are among them.
const MAX_TOLD: usize = 8;

/// Conversations of one session that may wait at a time; beyond, order gives way to memory.
const MAX_CONVERSATIONS: usize = 1024;
/// Failed sends of one conversation whose second attempts are on their way at a time; beyond, likewise.
const MAX_GAPS: usize = 64;

impl SendOrder {
    /// Takes a send's place in the session's order.
    ///
    /// # Errors
    /// It stands behind a failed send: [`Refusal::Unavailable`].
    pub fn enter(&self, conversation: ConversationId, nonce: &Nonce, now: Timestamp) -> Result<u64, Refusal> {
        let ordinal = self.next.fetch_add(1, Ordering::Relaxed);
        if !self.any.load(Ordering::Acquire) {
            return Ok(ordinal);
        }
        let mut gaps = self.gaps.lock();
        let Some(waiting) = gaps.get_mut(&conversation) else { return Ok(ordinal) };
        let Some(gap) = waiting.last_mut().filter(|gap| gap.retried.is_none()) else { return Ok(ordinal) };
        if gap.nonce == *nonce {
            gap.retried = Some(ordinal);
        } else if now < gap.until && !gap.told_behind.contains(nonce) {
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
    pub fn check(&self, conversation: ConversationId, ordinal: u64, now: Timestamp) -> Result<(), Refusal> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut gaps = self.gaps.lock();
        let waiting = gaps.get_mut(&conversation).into_iter().flatten();
        match waiting.into_iter().find(|gap| gap.has_behind(ordinal)) {
            Some(gap) => Err(gap.refuse(now)),
            None => Ok(()),
        }
    }

    /// Notes that a send failed with a retryable refusal.
    pub fn failed(
        &self,
        conversation: ConversationId,
        nonce: &Nonce,
        ordinal: u64,
        (retry_after_ms, now): (u64, Timestamp),
    ) {
        let mut gaps = self.gaps.lock();
        if gaps.len() >= MAX_CONVERSATIONS && !gaps.contains_key(&conversation) {
            gaps.retain(|_, waiting| waiting.last().is_some_and(|gap| gap.until > now));
            if gaps.len() >= MAX_CONVERSATIONS {
                return;
            }
        }
        let until = give_up_at(now);
        let waiting = gaps.entry(conversation).or_default();
        if let Some(gap) = waiting.iter_mut().find(|gap| gap.has_behind(ordinal)) {
            // It was refused because of that one: no gap of its own.
            gap.until = until;
        } else if let Some(index) = waiting.iter().position(|gap| gap.retried == Some(ordinal)) {
            // Once more: what failed behind its second attempt comes again after it anyway.
            waiting.truncate(index + 1);
            waiting[index] = Gap { failed: waiting[index].failed, ..Gap::new(nonce, ordinal, retry_after_ms, now) };
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
        for gap in self.gaps.lock().get_mut(&conversation).into_iter().flatten() {
            if gap.nonce == *nonce {
                gap.told = true;
            } else if gap.told && gap.told_behind.len() < MAX_TOLD {
                gap.told_behind.push(nonce.clone());
            }
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
    fn new(nonce: &Nonce, failed: u64, retry_after_ms: u64, now: Timestamp) -> Self {
        Self {
            nonce: nonce.clone(),
            failed,
            retried: None,
            told: false,
            told_behind: SmallVec::new(),
            until: give_up_at(now),
            retry_after_ms,
        }
    }

    /// Whether a send was sent behind the failed one and before that was sent again.
    fn has_behind(&self, ordinal: u64) -> bool {
        ordinal > self.failed && self.retried.is_none_or(|retried| ordinal < retried)
    }

    fn refuse(&mut self, now: Timestamp) -> Refusal {
        self.until = give_up_at(now);
        Refusal::Unavailable {
            reason: "an earlier message to this conversation failed; send it again first",
            retry_after_ms: self.retry_after_ms,
        }
    }
}

fn give_up_at(now: Timestamp) -> Timestamp {
    now.saturating_add(GIVE_UP_MS.cast_signed())
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

    fn enter(order: &SendOrder, name: &str, now: Timestamp) -> Result<u64, Refusal> {
        order.enter(conversation(), &nonce(name), now)
    }

    #[test]
    fn what_is_in_flight_behind_a_failed_send_fails_and_the_retry_lets_it_through() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        let second = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(order.check(conversation(), second, 0).is_err(), "b was queued behind a");
        assert!(enter(&order, "c", 0).is_err(), "c was sent before the client saw the error");

        let retry = enter(&order, "a", 50).unwrap();
        let behind = enter(&order, "b", 50).unwrap();
        assert!(order.check(conversation(), second, 50).is_err(), "the first b stays refused");
        assert!(order.check(conversation(), retry, 50).is_ok());
        assert!(order.check(conversation(), behind, 50).is_ok());
        order.settled(conversation(), &nonce("a"));
        assert!(enter(&order, "d", 50).is_ok());
    }

    #[test]
    fn what_entered_before_the_failed_send_goes_on() {
        let order = SendOrder::default();
        let before = enter(&order, "a", 0).unwrap();
        let failed = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("b"), failed, (100, 0));
        assert!(order.check(conversation(), before, 0).is_ok());
    }

    #[test]
    fn a_retry_that_fails_again_opens_the_gap_again() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        let retry = enter(&order, "a", 10).unwrap();
        order.failed(conversation(), &nonce("a"), retry, (100, 10));
        assert!(enter(&order, "b", 20).is_err());
    }

    #[test]
    fn a_send_that_was_given_up_blocks_until_one_behind_it_comes_again() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(enter(&order, "b", 0).is_err());
        order.told(conversation(), &nonce("b"));
        assert!(enter(&order, "b", 200).is_err(), "the client does not know of a's failure: nobody told it");
        order.told(conversation(), &nonce("a"));
        assert!(enter(&order, "b", 400).is_err(), "b's refusal was told before a's");
        assert!(enter(&order, "c", 9000).is_err(), "frames may be under way for long");
        order.told(conversation(), &nonce("b"));
        assert!(enter(&order, "b", 9000).is_ok(), "the client has heard of both, and sent b without a");
        assert!(enter(&order, "c", 9000).is_ok());
    }

    #[test]
    fn a_conversation_left_alone_for_long_is_free_again() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(enter(&order, "b", 29_999).is_err());
        assert!(enter(&order, "c", 59_999).is_ok());
    }

    #[test]
    fn other_conversations_are_not_held_up() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(order.enter(ConversationId::new(72).unwrap(), &nonce("b"), 0).is_ok());
    }

    #[test]
    fn a_send_refused_behind_a_gap_opens_none_of_its_own() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        let behind = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        // The client sends both again before it hears of the second failure.
        let first_again = enter(&order, "a", 10).unwrap();
        let behind_again = enter(&order, "b", 10).unwrap();
        assert!(order.check(conversation(), behind, 10).is_err());
        order.failed(conversation(), &nonce("b"), behind, (100, 10));
        assert!(order.check(conversation(), first_again, 10).is_ok());
        assert!(order.check(conversation(), behind_again, 10).is_ok());
    }

    #[test]
    fn an_earlier_send_that_fails_later_comes_first() {
        let order = SendOrder::default();
        let earlier = enter(&order, "a", 0).unwrap();
        let later = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("b"), later, (100, 0));
        let later_again = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("a"), earlier, (100, 0));
        assert!(order.check(conversation(), later_again, 0).is_err());
        assert!(enter(&order, "b", 0).is_err());
        assert!(enter(&order, "a", 0).is_ok());
    }

    #[test]
    fn a_retry_that_fails_again_takes_along_what_failed_behind_it() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        let again = enter(&order, "a", 0).unwrap();
        let behind = enter(&order, "b", 0).unwrap();
        order.failed(conversation(), &nonce("b"), behind, (100, 0));
        assert!(enter(&order, "c", 0).is_err(), "behind b");
        order.failed(conversation(), &nonce("a"), again, (100, 0));
        assert!(enter(&order, "b", 0).is_err(), "a comes first");
        assert!(enter(&order, "a", 0).is_ok());
        assert!(enter(&order, "b", 0).is_ok());
        order.settled(conversation(), &nonce("a"));
        assert!(enter(&order, "c", 0).is_ok());
    }
}

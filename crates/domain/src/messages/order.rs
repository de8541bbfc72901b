//! Keeps the order of one session's sends to one conversation when one of them fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use loquat_proto::{ConversationId, Nonce, Timestamp};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::Refusal;

/// Which conversations of a session wait for a failed send to be sent again.
///
/// The rule: when a send fails with a retryable error, those already in flight behind it fail too. The server cannot
/// know which frames the client sent before it saw the error, so everything behind the failed send is refused until
/// its nonce comes again, or until the session has left the conversation alone for as long as it was told to wait
/// (the client gave the failed send up).
#[derive(Debug, Default)]
pub struct SendOrder {
    next: AtomicU64,
    /// Whether `gaps` has entries: spares the usual send a lock.
    any: AtomicBool,
    gaps: Mutex<FxHashMap<ConversationId, Gap>>,
}

#[derive(Debug)]
struct Gap {
    nonce: Nonce,
    failed: u64,
    retried: Option<u64>,
    until: Timestamp,
    retry_after_ms: u64,
}

/// Conversations of one session that may wait at a time; beyond, the oldest rule gives way to memory.
const MAX_GAPS: usize = 1024;

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
        let Some(gap) = gaps.get_mut(&conversation) else { return Ok(ordinal) };
        if gap.nonce == *nonce {
            gap.retried = Some(ordinal);
        } else if gap.retried.is_none() {
            if now < gap.until {
                return Err(gap.refuse(now));
            }
            gaps.remove(&conversation);
            self.any.store(!gaps.is_empty(), Ordering::Release);
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
        match gaps.get_mut(&conversation) {
            Some(gap) if ordinal > gap.failed && gap.retried.is_none_or(|retried| ordinal < retried) => {
                Err(gap.refuse(now))
            }
            _ => Ok(()),
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
        if gaps.len() >= MAX_GAPS {
            gaps.retain(|_, gap| gap.until > now);
        }
        let until = wait_until(now, retry_after_ms);
        match gaps.get_mut(&conversation) {
            Some(gap) if gap.nonce == *nonce => {
                *gap = Gap { nonce: nonce.clone(), failed: ordinal, retried: None, until, retry_after_ms };
            }
            // It is behind the gap that is there.
            Some(gap) if gap.retried.is_none() => gap.until = until,
            _ => {
                let gap = Gap { nonce: nonce.clone(), failed: ordinal, retried: None, until, retry_after_ms };
                gaps.insert(conversation, gap);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// Notes that a send stands in the log.
    pub fn succeeded(&self, conversation: ConversationId, nonce: &Nonce) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut gaps = self.gaps.lock();
        if gaps.get(&conversation).is_some_and(|gap| gap.nonce == *nonce) {
            gaps.remove(&conversation);
            self.any.store(!gaps.is_empty(), Ordering::Release);
        }
    }
}

impl Gap {
    fn refuse(&mut self, now: Timestamp) -> Refusal {
        self.until = wait_until(now, self.retry_after_ms);
        Refusal::Unavailable {
            reason: "an earlier message to this conversation failed; send it again first",
            retry_after_ms: self.retry_after_ms,
        }
    }
}

fn wait_until(now: Timestamp, retry_after_ms: u64) -> Timestamp {
    now.saturating_add(i64::try_from(retry_after_ms).unwrap_or(i64::MAX))
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
        order.succeeded(conversation(), &nonce("a"));
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
    fn a_send_that_was_given_up_blocks_only_for_the_time_told() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(enter(&order, "b", 99).is_err());
        assert!(enter(&order, "b", 150).is_err(), "each refusal asks for the whole wait again");
        assert!(enter(&order, "b", 250).is_ok());
    }

    #[test]
    fn other_conversations_are_not_held_up() {
        let order = SendOrder::default();
        let first = enter(&order, "a", 0).unwrap();
        order.failed(conversation(), &nonce("a"), first, (100, 0));
        assert!(order.enter(ConversationId::new(72).unwrap(), &nonce("b"), 0).is_ok());
    }
}

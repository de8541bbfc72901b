//! What waits for a time: one deadline for each reason.

use std::collections::{BTreeMap, BTreeSet};

use loquat_proto::{ConversationId, UserId};

/// A reason to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Cursors of this conversation may be acknowledged.
    Acknowledge(ConversationId),
    /// A refused change of this conversation may be tried again.
    Retry(ConversationId),
    /// The gap in this conversation was given time enough, or a failed fetch may be tried again.
    Fetch(ConversationId),
    /// The user stopped writing there without saying so.
    TypingExpires(ConversationId, UserId),
    /// The draft has rested.
    Draft(ConversationId),
    /// The server is to be asked what is unread in this conversation.
    Count(ConversationId),
    /// Changed summaries have rested.
    Store,
    /// Something must be said to stay online.
    Heartbeat,
    /// The oldest frame in flight must be answered by now.
    AnswerDue,
    /// REST calls may go on.
    Requests,
}

/// Deadlines on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(u64, Timer)>,
    deadlines: BTreeMap<Timer, u64>,
}

impl Timers {
    /// Sets the deadline, in place of the one before.
    pub(crate) fn set(&mut self, timer: Timer, at: u64) {
        self.cancel(timer);
        self.queue.insert((at, timer));
        self.deadlines.insert(timer, at);
    }

    /// Sets the deadline unless there is one.
    pub(crate) fn set_if_absent(&mut self, timer: Timer, at: u64) {
        if !self.deadlines.contains_key(&timer) {
            self.set(timer, at);
        }
    }

    /// Whether a deadline is set.
    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.deadlines.contains_key(&timer)
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.deadlines.remove(&timer) {
            self.queue.remove(&(at, timer));
        }
    }

    /// The next timer that is due, taken out.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Timer> {
        let (at, timer) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.deadlines.remove(&timer);
        Some(timer)
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.first().map(|(at, _)| *at)
    }
}

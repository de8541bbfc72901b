//! What is in memory of one conversation.

use std::collections::BTreeMap;

use loquat_proto::{Conversation, Event, Retention, Seq, Timestamp, UserId};

use crate::open::Open;
use crate::store::Progress;

/// An event that came before its turn.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) event: Event,
    /// Whether it came as a push: then it is news when its turn comes.
    pub(crate) live: bool,
}

/// What a count of unread messages depends on: a count that was begun before one of these moved is worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counting {
    read: Seq,
    top: Seq,
    counted: Seq,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// As in the list; `None` until the server told (an event can come first).
    pub(crate) summary: Option<Conversation>,
    pub(crate) progress: Progress,
    /// The `seq` up to which `summary` counts: events above it change it, others are in it already.
    pub(crate) counted: Seq,
    /// Events that came early, above the newest range.
    pub(crate) held: BTreeMap<Seq, Held>,
    /// Whether a fetch is in flight.
    pub(crate) fetching: bool,
    /// How many fetches failed in a row.
    pub(crate) fetch_failures: u32,
    /// When the present gap was seen, on the monotonic clock, if by a live event: it is given time to close.
    pub(crate) patience_until: u64,
    pub(crate) open: Option<Open>,
    /// Whether the cursors moved since they were last sent.
    pub(crate) cursors_dirty: bool,
    /// When the cursors were last sent, on the monotonic clock.
    pub(crate) cursors_sent_at: Option<u64>,
    /// The newest `seq` when the socket connected: a server that knows less has lost something.
    pub(crate) top_at_connect: Seq,
    /// Whether a reset made its existence doubtful.
    pub(crate) stale: bool,
    /// Who writes at this moment.
    pub(crate) typing: Vec<UserId>,
    /// When "the user writes" was last sent, on the monotonic clock; `None` if they are known to have stopped.
    pub(crate) typing_sent_at: Option<u64>,
}

impl Room {
    /// The first `seq` that the user may read.
    pub(crate) fn visible_from(&self) -> Seq {
        self.summary.as_ref().map_or(1, |summary| summary.visible_from.max(1))
    }

    /// The newest `seq` held without a gap in the newest range; `visible_from - 1` if nothing is.
    pub(crate) fn top(&self) -> Seq {
        self.progress.ranges.top().max(self.visible_from() - 1)
    }

    /// The next `seq` that continues the newest range.
    pub(crate) fn has_gap(&self) -> bool {
        self.progress.head > self.top()
    }

    /// Whether every event is wanted, not only the newest.
    pub(crate) fn wants_all(&self) -> bool {
        let until_delivered = |summary: &Conversation| summary.retention == Retention::UntilDelivered;
        self.progress.whole || self.summary.as_ref().is_some_and(until_delivered)
    }

    /// The first `seq` that is wanted and missing below the newest range.
    pub(crate) fn first_missing(&self) -> Option<Seq> {
        let reach = self.progress.ranges.reach(self.visible_from());
        (reach < self.top()).then_some(reach + 1)
    }

    /// How far "delivered" may be said, of what is in `progress.ranges`. Where bodies are erased once delivered,
    /// only what is held without a gap; elsewhere everything up to the newest page, because the rest can be had.
    pub(crate) fn deliverable(&self) -> Seq {
        let erases = self.summary.as_ref().is_some_and(|it| it.retention == Retention::UntilDelivered);
        if erases {
            let next = self.progress.delivered.saturating_add(1).max(self.visible_from());
            self.progress.ranges.reach(next)
        } else {
            self.progress.ranges.top()
        }
    }

    pub(crate) fn counting(&self) -> Counting {
        Counting { read: self.progress.read, top: self.top(), counted: self.counted }
    }

    pub(crate) fn last_activity(&self) -> Timestamp {
        self.summary.as_ref().map_or(0, |summary| summary.last_activity)
    }
}

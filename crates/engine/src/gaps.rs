//! Which part of which log to fetch next, and what comes back.

use loquat_proto::frame::Fetch;
use loquat_proto::message::EventPage;
use loquat_proto::{ClientFrame, ConversationId, ErrorBody, ErrorCode, Seq};

use crate::engine::{Engine, Purpose};
use crate::entropy::backoff;
use crate::room::Room;
use crate::timers::Timer;

/// A fetch that is in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) conversation: ConversationId,
    pub(crate) side: Side,
}

/// From where, and to which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Events above this, ascending.
    After(Seq),
    /// The nearest events below this.
    Before(Seq),
}

impl Room {
    /// What to fetch next: first what is missing at the top, then what the user scrolls to, then the rest where all
    /// of it is wanted.
    fn next_fetch(&self, lazy_gap: u64) -> Option<Side> {
        self.summary.as_ref()?;
        if self.has_gap() {
            let gap = self.progress.head - self.top();
            let jump = !self.wants_all() && (gap > lazy_gap || self.progress.ranges.newest().is_none());
            let head = self.progress.head;
            return Some(if jump { Side::Before(head + 1) } else { Side::After(self.top()) });
        }
        let low = self.progress.ranges.newest().map_or(self.visible_from(), |(first, _)| first);
        let scrolled = self.open.as_ref().is_some_and(|open| open.wants_older);
        if scrolled && low > self.visible_from() && self.window_low() == Some(low) {
            return Some(Side::Before(low));
        }
        let missing = if self.wants_all() { self.first_missing() } else { None };
        missing.map(|seq| Side::After(seq - 1))
    }

    fn window_low(&self) -> Option<Seq> {
        self.open.as_ref()?.window.as_ref().map(|window| window.low)
    }
}

impl Engine {
    /// Starts as many fetches as may be in flight, open conversations first, then those with the newest activity.
    pub(crate) fn pump_fetches(&mut self) {
        if !self.is_up() {
            return;
        }
        let mut in_flight = self.rooms_fetching();
        while in_flight < self.options.fetches {
            let Some(plan) = self.choose_fetch() else { return };
            let (after, before) = match plan.side {
                Side::After(seq) => (Some(seq), None),
                Side::Before(seq) => (None, Some(seq)),
            };
            let limit = Some(self.options.page);
            let fetch = Fetch { conversation: plan.conversation, after, before, limit };
            self.ask(&ClientFrame::Fetch(fetch), Purpose::Fetch(plan));
            if let Some(room) = self.rooms.get_mut(&plan.conversation) {
                room.fetching = true;
            }
            in_flight += 1;
        }
    }

    fn rooms_fetching(&self) -> usize {
        self.frames.values().filter(|(purpose, _)| matches!(purpose, Purpose::Fetch(_))).count()
    }

    fn choose_fetch(&mut self) -> Option<Plan> {
        let now = self.now.monotonic_ms;
        let mut best: Option<((bool, i64), Plan)> = None;
        let mut idle = Vec::new();
        for conversation in &self.wanted {
            let Some(room) = self.rooms.get(conversation) else {
                idle.push(*conversation);
                continue;
            };
            let waits = room.fetching || self.timers.is_set(Timer::Fetch(*conversation));
            if waits {
                continue;
            }
            let Some(side) = room.next_fetch(self.options.lazy_gap) else {
                idle.push(*conversation);
                continue;
            };
            if room.patience_until > now {
                self.timers.set(Timer::Fetch(*conversation), room.patience_until);
                continue;
            }
            let urgency = (room.open.is_some(), room.last_activity());
            if best.as_ref().is_none_or(|(most, _)| urgency > *most) {
                best = Some((urgency, Plan { conversation: *conversation, side }));
            }
        }
        for conversation in idle {
            self.wanted.remove(&conversation);
            self.catching_up.remove(&conversation);
        }
        best.map(|(_, plan)| plan)
    }

    /// A page came.
    pub(crate) fn fetched(&mut self, plan: Plan, page: EventPage) {
        let conversation = plan.conversation;
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        room.fetching = false;
        room.progress.head = room.progress.head.max(page.head);
        if let Some(summary) = room.summary.as_mut() {
            if page.visible_from > summary.visible_from {
                summary.visible_from = page.visible_from;
                self.dirty_summaries.insert(conversation);
            }
        }
        self.dirty_progress.insert(conversation);
        self.wanted.insert(conversation);
        if fits(plan.side, &page, room) {
            room.fetch_failures = 0;
            self.take_page(conversation, page.items);
            self.serve_window(conversation);
        } else {
            self.fetch_later(conversation, None);
        }
    }

    /// A fetch was refused.
    pub(crate) fn fetch_refused(&mut self, plan: Plan, error: &ErrorBody) {
        if error.code == ErrorCode::NotFound {
            self.forget_conversation(plan.conversation);
        } else {
            self.fetch_later(plan.conversation, error.retry_after_ms);
        }
    }

    fn fetch_later(&mut self, conversation: ConversationId, retry_after_ms: Option<u64>) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        room.fetching = false;
        room.fetch_failures += 1;
        let attempts = room.fetch_failures;
        let wait = backoff(&mut *self.entropy, attempts, self.options.retry_cap_ms);
        let at = self.now.monotonic_ms + wait + retry_after_ms.unwrap_or(0);
        self.timers.set(Timer::Fetch(conversation), at);
    }

    /// The transport is gone, and the fetches with it.
    pub(crate) fn fetches_lost(&mut self) {
        for (conversation, room) in &mut self.rooms {
            if room.fetching || room.fetch_failures > 0 {
                room.fetching = false;
                room.fetch_failures = 0;
                self.timers.cancel(Timer::Fetch(*conversation));
            }
        }
    }
}

/// Whether a page is what was asked for: contiguous, and adjoining. A page that is not would break the log.
fn fits(side: Side, page: &EventPage, room: &Room) -> bool {
    let contiguous = page.items.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq);
    let (Some(first), Some(last)) = (page.items.first(), page.items.last()) else { return false };
    let adjoins = match side {
        Side::After(seq) => first.seq == (seq + 1).max(room.visible_from()),
        Side::Before(seq) => last.seq + 1 == seq,
    };
    contiguous && adjoins && first.seq >= room.visible_from()
}

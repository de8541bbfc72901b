//! How long bodies are kept: what must go now, and when to look again.
//!
//! Retention erases from the front of a log: up to a *horizon*, every message is gone. So two numbers a conversation say
//! all there is to say, to the store, to clients that are connected (`erased`) and to those that come back (`ready`).
//! The rules are pure; [`crate::workers`] applies them.

use loquat_proto::{Retention, Seq, Timestamp};

use crate::ports::{Horizons, MemberDevice, SweepFacts, SweptMessage};

/// A device that was not seen for so long does not hold anything back, and nothing waits longer for delivery: 30 days.
pub const ACTIVE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// The longest `ttl`, in seconds: ten years.
pub const MAX_TTL_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;
/// How long to wait at most before devices are looked at again: some become inactive, or are revoked, without a sign.
const RECHECK_MS: i64 = 60 * 60 * 1000;

/// What a sweep of a conversation has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Where the horizons are to be.
    pub horizons: Horizons,
    /// When to look again; `None`: when there is a new message.
    pub next: Option<Timestamp>,
}

/// When a message that was just appended may first have to go.
#[must_use]
pub fn first_due(retention: Retention, ts: Timestamp) -> Option<Timestamp> {
    match retention {
        Retention::Keep => None,
        Retention::Ttl { seconds } => Some(ts.saturating_add(lifetime_ms(seconds))),
        Retention::UntilDelivered => Some(ts),
    }
}

/// Decides a sweep.
#[must_use]
pub fn decide(facts: &SweepFacts, now: Timestamp) -> Verdict {
    let before = Horizons { erased_to: facts.erased_to, expired_to: facts.expired_to };
    match facts.retention {
        Retention::Keep => Verdict { horizons: before, next: None },
        Retention::Ttl { seconds } => {
            let lifetime = lifetime_ms(seconds);
            let going = older_than(&facts.messages, now.saturating_sub(lifetime));
            let upto = reached(facts, going).max(before.expired_to);
            let horizons = Horizons { erased_to: before.erased_to.max(upto), expired_to: upto };
            let due = oldest(&facts.messages[going..]).map(|oldest| oldest.saturating_add(lifetime));
            Verdict { horizons, next: next(facts, due, now) }
        }
        Retention::UntilDelivered => {
            let delivered = delivered(&facts.messages, &facts.devices, now);
            let going = delivered.max(older_than(&facts.messages, now.saturating_sub(ACTIVE_MS)));
            let erased_to = reached(facts, going).max(before.erased_to);
            let due = oldest(&facts.messages[going..])
                .map(|oldest| oldest.saturating_add(ACTIVE_MS).min(now.saturating_add(RECHECK_MS)));
            Verdict { horizons: Horizons { erased_to, ..before }, next: next(facts, due, now) }
        }
    }
}

fn lifetime_ms(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// How many of the messages go because one of them, or one after it, is from then or before. The log's order says what
/// was first, whatever a clock said: a wrong clock keeps nothing alive behind it.
fn older_than(messages: &[SweptMessage], then: Timestamp) -> usize {
    messages.iter().rposition(|message| message.ts <= then).map_or(0, |last| last + 1)
}

/// When the first of these is due counts from here: with a clock that went back, it need not be the first in order.
fn oldest(messages: &[SweptMessage]) -> Option<Timestamp> {
    messages.iter().map(|message| message.ts).min()
}

/// How many of the messages have reached every active device that may see them.
fn delivered(messages: &[SweptMessage], devices: &[MemberDevice], now: Timestamp) -> usize {
    let since = now.saturating_sub(ACTIVE_MS);
    let active: Vec<&MemberDevice> = devices.iter().filter(|device| device.active_at > since).collect();
    let has = |device: &MemberDevice, message: &SweptMessage| {
        message.seq <= device.delivered
            || message.seq < device.visible_from
            || message.device == Some(device.device)
    };
    let missing = |message: &SweptMessage| !active.iter().all(|device| has(device, message));
    messages.iter().position(missing).unwrap_or(messages.len())
}

/// The horizon when so many of the messages go: the last of them, or all that was looked at where that is to be left
/// behind.
fn reached(facts: &SweepFacts, going: usize) -> Seq {
    if going == facts.messages.len() && facts.looked_to < facts.head {
        return facts.looked_to;
    }
    facts.messages[..going].last().map_or(0, |last| last.seq)
}

/// When one of the messages that stay is due; at once, if all that was looked at goes and there is more.
fn next(facts: &SweepFacts, due: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    due.or_else(|| (facts.looked_to < facts.head).then_some(now))
}

#[cfg(test)]
mod tests;

//! A live connection of a device, as the domain sees it.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use loquat_proto::{CloseCode, ConversationId, UserId};
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::{Outbound, OutboundLimits};
use crate::Caller;
use crate::messages::SendOrder;
use crate::sync::SyncToken;

/// A session's random name, unique over nodes: for the logs, and to leave the sender out of a fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A live connection: made by [`super::Registry::open`], ended by [`super::Registry::close`].
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    caller: Caller,
    outbound: Outbound,
    order: SendOrder,
    /// How far the user's account log was queued to this session.
    account: Mutex<AccountMark>,
    watched: Mutex<Box<[UserId]>>,
    topics: Mutex<Topics>,
    /// The token of `ready`: everything up to there was in it.
    base: OnceLock<SyncToken>,
}

impl Session {
    pub(super) fn new(id: SessionId, caller: Caller, limits: OutboundLimits) -> Self {
        Self {
            id,
            caller,
            outbound: Outbound::new(limits),
            order: SendOrder::default(),
            account: Mutex::default(),
            watched: Mutex::default(),
            topics: Mutex::default(),
            base: OnceLock::new(),
        }
    }

    /// The session's name.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Who is connected.
    #[must_use]
    pub const fn caller(&self) -> Caller {
        self.caller
    }

    /// Queues an answer.
    pub fn push(&self, frame: Bytes) {
        self.outbound.push(frame);
    }

    /// Closes the session; what is queued is still sent.
    pub fn close(&self, code: CloseCode) {
        self.outbound.close(code);
    }

    /// Whether the session was closed, and why.
    #[must_use]
    pub fn closed(&self) -> Option<CloseCode> {
        self.outbound.closed()
    }

    /// Waits for frames and moves all of them to the end of `frames`. Cancel-safe.
    ///
    /// # Errors
    /// The session was closed and everything queued was drained.
    pub async fn drain_into(&self, frames: &mut Vec<Bytes>) -> Result<(), CloseCode> {
        self.outbound.drain_into(frames).await.inspect(|()| self.order.taken())
    }

    /// Keeps the order of sends to one conversation when one of them fails.
    #[must_use]
    pub const fn order(&self) -> &SendOrder {
        &self.order
    }

    pub(crate) fn deliver(&self, frame: Bytes) {
        self.outbound.deliver(frame);
    }

    pub(crate) fn deliver_account(&self, pos: u64, frame: Bytes) {
        self.account.lock().note(pos);
        self.outbound.deliver(frame);
    }

    /// Queues the answer to `hello`, which covers everything up to `token`, and lets live frames flow.
    pub(crate) fn release(&self, ready: Bytes, token: SyncToken) {
        self.account.lock().cover(token.account);
        let _ = self.base.set(token);
        self.outbound.release(Some(ready));
    }

    /// Lets live frames flow without an answer before them.
    pub(crate) fn release_empty(&self) {
        self.outbound.release(None);
    }

    /// The newest token that covers nothing that this session was not sent, given how far fan-out is.
    pub(crate) fn token(&self, (epoch, fanned_out): (u64, u64)) -> SyncToken {
        let account = self.account.lock().pos;
        match self.base.get() {
            Some(base) if base.epoch == epoch => {
                SyncToken { pos: base.pos.max(fanned_out), account, ..*base }
            }
            Some(base) => SyncToken { account, ..*base },
            // Not released yet: nothing was sent.
            None => SyncToken { epoch, pos: 0, account: 0 },
        }
    }

    /// The conversations that this session listens to by topic. Whoever changes the registry's side of it holds this.
    pub(super) const fn topics(&self) -> &Mutex<Topics> {
        &self.topics
    }

    /// Replaces whom this session watches; returns whom it watched.
    pub(crate) fn replace_watched(&self, users: Box<[UserId]>) -> Box<[UserId]> {
        std::mem::replace(&mut *self.watched.lock(), users)
    }
}

/// The channels that a session listens to.
#[derive(Debug, Default)]
pub(super) struct Topics {
    pub followed: Vec<ConversationId>,
    /// While the list of the user's channels is read: those that the user left since that began.
    pub left: Option<Vec<ConversationId>>,
    /// Whether the session ended: nothing is followed any more.
    pub ended: bool,
}

/// How far a contiguous log was sent, when its entries may come out of order: the token must never claim more.
#[derive(Debug, Default)]
struct AccountMark {
    pos: u64,
    /// Sent, but with a gap before them.
    early: SmallVec<[u64; 4]>,
}

/// Positions with a gap before them that are remembered; beyond, the mark stays behind, which only costs a client
/// some events that it has already.
const MAX_EARLY: usize = 64;

impl AccountMark {
    fn note(&mut self, pos: u64) {
        if pos > self.pos && self.early.len() < MAX_EARLY {
            self.early.push(pos);
        }
        self.close_gaps();
    }

    fn cover(&mut self, pos: u64) {
        self.pos = self.pos.max(pos);
        self.close_gaps();
    }

    fn close_gaps(&mut self) {
        self.early.sort_unstable();
        for pos in &self.early {
            if *pos == self.pos + 1 {
                self.pos = *pos;
            }
        }
        self.early.retain(|pos| *pos > self.pos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_never_claims_more_than_was_sent() {
        let mut mark = AccountMark::default();
        mark.note(8);
        assert_eq!(mark.pos, 0);
        mark.cover(6);
        assert_eq!(mark.pos, 6, "7 was not sent yet");
        mark.note(7);
        assert_eq!(mark.pos, 8);
        mark.note(10);
        mark.note(9);
        assert_eq!(mark.pos, 10);
    }
}

//! The sessions of this node, by user.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use loquat_proto::frame::{self, Push};
use loquat_proto::{CloseCode, DeviceId, Limits, UserId};
use parking_lot::RwLock;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;

use super::topics::Channels;
use super::{OutboundLimits, Session, SessionId};
use crate::ports::{Bus, Random, Signal, Topic};
use crate::{Caller, Refusal};

const SHARDS: usize = 64;

type Sessions = SmallVec<[Arc<Session>; 1]>;

/// Who wants to know when a session ends.
pub trait SessionObserver: Send + Sync {
    /// The session is gone.
    fn closed(&self, session: &Arc<Session>);
}

/// Which sessions there are. Sharded by user, so that fan-outs of different lanes do not wait for one another.
pub struct Registry {
    shards: [RwLock<FxHashMap<UserId, Sessions>>; SHARDS],
    channels: Channels,
    count: AtomicUsize,
    bus: Arc<dyn Bus>,
    observer: Arc<dyn SessionObserver>,
    random: Arc<dyn Random>,
    per_user: usize,
    per_node: usize,
    outbound: OutboundLimits,
}

impl Registry {
    /// An empty registry that tells `bus` whose sessions it has, and `observer` which ones ended.
    #[must_use]
    pub fn new(
        bus: Arc<dyn Bus>,
        observer: Arc<dyn SessionObserver>,
        random: Arc<dyn Random>,
        (limits, outbound): (&Limits, OutboundLimits),
    ) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            channels: Channels::default(),
            count: AtomicUsize::new(0),
            bus,
            observer,
            random,
            per_user: limits.sockets_per_user,
            per_node: limits.connections,
            outbound,
        }
    }

    /// Opens a session: from now on it is sent what its user should have (held until `ready`).
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] where the user has too many sockets, [`Refusal::Unavailable`] where the node has.
    pub fn open(&self, caller: Caller) -> Result<Arc<Session>, Refusal> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= self.per_node {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return Err(Refusal::busy("this node has as many sockets as it may"));
        }
        self.insert(caller, self.per_user).inspect_err(|_| {
            self.count.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// Opens a session that only listens for a moment (the long poll); it counts as no socket.
    pub(crate) fn listen(&self, caller: Caller) -> Result<Arc<Session>, Refusal> {
        self.count.fetch_add(1, Ordering::AcqRel);
        // Twice the sockets: a poll must not be refused because of sockets, yet it stays bounded.
        self.insert(caller, self.per_user.saturating_mul(2)).inspect_err(|_| {
            self.count.fetch_sub(1, Ordering::AcqRel);
        })
    }

    fn insert(&self, caller: Caller, limit: usize) -> Result<Arc<Session>, Refusal> {
        let mut id = [0; 8];
        self.random.fill(&mut id);
        let session = Session::new(SessionId(u64::from_le_bytes(id)), caller, self.outbound);
        let session = Arc::new(session);
        let mut shard = self.shard(caller.user).write();
        let sessions = shard.entry(caller.user).or_default();
        if sessions.len() >= limit {
            return Err(Refusal::RateLimited { retry_after_ms: 5_000 });
        }
        sessions.push(session.clone());
        drop(shard);
        self.bus.join(Topic::User(caller.user));
        Ok(session)
    }

    /// Ends a session that [`Registry::open`] gave.
    pub fn close(&self, session: &Arc<Session>) {
        let user = session.caller().user;
        let mut shard = self.shard(user).write();
        let Some(sessions) = shard.get_mut(&user) else { return };
        let before = sessions.len();
        sessions.retain(|other| !Arc::ptr_eq(other, session));
        let removed = before - sessions.len();
        if sessions.is_empty() {
            shard.remove(&user);
        }
        drop(shard);
        if removed > 0 {
            self.count.fetch_sub(removed, Ordering::AcqRel);
            self.unfollow_all(session);
            self.bus.leave(Topic::User(user));
            self.observer.closed(session);
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Tells every session to reconnect elsewhere after a random delay up to `spread_ms`, and closes it.
    pub fn drain(&self, spread_ms: u64) {
        for shard in &self.shards {
            for session in shard.read().values().flatten() {
                let mut random = [0; 8];
                self.random.fill(&mut random);
                let retry_after_ms = u64::from_le_bytes(random) % spread_ms.max(1);
                session.deliver(frame::push(&Push::Drain { retry_after_ms, url: None }));
                session.close(CloseCode::Drain);
            }
        }
    }

    /// Takes what the bus carries to a user.
    pub(crate) fn receive(&self, user: UserId, signal: &Signal) {
        let shard = self.shard(user).read();
        let Some(sessions) = shard.get(&user) else { return };
        match signal {
            Signal::Frame { frame, except } => Self::deliver(sessions, frame, *except),
            Signal::Account { pos, frame } => {
                for session in sessions {
                    session.deliver_account(*pos, frame.clone());
                }
            }
            Signal::Revoke { devices } => Self::revoke(sessions, devices),
            Signal::Follow { conversation } => {
                for session in sessions {
                    self.follow(session, *conversation);
                }
            }
            Signal::Unfollow { conversation } => {
                for session in sessions {
                    self.unfollow(session, *conversation);
                }
            }
            Signal::Presence { .. } | Signal::Audience { .. } | Signal::Shared { .. } | Signal::Deleted => {}
        }
    }

    fn deliver(sessions: &Sessions, frame: &Bytes, except: Option<u64>) {
        for session in sessions {
            if except != Some(session.id().0) {
                session.deliver(frame.clone());
            }
        }
    }

    fn revoke(sessions: &Sessions, devices: &[DeviceId]) {
        for session in sessions {
            if devices.contains(&session.caller().device) {
                session.close(CloseCode::Revoked);
            }
        }
    }

    pub(super) const fn channels(&self) -> &Channels {
        &self.channels
    }

    pub(super) fn bus(&self) -> &dyn Bus {
        &*self.bus
    }

    fn shard(&self, user: UserId) -> &RwLock<FxHashMap<UserId, Sessions>> {
        // The high bits: the map inside uses the low ones of the same hash.
        let hash = FxBuildHasher.hash_one(user) >> 58;
        &self.shards[usize::try_from(hash).unwrap_or(0) % SHARDS]
    }
}

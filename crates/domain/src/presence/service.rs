//! The use cases of presence.

use std::sync::Arc;
use std::time::Duration;

use loquat_proto::frame::{self, Push};
use loquat_proto::presence::HeartbeatAnswer;
use loquat_proto::{Limits, Presence, PresenceState, Timestamp, UserId};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;

use super::table::{HEARTBEAT_EXPIRES_MS, Table, Transition};
use crate::fanout::{Session, SessionObserver};
use crate::ports::{Bus, Clock, Presences, Signal, Topic};
use crate::{Caller, Refusal};

/// How often heartbeats are looked at and last-seen times saved.
const EVERY: Duration = Duration::from_secs(1);
/// How often connected devices are saved as seen.
const TOUCH_EVERY_MS: i64 = 60_000;

/// What presence needs.
pub struct PresenceDeps {
    /// Who may see whom, and when they were last seen.
    pub presences: Arc<dyn Presences>,
    /// The bus, for those who watch.
    pub bus: Arc<dyn Bus>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The limits in force.
    pub limits: Limits,
}

/// A cheap handle to the use cases of presence.
#[derive(Clone)]
pub struct PresenceService {
    shared: Arc<Shared>,
}

struct Shared {
    deps: PresenceDeps,
    table: Mutex<Table>,
    watchers: RwLock<FxHashMap<UserId, Vec<Arc<Session>>>>,
}

impl PresenceService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: PresenceDeps) -> Self {
        Self { shared: Arc::new(Shared { deps, table: Mutex::default(), watchers: RwLock::default() }) }
    }

    /// A session is live.
    pub(crate) fn connected(&self, session: &Session) {
        let caller = session.caller();
        let transition = self.shared.table.lock().connect(caller.user, caller.device, session.id());
        self.publish(transition);
    }

    /// The state that a session shows.
    pub fn status(&self, session: &Session, state: PresenceState) {
        let transition = self.shared.table.lock().set_status(session.caller().user, session.id(), state);
        self.publish(transition);
    }

    /// Shows a state for 30 s, without a socket.
    ///
    /// # Errors
    /// None today; a cluster may refuse when the bus is down.
    pub async fn heartbeat(&self, caller: Caller, state: PresenceState) -> Result<HeartbeatAnswer, Refusal> {
        let now = self.shared.deps.clock.now();
        let transition = self.shared.table.lock().heartbeat(caller.user, caller.device, (state, now));
        self.publish(transition);
        Ok(HeartbeatAnswer { expires_in_ms: HEARTBEAT_EXPIRES_MS.unsigned_abs() })
    }

    /// The presence of these users, as the caller may see it, in the order asked.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] for more than `limits.watched_users`.
    pub async fn query(&self, caller: Caller, users: Vec<UserId>) -> Result<Vec<Presence>, Refusal> {
        Ok(self.look(caller.user, &users).await?.0)
    }

    /// Replaces whom a session watches and says how present they are.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] for more than `limits.watched_users`.
    pub async fn watch(&self, session: &Arc<Session>, users: Vec<UserId>) -> Result<Vec<Presence>, Refusal> {
        // Watch first, look then: a change in between is told twice rather than missed.
        let (_, visible) = self.look(session.caller().user, &users).await?;
        self.replace_watched(session, visible);
        Ok(self.look(session.caller().user, &users).await?.0)
    }

    /// What the viewer sees of these users, and those of them who may be watched.
    async fn look(&self, viewer: UserId, users: &[UserId]) -> Result<(Vec<Presence>, Vec<UserId>), Refusal> {
        let limit = self.shared.deps.limits.watched_users;
        if users.len() > limit {
            return Err(Refusal::TooLarge { what: "users", limit });
        }
        let visible = self.shared.deps.presences.visible(viewer, users).await?;
        let seen: FxHashMap<UserId, Option<Timestamp>> = visible.into_iter().collect();
        let now = self.shared.deps.clock.now();
        let table = self.shared.table.lock();
        let presence = |user: &UserId| match seen.get(user) {
            None => Presence { user: *user, state: PresenceState::Offline, last_seen: None },
            Some(saved) => {
                let state = table.state(*user);
                let last_seen = match state {
                    PresenceState::Offline => table.unsaved_last_seen(*user).max(*saved),
                    PresenceState::Away | PresenceState::Online => Some(now),
                };
                Presence { user: *user, state, last_seen }
            }
        };
        Ok((users.iter().map(presence).collect(), seen.keys().copied().collect()))
    }

    fn replace_watched(&self, session: &Arc<Session>, users: Vec<UserId>) {
        let mut watchers = self.shared.watchers.write();
        for user in &users {
            watchers.entry(*user).or_default().push(session.clone());
            self.shared.deps.bus.join(Topic::Presence(*user));
        }
        for user in session.replace_watched(users.into_boxed_slice()) {
            self.unwatch(&mut watchers, user, session);
        }
    }

    fn unwatch(
        &self,
        watchers: &mut FxHashMap<UserId, Vec<Arc<Session>>>,
        user: UserId,
        session: &Arc<Session>,
    ) {
        let Some(sessions) = watchers.get_mut(&user) else { return };
        if let Some(index) = sessions.iter().position(|other| Arc::ptr_eq(other, session)) {
            sessions.swap_remove(index);
            self.shared.deps.bus.leave(Topic::Presence(user));
        }
        if sessions.is_empty() {
            watchers.remove(&user);
        }
    }

    /// Takes what the bus says of a watched user.
    pub(crate) fn receive(&self, user: UserId, signal: &Signal) {
        let Signal::Presence { state, last_seen } = signal else { return };
        let watchers = self.shared.watchers.read();
        let Some(sessions) = watchers.get(&user) else { return };
        let frame = frame::push(&Push::Presence { user, state: *state, last_seen: *last_seen });
        for session in sessions {
            session.deliver(frame.clone());
        }
    }

    fn publish(&self, transition: Option<Transition>) {
        let Some(Transition { user, state }) = transition else { return };
        let last_seen = Some(self.shared.deps.clock.now());
        self.shared.deps.bus.publish(Topic::Presence(user), &Signal::Presence { state, last_seen });
    }

    /// Lets heartbeats expire and saves last-seen times, for as long as the task lives.
    pub async fn keep_current(self) {
        let mut touched = self.shared.deps.clock.now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = self.shared.deps.clock.now();
            for transition in self.expire(now) {
                self.publish(Some(transition));
            }
            if now.abs_diff(touched) >= TOUCH_EVERY_MS.unsigned_abs() {
                self.shared.table.lock().touch_all(now);
                touched = now;
            }
            self.save().await;
        }
    }

    fn expire(&self, now: Timestamp) -> Vec<Transition> {
        self.shared.table.lock().expire(now)
    }

    /// Saves last-seen times. What cannot be saved is lost: it is said again within a minute.
    pub async fn save(&self) {
        let unsaved = self.shared.table.lock().take_unsaved();
        if unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.shared.deps.presences.save_last_seen(unsaved).await {
            tracing::warn!(%error, "last-seen times were not saved");
        }
    }
}

impl SessionObserver for PresenceService {
    fn closed(&self, session: &Arc<Session>) {
        let now = self.shared.deps.clock.now();
        let transition = self.shared.table.lock().disconnect(session.caller().user, session.id(), now);
        self.publish(transition);
        let mut watchers = self.shared.watchers.write();
        for user in session.replace_watched(Box::default()) {
            self.unwatch(&mut watchers, user, session);
        }
    }
}

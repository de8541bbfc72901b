//! The use cases of presence.

use std::sync::Arc;
use std::time::Duration;

use loquat_proto::frame::{self, Push};
use loquat_proto::presence::HeartbeatAnswer;
use loquat_proto::{Limits, Presence, PresenceState, Timestamp, UserId};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use super::table::{HEARTBEAT_EXPIRES_MS, Table, Transition};
use super::watchers::{Verdict, Watchers};
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
    watchers: Watchers,
}

impl PresenceService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: PresenceDeps) -> Self {
        Self { shared: Arc::new(Shared { deps, table: Mutex::default(), watchers: Watchers::default() }) }
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
        let watcher = session.caller().user;
        let (_, before) = self.look(watcher, &users).await?;
        self.replace_watched(session, &users, &before);
        let (items, after) = self.look(watcher, &users).await?;
        for user in before.symmetric_difference(&after) {
            // Nobody watched yet when it changed.
            self.shared.watchers.doubt(*user, Some(watcher));
        }
        Ok(items)
    }

    /// What the viewer sees of these users, and those of them whom they may see.
    async fn look(
        &self,
        viewer: UserId,
        users: &[UserId],
    ) -> Result<(Vec<Presence>, FxHashSet<UserId>), Refusal> {
        let limit = self.shared.deps.limits.watched_users;
        if users.len() > limit {
            return Err(Refusal::TooLarge { what: "users", limit });
        }
        let visible = self.shared.deps.presences.visible(viewer, users).await?;
        let seen: FxHashMap<UserId, Option<Timestamp>> = visible.into_iter().collect();
        let shown = users.iter().map(|user| match seen.get(user) {
            None => hidden(*user),
            Some(saved) => self.shown(*user, *saved),
        });
        Ok((shown.collect(), seen.keys().copied().collect()))
    }

    /// The presence of a user as who may see it does.
    fn shown(&self, user: UserId, saved: Option<Timestamp>) -> Presence {
        let now = self.shared.deps.clock.now();
        let table = self.shared.table.lock();
        let state = table.state(user);
        let last_seen = match state {
            PresenceState::Offline => table.unsaved_last_seen(user).max(saved),
            PresenceState::Away | PresenceState::Online => Some(now),
        };
        Presence { user, state, last_seen }
    }

    fn replace_watched(&self, session: &Arc<Session>, users: &[UserId], visible: &FxHashSet<UserId>) {
        let users: FxHashSet<UserId> = users.iter().copied().collect();
        let before = session.replace_watched(users.iter().copied().collect());
        for user in &users {
            if self.shared.watchers.add(*user, session, visible.contains(user)) {
                self.shared.deps.bus.join(Topic::Presence(*user));
            }
        }
        for user in before.into_iter().filter(|user| !users.contains(user)) {
            self.unwatch(user, session);
        }
    }

    fn unwatch(&self, user: UserId, session: &Arc<Session>) {
        if self.shared.watchers.remove(user, session) {
            self.shared.deps.bus.leave(Topic::Presence(user));
        }
    }

    /// Who may see the presence of `user` has changed: for this watcher, or for any.
    pub(crate) fn audience_changed(&self, user: UserId, watcher: Option<UserId>) {
        self.shared.deps.bus.publish(Topic::Presence(user), &Signal::Audience { watcher });
    }

    /// Takes what the bus says of a watched user.
    pub(crate) fn receive(&self, user: UserId, signal: &Signal) {
        match signal {
            Signal::Presence { state, last_seen } => {
                let presence = Push::Presence { user, state: *state, last_seen: *last_seen };
                let frame = frame::push(&presence);
                self.shared.watchers.each_who_sees(user, |session| session.deliver(frame.clone()));
            }
            Signal::Audience { watcher } => self.shared.watchers.doubt(user, *watcher),
            Signal::Frame { .. }
            | Signal::Account { .. }
            | Signal::Revoke { .. }
            | Signal::Follow { .. }
            | Signal::Unfollow { .. }
            | Signal::Shared { .. }
            | Signal::Deleted => {}
        }
    }

    /// Asks again who may see whom wherever that may have changed, for as long as the task lives.
    pub async fn keep_to_audiences(self) {
        loop {
            self.shared.watchers.doubts().await;
            for (user, watchers) in self.shared.watchers.take_doubts() {
                for watcher in watchers {
                    self.look_again(user, watcher).await;
                }
            }
        }
    }

    async fn look_again(&self, user: UserId, watcher: UserId) {
        let visible = match self.shared.deps.presences.visible(watcher, &[user]).await {
            Ok(visible) => visible,
            Err(error) => {
                // Until it is known, nothing is shown.
                tracing::warn!(%error, "who may see whom is not known");
                self.shared.watchers.doubt(user, Some(watcher));
                return tokio::time::sleep(EVERY).await;
            }
        };
        let seen = visible.first().map(|(_, saved)| *saved);
        self.shared.watchers.settle(user, watcher, seen.is_some(), |session, verdict| {
            let presence = match (verdict, seen) {
                (Verdict::Show, Some(saved)) => self.shown(user, saved),
                (Verdict::Show | Verdict::Hide, _) => hidden(user),
            };
            let Presence { user, state, last_seen } = presence;
            session.deliver(frame::push(&Push::Presence { user, state, last_seen }));
        });
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
        for user in session.replace_watched(Box::default()) {
            self.unwatch(user, session);
        }
    }
}

/// What is shown of who may not be seen.
const fn hidden(user: UserId) -> Presence {
    Presence { user, state: PresenceState::Offline, last_seen: None }
}

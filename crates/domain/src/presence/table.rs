//! The presence of this node's users: pure state, time passed in.

use loquat_proto::{DeviceId, PresenceState, Timestamp, UserId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::fanout::SessionId;

/// A heartbeat that is not repeated expires after this many milliseconds.
pub(super) const HEARTBEAT_EXPIRES_MS: i64 = 30_000;

/// A user's presence changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transition {
    pub user: UserId,
    pub state: PresenceState,
}

/// Why a user is there: sessions and heartbeats, each with its state.
#[derive(Debug, Default)]
struct Entry {
    sessions: SmallVec<[(SessionId, DeviceId, PresenceState); 1]>,
    heartbeats: SmallVec<[(DeviceId, PresenceState, Timestamp); 0]>,
}

impl Entry {
    fn state(&self) -> PresenceState {
        let sessions = self.sessions.iter().map(|(_, _, state)| *state);
        let heartbeats = self.heartbeats.iter().map(|(_, state, _)| *state);
        sessions.chain(heartbeats).max().unwrap_or(PresenceState::Offline)
    }
}

/// Who is there on this node, and who was last seen when but is not saved yet.
#[derive(Debug, Default)]
pub(super) struct Table {
    users: FxHashMap<UserId, Entry>,
    unsaved: FxHashMap<(UserId, DeviceId), Timestamp>,
}

impl Table {
    pub fn connect(&mut self, user: UserId, device: DeviceId, session: SessionId) -> Option<Transition> {
        self.change(user, |entry| {
            if !entry.sessions.iter().any(|(other, ..)| *other == session) {
                entry.sessions.push((session, device, PresenceState::Online));
            }
        })
    }

    pub fn disconnect(&mut self, user: UserId, session: SessionId, now: Timestamp) -> Option<Transition> {
        let mut gone = None;
        let transition = self.change(user, |entry| {
            gone = entry.sessions.iter().find(|(other, ..)| *other == session).map(|(_, device, _)| *device);
            entry.sessions.retain(|(other, ..)| *other != session);
        });
        if let Some(device) = gone {
            self.unsaved.insert((user, device), now);
        }
        transition
    }

    pub fn set_status(
        &mut self,
        user: UserId,
        session: SessionId,
        state: PresenceState,
    ) -> Option<Transition> {
        self.change(user, |entry| {
            if let Some(found) = entry.sessions.iter_mut().find(|(other, ..)| *other == session) {
                found.2 = state;
            }
        })
    }

    pub fn heartbeat(
        &mut self,
        user: UserId,
        device: DeviceId,
        (state, now): (PresenceState, Timestamp),
    ) -> Option<Transition> {
        self.unsaved.insert((user, device), now);
        self.change(user, |entry| {
            entry.heartbeats.retain(|(other, ..)| *other != device);
            if state != PresenceState::Offline {
                entry.heartbeats.push((device, state, now + HEARTBEAT_EXPIRES_MS));
            }
        })
    }

    /// Lets heartbeats expire.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Transition> {
        let late = |entry: &Entry| entry.heartbeats.iter().any(|(.., expires)| *expires <= now);
        let users: Vec<UserId> =
            self.users.iter().filter(|(_, entry)| late(entry)).map(|(user, _)| *user).collect();
        let expire = |entry: &mut Entry| entry.heartbeats.retain(|(.., expires)| *expires > now);
        users.into_iter().filter_map(|user| self.change(user, expire)).collect()
    }

    pub fn state(&self, user: UserId) -> PresenceState {
        self.users.get(&user).map_or(PresenceState::Offline, Entry::state)
    }

    /// When a user of this node was last seen, if that is not saved yet.
    pub fn unsaved_last_seen(&self, user: UserId) -> Option<Timestamp> {
        // Few entries at a time: they are saved each second.
        self.unsaved.iter().filter(|((other, _), _)| *other == user).map(|(_, seen)| *seen).max()
    }

    /// Marks every connected device as seen now: for the save each minute.
    pub fn touch_all(&mut self, now: Timestamp) {
        for (user, entry) in &self.users {
            for (_, device, _) in &entry.sessions {
                self.unsaved.insert((*user, *device), now);
            }
        }
    }

    pub fn take_unsaved(&mut self) -> Vec<(UserId, DeviceId, Timestamp)> {
        self.unsaved.drain().map(|((user, device), seen)| (user, device, seen)).collect()
    }

    fn change(&mut self, user: UserId, change: impl FnOnce(&mut Entry)) -> Option<Transition> {
        let entry = self.users.entry(user).or_default();
        let before = entry.state();
        change(entry);
        let state = entry.state();
        if entry.sessions.is_empty() && entry.heartbeats.is_empty() {
            self.users.remove(&user);
        }
        (state != before).then_some(Transition { user, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::new(12).unwrap();
    const PHONE: DeviceId = DeviceId::new(1).unwrap();
    const LAPTOP: DeviceId = DeviceId::new(2).unwrap();

    fn now_is(state: PresenceState) -> Option<Transition> {
        Some(Transition { user: USER, state })
    }

    #[test]
    fn a_user_is_online_while_any_device_is() {
        let mut table = Table::default();
        assert_eq!(table.connect(USER, PHONE, SessionId(1)), now_is(PresenceState::Online));
        assert_eq!(table.connect(USER, LAPTOP, SessionId(2)), None);
        assert_eq!(table.disconnect(USER, SessionId(1), 5), None);
        assert_eq!(table.disconnect(USER, SessionId(2), 9), now_is(PresenceState::Offline));
        assert_eq!(table.unsaved_last_seen(USER), Some(9));
        assert!(table.users.is_empty());
    }

    #[test]
    fn away_is_when_no_device_is_active() {
        let mut table = Table::default();
        table.connect(USER, PHONE, SessionId(1));
        table.connect(USER, LAPTOP, SessionId(2));
        assert_eq!(table.set_status(USER, SessionId(1), PresenceState::Away), None);
        assert_eq!(table.set_status(USER, SessionId(2), PresenceState::Away), now_is(PresenceState::Away));
    }

    #[test]
    fn a_heartbeat_expires() {
        let mut table = Table::default();
        assert_eq!(table.heartbeat(USER, PHONE, (PresenceState::Online, 0)), now_is(PresenceState::Online));
        assert_eq!(table.heartbeat(USER, PHONE, (PresenceState::Online, 20_000)), None);
        assert_eq!(table.expire(30_000), []);
        assert_eq!(table.expire(50_000), [Transition { user: USER, state: PresenceState::Offline }]);
    }

    #[test]
    fn a_session_that_was_never_there_changes_nothing() {
        let mut table = Table::default();
        assert_eq!(table.disconnect(USER, SessionId(9), 5), None);
        assert_eq!(table.take_unsaved(), []);
    }
}

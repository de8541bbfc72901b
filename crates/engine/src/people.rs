//! Who is there, who writes, and who is who. Presence and typing are gone when the connection is.

use std::collections::BTreeMap;

use loquat_proto::presence::Heartbeat;
use loquat_proto::{ClientFrame, ConversationId, Presence, PresenceState, Profile, UserId};

use crate::CommandError;
use crate::engine::{Engine, Purpose};
use crate::timers::Timer;
use crate::view::ViewChange;

/// The server's bound on watched users.
const WATCHED: usize = 500;
/// How long somebody writes after having said so, in milliseconds.
const TYPING_MS: u64 = 6_000;
/// How often "the user writes" is repeated, in milliseconds.
const TYPING_REPEAT_MS: u64 = 3_000;
/// Who is shown as writing in one conversation; others are not.
const TYPING_SHOWN: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) profiles: BTreeMap<UserId, Profile>,
    pub(crate) presence: BTreeMap<UserId, Presence>,
    watched: Vec<UserId>,
    status: PresenceState,
}

impl People {
    pub(crate) fn new(profiles: Vec<Profile>) -> Self {
        Self {
            profiles: profiles.into_iter().map(|profile| (profile.id, profile)).collect(),
            presence: BTreeMap::new(),
            watched: Vec::new(),
            status: PresenceState::Online,
        }
    }

    /// The name to show, where known.
    pub(crate) fn name(&self, user: UserId) -> Option<String> {
        let profile = self.profiles.get(&user)?;
        let name = if profile.display_name.is_empty() { &profile.username } else { &profile.display_name };
        Some(name.clone())
    }
}

impl Engine {
    pub(crate) fn watch(&mut self, mut users: Vec<UserId>) {
        users.truncate(WATCHED);
        if users == self.people.watched {
            return;
        }
        self.people.watched = users;
        let watched = &self.people.watched;
        self.people.presence.retain(|user, _| watched.contains(user));
        self.changes.conversations = true;
        if self.is_up() {
            self.ask_presence();
        }
    }

    pub(crate) fn set_status(&mut self, state: PresenceState) {
        self.people.status = state;
        if self.is_up() {
            self.send(&ClientFrame::Status(Heartbeat { state }));
        }
    }

    /// After `ready`: the server knows neither what is watched nor the own state.
    pub(crate) fn people_again(&mut self) {
        if !self.people.watched.is_empty() {
            self.ask_presence();
        }
        if self.people.status != PresenceState::Online {
            self.send(&ClientFrame::Status(Heartbeat { state: self.people.status }));
        }
    }

    fn ask_presence(&mut self) {
        let frame = ClientFrame::Watch { users: self.people.watched.clone() };
        self.ask(&frame, Purpose::Watch);
    }

    pub(crate) fn present(&mut self, presence: Presence) {
        // An answer to an older `watch` may still tell of those who are not watched any more.
        if !self.people.watched.contains(&presence.user) {
            return;
        }
        if self.people.presence.insert(presence.user, presence.clone()).as_ref() != Some(&presence) {
            self.changes.conversations = true;
            self.changes.happened.push(ViewChange::Presence(presence));
        }
    }

    /// What is only true while connected.
    pub(crate) fn people_lost(&mut self) {
        self.changes.conversations |= !self.people.presence.is_empty();
        self.people.presence.clear();
        for (conversation, room) in &mut self.rooms {
            room.typing_sent_at = None;
            for user in std::mem::take(&mut room.typing) {
                self.timers.cancel(Timer::TypingExpires(*conversation, user));
                self.changes.typing.insert(*conversation);
                self.changes.conversations = true;
            }
        }
    }

    /// Somebody writes, or stopped.
    pub(crate) fn typing(&mut self, conversation: ConversationId, user: UserId, on: bool) {
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&conversation).filter(|_| user != me) else { return };
        let timer = Timer::TypingExpires(conversation, user);
        let known = room.typing.iter().position(|other| *other == user);
        match (known, on) {
            (None, true) if room.typing.len() < TYPING_SHOWN => room.typing.push(user),
            (None, _) => return,
            (Some(_), true) => {}
            (Some(place), false) => {
                room.typing.remove(place);
            }
        }
        if on {
            self.timers.set(timer, self.now.monotonic_ms + TYPING_MS);
        } else {
            self.timers.cancel(timer);
        }
        if on != known.is_some() {
            self.changes.typing.insert(conversation);
            self.changes.conversations = true;
            self.learn(user);
        }
    }

    /// The user writes, or stopped: said when it is news, and while they write often enough not to expire.
    pub(crate) fn set_typing(&mut self, conversation: ConversationId, on: bool) -> Result<(), CommandError> {
        let (up, now) = (self.is_up(), self.now.monotonic_ms);
        let room = self.room(conversation)?;
        let fresh = room.typing_sent_at.is_some_and(|sent| sent + TYPING_REPEAT_MS > now);
        let is_news = if on { !fresh } else { room.typing_sent_at.is_some() };
        if up && is_news {
            room.typing_sent_at = on.then_some(now);
            self.send(&ClientFrame::Typing { conversation, on });
        }
        Ok(())
    }
}

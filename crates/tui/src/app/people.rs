//! Who is who, and who is there: what snapshots name by id only.

use std::collections::{HashMap, HashSet};

use loquat_client::view::ConversationSummary;
use loquat_proto::{Presence, PresenceState, Profile, UserId};

use crate::app::Me;
use crate::screens::conversation::items::unknown_name;

/// More profiles than this are forgotten at once, and asked for again where they are shown.
const MOST_PROFILES: usize = 4_096;

/// Known profiles and presences.
#[derive(Debug, Clone, Default)]
pub struct People {
    profiles: HashMap<UserId, Profile>,
    presences: HashMap<UserId, Presence>,
    /// Whether there is a connection: without one nobody's presence is known.
    is_connected: bool,
    asked: HashSet<UserId>,
    blocked: HashSet<UserId>,
}

impl People {
    /// Keeps profiles, cleaned already.
    pub fn learn(&mut self, profiles: impl IntoIterator<Item = Profile>) {
        if self.profiles.len() > MOST_PROFILES {
            self.profiles.clear();
        }
        for profile in profiles {
            self.asked.remove(&profile.id);
            self.profiles.insert(profile.id, profile);
        }
    }

    /// Keeps a presence.
    pub fn saw(&mut self, presence: Presence) {
        self.presences.insert(presence.user, presence);
    }

    /// There is a connection now, or none.
    pub fn set_connected(&mut self, is_connected: bool) {
        self.is_connected = is_connected;
    }

    /// Whether there is a connection.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Those whom the user blocks from now on.
    pub fn block_only(&mut self, users: impl IntoIterator<Item = UserId>) {
        self.blocked = users.into_iter().collect();
    }

    /// Those whom the user blocks: what they write in groups is hidden.
    #[must_use]
    pub const fn blocked(&self) -> &HashSet<UserId> {
        &self.blocked
    }

    /// Everybody whose profile is known.
    pub fn known(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// Forgets the presence of everybody but these.
    pub fn watch_only(&mut self, users: &[UserId]) {
        let users: HashSet<&UserId> = users.iter().collect();
        self.presences.retain(|user, _| users.contains(user));
    }

    /// Those of the users whose profiles are neither known nor asked for, which they are from now on.
    pub fn ask(&mut self, users: impl IntoIterator<Item = UserId>) -> Vec<UserId> {
        if self.asked.len() > MOST_PROFILES {
            self.asked.clear();
        }
        users
            .into_iter()
            .filter(|user| !self.profiles.contains_key(user))
            .filter(|user| self.asked.insert(*user))
            .collect()
    }

    /// Those who were asked for and have not come.
    #[must_use]
    pub fn still_asked(&self) -> Vec<UserId> {
        self.asked.iter().copied().collect()
    }

    /// The profile, where known.
    #[must_use]
    pub fn profile(&self, user: UserId) -> Option<&Profile> {
        self.profiles.get(&user)
    }

    /// The display name, or a makeshift.
    #[must_use]
    pub fn name(&self, user: UserId) -> String {
        self.profile(user).map_or_else(|| unknown_name(user), |profile| profile.display_name.clone())
    }

    /// The presence, where known.
    #[must_use]
    pub fn presence(&self, user: UserId) -> Option<&Presence> {
        self.presences.get(&user).filter(|_| self.is_connected)
    }

    /// The presence of the peer of a direct conversation, where known.
    #[must_use]
    pub fn presence_of_peer<'a>(&'a self, row: &'a ConversationSummary) -> Option<&'a Presence> {
        let listed = row.presence.as_ref().filter(|_| self.is_connected);
        row.peer.and_then(|peer| self.presence(peer)).or(listed)
    }

    /// Whether the user is there now.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.presence(user).is_some_and(|presence| presence.state == PresenceState::Online)
    }

    /// The users whom a text names as `@username`, but for the own one.
    #[must_use]
    pub fn mentioned_in(&self, text: &str, among: &[UserId], me: &Me) -> Vec<UserId> {
        let names: HashSet<String> = text
            .split(|character: char| {
                !(character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '@'))
            })
            .filter_map(|word| word.strip_prefix('@'))
            .map(|name| name.trim_end_matches('.').to_ascii_lowercase())
            .collect();
        let named =
            |user: &&UserId| self.profile(**user).is_some_and(|profile| names.contains(&profile.username));
        among.iter().filter(|user| **user != me.id).filter(named).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{me, profile, user};

    #[test]
    fn a_user_is_asked_for_once() {
        let mut people = People::default();
        assert_eq!(people.ask([user(2), user(3), user(2)]), [user(2), user(3)]);
        assert_eq!(people.ask([user(2)]), []);
        people.learn([profile(2, "tomas")]);
        assert_eq!(people.still_asked(), [user(3)]);
        assert_eq!(people.ask([user(2)]), []);
    }

    #[test]
    fn mentions_are_members_by_username() {
        let mut people = People::default();
        people.learn([profile(2, "tomas"), profile(3, "ines"), profile(4, "noor")]);
        let among = [user(1), user(2), user(3)];
        for (text, mentioned) in [
            ("hello", vec![]),
            ("@tomas look", vec![user(2)]),
            ("ask @Ines, or @tomas.", vec![user(2), user(3)]),
            ("mail tomas@ines", vec![]),
            ("@noor is not here", vec![]),
            ("@mira is me", vec![]),
        ] {
            assert_eq!(people.mentioned_in(text, &among, &me()), mentioned, "{text:?}");
        }
    }
}

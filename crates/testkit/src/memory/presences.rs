//! [`Presences`].

use async_trait::async_trait;
use loquat_domain::ports::{Presences, StoreError};
use loquat_proto::account::LastSeenAudience;
use loquat_proto::{DeviceId, Timestamp, UserId};

use super::MemoryStore;
use super::state::State;

#[async_trait]
impl Presences for MemoryStore {
    async fn visible(
        &self,
        watcher: UserId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Option<Timestamp>)>, StoreError> {
        self.read(|state| {
            let seen = |user: &UserId| Some((*user, state.users.get(user)?.last_seen));
            users.iter().filter(|user| may_see(state, watcher, **user)).filter_map(seen).collect()
        })
        .await
    }

    async fn save_last_seen(&self, seen: Vec<(UserId, DeviceId, Timestamp)>) -> Result<(), StoreError> {
        self.write(|state| {
            for (user, device, ts) in seen {
                let ts = Some(ts);
                if let Some(device) = state.devices.get_mut(&device).filter(|device| device.user == user) {
                    device.last_seen = device.last_seen.max(ts);
                }
                if let Some(user) = state.users.get_mut(&user).filter(|user| !user.own.profile.deleted) {
                    user.last_seen = user.last_seen.max(ts);
                }
            }
        })
        .await
    }
}

/// Contacts, and who shares a conversation, see the presence of who neither hides it nor blocks them.
fn may_see(state: &State, watcher: UserId, user: UserId) -> bool {
    let Some(own) = state.users.get(&user).map(|user| &user.own) else { return false };
    if own.profile.deleted {
        return false;
    }
    let shares = |members: &std::collections::BTreeMap<UserId, _>| {
        members.contains_key(&watcher) && members.contains_key(&user)
    };
    if watcher == user {
        return true;
    }
    let contact = state.contacts.contains_key(&(user, watcher));
    let may = match own.privacy.last_seen {
        LastSeenAudience::Everyone => contact || state.rooms.values().any(|room| shares(&room.members)),
        LastSeenAudience::Contacts => contact,
        LastSeenAudience::Nobody => false,
    };
    may && !state.blocks.contains_key(&(user, watcher))
}

//! [`Accounts`].

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountEntry, Accounts, Credentials, IdempotencyKey, NewDevice, NewUser, ProfileChange, RememberedAnswer,
    SignUpOutcome, StoreError, UserRecord,
};
use loquat_proto::account::{FindBy, UpdateProfile};
use loquat_proto::{
    AccountEventKind, ConversationKind, EventKind, OwnProfile, Page, Privacy, Profile, Seq, Timestamp,
    UserId, UserKind,
};
use serde_json::json;

use super::MemoryStore;
use super::changes;
use super::contacts;
use super::devices;
use super::state::{Room, State, User};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// For so long a deleted account's name is not given to others.
const NAME_REST_MS: i64 = 30 * DAY_MS;

#[async_trait]
impl Accounts for MemoryStore {
    async fn sign_up(&self, user: NewUser, device: NewDevice) -> Result<SignUpOutcome, StoreError> {
        self.write(|state| sign_up(state, user, device)).await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>, StoreError> {
        self.read(|state| {
            let is_named = |own: &OwnProfile| {
                own.profile.username == login
                    || own.email.as_deref() == Some(login)
                    || own.phone.as_deref() == Some(login)
            };
            let mut users = state.users.values().filter(|user| !user.own.profile.deleted);
            let found = users.find(|user| is_named(&user.own))?;
            let (user, password_hash) = (found.own.profile.id, found.password_hash.clone());
            Some(Credentials { user, password_hash, active: found.is_active() })
        })
        .await
    }

    async fn user(&self, user: UserId) -> Result<Option<UserRecord>, StoreError> {
        self.read(|state| {
            let row = state.users.get(&user)?;
            Some(UserRecord { own: row.own.clone(), active: row.is_active() })
        })
        .await
    }

    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        self.read(|state| {
            let there = state.users.iter().filter(|(id, _)| users.contains(id));
            there.map(|(_, user)| user.own.profile.clone()).collect()
        })
        .await
    }

    async fn search(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Profile>, StoreError> {
        self.read(|state| {
            let users = state.users.values().map(|user| &user.own);
            let mut found: Vec<Profile> = users
                .filter(|own| !own.profile.deleted && matches(own, query))
                .map(|own| own.profile.clone())
                .filter(|profile| after.is_none_or(|after| profile.username.as_str() > after))
                .collect();
            found.sort_by(|one, other| one.username.cmp(&other.username));
            let more = found.len() > limit;
            found.truncate(limit);
            let last = found.last().filter(|_| more).map(|profile| profile.username.clone());
            Page { items: found, next_cursor: last }
        })
        .await
    }

    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| update(state, user, change)).await
    }

    async fn delete(&self, user: UserId, ts: Timestamp) -> Result<(), StoreError> {
        self.write(|state| delete(state, user, ts)).await
    }

    async fn recall(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<RememberedAnswer>, StoreError> {
        self.read(|state| state.answers.get(key).filter(|answer| answer.ts > now - DAY_MS).cloned()).await
    }

    async fn remember(&self, key: IdempotencyKey, answer: RememberedAnswer) -> Result<(), StoreError> {
        self.write(|state| {
            state.answers.retain(|_, old| old.ts > answer.ts - DAY_MS);
            state.answers.entry(key).or_insert(answer);
        })
        .await
    }
}

fn sign_up(state: &mut State, user: NewUser, device: NewDevice) -> SignUpOutcome {
    let rests = state.reserved_names.get(&user.username).is_some_and(|until| *until > user.ts);
    let mut others = state.users.values().map(|other| &other.own).filter(|own| !own.profile.deleted);
    if rests || others.clone().any(|own| own.profile.username == user.username) {
        return SignUpOutcome::UsernameTaken;
    }
    let same_address = |own: &OwnProfile| {
        (own.email.is_some() && own.email == user.email) || (own.phone.is_some() && own.phone == user.phone)
    };
    if others.any(same_address) {
        return SignUpOutcome::AddressTaken;
    }
    if state.users.contains_key(&user.id) || state.devices.contains_key(&device.id) {
        return SignUpOutcome::IdTaken;
    }
    let profile = Profile {
        id: user.id,
        username: user.username,
        display_name: user.display_name,
        bio: String::new(),
        avatar: None,
        kind: UserKind::Person,
        deleted: false,
    };
    let own = OwnProfile {
        profile,
        email: user.email,
        phone: user.phone,
        settings: json!({}),
        privacy: Privacy::default(),
    };
    let row = User {
        own,
        password_hash: user.password_hash,
        created_at: user.ts,
        disabled_at: None,
        deleted_at: None,
        last_seen: None,
        log: Vec::new(),
    };
    state.users.insert(user.id, row);
    devices::insert(state, user.id, device);
    SignUpOutcome::Created
}

fn matches(own: &OwnProfile, query: &str) -> bool {
    let query = query.to_lowercase();
    own.privacy.find_by.iter().any(|by| match by {
        FindBy::Username => {
            own.profile.username.starts_with(&query)
                || own.profile.display_name.to_lowercase().starts_with(&query)
        }
        FindBy::Email => own.email.as_deref() == Some(query.as_str()),
        FindBy::Phone => own.phone.as_deref() == Some(query.as_str()),
    })
}

fn update(state: &mut State, user: UserId, change: ProfileChange) -> Vec<AccountEntry> {
    let ProfileChange { fields, ts } = change;
    let UpdateProfile { display_name, bio, avatar, settings, privacy } = fields;
    let about_profile = display_name.is_some() || bio.is_some() || avatar.is_some();
    let about_settings = settings.is_some() || privacy.is_some();
    let Some(row) = state.users.get_mut(&user).filter(|row| !row.own.profile.deleted) else {
        return Vec::new();
    };
    let own = &mut row.own;
    own.profile.display_name = display_name.unwrap_or_else(|| std::mem::take(&mut own.profile.display_name));
    own.profile.bio = bio.unwrap_or_else(|| std::mem::take(&mut own.profile.bio));
    own.profile.avatar = avatar.unwrap_or_else(|| own.profile.avatar.take());
    own.settings = settings.unwrap_or_else(|| own.settings.take());
    own.privacy = own.privacy.clone().changed(privacy.unwrap_or_default());
    let profile = (AccountEventKind::Profile, json!(own));
    let settings = (AccountEventKind::Settings, json!({ "settings": own.settings, "privacy": own.privacy }));
    let mut entries = Vec::new();
    if about_profile {
        entries.extend(state.tell(user, profile, ts));
    }
    if about_settings {
        entries.extend(state.tell(user, settings, ts));
    }
    entries
}

fn delete(state: &mut State, user: UserId, ts: Timestamp) {
    let Some(row) = state.users.get_mut(&user).filter(|row| !row.own.profile.deleted) else { return };
    let username = std::mem::take(&mut row.own.profile.username);
    row.own = OwnProfile {
        profile: Profile {
            id: user,
            username: String::new(),
            display_name: String::new(),
            bio: String::new(),
            avatar: None,
            kind: row.own.profile.kind,
            deleted: true,
        },
        email: None,
        phone: None,
        settings: json!({}),
        privacy: Privacy::default(),
    };
    row.password_hash = String::new();
    row.deleted_at = Some(ts);
    row.last_seen = None;
    row.log.clear();
    state.reserved_names.insert(username, ts + NAME_REST_MS);
    devices::remove_all(state, user);
    contacts::erase(state, user);
    state.answers.retain(|_, answer| answer.created != user.get());
    let pos = state.next_pos();
    for room in state.rooms.values_mut() {
        erase_content(room, user);
        for stored in &mut room.events {
            stored.mentions.retain(|mentioned| *mentioned != user);
        }
        let Some(membership) = room.members.get_mut(&user) else { continue };
        membership.draft = None;
        if room.kind != ConversationKind::Direct {
            let place = changes::Place { seq: None, pos, ts, before: room.head() };
            changes::leave(room, place, user);
        }
        room.version += 1;
        room.touched = pos;
    }
}

/// Erases what a user wrote; the skeletons stay.
fn erase_content(room: &mut Room, user: UserId) {
    let own = room.events.iter().filter(|stored| stored.event.sender == user);
    let own: Vec<(Seq, EventKind)> = own.map(|stored| (stored.event.seq, stored.event.kind)).collect();
    for (seq, kind) in own {
        match kind {
            EventKind::Message => changes::erase(room, seq),
            EventKind::Edit | EventKind::Reaction => {
                if let Some(stored) = room.at_mut(seq) {
                    stored.event.body = None;
                }
            }
            _ => {}
        }
    }
    room.reactions.retain(|standing| standing.user != user);
}

//! [`Administration`], [`Inspection`] and [`AuditLog`]. Nothing is derived here, so that nothing is ever found wrong.

use async_trait::async_trait;
use loquat_domain::ports::{
    AccountDetails, AccountEntry, AccountQuery, AccountState, AccountSummary, Administration, AuditLog,
    AuditRecord, ConversationQuery, ConversationReport, ConversationSummary, DeviceSummary, Finding,
    Inspection, MemberSummary, NewAct, Statistics, StoreError,
};
use loquat_proto::{ConversationId, ConversationKind, DeviceId, EventKind, Role, Timestamp, UserId};

use super::MemoryStore;
use super::devices;
use super::state::{Room, State, User};

/// Members that a report names.
const MEMBERS: usize = 256;

#[async_trait]
impl Administration for MemoryStore {
    async fn accounts(&self, query: AccountQuery) -> Result<Vec<AccountSummary>, StoreError> {
        self.read(|state| {
            let all = state.users.values().map(|user| summary(state, user));
            let listed = all.filter(|account| {
                let named = |prefix: &String| {
                    account.username.as_ref().is_some_and(|name| name.starts_with(prefix.as_str()))
                };
                query.after.is_none_or(|after| account.id > after)
                    && query.prefix.as_ref().is_none_or(named)
                    && query.state.is_none_or(|state| account.state == state)
            });
            listed.take(query.limit).collect()
        })
        .await
    }

    async fn account(&self, user: UserId) -> Result<Option<AccountDetails>, StoreError> {
        self.read(|state| {
            let row = state.users.get(&user)?;
            let roles = || state.rooms.values().filter_map(|room| room.members.get(&user));
            Some(AccountDetails {
                summary: summary(state, row),
                email: row.own.email.clone(),
                phone: row.own.phone.clone(),
                disabled_at: row.disabled_at,
                deleted_at: row.deleted_at,
                conversations: roles().count() as u64,
                owned: roles().filter(|member| member.role == Role::Owner).count() as u64,
                signed_in: devices::of(state, user),
            })
        })
        .await
    }

    async fn account_named(&self, username: &str) -> Result<Option<UserId>, StoreError> {
        self.read(|state| {
            let profiles = state.users.values().map(|user| &user.own.profile);
            let mut living = profiles.filter(|profile| !profile.deleted);
            living.find(|profile| profile.username == username).map(|profile| profile.id)
        })
        .await
    }

    async fn set_disabled(&self, user: UserId, since: Option<Timestamp>) -> Result<bool, StoreError> {
        self.write(|state| {
            let Some(row) = state.users.get_mut(&user) else { return false };
            if row.deleted_at.is_some() || row.disabled_at.is_some() == since.is_some() {
                return false;
            }
            row.disabled_at = since;
            true
        })
        .await
    }

    async fn reset_password(
        &self,
        user: UserId,
        password_hash: String,
        ts: Timestamp,
    ) -> Result<Vec<AccountEntry>, StoreError> {
        self.write(|state| {
            let Some(row) = state.users.get_mut(&user).filter(|row| row.deleted_at.is_none()) else {
                return Vec::new();
            };
            row.password_hash = password_hash;
            let all = devices::of(state, user).into_iter();
            all.filter_map(|device| devices::revoke(state, (user, device.id), ts)).collect()
        })
        .await
    }

    async fn all_devices(
        &self,
        user: Option<UserId>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceSummary>, StoreError> {
        self.read(|state| {
            let rows = state.devices.iter().filter(|(id, row)| {
                user.is_none_or(|user| row.user == user) && after.is_none_or(|after| **id > after)
            });
            let listed = rows.take(limit).map(|(id, row)| DeviceSummary {
                user: row.user,
                username: state.users.get(&row.user).and_then(username),
                device: devices::shown(*id, row),
            });
            listed.collect()
        })
        .await
    }

    async fn device_owner(&self, device: DeviceId) -> Result<Option<UserId>, StoreError> {
        self.read(|state| state.devices.get(&device).map(|row| row.user)).await
    }

    async fn statistics(&self) -> Result<Statistics, StoreError> {
        self.read(|state| {
            let users =
                |wanted| state.users.values().filter(|user| account_state(user) == wanted).count() as u64;
            let rooms = |kind| state.rooms.values().filter(|room| room.kind == kind).count() as u64;
            Statistics {
                users_active: users(AccountState::Active),
                users_disabled: users(AccountState::Disabled),
                users_deleted: users(AccountState::Deleted),
                devices: state.devices.len() as u64,
                direct_conversations: rooms(ConversationKind::Direct),
                groups: rooms(ConversationKind::Group),
                channels: rooms(ConversationKind::Channel),
                memberships: state.rooms.values().map(|room| room.members.len() as u64).sum(),
                events: state.rooms.values().map(Room::head).sum(),
                messages: state.rooms.values().map(messages).sum(),
                ..Statistics::default()
            }
        })
        .await
    }
}

#[async_trait]
impl Inspection for MemoryStore {
    async fn list_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        self.read(|state| {
            let rooms = state.rooms.values().filter(|room| {
                query.after.is_none_or(|after| room.id > after)
                    && query.kind.is_none_or(|kind| room.kind == kind)
                    && query.member.is_none_or(|member| room.members.contains_key(&member))
            });
            rooms.take(query.limit).map(conversation_summary).collect()
        })
        .await
    }

    async fn inspect(&self, conversation: ConversationId) -> Result<Option<ConversationReport>, StoreError> {
        self.read(|state| state.rooms.get(&conversation).map(|room| report(state, room))).await
    }

    async fn repair(&self, conversation: ConversationId) -> Result<Option<Vec<Finding>>, StoreError> {
        self.write(|state| state.rooms.contains_key(&conversation).then(Vec::new)).await
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn begin_act(&self, act: NewAct) -> Result<u64, StoreError> {
        self.write(|state| {
            let id = state.acts.len() as u64 + 1;
            let NewAct { ts, actor, act, subject, detail } = act;
            state.acts.push(AuditRecord {
                id,
                ts,
                actor,
                act,
                subject,
                detail,
                outcome: None,
                ended_at: None,
            });
            id
        })
        .await
    }

    async fn end_act(&self, id: u64, outcome: &str, ts: Timestamp) -> Result<(), StoreError> {
        self.write(|state| {
            let record = state.acts.iter_mut().find(|record| record.id == id && record.outcome.is_none());
            if let Some(record) = record {
                (record.outcome, record.ended_at) = (Some(outcome.to_owned()), Some(ts));
            }
        })
        .await
    }

    async fn acts(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(|state| {
            let below =
                state.acts.iter().rev().filter(|record| before.is_none_or(|before| record.id < before));
            below.take(limit).cloned().collect()
        })
        .await
    }
}

const fn account_state(user: &User) -> AccountState {
    match (user.disabled_at, user.deleted_at) {
        (_, Some(_)) => AccountState::Deleted,
        (Some(_), None) => AccountState::Disabled,
        (None, None) => AccountState::Active,
    }
}

fn username(user: &User) -> Option<String> {
    user.deleted_at.is_none().then(|| user.own.profile.username.clone())
}

fn summary(state: &State, user: &User) -> AccountSummary {
    let id = user.own.profile.id;
    AccountSummary {
        id,
        username: username(user),
        display_name: user.own.profile.display_name.clone(),
        state: account_state(user),
        created_at: user.created_at,
        last_seen: user.last_seen,
        devices: state.devices.values().filter(|row| row.user == id).count() as u64,
    }
}

fn messages(room: &Room) -> u64 {
    room.events.iter().filter(|stored| stored.event.kind == EventKind::Message).count() as u64
}

fn conversation_summary(room: &Room) -> ConversationSummary {
    ConversationSummary {
        id: room.id,
        kind: room.kind,
        title: room.title.clone(),
        owner: room.owner,
        members: room.members.len() as u64,
        head: room.head(),
        messages: messages(room),
        created_at: room.created_at,
        last_activity: room.last_activity,
    }
}

fn report(state: &State, room: &Room) -> ConversationReport {
    let bodies = room.events.iter().filter_map(|stored| stored.event.body.as_ref());
    let mut members: Vec<_> = room.members.iter().collect();
    members.sort_by_key(|(_, membership)| membership.joined_pos);
    let member = |(user, membership): (&UserId, &super::state::Membership)| MemberSummary {
        user: *user,
        username: state.users.get(user).and_then(username),
        role: membership.role,
        joined_at: membership.joined_at,
        visible_from: membership.visible_from,
        delivered: membership.delivered,
        read: membership.read,
    };
    ConversationReport {
        summary: conversation_summary(room),
        history: room.history,
        retention: room.retention,
        permissions: room.permissions,
        slow_mode_ms: room.slow_mode_ms,
        erased: room
            .events
            .iter()
            .filter(|stored| stored.event.kind == EventKind::Message && stored.event.body.is_none())
            .count() as u64,
        body_bytes: bodies.map(|body| body.get().len() as u64).sum(),
        oldest_members: members.into_iter().take(MEMBERS).map(member).collect(),
        findings: Vec::new(),
    }
}

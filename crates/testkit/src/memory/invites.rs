//! [`Invites`], and their use.

use async_trait::async_trait;
use loquat_domain::ports::{
    Change, Invitation, InviteOutcome, InviteRecord, Invites, NewEvent, NewInvite, Standing, StoreError,
};
use loquat_proto::{ConversationId, Timestamp, UserId};

use super::MemoryStore;
use super::conversations::standing;
use super::state::{InviteRow, Room, State};

#[async_trait]
impl Invites for MemoryStore {
    async fn create_invite(&self, invite: NewInvite) -> Result<InviteOutcome, StoreError> {
        self.write(|state| create(state, invite)).await
    }

    async fn invites(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<Option<(Standing, Vec<InviteRecord>)>, StoreError> {
        self.read(|state| {
            let standing = standing(state, viewer, conversation)?;
            let rows = state.rooms.get(&conversation)?.invites.iter();
            let mut working: Vec<InviteRecord> =
                rows.filter(|row| row.works(now)).map(|row| row.record.clone()).collect();
            working.sort_by_key(|invite| std::cmp::Reverse((invite.created_at, invite.code.clone())));
            Some((standing, working))
        })
        .await
    }

    async fn invitation(&self, code: &str, user: UserId) -> Result<Option<Invitation>, StoreError> {
        self.read(|state| {
            let (room, row) = find(state, code)?;
            Some(Invitation {
                invite: row.record.clone(),
                revoked: row.revoked,
                kind: room.kind,
                title: room.title.clone(),
                member_count: room.members.len() as u64,
                joined: room.members.contains_key(&user),
                barred: room.is_barred(user),
            })
        })
        .await
    }

    async fn revoke_invite(&self, conversation: ConversationId, code: &str) -> Result<bool, StoreError> {
        self.write(|state| {
            let row = state
                .rooms
                .get_mut(&conversation)
                .and_then(|room| room.invites.iter_mut().find(|row| row.record.code == code && !row.revoked));
            row.map(|row| row.revoked = true).is_some()
        })
        .await
    }
}

impl InviteRow {
    fn works(&self, now: Timestamp) -> bool {
        let InviteRecord { expires_at, max_uses, uses, .. } = self.record;
        let in_time = expires_at.is_none_or(|expires_at| expires_at > now);
        !self.revoked && in_time && max_uses.is_none_or(|max_uses| uses < max_uses)
    }
}

impl Room {
    fn is_barred(&self, user: UserId) -> bool {
        self.former.get(&user).is_some_and(|former| former.barred)
    }
}

fn find<'s>(state: &'s State, code: &str) -> Option<(&'s Room, &'s InviteRow)> {
    let rows = state.rooms.values().flat_map(|room| room.invites.iter().map(move |row| (room, row)));
    rows.into_iter().find(|(_, row)| row.record.code == code)
}

fn create(state: &mut State, new: NewInvite) -> InviteOutcome {
    let NewInvite { invite, nonce, standing: expected, limit } = new;
    if standing(state, invite.creator, invite.conversation) != Some(expected) {
        return InviteOutcome::Stale;
    }
    let is_taken = find(state, &invite.code).is_some();
    let Some(room) = state.rooms.get_mut(&invite.conversation) else { return InviteOutcome::Stale };
    let is_same =
        |row: &&InviteRow| nonce.is_some() && row.nonce == nonce && row.record.creator == invite.creator;
    if let Some(row) = room.invites.iter().find(is_same) {
        return InviteOutcome::Made(row.record.clone());
    }
    if room.invites.iter().filter(|row| row.works(invite.created_at)).count() >= limit {
        return InviteOutcome::TooMany;
    }
    if is_taken {
        return InviteOutcome::CodeTaken;
    }
    room.invites.push(InviteRow { record: invite.clone(), nonce, revoked: false });
    InviteOutcome::Made(invite)
}

/// Counts one use where the event is an admission: `false` if the invitation admits nobody, or not this one.
pub(super) fn admits(state: &mut State, conversation: ConversationId, event: &NewEvent) -> bool {
    let Change::Admit { user, code, .. } = &event.change else { return true };
    let Some(room) = state.rooms.get_mut(&conversation).filter(|room| !room.is_barred(*user)) else {
        return false;
    };
    let row = room.invites.iter_mut().find(|row| row.record.code == *code && row.works(event.ts));
    row.map(|row| row.record.uses += 1).is_some()
}

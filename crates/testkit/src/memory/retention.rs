//! [`Retentions`].

use async_trait::async_trait;
use loquat_domain::ports::{Horizons, MemberDevice, Retentions, StoreError, SweepFacts, SweptMessage};
use loquat_proto::{ConversationId, EventKind, Retention, Seq};

use super::MemoryStore;
use super::changes;
use super::state::{Room, State};

#[async_trait]
impl Retentions for MemoryStore {
    async fn retentions(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<(ConversationId, Retention)>, StoreError> {
        self.read(|state| {
            let rooms = conversations.iter().filter_map(|id| state.rooms.get(id));
            let swept = rooms.filter(|room| room.retention != Retention::Keep);
            swept.map(|room| (room.id, room.retention)).collect()
        })
        .await
    }

    async fn sweep_facts(
        &self,
        conversation: ConversationId,
        limit: usize,
    ) -> Result<Option<SweepFacts>, StoreError> {
        self.read(|state| state.rooms.get(&conversation).map(|room| facts(state, room, limit as u64))).await
    }

    async fn erase_up_to(
        &self,
        conversation: ConversationId,
        to: Horizons,
    ) -> Result<Option<Horizons>, StoreError> {
        self.write(|state| {
            let pos = state.next_pos();
            state.rooms.get_mut(&conversation).map(|room| erase_up_to(room, to, pos))
        })
        .await
    }
}

fn facts(state: &State, room: &Room, limit: u64) -> SweepFacts {
    let Horizons { erased_to, expired_to } = room.horizons;
    let from = if matches!(room.retention, Retention::Ttl { .. }) { expired_to } else { erased_to };
    let looked_to = room.head().min(from + limit);
    let looked_at = room.messages_from(from + 1).map(|stored| &stored.event);
    let looked_at = looked_at.take_while(|event| event.seq <= looked_to);
    let messages =
        looked_at.map(|event| SweptMessage { seq: event.seq, ts: event.ts, device: event.device }).collect();
    let devices = state.devices.iter().filter_map(|(device, row)| {
        let membership = room.members.get(&row.user)?;
        Some(MemberDevice {
            device: *device,
            active_at: row.last_seen.unwrap_or(row.created_at).max(row.created_at),
            visible_from: membership.visible_from,
            delivered: membership.delivered_on.get(device).copied().unwrap_or(0),
        })
    });
    let devices = if room.retention == Retention::UntilDelivered { devices.collect() } else { Vec::new() };
    SweepFacts {
        retention: room.retention,
        erased_to,
        expired_to,
        messages,
        looked_to,
        head: room.head(),
        devices,
    }
}

fn erase_up_to(room: &mut Room, to: Horizons, pos: u64) -> Horizons {
    let before = room.horizons;
    let erased_to = to.erased_to.max(to.expired_to).min(room.head()).max(before.erased_to);
    let after = Horizons { erased_to, expired_to: to.expired_to.min(room.head()).max(before.expired_to) };
    if after != before {
        let gone: Vec<Seq> = room
            .messages_from(before.erased_to + 1)
            .map(|stored| stored.event.seq)
            .take_while(|seq| *seq <= after.erased_to)
            .collect();
        gone.into_iter().for_each(|seq| changes::erase(room, seq));
        room.horizons = after;
        room.touched = pos;
    }
    after
}

/// Whether the message that an event is about is erased.
pub(super) fn is_erased(room: &Room, target: Seq) -> bool {
    room.at(target)
        .is_some_and(|stored| stored.event.kind == EventKind::Message && stored.event.body.is_none())
}

//! What retention needs of storage.

use async_trait::async_trait;
use loquat_proto::{ConversationId, DeviceId, Retention, Seq, Timestamp};

use super::StoreError;

/// A message that may have to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweptMessage {
    /// Where it stands.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// The device that wrote it, which has it.
    pub device: Option<DeviceId>,
}

/// A member's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberDevice {
    /// Which device.
    pub device: DeviceId,
    /// When it signed in or was last seen, whichever is later.
    pub active_at: Timestamp,
    /// The member's: below it there is nothing to be delivered.
    pub visible_from: Seq,
    /// What the device has acknowledged; 0 for nothing.
    pub delivered: Seq,
}

/// What a sweep of a conversation is decided by. From one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepFacts {
    /// The retention in force.
    pub retention: Retention,
    /// Up to here every message is erased.
    pub erased_to: Seq,
    /// Up to here every message has outlived a `ttl`.
    pub expired_to: Seq,
    /// The messages of the part that was looked at, ascending: above `expired_to` where the retention is `ttl`, else
    /// above `erased_to`.
    pub messages: Vec<SweptMessage>,
    /// Where that part ends.
    pub looked_to: Seq,
    /// The newest event's `seq`.
    pub head: Seq,
    /// The devices of all members, where the retention is `until_delivered`; else none.
    pub devices: Vec<MemberDevice>,
}

/// How far retention has erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Horizons {
    /// Up to here every message is erased.
    pub erased_to: Seq,
    /// Up to here every message has outlived a `ttl`; never above `erased_to`.
    pub expired_to: Seq,
}

/// Erasing what has outlived its retention.
#[async_trait]
pub trait Retentions: Send + Sync {
    /// The retention of those of these conversations that do not keep everything.
    async fn retentions(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Vec<(ConversationId, Retention)>, StoreError>;

    /// What a sweep is decided by, looking at no more than `limit` events; `None` if there is no such conversation.
    async fn sweep_facts(
        &self,
        conversation: ConversationId,
        limit: usize,
    ) -> Result<Option<SweepFacts>, StoreError>;

    /// Erases every message up to `to.erased_to`, wherever its content is copied: body, edits, reactions, pins,
    /// mentions; the skeletons stay. The horizons move with it and never back; that counts as a change of the
    /// conversation for sync tokens. Returns where they stand; `None` if there is no such conversation.
    ///
    /// From then on the log takes no content about these messages: the body of an edit or reaction that was decided
    /// before is stored as null, and it has no effect.
    async fn erase_up_to(
        &self,
        conversation: ConversationId,
        to: Horizons,
    ) -> Result<Option<Horizons>, StoreError>;
}

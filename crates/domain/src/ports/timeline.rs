//! Reading what was said, and who may see whom.

use async_trait::async_trait;
use loquat_proto::message::{EventPage, MessagePage};
use loquat_proto::{ConversationId, DeviceId, Message, Seq, Timestamp, UserId};

use super::StoreError;

/// Which events of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventRange {
    /// Above this `seq`, oldest first.
    After(Seq),
    /// Below this `seq`, the nearest; answered ascending.
    Before(Seq),
}

/// Which messages of a conversation. Always answered ascending by `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageWindow {
    /// The newest.
    Latest,
    /// Below this `seq`, the nearest.
    Before(Seq),
    /// Above this `seq`, the nearest.
    After(Seq),
    /// Half of them up to this `seq`, half after it.
    Around(Seq),
    /// Around the first message written at or after this time.
    At(Timestamp),
}

/// Reads of conversations. Every read checks the viewer's membership and `visible_from` in the very snapshot that it
/// reads from, so that nothing sent after a removal is read by who was removed. `None` means: no member.
#[async_trait]
pub trait Timeline: Send + Sync {
    /// Events of a log within what the viewer may see, contiguous; nonces only of the viewer's own.
    async fn events(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        range: EventRange,
        limit: usize,
    ) -> Result<Option<EventPage>, StoreError>;

    /// Messages within what the viewer may see, with edits, erasures, reactions and pins applied.
    async fn messages(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        window: MessageWindow,
        limit: usize,
    ) -> Result<Option<MessagePage>, StoreError>;

    /// One message; `None` also where there is no message at `seq`.
    async fn message(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Option<Message>, StoreError>;

    /// Pinned messages below this `seq`, the newest message first.
    async fn pinned(
        &self,
        viewer: UserId,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Option<Vec<Message>>, StoreError>;
}

/// What presence needs of storage.
#[async_trait]
pub trait Presences: Send + Sync {
    /// Of these users, those whose presence this watcher may see (a contact or a shared conversation, not hidden by
    /// privacy, not blocked), each with when they were last seen.
    async fn visible(
        &self,
        watcher: UserId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Option<Timestamp>)>, StoreError>;

    /// Saves when users and their devices were last seen; later times win.
    async fn save_last_seen(&self, seen: Vec<(UserId, DeviceId, Timestamp)>) -> Result<(), StoreError>;
}

//! What a member may do to a conversation.

use loquat_proto::event::{EditBody, PinBody, ReactionBody, SettingsBody};
use loquat_proto::{ConversationId, MessageBody, Nonce, Role, Seq, UserId};

/// One act: everything that appends to a conversation's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Write a message.
    Send(MessageBody),
    /// Give an own message a new text.
    Edit(EditBody),
    /// Erase a message for everyone.
    Delete {
        /// Which message.
        target: Seq,
    },
    /// Put a reaction on or take it off.
    React(ReactionBody),
    /// Pin or unpin a message.
    Pin(PinBody),
    /// Add members.
    AddMembers(Vec<UserId>),
    /// Become a member by an invitation.
    Join {
        /// Its code.
        code: String,
    },
    /// Remove a member; the caller's own id leaves.
    RemoveMember(UserId),
    /// Give a member another role.
    ChangeRole {
        /// Whom.
        user: UserId,
        /// Which role.
        role: Role,
    },
    /// Change settings.
    Settings(SettingsBody),
}

/// An act on a conversation, with the caller's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Names it for retries; a send needs one.
    pub nonce: Option<Nonce>,
    /// What to do.
    pub act: Act,
}

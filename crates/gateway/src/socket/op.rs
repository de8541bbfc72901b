//! The frames of clients as data: name and audience of each.

use loquat_proto::{ClientFrame, Role};

use crate::route::{Access, Audience};

/// What a frame from a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum FrameOp {
    /// Who I am; the first frame.
    Hello,
    /// Send a message.
    Send,
    /// Give a message a new text.
    Edit,
    /// Erase a message.
    Delete,
    /// Put a reaction on or take it off.
    React,
    /// Pin or unpin a message.
    Pin,
    /// Move the own cursors.
    Ack,
    /// The user writes, or stopped.
    Typing,
    /// Whose presence to push.
    Watch,
    /// The own presence.
    Status,
    /// A range of a log.
    Fetch,
    /// Nothing but an answer.
    Ping,
}

/// Every frame that clients may send.
pub fn ops() -> impl Iterator<Item = FrameOp> {
    FrameOp::ALL.into_iter()
}

impl FrameOp {
    /// Every frame that clients may send.
    pub const ALL: [Self; 12] = [
        Self::Hello,
        Self::Send,
        Self::Edit,
        Self::Delete,
        Self::React,
        Self::Pin,
        Self::Ack,
        Self::Typing,
        Self::Watch,
        Self::Status,
        Self::Fetch,
        Self::Ping,
    ];

    /// The `op` on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Send => "send",
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::React => "react",
            Self::Pin => "pin",
            Self::Ack => "ack",
            Self::Typing => "typing",
            Self::Watch => "watch",
            Self::Status => "status",
            Self::Fetch => "fetch",
            Self::Ping => "ping",
        }
    }

    /// Whom the frame is for.
    #[must_use]
    pub const fn access(self) -> Access {
        let audience = match self {
            // It brings its credentials itself.
            Self::Hello => return Access::Public,
            Self::Send | Self::Typing => Audience::Members(Role::Member),
            Self::Edit => Audience::Author,
            Self::Delete => Audience::AuthorOrAdmin,
            Self::Pin => Audience::Members(Role::Admin),
            Self::React | Self::Ack | Self::Fetch => Audience::Members(Role::Guest),
            Self::Watch | Self::Status | Self::Ping => Audience::Everyone,
        };
        Access::SignedIn(audience)
    }

    /// What this frame asks for.
    pub(crate) const fn of(frame: &ClientFrame) -> Self {
        match frame {
            ClientFrame::Hello(_) => Self::Hello,
            ClientFrame::Send { .. } => Self::Send,
            ClientFrame::Edit { .. } => Self::Edit,
            ClientFrame::Delete(_) => Self::Delete,
            ClientFrame::React(_) => Self::React,
            ClientFrame::Pin { .. } => Self::Pin,
            ClientFrame::Ack { .. } => Self::Ack,
            ClientFrame::Typing { .. } => Self::Typing,
            ClientFrame::Watch { .. } => Self::Watch,
            ClientFrame::Status(_) => Self::Status,
            ClientFrame::Fetch(_) => Self::Fetch,
            ClientFrame::Ping {} => Self::Ping,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_stand_at_their_own_place() {
        for (index, op) in FrameOp::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, index, "counters are indexed by op");
        }
    }
}

//! Conversations: creating them, seeing them, and one's own preferences in them. What changes their log goes through
//! [`crate::messages`].

mod create;
mod invites;
mod memberships;
mod rights;
mod service;

use loquat_proto::{ConversationKind, Permissions, Role};

pub use create::direct_creation;
pub(crate) use invites::works as invitation_works;
pub use invites::{InviteDeps, InviteService};
pub use memberships::{ConversationMemberships, MembershipDeps};
pub(crate) use rights::Right;
pub use service::{ConversationDeps, ConversationService, Created};

/// The permissions that a new conversation begins with.
pub(crate) const fn default_permissions(kind: ConversationKind) -> Permissions {
    match kind {
        ConversationKind::Direct => Permissions {
            post: Role::Member,
            invite: Role::Owner,
            edit_info: Role::Member,
            pin: Role::Member,
        },
        ConversationKind::Group => {
            Permissions { post: Role::Member, invite: Role::Admin, edit_info: Role::Admin, pin: Role::Admin }
        }
        ConversationKind::Channel => {
            Permissions { post: Role::Admin, invite: Role::Admin, edit_info: Role::Admin, pin: Role::Admin }
        }
    }
}

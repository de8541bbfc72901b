//! Who may do what, by role: the one place where a conversation's permissions are read.

use loquat_proto::{Permissions, Role};

use crate::Refusal;

/// Something that not every member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Write messages, edit the own ones, show that one writes.
    Post,
    /// Add members and make invitations.
    Invite,
    /// Change title, description, avatar and retention.
    EditInfo,
    /// Pin and unpin messages.
    Pin,
    /// Change permissions and the slow mode.
    Govern,
    /// Remove members and give roles, of those below the own one.
    ManageMembers,
    /// Erase messages of others.
    Moderate,
    /// See and revoke invitations that others made.
    ManageInvites,
    /// Delete the conversation.
    Delete,
}

impl Right {
    /// The least role that has it: as the permissions say, or as it always is.
    pub(crate) const fn least(self, permissions: &Permissions) -> Role {
        match self {
            Self::Post => permissions.post,
            Self::Invite => permissions.invite,
            Self::EditInfo => permissions.edit_info,
            Self::Pin => permissions.pin,
            Self::Govern | Self::ManageMembers | Self::Moderate | Self::ManageInvites => Role::Admin,
            Self::Delete => Role::Owner,
        }
    }

    /// Whether a member with this role has it.
    pub(crate) fn is_held_by(self, role: Role, permissions: &Permissions) -> bool {
        role >= self.least(permissions)
    }

    /// Refuses who does not have it.
    pub(crate) fn require(self, role: Role, permissions: &Permissions) -> Result<(), Refusal> {
        if self.is_held_by(role, permissions) { Ok(()) } else { Err(Refusal::Forbidden(self.refusal())) }
    }

    const fn refusal(self) -> &'static str {
        match self {
            Self::Post => "your role may not write here",
            Self::Invite => "your role may not add members here",
            Self::EditInfo => "your role may not change settings here",
            Self::Pin => "your role may not pin here",
            Self::Govern => "only admins change permissions and slow mode",
            Self::ManageMembers => "only admins remove members and give roles",
            Self::Moderate => "only its sender or an admin deletes a message",
            Self::ManageInvites => "only its maker or an admin revokes an invitation",
            Self::Delete => "only its owner deletes a conversation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Guest, Role::Member, Role::Admin, Role::Owner];

    #[test]
    fn permissions_name_the_least_role() {
        for least in ROLES {
            let all = Permissions { post: least, invite: least, edit_info: least, pin: least };
            for role in ROLES {
                for right in [Right::Post, Right::Invite, Right::EditInfo, Right::Pin] {
                    assert_eq!(
                        right.require(role, &all).is_ok(),
                        role >= least,
                        "{right:?} {role:?} {least:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn permissions_do_not_loosen_what_is_fixed() {
        let open =
            Permissions { post: Role::Guest, invite: Role::Guest, edit_info: Role::Guest, pin: Role::Guest };
        for right in [Right::Govern, Right::ManageMembers, Right::Moderate, Right::ManageInvites] {
            assert_eq!(right.least(&open), Role::Admin, "{right:?}");
        }
        assert!(Right::Delete.require(Role::Admin, &open).is_err());
    }

    #[test]
    fn each_permission_is_its_own() {
        let permissions =
            Permissions { post: Role::Guest, invite: Role::Member, edit_info: Role::Admin, pin: Role::Owner };
        let held = |role| {
            [Right::Post, Right::Invite, Right::EditInfo, Right::Pin]
                .map(|right| right.is_held_by(role, &permissions))
        };
        assert_eq!(held(Role::Guest), [true, false, false, false]);
        assert_eq!(held(Role::Member), [true, true, false, false]);
        assert_eq!(held(Role::Admin), [true, true, true, false]);
        assert_eq!(held(Role::Owner), [true; 4]);
    }
}

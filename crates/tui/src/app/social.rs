//! Contacts and invitations as the screens hold them.

use loquat_proto::{ConversationKind, Profile, Timestamp, UserId};

/// Who the user has to do with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactBook {
    /// Contacts, by name.
    pub contacts: Vec<Profile>,
    /// Requests that wait for an answer, the newest first.
    pub requests: Vec<Asked>,
    /// Blocked users, by name.
    pub blocked: Vec<Profile>,
}

/// A request to be a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The other one.
    pub profile: Profile,
    /// Whether the other one asks; else the user did.
    pub is_incoming: bool,
    /// When it was asked.
    pub at: Timestamp,
}

/// How the user stands with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is agreed.
    Stranger,
    /// The user asked.
    Asked,
    /// The other one asks.
    Asks,
    /// A contact.
    Contact,
    /// Blocked by the user.
    Blocked,
}

impl ContactBook {
    /// How the user stands with this one.
    #[must_use]
    pub fn standing(&self, user: UserId) -> Standing {
        let request = self.requests.iter().find(|asked| asked.profile.id == user);
        if self.blocked.iter().any(|profile| profile.id == user) {
            Standing::Blocked
        } else if self.contacts.iter().any(|profile| profile.id == user) {
            Standing::Contact
        } else {
            match request {
                Some(Asked { is_incoming: true, .. }) => Standing::Asks,
                Some(_) => Standing::Asked,
                None => Standing::Stranger,
            }
        }
    }

    /// How many ask for an answer of the user.
    #[must_use]
    pub fn incoming(&self) -> usize {
        self.requests.iter().filter(|asked| asked.is_incoming).count()
    }
}

/// An invitation to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What is typed.
    pub code: String,
    /// What is passed on.
    pub url: String,
    /// How often it was used.
    pub uses: u64,
    /// How often it may be used.
    pub max_uses: Option<u64>,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
}

/// Where an invitation leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The title of the conversation.
    pub title: String,
    /// What sort.
    pub kind: ConversationKind,
    /// How many members it has.
    pub member_count: u64,
}

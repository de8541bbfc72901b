//! The calls of an operator and their answers, as they travel to a running service.

use loquat_proto::account::Secret;
use loquat_proto::{ConversationId, ConversationKind, DeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::ports::{
    AccountDetails, AccountState, AccountSummary, AuditRecord, ConversationReport, ConversationSummary,
    DeviceSummary, Finding, Statistics,
};

/// What an operator may ask. Users are named by id, or by username with or without `@`; a username of digits only
/// needs the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminCall {
    /// Accounts by id: [`AdminAnswer::Users`].
    ListUsers {
        /// Those after this one.
        after: Option<UserId>,
        /// Those whose username begins with this.
        prefix: Option<String>,
        /// Those in this state.
        state: Option<AccountState>,
        /// At most so many, up to [`AdminCall::LIMIT`].
        limit: usize,
    },
    /// One account: [`AdminAnswer::User`].
    ShowUser {
        /// Which.
        user: String,
    },
    /// Shuts an account out until it is enabled, and closes its sockets at once: [`AdminAnswer::User`].
    DisableUser {
        /// Which.
        user: String,
        /// Why, for the record.
        reason: String,
    },
    /// Lets an account in again: [`AdminAnswer::User`].
    EnableUser {
        /// Which.
        user: String,
    },
    /// Sets another password and signs every device out: [`AdminAnswer::Password`].
    ResetPassword {
        /// Whose.
        user: String,
        /// The password; `None` for one by chance.
        password: Option<Secret>,
    },
    /// Erases an account, as its owner could: [`AdminAnswer::User`].
    DeleteUser {
        /// Which.
        user: String,
    },
    /// Conversations by id: [`AdminAnswer::Conversations`].
    ListConversations {
        /// Those after this one.
        after: Option<ConversationId>,
        /// Those of this kind.
        kind: Option<ConversationKind>,
        /// Those with this member.
        member: Option<String>,
        /// At most so many, up to [`AdminCall::LIMIT`].
        limit: usize,
    },
    /// One conversation, compared with its log: [`AdminAnswer::Conversation`].
    ShowConversation {
        /// Which.
        conversation: ConversationId,
    },
    /// Computes anew what is derived of a conversation's log: [`AdminAnswer::Findings`].
    RepairConversation {
        /// Which.
        conversation: ConversationId,
    },
    /// Devices by id: [`AdminAnswer::Devices`].
    ListDevices {
        /// Of this user.
        user: Option<String>,
        /// Those after this one.
        after: Option<DeviceId>,
        /// At most so many, up to [`AdminCall::LIMIT`].
        limit: usize,
    },
    /// Signs a device out and closes its sockets at once: [`AdminAnswer::Done`].
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// How much there is: [`AdminAnswer::Statistics`].
    Statistics,
    /// What operators did, newest first: [`AdminAnswer::Acts`].
    ListActs {
        /// Before this one.
        before: Option<u64>,
        /// At most so many, up to [`AdminCall::LIMIT`].
        limit: usize,
    },
}

/// A call that goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its stable name.
    pub name: &'static str,
    /// What it is done to.
    pub subject: String,
    /// What else to know.
    pub detail: String,
}

impl AdminCall {
    /// Entries of one answer at most.
    pub const LIMIT: usize = 1_000;

    /// The call as it goes on record; `None` for a call that changes nothing.
    #[must_use]
    pub fn act(&self) -> Option<Act> {
        let (name, subject, detail) = match self {
            Self::DisableUser { user, reason } => ("disable_user", user.clone(), reason.clone()),
            Self::EnableUser { user } => ("enable_user", user.clone(), String::new()),
            Self::ResetPassword { user, .. } => ("reset_password", user.clone(), String::new()),
            Self::DeleteUser { user } => ("delete_user", user.clone(), String::new()),
            Self::RepairConversation { conversation } => {
                ("repair_conversation", conversation.to_string(), String::new())
            }
            Self::RevokeDevice { device } => ("revoke_device", device.to_string(), String::new()),
            Self::ListUsers { .. }
            | Self::ShowUser { .. }
            | Self::ListConversations { .. }
            | Self::ShowConversation { .. }
            | Self::ListDevices { .. }
            | Self::Statistics
            | Self::ListActs { .. } => return None,
        };
        Some(Act { name, subject, detail })
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// A password that an operator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPassword {
    /// Whose.
    pub user: UserId,
    /// The password, where chance made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Devices that were signed out.
    pub signed_out: u64,
}

/// What is so at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Live sessions, of sockets and long polls.
    pub sessions: u64,
    /// What is stored.
    #[serde(flatten)]
    pub stored: Statistics,
}

/// What a call answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "value", rename_all = "snake_case")]
pub enum AdminAnswer {
    /// Accounts.
    Users(Listed<AccountSummary>),
    /// One account.
    User(Box<AccountDetails>),
    /// A password was set.
    Password(NewPassword),
    /// Conversations.
    Conversations(Listed<ConversationSummary>),
    /// One conversation.
    Conversation(Box<ConversationReport>),
    /// What was wrong with a conversation, and was made right where it could be.
    Findings(Vec<Finding>),
    /// Devices.
    Devices(Listed<DeviceSummary>),
    /// It is done.
    Done {},
    /// How much there is.
    Statistics(Live),
    /// What operators did.
    Acts(Listed<AuditRecord>),
}

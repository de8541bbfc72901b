//! What the state asks of the world. The state never acts by itself: [`update`](crate::app::App::update) returns
//! these, and the runtime carries them out and answers with messages.

use loquat_proto::account::{Secret, UpdateProfile};
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::event::SettingsBody;
use loquat_proto::{
    ConversationId, ConversationKind, DeviceId, ErrorBody, MessageBody, Nonce, PresenceState, Role, Seq,
    UserId,
};

use crate::preferences::Preferences;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What the SDK does on this device, at once and in the order of asking.
    Device(Device),
    /// What takes the network's time; the answer comes as a message.
    Network(Network),
    /// What the terminal does.
    Terminal(Terminal),
    /// Leave.
    Quit,
}

/// What the SDK does on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// Cut a back-off short.
    ReconnectNow,
    /// Keep a conversation's timeline in memory.
    Open(ConversationId),
    /// No longer.
    Close(ConversationId),
    /// Get one page above the timeline.
    LoadOlder(ConversationId),
    /// Queue a change of a conversation's log.
    Change {
        /// Where.
        conversation: ConversationId,
        /// What.
        change: Change,
    },
    /// Put a refused message back into the queue.
    Retry(Nonce),
    /// Drop a queued message.
    Discard(Nonce),
    /// The server refused a change for good: a message stays as "not sent", anything else is dropped and told.
    SettleRefused {
        /// Which change.
        nonce: Nonce,
        /// Why.
        error: ErrorBody,
    },
    /// Everything up to here was shown to the user.
    MarkRead {
        /// Where.
        conversation: ConversationId,
        /// The newest `seq` shown.
        seq: Seq,
    },
    /// The user writes, or stopped.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Writes, or stopped.
        on: bool,
    },
    /// Keep what the user has begun to write; `None` clears it.
    SaveDraft {
        /// Where.
        conversation: ConversationId,
        /// The text.
        text: Option<String>,
    },
    /// Follow the presence of these users; replaces the last list.
    Watch(Vec<UserId>),
    /// Ask for the profiles of these users.
    LearnProfiles(Vec<UserId>),
    /// Say how present the user is.
    Status(PresenceState),
    /// Fetch the whole history of a conversation in the background.
    Backfill(ConversationId),
}

/// What takes the network's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Sign in with an account that exists.
    LogIn {
        /// Username, e-mail address or phone number.
        login: String,
        /// The password.
        password: Secret,
    },
    /// Make an account.
    SignUp {
        /// The unique name.
        username: String,
        /// The name to show; `None` is the username.
        display_name: Option<String>,
        /// The password.
        password: Secret,
    },
    /// Sign out and forget what this device holds.
    LogOut,
    /// Erase the own account.
    DeleteAccount(Secret),
    /// Save everything that the server keeps of the own account.
    Export,
    /// Find people by the beginning of a name.
    Search(String),
    /// Find messages by their words among those on this device; everywhere, or in one conversation.
    SearchMessages {
        /// What the user typed.
        query: String,
        /// Where.
        conversation: Option<ConversationId>,
    },
    /// Ask for a page of the members of a group or channel.
    LoadMembers {
        /// Which one.
        conversation: ConversationId,
        /// From where on; the first page if `None`.
        cursor: Option<String>,
    },
    /// Open the conversation with this user, new or not.
    CreateDirect(UserId),
    /// Make a group or a channel.
    CreateGroup {
        /// Which of the two.
        kind: ConversationKind,
        /// Its title.
        title: String,
        /// The other members.
        members: Vec<UserId>,
    },
    /// Change a group or channel.
    Manage {
        /// Which one.
        conversation: ConversationId,
        /// How.
        action: GroupAction,
    },
    /// Change how the conversation is listed.
    Preferences {
        /// Which one.
        conversation: ConversationId,
        /// The changed fields.
        update: UpdatePreferences,
    },
    /// Ask for contacts, requests and blocks.
    LoadContacts,
    /// Change one of them.
    Contact {
        /// With whom.
        user: UserId,
        /// How.
        action: ContactAction,
    },
    /// Ask where the user is signed in.
    LoadDevices,
    /// Sign another device out.
    RevokeDevice(DeviceId),
    /// Ask for the invitations to a conversation.
    LoadInvites(ConversationId),
    /// Make an invitation.
    CreateInvite {
        /// To which conversation.
        conversation: ConversationId,
        /// How often it may be used; no limit if `None`.
        max_uses: Option<u64>,
        /// For how many seconds it is good; for ever if `None`.
        expires_in: Option<u64>,
    },
    /// Take an invitation back.
    RevokeInvite {
        /// To which conversation.
        conversation: ConversationId,
        /// Which one.
        code: String,
    },
    /// Ask what an invitation leads to.
    PreviewInvite(String),
    /// Use an invitation.
    Join(String),
    /// Ask for the pinned messages of a conversation.
    LoadPins(ConversationId),
    /// Change the own profile or privacy.
    UpdateProfile(Box<UpdateProfile>),
    /// Change the own password.
    ChangePassword {
        /// The one of now.
        current: Secret,
        /// The one from now on.
        new: Secret,
    },
}

/// A change of who the user has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactAction {
    /// Ask to be a contact.
    Request,
    /// Say yes to a request.
    Accept,
    /// Say no to a request, or take the own one back.
    Decline,
    /// No contact any more.
    Remove,
    /// Hear no more of them.
    Block,
    /// Take that back.
    Unblock,
}

/// What the terminal does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminal {
    /// Put a text on the clipboard (OSC 52: the terminal decides whether to).
    Copy(String),
    /// Name the window; 0 unread is just the name.
    Title {
        /// Unread messages in all conversations.
        unread: u64,
    },
    /// Stop the process until it is continued (job control).
    Suspend,
    /// Open a web address with the system's program for it. It begins with `http://` or `https://`.
    OpenLink(String),
    /// Keep what the user chose in the client, and do it.
    Preferences(Preferences),
}

/// A change of a conversation's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new message.
    Send(MessageBody),
    /// A new text for an own message.
    Edit {
        /// Which message.
        target: Seq,
        /// The new text.
        body: MessageBody,
    },
    /// Erase a message for everyone.
    Delete(Seq),
    /// Put a reaction on or take it off.
    React {
        /// Which message.
        target: Seq,
        /// The emoji.
        emoji: String,
        /// Put on, or taken off.
        on: bool,
    },
    /// Pin or unpin a message.
    Pin {
        /// Which message.
        target: Seq,
        /// Pin, or unpin.
        on: bool,
    },
}

/// A change of a group's members or settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAction {
    /// Add these users.
    Add(Vec<UserId>),
    /// Remove this one.
    Remove(UserId),
    /// Give this one another role.
    ChangeRole(UserId, Role),
    /// Give the group another title.
    SetTitle(String),
    /// Change other settings.
    Update(Box<SettingsBody>),
    /// Leave it.
    Leave,
    /// Delete it with all its content, for everyone.
    Delete,
}

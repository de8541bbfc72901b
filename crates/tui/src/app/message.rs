//! What happens to the state: keys, snapshots, answers and time.

use crossterm::event::{KeyEvent, MouseEvent};
use loquat_client::Found;
use loquat_client::view::{ConversationSummary, Timeline};
use loquat_proto::conversation::Member;
use loquat_proto::{
    AccountEventKind, Conversation, ConversationId, Device, ErrorBody, Message as Content, Nonce, OwnProfile,
    Page, Presence, Profile, Timestamp, UserId,
};

use super::social::{ContactBook, Invitation, Preview};
use crate::preferences::Preferences;

/// How the client stands with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// No connection is wanted.
    Offline,
    /// The first try is under way.
    Connecting,
    /// Live.
    Online {
        /// Whether something that was missed is still being fetched.
        catching_up: bool,
    },
    /// It broke, or could not be made.
    Reconnecting {
        /// When the next try starts.
        at: Timestamp,
    },
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was pressed or its wheel turned.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The terminal's window got or lost the focus, where the terminal tells.
    Focus(bool),
    /// Time went on: a deadline of [`App::next_deadline`](crate::app::App::next_deadline) may have come.
    Tick,
    /// Somebody is signed in.
    SignedIn(Profile),
    /// Sign-in failed, in words for the user.
    SignInFailed(String),
    /// The session has ended.
    SignedOut,
    /// The connection is in another state.
    Connection(Connection),
    /// The conversation list.
    Conversations(Vec<ConversationSummary>),
    /// The timeline of the open conversation.
    Timeline(Timeline),
    /// A watched user came or went.
    Presence(Presence),
    /// Profiles that were asked for.
    Profiles(Vec<Profile>),
    /// Names became known: what is still missing may be asked for again.
    ProfilesChanged,
    /// The answer to a search.
    Found {
        /// What was searched for.
        query: String,
        /// Who was found, or why not.
        people: Result<Vec<Profile>, String>,
    },
    /// A page of the members of a group, or why it could not be had.
    Members {
        /// Which group.
        conversation: ConversationId,
        /// From where on the page was asked for.
        from: Option<String>,
        /// Its members.
        members: Result<Page<Member>, String>,
    },
    /// The open conversation, whole: settings and permissions.
    Whole(Box<Conversation>),
    /// The own profile with its private parts.
    OwnProfile(Box<OwnProfile>),
    /// What the user chose in the client is in force.
    Preferred(Preferences),
    /// Something happened to the account: what is shown of it is read again.
    Account(AccountEventKind),
    /// Contacts, requests and blocks.
    Contacts(Result<ContactBook, String>),
    /// Where the user is signed in.
    Devices(Result<Vec<Device>, String>),
    /// The invitations to a conversation.
    Invites {
        /// Which conversation.
        conversation: ConversationId,
        /// The invitations that are good.
        invites: Result<Vec<Invitation>, String>,
    },
    /// What an invitation leads to.
    Previewed {
        /// Its code.
        code: String,
        /// Where to.
        preview: Result<Preview, String>,
    },
    /// The pinned messages of a conversation.
    Pins {
        /// Which conversation.
        conversation: ConversationId,
        /// The messages, the newest first.
        pins: Result<Vec<Content>, String>,
    },
    /// The answer to a search in messages.
    Hits {
        /// What was searched for.
        query: String,
        /// Where.
        conversation: Option<ConversationId>,
        /// What was found, the newest first.
        hits: Result<Vec<Found>, String>,
    },
    /// Something that a popup asked for was done, or why not.
    Done {
        /// What.
        what: Done,
        /// What went wrong, if something did.
        result: Result<(), String>,
    },
    /// Everything of the own account is in this file, or why not.
    Exported(Result<String, String>),
    /// A conversation was made or found.
    Created(Result<ConversationId, String>),
    /// A change of a group was done, or why not.
    Managed {
        /// Which group.
        conversation: ConversationId,
        /// What went wrong, if something did.
        result: Result<(), String>,
    },
    /// The own user is no member any more.
    Left(ConversationId),
    /// The server refused a change for good.
    Refused {
        /// Which change.
        nonce: Nonce,
        /// Why.
        error: ErrorBody,
    },
    /// Something failed, in words for the user.
    Failed(String),
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Contacts, requests or blocks changed.
    Contacts,
    /// A device was signed out.
    Devices,
    /// An invitation was made or taken back.
    Invites(ConversationId),
    /// The own profile or privacy changed.
    Profile,
    /// The password changed.
    Password,
    /// A web address was handed over to the system.
    Link,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The own id.
    pub id: UserId,
    /// The unique name.
    pub username: String,
    /// The name that others see.
    pub name: String,
}

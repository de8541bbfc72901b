//! What happens to the state: keys, snapshots, answers and time.

use crossterm::event::KeyEvent;
use loquat_client::view::{ConversationSummary, Timeline};
use loquat_proto::conversation::Member;
use loquat_proto::{ConversationId, ErrorBody, Nonce, Presence, Profile, Timestamp, UserId};

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
    /// The members of a group, or why they could not be had.
    Members {
        /// Which group.
        conversation: ConversationId,
        /// Its members.
        members: Result<Vec<Member>, String>,
    },
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

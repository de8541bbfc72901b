//! Every command by its name: what the keys do, what the list of commands offers, and what the help tells.

use loquat_proto::ConversationKind;

/// Something that can be done from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Go to a conversation by name.
    GoTo,
    /// The list of commands.
    Commands,
    /// Every key.
    Help,
    /// Find somebody to write to.
    NewChat,
    /// Make a group.
    NewGroup,
    /// Make a channel.
    NewChannel,
    /// Use an invitation.
    Join,
    /// Contacts, requests, blocks.
    Contacts,
    /// Find messages in all conversations.
    Search,
    /// Find messages in the open one.
    SearchHere,
    /// Find a conversation by name, in the list.
    FindChat,
    /// The next conversation with something unread.
    NextUnread,
    /// What the open conversation is, and its settings.
    Info,
    /// The members of the open conversation.
    Members,
    /// The invitations to the open conversation.
    Invites,
    /// The pinned messages of the open conversation.
    Pins,
    /// Until when the open conversation is quiet.
    Mute,
    /// Pin the open conversation to the top of the list, or not.
    TogglePinned,
    /// Put the open conversation into the archive, or take it out.
    ToggleArchived,
    /// Leave the open conversation.
    Leave,
    /// The own profile and what others may see.
    Settings,
    /// Where the user is signed in.
    Devices,
    /// Change the own password.
    Password,
    /// Save everything that the server keeps of the user.
    Export,
    /// Choose colours.
    Theme,
    /// Give the mouse to the client, or to the terminal.
    ToggleMouse,
    /// Try the connection now.
    Reconnect,
    /// Sign this device out.
    LogOut,
    /// Leave the client.
    Quit,
}

/// What a command needs to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// An open conversation.
    Open,
    /// An open group or channel.
    Group,
}

/// A command as it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// Which one.
    pub command: Command,
    /// Its name.
    pub name: &'static str,
    /// The key that does it anywhere, or in the conversation list; empty where there is none.
    pub key: &'static str,
    /// What it needs.
    pub needs: Needs,
}

const fn listed(command: Command, name: &'static str, key: &'static str, needs: Needs) -> Listed {
    Listed { command, name, key, needs }
}

/// Every command that is listed, in the order in which they are shown.
pub const ALL: [Listed; 28] = [
    listed(Command::GoTo, "Go to a chat", "Ctrl+P", Needs::Nothing),
    listed(Command::NextUnread, "Next unread chat", "Alt+U", Needs::Nothing),
    listed(Command::NewChat, "New chat", "Ctrl+N", Needs::Nothing),
    listed(Command::NewGroup, "New group", "Ctrl+G", Needs::Nothing),
    listed(Command::NewChannel, "New channel", "F7", Needs::Nothing),
    listed(Command::Join, "Join by invitation", "F8", Needs::Nothing),
    listed(Command::Contacts, "Contacts, requests and blocks", "Ctrl+O", Needs::Nothing),
    listed(Command::Search, "Search all messages", "Ctrl+S", Needs::Nothing),
    listed(Command::SearchHere, "Search in this chat", "F5", Needs::Open),
    listed(Command::FindChat, "Filter the list of chats", "Ctrl+F", Needs::Nothing),
    listed(Command::Info, "About this chat, and its settings", "F3", Needs::Open),
    listed(Command::Members, "Members and roles", "Ctrl+T", Needs::Group),
    listed(Command::Invites, "Invitations to this chat", "F9", Needs::Group),
    listed(Command::Pins, "Pinned messages", "F6", Needs::Open),
    listed(Command::Mute, "Mute this chat", "", Needs::Open),
    listed(Command::TogglePinned, "Keep this chat on top, or not", "", Needs::Open),
    listed(Command::ToggleArchived, "Put this chat into the archive, or back", "", Needs::Open),
    listed(Command::Leave, "Leave this chat", "", Needs::Group),
    listed(Command::Settings, "Profile, privacy and settings", "F4", Needs::Nothing),
    listed(Command::Devices, "Devices", "", Needs::Nothing),
    listed(Command::Password, "Change the password", "", Needs::Nothing),
    listed(Command::Export, "Save everything of yours to a file", "", Needs::Nothing),
    listed(Command::Theme, "Colours", "", Needs::Nothing),
    listed(Command::ToggleMouse, "Mouse on or off", "", Needs::Nothing),
    listed(Command::Reconnect, "Try the connection now", "Ctrl+R", Needs::Nothing),
    listed(Command::Help, "Keys and marks", "F1", Needs::Nothing),
    listed(Command::LogOut, "Log out", "", Needs::Nothing),
    listed(Command::Quit, "Leave Loquat", "Ctrl+Q", Needs::Nothing),
];

impl Needs {
    /// Whether it is there, given what sort of conversation is open.
    #[must_use]
    pub fn are_met(self, open: Option<ConversationKind>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Open => open.is_some(),
            Self::Group => open.is_some_and(|kind| kind != ConversationKind::Direct),
        }
    }
}

//! The state of `loquat chat`, and how it changes.
//!
//! As in the Elm architecture: [`App`] is all there is, [`App::update`] takes one [`Message`] and returns the
//! [`Effect`]s it asks for, [`view`](crate::screens::view) draws. Nothing in here does I/O or reads a clock: the time
//! comes with every message, so that tests own it.

pub mod command;
pub mod effect;
pub mod intake;
pub mod layout;
pub mod message;
pub mod people;
pub mod social;

mod answers;
mod commands;
mod mention;
mod mouse;
mod overlay_keys;
mod overlays;
mod perform;
mod update;

use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::{
    Conversation as Whole, ConversationId, ConversationKind, OwnProfile, PresenceState, Timestamp, UserId,
};

pub use self::effect::Effect;
use self::effect::{Device, Network, Terminal};
use self::layout::Layout;
pub use self::message::{Connection, Me, Message};
use self::people::People;
use self::social::ContactBook;
use crate::preferences::Preferences;
use crate::screens::Overlay;
use crate::screens::chats::{Chats, Choice};
use crate::screens::conversation::{Conversation, PaneSize};
use crate::screens::login::Login;
use crate::text::time::Clock;
use crate::theme::{Background, Theme};

/// A short message stays this long, in milliseconds.
const TOAST_TIME: Timestamp = 4_000;

/// Without a key for this long the user is away, in milliseconds.
const AWAY_AFTER: Timestamp = 5 * 60_000;

/// The server watches at most this many users for one socket.
const MOST_WATCHED: usize = 500;

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// To the conversation list.
    Chats,
    /// To the compose box.
    Compose,
    /// To the messages: the selection mode.
    Messages,
}

/// A short message in the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// What it says.
    pub text: String,
    /// Whether something went wrong.
    pub is_problem: bool,
    /// When it goes.
    pub until: Timestamp,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct App {
    /// Now, and the zone.
    pub clock: Clock,
    /// Colours.
    pub theme: Theme,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Who is signed in; the log-in screen while nobody is.
    pub me: Option<Me>,
    /// The log-in screen.
    pub login: Login,
    /// The conversation list.
    pub chats: Chats,
    /// The open conversation.
    pub open: Option<Conversation>,
    /// Names and presences.
    pub people: People,
    /// Where keys go.
    pub focus: Focus,
    /// What lies above and takes the keys first.
    pub overlay: Option<Overlay>,
    /// What lies under it and comes back when it is closed, the lowest first.
    pub under: Vec<Overlay>,
    /// The own profile with its private parts, once it is known.
    pub own: Option<OwnProfile>,
    /// Contacts, requests and blocks, once they are known.
    pub book: Option<ContactBook>,
    /// What the user chose in the client.
    pub preferences: Preferences,
    /// What the terminal draws on, where it tells.
    pub background: Option<Background>,
    /// How the client stands with its server.
    pub connection: Connection,
    /// Whether there was a connection since the start.
    pub was_online: bool,
    /// A short message.
    pub toast: Option<Toast>,
    watched: Vec<UserId>,
    titled_unread: Option<u64>,
    is_looking: bool,
    last_key: Timestamp,
    is_away: bool,
}

impl App {
    /// The state at the start, before it is known who is signed in.
    #[must_use]
    pub fn new(clock: Clock, theme: Theme, server: &str) -> Self {
        let last_key = clock.now;
        Self {
            clock,
            theme,
            size: (80, 24),
            me: None,
            login: Login::new(server),
            chats: Chats::default(),
            open: None,
            people: People::default(),
            focus: Focus::Chats,
            overlay: None,
            under: Vec::new(),
            own: None,
            book: None,
            preferences: Preferences::default(),
            background: None,
            connection: Connection::Offline,
            was_online: false,
            toast: None,
            watched: Vec::new(),
            titled_unread: None,
            is_looking: true,
            last_key,
            is_away: false,
        }
    }

    /// When something is due without a key: a draft, a search, a countdown, a message that goes.
    #[must_use]
    pub fn next_deadline(&self) -> Timestamp {
        let now = self.clock.now;
        let next_minute = now - now.rem_euclid(60_000) + 60_000;
        let countdown = match self.connection {
            Connection::Reconnecting { at } if at > now => Some(at - (at - now - 1) / 1_000 * 1_000),
            _ => None,
        };
        // Nobody goes away who is not signed in: a deadline that passes without effect would be due for ever.
        let away = (self.me.is_some() && !self.is_away).then_some(self.last_key + AWAY_AFTER);
        [
            Some(next_minute),
            countdown,
            away,
            self.toast.as_ref().map(|toast| toast.until),
            self.open.as_ref().and_then(|open| open.compose.deadline()),
            self.overlay.as_ref().and_then(Overlay::deadline),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(next_minute)
        .max(now + 1)
    }

    /// What the messages of the open conversation are measured and drawn with.
    #[must_use]
    pub fn pane_size(&self, layout: &Layout) -> Option<PaneSize<'_>> {
        let me = self.me.as_ref()?;
        let area = layout.conversation.as_ref()?.messages;
        let (width, height, clock) = (area.width, area.height, &self.clock);
        Some(PaneSize { width, height, clock, theme: self.theme, me, blocked: self.people.blocked() })
    }

    /// Does something with the open conversation and the size of its pane.
    fn with_pane<T>(&mut self, act: impl FnOnce(&mut Conversation, &PaneSize<'_>) -> T) -> Option<T> {
        let layout = Layout::of(self);
        let mut open = self.open.take()?;
        let result = self.pane_size(&layout).map(|size| act(&mut open, &size));
        self.open = Some(open);
        result
    }

    fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), is_problem: false, until: self.clock.now + TOAST_TIME });
    }

    fn complain(&mut self, text: impl Into<String>) {
        let until = self.clock.now + 2 * TOAST_TIME;
        self.toast = Some(Toast { text: intake::reason(text), is_problem: true, until });
    }

    fn set_focus(&mut self, focus: Focus) {
        if focus != Focus::Messages
            && let Some(open) = &mut self.open
        {
            open.stop_selecting();
        }
        self.focus = if self.open.is_none() { Focus::Chats } else { focus };
        if self.focus == Focus::Messages {
            self.with_pane(Conversation::start_selecting);
        }
        if self.focus == Focus::Chats
            && let Some(open) = &self.open
        {
            self.chats.cursor = Some(open.id);
        }
    }

    /// The open conversation with its settings, once they are known.
    #[must_use]
    pub fn whole(&self) -> Option<&Whole> {
        self.open.as_ref()?.whole.as_deref()
    }

    /// Why the user may not write in the open conversation, if that is so.
    #[must_use]
    pub fn why_silent(&self) -> Option<&'static str> {
        let whole = self.whole()?;
        let blocked = whole.peer.as_ref().is_some_and(|peer| self.people.blocked().contains(&peer.id));
        if blocked {
            return Some("You block this user: F3 takes that back");
        }
        let may = whole.kind == ConversationKind::Direct || whole.me.role >= whole.permissions.post;
        match whole.permissions.post {
            _ if may => None,
            loquat_proto::Role::Owner => Some("Only the owner writes here"),
            loquat_proto::Role::Admin => Some("Only admins write here"),
            _ => Some("Guests do not write here"),
        }
    }

    /// Opens a conversation to write in.
    fn open(&mut self, id: ConversationId) -> Vec<Effect> {
        if self.open.as_ref().is_some_and(|open| open.id == id) {
            self.set_focus(Focus::Compose);
            return self.after_view_changed();
        }
        let mut effects = self.leave_open();
        let draft = self.chats.get(id).and_then(|row| row.draft.clone());
        self.open = Some(Conversation::new(id, draft.as_deref()));
        self.chats.cursor = Some(id);
        self.set_focus(Focus::Compose);
        effects.push(Effect::Device(Device::Open(id)));
        effects.extend(self.watch());
        effects
    }

    /// Closes the open conversation; what was begun is kept.
    fn leave_open(&mut self) -> Vec<Effect> {
        let mut effects = self.keep_draft();
        if let Some(open) = self.open.take() {
            effects.push(Effect::Device(Device::Close(open.id)));
        }
        self.focus = Focus::Chats;
        effects
    }

    fn keep_draft(&mut self) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let draft = open.compose.unsaved_draft();
        draft
            .map(|text| Effect::Device(Device::SaveDraft { conversation: open.id, text }))
            .into_iter()
            .collect()
    }

    /// What follows when the pane shows something else: older history is asked for, what is seen is read.
    fn after_view_changed(&mut self) -> Vec<Effect> {
        let may_read = self.is_looking && self.overlay.is_none();
        self.with_pane(|open, size| {
            let mut effects = Vec::new();
            if open.wants_older(size) {
                effects.push(Effect::Device(Device::LoadOlder(open.id)));
            }
            if may_read && let Some(seq) = open.newly_read(size) {
                effects.push(Effect::Device(Device::MarkRead { conversation: open.id, seq }));
            }
            effects
        })
        .unwrap_or_default()
    }

    /// Follows the presence of everybody who is shown: the peers of the list, and the members of the open group.
    fn watch(&mut self) -> Vec<Effect> {
        let Some(me) = self.me.as_ref().map(|me| me.id) else { return Vec::new() };
        let members = self.open.as_ref().map(Conversation::members).unwrap_or_default();
        let peers = self.chats.all().iter().filter_map(|row| row.peer);
        let mut users: Vec<UserId> = members.into_iter().chain(peers).filter(|user| *user != me).collect();
        let mut seen = std::collections::HashSet::new();
        users.retain(|user| seen.insert(*user));
        users.truncate(MOST_WATCHED);
        let mut effects = Vec::new();
        let unknown = self.people.ask(users.iter().copied());
        if !unknown.is_empty() {
            effects.push(Effect::Device(Device::LearnProfiles(unknown)));
        }
        let mut sorted = users;
        sorted.sort_unstable();
        if sorted != self.watched {
            self.people.watch_only(&sorted);
            self.watched.clone_from(&sorted);
            effects.push(Effect::Device(Device::Watch(sorted)));
        }
        effects
    }

    fn retitle(&mut self) -> Option<Effect> {
        let unread = self.chats.unread(self.clock.now);
        (self.titled_unread.replace(unread) != Some(unread))
            .then_some(Effect::Terminal(Terminal::Title { unread }))
    }

    fn choose(&mut self, choice: &Choice) -> Vec<Effect> {
        let (id, update) = match *choice {
            Choice::Open(id) => return self.open(id),
            Choice::TogglePinned(id) | Choice::ToggleMuted(id) | Choice::ToggleArchived(id) => {
                let Some(row) = self.chats.get(id) else { return Vec::new() };
                let mut update = UpdatePreferences::default();
                match choice {
                    Choice::TogglePinned(_) => update.pinned = Some(!row.pinned),
                    Choice::ToggleArchived(_) => update.archived = Some(!row.archived),
                    _ => {
                        let is_muted = row.muted_until.is_some_and(|until| until > self.clock.now);
                        // "For good" is a year: the protocol knows no word for ever.
                        update.muted_until =
                            Some((!is_muted).then_some(self.clock.now + 365 * 24 * 3_600_000));
                    }
                }
                (id, update)
            }
        };
        vec![Effect::Network(Network::Preferences { conversation: id, update })]
    }

    fn own_id(&self) -> Option<UserId> {
        self.me.as_ref().map(|me| me.id)
    }

    /// The user did something: not away any more.
    fn woke_up(&mut self) -> Option<Effect> {
        self.last_key = self.clock.now;
        std::mem::take(&mut self.is_away).then_some(Effect::Device(Device::Status(PresenceState::Online)))
    }
}

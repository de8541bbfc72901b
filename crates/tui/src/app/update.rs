//! One message at a time.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_client::view::{ConversationSummary, Timeline};
use loquat_proto::{ConversationId, PresenceState, Profile, Timestamp};

use super::command::Command;
use super::effect::{Device, Network, Terminal};
use super::{AWAY_AFTER, App, Connection, Effect, Focus, Me, Message, intake};
use crate::keys::{is_control, is_plain};
use crate::screens::Overlay;
use crate::screens::help::Help;

impl App {
    /// Takes in what happened at this moment; the answer is what to do.
    pub fn update(&mut self, now: Timestamp, message: Message) -> Vec<Effect> {
        self.clock.now = now;
        match message {
            Message::Key(key) => self.key(key),
            Message::Mouse(event) => self.mouse(event),
            Message::Paste(text) => self.paste(&text),
            Message::Resize { width, height } => {
                self.size = (width, height);
                self.after_view_changed()
            }
            Message::Focus(is_looking) => self.looked(is_looking),
            Message::Tick => self.tick(),
            Message::SignedIn(profile) => self.signed_in(profile),
            Message::SignInFailed(reason) => {
                self.login.failed(intake::reason(reason));
                Vec::new()
            }
            Message::SignedOut => self.signed_out(),
            Message::Connection(connection) => {
                let is_online = matches!(connection, Connection::Online { .. });
                let comes_back = is_online && !self.people.is_connected();
                self.was_online |= is_online;
                self.people.set_connected(is_online);
                self.connection = connection;
                // What happened to them while there was no connection is not told again.
                if comes_back { vec![Effect::Network(Network::LoadContacts)] } else { Vec::new() }
            }
            Message::Conversations(rows) => self.conversations(rows),
            Message::Timeline(timeline) => self.timeline(timeline),
            Message::Presence(presence) => {
                self.people.saw(presence);
                Vec::new()
            }
            Message::Profiles(profiles) => {
                self.people.learn(profiles.into_iter().map(intake::profile));
                Vec::new()
            }
            Message::ProfilesChanged => {
                let asked = self.people.still_asked();
                if asked.is_empty() { Vec::new() } else { vec![Effect::Device(Device::LearnProfiles(asked))] }
            }
            Message::Left(id) => self.left(id),
            Message::Refused { nonce, error } => vec![Effect::Device(Device::SettleRefused { nonce, error })],
            Message::Failed(reason) => {
                self.complain(reason);
                Vec::new()
            }
            Message::Whole(whole) => self.whole_came(*whole),
            Message::OwnProfile(own) => {
                let own = intake::own_profile(*own);
                if let Some(me) = &mut self.me {
                    me.name.clone_from(&own.profile.display_name);
                }
                self.own = Some(own);
                Vec::new()
            }
            Message::Account(kind) => self.account_changed(kind),
            Message::Preferred(preferences) => {
                self.preferences = preferences;
                self.theme = preferences.theme.on(self.background);
                Vec::new()
            }
            answer => self.answered(answer),
        }
    }

    fn whole_came(&mut self, whole: loquat_proto::Conversation) -> Vec<Effect> {
        if let Some(open) = self.open.as_mut().filter(|open| open.id == whole.id) {
            open.whole = Some(Box::new(intake::whole(whole)));
        }
        Vec::new()
    }

    fn signed_in(&mut self, profile: Profile) -> Vec<Effect> {
        let profile = intake::profile(profile);
        self.me = Some(Me { id: profile.id, username: profile.username, name: profile.display_name });
        self.focus = Focus::Chats;
        Vec::new()
    }

    fn signed_out(&mut self) -> Vec<Effect> {
        let Some(me) = self.me.take() else { return Vec::new() };
        let mut fresh = Self::new(self.clock.clone(), self.theme, &self.login.server);
        fresh.size = self.size;
        fresh.preferences = self.preferences;
        fresh.background = self.background;
        fresh.login.ask(&me.username, false);
        fresh.complain("You are signed out. Log in again to go on.");
        *self = fresh;
        vec![Effect::Terminal(Terminal::Title { unread: 0 })]
    }

    fn looked(&mut self, is_looking: bool) -> Vec<Effect> {
        self.is_looking = is_looking;
        if is_looking {
            let mut effects: Vec<Effect> = self.woke_up().into_iter().collect();
            effects.extend(self.after_view_changed());
            return effects;
        }
        // What comes from now on is new to the user, and so divided from the rest.
        let all_read =
            self.open.as_ref().is_some_and(|open| self.chats.get(open.id).is_some_and(|row| row.unread == 0));
        if let Some(open) = self.open.as_mut().filter(|open| all_read && open.is_at_bottom()) {
            open.divider = None;
        }
        self.keep_draft()
    }

    fn tick(&mut self) -> Vec<Effect> {
        let now = self.clock.now;
        if self.toast.as_ref().is_some_and(|toast| toast.until <= now) {
            self.toast = None;
        }
        let mut effects = Vec::new();
        if let Some(open) = &mut self.open
            && let Some(text) = open.compose.due_draft(now)
        {
            effects.push(Effect::Device(Device::SaveDraft { conversation: open.id, text }));
        }
        if let Some(query) = self.overlay.as_mut().and_then(|overlay| overlay.due_search(now)) {
            effects.push(Effect::Network(Network::Search(query)));
        }
        if let Some(Overlay::Search(popup)) = &mut self.overlay
            && let Some((query, conversation)) = popup.due(now)
        {
            effects.push(Effect::Network(Network::SearchMessages { query, conversation }));
        }
        if !self.is_away && self.me.is_some() && now - self.last_key >= AWAY_AFTER {
            self.is_away = true;
            effects.push(Effect::Device(Device::Status(PresenceState::Away)));
        }
        effects
    }

    fn conversations(&mut self, rows: Vec<ConversationSummary>) -> Vec<Effect> {
        self.chats.set(rows.into_iter().map(intake::summary).collect());
        let open = self.open.as_ref().and_then(|open| self.chats.get(open.id));
        if let (Some(Overlay::Members(members)), Some(row)) = (&mut self.overlay, open) {
            members.update(&row.title, row.role);
        }
        let typing: Vec<_> = self.chats.all().iter().flat_map(|row| row.typing.iter().copied()).collect();
        let unknown = self.people.ask(typing);
        let mut effects = self.watch();
        if !unknown.is_empty() {
            effects.push(Effect::Device(Device::LearnProfiles(unknown)));
        }
        effects.extend(self.retitle());
        effects
    }

    fn timeline(&mut self, timeline: Timeline) -> Vec<Effect> {
        let is_looking = self.is_looking;
        let timeline = intake::timeline(timeline);
        let taken = self.with_pane(|open, size| {
            let is_open = open.id == timeline.conversation;
            if is_open {
                open.set_timeline(timeline, size, is_looking);
            }
            is_open
        });
        if taken != Some(true) {
            return Vec::new();
        }
        let mut effects = self.watch();
        effects.extend(self.after_view_changed());
        effects
    }

    fn left(&mut self, id: ConversationId) -> Vec<Effect> {
        if self.open.as_ref().is_none_or(|open| open.id != id) {
            return Vec::new();
        }
        self.clear_overlays();
        self.open = None;
        self.focus = Focus::Chats;
        self.say("You are no longer a member of that conversation");
        vec![Effect::Device(Device::Close(id))]
    }

    fn paste(&mut self, text: &str) -> Vec<Effect> {
        let now = self.clock.now;
        if self.me.is_none() {
            self.login.paste(text);
            return Vec::new();
        }
        if let Some(overlay) = &mut self.overlay {
            overlay.paste(text, now);
            return Vec::new();
        }
        match self.focus {
            Focus::Chats => {
                if let Some(filter) = &mut self.chats.filter {
                    filter.insert(text.trim());
                }
                Vec::new()
            }
            Focus::Compose | Focus::Messages => {
                self.set_focus(Focus::Compose);
                self.write(text)
            }
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.woke_up().into_iter().collect();
        if self.toast.as_ref().is_some_and(|toast| toast.is_problem) {
            self.toast = None;
        }
        if is_control(key, 'c') || is_control(key, 'q') {
            effects.extend(self.keep_draft());
            effects.push(Effect::Quit);
            return effects;
        }
        if is_control(key, 'z') {
            effects.push(Effect::Terminal(Terminal::Suspend));
            return effects;
        }
        if self.me.is_none() {
            effects.extend(self.key_without_session(key));
        } else if self.overlay.is_some() {
            effects.extend(match command_of(key) {
                Some(command @ (Command::GoTo | Command::Commands)) => self.perform(command),
                _ => self.overlay_key(key),
            });
        } else if self.focus == Focus::Compose && self.is_completing() && key.code != KeyCode::F(1) {
            effects.extend(self.compose_key(key));
        } else if let Some(done) = self.global_key(key) {
            effects.extend(done);
        } else {
            effects.extend(match self.focus {
                Focus::Chats => self.chats_key(key),
                Focus::Compose => self.compose_key(key),
                Focus::Messages => self.messages_key(key),
            });
        }
        effects
    }

    fn key_without_session(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(Overlay::Help(help)) = &mut self.overlay {
            if help.key(key) {
                self.overlay = None;
            }
            return Vec::new();
        }
        if key.code == KeyCode::F(1) {
            self.push(Overlay::Help(Help::default()));
            return Vec::new();
        }
        self.login.key(key).into_iter().collect()
    }

    fn is_completing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.compose.completion.is_some())
    }

    /// Keys that do the same wherever the focus is.
    fn global_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        if let Some(command) = command_of(key) {
            return Some(self.perform(command));
        }
        match key.code {
            KeyCode::Char('?') if self.focus != Focus::Compose && self.chats.filter.is_none() => {
                return Some(self.perform(Command::Help));
            }
            KeyCode::Tab => self.set_focus(match self.focus {
                Focus::Chats => Focus::Compose,
                Focus::Compose => Focus::Messages,
                Focus::Messages => Focus::Chats,
            }),
            KeyCode::BackTab => self.set_focus(match self.focus {
                Focus::Chats => Focus::Messages,
                Focus::Compose => Focus::Chats,
                Focus::Messages => Focus::Compose,
            }),
            KeyCode::Up if alt => return Some(self.step_chat(-1)),
            KeyCode::Down if alt => return Some(self.step_chat(1)),
            KeyCode::End if key.modifiers.contains(KeyModifiers::CONTROL) && self.focus != Focus::Chats => {
                return Some(self.jump_to_bottom());
            }
            _ => return None,
        }
        Some(self.after_view_changed())
    }

    fn step_chat(&mut self, step: isize) -> Vec<Effect> {
        let from = self.open.as_ref().map(|open| open.id).or(self.chats.cursor);
        match self.chats.neighbour(from, step) {
            Some(id) => self.open(id),
            None => Vec::new(),
        }
    }

    fn chats_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if self.chats.filter.is_none() {
            match key.code {
                KeyCode::Char('q') if is_plain(key) => return vec![Effect::Quit],
                KeyCode::Char('n') if is_plain(key) => return self.perform(Command::NewChat),
                KeyCode::Char('g') if is_plain(key) => return self.perform(Command::NewGroup),
                KeyCode::Char('c') if is_plain(key) => return self.perform(Command::NewChannel),
                KeyCode::Char('i') if is_plain(key) => return self.perform(Command::Join),
                KeyCode::Char('s') if is_plain(key) => return self.perform(Command::Settings),
                KeyCode::Char('o') if is_plain(key) => return self.perform(Command::Contacts),
                _ if is_control(key, 'l') => return self.perform(Command::LogOut),
                _ => {}
            }
        }
        let choice = self.chats.key(key);
        choice.map(|choice| self.choose(&choice)).unwrap_or_default()
    }
}

/// The command that a key stands for anywhere.
fn command_of(key: KeyEvent) -> Option<Command> {
    if let KeyCode::F(number) = key.code {
        return Some(match number {
            1 => Command::Help,
            2 => Command::Commands,
            3 => Command::Info,
            4 => Command::Settings,
            5 => Command::SearchHere,
            6 => Command::Pins,
            7 => Command::NewChannel,
            8 => Command::Join,
            9 => Command::Invites,
            _ => return None,
        });
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return matches!(key.code, KeyCode::Char('u')).then_some(Command::NextUnread);
    }
    [
        ('p', Command::GoTo),
        ('n', Command::NewChat),
        ('g', Command::NewGroup),
        ('o', Command::Contacts),
        ('s', Command::Search),
        ('f', Command::FindChat),
        ('t', Command::Members),
        ('r', Command::Reconnect),
    ]
    .into_iter()
    .find_map(|(letter, command)| is_control(key, letter).then_some(command))
}

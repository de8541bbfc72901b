//! Doing commands.

use loquat_proto::ConversationId;
use loquat_proto::conversation::UpdatePreferences;

use super::command::{ALL, Command};
use super::effect::{Device, GroupAction, Network, Terminal};
use super::social::ContactBook;
use super::{App, Effect, Focus};
use crate::editor::Editor;
use crate::preferences::Preferences;
use crate::screens::Overlay;
use crate::screens::account::{Account, theme_menu};
use crate::screens::confirm::Confirm;
use crate::screens::contacts::Contacts;
use crate::screens::devices::Devices;
use crate::screens::find_people::FindPeople;
use crate::screens::help::Help;
use crate::screens::info::{Info, mute_menu};
use crate::screens::invites::Invites;
use crate::screens::join::Join;
use crate::screens::members::Members;
use crate::screens::messages::{Pins, Search};
use crate::screens::new_group::NewGroup;
use crate::screens::password::{Password, Purpose};
use crate::screens::switcher::Switcher;

impl App {
    /// Does a command, if what it needs is there.
    pub(super) fn perform(&mut self, command: Command) -> Vec<Effect> {
        let Some(me) = self.own_id() else { return Vec::new() };
        let needs = ALL.iter().find(|listed| listed.command == command).map(|listed| listed.needs);
        if needs.is_some_and(|needs| !needs.are_met(self.choices().open)) {
            self.complain(match self.open {
                None => "Open a chat first",
                Some(_) => "A chat of two has none of that: Ctrl+G makes a group",
            });
            return Vec::new();
        }
        let here = self.open.as_ref().map(|open| open.id);
        match command {
            Command::GoTo => self.push(Overlay::Switcher(Switcher::new(false))),
            Command::Commands => self.push(Overlay::Switcher(Switcher::new(true))),
            Command::Help => self.push(Overlay::Help(Help::default())),
            Command::NewChat => self.push(Overlay::NewChat(FindPeople::new(me))),
            Command::NewGroup => self.push(Overlay::NewGroup(NewGroup::group(me))),
            Command::NewChannel => self.push(Overlay::NewGroup(NewGroup::channel(me))),
            Command::Join => self.push(Overlay::Join(Join::new())),
            Command::Search => self.push(Overlay::Search(Search::new(here, false))),
            Command::SearchHere => self.push(Overlay::Search(Search::new(here, true))),
            Command::FindChat => {
                self.clear_overlays();
                self.set_focus(Focus::Chats);
                self.chats.filter = Some(Editor::single_line(128));
            }
            Command::Password => self.push(Overlay::Password(Password::new(Purpose::Change))),
            Command::Theme => self.push(Overlay::Menu(theme_menu(self.preferences))),
            Command::NextUnread => return self.next_unread(),
            Command::Reconnect => return vec![Effect::Device(Device::ReconnectNow)],
            Command::ToggleMouse => {
                let mouse = !self.preferences.mouse;
                return self.prefer(Preferences { mouse, ..self.preferences });
            }
            Command::LogOut => self.ask_to_log_out(),
            Command::Quit => {
                let mut effects = self.keep_draft();
                effects.push(Effect::Quit);
                return effects;
            }
            Command::Contacts => {
                let requests = self.book.as_ref().map_or(0, ContactBook::incoming);
                self.push(Overlay::Contacts(Contacts::new(me, requests)));
                return vec![Effect::Network(Network::LoadContacts)];
            }
            Command::Settings => {
                if self.own.is_none() {
                    self.complain("Your profile has not come yet");
                } else {
                    self.push(Overlay::Account(Account::default()));
                }
            }
            Command::Export => {
                self.say("Everything of yours is being fetched…");
                return vec![Effect::Network(Network::Export)];
            }
            Command::Devices => {
                self.push(Overlay::Devices(Devices::default()));
                return vec![Effect::Network(Network::LoadDevices)];
            }
            _ => return here.map(|id| self.perform_here(command, id)).unwrap_or_default(),
        }
        Vec::new()
    }

    /// A command about the open conversation.
    fn perform_here(&mut self, command: Command, id: ConversationId) -> Vec<Effect> {
        let Some(row) = self.chats.get(id) else { return Vec::new() };
        match command {
            Command::Info => {
                self.push(Overlay::Info(Info::new(id)));
                vec![Effect::Network(Network::LoadContacts)]
            }
            Command::Members => self.show_members(),
            Command::Invites => {
                self.push(Overlay::Invites(Invites::new(id)));
                vec![Effect::Network(Network::LoadInvites(id))]
            }
            Command::Pins => {
                self.push(Overlay::Pins(Pins::new(id)));
                vec![Effect::Network(Network::LoadPins(id))]
            }
            Command::Mute => {
                let menu = mute_menu(row, self.clock.now);
                self.push(Overlay::Menu(menu));
                Vec::new()
            }
            Command::TogglePinned => {
                let update = UpdatePreferences { pinned: Some(!row.pinned), ..UpdatePreferences::default() };
                vec![Effect::Network(Network::Preferences { conversation: id, update })]
            }
            Command::ToggleArchived => {
                let update =
                    UpdatePreferences { archived: Some(!row.archived), ..UpdatePreferences::default() };
                vec![Effect::Network(Network::Preferences { conversation: id, update })]
            }
            Command::Leave => {
                let text = format!("You will no longer see “{}”.", row.title);
                let leave = Network::Manage { conversation: id, action: GroupAction::Leave };
                self.push(Overlay::Confirm(Confirm::new("Leave it?", &text, Effect::Network(leave))));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn show_members(&mut self) -> Vec<Effect> {
        let (Some(me), Some(open)) = (self.own_id(), &self.open) else { return Vec::new() };
        let id = open.id;
        let Some(row) = self.chats.get(id) else { return Vec::new() };
        let members = Members::new(id, &row.title, (me, row.role));
        self.push(Overlay::Members(members));
        vec![Effect::Network(Network::LoadMembers { conversation: id, cursor: None })]
    }

    pub(super) fn ask_to_log_out(&mut self) {
        let text = "This device forgets its messages; the server keeps them. What waits to be sent is lost.";
        self.push(Overlay::Confirm(Confirm::new("Log out?", text, Effect::Network(Network::LogOut))));
    }

    /// Takes a choice of the user over, and has it kept.
    pub(super) fn prefer(&mut self, preferences: Preferences) -> Vec<Effect> {
        self.preferences = preferences;
        self.theme = preferences.theme.on(self.background);
        vec![Effect::Terminal(Terminal::Preferences(preferences))]
    }

    /// The next conversation below the open one, from the top again, in which something is unread.
    fn next_unread(&mut self) -> Vec<Effect> {
        let now = self.clock.now;
        let counts = |row: &&loquat_client::view::ConversationSummary| {
            row.unread > 0 && !row.archived && row.muted_until.is_none_or(|until| until <= now)
        };
        let rows = self.chats.all();
        let open = self.open.as_ref().map(|open| open.id);
        let from = rows.iter().position(|row| Some(row.id) == open).map_or(0, |index| index + 1);
        let next = rows[from..].iter().chain(&rows[..from]).find(counts).map(|row| row.id);
        match next.filter(|id| Some(*id) != open) {
            Some(id) => {
                self.clear_overlays();
                self.open(id)
            }
            None => {
                self.say("Nothing else is unread");
                Vec::new()
            }
        }
    }

    /// Opens a conversation at a message, loading older history until it is there.
    pub(super) fn show_message(&mut self, id: ConversationId, seq: loquat_proto::Seq) -> Vec<Effect> {
        self.clear_overlays();
        if self.chats.get(id).is_none() {
            self.complain("That chat is not there any more");
            return Vec::new();
        }
        let mut effects = self.open(id);
        self.with_pane(|open, size| open.show(seq, size));
        self.focus = Focus::Messages;
        effects.extend(self.after_view_changed());
        effects
    }

    pub(super) fn tell_of_copy(&mut self, effect: &Effect) {
        if matches!(effect, Effect::Terminal(Terminal::Copy(_))) {
            self.say("Copied, if your terminal allows it");
        }
    }
}

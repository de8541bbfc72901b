//! Keys while something lies above the rest: each popup says what it wants, and here it is done.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::{ConversationId, Seq};

use super::effect::{Change, Device, GroupAction, Network};
use super::social::ContactBook;
use super::{App, Effect};
use crate::screens::confirm::{Answer, Confirm};
use crate::screens::menu::Then;
use crate::screens::password::{self, Password};
use crate::screens::switcher::Goal;
use crate::screens::{Overlay, account, contacts, devices, info, invites, links, members, messages};

/// What becomes of the popup that took a key.
enum After {
    /// It stays.
    Stay,
    /// It goes; what lay under it comes back.
    Close,
    /// It goes, and this is done with what lies under it in its place.
    CloseThen(Next),
    /// It stays, and this is done above it.
    Then(Next),
}

/// What is done besides.
enum Next {
    Command(super::command::Command),
    Push(Box<Overlay>),
    Show(ConversationId, Seq),
    Open(ConversationId),
}

impl App {
    /// A key while something lies above.
    pub(super) fn overlay_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(mut overlay) = self.overlay.take() else { return Vec::new() };
        let mut effects = Vec::new();
        let after = self.key_in(&mut overlay, key, &mut effects);
        // A command may have changed the stack already; what took the key is put back under it.
        match after {
            After::Stay => self.overlay = Some(overlay),
            After::Close => effects.extend(self.pop()),
            After::CloseThen(next) => {
                self.overlay = self.under.pop();
                effects.extend(self.follow(next));
            }
            After::Then(next) => {
                self.overlay = Some(overlay);
                effects.extend(self.follow(next));
            }
        }
        effects
    }

    fn follow(&mut self, next: Next) -> Vec<Effect> {
        match next {
            Next::Command(command) => self.perform(command),
            Next::Push(overlay) => {
                self.push(*overlay);
                Vec::new()
            }
            Next::Open(id) => {
                self.clear_overlays();
                self.open(id)
            }
            Next::Show(id, seq) => self.show_message(id, seq),
        }
    }

    fn key_in(&mut self, overlay: &mut Overlay, key: KeyEvent, effects: &mut Vec<Effect>) -> After {
        let now = self.clock.now;
        let escapes = key.code == KeyCode::Esc;
        match overlay {
            Overlay::Help(help) => close_if(escapes || help.key(key)),
            Overlay::Details(_) => After::Close,
            Overlay::NewChat(_)
            | Overlay::NewGroup(_)
            | Overlay::Emoji(_)
            | Overlay::Join(_)
            | Overlay::Password(_)
                if escapes =>
            {
                After::Close
            }
            Overlay::NewChat(popup) => {
                effects.extend(popup.key(key, now).map(|user| Effect::Network(Network::CreateDirect(user))));
                After::Stay
            }
            Overlay::NewGroup(popup) => {
                effects.extend(popup.key(key, now).map(|plan| {
                    let (kind, title, members) = (plan.kind, plan.title, plan.members);
                    Effect::Network(Network::CreateGroup { kind, title, members })
                }));
                After::Stay
            }
            Overlay::Emoji(popup) => match (popup.key(key), &self.open) {
                (Some(picked), Some(open)) => {
                    let change = Change::React { target: popup.target, emoji: picked.emoji, on: picked.on };
                    effects.push(Effect::Device(Device::Change { conversation: open.id, change }));
                    After::Close
                }
                _ => After::Stay,
            },
            Overlay::Confirm(popup) => match popup.key(key) {
                Some(Answer::Yes(effect)) => self.confirmed(effect, effects),
                Some(Answer::No) => After::Close,
                None => After::Stay,
            },
            Overlay::Join(popup) => {
                effects.extend(popup.key(key).map(Effect::Network));
                After::Stay
            }
            Overlay::Password(popup) => {
                effects.extend(popup.key(key));
                After::Stay
            }
            Overlay::Menu(_) if escapes => After::Close,
            Overlay::Menu(popup) => match popup.key(key) {
                Some(then) => chosen(then, effects),
                None => After::Stay,
            },
            other => self.key_in_list(other, key, effects),
        }
    }

    fn key_in_list(&mut self, overlay: &mut Overlay, key: KeyEvent, effects: &mut Vec<Effect>) -> After {
        let now = self.clock.now;
        match overlay {
            Overlay::Switcher(_) if key.code == KeyCode::Esc => After::Close,
            Overlay::Switcher(popup) => match popup.key(key, self.choices()) {
                Some(Goal::Chat(id)) => After::CloseThen(Next::Open(id)),
                Some(Goal::Command(command)) => After::CloseThen(Next::Command(command)),
                None => After::Stay,
            },
            Overlay::Members(popup) => {
                let wish = popup.key(key, now);
                wish.map_or(After::Stay, |wish| in_members(wish, popup.conversation, effects))
            }
            Overlay::Info(popup) => match self.info_view(popup.conversation) {
                Some(view) => popup.key(key, view).map_or(After::Stay, |wish| in_info(wish, effects)),
                None => After::Close,
            },
            Overlay::Account(popup) => match self.account_view() {
                Some(view) => popup.key(key, view).map_or(After::Stay, |wish| in_account(wish, effects)),
                None => After::Close,
            },
            Overlay::Contacts(popup) => {
                let none = ContactBook::default();
                match popup.key(key, now, self.book.as_ref().unwrap_or(&none)) {
                    None => After::Stay,
                    Some(contacts::Wish::Close) => After::Close,
                    Some(contacts::Wish::Chat(user)) => {
                        effects.push(Effect::Network(Network::CreateDirect(user)));
                        After::Stay
                    }
                    Some(contacts::Wish::Change(user, action)) => {
                        effects.push(Effect::Network(Network::Contact { user, action }));
                        After::Stay
                    }
                }
            }
            Overlay::Devices(popup) => match popup.key(key) {
                None => After::Stay,
                Some(devices::Wish::Close) => After::Close,
                Some(devices::Wish::Revoke(device)) => {
                    effects.push(Effect::Network(Network::RevokeDevice(device)));
                    After::Stay
                }
            },
            Overlay::Invites(popup) => match popup.key(key) {
                None => After::Stay,
                Some(invites::Wish::Close) => After::Close,
                Some(invites::Wish::Do(effect)) => {
                    self.tell_of_copy(&effect);
                    effects.push(effect);
                    After::Stay
                }
            },
            Overlay::Links(popup) => match popup.key(key) {
                None => After::Stay,
                Some(links::Wish::Close) => After::Close,
                Some(links::Wish::Do(effect)) => {
                    self.tell_of_copy(&effect);
                    effects.push(effect);
                    After::Close
                }
            },
            Overlay::Search(popup) => {
                popup.key(key, now).map_or(After::Stay, |wish| in_messages(wish, effects))
            }
            Overlay::Pins(popup) => popup.key(key).map_or(After::Stay, |wish| in_messages(wish, effects)),
            _ => After::Close,
        }
    }

    /// Yes. What leads away from what lies under it closes that, too.
    fn confirmed(&mut self, effect: Effect, effects: &mut Vec<Effect>) -> After {
        let leads_away = matches!(
            effect,
            Effect::Network(
                Network::LogOut | Network::Manage { action: GroupAction::Leave | GroupAction::Delete, .. }
            )
        );
        if leads_away {
            self.under.clear();
        }
        effects.push(effect);
        After::Close
    }
}

fn close_if(closes: bool) -> After {
    if closes { After::Close } else { After::Stay }
}

fn ask(title: &str, text: &str, effect: Effect) -> Next {
    Next::Push(Box::new(Overlay::Confirm(Confirm::new(title, text, effect))))
}

fn chosen(then: Then, effects: &mut Vec<Effect>) -> After {
    match then {
        Then::Do(all) => {
            effects.extend(all);
            After::Close
        }
        Then::AskFirst(title, text, effect) => After::CloseThen(ask(title, &text, *effect)),
        Then::Command(command) => After::CloseThen(Next::Command(command)),
    }
}

fn in_members(wish: members::Wish, conversation: ConversationId, effects: &mut Vec<Effect>) -> After {
    match wish {
        members::Wish::Close => After::Close,
        members::Wish::Chat(user) => {
            effects.push(Effect::Network(Network::CreateDirect(user)));
            After::Stay
        }
        members::Wish::More(cursor) => {
            effects.push(Effect::Network(Network::LoadMembers { conversation, cursor: Some(cursor) }));
            After::Stay
        }
        members::Wish::Roles(menu) => After::Then(Next::Push(Box::new(Overlay::Menu(*menu)))),
        members::Wish::Manage(action) => {
            let leaves = action == GroupAction::Leave;
            effects.push(Effect::Network(Network::Manage { conversation, action }));
            close_if(leaves)
        }
    }
}

fn in_info(wish: info::Wish, effects: &mut Vec<Effect>) -> After {
    match wish {
        info::Wish::Close => After::Close,
        info::Wish::Choose(menu) => After::Then(Next::Push(Box::new(Overlay::Menu(*menu)))),
        info::Wish::Command(command) => After::Then(Next::Command(command)),
        info::Wish::AskFirst(title, text, effect) => After::Then(ask(title, &text, effect)),
        info::Wish::Do(effect) => {
            effects.push(effect);
            After::Stay
        }
    }
}

fn in_account(wish: account::Wish, effects: &mut Vec<Effect>) -> After {
    match wish {
        account::Wish::Close => After::Close,
        account::Wish::Choose(menu) => After::Then(Next::Push(Box::new(Overlay::Menu(*menu)))),
        account::Wish::Command(command) => After::Then(Next::Command(command)),
        account::Wish::Delete => {
            After::Then(Next::Push(Box::new(Overlay::Password(Password::new(password::Purpose::Delete)))))
        }
        account::Wish::Do(effect) => {
            effects.push(effect);
            After::Stay
        }
    }
}

fn in_messages(wish: messages::Wish, effects: &mut Vec<Effect>) -> After {
    match wish {
        messages::Wish::Close => After::Close,
        messages::Wish::Show(conversation, seq) => After::CloseThen(Next::Show(conversation, seq)),
        messages::Wish::Unpin(conversation, target) => {
            let change = Change::Pin { target, on: false };
            effects.push(Effect::Device(Device::Change { conversation, change }));
            effects.push(Effect::Network(Network::LoadPins(conversation)));
            After::Stay
        }
        messages::Wish::Fetch(conversation) => {
            effects.push(Effect::Device(Device::Backfill(conversation)));
            After::Stay
        }
    }
}

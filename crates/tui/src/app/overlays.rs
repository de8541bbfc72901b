//! Keys and answers of what lies above the rest.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_proto::Timestamp;

use super::effect::{Change, Device, GroupAction, Network};
use super::{App, Effect, Message, intake};
use crate::screens::Overlay;
use crate::screens::confirm::{Answer, Confirm};
use crate::screens::find_people::FindPeople;
use crate::screens::members::{Members, Wish};
use crate::screens::new_group::NewGroup;
use crate::screens::picker::Picker;

impl Overlay {
    fn picker(&mut self) -> Option<&mut Picker> {
        match self {
            Self::NewChat(popup) => Some(&mut popup.picker),
            Self::NewGroup(popup) => Some(&mut popup.picker),
            Self::Members(popup) => popup.picker(),
            Self::Help(_) | Self::Emoji(_) | Self::Details(_) | Self::Confirm(_) => None,
        }
    }

    /// When a search is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::NewChat(popup) => popup.picker.deadline(),
            Self::NewGroup(popup) => popup.picker.deadline(),
            Self::Members(popup) => popup.picker_deadline(),
            Self::Help(_) | Self::Emoji(_) | Self::Details(_) | Self::Confirm(_) => None,
        }
    }

    /// The search that is due.
    pub fn due_search(&mut self, now: Timestamp) -> Option<String> {
        self.picker().and_then(|picker| picker.due_search(now))
    }

    /// Pasted text goes to the field that is open.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        match self {
            Self::NewChat(popup) => popup.picker.paste(text, now),
            Self::NewGroup(popup) => popup.paste(text, now),
            Self::Members(popup) => popup.paste(text, now),
            Self::Help(_) | Self::Emoji(_) | Self::Details(_) | Self::Confirm(_) => {}
        }
    }
}

impl App {
    pub(super) fn start_new_chat(&mut self) {
        if let Some(me) = self.own_id() {
            self.overlay = Some(Overlay::NewChat(FindPeople::new(me)));
        }
    }

    pub(super) fn start_new_group(&mut self) {
        if let Some(me) = self.own_id() {
            self.overlay = Some(Overlay::NewGroup(NewGroup::new(me)));
        }
    }

    pub(super) fn show_members(&mut self) -> Vec<Effect> {
        let (Some(me), Some(open)) = (self.own_id(), &self.open) else { return Vec::new() };
        if self.is_direct(open.id) {
            self.complain("A chat of two has no members to manage: Ctrl+G makes a group");
            return Vec::new();
        }
        let title = self.chats.get(open.id).map(|row| row.title.clone()).unwrap_or_default();
        let id = open.id;
        self.overlay = Some(Overlay::Members(Members::new(id, &title, me)));
        vec![Effect::Network(Network::LoadMembers(id))]
    }

    pub(super) fn ask_to_log_out(&mut self) {
        let text = "This device forgets its messages; the server keeps them. What waits to be sent is lost.";
        self.overlay =
            Some(Overlay::Confirm(Confirm::new("Log out?", text, Effect::Network(Network::LogOut))));
    }

    /// A key while something lies above.
    pub(super) fn overlay_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let now = self.clock.now;
        let Some(mut overlay) = self.overlay.take() else { return Vec::new() };
        let closes =
            key.code == KeyCode::Esc && !matches!(overlay, Overlay::Members(_) | Overlay::Confirm(_));
        if closes {
            return self.after_view_changed();
        }
        let mut effects = Vec::new();
        let stays = match &mut overlay {
            Overlay::Help(help) => !help.key(key),
            Overlay::Details(_) => false,
            Overlay::NewChat(popup) => {
                effects.extend(popup.key(key, now).map(|user| Effect::Network(Network::CreateDirect(user))));
                true
            }
            Overlay::NewGroup(popup) => {
                let plan = popup.key(key, now);
                effects.extend(plan.map(|plan| {
                    Effect::Network(Network::CreateGroup { title: plan.title, members: plan.members })
                }));
                true
            }
            Overlay::Emoji(popup) => match (popup.key(key), &self.open) {
                (Some(picked), Some(open)) => {
                    let change = Change::React { target: popup.target, emoji: picked.emoji, on: picked.on };
                    effects.push(Effect::Device(Device::Change { conversation: open.id, change }));
                    false
                }
                _ => true,
            },
            Overlay::Confirm(popup) => match popup.key(key) {
                Some(Answer::Yes(effect)) => {
                    effects.push(effect);
                    false
                }
                Some(Answer::No) => false,
                None => true,
            },
            Overlay::Members(popup) => match popup.key(key, now) {
                None => true,
                Some(Wish::Close) => false,
                Some(Wish::Chat(user)) => {
                    effects.push(Effect::Network(Network::CreateDirect(user)));
                    false
                }
                Some(Wish::Manage(action)) => {
                    let leaves = action == GroupAction::Leave;
                    effects
                        .push(Effect::Network(Network::Manage { conversation: popup.conversation, action }));
                    !leaves
                }
            },
        };
        if stays {
            self.overlay = Some(overlay);
        } else {
            effects.extend(self.after_view_changed());
        }
        effects
    }

    /// An answer from the network to what a popup asked for.
    pub(super) fn answered(&mut self, answer: Message) -> Vec<Effect> {
        match answer {
            Message::Found { query, people } => {
                let people = people
                    .map(|people| people.into_iter().map(intake::profile).collect())
                    .map_err(intake::reason);
                if let Some(picker) = self.overlay.as_mut().and_then(Overlay::picker) {
                    picker.answer(&query, people);
                }
                Vec::new()
            }
            Message::Members { conversation, members } => {
                let members = members
                    .map(|members| members.into_iter().map(intake::member).collect::<Vec<_>>())
                    .map_err(intake::reason);
                if let Ok(members) = &members {
                    self.people.learn(members.iter().map(|member| member.profile.clone()));
                }
                if let Some(Overlay::Members(popup)) =
                    self.overlay.as_mut().filter(|overlay| is_members_of(overlay, conversation))
                {
                    popup.set(members);
                }
                Vec::new()
            }
            Message::Created(Ok(id)) => {
                self.overlay = None;
                self.open(id)
            }
            Message::Created(Err(reason)) => {
                match &mut self.overlay {
                    Some(Overlay::NewChat(popup)) => popup.failed(),
                    Some(Overlay::NewGroup(popup)) => popup.failed(),
                    _ => {}
                }
                self.complain(reason);
                Vec::new()
            }
            Message::Managed { conversation, result } => self.managed(conversation, result),
            _ => Vec::new(),
        }
    }

    fn managed(
        &mut self,
        conversation: loquat_proto::ConversationId,
        result: Result<(), String>,
    ) -> Vec<Effect> {
        match self.overlay.as_mut().filter(|overlay| is_members_of(overlay, conversation)) {
            Some(Overlay::Members(popup)) => {
                popup.managed(result.map_err(intake::reason));
                vec![Effect::Network(Network::LoadMembers(conversation))]
            }
            _ => {
                if let Err(reason) = result {
                    self.complain(reason);
                }
                Vec::new()
            }
        }
    }
}

fn is_members_of(overlay: &Overlay, conversation: loquat_proto::ConversationId) -> bool {
    matches!(overlay, Overlay::Members(popup) if popup.conversation == conversation)
}

//! Answers from the network to what popups asked for.

use loquat_proto::conversation::Member;
use loquat_proto::{AccountEventKind, ConversationId, Page};

use super::effect::{Device, Network};
use super::message::Done;
use super::social::ContactBook;
use super::{App, Effect, Message, intake};
use crate::screens::Overlay;

impl App {
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
            }
            Message::Members { conversation, from, members } => {
                self.members(conversation, from.as_deref(), members);
            }
            Message::Created(Ok(id)) => {
                self.clear_overlays();
                return self.open(id);
            }
            Message::Created(Err(reason)) => {
                let reason = intake::reason(reason);
                match &mut self.overlay {
                    Some(Overlay::NewChat(popup)) => popup.failed(),
                    Some(Overlay::NewGroup(popup)) => popup.failed(),
                    Some(Overlay::Join(popup)) => popup.failed(reason.clone()),
                    _ => {}
                }
                self.complain(reason);
            }
            Message::Managed { conversation, result } => return self.managed(conversation, result),
            Message::Contacts(book) => self.contacts(book),
            Message::Devices(devices) => {
                let devices = devices
                    .map(|devices| devices.into_iter().map(intake::device).collect::<Vec<_>>())
                    .map_err(intake::reason);
                for overlay in self.overlays_mut() {
                    if let Overlay::Devices(popup) = overlay {
                        popup.set(devices.clone());
                    }
                }
            }
            Message::Invites { conversation, invites } => {
                let invites = invites
                    .map(|invites| invites.into_iter().map(intake::invitation).collect::<Vec<_>>())
                    .map_err(intake::reason);
                for overlay in self.overlays_mut() {
                    if let Overlay::Invites(popup) = overlay
                        && popup.conversation == conversation
                    {
                        popup.set(invites.clone());
                    }
                }
            }
            Message::Previewed { code, preview } => {
                if let Some(Overlay::Join(popup)) = &mut self.overlay {
                    popup.previewed(&code, preview.map(intake::preview).map_err(intake::reason));
                }
            }
            Message::Pins { conversation, pins } => {
                let pins = pins
                    .map(|pins| pins.into_iter().map(intake::content).collect::<Vec<_>>())
                    .map_err(intake::reason);
                for overlay in self.overlays_mut() {
                    if let Overlay::Pins(popup) = overlay
                        && popup.conversation == conversation
                    {
                        popup.set(pins.clone());
                    }
                }
            }
            Message::Hits { query, conversation, hits } => {
                let hits =
                    hits.map(|hits| hits.into_iter().map(intake::found).collect()).map_err(intake::reason);
                return self.hits(&query, conversation, hits);
            }
            Message::Exported(Ok(path)) => {
                self.say(intake::reason(format!("Everything of yours is in {path}")));
            }
            Message::Exported(Err(reason)) => self.complain(reason),
            Message::Done { what, result } => return self.done(what, result.map_err(intake::reason)),
            _ => {}
        }
        Vec::new()
    }

    fn members(
        &mut self,
        conversation: ConversationId,
        from: Option<&str>,
        page: Result<Page<Member>, String>,
    ) {
        let page = page
            .map(|page| Page {
                items: page.items.into_iter().map(intake::member).collect::<Vec<_>>(),
                next_cursor: page.next_cursor,
            })
            .map_err(intake::reason);
        if let Ok(page) = &page {
            self.people.learn(page.items.iter().map(|member| member.profile.clone()));
        }
        for overlay in self.overlays_mut() {
            if let Overlay::Members(popup) = overlay
                && popup.conversation == conversation
            {
                popup.set(from, page.clone());
            }
        }
    }

    fn hits(
        &mut self,
        query: &str,
        scope: Option<ConversationId>,
        hits: Result<Vec<loquat_client::Found>, String>,
    ) -> Vec<Effect> {
        let senders: Vec<_> = hits.iter().flatten().map(|hit| hit.sender).collect();
        if let Some(Overlay::Search(popup)) = &mut self.overlay {
            popup.answer(query, scope, hits);
        }
        let unknown = self.people.ask(senders);
        if unknown.is_empty() { Vec::new() } else { vec![Effect::Device(Device::LearnProfiles(unknown))] }
    }

    fn contacts(&mut self, book: Result<ContactBook, String>) {
        match book {
            Ok(book) => {
                let book = intake::book(book);
                self.people.block_only(book.blocked.iter().map(|profile| profile.id));
                self.people.learn(book.contacts.iter().cloned());
                self.book = Some(book);
            }
            // Asked for at the start, too: whoever looks is told.
            Err(reason) => {
                let reason = intake::reason(reason);
                for overlay in self.overlays_mut() {
                    if let Overlay::Contacts(popup) = overlay {
                        popup.done(Err(reason.clone()));
                    }
                }
            }
        }
    }

    fn managed(&mut self, conversation: ConversationId, result: Result<(), String>) -> Vec<Effect> {
        let is_here = |overlay: &Overlay| matches!(overlay, Overlay::Members(popup) if popup.conversation == conversation);
        let result = result.map_err(intake::reason);
        let mut reload = false;
        for overlay in self.overlays_mut().filter(|overlay| is_here(overlay)) {
            if let Overlay::Members(popup) = overlay {
                popup.managed(result.clone());
                reload = true;
            }
        }
        if reload {
            return vec![Effect::Network(Network::LoadMembers { conversation, cursor: None })];
        }
        if let Err(reason) = result {
            self.complain(reason);
        }
        Vec::new()
    }

    fn done(&mut self, what: Done, result: Result<(), String>) -> Vec<Effect> {
        let mut is_told = false;
        let mut effects = Vec::new();
        for overlay in self.overlays_mut() {
            match (overlay, what) {
                (Overlay::Contacts(popup), Done::Contacts) => popup.done(result.clone()),
                (Overlay::Devices(popup), Done::Devices) => popup.done(result.clone()),
                (Overlay::Invites(popup), Done::Invites(_)) => popup.done(result.clone()),
                (Overlay::Password(popup), Done::Password) => {
                    if let Err(reason) = &result {
                        popup.failed(reason.clone());
                    }
                }
                _ => continue,
            }
            is_told = true;
        }
        match (&result, what) {
            (Err(reason), _) if !is_told => self.complain(reason.clone()),
            (Ok(()), Done::Password) => {
                if matches!(self.overlay, Some(Overlay::Password(_))) {
                    effects.extend(self.pop());
                }
                self.say("The password is changed, and your other devices are signed out");
            }
            (Ok(()), Done::Link) => self.say("Handed over to your browser"),
            _ => {}
        }
        match what {
            Done::Contacts => effects.push(Effect::Network(Network::LoadContacts)),
            Done::Devices => effects.push(Effect::Network(Network::LoadDevices)),
            Done::Invites(conversation) => effects.push(Effect::Network(Network::LoadInvites(conversation))),
            Done::Profile | Done::Password | Done::Link => {}
        }
        effects
    }

    /// Something happened to the account, perhaps on another device.
    pub(super) fn account_changed(&mut self, kind: AccountEventKind) -> Vec<Effect> {
        match kind {
            AccountEventKind::ContactRequest
            | AccountEventKind::ContactAdded
            | AccountEventKind::ContactRemoved
            | AccountEventKind::Blocked
            | AccountEventKind::Unblocked => vec![Effect::Network(Network::LoadContacts)],
            AccountEventKind::DeviceAdded | AccountEventKind::DeviceRemoved => {
                let shown = self.overlays_mut().any(|overlay| matches!(overlay, Overlay::Devices(_)));
                if shown { vec![Effect::Network(Network::LoadDevices)] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }
}

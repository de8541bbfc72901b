//! What lies above the rest: a stack, of which the top takes keys, and what all of it is told.

use loquat_proto::{ConversationId, Timestamp};

use super::{App, Effect};
use crate::screens::Overlay;
use crate::screens::account::AccountView;
use crate::screens::contacts::ContactsView;
use crate::screens::info::InfoView;
use crate::screens::messages::MessagesView;
use crate::screens::picker::Picker;
use crate::screens::switcher::Choices;

impl Overlay {
    pub(super) fn picker(&mut self) -> Option<&mut Picker> {
        match self {
            Self::NewChat(popup) => Some(&mut popup.picker),
            Self::NewGroup(popup) => Some(&mut popup.picker),
            Self::Members(popup) => popup.picker(),
            Self::Contacts(popup) => popup.picker(),
            _ => None,
        }
    }

    /// When a search is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::NewChat(popup) => popup.picker.deadline(),
            Self::NewGroup(popup) => popup.picker.deadline(),
            Self::Members(popup) => popup.picker_deadline(),
            Self::Contacts(popup) => popup.deadline(),
            Self::Search(popup) => popup.deadline(),
            _ => None,
        }
    }

    /// The search for people that is due.
    pub fn due_search(&mut self, now: Timestamp) -> Option<String> {
        self.picker().and_then(|picker| picker.due_search(now))
    }

    /// Pasted text goes to the field that is open.
    pub fn paste(&mut self, text: &str, now: Timestamp) {
        match self {
            Self::NewGroup(popup) => popup.paste(text, now),
            Self::Members(popup) => popup.paste(text, now),
            Self::Info(popup) => popup.paste(text),
            Self::Account(popup) => popup.paste(text),
            Self::Password(popup) => popup.paste(text),
            Self::Join(popup) => popup.paste(text),
            Self::Search(popup) => popup.paste(text, now),
            Self::Switcher(popup) => popup.paste(text),
            other => {
                if let Some(picker) = other.picker() {
                    picker.paste(text, now);
                }
            }
        }
    }
}

impl App {
    /// Puts something above what is there.
    pub(super) fn push(&mut self, overlay: Overlay) {
        self.under.extend(self.overlay.replace(overlay));
    }

    /// Takes the top away; what lay under it comes back.
    pub(super) fn pop(&mut self) -> Vec<Effect> {
        self.overlay = self.under.pop();
        self.after_view_changed()
    }

    /// Takes everything away.
    pub(super) fn clear_overlays(&mut self) {
        self.overlay = None;
        self.under.clear();
    }

    /// All that lies above the rest, the top first.
    pub(super) fn overlays_mut(&mut self) -> impl Iterator<Item = &mut Overlay> {
        self.overlay.iter_mut().chain(self.under.iter_mut().rev())
    }

    /// What the popup about a conversation shows; `None` while the conversation is not in the list.
    #[must_use]
    pub fn info_view(&self, conversation: ConversationId) -> Option<InfoView<'_>> {
        let row = self.chats.get(conversation)?;
        let standing = match (&self.book, row.peer) {
            (Some(book), Some(peer)) => book.standing(peer),
            _ => super::social::Standing::Stranger,
        };
        Some(InfoView {
            row,
            whole: self.whole().filter(|whole| whole.id == conversation),
            peer: row.peer.and_then(|peer| self.people.profile(peer)),
            standing,
            clock: &self.clock,
        })
    }

    /// What the popup about the own account shows; `None` while the own profile is not known.
    #[must_use]
    pub fn account_view(&self) -> Option<AccountView<'_>> {
        let requests = self.book.as_ref().map_or(0, super::social::ContactBook::incoming);
        Some(AccountView { own: self.own.as_ref()?, preferences: self.preferences, requests })
    }

    /// What the popup of contacts shows.
    #[must_use]
    pub fn contacts_view(&self) -> ContactsView<'_> {
        ContactsView { book: self.book.as_ref(), people: &self.people, clock: &self.clock }
    }

    /// What popups of messages are drawn with.
    #[must_use]
    pub fn messages_view(&self) -> Option<MessagesView<'_>> {
        let me = self.own_id()?;
        Some(MessagesView { chats: &self.chats, people: &self.people, clock: &self.clock, me })
    }

    /// What the switcher chooses among.
    #[must_use]
    pub fn choices(&self) -> Choices<'_> {
        let open = self.open.as_ref().and_then(|open| self.chats.get(open.id)).map(|row| row.kind);
        Choices { chats: self.chats.all(), open }
    }
}
